//! The cluster: blocks, forks, what is confirmed and final, and what a transaction does.
//!
//! There is one chain, known only when it is final, and forks beside it, which are all dropped in the end.

use escrow_sender::{Commitment, FORK_DEPTH, Height, MAX_AGE, Reading, Slot};

use crate::schedule::{ClusterFault, Schedule};

/// How many slots behind the newest a confirmed block is.
const CONFIRMED: u64 = 2;

/// How long leaders try to include a transaction that has reached them.
const KEPT: u64 = 20;

/// A transaction, by its number.
pub(crate) type TxId = usize;

/// What a transaction's hash is in truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Life {
    /// The hash of a block of this ledger, perhaps on a fork.
    Block { ledger: u32, slot: u64, fork: Option<usize> },
    /// A nonce's value.
    Nonce { value: u32 },
    /// No block's.
    Foreign,
}

#[derive(Debug, Clone)]
struct Tx {
    life: Life,
    step: u32,
    /// Where it is on the chain, and whether it succeeded.
    landed: Option<(u64, bool)>,
}

/// A transaction on its way.
#[derive(Debug, Clone, Copy)]
struct Pending {
    tx: TxId,
    from: u64,
    to: u64,
    last_moment: bool,
}

/// A fork, as far as it has grown.
#[derive(Debug, Clone)]
struct Fork {
    first: u64,
    last: u64,
    seen_by: u8,
    confirmed: bool,
    flips: bool,
    /// Whether nothing is confirmed or final meanwhile.
    splits: bool,
    /// Whether transactions reach its leaders.
    reached: bool,
    bits: u128,
    /// The last block before it, and its height.
    branch: Reading,
    blocks: Vec<u64>,
    landed: Vec<(TxId, u64, bool)>,
}

/// A block that somebody takes for the newest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bank {
    pub(crate) reading: Reading,
    pub(crate) fork: Option<usize>,
}

/// One ledger.
#[derive(Debug)]
pub(crate) struct Chain<'a> {
    schedule: &'a Schedule,
    pub(crate) ledger: u32,
    /// In which slot of the run it began.
    began: u64,
    /// The number of the first slot, and the height before it.
    start: u64,
    base: u64,
    /// Per slot, the last block on the chain up to it.
    blocks: Vec<Reading>,
    forks: Vec<Fork>,
    txs: Vec<Tx>,
    pending: Vec<Pending>,
    /// The nonce's values, and since when.
    nonces: Vec<(u64, u32)>,
    /// How often each step succeeded on the chain.
    effects: [u32; 2],
}

impl<'a> Chain<'a> {
    pub(crate) fn new(schedule: &'a Schedule) -> Self {
        let mut chain = Self {
            schedule,
            ledger: 0,
            began: 0,
            start: 1_000,
            // A ledger that starts anew is a validator on somebody's machine, and that skips no slot.
            base: if schedule.restarts() { 999 } else { 900 },
            blocks: Vec::with_capacity(1_024),
            forks: Vec::new(),
            txs: Vec::new(),
            pending: Vec::new(),
            nonces: vec![(0, 0)],
            effects: [0; 2],
        };
        for fault in &schedule.cluster {
            let (from, slots, bits, seen_by, confirmed, flips, splits, reached) = match *fault {
                ClusterFault::Fork { from, slots, bits, seen_by, confirmed, flips } => {
                    (from, slots.min(FORK_DEPTH as u32 - 4), bits.into(), seen_by, confirmed, flips, false, true)
                }
                ClusterFault::Split { from, slots, bits, seen_by, reached } => {
                    (from, slots, bits, seen_by, false, false, true, reached)
                }
                _ => continue,
            };
            let first = chain.start + u64::from(from);
            let last = first + u64::from(slots) - 1;
            if chain.forks.iter().all(|fork| last < fork.first || fork.last < first) {
                let (blocks, landed, branch) = (Vec::new(), Vec::new(), Reading::default());
                let fork =
                    Fork { first, last, seen_by, confirmed, flips, splits, reached, bits, branch, blocks, landed };
                chain.forks.push(fork);
            }
        }
        chain
    }

    /// Starts anew: another ledger with the same genesis.
    fn restart(&mut self, at: u64) {
        self.ledger += 1;
        (self.began, self.start, self.base) = (at, 1, 0);
        self.blocks.clear();
        self.forks.clear();
        self.pending.clear();
        self.txs.iter_mut().for_each(|tx| tx.landed = None);
        self.nonces = vec![(0, 1_000)];
        self.effects = [0; 2];
    }

    /// Goes on to this slot of the run.
    pub(crate) fn advance(&mut self, to: u64) {
        while self.began + (self.blocks.len() as u64) <= to {
            let at = self.began + self.blocks.len() as u64;
            let restarts =
                |fault: &ClusterFault| matches!(fault, ClusterFault::Restart { at: when } if u64::from(*when) == at);
            if self.ledger == 0 && at > 0 && self.schedule.cluster.iter().any(restarts) {
                self.restart(at);
                continue;
            }
            self.produce(at);
        }
    }

    /// The slot number in this slot of the run.
    pub(crate) fn slot(&self, at: u64) -> u64 {
        self.start + at.saturating_sub(self.began)
    }

    fn produce(&mut self, at: u64) {
        let slot = self.slot(at);
        let before = self.main(slot - 1);
        let mut skipped = false;
        let is_on = |fork: &Fork| (fork.first..=fork.last).contains(&slot) && fork.bits >> (slot - fork.first) & 1 == 1;
        let on_fork = self.forks.iter().position(is_on);
        for fault in &self.schedule.cluster {
            let covers = |from: u32, slots: u32| {
                self.ledger == 0 && (u64::from(from)..u64::from(from) + u64::from(slots)).contains(&at)
            };
            match *fault {
                ClusterFault::SkipEvery(every) => skipped |= slot.is_multiple_of(u64::from(every)),
                ClusterFault::Skip { from, slots } => skipped |= covers(from, slots),
                ClusterFault::NonceAdvance { at: when } if u64::from(when) == at && self.ledger == 0 => {
                    self.advance_nonce(slot)
                }
                _ => {}
            }
        }
        if let Some(fork) = self.forks.iter_mut().find(|fork| fork.first == slot) {
            fork.branch = before;
        }
        let on_chain = !skipped && on_fork.is_none();
        let height = Height(before.height.0 + u64::from(on_chain));
        self.blocks.push(if on_chain { Reading { slot: Slot(slot), height } } else { before });
        if skipped {
            return;
        }
        if let Some(fork) = on_fork {
            self.forks[fork].blocks.push(slot);
        }
        self.pending.retain(|pending| pending.last_moment || pending.to >= slot);
        for index in 0..self.pending.len() {
            let pending = self.pending[index];
            match on_fork {
                _ if pending.from > slot => {}
                Some(fork) => self.include_on_fork(pending, fork, slot),
                None => self.include(pending, slot, height.0, at),
            }
        }
    }

    fn include(&mut self, pending: Pending, slot: u64, height: u64, at: u64) {
        let tx = &self.txs[pending.tx];
        if tx.landed.is_some() || !self.is_valid(tx.life, height, None, pending.last_moment) {
            return;
        }
        let fails = |fault: &ClusterFault| {
            matches!(fault, ClusterFault::Fails { from, slots }
                if (u64::from(*from)..u64::from(*from) + u64::from(*slots)).contains(&at))
        };
        let fails = self.ledger == 0 && self.schedule.cluster.iter().any(fails);
        let succeeds = !fails && self.is_accepted(tx.step, self.effects);
        let (step, life) = (tx.step as usize, tx.life);
        self.txs[pending.tx].landed = Some((slot, succeeds));
        self.effects[step] += u32::from(succeeds);
        if let Life::Nonce { .. } = life {
            self.advance_nonce(slot);
        }
    }

    /// What a fork does has no effect; only its status is seen.
    fn include_on_fork(&mut self, pending: Pending, fork: usize, slot: u64) {
        let tx = &self.txs[pending.tx];
        let height = self.fork_height(fork, slot);
        let fork_of = &self.forks[fork];
        let known = tx.landed.is_some_and(|(landed, _)| landed <= fork_of.branch.slot.0)
            || fork_of.landed.iter().any(|(landed, ..)| *landed == pending.tx);
        if known || !fork_of.reached || !self.is_valid(tx.life, height, Some(fork), pending.last_moment) {
            return;
        }
        let succeeds = self.is_accepted(tx.step, self.effects) != fork_of.flips;
        self.forks[fork].landed.push((pending.tx, slot, succeeds));
    }

    /// Whether the program takes a transaction.
    fn is_accepted(&self, step: u32, effects: [u32; 2]) -> bool {
        let first = !self.schedule.conditional || effects[step as usize] == 0;
        first && (step == 0 || effects[0] > 0)
    }

    fn is_valid(&self, life: Life, height: u64, on: Option<usize>, last_moment: bool) -> bool {
        match life {
            // The same block hashes come again on a ledger that starts anew.
            Life::Block { ledger, .. } if ledger != self.ledger => height <= MAX_AGE,
            Life::Block { slot, fork, .. } => {
                let made = match fork {
                    Some(fork) if on != Some(fork) => return false,
                    Some(fork) => self.fork_height(fork, slot),
                    None => self.main(slot).height.0,
                };
                let age = height.saturating_sub(made);
                if last_moment { age == MAX_AGE } else { age <= MAX_AGE }
            }
            Life::Nonce { value } => self.nonces.last().is_some_and(|(_, present)| *present == value),
            Life::Foreign => false,
        }
    }

    fn advance_nonce(&mut self, slot: u64) {
        let next = self.nonces.last().map_or(0, |(_, value)| value + 1);
        self.nonces.push((slot, next));
    }

    fn fork_height(&self, fork: usize, slot: u64) -> u64 {
        let fork = &self.forks[fork];
        fork.branch.height.0 + fork.blocks.iter().filter(|block| **block <= slot).count() as u64
    }

    /// The last block on the chain up to this slot.
    fn main(&self, slot: u64) -> Reading {
        match slot.checked_sub(self.start) {
            Some(index) => self.blocks[(index as usize).min(self.blocks.len() - 1)],
            None => Reading { slot: Slot(slot), height: Height((self.base + slot + 1).saturating_sub(self.start)) },
        }
    }

    /// The newest block of this commitment for a node whose newest slot is this.
    pub(crate) fn bank(&self, commitment: Commitment, newest: u64, node: usize) -> Bank {
        let on_chain = |slot: u64| Bank { reading: self.main(slot), fork: None };
        let fork = self
            .forks
            .iter()
            .position(|fork| (fork.first..=fork.last).contains(&newest) && fork.seen_by >> (node % 8) & 1 == 1);
        let on_fork = |fork: usize, slot: u64| match self.forks[fork].blocks.iter().rfind(|block| **block <= slot) {
            Some(block) => {
                let height = Height(self.fork_height(fork, *block));
                Bank { reading: Reading { slot: Slot(*block), height }, fork: Some(fork) }
            }
            None => Bank { reading: self.forks[fork].branch, fork: None },
        };
        match (commitment, fork) {
            (Commitment::Processed, Some(fork)) => on_fork(fork, newest),
            (Commitment::Processed, None) => on_chain(newest),
            (Commitment::Confirmed, Some(fork)) if self.forks[fork].confirmed => on_fork(fork, newest - CONFIRMED),
            (Commitment::Confirmed, Some(fork)) => on_chain((newest - CONFIRMED).min(self.forks[fork].branch.slot.0)),
            (Commitment::Confirmed, None) => {
                let split = self.forks.iter().find(|fork| fork.splits && (fork.first..=fork.last).contains(&newest));
                let last = newest.saturating_sub(CONFIRMED);
                on_chain(split.map_or(last, |fork| last.min(fork.branch.slot.0)))
            }
            (Commitment::Finalized, _) => {
                let mut last = newest.saturating_sub(FORK_DEPTH);
                for fork in self.forks.iter().filter(|fork| fork.splits) {
                    if (fork.first..=fork.last + FORK_DEPTH).contains(&newest) {
                        last = last.min(fork.branch.slot.0);
                    }
                }
                for fault in self.schedule.cluster.iter().filter(|_| self.ledger == 0) {
                    if let ClusterFault::Stall { from, slots } = *fault {
                        let from = self.start + u64::from(from);
                        if (from..from + u64::from(slots)).contains(&newest) {
                            last = last.min(from - FORK_DEPTH);
                        }
                    }
                }
                on_chain(last)
            }
        }
    }

    /// What a bank holds of a transaction: the slot, and whether it succeeded.
    pub(crate) fn on_bank(&self, tx: TxId, bank: Bank) -> Option<(u64, bool)> {
        let until = |last: Slot| self.txs[tx].landed.filter(|(slot, _)| *slot <= last.0);
        let Some(fork) = bank.fork else { return until(bank.reading.slot) };
        let on_fork =
            self.forks[fork].landed.iter().find(|(landed, slot, _)| *landed == tx && *slot <= bank.reading.slot.0);
        on_fork.map(|(_, slot, succeeded)| (*slot, *succeeded)).or(until(self.forks[fork].branch.slot))
    }

    /// Whether a step has succeeded on a bank of the chain.
    pub(crate) fn has_effect(&self, step: u32, bank: Bank) -> bool {
        let is = |tx: &Tx| tx.step == step && tx.landed.is_some_and(|(slot, ok)| ok && slot <= bank.reading.slot.0);
        self.txs.iter().any(is)
    }

    /// The nonce's value on a bank of the chain.
    pub(crate) fn nonce(&self, bank: Bank) -> u32 {
        let until = self.nonces.iter().rfind(|(slot, _)| *slot <= bank.reading.slot.0);
        until.map_or(0, |(_, value)| *value)
    }

    /// A new transaction.
    pub(crate) fn add(&mut self, step: u32, life: Life) -> TxId {
        self.txs.push(Tx { life, step, landed: None });
        self.txs.len() - 1
    }

    /// A transaction reaches the leaders so many slots after this one of the run.
    pub(crate) fn deliver(&mut self, tx: TxId, at: u64, later: u64, last_moment: bool) {
        let from = self.slot(at) + 1 + later;
        let nonce = matches!(self.txs[tx].life, Life::Nonce { .. });
        self.pending.push(Pending { tx, from, to: from + KEPT, last_moment: last_moment && !nonce });
    }

    /// How often each step succeeded on the chain.
    pub(crate) fn effects(&self) -> [u32; 2] {
        self.effects
    }

    /// Whether a transaction is on the chain, and succeeded.
    pub(crate) fn landed(&self, tx: TxId) -> Option<bool> {
        self.txs[tx].landed.map(|(_, succeeded)| succeeded)
    }

    /// Whether a transaction was on a fork that reached `confirmed`.
    pub(crate) fn was_confirmed_on_a_fork(&self, tx: TxId) -> bool {
        self.forks.iter().any(|fork| fork.confirmed && fork.landed.iter().any(|(landed, ..)| *landed == tx))
    }
}
