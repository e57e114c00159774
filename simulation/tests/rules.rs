//! Every rule is needed: without it, some schedule breaks a promise.

use escrow_sender::Rule;
use escrow_simulation::{Syncs, Without, search};

/// How many schedules are tried for each.
const MOST: u64 = 20_000;

fn found(without: Without) -> bool {
    let mut tried = 1;
    let broken = search(0..MOST, without, |_| tried += 1);
    match &broken {
        Some(broken) => println!("{without:?}: found after {tried} schedules: {}", broken.what),
        None => println!("{without:?}: NOT FOUND in {tried} schedules"),
    }
    broken.is_some()
}

#[test]
fn without_any_one_rule_a_promise_breaks() {
    let rules = Rule::ALL.iter().map(|rule| Without::Rule(*rule));
    let syncs = [Syncs::NotRecorded, Syncs::NotClaimed].map(Without::Sync);
    let missed: Vec<Without> = rules.chain(syncs).filter(|without| !found(*without)).collect();
    assert!(missed.is_empty(), "no schedule notices that these are gone: {missed:?}");
}
