//! An error as people and programs read it.

use serde::Serialize;

/// The version of the errors' JSON. It grows when a field changes its meaning, and not when one is added.
pub const VERSION: u32 = 1;

/// What went wrong, as one word that stays: programs decide by it, never by the text. docs/errors.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// The command line cannot be right as it stands.
    Usage,
    /// Solana's configuration file is missing where it was named, or broken.
    Config,
    /// There is no keypair to sign with.
    Keypair,
    /// Somebody else has to sign.
    WrongSigner,
    /// A rule, or a lack of money, forbids it. Nothing was sent.
    Refused,
    /// Nothing is at the address.
    NotFound,
    /// Something else is there than what was asked for.
    Mismatch,
    /// The node cannot be reached, or does not answer as it should.
    Network,
    /// A transaction was executed and failed. Nothing changed but its fee.
    Failed,
    /// A transaction was not executed and never will be.
    Expired,
    /// A transaction was sent, and whether it was executed is not known.
    Unknown,
    /// Whoever was asked said no. Nothing was sent.
    Declined,
    /// What is waited for has not come yet.
    NotYet,
    /// The same was executed before. Nothing was sent.
    Repeated,
    /// A file, a port or standard output cannot be used.
    Io,
    /// A mistake in this program.
    Internal,
}

impl Kind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::Usage,
        Self::Config,
        Self::Keypair,
        Self::WrongSigner,
        Self::Refused,
        Self::NotFound,
        Self::Mismatch,
        Self::Network,
        Self::Failed,
        Self::Expired,
        Self::Unknown,
        Self::Declined,
        Self::NotYet,
        Self::Repeated,
        Self::Io,
        Self::Internal,
    ];

    /// What a command exits with that failed so. 0 is left for those that did not.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Refused | Self::WrongSigner | Self::Failed => 3,
            Self::Unknown => 4,
            Self::Declined => 5,
            Self::NotYet => 8,
            Self::Config
            | Self::Keypair
            | Self::NotFound
            | Self::Mismatch
            | Self::Network
            | Self::Expired
            | Self::Repeated
            | Self::Io
            | Self::Internal => 1,
        }
    }

    /// Whether to repeat a command that failed so, where no single error knows better.
    pub const fn retry(self) -> Option<Retry> {
        match self {
            Self::Usage
            | Self::Config
            | Self::Keypair
            | Self::WrongSigner
            | Self::Refused
            | Self::NotFound
            | Self::Mismatch
            | Self::Failed
            | Self::Declined
            | Self::Repeated
            | Self::Io => Some(Retry::No),
            Self::Network | Self::Expired | Self::NotYet => Some(Retry::Safe),
            Self::Unknown => Some(Retry::AfterCheck),
            Self::Internal => None,
        }
    }
}

/// Whether to repeat the same command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Nothing changed, and the same command may succeed.
    Safe,
    /// Look first: a transaction of this command may have been executed, or may still be.
    AfterCheck,
    /// Not as it stands: it fails again until something else changes, or does again what has been done.
    No,
}

/// An error that a command line ends with. Its text is for people, the rest for programs.
pub trait Diagnostic: std::error::Error {
    /// What went wrong.
    fn kind(&self) -> Kind;

    /// Whether to repeat the command; none where nobody can say.
    fn retry(&self) -> Option<Retry> {
        self.kind().retry()
    }

    /// What the process exits with.
    fn exit_code(&self) -> u8 {
        self.kind().exit_code()
    }

    /// The on-chain program's number and name for the error, where it was the one that refused.
    fn program_error(&self) -> Option<(u32, &'static str)> {
        None
    }

    /// The address that it is about, in base58.
    fn address(&self) -> Option<String> {
        None
    }

    /// The transaction that it is about, in base58.
    fn signature(&self) -> Option<String> {
        None
    }
}

impl Diagnostic for escrow_client::Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::NotAnEscrow { .. } | Self::NotAMint { .. } | Self::Changed { .. } => Kind::Mismatch,
            Self::Rule(_) | Self::Refused(_) => Kind::Refused,
            Self::Failed { .. } => Kind::Failed,
            Self::Expired { .. } => Kind::Expired,
            // Nothing was sent here, and what another process has sent may be executed.
            Self::Unknown { .. } | Self::Busy { .. } => Kind::Unknown,
            Self::Repetition { .. } => Kind::Repeated,
            Self::Journal(_) => Kind::Io,
            Self::Transaction(_) | Self::Attempt(_) | Self::ToBeSigned { .. } | Self::Steps { .. } => Kind::Usage,
            Self::Clusters { .. } => Kind::Usage,
            Self::Rpc { .. } | Self::Answer { .. } | Self::Lifetime(_) | Self::Disagree { .. } => Kind::Network,
            // Whatever comes later gets its own row here first.
            _ => Kind::Internal,
        }
    }

    fn program_error(&self) -> Option<(u32, &'static str)> {
        self.escrow_error().map(|error| (error.code(), error.name()))
    }

    fn address(&self) -> Option<String> {
        match self {
            Self::NotFound { address, .. }
            | Self::NotAnEscrow { address, .. }
            | Self::NotAMint { address, .. }
            | Self::Changed { address } => Some(address.to_string()),
            _ => None,
        }
    }

    fn signature(&self) -> Option<String> {
        match self {
            Self::Failed { signature, .. }
            | Self::Expired { signature, .. }
            | Self::Unknown { signature, .. }
            | Self::Repetition { signature, .. } => Some(signature.to_string()),
            _ => None,
        }
    }
}

/// An error as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorJson {
    version: u32,
    error: String,
    kind: Kind,
    code: Option<u32>,
    name: Option<&'static str>,
    retry: Option<Retry>,
    address: Option<String>,
    signature: Option<String>,
}

impl ErrorJson {
    /// All that `error` says.
    pub fn new(error: &dyn Diagnostic) -> Self {
        let program_error = error.program_error();
        Self {
            version: VERSION,
            error: error.to_string(),
            kind: error.kind(),
            code: program_error.map(|(code, _)| code),
            name: program_error.map(|(_, name)| name),
            retry: error.retry(),
            address: error.address(),
            signature: error.signature(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(value: impl Serialize) -> String {
        serde_json::to_value(value).unwrap().as_str().unwrap_or("null").to_owned()
    }

    /// The documentation is the promise: every kind has its row there, and no other, with whether to try again.
    #[test]
    fn every_kind_is_documented() {
        let text = include_str!("../../docs/errors.md");
        let (_, table) = text.split_once("## Kinds").unwrap();
        let table = table.split("\n## ").next().unwrap();
        let rows: Vec<(String, String, String)> = table
            .lines()
            .filter_map(|line| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                let (kind, retry) =
                    (cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?, cells.get(3)?.trim_matches('`'));
                Some((kind.to_owned(), retry.to_owned(), (*cells.get(4)?).to_owned()))
            })
            .collect();
        let kinds = Kind::ALL.map(|kind| (word(kind), word(kind.retry()), kind.exit_code().to_string()));
        assert_eq!(rows, kinds);
    }
}
