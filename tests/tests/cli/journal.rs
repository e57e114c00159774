//! What was signed is kept before it is sent: the same command twice, by one machine or two, and what became of it.

use std::fs;

use crate::{Ran, SOL, Stage, command};

#[tokio::test]
async fn the_same_command_twice_is_done_once_unless_it_says_again() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 3 --deliver-by 9d --fund");
    let release = format!("release {escrow} --amount 1");
    stage.types("buyer", &release).succeeds();
    stage.types("buyer", &release).fails(1, &["succeeded a short while ago", "--again"]);
    // The arguments count, not how they are written.
    stage.types("buyer", &format!("release --amount 1.0 {escrow}")).succeeds();
    assert_eq!(stage.asks("buyer", &format!("show {escrow}"))["milestones"][0]["remaining"]["units"], "1000000000");
    stage.types("buyer", &format!("--again {release}")).succeeds();
    assert_eq!(stage.asks("buyer", &format!("show {escrow}"))["milestones"][0]["remaining"]["units"], "0");
}

#[tokio::test]
async fn a_creation_typed_twice_pays_once() {
    let stage = Stage::new().await;
    let line = "create --seller {seller} --amount 1 --deliver-by 9d --fund";
    let before = stage.sol("buyer").await;
    stage.types("buyer", line).succeeds();
    stage.types("buyer", line).fails(1, &["succeeded a short while ago"]);
    assert!(before - stage.sol("buyer").await < 2 * SOL);
}

/// Another machine has another journal: a name of one's own is found on the chain.
#[tokio::test]
async fn a_reference_is_found_by_another_machine() {
    let stage = Stage::new().await;
    let present = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = |days: u64| escrow_client::words::Time::new((present + days * crate::DAY) as i64, 0).rfc3339();
    let line = format!(
        "create --reference INVOICE-17 --seller {{seller}} --amount 1 --deliver-by {} --fund-by {}",
        at(60),
        at(30)
    );
    let line = line.as_str();
    let there = |line: &str| format!("--journal elsewhere {line}");
    let created = stage.asks("buyer", line);
    let address = created["address"].as_str().unwrap();
    for line in [line.to_owned(), there(line)] {
        let refused = stage.types("buyer", &line);
        refused.fails(1, &["under this reference", "not funded", &format!("escrow fund {address}")]);
    }
    stage.types("buyer", &format!("fund {address}")).succeeds();
    stage.types("buyer", &there(line)).fails(1, &["created and funded under this reference", address]);
    assert_eq!(stage.asks("buyer", "list").as_array().map(Vec::len), Some(1));
    // What is an hour later the next time is another deal.
    let relative = "create --reference INVOICE-18 --seller {seller} --amount 1 --deliver-by 9d";
    stage.types("buyer", relative).fails(2, &["every deadline is a time"]);
}

#[tokio::test]
async fn who_does_not_wait_asks_later() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let ran = stage.types("buyer", &format!("--output json --no-wait release {escrow}"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let journal = stage.asks("buyer", "journal");
    let sent = &journal["transactions"][0];
    let signature = sent["signature"].as_str().unwrap();
    assert!(ran.err.contains(signature), "{ran:#?}");
    assert_eq!((&sent["actions"][0]["action"], &sent["actions"][0]["escrow"]), (&"release".into(), &escrow.into()));
    // Whatever it was when nobody waited: now its end is seen.
    let resumed = stage.asks("buyer", "resume");
    assert!(resumed["transactions"].as_array().unwrap().iter().all(|one| one["state"] == "succeeded"), "{resumed}");
    let status = stage.asks("stranger", &format!("status {signature}"));
    assert!(["confirmed", "finalized"].contains(&status["state"].as_str().unwrap()), "{status}");
    assert_eq!(status["journal"]["state"], "succeeded");
    assert_eq!(stage.asks("buyer", "journal --open")["transactions"].as_array().map(Vec::len), Some(0));
    stage.types("buyer", "resume").succeeds().shows(&["nothing was sent"]);
    // A signature that nobody made.
    let unknown = solana_signature::Signature::from([7; 64]);
    let missing = stage.asks("buyer", &format!("status {unknown}"));
    assert_eq!((&missing["state"], &missing["journal"]), (&"not_found".into(), &serde_json::Value::Null));
    stage.types("buyer", &format!("status {unknown}")).succeeds().shows(&["not found", "ask again in two minutes"]);
}

/// Nothing is paid that could not be written down; reading works.
#[tokio::test]
async fn without_a_journal_nothing_is_sent() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let file = stage.folder.write("file", "not a folder");
    let nowhere = |line: &str| {
        let mut command = command(&stage.folder);
        command.env("ESCROW_JOURNAL", &file).args(["--url", stage.net.rpc_url(), "--keypair", "buyer.json"]);
        Ran::new(line, command.args(stage.words(line)).output().unwrap())
    };
    nowhere(&format!("release {escrow}")).fails(1, &["nothing was sent", "file"]);
    assert_eq!(stage.asks("buyer", &format!("show {escrow}"))["milestones"][0]["remaining"]["units"], "1000000000");
    nowhere(&format!("show {escrow}")).succeeds();
    nowhere("list").succeeds();
}

/// For its owner alone, and what somebody put into it is noticed before anything is sent.
#[cfg(unix)]
#[tokio::test]
async fn a_journal_is_private_and_a_damaged_one_is_not_believed() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let folder = stage.folder.0.join(".local/state/escrow");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let log = folder.join("00000001.log");
    assert_eq!(mode(&log), 0o600);
    let kept = fs::read(&log).unwrap();
    let mut changed = kept.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&log, changed).unwrap();
    stage.types("buyer", &format!("release {escrow}")).fails(1, &["is damaged at byte", "nothing is sent"]);
    assert_eq!(stage.asks("buyer", &format!("show {escrow}"))["milestones"][0]["remaining"]["units"], "1000000000");
    fs::write(&log, kept).unwrap();
    stage.types("buyer", &format!("release {escrow}")).succeeds();
}
