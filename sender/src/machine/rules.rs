//! The rules that carry the promise, one function each.
//!
//! All of them hold always. A simulation may take one away (feature `ablation`), to show that it would notice.

use crate::{
    Commitment, Hash, Height, Origin, Pace, Reading, Slot, Status, Time, machine::Effect, transaction::MAX_AGE,
};

/// How many slots a bank must be past a finalized one so that it descends from it: a block is final when this many follow
/// it, and a fork that is longer would have been final itself.
pub const FORK_DEPTH: u64 = 32;

/// Defines `Rule`, an enum of the rules that an engine rests on, and `Rules`, those that hold. Each rule is a function of `Rules`
/// that asks `off`.
#[doc(hidden)]
#[macro_export]
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident,)*) => {
        /// The rules by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Rule {
            $($(#[$doc])* $rule,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];
        }

        /// The rules that hold: all of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Rules {
            without: Option<Rule>,
        }

        impl Rules {
            /// All rules.
            pub const ALL: Self = Self { without: None };

            /// All rules but one.
            #[cfg(any(test, feature = "ablation"))]
            pub fn without(rule: Rule) -> Self {
                Self { without: Some(rule) }
            }

            fn off(self, rule: Rule) -> bool {
                self.without == Some(rule)
            }
        }
    };
}

crate::rules! {
    /// [`Rules::journal_first`].
    JournalFirst,
    /// [`Rules::ends_a_life`].
    Finalized,
    /// [`Rules::is_past`].
    PastLastValid,
    /// [`Rules::keeps_old_words`].
    Newest,
    /// [`Rules::was_said_twice`].
    SaidTwice,
    /// [`Rules::is_plausible`].
    Plausible,
    /// [`Rules::is_same_ledger`].
    SameLedger,
    /// [`Rules::is_nonce_read_since`].
    NonceSince,
    /// [`Rules::saw_the_end`]: the bank that looked is past the end of the lifetime.
    BankPast,
    /// [`Rules::saw_the_end`]: and so far that it is on no fork.
    BeyondForks,
    /// [`Rules::remembers`].
    History,
    /// [`Rules::is_known`].
    KnownIsNotExpired,
    /// [`Rules::is_untouched`].
    Account,
    /// [`Rules::counts`]: `processed` is nothing.
    ProcessedIsNothing,
    /// [`Rules::counts`]: failure is final only when it is finalized.
    FailureIsFinal,
    /// [`Rules::agreement`].
    Agreement,
    /// [`Rules::has_heard_all`].
    EveryNode,
    /// [`Rules::ends_at_an_error`].
    GoAndLook,
    /// [`Rules::may_sign`].
    OnlyExpired,
    /// [`Rules::is_next`].
    NextOnly,
    /// [`Rules::is_recent`].
    Recent,
    /// [`Rules::last_valid`].
    LastValid,
    /// [`Rules::is_signed_lifetime`].
    SameLifetime,
}

impl Rules {
    /// Nothing is sent before the journal has it.
    pub fn journal_first(self) -> bool {
        !self.off(Rule::JournalFirst)
    }

    /// Only what is finalized can show that a lifetime is over: all else may be on a fork. So heights are asked for, and
    /// believed, at this commitment.
    pub fn ends_a_life(self) -> Commitment {
        if self.off(Rule::Finalized) { Commitment::Processed } else { Commitment::Finalized }
    }

    /// A block hash is dead when a block is higher than the last valid height.
    pub fn is_past(self, height: Height, last_valid: Height) -> bool {
        height > last_valid || self.off(Rule::PastLastValid)
    }

    /// A node's newest word counts: one that says that the lifetime is not over withdraws what it said before.
    pub fn keeps_old_words(self) -> bool {
        self.off(Rule::Newest)
    }

    /// A height can jump once: that a lifetime is over must be said by two banks, and nothing else between.
    pub fn was_said_twice(self, again: bool) -> bool {
        again || self.off(Rule::SaidTwice)
    }

    /// On one ledger slots are skipped and never taken back, so that heights grow at most as slots do, and are never more: a
    /// height alone can not jump.
    pub fn is_plausible(self, Reading { slot, height }: Reading, origin: &Origin) -> bool {
        slot.0.checked_sub(height.0).is_some_and(|skipped| skipped >= origin.skipped) || self.off(Rule::Plausible)
    }

    /// A node that shows less than where the ledger stood at signing is behind, or is another ledger on which the same bytes
    /// could be executed again: nothing is sent to it, and nothing that it said counts.
    pub fn is_same_ledger(self, height: Height, origin: &Origin) -> bool {
        height >= origin.height || self.off(Rule::SameLedger)
    }

    /// Another value in a nonce account ends the lifetime only if it was read after the one that was signed: a bank from
    /// before holds the value before.
    pub fn is_nonce_read_since(self, slot: Slot, read_at: Slot) -> bool {
        slot >= read_at || self.off(Rule::NonceSince)
    }

    /// A signature that is not found counts only where the bank that looked descends from a finalized block at which the
    /// lifetime was over. Behind one address there may be several nodes: the one that looked is perhaps not the one that
    /// showed that block, and is behind it, or on a fork beside it.
    pub fn saw_the_end(self, bank: Slot, over: Slot) -> bool {
        let past = bank >= over || self.off(Rule::BankPast);
        let beyond = bank.since(over) >= FORK_DEPTH || self.off(Rule::BeyondForks) || self.off(Rule::BankPast);
        past && beyond
    }

    /// A node that does not find a signature must have the history since it was signed.
    pub fn remembers(self, first_block: Slot, origin: &Origin) -> bool {
        first_block <= origin.slot || self.off(Rule::History)
    }

    /// Whatever its commitment, a transaction with a status is not one that expired.
    pub fn is_known(self, status: &Status) -> bool {
        status.commitment == Commitment::Finalized || !self.off(Rule::KnownIsNotExpired)
    }

    /// "Not found" must agree with the account that the transaction changes, read when the lifetime was over: a status can
    /// come late, an account can not.
    pub fn is_untouched(self, effect: Option<(Slot, Effect)>, over: Slot) -> Option<bool> {
        if self.off(Rule::Account) {
            return Some(true);
        }
        effect.filter(|(slot, _)| *slot >= over).map(|(_, effect)| effect == Effect::Absent)
    }

    /// Whether a status is an outcome, for a caller who wants this commitment. `processed` never is: it may be on a fork.
    /// Failure is one only at `finalized`, because it frees the caller to try again.
    pub fn counts(self, status: &Status, wanted: Commitment) -> bool {
        let floor = if self.off(Rule::ProcessedIsNothing) { Commitment::Processed } else { Commitment::Confirmed };
        let failed = status.error.is_some() && !self.off(Rule::FailureIsFinal);
        let needed = if failed { Commitment::Finalized } else { wanted.max(floor) };
        status.commitment >= needed
    }

    /// How many nodes must say the same: two, where there are two.
    pub fn agreement(self, nodes: usize) -> usize {
        if self.off(Rule::Agreement) { 1 } else { nodes.clamp(1, 2) }
    }

    /// Every node that was given is asked before "expired". Those that do not agree have `Pace::patience` to do so, from when
    /// enough others did.
    pub fn has_heard_all(self, differ: usize, agreed_since: Time, now: Time, pace: &Pace) -> bool {
        differ == 0 || now.since(agreed_since) >= pace.patience || self.off(Rule::EveryNode)
    }

    /// An error in answer to a send says nothing: it may have been delivered all the same, now or before. Go and look.
    pub fn ends_at_an_error(self) -> bool {
        self.off(Rule::GoAndLook)
    }

    /// A transaction that may have an effect is never signed again: only one that is settled is, by having expired or failed.
    pub fn may_sign(self, settled: bool) -> bool {
        settled || self.off(Rule::OnlyExpired)
    }

    /// The journal takes a signing only at the one place that follows from what it holds: of two processes, one is refused
    /// before it sends anything.
    pub fn is_next<Position: PartialEq>(self, position: Position, next: Option<Position>) -> bool {
        Some(position) == next || self.off(Rule::NextOnly)
    }

    /// The same command, soon after it succeeded, is a repetition and not a second intention.
    pub fn is_recent(self, succeeded: Time, now: Time, pace: &Pace) -> bool {
        now.since(succeeded) < pace.recent && !self.off(Rule::Recent)
    }

    /// The height up to which a block hash is good: what the node says, or what follows from the newest block that any node
    /// shows, if that is more.
    pub fn last_valid(self, said: Height, tip: Height) -> Height {
        if self.off(Rule::LastValid) { said } else { said.max(tip.plus(MAX_AGE)) }
    }

    /// The hash in the signed bytes is the one whose lifetime is known.
    pub fn is_signed_lifetime(self, expected: Hash, found: Hash) -> bool {
        expected == found || self.off(Rule::SameLifetime)
    }
}
