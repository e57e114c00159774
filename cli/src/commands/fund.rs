//! `escrow fund`

use clap::Args;
use escrow_client::instruction;
use solana_pubkey::Pubkey;

use super::Done;
use crate::{
    context::{Context, Situation},
    error::{CliError, Result},
    parse,
};

/// Arguments of `fund`.
#[derive(Debug, Args)]
pub struct FundArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,

    /// The buyer's token account to pay from [default: the associated one]
    #[arg(value_parser = parse::address, long, value_name = "TOKEN_ACCOUNT")]
    from: Option<Pubkey>,
}

pub async fn run(context: &Context, args: FundArgs) -> Result<Done> {
    let FundArgs { escrow: address, from } = args;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset, now } = &situation;
    let keypair = context.keypair_of(&escrow.state.buyer, "the buyer")?;
    if from.is_some() && escrow.state.is_sol() {
        return Err(CliError::Usage("SOL is paid by the buyer's own address: leave --from out".to_owned()));
    }
    // What the program would refuse, before anything is sent.
    ({ escrow.state }).fund(&escrow.milestones, *now).map_err(situation.refused(None))?;
    let confirmed = context.send(&[instruction::fund_from(&escrow.terms(), from)?], &keypair).await?;
    let done = format!("paid {} into escrow {address}", asset.amount(escrow.state.ledger.principal));
    Done::new(context, done, confirmed, &address).await
}
