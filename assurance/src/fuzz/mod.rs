//! Fuzzing: the program's bytecode with changed instructions and accounts, and everything in the client that reads what
//! an RPC node says, with changed answers. Nothing may panic, abort, or allocate out of proportion; what is not accepted
//! is refused with an error that has a name.
//!
//! Inputs are changed at random, with their structure in mind, from a seed. One that ends in a way not seen before is kept
//! and changed further; with [`WRITE`] set it is added to the corpus (`assurance/corpus`), which every run begins with.

pub mod allocation;
mod change;
mod client;
mod corpus;
mod node;
mod program;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use anyhow::{Context, Result, anyhow};

use crate::random::Random;
use crate::{Check, Figure, Run};

/// See [`crate::CHECKS`].
pub const CHECK: Check = Check {
    name: "fuzz",
    shows: "No instruction, account or answer of a node makes the program or the client panic.",
    promises: &[5],
    run,
};

/// Set to add inputs that end in a new way to the corpus.
pub const WRITE: &str = "ESCROW_WRITE_CORPUS";

/// What is given changed inputs.
struct Target {
    /// The name of its corpus.
    name: &'static str,
    /// Inputs per unit of effort.
    inputs: u64,
    /// Inputs that are as they should be.
    examples: fn() -> Vec<Vec<u8>>,
    /// Changes an input.
    change: fn(&mut Vec<u8>, &mut Random),
    /// Takes the input, and says how that ended; an error is a broken promise.
    take: fn(&[u8]) -> Result<String>,
}

const TARGETS: &[&[Target]] = &[program::TARGETS, client::TARGETS, node::TARGETS];

fn run(run: &Run) -> Result<Vec<Figure>> {
    let targets: Vec<&Target> = TARGETS.iter().copied().flatten().collect();
    let total = targets.iter().map(|target| target.inputs.saturating_mul(run.effort)).sum();
    let mut figures = Vec::new();
    let mut done = 0;
    let mut kept = 0;
    for target in targets {
        let mut fuzzer = Fuzzer::new(target)?;
        let mut random = Random::new(run.seed);
        for _ in 0..target.inputs.saturating_mul(run.effort) {
            fuzzer.step(&mut random).with_context(|| format!("seed {}", run.seed))?;
            done += 1;
            if done % 256 == 0 {
                (run.progress)(done, total);
            }
        }
        kept += fuzzer.kept;
        if std::env::var_os(WRITE).is_some() {
            corpus::write(target.name, &fuzzer.outcomes)?;
        }
        figures.push(Figure::new(
            format!("changed inputs of {}, ending in {} ways", target.name, fuzzer.outcomes.len()),
            fuzzer.tried,
        ));
    }
    figures.push(Figure::new("inputs of the corpus, tried first", kept));
    Ok(figures)
}

struct Fuzzer<'a> {
    target: &'a Target,
    /// What inputs are made from.
    pool: Vec<Vec<u8>>,
    /// The shortest input seen for each way to end.
    outcomes: BTreeMap<String, Vec<u8>>,
    kept: usize,
    tried: u64,
}

impl<'a> Fuzzer<'a> {
    /// Tries the examples and the corpus.
    fn new(target: &'a Target) -> Result<Self> {
        let (pool, outcomes) = (Vec::new(), BTreeMap::new());
        let mut fuzzer = Self { target, pool, outcomes, kept: 0, tried: 0 };
        let corpus = corpus::read(target.name)?;
        fuzzer.kept = corpus.len();
        for input in (target.examples)().into_iter().chain(corpus) {
            fuzzer.take(&input)?;
            fuzzer.pool.push(input);
        }
        Ok(fuzzer)
    }

    fn step(&mut self, random: &mut Random) -> Result<()> {
        let mut input = random.choose(&self.pool).clone();
        for _ in 0..=random.below(4) {
            (self.target.change)(&mut input, random);
        }
        if self.take(&input)? {
            self.pool.push(input);
        }
        self.tried += 1;
        Ok(())
    }

    /// Whether it ended in a way not seen before.
    fn take(&mut self, input: &[u8]) -> Result<bool> {
        let result = catch_unwind(AssertUnwindSafe(|| (self.target.take)(input)));
        let outcome = result.unwrap_or_else(|panic| Err(anyhow!("a panic: {}", message(&*panic)))).with_context(|| {
            format!(
                "an input of {name} breaks a promise. To try it again, add this line to assurance/corpus/{name}.txt:\n\
                 broken\t{input}\n",
                name = self.target.name,
                input = corpus::encode(input)
            )
        })?;
        let is_new = !self.outcomes.contains_key(&outcome);
        let shortest = self.outcomes.entry(outcome).or_insert_with(|| input.to_vec());
        if input.len() < shortest.len() {
            *shortest = input.to_vec();
        }
        Ok(is_new)
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(take: fn(&[u8]) -> Result<String>) -> Target {
        Target { name: "nothing", inputs: 1, examples: || vec![vec![0; 4]], change: change::bytes, take }
    }

    fn fuzz(target: &Target) -> Result<()> {
        let mut fuzzer = Fuzzer::new(target)?;
        let mut random = Random::new(1);
        (0..20_000).try_for_each(|_| fuzzer.step(&mut random))
    }

    #[test]
    fn a_panic_is_found_and_its_input_printed() {
        let target = of(|input| {
            assert!(input.get(1) != Some(&0xff), "it cannot be that");
            Ok(String::new())
        });
        let error = format!("{:#}", fuzz(&target).expect_err("a panic"));
        assert!(error.contains("it cannot be that") && error.contains("broken\t"), "{error}");
    }

    #[test]
    fn too_much_memory_is_found() {
        let target = of(|input| {
            let room = usize::from(input.first().copied().unwrap_or_default()) << 12;
            let (_, peak) = allocation::measure(|| Vec::<u8>::with_capacity(room));
            allocation::in_proportion(peak, input.len(), 1, 4096)?;
            Ok(String::new())
        });
        let error = format!("{:#}", fuzz(&target).expect_err("too much"));
        assert!(error.contains("bytes of memory"), "{error}");
    }
}
