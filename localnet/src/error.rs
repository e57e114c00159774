//! What can go wrong when starting, stopping or using a validator.

use std::time::Duration;

use solana_client::client_error::ClientError;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One of the two listeners of a validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// JSON-RPC over HTTP.
    Rpc,
    /// Subscriptions over WebSocket.
    WebSocket,
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Listener::Rpc => "JSON-RPC",
            Listener::WebSocket => "WebSocket",
        })
    }
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process, or another validator of this process, listens on the port that was asked for.
    #[error("port {port} for {listener} is already in use on 127.0.0.1")]
    PortInUse {
        /// What should have listened there.
        listener: Listener,
        /// The port that is taken.
        port: u16,
    },
    /// The port could not be listened on, for another reason than being taken (a privileged port, for example).
    #[error("cannot listen on 127.0.0.1:{port} for {listener}: {source}")]
    Bind {
        /// What should have listened there.
        listener: Listener,
        /// The port that was tried.
        port: u16,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No two neighbouring free ports were found.
    #[error("no two neighbouring free ports on 127.0.0.1 after {attempts} attempts")]
    NoFreePorts {
        /// How many pairs were tried.
        attempts: u32,
    },
    /// The embedded validator could not be started.
    #[error("the embedded validator did not start: {reason}")]
    Start {
        /// What it said.
        reason: String,
    },
    /// The embedded validator did not end in time. Its ports may still be taken.
    #[error("the embedded validator did not stop within {waited:?}")]
    StopTimeout {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The embedded validator ended with an error, or its thread did.
    #[error("the embedded validator failed: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// The bytes are not a program that the validator can run.
    #[error("program {id} cannot be deployed: {reason}")]
    InvalidProgram {
        /// The address at which it should have stood.
        id: Pubkey,
        /// What the loader said.
        reason: String,
    },
    /// The external validator has no executable program at this address.
    #[error("no program at {id} on {url}; start that validator with the program preloaded (--bpf-program)")]
    ProgramMissing {
        /// The address at which it should stand.
        id: Pubkey,
        /// The validator that was asked.
        url: String,
    },
    /// The URL of an external validator cannot be used.
    #[error("{url:?} is not the URL of a validator: {reason}")]
    InvalidUrl {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A JSON-RPC request failed, or its answer made no sense.
    #[error("{doing}: {source}")]
    Rpc {
        /// What was being done.
        doing: &'static str,
        /// What the client said. Boxed because it is large.
        source: Box<ClientError>,
    },
    /// A transaction could not be signed.
    #[error("signing: {0}")]
    Signing(#[from] solana_signer::SignerError),
    /// A transaction was accepted and failed when it was executed. It has paid its fee.
    #[error("transaction {signature} failed: {error}")]
    TransactionFailed {
        /// The transaction.
        signature: Signature,
        /// Why.
        error: TransactionError,
    },
    /// A transaction was sent and is not known to be confirmed. It may still be.
    #[error("transaction {signature} was not confirmed within {waited:?}")]
    NotConfirmed {
        /// The transaction.
        signature: Signature,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The faucet gives nothing, not even the smallest amount that is worth asking for.
    #[error("the faucet refused {lamports} lamports for {address}: {source}")]
    AirdropRefused {
        /// Who should have been funded.
        address: Pubkey,
        /// The last amount that was asked for.
        lamports: u64,
        /// What the client said.
        source: Box<ClientError>,
    },
    /// The validator produces no blocks.
    #[error("the validator has produced no block for {waited:?}")]
    NoNewBlock {
        /// How long one was waited for.
        waited: Duration,
    },
    /// An account that must exist does not.
    #[error("there is no account {address}")]
    AccountMissing {
        /// Its address.
        address: Pubkey,
    },
    /// An account does not hold what it must.
    #[error("account {address} is not a {expected}")]
    InvalidAccount {
        /// Its address.
        address: Pubkey,
        /// What it should have been.
        expected: &'static str,
    },
    /// An instruction of a token program could not be made from these values.
    #[error("token instruction: {0}")]
    TokenInstruction(String),
    /// This validator's clock follows the world and cannot be moved.
    #[error("the clock of {url} cannot be moved; only the embedded validator's can")]
    ClockNotMovable {
        /// The validator.
        url: String,
    },
    /// Time was asked to run backwards. Only a new validator starts at an earlier time.
    #[error("the clock stands at {now} and cannot go back to {requested} (unix seconds)")]
    ClockBackwards {
        /// The time of the Clock sysvar, in unix seconds.
        now: i64,
        /// The time that was asked for, in unix seconds.
        requested: i64,
    },
    /// The time that was asked for is not one that the validator can represent.
    #[error("the clock stands at {now} and cannot be moved by {by} seconds")]
    ClockOutOfRange {
        /// The time of the Clock sysvar, in unix seconds.
        now: i64,
        /// The distance that was asked for, in seconds.
        by: u64,
    },
    /// The validator said that it moved its clock and the Clock sysvar does not show it.
    #[error("the clock was moved to {requested} and stands at {now} (unix seconds)")]
    ClockNotMoved {
        /// The time of the Clock sysvar, in unix seconds.
        now: i64,
        /// The time that was asked for, in unix seconds.
        requested: i64,
    },
}

impl Error {
    pub(crate) fn rpc(doing: &'static str) -> impl FnOnce(ClientError) -> Error {
        move |source| Error::Rpc { doing, source: Box::new(source) }
    }

    pub(crate) fn start(reason: impl ToString) -> Error {
        Error::Start { reason: reason.to_string() }
    }
}
