//! Schedules from seeds.

use std::{pin::pin, time::Instant};

use escrow_gateway::{
    index::{Pass, Stop},
    store::Stage,
};
use escrow_tests::{
    chain::{Counts, Nodes},
    lives::Random,
};

use super::world::{Database, PATIENCE, Run, Simulated, cut, process, run, serving, settle};

/// As many as a full run takes; without `ESCROW_EFFORT`, a tenth of them.
const FULL: u64 = 5_000;

/// The first one.
const SEED: u64 = 7 << 32;

fn effort() -> u64 {
    match std::env::var("ESCROW_EFFORT") {
        Err(_) => FULL / 10,
        Ok(effort) if effort == "full" => FULL,
        Ok(effort) => {
            effort.parse().unwrap_or_else(|_| panic!("ESCROW_EFFORT={effort}: write \"full\" or a number of runs"))
        }
    }
}

/// One run: what was counted, or the promise that was broken.
async fn schedule(seed: u64, database: Database) -> Result<Counts, String> {
    let node = Simulated::new(seed);
    let mut random = Random::new(!seed);
    if random.once_in(4) {
        node.with(|it| it.nodes = Nodes::random(&mut it.random, &it.chain).with_holes_in_the_programs_list());
    }
    let mut counts = Counts::default();
    let mut world = Run::new(node.clone(), database, PATIENCE);
    let slots = node.with(|it| it.chain.slots.len());
    let rebuilds = random.once_in(5);
    let mut passes = 0;
    while node.with(|it| it.tip) + 1 < slots || passes < 10 {
        passes += 1;
        node.with(|it| it.tip = (it.tip + it.random.below(4) as usize).min(slots - 1));
        if rebuilds && random.once_in(8) {
            let begun = world.database.store.begin_generation(0).await.map_err(|error| error.to_string())?;
            counts.add(if begun.is_some() { "rebuilds begun" } else { "rebuilds under way" });
        }
        match random.below(5) {
            // It is killed somewhere.
            0 | 1 => {
                let polls = random.choose(&[3, 10, 30, 90]) + random.below(10);
                let ended = {
                    let mut pass = pin!(world.index.pass());
                    cut(&mut pass, polls).await
                };
                match ended {
                    None => {
                        counts.add("kills");
                        world.kill();
                    }
                    Some(outcome) => counts.add(name(&outcome)),
                }
            }
            // It stops for longer than its lease, another one works, and then it goes on where it was.
            2 => {
                let mut other = process(&world.database, &node, &world.time, PATIENCE);
                let polls = random.choose(&[3, 10, 30, 90]) + random.below(10);
                let mut pass = pin!(world.index.pass());
                if cut(&mut pass, polls).await.is_none() {
                    world.time.pass(31_000);
                    // One that holds the database's only writer cannot be overtaken.
                    let overtaken = tokio::time::timeout(std::time::Duration::from_millis(200), other.pass()).await;
                    counts.add(match &overtaken {
                        Err(_) => "overtaken, and in a change",
                        Ok(outcome) => name(outcome),
                    });
                    drop(overtaken);
                    counts.add(name(&pass.await));
                    counts.add("processes that go on after their lease");
                    world.time.pass(31_000);
                }
            }
            _ => {
                let outcome = world.index.pass().await;
                counts.add(name(&outcome));
            }
        }
        world.time.pass(1_000);
        world.judge(false).await?;
    }
    node.with(|it| {
        it.nodes.heal();
        it.moves = false;
    });
    // What was left out of the program's list is found when the rows are held against the accounts.
    world.time.pass(2 * PATIENCE.reconcile_every);
    world.finish().await;
    world.time.pass(2 * PATIENCE.reconcile_every);
    world.finish().await;
    world.judge(true).await?;
    let serving = serving(&world.database.store).await;
    if !serving.trouble.is_empty() {
        return Err(format!("trouble without end: {}", serving.trouble));
    }
    let generations = world.database.store.generations().await.map_err(|error| error.to_string())?;
    if generations.iter().any(|generation| generation.stage != Stage::Serving) {
        return Err(format!("a generation that does not serve: {generations:?}"));
    }
    counts.merge(&node.with(|it| std::mem::take(&mut it.counts)));
    counts.add("runs");
    Ok(counts)
}

fn name(outcome: &Result<Pass, Stop>) -> &'static str {
    match outcome {
        Ok(Pass::Standby) => "passes of others",
        Ok(Pass::More) => "passes with more to do",
        Ok(Pass::Rest) => "passes to the end",
        Err(Stop::Lost) => "leases lost",
        Err(Stop::Database(_)) => "databases that did not answer",
    }
}

fn show(runs: u64, began: Instant, counts: &Counts) {
    println!("{runs} runs from seed {SEED} in {:.1} s", began.elapsed().as_secs_f64());
    for (what, count) in &counts.0 {
        println!("{count:>10} {what}");
    }
}

#[test]
fn the_log_and_the_rows_are_what_the_chain_says_whatever_happens() {
    let (runs, began, mut counts) = (effort(), Instant::now(), Counts::default());
    run(async {
        for seed in SEED..SEED + runs {
            match schedule(seed, Database::sqlite().await).await {
                Ok(of_one) => counts.merge(&of_one),
                Err(broken) => panic!("run {seed}: {broken}"),
            }
        }
    });
    show(runs, began, &counts);
    for what in [
        "kills",
        "processes that go on after their lease",
        "leases lost",
        "pages cut",
        "pages before what a node does not know",
        "nodes replaced",
        "nodes behind",
        "bodies missing",
        "lists with a hole",
        "blocks",
        "rebuilds begun",
    ] {
        assert!(counts.0.contains_key(what), "no run had: {what}");
    }
}

#[test]
fn it_is_the_same_on_postgres() {
    let (runs, began, mut counts) = ((effort() / 25).max(5), Instant::now(), Counts::default());
    run(async {
        for seed in SEED..SEED + runs {
            let Some(database) = Database::postgres().await else { return };
            match schedule(seed, database).await {
                Ok(of_one) => counts.merge(&of_one),
                Err(broken) => panic!("run {seed}: {broken}"),
            }
        }
    });
    show(runs, began, &counts);
}

#[test]
fn from_the_first_slot_on_all_is_told_and_a_second_pass_tells_nothing() {
    run(async {
        for database in Database::all().await {
            let mut world = Run::new(Simulated::honest(3), database, PATIENCE);
            settle(&mut world.index, 1_000).await;
            world.judge(true).await.unwrap();
            let told = super::world::log(&world.database.store).await;
            assert!(!told.is_empty());
            world.kill();
            settle(&mut world.index, 1_000).await;
            assert_eq!(super::world::log(&world.database.store).await, told);
        }
    });
}
