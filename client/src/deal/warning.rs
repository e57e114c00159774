//! What could go against somebody in terms that the program accepts: said before anybody signs, the worst first.

use escrow::state::{MilestoneStatus, MilestoneTerms, RISKS, Terms, is_named};

use super::{
    account::EscrowAccount,
    terms::{DAY, HOUR},
};

/// Against whom it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Against {
    /// The buyer.
    Buyer,
    /// The seller.
    Seller,
    /// Either.
    Both,
}

/// A one-sided or unusual term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A seller who never delivers is paid.
    UndeliveredPaysSeller {
        /// The seller's share, in basis points.
        bps: u16,
    },
    /// A buyer who never answers gets money back although it was delivered.
    UnansweredPaysBuyer {
        /// The buyer's share, in basis points.
        bps: u16,
    },
    /// Nobody rules on disputes.
    NoArbiter {
        /// The seller's share where a dispute is left alone, in basis points.
        seller_bps: u16,
    },
    /// The arbiter is paid by what is released.
    ArbiterIsFeeRecipient,
    /// Who judges a delivery also says that it happened.
    ArbiterIsAttester,
    /// The buyer says whether it was delivered.
    AttesterIsBuyer,
    /// The seller says that it was delivered, and the buyer has no time to look.
    NoReview {
        /// The milestone's index.
        milestone: u8,
    },
    /// The time for a review is short.
    ShortReview {
        /// The milestone's index.
        milestone: u8,
        /// In seconds.
        seconds: u32,
    },
    /// The time for a delivery is short.
    ShortDelivery {
        /// The milestone's index.
        milestone: u8,
        /// In seconds.
        seconds: i64,
    },
    /// The time for a ruling is short.
    ShortRuling {
        /// In seconds.
        seconds: u32,
    },
    /// The time for funding is short.
    ShortFunding {
        /// In seconds.
        seconds: i64,
    },
    /// A secret pays the seller at once.
    Hashlock {
        /// Whether the seller can be paid without it.
        strict: bool,
    },
    /// The token's issuer has a power over the tokens.
    IssuerPower {
        /// Its `RISK_*` bit.
        risk: u16,
    },
    /// A power is accepted where there is no issuer.
    PowersOverSol,
}

/// What a window of time is at least, in seconds, for nobody to be warned of it.
const SHORT: u32 = HOUR;

/// Everything that could go against somebody in `terms` at `now`, the worst first.
pub fn warnings(terms: &Terms, now: i64) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut warn = |condition: bool, warning: Warning| found.extend(condition.then_some(warning));
    let hashlocked = terms.hashlock != [0; 32];
    let attested = is_named(&terms.attester);
    warn(terms.undelivered_bps > 0, Warning::UndeliveredPaysSeller { bps: terms.undelivered_bps });
    for (milestone, MilestoneTerms { review_window: seconds, deliver_by, .. }) in (0u8..).zip(&terms.milestones) {
        let (seconds, time) = (*seconds, deliver_by.saturating_sub(now));
        warn(seconds == 0, Warning::NoReview { milestone });
        warn(seconds > 0 && seconds < SHORT, Warning::ShortReview { milestone, seconds });
        warn(time < i64::from(SHORT), Warning::ShortDelivery { milestone, seconds: time });
    }
    warn(!is_named(&terms.arbiter), Warning::NoArbiter { seller_bps: terms.unruled_bps });
    let arbiter = is_named(&terms.arbiter).then_some(terms.arbiter);
    warn(arbiter == Some(terms.fee_recipient), Warning::ArbiterIsFeeRecipient);
    warn(arbiter == Some(terms.attester), Warning::ArbiterIsAttester);
    warn(attested && terms.attester == terms.buyer, Warning::AttesterIsBuyer);
    warn(hashlocked, Warning::Hashlock { strict: !attested });
    warn(terms.ruling_window < DAY, Warning::ShortRuling { seconds: terms.ruling_window });
    let funding = terms.fund_by.saturating_sub(now);
    warn(funding < i64::from(SHORT), Warning::ShortFunding { seconds: funding });
    warn(
        terms.unanswered_bps < 10_000,
        Warning::UnansweredPaysBuyer { bps: 10_000u16.saturating_sub(terms.unanswered_bps) },
    );
    for (risk, _) in RISKS {
        warn(!terms.is_sol() && terms.accepted_risks & risk != 0, Warning::IssuerPower { risk });
    }
    warn(terms.is_sol() && terms.accepted_risks != 0, Warning::PowersOverSol);
    found
}

/// The same for an escrow as it stands: what can still happen to it. Empty where nothing is open.
pub fn warnings_of(escrow: &EscrowAccount, now: i64) -> Vec<Warning> {
    if escrow.is_settled() {
        return Vec::new();
    }
    let unfunded = !escrow.is_funded();
    let still_open = |warning: &Warning| {
        let pending = |milestone: u8| {
            escrow.milestone(milestone).is_ok_and(|found| found.status() == Ok(MilestoneStatus::Pending))
        };
        match warning {
            Warning::ShortFunding { .. } => unfunded,
            Warning::ShortDelivery { milestone, .. }
            | Warning::NoReview { milestone }
            | Warning::ShortReview { milestone, .. } => pending(*milestone),
            Warning::UndeliveredPaysSeller { .. } => {
                escrow.milestones.iter().any(|milestone| milestone.status() == Ok(MilestoneStatus::Pending))
            }
            _ => true,
        }
    };
    warnings(&escrow.terms(), now).into_iter().filter(still_open).collect()
}

impl Warning {
    /// Against whom it goes.
    pub const fn against(&self) -> Against {
        match self {
            Self::UndeliveredPaysSeller { .. }
            | Self::NoReview { .. }
            | Self::ShortReview { .. }
            | Self::Hashlock { .. } => Against::Buyer,
            Self::UnansweredPaysBuyer { .. } | Self::AttesterIsBuyer | Self::ShortDelivery { .. } => Against::Seller,
            Self::NoArbiter { .. }
            | Self::ArbiterIsFeeRecipient
            | Self::ArbiterIsAttester
            | Self::ShortRuling { .. }
            | Self::ShortFunding { .. }
            | Self::IssuerPower { .. }
            | Self::PowersOverSol => Against::Both,
        }
    }
}
