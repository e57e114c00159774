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
    top: u64,
    rules: Rules,
    /// All that was listed, the newest first.
    known: Vec<Listed>,
    /// Whether the next page begins inside the last slot: all of it did not fit into one.
    inside: bool,
}

impl Pages {
    /// Lists everything behind the slot `floor` up to the slot `top`, both being known: `floor` is told, and `top` is what
    /// the account was read at.
    pub const fn new(floor: u64, top: u64, rules: Rules) -> Self {
        Self { floor, top, rules, known: Vec::new(), inside: false }
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
            if !is_later && !self.known.iter().any(|known| known.signature == one.signature) {
                found = true;
                self.known.push(one);
            }
        }
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

    /// The transactions that succeeded, the oldest first.
    pub fn into_found(self) -> Vec<Listed> {
        let Self { top, rules, known, .. } = self;
        let counts = |one: &Listed| !one.failed && rules.is_in_this_round(one.slot, top);
        known.into_iter().rev().filter(counts).collect()
    }
}
