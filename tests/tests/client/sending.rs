//! Exactly once, whatever happens on the way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use escrow_client::{
    Confirmed, Error, EscrowClient, EscrowError, Signed, Submitted, Unsigned, instruction,
    sender::{Commitment, Pace},
    transaction::Lifetime,
};
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;

use crate::{
    SOL, World,
    gateway::{Gateway, Reply},
};

/// No test waits longer: a client that hangs is a client that fails.
const HANGS: Duration = Duration::from_secs(240);

/// A payment of the operator to a new address, signed and not sent.
struct Payment {
    to: Pubkey,
    signed: Signed,
}

impl Payment {
    async fn prepare(world: &World) -> Self {
        let to = Keypair::new().pubkey();
        let payment = transfer(&world.operator.pubkey(), &to, SOL / 100);
        let unsigned = world.client.prepare(&[payment], &world.operator.pubkey()).await.unwrap();
        let signed = unsigned.sign(&[&world.operator]).and_then(Unsigned::complete).unwrap();
        Self { to, signed }
    }

    /// How often it was executed.
    async fn executions(&self, world: &World) -> u64 {
        world.net.balance(&self.to).await.unwrap() / (SOL / 100)
    }
}

/// Produces blocks until the payment cannot be executed any more.
async fn outlive(world: &World, signed: &Signed) {
    let Lifetime::Blockhash { last_valid_block_height, .. } = signed.lifetime() else { panic!("a nonce") };
    tokio::time::timeout(HANGS, async {
        while world.client.rpc().get_block_height().await.unwrap() <= last_valid_block_height {
            if world.net.is_embedded() {
                // Each of these brings its own block, and the ones that finalize it.
                world.net.fund(&Keypair::new().pubkey(), SOL).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
}

/// Waits for something while blocks are made: a lifetime is over when a bank says so that is further than a fork is long.
async fn while_blocks_pass<T>(world: &World, waits: impl Future<Output = T>) -> T {
    let passing = async {
        loop {
            if world.net.is_embedded() {
                world.net.fund(&Keypair::new().pubkey(), SOL).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        waited = waits => waited,
        () = passing => unreachable!(),
    }
}

async fn submit(client: &EscrowClient, signed: &Signed) -> escrow_client::Result<Confirmed> {
    let waits = async { client.confirm(&client.submit(signed.clone()).await?).await };
    tokio::time::timeout(HANGS, waits).await.expect("it hangs")
}

/// A back end does all of this in tasks of its own.
#[test]
fn waiting_can_move_between_threads() {
    fn movable<T: Send>(_: T) {}
    let client = EscrowClient::new("http://127.0.0.1:1", CommitmentConfig::confirmed());
    let keypair = Keypair::new();
    let address = keypair.pubkey();
    let unsigned = Unsigned::new(&[], &address, Lifetime::default()).unwrap();
    let signed = unsigned.sign(&[&keypair]).and_then(Unsigned::complete).unwrap();
    movable(client.prepare(&[], &address));
    movable(client.submit(signed.clone()));
    movable(client.confirm(&Submitted::perhaps(signed)));
    movable(client.send(&[], &[&keypair]));
    movable(client.escrow(&address));
    movable(client.list(&Default::default()));
    movable(client.now());
}

#[tokio::test]
async fn preparing_sends_nothing() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    assert_eq!(world.client.status(&payment.signed.signature()).await.unwrap(), None);
    assert_eq!(payment.executions(&world).await, 0);
}

#[tokio::test]
async fn submitting_again_changes_nothing() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    let first = submit(&world.client, &payment.signed).await.unwrap();
    assert_eq!(first.signature, payment.signed.signature());
    for _ in 0..3 {
        assert_eq!(submit(&world.client, &payment.signed).await.unwrap(), first);
    }
    // Also from another process, which kept the transaction.
    let other = EscrowClient::new(world.net.rpc_url(), CommitmentConfig::confirmed());
    assert_eq!(submit(&other, &payment.signed.clone()).await.unwrap(), first);
    assert_eq!(payment.executions(&world).await, 1);
    let status = world.client.status(&first.signature).await.unwrap().unwrap();
    assert_eq!((status.slot.0, status.error), (first.slot, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_at_once_execute_it_once() {
    let world = World::new().await;
    for _ in 0..5 {
        let payment = Payment::prepare(&world).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (client, prepared) = (world.client.clone(), payment.signed.clone());
                tokio::spawn(async move { submit(&client, &prepared).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap().unwrap());
        }
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{outcomes:?}");
        assert_eq!(payment.executions(&world).await, 1);
    }
}

/// Two transactions for the same release: `expected_remaining` lets one of them through.
#[tokio::test(flavor = "multi_thread")]
async fn two_different_transactions_for_one_release_release_once() {
    let world = World::new().await;
    let terms = world.terms(&world.sol().await, 1_000).await;
    let escrow = world.funded(&terms).await;
    let release = instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: 100, of: 1_000 });
    let mut tasks = Vec::new();
    for payer in [&world.operator, &world.buyer, &world.seller] {
        let signers: Vec<&Keypair> =
            if payer.pubkey() == world.buyer.pubkey() { vec![payer] } else { vec![payer, &world.buyer] };
        let unsigned = world.client.prepare(std::slice::from_ref(&release), &payer.pubkey()).await.unwrap();
        let signed = unsigned.sign(&signers).and_then(Unsigned::complete).unwrap();
        let client = world.client.clone();
        tasks.push(tokio::spawn(async move { submit(&client, &signed).await }));
    }
    let mut done = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => done += 1,
            Err(error) => assert_eq!(error.escrow_error(), Some(EscrowError::RemainingMismatch), "{error:?}"),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(world.read(&escrow).await.milestones[0].remaining, 900);
}

#[tokio::test]
async fn an_old_transaction_expires_and_is_never_executed() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    outlive(&world, &payment.signed).await;
    for _ in 0..2 {
        let error = while_blocks_pass(&world, submit(&world.client, &payment.signed)).await.unwrap_err();
        assert!(
            matches!(&error, Error::Expired { signature, .. } if *signature == payment.signed.signature()),
            "{error:?}"
        );
        assert!(error.to_string().contains(&payment.signed.signature().to_string()));
    }
    assert_eq!(payment.executions(&world).await, 0);
    assert_eq!(world.client.status(&payment.signed.signature()).await.unwrap(), None);
}

/// What was executed in time is known to be, long after its block hash has expired.
#[tokio::test]
async fn an_old_transaction_that_was_executed_is_not_expired() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    let first = submit(&world.client, &payment.signed).await.unwrap();
    outlive(&world, &payment.signed).await;
    assert_eq!(submit(&world.client, &payment.signed).await.unwrap(), first);
    assert_eq!(payment.executions(&world).await, 1);
}

/// Networks lose transactions: it is sent again.
#[tokio::test]
async fn a_lost_transaction_is_sent_again() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    let signature = payment.signed.signature().to_string();
    let lost = Arc::new(AtomicUsize::new(0));
    let gateway = Gateway::before(&world.net, {
        let lost = Arc::clone(&lost);
        move |method, _| match method {
            "sendTransaction" if lost.fetch_add(1, Ordering::SeqCst) < 2 => Reply::Result(json!(signature)),
            _ => Reply::Forward,
        }
    })
    .await;
    let confirmed = submit(&gateway.client(), &payment.signed).await.unwrap();
    assert_eq!(confirmed.signature, payment.signed.signature());
    assert_eq!(payment.executions(&world).await, 1);
    assert!(gateway.asked("sendTransaction").len() >= 3);
    // Byte for byte the same each time, or it would not be executed once at most.
    let mut sent: Vec<_> = gateway.asked("sendTransaction").into_iter().map(|params| params[0].clone()).collect();
    sent.dedup();
    assert_eq!(sent.len(), 1);
}

/// All are lost, until the block hash is too old.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_never_arrives_expires() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    let signature = payment.signed.signature().to_string();
    let gateway = Gateway::before(&world.net, move |method, _| match method {
        "sendTransaction" => Reply::Result(json!(signature)),
        _ => Reply::Forward,
    })
    .await;
    let waiting = tokio::spawn({
        let (client, prepared) = (gateway.client(), payment.signed.clone());
        async move { submit(&client, &prepared).await }
    });
    let error = while_blocks_pass(&world, waiting).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error:?}");
    assert_eq!(payment.executions(&world).await, 0);
}

/// It arrived, and the answer did not.
#[tokio::test]
async fn a_lost_answer_does_not_matter() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    let gateway = Gateway::before(&world.net, |method, _| match method {
        "sendTransaction" => Reply::ForwardThenHangUp,
        _ => Reply::Forward,
    })
    .await;
    let confirmed = submit(&gateway.client(), &payment.signed).await.unwrap();
    assert_eq!(confirmed.signature, payment.signed.signature());
    assert_eq!(payment.executions(&world).await, 1);
}

/// It arrived, and then the node is gone: not a failure, but not known; and later it is.
#[tokio::test]
async fn a_node_that_dies_while_waiting_leaves_it_unknown() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    let alive = Arc::new(AtomicBool::new(true));
    let gateway = Gateway::before(&world.net, {
        let alive = Arc::clone(&alive);
        move |method, _| match method {
            _ if !alive.load(Ordering::SeqCst) => Reply::HangUp,
            "sendTransaction" => {
                alive.store(false, Ordering::SeqCst);
                Reply::ForwardThenHangUp
            }
            _ => Reply::Forward,
        }
    })
    .await;
    let client = gateway.client().at_pace(Pace { poll: 50, limit: 2_000, ..Pace::default() });
    let error = submit(&client, &payment.signed).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unknown { signature, .. } if *signature == payment.signed.signature()),
        "{error:?}"
    );
    assert!(error.to_string().contains(&payment.signed.signature().to_string()));
    assert!(matches!(client.status(&payment.signed.signature()).await, Err(Error::Rpc { .. })));

    let confirmed = submit(&world.client, &payment.signed).await.unwrap();
    assert_eq!(confirmed.signature, payment.signed.signature());
    assert_eq!(payment.executions(&world).await, 1);
}

/// A node behind the others does not know the block hash yet.
#[tokio::test]
async fn a_node_that_lags_behind_is_waited_for() {
    let world = World::new().await;
    let payment = Payment::prepare(&world).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let gateway = Gateway::before(&world.net, {
        let sent = Arc::clone(&sent);
        move |method, _| match method {
            "sendTransaction" if sent.fetch_add(1, Ordering::SeqCst) == 0 => Reply::Error(json!({
                "code": -32002,
                "message": "Transaction simulation failed: Blockhash not found",
                "data": {
                    "accounts": null, "err": "BlockhashNotFound", "logs": [], "unitsConsumed": 0, "returnData": null,
                    "innerInstructions": null, "replacementBlockhash": null, "loadedAccountsDataSize": null,
                },
            })),
            _ => Reply::Forward,
        }
    })
    .await;
    let confirmed = submit(&gateway.client(), &payment.signed).await.unwrap();
    assert_eq!(confirmed.signature, payment.signed.signature());
    assert_eq!(payment.executions(&world).await, 1);
}

/// What would fail is not sent.
#[tokio::test]
async fn a_transaction_that_would_fail_is_not_sent() {
    let world = World::new().await;
    let gateway = Gateway::before(&world.net, |_, _| Reply::Forward).await;
    let client = gateway.client();
    let escrow = world.funded(&world.terms(&world.sol().await, 1_000).await).await;
    let expire = instruction::expire(escrow, 0);
    let error = client.send(&[expire], &[&world.operator]).await.unwrap_err();
    assert_eq!(error.escrow_error(), Some(EscrowError::DeadlineNotReached), "{error:?}");
    assert!(gateway.asked("sendTransaction").is_empty(), "it was tried out before it was signed");
}

#[tokio::test]
async fn what_is_waited_for_is_the_clients_commitment() {
    let world = World::new().await;
    for commitment in [CommitmentConfig::processed(), CommitmentConfig::confirmed(), CommitmentConfig::finalized()] {
        let client = EscrowClient::new(world.net.rpc_url(), commitment);
        // A transaction is simulated at the commitment, too, and the payer may have its money at `confirmed` only.
        while client.account(&world.operator.pubkey()).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        let payment = transfer(&world.operator.pubkey(), &world.operator.pubkey(), 1);
        let confirmed = client.send(&[payment], &[&world.operator]).await.unwrap();
        let status = client.status(&confirmed.signature).await.unwrap().unwrap();
        // `processed` is what one node alone has seen: nobody waits for that.
        let wanted = if commitment.is_finalized() { Commitment::Finalized } else { Commitment::Confirmed };
        assert!(status.commitment >= wanted, "{commitment:?}: {status:?}");
    }
}
