//! Receivers that go wrong, and workers that die: nothing is lost, and no order is broken.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use escrow_gateway::{
    now_ms,
    store::{EndpointChange, EventFinality, Which},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    receiver::{Manner, Receiver},
    scene::{BEGIN, HOUR, SECOND, Scene, assert_in_order, attempt, claim, event, round, settle},
};
use crate::harness::{databases, run, sqlite};

const MINUTE: i64 = 60 * SECOND;

#[test]
fn who_is_dead_for_two_days_misses_nothing() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut scene = Scene::new(&database, &[&receiver]).await;
            let (_, secret) = scene.endpoint("shop", &receiver).await;
            let worker = scene.worker();
            let now = Arc::clone(&scene.now);
            receiver.answers(move |_| {
                let is_dead = now.load(Ordering::SeqCst) < BEGIN + 48 * HOUR;
                Manner::Status(if is_dead { 500 } else { 200 })
            });
            // Something happens every six hours, and the clock goes in steps of five minutes.
            let mut attempts = Vec::new();
            for step in 0..5 * 24 * 12 {
                if step % 72 == 0 && scene.time() < BEGIN + 54 * HOUR {
                    scene.happen(&["a", "b"]).await;
                }
                if round(&worker).await > 0 {
                    attempts.push(scene.time());
                }
                scene.pass(5 * MINUTE);
            }
            assert_in_order(&receiver.taken(), &scene.expected());
            assert!(receiver.heard().iter().all(|heard| heard.is_signed_with(&secret.shared())));
            // One event of each escrow is tried, by the schedule; what is behind it waits without an attempt.
            let failed = receiver.heard().iter().filter(|heard| !heard.taken).count();
            assert!((14..=18).contains(&failed), "{failed} failed attempts: {attempts:?}");
            let waiting = scene.store.backlog("shop").await.unwrap();
            assert_eq!(waiting, (0, 0));
        }
    });
}

#[test]
fn what_fails_too_often_is_parked_and_holds_up_its_own_escrow_alone() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut scene = Scene::new(&database, &[&receiver]).await;
            scene.endpoint("shop", &receiver).await;
            let worker = scene.worker();
            receiver.answers(|heard| Manner::Status(if heard.escrow() == "bad" { 404 } else { 200 }));
            scene.happen(&["bad", "good", "bad"]).await;
            for _ in 0..40 {
                settle(&worker).await;
                scene.pass(6 * HOUR);
            }
            assert_eq!(receiver.taken(), [("good".to_owned(), 1)]);
            let tries: Vec<_> = receiver.heard().into_iter().filter(|heard| heard.escrow() == "bad").collect();
            assert_eq!(tries.len(), 10, "ten attempts, all of the first");
            assert!(tries.iter().all(|heard| heard.json()["data"]["event"]["step"] == 1));
            let ids: HashSet<_> = tries.iter().map(|heard| &heard.id).collect();
            assert_eq!(ids.len(), 1, "the id stays the same");
            assert_eq!(scene.store.backlog("shop").await.unwrap(), (2, 1));
            // What happens later is parked behind it, and another escrow goes on.
            scene.happen(&["bad", "good"]).await;
            settle(&worker).await;
            assert_eq!((receiver.taken().len(), receiver.heard().len()), (2, 12), "what is parked is left in peace");
            let parked = scene.store.deliveries("shop", Which::Parked, None, i64::MAX, 10).await.unwrap();
            assert_eq!(parked.len(), 3);
            // Released, everything comes in order.
            receiver.answers(|_| Manner::Status(200));
            let mut change = scene.store.change().await.unwrap();
            assert_eq!(scene.store.release_queues(&mut change, "shop", scene.time()).await.unwrap(), 1);
            change.commit().await.unwrap();
            settle(&worker).await;
            assert_in_order(&receiver.taken(), &scene.expected());
        }
    });
}

#[test]
fn who_answers_410_hears_nothing_more_and_loses_nothing() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut scene = Scene::new(&database, &[&receiver]).await;
            let (endpoint, _) = scene.endpoint("shop", &receiver).await;
            let worker = scene.worker();
            receiver.answers(|_| Manner::Status(410));
            scene.happen(&["a"]).await;
            settle(&worker).await;
            let off = scene.store.endpoint(&endpoint.owner, "shop").await.unwrap().unwrap();
            assert_eq!(off.off_because.as_deref(), Some("gone"));
            scene.happen(&["a", "b"]).await;
            scene.pass(48 * HOUR);
            settle(&worker).await;
            assert_eq!(receiver.heard().len(), 1);
            receiver.answers(|_| Manner::Status(200));
            let on = EndpointChange { enabled: Some(true), ..Default::default() };
            let mut change = scene.store.change().await.unwrap();
            scene.store.change_endpoint(&mut change, &endpoint.owner, "shop", &on).await.unwrap().unwrap();
            change.commit().await.unwrap();
            settle(&worker).await;
            assert_in_order(&receiver.taken(), &scene.expected());
        }
    });
}

#[test]
fn who_has_too_much_to_do_is_left_in_peace() {
    run(async {
        for database in databases() {
            let (busy, other) = (Receiver::start().await, Receiver::start().await);
            let mut scene = Scene::new(&database, &[&busy, &other]).await;
            scene.endpoint("busy", &busy).await;
            scene.endpoint("other", &other).await;
            let worker = scene.worker();
            busy.answers(|_| Manner::Later(429, "120".to_owned()));
            scene.happen(&["a"]).await;
            settle(&worker).await;
            // No other escrow's events either, until the time is over.
            scene.happen(&["b"]).await;
            scene.pass(119 * SECOND);
            settle(&worker).await;
            assert_eq!((busy.heard().len(), other.taken().len()), (1, 2));
            busy.answers(|_| Manner::Later(503, "60".to_owned()));
            scene.pass(SECOND);
            settle(&worker).await;
            assert_eq!(busy.heard().len(), 3, "both escrows are due, and each was claimed before the answer");
            busy.answers(|_| Manner::Status(200));
            scene.pass(59 * SECOND);
            settle(&worker).await;
            assert_eq!(busy.taken().len(), 0);
            scene.pass(HOUR);
            settle(&worker).await;
            assert_in_order(&busy.taken(), &scene.expected());
        }
    });
}

#[test]
fn redirects_endless_bodies_and_silence_are_what_they_are() {
    run(async {
        let receiver = Receiver::start().await;
        let database = sqlite();
        let mut scene = Scene::new(&database, &[&receiver]).await;
        scene.patience = Duration::from_millis(700);
        scene.endpoint("shop", &receiver).await;
        let worker = scene.worker();
        let last = || async {
            let found = scene.store.deliveries("shop", Which::All, None, i64::MAX, 1).await.unwrap();
            let last = found[0].last.clone().unwrap();
            (last.status, last.error.unwrap_or_default(), found[0].delivered_at.is_some())
        };
        let target = receiver.url();
        receiver.answers(move |_| Manner::To(target.clone()));
        scene.log(&[event("a:1", "a", EventFinality::Final, 1)]).await;
        settle(&worker).await;
        let (status, error, delivered) = last().await;
        assert!(status == Some(302) && error.contains("redirects are not followed") && !delivered, "{error}");
        receiver.answers(|_| Manner::Slow(Duration::from_secs(60)));
        scene.pass(HOUR);
        let began = Instant::now();
        settle(&worker).await;
        let (status, error, delivered) = last().await;
        assert!(status.is_none() && error.contains("no answer within 700 ms") && !delivered, "{error}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        // The head is the answer.
        receiver.answers(|_| Manner::Endless);
        scene.pass(HOUR);
        settle(&worker).await;
        assert_eq!(last().await, (Some(200), String::new(), true));
    });
}

#[test]
fn one_that_is_slow_keeps_no_other_waiting() {
    run(async {
        for database in databases() {
            let (slow, quick) = (Receiver::start().await, Receiver::start().await);
            let mut scene = Scene::new(&database, &[&slow, &quick]).await;
            scene.now.store(now_ms(), Ordering::SeqCst);
            scene.patience = Duration::from_secs(3);
            scene.endpoint("slow", &slow).await;
            scene.endpoint("quick", &quick).await;
            slow.answers(|_| Manner::Slow(Duration::from_secs(60)));
            let escrows: Vec<String> = (0..100).map(|index| format!("e{index}")).collect();
            scene.happen(&escrows.iter().map(String::as_str).collect::<Vec<_>>()).await;
            let end = CancellationToken::new();
            let running = tokio::spawn(scene.worker().run(Arc::new(Notify::new()), end.clone()));
            let began = Instant::now();
            while quick.taken().len() < 100 {
                assert!(began.elapsed() < Duration::from_secs(20), "{} of 100", quick.taken().len());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            end.cancel();
            running.await.unwrap();
            // What was under way was written down before the end.
            assert_in_order(&quick.taken(), &scene.expected());
            assert_eq!(scene.store.backlog("quick").await.unwrap().0, 0);
        }
    });
}

#[test]
fn a_worker_that_dies_holds_a_queue_no_longer_than_its_lease_and_writes_nothing_after_it() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut scene = Scene::new(&database, &[&receiver]).await;
            scene.endpoint("shop", &receiver).await;
            let (first, second) = (scene.worker(), scene.worker());
            scene.happen(&["a", "a"]).await;
            // It attempts, and dies before it has written that down.
            let lost = attempt(&first, claim(&first).await).await;
            assert_eq!((lost.len(), receiver.taken().len()), (1, 1));
            scene.pass(29 * SECOND);
            assert_eq!(settle(&second).await, 0, "it is held");
            scene.pass(SECOND);
            assert_eq!(settle(&second).await, 2);
            // The dead one was only slow.
            let before = scene.store.deliveries("shop", Which::All, None, i64::MAX, 10).await.unwrap();
            first.record(lost).await.unwrap();
            assert_eq!(scene.store.deliveries("shop", Which::All, None, i64::MAX, 10).await.unwrap(), before);
            let steps: Vec<u64> = receiver.taken().iter().map(|(_, step)| *step).collect();
            assert_eq!(steps, [1, 1, 2]);
            // One that slept between claiming and attempting does not attempt: its lease may end before the attempt does.
            scene.happen(&["a"]).await;
            let held = claim(&first).await;
            scene.pass(30 * SECOND);
            assert_eq!((held.len(), attempt(&first, held).await.len()), (1, 0));
            assert_eq!(settle(&second).await, 1);
        }
    });
}

/// One run of a random story.
async fn story(database: &crate::harness::Database, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let receivers = [Receiver::start().await, Receiver::start().await];
    let mut scene = Scene::new(database, &[&receivers[0], &receivers[1]]).await;
    for (receiver, id) in receivers.iter().zip(["one", "two"]) {
        scene.endpoint(id, receiver).await;
        let fate = Arc::new(AtomicU64::new(random.random()));
        receiver.answers(move |_| {
            let roll = StdRng::seed_from_u64(fate.fetch_add(1, Ordering::SeqCst)).random_range(0..10);
            match roll {
                0 | 1 => Manner::Status(500),
                2 => Manner::Later(429, "30".to_owned()),
                3 => Manner::To("https://elsewhere.example/".to_owned()),
                _ => Manner::Status(200),
            }
        });
    }
    let workers = [scene.worker(), scene.worker(), scene.worker()];
    let mut late = Vec::new();
    for _ in 0..60 {
        if random.random_bool(0.5) {
            let escrows: Vec<&str> =
                (0..random.random_range(1..5)).map(|_| ["a", "b", "c"][random.random_range(0..3)]).collect();
            scene.happen(&escrows).await;
        }
        // Two at once, on what both find; each may die after it has claimed, or after it has attempted.
        let pair = [&workers[random.random_range(0..3)], &workers[random.random_range(0..3)]];
        let (one, two) = tokio::join!(claim(pair[0]), claim(pair[1]));
        for (worker, held) in pair.into_iter().zip([one, two]) {
            if random.random_bool(0.1) {
                continue;
            }
            let done = attempt(worker, held).await;
            match random.random_range(0..10) {
                0 => {}
                1 => late.push(done),
                _ => worker.record(done).await.unwrap(),
            }
        }
        if random.random_bool(0.1) && !late.is_empty() {
            workers[0].record(late.swap_remove(0)).await.unwrap();
        }
        if random.random_bool(0.05) {
            let mut change = scene.store.change().await.unwrap();
            scene.store.release_queues(&mut change, "one", scene.time()).await.unwrap();
            change.commit().await.unwrap();
        }
        if random.random_bool(0.05) {
            let from = random.random_range(1..20);
            let mut change = scene.store.change().await.unwrap();
            scene.store.rewind_endpoint(&mut change, "two", from - 1).await.unwrap();
            scene.store.repeat_from(&mut change, "two", from, scene.time()).await.unwrap();
            change.commit().await.unwrap();
        }
        scene.pass([SECOND, 31 * SECOND, 10 * MINUTE, 3 * HOUR][random.random_range(0..4)]);
    }
    // In the end everybody is well.
    receivers.iter().for_each(|receiver| receiver.answers(|_| Manner::Status(200)));
    for id in ["one", "two"] {
        let mut change = scene.store.change().await.unwrap();
        scene.store.release_queues(&mut change, id, scene.time()).await.unwrap();
        change.commit().await.unwrap();
    }
    for _ in 0..3 {
        scene.pass(25 * HOUR);
        settle(&workers[0]).await;
    }
    for receiver in &receivers {
        assert_in_order(&receiver.taken(), &scene.expected());
    }
}

#[test]
fn in_random_stories_nothing_is_lost_and_no_order_is_broken() {
    run(async {
        let seeds = if std::env::var_os("ESCROW_EFFORT").is_some() { 60 } else { 6 };
        for seed in 0..seeds {
            for database in databases() {
                println!("seed {seed} on {}", database.url);
                story(&database, seed).await;
            }
        }
    });
}
