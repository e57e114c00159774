//! The proxy as a program.

use std::process::Stdio;

use escrow_fault_proxy::{Plan, Profile};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    client::{End, ask, send},
    node::{Node, blockhash, signature},
};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_escrow-fault-proxy"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn output(args: &[&str]) -> (bool, String, String) {
    let output = command(args).output().await.unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

async fn interrupt(child: &mut Child) -> bool {
    let id = child.id().unwrap().to_string();
    Command::new("kill").args(["-INT", &id]).status().await.unwrap();
    child.wait().await.unwrap().success()
}

#[tokio::test]
async fn it_prints_the_plan_of_a_seed() {
    let (ok, text, _) = output(&["--seed", "7", "--profile", "honest", "--print-plan"]).await;
    assert!(ok);
    assert_eq!(Plan::from_json(&text).unwrap(), Plan::random(7, Profile::Honest));
    let (_, text, _) = output(&["--seed", "7", "--profile", "liar", "--block-ms", "10", "--print-plan"]).await;
    assert_eq!(Plan::from_json(&text).unwrap(), Plan::random(7, Profile::Liar).paced(10));
}

#[tokio::test]
async fn it_follows_a_plan_from_a_file_and_prints_the_log() {
    let node = Node::start().await;
    let file = std::env::temp_dir().join(format!("escrow-fault-proxy-plan-{}.json", std::process::id()));
    let plan = json!({ "rules": [
        { "when": { "methods": ["sendTransaction"] }, "fault": { "answer": { "delivered": true, "with": "reset" } } },
        { "when": { "methods": ["getSlot"] }, "fault": { "hook": { "name": "look", "delivered": false } } },
    ]});
    std::fs::write(&file, plan.to_string()).unwrap();
    let mut child = command(&["--upstream", &node.url, "--log", "--plan", file.to_str().unwrap()]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    assert_eq!(ask(&url, "getSlot", json!([])).await.json()["result"], 1000);
    assert_eq!(send(&url, 1, &blockhash(1000)).await.end, End::Reset);
    let slot: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let sent: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!((&slot["method"], &slot["rules"]), (&json!("getSlot"), &json!([1])));
    assert_eq!((&sent["signature"], &sent["told"]), (&json!(signature(1)), &json!({ "fault": "reset" })));
    assert_eq!(sent["delivery"]["answered"]["answer"]["result"], signature(1));
    assert!(interrupt(&mut child).await);
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
    assert_eq!(errors, "hook look: getSlot\n");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn it_says_what_was_wrong_and_what_to_do() {
    for (args, text) in [
        (&["--upstream", "http://192.0.2.1:1"][..], "name a node on this machine"),
        (&["--listen", "0.0.0.0:0"], "loopback"),
        (&["--plan", "/nowhere/plan.json"], "/nowhere/plan.json"),
        (&["--plan", "/nowhere/plan.json", "--profile", "liar"], "cannot be used with"),
        (&["--profile", "saint"], "honest, nonsense, liar"),
    ] {
        let (ok, out, err) = output(args).await;
        assert!(!ok && out.is_empty() && err.starts_with("error: ") && err.contains(text), "{err}");
    }
}

#[tokio::test]
async fn it_ends_when_nobody_reads_it() {
    let node = Node::start().await;
    let mut child = command(&["--upstream", &node.url, "--log"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    drop(lines);
    ask(&url, "getSlot", json!([])).await.json();
    assert!(!child.wait().await.unwrap().success());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
    assert!(errors.starts_with("error: cannot write to standard output"), "{errors}");
}
