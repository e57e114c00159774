//! Many schedules, and every promise holds in all of them.

use std::time::Instant;

use escrow_simulation::{Counts, Without, search};

/// As many as a full run takes; without `ESCROW_EFFORT`, a hundredth of them.
const FULL: u64 = 100_000;

/// The first schedule. Others than those for which the rules are tried, see `rules.rs`.
const SEED: u64 = 1 << 32;

fn effort() -> u64 {
    match std::env::var("ESCROW_EFFORT") {
        Err(_) => FULL / 100,
        Ok(effort) if effort == "full" => FULL,
        Ok(effort) => {
            effort.parse().unwrap_or_else(|_| panic!("ESCROW_EFFORT={effort}: write \"full\" or a number of schedules"))
        }
    }
}

#[test]
fn every_promise_holds_in_every_schedule() {
    let (schedules, began, mut counts) = (effort(), Instant::now(), Counts::default());
    let broken = search(SEED..SEED + schedules, Without::Nothing, |of_one| counts.merge(of_one));
    println!("{schedules} schedules from seed {SEED} in {:.1} s", began.elapsed().as_secs_f64());
    for (what, count) in counts.iter() {
        println!("{count:>14} {what}");
    }
    if let Some(broken) = broken {
        panic!("{broken}");
    }
    for what in
        ["told: succeeded", "told: failed", "told: expired", "told: unknown", "processes killed", "losses of power"]
    {
        assert!(counts.iter().any(|(counted, count)| counted == what && count > 0), "no schedule had one: {what}");
    }
}

#[test]
fn the_same_schedule_runs_the_same_way_again() {
    for seed in SEED..SEED + 20 {
        let schedule = escrow_simulation::schedule::Schedule::random(seed);
        let trace = || escrow_simulation::trace(&schedule, Without::Nothing);
        assert_eq!(trace(), trace(), "{seed}");
    }
}
