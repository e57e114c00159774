//! The known ways in which others lose events, one by one; and what is in the runbooks, played.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use escrow_client::{
    escrow::ID,
    work::watch::{Answer, Ask, Heard, Page, Question},
};
use escrow_gateway::{
    index::{Patience, Status, cursor_of},
    store::{EventFinality, NewEvent, Stage},
};
use escrow_tests::{chain::Chain, lives::Life};
use solana_signature::Signature;

use super::world::{Database, PATIENCE, Run, Simulated, body, judge_rows, log, run, serving, settle};

/// The first seed whose chain has what the tests need: several transactions, two actions in one of them, and an escrow that is open at
/// the end and to which something happened.
static SEED: LazyLock<u64> =
    LazyLock::new(|| (0..).find(|seed| Simulated::honest(*seed).with(|it| fits(&it.chain))).unwrap());

fn fits(chain: &Chain) -> bool {
    let acts = || chain.slots.iter().flat_map(|slot| &slot.transactions).map(|one| one.acts.len());
    let is_open = |life: &Life| life.acts.len() > 1 && life.end().is_some();
    acts().filter(|acts| *acts > 0).count() > 6 && acts().any(|acts| acts > 1) && chain.lives.iter().any(is_open)
}

/// A transaction in the middle of the chain that did something, and its slot.
fn somewhere(node: &Simulated) -> (Signature, u64) {
    node.with(|it| {
        let done: Vec<(Signature, u64)> = it
            .chain
            .slots
            .iter()
            .flat_map(|slot| slot.transactions.iter().map(move |one| (one, slot.number)))
            .filter(|(one, _)| !one.acts.is_empty())
            .map(|(one, slot)| (one.signature, slot))
            .collect();
        done[done.len() / 2]
    })
}

/// While the switch is on, this transaction cannot be read: no body, or no answer at all.
fn hide(node: &Simulated, hidden: Signature, silent: bool) -> Arc<AtomicBool> {
    let switch = Arc::new(AtomicBool::new(true));
    let is_on = Arc::clone(&switch);
    node.lie(move |ask, heard| match (ask, heard) {
        (Ask::About(_, Question::Transactions(wanted)), Heard::About(Answer::Transactions(mut read)))
            if is_on.load(Ordering::Relaxed) =>
        {
            let place = wanted.iter().position(|wanted| *wanted == hidden);
            match place {
                Some(_) if silent => return Heard::Failed("the connection broke off".to_owned()),
                Some(place) => read[place] = None,
                None => {}
            }
            Heard::About(Answer::Transactions(read))
        }
        (_, heard) => heard,
    });
    switch
}

#[test]
fn the_floor_does_not_move_past_a_transaction_that_was_not_fetched() {
    run(async {
        for silent in [false, true] {
            for database in Database::all().await {
                let node = Simulated::honest(*SEED);
                let (hidden, slot) = somewhere(&node);
                let switch = hide(&node, hidden, silent);
                let mut world = Run::new(node.clone(), database, Patience { most_listed: 1_000, ..PATIENCE });
                for _ in 0..50 {
                    world.index.pass().await.unwrap();
                    world.time.pass(1_000);
                }
                let stuck = serving(&world.database.store).await;
                assert!(u64::try_from(stuck.floor).unwrap() < slot, "{stuck:?}");
                assert!(!stuck.trouble.is_empty() && stuck.complete_at == 0, "{stuck:?}");
                switch.store(false, Ordering::Relaxed);
                world.finish().await;
                world.judge(true).await.unwrap();
                assert_eq!(serving(&world.database.store).await.trouble, "");
            }
        }
    });
}

#[test]
fn what_happens_while_the_past_is_read_is_told_once_and_behind_it() {
    run(async {
        for database in Database::all().await {
            let node = Simulated::honest(*SEED);
            node.with(|it| {
                it.tip = it.chain.slots.len() / 2;
                it.moves = true;
            });
            let mut world = Run::new(node.clone(), database, PATIENCE);
            for _ in 0..1_000 {
                world.index.pass().await.unwrap();
                world.judge(false).await.unwrap();
                if node.with(|it| it.tip + 1 == it.chain.slots.len()) {
                    break;
                }
            }
            world.finish().await;
            world.judge(true).await.unwrap();
        }
    });
}

/// A page without anything more is the end only if the node remembers as far back as that.
#[test]
fn a_gap_that_cannot_be_filled_stops_it_and_says_so() {
    run(async {
        for database in Database::all().await {
            let node = Simulated::honest(*SEED);
            let (_, slot) = somewhere(&node);
            let switch = Arc::new(AtomicBool::new(true));
            let is_on = Arc::clone(&switch);
            node.lie(move |ask, heard| match (ask, heard) {
                (Ask::About(address, Question::Page { .. }), Heard::About(Answer::Page(page)))
                    if *address == ID && is_on.load(Ordering::Relaxed) =>
                {
                    let Page { mut listed, asked, .. } = page;
                    listed.retain(|one| one.slot >= slot);
                    Heard::About(Answer::Page(Page { listed, asked, first_available: Some(slot) }))
                }
                (_, heard) => heard,
            });
            let mut world = Run::new(node.clone(), database, PATIENCE);
            for _ in 0..10 {
                world.index.pass().await.unwrap();
                world.time.pass(1_000);
            }
            let stuck = serving(&world.database.store).await;
            assert_eq!(stuck.floor, 0, "{stuck:?}");
            let said = format!("the node has forgotten what was before slot {slot}; ");
            assert!(stuck.trouble.starts_with(&said) && stuck.trouble.contains("index.first_slot"), "{stuck:?}");
            assert!(log(&world.database.store).await.is_empty());
            let status = Status::read(&world.database.store, 0).await.unwrap().unwrap();
            assert!(!status.is_fresh(u64::MAX), "it was never complete");
            // The runbook: a node that remembers.
            switch.store(false, Ordering::Relaxed);
            world.finish().await;
            world.judge(true).await.unwrap();
            // Or what was before is of no concern.
            switch.store(true, Ordering::Relaxed);
            let mut later = Run::new(node, Database::sqlite().await, Patience { first_slot: slot, ..PATIENCE });
            settle(&mut later.index, 1_000).await;
            let (stands, log) = (serving(&later.database.store).await, log(&later.database.store).await);
            assert_eq!(stands.trouble, "");
            assert!(!log.is_empty());
        }
    });
}

/// Whoever took "it exists" for "it is done" would have no rows.
#[test]
fn a_rebuild_finds_all_events_told_and_writes_all_rows_all_the_same() {
    run(async {
        for database in Database::all().await {
            let mut world = Run::new(Simulated::honest(*SEED), database, PATIENCE);
            settle(&mut world.index, 1_000).await;
            let (before, told) = (serving(&world.database.store).await, log(&world.database.store).await);
            assert_eq!(world.database.store.begin_generation(0).await.unwrap(), Some(before.number + 1));
            assert_eq!(world.database.store.begin_generation(0).await.unwrap(), None, "one at a time");
            world.finish().await;
            let after = serving(&world.database.store).await;
            assert_eq!(after.number, before.number + 1);
            assert_eq!(log(&world.database.store).await, told);
            judge_rows(&world.node, &world.database.store, &after, true).await.unwrap();
            let all = world.database.store.generations().await.unwrap();
            assert!(all.iter().all(|one| one.stage == Stage::Serving), "the old one is gone: {all:?}");
        }
    });
}

/// The runbook of a dead letter.
#[test]
fn what_cannot_be_read_becomes_a_dead_letter_and_is_told_when_it_can() {
    run(async {
        for database in Database::all().await {
            let node = Simulated::honest(*SEED);
            // The last one that did something: nothing that comes later asks for it.
            let hidden = node.with(|it| {
                let all = it.chain.slots.iter().flat_map(|slot| &slot.transactions);
                all.rev().find(|one| !one.acts.is_empty()).unwrap().signature
            });
            let switch = hide(&node, hidden, false);
            let patience = Patience { rounds_before_unread: 3, reconcile_every: i64::MAX, ..PATIENCE };
            let mut world = Run::new(node.clone(), database, patience);
            for _ in 0..400 {
                world.index.pass().await.unwrap();
                world.time.pass(1_000);
            }
            let store = &world.database.store;
            let stands = serving(store).await;
            let newest = node.with(|it| it.chain.slots[it.tip].number);
            assert_eq!((u64::try_from(stands.floor).unwrap(), stands.trouble.as_str()), (newest, ""), "it goes on");
            let status = Status::read(store, world.time.clock()()).await.unwrap().unwrap();
            assert_eq!(status.dead_letters, 1);
            assert_eq!(store.dead_letters(stands.number, i64::MAX, 10).await.unwrap(), [hidden.to_string()]);
            // The escrow says itself that something of it is not known.
            let kinds: BTreeSet<String> = log(store).await.into_iter().map(|logged| logged.event.kind).collect();
            assert!(kinds.contains("gap"), "{kinds:?}");
            let gap = log(store).await.into_iter().find(|logged| logged.event.kind == "gap").unwrap();
            assert_eq!(body(&gap).gap.unwrap().unreadable, [hidden.to_string()]);
            switch.store(false, Ordering::Relaxed);
            world.finish().await;
            let status = Status::read(&world.database.store, world.time.clock()()).await.unwrap().unwrap();
            assert_eq!(status.dead_letters, 0);
        }
    });
}

#[test]
fn a_row_that_is_not_as_the_account_is_repaired_and_nothing_is_told_again() {
    run(async {
        for database in Database::all().await {
            let mut world = Run::new(Simulated::honest(*SEED), database, PATIENCE);
            settle(&mut world.index, 1_000).await;
            let (generation, told) = (serving(&world.database.store).await, log(&world.database.store).await);
            let store = &world.database.store;
            // As if it were known up to the end that nothing happened behind its creation.
            let created = world.node.with(|it| {
                let life = it.chain.lives.iter().find(|life| life.acts.len() > 1 && life.end().is_some()).unwrap();
                life.acts[0].after.clone().unwrap()
            });
            let damaged = created.address.to_string();
            let mut cursor = cursor_of(&store.position(generation.number, &damaged).await.unwrap().unwrap()).unwrap();
            cursor.state = Some(created);
            let position = escrow_client::work::watch::Position {
                subject: escrow_client::work::watch::Subject::Named,
                discovered: 0,
                escrows: vec![cursor],
            };
            let row = escrow_gateway::store::Indexed {
                address: damaged,
                slot: generation.floor,
                position: position.to_string(),
                status: "created".to_owned(),
                mint: String::new(),
                document_hash: String::new(),
                fund_by: 0,
                next_deadline: None,
                attention: String::new(),
                look_at: None,
                due_at: None,
            };
            let mut change = store.change().await.unwrap();
            store.put_escrow(&mut change, generation.number, &row, &[]).await.unwrap();
            change.commit().await.unwrap();
            judge_rows(&world.node, store, &generation, true).await.unwrap_err();
            // It is noticed within the hour, and by a process that begins.
            world.time.pass(PATIENCE.reconcile_every);
            world.finish().await;
            world.judge(true).await.unwrap();
            assert_eq!(log(&world.database.store).await, told);
        }
    });
}

#[test]
fn what_no_node_explains_is_told_as_a_gap_only_where_that_is_wanted() {
    run(async {
        for (rounds_before_gap, is_told) in [(None, false), (Some(4), true)] {
            let node = Simulated::honest(*SEED);
            let (_, slot) = somewhere(&node);
            // No escrow's own list tells what was before.
            node.lie(move |ask, heard| match (ask, heard) {
                (Ask::About(address, Question::Page { .. }), Heard::About(Answer::Page(page))) if *address != ID => {
                    let Page { mut listed, asked, .. } = page;
                    listed.retain(|one| one.slot >= slot);
                    Heard::About(Answer::Page(Page { listed, asked, first_available: Some(slot) }))
                }
                (_, heard) => heard,
            });
            let patience = Patience { rounds_before_gap, most_listed: 1_000, ..PATIENCE };
            let mut world = Run::new(node, Database::sqlite().await, patience);
            for _ in 0..20 {
                world.index.pass().await.unwrap();
                world.time.pass(1_000);
            }
            let (stands, log) = (serving(&world.database.store).await, log(&world.database.store).await);
            assert_eq!(log.iter().any(|logged| logged.event.kind == "gap"), is_told, "{stands:?}");
            assert_eq!(stands.trouble.is_empty(), is_told, "{stands:?}");
        }
    });
}

#[test]
fn whoever_has_lost_the_lease_writes_nothing() {
    run(async {
        for database in Database::all().await {
            let store = &database.store;
            let old = store.lease("index", "old", 0, 10).await.unwrap().unwrap();
            let new = store.lease("index", "new", 11, 20).await.unwrap().unwrap();
            assert!(new.fence > old.fence);
            let mut change = store.change().await.unwrap();
            assert!(!store.hold(&mut change, &old, 100).await.unwrap());
            drop(change);
            let mut change = store.change().await.unwrap();
            assert!(store.hold(&mut change, &new, 100).await.unwrap());
            change.commit().await.unwrap();
            assert_eq!(store.lease("index", "old", 99, 200).await.unwrap(), None, "it was prolonged by the change");
        }
    });
}

#[test]
fn old_events_lose_their_body_and_are_never_told_again() {
    run(async {
        for database in Database::all().await {
            let mut world = Run::new(Simulated::honest(*SEED), database, PATIENCE);
            settle(&mut world.index, 1_000).await;
            let store = world.database.store.clone();
            let told = log(&store).await;
            let count = i64::try_from(told.len()).unwrap();
            assert_eq!(store.first_event().await.unwrap(), 1);
            let later = told[0].learned_at + 1;
            assert_eq!(store.empty_events(told[0].learned_at, 1_000).await.unwrap(), 0, "not yet");
            assert_eq!(store.empty_events(later, 2).await.unwrap(), 2);
            assert_eq!(store.first_event().await.unwrap(), 3);
            assert_eq!(log(&store).await, told[2..]);
            assert_eq!(store.empty_events(later, 1_000).await.unwrap(), u64::try_from(count - 2).unwrap());
            assert_eq!(store.first_event().await.unwrap(), count + 1);
            store.begin_generation(0).await.unwrap();
            world.finish().await;
            assert!(log(&store).await.is_empty(), "a rebuild does not tell again what is too old to be kept");
            assert_eq!(store.last_event().await.unwrap(), count);
        }
    });
}

/// The contract of the log, which the index and all who are told rest on.
#[test]
fn an_event_is_written_once_for_each_finality() {
    run(async {
        for database in Database::all().await {
            let store = &database.store;
            let mut event = NewEvent {
                id: "evt_1".to_owned(),
                finality: EventFinality::Final,
                kind: "fund".to_owned(),
                escrow: "e".to_owned(),
                slot: 7,
                body: "{}".to_owned(),
            };
            let mut numbers = Vec::new();
            for finality in [EventFinality::Provisional, EventFinality::Final, EventFinality::Final] {
                event.finality = finality;
                let mut change = store.change().await.unwrap();
                numbers.push(store.add_event(&mut change, &event, 5).await.unwrap());
                change.commit().await.unwrap();
            }
            assert_eq!(numbers, [Some(1), Some(2), None]);
            assert_eq!(store.events_between((0, 2), ",fund,", "e", 10).await.unwrap().len(), 2);
            assert_eq!(store.events_between((0, 2), ",close,", "", 10).await.unwrap().len(), 0);
            assert_eq!(store.events_between((1, 2), "", "", 10).await.unwrap().len(), 1);
            assert_eq!(store.events_between((0, 2), "", "other", 10).await.unwrap().len(), 0);
        }
    });
}
