//! Finds the escrows that name somebody, from the program's own transactions: one that is created and ended between two
//! listings is in no list.

use escrow::state::Terms;
use solana_pubkey::Pubkey;

use super::{
    escrow::{Answer, Question, Trouble},
    pages::{Broken, Listed, Pages, Progress},
    rules::Rules,
};
use crate::{EscrowInstruction, history::Entry};

#[derive(Debug, Clone)]
enum Phase {
    Rest,
    Listing { top: u64, pages: Pages },
    Reading { top: u64, listed: Vec<Listed> },
}

/// Those that name `party`.
#[derive(Debug, Clone)]
pub(super) struct Discovery {
    party: Pubkey,
    /// All created up to this slot are found.
    floor: u64,
    rules: Rules,
    phase: Phase,
    pub trouble: Option<Trouble>,
    forgotten: u32,
    rounds_before_gap: Option<u32>,
}

impl Discovery {
    pub fn new(party: Pubkey, floor: u64, rules: Rules, rounds_before_gap: Option<u32>) -> Self {
        Self { party, floor, rules, phase: Phase::Rest, trouble: None, forgotten: 0, rounds_before_gap }
    }

    pub fn floor(&self) -> u64 {
        self.floor
    }

    pub fn party(&self) -> Pubkey {
        self.party
    }

    /// Looks for those created up to `top`.
    pub fn look(&mut self, top: u64) {
        if matches!(self.phase, Phase::Rest) && top > self.floor {
            self.phase = Phase::Listing { top, pages: Pages::new(self.floor, top, self.rules) };
        }
    }

    /// About the program's transactions.
    pub fn question(&self) -> Option<Question> {
        match &self.phase {
            Phase::Rest => None,
            Phase::Listing { pages, .. } => {
                Some(Question::Page { before: pages.before(), least_slot: pages.least_slot() })
            }
            Phase::Reading { listed, .. } => {
                Some(Question::Transactions(listed.iter().map(|listed| listed.signature).collect()))
            }
        }
    }

    /// Takes the answer, and gives what was found.
    pub fn heard(&mut self, answer: Answer) -> Vec<Pubkey> {
        let phase = std::mem::replace(&mut self.phase, Phase::Rest);
        match (phase, answer) {
            (Phase::Rest, _) => {}
            (_, Answer::Failed(reason)) => self.trouble = Some(Trouble::Silent(reason)),
            (Phase::Listing { top, mut pages }, Answer::Page(page)) => match pages.heard(page) {
                Ok(Progress::More) => self.phase = Phase::Listing { top, pages },
                Ok(Progress::Complete) => self.phase = Phase::Reading { top, listed: pages.into_found() },
                Err(Broken::NotTheNext | Broken::Disorder) => self.trouble = Some(Trouble::Gap),
                Err(Broken::Forgotten(first)) => {
                    self.trouble = Some(Trouble::Forgotten(first));
                    self.forgotten = self.forgotten.saturating_add(1);
                    // What no node remembers is found by nobody: from what there is on.
                    if self.rounds_before_gap.is_some_and(|most| self.forgotten >= most) {
                        self.phase = Phase::Reading { top, listed: pages.into_found() };
                    }
                }
            },
            (Phase::Reading { top, listed }, Answer::Transactions(read)) if read.len() == listed.len() => {
                if !self.rules.is_complete(read.iter().all(Option::is_some)) {
                    let unread = listed.iter().zip(&read).filter(|(_, read)| read.is_none());
                    self.trouble = Some(Trouble::Unreadable(unread.map(|(listed, _)| listed.signature).collect()));
                    return Vec::new();
                }
                self.floor = top;
                self.forgotten = 0;
                self.trouble = None;
                return read.iter().flatten().flatten().filter_map(|entry| self.names(entry)).collect();
            }
            _ => self.trouble = Some(Trouble::Nonsense),
        }
        Vec::new()
    }

    /// The escrow that an entry creates, if it names the party.
    fn names(&self, entry: &Entry) -> Option<Pubkey> {
        let EscrowInstruction::Create { terms } = &entry.action.instruction else { return None };
        let Terms { buyer, seller, arbiter, attester, .. } = &**terms;
        [buyer, seller, arbiter, attester].contains(&&self.party).then_some(entry.action.escrow)
    }
}
