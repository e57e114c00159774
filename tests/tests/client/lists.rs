//! Finding escrows by their parties.

use std::collections::BTreeSet;

use escrow_client::{EscrowAccount, Filter, Terms, escrow::state::Escrow};
use serde_json::{Value, json};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    World,
    gateway::{Gateway, Reply, ui_account},
};

fn addresses(found: &[EscrowAccount]) -> BTreeSet<Pubkey> {
    found.iter().map(|escrow| escrow.address).collect()
}

/// Three escrows: one of the buyer, the seller and the arbiter, and two that share only some of them.
struct Three {
    world: World,
    all: Pubkey,
    other_seller: Pubkey,
    other_buyer: Pubkey,
}

impl Three {
    async fn new() -> Self {
        let world = World::new().await;
        let money = world.sol().await;
        let terms = world.terms(&money, 1_000_000).await;
        let with_arbiter = Terms { arbiter: world.arbiter.pubkey(), ..terms.clone() };
        // The first to be created has the last fund_by.
        let late = Terms { fund_by: terms.fund_by + 1, ..with_arbiter.clone() };
        let all = world.created(&late).await;
        let other_seller = world.created(&Terms { seller: Keypair::new().pubkey(), ..terms }).await;
        let other_buyer = world.created(&Terms { buyer: Keypair::new().pubkey(), ..with_arbiter }).await;
        Self { world, all, other_seller, other_buyer }
    }
}

#[tokio::test]
async fn escrows_are_found_by_their_parties() {
    let Three { world, all, other_seller, other_buyer } = Three::new().await;
    let (buyer, seller, arbiter) =
        (Some(world.buyer.pubkey()), Some(world.seller.pubkey()), Some(world.arbiter.pubkey()));
    for (filter, wanted) in [
        (Filter { buyer, ..Filter::default() }, vec![all, other_seller]),
        (Filter { seller, ..Filter::default() }, vec![all, other_buyer]),
        (Filter { arbiter, ..Filter::default() }, vec![all, other_buyer]),
        (Filter { buyer, seller, ..Filter::default() }, vec![all]),
        (Filter { buyer, seller, arbiter, attester: None, salt: None }, vec![all]),
        (Filter { buyer: seller, ..Filter::default() }, vec![]),
        (Filter { buyer, seller: arbiter, ..Filter::default() }, vec![]),
    ] {
        let found = world.client.list(&filter).await.unwrap();
        assert_eq!(addresses(&found), BTreeSet::from_iter(wanted), "{filter:?}");
        for escrow in found {
            assert_eq!(escrow, world.read(&escrow.address).await);
        }
    }
    let everything = addresses(&world.client.list(&Filter::default()).await.unwrap());
    assert!(everything.is_superset(&[all, other_seller, other_buyer].into()), "{everything:?}");
}

#[tokio::test]
async fn what_is_to_be_funded_first_comes_first() {
    let Three { world, all, other_seller, .. } = Three::new().await;
    let filter = Filter { buyer: Some(world.buyer.pubkey()), ..Filter::default() };
    let found = world.client.list(&filter).await.unwrap();
    let order: Vec<Pubkey> = found.iter().map(|escrow| escrow.address).collect();
    assert_eq!(order, [other_seller, all]);
}

/// A public node has thousands of escrows: it must do the choosing.
#[tokio::test]
async fn the_node_does_the_choosing() {
    let Three { world, all, .. } = Three::new().await;
    let gateway = Gateway::before(&world.net, |_, _| Reply::Forward).await;
    let (buyer, seller, arbiter) = (world.buyer.pubkey(), world.seller.pubkey(), world.arbiter.pubkey());
    let filter =
        Filter { buyer: Some(buyer), seller: Some(seller), arbiter: Some(arbiter), attester: None, salt: None };
    let found = gateway.client().list(&filter).await.unwrap();
    assert_eq!(addresses(&found), [all].into());

    let asked = gateway.asked("getProgramAccounts");
    let [params] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(params[0], escrow_client::escrow::ID.to_string());
    let mut filters = BTreeSet::new();
    for filter in params[1]["filters"].as_array().unwrap() {
        let memcmp = &filter["memcmp"];
        let bytes = match memcmp["encoding"].as_str() {
            Some("bytes") => serde_json::from_value(memcmp["bytes"].clone()).unwrap(),
            _ => unbase58(memcmp["bytes"].as_str().unwrap_or_else(|| panic!("{memcmp}"))),
        };
        filters.insert((memcmp["offset"].as_u64().unwrap(), bytes));
    }
    let discriminator = <Escrow as anchor_lang::Discriminator>::DISCRIMINATOR;
    assert_eq!(
        filters,
        BTreeSet::from([
            (0, discriminator.to_vec()),
            (8, buyer.to_bytes().to_vec()),
            (40, seller.to_bytes().to_vec()),
            (72, arbiter.to_bytes().to_vec()),
        ])
    );
}

/// Of an address; nothing else is compared here in this encoding.
fn unbase58(text: &str) -> Vec<u8> {
    text.parse::<Pubkey>().unwrap().to_bytes().to_vec()
}

/// A node that answers everything it likes.
#[tokio::test]
async fn what_the_node_adds_is_left_out() {
    let Three { world, all, other_seller, other_buyer } = Three::new().await;
    let honest = world.client.account(&all).await.unwrap().unwrap();
    let mut answer = Vec::new();
    let mut add = |address: Pubkey, account: Value| {
        answer.push(json!({ "pubkey": address.to_string(), "account": account }));
    };
    // Escrows that were not asked for.
    for address in [all, other_seller, other_buyer] {
        let account = world.client.account(&address).await.unwrap().unwrap();
        add(address, ui_account(&account));
    }
    // A copy elsewhere, a stranger's account, one that is cut off, and one with another amount.
    add(Pubkey::new_unique(), ui_account(&honest));
    add(all, ui_account(&Account { owner: Pubkey::new_unique(), ..honest.clone() }));
    add(all, ui_account(&Account { data: honest.data[..600].to_vec(), ..honest.clone() }));
    let mut altered = honest.clone();
    altered.data[608] ^= 1;
    add(all, ui_account(&altered));
    // Data that is no data.
    let mut broken = ui_account(&honest);
    broken["data"] = json!(["not base64!", "base64"]);
    add(all, broken);
    let mut parsed = ui_account(&honest);
    parsed["data"] = json!({ "program": "x", "parsed": {}, "space": 1 });
    add(all, parsed);

    let gateway = Gateway::before(&world.net, move |_, _| Reply::Result(json!(answer))).await;
    let filter = Filter { buyer: Some(world.buyer.pubkey()), ..Filter::default() };
    let found = gateway.client().list(&filter).await.unwrap();
    let found: Vec<Pubkey> = found.iter().map(|escrow| escrow.address).collect();
    assert_eq!(found, [other_seller, all]);
}
