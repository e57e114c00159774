//! `escrow refund`

use clap::Args;
use escrow_client::{EscrowInstruction, Recipe};

use super::{Done, MilestoneArgs, perform};
use crate::{consent::Expectations, context::Context, error::Result};

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
    let situation = context.situation(&args.milestone.escrow).await?;
    let (milestone, present) = args.milestone.find(&situation.escrow)?;
    let expected_remaining = present.remaining;
    let amount = args.amount.map_or(Ok(expected_remaining), |text| situation.denomination.parse(&text))?;
    let refund = situation.action(EscrowInstruction::Refund { milestone, amount, expected_remaining });
    perform(context, &situation, &Recipe::only(refund), &Expectations::NONE).await
}
