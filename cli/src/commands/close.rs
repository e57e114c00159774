//! `escrow close`

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

/// Arguments of `close`.
#[derive(Debug, Args)]
pub struct CloseArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,
}

pub async fn run(context: &Context, args: CloseArgs) -> Result<Done> {
    let address = args.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset: _, now } = &situation;
    // What the program would refuse, before anything is sent.
    escrow.state.check_close(&escrow.milestones, *now).map_err(situation.refused(None))?;
    let keypair = context.keypair()?;
    let surplus = context.client.surplus(escrow).await? > 0;
    let mut instructions = Vec::new();
    if surplus {
        let state = &escrow.state;
        let (payer, buyer) = (keypair.pubkey(), state.buyer);
        instructions.push(instruction::create_associated_token_account(payer, buyer, state.mint, state.token_program));
    }
    instructions.push(instruction::close(escrow, surplus));
    let confirmed = context.send(&instructions, &keypair).await?;
    let done = format!("closed escrow {address}; the rent is back at {}", escrow.state.rent_payer);
    Done::new(context, done, confirmed, &address).await
}
