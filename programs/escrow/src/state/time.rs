//! Times are `i64` unix seconds of the Clock sysvar, windows are `u32` seconds: two types, so that they do not mix.

use super::Result;
use crate::error::EscrowError;

/// How far ahead a time in the terms may lie, in seconds: two years. Lowering it is safe for escrows that exist.
pub const MAX_TIME_AHEAD: u32 = 2 * 365 * 24 * 60 * 60;

/// The longest window, in seconds: 365 days. Lowering it is safe for escrows that exist.
pub const MAX_WINDOW: u32 = 365 * 24 * 60 * 60;

/// The moment `window` seconds after `start`.
pub fn after(start: i64, window: u32) -> Result<i64> {
    start.checked_add(i64::from(window)).ok_or(EscrowError::Overflow)
}

/// Whether `time` lies in the future and at most two years ahead.
pub(crate) fn check_ahead(time: i64, now: i64, past: EscrowError, too_far: EscrowError) -> Result<()> {
    if time <= now {
        return Err(past);
    }
    if time > after(now, MAX_TIME_AHEAD)? {
        return Err(too_far);
    }
    Ok(())
}
