//! An address's transactions, listed backwards without a gap: from the newest down to a slot up to which all is known.

use solana_signature::Signature;

use super::rules::Rules;

/// A transaction in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its signature.
    pub signature: Signature,
    /// When it was executed.
    pub slot: u64,
    /// Its place in the block, if the node tells.
    pub index: Option<u32>,
    /// Whether it failed, and so changed nothing.
    pub failed: bool,
}

/// What a node answers, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The transactions.
    pub listed: Vec<Listed>,
    /// How many were asked for.
    pub asked: usize,
    /// The first block that this node remembers. Asked for where the page is short.
    pub first_available: Option<u64>,
}

/// Why a list cannot be gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The page is not the one behind the last: the node does not know what is known already.
    NotTheNext,
    /// It is not in order.
    Disorder,
    /// The node remembers nothing before this block.
    Forgotten(Option<u64>),
}

/// How far a list has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Ask for the next page.
    More,
    /// It has come down to where all is known.
    Complete,
}

/// A list that is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    floor: u64,
    /// Whoever answers has to know all up to this slot.
    top: u64,
    /// Up to this slot all that was listed is held: what is newer was let go, or is not of this list.
    end: u64,
    /// How many are held at least before any is let go.
    most: usize,
    rules: Rules,
    /// What was listed, the newest first.
    known: Vec<Listed>,
    /// Whether the next page begins inside the last slot: all of it did not fit into one.
    inside: bool,
}

impl Pages {
    /// Lists everything behind the slot `floor` up to the slot `top`, both being known: `floor` is told, and `top` is what
    /// the account was read at.
    pub const fn new(floor: u64, top: u64, rules: Rules) -> Self {
        Self { floor, top, end: top, most: usize::MAX, rules, known: Vec::new(), inside: false }
    }

    /// The same, with about so many held at once, the oldest of all: then the list ends [before](Self::end) the slot up to which
    /// it was asked for.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The list has everything up to this slot.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Before which transaction the next page is asked for; none: from the newest on. It lists the last slot again, because
    /// nodes differ in the order inside of one.
    pub fn before(&self) -> Option<Signature> {
        let last = self.known.last()?;
        let mut before = self.known.iter().rev().skip(1);
        let found = if self.inside { before.next() } else { before.find(|known| known.slot > last.slot) };
        found.map(|known| known.signature)
    }

    /// The slot that whoever answers has to know all up to.
    pub fn least_slot(&self) -> u64 {
        self.rules.least_slot(self.top)
    }

    /// Takes a page.
    ///
    /// # Errors
    ///
    /// Where it does not go on from the one before, or the node has forgotten what is behind it. Then the list is of no use.
    pub fn heard(&mut self, page: Page) -> Result<Progress, Broken> {
        let Page { listed, asked, first_available } = page;
        let last = self.known.last().copied();
        let goes_on = last.is_none_or(|last| listed.iter().any(|one| one.signature == last.signature));
        if !self.rules.goes_on(goes_on) {
            return Err(Broken::NotTheNext);
        }
        if !listed.is_sorted_by(|one, next| one.slot >= next.slot) {
            return Err(Broken::Disorder);
        }
        let is_short = listed.len() < asked;
        let (mut found, mut later) = (false, false);
        for one in listed {
            if one.slot <= self.floor {
                return Ok(Progress::Complete);
            }
            // What has come since the first page is not of this list.
            let is_later = last.is_some_and(|last| one.slot > last.slot);
            later |= is_later;
            // What is known is in order, so that only its end can be listed again.
            let same_slot = self.known.iter().rev().take_while(|known| known.slot == one.slot);
            if !is_later && !same_slot.map(|known| known.signature).any(|known| known == one.signature) {
                found = true;
                self.known.push(one);
            }
        }
        self.let_go();
        if later && !found {
            // The page is full of those, perhaps.
            return Err(Broken::NotTheNext);
        }
        match self.rules.ends_here(!found, is_short, first_available, self.floor) {
            None => self.inside &= self.known.last().map(|last| last.slot) == last.map(|last| last.slot),
            Some(_) if !found && !self.inside && self.known.len() > 1 => self.inside = true,
            Some(true) => return Ok(Progress::Complete),
            Some(false) => return Err(Broken::Forgotten(first_available)),
        }
        Ok(Progress::More)
    }

    /// Lets the newest half go where too many are held: whole slots, so that the list ends with one.
    fn let_go(&mut self) {
        if self.known.len() <= self.most.saturating_mul(2) {
            return;
        }
        let Some(slot) = self.known.get(self.most).map(|one| one.slot) else { return };
        let rest = self.known.partition_point(|one| one.slot >= slot);
        let oldest = self.known.last().map_or(slot, |last| last.slot);
        // The next page begins behind one that is newer than the last slot.
        if self.known.get(rest).is_some_and(|first| first.slot > oldest) {
            self.known.drain(..rest);
            self.end = slot.saturating_sub(1);
        }
    }

    /// The transactions that succeeded, the oldest first.
    pub fn into_found(self) -> Vec<Listed> {
        let Self { end, rules, known, .. } = self;
        let counts = |one: &Listed| !one.failed && rules.is_in_this_round(one.slot, end);
        known.into_iter().rev().filter(counts).collect()
    }
}
