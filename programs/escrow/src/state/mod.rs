//! The rules: what may happen when, and who gets what. No account, clock or CPI is in them, so the same code decides
//! on chain, builds transactions in the client and explains an escrow in the command line.

#![deny(missing_docs)]

use crate::error::EscrowError;

/// What a rule returns: its result, or why it refuses.
pub(crate) type Result<T> = core::result::Result<T, EscrowError>;

/// Refuses with `error` unless `condition` holds. Refusing is marked as the rare case: without that the compiler loads
/// the error before each check, for one compute unit.
pub(crate) fn ensure(condition: bool, error: EscrowError) -> Result<()> {
    if condition {
        return Ok(());
    }
    core::hint::cold_path();
    Err(error)
}

mod escrow;
mod ledger;
mod milestone;
mod mint;
mod proposal;
mod terms;
mod time;

pub use {escrow::*, ledger::*, milestone::*, mint::*, proposal::*, terms::*, time::*};
