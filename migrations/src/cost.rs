//! What deploying and upgrading cost.

use std::fmt;

use escrow_client::amount::{SOL_DECIMALS, format_amount};
use solana_pubkey::Pubkey;

/// What is needed, before anything is sent, and what there is. All in lamports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Who pays.
    pub payer: Pubkey,
    /// The rent deposit of the buffer, as far as it is not paid yet. It comes back with the last transaction.
    pub buffer: u64,
    /// The rent deposit of the program: of all of it when it is deployed, of what it grows by when it is upgraded. It
    /// comes back only when the program is closed.
    pub program: u64,
    /// The transaction fees.
    pub fees: u64,
    /// How many transactions.
    pub transactions: u64,
    /// What the payer must hold so that no transaction fails for want of money. Less than the sum, because the
    /// buffer's deposit is paid back in time to pay for the program; and the payer's own rent deposit on top.
    pub needed: u64,
    /// What the payer holds.
    pub available: u64,
}

impl Cost {
    /// What the payer lacks.
    pub fn missing(&self) -> u64 {
        self.needed.saturating_sub(self.available)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} for the rent of the program, {} for the rent of the buffer, which comes back, {} for the fees of {} \
             transactions, and the rent of the paying account itself",
            Sol(self.program),
            Sol(self.buffer),
            Sol(self.fees),
            self.transactions
        )
    }
}

/// Lamports, shown as SOL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sol(
    /// Lamports.
    pub u64,
);

impl fmt::Display for Sol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} SOL", format_amount(self.0, SOL_DECIMALS))
    }
}
