//! `escrow dispute`

use std::path::PathBuf;

use clap::Args;
use escrow_client::instruction;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::Result,
    parse,
    view::Time,
};

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
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset: _, now } = &situation;
    let (index, milestone) = args.milestone.find(escrow)?;
    context.keypair_of(&escrow.state.buyer, "the buyer")?;
    let mut after = *milestone;
    escrow.state.dispute(&mut after, *now).map_err(situation.refused(Some(index)))?;
    let reason = parse::file_or_hash(args.reason.as_deref(), args.reason_hash)?;
    let keypair = context.keypair()?;
    let confirmed = context.send(&[instruction::dispute(address, escrow.state.buyer, index, reason)], &keypair).await?;
    let done = format!(
        "disputed milestone {} of escrow {address}; it is to be ruled or agreed on until {}",
        index.saturating_add(1),
        Time::new(after.deadline, *now)
    );
    Done::new(context, done, confirmed, &address).await
}
