//! What escrows ask of somebody.

use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;

use super::{Amount, Role, Status, Time, VERSION};
use crate::{
    due,
    words::{self, Denomination, name, sentence::Teller},
};

/// An escrow in a list: what needs whoever asks first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Attention {
    /// The version of this view.
    pub version: u32,
    /// The escrow's address.
    pub escrow: String,
    /// How it stands as a whole.
    pub status: Status,
    /// What whoever asks is in it.
    pub roles: Vec<Role>,
    /// Who pays in.
    pub buyer: String,
    /// Who delivers and is paid.
    pub seller: String,
    /// The token's mint; none for SOL.
    pub mint: Option<String>,
    /// The sum of the milestones.
    pub principal: Amount,
    /// What it waits for from them, the most urgent first.
    pub tasks: Vec<Task>,
    /// What comes next, whoever's turn it is.
    pub next_deadline: Option<Deadline>,
    /// The most urgent in a line, for people; none where nothing comes.
    pub line: Option<String>,
}

/// Something that an escrow waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Task {
    /// What.
    pub need: Need,
    /// The milestone's number, counted from 1.
    pub milestone: Option<u8>,
    /// Until when; none: it can wait.
    pub until: Option<Time>,
    /// The same in words.
    pub text: String,
}

/// Why somebody is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Pay in.
    Fund,
    /// Deliver.
    Deliver,
    /// Claim with the delivery code.
    Claim,
    /// Release what was delivered, or dispute it.
    Review,
    /// Rule.
    Rule,
    /// Agree with the other: nobody can rule.
    Agree,
    /// Accept the other's offer, or let it go.
    Answer,
    /// Apply a default whose deadline has passed.
    Apply,
    /// Fetch what is due.
    Collect,
    /// Close the account, or give up what was never funded.
    Close,
}

/// A moment from which on something is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Deadline {
    /// What for.
    pub kind: DeadlineKind,
    /// The milestone's number, counted from 1.
    pub milestone: Option<u8>,
    /// When.
    pub at: Time,
    /// The same in words: `review deadline of milestone 2`.
    pub text: String,
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// To be funded before.
    Funding,
    /// The buyer may cancel before.
    CoolingOff,
    /// To be delivered before.
    Delivery,
    /// The delivery is to be answered before.
    Review,
    /// The dispute is to be ruled on before.
    Ruling,
    /// An offer is to be accepted before.
    Offer,
}

impl From<due::Role> for Role {
    fn from(role: due::Role) -> Self {
        match role {
            due::Role::Buyer => Self::Buyer,
            due::Role::Seller => Self::Seller,
            due::Role::Arbiter => Self::Arbiter,
            due::Role::Attester => Self::Attester,
            due::Role::FeeRecipient => Self::FeeRecipient,
            due::Role::RentPayer => Self::RentPayer,
        }
    }
}

impl From<&due::Need> for Need {
    fn from(need: &due::Need) -> Self {
        match need {
            due::Need::Fund => Self::Fund,
            due::Need::Deliver => Self::Deliver,
            due::Need::Claim => Self::Claim,
            due::Need::Review => Self::Review,
            due::Need::Rule => Self::Rule,
            due::Need::Agree => Self::Agree,
            due::Need::Answer(_) => Self::Answer,
            due::Need::Apply => Self::Apply,
            due::Need::Collect(_) => Self::Collect,
            due::Need::Close => Self::Close,
        }
    }
}

impl Deadline {
    /// `deadline` as seen at the chain's present time `now`.
    pub fn new(deadline: &due::Deadline, now: i64) -> Self {
        let (kind, milestone) = match deadline.kind {
            due::DeadlineKind::Funding => (DeadlineKind::Funding, None),
            due::DeadlineKind::CoolingOff => (DeadlineKind::CoolingOff, None),
            due::DeadlineKind::Delivery(milestone) => (DeadlineKind::Delivery, Some(milestone)),
            due::DeadlineKind::Review(milestone) => (DeadlineKind::Review, Some(milestone)),
            due::DeadlineKind::Ruling(milestone) => (DeadlineKind::Ruling, Some(milestone)),
            due::DeadlineKind::Offer(_) => (DeadlineKind::Offer, None),
        };
        Self {
            kind,
            milestone: milestone.map(name::number),
            at: words::Time::new(deadline.at, now).into(),
            text: words::due::deadline(deadline.kind),
        }
    }
}

impl Attention {
    /// `attention` of `who` as seen at the chain's present time `now`.
    pub fn new(attention: &due::Attention, who: &Pubkey, denomination: &Denomination, now: i64) -> Self {
        let due::Attention { escrow, tasks, next } = attention;
        let (state, teller) = (&escrow.state, Teller { denomination, now });
        let task = |task: &due::Task| Task {
            need: (&task.need).into(),
            milestone: task.milestone.map(name::number),
            until: task.until.map(|until| words::Time::new(until, now).into()),
            text: teller.task(escrow, task),
        };
        Self {
            version: VERSION,
            escrow: escrow.address.to_string(),
            status: escrow.into(),
            roles: due::Role::of(who, escrow).map(Role::from).collect(),
            buyer: state.buyer.to_string(),
            seller: state.seller.to_string(),
            mint: (!state.is_sol()).then(|| state.mint.to_string()),
            principal: denomination.amount(state.ledger.principal).into(),
            tasks: tasks.iter().map(task).collect(),
            next_deadline: next.as_ref().map(|next| Deadline::new(next, now)),
            line: teller.next(attention),
        }
    }
}
