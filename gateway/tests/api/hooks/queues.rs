//! From the log to the queues: who is told of what, once, whoever decides it.

use std::collections::HashMap;

use escrow_gateway::store::{Endpoint, EndpointChange, EventFinality, Which};
use futures_util::future::join_all;

use super::{
    receiver::Receiver,
    scene::{BEGIN, HOUR, Scene, assert_in_order, event, settle},
};
use crate::harness::{databases, run};

#[test]
fn an_endpoint_is_told_of_what_it_asked_for() {
    run(async {
        for database in databases() {
            let receivers = join_all((0..4).map(|_| Receiver::start())).await;
            let scene = Scene::new(&database, &receivers.iter().collect::<Vec<_>>()).await;
            let (plain, _) = scene.endpoint("all-that-is-sure", &receivers[0]).await;
            let of =
                |id: &str, receiver: &Receiver| Endpoint { id: id.to_owned(), url: receiver.url(), ..plain.clone() };
            scene.add(&Endpoint { provisional: true, ..of("both", &receivers[1]) }).await;
            scene.add(&Endpoint { kinds: "fund close".to_owned(), ..of("kinds", &receivers[2]) }).await;
            scene.add(&Endpoint { escrows: "b c".to_owned(), ..of("escrows", &receivers[3]) }).await;
            use EventFinality::{Final, Provisional, Reverted};
            scene
                .log(&[
                    event("a1", "a", Provisional, 1),
                    event("a1", "a", Final, 1),
                    event("a2", "a", Final, 2),
                    event("b1", "b", Provisional, 1),
                    event("b1", "b", Reverted, 1),
                    event("b2", "b", Final, 2),
                    // Written twice, it is there once.
                    event("b2", "b", Final, 2),
                ])
                .await;
            settle(&scene.worker()).await;
            let told = |receiver: &Receiver| {
                let heard = receiver.heard();
                let mut told: Vec<_> = heard
                    .iter()
                    .map(|heard| {
                        let data = &heard.json()["data"];
                        format!("{} {}", data["id"].as_str().unwrap(), data["finality"].as_str().unwrap())
                    })
                    .collect();
                told.sort();
                told
            };
            assert_eq!(told(&receivers[0]), ["a1 final", "a2 final", "b2 final"]);
            let both = ["a1 final", "a1 provisional", "a2 final", "b1 provisional", "b1 reverted", "b2 final"];
            assert_eq!(told(&receivers[1]), both);
            assert_eq!(told(&receivers[2]), ["a2 final", "b2 final"]);
            assert_eq!(told(&receivers[3]), ["b2 final"]);
            // What is told to several has one id.
            let id_of = |receiver: &Receiver| {
                let heard = receiver.heard();
                heard.iter().find(|heard| heard.json()["data"]["id"] == "b2").unwrap().id.clone()
            };
            assert_eq!(id_of(&receivers[0]), id_of(&receivers[3]));
        }
    });
}

#[test]
fn several_that_move_one_endpoint_tell_it_once() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut scene = Scene::new(&database, &[&receiver]).await;
            scene.endpoint("shop", &receiver).await;
            // More than an endpoint moves on by at once.
            let escrows: Vec<String> = (0..1_200).map(|index| format!("e{}", index % 300)).collect();
            scene.happen(&escrows.iter().map(String::as_str).collect::<Vec<_>>()).await;
            let workers = [scene.worker(), scene.worker(), scene.worker()];
            let moved = join_all(workers.iter().map(|worker| async { while worker.dispatch().await.unwrap() {} }));
            moved.await;
            let waiting = scene.store.backlog("shop").await.unwrap().0;
            assert_eq!(waiting, 1_200);
            join_all(workers.iter().map(settle)).await;
            assert_eq!(receiver.heard().len(), 1_200, "each once, where nobody dies");
            assert_in_order(&receiver.taken(), &scene.expected());
        }
    });
}

#[test]
fn an_endpoint_is_told_from_its_beginning_on_and_goes_on_where_it_was_switched_off() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut scene = Scene::new(&database, &[&receiver]).await;
            scene.happen(&["a"]).await;
            let (endpoint, _) = scene.endpoint("shop", &receiver).await;
            let worker = scene.worker();
            settle(&worker).await;
            assert!(receiver.heard().is_empty());
            scene.happen(&["a"]).await;
            let enable = |enabled: bool| {
                let (store, owner) = (scene.store.clone(), endpoint.owner.clone());
                async move {
                    let mut change = store.change().await.unwrap();
                    let to = EndpointChange { enabled: Some(enabled), ..EndpointChange::default() };
                    store.change_endpoint(&mut change, &owner, "shop", &to).await.unwrap().unwrap();
                    change.commit().await.unwrap();
                }
            };
            enable(false).await;
            settle(&worker).await;
            assert!(receiver.heard().is_empty());
            enable(true).await;
            settle(&worker).await;
            assert_eq!(receiver.taken(), [("a".to_owned(), 2)]);
        }
    });
}

#[test]
fn what_was_told_again_comes_in_the_same_order() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut scene = Scene::new(&database, &[&receiver]).await;
            scene.endpoint("shop", &receiver).await;
            let worker = scene.worker();
            scene.happen(&["a", "b", "a", "b", "a"]).await;
            settle(&worker).await;
            scene.pass(HOUR);
            // While one is under way: what it comes to is not written down any more.
            scene.happen(&["a"]).await;
            let held = super::scene::claim(&worker).await;
            let mut change = scene.store.change().await.unwrap();
            assert_eq!(scene.store.repeat_from(&mut change, "shop", 3, scene.time()).await.unwrap(), 4);
            change.commit().await.unwrap();
            let done = super::scene::attempt(&worker, held).await;
            assert_eq!(settle(&worker).await, 1, "one that is under way ends first, and b has nothing under way");
            worker.record(done).await.unwrap();
            settle(&worker).await;
            let of_a: Vec<u64> =
                receiver.taken().into_iter().filter(|(escrow, _)| escrow == "a").map(|(_, step)| step).collect();
            assert_eq!(of_a, [1, 2, 3, 4, 2, 3, 4]);
            let before = receiver.heard().len();
            // A single one, by itself.
            let found = scene.store.deliveries("shop", Which::Delivered, Some("b"), i64::MAX, 10).await.unwrap();
            let first = found.last().unwrap();
            assert_eq!((first.number, first.attempts), (2, 1));
            let mut change = scene.store.change().await.unwrap();
            assert!(scene.store.repeat(&mut change, "shop", &first.id, scene.time()).await.unwrap());
            assert!(!scene.store.repeat(&mut change, "shop", "evt_none", scene.time()).await.unwrap());
            change.commit().await.unwrap();
            scene.pass(HOUR);
            settle(&worker).await;
            let heard = receiver.heard();
            assert_eq!((heard.len() - before, &heard[before].id), (1, &first.id));
        }
    });
}

#[test]
fn what_was_delivered_is_forgotten_after_its_time_and_what_waits_is_not() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut scene = Scene::new(&database, &[&receiver]).await;
            scene.endpoint("shop", &receiver).await;
            let worker = scene.worker();
            receiver.answers(|heard| super::receiver::Manner::Status(if heard.escrow() == "b" { 500 } else { 200 }));
            scene.happen(&["a", "b"]).await;
            settle(&worker).await;
            assert_eq!(scene.store.sweep_deliveries(BEGIN, BEGIN).await.unwrap(), 0);
            let later = BEGIN + 24 * HOUR;
            assert_eq!(scene.store.sweep_deliveries(later, later).await.unwrap(), 2, "a delivery, and its queue");
            assert_eq!(scene.store.backlog("shop").await.unwrap(), (1, 0));
            // The endpoint has its place in the log all the same: it is not told again.
            receiver.answers(|_| super::receiver::Manner::Status(200));
            scene.happen(&["a"]).await;
            scene.pass(HOUR);
            settle(&worker).await;
            let expected: HashMap<String, u64> = scene.expected();
            assert_in_order(&receiver.taken(), &expected);
            assert_eq!(receiver.taken().len(), 3);
        }
    });
}
