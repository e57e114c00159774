//! Whose turn it is, what is waited for, and how it ended: what is typed, and what comes out.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Stdio},
};

use serde_json::{Value, json};

use crate::{DAY, Stage, command};

fn addresses(found: &Value, field: &str) -> Vec<String> {
    found.as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn next_shows_whose_turn_it_is_and_the_most_urgent_first() {
    let stage = Stage::new().await;
    stage.types_only("buyer", "next").succeeds().shows(&["there are no open escrows"]);
    let late = stage.create("--arbiter {arbiter} --amount 1 --deliver-by 9d --fund");
    let soon = stage.create("--arbiter {arbiter} --amount 2 --deliver-by 2d --fund");
    let next = |who: &str, more: &str| stage.types_only(who, &format!("next {more}")).succeeds();

    next("buyer", "").shows(&["nothing to do at present (2 open: escrow list)"]);
    let shown = next("seller", "");
    let lines: Vec<&str> = shown.out.lines().skip(1).collect();
    assert_eq!(lines.len(), 2, "one line a deal: {shown:#?}");
    assert!(lines[0].contains("Deliver milestone 1 until") && lines[0].ends_with(&soon), "{shown:#?}");
    assert!(lines[1].contains("otherwise 1 SOL for the buyer") && lines[1].ends_with(&late), "{shown:#?}");
    // Whoever asks sees what waits for another where they say so.
    let waiting = stage.asks("buyer", "next --party {seller}");
    assert_eq!(addresses(&waiting, "escrow"), [soon.as_str(), &late]);
    assert_eq!(waiting[0]["tasks"][0]["need"], "deliver");
    assert_eq!(waiting[0]["roles"], json!(["seller"]));

    // The turn goes round: to the buyer, to the arbiter, and to who is paid.
    stage.types("seller", &format!("deliver {soon}")).succeeds();
    assert_eq!(addresses(&stage.asks("buyer", "next"), "escrow"), [soon.as_str()]);
    assert_eq!(addresses(&stage.asks("seller", "next"), "escrow"), [late.as_str()]);
    stage.types("buyer", &format!("dispute {soon}")).succeeds();
    next("arbiter", "").shows(&["Rule on milestone 1", &soon]);
    stage.types("arbiter", &format!("rule {soon} --seller-share 100")).succeeds();
    assert_eq!(addresses(&stage.asks("seller", "next"), "escrow").len(), 2);
    stage.types_only("stranger", "next --party nobody").fails(2, &["nobody"]);
    stage.types_only("missing", "next").fails(1, &["missing.json", "--keypair"]);
}

#[tokio::test]
async fn list_takes_filters_and_puts_what_needs_you_first() {
    let stage = Stage::new().await;
    let mine = stage.create("--arbiter {arbiter} --amount 1 --deliver-by 9d --fund");
    let theirs = stage.create("--arbiter {arbiter} --amount 2 --deliver-by 2d --fund");
    let unfunded = stage.create("--amount 3 --deliver-by 9d --fund-by 5d");
    stage.types("seller", &format!("deliver {mine}")).succeeds();
    let list = |who: &str, filter: &str| addresses(&stage.asks(who, &format!("list {filter}")), "address");

    // The buyer has three days to look at one, and five to pay for another; the seller has two to deliver the third.
    assert_eq!(list("buyer", ""), [mine.as_str(), &unfunded, &theirs]);
    assert_eq!(list("seller", "")[0], theirs);
    assert_eq!(list("buyer", "--party {seller}"), list("seller", ""));
    for (filter, wanted) in [
        ("--status delivered", vec![&mine]),
        ("--status created", vec![&unfunded]),
        ("--status funded", vec![&theirs]),
        ("--status disputed", vec![]),
        ("--due-within 3d", vec![&mine, &theirs]),
        ("--due-within 1h", vec![]),
        ("--role buyer --status created", vec![&unfunded]),
        ("--role seller", vec![]),
        ("--all --status created", vec![&unfunded]),
    ] {
        assert_eq!(list("buyer", filter).iter().collect::<Vec<_>>(), wanted, "{filter}");
    }
    let shown = stage.types_only("buyer", "list").succeeds();
    let rows = shown.out.lines().filter(|line| [&mine, &theirs, &unfunded].iter().any(|one| line.starts_with(*one)));
    assert!(rows.clone().all(|row| row.chars().count() <= 80) && rows.count() == 3, "{shown:#?}");
    shown.shows(&["Look at what was delivered", "delivery deadline of milestone 1: "]);

    stage.types_only("buyer", "list --status finished").fails(2, &["finished", "delivered"]);
    stage.types_only("buyer", "list --due-within soon").fails(2, &["soon"]);
    stage.types_only("missing", "list --role buyer").fails(1, &["--keypair"]);
}

#[tokio::test]
async fn wait_ends_when_it_has_come_and_exits_with_8_when_not() {
    let stage = Stage::new().await;
    let escrow = stage.create("--arbiter {arbiter} --amount 1 --deliver-by 9d");
    stage.types_only("seller", &format!("wait {escrow} --until created --timeout 30s")).succeeds();
    let waited = stage.types_only("seller", &format!("wait {escrow} --until funded,final --timeout 1s"));
    waited.fails(8, &["is not funded after 1s", &format!("escrow show {escrow}")]);

    // It is told while it waits, and not by what was there before.
    let waits = format!("--output json wait {escrow} --until funded,final --timeout 2m");
    let come = std::thread::scope(|threads| {
        let waiting = threads.spawn(|| stage.types_only("seller", &waits));
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert!(!waiting.is_finished());
        stage.types("buyer", &format!("fund {escrow}")).succeeds();
        waiting.join().unwrap().succeeds().json()
    });
    assert_eq!(come["reached"], json!(["funded", "final"]));
    assert_eq!((&come["status"], &come["address"]), (&json!("funded"), &json!(escrow)));

    // One that is not there may come; one that is closed never will be what it is not.
    let nobody = stage.address("stranger").to_string();
    stage
        .types_only("seller", &format!("wait {} --until created --timeout 1s", solana_pubkey::Pubkey::new_unique()))
        .fails(8, &["is not created"]);
    stage.types_only("seller", &format!("wait {nobody} --until created --timeout 1s")).fails(8, &["is not created"]);
    stage.types("buyer", &format!("release {escrow}")).succeeds();
    stage.types_only("seller", &format!("wait {escrow} --until settled,funded --timeout 30s")).succeeds();
    stage.types("seller", &format!("withdraw {escrow}")).succeeds();
    stage.net.advance_time(DAY).await.unwrap();
    stage.types("buyer", &format!("close {escrow}")).succeeds();
    let closed = stage.types_only("seller", &format!("wait {escrow} --until closed,final --timeout 1m")).succeeds();
    closed.shows(&["is closed and final"]);
    stage
        .types_only("seller", &format!("wait {escrow} --until disputed --timeout 1m"))
        .fails(3, &["never be disputed"]);

    stage.types_only("seller", &format!("wait {escrow}")).fails(2, &["--until"]);
    stage.types_only("seller", &format!("wait {escrow} --until paid")).fails(2, &["paid", "settled"]);
    stage.types_only("seller", &format!("wait {escrow} --until final --timeout never")).fails(2, &["never"]);
}

#[tokio::test]
async fn a_receipt_is_for_what_is_over() {
    let stage = Stage::new().await;
    let escrow = stage.create("--arbiter {arbiter} --amount 1.5 --deliver-by 9d --fund");
    let receipt = format!("receipt {escrow}");
    stage.types_only("seller", &receipt).fails(3, &["no receipt before everything is decided", &escrow]);
    stage.types("seller", &format!("refund {escrow} --amount 0.5")).succeeds();
    stage.types("buyer", &format!("release {escrow}")).succeeds();
    let due = stage.types_only("seller", &receipt).succeeds();
    due.shows(&[
        "RECEIPT",
        "still to be paid out",
        "released by the buyer",
        "refunded by the seller",
        "no tax invoice",
    ]);
    for who in ["seller", "buyer"] {
        stage.types(who, &format!("withdraw {escrow} --recipient {who}")).succeeds();
    }
    // It is the same after the account is gone, and what went in is what came out.
    stage.net.advance_time(DAY).await.unwrap();
    stage.types("buyer", &format!("close {escrow}")).succeeds();
    let told = stage.asks("stranger", &receipt);
    assert_eq!(told["escrow"], json!(escrow));
    assert_eq!(told["paid_in"]["units"], "1500000000");
    let units = |one: &Value| one["amount"]["units"].as_str().unwrap().parse::<u64>().unwrap();
    let moved: Vec<u64> = told["movements"].as_array().unwrap().iter().map(units).collect();
    assert_eq!(moved, [1_500_000_000, 1_000_000_000, 500_000_000]);
    assert!(told["closed"].is_string(), "{told:#}");

    let page = stage.folder.0.join("receipt.pdf");
    stage.types_only("seller", &format!("{receipt} --pdf receipt.pdf")).succeeds().shows(&["written to receipt.pdf"]);
    let written = fs::read(&page).unwrap();
    assert!(written.starts_with(b"%PDF-"), "{:?}", written.get(..8));
    // What is there already may be another deal's.
    stage.types_only("seller", &format!("{receipt} --pdf receipt.pdf")).fails(1, &["cannot write receipt.pdf"]);
    assert_eq!(fs::read(&page).unwrap(), written);

    let nobody = solana_pubkey::Pubkey::new_unique();
    stage.types_only("seller", &format!("receipt {nobody}")).fails(1, &[&nobody.to_string()]);
}

/// A command that tells events until it is killed.
struct Telling {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Telling {
    fn new(stage: &Stage, line: &str) -> Self {
        let mut command = command(&stage.folder);
        command.args(["--url", stage.net.rpc_url(), "--keypair", "buyer.json", "--output", "json-compact"]);
        command.args(stage.words(line)).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// The next event.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn id(event: &Value) -> String {
    event["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn listen_goes_on_after_a_kill_and_each_event_has_one_id() {
    let stage = Stage::new().await;
    let escrow = stage.create("--arbiter {arbiter} --amount 1 --deliver-by 9d");
    let listen = format!("listen {escrow} --from cursor");
    // It begins with what happens from now on; the file says so before anything is told.
    let mut listening = Telling::new(&stage, &listen);
    while !stage.folder.0.join("cursor").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut told: Vec<Value> = Vec::new();
    let is_action = |event: &Value| !event["kind"].as_str().unwrap().starts_with("deadline_");
    // Up to the next action, with the reminders before it. After a kill the last one may come once more, under its id; no other
    // ever does.
    let mut hear = |listening: &mut Telling| {
        let mut last = told.last().map(id);
        loop {
            let event = listening.next();
            if last.take().is_some_and(|last| last == id(&event)) {
                continue;
            }
            assert!(told.iter().all(|earlier| id(earlier) != id(&event)), "{event:#} came before");
            told.push(event);
            if told.last().is_some_and(is_action) {
                break;
            }
        }
    };
    for (who, act, offer) in [("buyer", "fund", "0.5"), ("seller", "deliver", "0.6"), ("buyer", "dispute", "0.7")] {
        stage.types(who, &format!("{act} {escrow}")).succeeds();
        hear(&mut listening);
        // What happens while nobody listens is told afterwards.
        listening.kill();
        stage.types(who, &format!("propose {escrow} --seller-amount {offer}")).succeeds();
        listening = Telling::new(&stage, &listen);
        hear(&mut listening);
        listening.kill();
        listening = Telling::new(&stage, &listen);
    }
    listening.kill();
    let actions = told.iter().filter(|event| is_action(event));
    let kinds: Vec<&str> = actions.map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fund", "propose", "deliver", "propose", "dispute", "propose"], "{told:#?}");

    // A cursor that is damaged, or of other escrows, is refused.
    let other = stage.create("--amount 2 --deliver-by 9d");
    stage.types_only("buyer", "listen --from cursor").fails(2, &["cursor keeps what was told of other escrows"]);
    let text = fs::read_to_string(stage.folder.0.join("cursor")).unwrap();
    stage.folder.write("cursor", text.replacen('1', "2", 1));
    stage.types_only("buyer", &format!("listen {other} --from cursor")).fails(2, &["cursor"]);
}

#[tokio::test]
async fn watch_shows_what_happens_to_those_that_are_named() {
    let stage = Stage::new().await;
    let escrow = stage.create("--arbiter {arbiter} --amount 1 --deliver-by 9d");
    let other = stage.create("--amount 2 --deliver-by 9d");
    let mut watch = Telling::new(&stage, &format!("watch {escrow}"));
    // It has begun when it has asked where to begin.
    std::thread::sleep(std::time::Duration::from_secs(3));
    stage.types("buyer", &format!("fund {other}")).succeeds();
    stage.types("buyer", &format!("fund {escrow}")).succeeds();
    let event = watch.next();
    assert_eq!(event["escrow"], json!(escrow));
    stage.types("buyer", &format!("release {escrow}")).succeeds();
    let released = watch.next();
    assert_eq!(released["escrow"], json!(escrow));
    assert_ne!(id(&released), id(&event));
}
