//! `expire`: from the deadline on, the agreed default.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, decide, now};
use crate::event::{self, Decided, Expired};

/// Accounts of `expire`. Anyone may call it: it does what the parties agreed.
#[derive(Accounts)]
pub struct Expire {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
}

impl Expire {
    pub(crate) fn handler(ctx: &mut Context<Expire>, milestone: u8) -> Result<()> {
        let escrow = &mut ctx.accounts.escrow;
        let now = now()?;
        let moved = decide(escrow, milestone, |escrow, milestone| escrow.expire(milestone, now))?;
        event::log(Expired { escrow: *escrow.address(), decided: Decided::new(milestone, moved) });
        Ok(())
    }
}
