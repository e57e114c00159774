//! `escrow refund`

use clap::Args;
use escrow_client::instruction;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::Result,
};

/// Arguments of `refund`.
#[derive(Debug, Args)]
pub struct RefundArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// How much, in SOL or in the token's unit [default: all that remains]
    #[arg(long, allow_hyphen_values = true)]
    amount: Option<String>,
}

pub async fn run(context: &Context, args: RefundArgs) -> Result<Done> {
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset, now: _ } = &situation;
    let (index, milestone) = args.milestone.find(escrow)?;
    let keypair = context.keypair_of(&escrow.state.seller, "the seller")?;
    let remaining = milestone.remaining;
    let amount = args.amount.map_or(Ok(remaining), |text| asset.parse(&text))?;
    // What the program would refuse, before anything is sent.
    ({ escrow.state }).refund(&mut { *milestone }, amount, remaining).map_err(situation.refused(Some(index)))?;
    let instruction = instruction::refund(address, escrow.state.seller, index, amount, remaining);
    let confirmed = context.send(&[instruction], &keypair).await?;
    let done = format!(
        "refunded {} of milestone {} of escrow {address} to the buyer",
        asset.amount(amount),
        index.saturating_add(1)
    );
    Done::new(context, done, confirmed, &address).await
}
