//! What somebody means to do, and what the journal holds of it.
//!
//! An intention is one or more transactions in order, its steps. Each step is signed once, and again only after it expired
//! (or, where somebody asks for the same again, after it failed). After all have succeeded it can be meant again: that is
//! another run.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{Attempt, Pace, Rules, Status, Time, Verdict};

/// By which the same intention is found again: a hash of what was asked for, as it was typed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of these parts in this order: the genesis hash, the signer, the action and its arguments as typed, or a caller's key.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new_with_prefix("escrow-sender:intention:1");
        for part in parts {
            // The length keeps two parts from being mistaken for other two of the same bytes.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which signing of an intention, each counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// Which time that the whole was meant.
    pub run: u32,
    /// Which of its transactions.
    pub step: u32,
    /// Which signing of this transaction.
    pub attempt: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}, step {}, attempt {}", self.run, self.step, self.attempt)
    }
}

/// A signed transaction that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Which signing it is.
    pub position: Position,
    /// Of how many transactions the intention consists.
    pub steps: u32,
    /// The transaction.
    pub attempt: Attempt,
    /// The nodes that it is sent to, by name.
    pub nodes: Vec<String>,
    /// When it was signed.
    pub at: Time,
}

/// That a node knows a signature: told to people after a crash. No rule rests on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Of which signing.
    pub position: Position,
    /// What is known.
    pub status: Status,
}

/// What became of a signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Which.
    pub position: Position,
    /// The verdict.
    pub verdict: Verdict,
    /// When it was reached.
    pub at: Time,
}

/// Who works on an intention. It spares others the work; that nothing is signed twice does not rest on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// A name that no other process and no other run of the same has.
    pub owner: String,
    /// Grows with each owner: what an earlier one still writes is refused.
    pub fence: u64,
    /// Until when, unless it is claimed again before.
    pub until: Time,
}

/// What a journal holds of intentions: nothing is ever changed in it, only added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Somebody began to work on it.
    Claimed(Lease),
    /// A transaction is about to be sent.
    Signed(Signed),
    /// A node knows it.
    Seen(Seen),
    /// Its outcome.
    Judged(Judged),
}

/// Why a journal does not take an entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Somebody else has claimed the intention since.
    #[error(
        "another process has taken over this intention{owner} (fence {present}, ours was {ours}): nothing was \
         written; run the same command again to take it up",
        owner = .owner.as_ref().map_or_else(String::new, |owner| format!(", {owner}"))
    )]
    Fenced {
        /// Who, if the journal still knows.
        owner: Option<String>,
        /// The fence with which the entry came.
        ours: u64,
        /// The present one.
        present: u64,
    },
    /// Something was signed or judged meanwhile, or what was signed before is not known to have expired.
    #[error(
        "{position} can not be signed: {next}; run the same command again to take up what the journal holds",
        next = match .next {
            Some(next) => format!("what follows is {next}"),
            None => "what was signed before may still be executed".to_owned(),
        }
    )]
    NotNext {
        /// What was to be written.
        position: Position,
        /// What would be taken.
        next: Option<Position>,
    },
    /// A verdict on something that was not signed, or another one than is written.
    #[error("there is nothing to be judged at {0}: it was not signed, or has another verdict already")]
    NotJudged(Position),
}

/// A signing, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What was signed.
    pub signed: Signed,
    /// The best that was seen of it.
    pub seen: Option<Status>,
    /// Its last verdict.
    pub judged: Option<Judged>,
}

/// All that a journal holds of one intention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intention {
    fingerprint: Fingerprint,
    lease: Option<Lease>,
    records: Vec<Record>,
}

/// How far an intention is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage<'a> {
    /// Nothing was signed.
    Fresh,
    /// This may have been executed, or may still be.
    Open(&'a Record),
    /// This transaction succeeded, and others follow.
    Between(&'a Record),
    /// This expired: nothing came of it, and it may be signed again.
    Expired(&'a Record),
    /// This failed: it had no effect. Whoever asks for the same again has it signed again.
    Failed(&'a Record),
    /// This succeeded, and was the last.
    Succeeded(&'a Record),
}

/// What the same command means for an intention that is in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Take up what was signed.
    TakeUp(Signed),
    /// Sign this.
    Sign(Position),
    /// It succeeded a short while ago: whoever means it again says so.
    Repetition(Judged),
}

impl Intention {
    /// One of which the journal holds nothing.
    pub fn new(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, lease: None, records: Vec::new() }
    }

    /// By which it is found.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Who works on it, or did.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Everything that was signed, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Entries from which the same comes about, for a journal that begins a new file.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let lease = self.lease.clone().map(Entry::Claimed);
        lease.into_iter().chain(self.records.iter().flat_map(|record| {
            let position = record.signed.position;
            let seen = record.seen.clone().map(|status| Entry::Seen(Seen { position, status }));
            let judged = record.judged.clone().map(Entry::Judged);
            [Some(Entry::Signed(record.signed.clone())), seen, judged].into_iter().flatten()
        }))
    }

    /// How far it is.
    pub fn stage(&self) -> Stage<'_> {
        let Some(record) = self.records.last() else { return Stage::Fresh };
        match record.judged.as_ref().map(|judged| &judged.verdict) {
            None | Some(Verdict::Unknown { .. }) => Stage::Open(record),
            Some(Verdict::Expired { .. }) => Stage::Expired(record),
            Some(Verdict::Failed { .. }) => Stage::Failed(record),
            Some(Verdict::Succeeded { .. }) => {
                let last = record.signed.position.step.saturating_add(1) >= record.signed.steps;
                if last { Stage::Succeeded(record) } else { Stage::Between(record) }
            }
        }
    }

    /// Whether somebody must still look after it: something may be executed, or a first step waits for the next.
    pub fn is_unresolved(&self) -> bool {
        match self.stage() {
            Stage::Open(_) | Stage::Between(_) => true,
            Stage::Expired(record) | Stage::Failed(record) => record.signed.position.step > 0,
            Stage::Fresh | Stage::Succeeded(_) => false,
        }
    }

    /// Whether a journal must still hold it: somebody works on it or must, or something was signed less than `keep`
    /// milliseconds ago.
    pub(crate) fn is_needed(&self, now: Time, keep: u64) -> bool {
        let leased = self.lease.as_ref().is_some_and(|lease| lease.until > now);
        let recent = self.records.iter().any(|record| now.since(record.signed.at) < keep);
        leased || recent || self.is_unresolved()
    }

    /// What may be signed next; none while something may still be executed.
    pub fn next(&self) -> Option<Position> {
        self.next_under(Rules::ALL)
    }

    fn next_under(&self, rules: Rules) -> Option<Position> {
        let settled = !matches!(self.stage(), Stage::Open(_));
        rules.may_sign(settled).then(|| self.following())
    }

    /// The place after the last one. What expired or failed had no effect, so the same transaction follows, signed again.
    fn following(&self) -> Position {
        let Some(Position { run, step, attempt }) = self.records.last().map(|record| record.signed.position) else {
            return Position::default();
        };
        match self.stage() {
            Stage::Between(_) => Position { run, step: step.saturating_add(1), attempt: 0 },
            Stage::Succeeded(_) => Position { run: run.saturating_add(1), step: 0, attempt: 0 },
            _ => Position { run, step, attempt: attempt.saturating_add(1) },
        }
    }

    /// What the same command means. `again` says that a repetition is meant as one.
    pub fn opening(&self, now: Time, again: bool, pace: &Pace) -> Opening {
        self.opening_under(Rules::ALL, now, again, pace)
    }

    pub(crate) fn opening_under(&self, rules: Rules, now: Time, again: bool, pace: &Pace) -> Opening {
        match self.stage() {
            Stage::Open(record) if !rules.may_sign(false) => Opening::TakeUp(record.signed.clone()),
            Stage::Succeeded(Record { judged: Some(judged), .. })
                if !again && rules.is_recent(judged.at, now, pace) =>
            {
                Opening::Repetition(judged.clone())
            }
            _ => Opening::Sign(self.following()),
        }
    }

    /// The lease that a claim at this time gets, or the one that stands against it: somebody else's that lasts.
    pub fn claim(&self, owner: &str, now: Time, until: Time) -> Result<Lease, Lease> {
        let fence = match &self.lease {
            None => 1,
            Some(lease) if lease.owner == owner => lease.fence,
            Some(lease) if lease.until <= now => lease.fence.saturating_add(1),
            Some(lease) => return Err(lease.clone()),
        };
        Ok(Lease { owner: owner.to_owned(), fence, until })
    }

    /// Whether who holds this fence is still the last who claimed it.
    pub fn holds(&self, fence: u64) -> Result<(), Refusal> {
        match &self.lease {
            Some(lease) if lease.fence == fence => Ok(()),
            lease => Err(Refusal::Fenced {
                owner: lease.as_ref().map(|lease| lease.owner.clone()),
                ours: fence,
                present: lease.as_ref().map_or(0, |lease| lease.fence),
            }),
        }
    }

    /// Adds what a journal holds, in its order.
    pub fn apply(&mut self, entry: Entry) -> Result<(), Refusal> {
        self.apply_under(Rules::ALL, entry)
    }

    /// The same under these rules.
    pub fn apply_under(&mut self, rules: Rules, entry: Entry) -> Result<(), Refusal> {
        match entry {
            Entry::Claimed(lease) => self.lease = Some(lease),
            Entry::Signed(signed) => {
                let (position, next) = (signed.position, self.next_under(rules));
                if !rules.is_next(position, next) {
                    return Err(Refusal::NotNext { position, next });
                }
                self.records.push(Record { signed, seen: None, judged: None });
            }
            Entry::Seen(seen) => {
                let record = self.records.iter_mut().rfind(|record| record.signed.position == seen.position);
                record.ok_or(Refusal::NotJudged(seen.position))?.seen = Some(seen.status);
            }
            Entry::Judged(judged) => {
                let record = self.records.iter_mut().rfind(|record| record.signed.position == judged.position);
                let record = record.ok_or(Refusal::NotJudged(judged.position))?;
                match record.judged.as_ref().map(|judged| &judged.verdict) {
                    Some(before) if before.is_final() && !before.is_same_outcome(&judged.verdict) => {
                        return Err(Refusal::NotJudged(judged.position));
                    }
                    Some(before) if before.is_final() => {}
                    _ => record.judged = Some(judged),
                }
            }
        }
        Ok(())
    }
}
