//! The keeper as a role: everything that is due is done, each thing once, by several processes that die behind nodes that go
//! wrong, and for no more than its budget.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use escrow_client::{
    EscrowAccount, EscrowClient, EscrowInstruction, Filter, Order, OrderStep, TermsBuilder,
    history::Completeness,
    instruction::{self, Part},
    send::once,
    sender::Pace,
    terms::Asset,
};
use escrow_fault_proxy::{Plan, Profile, Proxy};
use escrow_gateway::{
    api::auth::Scope,
    chain::Chain,
    config::{Config, Keeper, KeeperKind, Role},
    keep::Work,
    serve::Gateway,
    submit::Journal,
};
use escrow_localnet::{Blocks, Localnet};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::{Keypair, write_keypair_file};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::harness::{DAY, Database, SOL, User, config, databases, run, sqlite};

/// How long a block takes, in milliseconds.
const BLOCK: u64 = 10;
/// What a transaction of one signature costs.
const FEE: u64 = 5_000;
/// What is in an escrow.
const AMOUNT: u64 = SOL / 100;

/// What has happened to an escrow, and what the keeper has yet to do.
#[derive(Debug, Clone, Copy)]
enum Life {
    /// It was never funded.
    Unfunded,
    /// Nothing was delivered.
    Undelivered,
    /// All was released, and nobody has fetched it.
    Released,
}

impl Life {
    const ALL: [Self; 3] = [Self::Unfunded, Self::Undelivered, Self::Released];

    /// Everything that happens to it, in order.
    const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Unfunded => &["create", "cancel"],
            Self::Undelivered => &["create", "fund", "expire", "withdraw", "close"],
            Self::Released => &["create", "fund", "release", "withdraw", "close"],
        }
    }
}

/// A chain of its own, and the people whose escrows are due.
struct Scene {
    net: Localnet,
    chain: EscrowClient,
    /// Buys everything.
    buyer: Keypair,
    seller: Keypair,
    /// The keeper.
    payer: Keypair,
    escrows: BTreeMap<Pubkey, Life>,
    /// What the buyer had before, and what it has paid for fees.
    money: u64,
    fees: u64,
    folder: tempfile::TempDir,
}

impl Scene {
    /// With so many escrows, all of which are due.
    async fn new(count: usize, life: impl Fn(usize) -> Life) -> Self {
        let blocks = Blocks::Every(Duration::from_millis(BLOCK));
        let net = Localnet::start(escrow_localnet::Config::default().with_blocks(blocks)).await.expect("a validator");
        let chain = EscrowClient::new(net.rpc_url(), CommitmentConfig::confirmed()).at_pace(Pace::of_blocks(BLOCK));
        let money = 10 * SOL + count as u64 * SOL / 50;
        let buyer = net.new_funded_keypair(money).await.expect("a buyer");
        let [seller, payer] = [net.new_funded_keypair(SOL).await, net.new_funded_keypair(SOL).await];
        let (seller, payer) = (seller.expect("a seller"), payer.expect("a keeper"));
        let folder = tempfile::tempdir().expect("a folder");
        let (escrows, fees) = (BTreeMap::new(), 0);
        let mut scene = Self { net, chain, buyer, seller, payer, escrows, money, fees, folder };
        write_keypair_file(&scene.payer, scene.keypair()).expect("a file");
        let now = scene.chain.now().await.expect("the time");
        let made: Vec<(Life, Pubkey, Vec<Instruction>)> =
            (0..count).map(|index| scene.made(life(index), now)).collect();
        let orders = made.iter().map(|(_, _, instructions)| {
            let step = OrderStep { instructions: instructions.clone(), expected: None };
            Order { simulate: false, attempts: 5, ..Order::new(once(), vec![step]) }
        });
        let orders: Vec<Order> = orders.collect();
        let signers: [&(dyn Signer + Sync); 1] = [&scene.buyer];
        let executed = scene.chain.execute_all(orders, &signers, 64);
        let executed: Vec<_> = executed.collect().await;
        for (_, result) in executed {
            result.expect("an escrow");
        }
        scene.fees = scene.fees_of(&scene.buyer.pubkey()).await.0;
        scene.escrows = made.into_iter().map(|(life, escrow, _)| (escrow, life)).collect();
        scene.net.advance_time(2 * DAY as u64).await.expect("later");
        scene
    }

    fn made(&self, life: Life, now: i64) -> (Life, Pubkey, Vec<Instruction>) {
        let buyer = self.buyer.pubkey();
        let builder =
            TermsBuilder { fund_by: Some(now + 3_600), ..TermsBuilder::new(buyer, self.seller.pubkey(), Asset::Sol) };
        let terms = builder.milestone(AMOUNT, now + DAY).build(now).expect("terms");
        let escrow = EscrowAccount::agreed(&terms, buyer).expect("an account").address;
        let create = instruction::create(buyer, &terms).expect("create");
        let fund = instruction::fund(&terms).expect("fund");
        let release = instruction::release(escrow, buyer, 0, Part { amount: AMOUNT, of: AMOUNT });
        let instructions = match life {
            Life::Unfunded => vec![create],
            Life::Undelivered => vec![create, fund],
            Life::Released => vec![create, fund, release],
        };
        (life, escrow, instructions)
    }

    fn keypair(&self) -> std::path::PathBuf {
        self.folder.path().join("keeper.json")
    }

    /// What somebody paid for transactions, and how many of those failed, as the chain tells it.
    async fn fees_of(&self, payer: &Pubkey) -> (u64, usize) {
        use solana_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
        let (mut count, mut failed, mut before) = (0, 0, None);
        loop {
            let config = GetConfirmedSignaturesForAddress2Config { before, ..Default::default() };
            let page = self.net.rpc().get_signatures_for_address_with_config(payer, config).await.expect("signatures");
            let Some(last) = page.last() else { break };
            before = Some(last.signature.parse().expect("a signature"));
            count += page.len() as u64;
            failed += page.iter().filter(|one| one.err.is_some()).count();
        }
        // Whoever gave the money first has signed that.
        (FEE * (count - 1), failed)
    }

    async fn left(&self) -> usize {
        self.chain.list_addresses(&Filter::default()).await.expect("addresses").len()
    }

    /// A process behind this node.
    async fn process(&self, database: &Database, node: &str, roles: Vec<Role>, budget: u64) -> Gateway {
        let keeper = Keeper {
            keypair: Some(self.keypair()),
            budget,
            every_seconds: 1,
            wait_seconds: 1,
            lease_seconds: 5,
            ..Keeper::default()
        };
        let config = Config { roles, keeper, ..config(node) };
        let store = database.open().await;
        let chain = Chain::new(&config.nodes, Journal::new(store.clone())).at_pace(Pace::of_blocks(BLOCK));
        Gateway::start_with(config, store, chain).await.expect("a gateway")
    }

    /// Each escrow's whole life is what it should be: nothing is missing, nothing was done twice, and all money is where it
    /// belongs. What the keeper paid.
    async fn judge(&self) -> u64 {
        let judged = stream::iter(&self.escrows).map(async |(escrow, life)| {
            let history = self.chain.history(escrow).await.expect("a history");
            assert_eq!(history.completeness, Completeness::Whole, "{escrow}");
            let actions: Vec<&str> = history.steps.iter().map(|step| step.entry.action.instruction.name()).collect();
            assert_eq!(actions, life.actions(), "{escrow}");
            let is_keepers = |instruction: &EscrowInstruction| {
                matches!(
                    instruction,
                    EscrowInstruction::Cancel
                        | EscrowInstruction::Expire { .. }
                        | EscrowInstruction::Withdraw { .. }
                        | EscrowInstruction::Close
                )
            };
            history.steps.iter().filter(|step| is_keepers(&step.entry.action.instruction)).count()
        });
        let acted: usize = judged.buffer_unordered(16).fold(0, async |sum, acted| sum + acted).await;
        assert!(acted >= self.escrows.len());
        let released = self.escrows.values().filter(|life| matches!(life, Life::Released)).count() as u64 * AMOUNT;
        let balance = |who: Pubkey| async move { self.net.balance(&who).await.expect("a balance") };
        assert_eq!(
            balance(self.buyer.pubkey()).await,
            self.money - self.fees - released,
            "deposits and rents come back"
        );
        assert_eq!(balance(self.seller.pubkey()).await, SOL + released);
        let paid = SOL - balance(self.payer.pubkey()).await;
        let (most, _) = self.fees_of(&self.payer.pubkey()).await;
        assert!(paid.is_multiple_of(FEE) && paid <= most, "it pays fees and nothing else: {paid} of {most}");
        paid
    }
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    format!("{} {}", field("VmRSS"), field("VmHWM"))
}

/// Two processes on one database, each behind a node of its own that goes wrong; three times one dies and another begins.
async fn everything_is_done(database: &Database, count: usize) {
    let budget = SOL / 2;
    let scene = Scene::new(count, |index| Life::ALL[index % 3]).await;
    println!("{count} escrows are due; {}", memory());
    let mut proxies = Vec::new();
    for seed in [1, 2] {
        let plan = Plan::random(seed, Profile::Honest).paced(BLOCK);
        proxies.push(Proxy::start(vec![scene.net.rpc_url()], plan).await.expect("a proxy"));
    }
    let urls: Vec<String> = proxies.iter().map(Proxy::url).collect();
    let start = |which: usize| scene.process(database, &urls[which], vec![Role::Keep], budget);
    let mut replicas = [Some(start(0).await), Some(start(1).await)];
    let reader = scene.process(database, scene.net.rpc_url(), vec![Role::Api], budget).await;
    let user = User::new(&reader, "shop", &[Scope::Read]).await;
    let (began, mut restarts, mut most_at_once, mut later) = (Instant::now(), 0, 0, Instant::now());
    loop {
        let left = scene.left().await;
        if restarts < 3 && count - left >= count * (restarts + 1) / 5 {
            let which = restarts % 2;
            // As a process dies: nothing of it goes on.
            drop(replicas[which].take());
            replicas[which] = Some(start(which).await);
            restarts += 1;
            if restarts == 3 {
                proxies.iter().for_each(|proxy| proxy.set_plan(Plan::default()).expect("no plan"));
            }
        }
        let told = user.get("/v1/keeper").await.expect(200);
        most_at_once = most_at_once.max(told["working"].as_array().unwrap().len());
        if left == 0 {
            break;
        }
        // What failed behind the nodes that went wrong rests for minutes.
        if restarts == 3 && later.elapsed() > Duration::from_secs(2) {
            later = Instant::now();
            scene.net.advance_time(120).await.expect("later");
        }
        assert!(began.elapsed() < Duration::from_secs(180 + count as u64 / 5), "{left} are left: {told}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = began.elapsed();
    assert_eq!(restarts, 3);
    // Until the last one has told what it did.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = user.get("/v1/keeper").await.expect(200);
    for replica in replicas.into_iter().flatten() {
        replica.end();
        replica.ended().await.expect("an end");
    }
    let fees = scene.judge().await;
    let (_, failed) = scene.fees_of(&scene.payer.pubkey()).await;
    let processes = told["processes"].as_array().unwrap();
    assert!(processes.len() >= 2, "{told}");
    let spending = &processes[0]["spending"];
    let spent: u64 = spending["spent"]["units"].as_str().unwrap().parse().unwrap();
    assert!(fees <= spent && spent <= budget, "{fees} were paid, {spent} counted, {budget} allowed");
    assert_eq!(spending["budget"]["units"], budget.to_string());
    // What it holds in memory and in leases does not grow with what there is to do.
    assert!(0 < most_at_once && most_at_once <= 100, "{most_at_once}");
    assert!(processes.iter().all(|process| process["remembered"].as_u64().unwrap() <= count as u64));
    println!(
        "{count} escrows settled in {took:.0?}, {:.1} a second, for {fees} lamports; {failed} transactions failed; {}",
        count as f64 / took.as_secs_f64(),
        memory()
    );
}

#[test]
fn all_that_is_due_is_done_once_by_processes_that_die_and_within_their_budget() {
    let full = std::env::var("ESCROW_EFFORT").is_ok_and(|effort| effort == "full");
    run(async {
        let databases = databases();
        let last = databases.len() - 1;
        for (index, database) in databases.iter().enumerate() {
            // All of them on one database, and some on the other.
            let count = if index < last { 150 } else { 1_000 };
            everything_is_done(database, if full { 10 * count } else { count }).await;
        }
    });
}

#[test]
fn a_budget_that_is_spent_waits_for_the_next_day() {
    run(async {
        let database = sqlite();
        let scene = Scene::new(30, |_| Life::Unfunded).await;
        let budget = 3 * FEE;
        let keeper = scene.process(&database, scene.net.rpc_url(), vec![Role::Api, Role::Keep], budget).await;
        let user = User::new(&keeper, "shop", &[Scope::Read]).await;
        let told = async |wanted: fn(&Value) -> bool| {
            let began = Instant::now();
            loop {
                let told = user.get("/v1/keeper").await.expect(200);
                if told["processes"].get(0).is_some_and(wanted) {
                    return told;
                }
                assert!(began.elapsed() < Duration::from_secs(60), "{told}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let out = told(|process| process["out_of_budget"] == true && process["sent"] == 0).await;
        let (fees, _) = scene.fees_of(&scene.payer.pubkey()).await;
        assert!(0 < fees && fees <= budget, "{fees}");
        let left = scene.left().await;
        assert!(left > 0);
        assert_eq!(out["processes"][0]["spending"]["budget"]["units"], budget.to_string());
        scene.net.advance_time(DAY as u64).await.expect("the next day");
        let began = Instant::now();
        while scene.left().await == left {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing is done on the next day");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

#[test]
fn what_is_switched_off_is_not_done_and_a_keypair_is_needed() {
    run(async {
        let database = sqlite();
        let scene = Scene::new(6, |index| Life::ALL[index % 2]).await;
        let keeper = Keeper {
            keypair: Some(scene.keypair()),
            off: vec![KeeperKind::Expire],
            every_seconds: 1,
            wait_seconds: 0,
            ..Keeper::default()
        };
        let store = database.open().await;
        let chain = Chain::new(&[scene.net.rpc_url().to_owned()], Journal::new(store.clone()));
        let chain = chain.at_pace(Pace::of_blocks(BLOCK));
        for (file, part) in [(None, "is missing"), (Some(Path::new("/nowhere/keeper.json")), "/nowhere/keeper.json")] {
            let keeper = Keeper { keypair: file.map(Path::to_owned), ..keeper.clone() };
            let config = Config { keeper, ..Config::default() };
            let error = Work::new(&config, &chain, &store).unwrap_err().to_string();
            assert!(error.contains("keeper.keypair") && error.contains(part), "{error}");
        }
        let end = tokio_util::sync::CancellationToken::new();
        let config = Config { keeper, ..Config::default() };
        let working = tokio::spawn(Work::new(&config, &chain, &store).expect("a keeper").run(end.clone()));
        let began = Instant::now();
        // Those that were never funded are given up; of the others the default is not applied.
        while scene.left().await > 3 {
            assert!(began.elapsed() < Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(scene.left().await, 3);
        end.cancel();
        working.await.expect("it ends");
    });
}

#[test]
fn one_lease_on_each_and_none_that_is_taken_is_given_back_by_who_had_it() {
    run(async {
        for database in databases() {
            let store = database.open().await;
            let names = |from: usize, to: usize| (from..to).map(|index| format!("keeper/{index}")).collect::<Vec<_>>();
            let first = store.lease_all(&names(0, 4), "a", 1_000, 2_000).await.unwrap();
            assert_eq!(first.len(), 4);
            let second = store.lease_all(&names(2, 6), "b", 1_500, 3_000).await.unwrap();
            let held: Vec<&str> = second.iter().map(|lease| lease.name.as_str()).collect();
            assert_eq!(held, ["keeper/4", "keeper/5"]);
            // Its own are renewed with the same fence, those that have ended are taken with a higher one.
            let renewed = store.lease_all(&names(0, 1), "a", 1_500, 2_500).await.unwrap();
            assert_eq!(renewed[0].fence, first[0].fence);
            let taken = store.lease_all(&names(1, 2), "b", 2_000, 3_000).await.unwrap();
            assert!(taken[0].fence > first[1].fence);
            store.release(&first).await.unwrap();
            let left: Vec<(String, String)> = store
                .leases("keeper/", 0, 10)
                .await
                .unwrap()
                .into_iter()
                .map(|lease| (lease.name, lease.owner))
                .collect();
            let of = |index: usize| (format!("keeper/{index}"), "b".to_owned());
            assert_eq!(left, [of(1), of(4), of(5)]);
            store.forget_leases("keeper/", 3_001).await.unwrap();
            assert!(store.leases("keeper/", 0, 10).await.unwrap().is_empty());
        }
    });
}

#[test]
fn without_a_keeper_nobody_keeps() {
    run(async {
        let database = sqlite();
        let world = crate::harness::world(&database).await;
        let told = world.user.get("/v1/keeper").await.expect(200);
        assert_eq!(told, json!({"version": 1, "processes": [], "working": []}));
    });
}
