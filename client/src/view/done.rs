//! What was done to an escrow.

use serde::{Deserialize, Serialize};

use super::{Amount, Cluster, Escrow};

/// A change that was executed, and how the escrow stands after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Done {
    /// The version of this view.
    pub version: u32,
    /// Where it was done.
    pub cluster: Option<Cluster>,
    /// What was done, in words.
    pub done: String,
    /// The escrow's address.
    pub address: String,
    /// The transaction.
    pub signature: String,
    /// Where the transaction was executed.
    pub slot: String,
    /// Token accounts that had to be made for it; none where there were none.
    pub made: Option<Made>,
    /// The escrow afterwards; none where it is closed.
    pub escrow: Option<Escrow>,
}

/// Token accounts that were made, at the cost of whoever paid the fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Made {
    /// How many.
    pub token_accounts: u8,
    /// The rent of each. It is its owner's who closes the account.
    pub rent: Amount,
}

/// A new escrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Created {
    /// The version of this view.
    pub version: u32,
    /// The escrow's address.
    pub address: String,
    /// Whether it was funded too.
    pub funded: bool,
    /// The transaction.
    pub signature: String,
    /// What could go against somebody in its terms, in words, the worst first.
    pub warnings: Vec<String>,
    /// How it stands.
    pub escrow: Escrow,
}
