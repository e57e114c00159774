//! The embedded validator, used for real: everything goes through its listeners.
//!
//! With `ESCROW_TEST_URL` those tests that need not start, stop or move the clock of a validator of their own run
//! against the one that is named.

mod clock;
mod lifecycle;
mod program;
mod rpc;
mod tokens;

use escrow_localnet::{Config, Localnet};
use solana_client::client_error::ClientError;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;
use solana_transaction::Transaction;

const SOL: u64 = 1_000_000_000;

/// An embedded validator, whatever the environment says.
async fn embedded() -> Localnet {
    Localnet::start(Config::default()).await.unwrap()
}

/// The validator that the environment names, or an embedded one.
async fn any() -> Localnet {
    Localnet::from_env(Config::default()).await.unwrap()
}

/// A transaction paid by `payer`, with the latest block hash that is confirmed.
async fn signed(net: &Localnet, payer: &Keypair, instructions: &[Instruction]) -> Transaction {
    let blockhash = net.rpc().get_latest_blockhash().await.unwrap();
    let message = Message::new_with_blockhash(instructions, Some(&payer.pubkey()), &blockhash);
    let mut transaction = Transaction::new_unsigned(message);
    transaction.try_sign(&[payer], blockhash).unwrap();
    transaction
}

/// The error that a preflight or a simulation found.
fn transaction_error(error: &ClientError) -> solana_transaction_error::TransactionError {
    error.get_transaction_error().unwrap_or_else(|| panic!("not a transaction's error: {error}"))
}
