//! The rules that carry the promise, one function each.
//!
//! All of them hold always. A simulation may take one away (feature `ablation`), to show that it would notice.

escrow_sender::rules! {
    /// [`Rules::is_behind`].
    NeverBack,
    /// [`Rules::least_slot`].
    LeastSlot,
    /// [`Rules::is_in_this_round`].
    SameSlot,
    /// [`Rules::goes_on`].
    Overlap,
    /// [`Rules::ends_here`]: a short page is not the end.
    ShortIsNotTheEnd,
    /// [`Rules::ends_here`]: the node remembers as far back as that.
    Remembers,
    /// [`Rules::is_complete`].
    AllRead,
    /// [`Rules::is_verified`].
    Verified,
    /// [`Rules::needs_order`].
    Order,
    /// [`Rules::is_quiet`].
    LookAgain,
    /// [`Rules::skips`].
    ToldOnce,
    /// [`Rules::keeps`].
    ToldStays,
    /// [`Rules::reminds_between`].
    InOrder,
}

impl Rules {
    /// An account from before what was seen already is from a node that is behind: it says nothing.
    pub fn is_behind(self, slot: u64, seen: u64) -> bool {
        slot < seen && !self.off(Rule::NeverBack)
    }

    /// Who lists transactions has to know all up to the slot of the account.
    pub fn least_slot(self, slot: u64) -> u64 {
        if self.off(Rule::LeastSlot) { 0 } else { slot }
    }

    /// What is newer than the account is for the next round.
    pub fn is_in_this_round(self, slot: u64, top: u64) -> bool {
        slot <= top || self.off(Rule::SameSlot)
    }

    /// A page goes on from the one before it only if it has what that one ended with: a node that does not know where to begin
    /// answers with nothing.
    pub fn goes_on(self, found: bool) -> bool {
        found || self.off(Rule::Overlap)
    }

    /// A page without anything more is the end, if the node remembers everything behind the slot up to which all is told. A
    /// short page is not: nodes cut them as they like.
    pub fn ends_here(self, is_empty: bool, is_short: bool, first_available: Option<u64>, floor: u64) -> Option<bool> {
        let ends = is_empty || (is_short && self.off(Rule::ShortIsNotTheEnd));
        let remembers = first_available.is_some_and(|first| first <= floor.saturating_add(1));
        ends.then_some(remembers || self.off(Rule::Remembers))
    }

    /// A transaction that cannot be read may have been anything.
    pub fn is_complete(self, all_read: bool) -> bool {
        all_read || self.off(Rule::AllRead)
    }

    /// What was read is told only if, replayed, it gives the account as it stands.
    pub fn is_verified(self, same: bool) -> bool {
        same || self.off(Rule::Verified)
    }

    /// The order of transactions in one slot is the block's, and no list's.
    pub fn needs_order(self, unordered: bool) -> bool {
        unordered && !self.off(Rule::Order)
    }

    /// An account that has not changed need not be looked into, for some rounds: an action can leave it as it was.
    pub fn is_quiet(self, unchanged: bool, rounds: u32, most: u32) -> bool {
        unchanged && (rounds < most || self.off(Rule::LookAgain))
    }

    /// What was told is not told again.
    pub fn skips(self, told: bool) -> bool {
        told && !self.off(Rule::ToldOnce)
    }

    /// What was told and is newer than this round stays told.
    pub fn keeps(self, in_this_round: bool) -> bool {
        !in_this_round && !self.off(Rule::ToldStays)
    }

    /// A deadline is told of before what happened after it came near, by the escrow as it was then.
    pub fn reminds_between(self) -> bool {
        !self.off(Rule::InOrder)
    }
}
