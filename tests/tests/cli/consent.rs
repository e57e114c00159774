//! Nothing that moves money is signed unseen: a script says that it agrees, and what it expects of what somebody else wrote.

use serde_json::Value;

use crate::{Stage, command};

/// A stranger's terms, by which the money is gone in minutes, are refused to a script that has not said what it expects.
#[tokio::test]
async fn a_strangers_terms_are_not_funded_blindly() {
    let stage = Stage::new().await;
    let written =
        "create --buyer {buyer} --seller {stranger} --amount 5 --undelivered 100 --deliver-by 20m --unruled 0";
    let created = stage.asks("stranger", written);
    let escrow = created["address"].as_str().unwrap();
    let hash = created["escrow"]["terms_hash"].as_str().unwrap().to_owned();
    let before = stage.sol("buyer").await;
    let stranger = stage.address("stranger").to_string();
    let asked = stage.types_only("buyer", &format!("fund {escrow}"));
    asked.fails(2, &["nothing was signed", "--yes", &stranger, "--amount 5", &hash]);
    for (expected, code, reason) in [
        ("--yes", 2, "say with --yes what you expect"),
        ("--yes --amount 5", 2, "say with --yes what you expect"),
        ("--yes --seller {stranger}", 2, "say with --yes what you expect"),
        ("--yes --buyer {buyer} --amount 5", 2, "say with --yes what you expect"),
        ("--yes --seller {seller} --amount 5", 3, "the seller of escrow"),
        ("--yes --seller {stranger} --amount 4.999999999", 3, "and not 4.999999999 SOL as you expect"),
        ("--yes --seller {stranger} --amount 5 --arbiter {arbiter}", 3, "is none, and not"),
        ("--yes --seller {stranger} --amount 5 --mint {mint}", 3, "the mint of escrow"),
        ("--yes --seller {stranger} --amount five", 2, "is not an amount"),
    ] {
        stage.types_only("buyer", &format!("fund {escrow} {expected}")).fails(code, &[reason]);
    }
    let other = format!("fund {escrow} --yes --terms-hash {}", "00".repeat(32));
    stage.types_only("buyer", &other).fails(3, &["the terms hash of escrow", escrow]);
    assert_eq!(stage.sol("buyer").await, before);
    // Who says what it is, is warned on the way.
    let funded = stage.types_only("buyer", &format!("fund {escrow} --yes --seller {stranger} --amount 5")).succeeds();
    assert!(funded.err.contains("warning: A seller who delivers nothing gets 100 %"), "{funded:#?}");
}

/// Where the amount was typed, `--yes` is enough; where it was not, it is not. What moves nothing is not asked about.
#[tokio::test]
async fn what_was_typed_needs_no_more_than_a_yes() {
    let stage = Stage::new().await;
    let create = "create --seller {seller} --arbiter {arbiter} --amount 2 --deliver-by 9d --fund";
    stage.types_only("buyer", create).fails(2, &["nobody is at a terminal", "--yes"]);
    let created = stage.types_only("buyer", &format!("{create} --yes --output json")).succeeds().json();
    let escrow = created["address"].as_str().unwrap();
    stage.types_only("seller", &format!("deliver {escrow}")).succeeds();
    stage.types_only("buyer", &format!("release {escrow} --amount 0.5")).fails(2, &["--yes"]);
    stage.types_only("buyer", &format!("release {escrow} --amount 0.5 --yes")).succeeds();
    stage.types_only("seller", &format!("refund {escrow} --amount 0.5")).fails(2, &["--yes"]);
    stage.types_only("seller", &format!("refund {escrow} --amount 0.5 --yes")).succeeds();
    stage.types_only("buyer", &format!("dispute {escrow}")).succeeds();
    let rule = format!("rule {escrow} --seller-share 50");
    stage.types_only("arbiter", &format!("{rule} --yes")).fails(2, &["--seller", "--amount 2", "--terms-hash"]);
    stage.types_only("arbiter", &format!("{rule} --yes --seller {{seller}} --amount 2")).succeeds();
    stage.types_only("stranger", &format!("withdraw {escrow}")).fails(2, &["--yes"]);
    let mut command = command(&stage.folder);
    command.env("ESCROW_YES", "1").args(["--url", stage.net.rpc_url(), "-k", "stranger.json", "withdraw", escrow]);
    assert!(command.output().unwrap().status.success());
}

#[tokio::test]
async fn accepting_names_how_much() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    stage.types_only("seller", &format!("propose {escrow} --seller-amount 0.7")).succeeds();
    stage.types_only("buyer", &format!("accept {escrow} --yes")).fails(2, &["say with --yes what you expect"]);
    let accept = format!("accept {escrow} --yes --seller {{seller}}");
    stage.types_only("buyer", &accept).fails(2, &["say with --yes"]);
    stage.types_only("buyer", &format!("{accept} --seller-amount 0.8")).fails(3, &["0.7 SOL"]);
    stage.types_only("buyer", &format!("{accept} --seller-amount 0.7")).succeeds();
}

/// `--dry-run` shows the whole plan and what it costs to the lamport, and changes nothing.
#[tokio::test]
async fn a_dry_run_costs_nothing_and_tells_what_it_would_cost() {
    let stage = Stage::new().await;
    let mint = stage.mint.address.to_string();
    for terms in
        ["--amount 1", "--milestone 1,9d --milestone 1,9d --milestone 1,9d", &format!("--amount 1 --mint {mint}")]
    {
        let deliver = if terms.contains("--milestone") { "" } else { "--deliver-by 9d" };
        let line = format!("create --seller {{seller}} --unruled 50 {terms} {deliver}");
        let before = stage.sol("buyer").await;
        let plan = stage.types_only("buyer", &format!("{line} --dry-run --output json")).succeeds().json();
        assert_eq!(stage.sol("buyer").await, before);
        let cost = plan["cost"]["total"]["units"].as_str().unwrap().parse::<u64>().unwrap();
        assert_eq!(plan["cluster"]["real"], false);
        assert!(plan["escrow"]["endings"].as_array().unwrap().len() > 4, "{plan}");
        let at = stage.sol("buyer").await;
        let created = stage.asks("buyer", &line);
        assert_eq!(at - stage.sol("buyer").await, cost, "{terms}");
        // All but the fee comes back.
        stage.asks("buyer", &format!("cancel {}", created["address"].as_str().unwrap()));
        assert_eq!(at - stage.sol("buyer").await, 2 * 5_000, "{terms}");
    }
}

/// Without an arbiter a dispute always gives the buyer something back: that has to be said.
#[tokio::test]
async fn no_arbiter_has_to_be_meant() {
    let stage = Stage::new().await;
    let create = "create --seller {seller} --amount 1 --deliver-by 9d --yes";
    stage.types_only("buyer", create).fails(2, &["--arbiter", "--unruled", "buyer who disputes"]);
    let created = stage.types_only("buyer", &format!("{create} --unruled 100 --output json")).succeeds().json();
    let warnings: Vec<&str> = created["warnings"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
    assert!(warnings.iter().any(|told| told.starts_with("There is no arbiter")), "{warnings:?}");
    let named = stage.types_only("buyer", &format!("{create} --arbiter {{arbiter}} --output json")).succeeds().json();
    assert_eq!(named["escrow"]["unruled_bps"], 5_000);
    let refused = stage.types("arbiter", &format!("rule {} --seller-share 1", created["address"].as_str().unwrap()));
    assert!(!refused.err.contains("11111111111111111111111111111111"), "{refused:#?}");
}

/// Signed elsewhere: the message is printed, signed where the key is, and nothing is asked of any node.
#[tokio::test]
async fn a_transaction_is_signed_where_there_is_no_network() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let shown = stage.types_only("buyer", &format!("show {escrow} --output json")).succeeds().out;
    stage.folder.write("state.json", &shown);
    let hash = stage.net.rpc().get_latest_blockhash().await.unwrap();
    let offline = |words: &str| {
        let mut command = command(&stage.folder);
        let line = format!("-u http://127.0.0.1:1 --state state.json --blockhash {hash} --output json {words}");
        let output = command.args(line.split_whitespace()).output().unwrap();
        crate::Ran::new(words, output)
    };
    let release = format!("release {escrow}");
    let signed = offline(&format!("{release} --sign-only -k buyer.json")).succeeds().json();
    let transaction = &signed["transactions"][0];
    // It is a transaction that the chain takes, as long as its block hash is a recent one.
    let wire = transaction["transaction"].as_str().unwrap();
    let config = serde_json::json!([wire, { "encoding": "base64", "preflightCommitment": "processed" }]);
    let sent: Result<String, _> =
        stage.net.rpc().send(solana_client::rpc_request::RpcRequest::SendTransaction, config).await;
    sent.unwrap();
    assert_eq!((&transaction["missing"], &signed["cluster"]), (&serde_json::json!([]), &Value::Null));
    let buyer = stage.address("buyer");
    let unsigned = offline(&format!("{release} --dump-transaction-message -k {buyer}")).succeeds().json();
    assert_eq!(unsigned["transactions"][0]["message"], transaction["message"]);
    assert_eq!(unsigned["transactions"][0]["missing"], serde_json::json!([buyer.to_string()]));
    // What was signed there is taken here.
    let signature = transaction["signatures"][0].as_str().unwrap();
    let attached =
        offline(&format!("{release} --dump-transaction-message -k {buyer} --signer {signature}")).succeeds().json();
    assert_eq!(attached["transactions"][0]["transaction"], transaction["transaction"]);
    let false_one = signature.replace(&buyer.to_string(), &stage.address("seller").to_string());
    offline(&format!("{release} --dump-transaction-message -k {buyer} --signer {false_one}"))
        .fails(2, &["signature of"]);
    // Another escrow's state is not this one's.
    let other = stage.create("--amount 2 --deliver-by 9d --fund");
    offline(&format!("release {other} --sign-only -k buyer.json")).fails(3, &[&escrow, &other]);
}

/// Somebody else pays the fee.
#[tokio::test]
async fn a_fee_payer_pays_the_fee() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let before = (stage.sol("buyer").await, stage.sol("stranger").await);
    stage.types("buyer", &format!("release {escrow} --fee-payer stranger.json")).succeeds();
    assert_eq!((stage.sol("buyer").await, stage.sol("stranger").await), (before.0, before.1 - 2 * 5_000));
}
