//! `escrow claim`

use std::path::PathBuf;

use clap::Args;
use escrow_client::instruction;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::Result,
    parse,
};

/// Arguments of `claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// File with the 32-byte secret, raw or as 64 hexadecimal digits. It is public once it is used
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
}

pub async fn run(context: &Context, args: ClaimArgs) -> Result<Done> {
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset, now } = &situation;
    let (index, milestone) = args.milestone.find(escrow)?;
    let secret = parse::secret_file(&args.secret)?;
    // What the program would refuse, before anything is sent: a wrong secret, above all, must not become public.
    let moved = { escrow.state }.claim(&mut { *milestone }, &secret, *now).map_err(situation.refused(Some(index)))?;
    let keypair = context.keypair()?;
    let confirmed = context.send(&[instruction::claim(address, index, secret)], &keypair).await?;
    let done = format!(
        "claimed milestone {} of escrow {address}: {} for the seller",
        index.saturating_add(1),
        asset.amount(moved.seller)
    );
    Done::new(context, done, confirmed, &address).await
}
