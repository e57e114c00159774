//! Which requests meet a fault, and that the same plan does the same again.

use std::time::Duration;

use escrow_fault_proxy::{
    Answer, Balance, Entry, Error, Fault, Http, Lie, Nonsense, Plan, Profile, Proxy, Rule, WEBSOCKET, When,
};
use serde_json::{Value, json};

use crate::{
    client::{ask, post, result},
    node::{Node, account},
    stage,
};

fn lie(text: &str) -> Fault {
    Fault::Lie(Lie::Result(json!(text)))
}

#[tokio::test]
async fn a_rule_is_for_one_client() {
    let (_node, proxy) = stage([Rule::on("getSlot", lie("for alice")).client("alice")]).await;
    assert_eq!(result(&proxy.url_of("alice"), "getSlot", json!([])).await, "for alice");
    assert_eq!(result(&proxy.url_of("alice?key=1"), "getSlot", json!([])).await, "for alice");
    assert_eq!(result(&proxy.url_of("bob"), "getSlot", json!([])).await, 1000);
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, 1000);
    let clients: Vec<String> = proxy.log().entries().into_iter().map(|entry| entry.client).collect();
    assert_eq!(clients, ["alice", "alice", "bob", ""]);
}

#[tokio::test]
async fn a_rule_is_for_what_mentions_an_address() {
    let (_node, proxy) = stage([Rule::always(lie("found")).mentions("abc").times(1)]).await;
    let url = proxy.url();
    assert_eq!(result(&url, "getBalance", json!(["ab", "c"])).await["value"], Value::Null);
    assert_eq!(result(&url, "getMultipleAccounts", json!([["x", "abcd"]])).await, "found");
    assert_eq!(result(&url, "getBalance", json!(["abc"])).await["value"], Value::Null);
}

#[tokio::test]
async fn a_rule_has_its_time() {
    let rule = Rule::on("getSlot", lie("in between")).between(150, 600).times(2);
    let (_node, proxy) = stage([rule]).await;
    let url = proxy.url();
    assert_eq!(result(&url, "getSlot", json!([])).await, 1000);
    tokio::time::sleep(Duration::from_millis(200)).await;
    // What came before its time was not counted.
    for _ in 0..2 {
        assert_eq!(result(&url, "getSlot", json!([])).await, "in between");
    }
    proxy.set_plan(Plan::new([Rule::on("getSlot", lie("in between")).between(0, 100)])).unwrap();
    assert_eq!(result(&url, "getSlot", json!([])).await, "in between");
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(result(&url, "getSlot", json!([])).await, 1000);
}

#[tokio::test]
async fn another_plan_begins_at_its_beginning() {
    let plan = || Plan::new([Rule::on("getSlot", lie("first")).times(1)]);
    let (_node, proxy) = stage(plan().rules).await;
    for _ in 0..2 {
        assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, "first");
        assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, 1000);
        proxy.set_plan(plan()).unwrap();
    }
    let wrong = Plan::new([Rule::always(Fault::Drop).upstream(1)]);
    assert!(matches!(proxy.set_plan(wrong), Err(Error::PlanRule { rule: 0, .. })));
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, "first", "the old one stays");
}

#[tokio::test]
async fn a_plan_that_cannot_be_followed_is_refused() {
    let node = Node::start().await;
    let http = |http| Fault::Answer { delivered: true, with: Answer::Http(http) };
    let text = Some(escrow_fault_proxy::RetryAfter::Text("a\nb".to_owned()));
    let deep = Answer::Nonsense(Nonsense::Deep { levels: usize::MAX });
    for (rule, reason) in [
        (Rule::always(http(Http::status(99))), "HTTP status 99"),
        (Rule::always(http(Http::status(600))), "HTTP status 600"),
        (Rule::always(http(Http { retry_after: text, ..Http::status(429) })), "a\\nb"),
        (Rule::always(http(Http { location: Some("\0".to_owned()), ..Http::status(302) })), "header"),
        (Rule::always(Fault::Balance(Balance::To(1))), "there is no upstream 1; there are 1"),
        (Rule::always(Fault::Balance(Balance::PerRequest)).upstream(0), "cannot depend on it"),
        (Rule::always(Fault::Drop).upstream(7), "no upstream 7"),
        (Rule::always(Fault::Drop).chance(1001, 0), "1001"),
        (Rule::always(Fault::Repeat { times: 101 }), "times is 101"),
        (Rule::always(Fault::Answer { delivered: true, with: deep }), "levels"),
    ] {
        let plan = Plan::new([Rule::always(Fault::Drop), rule.clone()]);
        let error = Proxy::start([&node.url], plan).await.err().unwrap().to_string();
        assert!(error.starts_with("rule 1 of the plan") && error.contains(reason), "{error}");
    }
}

/// Sends the same requests, one after the other. What the client saw, and what the log has of it.
async fn replay(plan: Plan) -> (Vec<(u16, String)>, Vec<Entry>) {
    let node = Node::start().await;
    node.set_account("a", account(5, "o", &[1; 82]));
    node.set_status(1, 990, Value::Null);
    let proxy = Proxy::start([&node.url, &node.url], plan).await.unwrap();
    let mut seen = Vec::new();
    // The port is another each time.
    let text = |body: Vec<u8>| String::from_utf8_lossy(&body).replace(&proxy.url(), "URL");
    for round in 0..6 {
        node.set_slot(1000 + round);
        for (method, params) in [
            ("getLatestBlockhash", json!([])),
            ("getAccountInfo", json!(["a", { "encoding": "base64" }])),
            ("getBlockHeight", json!([])),
            ("getSignatureStatuses", json!([[crate::node::signature(1), crate::node::signature(2)]])),
        ] {
            let answer = ask(&proxy.url(), method, params).await;
            seen.push((answer.status, text(answer.body)));
        }
        let sent = post(&proxy.url(), &crate::client::send_call(1, &crate::node::blockhash(1000)).to_string()).await;
        seen.push((sent.status, text(sent.body)));
    }
    let mut entries = proxy.log().entries();
    for entry in &mut entries {
        entry.at_us = 0;
        if let escrow_fault_proxy::Delivery::Answered { at_us, .. } = &mut entry.delivery {
            *at_us = 0;
        }
    }
    (seen, entries)
}

/// Whether what a plan does depends on how much time passes, or takes too long here.
fn takes_time(plan: &Plan) -> bool {
    let has = |wanted: fn(&Fault) -> bool| plan.rules.iter().any(|rule| wanted(&rule.fault));
    has(|fault| {
        matches!(
            fault,
            Fault::Down { .. }
                | Fault::Hold(_)
                | Fault::Answer { with: Answer::Oversized { .. } | Answer::Slow { .. } | Answer::Length { .. }, .. }
        )
    })
    // What each of two nodes was seen to have.
    || has(|fault| matches!(fault, Fault::Balance(_))) && has(|fault| matches!(fault, Fault::Behind(_)))
}

/// Without the port at which the proxy listened: errors quote its URL, and each listens at another.
fn portless(told: &impl std::fmt::Debug) -> String {
    let told = format!("{told:?}");
    let mut parts = told.split("http://127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "http://127.0.0.1" + part.trim_start_matches(|digit: char| digit.is_ascii_digit())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_does_the_same_to_the_same_requests() {
    let (mut faults, mut replayed) = (0, 0);
    for seed in 0..16 {
        for profile in [Profile::Honest, Profile::Nonsense, Profile::Liar] {
            let plan = Plan::random(seed, profile).paced(10);
            if takes_time(&plan) {
                continue;
            }
            let first = replay(plan.clone()).await;
            let again = replay(Plan::from_json(&plan.to_json()).unwrap()).await;
            for (first, again) in first.0.iter().zip(&again.0) {
                assert_eq!(portless(first), portless(again), "seed {seed}, {profile:?}: {}", plan.to_json());
            }
            for (first, again) in first.1.iter().zip(&again.1) {
                assert_eq!(portless(first), portless(again), "seed {seed}, {profile:?}: {}", plan.to_json());
            }
            faults += first.1.iter().filter(|entry| !entry.rules.is_empty()).count();
            replayed += 1;
        }
    }
    println!("{replayed} plans played twice, {faults} requests met faults");
    assert!(replayed > 25 && faults > 150, "{replayed} plans, {faults} faults");
}

#[tokio::test]
async fn without_one_rule_the_others_do_what_they_did() {
    let chance = |dice: u64| Rule::on("getSlot", lie(&dice.to_string())).chance(300, dice);
    let plan = Plan { seed: 4, rules: vec![Rule::on("getSlot", lie("x")).every(7), chance(1), chance(2)] };
    let run = async |plan: Plan| {
        let node = Node::start().await;
        let proxy = Proxy::start([&node.url], plan).await.unwrap();
        for _ in 0..60 {
            result(&proxy.url(), "getSlot", json!([])).await;
        }
        proxy.log().entries()
    };
    let whole = run(plan.clone()).await;
    let less = run(plan.without(0)).await;
    for (whole, less) in whole.iter().zip(&less) {
        let shifted: Vec<usize> = less.rules.iter().map(|rule| rule + 1).collect();
        let others: Vec<usize> = whole.rules.iter().copied().filter(|rule| *rule != 0).collect();
        assert_eq!(others, shifted);
    }
    assert!(less.iter().any(|entry| entry.rules == [0, 1]));
}

#[test]
fn a_plan_can_be_written_by_hand() {
    let json = r#"{
        "seed": 3,
        "rules": [
            { "when": { "methods": ["sendTransaction"], "count": 2 },
              "fault": { "answer": { "delivered": true, "with": "reset" } } },
            { "when": { "methods": ["getBlockHeight", "getEpochInfo"], "chance": 250 },
              "fault": { "lie": { "number": { "of": "height", "is": { "add": 1000 } } } } },
            { "fault": { "behind": { "slots": 30 } } },
            { "fault": { "hold": { "beforeExpiry": 2 } } },
            { "when": { "methods": ["websocket"] }, "fault": { "answer": { "delivered": true, "with": { "hang": {} } } } }
        ]
    }"#;
    let plan = Plan::from_json(json).unwrap();
    assert_eq!(plan.rules.len(), 5);
    assert_eq!(
        plan.rules[0],
        Rule::on("sendTransaction", Fault::Answer { delivered: true, with: Answer::Reset }).times(2)
    );
    let hang = Fault::Answer { delivered: true, with: Answer::Hang { ms: None } };
    assert_eq!(plan.rules[4], Rule::on(WEBSOCKET, hang));
    assert_eq!(plan.rules[2].when, When::default());
}

#[test]
fn the_plan_in_the_readme_is_one() {
    let readme = include_str!("../../README.md");
    let (json, _) = readme.split_once("```json\n").unwrap().1.split_once("```").unwrap();
    assert_eq!(Plan::from_json(json).unwrap().rules.len(), 3);
}
