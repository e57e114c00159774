//! `escrow release`

use clap::Args;
use escrow_client::{EscrowInstruction, Recipe};

use super::{Done, MilestoneArgs, perform};
use crate::{consent::Expectations, context::Context, error::Result};

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
    let situation = context.situation(&args.milestone.escrow).await?;
    let (milestone, present) = args.milestone.find(&situation.escrow)?;
    let expected_remaining = present.remaining;
    let amount = args.amount.map_or(Ok(expected_remaining), |text| situation.denomination.parse(&text))?;
    let release = situation.action(EscrowInstruction::Release { milestone, amount, expected_remaining });
    perform(context, &situation, &Recipe::only(release), &Expectations::NONE).await
}
