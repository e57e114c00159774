//! `escrow export`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    amount::format_amount,
    receipt::{self, Direction, Movement},
    terms::{Asset, asset_of},
    view::{Amount, VERSION},
    words::name,
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

/// A payment into an escrow, or out of one.
#[derive(Debug, Serialize)]
struct Row {
    /// In UTC, as RFC 3339 has it.
    time: String,
    escrow: String,
    /// As what it was paid or got.
    role: &'static str,
    /// `paid` or `received`.
    direction: &'static str,
    amount: Amount,
    /// Without its unit; none where the decimals are unknown.
    decimal: Option<String>,
    /// None for SOL.
    mint: Option<String>,
    counterparty: String,
    slot: String,
    signature: String,
}

/// All that somebody paid and received, the oldest first.
#[derive(Debug, Serialize)]
pub struct Exported {
    version: u32,
    party: String,
    movements: Vec<Row>,
    #[serde(skip)]
    csv: bool,
}

impl Display for Exported {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.csv {
            writeln!(f, "time,escrow,role,direction,base_units,amount,asset,counterparty,slot,signature")?;
        } else if self.movements.is_empty() {
            writeln!(f, "nothing was paid to or by {}", self.party)?;
        }
        for Row { time, escrow, role, direction, amount, decimal, mint, counterparty, slot, signature } in
            &self.movements
        {
            if self.csv {
                // Addresses, numbers and our own words: nothing in them has to be quoted.
                let (decimal, asset) = (decimal.as_deref().unwrap_or_default(), mint.as_deref().unwrap_or("SOL"));
                let units = &amount.units;
                writeln!(
                    f,
                    "{time},{escrow},{role},{direction},{units},{decimal},{asset},{counterparty},{slot},{signature}"
                )?;
            } else {
                writeln!(
                    f,
                    "{time}  {direction} {} as {role}\n  escrow {escrow}\n  transaction {signature}",
                    amount.text
                )?;
            }
        }
        Ok(())
    }
}

pub async fn run(context: &Context, args: ExportArgs) -> Result<Exported> {
    let party = args.party.map_or_else(|| context.address(), Ok)?;
    let mut found: Vec<(Movement, Pubkey, Asset, Pubkey)> = Vec::new();
    for escrow in context.client.all_of(&party).await? {
        let history = context.client.history(&escrow).await?;
        let movements = receipt::movements(&history)
            .map_err(|_| CliError::NoRecord(format!("the node {} does not remember all of {escrow}, and a list without it would be wrong: ask one that remembers everything, with --url", context.client.url())))?;
        let Some(terms) = history.terms() else { continue };
        let (asset, buyer, seller) = (asset_of(terms), terms.buyer, terms.seller);
        for movement in movements.into_iter().filter(|movement| movement.address == party) {
            let counterparty = match movement.direction {
                Direction::In | Direction::Out(escrow_client::Recipient::Buyer) => seller,
                Direction::Out(_) => buyer,
            };
            found.push((movement, escrow, asset, counterparty));
        }
    }
    found.sort_by_key(|(movement, escrow, ..)| (movement.slot, *escrow));
    let assets: Vec<Asset> = found.iter().map(|(_, _, asset, _)| *asset).collect();
    let denominations = context.client.denominations(&assets).await;
    let rows = found.into_iter().filter_map(|(movement, escrow, asset, counterparty)| {
        let Movement { direction, units, time, slot, signature, .. } = movement;
        let amount: Amount = denominations.get(&asset)?.amount(units).into();
        let (role, direction) = match direction {
            Direction::In => ("buyer", "paid"),
            Direction::Out(recipient) => (name::recipient(recipient), "received"),
        };
        Some(Row {
            time: jiff::Timestamp::from_second(time).map(|time| time.to_string()).unwrap_or_default(),
            escrow: escrow.to_string(),
            role,
            direction,
            decimal: amount.decimals.map(|decimals| format_amount(units, decimals)),
            amount,
            mint: match asset {
                Asset::Sol => None,
                Asset::Token { mint, .. } => Some(mint.to_string()),
            },
            counterparty: counterparty.to_string(),
            slot: slot.to_string(),
            signature: signature.to_string(),
        })
    });
    Ok(Exported { version: VERSION, party: party.to_string(), movements: rows.collect(), csv: args.csv })
}
