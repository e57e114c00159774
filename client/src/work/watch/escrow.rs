//! One escrow, watched: a state machine. It is told how the account stands, asks for what it needs to explain that, and
//! gives events.

use std::collections::VecDeque;

use escrow::state::Party;
use solana_signature::Signature;
use thiserror::Error;

use super::{
    cursor::Cursor,
    event::{Event, EventId, What},
    pages::{Broken, Listed, Page, Pages, Progress},
    rules::Rules,
    view::View,
};
use crate::{
    EscrowAccount, EscrowInstruction,
    due::{self, Ahead, Deadline, DeadlineKind},
    history::{Entry, History, Step},
};

/// What is asked for, to explain what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A page of the address's transactions, before this one, from a node that knows all up to this slot.
    Page {
        /// Before which.
        before: Option<Signature>,
        /// What the node has to know.
        least_slot: u64,
    },
    /// The transactions of the block in this slot, in their order.
    Block(u64),
    /// What these transactions did.
    Transactions(Vec<Signature>),
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Page`].
    Page(Page),
    /// To [`Question::Block`]; none: the node keeps no blocks.
    Block(Option<Vec<Signature>>),
    /// To [`Question::Transactions`], in their order; none for one that could not be read.
    Transactions(Vec<Option<Vec<Entry>>>),
    /// No answer, for this reason.
    Failed(String),
}

/// Why a round came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The node is behind.
    #[error("the node is behind: it shows slot {slot}, and slot {seen} was seen already")]
    Behind {
        /// What it shows.
        slot: u64,
        /// What was seen.
        seen: u64,
    },
    /// The node did not answer.
    #[error("the node did not answer: {0}")]
    Silent(String),
    /// The list of transactions has a gap, or is in disorder.
    #[error("the node's list of transactions has a gap")]
    Gap,
    /// The node has forgotten what is needed.
    #[error("the node has forgotten what was before slot {}", .0.map_or_else(|| "an unknown one".to_owned(), |slot| slot.to_string()))]
    Forgotten(Option<u64>),
    /// Transactions cannot be read.
    #[error("{} transactions cannot be read, among them {}", .0.len(), .0.first().map_or_else(String::new, ToString::to_string))]
    Unreadable(Vec<Signature>),
    /// The transactions do not give the account.
    #[error("the node's transactions do not explain how the account stands at slot {0}")]
    Unexplained(u64),
    /// It answered something else than it was asked for.
    #[error("the node answered something else than it was asked for")]
    Nonsense,
}

/// How patient a watch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// After how many rounds in a row without an explanation it is told that something is missing, and the account believed.
    /// None: never; it stays where it is until a node explains it.
    pub rounds_before_gap: Option<u32>,
    /// The same where everything is listed, and something of it cannot be read.
    pub rounds_before_unread: Option<u32>,
    /// After how many rounds an account that has not changed is looked into all the same.
    pub quiet_rounds: u32,
    /// How many of the program's transactions are gone through at once, about: of more the oldest first.
    pub most_listed: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rounds_before_gap: Some(20), rounds_before_unread: Some(20), quiet_rounds: 10, most_listed: 5_000 }
    }
}

#[derive(Debug, Clone)]
enum Phase {
    /// Until the account is seen again.
    Rest,
    Listing {
        view: View,
        pages: Pages,
    },
    /// The order inside this slot is asked for.
    Ordering {
        list: List,
        slot: u64,
    },
    Reading(List),
}

/// What was listed.
#[derive(Debug, Clone)]
struct List {
    view: View,
    listed: Vec<Listed>,
    /// Where the node's memory ends, if that is before the list does.
    forgotten: Option<Trouble>,
}

/// One escrow, watched.
#[derive(Debug, Clone)]
pub struct Watch {
    cursor: Cursor,
    settings: Settings,
    rules: Rules,
    phase: Phase,
    /// What is to be told, and where that leads.
    ready: VecDeque<Event>,
    next: Option<Cursor>,
    /// The newest slot that an answer came from.
    seen: u64,
    quiet: u32,
    /// Rounds in a row that a node answered, and that explained nothing.
    unexplained: u32,
    trouble: Option<Trouble>,
    /// What was explained last: the slot and its time.
    explained: Option<(u64, i64)>,
}

impl Watch {
    /// Goes on from `cursor`.
    pub fn new(cursor: Cursor, settings: Settings, rules: Rules) -> Self {
        let seen = cursor.slot;
        Self {
            cursor,
            settings,
            rules,
            phase: Phase::Rest,
            ready: VecDeque::new(),
            next: None,
            seen,
            quiet: settings.quiet_rounds,
            unexplained: 0,
            trouble: None,
            explained: None,
        }
    }

    /// Where it has come to: to be kept after each event.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Up to which slot everything is explained, and the chain's time then; none before the first round.
    pub fn explained(&self) -> Option<(u64, i64)> {
        self.explained
    }

    /// Why the last round came to nothing; none where it did not.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Whether it waits to be shown the account again.
    pub fn rests(&self) -> bool {
        matches!(self.phase, Phase::Rest) && self.ready.is_empty()
    }

    /// The slot that an account has to be read at or behind.
    pub fn least_slot(&self) -> u64 {
        self.seen
    }

    /// What is from before this slot says nothing: it was heard elsewhere that there is more.
    pub fn at_least(&mut self, slot: u64) {
        self.seen = self.seen.max(slot);
    }

    /// Begins a round with the account as it stands. Nothing, where one is under way.
    pub fn look(&mut self, view: View) {
        if !self.rests() {
            return;
        }
        if self.rules.is_behind(view.slot, self.seen.max(self.cursor.slot)) {
            return self.fail(Trouble::Behind { slot: view.slot, seen: self.seen });
        }
        self.seen = self.seen.max(view.slot);
        let unchanged = same(self.cursor.state.as_ref(), view.account.as_ref()) && !self.cursor.opening;
        let is_due =
            self.cursor.state.as_ref().is_some_and(|state| !near(state, self.cursor.time, view.time).is_empty());
        if self.rules.is_quiet(unchanged && !is_due && self.trouble.is_none(), self.quiet, self.settings.quiet_rounds) {
            self.quiet = self.quiet.saturating_add(1);
            self.explained = Some((view.slot, view.time));
            return;
        }
        let pages = Pages::new(self.cursor.slot, view.slot, self.rules);
        self.phase = Phase::Listing { view, pages };
    }

    /// What it needs to know; none where it [rests](Self::rests) or has something to tell.
    pub fn question(&self) -> Option<Question> {
        match &self.phase {
            Phase::Rest => None,
            Phase::Listing { pages, .. } => {
                Some(Question::Page { before: pages.before(), least_slot: pages.least_slot() })
            }
            Phase::Ordering { slot, .. } => Some(Question::Block(*slot)),
            Phase::Reading(list) => {
                Some(Question::Transactions(list.listed.iter().map(|listed| listed.signature).collect()))
            }
        }
    }

    /// Takes the answer to the [question](Self::question).
    pub fn heard(&mut self, answer: Answer) {
        let phase = std::mem::replace(&mut self.phase, Phase::Rest);
        match (phase, answer) {
            (Phase::Rest, _) => {}
            (_, Answer::Failed(reason)) => self.fail(Trouble::Silent(reason)),
            (Phase::Listing { view, mut pages }, Answer::Page(page)) => match pages.heard(page) {
                Ok(Progress::More) => self.phase = Phase::Listing { view, pages },
                Ok(Progress::Complete) => self.order(List { view, listed: pages.into_found(), forgotten: None }),
                Err(Broken::NotTheNext | Broken::Disorder) => {
                    self.unexplained(Trouble::Gap, view, Vec::new(), Vec::new())
                }
                // What begins with the creation needs nothing from before.
                Err(Broken::Forgotten(first)) => {
                    let forgotten = Some(Trouble::Forgotten(first));
                    self.order(List { view, listed: pages.into_found(), forgotten });
                }
            },
            (Phase::Ordering { mut list, slot }, Answer::Block(block)) => {
                let place = |one: &Listed| {
                    let place = block.as_ref()?.iter().position(|signature| *signature == one.signature)?;
                    u32::try_from(place).ok()
                };
                for one in list.listed.iter_mut().filter(|one| one.slot == slot) {
                    // Where nobody tells, it is as it was listed.
                    one.index = place(one).or(Some(u32::MAX));
                }
                self.order(list);
            }
            (Phase::Reading(list), Answer::Transactions(read)) if read.len() == list.listed.len() => {
                self.read(list, read);
            }
            _ => self.fail(Trouble::Nonsense),
        }
    }

    /// Puts what is in one slot into its order, or asks for that.
    fn order(&mut self, mut list: List) {
        let listed = &mut list.listed;
        let unordered = listed
            .chunk_by(|one, other| one.slot == other.slot)
            .find(|group| group.len() > 1 && group.iter().any(|one| one.index.is_none()));
        if let Some([Listed { slot, .. }, ..]) = unordered
            && self.rules.needs_order(true)
        {
            self.phase = Phase::Ordering { slot: *slot, list };
            return;
        }
        listed.sort_by_key(|one| (one.slot, one.index));
        if listed.is_empty() {
            return self.read(list, Vec::new());
        }
        self.phase = Phase::Reading(list);
    }

    fn read(&mut self, List { view, listed, forgotten }: List, read: Vec<Option<Vec<Entry>>>) {
        let mut unreadable = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        for (one, read) in listed.iter().zip(read) {
            match read {
                Some(found) if found.iter().all(|entry| entry.slot == one.slot && entry.time.is_some()) => {
                    entries.extend(found);
                }
                _ => unreadable.push(one.signature),
            }
        }
        let is_creation = |entry: &Entry| matches!(entry.action.instruction, EscrowInstruction::Create { .. });
        let begins = self.cursor.state.is_none() && entries.first().is_some_and(is_creation);
        let (steps, state, follows) = History::since(self.cursor.state.clone(), entries);
        if let Some(forgotten) = forgotten.filter(|_| !begins) {
            return self.unexplained(forgotten, view, Vec::new(), unreadable);
        }
        if !self.rules.is_complete(unreadable.is_empty()) {
            return self.unexplained(Trouble::Unreadable(unreadable.clone()), view, steps, unreadable);
        }
        if !self.rules.is_verified(follows && same(state.as_ref(), view.account.as_ref())) {
            return self.unexplained(Trouble::Unexplained(view.slot), view, steps, unreadable);
        }
        let over = steps.last().and_then(over).or(self.cursor.over);
        let mut unfolding = self.unfold(steps);
        unfolding.reach(view.time);
        let events = unfolding.events;
        self.unexplained = 0;
        self.trouble = None;
        self.quiet = 0;
        self.explained = Some((view.slot, view.time));
        self.tell(events, view, over);
    }

    /// What was read does not explain the account. It is tried again; in the end it is told what is explained, and that
    /// something is missing.
    fn unexplained(&mut self, trouble: Trouble, view: View, steps: Vec<Step>, unreadable: Vec<Signature>) {
        let most = match trouble {
            Trouble::Unreadable(_) => self.settings.rounds_before_unread,
            _ => self.settings.rounds_before_gap,
        };
        self.fail(trouble);
        self.unexplained = self.unexplained.saturating_add(1);
        if most.is_none_or(|most| self.unexplained < most) {
            return;
        }
        let known: Vec<Step> = steps.into_iter().take_while(|step| step.replayed.is_some()).collect();
        let gap = What::Gap {
            since: self.cursor.slot,
            until: view.slot,
            unreadable,
            escrow: view.account.clone().map(Box::new),
        };
        let mut unfolding = self.unfold(known);
        unfolding.gap(gap, &view);
        let events = unfolding.events;
        self.unexplained = 0;
        self.explained = Some((view.slot, view.time));
        self.tell(events, view, None);
    }

    fn fail(&mut self, trouble: Trouble) {
        self.trouble = Some(trouble);
    }

    /// Tells these, but for what was told.
    fn tell(&mut self, events: Vec<Event>, view: View, over: Option<i64>) {
        let View { slot, time, account } = view;
        let keeps = |id: &&EventId| self.rules.keeps(events.iter().any(|event| event.id == **id));
        let told = self.cursor.told.iter().filter(keeps).copied().collect();
        let escrow = self.cursor.escrow;
        self.next = Some(Cursor { escrow, slot, time, state: account, opening: false, over, told });
        let is_told = |event: &Event| self.rules.skips(self.cursor.told.contains(&event.id));
        self.ready = events.into_iter().filter(|event| !is_told(event)).collect();
        self.settle();
    }

    /// What is to be told next. It is told again until [`told`](Self::told) says that it was.
    pub fn event(&self) -> Option<&Event> {
        self.ready.front()
    }

    /// The event was told: the cursor is behind it.
    pub fn told(&mut self) {
        let Some(event) = self.ready.pop_front() else { return };
        self.cursor.told.push(event.id);
        self.settle();
    }

    /// Once all of a round is told, the cursor is at its end.
    fn settle(&mut self) {
        if self.ready.is_empty()
            && let Some(next) = self.next.take()
        {
            self.cursor = next;
        }
    }

    /// The changes, and between them the deadlines that came near.
    fn unfold(&self, steps: Vec<Step>) -> Unfolding<'_> {
        let mut unfolding = Unfolding {
            cursor: &self.cursor,
            rules: self.rules,
            state: self.cursor.state.clone(),
            time: self.cursor.time,
            events: Vec::new(),
        };
        if self.cursor.opening {
            unfolding.missed(None);
        }
        let mut places: Vec<(Signature, u32)> = Vec::new();
        for step in steps {
            let signature = step.entry.signature;
            let place = match places.last_mut() {
                Some((last, place)) if *last == signature => {
                    *place = place.saturating_add(1);
                    *place
                }
                _ => {
                    places.push((signature, 0));
                    0
                }
            };
            unfolding.change(step, EventId::change(&self.cursor.escrow, &signature, place));
        }
        unfolding
    }
}

/// A life from the cursor on, while it is told.
struct Unfolding<'a> {
    cursor: &'a Cursor,
    rules: Rules,
    state: Option<EscrowAccount>,
    /// Deadlines that came near up to then are told.
    time: i64,
    events: Vec<Event>,
}

impl Unfolding<'_> {
    fn change(&mut self, step: Step, id: EventId) {
        let time = step.entry.time.unwrap_or(self.time);
        if self.rules.reminds_between() {
            self.reach(time);
        }
        let before = self.state.take();
        self.state = step.replayed.as_ref().and_then(|preview| preview.after.clone());
        self.events.push(Event { id, escrow: self.cursor.escrow, time, what: What::Change(Box::new(step)) });
        if self.rules.reminds_between() {
            self.missed(before.as_ref());
        }
    }

    /// Deadlines that came near since, up to `time`.
    fn reach(&mut self, time: i64) {
        if let Some(state) = &self.state {
            for (moment, deadline, ahead) in near(state, self.time, time) {
                let event = reminder(self.cursor, state, moment, deadline, ahead);
                self.events.push(event);
            }
        }
        self.time = self.time.max(time);
    }

    /// Something is missing; the account is what it has become.
    fn gap(&mut self, gap: What, view: &View) {
        let id = EventId::gap(&self.cursor.escrow, self.cursor.slot);
        self.events.push(Event { id, escrow: self.cursor.escrow, time: view.time, what: gap });
        let before = self.state.take();
        self.state = view.account.clone();
        if before.is_none() {
            self.time = view.time;
        }
        self.missed(before.as_ref());
        self.reach(view.time);
    }

    /// Of each deadline that `before` did not have, the nearest moment that is over: it was near from the beginning.
    fn missed(&mut self, before: Option<&EscrowAccount>) {
        let Some(state) = &self.state else { return };
        let known = before.map(due::deadlines).unwrap_or_default();
        let is_new =
            |deadline: &Deadline| !known.iter().any(|known| (known.kind, known.at) == (deadline.kind, deadline.at));
        // An offer is made by somebody who knows how near its end is; and the same one can be made again.
        let is_offer = |deadline: &Deadline| matches!(deadline.kind, DeadlineKind::Offer(_));
        for deadline in due::deadlines(state).into_iter().filter(|deadline| is_new(deadline) && !is_offer(deadline)) {
            let over = deadline.reminders().into_iter().rfind(|(_, moment)| *moment <= self.time);
            if let Some((ahead, _)) = over {
                self.events.push(reminder(self.cursor, state, self.time, deadline, ahead));
            }
        }
    }
}

fn reminder(cursor: &Cursor, state: &EscrowAccount, time: i64, deadline: Deadline, ahead: Ahead) -> Event {
    let id = EventId::near(&cursor.escrow, &deadline, ahead);
    let escrow = Box::new(state.clone());
    Event { id, escrow: cursor.escrow, time, what: What::Near { deadline, ahead, escrow } }
}

/// The deadlines of `state` that come near after `since` and not after `until`, in order.
fn near(state: &EscrowAccount, since: i64, until: i64) -> Vec<(i64, Deadline, Ahead)> {
    let of_one =
        |deadline: Deadline| deadline.reminders().into_iter().map(move |(ahead, moment)| (moment, deadline, ahead));
    let mut found: Vec<_> = due::deadlines(state).into_iter().flat_map(of_one).collect();
    found.retain(|(moment, ..)| *moment > since && *moment <= until);
    found.sort_by_key(|(moment, deadline, ahead)| (*moment, order(deadline.kind), *ahead));
    found
}

const fn order(kind: DeadlineKind) -> (u8, u8) {
    match kind {
        DeadlineKind::Funding => (0, 0),
        DeadlineKind::CoolingOff => (1, 0),
        DeadlineKind::Delivery(milestone) => (2, milestone),
        DeadlineKind::Review(milestone) => (3, milestone),
        DeadlineKind::Ruling(milestone) => (4, milestone),
        DeadlineKind::Offer(Party::Buyer) => (5, 0),
        DeadlineKind::Offer(Party::Seller) => (5, 1),
    }
}

/// From when on an escrow that ended with this step never has an account again.
fn over(step: &Step) -> Option<i64> {
    let is_gone = step.replayed.as_ref().is_some_and(|preview| preview.after.is_none());
    match step.entry.action.instruction {
        EscrowInstruction::Close if is_gone => step.entry.time,
        // Until then the same terms can be created again.
        EscrowInstruction::Cancel if is_gone => Some(step.before.as_ref()?.state.fund_by),
        _ => None,
    }
}

/// Whether two accounts stand alike. Lamports that a stranger sends change nothing.
fn same(one: Option<&EscrowAccount>, other: Option<&EscrowAccount>) -> bool {
    let parts = |account: &EscrowAccount| (account.state, account.milestones.clone());
    one.map(parts) == other.map(parts)
}
