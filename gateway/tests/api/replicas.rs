//! Several processes on one database: one row, one lease, the same bytes.

use std::time::Duration;

use escrow_client::sender::{Fingerprint, Store as _, Time};
use escrow_gateway::{
    api::auth::Scope,
    config::Role,
    now_ms,
    submit::{Journal, name_of},
};
use escrow_localnet::Localnet;
use reqwest::Method;
use serde_json::{Value, json};
use solana_signer::Signer;

use crate::harness::{SOL, User, config, databases, gateway, make_key, net, patient_net, people, run, sign, terms};

/// Prepares and submits a creation, and returns its id.
async fn submit(net: &Localnet, user: &User) -> String {
    let people = people(net).await;
    let create = json!([{"type": "create", "terms": terms(net, &people, &[SOL]).await}]);
    let order = json!({"actions": create, "fee_payer": people[0].pubkey().to_string()});
    let prepared = user.post("/v1/transactions", &order).await.expect(201);
    let id = prepared["id"].as_str().unwrap().to_owned();
    let signed = sign(prepared["transaction"].as_str().unwrap(), &[&people[0]]);
    let path = format!("/v1/transactions/{id}/signed");
    user.json(Method::PUT, &path, &[], &json!({"transaction": signed})).await.expect(202);
    id
}

async fn wait(user: &User, id: &str) -> Value {
    user.send(Method::GET, &format!("/v1/transactions/{id}"), &[("prefer", "wait=20")], None).await.expect(200)
}

#[test]
fn what_one_replica_takes_another_brings_to_its_end() {
    run(async {
        for database in databases() {
            let net = net().await;
            let mut api = config(net.rpc_url());
            api.roles = vec![Role::Api];
            let first = gateway(&database, api.clone()).await;
            let (key, _) = make_key(&first.store, "shop", &Scope::ALL, None).await;
            let user = User::with(&first, Some(key.clone()));
            let id = submit(net, &user).await;
            // Nobody sends it: it is written down, and the process that took it dies.
            let state = user.get(&format!("/v1/transactions/{id}")).await.expect(200);
            assert_eq!(state["status"], "submitted");
            first.end();
            first.ended().await.unwrap();
            let second = gateway(&database, config(net.rpc_url())).await;
            let user = User::with(&second, Some(key));
            assert_eq!(wait(&user, &id).await["status"], "finalized");
        }
    });
}

#[test]
fn a_dead_lease_holder_keeps_nobody_longer_than_its_lease() {
    run(async {
        for database in databases() {
            let net = net().await;
            let mut api = config(net.rpc_url());
            api.roles = vec![Role::Api];
            let first = gateway(&database, api).await;
            let (key, _) = make_key(&first.store, "shop", &Scope::ALL, None).await;
            let user = User::with(&first, Some(key));
            let id = submit(net, &user).await;
            // Somebody claims it for three seconds, and dies.
            let journal = Journal::new(database.open().await);
            let fingerprint: Fingerprint = name_of(&id);
            let now = Time(u64::try_from(now_ms()).unwrap());
            journal.claim(fingerprint, "the dead", now, now.plus(3_000)).await.unwrap();
            let second = gateway(&database, config(net.rpc_url())).await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let state = user.get(&format!("/v1/transactions/{id}")).await.expect(200);
            assert_eq!(state["status"], "submitted", "it is taken from who holds it");
            // From then on it is brought to its end: in time, or too late for its block hash.
            let ended = wait(&user, &id).await["status"].clone();
            assert!(["finalized", "expired"].contains(&ended.as_str().unwrap_or_default()), "{ended}");
            second.end();
            second.ended().await.unwrap();
        }
    });
}

#[test]
fn of_two_nodes_one_alone_is_not_believed_that_something_is_final() {
    use escrow_fault_proxy::{Fault, Lie, Plan, Proxy, Rule, StatusLie};
    run(async {
        let net = net().await;
        let payer = net.new_funded_keypair(SOL).await.unwrap();
        let transfer = solana_system_interface::instruction::transfer(&payer.pubkey(), &payer.pubkey(), 1);
        let signature = net.send(&[transfer], &[&payer]).await.unwrap();
        let knows_nothing = Fault::Lie(Lie::Status { signature: None, is: StatusLie::Unknown });
        let proxy = Proxy::start(vec![net.rpc_url()], Plan::new([Rule::always(knows_nothing)])).await.unwrap();
        let mut both = config(net.rpc_url());
        both.nodes.push(proxy.url());
        let database = crate::harness::sqlite();
        let gateway = gateway(&database, both).await;
        let user = User::new(&gateway, "shop", &[Scope::Read]).await;
        let path = format!("/v1/transactions/{signature}");
        // On demand blocks follow until it is finalized.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let doubted = user.get(&path).await.expect(200);
        assert_eq!((doubted["status"].as_str(), doubted["id"].as_str()), (Some("confirmed"), None), "{doubted}");
        proxy.set_plan(Plan::default()).unwrap();
        assert_eq!(user.get(&path).await.expect(200)["status"], "finalized");
    });
}

#[test]
fn many_submitted_to_two_replicas_are_all_executed_once() {
    run(async {
        for database in databases() {
            let net = &patient_net().await;
            let replicas =
                [gateway(&database, config(net.rpc_url())).await, gateway(&database, config(net.rpc_url())).await];
            let (key, _) = make_key(&replicas[0].store, "shop", &Scope::ALL, None).await;
            let users = replicas.each_ref().map(|replica| User::with(replica, Some(key.clone())));
            let one = |index: usize| {
                let users = &users;
                async move {
                    let id = submit(net, &users[index % 2]).await;
                    // Asked of the other one.
                    let mut state = wait(&users[(index + 1) % 2], &id).await;
                    for _ in 0..3 {
                        if state["status"] == "finalized" {
                            break;
                        }
                        state = wait(&users[(index + 1) % 2], &id).await;
                    }
                    assert_eq!(state["status"], "finalized", "{state}");
                    state["signature"].as_str().unwrap().to_owned()
                }
            };
            let mut signatures = futures_util::future::join_all((0..20).map(one)).await;
            signatures.sort();
            signatures.dedup();
            assert_eq!(signatures.len(), 20);
        }
    });
}
