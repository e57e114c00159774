//! How the JSON-RPC interface behaves, as far as the client crate counts on it. What runs against any validator is
//! what a cluster does too.

use std::time::{Duration, Instant};

use escrow_localnet::{Localnet, MintConfig};
use futures_util::StreamExt;
use solana_account_decoder_client_types::{UiAccountEncoding, UiDataSliceConfig};
use solana_client::{
    nonblocking::pubsub_client::PubsubClient,
    rpc_client::GetConfirmedSignaturesForAddress2Config,
    rpc_config::{
        CommitmentConfig, RpcAccountInfoConfig, RpcProgramAccountsConfig, RpcSendTransactionConfig,
        RpcSignatureSubscribeConfig, RpcSimulateTransactionAccountsConfig, RpcSimulateTransactionConfig,
    },
    rpc_filter::{Memcmp, RpcFilterType},
    rpc_request::RpcRequest,
    rpc_response::RpcSignatureResult,
};
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;

use crate::{SOL, any, embedded, signed, transaction_error};

fn transfer(from: &Keypair, to: &Pubkey, lamports: u64) -> [Instruction; 1] {
    [solana_system_interface::instruction::transfer(&from.pubkey(), to, lamports)]
}

fn without_preflight() -> RpcSendTransactionConfig {
    RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() }
}

async fn until_finalized(net: &Localnet, signature: &Signature) {
    let start = Instant::now();
    loop {
        let response = net.rpc().get_signature_statuses(&[*signature]).await.unwrap();
        if let [Some(status)] = response.value.as_slice()
            && status.satisfies_commitment(CommitmentConfig::finalized())
        {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_transaction_runs_once_however_often_it_is_sent() {
    let net = any().await;
    let payer = net.new_funded_keypair(10 * SOL).await.unwrap();
    let to = Pubkey::new_unique();
    let transaction = signed(&net, &payer, &transfer(&payer, &to, SOL)).await;
    let signature = net.rpc().send_transaction(&transaction).await.unwrap();
    net.confirm(&signature).await.unwrap();
    // The second time may be an error or not; what counts is the status of the signature, and the money.
    let _ = net.rpc().send_transaction(&transaction).await;
    let _ = net.rpc().send_transaction_with_config(&transaction, without_preflight()).await;
    net.confirm(&signature).await.unwrap();
    until_finalized(&net, &signature).await;
    assert_eq!(net.balance(&to).await.unwrap(), SOL);
}

#[tokio::test]
async fn on_demand_confirmation_is_immediate_and_finality_soon() {
    let net = embedded().await;
    let payer = net.new_funded_keypair(10 * SOL).await.unwrap();
    let to = Pubkey::new_unique();
    for lamports in SOL..SOL + 3 {
        let transaction = signed(&net, &payer, &transfer(&payer, &to, lamports)).await;
        let start = Instant::now();
        // The client's own loop sleeps for half a second if the first look comes too early.
        net.rpc().send_and_confirm_transaction(&transaction).await.unwrap();
        eprintln!("sent and confirmed in {:?}", start.elapsed());
        until_finalized(&net, &transaction.signatures[0]).await;
        eprintln!("finalized in {:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    // Then the blocks cease: a block hash lives as long as nobody does anything.
    let height = net.rpc().get_block_height().await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(net.rpc().get_block_height().await.unwrap(), height);
}

#[tokio::test]
async fn preflight_finds_what_execution_would() {
    let net = any().await;
    let payer = net.new_funded_keypair(SOL).await.unwrap();
    let to = Pubkey::new_unique();
    let transaction = signed(&net, &payer, &transfer(&payer, &to, 100 * SOL)).await;
    let error = net.rpc().send_transaction(&transaction).await.unwrap_err();
    // 1 is the system program's ResultWithNegativeLamports.
    let expected = TransactionError::InstructionError(0, InstructionError::Custom(1));
    assert_eq!(transaction_error(&error), expected);
    assert_eq!(net.balance(&payer.pubkey()).await.unwrap(), SOL);
}

#[tokio::test]
async fn preflight_at_finalized_does_not_know_a_younger_block_hash() {
    let net = any().await;
    let payer = net.new_funded_keypair(SOL).await.unwrap();
    // On a chain of less than 31 blocks every block hash counts as finalized.
    let transaction = signed(&net, &payer, &transfer(&payer, &payer.pubkey(), 1)).await;
    let signature = net.rpc().send_transaction(&transaction).await.unwrap();
    until_finalized(&net, &signature).await;

    let transaction = signed(&net, &payer, &transfer(&payer, &payer.pubkey(), 2)).await;
    let at_finalized = RpcSendTransactionConfig::default();
    let error = net.rpc().send_transaction_with_config(&transaction, at_finalized).await.unwrap_err();
    assert_eq!(transaction_error(&error), TransactionError::BlockhashNotFound);
    // At the client's commitment it does.
    let signature = net.rpc().send_transaction(&transaction).await.unwrap();
    net.confirm(&signature).await.unwrap();
}

#[tokio::test]
async fn simulation_needs_no_signature_and_shows_accounts() {
    let net = any().await;
    let payer = net.new_funded_keypair(10 * SOL).await.unwrap();
    let to = Pubkey::new_unique();
    let mut transaction = signed(&net, &payer, &transfer(&payer, &to, SOL)).await;
    transaction.signatures[0] = Signature::default();
    let config = RpcSimulateTransactionConfig {
        sig_verify: false,
        replace_recent_blockhash: true,
        // Without one a cluster takes `finalized`, and knows nothing of accounts that are younger.
        commitment: Some(CommitmentConfig::confirmed()),
        accounts: Some(RpcSimulateTransactionAccountsConfig {
            encoding: Some(UiAccountEncoding::Base64),
            addresses: vec![to.to_string()],
        }),
        ..RpcSimulateTransactionConfig::default()
    };
    let result = net.rpc().simulate_transaction_with_config(&transaction, config).await.unwrap().value;
    assert_eq!(result.err, None);
    assert_eq!(result.units_consumed, Some(150));
    let accounts = result.accounts.unwrap();
    assert_eq!(accounts[0].as_ref().unwrap().lamports, SOL);
    assert_eq!(net.balance(&to).await.unwrap(), 0);
    // Sending it without a signature does not do.
    net.rpc().send_transaction(&transaction).await.unwrap_err();
}

#[tokio::test]
async fn accounts_of_a_program_are_found_by_their_bytes() {
    let net = any().await;
    let mint = net.create_mint(MintConfig::default()).await.unwrap();
    let owner = Pubkey::new_unique();
    let account = net.mint_to(&mint, &owner, 77).await.unwrap();
    net.mint_to(&mint, &Pubkey::new_unique(), 78).await.unwrap();
    // A token account has its owner at byte 32, and the amount at 64.
    let config = RpcProgramAccountsConfig {
        filters: Some(vec![
            RpcFilterType::DataSize(165),
            RpcFilterType::Memcmp(Memcmp::new_raw_bytes(32, owner.to_bytes().to_vec())),
        ]),
        account_config: RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            data_slice: Some(UiDataSliceConfig { offset: 64, length: 8 }),
            ..RpcAccountInfoConfig::default()
        },
        ..RpcProgramAccountsConfig::default()
    };
    let found = net.rpc().get_program_ui_accounts_with_config(&mint.token_program.id(), config).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, account);
    assert_eq!(found[0].1.data.decode().unwrap(), 77u64.to_le_bytes());
}

#[tokio::test]
async fn signatures_are_found_by_address_the_newest_first() {
    let net = any().await;
    let payer = net.new_funded_keypair(10 * SOL).await.unwrap();
    let to = Pubkey::new_unique();
    let mut sent = Vec::new();
    for lamports in SOL..SOL + 3 {
        let transaction = signed(&net, &payer, &transfer(&payer, &to, lamports)).await;
        let signature = net.rpc().send_transaction(&transaction).await.unwrap();
        net.confirm(&signature).await.unwrap();
        sent.push(signature.to_string());
    }
    sent.reverse();
    let page = async |before: Option<&String>, limit| {
        let config = GetConfirmedSignaturesForAddress2Config {
            before: before.map(|signature| signature.parse().unwrap()),
            limit: Some(limit),
            commitment: Some(CommitmentConfig::confirmed()),
            ..Default::default()
        };
        let rpc = net.rpc();
        let found = rpc.get_signatures_for_address_with_config(&to, config).await;
        let found = found.unwrap().into_iter();
        found.map(|entry| entry.signature).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 10).await, sent);
    assert_eq!(page(None, 2).await, sent[..2]);
    assert_eq!(page(Some(&sent[1]), 2).await, sent[2..]);
}

#[tokio::test]
async fn a_block_hash_expires_after_150_blocks() {
    let net = embedded().await;
    let payer = net.new_funded_keypair(SOL).await.unwrap();
    let transaction = signed(&net, &payer, &transfer(&payer, &payer.pubkey(), 1)).await;
    let commitment = CommitmentConfig::confirmed();
    let (_, last_valid) = net.rpc().get_latest_blockhash_with_commitment(commitment).await.unwrap();
    while net.rpc().get_block_height().await.unwrap() <= last_valid + 2 {
        net.new_funded_keypair(SOL).await.unwrap();
    }
    let error = net.rpc().send_transaction(&transaction).await.unwrap_err();
    assert_eq!(transaction_error(&error), TransactionError::BlockhashNotFound);
    // Without preflight it is accepted and never heard of again, as on a cluster.
    let signature = net.rpc().send_transaction_with_config(&transaction, without_preflight()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let statuses = net.rpc().get_signature_statuses(&[signature]).await.unwrap();
    assert_eq!(statuses.value, [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_tell() {
    let net = any().await;
    let payer = net.new_funded_keypair(10 * SOL).await.unwrap();
    let to = Pubkey::new_unique();
    let transaction = signed(&net, &payer, &transfer(&payer, &to, SOL)).await;
    let config = RpcAccountInfoConfig {
        commitment: Some(CommitmentConfig::confirmed()),
        encoding: Some(UiAccountEncoding::Base64),
        ..RpcAccountInfoConfig::default()
    };
    let client = PubsubClient::new(net.ws_url()).await.unwrap();
    let (mut accounts, _) = client.account_subscribe(&to, Some(config)).await.unwrap();
    let (mut signatures, _) = client
        .signature_subscribe(
            &transaction.signatures[0],
            Some(RpcSignatureSubscribeConfig {
                commitment: Some(CommitmentConfig::confirmed()),
                enable_received_notification: Some(false),
            }),
        )
        .await
        .unwrap();
    let signature = net.rpc().send_transaction(&transaction).await.unwrap();
    net.confirm(&signature).await.unwrap();
    let patience = Duration::from_secs(10);
    let told = tokio::time::timeout(patience, signatures.next()).await.unwrap().unwrap();
    assert!(matches!(told.value, RpcSignatureResult::ProcessedSignature(result) if result.err.is_none()));
    let told = tokio::time::timeout(patience, accounts.next()).await.unwrap().unwrap();
    assert_eq!(told.value.lamports, SOL);
    // The subscriptions are still there: that must not keep the validator from stopping.
    let start = Instant::now();
    net.shutdown().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(3));
}

/// Neither forging state nor anything that reaches out of the process can be asked for over the listeners.
#[tokio::test]
async fn only_the_clock_can_be_tampered_with() {
    let net = embedded().await;
    for method in [
        "surfnet_setAccount",
        "surfnet_setTokenAccount",
        "surfnet_cloneProgramAccount",
        "surfnet_exportSnapshot",
        "surfnet_pauseClock",
        "loadPlugin",
        "exit",
    ] {
        let error = net
            .rpc()
            .send::<serde_json::Value>(RpcRequest::Custom { method }, serde_json::json!([]))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("-32601"), "{method}: {error}");
    }
    net.advance_time(1).await.unwrap();
}
