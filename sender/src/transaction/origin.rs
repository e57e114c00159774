//! Where a transaction's life begins.

use serde::{Deserialize, Serialize};

use crate::{Hash, Height, Slot};

/// How many blocks after its own a block hash may be used: a constant of Solana's.
pub const MAX_AGE: u64 = 150;

/// Where the ledger stood when a transaction was signed. A node that shows less is behind, or on another ledger; a node
/// whose history begins later may have forgotten the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The cluster's genesis hash.
    pub genesis: Hash,
    /// A slot from before the signing: a history that begins there holds whatever became of the transaction.
    pub slot: Slot,
    /// A finalized height from before the signing.
    pub height: Height,
    /// How many slots had been skipped until then.
    pub skipped: u64,
}
