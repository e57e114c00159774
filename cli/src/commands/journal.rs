//! `escrow journal`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    Signed, send,
    sender::{Intention, Record, Time, Verdict},
    view, words,
};
use serde::Serialize;

use crate::{context::Context, error::Result, layout::time};

/// Arguments of `journal`.
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// Only what is not known to have ended
    #[arg(long)]
    open: bool,
}

/// What the journal holds.
#[derive(Debug, Serialize)]
pub struct Kept {
    version: u32,
    transactions: Vec<Transaction>,
}

/// A transaction that was signed on this machine.
#[derive(Debug, Serialize)]
pub struct Transaction {
    signature: String,
    /// What it does, as the program names it, and to which escrow.
    actions: Vec<Done>,
    /// When it was signed.
    signed: view::Time,
    /// One word: open, succeeded, failed, expired.
    state: &'static str,
    /// What is known, and on what that rests.
    known: String,
}

#[derive(Debug, Serialize)]
struct Done {
    action: &'static str,
    escrow: String,
}

impl Transaction {
    /// What the journal holds of a transaction.
    pub fn new(record: &Record, now: Time) -> Self {
        let attempt = &record.signed.attempt;
        let actions = Signed::of(attempt).map(|signed| signed.actions()).unwrap_or_default();
        let done = |action: &escrow_client::Action| Done {
            action: action.instruction.name(),
            escrow: action.escrow.to_string(),
        };
        let verdict = record.judged.as_ref().map(|judged| &judged.verdict);
        let state = match verdict {
            None | Some(Verdict::Unknown { .. }) => "open",
            Some(Verdict::Succeeded { .. }) => "succeeded",
            Some(Verdict::Failed { .. }) => "failed",
            Some(Verdict::Expired { .. }) => "expired",
        };
        let at = |time: Time| i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX);
        Self {
            signature: attempt.signature().to_string(),
            actions: actions.iter().map(done).collect(),
            signed: words::Time::new(at(record.signed.at), at(now)).into(),
            state,
            known: verdict.map_or_else(|| "signed, and what became of it was not seen".to_owned(), Verdict::to_string),
        }
    }
}

impl Kept {
    /// Everything that these intentions have signed.
    pub fn new<'a>(intentions: impl IntoIterator<Item = &'a Intention>) -> Self {
        let records = intentions.into_iter().flat_map(|intention| intention.records().iter().rev());
        let now = send::now();
        Self { version: view::VERSION, transactions: records.map(|record| Transaction::new(record, now)).collect() }
    }

    /// Those that may still be executed, or may have been.
    pub fn open(&self) -> usize {
        self.transactions.iter().filter(|transaction| transaction.state == "open").count()
    }

    fn only_open(mut self) -> Self {
        self.transactions.retain(|transaction| transaction.state == "open");
        self
    }
}

impl Display for Transaction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  signed {}", self.signature, time(&self.signed))?;
        for Done { action, escrow } in &self.actions {
            writeln!(f, "  {action} {escrow}")?;
        }
        write!(f, "  {}", self.known)
    }
}

impl Display for Kept {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.transactions.is_empty() {
            return writeln!(f, "nothing was sent from here");
        }
        self.transactions.iter().try_for_each(|transaction| writeln!(f, "{transaction}\n"))
    }
}

pub fn run(context: &Context, args: JournalArgs) -> Result<Kept> {
    let kept = match context.journal()? {
        Some(journal) => Kept::new(&journal.all()?),
        None => Kept::new([]),
    };
    Ok(if args.open { kept.only_open() } else { kept })
}
