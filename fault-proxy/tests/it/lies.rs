//! What a node says that is not so.

use base64::{Engine, engine::general_purpose::STANDARD};
use escrow_fault_proxy::{
    AccountLie, BlockhashLie, Delivery, Fault, Level, Lie, Number, Quantity, Rule, StatusLie, Verdict,
};
use serde_json::{Value, json};

use crate::{
    client::{ask, result},
    node::{SKIPPED, account, blockhash, signature},
    pass_through, stage,
};

const CLOCK: &str = "SysvarC1ock11111111111111111111111111111111";
const TOKEN: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";

fn lie(lie: Lie) -> Rule {
    Rule::always(Fault::Lie(lie))
}

fn number(of: Quantity, is: Number) -> Rule {
    lie(Lie::Number { of, is })
}

fn data(account: &Value) -> Vec<u8> {
    STANDARD.decode(account["data"][0].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn each_number_is_another_wherever_it_stands() {
    for (of, method, params, pointer, really) in [
        (Quantity::Height, "getBlockHeight", json!([]), "", 1000 - SKIPPED),
        (Quantity::Height, "getEpochInfo", json!([]), "/blockHeight", 1000 - SKIPPED),
        (Quantity::Slot, "getSlot", json!([]), "", 1000),
        (Quantity::Slot, "getEpochInfo", json!([]), "/absoluteSlot", 1000),
        (Quantity::ContextSlot, "getSignatureStatuses", json!([[]]), "/context/slot", 1000),
        (Quantity::ContextSlot, "getAccountInfo", json!(["a"]), "/context/slot", 1000),
        (Quantity::LastValidHeight, "getLatestBlockhash", json!([]), "/value/lastValidBlockHeight", 1150 - SKIPPED),
        (Quantity::FirstAvailableBlock, "getFirstAvailableBlock", json!([]), "", 3),
    ] {
        for (is, told) in [
            (Number::Add(500), really + 500),
            (Number::Add(-2), really - 2),
            (Number::Add(i64::MIN), 0),
            (Number::Set(u64::MAX), u64::MAX),
        ] {
            let (_node, proxy) = stage([number(of, is)]).await;
            let answer = result(&proxy.url(), method, params.clone()).await;
            assert_eq!(answer.pointer(pointer), Some(&json!(told)), "{of:?} in {method}");
            let entry = &proxy.log().entries()[0];
            let Delivery::Answered { answer, .. } = &entry.delivery else { panic!("{entry:?}") };
            assert_eq!(answer["result"].pointer(pointer), Some(&json!(really)), "the log has the truth");
            assert_eq!(entry.rules, [0]);
        }
    }
}

#[tokio::test]
async fn heights_jump_once_and_go_back_and_stand_still() {
    let rules = [
        number(Quantity::Height, Number::Add(1000)).from(2).times(1),
        number(Quantity::Height, Number::Add(-3)).from(4).times(1),
        number(Quantity::Height, Number::Freeze).from(5),
    ];
    let (node, proxy) = stage(rules).await;
    let mut heights = Vec::new();
    for slot in 1000..1007 {
        node.set_slot(slot + SKIPPED);
        heights.push(result(&proxy.url(), "getBlockHeight", json!([])).await);
    }
    assert_eq!(heights, [1000, 2001, 1002, 1000, 1004, 1004, 1004]);
}

#[tokio::test]
async fn a_number_stands_still_for_each_commitment() {
    let (node, proxy) = stage([number(Quantity::Slot, Number::Freeze)]).await;
    let at = async |commitment: &str| result(&proxy.url(), "getSlot", json!([{ "commitment": commitment }])).await;
    assert_eq!(at("processed").await, 1000);
    node.set_slot(1010);
    assert_eq!(at("finalized").await, 1010);
    node.set_slot(1020);
    assert_eq!((at("processed").await, at("finalized").await), (json!(1000), json!(1010)));
}

#[tokio::test]
async fn a_block_hash_is_stale() {
    let (node, proxy) = stage([lie(Lie::Blockhash(BlockhashLie::Stale { slots: 200 }))]).await;
    let latest = result(&proxy.url(), "getLatestBlockhash", json!([])).await;
    assert_eq!(latest["value"]["blockhash"], blockhash(1000), "there is no other yet");
    pass_through(&node, [700, 790, 900, 1000]).await;
    let latest = result(&proxy.url(), "getLatestBlockhash", json!([])).await;
    assert_eq!(latest["context"]["slot"], 1000);
    assert_eq!(latest["value"], json!({ "blockhash": blockhash(790), "lastValidBlockHeight": 940 - SKIPPED }));
}

#[tokio::test]
async fn a_block_hash_is_foreign() {
    let (_node, proxy) = stage([lie(Lie::Blockhash(BlockhashLie::Foreign))]).await;
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let latest = result(&proxy.url(), "getLatestBlockhash", json!([])).await;
        let hash = latest["value"]["blockhash"].as_str().unwrap().to_owned();
        assert_eq!(bs58::decode(&hash).into_vec().unwrap().len(), 32);
        assert_eq!(latest["value"]["lastValidBlockHeight"], 1150 - SKIPPED);
        hashes.push(hash);
    }
    assert_ne!(hashes[0], hashes[1]);
    assert!(!hashes.contains(&blockhash(1000)));
}

#[tokio::test]
async fn the_genesis_hash_is_another() {
    let (_node, proxy) = stage([lie(Lie::GenesisHash("other".to_owned()))]).await;
    assert_eq!(result(&proxy.url(), "getGenesisHash", json!([])).await, "other");
}

/// What is said of transaction 1, which succeeded in slot 990, of 2, which failed, and of 3, which is none.
async fn statuses(is: StatusLie) -> (Value, Value, Value) {
    let (node, proxy) = stage([lie(Lie::Status { signature: None, is })]).await;
    node.set_status(1, 990, Value::Null);
    node.set_status(2, 991, json!("AccountInUse"));
    let signatures: Vec<String> = (1..=3).map(signature).collect();
    let statuses = result(&proxy.url(), "getSignatureStatuses", json!([signatures])).await["value"].clone();
    let mut transactions = Vec::new();
    for signature in signatures {
        transactions.push(result(&proxy.url(), "getTransaction", json!([signature])).await);
    }
    let listed = result(&proxy.url(), "getSignaturesForAddress", json!(["a"])).await;
    (statuses, json!(transactions), listed)
}

fn known(level: Level, verdict: Verdict, invented: bool) -> StatusLie {
    StatusLie::Known { level, verdict, invented }
}

#[tokio::test]
async fn nobody_has_heard_of_a_transaction() {
    let (statuses, transactions, listed) = statuses(StatusLie::Unknown).await;
    assert_eq!(statuses, json!([null, null, null]));
    assert_eq!(transactions, json!([null, null, null]));
    assert_eq!(listed, json!([]));
}

#[tokio::test]
async fn a_transaction_stays_at_processed() {
    let (statuses, transactions, listed) = statuses(known(Level::Processed, Verdict::True, false)).await;
    assert_eq!((&statuses[0]["confirmationStatus"], &statuses[0]["confirmations"]), (&json!("processed"), &json!(0)));
    assert_eq!((&statuses[0]["err"], &statuses[0]["status"]), (&Value::Null, &json!({ "Ok": null })));
    assert_eq!((&statuses[1]["err"], &statuses[1]["slot"]), (&json!("AccountInUse"), &json!(991)));
    assert_eq!(statuses[2], Value::Null);
    assert_eq!(transactions, json!([null, null, null]));
    assert_eq!(listed[0]["confirmationStatus"], "processed");
}

#[tokio::test]
async fn a_transaction_is_said_to_be_final_that_is_none() {
    let (statuses, ..) = statuses(known(Level::Finalized, Verdict::True, true)).await;
    let status = json!({
        "slot": 1000, "confirmations": null, "confirmationStatus": "finalized", "err": null, "status": { "Ok": null },
    });
    assert_eq!(statuses[2], status);
    assert_eq!(statuses[1]["err"], "AccountInUse");
}

#[tokio::test]
async fn a_failure_is_said_to_be_a_success() {
    let (statuses, transactions, listed) = statuses(known(Level::Confirmed, Verdict::Succeeded, false)).await;
    assert_eq!((&statuses[1]["err"], &statuses[1]["confirmationStatus"]), (&Value::Null, &json!("confirmed")));
    assert_eq!(transactions[1]["meta"], json!({ "err": null, "status": { "Ok": null } }));
    assert!(listed.as_array().unwrap().iter().all(|one| one["err"].is_null()));
}

#[tokio::test]
async fn a_success_is_said_to_be_a_failure() {
    let error = json!({ "InstructionError": [0, { "Custom": 6000 }] });
    let (statuses, transactions, listed) =
        statuses(known(Level::Finalized, Verdict::Failed(error.clone()), true)).await;
    for index in 0..3 {
        assert_eq!(statuses[index]["err"], error);
        assert_eq!(statuses[index]["status"], json!({ "Err": error }));
    }
    assert_eq!(transactions[0]["meta"]["err"], error);
    assert_eq!(transactions[2], Value::Null);
    assert_eq!(listed[0]["err"], error);
}

#[tokio::test]
async fn a_status_appears_and_vanishes() {
    let unknown = || lie(Lie::Status { signature: None, is: StatusLie::Unknown });
    let rules = [unknown().times(1), unknown().from(3).times(2)];
    let (node, proxy) = stage(rules).await;
    node.set_status(1, 990, Value::Null);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let answer = result(&proxy.url(), "getSignatureStatuses", json!([[signature(1)]])).await;
        seen.push(!answer["value"][0].is_null());
    }
    assert_eq!(seen, [false, true, false, false, true, true]);
}

#[tokio::test]
async fn a_lie_about_one_transaction_leaves_the_others() {
    let rule = lie(Lie::Status { signature: Some(signature(2)), is: known(Level::Processed, Verdict::True, true) });
    let (_node, proxy) = stage([rule.times(1)]).await;
    let url = proxy.url();
    // This one is not counted.
    result(&url, "getSignatureStatuses", json!([[signature(1)]])).await;
    let answer = result(&url, "getSignatureStatuses", json!([[signature(1), signature(2)]])).await;
    assert_eq!((&answer["value"][0], &answer["value"][1]["confirmationStatus"]), (&Value::Null, &json!("processed")));
}

/// What is said of the account `a`, which `o` owns, in a list, in a list of a program's accounts, and of its balance.
async fn accounts(is: AccountLie) -> (Vec<Value>, Value) {
    let (node, proxy) = stage([lie(Lie::Account { address: Some("a".to_owned()), is })]).await;
    node.set_account("a", account(100, "o", &[1, 2, 3]));
    node.set_account("b", account(200, "p", &[9]));
    let url = proxy.url();
    let options = json!({ "encoding": "base64" });
    let one = result(&url, "getAccountInfo", json!(["a", options])).await["value"].clone();
    let several = result(&url, "getMultipleAccounts", json!([["b", "a", "c"], options])).await["value"].clone();
    assert_eq!(several[0], account(200, "p", &[9]), "the others are left");
    assert_eq!(several[2], Value::Null);
    let balance = result(&url, "getBalance", json!(["a"])).await["value"].clone();
    assert_eq!(result(&url, "getBalance", json!(["b"])).await["value"], 200);
    let listed = result(&url, "getProgramAccounts", json!(["o", options])).await;
    let listed = listed.as_array().unwrap();
    assert!(listed.iter().any(|item| item["pubkey"] == "b" && item["account"]["lamports"] == 200));
    let mut of_list: Vec<Value> =
        listed.iter().filter(|item| item["pubkey"] == "a").map(|item| item["account"].clone()).collect();
    of_list.extend([one, several[1].clone()]);
    (of_list, balance)
}

#[tokio::test]
async fn an_account_does_not_exist() {
    let (told, balance) = accounts(AccountLie::Missing).await;
    assert_eq!((told, balance), (vec![Value::Null, Value::Null], json!(0)));
}

#[tokio::test]
async fn an_account_holds_other_lamports() {
    let (told, balance) = accounts(AccountLie::Lamports(Number::Add(-30))).await;
    assert_eq!(told, vec![account(70, "o", &[1, 2, 3]); 3]);
    assert_eq!(balance, 70);
}

#[tokio::test]
async fn an_account_has_another_owner() {
    let (told, balance) = accounts(AccountLie::Owner("p".to_owned())).await;
    assert_eq!((told, balance), (vec![account(100, "p", &[1, 2, 3]); 3], json!(100)));
}

#[tokio::test]
async fn an_account_has_other_data() {
    for at in [1, 4, 301] {
        assert_eq!(accounts(AccountLie::Byte { at, xor: 0x80 }).await.0, vec![account(100, "o", &[1, 0x82, 3]); 3]);
    }
    assert_eq!(accounts(AccountLie::Size(2)).await.0, vec![account(100, "o", &[1, 2]); 3]);
    assert_eq!(accounts(AccountLie::Size(5)).await.0, vec![account(100, "o", &[1, 2, 3, 0, 0]); 3]);
}

#[tokio::test]
async fn an_account_is_another_one() {
    let (told, balance) = accounts(AccountLie::Other("b".to_owned())).await;
    // A program's own list has no place for it.
    assert_eq!(told, [account(100, "o", &[1, 2, 3]), account(200, "p", &[9]), account(200, "p", &[9])]);
    assert_eq!(balance, 200);
}

#[tokio::test]
async fn data_that_is_compressed_is_asked_for_plainly() {
    let (node, proxy) = stage([lie(Lie::Account { address: None, is: AccountLie::Byte { at: 0, xor: 1 } })]).await;
    node.set_account("a", account(1, "o", &[0]));
    let params = json!(["a", { "encoding": "base64+zstd", "commitment": "confirmed" }]);
    assert_eq!(data(&result(&proxy.url(), "getAccountInfo", params).await["value"]), [1]);
    assert_eq!(node.asked("getAccountInfo")[0][1], json!({ "encoding": "base64", "commitment": "confirmed" }));
}

#[tokio::test]
async fn data_in_base58_is_changed_in_base58() {
    let (node, proxy) = stage([lie(Lie::Account { address: None, is: AccountLie::Byte { at: 0, xor: 1 } })]).await;
    let text = |bytes: &[u8]| bs58::encode(bytes).into_string();
    for (written, changed) in [
        (json!(text(&[2, 3])), json!(text(&[3, 3]))),
        (json!([text(&[2, 3]), "base58"]), json!([text(&[3, 3]), "base58"])),
        // What cannot be read is left.
        (json!([text(&[2, 3]), "base64+zstd"]), json!([text(&[2, 3]), "base64+zstd"])),
        (json!({ "parsed": {} }), json!({ "parsed": {} })),
    ] {
        node.set_account("a", json!({ "lamports": 1, "data": written }));
        assert_eq!(result(&proxy.url(), "getAccountInfo", json!(["a"])).await["value"]["data"], changed);
    }
}

#[tokio::test]
async fn the_clock_is_days_ahead() {
    let day = 86_400;
    let (node, proxy) = stage([lie(Lie::Clock { seconds: 300 * day })]).await;
    let mut sysvar = [3; 40];
    sysvar[32..].copy_from_slice(&1_700_000_000i64.to_le_bytes());
    node.set_account(CLOCK, account(1, "Sysvar1111111111111111111111111111111111111", &sysvar));
    node.set_account("a", account(1, "o", &sysvar));
    let url = proxy.url();
    let later = 1_700_000_000 + 300 * day;
    let told = data(&result(&url, "getAccountInfo", json!([CLOCK, { "encoding": "base64" }])).await["value"]);
    assert_eq!((&told[..32], &told[32..]), (&sysvar[..32], &later.to_le_bytes()[..]));
    let several = result(&url, "getMultipleAccounts", json!([["a", CLOCK], { "encoding": "base64" }])).await;
    assert_eq!(data(&several["value"][0]), sysvar);
    assert_eq!(data(&several["value"][1])[32..], later.to_le_bytes());
    assert_eq!(result(&url, "getBlockTime", json!([1])).await, later);
    node.set_account(CLOCK, json!({ "data": { "parsed": { "info": { "unixTimestamp": 5 } } } }));
    let parsed = result(&url, "getAccountInfo", json!([CLOCK])).await;
    assert_eq!(parsed["value"]["data"]["parsed"]["info"]["unixTimestamp"], 5 + 300 * day);
}

#[tokio::test]
async fn a_mint_has_more_decimals() {
    let (node, proxy) = stage([lie(Lie::Decimals { mint: Some("mint".to_owned()), by: 3 })]).await;
    let mut mint = [0; 82];
    mint[44] = 6;
    node.set_account("mint", account(1, TOKEN, &mint));
    node.set_account("other", account(1, TOKEN, &mint));
    let url = proxy.url();
    let told = result(&url, "getMultipleAccounts", json!([["mint", "other"], { "encoding": "base64" }])).await;
    assert_eq!((data(&told["value"][0])[44], data(&told["value"][1])[44]), (9, 6));
    assert_eq!(result(&url, "getTokenSupply", json!(["mint"])).await["value"]["decimals"], 9);
    assert_eq!(result(&url, "getTokenSupply", json!(["other"])).await["value"]["decimals"], 6);
    // A mint of Token-2022 with an extension, an account that holds tokens, and one of another program.
    let mut extended = vec![0; 200];
    (extended[44], extended[165]) = (6, 1);
    for (owner, bytes, decimals) in
        [("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb", extended, 9), (TOKEN, vec![6; 165], 6), ("o", vec![6; 82], 6)]
    {
        node.set_account("mint", account(1, owner, &bytes));
        let told = result(&url, "getAccountInfo", json!(["mint", { "encoding": "base64" }])).await;
        assert_eq!(data(&told["value"])[44], decimals, "{owner}");
    }
    let parsed = json!({ "parsed": { "type": "mint", "info": { "decimals": 6 } } });
    node.set_account("mint", json!({ "owner": TOKEN, "data": parsed }));
    let told = result(&url, "getAccountInfo", json!(["mint"])).await;
    assert_eq!(told["value"]["data"]["parsed"]["info"]["decimals"], 9);
}

#[tokio::test]
async fn a_result_is_whatever_the_plan_says() {
    let rules = [
        Rule::on("getSlot", Fault::Lie(Lie::Result(json!("soon")))),
        Rule::on("what", Fault::Lie(Lie::Result(json!(1)))),
    ];
    let (node, proxy) = stage(rules).await;
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, "soon");
    // Also where the node knows of no such thing.
    assert_eq!(result(&proxy.url(), "what", json!([])).await, 1);
    assert_eq!(node.bodies().len(), 2);
}

#[tokio::test]
async fn a_lie_finds_nothing_to_change_in_an_error() {
    let rules = [number(Quantity::ContextSlot, Number::Set(1)), lie(Lie::Clock { seconds: 1 })];
    let (node, proxy) = stage(rules).await;
    node.set_answer(200, r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32005,"message":"behind"}}"#);
    let answer = ask(&proxy.url(), "getAccountInfo", json!([CLOCK])).await.json();
    assert_eq!(answer["error"]["code"], -32005);
    assert!(proxy.log().entries()[0].rules.is_empty());
}
