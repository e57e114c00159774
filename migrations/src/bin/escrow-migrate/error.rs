//! Why a command failed, and what to do next.

use std::path::PathBuf;

use serde_json::json;
use thiserror::Error;

/// The result of a command.
pub type Result<T> = std::result::Result<T, CliError>;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// What the library says.
    #[error(transparent)]
    Migration(#[from] escrow_migrations::Error),
    /// A keypair file cannot be read.
    #[error(
        "cannot read the keypair file {path}: {reason}. Name another with --keypair, --upgrade-authority or \
         --program-keypair"
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
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The arguments do not fit together, or are not enough.
    #[error("{0}")]
    Usage(String),
    /// Standard output does not take the result.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
    /// The result cannot be written as JSON.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    /// For those who asked for JSON.
    pub fn json(&self) -> serde_json::Value {
        let signature = match self {
            Self::Migration(error) => error.signature().map(|signature| signature.to_string()),
            _ => None,
        };
        json!({ "error": self.to_string(), "signature": signature })
    }
}
