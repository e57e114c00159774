//! `escrow cancel`

use clap::Args;
use escrow_client::instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::Done;
use crate::{
    context::{Context, Situation},
    error::Result,
    parse,
};

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,
}

pub async fn run(context: &Context, args: CancelArgs) -> Result<Done> {
    let address = args.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset: _, now } = &situation;
    let keypair = context.keypair()?;
    let mut instructions = Vec::new();
    let (done, surplus) = if escrow.is_funded() {
        escrow
            .state
            .check_cancel_funded(&escrow.milestones, &keypair.pubkey(), *now)
            .map_err(situation.refused(None))?;
        (format!("cancelled escrow {address}: all that remained is the buyer's again, to be withdrawn"), false)
    } else {
        escrow.state.check_cancel_unfunded(&keypair.pubkey(), *now).map_err(situation.refused(None))?;
        let surplus = context.client.surplus(escrow).await? > 0;
        if surplus {
            let state = &escrow.state;
            let (payer, buyer) = (keypair.pubkey(), state.buyer);
            instructions.push(instruction::create_associated_token_account(
                payer,
                buyer,
                state.mint,
                state.token_program,
            ));
        }
        (format!("closed the unfunded escrow {address}; the rent is back at {}", escrow.state.rent_payer), surplus)
    };
    instructions.push(instruction::cancel(escrow, keypair.pubkey(), surplus));
    let confirmed = context.send(&instructions, &keypair).await?;
    Done::new(context, done, confirmed, &address).await
}
