//! The routes of webhook endpoints: what is asked for wrongly, what is somebody else's, and what is asked twice.

use escrow_gateway::api::auth::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::receiver::Receiver;
use crate::harness::{Database, User, World, config, databases, net, run, sqlite, world_with};

const ADDRESS: &str = "So11111111111111111111111111111111111111112";

/// A gateway that reaches these receivers, and somebody who may do everything.
pub async fn world(database: &Database, receivers: &[&Receiver]) -> World {
    let mut config = config(net().await.rpc_url());
    config.egress_allow = receivers.iter().map(|receiver| receiver.address).collect();
    world_with(database, config).await
}

/// An endpoint for this receiver: its path, and its secret.
pub async fn made(user: &User, receiver: &Receiver) -> (String, String) {
    let answer = user.post("/v1/webhook-endpoints", &json!({"url": receiver.url()})).await;
    let made = answer.expect(201);
    let path = answer.headers["location"].to_str().unwrap().to_owned();
    (path, made["secret"].as_str().unwrap().to_owned())
}

#[test]
fn an_endpoint_is_made_shown_changed_and_deleted() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let world = world(&database, &[&receiver]).await;
            let user = &world.user;
            let body = json!({"url": receiver.url(), "description": "the till", "kinds": ["fund", "fund", "close"],
                "escrows": [ADDRESS], "provisional": true});
            let made = user.post("/v1/webhook-endpoints", &body).await.expect(201);
            let endpoint = &made["endpoint"];
            assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
            assert!(made["public_key"].as_str().unwrap().starts_with("whpk_"));
            assert_eq!(endpoint["kinds"], json!(["fund", "close"]));
            let path = format!("/v1/webhook-endpoints/{}", endpoint["id"].as_str().unwrap());
            let shown = user.get(&path).await;
            assert!(!shown.text.contains("whsec_") && !shown.text.contains("whsk_"), "{shown:?}");
            let shown = shown.expect(200);
            assert_eq!(&shown["endpoint"], endpoint);
            assert_eq!(shown["keys"][0]["public_key"], made["public_key"]);
            assert_eq!(
                (&shown["waiting"], &shown["parked"], &shown["rests_until"]),
                (&json!("0"), &json!("0"), &Value::Null)
            );
            // What is left out stays.
            let patch = |body: Value| {
                let (user, path) = (user.clone(), path.clone());
                async move { user.json(Method::PATCH, &path, &[], &body).await }
            };
            let changed = patch(json!({"enabled": false, "kinds": []})).await.expect(200);
            assert_eq!(changed["endpoint"]["disabled_because"], "owner");
            assert_eq!(changed["endpoint"]["kinds"], json!([]));
            assert_eq!(changed["endpoint"]["escrows"], json!([ADDRESS]));
            let changed = patch(json!({"enabled": true, "escrows": [], "provisional": false})).await.expect(200);
            assert_eq!(
                (&changed["endpoint"]["enabled"], &changed["endpoint"]["provisional"]),
                (&json!(true), &json!(false))
            );
            assert_eq!(changed["endpoint"]["description"], "the till");
            // Pages.
            let second = self::made(user, &receiver).await.0;
            let page = user.get("/v1/webhook-endpoints?limit=1").await.expect(200);
            assert_eq!(page["endpoints"][0]["id"], endpoint["id"]);
            let next = user.get(page["next"].as_str().unwrap()).await.expect(200);
            assert!(second.ends_with(next["endpoints"][0]["id"].as_str().unwrap()) && next["next"].is_null(), "{next}");
            assert_eq!(user.send(Method::DELETE, &path, &[], None).await.status.as_u16(), 204);
            assert_eq!(user.get(&path).await.code(), "not_found");
            assert_eq!(user.send(Method::DELETE, &path, &[], None).await.code(), "not_found");
        }
    });
}

#[test]
fn what_cannot_be_right_is_told_with_its_place() {
    run(async {
        let receiver = Receiver::start().await;
        let database = sqlite();
        let world = world(&database, &[&receiver]).await;
        let user = &world.user;
        let (path, _) = made(user, &receiver).await;
        let many: Vec<String> = (0..101).map(|index| format!("k{index}")).collect();
        let url = receiver.url();
        for (body, pointer) in [
            (json!({"url": "http://shop.example/"}), "/url"),
            (json!({"url": "https://127.0.0.1/"}), "/url"),
            (json!({"url": "https://[::ffff:10.0.0.1]/"}), "/url"),
            (json!({"url": "https://user:secret@shop.example/"}), "/url"),
            (json!({"url": url, "kinds": ["a b"]}), "/kinds/0"),
            (json!({"url": url, "kinds": ["fund", ""]}), "/kinds/1"),
            (json!({"url": url, "kinds": many}), "/kinds"),
            (json!({"url": url, "escrows": ["x"]}), "/escrows/0"),
            (json!({"url": url, "description": "\u{7}"}), "/description"),
            (json!({"url": url, "description": "x".repeat(201)}), "/description"),
        ] {
            let answer = user.post("/v1/webhook-endpoints", &body).await;
            assert_eq!(
                (answer.code().as_str(), &answer.json()["errors"][0]["pointer"]),
                ("invalid", &json!(pointer)),
                "{body}"
            );
            let answer = user.json(Method::PATCH, &path, &[], &body).await;
            assert_eq!(
                (answer.code().as_str(), &answer.json()["errors"][0]["pointer"]),
                ("invalid", &json!(pointer)),
                "{body}"
            );
        }
        for (below, body, pointer) in [
            ("replay", json!({"since": -1}), "/since"),
            ("replay", json!({"since": i64::MAX}), "/since"),
            ("replay", json!({}), ""),
            ("secrets/rotate", json!({"overlap_seconds": 604_801}), "/overlap_seconds"),
            ("secrets/rotate", json!({"overlap_seconds": -1}), "/overlap_seconds"),
        ] {
            let answer = user.post(&format!("{path}/{below}"), &body).await;
            assert_eq!(
                (answer.code().as_str(), &answer.json()["errors"][0]["pointer"]),
                ("invalid", &json!(pointer)),
                "{below} {body}"
            );
        }
        for query in ["status=lost", "escrow=x", "limit=0", "limit=101", "cursor=!", "cursor=", "unknown=1"] {
            assert_eq!(user.get(&format!("{path}/deliveries?{query}")).await.code(), "invalid", "{query}");
        }
        let retry = user.post(&format!("{path}/deliveries/evt_0/retry"), &json!({})).await;
        assert_eq!(retry.code(), "not_found");
        // An owner has so many, and no more.
        for _ in 1..20 {
            made(user, &receiver).await;
        }
        let answer = user.post("/v1/webhook-endpoints", &json!({"url": url})).await;
        assert!(answer.code() == "invalid" && answer.text.contains("at most 20 endpoints"), "{answer:?}");
    });
}

#[test]
fn another_owners_endpoint_is_not_there() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let world = world(&database, &[&receiver]).await;
            let (path, _) = made(&world.user, &receiver).await;
            let other = User::new(&world.gateway, "other", &[Scope::Webhooks]).await;
            for (method, below, body) in [
                (Method::GET, "", json!(null)),
                (Method::PATCH, "", json!({"enabled": false})),
                (Method::DELETE, "", json!(null)),
                (Method::POST, "/secrets/rotate", json!({})),
                (Method::POST, "/probe", json!({})),
                (Method::POST, "/replay", json!({"since": 0})),
                (Method::GET, "/deliveries", json!(null)),
                (Method::POST, "/deliveries/evt_0/retry", json!({})),
            ] {
                let answer = other.json(method.clone(), &format!("{path}{below}"), &[], &body).await;
                assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{method} {below}");
            }
            assert_eq!(other.get("/v1/webhook-endpoints").await.expect(200)["endpoints"], json!([]));
            assert!(receiver.heard().is_empty());
            // Another key of the same owner may.
            let same = User::new(&world.gateway, "shop", &[Scope::Webhooks]).await;
            assert_eq!(same.get(&path).await.expect(200)["endpoint"]["enabled"], true);
        }
    });
}

#[test]
fn asked_twice_with_one_key_it_is_done_once_and_the_secret_is_told_once() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let world = world(&database, &[&receiver]).await;
            let user = &world.user;
            let ask = |path: String, body: Value| {
                let user = user.clone();
                async move { user.json(Method::POST, &path, &[("idempotency-key", "k")], &body).await }
            };
            let body = json!({"url": receiver.url()});
            let first = ask("/v1/webhook-endpoints".to_owned(), body.clone()).await;
            let path = first.headers["location"].to_str().unwrap().to_owned();
            let again = ask("/v1/webhook-endpoints".to_owned(), body).await;
            assert_eq!(again.headers["idempotent-replayed"], "true");
            let (first, again) = (first.expect(201), again.expect(201));
            assert_eq!((&again["endpoint"], &again["secret"]), (&first["endpoint"], &Value::Null));
            let rotate = format!("{path}/secrets/rotate");
            let first = ask(rotate.clone(), json!({})).await.expect(200);
            let again = ask(rotate, json!({})).await.expect(200);
            assert!(first["secret"].is_string() && again["secret"].is_null());
            assert_eq!(first["public_key"], again["public_key"]);
            assert_eq!(user.get(&path).await.expect(200)["keys"].as_array().unwrap().len(), 2);
            let probe = format!("{path}/probe");
            let first = ask(probe.clone(), json!(null)).await.expect(200);
            assert_eq!(ask(probe, json!(null)).await.expect(200), first);
            assert_eq!(receiver.heard().len(), 1);
        }
    });
}
