//! `escrow deliver`

use std::path::PathBuf;

use clap::Args;
use escrow_client::{EscrowInstruction, Recipe};

use super::{Done, MilestoneArgs, perform};
use crate::{consent::Expectations, context::Context, error::Result, guards, parse};

/// Arguments of `deliver`.
#[derive(Debug, Args)]
pub struct DeliverArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// Evidence of the delivery: the sha256 of this file becomes part of the transaction
    #[arg(long, value_name = "FILE", conflicts_with = "evidence_hash")]
    evidence: Option<PathBuf>,

    /// sha256 of the evidence
    #[arg(long, value_name = "HEX", value_parser = parse::hash)]
    evidence_hash: Option<[u8; 32]>,
}

pub async fn run(context: &Context, args: DeliverArgs) -> Result<Done> {
    let situation = context.situation(&args.milestone.escrow).await?;
    let (milestone, _) = args.milestone.find(&situation.escrow)?;
    let evidence_hash = parse::file_or_hash(args.evidence.as_deref(), args.evidence_hash)?;
    guards::tell_own_offer(context, &situation, milestone)?;
    let recipe = Recipe::only(situation.action(EscrowInstruction::Deliver { milestone, evidence_hash }));
    guards::is_final(context, &situation, &recipe).await?;
    perform(context, &situation, &recipe, &Expectations::NONE).await
}
