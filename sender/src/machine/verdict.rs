//! What is known of a transaction in the end, and on what it rests.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Address, Commitment, Height, Slot};

/// What a node knows of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The slot in which the transaction was executed.
    pub slot: Slot,
    /// How sure that is.
    pub commitment: Commitment,
    /// With which error it failed, as the node wrote it; none if it succeeded.
    pub error: Option<String>,
}

/// Where a node stands, by all that it said of one signature. The table is in `docs/sending.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It was asked when the transaction was signed, and is not among the nodes given.
    Absent,
    /// It has not shown a finalized height. With its last error.
    Silent(Option<String>),
    /// Its finalized height is below the journalled one: it is behind, or another ledger.
    Elsewhere(Height),
    /// It shows a height that can not be.
    Implausible(Height),
    /// It does not find the signature, and the transaction may still be executed.
    Pending,
    /// It knows the signature, less surely than wanted.
    Known(Status),
    /// It knows the outcome.
    Landed(Status),
    /// It does not find the signature, and its history begins at this slot, after the signing.
    Forgot(Slot),
    /// It does not find the signature, but the account shows that the transaction was executed.
    Contradicts,
    /// It does not find the signature, and the transaction can never be executed.
    Over,
}

/// On what a verdict rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The nodes that say so.
    pub nodes: Vec<String>,
    /// Whether they also read an account that agrees. Only asked before "expired".
    pub account: bool,
    /// The other nodes, and where they stand.
    pub others: Vec<(String, Standing)>,
}

/// Until when a transaction may still be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Up to this block height.
    Height(Height),
    /// Until this nonce account is advanced.
    NonceAdvances(Address),
    /// By what the nodes say it can not be executed any more; but whether it was, they can not tell.
    Over,
}

/// What became of a transaction. Only [`Verdict::Expired`] may be signed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It landed and succeeded.
    Succeeded {
        /// The slot in which it was executed.
        slot: Slot,
        /// How sure that is, by the least sure of the nodes.
        commitment: Commitment,
        /// On what this rests.
        basis: Basis,
    },
    /// It landed and failed. Nothing changed but its fee was paid. Always finalized.
    Failed {
        /// The slot in which it was executed.
        slot: Slot,
        /// With which error, as the nodes wrote it.
        error: String,
        /// On what this rests.
        basis: Basis,
    },
    /// It was not executed and never can be.
    Expired {
        /// On what this rests.
        basis: Basis,
    },
    /// It may have been executed, or may still be. Ask again with the same journal; never sign it again.
    Unknown {
        /// The best that any node knows of it.
        known: Option<Status>,
        /// Until when it may be executed.
        until: Until,
        /// The nodes, and where they stand.
        nodes: Vec<(String, Standing)>,
    },
}

impl Verdict {
    /// Whether nothing can change it any more.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Unknown { .. })
    }

    /// Whether another says the same, on whatever it rests.
    pub fn is_same_outcome(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "was asked when it was signed, and is not given this time"),
            Self::Silent(None) => write!(f, "does not answer"),
            Self::Silent(Some(error)) => write!(f, "does not answer: {error}"),
            Self::Elsewhere(height) => {
                write!(f, "is at height {height}, below where the ledger stood at signing: behind, or another ledger")
            }
            Self::Implausible(height) => {
                write!(f, "shows height {height}, more than there were slots for: its word is not used")
            }
            Self::Pending => write!(f, "does not know it yet"),
            Self::Known(status) | Self::Landed(status) => {
                let outcome = if status.error.is_some() { "failed" } else { "succeeded" };
                write!(f, "says that it {outcome} in slot {}, {}", status.slot, status.commitment)
            }
            Self::Forgot(slot) => {
                write!(f, "does not find it, but its history begins at slot {slot}, after the signing")
            }
            Self::Contradicts => write!(f, "does not find it, though the account shows that it was executed"),
            Self::Over => write!(f, "does not find it, and it can not be executed any more"),
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Height(height) => write!(f, "it may be executed up to block height {height}"),
            Self::NonceAdvances(account) => {
                write!(f, "it may be executed until the nonce of {account} is advanced")
            }
            Self::Over => write!(f, "it can not be executed any more, but may have been"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, nodes: &[(String, Standing)]) -> fmt::Result {
    nodes.iter().try_for_each(|(name, standing)| write!(f, "; {name} {standing}"))
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nodes.as_slice() {
            [only] => write!(f, "by the word of {only} alone")?,
            nodes => write!(f, "by {}", nodes.join(" and "))?,
        }
        if self.account {
            write!(f, ", with which the account agrees")?;
        }
        list(f, &self.others)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded { slot, commitment, basis } => {
                write!(f, "succeeded in slot {slot}, {commitment}, {basis}")
            }
            Self::Failed { slot, error, basis } => write!(f, "failed in slot {slot} with {error}, {basis}"),
            Self::Expired { basis } => write!(f, "expired: it was not executed and never will be, {basis}"),
            Self::Unknown { known, until, nodes } => {
                write!(f, "unknown: {until}")?;
                if let Some(known) = known {
                    write!(f, "; the best that is known: slot {}, {}", known.slot, known.commitment)?;
                }
                list(f, nodes)
            }
        }
    }
}
