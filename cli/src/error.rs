//! Why a command failed, and what to do next.

use std::path::PathBuf;

use escrow_client::{EscrowError, EscrowInstruction, amount::AmountError, terms::TermsError, words::refusal::Refusal};
use serde_json::json;
use solana_pubkey::Pubkey;
use thiserror::Error;

/// The result of a command.
pub type Result<T> = std::result::Result<T, CliError>;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// Reading from or sending to the chain failed.
    #[error(transparent)]
    Client(Box<escrow_client::Error>),
    /// A rule of the program refuses it. Nothing was sent.
    #[error("{refusal}{}", first(refusal, escrow))]
    Refused {
        /// Which, and the numbers that it is about.
        refusal: Refusal,
        /// The escrow.
        escrow: Pubkey,
    },
    /// A rule of the program refuses the terms. Nothing was sent.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// What was read from the chain, or is built, breaks a rule of the program.
    #[error(transparent)]
    Rule(#[from] EscrowError),
    /// An amount cannot be read.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// The keypair file cannot be read.
    #[error(
        "cannot read the keypair {path}: {reason}. Name another with --keypair, or make one with solana-keygen new"
    )]
    Keypair {
        /// Where it was looked for.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The configuration file cannot be read.
    #[error("cannot read Solana's configuration {path}: {reason}")]
    Config {
        /// Where it is.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A file named on the command line cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// Somebody else would have to sign.
    #[error("{address} is {role} of this escrow and has to sign, but --keypair is {keypair}, {is}")]
    WrongKeypair {
        /// Who has to sign.
        address: Pubkey,
        /// What that is in the escrow.
        role: String,
        /// Who would sign.
        keypair: Pubkey,
        /// What that is in the escrow.
        is: String,
    },
    /// There are several milestones and none was named.
    #[error("this escrow has {0} milestones: name one with --milestone, 1 to {0}")]
    MilestoneNeeded(usize),
    /// There is no milestone with this number.
    #[error("this escrow has no milestone {given}: it has {count}, counted from 1")]
    NoMilestone {
        /// The number that was named.
        given: u8,
        /// How many there are.
        count: usize,
    },
    /// The arguments cannot be right, whatever is on the chain.
    #[error("{0}")]
    Arguments(String),
    /// The arguments do not fit what is on the chain.
    #[error("{0}")]
    Usage(String),
    /// The embedded validator failed.
    #[cfg(feature = "localnet")]
    #[error(transparent)]
    Localnet(Box<escrow_localnet::Error>),
    /// The demo found a number that is off.
    #[cfg(feature = "localnet")]
    #[error("the demo failed: {0}")]
    Demo(String),
    /// Standard output does not take the result.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
    /// The result cannot be written as JSON.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<escrow_client::Error> for CliError {
    fn from(error: escrow_client::Error) -> Self {
        Self::Client(Box::new(error))
    }
}

#[cfg(feature = "localnet")]
impl From<escrow_localnet::Error> for CliError {
    fn from(error: escrow_localnet::Error) -> Self {
        Self::Localnet(Box::new(error))
    }
}

/// The command for what has to happen first.
fn first(refusal: &Refusal, escrow: &Pubkey) -> String {
    let command = |instruction: &EscrowInstruction| format!(" Run first: escrow {} {escrow}", instruction.name());
    refusal.first.as_ref().map_or_else(String::new, command)
}

impl CliError {
    /// What the process exits with: 2 for a mistake in the command line, as for those that clap finds, else 1.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_) => 2,
            _ => 1,
        }
    }

    /// For those who asked for JSON. `code` and `name` are there where the program itself refused.
    pub fn json(&self) -> serde_json::Value {
        let reason = match self {
            Self::Client(error) => error.escrow_error(),
            Self::Refused { refusal, .. } => Some(refusal.error),
            Self::Terms(TermsError::Rule(error)) | Self::Rule(error) => Some(*error),
            _ => None,
        };
        let signature = match self {
            Self::Client(error) => match **error {
                escrow_client::Error::Failed { signature, .. }
                | escrow_client::Error::Expired { signature }
                | escrow_client::Error::Unknown { signature, .. } => Some(signature.to_string()),
                _ => None,
            },
            _ => None,
        };
        json!({
            "error": self.to_string(),
            "name": reason.map(EscrowError::name),
            "code": reason.map(EscrowError::code),
            "signature": signature,
        })
    }
}
