//! Several escrows, watched from one position; with those that somebody will be named in.

use std::collections::{BTreeMap, BTreeSet};

use solana_pubkey::Pubkey;

use super::{
    cursor::{Cursor, Position, Subject},
    discovery::Discovery,
    escrow::{Answer, Question, Settings, Trouble, Watch},
    event::Event,
    rules::Rules,
    view::View,
};
use crate::{EscrowAccount, EscrowInstruction, history::Entry, node::MOST_ACCOUNTS};

/// The most escrows that are asked for at once: the clock is asked for beside them.
pub(super) const MOST_ESCROWS: usize = MOST_ACCOUNTS - 1;

/// What a node is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// These escrows and the clock, all at one slot, from a node that knows all up to this one.
    Accounts {
        /// Their addresses. There may be none.
        addresses: Vec<Pubkey>,
        /// What the node has to know.
        least_slot: u64,
    },
    /// About the transactions that name this address: an escrow's, or the program's.
    About(Pubkey, Question),
}

/// What it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// To [`Ask::Accounts`].
    Accounts {
        /// The slot of all of them.
        slot: u64,
        /// The chain's time at that slot, in unix seconds.
        time: i64,
        /// The escrows in the order of the addresses; none where there is no account.
        accounts: Vec<Option<EscrowAccount>>,
    },
    /// To [`Ask::About`].
    About(Answer),
    /// No answer, for this reason.
    Failed(String),
}

/// How fresh all of it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Freshness {
    /// Up to which slot everything is explained, of all escrows; none before that.
    pub slot: Option<u64>,
    /// The chain's time then, in unix seconds.
    pub time: Option<i64>,
    /// What goes wrong, by escrow. Under the program's address: with finding new ones.
    pub troubles: Vec<(Pubkey, Trouble)>,
}

/// Several escrows, watched: a state machine.
#[derive(Debug, Clone)]
pub struct Listener {
    discovery: Option<Discovery>,
    watches: BTreeMap<Pubkey, Watch>,
    settings: Settings,
    rules: Rules,
    /// Those whose accounts are still to be read in this round.
    unread: BTreeSet<Pubkey>,
    /// Whether the slot is still to be read in this round.
    slot_unread: bool,
    silent: Option<String>,
}

impl Listener {
    /// Goes on from `position`.
    pub fn new(position: Position, settings: Settings) -> Self {
        Self::with(position, settings, Rules::ALL)
    }

    /// The same by these rules.
    pub fn with(position: Position, settings: Settings, rules: Rules) -> Self {
        let Position { subject, discovered, escrows } = position;
        let discovery = match subject {
            Subject::Named => None,
            Subject::Party(_) | Subject::All => Some(Discovery::new(subject, discovered, settings, rules)),
        };
        let watch = |cursor: Cursor| (cursor.escrow, Watch::new(cursor, settings, rules));
        let watches = escrows.into_iter().map(watch).collect();
        Self { discovery, watches, settings, rules, unread: BTreeSet::new(), slot_unread: false, silent: None }
    }

    /// Where it has come to: to be kept after each event.
    pub fn position(&self) -> Position {
        Position {
            subject: self.discovery.as_ref().map_or(Subject::Named, Discovery::subject),
            discovered: self.discovery.as_ref().map_or(0, Discovery::floor),
            escrows: self.watches.values().map(Watch::cursor).filter(|cursor| !cursor.is_over()).cloned().collect(),
        }
    }

    /// Watches this escrow too, from its creation on, if it is not watched already.
    pub fn add(&mut self, escrow: Pubkey) {
        let (settings, rules) = (self.settings, self.rules);
        self.watches.entry(escrow).or_insert_with(|| Watch::new(Cursor::beginning(escrow), settings, rules));
    }

    /// The escrows that are watched.
    pub fn escrows(&self) -> impl Iterator<Item = &Pubkey> + '_ {
        self.watches.keys()
    }

    /// Each of them.
    pub fn watches(&self) -> impl Iterator<Item = &Watch> + '_ {
        self.watches.values()
    }

    /// What is from before this slot says nothing of any of them.
    pub fn at_least(&mut self, slot: u64) {
        self.watches.values_mut().for_each(|watch| watch.at_least(slot));
    }

    /// Begins a round, for everything that rests. What is under way goes on.
    pub fn round(&mut self) {
        self.watches.retain(|_, watch| !watch.cursor().is_over() || !watch.rests());
        self.unread = self.watches.iter().filter(|(_, watch)| watch.rests()).map(|(escrow, _)| *escrow).collect();
        self.slot_unread = self.discovery.is_some();
    }

    /// All that is to be asked, in any order, also at the same time. Empty where the round is over.
    pub fn asks(&self) -> Vec<Ask> {
        let mut asks = Vec::new();
        let unread: Vec<Pubkey> = self.unread.iter().copied().collect();
        for addresses in unread.chunks(MOST_ESCROWS) {
            let least = |escrow: &Pubkey| self.watches.get(escrow).map_or(0, Watch::least_slot);
            let least_slot = self.rules.least_slot(addresses.iter().map(least).max().unwrap_or(0));
            asks.push(Ask::Accounts { addresses: addresses.to_vec(), least_slot });
        }
        if unread.is_empty() && self.slot_unread {
            asks.push(Ask::Accounts { addresses: Vec::new(), least_slot: 0 });
        }
        let about = |(escrow, watch): (&Pubkey, &Watch)| Some(Ask::About(*escrow, watch.question()?));
        asks.extend(self.watches.iter().filter_map(about));
        let discovery = self.discovery.as_ref().and_then(Discovery::question);
        asks.extend(discovery.map(|question| Ask::About(escrow::ID, question)));
        asks
    }

    /// Takes the answer to one of the [questions](Self::asks).
    pub fn heard(&mut self, ask: &Ask, heard: Heard) {
        match (ask, heard) {
            (Ask::Accounts { addresses, .. }, Heard::Accounts { slot, time, accounts })
                if addresses.len() == accounts.len() =>
            {
                self.silent = None;
                for (escrow, account) in addresses.iter().zip(accounts) {
                    self.unread.remove(escrow);
                    if let Some(watch) = self.watches.get_mut(escrow) {
                        watch.look(View { slot, time, account });
                    }
                }
                self.slot_unread = false;
                if let Some(discovery) = &mut self.discovery {
                    discovery.look(slot);
                }
            }
            (Ask::Accounts { addresses, .. }, heard) => {
                self.silent = Some(match heard {
                    Heard::Failed(reason) => reason,
                    _ => Trouble::Nonsense.to_string(),
                });
                addresses.iter().for_each(|escrow| {
                    self.unread.remove(escrow);
                });
                self.slot_unread = false;
            }
            (Ask::About(address, _), heard) => {
                let answer = match heard {
                    Heard::About(answer) => answer,
                    Heard::Failed(reason) => Answer::Failed(reason),
                    Heard::Accounts { .. } => Answer::Failed(Trouble::Nonsense.to_string()),
                };
                if *address == escrow::ID {
                    let found = self.discovery.as_mut().map(|discovery| discovery.heard(answer));
                    // What comes later in its life is told from the creation on: and one that is over stays over.
                    let is_creation =
                        |entry: &Entry| matches!(entry.action.instruction, EscrowInstruction::Create { .. });
                    let created = found.into_iter().flatten().filter(is_creation);
                    created.for_each(|entry| self.add(entry.action.escrow));
                } else if let Some(watch) = self.watches.get_mut(address) {
                    watch.heard(answer);
                }
            }
        }
    }

    /// What is to be told next: of all that is ready, the earliest. It is told again until [`told`](Self::told) says that
    /// it was.
    pub fn event(&self) -> Option<&Event> {
        let ready = self.watches.values().filter_map(Watch::event);
        ready.min_by_key(|event| (event.time, event.escrow))
    }

    /// The event that [`event`](Self::event) gave was told.
    pub fn told(&mut self) {
        let Some(escrow) = self.event().map(|event| event.escrow) else { return };
        if let Some(watch) = self.watches.get_mut(&escrow) {
            watch.told();
        }
    }

    /// How fresh all of it is.
    pub fn freshness(&self) -> Freshness {
        let explained: Option<Vec<_>> = self.watches.values().map(Watch::explained).collect();
        let oldest = explained.and_then(|all| all.into_iter().min());
        let of_one = |(escrow, watch): (&Pubkey, &Watch)| Some((*escrow, watch.trouble()?.clone()));
        let mut troubles: Vec<_> = self.watches.iter().filter_map(of_one).collect();
        let finding = self.discovery.as_ref().and_then(|discovery| discovery.trouble().cloned());
        let silent = self.silent.clone().map(Trouble::Silent);
        troubles.extend(silent.or(finding).map(|trouble| (escrow::ID, trouble)));
        Freshness { slot: oldest.map(|(slot, _)| slot), time: oldest.map(|(_, time)| time), troubles }
    }
}
