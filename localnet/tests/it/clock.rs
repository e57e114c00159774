//! Moving the clock, and who sees it.

use std::time::Duration;

use escrow_localnet::{Blocks, Config, Error, Localnet};
use solana_client::{rpc_config::RpcSendTransactionConfig, rpc_config::RpcSimulateTransactionConfig};
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_signer::Signer;
use solana_stake_interface::{
    error::StakeError,
    instruction as stake,
    state::{Authorized, Lockup, StakeStateV2},
};
use solana_transaction_error::TransactionError;

use crate::{SOL, any, embedded, signed, transaction_error};

const DAY: u64 = 24 * 60 * 60;

fn unix_now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

#[tokio::test]
async fn it_starts_at_the_time_of_day() {
    let before = unix_now();
    let net = embedded().await;
    let clock = net.clock().await.unwrap();
    assert!((before..=unix_now()).contains(&clock.unix_timestamp), "{clock:?}");
}

#[tokio::test]
async fn on_demand_it_stands_still_until_it_is_moved() {
    let net = embedded().await;
    let mut time = net.clock().await.unwrap().unix_timestamp + 10;
    net.set_time(time).await.unwrap();
    for seconds in [0, 1, 59, DAY, 365 * DAY, 2 * 365 * DAY] {
        time += i64::try_from(seconds).unwrap();
        assert_eq!(net.advance_time(seconds).await.unwrap(), time);
        assert_eq!(net.clock().await.unwrap().unix_timestamp, time);
        // Neither wall time nor transactions move it by a second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        for _ in 0..5 {
            net.new_funded_keypair(SOL).await.unwrap();
        }
        assert_eq!(net.clock().await.unwrap().unix_timestamp, time);
    }
}

#[tokio::test]
async fn in_real_time_it_goes_on_from_where_it_was_moved() {
    let net = Localnet::start(Config::default().with_blocks(Blocks::Every(Duration::from_millis(50)))).await.unwrap();
    let time = net.advance_time(DAY).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let later = net.clock().await.unwrap().unix_timestamp;
    assert!((time + 1..=time + 4).contains(&later), "{time} {later}");
}

#[tokio::test]
async fn it_never_goes_back() {
    let net = embedded().await;
    let time = net.advance_time(DAY).await.unwrap();
    let error = net.set_time(time - 1).await.unwrap_err();
    assert!(
        matches!(error, Error::ClockBackwards { now, requested } if now == time && requested == time - 1),
        "{error:?}"
    );
    for absurd in [i64::MAX, i64::MIN] {
        assert!(net.set_time(absurd).await.is_err());
    }
    assert!(matches!(net.advance_time(u64::MAX).await.unwrap_err(), Error::ClockOutOfRange { .. }));
    assert_eq!(net.clock().await.unwrap().unix_timestamp, time);
    net.set_time(time).await.unwrap();
}

#[tokio::test]
async fn another_process_can_move_it() {
    let net = embedded().await;
    let other = Localnet::connect(net.rpc_url(), &[]).await.unwrap();
    let time = other.advance_time(DAY).await.unwrap();
    assert_eq!(net.clock().await.unwrap().unix_timestamp, time);
}

/// What was signed before may be sent after, however far the clock is moved in between.
#[tokio::test]
async fn signed_transactions_survive_the_move() {
    let net = embedded().await;
    let payer = net.new_funded_keypair(SOL).await.unwrap();
    let transfer = solana_system_interface::instruction::transfer(&payer.pubkey(), &Keypair::new().pubkey(), SOL / 2);
    let transaction = signed(&net, &payer, &[transfer]).await;
    let height = net.rpc().get_block_height().await.unwrap();
    net.advance_time(730 * DAY).await.unwrap();
    assert!(net.rpc().get_block_height().await.unwrap() < height + 100);
    let signature = net.rpc().send_transaction(&transaction).await.unwrap();
    net.confirm(&signature).await.unwrap();
}

/// A stake account whose lockup ends at a time, and the withdrawal that the stake program refuses before: a program
/// that reads the clock.
struct Locked {
    withdraw: Instruction,
    owner: Keypair,
}

impl Locked {
    async fn until(net: &Localnet, unix_timestamp: i64) -> Locked {
        let owner = net.new_funded_keypair(10 * SOL).await.unwrap();
        let account = Keypair::new();
        let lockup = Lockup { unix_timestamp, epoch: 0, custodian: Keypair::new().pubkey() };
        let create =
            stake::create_account(&owner.pubkey(), &account.pubkey(), &Authorized::auto(&owner.pubkey()), &lockup, SOL);
        net.send(&create, &[&owner, &account]).await.unwrap();
        assert_eq!(net.account(&account.pubkey()).await.unwrap().unwrap().data.len(), StakeStateV2::size_of());
        let withdraw = stake::withdraw(&account.pubkey(), &owner.pubkey(), &owner.pubkey(), SOL, None);
        Locked { withdraw, owner }
    }
}

#[tokio::test]
async fn preflight_simulation_and_execution_see_the_new_time() {
    let net = embedded().await;
    let unlocked_at = net.clock().await.unwrap().unix_timestamp + i64::try_from(90 * DAY).unwrap();
    let Locked { withdraw, owner } = Locked::until(&net, unlocked_at).await;
    let locked = TransactionError::InstructionError(0, InstructionError::Custom(StakeError::LockupInForce as u32));
    let simulate = async || {
        let transaction = signed(&net, &owner, std::slice::from_ref(&withdraw)).await;
        let config = RpcSimulateTransactionConfig { sig_verify: true, ..Default::default() };
        let result = net.rpc().simulate_transaction_with_config(&transaction, config).await;
        result.unwrap().value.err.map(TransactionError::from)
    };

    net.set_time(unlocked_at - 1).await.unwrap();
    assert_eq!(simulate().await, Some(locked.clone()));
    let transaction = signed(&net, &owner, std::slice::from_ref(&withdraw)).await;
    let refused = net.rpc().send_transaction(&transaction).await.unwrap_err();
    assert_eq!(transaction_error(&refused), locked);
    // Without preflight it runs, fails and is confirmed as a failure.
    let unchecked = RpcSendTransactionConfig { skip_preflight: true, ..Default::default() };
    let signature = net.rpc().send_transaction_with_config(&transaction, unchecked).await.unwrap();
    let failed = net.confirm(&signature).await.unwrap_err();
    assert!(matches!(&failed, Error::TransactionFailed { error, .. } if *error == locked), "{failed:?}");

    net.set_time(unlocked_at).await.unwrap();
    assert_eq!(simulate().await, None);
    let transaction = signed(&net, &owner, std::slice::from_ref(&withdraw)).await;
    let signature = net.rpc().send_transaction(&transaction).await.unwrap();
    net.confirm(&signature).await.unwrap();
}

/// Says something only where `ESCROW_TEST_URL` names a full validator.
#[tokio::test]
async fn a_full_validators_clock_cannot_be_moved() {
    let net = any().await;
    let now = net.clock().await.unwrap().unix_timestamp;
    if net.is_embedded() {
        return;
    }
    for error in [net.advance_time(1).await.unwrap_err(), net.set_time(now + 100).await.unwrap_err()] {
        assert!(matches!(&error, Error::ClockNotMovable { url } if url == net.rpc_url()), "{error:?}");
    }
}
