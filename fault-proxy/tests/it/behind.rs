//! A node that is behind: everything it says was true some slots ago.

use std::time::Duration;

use escrow_fault_proxy::{Fault, Lag, Plan, Rule};
use serde_json::{Value, json};

use crate::{
    client::{ask, result, send},
    node::{SKIPPED, account, blockhash, signature, transaction},
    pass_through, stage, until,
};

fn behind(lag: Lag) -> Rule {
    Rule::always(Fault::Behind(lag))
}

#[tokio::test]
async fn it_has_the_slots_and_heights_of_the_past() {
    let (node, proxy) = stage([behind(Lag::Slots(20))]).await;
    pass_through(&node, [970, 980, 990, 1000]).await;
    let url = proxy.url();
    assert_eq!(result(&url, "getSlot", json!([])).await, 980);
    assert_eq!(result(&url, "getBlockHeight", json!([])).await, 980 - SKIPPED);
    let epoch = result(&url, "getEpochInfo", json!([])).await;
    assert_eq!((&epoch["absoluteSlot"], &epoch["blockHeight"]), (&json!(980), &json!(980 - SKIPPED)));
    let latest = result(&url, "getLatestBlockhash", json!([])).await;
    let value = json!({ "blockhash": blockhash(980), "lastValidBlockHeight": 980 - SKIPPED + 150 });
    assert_eq!(latest, json!({ "context": { "slot": 980 }, "value": value }));
}

#[tokio::test]
async fn a_plan_that_comes_later_has_its_past_too() {
    let (node, proxy) = stage([]).await;
    proxy.set_plan(Plan::new([behind(Lag::Slots(20))])).unwrap();
    pass_through(&node, [980, 1000]).await;
    let latest = result(&proxy.url(), "getLatestBlockhash", json!([])).await;
    assert_eq!(latest["value"]["blockhash"], blockhash(980));
}

#[tokio::test]
async fn it_stands_where_it_stopped() {
    let (node, proxy) = stage([behind(Lag::Stopped).from(2)]).await;
    let mut slots = Vec::new();
    for slot in [1000, 1001, 1050, 1100] {
        node.set_slot(slot);
        slots.push(result(&proxy.url(), "getSlot", json!([])).await);
    }
    assert_eq!(slots, [1000, 1001, 1001, 1001]);
}

#[tokio::test]
async fn it_stands_there_though_its_upstream_goes_on_at_that_moment() {
    let (node, proxy) = stage([behind(Lag::Stopped)]).await;
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, 1000);
    node.set_pause(Duration::from_millis(200));
    let asked = node.asked("getSlot").len();
    let url = proxy.url();
    let asking = tokio::spawn(async move { result(&url, "getSlot", json!([])).await });
    // The proxy's own question is answered by then, and the client's is not.
    until("the client's question arrives", || node.asked("getSlot").len() == asked + 2).await;
    node.set_slot(1001);
    assert_eq!(asking.await.unwrap(), 1000);
}

#[tokio::test]
async fn it_does_not_know_later_transactions_and_knows_earlier_ones_as_they_were() {
    let (node, proxy) = stage([behind(Lag::Slots(50))]).await;
    let url = proxy.url();
    let failure = json!({ "InstructionError": [0, { "Custom": 1 }] });
    for (byte, slot, err) in
        [(1, 990, Value::Null), (2, 950, Value::Null), (3, 940, failure.clone()), (4, 900, failure.clone())]
    {
        node.set_status(byte, slot, err);
    }
    let signatures: Vec<String> = (1..=5).map(signature).collect();
    let answer = result(&url, "getSignatureStatuses", json!([signatures])).await;
    assert_eq!(answer["context"]["slot"], 950);
    let levels: Vec<&Value> =
        answer["value"].as_array().unwrap().iter().map(|one| &one["confirmationStatus"]).collect();
    assert_eq!(json!(levels), json!([null, "processed", "confirmed", "finalized", null]));
    assert_eq!(answer["value"][2]["err"], failure);
    assert_eq!(result(&url, "getTransaction", json!([signature(1)])).await, Value::Null);
    assert_eq!(result(&url, "getTransaction", json!([signature(2)])).await["slot"], 950);
    let known = result(&url, "getSignaturesForAddress", json!(["a"])).await;
    assert_eq!(known.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn it_shows_accounts_as_the_proxy_saw_them_then() {
    let (node, proxy) = stage([behind(Lag::Slots(5)).from(4)]).await;
    let lamports = async || result(&proxy.url(), "getAccountInfo", json!(["a"])).await["value"]["lamports"].clone();
    for (slot, before) in [(1000, 1), (1001, 2), (1003, 3)] {
        node.set_slot(slot);
        node.set_account("a", account(before, "b", &[]));
        assert_eq!(lamports().await, before);
    }
    node.set_slot(1007);
    node.set_account("a", account(4, "b", &[]));
    // As of slot 1002 the newest that it saw is from 1001.
    assert_eq!(lamports().await, 2);
    let fresh = result(&proxy.url(), "getAccountInfo", json!(["a", { "minContextSlot": 1002 }])).await;
    assert_eq!(fresh["value"]["lamports"], 4, "what it never saw is as it is");
    // What the node says is in the log, whatever the client got.
    let entries = proxy.log().of("getAccountInfo");
    assert_eq!(entries[3].rules, [0]);
    assert!(format!("{:?}", entries[3].delivery).contains("Number(4)"));
    assert!(entries[4].rules.is_empty());
}

#[tokio::test]
async fn it_says_that_it_is_behind_when_it_is_asked_for_more() {
    let (node, proxy) = stage([behind(Lag::Slots(200))]).await;
    let url = proxy.url();
    for method in ["getAccountInfo", "getBalance"] {
        let error = ask(&url, method, json!(["a", { "minContextSlot": 801 }])).await.json()["error"].clone();
        assert_eq!((&error["code"], &error["data"]["contextSlot"]), (&json!(-32016), &json!(800)));
    }
    assert!(node.asked("getAccountInfo").is_empty());
    node.set_account("a", account(1, "b", &[]));
    result(&url, "getBalance", json!(["a", { "minContextSlot": 800 }])).await;
    let error = ask(&url, "getHealth", json!([])).await.json()["error"].clone();
    assert_eq!((&error["code"], &error["data"]["numSlotsBehind"]), (&json!(-32005), &json!(200)));
}

#[tokio::test]
async fn it_refuses_a_transaction_with_a_block_hash_that_it_does_not_know_yet() {
    let (node, proxy) = stage([behind(Lag::Slots(10)).from(2)]).await;
    let url = proxy.url();
    result(&url, "getLatestBlockhash", json!([])).await;
    let error = send(&url, 1, &blockhash(1000)).await.json()["error"].clone();
    assert_eq!((&error["code"], &error["data"]["err"]), (&json!(-32002), &json!("BlockhashNotFound")));
    assert_eq!(node.sends(), 0);
    // Without the simulation nobody asks, and a node that has caught up knows it.
    let params = json!([transaction(1, &blockhash(1000)), { "encoding": "base64", "skipPreflight": true }]);
    result(&url, "sendTransaction", params).await;
    node.set_slot(1010);
    assert_eq!(send(&url, 1, &blockhash(1000)).await.json()["result"], signature(1));
    assert_eq!(node.sends(), 2);
}
