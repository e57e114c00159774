//! `escrow status`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    send,
    sender::{Commitment, Status},
    view,
};
use serde::Serialize;
use solana_signature::Signature;

use super::journal::Transaction;
use crate::{context::Context, error::Result};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Signature of the transaction
    signature: Signature,
}

/// What is known of a transaction.
#[derive(Debug, Serialize)]
pub struct Known {
    version: u32,
    signature: String,
    /// One word: processed, confirmed, finalized, failed, or not_found.
    state: &'static str,
    slot: Option<String>,
    error: Option<String>,
    nodes: Vec<Says>,
    journal: Option<Transaction>,
}

#[derive(Debug, Serialize)]
struct Says {
    node: String,
    state: &'static str,
}

fn state(status: Option<&Status>) -> &'static str {
    match status {
        None => "not_found",
        Some(Status { error: Some(_), .. }) => "failed",
        Some(Status { commitment: Commitment::Processed, .. }) => "processed",
        Some(Status { commitment: Commitment::Confirmed, .. }) => "confirmed",
        Some(Status { commitment: Commitment::Finalized, .. }) => "finalized",
    }
}

impl Display for Known {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let slot = self.slot.as_ref().map_or_else(String::new, |slot| format!(" in slot {slot}"));
        writeln!(f, "transaction {}\n{}{slot}", self.signature, self.state.replace('_', " "))?;
        if let Some(error) = &self.error {
            writeln!(f, "it failed with {error}: nothing changed but its fee")?;
        }
        for Says { node, state } in &self.nodes {
            writeln!(f, "  {node}: {}", state.replace('_', " "))?;
        }
        match &self.journal {
            Some(kept) => writeln!(f, "\nin the journal:\n{kept}"),
            None if self.state == "not_found" => writeln!(
                f,
                "It is not in this machine's journal. If it was sent a short while ago, it may still be executed: ask again \
                 in two minutes."
            ),
            None => Ok(()),
        }
    }
}

pub async fn run(context: &Context, args: StatusArgs) -> Result<Known> {
    let said = context.client.statuses(&args.signature).await?;
    let best = said.iter().filter_map(|(_, status)| status.as_ref()).max_by_key(|status| status.commitment);
    let journal = match context.journal()? {
        Some(journal) => journal.all()?,
        None => Vec::new(),
    };
    let records = journal.iter().flat_map(|intention| intention.records());
    let ours = |signature: [u8; 64]| signature == *args.signature.as_array();
    let record = records.rev().find(|record| ours(record.signed.attempt.signature().0));
    Ok(Known {
        version: view::VERSION,
        signature: args.signature.to_string(),
        state: state(best),
        slot: best.map(|status| status.slot.to_string()),
        error: best.and_then(|status| status.error.clone()),
        nodes: said.iter().map(|(node, status)| Says { node: node.clone(), state: state(status.as_ref()) }).collect(),
        journal: record.map(|record| Transaction::new(record, send::now())),
    })
}
