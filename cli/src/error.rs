//! Why a command failed, and what to do next.

use std::{net::SocketAddr, path::PathBuf};

use escrow_client::{
    Action, EscrowError,
    amount::AmountError,
    sender::{JournalError, Verdict},
    terms::TermsError,
    words::refusal::Refusal,
    work::keep::Trouble,
};
use escrow_frame::{Diagnostic, Kind, Retry};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use thiserror::Error;

/// The result of a command.
pub type Result<T> = std::result::Result<T, CliError>;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// What every command line can meet: the configuration, the keypair, the node, the output.
    #[error(transparent)]
    Frame(#[from] escrow_frame::Error),
    /// Reading from or sending to the chain failed.
    #[error(transparent)]
    Client(Box<escrow_client::Error>),
    /// A rule of the program refuses it. Nothing was sent.
    #[error("{refusal}{first}", refusal = .0, first = first(.0))]
    Refused(Box<Refusal>),
    /// A rule of the program refuses the terms. Nothing was sent.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// What was read from the chain, or is built, breaks a rule of the program.
    #[error(transparent)]
    Rule(#[from] EscrowError),
    /// An amount cannot be read.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// Somebody else would have to sign.
    #[error(
        "Only {role} ({address}) can do this, and your key is {is} ({keypair}). Choose the right key with --keypair"
    )]
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
    /// Something is not as whoever signs expects it. Nothing was signed.
    #[error("nothing was signed: the {what} of escrow {escrow} is {is}, and not {expected} as you expect")]
    Unexpected {
        /// What differs.
        what: String,
        /// What was expected.
        expected: String,
        /// What it is.
        is: String,
        /// Of which escrow.
        escrow: Pubkey,
    },
    /// Nobody agreed to what is about to be signed, and nobody can be asked.
    #[error("{0}")]
    Unconfirmed(String),
    /// Whoever was asked said no.
    #[error("nothing was signed: you did not say yes")]
    Declined,
    /// The token's issuer has powers that the terms do not accept. Nothing was signed.
    #[error("refused, and nothing was signed: {text}")]
    NotAccepted {
        /// The rule.
        error: EscrowError,
        /// Which powers, what they mean, and the options that accept them.
        text: String,
    },
    /// The arguments cannot be right, whatever is on the chain.
    #[error("{0}")]
    Arguments(String),
    /// The arguments do not fit what is on the chain.
    #[error("{0}")]
    Usage(String),
    /// What is on the chain does not allow it, at least not at present.
    #[error("{0}")]
    NotNow(String),
    /// A new file cannot be written.
    #[error("cannot write {path}: {source}. Name a new file in a folder that is there", path = path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// What is waited for has not come in time.
    #[error("{0}")]
    NotYet(String),
    /// Nothing is known of what was asked for.
    #[error("{0}")]
    NoRecord(String),
    /// The embedded validator failed.
    #[cfg(feature = "localnet")]
    #[error(transparent)]
    Localnet(Box<escrow_localnet::Error>),
    /// The demo found a number that is off.
    #[cfg(feature = "localnet")]
    #[error("the demo failed: {0}")]
    Demo(String),
    /// A keypair for playing cannot be made.
    #[cfg(feature = "localnet")]
    #[error("cannot make the keypair {path}: {source}. Choose another folder with --keys")]
    Keys {
        /// Where it should be.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The keeper cannot go on.
    #[error("the keeper ended: {0}. What it began is in its journal: the next one takes it up")]
    Keeper(Trouble),
    /// The keeper did all that its budget allowed.
    #[error("more is due than today's budget allows: raise --budget, or wait for tomorrow. Until then:\n{0}")]
    OutOfBudget(String),
    /// Nobody can be told over HTTP.
    #[error("cannot listen at {address}: {source}. Name another port with --listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The process cannot listen for what is to stop it.
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(std::io::Error),
    /// A transaction of the command was executed, and then something went wrong.
    #[error("transaction {signature} was executed, so do not repeat the command. After it: {source}")]
    Executed {
        /// The transaction.
        signature: Signature,
        /// What went wrong.
        source: Box<CliError>,
    },
    /// Nobody wanted to wait. Not a failure: what the command was there for is under way.
    #[error("transaction {signature} is submitted: {verdict}. What became of it: escrow status {signature}")]
    Submitted {
        /// The transaction.
        signature: Signature,
        /// Until when it may be executed.
        verdict: Box<Verdict>,
    },
    /// What was taken up has not ended yet.
    #[error("{open} of these may still be executed, or may have been: run escrow resume again\n{kept}")]
    StillOpen {
        /// How many.
        open: usize,
        /// All of them, in words.
        kept: String,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    ReadJournal(#[from] JournalError),
    /// The same command succeeded a short while ago.
    #[error(
        "The same command succeeded a short while ago, with transaction {0}, so nothing was sent. If you mean it once more, add \
         --again"
    )]
    Repeated(Signature),
    /// The reference names an escrow that was created before, on this machine or another.
    #[error("{0}")]
    ReferenceTaken(String),
    /// The journal cannot be opened: without it nothing is sent.
    #[error("nothing was sent, because it could not be written down first: {0}")]
    Journal(String),
    /// A result cannot be written as JSON.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<escrow_frame::output::OutputError> for CliError {
    fn from(error: escrow_frame::output::OutputError) -> Self {
        Self::Frame(error.into())
    }
}

impl From<escrow_frame::signer::KeypairError> for CliError {
    fn from(error: escrow_frame::signer::KeypairError) -> Self {
        Self::Frame(error.into())
    }
}

impl From<escrow_client::Error> for CliError {
    fn from(error: escrow_client::Error) -> Self {
        match &error {
            escrow_client::Error::Rpc { url, source } => escrow_frame::Error::unreachable(url, source).map(Self::Frame),
            _ => None,
        }
        .unwrap_or_else(|| Self::Client(Box::new(error)))
    }
}

#[cfg(feature = "localnet")]
impl From<escrow_localnet::Error> for CliError {
    fn from(error: escrow_localnet::Error) -> Self {
        Self::Localnet(Box::new(error))
    }
}

/// The command for what has to happen first.
fn first(refusal: &Refusal) -> String {
    let command = |first: &Action| format!(" Run first: escrow {} {}", first.instruction.name(), first.escrow);
    refusal.first.as_ref().map_or_else(String::new, command)
}

impl Diagnostic for CliError {
    fn kind(&self) -> Kind {
        match self {
            Self::Frame(error) => error.kind(),
            Self::Client(error) => error.kind(),
            Self::NotAccepted { .. }
            | Self::Refused(_)
            | Self::Terms(_)
            | Self::Rule(_)
            | Self::Unexpected { .. }
            | Self::NotNow(_) => Kind::Refused,
            Self::Declined => Kind::Declined,
            Self::NoRecord(_) => Kind::NotFound,
            Self::NotYet(_) | Self::OutOfBudget(_) => Kind::NotYet,
            Self::WrongKeypair { .. } => Kind::WrongSigner,
            Self::Amount(_)
            | Self::MilestoneNeeded(_)
            | Self::NoMilestone { .. }
            | Self::Arguments(_)
            | Self::Unconfirmed(_)
            | Self::Usage(_) => Kind::Usage,
            #[cfg(feature = "localnet")]
            Self::Localnet(error) => localnet_kind(error),
            #[cfg(feature = "localnet")]
            Self::Keys { .. } => Kind::Io,
            #[cfg(feature = "localnet")]
            Self::Demo(_) => Kind::Internal,
            Self::Executed { source, .. } => source.kind(),
            Self::Submitted { .. } | Self::StillOpen { .. } => Kind::Unknown,
            Self::ReadJournal(_) | Self::Signal(_) | Self::Write { .. } => Kind::Io,
            Self::Repeated(_) | Self::ReferenceTaken(_) => Kind::Repeated,
            Self::Journal(_) | Self::Listen { .. } => Kind::Io,
            Self::Keeper(_) => Kind::Network,
            Self::Json(_) => Kind::Internal,
        }
    }

    fn retry(&self) -> Option<Retry> {
        match self {
            Self::Frame(error) => error.retry(),
            Self::Executed { .. } => Some(Retry::No),
            _ => self.kind().retry(),
        }
    }

    /// Who did not want to wait has what was asked for.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Submitted { .. } => 0,
            _ => self.kind().exit_code(),
        }
    }

    fn program_error(&self) -> Option<(u32, &'static str)> {
        let error = match self {
            Self::Client(error) => return error.program_error(),
            Self::Refused(refusal) => refusal.error,
            Self::NotAccepted { error, .. } => *error,
            Self::Terms(TermsError::Rule(error)) | Self::Rule(error) => *error,
            Self::Executed { source, .. } => return source.program_error(),
            _ => return None,
        };
        Some((error.code(), error.name()))
    }

    fn address(&self) -> Option<String> {
        let address = match self {
            Self::WrongKeypair { address, .. } | Self::Unexpected { escrow: address, .. } => address,
            Self::Client(error) => return error.address(),
            Self::Executed { source, .. } => return source.address(),
            _ => return None,
        };
        Some(address.to_string())
    }

    fn signature(&self) -> Option<String> {
        let signature = match self {
            Self::Frame(error) => return error.signature(),
            Self::Executed { signature, .. } | Self::Repeated(signature) | Self::Submitted { signature, .. } => {
                signature
            }
            Self::Client(error) => return error.signature(),
            _ => return None,
        };
        Some(signature.to_string())
    }
}

#[cfg(feature = "localnet")]
const fn localnet_kind(error: &escrow_localnet::Error) -> Kind {
    use escrow_localnet::Error;
    match error {
        Error::PortInUse { .. } | Error::Bind { .. } | Error::NoFreePorts { .. } => Kind::Io,
        _ => Kind::Internal,
    }
}
