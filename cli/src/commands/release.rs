//! `escrow release`

use clap::Args;
use escrow_client::instruction;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::Result,
};

/// Arguments of `release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// How much, in SOL or in the token's unit [default: all that remains]
    #[arg(long, allow_hyphen_values = true)]
    amount: Option<String>,
}

pub async fn run(context: &Context, args: ReleaseArgs) -> Result<Done> {
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset, now: _ } = &situation;
    let (index, milestone) = args.milestone.find(escrow)?;
    let keypair = context.keypair_of(&escrow.state.buyer, "the buyer")?;
    let remaining = milestone.remaining;
    let amount = args.amount.map_or(Ok(remaining), |text| asset.parse(&text))?;
    // What the program would refuse, before anything is sent.
    let moved =
        { escrow.state }.release(&mut { *milestone }, amount, remaining).map_err(situation.refused(Some(index)))?;
    let instruction = instruction::release(address, escrow.state.buyer, index, amount, remaining);
    let confirmed = context.send(&[instruction], &keypair).await?;
    let mut done = format!(
        "released {} of milestone {} of escrow {address} to the seller",
        asset.amount(amount),
        index.saturating_add(1)
    );
    if moved.fee > 0 {
        done.push_str(&format!(", of which {} is the fee", asset.amount(moved.fee)));
    }
    Done::new(context, done, confirmed, &address).await
}
