//! One name for each role, status and deadline.

use escrow::state::{MilestoneStatus, Recipient};

use crate::{EscrowAccount, amount::format_amount, explain::Actor};

/// The name of a recipient.
pub const fn recipient(recipient: Recipient) -> &'static str {
    match recipient {
        Recipient::Buyer => "buyer",
        Recipient::Seller => "seller",
        Recipient::Fee => "fee recipient",
        Recipient::Arbiter => "arbiter",
    }
}

/// The name of a milestone's status.
pub const fn status(status: MilestoneStatus) -> &'static str {
    match status {
        MilestoneStatus::Pending => "pending",
        MilestoneStatus::Delivered => "delivered",
        MilestoneStatus::Disputed => "disputed",
        MilestoneStatus::Settled => "settled",
    }
}

/// What the deadline of a milestone with this status is for.
pub const fn deadline(status: MilestoneStatus) -> &'static str {
    match status {
        MilestoneStatus::Pending => "delivery deadline",
        MilestoneStatus::Delivered => "review deadline",
        MilestoneStatus::Disputed => "ruling deadline",
        MilestoneStatus::Settled => "deadline",
    }
}

/// Who may do something, at the beginning of a sentence.
pub const fn actor(actor: Actor) -> &'static str {
    match actor {
        Actor::Buyer => "The buyer",
        Actor::Seller => "The seller",
        Actor::Arbiter => "The arbiter",
        Actor::Attester => "The attester",
        Actor::AnyParty => "The buyer, the seller or the rent payer",
        Actor::SecretHolder => "Whoever knows the secret",
        Actor::Anyone => "Anyone",
    }
}

/// How an escrow stands as a whole, in one word.
pub fn escrow_status(escrow: &EscrowAccount) -> &'static str {
    match (escrow.is_funded(), escrow.is_settled()) {
        (false, _) => "created",
        (true, false) => "funded",
        (true, true) => "settled",
    }
}

/// Basis points as percent: `2.5 %`.
pub fn percent(bps: u16) -> String {
    format!("{} %", format_amount(u64::from(bps), 2))
}

/// The number that people call a milestone by: counted from 1.
pub const fn number(milestone: u8) -> u8 {
    milestone.saturating_add(1)
}

/// Several in a sentence: `1, 2 and 3`.
pub(crate) fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_keeps_hundredths() {
        for (bps, shown) in [(0, "0 %"), (1, "0.01 %"), (250, "2.5 %"), (10_000, "100 %")] {
            assert_eq!(percent(bps), shown);
        }
    }

    #[test]
    fn lists_end_with_and() {
        let parts = |count: usize| (1..=count).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(
            [list(&parts(0)), list(&parts(1)), list(&parts(2)), list(&parts(3))],
            ["", "1", "1 and 2", "1, 2 and 3"]
        );
    }
}
