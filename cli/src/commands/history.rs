//! `escrow history`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    Action, EscrowInstruction,
    escrow::event::{Decided, Expired, Ruled},
    event::EscrowEvent,
    history::Entry,
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::{CliError, Result},
    parse,
    view::{Asset, Time, percent, recipient_name},
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
pub struct History(Vec<Row>);

/// Something that happened.
#[derive(Debug, Serialize)]
struct Row {
    signature: String,
    slot: u64,
    time: Option<Time>,
    /// The command for it.
    action: &'static str,
    /// Who signed for it; none where nobody has to.
    actor: Option<String>,
    /// In words.
    text: String,
}

impl Display for History {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Row { signature, time, actor, text, .. } in &self.0 {
            match time {
                Some(time) => writeln!(f, "{time}")?,
                None => writeln!(f, "time unknown")?,
            }
            writeln!(f, "  {text}")?;
            if let Some(actor) = actor {
                writeln!(f, "  by {actor}")?;
            }
            writeln!(f, "  transaction {signature}")?;
        }
        Ok(())
    }
}

pub async fn run(context: &Context, args: HistoryArgs) -> Result<History> {
    let entries = context.client.history(&args.escrow).await?;
    let Some(asset) = asset(context, &entries).await? else {
        return Err(CliError::Usage(format!(
            "the node {} remembers nothing that created an escrow at {}",
            context.client.url(),
            args.escrow
        )));
    };
    let now = context.client.now().await?;
    let told: Vec<Option<EscrowEvent>> = entries.iter().enumerate().map(|(at, _)| event_of(&entries, at)).collect();
    let rows = entries.into_iter().zip(told).map(|(entry, event)| Row::new(entry, event, &asset, now));
    Ok(History(rows.collect()))
}

/// The event of one entry. Each instruction logs one, so they go together by their order in the transaction; none where the
/// node kept only some of the log.
fn event_of(entries: &[Entry], at: usize) -> Option<EscrowEvent> {
    let entry = entries.get(at)?;
    let same = |other: &&Entry| other.signature == entry.signature;
    let place = entries.get(..at)?.iter().filter(same).count();
    let complete = entry.events.events.len() == entries.iter().filter(same).count() && !entry.events.truncated;
    entry.events.events.get(place).copied().filter(|_| complete)
}

/// What the escrow held, from its terms.
async fn asset(context: &Context, entries: &[Entry]) -> Result<Option<Asset>> {
    let terms = entries.iter().find_map(|entry| match &entry.action.instruction {
        EscrowInstruction::Create { terms } => Some(terms),
        _ => None,
    });
    let Some(terms) = terms else { return Ok(None) };
    Ok(Some(context.asset((!terms.is_sol()).then_some(&terms.mint)).await?))
}

impl Row {
    fn new(entry: Entry, event: Option<EscrowEvent>, asset: &Asset, now: i64) -> Self {
        let Entry { signature, slot, time, action: Action { instruction, actor, .. }, events: _ } = entry;
        let told = told(event, asset);
        let number = |milestone: u8| milestone.saturating_add(1);
        let (name, text) = match instruction {
            EscrowInstruction::Create { terms } => {
                let principal = terms.principal().unwrap_or(0);
                ("create", format!("created for {} to {}", asset.amount(principal), terms.seller))
            }
            EscrowInstruction::Fund => ("fund", "funded".to_owned()),
            EscrowInstruction::Cancel => ("cancel", format!("cancelled{told}")),
            EscrowInstruction::Deliver { milestone, evidence_hash } => {
                ("deliver", format!("milestone {} delivered{}", number(milestone), hash("evidence", &evidence_hash)))
            }
            EscrowInstruction::Claim { milestone, secret } => {
                ("claim", format!("milestone {} claimed with the secret {}", number(milestone), hex::encode(secret)))
            }
            EscrowInstruction::Release { milestone, amount, .. } => {
                ("release", format!("{} of milestone {} released", asset.amount(amount), number(milestone)))
            }
            EscrowInstruction::Refund { milestone, amount, .. } => {
                ("refund", format!("{} of milestone {} refunded", asset.amount(amount), number(milestone)))
            }
            EscrowInstruction::Dispute { milestone, reason_hash } => {
                ("dispute", format!("milestone {} disputed{}", number(milestone), hash("reason", &reason_hash)))
            }
            EscrowInstruction::Rule { milestone, seller_bps, rationale_hash } => {
                let (share, rationale) = (percent(seller_bps), hash("rationale", &rationale_hash));
                ("rule", format!("milestone {} ruled on: {share} for the seller{told}{rationale}", number(milestone)))
            }
            EscrowInstruction::Propose { proposal } => {
                ("propose", format!("proposed to {}", asset.proposal(&proposal, now)))
            }
            EscrowInstruction::Accept { proposal } => {
                ("accept", format!("accepted to {}", asset.proposal(&proposal, now)))
            }
            EscrowInstruction::Expire { milestone } => {
                ("expire", format!("the agreed default applied to milestone {}{told}", number(milestone)))
            }
            EscrowInstruction::Withdraw { recipient } => {
                ("withdraw", format!("paid out to the {}{told}", recipient_name(recipient)))
            }
            EscrowInstruction::Close => ("close", format!("closed{told}")),
        };
        Self {
            signature: signature.to_string(),
            slot,
            time: time.map(|time| Time::new(time, now)),
            action: name,
            actor: actor.map(|actor| actor.to_string()),
            text,
        }
    }
}

/// `: 1.5 SOL`, and to whom, if the event is known.
fn told(event: Option<EscrowEvent>, asset: &Asset) -> String {
    let parts = match event {
        Some(EscrowEvent::Withdrawn(event)) => vec![(event.amount, "")],
        Some(EscrowEvent::Cancelled(event)) => vec![(event.refunded, " back to the buyer")],
        Some(EscrowEvent::Closed(event)) => vec![(event.surplus, " that nobody was owed to the buyer")],
        Some(EscrowEvent::Expired(Expired { decided, .. })) => decided_parts(&decided).to_vec(),
        Some(EscrowEvent::Ruled(Ruled { decided, to_arbiter, .. })) => {
            let [seller, fee, buyer] = decided_parts(&decided);
            vec![seller, fee, buyer, (to_arbiter, " to the arbiter")]
        }
        _ => Vec::new(),
    };
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(amount, _)| *amount != 0)
        .map(|(amount, to)| format!("{}{to}", asset.amount(amount)))
        .collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

const fn decided_parts(decided: &Decided) -> [(u64, &'static str); 3] {
    let Decided { to_seller, fee, to_buyer, .. } = decided;
    [(*to_seller, " to the seller"), (*fee, " as the fee"), (*to_buyer, " back to the buyer")]
}

/// `, evidence 1234…`, for a hash that was given.
fn hash(name: &str, hash: &[u8; 32]) -> String {
    if *hash == [0; 32] { String::new() } else { format!(", {name} {}", hex::encode(hash)) }
}
