//! `rule`: Disputed → Settled, as the arbiter says.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, decide, now};
use crate::{
    error::EscrowError,
    event::{self, Decided, Ruled},
};

/// Accounts of `rule`.
#[derive(Accounts)]
pub struct Rule {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The arbiter. The default key, which stands for none, cannot sign.
    #[account(address = escrow.arbiter @ EscrowError::NotArbiter)]
    pub arbiter: Signer,
}

impl Rule {
    pub(crate) fn handler(
        ctx: &mut Context<Rule>,
        milestone: u8,
        seller_bps: u16,
        rationale_hash: [u8; 32],
    ) -> Result<()> {
        let escrow = &mut ctx.accounts.escrow;
        let mut logged = event::Logged::new(Ruled {
            escrow: *escrow.address(),
            rationale_hash,
            decided: Decided::default(),
            to_arbiter: 0,
        });
        let now = now()?;
        let moved = decide(escrow, milestone, |escrow, milestone| escrow.rule(milestone, seller_bps, now))?;
        logged.event.decided = Decided::new(milestone, moved);
        logged.event.to_arbiter = moved.arbiter;
        logged.write();
        Ok(())
    }
}
