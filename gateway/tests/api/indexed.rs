//! The index of the embedded validator's escrows, as clients see it; also behind a node that goes wrong.

use std::time::{Duration, Instant};

use escrow_fault_proxy::{Answer as Wrong, Fault, Lag, Nonsense, Plan, Proxy, Rule};
use escrow_gateway::{api::auth::Scope, config::Role, serve::Gateway};
use reqwest::Method;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::harness::{Database, SOL, User, config, databases, gateway, net, people, run, sqlite, terms, world};

/// A gateway with an index, that asks a node at this address.
async fn indexing(database: &Database, url: &str) -> (Gateway, User) {
    let mut config = config(url);
    config.roles = vec![Role::Api, Role::Index];
    (config.index.pause_ms, config.index.fresh_seconds) = (100, 5);
    config.index.first_slot = net().await.rpc().get_first_available_block().await.expect("a slot");
    let gateway = gateway(database, config).await;
    let user = User::new(&gateway, "shop", &[Scope::Read]).await;
    (gateway, user)
}

/// Waits until something is as it should be.
async fn until<F: Future<Output = Option<T>>, T>(user: &User, what: &str, ask: impl Fn() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        if began.elapsed() > Duration::from_secs(60) {
            let ready = user.get("/readyz").await;
            panic!("{what} has not come within a minute: {ready:?}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A deal that is created, paid in and delivered: its address.
async fn deal(user: &User, people: &[Keypair; 3]) -> String {
    let [buyer, seller, _] = people;
    let terms = json!({"terms": terms(net().await, people, &[SOL, SOL]).await});
    let told = user.post("/v1/terms", &terms).await.expect(200);
    let address = told["address"].as_str().unwrap().to_owned();
    let create = json!([{"type": "create", "terms": told["terms"], "fund": true}]);
    let (_, status) = user.execute(create, &[buyer]).await;
    assert_eq!(status["status"], "finalized", "{status}");
    let deliver = json!([{"type": "deliver", "escrow": address, "milestone": 1}]);
    let (_, status) = user.execute(deliver, &[seller]).await;
    assert_eq!(status["status"], "finalized", "{status}");
    address
}

/// The events of an escrow that are told by now.
async fn told(user: &User, escrow: &str) -> Vec<Value> {
    let page = user.get(&format!("/v1/events?escrow={escrow}&limit=100")).await.expect(200);
    page["events"].as_array().unwrap().clone()
}

/// All pages of a list.
async fn addresses(user: &User, query: &str) -> (Vec<String>, Value) {
    let (mut path, mut found) = (format!("/v1/escrows?limit=2&{query}"), Vec::new());
    loop {
        let page = user.get(&path).await.expect(200);
        found.extend(page["escrows"].as_array().unwrap().iter().map(|row| row["address"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => return (found, page["finality"].clone()),
        }
    }
}

#[test]
fn the_index_lists_what_the_chain_lists_by_every_filter() {
    run(async {
        for database in databases() {
            let net = net().await;
            let other = sqlite();
            let plain = world(&other).await;
            let people = people(net).await;
            let mut deals = Vec::new();
            for _ in 0..3 {
                deals.push(deal(&plain.user, &people).await);
            }
            let refund = json!([{"type": "refund", "escrow": deals[0], "milestone": 1}]);
            let (_, status) = plain.user.execute(refund, &[&people[1]]).await;
            assert_eq!(status["status"], "finalized", "{status}");
            let (gateway, user) = indexing(&database, net.rpc_url()).await;
            until(&user, "the refund", || async {
                told(&user, &deals[0]).await.iter().any(|one| one["event"]["kind"] == "refund").then_some(())
            })
            .await;
            until(&user, "a fresh index", || async {
                let cluster = user.get("/v1/cluster").await.expect(200);
                cluster["index"]["complete_seconds_ago"].is_number().then_some(())
            })
            .await;
            let [buyer, seller, arbiter] = people.each_ref().map(|one| one.pubkey().to_string());
            let now = net.clock().await.unwrap().unix_timestamp;
            let queries = [
                format!("party={buyer}"),
                format!("party={seller}&role=seller"),
                format!("party={seller}&role=buyer"),
                format!("party={arbiter}&role=arbiter&status=funded"),
                format!("party={buyer}&status=created"),
                format!("party={buyer}&attention=buyer"),
                format!("party={buyer}&attention=seller"),
                format!("party={buyer}&attention=arbiter"),
                format!("party={buyer}&deadline_before={}", now + 4 * 24 * 60 * 60),
                format!("party={buyer}&deadline_before={}", now + 40 * 24 * 60 * 60),
                format!("party={buyer}&mint={}", Keypair::new().pubkey()),
                format!("party={buyer}&document_hash={}", "0".repeat(64)),
            ];
            let mut lengths = Vec::new();
            for query in queries {
                let (on_chain, from_chain) = addresses(&plain.user, &query).await;
                let (indexed, from_index) = addresses(&user, &query).await;
                assert_eq!((from_chain.as_str(), from_index.as_str()), (Some("confirmed"), Some("finalized")));
                assert_eq!(indexed, on_chain, "{query}");
                lengths.push(indexed.len());
            }
            assert_eq!(lengths.iter().max(), Some(&3));
            assert!(lengths.contains(&0) && lengths.contains(&2), "the filters tell something apart: {lengths:?}");
            let ready = user.get("/readyz").await.expect(200);
            assert_eq!(ready["degraded"], false, "{ready}");
            gateway.end();
            gateway.ended().await.unwrap();
            // Whoever ends leaves its place to others at once.
            let next = database.open().await.lease("index", "another", 0, 1).await.unwrap();
            assert!(next.is_some(), "its lease ended with it");
            // Without a process that keeps it fresh, lists come from the chain again.
            let mut alone = config(net.rpc_url());
            (alone.roles, alone.index.fresh_seconds) = (vec![Role::Api], 1);
            let gateway = crate::harness::gateway(&database, alone).await;
            let user = User::new(&gateway, "shop", &[Scope::Read]).await;
            until(&user, "what is old", || async {
                (addresses(&user, &format!("party={buyer}")).await.1 == "confirmed").then_some(())
            })
            .await;
            let ready = user.get("/readyz").await.expect(200);
            assert_eq!((&ready["ready"], &ready["degraded"]), (&json!(true), &json!(true)), "{ready}");
        }
    });
}

/// Everything that a node answers the index with may go wrong.
fn plan(seed: u64) -> Plan {
    let lost = |method: &str, with: Wrong, dice: u64| {
        Rule::on(method, Fault::Answer { delivered: false, with }).chance(80, seed * 10 + dice)
    };
    let rules = [
        lost("getTransaction", Wrong::Nonsense(Nonsense::NullResult), 1),
        lost("getTransaction", Wrong::Reset, 2),
        lost("getSignaturesForAddress", Wrong::Reset, 3),
        lost("getSignaturesForAddress", Wrong::Nonsense(Nonsense::OtherShape), 4),
        lost("getMultipleAccounts", Wrong::Nonsense(Nonsense::WrongTypes), 5),
        lost("getFirstAvailableBlock", Wrong::Nonsense(Nonsense::NotANumber), 6),
        lost("getProgramAccounts", Wrong::Reset, 7),
        Rule::always(Fault::Behind(Lag::Slots(1 + seed % 20))).chance(60, seed * 10 + 8),
        Rule::always(Fault::Down { ms: Some(300), delivered: false }).chance(10, seed * 10 + 9),
    ];
    Plan { seed, rules: rules.into() }
}

fn seeds() -> u64 {
    match std::env::var("ESCROW_EFFORT").as_deref() {
        Ok("full") => 50,
        Ok(number) => number.parse().unwrap_or(3),
        Err(_) => 3,
    }
}

#[test]
fn behind_a_node_that_goes_wrong_the_log_is_the_history_of_the_chain() {
    run(async {
        let net = net().await;
        let other = sqlite();
        let plain = world(&other).await;
        for seed in 0..seeds() {
            let proxy = Proxy::start([net.rpc_url()], plan(seed)).await.unwrap();
            let database = sqlite();
            let (mut gateway, mut user) = indexing(&database, &proxy.url()).await;
            let people = people(net).await;
            let mut deals = Vec::new();
            for round in 0..3 {
                deals.push(deal(&plain.user, &people).await);
                if round == 1 {
                    // It is killed in the middle: nobody says that it ends.
                    drop(gateway);
                    (gateway, user) = indexing(&database, &proxy.url()).await;
                }
            }
            for escrow in &deals {
                let history =
                    plain.user.get(&format!("/v1/escrows/{escrow}/history?finality=finalized")).await.expect(200);
                let happened: Vec<(&Value, &Value)> = history["entries"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| (&one["signature"], &one["action"]))
                    .collect();
                assert_eq!(happened.len(), 3, "{history}");
                let events = until(&user, "the log", || async {
                    let events = told(&user, escrow).await;
                    (events.iter().filter(|one| !one["event"]["change"].is_null()).count() >= 3).then_some(events)
                })
                .await;
                let changes: Vec<(&Value, &Value)> = events
                    .iter()
                    .filter(|one| !one["event"]["change"].is_null())
                    .map(|one| (&one["event"]["change"]["signature"], &one["event"]["kind"]))
                    .collect();
                assert_eq!(changes, happened, "seed {seed}");
                let mut ids: Vec<&str> = events.iter().map(|one| one["event"]["id"].as_str().unwrap()).collect();
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), events.len(), "none twice: seed {seed}");
                assert!(events.iter().all(|one| one["event"]["kind"] != "gap"), "seed {seed}");
            }
            gateway.end();
            gateway.ended().await.unwrap();
            proxy.shutdown().await;
        }
    });
}

/// The runbook of an index that does not come further.
#[test]
fn an_index_whose_node_does_not_answer_says_so_and_is_asked_all_the_same() {
    run(async {
        let net = net().await;
        let silent =
            Plan::new([Rule::on("getSignaturesForAddress", Fault::Answer { delivered: false, with: Wrong::Reset })]);
        let proxy = Proxy::start([net.rpc_url()], silent).await.unwrap();
        let database = sqlite();
        let (_gateway, user) = indexing(&database, &proxy.url()).await;
        let ready = until(&user, "a degraded index", || async {
            let ready = user.send(Method::GET, "/readyz", &[], None).await.expect(200);
            (ready["degraded"] == true).then_some(ready)
        })
        .await;
        let check = ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "index").unwrap();
        assert!(check["detail"].as_str().unwrap().contains("the node did not answer"), "{check}");
        let cluster = user.get("/v1/cluster").await.expect(200);
        assert!(cluster["index"]["trouble"].as_str().unwrap().contains("the node did not answer"), "{cluster}");
        until(&user, "a list from the chain", || async {
            (user.get("/v1/escrows?limit=1").await.expect(200)["finality"] == "confirmed").then_some(())
        })
        .await;
        proxy.shutdown().await;
    });
}
