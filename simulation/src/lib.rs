//! A simulated cluster that drives the sender of `escrow-sender` through everything that a network does, and judges from
//! outside what came of it.
//!
//! - [`schedule`]: everything that happens in one run, decided in advance from a seed;
//! - `chain`: the cluster, with its forks; `node`: what a node answers, goes wrong with, and lies about;
//! - `world`: processes, people and messages, event by event;
//! - [`oracle`]: what must hold, and under which circumstances it is promised;
//! - [`shrink`]: from a schedule that breaks a promise to the smallest that does.

mod chain;
mod node;
pub mod oracle;
mod random;
pub mod schedule;
pub mod shrink;
mod world;

pub use world::Syncs;

use escrow_sender::{Rule, Rules};

use crate::{schedule::Schedule, world::World};

/// Counts of what happened, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(std::collections::BTreeMap<&'static str, u64>);

impl Counts {
    fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    /// With those of other runs.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, count)| self.add(what, *count));
    }

    /// What was counted, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(what, count)| (*what, *count))
    }
}

/// What a run is made without, to see that this is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Nothing: as it is.
    Nothing,
    /// One rule of the sender.
    Rule(Rule),
    /// A journal that is on the disk when it says so.
    Sync(Syncs),
}

impl Without {
    fn parts(self) -> (Rules, Syncs) {
        match self {
            Self::Nothing => (Rules::ALL, Syncs::Always),
            Self::Rule(rule) => (Rules::without(rule), Syncs::Always),
            Self::Sync(syncs) => (Rules::ALL, syncs),
        }
    }
}

/// Runs a schedule. What was counted, or the promise that was broken.
pub fn run(schedule: &Schedule, without: Without) -> Result<Counts, String> {
    let (rules, syncs) = without.parts();
    let mut world = World::new(schedule, rules, syncs, false);
    world.run();
    oracle::judge(schedule, &world)
}

/// What happens in a schedule, line by line.
pub fn trace(schedule: &Schedule, without: Without) -> Vec<String> {
    let (rules, syncs) = without.parts();
    let mut world = World::new(schedule, rules, syncs, true);
    world.run();
    world.into_trace()
}

/// A promise that was broken.
#[derive(Debug)]
pub struct Broken {
    /// The number of the schedule.
    pub seed: u64,
    /// Which promise.
    pub what: String,
    /// The smallest schedule that breaks one.
    pub schedule: Schedule,
    /// What happens in it.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "schedule {}: {}", self.seed, self.what)?;
        writeln!(f, "the smallest schedule that breaks a promise: {:#?}", self.schedule)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Broken {
    fn new(seed: u64, schedule: &Schedule, without: Without) -> Self {
        let (schedule, what) = shrink::shrink(schedule, |candidate| run(candidate, without).err());
        let trace = trace(&schedule, without);
        Self { seed, what, schedule, trace }
    }
}

/// Runs schedules by number until one breaks a promise.
pub fn search(
    seeds: impl Iterator<Item = u64>,
    without: Without,
    mut each: impl FnMut(&Counts),
) -> Option<Box<Broken>> {
    for seed in seeds {
        let schedule = Schedule::random(seed);
        match run(&schedule, without) {
            Ok(counts) => each(&counts),
            Err(_) => return Some(Box::new(Broken::new(seed, &schedule, without))),
        }
    }
    None
}
