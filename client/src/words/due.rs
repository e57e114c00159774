//! What an escrow asks of somebody, in a line, and the deadlines that come near.

use escrow::state::{Party, Recipient};

use super::{
    Time, name,
    sentence::{Teller, default_of},
};
use crate::{
    EscrowAccount,
    due::{Ahead, Attention, Deadline, DeadlineKind, Need, Role, Task},
};

/// The name of a role.
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Buyer => "buyer",
        Role::Seller => "seller",
        Role::Arbiter => "arbiter",
        Role::Attester => "attester",
        Role::FeeRecipient => "fee recipient",
        Role::RentPayer => "rent payer",
    }
}

/// What a deadline is for: `review deadline of milestone 2`.
pub fn deadline(kind: DeadlineKind) -> String {
    let of = |what: &str, milestone| format!("{what} of milestone {}", name::number(milestone));
    match kind {
        DeadlineKind::Funding => "funding deadline".to_owned(),
        DeadlineKind::CoolingOff => "end of the cooling-off period".to_owned(),
        DeadlineKind::Delivery(milestone) => of("delivery deadline", milestone),
        DeadlineKind::Review(milestone) => of("review deadline", milestone),
        DeadlineKind::Ruling(milestone) => of("ruling deadline", milestone),
        DeadlineKind::Offer(Party::Buyer) => "expiry of the buyer's offer".to_owned(),
        DeadlineKind::Offer(Party::Seller) => "expiry of the seller's offer".to_owned(),
    }
}

impl Teller<'_> {
    /// A task in a line: what to do until when, and what happens otherwise.
    pub fn task(&self, escrow: &EscrowAccount, task: &Task) -> String {
        let number = task.milestone.map_or(0, name::number);
        let amount = |units| self.denomination.amount(units);
        let what = match &task.need {
            Need::Fund => format!("Pay in {}", amount(escrow.state.ledger.principal)),
            Need::Deliver => format!("Deliver milestone {number}"),
            Need::Claim => format!("Claim milestone {number} with the delivery code"),
            Need::Review => format!("Look at what was delivered for milestone {number}, and release or dispute it"),
            Need::Rule => format!("Rule on milestone {number}"),
            Need::Agree => format!("Agree with the other on milestone {number}, on which nobody can rule"),
            Need::Answer(proposal) => format!("Answer the other's offer {}", self.proposal(proposal)),
            Need::Apply => format!(
                "Apply the default to milestone {number}, whose deadline has passed: {}",
                self.shares(&task.effects.decided)
            ),
            Need::Collect(recipient) => {
                let units = task.effects.paid_out.map_or(0, |(_, units)| units);
                let as_whom = match recipient {
                    Recipient::Fee => " of fees",
                    Recipient::Arbiter => " for ruling",
                    Recipient::Buyer | Recipient::Seller => "",
                };
                format!("Fetch {}{as_whom}", amount(units))
            }
            Need::Close if escrow.is_funded() => "Close the escrow, whose rent comes back to you".to_owned(),
            Need::Close => "Give up the escrow, which was not funded in time: its rent comes back to you".to_owned(),
        };
        let until = task.until.map(|until| format!(" until {}", Time::new(until, self.now))).unwrap_or_default();
        let otherwise = match &task.need {
            Need::Deliver | Need::Claim | Need::Review | Need::Rule | Need::Agree => {
                let decided = task.milestone.and_then(|milestone| default_of(escrow, milestone));
                decided.map(|decided| format!("; otherwise {}", self.shares(&decided)))
            }
            _ => None,
        };
        format!("{what}{until}{}.", otherwise.unwrap_or_default())
    }

    /// What to do next with an escrow, or what it waits for, in a line; none where nothing comes.
    pub fn next(&self, attention: &Attention) -> Option<String> {
        let Attention { escrow, tasks, next } = attention;
        match (tasks.as_slice(), next) {
            ([], None) => None,
            ([], Some(Deadline { kind, at, .. })) => {
                Some(format!("Nothing until the {}: {}.", deadline(*kind), Time::new(*at, self.now)))
            }
            ([only], _) => Some(self.task(escrow, only)),
            ([first, others @ ..], _) => Some(format!("{} And {} more.", self.task(escrow, first), others.len())),
        }
    }

    /// A deadline that comes near or has passed, with what follows from it.
    pub fn reminder(&self, escrow: &EscrowAccount, reminded: &Deadline, ahead: Ahead) -> String {
        let (what, at) = (deadline(reminded.kind), Time::new(reminded.at, self.now));
        let when = match ahead {
            Ahead::HalfTheWindow => "Half of the time is over before the",
            Ahead::Day => "A day is left before the",
            Ahead::Hour => "An hour is left before the",
            Ahead::Nothing => "Passed: the",
        };
        let follows = match reminded.kind {
            DeadlineKind::Funding => Some("From then on it cannot be funded, and anyone may give it up.".to_owned()),
            DeadlineKind::CoolingOff => {
                Some("Until then the buyer may cancel and get everything back; then delivery begins.".to_owned())
            }
            DeadlineKind::Delivery(milestone) | DeadlineKind::Review(milestone) | DeadlineKind::Ruling(milestone) => {
                self.silence(escrow, milestone).map(|silence| match silence.split_at_checked(1) {
                    Some((first, rest)) => format!("{}{rest}.", first.to_uppercase()),
                    None => silence,
                })
            }
            DeadlineKind::Offer(_) => Some("From then on it cannot be accepted.".to_owned()),
        };
        format!("{when} {what}, {at}. {}", follows.unwrap_or_default()).trim_end().to_owned()
    }
}
