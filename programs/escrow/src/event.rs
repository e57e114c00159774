//! One event per instruction, of fixed size, for people and subscribers: what was decided, in the asset's smallest unit
//! and in unix seconds. Every fact in one can also be derived from instructions and accounts. Who signed, and what else
//! stands in the instruction as it is, is not said twice: every byte costs a compute unit.

use anchor_lang::{prelude::*, sol_log_data};
use bytemuck::Pod;

use crate::state::{Moved, ProposalSlot};

/// Logs an event as Anchor's `emit!` does, without its detour over the heap (60 compute units).
pub(crate) fn log<E: Event + Pod>(event: E) {
    Logged::new(event).write();
}

/// An event as it stands in the log: Anchor's discriminator, then the fields.
///
/// One that holds a hash of the instruction's is begun before the rule is applied and completed after: so the hash is
/// copied once, and not kept aside in the meantime (20 to 30 compute units).
#[repr(C)]
pub(crate) struct Logged<E> {
    discriminator: [u8; 8],
    /// The event.
    pub(crate) event: E,
}

impl<E: Event + Pod> Logged<E> {
    #[inline(always)]
    pub(crate) fn new(event: E) -> Self {
        let discriminator = E::DISCRIMINATOR.first_chunk::<8>().copied().unwrap_or_default();
        Self { discriminator, event }
    }

    #[inline(always)]
    pub(crate) fn write(&self) {
        // SAFETY: events are `Pod` with an alignment of at most 8, so that nothing of `self` is padding.
        let bytes = unsafe { core::slice::from_raw_parts((&raw const *self).cast::<u8>(), size_of::<Self>()) };
        sol_log_data(&[bytes]);
    }
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
    /// For the seller, after the fee: all that remained of the only milestone. The secret is in the instruction.
    pub to_seller: u64,
    /// For the fee recipient.
    pub fee: u64,
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
    /// What was decided, after the arbiter's fee.
    pub decided: Decided,
    /// For the arbiter.
    pub to_arbiter: u64,
}

/// `propose`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The escrow.
    pub escrow: Address,
    /// What is proposed, by the signer; empty where a proposal was withdrawn.
    pub proposal: ProposalSlot,
}

/// `accept`.
#[event(bytemuck)]
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The escrow.
    pub escrow: Address,
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
    /// What the recipient that the instruction names was paid.
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
    /// Index of the milestone.
    pub milestone: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

impl Decided {
    /// `moved`, of the milestone with this index.
    pub fn new(milestone: u8, moved: Moved) -> Self {
        let Moved { seller, fee, buyer, arbiter: _ } = moved;
        Self { to_seller: seller, fee, to_buyer: buyer, milestone, ..Self::default() }
    }
}
