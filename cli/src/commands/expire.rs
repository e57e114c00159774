//! `escrow expire`

use clap::Args;
use escrow_client::{EscrowInstruction, Recipe};

use super::{Done, MilestoneArgs, perform};
use crate::{consent::Expectations, context::Context, error::Result};

/// Arguments of `expire`.
#[derive(Debug, Args)]
pub struct ExpireArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,
}

pub async fn run(context: &Context, args: ExpireArgs) -> Result<Done> {
    let situation = context.situation(&args.milestone.escrow).await?;
    let (milestone, _) = args.milestone.find(&situation.escrow)?;
    let expire = situation.action(EscrowInstruction::Expire { milestone });
    perform(context, &situation, &Recipe::only(expire), &Expectations::NONE).await
}
