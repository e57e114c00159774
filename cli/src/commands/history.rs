//! `escrow history`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    terms::asset_of,
    view::{Entry, History},
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::{CliError, Result},
    layout::{ClusterLayout, time},
    parse,
};

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Address of the escrow; it may be closed already
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,
}

/// Everything that happened to an escrow.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Told(History);

impl Display for Told {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(cluster) = &self.0.cluster {
            writeln!(f, "{}", ClusterLayout(cluster))?;
        }
        for Entry { signature, time: when, text, .. } in &self.0.entries {
            match when {
                Some(when) => writeln!(f, "{}", time(when))?,
                None => writeln!(f, "time unknown")?,
            }
            writeln!(f, "  {text}\n  transaction {signature}")?;
        }
        match &self.0.missing {
            Some(missing) => writeln!(f, "\n{missing}"),
            None => Ok(()),
        }
    }
}

pub async fn run(context: &Context, args: HistoryArgs) -> Result<Told> {
    let history = context.client.history(&args.escrow).await?;
    // What it holds, from its creation, or from the account where that is forgotten.
    let asset = match history.terms() {
        Some(terms) => Some(asset_of(terms)),
        None => context.client.find(&args.escrow).await?.map(|escrow| escrow.asset()),
    };
    let Some(asset) = asset else {
        return Err(CliError::NoRecord(format!(
            "the node {} has no record of an escrow created at {}: the address or the cluster is wrong, or the node \
             keeps only recent history",
            context.client.url(),
            args.escrow
        )));
    };
    let denomination = context.client.denomination(asset).await;
    let told = History::new(&history, &denomination, context.client.now().await?);
    Ok(Told(History { cluster: Some(context.cluster().await?), ..told }))
}
