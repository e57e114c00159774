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
    found: Vec<Listed>,
    /// The last one of all pages, and the one before it.
    last: Option<Listed>,
    before: Option<Signature>,
}

impl Pages {
    /// Lists everything behind the slot `floor` up to the slot `top`, both being known: `floor` is told, and `top` is what
    /// the account was read at.
    pub const fn new(floor: u64, top: u64, rules: Rules) -> Self {
        Self { floor, top, rules, found: Vec::new(), last: None, before: None }
    }

    /// Before which transaction the next page is asked for; none: from the newest on. It begins with one that is known.
    pub const fn before(&self) -> Option<Signature> {
        self.before
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
        let is_short = listed.len() < asked;
        let behind = self.rules.behind(self.last.map(|last| last.signature), &listed);
        let next = behind.and_then(|place| listed.get(place..)).ok_or(Broken::NotTheNext)?;
        for one in next {
            if self.last.is_some_and(|last| last.slot < one.slot) {
                return Err(Broken::Disorder);
            }
            if one.slot <= self.floor {
                return Ok(Progress::Complete);
            }
            self.before = self.last.map(|last| last.signature);
            self.last = Some(*one);
            if !one.failed && self.rules.is_in_this_round(one.slot, self.top) {
                self.found.push(*one);
            }
        }
        match self.rules.ends_here(next.is_empty(), is_short, first_available, self.floor) {
            None => Ok(Progress::More),
            Some(true) => Ok(Progress::Complete),
            Some(false) => Err(Broken::Forgotten(first_available)),
        }
    }

    /// The transactions that succeeded, the oldest first.
    pub fn into_found(mut self) -> Vec<Listed> {
        self.found.reverse();
        self.found
    }
}
