//! `escrow list`

use std::{
    collections::HashMap,
    fmt::{self, Display, Formatter},
};

use clap::Args;
use escrow_client::Filter;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{context::Context, error::Result, parse, view::EscrowView};

/// Arguments of `list`. Without any: all escrows of the program.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those with this buyer
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    buyer: Option<Pubkey>,

    /// Only those with this seller
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    seller: Option<Pubkey>,

    /// Only those with this arbiter
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    arbiter: Option<Pubkey>,
}

/// The escrows that were found.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Found(Vec<EscrowView>);

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return writeln!(f, "no escrows found");
        }
        writeln!(f, "{:<44}  {:<8}  {:<10}  principal", "escrow", "status", "milestones")?;
        for escrow in &self.0 {
            let settled = escrow.milestones.iter().filter(|milestone| milestone.status == "settled").count();
            let progress = format!("{settled} of {}", escrow.milestones.len());
            writeln!(f, "{:<44}  {:<8}  {progress:<10}  {}", escrow.address, escrow.status, escrow.principal)?;
        }
        Ok(())
    }
}

pub async fn run(context: &Context, args: ListArgs) -> Result<Found> {
    let ListArgs { buyer, seller, arbiter } = args;
    let escrows = context.client.list(&Filter { buyer, seller, arbiter }).await?;
    let now = context.client.now().await?;
    let mut assets = HashMap::new();
    let mut found = Vec::new();
    for escrow in escrows {
        let asset = match assets.get(&escrow.state.mint) {
            Some(asset) => *asset,
            None => {
                let asset = context.asset_of(&escrow).await?;
                assets.insert(escrow.state.mint, asset);
                asset
            }
        };
        found.push(EscrowView::new(&escrow, &asset, now)?);
    }
    Ok(Found(found))
}
