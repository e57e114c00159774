//! `accept`: applies the other party's proposal, if it is exactly this one.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, decide, now};
use crate::{
    error::EscrowError,
    event::{self, Accepted, Decided},
    state::Proposal,
};

/// Accounts of `accept`.
#[derive(Accounts)]
pub struct Accept {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The party that did not propose: the rule checks it.
    pub acceptor: Signer,
}

impl Accept {
    pub(crate) fn handler(ctx: &mut Context<Accept>, proposal: Proposal) -> Result<()> {
        let Accept { escrow, acceptor } = &mut ctx.accounts;
        let party = escrow.party(acceptor.address())?;
        let milestone = proposal.milestone().ok_or(EscrowError::ProposalMismatch)?;
        let now = now()?;
        let (moved, deadline) = decide(escrow, milestone, |escrow, milestone| {
            let moved = escrow.accept(party, proposal, milestone, now)?;
            Ok((moved, milestone.deadline))
        })?;
        event::log(Accepted { escrow: *escrow.address(), decided: Decided::new(milestone, moved), deadline });
        Ok(())
    }
}
