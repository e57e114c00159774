//! `escrow rule`

use std::path::PathBuf;

use clap::Args;
use escrow_client::instruction;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::Result,
    parse,
};

/// Arguments of `rule`.
#[derive(Debug, Args)]
pub struct RuleArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// The seller's share of what remains after the arbiter's fee, in percent; the rest is the buyer's
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent)]
    seller_share: u16,

    /// The rationale, in writing: the sha256 of this file becomes part of the transaction
    #[arg(long, value_name = "FILE", conflicts_with = "rationale_hash")]
    rationale: Option<PathBuf>,

    /// sha256 of the rationale
    #[arg(long, value_name = "HEX", value_parser = parse::hash)]
    rationale_hash: Option<[u8; 32]>,
}

pub async fn run(context: &Context, args: RuleArgs) -> Result<Done> {
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset, now } = &situation;
    let (index, milestone) = args.milestone.find(escrow)?;
    let keypair = context.keypair_of(&escrow.state.arbiter, "the arbiter")?;
    // What the program would refuse, before anything is sent.
    let moved =
        { escrow.state }.rule(&mut { *milestone }, args.seller_share, *now).map_err(situation.refused(Some(index)))?;
    let rationale = parse::file_or_hash(args.rationale.as_deref(), args.rationale_hash)?;
    let instruction = instruction::rule(address, escrow.state.arbiter, index, args.seller_share, rationale);
    let confirmed = context.send(&[instruction], &keypair).await?;
    let done = format!("ruled on milestone {} of escrow {address}: {}", index.saturating_add(1), asset.shares(&moved));
    Done::new(context, done, confirmed, &address).await
}
