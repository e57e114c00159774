//! Times are `i64` unix seconds of the Clock sysvar, windows are `u32` seconds: two types, so that they do not mix.

use super::{Result, ensure};
use crate::error::EscrowError;

/// How far ahead a time in the terms may lie, in seconds: two years. Lowering it is safe for escrows that exist.
#[anchor_lang::constant]
pub const MAX_TIME_AHEAD: u32 = 2 * 365 * 24 * 60 * 60;

/// The longest window, in seconds: 365 days. Lowering it is safe for escrows that exist.
#[anchor_lang::constant]
pub const MAX_WINDOW: u32 = 365 * 24 * 60 * 60;

/// The moment `window` seconds after `start`.
///
/// Like `checked_add`, which costs three times as many instructions on chain: a window is not negative, so the end is
/// before the start exactly where the addition wraps around.
pub fn after(start: i64, window: u32) -> Result<i64> {
    let end = start.wrapping_add(i64::from(window));
    ensure(end >= start, EscrowError::Overflow)?;
    Ok(end)
}

/// Whether `time` lies in the future and at most two years ahead.
pub(crate) fn check_ahead(time: i64, now: i64, past: EscrowError, too_far: EscrowError) -> Result<()> {
    ensure(time > now, past)?;
    ensure(time <= after(now, MAX_TIME_AHEAD)?, too_far)
}
