//! `escrow deliver`

use std::path::PathBuf;

use clap::Args;
use escrow_client::instruction;
use solana_signer::Signer;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::Result,
    parse,
    view::Time,
};

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
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset: _, now } = &situation;
    let (index, milestone) = args.milestone.find(escrow)?;
    let role = if *escrow.state.deliverer() == escrow.state.seller { "the seller" } else { "the attester" };
    let keypair = context.keypair_of(escrow.state.deliverer(), role)?;
    let mut after = *milestone;
    escrow.state.deliver(&mut after, *now).map_err(situation.refused(Some(index)))?;
    let evidence = parse::file_or_hash(args.evidence.as_deref(), args.evidence_hash)?;
    let confirmed = context.send(&[instruction::deliver(address, keypair.pubkey(), index, evidence)], &keypair).await?;
    let done = format!(
        "delivered milestone {} of escrow {address}; the buyer may dispute it until {}",
        index.saturating_add(1),
        Time::new(after.deadline, *now)
    );
    Done::new(context, done, confirmed, &address).await
}
