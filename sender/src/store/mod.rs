//! What a journal must do for a sender. [`Journal`](crate::Journal) does it on disk, [`Memory`] for tests; a back end may do
//! it in its own database, and show with [`conformance`](crate::conformance) that it does.

mod memory;

use std::future::Future;

use thiserror::Error;

pub use memory::Memory;

use crate::{Fingerprint, Intention, Judged, Lease, Refusal, Seen, Signed, Time};

/// That one claimed an intention, and which of those who did is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The intention.
    pub fingerprint: Fingerprint,
    /// Grows with each owner.
    pub number: u64,
}

/// The answer to who may work on an intention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The caller, with this fence, on what the journal holds.
    Held(Fence, Intention),
    /// Somebody else, so long.
    Busy(Lease),
}

/// Why a journal did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// It does not take the entry.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It can not write or read: for people, with the place.
    #[error("{0}")]
    Failed(String),
}

/// A journal of intentions.
///
/// Everything that a method has written is seen by every later call of any process. What [`record`](Self::record) and
/// [`verdict`](Self::verdict) have written also survives a loss of power when they return, and so do the signed
/// transactions that [`claim`](Self::claim) returns, whoever wrote them: they are about to be sent. All else may be lost with
/// the power, since then nobody is left who relied on it.
pub trait Store: Send + Sync {
    /// Claims an intention until a time, or renews the claim of the same owner. An owner that no longer needs it claims it
    /// until `now`.
    fn claim(
        &self,
        fingerprint: Fingerprint,
        owner: &str,
        now: Time,
        until: Time,
    ) -> impl Future<Output = Result<Claim, StoreError>> + Send;

    /// Writes signed transactions before they are sent, one result for each. Each needs its fence, and must be at the place
    /// that [`Intention::next`] says; where it is not, it is refused and the others are written.
    ///
    /// One wait for the disk may cover all of them.
    fn record(&self, batch: Vec<(Fence, Signed)>) -> impl Future<Output = Vec<Result<(), StoreError>>> + Send;

    /// Writes that a node knows a transaction. With its fence.
    fn observe(&self, fence: Fence, seen: Seen) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes what became of a transaction. With its fence. A final verdict is never replaced by another.
    fn verdict(&self, fence: Fence, judged: Judged) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What it holds of an intention.
    fn find(&self, fingerprint: Fingerprint) -> impl Future<Output = Result<Option<Intention>, StoreError>> + Send;

    /// All intentions that somebody must still look after, see [`Intention::is_unresolved`].
    fn unresolved(&self) -> impl Future<Output = Result<Vec<Intention>, StoreError>> + Send;
}
