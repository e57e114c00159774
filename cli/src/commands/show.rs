//! `escrow show`

use clap::Args;
use solana_pubkey::Pubkey;

use crate::{context::Context, error::Result, view::EscrowView};

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Address of the escrow
    escrow: Pubkey,
}

pub async fn run(context: &Context, args: ShowArgs) -> Result<EscrowView> {
    let escrow = context.client.escrow(&args.escrow).await?;
    let asset = context.asset_of(&escrow).await?;
    EscrowView::new(&escrow, &asset, context.client.now().await?)
}
