//! `escrow close`

use clap::Args;
use escrow_client::Recipe;
use solana_pubkey::Pubkey;

use super::{Done, perform};
use crate::{consent::Expectations, context::Context, error::Result, parse};

/// Arguments of `close`.
#[derive(Debug, Args)]
pub struct CloseArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,
}

pub async fn run(context: &Context, args: CloseArgs) -> Result<Done> {
    let situation = context.situation(&args.escrow).await?;
    let escrow = &situation.escrow;
    let surplus = context.client.surplus(escrow).await? > 0;
    let missing = context.client.missing_token_accounts(escrow, surplus).await?;
    perform(context, &situation, &Recipe::close(escrow, surplus, &missing), &Expectations::NONE).await
}
