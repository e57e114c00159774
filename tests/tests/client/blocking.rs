//! The client whose methods wait: from code without async, and from inside async code.

use std::sync::Arc;

use escrow_client::{EscrowInstruction, Filter, blocking, instruction};
use solana_signer::Signer;

use crate::{SOL, World};

#[test]
fn a_script_without_async_creates_reads_and_lists() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, terms) = runtime.block_on(async {
        let world = World::new().await;
        let money = world.sol().await;
        let terms = world.terms(&money, SOL).await;
        (world, terms)
    });
    let client = blocking::EscrowClient::of(world.client.clone()).unwrap();
    let create = instruction::create(world.operator.pubkey(), &terms).unwrap();
    let fund = instruction::fund(&terms).unwrap();
    let signers: [Arc<dyn Signer + Send + Sync>; 2] =
        [Arc::new(world.operator.insecure_clone()), Arc::new(world.buyer.insecure_clone())];
    let confirmed = client.send(&[create, fund], &signers).unwrap();
    let address = escrow_client::address::escrow_address(&terms).unwrap();
    let escrow = client.escrow(&address).unwrap();
    assert!(escrow.is_funded());
    assert_eq!(client.find(&address).unwrap(), Some(escrow.clone()));
    let filter = Filter { buyer: Some(world.buyer.pubkey()), ..Filter::default() };
    assert_eq!(client.list(&filter).unwrap(), vec![escrow.clone()]);
    assert_eq!(client.list_of(&world.seller.pubkey()).unwrap(), vec![escrow]);
    let situation = client.situation(&address).unwrap();
    assert!((client.now().unwrap() - situation.now).abs() < 60);
    let history = client.history(&address).unwrap();
    let names: Vec<_> = history.steps.iter().map(|step| step.entry.action.instruction.name()).collect();
    assert_eq!(names, ["create", "fund"]);
    assert!(history.steps.iter().all(|step| step.entry.signature == confirmed.signature));
    assert!(client.unresolved().unwrap().is_empty());
    let none = client.escrow(&world.seller.pubkey()).unwrap_err();
    assert!(none.to_string().contains("is not an escrow") || none.to_string().contains("no escrow"), "{none}");
    assert!(client.kept(client.fingerprint(&world.buyer.pubkey(), &[b"nothing"]).unwrap()).unwrap().is_none());
    let release = situation.action(EscrowInstruction::Release { milestone: 0, amount: SOL, expected_remaining: SOL });
    let prepared = client.prepare(&[release.instruction(&situation.escrow)], &world.buyer.pubkey()).unwrap();
    assert!(client.simulate(&prepared).unwrap() > 0);
    // Prepared here, signed by hand, kept and sent.
    let signed = prepared.sign(&[&world.buyer]).unwrap().complete().unwrap();
    let submitted = client.submit(signed).unwrap();
    assert_eq!(client.confirm(&submitted).unwrap().signature, submitted.signature());
    assert!(client.escrow(&address).unwrap().is_settled());
}

/// A blocking client of reqwest's panics here, when it is used and again when it is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_made_used_and_dropped_inside_async_code() {
    let world = World::new().await;
    let client = blocking::EscrowClient::of(world.client.clone()).unwrap();
    let clone = client.clone();
    assert!(client.now().unwrap() > 0);
    drop(client);
    // The thread lives as long as one of them.
    assert!(clone.now().unwrap() > 0);
    drop(clone);
    let gone = blocking::EscrowClient::new("http://127.0.0.1:1", world.client.commitment()).unwrap();
    assert!(gone.now().is_err());
    drop(gone);
}

/// With a single thread nothing else runs meanwhile, and it ends all the same: its own thread does the work.
#[tokio::test(flavor = "current_thread")]
async fn one_thread_is_enough() {
    let world = World::new().await;
    // This runtime has a connection open, which it cannot look after while it is held up.
    let awaited = escrow_client::EscrowClient::new(world.net.rpc_url(), world.client.commitment());
    assert!(awaited.now().await.unwrap() > 0);
    let client = blocking::EscrowClient::of(awaited).unwrap();
    assert!(client.now().unwrap() > 0);
}
