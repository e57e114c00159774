//! The rules: what may happen when, and who gets what. No account, clock or CPI is in them, so the same code decides
//! on chain, builds transactions in the client and explains an escrow in the command line.

#![deny(missing_docs)]

use crate::error::EscrowError;

/// What a rule returns: its result, or why it refuses.
pub(crate) type Result<T> = core::result::Result<T, EscrowError>;

mod escrow;
mod ledger;
mod milestone;
mod mint;
mod proposal;
mod terms;
mod time;

pub use {escrow::*, ledger::*, milestone::*, mint::*, proposal::*, terms::*, time::*};
