//! The ways in which a deal can end, in words.

use escrow::state::is_named;

use super::{Time, sentence::Teller};
use crate::{
    EscrowAccount,
    ending::{Ending, Outcome},
};

/// When that ending comes about: "the buyer releases everything".
pub fn name(ending: Ending, deal: &EscrowAccount) -> &'static str {
    match ending {
        Ending::Silence => "nobody does anything",
        Ending::Released => "the buyer releases everything",
        Ending::Unanswered => "delivered, and the buyer does not answer",
        Ending::Unruled if is_named(&deal.state.arbiter) => "disputed, and nobody rules",
        Ending::Unruled => "disputed, and the two do not agree",
        Ending::RuledForBuyer => "disputed, and ruled for the buyer",
        Ending::RuledForSeller => "disputed, and ruled for the seller",
        Ending::Refunded => "the seller refunds everything",
        Ending::Claimed => "somebody shows the secret",
    }
}

impl Teller<'_> {
    /// What happens if nobody does anything: when, and who gets what. `funded` says whether that is so at present, or would
    /// be once the escrow is funded.
    pub fn if_nobody_acts(&self, outcome: &Outcome, funded: bool) -> String {
        let Outcome { moved, at, .. } = outcome;
        let shares = self.shares(moved);
        let when = Time::new(*at, self.now);
        match (funded, *at > self.now) {
            (true, true) => format!("{shares}, from {when} on. Anyone may trigger it then; nothing moves by itself."),
            (true, false) => format!("{shares}, as soon as anyone triggers it; nothing moves by itself."),
            (false, _) => {
                format!("{shares}, from {when} on, once it is funded. Anyone may trigger it; nothing moves by itself.")
            }
        }
    }
}
