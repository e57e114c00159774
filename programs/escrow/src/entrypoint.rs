//! What runs first on chain: refuses an instruction whose data is shorter or longer than its arguments, then hands over
//! to the dispatcher that Anchor generates, which by itself would ignore what stands behind the arguments.

#[cfg(all(target_os = "solana", feature = "entrypoint"))]
mod on_chain {
    use anchor_lang::prelude::*;

    use crate::{error::EscrowError, interface::has_its_length};

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
        match has_its_length(instruction) {
            Some(true) => {
                // SAFETY: the loader's arguments, passed on.
                unsafe { crate::__anchor_dispatch(input, data) }
            }
            Some(false) => Error::from(EscrowError::InstructionLength).into(),
            None => Error::from(ErrorCode::InstructionFallbackNotFound).into(),
        }
    }
}
