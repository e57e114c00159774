//! What runs first on chain: refuses an instruction whose data is shorter or longer than its arguments, then hands over
//! to the dispatcher that Anchor generates, which by itself would ignore what stands behind the arguments.

#![deny(missing_docs)]

use crate::state::{MILESTONE_TERMS_SIZE, TERMS_BASE_SIZE};

/// The length that instruction data beginning like `data` must have, the discriminator included; none where it names
/// no instruction or is too short to tell.
pub fn instruction_length(data: &[u8]) -> Option<usize> {
    const HASH: usize = 32;
    let (discriminator, arguments) = data.split_first()?;
    let length: usize = match discriminator {
        // create: the number of milestones stands behind the other terms.
        0 => {
            let count = arguments.get(TERMS_BASE_SIZE.checked_sub(4)?..)?.first_chunk::<4>()?;
            let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
            count.checked_mul(MILESTONE_TERMS_SIZE)?.checked_add(TERMS_BASE_SIZE)?
        }
        // fund, cancel, close
        1 | 2 | 13 => 0,
        // deliver, claim, dispute: milestone, hash or secret
        3 | 4 | 7 => 1 + HASH,
        // release, refund: milestone, amount, expected remaining
        5 | 6 => 1 + 8 + 8,
        // rule: milestone, share, hash
        8 => 1 + 2 + HASH,
        // propose, accept: nothing, a split, an extension
        9 | 10 => match arguments.first()? {
            0 => 1,
            1 => 1 + 1 + 8 + 8 + 8,
            2 => 1 + 1 + 8 + 8,
            _ => return None,
        },
        // expire, withdraw: milestone, recipient
        11 | 12 => 1,
        _ => return None,
    };
    length.checked_add(1)
}

#[cfg(all(target_os = "solana", feature = "entrypoint"))]
mod on_chain {
    use anchor_lang::prelude::*;

    use super::instruction_length;
    use crate::error::EscrowError;

    anchor_lang::pinocchio::default_allocator!();
    anchor_lang::pinocchio::default_panic_handler!();

    /// # Safety
    ///
    /// Called by the loader: `input` is the serialized accounts, `data` the instruction data behind its length (u64).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn entrypoint(input: *mut u8, data: *const u8) -> u64 {
        #[expect(clippy::as_conversions, reason = "a usize has 64 bits on chain")]
        // SAFETY: the loader puts the length before the data.
        let instruction = unsafe {
            let length = data.sub(8).cast::<u64>().read();
            core::slice::from_raw_parts(data, length as usize)
        };
        match instruction_length(instruction) {
            Some(length) if length == instruction.len() => {
                // SAFETY: the loader's arguments, passed on.
                unsafe { crate::__anchor_dispatch(input, data) }
            }
            Some(_) => Error::from(EscrowError::InstructionLength).into(),
            None if instruction.first().is_some_and(|name| *name <= super::LAST_DISCRIMINATOR) => {
                Error::from(EscrowError::InstructionLength).into()
            }
            None => Error::from(ErrorCode::InstructionFallbackNotFound).into(),
        }
    }
}

/// The discriminator of the last instruction.
pub const LAST_DISCRIMINATOR: u8 = 13;
