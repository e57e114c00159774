//! Something that happened to an escrow, or a deadline that comes near.

use std::fmt::{self, Display, Formatter};

use escrow::state::Party;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::{
    EscrowAccount,
    due::{Ahead, Deadline, DeadlineKind},
    history::Step,
};
#[cfg(feature = "serde")]
use crate::{
    view,
    words::{self, Denomination, sentence::Teller},
};

/// The name of an event: the same whenever and by whomever it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    fn of(kind: &[u8], parts: &[&[u8]]) -> Self {
        let mut bytes = b"escrow:event:v1:".to_vec();
        bytes.extend_from_slice(kind);
        for part in parts {
            bytes.extend_from_slice(part);
        }
        let hash = anchor_lang::sha256(&bytes);
        Self(hash.first_chunk().copied().unwrap_or_default())
    }

    /// The `place`th action on `escrow` in a transaction, counted from 0.
    pub fn change(escrow: &Pubkey, signature: &Signature, place: u32) -> Self {
        Self::of(b"change", &[escrow.as_array(), signature.as_ref(), &place.to_le_bytes()])
    }

    /// A deadline of `escrow` that comes near.
    pub fn near(escrow: &Pubkey, deadline: &Deadline, ahead: Ahead) -> Self {
        let kind = match deadline.kind {
            DeadlineKind::Funding => [0, 0],
            DeadlineKind::CoolingOff => [1, 0],
            DeadlineKind::Delivery(milestone) => [2, milestone],
            DeadlineKind::Review(milestone) => [3, milestone],
            DeadlineKind::Ruling(milestone) => [4, milestone],
            DeadlineKind::Offer(Party::Buyer) => [5, 0],
            DeadlineKind::Offer(Party::Seller) => [5, 1],
        };
        let ahead = match ahead {
            Ahead::HalfTheWindow => 0,
            Ahead::Day => 1,
            Ahead::Hour => 2,
            Ahead::Nothing => 3,
        };
        Self::of(b"near", &[escrow.as_array(), &kind, &deadline.at.to_le_bytes(), &[ahead]])
    }

    /// Something after the slot `since` that no node tells.
    pub fn gap(escrow: &Pubkey, since: u64) -> Self {
        Self::of(b"gap", &[escrow.as_array(), &since.to_le_bytes()])
    }
}

/// `evt_` and 32 hexadecimal digits.
impl Display for EventId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}", hex::encode(self.0))
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub id: EventId,
    /// The escrow.
    pub escrow: Pubkey,
    /// When, in unix seconds: of the block, or of the moment at which a deadline comes near.
    pub time: i64,
    /// What it is.
    pub what: What,
}

/// What an event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An action was executed. Its replay is known.
    Change(Box<Step>),
    /// A deadline comes near, or has passed.
    Near {
        /// Which.
        deadline: Deadline,
        /// How near.
        ahead: Ahead,
        /// The escrow at that moment.
        escrow: Box<EscrowAccount>,
    },
    /// Something happened that no node tells, or tells wholly, so that it was given up.
    Gap {
        /// Behind this slot.
        since: u64,
        /// Up to this one.
        until: u64,
        /// Transactions in between that could not be read.
        unreadable: Vec<Signature>,
        /// The escrow as it stands at `until`; none where there is no account.
        escrow: Option<Box<EscrowAccount>>,
    },
}

impl Event {
    /// All names that [`kind`](Self::kind) gives.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        let instructions = escrow::interface::INSTRUCTIONS.iter().map(|instruction| instruction.name);
        instructions.chain(["deadline_near", "deadline_passed", "gap"])
    }

    /// A short name of what it is, for programs: `release`, `deadline_near`, `deadline_passed`, `gap`.
    pub fn kind(&self) -> &'static str {
        match &self.what {
            What::Change(step) => step.entry.action.instruction.name(),
            What::Near { ahead: Ahead::Nothing, .. } => "deadline_passed",
            What::Near { .. } => "deadline_near",
            What::Gap { .. } => "gap",
        }
    }

    /// The escrow after it; none where it has no account, or that is not known.
    pub fn escrow_after(&self) -> Option<&EscrowAccount> {
        match &self.what {
            What::Change(step) => step.replayed.as_ref()?.after.as_ref(),
            What::Near { escrow, .. } => Some(escrow),
            What::Gap { escrow, .. } => escrow.as_deref(),
        }
    }
}

#[cfg(feature = "serde")]
impl Event {
    /// How programs are told of it, as seen at the chain's present time `now`.
    pub fn view(&self, denomination: &Denomination, now: i64) -> view::Event {
        let teller = Teller { denomination, now };
        let (mut change, mut deadline, mut gap) = (None, None, None);
        let text = match &self.what {
            What::Change(step) => {
                let entry = view::Entry::new(step, teller);
                let text = entry.text.clone();
                change = Some(entry);
                text
            }
            What::Near { deadline: near, ahead, escrow } => {
                deadline = Some(view::Deadline::new(near, now));
                teller.reminder(escrow, near, *ahead)
            }
            What::Gap { since, until, unreadable, .. } => {
                gap = Some(view::Gap {
                    since: since.to_string(),
                    until: until.to_string(),
                    unreadable: unreadable.iter().map(ToString::to_string).collect(),
                });
                format!("What happened behind slot {since} and up to slot {until} is not known: no node tells it.")
            }
        };
        view::Event {
            version: view::VERSION,
            id: self.id.to_string(),
            kind: self.kind().to_owned(),
            escrow: self.escrow.to_string(),
            time: words::Time::new(self.time, now).into(),
            change,
            deadline,
            gap,
            text,
        }
    }
}
