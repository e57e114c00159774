//! Every command doing what it is there for.

use escrow_client::{address, escrow::state::RISKS, view};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{DAY, SOL, Stage, TOKENS};

/// What one signature costs, in lamports.
const FEE: u64 = 5_000;

fn status(escrow: &Value) -> (&str, &str) {
    (escrow["status"].as_str().unwrap(), escrow["milestones"][0]["status"].as_str().unwrap())
}

#[tokio::test]
async fn a_sale_for_people() {
    let stage = Stage::new().await;
    let before = (stage.sol("buyer").await, stage.sol("seller").await);
    let created = stage.types("buyer", "create --seller {seller} --amount 1.5 --deliver-by 14d").succeeds();
    let (buyer, seller) = (stage.address("buyer").to_string(), stage.address("seller").to_string());
    let escrow = created.out.split_whitespace().nth(1).unwrap().to_owned();
    created.shows(&["created, not funded yet", "transaction ", &buyer, &seller, "1.5 SOL", "fund by", "(in 1d)"]);

    let funded = stage.types("buyer", &format!("fund {escrow}")).succeeds();
    funded.shows(&["The buyer paid 1.5 SOL into the escrow.", &escrow, "transaction ", "pending"]);
    let delivered = stage.types("seller", &format!("deliver {escrow}")).succeeds();
    delivered.shows(&["The seller marked milestone 1 as delivered", &escrow, "(in 3d)"]);
    let released = stage.types("buyer", &format!("release {escrow}")).succeeds();
    released.shows(&["released 1.5 SOL of milestone 1", "waiting to be paid out: 1.5 SOL for the seller"]);
    stage.types("seller", &format!("show {escrow}")).succeeds().shows(&["settled", &escrow, "1.5 SOL"]);
    let told = stage.types("seller", &format!("show {escrow} --history")).succeeds();
    told.shows(&[
        "    delivered ",
        "    The buyer released 1.5 SOL of milestone 1 to the seller.",
        "      transaction ",
    ]);
    let withdrawn = stage.types("stranger", &format!("withdraw {escrow}")).succeeds();
    withdrawn.shows(&["Sent the seller the 1.5 SOL due."]);
    stage.types("buyer", "list").succeeds().shows(&[&escrow, "settled", "1 of 1", "1.5 SOL"]);

    stage.net.advance_time(DAY).await.unwrap();
    stage.types("stranger", &format!("close {escrow}")).succeeds().shows(&["Closed the escrow", &escrow, &buyer]);
    stage.types("buyer", "list").succeeds().shows(&["no escrows found"]);
    let history = stage.types("buyer", &format!("history {escrow}")).succeeds();
    history.shows(&[
        "created the escrow: 1.5 SOL",
        "The buyer paid 1.5 SOL",
        "delivered",
        "released",
        "Sent the seller the 1.5 SOL due.",
        "Closed the escrow",
        &buyer,
        &seller,
    ]);

    // To the lamport: three signatures of the buyer's, one of the seller's; all the rent is back.
    assert_eq!(stage.sol("buyer").await, before.0 - 1_500_000_000 - 3 * FEE);
    assert_eq!(stage.sol("seller").await, before.1 + 1_500_000_000 - FEE);
}

#[tokio::test]
async fn a_sale_for_scripts() {
    let stage = Stage::new().await;
    let created =
        stage.asks("buyer", "create --seller {seller} --mint {mint} --amount 2.5 --deliver-by 14d --arbiter {arbiter}");
    let escrow = created["address"].as_str().unwrap().to_owned();
    assert_eq!(created["funded"], false);
    assert!(created["signature"].as_str().unwrap().len() > 80);
    assert_eq!(created["escrow"]["address"], created["address"]);

    let funded = stage.asks("buyer", &format!("fund {escrow}"));
    assert!(funded["done"].as_str().unwrap().contains("2.5"));
    assert!(funded["slot"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(status(&funded["escrow"]), ("funded", "pending"));

    let shown = stage.asks("stranger", &format!("show {escrow}"));
    let unit = stage.mint.address.to_string();
    for (field, value) in [
        ("address", json!(escrow)),
        ("buyer", json!(stage.address("buyer").to_string())),
        ("seller", json!(stage.address("seller").to_string())),
        ("arbiter", json!(stage.address("arbiter").to_string())),
        ("attester", Value::Null),
        ("fee_recipient", Value::Null),
        ("rent_payer", json!(stage.address("buyer").to_string())),
        ("mint", json!(unit)),
        ("token_program", json!(stage.mint.token_program.id().to_string())),
        ("accepted_risks", json!([])),
        ("principal", json!({ "units": "2500000", "decimals": 6, "text": "2.5 tokens" })),
        ("released", json!({ "units": "0", "decimals": 6, "text": "0 tokens" })),
        ("undelivered_bps", json!(0)),
        ("unanswered_bps", json!(10_000)),
        ("unruled_bps", json!(5_000)),
        ("ruling_window_seconds", json!(7 * DAY)),
        ("cooling_off_seconds", json!(0)),
        ("hashlock", Value::Null),
        ("document_hash", Value::Null),
        ("due", json!([])),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let milestone = &shown["milestones"][0];
    assert_eq!((&milestone["number"], &milestone["review_window_seconds"]), (&json!(1), &json!(3 * DAY)));
    assert_eq!(milestone["default_seller_bps"], 0);
    let time = &milestone["deadline"];
    // It was typed some seconds before it was funded.
    let apart = time["unix"].as_i64().unwrap() - shown["funded_at"]["unix"].as_i64().unwrap();
    assert!((14 * DAY as i64 - 60..=14 * DAY as i64).contains(&apart), "{apart}");
    assert!(time["time"].as_str().unwrap().ends_with('Z'));

    assert_eq!(status(&stage.asks("seller", &format!("deliver {escrow}"))["escrow"]), ("funded", "delivered"));
    let released = stage.asks("buyer", &format!("release {escrow} --amount 1"));
    assert_eq!(released["escrow"]["milestones"][0]["remaining"]["units"], "1500000");
    let due = &released["escrow"]["due"][0];
    assert_eq!((&due["recipient"], &due["amount"]["units"]), (&json!("seller"), &json!("1000000")));
    assert_eq!(due["address"], stage.address("seller").to_string());
    let released = stage.asks("buyer", &format!("release {escrow}"));
    assert_eq!(status(&released["escrow"]), ("settled", "settled"));
    assert_eq!(released["escrow"]["milestones"][0]["deadline"], Value::Null);
    assert_eq!(stage.asks("seller", &format!("withdraw {escrow}"))["escrow"]["due"], json!([]));
    assert_eq!((stage.tokens("buyer").await, stage.tokens("seller").await), (TOKENS - 2_500_000, 2_500_000));

    stage.net.advance_time(DAY).await.unwrap();
    assert_eq!(stage.asks("stranger", &format!("close {escrow}"))["escrow"], Value::Null);
    let history = stage.asks("stranger", &format!("history {escrow}"));
    assert_eq!((&history["complete"], &history["missing"]), (&json!(true), &Value::Null));
    // What is printed is the client's own types, whole.
    fn whole<T: serde::Serialize + serde::de::DeserializeOwned>(json: &Value) {
        let read: T = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(&serde_json::to_value(read).unwrap(), json);
    }
    whole::<view::Created>(&created);
    whole::<view::Done>(&released);
    whole::<view::Escrow>(&shown);
    whole::<view::History>(&history);
    let actions: Vec<&str> =
        history["entries"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["create", "fund", "deliver", "release", "release", "withdraw", "close"]);
}

/// Every option of `create` arrives in the terms, and the address is theirs.
#[tokio::test]
async fn every_option_of_create_is_a_term() {
    let stage = Stage::new().await;
    let document = stage.folder.write("agreement.txt", "we agree");
    let (attester, marketplace) = (Keypair::new().pubkey(), Keypair::new().pubkey());
    let line = format!(
        "create --seller {{seller}} --arbiter {{arbiter}} --attester {attester} --fee 2.5% --fee-recipient {marketplace} \
         --arbiter-fee 0.01 --mint {{mint}} --milestone 1,10d --milestone 2.000001,2d,1h --review 5d --fund-by 3h \
         --cooling-off 90m --ruling-window 2d --undelivered 33.33 --unanswered 66.67% --unruled 0 \
         --document {document} --accept-risk freeze --accept-risk pausable --fund"
    );
    let created = stage.asks("buyer", &line);
    let escrow = &created["escrow"];
    assert_eq!(created["funded"], true);
    for (field, value) in [
        ("attester", json!(attester.to_string())),
        ("fee_recipient", json!(marketplace.to_string())),
        ("fee_bps", json!(250)),
        ("arbiter_fee_bps", json!(1)),
        ("cooling_off_seconds", json!(90 * 60)),
        ("ruling_window_seconds", json!(2 * DAY)),
        ("undelivered_bps", json!(3_333)),
        ("unanswered_bps", json!(6_667)),
        ("unruled_bps", json!(0)),
        ("accepted_risks", json!(["freeze", "pausable"])),
    ] {
        assert_eq!(escrow[field], value, "{field}");
    }
    let hash: [u8; 32] = Sha256::digest("we agree").into();
    assert_eq!(escrow["document_hash"], hex(&hash));
    let milestones = escrow["milestones"].as_array().unwrap();
    assert_eq!(milestones.len(), 2);
    assert_eq!(milestones[1]["amount"]["units"], "2000001");
    assert_eq!(milestones[0]["review_window_seconds"], 5 * DAY);
    assert_eq!(milestones[1]["review_window_seconds"], 3_600);
    let funded_at = escrow["funded_at"]["unix"].as_i64().unwrap();
    assert_eq!(escrow["fund_by"]["unix"].as_i64().unwrap() - funded_at, 3 * 3_600);
    assert_eq!(milestones[1]["deadline"]["unix"].as_i64().unwrap() - funded_at, 2 * DAY as i64);
    assert_eq!(escrow["cooling_off_end"]["unix"].as_i64().unwrap() - funded_at, 90 * 60);

    let client = escrow_client::EscrowClient::from_rpc(stage.net.rpc());
    let at = created["address"].as_str().unwrap().parse().unwrap();
    let terms = client.escrow(&at).await.unwrap().terms();
    assert_eq!(address::escrow_address(&terms), Ok(at));

    let shown = stage.types("seller", &format!("show {at}")).succeeds();
    shown.shows(&["2.5 %", "0.01 %", "33.33 %", "66.67 %", "freeze, pausable", "arbiter", "attester", &hex(&hash)]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A buyer is shown everything that they are about to sign for, before they fund what another has created.
#[tokio::test]
async fn what_is_to_be_funded_shows_all_its_terms() {
    let stage = Stage::new().await;
    let line = "create --buyer {buyer} --seller {seller} --amount 1 --deliver-by 20d --review 5d --cooling-off 6d \
                --ruling-window 9d";
    let created = stage.asks("seller", line);
    let shown = stage.types("buyer", &format!("show {}", created["address"].as_str().unwrap())).succeeds();
    shown.shows(&["20d", "5d", "6d", "9d"]);
}

/// Anybody may create for a buyer, who then funds.
#[tokio::test]
async fn a_seller_creates_for_a_buyer() {
    let stage = Stage::new().await;
    let created = stage.asks("seller", "create --buyer {buyer} --seller {seller} --amount 1 --deliver-by 1d");
    let escrow = created["address"].as_str().unwrap();
    assert_eq!(created["escrow"]["rent_payer"], stage.address("seller").to_string());
    let refused = stage.types("seller", &format!("fund {escrow}"));
    refused.fails(3, &["the buyer", &stage.address("buyer").to_string(), &stage.address("seller").to_string()]);
    assert_eq!(status(&stage.asks("buyer", &format!("fund {escrow}"))["escrow"]), ("funded", "pending"));
}

#[tokio::test]
async fn refund_and_cancel() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let refunded = stage.types("seller", &format!("refund {escrow} --amount 0.25")).succeeds();
    refunded.shows(&["refunded 0.25 SOL of milestone 1", "0.75 SOL", "waiting to be paid out: 0.25 SOL for the buyer"]);
    assert_eq!(status(&stage.asks("seller", &format!("refund {escrow}"))["escrow"]), ("settled", "settled"));

    let escrow = stage.create("--amount 1 --deliver-by 9d --cooling-off 1d --fund");
    let cancelled = stage.types("buyer", &format!("cancel {escrow}")).succeeds();
    cancelled.shows(&[
        "The buyer cancelled the escrow: 1 SOL for the buyer.",
        "waiting to be paid out: 1 SOL for the buyer",
    ]);

    for canceller in ["buyer", "seller"] {
        let escrow = stage.create("--amount 1 --deliver-by 9d");
        let cancelled = stage.types(canceller, &format!("cancel {escrow}")).succeeds();
        cancelled.shows(&["into which nothing was paid", &stage.address("buyer").to_string()]);
        stage.types("buyer", &format!("show {escrow}")).fails(1, &["there is no escrow"]);
    }
}

#[tokio::test]
async fn dispute_and_rule() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --arbiter {arbiter} --arbiter-fee 10 --fund");
    stage.asks("seller", &format!("deliver {escrow}"));
    let reason = stage.folder.write("reason.txt", "broken");
    let disputed = stage.asks("buyer", &format!("dispute {escrow} --reason {reason}"));
    assert_eq!(status(&disputed["escrow"]), ("funded", "disputed"));
    stage.types("buyer", &format!("rule {escrow} --seller-share 0")).fails(3, &["the arbiter"]);
    stage.types("arbiter", &format!("rule {escrow} --seller-share 25%")).succeeds();
    let shown = stage.asks("buyer", &format!("show {escrow}"));
    let due: Vec<(&str, &str)> = shown["due"]
        .as_array()
        .unwrap()
        .iter()
        .map(|due| (due["recipient"].as_str().unwrap(), due["amount"]["text"].as_str().unwrap()))
        .collect();
    assert_eq!(due, [("buyer", "0.675 SOL"), ("seller", "0.225 SOL"), ("arbiter", "0.1 SOL")]);
    assert_eq!(shown["milestones"][0]["course"], Value::Null);
    let told = stage.asks("buyer", &format!("show {escrow} --history"));
    assert_eq!(told["history_missing"], Value::Null);
    let course = &told["milestones"][0]["course"];
    assert_eq!(course["evidence_hash"], Value::Null);
    assert_eq!(course["reason_hash"], hex(&Sha256::digest("broken")));
    let (delivered, disputed) = (&course["delivered"]["unix"], &course["disputed"]["unix"]);
    assert!(told["funded_at"]["unix"].as_i64() <= delivered.as_i64() && delivered.as_i64() <= disputed.as_i64());
    let [decision] = course["decisions"].as_array().unwrap().as_slice() else { panic!("{course}") };
    assert_eq!((&decision["action"], &decision["rationale_hash"]), (&json!("rule"), &Value::Null));
    assert_eq!(decision["shares"]["buyer"]["text"], "0.675 SOL");
    assert!(decision["text"].as_str().unwrap().contains("25 %"), "{decision}");
    let history = stage.asks("buyer", &format!("history {escrow}"));
    let ruling = history["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&decision["signature"], &decision["time"]["unix"]), (&ruling["signature"], &ruling["time"]["unix"]));
    let history = stage.types("buyer", &format!("history {escrow}")).succeeds();
    history.shows(&["25 %", &hex(&Sha256::digest("broken"))]);
    stage.types("stranger", &format!("withdraw {escrow} --recipient arbiter")).succeeds().shows(&["0.1 SOL"]);
}

#[tokio::test]
async fn propose_and_accept() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    stage.types("buyer", &format!("accept {escrow}")).fails(3, &["no open proposal"]);
    stage.types("seller", &format!("propose {escrow} --deadline 20d")).succeeds().shows(&["until", "20d"]);
    stage.types("buyer", &format!("accept {escrow}")).succeeds();
    let shown = stage.asks("buyer", &format!("show {escrow}"));
    assert!(shown["milestones"][0]["deadline"]["seconds_from_now"].as_u64().unwrap() > 19 * DAY);

    stage.types("seller", &format!("propose {escrow} --seller-amount 0.6")).succeeds().shows(&["0.6 SOL", "0.4 SOL"]);
    stage.types("seller", &format!("propose {escrow} --withdraw")).succeeds();
    stage.types("buyer", &format!("accept {escrow}")).fails(3, &["no open proposal"]);
    stage.types("seller", &format!("propose {escrow} --seller-amount 0.7")).succeeds();
    stage.types("buyer", &format!("accept {escrow} --seller-amount 0.6")).fails(3, &["0.7"]);
    stage.types("stranger", &format!("accept {escrow}")).fails(3, &["the buyer or the seller"]);
    stage.types("buyer", &format!("accept {escrow} --seller-amount 0.7")).succeeds();
    let shown = stage.asks("buyer", &format!("show {escrow}"));
    assert_eq!(shown["due"][0]["amount"]["text"], "0.3 SOL");
    assert_eq!(shown["due"][1]["amount"]["text"], "0.7 SOL");
}

#[tokio::test]
async fn claim_with_the_secret_of_a_file() {
    let stage = Stage::new().await;
    let secret = [7; 32];
    let hashlock = hex(&Sha256::digest(secret));
    for content in [secret.to_vec(), hex(&secret).into_bytes(), format!("{}\n", hex(&secret)).into_bytes()] {
        let escrow = stage.create(&format!("--amount 1 --deliver-by 9d --hashlock {hashlock} --fund"));
        let wrong = stage.folder.write("wrong", [8; 32]);
        stage.types("stranger", &format!("claim {escrow} --secret {wrong}")).fails(3, &["secret"]);
        let right = stage.folder.write("right", content);
        let claimed = stage.asks("stranger", &format!("claim {escrow} --secret {right}"));
        assert_eq!(status(&claimed["escrow"]), ("settled", "settled"));
        assert_eq!(claimed["escrow"]["due"][0]["recipient"], "seller");
    }
}

#[tokio::test]
async fn expire_applies_the_default_that_was_agreed() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --undelivered 12.5 --fund");
    stage.types("stranger", &format!("expire {escrow}")).fails(3, &["deadline has not come yet"]);
    stage.net.advance_time(9 * DAY).await.unwrap();
    stage.types("seller", &format!("deliver {escrow}")).fails(3, &["deadline has passed"]);
    let expired = stage.types("stranger", &format!("expire {escrow}")).succeeds();
    expired.shows(&["0.125 SOL for the seller", "0.875 SOL for the buyer"]);
    stage.types("stranger", &format!("expire {escrow}")).fails(3, &["settled"]);
}

/// Everybody to whom something is due is paid at once, and token accounts are made for those who have none.
#[tokio::test]
async fn withdraw_pays_everybody_at_once() {
    let stage = Stage::new().await;
    let marketplace = Keypair::new().pubkey();
    let escrow = stage.create(&format!(
        "--mint {{mint}} --amount 1 --deliver-by 9d --arbiter {{arbiter}} --arbiter-fee 10 --fee 10 \
         --fee-recipient {marketplace} --fund"
    ));
    stage.asks("seller", &format!("deliver {escrow}"));
    stage.asks("buyer", &format!("dispute {escrow}"));
    stage.asks("arbiter", &format!("rule {escrow} --seller-share 50"));
    let withdrawn = stage.types("stranger", &format!("withdraw {escrow}")).succeeds();
    withdrawn.shows(&[
        "the buyer the 0.45",
        "the seller the 0.405",
        "the fee recipient the 0.045",
        "the arbiter the 0.1",
    ]);
    assert_eq!(stage.tokens("buyer").await, TOKENS - 1_000_000 + 450_000);
    assert_eq!(stage.tokens("seller").await, 405_000);
    assert_eq!(stage.tokens("arbiter").await, 100_000);
    assert_eq!(stage.net.token_balance(&marketplace, &stage.mint).await.unwrap(), 45_000);
    stage.types("stranger", &format!("withdraw {escrow}")).fails(3, &["owes nobody anything"]);
}

/// `--from` and `--to` name token accounts other than the associated ones.
#[tokio::test]
async fn tokens_come_from_and_go_to_where_they_are_told() {
    let stage = Stage::new().await;
    // The associated account of somebody else's is not the seller's; the seller's own is the only one that will do.
    let theirs = stage.net.mint_to(&stage.mint, &stage.address("seller"), 0).await.unwrap();
    let buyers = stage.mint.associated_account(&stage.address("buyer"));
    let escrow = stage.create("--mint {mint} --amount 1 --deliver-by 9d");
    stage.types("buyer", &format!("fund {escrow} --from {theirs}")).fails(3, &["token account"]);
    stage.types("buyer", &format!("fund {escrow} --from {buyers}")).succeeds();
    stage.asks("buyer", &format!("release {escrow}"));
    let withdraw = format!("withdraw {escrow} --recipient seller --to");
    stage.types("stranger", &format!("{withdraw} {theirs}")).fails(3, &["seller"]);
    stage.types("seller", &format!("{withdraw} {buyers}")).fails(3, &["token account"]);
    stage.types("seller", &format!("{withdraw} {theirs}")).succeeds();
    assert_eq!(stage.tokens("seller").await, 1_000_000);
}

#[tokio::test]
async fn list_finds_by_party() {
    let stage = Stage::new().await;
    assert_eq!(stage.asks("buyer", "list"), json!([]));
    let first = stage.create("--amount 1 --deliver-by 9d --arbiter {arbiter}");
    let second = stage.create("--amount 2 --deliver-by 9d --mint {mint} --fund-by 2d");
    let created = stage.asks("buyer", "create --seller {arbiter} --amount 3 --deliver-by 9d --fund-by 3d");
    let third = created["address"].as_str().unwrap();
    for (filter, wanted) in [
        ("--all", vec![first.as_str(), &second, third]),
        ("--buyer {buyer}", vec![&first, &second, third]),
        ("--seller {seller}", vec![&first, &second]),
        ("--seller {arbiter}", vec![third]),
        ("--arbiter {arbiter}", vec![&first]),
        ("--buyer {buyer} --seller {seller} --arbiter {arbiter}", vec![&first]),
        ("--buyer {seller}", vec![]),
    ] {
        let found = stage.asks("stranger", &format!("list {filter}"));
        let found: Vec<&str> = found.as_array().unwrap().iter().map(|row| row["address"].as_str().unwrap()).collect();
        assert_eq!(found, wanted, "{filter}");
        let shown = stage.types("stranger", &format!("list {filter}")).succeeds();
        assert!(wanted.iter().all(|address| shown.out.contains(address)), "{shown:#?}");
    }
}

/// Each power has a name that `create` takes and `show` gives back.
#[tokio::test]
async fn every_risk_has_a_name() {
    let stage = Stage::new().await;
    for (_, name) in RISKS {
        let created = stage.asks(
            "buyer",
            &format!("create --seller {{seller}} --amount 1 --deliver-by 9d --mint {{mint}} --accept-risk {name}"),
        );
        assert_eq!(created["escrow"]["accepted_risks"], json!([name]));
    }
}

/// Percent are read to the hundredth.
#[tokio::test]
async fn percent_are_exact() {
    let stage = Stage::new().await;
    for (text, bps) in [("0", 0), ("0.01", 1), ("2.5%", 250), ("33.33", 3_333), ("100", 10_000), ("100%", 10_000)] {
        let line = format!("--again create --seller {{seller}} --amount 1 --deliver-by 9d --unruled {text}");
        assert_eq!(stage.asks("buyer", &line)["escrow"]["unruled_bps"], bps, "{text}");
    }
}

/// A token with a freeze authority needs the buyer's consent.
#[tokio::test]
async fn a_power_that_was_not_accepted_is_named() {
    let stage = Stage::new().await;
    let config = escrow_localnet::MintConfig {
        freeze_authority: Some(stage.address("stranger")),
        ..escrow_localnet::MintConfig::default()
    };
    let mint = stage.net.create_mint(config).await.unwrap().address;
    let line = format!("create --seller {{seller}} --amount 1 --deliver-by 9d --mint {mint}");
    stage.types("buyer", &line).fails(3, &["RiskNotAccepted"]);
    stage.types("buyer", &format!("{line} --accept-risk freeze")).succeeds();
}

/// The largest escrow fits one transaction, with its funding.
#[tokio::test]
async fn eight_milestones() {
    let stage = Stage::new().await;
    let milestones: String = (1..=8).map(|amount| format!("--milestone 0.{amount},{amount}d ")).collect();
    let escrow = stage.create(&format!(
        "{milestones} --mint {{mint}} --arbiter {{arbiter}} --fee 1 --fee-recipient {{stranger}} --fund"
    ));
    stage.types("buyer", &format!("release {escrow} --milestone 8")).succeeds().shows(&["0.8", "milestone 8"]);
    stage.types("seller", &format!("deliver {escrow} -m 1")).succeeds().shows(&["milestone 1"]);
    let shown = stage.asks("buyer", &format!("show {escrow}"));
    let statuses: Vec<&str> =
        shown["milestones"].as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["delivered", "pending", "pending", "pending", "pending", "pending", "pending", "settled"]);
    assert_eq!(stage.sol("stranger").await, 100 * SOL);
}
