//! `escrow watch`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{view, work::watch::Position};
use serde::Serialize;

use crate::{
    context::Context,
    error::Result,
    follow::{FollowArgs, Tell, follow},
    layout::{ClusterLayout, time},
};

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    following: FollowArgs,
}

/// An event in a line.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Line<'a>(pub &'a view::Event);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let view::Event { time: when, text, escrow, .. } = self.0;
        writeln!(f, "{}  {text} {escrow}", time(when).rfc3339())
    }
}

/// Shows events, and keeps nothing.
struct Shown<'a>(&'a Context);

impl Tell for Shown<'_> {
    async fn tell(&mut self, event: &view::Event) -> Result<bool> {
        self.0.print_one(&Line(event))
    }

    fn keep(&mut self, _: &Position) -> Result<()> {
        Ok(())
    }
}

pub async fn run(context: &Context, args: WatchArgs) -> Result<()> {
    let position = args.following.position_now(context).await?;
    context.note(ClusterLayout(&context.cluster().await?));
    follow(context, position, &mut Shown(context)).await
}
