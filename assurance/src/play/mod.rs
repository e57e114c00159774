//! Random plays of all instructions by everybody, against the bytecode and the reference model at once.
//!
//! A play that fails is shortened to the fewest steps that still fail, told in words, and kept in `regressions/`, which
//! are played first from then on.

mod arena;
mod events;
mod exit;
pub mod layout;
mod step;

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, bail, ensure};
use escrow_client::escrow::interface::INSTRUCTIONS;
use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use sha2::{Digest, Sha256};

use self::{
    arena::{Arena, Counts, SLOTS},
    exit::Exits,
    step::{Step, plan},
};
use crate::{Check, Figure, Run};

/// What is tried with an effort of 1.
const STEPS: u64 = 100_000;
/// The most steps of a play.
const LENGTH: usize = 160;

/// The check.
pub const CHECK: Check = Check {
    name: "model",
    shows: "random plays of all instructions by everybody lead to the same accounts, balances, errors and events as the \
            reference model says, and from the states that they reach each party gets out alone",
    promises: &[1, 2, 3, 4, 5, 6],
    run,
};

/// What all plays together found.
#[derive(Default)]
struct Found {
    counts: Counts,
    exits: Exits,
    plays: u64,
    shapes: HashSet<String>,
}

fn run(run: &Run) -> Result<Vec<Figure>> {
    let found = Mutex::new(Found::default());
    for (name, steps) in regressions()? {
        play(&steps, &found, true).map_err(|error| anyhow::anyhow!("the regression {name} fails again: {error:#}"))?;
    }
    let wanted = STEPS * run.effort;
    let done = AtomicU64::new(0);
    let chunk = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let worker = || -> Result<()> {
            while done.load(Ordering::Relaxed) < wanted {
                let number = chunk.fetch_add(1, Ordering::Relaxed);
                let steps = some_plays(run.seed, number, &found);
                // The others have no reason to go on.
                if steps.is_err() {
                    done.store(u64::MAX, Ordering::Relaxed);
                }
                let total = done.fetch_add(steps?, Ordering::Relaxed);
                (run.progress)(total.min(wanted), wanted);
            }
            Ok(())
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.map(|result| result.unwrap_or_else(|_| bail!("a play panicked"))).collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    let found = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    figures(&found)
}

fn figures(found: &Found) -> Result<Vec<Figure>> {
    let Counts { accepted, refused, others } = &found.counts;
    // A play that never does something shows nothing about it.
    let missing: Vec<&str> =
        INSTRUCTIONS.iter().map(|it| it.name).filter(|name| !accepted.contains_key(*name)).collect();
    ensure!(missing.is_empty(), "no play got as far as: {}", missing.join(", "));
    let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
    Ok(vec![
        Figure::new("steps", found.counts.steps()),
        Figure::new("plays", found.plays),
        Figure::new("instructions accepted, of all 14 kinds", sum(accepted)),
        Figure::new("instructions refused", sum(refused)),
        Figure::new("different reasons for it", refused.len()),
        Figure::new("moves of the clock, of issuers and of strangers", *others),
        Figure::new("different states from which exits were tried", found.shapes.len()),
        Figure::new("parties who got what they were owed alone, of all who tried", found.exits.parties),
        Figure::new("parties kept from it by a frozen vault or all accounts frozen", found.exits.frozen),
        Figure::new("rent payers who wait for somebody's frozen tokens", found.exits.rent_waits),
        Figure::new("parties who did not get what they were owed", 0u64),
    ])
}

/// A number of plays from their own seed. How many steps they had is returned.
fn some_plays(seed: u64, chunk: u64, found: &Mutex<Found>) -> Result<u64> {
    let bytes: [u8; 32] = Sha256::digest([seed.to_le_bytes(), chunk.to_le_bytes()].concat()).into();
    let config = Config { cases: 8, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let step = (any::<u8>(), 0..3u8, any::<u64>()).prop_map(|(sort, slot, dice)| Step { sort, slot, dice });
    let steps = AtomicU64::new(0);
    let failed = std::cell::Cell::new(false);
    let result = runner.run(&vec(step, 1..LENGTH), |play_steps| {
        // While a failure is made smaller, nothing is counted.
        let count = !failed.get();
        let outcome = play(&play_steps, found, count).map(|played| {
            steps.fetch_add(played, Ordering::Relaxed);
        });
        outcome.map_err(|error| {
            if !failed.replace(true) {
                eprintln!("a play fails, and is made smaller: {error:#}");
            }
            TestCaseError::fail(format!("{error:#}"))
        })
    });
    match result {
        Ok(()) => Ok(steps.into_inner()),
        Err(TestError::Fail(reason, shortest)) => {
            let kept = keep(&shortest)?;
            bail!("seed {seed}, chunk {chunk}; kept as {kept}\n{}\n{reason}", tell(&shortest))
        }
        Err(TestError::Abort(reason)) => bail!("seed {seed}, chunk {chunk}: {reason}"),
    }
}

/// One play, from the beginning. How many of its steps did or tried something is returned.
fn play(steps: &[Step], found: &Mutex<Found>, count: bool) -> Result<u64> {
    let mut arena = Arena::new();
    let mut exits = Exits::default();
    let mut shapes = HashSet::new();
    for (number, step) in steps.iter().enumerate() {
        arena.play(&plan(&arena, *step))?;
        // Everywhere would cost most of the time and find the same states again.
        if number % 4 == 0 || number + 1 == steps.len() {
            for slot in 0..SLOTS {
                let Some(shape) = shape(&arena, slot) else { continue };
                let known = |found: &Mutex<Found>| found.lock().is_ok_and(|found| found.shapes.contains(&shape));
                if !(count && known(found)) && shapes.insert(shape.clone()) {
                    exit::check(&arena, slot, &mut exits)?;
                }
            }
        }
    }
    arena.retell()?;
    let played = arena.counts.steps();
    if count && let Ok(mut found) = found.lock() {
        found.plays += 1;
        found.counts.add(arena.counts);
        found.exits.add(exits);
        found.shapes.extend(shapes);
    }
    Ok(played)
}

fn shape(arena: &Arena, slot: usize) -> Option<String> {
    let place = arena.slots[slot].as_ref()?;
    let escrow = arena.model.escrows.get(&place.escrow)?;
    let frozen = arena.model.tokens.values().filter(|held| held.frozen).count().min(3);
    Some(format!("{}{frozen}", events::shape(escrow, arena.model.now)))
}

/// The play in words, up to where it fails.
fn tell(steps: &[Step]) -> String {
    let mut arena = Arena::new();
    let mut told = String::new();
    for step in steps {
        let next = plan(&arena, *step);
        let _ = writeln!(told, "at {}: {next:?}", arena.model.now);
        if arena.play(&next).is_err() {
            break;
        }
    }
    told
}

// Regressions --------------------------------------------------------------------------------------------------------

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("regressions")
}

fn keep(steps: &[Step]) -> Result<String> {
    let json = serde_json::to_string(steps)?;
    let name: String = Sha256::digest(&json)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder().join(format!("{name}.json"));
    std::fs::create_dir_all(folder())?;
    std::fs::write(&path, json + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    Ok(format!("regressions/{name}.json"))
}

fn regressions() -> Result<Vec<(String, Vec<Step>)>> {
    let mut all = Vec::new();
    let Ok(files) = std::fs::read_dir(folder()) else { return Ok(all) };
    for file in files {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let json = std::fs::read_to_string(&path)?;
            let steps = serde_json::from_str(&json).with_context(|| format!("{} is no play", path.display()))?;
            all.push((path.file_name().unwrap_or_default().display().to_string(), steps));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays until an escrow is funded.
    fn funded() -> Arena {
        let dice = (0..1_000).map(|dice| Step { sort: 100, slot: 0, dice });
        let mut arena = Arena::new();
        for step in dice {
            arena.play(&plan(&arena, step)).expect("the model and the program agree");
            if arena.model.escrows.values().any(|escrow| escrow.funded_at.is_some()) {
                return arena;
            }
        }
        panic!("no play funds an escrow");
    }

    #[test]
    fn a_unit_too_much_in_the_ledger_is_noticed() {
        let mut arena = funded();
        for escrow in arena.model.escrows.values_mut() {
            escrow.due[1] += 1;
        }
        let error = arena.play(&arena::Move::Wait(1)).expect_err("a difference");
        assert!(format!("{error:#}").contains("the escrow"), "{error:#}");
    }

    #[test]
    fn a_lamport_too_few_in_a_wallet_is_noticed() {
        let mut arena = funded();
        for lamports in arena.model.lamports.values_mut() {
            *lamports -= 1;
        }
        let error = arena.play(&arena::Move::Wait(1)).expect_err("a difference");
        assert!(format!("{error:#}").contains("lamports"), "{error:#}");
    }

    #[test]
    fn an_event_that_is_missing_is_noticed() {
        let mut arena = funded();
        for place in arena.slots.iter_mut().flatten() {
            place.told = events::Told::default();
        }
        assert!(arena.retell().is_err());
    }

    #[test]
    fn an_instruction_that_is_missing_from_the_history_is_noticed() {
        let mut arena = funded();
        for place in arena.slots.iter_mut().flatten() {
            place.history.pop();
        }
        assert!(arena.retell().is_err());
    }
}
