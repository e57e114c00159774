//! What a node shows.

use crate::EscrowAccount;

/// An escrow's account as a node shows it: all of it at one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The slot.
    pub slot: u64,
    /// The chain's time at that slot, in unix seconds.
    pub time: i64,
    /// The escrow; none where there is no account.
    pub account: Option<EscrowAccount>,
}
