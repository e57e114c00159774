//! A settlement between the parties, in two transactions: one proposes, the other accepts exactly that.

use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use super::{Milestone, MilestoneStatus, Result, check_ahead, ensure};
use crate::error::EscrowError;

/// What a party proposes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, IdlType, SchemaRead, SchemaWrite, borsh::BorshSerialize, borsh::BorshDeserialize,
)]
pub enum Proposal {
    /// Nothing: empties the slot.
    Withdrawn,
    /// Settles a milestone: `to_seller` is released, the rest of what remains is refunded.
    Split {
        /// Index of the milestone.
        milestone: u8,
        /// What must remain of the milestone when this is accepted.
        remaining: u64,
        /// The part of `remaining` for the seller, before the fee.
        to_seller: u64,
        /// From this unix second on it cannot be accepted.
        expires_at: i64,
    },
    /// Gives the seller of a pending milestone more time.
    Extension {
        /// Index of the milestone.
        milestone: u8,
        /// The new deadline for delivery, in unix seconds, later than the present one.
        deliver_by: i64,
        /// From this unix second on it cannot be accepted.
        expires_at: i64,
    },
}

/// A party's slot in the escrow account. All zero means empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable, IdlType)]
#[repr(C)]
pub struct ProposalSlot {
    /// Split: what must remain of the milestone.
    pub remaining: u64,
    /// Split: the part of `remaining` for the seller.
    pub to_seller: u64,
    /// Extension: the new deadline, in unix seconds.
    pub deliver_by: i64,
    /// From this unix second on it cannot be accepted.
    pub expires_at: i64,
    /// 0 empty, 1 split, 2 extension.
    pub kind: u8,
    /// Index of the milestone.
    pub milestone: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

impl From<Proposal> for ProposalSlot {
    fn from(proposal: Proposal) -> Self {
        match proposal {
            Proposal::Withdrawn => Self::default(),
            Proposal::Split { milestone, remaining, to_seller, expires_at } => {
                Self { kind: 1, milestone, remaining, to_seller, expires_at, ..Self::default() }
            }
            Proposal::Extension { milestone, deliver_by, expires_at } => {
                Self { kind: 2, milestone, deliver_by, expires_at, ..Self::default() }
            }
        }
    }
}

impl ProposalSlot {
    /// The proposal in the slot.
    pub fn proposal(&self) -> Result<Proposal> {
        let Self { remaining, to_seller, deliver_by, expires_at, kind, milestone, reserved: _ } = *self;
        match kind {
            0 => Ok(Proposal::Withdrawn),
            1 => Ok(Proposal::Split { milestone, remaining, to_seller, expires_at }),
            2 => Ok(Proposal::Extension { milestone, deliver_by, expires_at }),
            _ => Err(EscrowError::Corrupt),
        }
    }
}

impl Proposal {
    /// The milestone it is about, if it is about one.
    pub const fn milestone(&self) -> Option<u8> {
        match *self {
            Self::Withdrawn => None,
            Self::Split { milestone, .. } | Self::Extension { milestone, .. } => Some(milestone),
        }
    }

    /// Whether `milestone` may be settled or extended like this at `now`. Holds for proposing as for accepting, so a
    /// proposal that could never be accepted is refused when it is made.
    pub(crate) fn check(&self, milestone: &Milestone, now: i64) -> Result<()> {
        match *self {
            Self::Withdrawn => Err(EscrowError::ProposalMissing),
            Self::Split { remaining, to_seller, .. } => {
                milestone.check_unsettled()?;
                milestone.check_remaining(remaining)?;
                ensure(to_seller <= remaining, EscrowError::AmountTooHigh)?;
                Ok(())
            }
            Self::Extension { deliver_by, .. } => {
                milestone.check_status(MilestoneStatus::Pending, EscrowError::NotPending)?;
                milestone.check_before_deadline(now)?;
                let later = if deliver_by > milestone.deadline { deliver_by } else { now };
                check_ahead(later, now, EscrowError::ExtensionNotLater, EscrowError::ExtensionNotLater)
            }
        }
    }

    /// The proposal's expiry must lie ahead when it is made.
    pub(crate) fn check_expiry(&self, now: i64) -> Result<()> {
        let (Self::Split { expires_at, .. } | Self::Extension { expires_at, .. }) = *self else {
            return Ok(());
        };
        check_ahead(expires_at, now, EscrowError::ProposalExpiry, EscrowError::ProposalExpiry)
    }

    /// Whether it can still be accepted at `now`.
    pub(crate) fn check_open(&self, now: i64) -> Result<()> {
        match *self {
            Self::Withdrawn => Err(EscrowError::ProposalMissing),
            Self::Split { expires_at, .. } | Self::Extension { expires_at, .. } if now < expires_at => Ok(()),
            _ => Err(EscrowError::ProposalExpired),
        }
    }
}
