//! One event per instruction, of fixed size, for people and subscribers. Every fact in one can also be derived from
//! instructions and accounts. Amounts are in the asset's smallest unit, times in unix seconds.

use anchor_lang::{prelude::*, sol_log_data};
use bytemuck::Pod;

use crate::state::{Moved, ProposalSlot};

/// Logs an event as Anchor's `emit!` does, without its detour over the heap (60 compute units).
pub(crate) fn log<E: Event + Pod>(event: E) {
    #[repr(C)]
    struct Logged<E> {
        discriminator: [u8; 8],
        event: E,
    }
    let Some(discriminator) = E::DISCRIMINATOR.first_chunk::<8>() else { return };
    let logged = Logged { discriminator: *discriminator, event };
    // SAFETY: events are `Pod` with an alignment of at most 8, so that nothing of `logged` is padding.
    let bytes = unsafe { core::slice::from_raw_parts((&raw const logged).cast::<u8>(), size_of::<Logged<E>>()) };
    sol_log_data(&[bytes]);
}

/// `create`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Created {
    /// The escrow.
    pub escrow: Address,
    /// The buyer in the terms. Nobody is bound by a creation: anyone can create an escrow that names them.
    pub buyer: Address,
    /// The seller in the terms.
    pub seller: Address,
    /// The sum of the milestones.
    pub principal: u64,
    /// Funded strictly before it.
    pub fund_by: i64,
}

/// `fund`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Funded {
    /// The escrow.
    pub escrow: Address,
    /// What the buyer paid in.
    pub principal: u64,
    /// When the cooling-off period ends.
    pub cooling_off_end: i64,
}

/// `cancel`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// The escrow.
    pub escrow: Address,
    /// Decided for the buyer; 0 where the escrow was not funded, and is closed now.
    pub refunded: u64,
}

/// `deliver`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The escrow.
    pub escrow: Address,
    /// Hash of the evidence, kept elsewhere.
    pub evidence_hash: [u8; 32],
    /// Until when the buyer may dispute.
    pub deadline: i64,
    /// Index of the milestone.
    pub milestone: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// `claim`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The escrow.
    pub escrow: Address,
    /// The secret, public from now on: it claims every escrow with the same hash-lock.
    pub secret: [u8; 32],
    /// What was decided.
    pub decided: Decided,
}

/// `release`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Released {
    /// The escrow.
    pub escrow: Address,
    /// For the seller, after the fee.
    pub to_seller: u64,
    /// For the fee recipient.
    pub fee: u64,
    /// What remains of the milestone.
    pub remaining: u64,
    /// Index of the milestone.
    pub milestone: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// `refund`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Refunded {
    /// The escrow.
    pub escrow: Address,
    /// For the buyer.
    pub to_buyer: u64,
    /// What remains of the milestone.
    pub remaining: u64,
    /// Index of the milestone.
    pub milestone: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// `dispute`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Disputed {
    /// The escrow.
    pub escrow: Address,
    /// Hash of the reason, kept elsewhere.
    pub reason_hash: [u8; 32],
    /// Until when the arbiter may rule.
    pub deadline: i64,
    /// Index of the milestone.
    pub milestone: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// `rule`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Ruled {
    /// The escrow.
    pub escrow: Address,
    /// Hash of the rationale, kept elsewhere.
    pub rationale_hash: [u8; 32],
    /// What was decided.
    pub decided: Decided,
}

/// `propose`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The escrow.
    pub escrow: Address,
    /// Who proposes.
    pub proposer: Address,
    /// What is proposed; empty where a proposal was withdrawn.
    pub proposal: ProposalSlot,
}

/// `accept`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The escrow.
    pub escrow: Address,
    /// Who accepts.
    pub acceptor: Address,
    /// What was decided; nothing moves where the deadline was extended.
    pub decided: Decided,
    /// The new deadline, or 0 where the milestone was settled.
    pub deadline: i64,
}

/// `expire`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Expired {
    /// The escrow.
    pub escrow: Address,
    /// What was decided.
    pub decided: Decided,
}

/// `withdraw`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The escrow.
    pub escrow: Address,
    /// The party that was paid.
    pub recipient: Address,
    /// How much.
    pub amount: u64,
}

/// `close`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Closed {
    /// The escrow.
    pub escrow: Address,
    /// Tokens that nobody was owed, sent to the buyer.
    pub surplus: u64,
}

/// What a decision that settles a milestone moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, bytemuck::Pod, bytemuck::Zeroable, IdlType)]
#[repr(C)]
pub struct Decided {
    /// For the seller, after the fee.
    pub to_seller: u64,
    /// For the fee recipient.
    pub fee: u64,
    /// For the buyer.
    pub to_buyer: u64,
    /// For the arbiter.
    pub to_arbiter: u64,
    /// Index of the milestone.
    pub milestone: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

impl Decided {
    /// `moved`, of the milestone with this index.
    pub fn new(milestone: u8, moved: Moved) -> Self {
        let Moved { seller, fee, buyer, arbiter } = moved;
        Self { to_seller: seller, fee, to_buyer: buyer, to_arbiter: arbiter, milestone, ..Self::default() }
    }
}
