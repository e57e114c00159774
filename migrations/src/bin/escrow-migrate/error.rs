//! Why a command failed, and what to do next.

use escrow_client::program::ProgramError;
use escrow_frame::{Diagnostic, Kind, Retry};
use thiserror::Error;

/// The result of a command.
pub type Result<T> = std::result::Result<T, CliError>;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// What every command line can meet: the configuration, a keypair, the node, the output.
    #[error(transparent)]
    Frame(#[from] escrow_frame::Error),
    /// What the library says.
    #[error(transparent)]
    Migration(#[from] escrow_migrations::Error),
    /// The arguments do not fit together, or are not enough.
    #[error("{0}")]
    Usage(String),
}

impl Diagnostic for CliError {
    fn kind(&self) -> Kind {
        match self {
            Self::Frame(error) => error.kind(),
            Self::Migration(error) => migration_kind(error),
            Self::Usage(_) => Kind::Usage,
        }
    }

    fn retry(&self) -> Option<Retry> {
        match self {
            Self::Frame(error) => error.retry(),
            Self::Migration(_) => self.kind().retry(),
            Self::Usage(_) => self.kind().retry(),
        }
    }

    fn signature(&self) -> Option<String> {
        match self {
            Self::Frame(error) => error.signature(),
            Self::Migration(error) => error.signature().map(|signature| signature.to_string()),
            Self::Usage(_) => None,
        }
    }
}

fn migration_kind(error: &escrow_migrations::Error) -> Kind {
    use escrow_migrations::Error;
    match error {
        Error::NotDeployed { .. } | Error::NoBuffer { .. } => Kind::NotFound,
        Error::Program(ProgramError::NotAProgram { .. }) | Error::WrongHash { .. } | Error::OtherBytes { .. } => {
            Kind::Mismatch
        }
        Error::Congested { .. } => Kind::Expired,
        Error::NoNewSlot { .. } | Error::NotSeen { .. } => Kind::Network,
        // The same command goes on where this one ended, and finds what was executed.
        Error::Client(error) if matches!(**error, escrow_client::Error::Unknown { .. }) => Kind::Network,
        Error::Client(error) => error.kind(),
        _ => Kind::Refused,
    }
}
