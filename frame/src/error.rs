//! What can go wrong in what the command lines share.

use std::{error::Error as StdError, io, path::PathBuf};

use thiserror::Error;

use crate::{
    config::ConfigError,
    diagnostic::{Diagnostic, Kind, Retry},
    node::NodeError,
    output::OutputError,
    signer::KeypairError,
};

/// The result of what the command lines share.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a command failed, whatever it was for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Solana's configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was named is not a node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// There is no keypair to sign with.
    #[error(transparent)]
    Keypair(#[from] KeypairError),
    /// Nothing answers at the node's address.
    #[error(
        "cannot reach the RPC node {url}: {}. `escrow localnet` starts a validator on this machine; --url or ESCROW_URL \
         names another node", unreached(.source)
    )]
    Unreachable {
        /// The node, without what may be a secret in its URL.
        url: String,
        /// What went wrong.
        source: io::Error,
    },
    /// A file named on the command line cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The result was not printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

fn unreached(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused, so nothing listens there".to_owned(),
        _ => source.to_string(),
    }
}

impl Error {
    /// [`Error::Unreachable`], if that is what `error` comes from: there is no connection to the node at `url`.
    pub fn unreachable(url: &str, error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut causes = std::iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source());
        let source = causes.find_map(|cause| cause.downcast_ref::<io::Error>())?;
        Some(Self::Unreachable { url: url.to_owned(), source: io::Error::new(source.kind(), source.to_string()) })
    }
}

impl Diagnostic for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Config(_) => Kind::Config,
            Self::Node(_) => Kind::Usage,
            Self::Keypair(_) => Kind::Keypair,
            Self::Unreachable { .. } => Kind::Network,
            Self::File { .. } => Kind::Io,
            Self::Output(error) => error.kind(),
        }
    }

    fn retry(&self) -> Option<Retry> {
        match self {
            Self::Output(error) => error.retry(),
            _ => self.kind().retry(),
        }
    }

    fn signature(&self) -> Option<String> {
        match self {
            Self::Output(error) => error.signature(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error of a library, with the operating system's somewhere below it.
    #[derive(Debug, Error)]
    #[error("error sending request")]
    struct Sending(#[source] io::Error);

    #[test]
    fn a_refused_connection_is_found_below_whatever_a_library_says() {
        let refused = Sending(io::Error::from(io::ErrorKind::ConnectionRefused));
        let error = Error::unreachable("http://127.0.0.1:1", &refused).expect("not reached");
        let text = error.to_string();
        for part in ["http://127.0.0.1:1", "nothing listens there", "escrow localnet", "--url", "ESCROW_URL"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!((error.kind(), error.retry(), error.exit_code()), (Kind::Network, Some(Retry::Safe), 1));
        let other = Sending(io::Error::other("no route to host"));
        let error = Error::unreachable("http://127.0.0.1:1", &other).expect("not reached");
        assert!(error.to_string().contains("no route to host"), "{error}");
        assert!(Error::unreachable("http://127.0.0.1:1", &std::fmt::Error).is_none());
    }
}
