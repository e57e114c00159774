//! `escrow share`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{Share, view};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{context::Context, error::Result, layout::QrLayout, parse};

/// Arguments of `share`.
#[derive(Debug, Args)]
pub struct ShareArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,
}

/// A deal, to be given to somebody.
#[derive(Debug, Serialize)]
pub struct Shared {
    version: u32,
    address: String,
    /// The link, which carries the terms.
    link: String,
    /// The whole message.
    text: String,
    escrow: view::Escrow,
}

impl Display for Shared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.text, QrLayout(&self.link))
    }
}

pub async fn run(context: &Context, args: ShareArgs) -> Result<Shared> {
    let situation = context.situation(&args.escrow).await?;
    let escrow = context.view(&situation).await?;
    let cluster = escrow.cluster.as_ref().map_or("", |cluster| cluster.name.as_str());
    let link = Share::new(situation.escrow.terms(), cluster)?.to_string();
    let text = escrow_client::words::share::message(&situation, cluster, &link);
    Ok(Shared { version: view::VERSION, address: escrow.address.clone(), link, text, escrow })
}
