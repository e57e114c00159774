//! What can go wrong, with the addresses and signatures that one needs to go on.

use anchor_lang::Id;
use escrow::error::EscrowError;
use escrow_sender::Verdict;
use solana_client::client_error::{ClientError, ClientErrorKind};
use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use thiserror::Error;

use crate::account::AccountError;

/// The result of reading or sending.
pub type Result<T> = std::result::Result<T, Error>;

/// Why reading or sending failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is at this address.
    #[error(
        "there is no escrow at {address}: it was never created, is closed already, or is on another cluster \
         (asked {url})"
    )]
    NotFound {
        /// Where an escrow was looked for.
        address: Pubkey,
        /// The RPC node that was asked.
        url: String,
    },
    /// What is at this address is not an escrow.
    #[error("the account {address} is not an escrow: {source}")]
    NotAnEscrow {
        /// Its address.
        address: Pubkey,
        /// What is wrong with it.
        source: AccountError,
    },
    /// What is at this address is not a mint of a token program.
    #[error("the account {address} is not a token's mint: {reason}")]
    NotAMint {
        /// Its address.
        address: Pubkey,
        /// What is wrong with it.
        reason: String,
    },
    /// The terms, or the request, break a rule of the program. Nothing was sent.
    #[error("{0}")]
    Rule(#[from] EscrowError),
    /// The transaction was refused before it was sent: nothing changed.
    #[error("refused, and not sent: {0}")]
    Refused(Box<Failure>),
    /// The transaction was executed and failed. Nothing changed but the transaction fee.
    #[error("transaction {signature} failed: {failure}")]
    Failed {
        /// Its signature.
        signature: Signature,
        /// Why.
        failure: Box<Failure>,
    },
    /// The transaction was never executed and never can be: it is safe to build it anew.
    #[error("transaction {signature} expired: it was not executed and never will be, {basis}. It is safe to try again")]
    Expired {
        /// Its signature.
        signature: Signature,
        /// On what that rests: which nodes say so.
        basis: String,
    },
    /// Nobody can tell yet whether the transaction was executed.
    #[error(
        "transaction {signature} may have been executed, or may still be: {verdict}. Do not build another; ask again for the \
         same, which takes it up"
    )]
    Unknown {
        /// Its signature.
        signature: Signature,
        /// What is known.
        verdict: Box<Verdict>,
    },
    /// The same was executed a short while ago.
    #[error("the same was executed a short while ago, in transaction {signature}: nothing was sent this time")]
    Repetition {
        /// The transaction that did it.
        signature: Signature,
        /// When that was known, in unix seconds.
        at: u64,
    },
    /// Somebody else works on the same.
    #[error("another process ({owner}) works on the same: nothing was sent. Wait until it has ended, then ask again")]
    Busy {
        /// Who.
        owner: String,
        /// Until when, in milliseconds since the Unix epoch, unless it goes on.
        until: u64,
    },
    /// The journal cannot be written or read: without it nothing is sent.
    #[error("{0}")]
    Journal(String),
    /// What the transaction acts on is not as it was when it was agreed to.
    #[error("the escrow {address} has changed since it was shown: nothing was signed. Look at it again")]
    Changed {
        /// The escrow.
        address: Pubkey,
    },
    /// There is no block hash or nonce to sign with.
    #[error("{0}")]
    Lifetime(#[source] escrow_sender::PrepareError),
    /// What a signer returned cannot be sent.
    #[error("{0}")]
    Attempt(#[source] escrow_sender::AttemptError),
    /// A step of an order has not been signed, and nobody is here who signs.
    #[error("step {step} is not signed yet: run the command that began it again, with its keypair")]
    ToBeSigned {
        /// Which, counted from 1.
        step: u32,
    },
    /// The journal holds more steps than there are.
    #[error("this was begun as something of more than {steps} steps: nothing was signed")]
    Steps {
        /// How many there are.
        steps: usize,
    },
    /// Nodes do not say the same.
    #[error("the nodes {nodes} do not agree on {what}: nothing was signed. Ask again, or name other nodes")]
    Disagree {
        /// On what.
        what: String,
        /// The nodes.
        nodes: String,
    },
    /// Nodes are of different clusters.
    #[error("the nodes {first} and {other} are of different clusters: name nodes of one")]
    Clusters {
        /// One.
        first: String,
        /// Another.
        other: String,
    },
    /// The transaction could not be built or signed, or is not the one that was to be signed. Nothing was sent.
    #[error("{0}")]
    Transaction(#[from] crate::transaction::PrepareError),
    /// It is no multisig, or cannot be proposed in it. Nothing was sent.
    #[error("{0}")]
    Squads(#[from] crate::transaction::squads::SquadsError),
    /// What is at the address of a program is none that can be read.
    #[error(transparent)]
    Program(#[from] crate::program::ProgramError),
    /// The node did not answer, or not with what was asked for. Nothing was sent.
    #[error("the RPC node {url} {}", trouble(source))]
    Rpc {
        /// The node.
        url: String,
        /// What it answered.
        source: Box<ClientError>,
    },
    /// The node's answer cannot be true.
    #[error("the RPC node {url} gave an impossible answer: {reason}")]
    Answer {
        /// The node.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What went wrong between here and a node.
fn trouble(error: &ClientError) -> String {
    let ClientErrorKind::Reqwest(failed) = error.kind() else {
        return format!("did not answer as expected: {error}");
    };
    // The innermost reason says it best: "connection refused".
    let mut reason: &dyn std::error::Error = failed;
    while let Some(source) = reason.source() {
        reason = source;
    }
    if failed.is_timeout() {
        return "did not answer in time".to_owned();
    }
    match failed.status() {
        Some(status) => format!("answered {status}"),
        None if failed.is_connect() => format!("could not be reached: {reason}"),
        None => format!("broke off its answer: {reason}"),
    }
}

/// `error` without the URL that it was asked at: providers put keys into those.
pub(crate) fn without_url(mut error: ClientError) -> ClientError {
    let kind = std::mem::replace(&mut *error.kind, ClientErrorKind::Custom(String::new()));
    *error.kind = match kind {
        ClientErrorKind::Reqwest(source) => ClientErrorKind::Reqwest(source.without_url()),
        other => other,
    };
    error
}

impl Error {
    /// The program's own reason, where there is one.
    pub fn escrow_error(&self) -> Option<EscrowError> {
        match self {
            Self::Rule(error) => Some(*error),
            Self::Refused(failure) | Self::Failed { failure, .. } => failure.escrow_error(),
            _ => None,
        }
    }
}

/// Why a transaction failed, in simulation or in execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The runtime's reason.
    pub error: TransactionError,
    /// The program that failed first: the escrow program, or one that it called. Known from the simulation's log only.
    pub program: Option<Pubkey>,
    /// The log, where there is one.
    pub logs: Vec<String>,
    /// The transaction's accounts, in its order.
    pub accounts: Vec<Pubkey>,
}

impl Failure {
    pub(crate) fn new(error: TransactionError, logs: Vec<String>, accounts: &[Pubkey]) -> Self {
        let program = logs.iter().find_map(|line| {
            let (program, _) = line.strip_prefix("Program ")?.split_once(" failed")?;
            program.parse().ok()
        });
        Self { error, program, logs, accounts: accounts.to_vec() }
    }

    /// The number of the failed instruction in the transaction, and its custom error code.
    fn custom(&self) -> Option<(u8, u32)> {
        match self.error {
            TransactionError::InstructionError(index, InstructionError::Custom(code)) => Some((index, code)),
            _ => None,
        }
    }

    /// The escrow program's reason, where it was the one that refused.
    pub fn escrow_error(&self) -> Option<EscrowError> {
        let (_, code) = self.custom()?;
        match self.program {
            Some(program) if program != escrow::ID => None,
            _ => EscrowError::from_code(code),
        }
    }

    /// What the errors of the programs that an escrow calls mean.
    fn called_program_error(&self) -> Option<&'static str> {
        let (_, code) = self.custom()?;
        let program = self.program?;
        if program == solana_sdk_ids::system_program::ID {
            return match code {
                1 => Some("the paying account does not hold enough SOL"),
                _ => None,
            };
        }
        if program != anchor_lang::programs::Token::id() && program != anchor_lang::programs::Token2022::id() {
            return None;
        }
        match code {
            1 => Some("the token account does not hold enough tokens"),
            3 => Some("the token account is for another mint"),
            4 => Some("the token account belongs to somebody else"),
            17 => Some("the token account is frozen by the token's issuer"),
            36 => Some(
                "the receiving token account wants a memo with every transfer: its owner can choose another account by \
                 signing, or do without for this transaction",
            ),
            42 => Some(
                "the paying token account has its CPI guard on: switch it off for this transaction, or pay from \
                 another account",
            ),
            67 => Some("the token's issuer has paused all transfers: try again when they go on"),
            _ => None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(error) = self.escrow_error() {
            return write!(f, "{} ({}, {})", error.message(), error.name(), error.code());
        }
        if let Some(meaning) = self.called_program_error() {
            return write!(f, "{meaning}");
        }
        match (&self.error, self.program) {
            (TransactionError::InvalidProgramForExecution | TransactionError::ProgramAccountNotFound, _) => {
                write!(f, "the escrow program {} is not deployed on this cluster", escrow::ID)
            }
            (TransactionError::AccountNotFound, _) => {
                f.write_str("the account that pays the fee does not exist: send it some SOL")
            }
            (TransactionError::InsufficientFundsForFee, _) => {
                f.write_str("the account that pays the fee does not hold enough SOL")
            }
            (TransactionError::InstructionError(_, InstructionError::Custom(DUPLICATE_ACCOUNT)), Some(escrow::ID)) => {
                f.write_str(
                    "the same account was passed in two places that must differ, perhaps a wallet where a token account \
                     is needed",
                )
            }
            // An account that does not exist has no data.
            (
                TransactionError::InstructionError(
                    _,
                    InstructionError::UninitializedAccount | InstructionError::AccountDataTooSmall,
                ),
                Some(escrow::ID),
            ) => f.write_str("there is no escrow at this address, or not any more"),
            (TransactionError::InsufficientFundsForRent { account_index }, _) => {
                let account = self.accounts.get(usize::from(*account_index));
                let account = account.map_or_else(|| format!("account {account_index}"), Pubkey::to_string);
                write!(
                    f,
                    "{account} would hold less SOL than an account must have, which is 0.00089088 SOL for a wallet: send \
                     it that much first"
                )
            }
            (error, Some(program)) => write!(f, "{error} (program {program})"),
            (error, None) => write!(f, "{error}"),
        }
    }
}

/// Anchor's error for an account that is passed twice where it may be changed.
const DUPLICATE_ACCOUNT: u32 = 2040;
