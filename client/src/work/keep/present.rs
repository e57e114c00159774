//! What a keeper reads.

use solana_pubkey::Pubkey;

use crate::EscrowAccount;

/// An escrow as it stands, and what paying out of it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The escrow.
    pub escrow: EscrowAccount,
    /// Those who are owed tokens, or would get the surplus, and have no token account.
    pub missing: Vec<Pubkey>,
    /// Whether the vault holds tokens that nobody is owed.
    pub surplus: bool,
}
