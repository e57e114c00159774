//! Shows that the program keeps its promises, with numbers for what was tried. Each check runs from a seed and takes an
//! effort: the tests of this package run each with little, `cargo xtask assure` with much.

use std::fmt;

pub mod arithmetic;
mod bank;
pub mod exits;
pub mod fuzz;
mod generated;
pub mod interleavings;
pub mod model;
pub mod play;
mod random;
pub mod substitution;

/// How a check is run.
pub struct Run<'a> {
    /// Everything random comes from it.
    pub seed: u64,
    /// How much is tried, in multiples of what the tests try. What is exhaustive is not affected.
    pub effort: u64,
    /// Told how much is done, out of how much.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Run<'_> {
    /// As the tests run it.
    pub fn quick() -> Run<'static> {
        Run { seed: 1, effort: 1, progress: &|_, _| {} }
    }
}

/// What a check tried: a name for people, and a number.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Figure {
    /// What was counted.
    pub what: String,
    /// How many.
    pub count: u64,
}

impl Figure {
    /// `count` of `what`.
    pub fn new(what: impl Into<String>, count: impl TryInto<u64>) -> Self {
        Self { what: what.into(), count: count.try_into().unwrap_or(u64::MAX) }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.what)
    }
}

/// One way of showing that promises hold.
pub struct Check {
    /// On the command line.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub shows: &'static str,
    /// The promises of the design, section 1, that it is about.
    pub promises: &'static [u8],
    /// Does it. An error says what was found.
    pub run: fn(&Run) -> anyhow::Result<Vec<Figure>>,
}

impl Check {
    /// Does it as the tests do: prints what was tried, and panics with what was found.
    pub fn test(&self) {
        let run = Run::quick();
        println!("seed {}", run.seed);
        match (self.run)(&run) {
            Ok(figures) => figures.iter().for_each(|figure| println!("{figure}")),
            Err(error) => panic!("{}: {error:#}", self.name),
        }
    }
}

/// All of them.
pub const CHECKS: &[Check] =
    &[play::CHECK, interleavings::CHECK, exits::CHECK, substitution::CHECK, arithmetic::CHECK, fuzz::CHECK];
