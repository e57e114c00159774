//! `deliver`: Pending → Delivered.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, decide, now};
use crate::{
    error::EscrowError,
    event::{self, Delivered},
};

/// Accounts of `deliver`.
#[derive(Accounts)]
pub struct Deliver {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The attester where one is named, else the seller.
    #[account(address = *escrow.deliverer() @ EscrowError::NotDeliverer)]
    pub deliverer: Signer,
}

impl Deliver {
    pub(crate) fn handler(ctx: &mut Context<Deliver>, milestone: u8, evidence_hash: [u8; 32]) -> Result<()> {
        let escrow = &mut ctx.accounts.escrow;
        let mut logged = event::Logged::new(Delivered {
            escrow: *escrow.address(),
            evidence_hash,
            deadline: 0,
            milestone,
            reserved: [0; 7],
        });
        let now = now()?;
        let deadline = decide(escrow, milestone, |escrow, milestone| {
            escrow.deliver(milestone, now)?;
            Ok(milestone.deadline)
        })?;
        logged.event.deadline = deadline;
        logged.write();
        Ok(())
    }
}
