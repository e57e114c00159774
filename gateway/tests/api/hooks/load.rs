//! How many deliveries a second, and how long the first one takes: a measurement, told and not judged.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use escrow_gateway::{now_ms, store::EventFinality::Final};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    receiver::Receiver,
    scene::{Scene, event},
};
use crate::harness::{databases, run};

#[test]
#[ignore = "a measurement: cargo test --release --workspace --test api -- --ignored --nocapture deliveries_a_second"]
fn deliveries_a_second() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let scene = Scene::new(&database, &[&receiver]).await;
            let clock = Arc::clone(&scene.now);
            clock.store(now_ms(), Ordering::SeqCst);
            for index in 0..10 {
                scene.endpoint(&format!("e{index}"), &receiver).await;
            }
            let end = CancellationToken::new();
            let running = tokio::spawn(scene.worker().run(Arc::new(Notify::new()), end.clone()));
            let arrive = async |count: usize| {
                while receiver.count() < count {
                    clock.store(now_ms(), Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            // One event at a time: from the log to ten receivers.
            let mut waits = Vec::new();
            for index in 0..50 {
                let began = Instant::now();
                scene.log(&[event(&format!("one{index}"), &format!("a{index}"), Final, 1)]).await;
                arrive(receiver.count() / 10 * 10 + 10).await;
                waits.push(began.elapsed());
            }
            waits.sort();
            // A thousand at once.
            let before = receiver.count();
            let events: Vec<_> =
                (0..1_000).map(|index| event(&format!("m{index}"), &format!("b{index}"), Final, 1)).collect();
            let began = Instant::now();
            scene.log(&events).await;
            arrive(before + 10_000).await;
            let took = began.elapsed();
            println!(
                "{}: 10,000 deliveries in {took:?}; from the log to ten receivers: median {:?}, longest of 50 {:?}",
                database.url.split(':').next().unwrap(),
                waits[waits.len() / 2],
                waits[waits.len() - 1]
            );
            end.cancel();
            running.await.unwrap();
        }
    });
}
