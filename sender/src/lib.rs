//! Has a Solana transaction executed once at most, and says what became of it, whatever the network does.
//!
//! Its rooms, in the order in which they use each other:
//!
//! - [`transaction`]: one signed transaction, and until when it may be executed;
//! - [`machine`]: the [`Sender`], a state machine without a clock or a network, the [`Rules`] that it follows, and the
//!   [`Verdict`] in the end;
//! - [`intention`]: what somebody means to do, and what a journal holds of it;
//! - [`store`]: what a journal must do, one in memory, and [`conformance`], the tests that any must pass;
//! - [`journal`]: the one on disk.
//!
//! A driver is a loop: it does what [`Sender::next`] says and tells [`Sender::observe`] what came of it.
//!
//! ```text
//! store.claim(fingerprint)            who else works on it?
//! loop { match sender.next(now) {
//!     Sign(position)  =>  read the state, choose a Lifetime, sign     ->  Signed or Declined
//!     Record(entry)   =>  store.record or store.verdict               ->  Recorded
//!     Note(seen)      =>  store.observe
//!     Send, Ask       =>  requests in the background                  ->  Sent, Height, Status, …, Failed
//!     Wait(until)     =>  until then, or until one of these arrives
//!     Done(ended)     =>  tell
//! } }
//! ```
//!
//! What each decision rests on stands in `docs/sending.md`, the journal's format in `docs/journal.md`.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod conformance;
pub mod intention;
pub mod journal;
pub mod machine;
pub mod store;
#[cfg(test)]
mod testing;
pub mod transaction;
mod units;

pub use {
    intention::{
        Entry, Fingerprint, Intention, Judged, Lease, Opening, Position, Record, Refusal, Seen, Signed, Stage,
    },
    journal::{Journal, JournalError},
    machine::{
        Basis, Decision, Effect, Ended, FORK_DEPTH, NotSent, Observation, Pace, Question, Request, Rule, Rules, Sender,
        Standing, Status, Until, Verdict,
    },
    store::{Claim, Fence, Memory, Store, StoreError},
    transaction::{Attempt, AttemptError, Lifetime, MAX_AGE, NonceOffer, Offer, Origin, PrepareError},
    units::{Address, Commitment, Hash, Height, Node, NotBase58, Reading, Signature, Slot, Time},
};
