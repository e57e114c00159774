//! What a wallet signed, until it is final or can never be executed.
//!
//! A row of `transactions` is what was prepared; the journal begins when everybody has signed. Both change in one change of
//! the database, so that what is answered as submitted is in the journal.

mod journal;
mod worker;

use std::{sync::Arc, time::Duration};

use escrow_client::{
    EscrowError, Signed as Complete, Unsigned,
    error::Failure,
    sender::{
        Commitment, Entry, Fingerprint, Intention, Position, Record, Signed, Stage, Status as Seen, Time, Verdict,
    },
    transaction::returned::Allowance,
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use tokio::sync::Notify;
use utoipa::ToSchema;

pub use journal::Journal;
pub use worker::run;

use crate::{
    build::Life,
    chain::Chain,
    problem::{Code, Problem, ProgramError, Result},
    store::{Row, Store},
};

/// How often a change is tried again that somebody else came before.
const TRIES: usize = 20;
/// How often a status is read while somebody waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TransactionState)]
pub enum State {
    /// Signatures are missing.
    Prepared,
    /// It is being sent; it may have been executed.
    Submitted,
    /// It was executed, provisionally.
    Confirmed,
    /// It was executed, and that cannot be taken back.
    Finalized,
    /// It was executed and failed: nothing changed but the fee. Final.
    Failed,
    /// It was not executed and never will be: prepare it anew. Final.
    Expired,
    /// Nobody can tell yet: it may have been executed, or may still be. It is being asked on.
    Unknown,
}

impl State {
    /// Whether nothing can change it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Finalized | Self::Failed | Self::Expired)
    }
}

/// What is known of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionStatus)]
pub struct Status {
    /// How far it is.
    pub status: State,
    /// By which it is known on the chain, once all have signed.
    pub signature: Option<String>,
    /// Who has to sign yet.
    pub missing_signatures: Vec<String>,
    /// Where it was executed.
    pub slot: Option<String>,
    /// Why it failed.
    pub failure: Option<FailureTold>,
    /// On what that rests, in words.
    pub basis: Option<String>,
}

/// Why a transaction failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailureTold {
    /// In words.
    pub text: String,
    /// The program's own reason.
    pub program_error: Option<ProgramError>,
}

/// Takes what wallets sign.
#[derive(Debug, Clone)]
pub struct Submit {
    store: Store,
    journal: Journal,
    chain: Arc<Chain>,
    wake: Arc<Notify>,
    allowance: Allowance,
}

impl Submit {
    /// Into this database, for this chain. `wake` tells the worker of this process.
    pub fn new(store: Store, chain: Arc<Chain>, wake: Arc<Notify>, allowance: Allowance) -> Self {
        Self { journal: Journal::new(store.clone()), store, chain, wake, allowance }
    }

    /// Takes a transaction back from a wallet, in base 64. What is complete is written down and will be sent.
    ///
    /// # Errors
    ///
    /// Where it is not the one that was prepared, would fail, or there is none.
    pub async fn take(&self, owner: &str, id: &str, returned: &str) -> Result<Status> {
        let mut tried = false;
        for _ in 0..TRIES {
            let row = self.row(owner, id).await?;
            let given = unsigned(&row)?;
            let taken = given
                .clone()
                .accept(returned, &self.allowance)
                .map_err(|error| Problem::from(error).at("/transaction"))?;
            if taken == given {
                // The same again: what was answered is answered once more.
                return self.status_of(&row).await;
            }
            if row.signature.is_some() {
                let detail = "this was submitted already, with other signatures: ask what became of it";
                return Err(Problem::new(Code::Stale, detail).at("/transaction"));
            }
            let wire = taken.to_base64();
            let complete = if taken.missing().is_empty() { Some(taken.complete()?) } else { None };
            if let Some(complete) = &complete
                && !tried
            {
                if let Err(refused) = self.try_out(&wire, complete, &row).await {
                    // Unless the same was taken meanwhile: what is executed fails the second time.
                    if self.row(owner, id).await?.version == row.version {
                        return Err(refused);
                    }
                    continue;
                }
                tried = true;
            }
            let signature = complete.as_ref().map(|complete| complete.signature().to_string());
            let mut change = self.store.change().await?;
            if !self.store.set_signed(&mut change, &row, &wire, signature.as_deref()).await? {
                continue;
            }
            if let Some(complete) = complete {
                let written = self.journal.write_in(&mut change, fingerprint(&row)?, self.entry(&complete)?).await;
                match written {
                    Ok(()) => {}
                    Err(error) if journal::is_conflict(&error) => continue,
                    Err(error) => return Err(escrow_client::Error::Journal(error.to_string()).into()),
                }
            }
            change.commit().await?;
            self.wake.notify_one();
            return self.status(owner, id).await;
        }
        Err(Problem::new(Code::Database, "others change this transaction all the time; try again").after(1))
    }

    /// Whether it would fail: told before it costs a fee. A node that cannot tell keeps nobody from sending.
    async fn try_out(&self, wire: &str, complete: &Complete, row: &Row) -> Result<()> {
        let again = Unsigned::from_base64(wire, complete.lifetime()).map_err(Problem::internal)?;
        match self.chain.sender().simulate(&again).await {
            Err(error @ escrow_client::Error::Refused(_)) => Err(Problem::from(error).at("/transaction")),
            Err(error) => {
                tracing::warn!(%error, id = row.id, "not tried out");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    fn entry(&self, complete: &Complete) -> Result<Entry> {
        let attempt = complete.attempt().map_err(Problem::internal)?;
        let at = Time(u64::try_from(crate::now_ms()).unwrap_or(0));
        let nodes = self.chain.sender().node_names();
        Ok(Entry::Signed(Signed { position: Position::default(), steps: 1, attempt, nodes, at }))
    }

    /// What is known of the transaction of this owner with this id.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub async fn status(&self, owner: &str, id: &str) -> Result<Status> {
        self.status_of(&self.row(owner, id).await?).await
    }

    /// The same, of one that was read.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn status_of(&self, row: &Row) -> Result<Status> {
        let fingerprint = fingerprint(row)?;
        let found = self.store.intention(&row.fingerprint).await?;
        match found {
            None => {
                let missing = unsigned(row)?.missing().iter().map(Pubkey::to_string).collect();
                Ok(Status::prepared(missing))
            }
            Some((_, entries)) => {
                let intention = journal::read(fingerprint, &entries).map_err(Problem::internal)?;
                Ok(Status::of(&intention))
            }
        }
    }

    /// The same, when it is final, or after so long.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn wait(&self, owner: &str, id: &str, at_most: Duration) -> Result<Status> {
        let until = tokio::time::Instant::now().checked_add(at_most);
        loop {
            let status = self.status(owner, id).await?;
            let over = until.is_none_or(|until| tokio::time::Instant::now() >= until);
            if status.status.is_final() || status.status == State::Prepared || over {
                return Ok(status);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What the nodes know of a signature that this gateway did not send. Of several nodes two must say that it is final.
    ///
    /// # Errors
    ///
    /// Where no node answers, or knows it.
    pub async fn foreign(&self, signature: &Signature) -> Result<Status> {
        let sender = self.chain.sender();
        let known: Vec<Seen> = sender.statuses(signature).await?.into_iter().filter_map(|(_, seen)| seen).collect();
        let Some(mut seen) = known.iter().max_by_key(|seen| seen.commitment).cloned() else {
            let detail =
                format!("no node knows the transaction {signature}: it was not executed, or they have forgotten it");
            return Err(Problem::new(Code::NotFound, detail));
        };
        let says_so = known.iter().filter(|other| **other == seen).count();
        if seen.commitment == Commitment::Finalized && says_so < sender.node_names().len().min(2) {
            seen.commitment = Commitment::Confirmed;
        }
        Ok(Status::seen(&signature.to_string(), &seen, None))
    }

    /// The row of this owner with this id.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub async fn row(&self, owner: &str, id: &str) -> Result<Row> {
        let found = self.store.transaction(owner, id).await?;
        found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no transaction {id} of yours")))
    }
}

/// By which the journal finds what is signed of a transaction that was prepared.
pub fn name_of(id: &str) -> Fingerprint {
    Fingerprint::of(&[b"escrow-gateway", id.as_bytes()])
}

fn fingerprint(row: &Row) -> Result<Fingerprint> {
    Fingerprint::try_from(row.fingerprint.clone()).map_err(Problem::internal)
}

/// The transaction of a row, with the signatures that there are.
///
/// # Errors
///
/// Where the row is not what a gateway writes.
pub fn unsigned(row: &Row) -> Result<Unsigned> {
    let life: Life = serde_json::from_str(&row.lifetime).map_err(Problem::internal)?;
    Unsigned::from_base64(&row.wire, life.client()).map_err(Problem::internal)
}

impl Status {
    fn prepared(missing_signatures: Vec<String>) -> Self {
        Self { status: State::Prepared, signature: None, missing_signatures, slot: None, failure: None, basis: None }
    }

    /// By what the journal holds.
    pub fn of(intention: &Intention) -> Self {
        let record = match intention.stage() {
            Stage::Fresh => return Self::prepared(Vec::new()),
            Stage::Open(record)
            | Stage::Between(record)
            | Stage::Expired(record)
            | Stage::Failed(record)
            | Stage::Succeeded(record) => record,
        };
        let signature = record.signed.attempt.signature().to_string();
        let plain = |status| Self { status, signature: Some(signature.clone()), ..Self::prepared(Vec::new()) };
        let Some(judged) = &record.judged else {
            return match &record.seen {
                Some(seen) => Self::seen(&signature, seen, Some(record)),
                None => plain(State::Submitted),
            };
        };
        match &judged.verdict {
            Verdict::Succeeded { slot, commitment, basis } => Self {
                slot: Some(slot.to_string()),
                basis: Some(basis.to_string()),
                ..plain(if *commitment == Commitment::Finalized { State::Finalized } else { State::Confirmed })
            },
            Verdict::Failed { slot, error, basis } => Self {
                slot: Some(slot.to_string()),
                failure: Some(FailureTold::new(error, Some(record))),
                basis: Some(basis.to_string()),
                ..plain(State::Failed)
            },
            Verdict::Expired { basis } => Self { basis: Some(basis.to_string()), ..plain(State::Expired) },
            Verdict::Unknown { known: Some(seen), .. } => Self::seen(&signature, seen, Some(record)),
            verdict @ Verdict::Unknown { .. } => Self { basis: Some(verdict.to_string()), ..plain(State::Unknown) },
        }
    }

    /// By what a node says.
    fn seen(signature: &str, seen: &Seen, record: Option<&Record>) -> Self {
        let failed = seen.error.as_ref().map(|error| FailureTold::new(error, record));
        let status = match (seen.commitment, &failed) {
            (Commitment::Processed, _) => State::Submitted,
            // Of ours the sender says when it is final: one node's word is not enough for that.
            (Commitment::Finalized, Some(_)) if record.is_none() => State::Failed,
            (Commitment::Finalized, None) if record.is_none() => State::Finalized,
            // A failure that is not final is none.
            (_, Some(_)) => State::Submitted,
            _ => State::Confirmed,
        };
        Self {
            status,
            signature: Some(signature.to_owned()),
            slot: Some(seen.slot.to_string()),
            failure: failed.filter(|_| status == State::Failed),
            ..Self::prepared(Vec::new())
        }
    }
}

impl FailureTold {
    fn new(error: &str, record: Option<&Record>) -> Self {
        let Ok(error) = serde_json::from_str::<TransactionError>(error) else {
            return Self { text: error.to_owned(), program_error: None };
        };
        let signed = record.and_then(|record| Complete::of(&record.signed.attempt).ok());
        let accounts = signed.as_ref().map(|signed| signed.transaction().message.static_account_keys().to_vec());
        let failure = Failure { error, program: None, logs: Vec::new(), accounts: accounts.unwrap_or_default() };
        let program_error = failure.escrow_error().map(|error: EscrowError| ProgramError {
            code: error.code(),
            name: error.name().to_owned(),
            message: error.message().to_owned(),
        });
        Self { text: failure.to_string(), program_error }
    }
}
