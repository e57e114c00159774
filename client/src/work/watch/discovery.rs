//! Finds the escrows to which something happened, from the program's own transactions: one that is created and ended between
//! two listings is in no list.

use std::collections::BTreeSet;

use escrow::state::Terms;
use solana_signature::Signature;

use super::{
    cursor::Subject,
    escrow::{Answer, Question, Settings, Trouble},
    pages::{Broken, Listed, Pages, Progress},
    rules::Rules,
};
use crate::{EscrowInstruction, history::Entry};

#[derive(Debug, Clone)]
enum Phase {
    Rest,
    Listing(Pages),
    Reading { end: u64, listed: Vec<Listed> },
}

/// Goes through the program's transactions, from a slot up to which all are known: a state machine.
#[derive(Debug, Clone)]
pub struct Discovery {
    subject: Subject,
    /// Everything up to this slot is found.
    floor: u64,
    settings: Settings,
    rules: Rules,
    phase: Phase,
    trouble: Option<Trouble>,
    forgotten: u32,
    given_up: BTreeSet<Signature>,
}

impl Discovery {
    /// Those of `subject`, behind the slot `floor`.
    pub fn new(subject: Subject, floor: u64, settings: Settings, rules: Rules) -> Self {
        let (phase, given_up) = (Phase::Rest, BTreeSet::new());
        Self { subject, floor, settings, rules, phase, trouble: None, forgotten: 0, given_up }
    }

    /// The same, not waiting for these transactions to be read.
    #[must_use]
    pub fn without(self, given_up: BTreeSet<Signature>) -> Self {
        Self { given_up, ..self }
    }

    /// Up to which slot everything is found.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Whose are looked for.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Why the last look came to nothing; none where it did not.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Looks at what happened up to `top`. Of very much the oldest first: then the [floor](Self::floor) is below that, and it is
    /// to be looked again. Nothing, where a look is under way.
    pub fn look(&mut self, top: u64) {
        if matches!(self.phase, Phase::Rest) && top > self.floor {
            self.phase = Phase::Listing(Pages::new(self.floor, top, self.rules).at_most(self.settings.most_listed));
        }
    }

    /// About the program's transactions.
    pub fn question(&self) -> Option<Question> {
        match &self.phase {
            Phase::Rest => None,
            Phase::Listing(pages) => Some(Question::Page { before: pages.before(), least_slot: pages.least_slot() }),
            Phase::Reading { listed, .. } => {
                Some(Question::Transactions(listed.iter().map(|listed| listed.signature).collect()))
            }
        }
    }

    /// Takes the answer, and gives what was found: of a party the creations that name it, of all whatever was done.
    pub fn heard(&mut self, answer: Answer) -> Vec<Entry> {
        let phase = std::mem::replace(&mut self.phase, Phase::Rest);
        match (phase, answer) {
            (Phase::Rest, _) => {}
            (_, Answer::Failed(reason)) => self.trouble = Some(Trouble::Silent(reason)),
            (Phase::Listing(mut pages), Answer::Page(page)) => match pages.heard(page) {
                Ok(Progress::More) => self.phase = Phase::Listing(pages),
                Ok(Progress::Complete) => self.read(pages),
                Err(Broken::NotTheNext | Broken::Disorder) => self.trouble = Some(Trouble::Gap),
                Err(Broken::Forgotten(first)) => {
                    self.trouble = Some(Trouble::Forgotten(first));
                    self.forgotten = self.forgotten.saturating_add(1);
                    // What no node remembers is found by nobody: from what there is on.
                    if self.settings.rounds_before_gap.is_some_and(|most| self.forgotten >= most) {
                        self.read(pages);
                    }
                }
            },
            (Phase::Reading { end, listed }, Answer::Transactions(read)) if read.len() == listed.len() => {
                let unread = listed.iter().zip(&read).filter(|(_, read)| read.is_none()).map(|(one, _)| one.signature);
                let unread: Vec<Signature> = unread.filter(|signature| !self.given_up.contains(signature)).collect();
                if !self.rules.is_complete(unread.is_empty()) {
                    self.trouble = Some(Trouble::Unreadable(unread));
                    return Vec::new();
                }
                self.floor = end;
                self.forgotten = 0;
                self.trouble = None;
                return read.into_iter().flatten().flatten().filter(|entry| self.wants(entry)).collect();
            }
            _ => self.trouble = Some(Trouble::Nonsense),
        }
        Vec::new()
    }

    fn read(&mut self, pages: Pages) {
        self.phase = Phase::Reading { end: pages.end(), listed: pages.into_found() };
    }

    fn wants(&self, entry: &Entry) -> bool {
        match self.subject {
            Subject::Named => false,
            Subject::All => true,
            Subject::Party(party) => {
                let EscrowInstruction::Create { terms } = &entry.action.instruction else { return false };
                let Terms { buyer, seller, arbiter, attester, .. } = &**terms;
                [buyer, seller, arbiter, attester].contains(&&party)
            }
        }
    }
}
