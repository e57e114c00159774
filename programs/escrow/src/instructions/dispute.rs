//! `dispute`: Delivered → Disputed.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, decide, now};
use crate::{
    error::EscrowError,
    event::{self, Disputed},
};

/// Accounts of `dispute`.
#[derive(Accounts)]
pub struct Dispute {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The buyer.
    #[account(address = escrow.buyer @ EscrowError::NotBuyer)]
    pub buyer: Signer,
}

impl Dispute {
    pub(crate) fn handler(ctx: &mut Context<Dispute>, milestone: u8, reason_hash: [u8; 32]) -> Result<()> {
        let escrow = &mut ctx.accounts.escrow;
        let mut logged = event::Logged::new(Disputed {
            escrow: *escrow.address(),
            reason_hash,
            deadline: 0,
            milestone,
            reserved: [0; 7],
        });
        let now = now()?;
        let deadline = decide(escrow, milestone, |escrow, milestone| {
            escrow.dispute(milestone, now)?;
            Ok(milestone.deadline)
        })?;
        logged.event.deadline = deadline;
        logged.write();
        Ok(())
    }
}
