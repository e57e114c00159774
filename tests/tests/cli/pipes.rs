//! Where results and everything else go.

use std::process::Stdio;

use crate::{Folder, Stage, command};

/// `-v` tells what is asked and what happens, beside the result and not in it.
#[tokio::test]
async fn what_is_asked_is_told_beside_the_result() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let quiet = stage.types("buyer", &format!("release {escrow} --amount 0.1 --output json")).succeeds();
    assert!(!quiet.err.contains("requests to"), "{quiet:#?}");
    let told = stage.types("buyer", &format!("release {escrow} --amount 0.2 --output json -v")).succeeds();
    assert_eq!(told.json()["escrow"]["milestones"][0]["remaining"]["text"], "0.7 SOL");
    for part in ["the signer is buyer.json", "Signing transaction 1", "The verdict: succeeded", "requests to"] {
        assert!(told.err.contains(part) && told.err.contains(stage.net.rpc_url()), "no {part}: {told:#?}");
    }
    // Also where it fails.
    let refused = stage.types("seller", &format!("release {escrow} --verbose"));
    refused.fails(3, &["the signer is seller.json", "requests to"]);
}

/// Whoever reads has seen enough, as `head` does.
#[tokio::test]
async fn a_closed_pipe_is_no_error() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 1d");
    for line in ["list", "--output json list", &format!("show {escrow}"), "--help", "create --help"] {
        let mut command = command(&stage.folder);
        command.args(["--url", stage.net.rpc_url()]).args(stage.words(line));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{line}");
        assert_eq!(output.status.code(), Some(0), "{line}");
    }
}

/// A result that cannot be written is a failure: a script must not take an empty file for an answer.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_an_error() {
    let stage = Stage::new().await;
    let mut command = command(&stage.folder);
    command.args(["--url", stage.net.rpc_url(), "list"]).stderr(Stdio::piped());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot write the result"));
}

/// The result and nothing else on standard output, in every format; the rest on standard error.
#[tokio::test]
async fn standard_output_is_the_result_alone() {
    let stage = Stage::new().await;
    let created = stage.types("buyer", "create --seller {seller} --amount 1 --deliver-by 1d").succeeds();
    let address = created.out.split_whitespace().nth(1).unwrap().to_owned();
    assert!(created.out.starts_with("escrow "), "{created:#?}");
    assert!(created.err.contains("Sending transaction"), "{created:#?}");
    assert!(created.err.contains(&format!("escrow fund {address}")), "{created:#?}");
    assert!(!created.out.contains("Sending transaction"), "{created:#?}");

    let shown = stage.types("buyer", &format!("show {address}")).succeeds();
    assert_eq!(shown.err, "");
    let json = stage.types("buyer", &format!("--output json show {address}")).succeeds();
    let compact = stage.types("buyer", &format!("show {address} --output json-compact")).succeeds();
    assert_eq!((json.err.as_str(), compact.err.as_str()), ("", ""));
    assert!(json.out.lines().count() > 20);
    assert_eq!(compact.out.lines().count(), 1);
    // Seconds may have passed between the two.
    assert_eq!(json.json()["terms_hash"], compact.json()["terms_hash"]);

    let refused = stage.types("buyer", &format!("expire {address}"));
    assert!(refused.err.starts_with("error: "), "{refused:#?}");
    refused.fails(3, &[]);
}

#[tokio::test]
async fn errors_are_json_for_those_who_asked_for_json() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 1d --fund");
    let refused = stage.types("buyer", &format!("--output json expire {escrow}")).fails(3, &[]);
    let error: serde_json::Value = serde_json::from_str(&refused.err).unwrap();
    assert_eq!(error["name"], "DeadlineNotReached");
    assert_eq!(error["code"], escrow_client::EscrowError::DeadlineNotReached.code());
    assert_eq!(error["signature"], serde_json::Value::Null);
    assert!(error["error"].as_str().unwrap().contains("deadline"));

    let compact = stage.types("seller", &format!("--output json-compact release {escrow}")).fails(3, &[]);
    assert_eq!(compact.err.lines().count(), 1);
    let error: serde_json::Value = serde_json::from_str(&compact.err).unwrap();
    assert_eq!(error["name"], serde_json::Value::Null);
    assert!(error["error"].as_str().unwrap().contains("the buyer"));
}

/// A script that asked for JSON parses whatever comes, also when its own arguments are wrong.
#[test]
fn mistakes_in_the_arguments_are_json_too() {
    let folder = Folder::new();
    let output = command(&folder).args(["--output", "json", "show", "nonsense"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    let error: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
    assert!(error["error"].as_str().unwrap().contains("nonsense"));
}
