//! `escrow rule`

use std::path::PathBuf;

use clap::Args;
use escrow_client::{EscrowInstruction, Recipe};

use super::{Done, MilestoneArgs, perform};
use crate::{consent::Expectations, context::Context, error::Result, parse};

/// Arguments of `rule`.
#[derive(Debug, Args)]
pub struct RuleArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// The seller's share of what remains after the arbiter's fee, in percent; the rest is the buyer's
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent)]
    seller_share: parse::Percent,

    /// The rationale, in writing: the sha256 of this file becomes part of the transaction
    #[arg(long, value_name = "FILE", conflicts_with = "rationale_hash")]
    rationale: Option<PathBuf>,

    /// sha256 of the rationale
    #[arg(long, value_name = "HEX", value_parser = parse::hash)]
    rationale_hash: Option<[u8; 32]>,

    #[command(flatten)]
    expected: Expectations,
}

pub async fn run(context: &Context, args: RuleArgs) -> Result<Done> {
    let situation = context.situation(&args.milestone.escrow).await?;
    let (milestone, _) = args.milestone.find(&situation.escrow)?;
    let rationale_hash = parse::file_or_hash(args.rationale.as_deref(), args.rationale_hash)?;
    let seller_bps = args.seller_share.0;
    let rule = situation.action(EscrowInstruction::Rule { milestone, seller_bps, rationale_hash });
    perform(context, &situation, &Recipe::only(rule), &args.expected).await
}
