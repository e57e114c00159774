//! One milestone: its amount, its status and its one deadline (design, section 2.4).

use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use super::{MilestoneTerms, Result, ensure};
use crate::error::EscrowError;

/// Where a milestone of a funded escrow stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, IdlType, SchemaRead, SchemaWrite, borsh::BorshSerialize, borsh::BorshDeserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum MilestoneStatus {
    /// Waits for the delivery. The deadline is deliver_by.
    Pending = 0,
    /// Delivered; the buyer may dispute until the deadline.
    Delivered = 1,
    /// Disputed; the arbiter may rule until the deadline.
    Disputed = 2,
    /// Nothing remains to decide. No deadline.
    Settled = 3,
}

impl MilestoneStatus {
    /// The byte that stands for this status in the account.
    pub const fn byte(self) -> u8 {
        #[expect(clippy::as_conversions, reason = "the discriminants are bytes")]
        {
            self as u8
        }
    }
}

impl TryFrom<u8> for MilestoneStatus {
    type Error = EscrowError;

    fn try_from(byte: u8) -> Result<Self> {
        match byte {
            0 => Ok(Self::Pending),
            1 => Ok(Self::Delivered),
            2 => Ok(Self::Disputed),
            3 => Ok(Self::Settled),
            _ => Err(EscrowError::Corrupt),
        }
    }
}

/// A milestone in the escrow account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable, IdlType)]
#[repr(C)]
pub struct Milestone {
    /// Term: the amount, in the asset's smallest unit.
    pub amount: u64,
    /// The part of `amount` that is not decided yet.
    pub remaining: u64,
    /// Term: the deadline for delivery as created, in unix seconds. An extension moves `deadline`, not this.
    pub deliver_by: i64,
    /// The one deadline of the present status, in unix seconds; 0 once settled. Before it the party whose turn it is
    /// may act, from it on anyone may apply the default.
    pub deadline: i64,
    /// Term: seconds after the delivery in which the buyer may dispute; with a hash-lock at least until the deadline that
    /// the delivery met.
    pub review_window: u32,
    /// 0 pending, 1 delivered, 2 disputed, 3 settled: a [`MilestoneStatus`].
    pub status: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// The bytes of a milestone in the account. Fixed: changing it would change the size of accounts that exist.
pub const MILESTONE_SIZE: usize = 40;
const _: () = assert!(core::mem::size_of::<Milestone>() == MILESTONE_SIZE);

impl Milestone {
    /// Where the milestone stands.
    pub fn status(&self) -> Result<MilestoneStatus> {
        self.status.try_into()
    }

    /// Whether nothing remains to decide.
    pub const fn is_settled(&self) -> bool {
        self.status == MilestoneStatus::Settled.byte()
    }

    /// Whether it has one of the statuses in which something remains to decide; no other byte counts as one.
    pub const fn is_open(&self) -> bool {
        self.status < MilestoneStatus::Settled.byte()
    }

    /// Moves to `status`, with its deadline.
    pub(crate) fn enter(&mut self, status: MilestoneStatus, deadline: i64) {
        self.status = status.byte();
        self.deadline = deadline;
    }

    /// Takes `amount` out of what remains, and settles the milestone when nothing is left.
    pub(crate) fn take(&mut self, amount: u64) -> Result<()> {
        self.remaining = self.remaining.checked_sub(amount).ok_or(EscrowError::AmountTooHigh)?;
        if self.remaining == 0 {
            self.enter(MilestoneStatus::Settled, 0);
        }
        Ok(())
    }

    /// Takes all that remains.
    pub(crate) fn take_all(&mut self) -> Result<u64> {
        let remaining = self.remaining;
        self.take(remaining)?;
        Ok(remaining)
    }

    pub(crate) fn check_unsettled(&self) -> Result<()> {
        ensure(!self.is_settled(), EscrowError::MilestoneSettled)
    }

    pub(crate) fn check_status(&self, status: MilestoneStatus, otherwise: EscrowError) -> Result<()> {
        ensure(self.status == status.byte(), otherwise)
    }

    pub(crate) fn check_before_deadline(&self, now: i64) -> Result<()> {
        ensure(now < self.deadline, EscrowError::DeadlinePassed)
    }

    /// `expected` makes a repeated request fail instead of paying twice.
    pub(crate) fn check_remaining(&self, expected: u64) -> Result<()> {
        ensure(self.remaining == expected, EscrowError::RemainingMismatch)
    }
}

impl From<&MilestoneTerms> for Milestone {
    fn from(terms: &MilestoneTerms) -> Self {
        let MilestoneTerms { amount, deliver_by, review_window } = *terms;
        Self { amount, remaining: amount, deliver_by, deadline: deliver_by, review_window, ..Self::default() }
    }
}

impl From<&Milestone> for MilestoneTerms {
    fn from(milestone: &Milestone) -> Self {
        let Milestone { amount, deliver_by, review_window, .. } = *milestone;
        Self { amount, deliver_by, review_window }
    }
}
