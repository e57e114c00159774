//! What an escrow asks of whom, and until when: a person's tasks, the most urgent first, the deadlines that come near, and
//! what anyone at all may do.
//!
//! Who may do what follows from [`explain`](super::explain) and from nothing else. Here it is said what of it needs somebody,
//! because silence is answered by a default, or because money waits to be fetched.

use std::cmp::Ordering;

use escrow::state::{EscrowStatus, MilestoneStatus, Moved, Party, Proposal, Recipient, is_named};
use solana_pubkey::Pubkey;

use super::{
    account::EscrowAccount,
    action::{Action, Effects, EscrowInstruction},
    explain::{Actor, Possibility, possibilities},
};

/// What a person is in an escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Pays in.
    Buyer,
    /// Delivers and is paid.
    Seller,
    /// Rules on disputes.
    Arbiter,
    /// Delivers in the seller's place.
    Attester,
    /// Is paid the fee.
    FeeRecipient,
    /// Paid the account's rent, and gets it back.
    RentPayer,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Buyer, Self::Seller, Self::Arbiter, Self::Attester, Self::FeeRecipient, Self::RentPayer];

    /// Who has it; none where nobody does.
    pub fn address(self, escrow: &EscrowAccount) -> Option<Pubkey> {
        let state = &escrow.state;
        let address = match self {
            Self::Buyer => state.buyer,
            Self::Seller => state.seller,
            Self::Arbiter => state.arbiter,
            Self::Attester => state.attester,
            Self::FeeRecipient => state.fee_recipient,
            Self::RentPayer => state.rent_payer,
        };
        is_named(&address).then_some(address)
    }

    /// All that `who` is in this escrow.
    pub fn of<'a>(who: &'a Pubkey, escrow: &'a EscrowAccount) -> impl Iterator<Item = Self> + 'a {
        Self::ALL.into_iter().filter(move |role| role.address(escrow) == Some(*who))
    }
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadlineKind {
    /// To be funded before.
    Funding,
    /// The buyer may cancel before; delivery starts with it.
    CoolingOff,
    /// The milestone with this index is to be delivered before.
    Delivery(u8),
    /// Its delivery is to be answered before.
    Review(u8),
    /// Its dispute is to be ruled on before.
    Ruling(u8),
    /// This party's offer is to be accepted before.
    Offer(Party),
}

/// A moment from which on something is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// What for.
    pub kind: DeadlineKind,
    /// When, in unix seconds.
    pub at: i64,
    /// How long the time before it is as agreed, in seconds; none where the account does not tell when it began.
    pub window: Option<i64>,
}

/// How far ahead of a deadline one is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ahead {
    /// Half of the window is over.
    HalfTheWindow,
    /// A day is left.
    Day,
    /// An hour is left.
    Hour,
    /// Nothing is left: it has passed.
    Nothing,
}

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;
/// An hour, in seconds.
const HOUR: i64 = 60 * 60;

impl Deadline {
    /// When one is told of it, in order: at half of its window, a day and an hour before, and when it has passed. What would
    /// be before its window began is left out, and so is the second of two at the same moment.
    pub fn reminders(&self) -> Vec<(Ahead, i64)> {
        let before = |seconds: i64| self.at.saturating_sub(seconds);
        let half = self.window.map(|window| (Ahead::HalfTheWindow, before(window.div_euclid(2))));
        let fixed = [(Ahead::Day, before(DAY)), (Ahead::Hour, before(HOUR)), (Ahead::Nothing, self.at)];
        let begin = self.window.map(before);
        let mut all: Vec<(Ahead, i64)> = half.into_iter().chain(fixed).collect();
        all.retain(|(ahead, moment)| *ahead == Ahead::Nothing || begin.is_none_or(|begin| *moment > begin));
        all.sort_by_key(|(ahead, moment)| (*moment, *ahead));
        all.dedup_by_key(|(_, moment)| *moment);
        all
    }
}

/// The deadlines that an escrow has as it stands, also those that have passed and were not acted on, the soonest first.
pub fn deadlines(escrow: &EscrowAccount) -> Vec<Deadline> {
    let state = &escrow.state;
    let mut found = Vec::new();
    match state.status() {
        Ok(EscrowStatus::Created) => {
            found.push(Deadline { kind: DeadlineKind::Funding, at: state.fund_by, window: None });
        }
        Ok(EscrowStatus::Funded) if !escrow.is_settled() => {
            if let Ok(at) = state.cooling_off_end()
                && state.cooling_off > 0
            {
                let window = Some(i64::from(state.cooling_off));
                found.push(Deadline { kind: DeadlineKind::CoolingOff, at, window });
            }
            for (index, milestone) in (0u8..).zip(&escrow.milestones) {
                let (kind, window) = match milestone.status() {
                    Ok(MilestoneStatus::Pending) => {
                        (DeadlineKind::Delivery(index), milestone.deadline.saturating_sub(state.funded_at))
                    }
                    Ok(MilestoneStatus::Delivered) => (DeadlineKind::Review(index), i64::from(milestone.review_window)),
                    Ok(MilestoneStatus::Disputed) => (DeadlineKind::Ruling(index), i64::from(state.ruling_window)),
                    Ok(MilestoneStatus::Settled) | Err(_) => continue,
                };
                found.push(Deadline { kind, at: milestone.deadline, window: Some(window) });
            }
            for party in [Party::Buyer, Party::Seller] {
                let Ok(proposal) = state.slot(party).proposal() else { continue };
                let is_open = proposal
                    .milestone()
                    .is_some_and(|index| escrow.milestone(index).is_ok_and(|milestone| !milestone.is_settled()));
                if is_open {
                    let at = state.slot(party).expires_at;
                    found.push(Deadline { kind: DeadlineKind::Offer(party), at, window: None });
                }
            }
        }
        Ok(EscrowStatus::Funded) | Err(_) => {}
    }
    found.sort_by_key(|deadline| deadline.at);
    found
}

/// The next deadline of an escrow after `now`, in unix seconds.
pub fn next_deadline(escrow: &EscrowAccount, now: i64) -> Option<Deadline> {
    deadlines(escrow).into_iter().find(|deadline| deadline.at > now)
}

/// Why somebody is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The deal has not begun: pay in.
    Fund,
    /// Deliver.
    Deliver,
    /// Claim with the delivery code.
    Claim,
    /// Look at what was delivered: release it, or dispute it.
    Review,
    /// Rule.
    Rule,
    /// Nobody can rule: agree with the other.
    Agree,
    /// Accept the other's offer, or let it go.
    Answer(Proposal),
    /// The deadline has passed, and the default gives something: apply it.
    Apply,
    /// Fetch what is due as this.
    Collect(Recipient),
    /// Close the account, or give up what was never funded: the rent comes back.
    Close,
}

/// Something that an escrow waits for from somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The escrow.
    pub escrow: Pubkey,
    /// What.
    pub need: Need,
    /// On the milestone with this index.
    pub milestone: Option<u8>,
    /// Until when, in unix seconds; none: it can wait.
    pub until: Option<i64>,
    /// What doing it moves. Of a review it is nothing: that is up to the buyer.
    pub effects: Effects,
}

impl Task {
    /// How soon it is needed: what has a deadline before what has none, then the sooner deadline; money of one's own that a
    /// default would bring before what is fetched, and that before the rent.
    fn urgency(&self) -> (bool, i64, u8) {
        let class = match self.need {
            Need::Apply => 0,
            Need::Collect(_) => 1,
            Need::Close => 2,
            _ => 0,
        };
        (self.until.is_none(), self.until.unwrap_or(i64::MAX), class)
    }
}

/// What `escrow` waits for from `who` at `now`, in unix seconds, the most urgent first. Empty where it is somebody else's
/// turn, or nobody's.
pub fn tasks(escrow: &EscrowAccount, who: &Pubkey, now: i64) -> Vec<Task> {
    let roles: Vec<Role> = Role::of(who, escrow).collect();
    let mut tasks: Vec<Task> = Vec::new();
    for possibility in possibilities(escrow, now).iter().filter(|possibility| possibility.is_open(now)) {
        let Some(need) = need(escrow, possibility, &roles, now) else { continue };
        let Possibility { action, until, effects, .. } = possibility;
        let milestone = action.instruction.milestone();
        tasks.push(Task { escrow: escrow.address, need, milestone, until: *until, effects: *effects });
    }
    // Either delivery will do.
    let delivers: Vec<Option<u8>> =
        tasks.iter().filter(|task| task.need == Need::Deliver).map(|task| task.milestone).collect();
    tasks.retain(|task| task.need != Need::Claim || !delivers.contains(&task.milestone));
    tasks.extend(agreements(escrow, &roles, now));
    tasks.sort_by_key(Task::urgency);
    tasks
}

fn need(escrow: &EscrowAccount, possibility: &Possibility, roles: &[Role], now: i64) -> Option<Need> {
    let is = |role| roles.contains(&role);
    let Possibility { action, actor, effects, .. } = possibility;
    let pending =
        |milestone: &u8| escrow.milestone(*milestone).is_ok_and(|found| found.status() == Ok(MilestoneStatus::Pending));
    match (&action.instruction, actor) {
        (EscrowInstruction::Fund, _) => is(Role::Buyer).then_some(Need::Fund),
        (EscrowInstruction::Deliver { .. }, Actor::Attester) => is(Role::Attester).then_some(Need::Deliver),
        (EscrowInstruction::Deliver { .. }, _) => is(Role::Seller).then_some(Need::Deliver),
        (EscrowInstruction::Claim { milestone, .. }, _) => {
            (is(Role::Seller) && pending(milestone)).then_some(Need::Claim)
        }
        (EscrowInstruction::Dispute { .. }, _) => is(Role::Buyer).then_some(Need::Review),
        // One of the two that are tried.
        (EscrowInstruction::Rule { seller_bps: 0, .. }, _) => is(Role::Arbiter).then_some(Need::Rule),
        (EscrowInstruction::Accept { proposal }, Actor::Buyer) => is(Role::Buyer).then_some(Need::Answer(*proposal)),
        (EscrowInstruction::Accept { proposal }, _) => is(Role::Seller).then_some(Need::Answer(*proposal)),
        (EscrowInstruction::Expire { .. }, _) => gains(roles, &effects.decided).then_some(Need::Apply),
        (EscrowInstruction::Withdraw { recipient }, _) => is(role_of(*recipient)).then_some(Need::Collect(*recipient)),
        (EscrowInstruction::Close, _) => is(Role::RentPayer).then_some(Need::Close),
        (EscrowInstruction::Cancel, Actor::AnyParty) => {
            (is(Role::RentPayer) && now >= escrow.state.fund_by).then_some(Need::Close)
        }
        _ => None,
    }
}

/// Where a dispute has no arbiter, both are needed.
fn agreements(escrow: &EscrowAccount, roles: &[Role], now: i64) -> Vec<Task> {
    let both = [Role::Buyer, Role::Seller];
    if is_named(&escrow.state.arbiter) || !escrow.is_funded() || !both.iter().any(|role| roles.contains(role)) {
        return Vec::new();
    }
    let disputed = (0u8..)
        .zip(&escrow.milestones)
        .filter(|(_, milestone)| milestone.status() == Ok(MilestoneStatus::Disputed) && milestone.deadline > now);
    disputed
        .map(|(index, milestone)| Task {
            escrow: escrow.address,
            need: Need::Agree,
            milestone: Some(index),
            until: Some(milestone.deadline),
            effects: Effects::default(),
        })
        .collect()
}

/// Whether any of these roles is given something.
fn gains(roles: &[Role], moved: &Moved) -> bool {
    let Moved { seller, fee, buyer, arbiter } = *moved;
    let given = |role: &Role| match role {
        Role::Buyer => buyer,
        Role::Seller => seller,
        Role::FeeRecipient => fee,
        Role::Arbiter => arbiter,
        Role::Attester | Role::RentPayer => 0,
    };
    roles.iter().any(|role| given(role) > 0)
}

/// The role that is paid as this.
pub const fn role_of(recipient: Recipient) -> Role {
    match recipient {
        Recipient::Buyer => Role::Buyer,
        Recipient::Seller => Role::Seller,
        Recipient::Fee => Role::FeeRecipient,
        Recipient::Arbiter => Role::Arbiter,
    }
}

/// How an escrow stands, as lists are filtered. One with several milestones can stand in several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not funded.
    Created,
    /// Funded, and a milestone waits for its delivery.
    Funded,
    /// A milestone is delivered, and not answered.
    Delivered,
    /// A milestone is disputed.
    Disputed,
    /// Every milestone is decided.
    Settled,
}

impl State {
    /// Whether `escrow` stands like this.
    pub fn is_of(self, escrow: &EscrowAccount) -> bool {
        let has = |status| escrow.milestones.iter().any(|milestone| milestone.status() == Ok(status));
        match self {
            Self::Created => !escrow.is_funded(),
            Self::Funded => escrow.is_funded() && has(MilestoneStatus::Pending),
            Self::Delivered => escrow.is_funded() && has(MilestoneStatus::Delivered),
            Self::Disputed => escrow.is_funded() && has(MilestoneStatus::Disputed),
            Self::Settled => escrow.is_settled(),
        }
    }
}

/// Which escrows somebody wants to see. What is none is not asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// In which this is the role of whoever asks.
    pub role: Option<Role>,
    /// That stand like this.
    pub state: Option<State>,
    /// That wait for whoever asks, or have a deadline, within this many seconds. What is overdue counts.
    pub due_within: Option<i64>,
}

impl Wanted {
    /// Whether `who` wants to see `escrow` at `now`.
    pub fn matches(&self, escrow: &EscrowAccount, who: &Pubkey, now: i64) -> bool {
        let is_soon = |within: i64| {
            let end = now.saturating_add(within);
            let deadline = deadlines(escrow).first().is_some_and(|deadline| deadline.at <= end);
            deadline || tasks(escrow, who, now).iter().any(|task| task.until.is_none_or(|until| until <= end))
        };
        self.role.is_none_or(|role| role.address(escrow) == Some(*who))
            && self.state.is_none_or(|state| state.is_of(escrow))
            && self.due_within.is_none_or(is_soon)
    }
}

/// An escrow, and what somebody has to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// The escrow.
    pub escrow: EscrowAccount,
    /// What it waits for from them, the most urgent first.
    pub tasks: Vec<Task>,
    /// What comes next, whoever's turn it is.
    pub next: Option<Deadline>,
}

impl Attention {
    /// What `escrow` asks of `who` at `now`.
    pub fn new(escrow: EscrowAccount, who: &Pubkey, now: i64) -> Self {
        let (tasks, next) = (tasks(&escrow, who, now), next_deadline(&escrow, now));
        Self { escrow, tasks, next }
    }

    /// What needs somebody before what does not, by urgency; then by what comes next.
    fn order(&self, other: &Self) -> Ordering {
        let key = |of: &Self| {
            let first = of.tasks.first().map(Task::urgency);
            let next = of.next.map_or(i64::MAX, |deadline| deadline.at);
            (first.is_none(), first, of.escrow.is_settled(), next)
        };
        key(self).cmp(&key(other)).then_with(|| self.escrow.address.cmp(&other.escrow.address))
    }
}

/// The escrows that `who` wants to see at `now`, what needs them first in front.
pub fn list(escrows: Vec<EscrowAccount>, who: &Pubkey, wanted: &Wanted, now: i64) -> Vec<Attention> {
    let shown = escrows.into_iter().filter(|escrow| wanted.matches(escrow, who, now));
    let mut shown: Vec<Attention> = shown.map(|escrow| Attention::new(escrow, who, now)).collect();
    shown.sort_by(Attention::order);
    shown
}

/// What anyone at all may do at `now` to bring an escrow on: apply defaults, pay out what is due then, and close, or give up
/// what was never funded. Each as it would be done after those before it.
pub fn for_anyone(escrow: &EscrowAccount, now: i64) -> Vec<Action> {
    if escrow.is_funded() {
        let recipe = super::recipe::Recipe::finish(escrow, false, &[], now);
        return recipe.steps.into_iter().filter_map(super::recipe::Step::into_action).collect();
    }
    // An address that is no party's.
    let cancel = Action::new(escrow, EscrowInstruction::Cancel).by(escrow::ID);
    cancel.preview(escrow, now).is_ok().then_some(cancel).into_iter().collect()
}

/// When there is first something that [anyone](for_anyone) may do, in unix seconds, `now` at the earliest; none: never, if
/// nothing else happens before.
pub fn next_for_anyone(escrow: &EscrowAccount, now: i64) -> Option<i64> {
    let by_anyone = |possibility: &Possibility| possibility.actor == Actor::Anyone;
    possibilities(escrow, now).iter().filter(|possibility| by_anyone(possibility)).map(|found| found.from).min()
}
