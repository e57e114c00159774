//! The state machine: given what was observed, it says what to do next. It reads no clock, and talks to nobody.

mod decide;
mod pace;
mod rules;
mod sender;
#[cfg(test)]
mod tests;
mod verdict;
mod witness;

pub use pace::Pace;
pub use rules::{FORK_DEPTH, Rule, Rules};
pub use sender::{Ended, NotSent, Request, Sender};
pub use verdict::{Basis, Standing, Status, Until, Verdict};

use std::sync::Arc;

use crate::{
    Address, Attempt, AttemptError, Commitment, Entry, Hash, Node, Position, Reading, Seen, Signature, Slot, Time,
};

/// What to do next. Until it is observed that it was done, the same is said again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Read the state that the transaction acts on, choose a [`Lifetime`](crate::Lifetime), sign; then observe
    /// [`Observation::Signed`], or [`Observation::Declined`] where it no longer fits.
    Sign(Position),
    /// Write this into the journal, and let it be durable; then observe [`Observation::Recorded`].
    Record(Entry),
    /// Write this into the journal if that is possible. Nothing waits for it.
    Note(Seen),
    /// Send these bytes to these nodes, without waiting for the answers.
    Send {
        /// To whom.
        nodes: Vec<Node>,
        /// The transaction's name.
        signature: Signature,
        /// The same each time.
        bytes: Arc<[u8]>,
    },
    /// Ask these nodes, without waiting for the answers.
    Ask(Vec<(Node, Question)>),
    /// Nothing until this time, or until something is observed.
    Wait(Time),
    /// It has ended.
    Done(Ended),
}

/// What a node is asked. One request may serve many senders: heights are the same for all, and statuses are asked for 256
/// signatures at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Its newest block of this commitment: `getEpochInfo`, which gives slot and height together.
    Height(Commitment),
    /// What it knows of the signature: `getSignatureStatuses` with `searchTransactionHistory`.
    Status(Signature),
    /// Where its history begins: `getFirstAvailableBlock`.
    FirstBlock,
    /// The value of a nonce account at `finalized`.
    Nonce(Address),
    /// Whether the account that this transaction changes shows, at `finalized`, that it was executed.
    Effect(Signature),
}

/// Whether an account shows that a transaction was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is as it was before.
    Absent,
    /// It is as the transaction leaves it.
    Present,
}

/// What was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// The signer returned this.
    Signed(Result<Attempt, AttemptError>),
    /// The transaction is not to be signed, and why.
    Declined(String),
    /// The journal wrote the entry, or says why not.
    Recorded(Result<(), String>),
    /// A node's answer to a send: its error, if it is one.
    Sent {
        /// The node.
        node: Node,
        /// Of which transaction.
        signature: Signature,
        /// An error that it answered with.
        error: Option<String>,
    },
    /// A node's newest block.
    Height {
        /// The node.
        node: Node,
        /// At which commitment.
        commitment: Commitment,
        /// The block.
        reading: Reading,
        /// When the node was asked: an answer that lay somewhere meanwhile does not say where the node is at present.
        asked: Time,
    },
    /// What a node knows of a signature.
    Status {
        /// The node.
        node: Node,
        /// Which.
        signature: Signature,
        /// The slot of the bank that looked: `context.slot`.
        bank: Slot,
        /// What it knows; none if it does not find it.
        status: Option<Status>,
    },
    /// Where a node's history begins.
    FirstBlock {
        /// The node.
        node: Node,
        /// The slot of the first block that it still has.
        slot: Slot,
    },
    /// A nonce account, at `finalized`.
    Nonce {
        /// The node.
        node: Node,
        /// Which account.
        account: Address,
        /// The slot of the bank: `context.slot`.
        bank: Slot,
        /// Its value; none if it is gone.
        value: Option<Hash>,
    },
    /// The account that a transaction changes, at `finalized`.
    Effect {
        /// The node.
        node: Node,
        /// Which transaction.
        signature: Signature,
        /// The slot of the bank: `context.slot`.
        bank: Slot,
        /// What it shows.
        effect: Effect,
    },
    /// A node did not answer a question, or with something that is no answer.
    Failed {
        /// The node.
        node: Node,
        /// What happened, for people: without keys that may be in an address.
        error: String,
    },
}

impl Observation {
    /// The node that said it.
    pub fn node(&self) -> Option<Node> {
        match self {
            Self::Signed(_) | Self::Declined(_) | Self::Recorded(_) => None,
            Self::Sent { node, .. }
            | Self::Height { node, .. }
            | Self::Status { node, .. }
            | Self::FirstBlock { node, .. }
            | Self::Nonce { node, .. }
            | Self::Effect { node, .. }
            | Self::Failed { node, .. } => Some(*node),
        }
    }
}
