//! `escrow dispute`

use std::path::PathBuf;

use clap::Args;
use escrow_client::{EscrowInstruction, Recipe};

use super::{Done, MilestoneArgs, perform};
use crate::{consent::Expectations, context::Context, error::Result, guards, parse};

/// Arguments of `dispute`.
#[derive(Debug, Args)]
pub struct DisputeArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// The reason, in writing: the sha256 of this file becomes part of the transaction
    #[arg(long, value_name = "FILE", conflicts_with = "reason_hash")]
    reason: Option<PathBuf>,

    /// sha256 of the reason
    #[arg(long, value_name = "HEX", value_parser = parse::hash)]
    reason_hash: Option<[u8; 32]>,
}

pub async fn run(context: &Context, args: DisputeArgs) -> Result<Done> {
    let situation = context.situation(&args.milestone.escrow).await?;
    let (milestone, _) = args.milestone.find(&situation.escrow)?;
    let reason_hash = parse::file_or_hash(args.reason.as_deref(), args.reason_hash)?;
    guards::tell_own_offer(context, &situation, milestone)?;
    let dispute = situation.action(EscrowInstruction::Dispute { milestone, reason_hash });
    perform(context, &situation, &Recipe::only(dispute), &Expectations::NONE).await
}
