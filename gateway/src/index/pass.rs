//! One pass over what there is to do: each generation comes further, or says why it does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use escrow_client::{
    escrow,
    history::Entry,
    work::watch::{Answer, Ask, Discovery, Heard, Question, Rules, Settings, Subject, Trouble},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use thiserror::Error;

use super::{
    memory::Memory,
    node::Node,
    rows::{read, written},
};
use crate::store::{Change, Generation, Lease, Stage, Store};

/// The gateway's time, in unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// By which name the one who writes is known.
const LEASE: &str = "index";
/// How long a lease is held without a sign of life, in milliseconds: as long others wait where a process dies.
const HELD: i64 = 10_000;
/// The most escrows that are looked at in a round because of the time alone.
const MOST_DUE: i64 = 500;
/// How often a transaction that cannot be read is tried again, in milliseconds, and how many at once.
const RETRY: (i64, i64) = (60_000, 8);
/// Transactions that are asked for at once.
const BODIES: usize = 100;
/// What to do where no node remembers.
const REMEMBERS: &str = "name one that remembers, or, if the program came later, set index.first_slot";
/// Rows that are deleted at once.
const DELETED: i64 = 1_000;

/// How patient it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Everything up to this slot is of no concern: the program came later.
    pub first_slot: u64,
    /// After how many rounds a transaction that cannot be read is not waited for any more.
    pub rounds_before_unread: u32,
    /// After how many rounds in which no node explains an escrow's account that is told as a gap, and the account believed. None:
    /// never.
    pub rounds_before_gap: Option<u32>,
    /// How many transactions are gone through at once, about.
    pub most_listed: usize,
    /// How often all rows are held against the accounts, in milliseconds.
    pub reconcile_every: i64,
}

impl Default for Patience {
    fn default() -> Self {
        let most_listed = Settings::default().most_listed;
        let reconcile_every = 60 * 60 * 1_000;
        Self { first_slot: 0, rounds_before_unread: 20, rounds_before_gap: None, most_listed, reconcile_every }
    }
}

/// Why a pass broke off. What was written before stands, and the next one goes on from there.
#[derive(Debug, Error)]
pub enum Stop {
    /// Somebody else writes.
    #[error("another process holds the index's lease")]
    Lost,
    /// There is no database.
    #[error("the database does not answer as it should: {0}")]
    Database(#[from] sqlx::Error),
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Somebody else writes.
    Standby,
    /// There is more to do at once.
    More,
    /// There is nothing to do before something happens, or it did not come further.
    Rest,
}

/// The index.
pub struct Index<N> {
    pub(super) store: Store,
    pub(super) node: N,
    pub(super) clock: Clock,
    pub(super) patience: Patience,
    name: String,
    lease: Option<Lease>,
    memories: BTreeMap<i64, Memory>,
}

/// How far a round came.
struct Advance {
    floor: u64,
    time: i64,
    /// Whether that is the newest finalized slot.
    is_complete: bool,
}

impl<N: Node> Index<N> {
    /// In this database, by what this node says.
    pub fn new(store: Store, node: N, patience: Patience, clock: Clock) -> Self {
        let name = Lease::owner_here();
        Self { store, node, clock, patience, name, lease: None, memories: BTreeMap::new() }
    }

    /// Comes as far as it can.
    ///
    /// # Errors
    ///
    /// Where there is no database, or somebody else has begun to write.
    pub async fn pass(&mut self) -> Result<Pass, Stop> {
        let now = (self.clock)();
        self.lease = self.store.lease(LEASE, &self.name, now, now.saturating_add(HELD)).await?;
        if self.lease.is_none() {
            self.memories.clear();
            return Ok(Pass::Standby);
        }
        let mut generations = self.store.generations().await?;
        if !generations.iter().any(|generation| generation.stage == Stage::Serving) {
            self.store.begin_generation(self.patience.first_slot).await?;
            generations = self.store.generations().await?;
        }
        let mut pass = Pass::Rest;
        for generation in generations {
            let more = match generation.stage {
                Stage::Retired => self.forget(generation.number).await?,
                Stage::Serving | Stage::Building => self.generation(generation).await?,
            };
            if more {
                pass = Pass::More;
            }
        }
        Ok(pass)
    }

    /// Leaves its place to others, when the process ends.
    ///
    /// # Errors
    ///
    /// Where there is no database. Then others wait until the lease has ended.
    pub async fn release(&mut self) -> Result<(), Stop> {
        let Some(lease) = self.lease.take() else { return Ok(()) };
        let mut change = self.store.change().await?;
        self.store.hold(&mut change, &lease, 0).await?;
        Ok(change.commit().await?)
    }

    /// Begins a change, which is refused where somebody else has begun to write.
    pub(super) async fn change(&self) -> Result<Change, Stop> {
        let lease = self.lease.as_ref().ok_or(Stop::Lost)?;
        let mut change = self.store.change().await?;
        let until = (self.clock)().saturating_add(HELD);
        match self.store.hold(&mut change, lease, until).await? {
            true => Ok(change),
            false => Err(Stop::Lost),
        }
    }

    /// Says that it is alive, while it asks for long.
    pub(super) async fn renew(&mut self) -> Result<(), Stop> {
        let now = (self.clock)();
        let is_fresh = |lease: &Lease| lease.until.saturating_sub(now) > HELD / 2;
        if self.lease.as_ref().is_some_and(is_fresh) {
            return Ok(());
        }
        let held = self.lease.as_ref().map(|lease| lease.fence);
        self.lease = self.store.lease(LEASE, &self.name, now, now.saturating_add(HELD)).await?;
        match self.lease.as_ref().map(|lease| lease.fence) == held {
            true => Ok(()),
            false => Err(Stop::Lost),
        }
    }

    pub(super) fn memory(&mut self, generation: i64) -> &mut Memory {
        self.memories.entry(generation).or_default()
    }

    /// One round of a generation. Whether there is more to do at once.
    async fn generation(&mut self, mut generation: Generation) -> Result<bool, Stop> {
        let number = generation.number;
        let outcome = self.advance(&generation).await?;
        let mut more = false;
        match outcome {
            Ok(Advance { floor, time, is_complete }) => {
                generation.floor = written(floor);
                generation.floor_time = time;
                generation.trouble = String::new();
                if is_complete {
                    generation.complete_at = (self.clock)();
                }
                more = !is_complete;
            }
            Err(trouble) => {
                if trouble != generation.trouble {
                    tracing::warn!(generation = number, trouble, "the index does not come further");
                }
                generation.trouble = trouble;
                self.node.turn();
            }
        }
        let mut change = self.change().await?;
        self.store.set_generation(&mut change, &generation).await?;
        change.commit().await?;
        if generation.trouble.is_empty() && !more {
            self.read_dead_letters(&generation).await?;
            more = self.reconcile(&mut generation).await?;
            if self.memory(number).reconciled && generation.stage == Stage::Building {
                self.swap(generation).await?;
            }
        }
        Ok(more)
    }

    /// Everything behind the floor, as far as the chain is finalized; else why not.
    async fn advance(&mut self, generation: &Generation) -> Result<Result<Advance, String>, Stop> {
        let number = generation.number;
        let floor = read(generation.floor).max(self.patience.first_slot.saturating_sub(1));
        let (top, time) = match self.node.answer(&Ask::Accounts { addresses: Vec::new(), least_slot: floor }).await {
            Heard::Accounts { slot, time, .. } if slot >= floor => (slot, time),
            Heard::Accounts { slot, .. } => return Ok(Err(Trouble::Behind { slot, seen: floor }.to_string())),
            Heard::Failed(reason) => return Ok(Err(Trouble::Silent(reason).to_string())),
            Heard::About(_) => return Ok(Err(Trouble::Nonsense.to_string())),
        };
        let (end, found) = match self.walk(number, floor, top).await? {
            Ok(walked) => walked,
            Err(trouble @ Trouble::Forgotten(_)) => return Ok(Err(format!("{trouble}; {REMEMBERS}"))),
            Err(trouble) => return Ok(Err(trouble.to_string())),
        };
        let time_of_end = if end == top { Some(time) } else { found.iter().filter_map(|entry| entry.time).max() };
        let mut touched: BTreeMap<Pubkey, Vec<Entry>> = BTreeMap::new();
        for entry in found {
            touched.entry(entry.action.escrow).or_default().push(entry.alone());
        }
        if end == top {
            for due in self.store.to_look_at(number, time, MOST_DUE).await? {
                if let Ok(escrow) = due.parse() {
                    touched.entry(escrow).or_default();
                }
            }
        }
        let applied = self.apply_all(number, touched, end).await?;
        Ok(match applied.troubles.into_iter().next() {
            Some((escrow, trouble)) => Err(format!("of {escrow}: {trouble}")),
            None => {
                Ok(Advance { floor: end, time: time_of_end.unwrap_or(generation.floor_time), is_complete: end == top })
            }
        })
    }

    /// Goes through the program's transactions behind `floor`: up to which slot, and what they did.
    async fn walk(
        &mut self,
        generation: i64,
        floor: u64,
        top: u64,
    ) -> Result<Result<(u64, Vec<Entry>), Trouble>, Stop> {
        let dead = self.store.dead_letters(generation, i64::MAX, i64::MAX).await?;
        let dead: BTreeSet<Signature> = dead.iter().filter_map(|signature| signature.parse().ok()).collect();
        let mut discovery = Discovery::new(Subject::All, floor, self.settings(), Rules::ALL).without(dead);
        discovery.look(top);
        let mut found = Vec::new();
        while let Some(question) = discovery.question() {
            self.renew().await?;
            let answer = match question {
                Question::Transactions(wanted) => self.bodies(generation, wanted).await?,
                question => self.ask(question).await,
            };
            found.extend(discovery.heard(answer));
        }
        let Some(trouble) = discovery.trouble().cloned() else {
            self.memory(generation).unread.clear();
            return Ok(Ok((discovery.floor(), found)));
        };
        if let Trouble::Unreadable(signatures) = &trouble {
            self.give_up(generation, signatures).await?;
        }
        Ok(Err(trouble))
    }

    /// What transactions did. What was read in a round before is not asked again: of many, some answer is always missing.
    async fn bodies(&mut self, generation: i64, wanted: Vec<Signature>) -> Result<Answer, Stop> {
        let asked: BTreeSet<Signature> = wanted.iter().copied().collect();
        let known = &mut self.memory(generation).bodies;
        known.retain(|signature, _| asked.contains(signature));
        let unknown: Vec<Signature> = wanted.iter().filter(|wanted| !known.contains_key(wanted)).copied().collect();
        for some in unknown.chunks(BODIES) {
            self.renew().await?;
            match self.ask(Question::Transactions(some.to_vec())).await {
                Answer::Transactions(read) if read.len() == some.len() => {
                    let read = some.iter().copied().zip(read).filter_map(|(signature, read)| Some((signature, read?)));
                    self.memory(generation).bodies.extend(read);
                }
                answer => return Ok(answer),
            }
        }
        let known = &self.memory(generation).bodies;
        Ok(Answer::Transactions(wanted.iter().map(|wanted| known.get(wanted).cloned()).collect()))
    }

    /// About the program's transactions.
    async fn ask(&self, question: Question) -> Answer {
        match self.node.answer(&Ask::About(escrow::ID, question)).await {
            Heard::About(answer) => answer,
            Heard::Failed(reason) => Answer::Failed(reason),
            Heard::Accounts { .. } => Answer::Failed(Trouble::Nonsense.to_string()),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            rounds_before_gap: None,
            rounds_before_unread: None,
            quiet_rounds: 0,
            most_listed: self.patience.most_listed,
        }
    }

    /// What cannot be read for long is not waited for any more.
    async fn give_up(&mut self, generation: i64, signatures: &[Signature]) -> Result<(), Stop> {
        let most = self.patience.rounds_before_unread;
        let memory = self.memory(generation);
        memory.unread.retain(|known, _| signatures.contains(known));
        let mut dead = Vec::new();
        for signature in signatures {
            let rounds = memory.unread.entry(*signature).or_default();
            *rounds = rounds.saturating_add(1);
            if *rounds >= most {
                dead.push(*signature);
            }
        }
        if dead.is_empty() {
            return Ok(());
        }
        let (mut change, now) = (self.change().await?, (self.clock)());
        for signature in dead {
            tracing::warn!(%signature, "a transaction cannot be read: it is not waited for any more, and tried again");
            self.store.add_dead_letter(&mut change, generation, &signature.to_string(), now).await?;
        }
        Ok(change.commit().await?)
    }

    /// Tries again to read what could not be read.
    async fn read_dead_letters(&mut self, generation: &Generation) -> Result<(), Stop> {
        let (every, most) = RETRY;
        let before = (self.clock)().saturating_sub(every);
        for letter in self.store.dead_letters(generation.number, before, most).await? {
            let Ok(signature) = letter.parse() else { continue };
            let read_now = match self.ask(Question::Transactions(vec![signature])).await {
                Answer::Transactions(mut read) => read.pop().flatten(),
                _ => None,
            };
            let is_told = match read_now {
                None => false,
                Some(entries) => {
                    let mut touched: BTreeMap<Pubkey, Vec<Entry>> = BTreeMap::new();
                    for entry in entries {
                        touched.entry(entry.action.escrow).or_default().push(entry.alone());
                    }
                    self.apply_all(generation.number, touched, read(generation.floor)).await?.troubles.is_empty()
                }
            };
            let (mut change, now) = (self.change().await?, (self.clock)());
            match is_told {
                true => self.store.remove_dead_letter(&mut change, generation.number, &letter).await?,
                false => self.store.add_dead_letter(&mut change, generation.number, &letter, now).await?,
            }
            change.commit().await?;
        }
        Ok(())
    }

    /// A generation that was built takes the place of the one that serves, if it has come as far.
    async fn swap(&mut self, mut built: Generation) -> Result<(), Stop> {
        let mut change = self.change().await?;
        let Some(mut serving) = self.store.serving().await? else { return Ok(()) };
        if built.floor < serving.floor {
            return Ok(());
        }
        (serving.stage, built.stage) = (Stage::Retired, Stage::Serving);
        self.store.set_generation(&mut change, &serving).await?;
        self.store.set_generation(&mut change, &built).await?;
        change.commit().await?;
        tracing::info!(from = serving.number, to = built.number, "the index was built anew");
        Ok(())
    }

    /// Deletes some rows of a generation that serves no more. Whether there are more.
    async fn forget(&mut self, number: i64) -> Result<bool, Stop> {
        let mut change = self.change().await?;
        let is_gone = self.store.forget_generation(&mut change, number, DELETED).await?;
        change.commit().await?;
        if is_gone {
            self.memories.remove(&number);
        }
        Ok(!is_gone)
    }
}
