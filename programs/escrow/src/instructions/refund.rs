//! `refund`: part or all of what remains of a milestone to the buyer.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, decide};
use crate::{
    error::EscrowError,
    event::{self, Refunded},
};

/// Accounts of `refund`.
#[derive(Accounts)]
pub struct Refund {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The seller.
    #[account(address = escrow.seller @ EscrowError::NotSeller)]
    pub seller: Signer,
}

impl Refund {
    pub(crate) fn handler(
        ctx: &mut Context<Refund>,
        milestone: u8,
        amount: u64,
        expected_remaining: u64,
    ) -> Result<()> {
        let escrow = &mut ctx.accounts.escrow;
        let (moved, remaining) = decide(escrow, milestone, |escrow, milestone| {
            let moved = escrow.refund(milestone, amount, expected_remaining)?;
            Ok((moved, milestone.remaining))
        })?;
        event::log(Refunded {
            escrow: *escrow.address(),
            to_buyer: moved.buyer,
            remaining,
            milestone,
            reserved: [0; 7],
        });
        Ok(())
    }
}
