//! `claim`: unsettled → Settled, to the seller, with the secret of the hash-lock.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, decide, now};
use crate::event::{self, Claimed};

/// Accounts of `claim`. Anyone may call it: the money goes to the seller.
#[derive(Accounts)]
pub struct Claim {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
}

impl Claim {
    pub(crate) fn handler(ctx: &mut Context<Claim>, milestone: u8, secret: [u8; 32]) -> Result<()> {
        let escrow = &mut ctx.accounts.escrow;
        let now = now()?;
        let moved = decide(escrow, milestone, |escrow, milestone| escrow.claim(milestone, &secret, now))?;
        event::log(Claimed { escrow: *escrow.address(), to_seller: moved.seller, fee: moved.fee });
        Ok(())
    }
}
