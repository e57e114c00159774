//! Everything that happened to an escrow, as a list of actions that can be replayed: by the program's own rules they give
//! the account as it stands, or the list says what is missing in it. Nodes forget, and some lie.

use escrow::state::Moved;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::{
    account::EscrowAccount,
    action::{Action, EscrowInstruction, Preview},
    event::{EscrowEvent, Events},
};

/// One instruction that changed an escrow, as a node tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The transaction.
    pub signature: Signature,
    /// When it was executed.
    pub slot: u64,
    /// When that was, in unix seconds, if the node knows.
    pub time: Option<i64>,
    /// What was done, and who signed for it.
    pub action: Action,
    /// What the program logged in that transaction about this escrow. For people: the action says it all.
    pub events: Events,
}

impl Entry {
    /// The same as one tells of its own escrow: without what was logged of others in that transaction.
    #[must_use]
    pub fn alone(mut self) -> Self {
        let escrow = self.action.escrow;
        self.events.events.retain(|event| *event.escrow() == escrow);
        self
    }
}

/// An entry, and what the replay says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What a node tells.
    pub entry: Entry,
    /// The escrow before it, where everything before is known.
    pub before: Option<EscrowAccount>,
    /// What it did, where that follows from what was before.
    pub replayed: Option<Preview>,
    /// What it logged, where the node kept the log.
    pub event: Option<EscrowEvent>,
}

/// How much of an escrow's life a history tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Completeness {
    /// All of it: from the creation on, each action allowed by the rules, and at the end the account as it stands.
    Whole,
    /// The node remembers nothing of it.
    Nothing,
    /// The node has forgotten what was before the first entry.
    BeginningMissing,
    /// The entry with this index does not follow from those before: the node has forgotten something between, or does not
    /// know when it was.
    GapBefore(usize),
    /// The account has changed by more than the entries tell.
    EndMissing,
    /// The entries tell of more than the account's ledger has: either is untrue.
    Contradiction,
}

/// Everything that happened to an escrow, the oldest first, as far back as a node remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The escrow's address.
    pub escrow: Pubkey,
    /// What happened.
    pub steps: Vec<Step>,
    /// How much of its life that is.
    pub completeness: Completeness,
    /// Transactions that name the escrow and that could not be read: they may or may not have changed it.
    pub unreadable: Vec<Signature>,
}

impl History {
    /// Replays `entries`, the oldest first, and holds the end against the account: `None` where it is closed.
    pub fn replay(
        escrow: Pubkey,
        entries: Vec<Entry>,
        account: Option<&EscrowAccount>,
        unreadable: Vec<Signature>,
    ) -> Self {
        let events = events_of(&entries);
        let mut replay = Replay::new(&entries, account);
        let steps: Vec<Step> = entries
            .into_iter()
            .zip(events)
            .enumerate()
            .map(|(index, (entry, event))| replay.step(index, entry, event))
            .collect();
        let completeness = replay.completeness(&steps, account);
        Self { escrow, steps, completeness, unreadable }
    }

    /// Replays `entries`, the oldest first, from `state` on: none where there was no account. Also the escrow after them, and
    /// whether each followed from those before.
    pub fn since(state: Option<EscrowAccount>, entries: Vec<Entry>) -> (Vec<Step>, Option<EscrowAccount>, bool) {
        let events = events_of(&entries);
        let mut replay = Replay { state, begins_with_creation: false, gap: None };
        let steps = entries
            .into_iter()
            .zip(events)
            .enumerate()
            .map(|(index, (entry, event))| replay.step(index, entry, event))
            .collect();
        (steps, replay.state, replay.gap.is_none())
    }

    /// What the escrow held, from its terms; none where neither the account nor its creation is known.
    pub fn terms(&self) -> Option<&escrow::state::Terms> {
        self.steps.iter().find_map(|step| match &step.entry.action.instruction {
            EscrowInstruction::Create { terms } => Some(&**terms),
            _ => None,
        })
    }
}

/// The escrow while its history is replayed.
struct Replay {
    /// As it is after the entries so far; none before its creation, after its end, and after a gap.
    state: Option<EscrowAccount>,
    begins_with_creation: bool,
    gap: Option<usize>,
}

impl Replay {
    fn new(entries: &[Entry], account: Option<&EscrowAccount>) -> Self {
        let is_creation = |entry: &Entry| matches!(entry.action.instruction, EscrowInstruction::Create { .. });
        let begins_with_creation = entries.first().is_some_and(is_creation);
        // The account has its terms, and so its beginning, whatever a node has forgotten.
        let begin =
            || account.and_then(|account| EscrowAccount::agreed(&account.terms(), account.state.rent_payer).ok());
        Self { state: if begins_with_creation { None } else { begin() }, begins_with_creation, gap: None }
    }

    fn step(&mut self, index: usize, entry: Entry, event: Option<EscrowEvent>) -> Step {
        let before = match (&entry.action.instruction, entry.action.actor) {
            // A second creation at the same address comes after the unfunded first one was cancelled.
            (EscrowInstruction::Create { terms }, Some(payer)) => EscrowAccount::agreed(terms, payer).ok(),
            _ => self.state.take(),
        };
        // What the program logged about its own time counts for more than the block's.
        let time = |before| event.and_then(|event| event.time(before)).or(entry.time);
        let replayed = before.as_ref().and_then(|before| entry.action.preview(before, time(before)?).ok());
        let agrees =
            |preview: &Preview| event.is_none_or(|event| event.effects(&entry.action.instruction) == preview.effects);
        let replayed = replayed.filter(agrees);
        if replayed.is_none() && self.gap.is_none() {
            self.gap = Some(index);
        }
        self.state = replayed.as_ref().and_then(|preview| preview.after.clone());
        let is_creation = matches!(entry.action.instruction, EscrowInstruction::Create { .. });
        Step { entry, before: before.filter(|_| !is_creation), replayed, event }
    }

    fn completeness(&self, steps: &[Step], account: Option<&EscrowAccount>) -> Completeness {
        let same = |state: &EscrowAccount, account: &EscrowAccount| {
            (state.state, &state.milestones) == (account.state, &account.milestones)
        };
        let reaches_end = match (&self.state, account) {
            (Some(state), Some(account)) => same(state, account),
            (None, None) => steps.last().is_some_and(|last| last.replayed.is_some()),
            _ => false,
        };
        match (self.gap, self.begins_with_creation) {
            _ if account.is_some_and(|account| exceeds(steps, account)) => Completeness::Contradiction,
            _ if steps.is_empty() => Completeness::Nothing,
            (_, false) => Completeness::BeginningMissing,
            (Some(gap), true) => Completeness::GapBefore(gap),
            (None, true) if reaches_end => Completeness::Whole,
            (None, true) => Completeness::EndMissing,
        }
    }
}

/// Whether the entries tell of more than the account's ledger has.
fn exceeds(steps: &[Step], account: &EscrowAccount) -> bool {
    let is_creation = |step: &Step| matches!(step.entry.action.instruction, EscrowInstruction::Create { .. });
    let begin = steps.iter().rposition(is_creation).unwrap_or(0);
    let told = steps.iter().skip(begin).filter_map(|step| match (&step.replayed, step.event) {
        (Some(preview), _) => Some(preview.effects.decided),
        (None, Some(event)) => Some(event.effects(&step.entry.action.instruction).decided),
        (None, None) => None,
    });
    let zero = (0u128, 0u128, 0u128);
    let (released, refunded, arbiter_fees) =
        told.fold(zero, |(released, refunded, fees), Moved { seller, fee, buyer, arbiter }| {
            let add = |sum: u128, units: u64| sum.saturating_add(u128::from(units));
            (add(add(released, seller), fee), add(refunded, buyer), add(fees, arbiter))
        });
    let ledger = &account.state.ledger;
    released > u128::from(ledger.released)
        || refunded > u128::from(ledger.refunded)
        || arbiter_fees > u128::from(ledger.arbiter_fees)
}

/// The event of each entry. Each instruction logs one, so they go together by their order in the transaction; none where
/// the node kept only some of the log.
fn events_of(entries: &[Entry]) -> Vec<Option<EscrowEvent>> {
    let of_one_transaction = entries.chunk_by(|one, other| one.signature == other.signature);
    of_one_transaction
        .flat_map(|group| {
            group.iter().enumerate().map(|(place, Entry { events, .. })| {
                let complete = events.events.len() == group.len() && !events.truncated;
                events.events.get(place).copied().filter(|_| complete)
            })
        })
        .collect()
}
