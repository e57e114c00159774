//! `escrow export`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    Terms, receipt,
    terms::{Asset, asset_of},
    view::{self, Movement, VERSION},
    words::Denomination,
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::{CliError, Result},
    parse,
};

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Whose: somebody's address, instead of that of --keypair
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    party: Option<Pubkey>,

    /// As comma-separated values, with a line of headings
    #[arg(long)]
    csv: bool,
}

/// All that somebody paid and received, the oldest first.
#[derive(Debug, Serialize)]
pub struct Exported {
    version: u32,
    party: String,
    movements: Vec<Movement>,
    #[serde(skip)]
    csv: bool,
}

impl Display for Exported {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.csv {
            writeln!(f, "{}", Movement::COLUMNS.join(","))?;
            return self.movements.iter().try_for_each(|movement| writeln!(f, "{}", movement.row().join(",")));
        }
        if self.movements.is_empty() {
            writeln!(f, "nothing was paid to or by {}", self.party)?;
        }
        for movement in &self.movements {
            let Movement { escrow, role, amount, time, signature, .. } = movement;
            let direction = movement.direction();
            writeln!(
                f,
                "{}  {direction} {} as {role}\n  escrow {escrow}\n  transaction {signature}",
                time.time, amount.text
            )?;
        }
        Ok(())
    }
}

pub async fn run(context: &Context, args: ExportArgs) -> Result<Exported> {
    let party = args.party.map_or_else(|| context.address(), Ok)?;
    let client = &context.client;
    let mut found: Vec<(Pubkey, Terms, Vec<receipt::Movement>)> = Vec::new();
    for escrow in client.all_of(&party).await? {
        let history = client.history(&escrow).await?;
        let forgotten = || {
            CliError::NoRecord(format!(
                "the node {} does not remember all of {escrow}, and a list without it would be wrong: ask one that remembers \
                 everything, with --url",
                client.url()
            ))
        };
        let mut movements = receipt::movements(&history).map_err(|_| forgotten())?;
        movements.retain(|movement| movement.address == party);
        found.push((escrow, history.terms().cloned().ok_or_else(forgotten)?, movements));
    }
    let now = client.now().await?;
    let assets: Vec<Asset> = found.iter().map(|(_, terms, _)| asset_of(terms)).collect();
    let denominations = client.denominations(&assets).await;
    let mut movements = Vec::new();
    for (escrow, terms, moved) in &found {
        let asset = asset_of(terms);
        let unread = || Denomination::unknown(asset, "its mint was not read");
        let denomination = denominations.get(&asset).cloned().unwrap_or_else(unread);
        let views = view::movements(escrow, terms, moved, &denomination, now);
        movements.extend(moved.iter().map(|one| one.slot).zip(views));
    }
    movements.sort_by(|(slot, one), (other_slot, other)| (slot, &one.escrow).cmp(&(other_slot, &other.escrow)));
    let movements = movements.into_iter().map(|(_, movement)| movement).collect();
    Ok(Exported { version: VERSION, party: party.to_string(), movements, csv: args.csv })
}
