//! `escrow show`

use clap::Args;
use solana_pubkey::Pubkey;

use crate::{
    context::{Context, Situation},
    error::Result,
    parse,
    view::EscrowView,
};

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,
}

pub async fn run(context: &Context, args: ShowArgs) -> Result<EscrowView> {
    let Situation { escrow, asset, now } = context.situation(&args.escrow).await?;
    EscrowView::new(&escrow, &asset, now)
}
