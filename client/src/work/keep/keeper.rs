//! The keeper's engine.

use std::{collections::BTreeMap, future::Future};

use futures_util::{StreamExt, stream};
use solana_pubkey::Pubkey;
use thiserror::Error;

use super::{
    budget::Cost,
    plan::{Batch, Company, Kinds, batches, work},
    present::Present,
};
use crate::EscrowInstruction;

/// Why a trait's work failed, for people.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Trouble(pub String);

/// Where the work comes from.
pub trait Source: Sync {
    /// The chain's present time, in unix seconds.
    fn now(&self) -> impl Future<Output = Result<i64, Trouble>> + Send;

    /// Some escrows for which [anyone](crate::due::for_anyone) may do something at `now`, at most `most`. Whoever is named in
    /// one call and stays due is named again in a later one, but not before the others had their turn.
    fn due(&self, now: i64, most: usize) -> impl Future<Output = Result<Vec<Pubkey>, Trouble>> + Send;

    /// These escrows as they stand, at a slot that is not before `least_slot`. Those that are closed are left out.
    fn read(&self, escrows: &[Pubkey], least_slot: u64) -> impl Future<Output = Result<Vec<Present>, Trouble>> + Send;
}

/// Who may do it, and for how much.
pub trait Permits: Sync {
    /// Those of `escrows` that nobody else works on; nobody else will until `until`, in unix seconds.
    fn claim(&self, escrows: &[Pubkey], until: i64) -> impl Future<Output = Result<Vec<Pubkey>, Trouble>> + Send;

    /// They are not worked on any more.
    fn release(&self, escrows: &[Pubkey]) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Sets `cost` aside, if that may be spent. It lasts before this returns.
    fn reserve(&self, cost: Cost, now: i64) -> impl Future<Output = Result<bool, Trouble>> + Send;

    /// Of what was set aside only `spent` was spent.
    fn settle(&self, reserved: Cost, spent: Cost, now: i64) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was executed.
    Landed {
        /// In this slot.
        slot: u64,
        /// For this fee, in lamports.
        fee: u64,
    },
    /// It was executed and failed: nothing changed but the fee.
    Failed {
        /// In this slot.
        slot: u64,
        /// For this fee, in lamports.
        fee: u64,
        /// Why, for people.
        reason: String,
    },
    /// It was refused before it was sent, or can never be executed: nothing changed, and nothing was spent.
    Never {
        /// Why, for people.
        reason: String,
    },
    /// Nobody knows yet. [`Sender::resume`] will tell.
    Unknown,
}

/// Sends exactly once.
pub trait Sender: Sync {
    /// Who pays.
    fn payer(&self) -> Pubkey;

    /// The most that this batch can cost in fees, in lamports, and what a token account costs.
    fn price(&self, batch: &Batch) -> impl Future<Output = Result<(u64, u64), Trouble>> + Send;

    /// Sends it, and says what became of it. One with the same key that is under way is taken up instead.
    fn send(&self, batch: &Batch) -> impl Future<Output = Outcome> + Send;

    /// Finishes what was begun before, by an earlier process too: the escrows, and what became of each transaction. Those
    /// that are still unknown are among them.
    fn resume(&self) -> impl Future<Output = Result<Vec<(Vec<Pubkey>, Outcome)>, Trouble>> + Send;
}

/// How a keeper works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What it does.
    pub kinds: Kinds,
    /// What makes it differ from other keepers.
    pub seed: u64,
    /// How long it waits at most after it has first seen that something is due, in seconds: each keeper and escrow another
    /// time.
    pub jitter: u32,
    /// How many escrows it takes at once.
    pub at_once: usize,
    /// The most escrows in a transaction.
    pub together: usize,
    /// How many transactions are under way at once.
    pub in_flight: usize,
    /// The most token accounts that it makes for one escrow.
    pub accounts_each: u32,
    /// How long it asks that nobody else works on the same, in seconds.
    pub lease: u32,
    /// How long an escrow rests after a failure, in seconds: twice as long after each.
    pub rest: u32,
    /// Of how many escrows it remembers anything.
    pub memory: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kinds: Kinds::default(),
            seed: 0,
            jitter: 30,
            at_once: 200,
            together: 6,
            in_flight: 16,
            accounts_each: 4,
            lease: 300,
            rest: 60,
            memory: 50_000,
        }
    }
}

/// What was done, counted since the keeper began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Passes.
    pub passes: u64,
    /// Escrows that were read because something was due.
    pub read: u64,
    /// Defaults that were applied.
    pub expired: u64,
    /// Payments.
    pub withdrawn: u64,
    /// Accounts that were closed.
    pub closed: u64,
    /// Escrows that were given up.
    pub cancelled: u64,
    /// Transactions that were executed.
    pub landed: u64,
    /// Transactions that were executed and failed.
    pub failed: u64,
    /// Transactions that never were executed.
    pub never: u64,
    /// Transactions of which nobody knows.
    pub unknown: u64,
    /// Token accounts that were made.
    pub token_accounts: u64,
    /// Lamports that were spent on fees.
    pub fees: u64,
    /// Batches that the budget did not allow.
    pub refused: u64,
}

/// What came of one pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pass {
    /// How many escrows were named as due.
    pub named: usize,
    /// How many of them wait: for their time, or because they failed.
    pub resting: usize,
    /// How many somebody else works on.
    pub others: usize,
    /// Each transaction: its escrows, and what became of it.
    pub sent: Vec<(Vec<Pubkey>, Outcome)>,
    /// Whether the budget did not allow some.
    pub out_of_budget: bool,
}

/// What is remembered of an escrow.
#[derive(Debug, Clone, Copy, Default)]
struct Note {
    /// It is not touched before, in unix seconds.
    not_before: i64,
    strikes: u32,
    /// It failed in company.
    company: Company,
    /// A transaction about it is under way, and nobody knows what became of it.
    unknown: bool,
}

/// The keeper.
#[derive(Debug)]
pub struct Keeper<Src, Per, Snd> {
    source: Src,
    permits: Per,
    sender: Snd,
    settings: Settings,
    notes: BTreeMap<Pubkey, Note>,
    /// It does not believe an older state than this.
    least_slot: u64,
    counters: Counters,
    resumed: bool,
}

impl<Src: Source, Per: Permits, Snd: Sender> Keeper<Src, Per, Snd> {
    /// A keeper that has done nothing yet.
    pub fn new(source: Src, permits: Per, sender: Snd, settings: Settings) -> Self {
        let (notes, counters) = (BTreeMap::new(), Counters::default());
        Self { source, permits, sender, settings, notes, least_slot: 0, counters, resumed: false }
    }

    /// How it works.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// What it did since it began.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Of how many escrows it remembers something: never more than the settings say.
    pub fn remembered(&self) -> usize {
        self.notes.len()
    }

    /// One pass: finishes what was begun, finds what is due, and does it.
    ///
    /// # Errors
    ///
    /// Where a trait fails before anything is sent. The next pass takes up what this one left.
    pub async fn pass(&mut self) -> Result<Pass, Trouble> {
        self.counters.passes = self.counters.passes.saturating_add(1);
        let now = self.source.now().await?;
        if !self.resumed || self.notes.values().any(|note| note.unknown) {
            self.resume(now).await?;
        }
        let mut pass = Pass::default();
        let named = self.source.due(now, self.settings.at_once).await?;
        pass.named = named.len();
        let ready: Vec<Pubkey> = named.into_iter().filter(|escrow| self.is_ready(escrow, now)).collect();
        pass.resting = pass.named.saturating_sub(ready.len());
        if ready.is_empty() {
            return Ok(pass);
        }
        let until = now.saturating_add(i64::from(self.settings.lease));
        let claimed = self.permits.claim(&ready, until).await?;
        pass.others = ready.len().saturating_sub(claimed.len());
        let done = self.work_on(&claimed, now, &mut pass).await;
        let released = self.permits.release(&claimed).await;
        done.and(released)?;
        Ok(pass)
    }

    async fn work_on(&mut self, claimed: &[Pubkey], now: i64, pass: &mut Pass) -> Result<(), Trouble> {
        let present = self.source.read(claimed, self.least_slot).await?;
        self.counters.read = self.counters.read.saturating_add(count(present.len()));
        let (payer, settings) = (self.sender.payer(), self.settings);
        let planned: Vec<_> = present
            .iter()
            .filter_map(|present| work(present, settings.kinds, settings.accounts_each, &payer, now))
            .collect();
        // What nothing is to be done for, needs nothing to be remembered.
        for escrow in claimed {
            if !planned.iter().any(|work| work.escrow == *escrow) {
                self.rest(escrow, now);
            }
        }
        let company = |escrow: &Pubkey| self.notes.get(escrow).map_or(Company::Together, |note| note.company);
        let planned = batches(&planned, company, settings.together, &payer);
        let planned = planned.map_err(|error| Trouble(error.to_string()))?;
        let mut allowed = Vec::new();
        for batch in planned {
            let (fee, rent) = self.sender.price(&batch).await?;
            let rents = rent.saturating_mul(u64::from(batch.token_accounts));
            let cost = Cost { lamports: fee.saturating_add(rents), token_accounts: batch.token_accounts };
            match self.permits.reserve(cost, now).await? {
                true => allowed.push((batch, cost, rents)),
                false => {
                    pass.out_of_budget = true;
                    self.counters.refused = self.counters.refused.saturating_add(1);
                    // Those that need no token account are not held up by one that does.
                    if batch.token_accounts > 0 && batch.escrows.len() > 1 {
                        batch.escrows.iter().for_each(|escrow| self.failed(escrow, true, now));
                    }
                }
            }
        }
        let (sender, permits) = (&self.sender, &self.permits);
        // Each settles by itself: whoever waited here for one would keep the others from going on, and they may hold what it
        // waits for.
        let sent = stream::iter(allowed).map(|(batch, cost, rents)| async move {
            let outcome = sender.send(&batch).await;
            let settled = match spent(&outcome, &batch, rents) {
                Some(spent) => permits.settle(cost, spent, now).await,
                None => Ok(()),
            };
            (batch, outcome, settled)
        });
        let mut sent = sent.buffer_unordered(self.settings.in_flight.max(1));
        let mut outcomes = Vec::new();
        let mut trouble = None;
        while let Some((batch, outcome, settled)) = sent.next().await {
            trouble = settled.err().or(trouble);
            outcomes.push((batch, outcome));
        }
        drop(sent);
        // What failed is remembered, also where something else for the same escrow was done.
        outcomes.sort_by_key(|(_, outcome)| !matches!(outcome, Outcome::Landed { .. }));
        for (batch, outcome) in outcomes {
            self.counters.token_accounts = match outcome {
                Outcome::Landed { .. } => self.counters.token_accounts.saturating_add(u64::from(batch.token_accounts)),
                _ => self.counters.token_accounts,
            };
            if matches!(outcome, Outcome::Landed { .. }) {
                self.count(&batch);
            }
            self.note(&batch.escrows, &outcome, now);
            pass.sent.push((batch.escrows, outcome));
        }
        trouble.map_or(Ok(()), Err)
    }

    /// Finishes what was begun before.
    async fn resume(&mut self, now: i64) -> Result<(), Trouble> {
        let finished = self.sender.resume().await?;
        self.resumed = true;
        for note in self.notes.values_mut() {
            note.unknown = false;
        }
        for (escrows, outcome) in finished {
            self.note(&escrows, &outcome, now);
        }
        Ok(())
    }

    /// Whether it is to be touched at all; a newcomer waits for its time.
    fn is_ready(&mut self, escrow: &Pubkey, now: i64) -> bool {
        let wait = self.jitter(escrow);
        let not_before = now.saturating_add(wait);
        let note = self.remember(escrow, Note { not_before, ..Note::default() });
        !note.unknown && note.not_before <= now
    }

    /// A time of this keeper and this escrow, in seconds.
    fn jitter(&self, escrow: &Pubkey) -> i64 {
        let mut bytes = self.settings.seed.to_le_bytes().to_vec();
        bytes.extend_from_slice(escrow.as_array());
        let hash = anchor_lang::sha256(&bytes);
        let number = hash.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        i64::from(number.checked_rem(self.settings.jitter.saturating_add(1)).unwrap_or(0))
    }

    /// What is remembered of it, or `otherwise`.
    fn remember(&mut self, escrow: &Pubkey, otherwise: Note) -> Note {
        if !self.notes.contains_key(escrow) {
            self.set(escrow, otherwise);
        }
        self.notes.get(escrow).copied().unwrap_or(otherwise)
    }

    /// Remembers it. What has been ready for the longest is forgotten, should there be no room; never what is under way.
    fn set(&mut self, escrow: &Pubkey, note: Note) {
        if !self.notes.contains_key(escrow) && self.notes.len() >= self.settings.memory {
            let forgettable = self.notes.iter().filter(|(_, note)| !note.unknown);
            let oldest = forgettable.min_by_key(|(_, note)| note.not_before).map(|(oldest, _)| *oldest);
            let Some(oldest) = oldest else { return };
            self.notes.remove(&oldest);
        }
        self.notes.insert(*escrow, note);
    }

    fn note(&mut self, escrows: &[Pubkey], outcome: &Outcome, now: i64) {
        match outcome {
            Outcome::Landed { slot, fee } | Outcome::Failed { slot, fee, .. } => {
                self.least_slot = self.least_slot.max(*slot);
                self.counters.fees = self.counters.fees.saturating_add(*fee);
            }
            Outcome::Never { .. } | Outcome::Unknown => {}
        }
        let counter = match outcome {
            Outcome::Landed { .. } => &mut self.counters.landed,
            Outcome::Failed { .. } => &mut self.counters.failed,
            Outcome::Never { .. } => &mut self.counters.never,
            Outcome::Unknown => &mut self.counters.unknown,
        };
        *counter = counter.saturating_add(1);
        for escrow in escrows {
            match outcome {
                // What remains to be done, is done in the next pass.
                Outcome::Landed { .. } => match self.notes.get(escrow).copied() {
                    Some(note) if note.company != Company::Together => {
                        self.set(escrow, Note { not_before: now, unknown: false, ..note });
                    }
                    _ => drop(self.notes.remove(escrow)),
                },
                Outcome::Failed { .. } | Outcome::Never { .. } => self.failed(escrow, escrows.len() > 1, now),
                Outcome::Unknown => {
                    let note = self.remember(escrow, Note::default());
                    self.set(escrow, Note { unknown: true, ..note });
                }
            }
        }
    }

    /// In company it may not have been its fault: it is tried alone, and then apart. What fails by itself rests.
    fn failed(&mut self, escrow: &Pubkey, in_company: bool, now: i64) {
        let note = self.remember(escrow, Note::default());
        match (in_company, note.company) {
            (true, _) => self.set(escrow, Note { company: Company::Alone, unknown: false, ..note }),
            (false, Company::Apart) => self.rest(escrow, now),
            (false, _) => {
                self.set(escrow, Note { company: Company::Apart, unknown: false, ..note });
                self.rest(escrow, now);
            }
        }
    }

    /// It rests, twice as long as the last time.
    fn rest(&mut self, escrow: &Pubkey, now: i64) {
        let note = self.remember(escrow, Note::default());
        let strikes = note.strikes.saturating_add(1);
        let factor = 1i64.checked_shl(strikes.saturating_sub(1).min(10)).unwrap_or(1);
        let not_before = now.saturating_add(i64::from(self.settings.rest).saturating_mul(factor));
        self.set(escrow, Note { not_before, strikes, unknown: false, ..note });
    }

    fn count(&mut self, batch: &Batch) {
        for action in &batch.actions {
            let counter = match action.instruction {
                EscrowInstruction::Expire { .. } => &mut self.counters.expired,
                EscrowInstruction::Withdraw { .. } => &mut self.counters.withdrawn,
                EscrowInstruction::Close => &mut self.counters.closed,
                EscrowInstruction::Cancel => &mut self.counters.cancelled,
                _ => continue,
            };
            *counter = counter.saturating_add(1);
        }
    }
}

/// What was spent, where `rents` were set aside for token accounts; none where it may still be.
fn spent(outcome: &Outcome, batch: &Batch, rents: u64) -> Option<Cost> {
    match outcome {
        Outcome::Landed { fee, .. } => {
            Some(Cost { lamports: fee.saturating_add(rents), token_accounts: batch.token_accounts })
        }
        Outcome::Failed { fee, .. } => Some(Cost { lamports: *fee, token_accounts: 0 }),
        Outcome::Never { .. } => Some(Cost::default()),
        Outcome::Unknown => None,
    }
}

fn count(some: usize) -> u64 {
    u64::try_from(some).unwrap_or(u64::MAX)
}
