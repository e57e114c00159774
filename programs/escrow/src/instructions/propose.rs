//! `propose`: fills or empties the signer's slot for a proposal.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, now};
use crate::{
    error::EscrowError,
    event::{self, Proposed},
    state::{Milestone, Proposal, ProposalSlot},
};

/// Accounts of `propose`.
#[derive(Accounts)]
pub struct Propose {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The buyer or the seller: the rule checks it.
    pub proposer: Signer,
}

impl Propose {
    pub(crate) fn handler(ctx: &mut Context<Propose>, proposal: Proposal) -> Result<()> {
        let Propose { escrow, proposer } = &mut ctx.accounts;
        let party = escrow.party(proposer.address())?;
        let milestone: Option<Milestone> = match proposal.milestone() {
            None => None,
            Some(index) => Some(*escrow.get(usize::from(index)).ok_or(EscrowError::MilestoneMissing)?),
        };
        escrow.propose(party, proposal, milestone.as_ref(), now()?)?;
        event::log(Proposed { escrow: *escrow.address(), proposal: ProposalSlot::from(proposal) });
        Ok(())
    }
}
