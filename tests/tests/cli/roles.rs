//! Each role as a new user plays it, from the README alone: what is typed, and what comes out.

use crate::{DAY, Stage};

/// The README's own first escrow, on the buyer's side.
#[tokio::test]
async fn a_buyer() {
    let stage = Stage::new().await;
    let create = "create --seller {seller} --arbiter {arbiter} --amount 1.5 --deliver-by 14d --fund";
    let created = stage.types("buyer", create).succeeds();
    let escrow = created.out.split_whitespace().nth(1).unwrap().to_owned();
    created.shows(&[
        "created and funded",
        "NOT mainnet: this money is worth nothing",
        "1.5 SOL is locked; the seller can deliver until",
        "If nobody does anything: 1.5 SOL for the buyer, from",
        "Anyone may trigger it then; nothing moves by itself.",
    ]);
    let shown = stage.types("buyer", &format!("show {escrow}")).succeeds();
    let release = format!("escrow release {escrow}");
    shown.shows(&["You can", &release, "Step 2 of 4", "undecided", "principal", "(you)", "terms hash"]);
    stage.types("seller", &format!("deliver {escrow}")).succeeds();
    let shown = stage.types("buyer", &format!("show {escrow}")).succeeds();
    shown.shows(&[
        "is delivered; the buyer can look at it, and dispute it until",
        "Step 3 of 4",
        "1.5 SOL for the seller, from",
    ]);
    stage.types("buyer", &format!("release {escrow} -m 1")).succeeds().shows(&["released 1.5 SOL of milestone 1"]);
    stage.types("buyer", &format!("history {escrow}")).succeeds().shows(&["The buyer released 1.5 SOL"]);
    // Silence the other way: nothing is delivered, and the money comes back by the buyer's own hand.
    let silent = stage.create("--arbiter {arbiter} --amount 1 --deliver-by 2d --fund");
    stage.net.advance_time(2 * DAY).await.unwrap();
    stage
        .types("buyer", &format!("show {silent}"))
        .succeeds()
        .shows(&["the deadline was", &format!("escrow expire {silent}")]);
    stage.types("buyer", &format!("expire {silent}")).succeeds().shows(&["1 SOL for the buyer"]);
    stage.types("buyer", &format!("withdraw {silent}")).succeeds().shows(&["Sent the buyer the 1 SOL due."]);
    stage
        .types("buyer", &format!("show {silent}"))
        .succeeds()
        .shows(&["Everything is decided and paid out.", "Step 4 of 4"]);
}

/// May I ship? What is it worth to me? Ship, be paid.
#[tokio::test]
async fn a_seller() {
    let stage = Stage::new().await;
    let escrow = stage.create("--arbiter {arbiter} --amount 1.5 --deliver-by 14d");
    let link = stage.asks("buyer", &format!("share {escrow}"))["link"].as_str().unwrap().to_owned();
    stage.types("seller", &format!("verify {link}")).succeeds().shows(&["2. NO: nothing is paid in."]);
    stage.types("buyer", &format!("fund {escrow}")).succeeds();
    let verified = stage.types("seller", &format!("verify {link}")).succeeds();
    verified.shows(&[
        "1. Yes",
        "2. Yes, the money was paid in and that is final",
        "nothing that this tool knows to look for",
    ]);
    stage
        .types("seller", &format!("show {escrow}"))
        .succeeds()
        .shows(&["You can", &format!("escrow deliver {escrow}")]);
    stage.types("seller", &format!("deliver {escrow}")).succeeds().shows(&["the buyer can dispute it until"]);
    stage.net.advance_time(3 * DAY).await.unwrap();
    stage.types("seller", &format!("expire {escrow}")).succeeds().shows(&["1.5 SOL for the seller"]);
    stage.types("seller", &format!("withdraw {escrow}")).succeeds().shows(&["Sent the seller the 1.5 SOL due."]);
}

/// Is shown both sides' hashes and the exact amounts of a ruling before it is signed.
#[tokio::test]
async fn an_arbiter() {
    let stage = Stage::new().await;
    let escrow = stage.create("--arbiter {arbiter} --arbiter-fee 10 --amount 1 --deliver-by 14d --fund");
    stage.types("seller", &format!("deliver {escrow}")).succeeds();
    stage.types("buyer", &format!("dispute {escrow}")).succeeds();
    let shown = stage.types("arbiter", &format!("show {escrow}")).succeeds();
    shown.shows(&[
        "is disputed; the arbiter can rule until",
        "You can",
        "Entirely for the buyer: 0.9 SOL for the buyer, 0.1 SOL for the arbiter",
        "--seller-share PERCENT",
    ]);
    let rule = format!("rule {escrow} --seller-share 60");
    let plan = stage.types_only("arbiter", &format!("{rule} --dry-run")).succeeds();
    plan.shows(&["The arbiter rules on milestone 1, 60 % for the seller: 0.54 SOL for the seller, 0.36 SOL for the buyer, 0.1 SOL for the arbiter"]);
    stage.types("arbiter", &rule).succeeds().shows(&["ruled on milestone 1"]);
    stage.types("arbiter", &format!("withdraw {escrow} --recipient arbiter")).succeeds().shows(&["0.1 SOL due"]);
}

/// Says that it is delivered, and nothing else.
#[tokio::test]
async fn an_attester() {
    let stage = Stage::new().await;
    let escrow = stage.create("--arbiter {arbiter} --attester {stranger} --amount 1 --deliver-by 14d --fund");
    let shown = stage.types("stranger", &format!("show {escrow}")).succeeds();
    shown.shows(&["the attester can deliver until", "You can", &format!("escrow deliver {escrow}")]);
    stage.types("seller", &format!("deliver {escrow}")).fails(3, &["Only the attester"]);
    let evidence = stage.folder.write("signature.txt", "signed at the door");
    stage.types("stranger", &format!("deliver {escrow} --evidence {evidence}")).succeeds().shows(&["evidence"]);
    stage.types("stranger", &format!("release {escrow}")).fails(3, &["your key is the attester"]);
}

/// Creates deals for others, and lives from the fee.
#[tokio::test]
async fn a_marketplace() {
    let stage = Stage::new().await;
    let terms = "--buyer {buyer} --seller {seller} --arbiter {arbiter} --amount 2 --deliver-by 14d --fee 5 --fee-recipient {stranger}";
    let created = stage.asks("stranger", &format!("create {terms}"));
    let escrow = created["address"].as_str().unwrap();
    assert_eq!(created["escrow"]["rent_payer"], stage.address("stranger").to_string());
    // The buyer pays what the marketplace wrote, and says what that is.
    let fund = format!("fund {escrow} --yes --seller {{seller}} --amount 2");
    stage.types_only("buyer", &fund).succeeds().shows(&["The buyer paid 2 SOL into the escrow."]);
    stage.types("buyer", &format!("release {escrow}")).succeeds();
    let before = stage.sol("stranger").await;
    stage.types("stranger", &format!("withdraw {escrow}")).succeeds().shows(&["the fee recipient the 0.1 SOL due"]);
    assert_eq!(stage.sol("stranger").await, before + 100_000_000 - 5_000);
    stage.types("stranger", &format!("show {escrow}")).succeeds().shows(&[
        "fee recipient",
        "0.1 SOL  paid out",
        "5 % of what is released",
    ]);
}
