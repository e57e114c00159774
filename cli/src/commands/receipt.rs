//! `escrow receipt`

use std::{
    fmt::{self, Display, Formatter},
    path::PathBuf,
};

use clap::Args;
use escrow_client::{receipt, view, words};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::{CliError, Result},
    layout::ClusterLayout,
    parse,
};

/// Arguments of `receipt`.
#[derive(Debug, Args)]
pub struct ReceiptArgs {
    /// Address of the escrow; it may be closed already
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,

    /// Write it as a page of paper, too: a new PDF file
    #[cfg(feature = "pdf")]
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
}

/// The receipt of a deal that is over.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Received {
    receipt: Box<view::Receipt>,
    #[serde(skip)]
    cluster: view::Cluster,
    #[serde(skip)]
    text: String,
    #[serde(skip)]
    written: Option<PathBuf>,
}

impl Display for Received {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", ClusterLayout(&self.cluster), self.text.trim_end())?;
        match &self.written {
            Some(path) => writeln!(f, "\nwritten to {}", path.display()),
            None => Ok(()),
        }
    }
}

pub async fn run(context: &Context, args: ReceiptArgs) -> Result<Received> {
    let history = context.client.history(&args.escrow).await?;
    if history.terms().is_none() {
        // Where the account is there, the node has forgotten how it began, and the receipt says so itself.
        context.client.escrow(&args.escrow).await?;
    }
    let receipt = receipt::Receipt::new(&history)
        .map_err(|error| CliError::NotNow(format!("{error} (escrow {})", args.escrow)))?;
    let denomination = context.client.denomination(receipt.asset).await;
    let now = context.client.now().await?;
    let cluster = context.cluster().await?;
    #[cfg(feature = "pdf")]
    let written = match args.pdf {
        Some(path) => Some(write(path, &receipt, &denomination)?),
        None => None,
    };
    #[cfg(not(feature = "pdf"))]
    let written = None;
    let text = words::receipt::text(&receipt, &denomination);
    Ok(Received { receipt: Box::new(view::Receipt::new(&receipt, &denomination, now)?), cluster, text, written })
}

/// Writes it as a PDF. A file that is there already stays as it is: it may be another deal's.
#[cfg(feature = "pdf")]
fn write(path: PathBuf, receipt: &receipt::Receipt, denomination: &words::Denomination) -> Result<PathBuf> {
    use std::io::Write;

    let paper = escrow_client::work::paper::pdf(receipt, denomination, None)
        .map_err(|error| CliError::NotNow(error.to_string()))?;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    match file.and_then(|mut file| file.write_all(&paper).and_then(|()| file.sync_all())) {
        Ok(()) => Ok(path),
        Err(source) => Err(CliError::Write { path, source }),
    }
}
