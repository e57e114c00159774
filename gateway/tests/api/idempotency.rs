//! The same request with the same key has one effect and one answer, whichever replica gets it.

use escrow_gateway::{
    api::auth::Scope,
    store::{Kept, Opened, Place},
};
use reqwest::Method;
use serde_json::json;
use solana_signer::Signer;

use crate::harness::{SOL, User, config, databases, gateway, make_key, net, people, run, terms, world};

#[test]
fn fifty_tasks_on_two_replicas_have_one_effect() {
    run(async {
        for database in databases() {
            let net = net().await;
            let replicas =
                [gateway(&database, config(net.rpc_url())).await, gateway(&database, config(net.rpc_url())).await];
            let (key, _) = make_key(&replicas[0].store, "shop", &Scope::ALL, None).await;
            let people = people(net).await;
            let terms = terms(net, &people, &[SOL]).await;
            let order =
                json!({"actions": [{"type": "create", "terms": terms}], "fee_payer": people[0].pubkey().to_string()});
            let ask = |index: usize| {
                let user = User::with(&replicas[index % 2], Some(key.clone()));
                let order = order.clone();
                async move {
                    loop {
                        let headers = [("idempotency-key", "order-17")];
                        let answer = user.json(Method::POST, "/v1/transactions", &headers, &order).await;
                        match answer.status.as_u16() {
                            201 => return answer.json(),
                            409 => {
                                assert_eq!(answer.code(), "in_flight");
                                assert!(answer.headers.contains_key("retry-after"));
                                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                            }
                            _ => panic!("{answer:?}"),
                        }
                    }
                }
            };
            let answers = futures_util::future::join_all((0..50).map(ask)).await;
            // The salt is random: another effect would have another address.
            assert!(answers.iter().all(|answer| *answer == answers[0]), "more than one answer on {}", database.url);
            // Another body, another owner, another route.
            let user = User::with(&replicas[1], Some(key.clone()));
            let mut other = order.clone();
            other["compute_unit_price"] = json!("1");
            let answer = user.json(Method::POST, "/v1/transactions", &[("idempotency-key", "order-17")], &other).await;
            assert_eq!((answer.code().as_str(), answer.status.as_u16()), ("key_reused", 422));
            let stranger = User::new(&replicas[0], "stranger", &Scope::ALL).await;
            let answer =
                stranger.json(Method::POST, "/v1/transactions", &[("idempotency-key", "order-17")], &order).await;
            assert_ne!(answer.expect(201)["id"], answers[0]["id"]);
        }
    });
}

#[test]
fn what_the_client_did_wrong_stays_wrong_and_a_bad_key_is_told() {
    run(async {
        let database = crate::harness::sqlite();
        let world = world(&database).await;
        let user = &world.user;
        let headers = [("idempotency-key", "k")];
        let wrong = json!({"actions": [], "fee_payer": "So11111111111111111111111111111111111111112"});
        let first = user.json(Method::POST, "/v1/transactions", &headers, &wrong).await;
        assert_eq!(first.code(), "invalid");
        let second = user.json(Method::POST, "/v1/transactions", &headers, &wrong).await;
        assert_eq!(second.code(), "invalid");
        assert_eq!(second.headers["idempotent-replayed"], "true");
        for key in ["", &"k".repeat(256)] {
            let answer = user.json(Method::POST, "/v1/transactions", &[("idempotency-key", key)], &wrong).await;
            assert_eq!(answer.json()["errors"][0]["pointer"], "Idempotency-Key", "{key}");
        }
    });
}

#[test]
fn a_request_that_died_holds_its_key_no_longer_than_its_lease() {
    run(async {
        for database in databases() {
            let store = database.open().await;
            let place = Place { principal: "a".to_owned(), route: "POST /x".to_owned(), key: "k".to_owned() };
            let open = |now: i64| store.open_key(&place, "hash", now, now + 10, -100);
            assert_eq!(open(0).await.unwrap(), Opened::Ours(1));
            assert_eq!(open(9).await.unwrap(), Opened::InFlight(10));
            assert_eq!(open(10).await.unwrap(), Opened::Ours(2));
            // The one that was thought dead comes too late: its change is not committed.
            let kept = Kept { status: 201, location: None, body: "{}".to_owned() };
            let mut change = store.change().await.unwrap();
            assert!(!store.keep(&mut change, &place, 1, &kept).await.unwrap());
            drop(change);
            let mut change = store.change().await.unwrap();
            assert!(store.keep(&mut change, &place, 2, &kept).await.unwrap());
            // Not committed: the process dies between the effect and its end, and neither is there.
            drop(change);
            assert_eq!(open(20).await.unwrap(), Opened::Ours(3));
            store.release_key(&place, 3).await.unwrap();
            assert_eq!(open(21).await.unwrap(), Opened::Ours(4));
            let mut change = store.change().await.unwrap();
            assert!(store.keep(&mut change, &place, 4, &kept).await.unwrap());
            change.commit().await.unwrap();
            assert_eq!(open(1_000).await.unwrap(), Opened::Done(kept.clone()));
            assert_eq!(store.open_key(&place, "other", 1_000, 1_010, -100).await.unwrap(), Opened::Reused);
            // After a day it is another request.
            assert_eq!(store.open_key(&place, "other", 1_000, 1_010, 500).await.unwrap(), Opened::Ours(1));
            assert_eq!(store.sweep(2_000, 1_500).await.unwrap(), 1);
        }
    });
}

#[test]
fn a_lease_goes_on_when_it_ends_and_its_fence_grows() {
    run(async {
        for database in databases() {
            let (one, two) = (database.open().await, database.open().await);
            let fence = |lease: Option<escrow_gateway::store::Lease>| lease.map(|lease| lease.fence);
            assert_eq!(fence(one.lease("x", "a", 0, 10).await.unwrap()), Some(1));
            assert_eq!(fence(two.lease("x", "b", 9, 20).await.unwrap()), None);
            assert_eq!(fence(one.lease("x", "a", 9, 15).await.unwrap()), Some(1));
            assert_eq!(fence(two.lease("x", "b", 15, 20).await.unwrap()), Some(2));
            assert_eq!(fence(one.lease("x", "a", 16, 30).await.unwrap()), None);
            assert_eq!(fence(one.lease("y", "a", 16, 30).await.unwrap()), Some(1));
            // Of many at once one gets it.
            let all = (0..20).map(|index| {
                let store = if index % 2 == 0 { one.clone() } else { two.clone() };
                async move { store.lease("z", &index.to_string(), 0, 10).await.unwrap().is_some() }
            });
            let got = futures_util::future::join_all(all).await;
            assert_eq!(got.iter().filter(|got| **got).count(), 1);
        }
    });
}
