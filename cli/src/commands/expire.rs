//! `escrow expire`

use clap::Args;
use escrow_client::instruction;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::Result,
};

/// Arguments of `expire`.
#[derive(Debug, Args)]
pub struct ExpireArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,
}

pub async fn run(context: &Context, args: ExpireArgs) -> Result<Done> {
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset, now } = &situation;
    let (index, milestone) = args.milestone.find(escrow)?;
    // What the program would refuse, before anything is sent.
    let moved = { escrow.state }.expire(&mut { *milestone }, *now).map_err(situation.refused(Some(index)))?;
    let keypair = context.keypair()?;
    let confirmed = context.send(&[instruction::expire(address, index)], &keypair).await?;
    let done = format!(
        "applied the agreed default to milestone {} of escrow {address}: {}",
        index.saturating_add(1),
        asset.shares(&moved)
    );
    Done::new(context, done, confirmed, &address).await
}
