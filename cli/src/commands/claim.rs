//! `escrow claim`

use std::path::PathBuf;

use clap::Args;
use escrow_client::{EscrowInstruction, Recipe};

use super::{Done, MilestoneArgs, perform};
use crate::{consent::Expectations, context::Context, error::Result, guards, parse};

/// Arguments of `claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// File with the 32-byte secret, raw or as 64 hexadecimal digits. It is public once it is used
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,

    /// Show the secret in the last 5 minutes before the deadline, too, where it may become known and pay nothing
    #[arg(long)]
    late: bool,
}

pub async fn run(context: &Context, args: ClaimArgs) -> Result<Done> {
    let situation = context.situation(&args.milestone.escrow).await?;
    let (milestone, present) = args.milestone.find(&situation.escrow)?;
    let secret = parse::secret_file(&args.secret)?;
    let recipe = Recipe::only(situation.action(EscrowInstruction::Claim { milestone, secret }));
    // What was signed before is taken up at any time.
    if context.is_offline() || context.begun().await?.is_none() {
        guards::may_show_secret(&situation, milestone, present, args.late)?;
        guards::is_final(context, &situation, &recipe).await?;
    }
    perform(context, &situation, &recipe, &Expectations::NONE).await
}
