//! What can go wrong when starting a proxy or changing its plan.

use std::{io, net::SocketAddr};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to stand in front of.
    #[error("no upstream: name at least one, such as http://127.0.0.1:8899")]
    NoUpstream,
    /// The URL is none of a node on this machine.
    #[error("{url:?} cannot be an upstream: {reason}; name a node on this machine, such as http://127.0.0.1:8899")]
    Upstream {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Others could reach the proxy there, and all that its upstream does.
    #[error("the proxy listens on loopback alone, and {0} is none; use 127.0.0.1:0 for a free port")]
    NotLoopback(SocketAddr),
    /// The port could not be listened on.
    #[error("cannot listen on {address}: {source}; use 127.0.0.1:0 for a free port")]
    Bind {
        /// The address that was tried.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The plan is not JSON of the right form.
    #[error("this is not a plan: {0}")]
    PlanSyntax(serde_json::Error),
    /// A rule of the plan asks for what cannot be done.
    #[error("rule {rule} of the plan, counted from 0: {reason}")]
    PlanRule {
        /// Its index.
        rule: usize,
        /// What is wrong with it.
        reason: String,
    },
}
