//! `escrow expire`

use clap::Args;
use escrow_client::instruction;

use super::{Done, MilestoneArgs};
use crate::{context::Context, error::Result};

/// Arguments of `expire`.
#[derive(Debug, Args)]
pub struct ExpireArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,
}

pub async fn run(context: &Context, args: ExpireArgs) -> Result<Done> {
    let address = args.milestone.escrow;
    let escrow = context.client.escrow(&address).await?;
    let (index, milestone) = args.milestone.find(&escrow)?;
    let asset = context.asset_of(&escrow).await?;
    // What the program would refuse, before anything is sent.
    let now = context.client.now().await?;
    let moved = escrow.state.clone().expire(&mut milestone.clone(), now)?;
    let keypair = context.keypair()?;
    let confirmed = context.send(&[instruction::expire(address, index)], &keypair).await?;
    let mut done = format!(
        "applied the agreed default to milestone {} of escrow {address}: {} for the seller, {} for the buyer",
        index.saturating_add(1),
        asset.amount(moved.seller),
        asset.amount(moved.buyer)
    );
    if moved.fee > 0 {
        done.push_str(&format!(", {} for the fee recipient", asset.amount(moved.fee)));
    }
    Done::new(context, done, confirmed, &address).await
}
