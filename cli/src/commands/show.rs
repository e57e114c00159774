//! `escrow show`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::view;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{context::Context, error::Result, layout::EscrowLayout, parse};

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,

    /// Tell too when each milestone was delivered and disputed, and how it was decided
    #[arg(long)]
    history: bool,
}

/// An escrow as it stands.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Shown {
    escrow: view::Escrow,
    /// Whose keypair it is that was named, if there is one.
    #[serde(skip)]
    viewer: Option<Pubkey>,
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        EscrowLayout { escrow: &self.escrow, viewer: self.viewer }.fmt(f)
    }
}

pub async fn run(context: &Context, args: ShowArgs) -> Result<Shown> {
    let situation = context.situation(&args.escrow).await?;
    let escrow = context.view(&situation).await?;
    let escrow = match args.history {
        false => escrow,
        true => {
            let history = context.client.history(&args.escrow).await?;
            escrow.with_history(&history, &situation.denomination, situation.now)
        }
    };
    Ok(Shown { escrow, viewer: context.viewer() })
}
