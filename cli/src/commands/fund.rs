//! `escrow fund`

use clap::Args;
use escrow_client::{EscrowInstruction, Recipe};
use solana_pubkey::Pubkey;

use super::{Done, perform};
use crate::{
    consent::Expectations,
    context::Context,
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

    #[command(flatten)]
    expected: Expectations,
}

pub async fn run(context: &Context, args: FundArgs) -> Result<Done> {
    let FundArgs { escrow, from, expected } = args;
    let situation = context.situation(&escrow).await?;
    if from.is_some() && situation.escrow.state.is_sol() {
        return Err(CliError::Usage("SOL is paid by the buyer's own address: leave --from out".to_owned()));
    }
    let fund = situation.action(EscrowInstruction::Fund);
    let source = from.or(fund.token_account);
    perform(context, &situation, &Recipe::only(fund.with(source)), &expected).await
}
