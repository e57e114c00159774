//! `release`: part or all of what remains of a milestone to the seller.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, decide};
use crate::{
    error::EscrowError,
    event::{self, Released},
};

/// Accounts of `release`.
#[derive(Accounts)]
pub struct Release {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The buyer.
    #[account(address = escrow.buyer @ EscrowError::NotBuyer)]
    pub buyer: Signer,
}

impl Release {
    pub(crate) fn handler(
        ctx: &mut Context<Release>,
        milestone: u8,
        amount: u64,
        expected_remaining: u64,
    ) -> Result<()> {
        let escrow = &mut ctx.accounts.escrow;
        let (moved, remaining) = decide(escrow, milestone, |escrow, milestone| {
            let moved = escrow.release(milestone, amount, expected_remaining)?;
            Ok((moved, milestone.remaining))
        })?;
        event::log(Released {
            escrow: *escrow.address(),
            to_seller: moved.seller,
            fee: moved.fee,
            remaining,
            milestone,
            reserved: [0; 7],
        });
        Ok(())
    }
}
