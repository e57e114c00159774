//! Holds the funds of a deal and releases them only when agreed conditions are met.
//!
//! The protocol is described in `docs/protocol.md`. The rules are in [`state`], without accounts, clock or calls to
//! other programs; [`instructions`] has one file per instruction, which loads the accounts, calls the rules and moves
//! the money. Off chain this crate is a library: the client and the command line use its types.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

extern crate alloc;

use anchor_lang::prelude::*;

pub mod entrypoint;
pub mod error;
pub mod event;
#[cfg(all(test, feature = "idl-build"))]
mod idl;
pub mod instructions;
pub mod interface;
#[cfg(feature = "entrypoint")]
mod security;
pub mod state;
pub mod token;

use instructions::*;
use state::{Proposal, Recipient, Terms};

// The key of this address was thrown away: it serves where programs are loaded by address, as on a local validator.
// Whoever deploys to a cluster puts the address of a key of their own here (see migrations/README.md).
declare_id!("EsciU43x1AtsEzNfxzZprrTYtrUA7ikpy1x8Q8BEXeAH");

/// First seed of an escrow's address; the hash of its terms is the second.
#[constant]
pub const ESCROW_SEED: &[u8] = b"escrow";

/// First seed of a vault's address; the escrow's address is the second.
#[constant]
pub const VAULT_SEED: &[u8] = b"vault";

#[program]
pub mod escrow {
    use super::*;

    /// Creates the escrow, and its vault for a token. Nobody is bound by it.
    #[discrim = 0]
    pub fn create(ctx: &mut Context<Create>, terms: Terms) -> Result<()> {
        Create::handler(ctx, terms)
    }

    /// Moves the whole principal in, once.
    #[discrim = 1]
    pub fn fund(ctx: &mut Context<Fund>) -> Result<()> {
        Fund::handler(ctx)
    }

    /// Gives up an unfunded escrow, or takes all that remains back in the cooling-off period.
    #[discrim = 2]
    pub fn cancel(ctx: &mut Context<Cancel>) -> Result<()> {
        Cancel::handler(ctx)
    }

    /// Says that a milestone is delivered.
    #[discrim = 3]
    pub fn deliver(ctx: &mut Context<Deliver>, milestone: u8, evidence_hash: [u8; 32]) -> Result<()> {
        Deliver::handler(ctx, milestone, evidence_hash)
    }

    /// Releases the milestone to the seller with the secret of the hash-lock.
    #[discrim = 4]
    pub fn claim(ctx: &mut Context<Claim>, milestone: u8, secret: [u8; 32]) -> Result<()> {
        Claim::handler(ctx, milestone, secret)
    }

    /// Releases part or all of what remains of a milestone to the seller.
    #[discrim = 5]
    pub fn release(ctx: &mut Context<Release>, milestone: u8, amount: u64, expected_remaining: u64) -> Result<()> {
        Release::handler(ctx, milestone, amount, expected_remaining)
    }

    /// Refunds part or all of what remains of a milestone to the buyer.
    #[discrim = 6]
    pub fn refund(ctx: &mut Context<Refund>, milestone: u8, amount: u64, expected_remaining: u64) -> Result<()> {
        Refund::handler(ctx, milestone, amount, expected_remaining)
    }

    /// Disputes a delivered milestone.
    #[discrim = 7]
    pub fn dispute(ctx: &mut Context<Dispute>, milestone: u8, reason_hash: [u8; 32]) -> Result<()> {
        Dispute::handler(ctx, milestone, reason_hash)
    }

    /// Rules on a disputed milestone.
    #[discrim = 8]
    pub fn rule(ctx: &mut Context<Rule>, milestone: u8, seller_bps: u16, rationale_hash: [u8; 32]) -> Result<()> {
        Rule::handler(ctx, milestone, seller_bps, rationale_hash)
    }

    /// Fills or empties the signer's slot for a proposal.
    #[discrim = 9]
    pub fn propose(ctx: &mut Context<Propose>, proposal: Proposal) -> Result<()> {
        Propose::handler(ctx, proposal)
    }

    /// Applies the other party's proposal, if it is exactly this one.
    #[discrim = 10]
    pub fn accept(ctx: &mut Context<Accept>, proposal: Proposal) -> Result<()> {
        Accept::handler(ctx, proposal)
    }

    /// Applies the agreed default to a milestone whose deadline has come.
    #[discrim = 11]
    pub fn expire(ctx: &mut Context<Expire>, milestone: u8) -> Result<()> {
        Expire::handler(ctx, milestone)
    }

    /// Pays what is due to one recipient.
    #[discrim = 12]
    pub fn withdraw(ctx: &mut Context<Withdraw>, recipient: Recipient) -> Result<()> {
        Withdraw::handler(ctx, recipient)
    }

    /// Closes the accounts of an escrow that is settled and withdrawn.
    #[discrim = 13]
    pub fn close(ctx: &mut Context<Close>) -> Result<()> {
        Close::handler(ctx)
    }
}
