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
        /// The status that the milestone must have when this is accepted.
        status: MilestoneStatus,
        /// What must remain of the milestone when this is accepted.
        remaining: u64,
        /// The part of `remaining` for the seller, before the fee.
        to_seller: u64,
        /// From this unix second on it cannot be accepted.
        expires_at: i64,
    },
    /// Moves a milestone's present deadline to a later one: more time to deliver, to review or to rule.
    Extension {
        /// Index of the milestone.
        milestone: u8,
        /// The status that the milestone must have when this is accepted: it tells which deadline is meant.
        status: MilestoneStatus,
        /// The deadline that is replaced, in unix seconds: the milestone's present one when this is accepted, which
        /// is before it.
        replaces: i64,
        /// The new deadline, in unix seconds, later than the present one.
        deadline: i64,
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
    /// Extension: the deadline that is replaced, in unix seconds.
    pub replaces: i64,
    /// Extension: the new deadline, in unix seconds.
    pub deadline: i64,
    /// From this unix second on it cannot be accepted.
    pub expires_at: i64,
    /// 0 empty, 1 split, 2 extension.
    pub kind: u8,
    /// Index of the milestone.
    pub milestone: u8,
    /// The status that the milestone must have: a [`MilestoneStatus`].
    pub status: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

impl From<Proposal> for ProposalSlot {
    fn from(proposal: Proposal) -> Self {
        match proposal {
            Proposal::Withdrawn => Self::default(),
            Proposal::Split { milestone, status, remaining, to_seller, expires_at } => {
                let status = status.byte();
                Self { kind: 1, milestone, status, remaining, to_seller, expires_at, ..Self::default() }
            }
            Proposal::Extension { milestone, status, replaces, deadline, expires_at } => {
                let status = status.byte();
                Self { kind: 2, milestone, status, replaces, deadline, expires_at, ..Self::default() }
            }
        }
    }
}

impl ProposalSlot {
    /// The proposal in the slot.
    pub fn proposal(&self) -> Result<Proposal> {
        let Self { remaining, to_seller, replaces, deadline, expires_at, kind, milestone, status, reserved: _ } = *self;
        if kind == 0 {
            return Ok(Proposal::Withdrawn);
        }
        let status = MilestoneStatus::try_from(status)?;
        match kind {
            1 => Ok(Proposal::Split { milestone, status, remaining, to_seller, expires_at }),
            2 => Ok(Proposal::Extension { milestone, status, replaces, deadline, expires_at }),
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
            Self::Withdrawn => Err(EscrowError::ProposalMismatch),
            Self::Split { status, remaining, to_seller, .. } => {
                milestone.check_unsettled()?;
                milestone.check_status(status, EscrowError::StatusMismatch)?;
                milestone.check_remaining(remaining)?;
                ensure(to_seller <= remaining, EscrowError::AmountTooHigh)
            }
            Self::Extension { status, replaces, deadline, .. } => {
                milestone.check_unsettled()?;
                milestone.check_status(status, EscrowError::StatusMismatch)?;
                ensure(milestone.deadline == replaces, EscrowError::DeadlineMismatch)?;
                // From the deadline on the default may be applied: an extension then would race with it.
                milestone.check_before_deadline(now)?;
                let later = if deadline > replaces { deadline } else { now };
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
}
