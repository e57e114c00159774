//! The runbooks of docs/gateway.md, played as an operator would.

use std::{process::Command, sync::atomic::Ordering, time::Duration};

use escrow_gateway::{api::auth::Scope, config::Role, now_ms, store::EventFinality::Final};
use serde_json::{Value, json};

use super::{
    endpoints::{made, world},
    receiver::{Manner, Receiver},
    scene::{HOUR, Scene, assert_in_order, event, log, settle},
};
use crate::harness::{User, config, databases, gateway, net, run, sqlite};

#[test]
fn parked_endpoints() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let mut settings = config(net().await.rpc_url());
            settings.roles = vec![Role::Api];
            settings.egress_allow = vec![receiver.address];
            let api = gateway(&database, settings).await;
            let user = User::new(&api, "shop", &[Scope::Webhooks]).await;
            let (path, _) = made(&user, &receiver).await;
            // The receiver is broken for longer than it is tried.
            let mut scene = Scene::new(&database, &[&receiver]).await;
            scene.now.store(now_ms(), Ordering::SeqCst);
            let worker = scene.worker();
            receiver.answers(|_| Manner::Status(500));
            scene.happen(&["a", "a"]).await;
            for _ in 0..20 {
                settle(&worker).await;
                scene.pass(6 * HOUR);
            }
            let shown = user.get(&path).await.expect(200);
            assert_eq!((&shown["waiting"], &shown["parked"]), (&json!("2"), &json!("1")));
            let parked = user.get(&format!("{path}/deliveries?status=parked")).await.expect(200);
            let last = &parked["deliveries"][1];
            assert_eq!((&last["status"], &last["attempts"]), (&json!("parked"), &json!(10)));
            assert_eq!(last["last_attempt"]["status"], 500);
            // Not repaired yet: the probe says so, and releases nothing.
            let probe = user.post(&format!("{path}/probe"), &json!({})).await.expect(200);
            assert_eq!(
                (&probe["delivered"], &probe["status"], &probe["body"]),
                (&json!(false), &json!(500), &json!("thanks"))
            );
            assert_eq!(settle(&worker).await, 0);
            receiver.answers(|_| Manner::Status(200));
            let probe = user.post(&format!("{path}/probe"), &json!({})).await.expect(200);
            assert_eq!((&probe["delivered"], &probe["released"]), (&json!(true), &json!("1")));
            assert_eq!(settle(&worker).await, 2);
            assert_in_order(&receiver.taken(), &scene.expected());
            assert_eq!(user.get(&path).await.expect(200)["parked"], "0");
        }
    });
}

/// Waits until a receiver has taken so many events.
async fn wait(receiver: &Receiver, count: usize) {
    for _ in 0..1_500 {
        if receiver.taken().len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} of {count} arrived", receiver.taken().len());
}

/// All deliveries of an endpoint that were taken, page by page.
async fn delivered(user: &User, path: &str) -> Vec<Value> {
    let (mut rows, mut next) = (Vec::new(), Some(format!("{path}/deliveries?status=delivered&limit=2")));
    while let Some(path) = next {
        let page = user.get(&path).await.expect(200);
        rows.extend(page["deliveries"].as_array().unwrap().clone());
        next = page["next"].as_str().map(str::to_owned);
    }
    rows
}

#[test]
fn telling_it_again_since_a_time_and_one_by_one() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let world = world(&database, &[&receiver]).await;
            let (path, _) = made(&world.user, &receiver).await;
            let now = now_ms();
            let store = &world.gateway.store;
            log(store, &[event("a1", "a", Final, 1)], now - 10_000).await;
            log(store, &[event("a2", "a", Final, 2), event("b1", "b", Final, 1)], now).await;
            wait(&receiver, 3).await;
            // The receiver has lost what it was told.
            let replay = format!("{path}/replay");
            let answer = world.user.post(&replay, &json!({"since": now / 1_000 - 5})).await.expect(200);
            assert_eq!((&answer["from"], &answer["deliveries"]), (&json!("2"), &json!("2")));
            wait(&receiver, 5).await;
            let none = world.user.post(&replay, &json!({"since": now / 1_000 + 1_000})).await.expect(200);
            assert_eq!((&none["from"], &none["deliveries"]), (&Value::Null, &json!("0")));
            // A new endpoint is told of what was before it.
            let (second, _) = made(&world.user, &receiver).await;
            let before = receiver.taken().len();
            world.user.post(&format!("{second}/replay"), &json!({"since": 0})).await.expect(200);
            wait(&receiver, before + 3).await;
            // One by itself, with the same id.
            // What a receiver has taken is written down a moment later.
            let mut rows = delivered(&world.user, &path).await;
            for _ in 0..200 {
                if rows.len() == 3 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                rows = delivered(&world.user, &path).await;
            }
            let numbers: Vec<&str> = rows.iter().map(|row| row["number"].as_str().unwrap()).collect();
            assert_eq!(numbers, ["3", "2", "1"]);
            let before = receiver.taken().len();
            let id = rows[2]["id"].as_str().unwrap();
            let answer = world.user.post(&format!("{path}/deliveries/{id}/retry"), &json!({})).await.expect(200);
            assert_eq!(answer["delivery"]["id"], id);
            wait(&receiver, before + 1).await;
            assert_eq!(receiver.heard().last().unwrap().id, id);
        }
    });
}

#[test]
fn rotating_secrets() {
    run(async {
        for database in databases() {
            let receiver = Receiver::start().await;
            let world = world(&database, &[&receiver]).await;
            let user = &world.user;
            let (path, old) = made(user, &receiver).await;
            let old_key = user.get(&path).await.expect(200)["keys"][0]["public_key"].as_str().unwrap().to_owned();
            let probe = || async {
                assert_eq!(user.post(&format!("{path}/probe"), &json!({})).await.expect(200)["delivered"], true);
                receiver.heard().last().unwrap().clone()
            };
            let rotate = |body: Value| {
                let (user, path) = (user.clone(), format!("{path}/secrets/rotate"));
                async move { user.post(&path, &body).await }
            };
            let heard = probe().await;
            assert!(heard.is_signed_with(&old) && heard.is_signed_by(&old_key));
            // Both sign, so the receiver may change over at any time.
            let answer = rotate(json!({"overlap_seconds": 2})).await.expect(200);
            let (new, new_key) = (answer["secret"].as_str().unwrap(), answer["public_key"].as_str().unwrap());
            let heard = probe().await;
            assert!(heard.is_signed_with(&old) && heard.is_signed_by(&old_key), "{heard:?}");
            assert!(heard.is_signed_with(new) && heard.is_signed_by(new_key), "{heard:?}");
            // After that only the new one.
            tokio::time::sleep(Duration::from_millis(2_100)).await;
            let heard = probe().await;
            assert!(!heard.is_signed_with(&old) && !heard.is_signed_by(&old_key), "{heard:?}");
            assert!(heard.is_signed_with(new) && heard.is_signed_by(new_key), "{heard:?}");
            // A secret that leaked ends at once; and no more than three sign.
            rotate(json!({})).await.expect(200);
            rotate(json!({})).await.expect(200);
            let answer = rotate(json!({})).await;
            assert!(answer.code() == "stale" && answer.text.contains("wait until one has expired"), "{answer:?}");
            let last = rotate(json!({"overlap_seconds": 0})).await.expect(200)["secret"].as_str().unwrap().to_owned();
            let heard = probe().await;
            assert!(heard.is_signed_with(&last) && !heard.is_signed_with(new));
            assert_eq!(heard.signature.split(' ').count(), 2);
        }
    });
}

/// The code of docs/gateway.md, by which a receiver checks who has sent a message: run by node, where it is installed.
#[test]
fn what_the_documentation_says_verifies_a_message_and_no_other() {
    let documentation = include_str!("../../../../docs/gateway.md");
    let (_, rest) = documentation.split_once("```js\n").unwrap();
    let (code, _) = rest.split_once("```").unwrap();
    if Command::new("node").arg("--version").output().is_err() {
        println!("NOT CHECKED: the code of docs/gateway.md, because node is not installed");
        return;
    }
    run(async {
        let receiver = Receiver::start().await;
        let database = sqlite();
        let world = world(&database, &[&receiver]).await;
        let (path, secret) = made(&world.user, &receiver).await;
        // With two secrets there are four signatures to choose from.
        world.user.post(&format!("{path}/secrets/rotate"), &json!({})).await.expect(200);
        world.user.post(&format!("{path}/probe"), &json!({})).await.expect(200);
        let heard = receiver.heard().remove(0);
        let headers = json!({"webhook-id": heard.id, "webhook-timestamp": heard.timestamp,
            "webhook-signature": heard.signature});
        let other = escrow_gateway::deliver::sign::Secret::new().shared();
        let old = (now_ms() / 1_000 - 301).to_string();
        let with = |name: &str, value: &str| {
            let mut changed = headers.clone();
            changed[name] = json!(value);
            changed
        };
        let text = heard.text.as_str();
        let cases = json!([
            [headers, text, secret],
            [headers, format!("{text} "), secret],
            [headers, text, other],
            [with("webhook-id", "evt_other"), text, secret],
            [with("webhook-timestamp", &old), text, secret],
            [with("webhook-signature", ""), text, secret],
            [with("webhook-signature", "v1,AAAA v1"), text, secret],
            [json!({}), text, secret],
        ]);
        let script = format!("{code}\nconsole.log(JSON.stringify({cases}.map((one) => isAuthentic(...one))));");
        let ran = Command::new("node").args(["--input-type=module", "--eval", &script]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let verdicts: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(verdicts, json!([true, false, false, false, false, false, false, false]));
    });
}
