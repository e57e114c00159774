//! Where a deal stands, in one sentence.

use escrow::state::{MilestoneStatus, is_named};

use super::{Time, name, sentence::Teller};
use crate::EscrowAccount;

impl Teller<'_> {
    /// Where it stands, in one sentence.
    pub fn standing(&self, escrow: &EscrowAccount) -> String {
        let state = &escrow.state;
        let (amount, time) = (|units| self.denomination.amount(units), |unix| Time::new(unix, self.now));
        let principal = amount(state.ledger.principal);
        if !escrow.is_funded() {
            return match state.fund_by > self.now {
                true => {
                    format!("Nothing is paid in yet: the buyer can pay {principal} until {}.", time(state.fund_by))
                }
                false => format!("Nothing was paid in, and the time for it ended at {}.", time(state.fund_by)),
            };
        }
        if escrow.is_settled() {
            let due: Vec<String> = escrow
                .due()
                .map(|(recipient, units)| format!("{} for the {}", amount(units), name::recipient(recipient)))
                .collect();
            return match due.is_empty() {
                true => "Everything is decided and paid out.".to_owned(),
                false => format!("Everything is decided. Waiting to be paid out: {}.", name::list(&due)),
            };
        }
        if let Ok(end) = state.cooling_off_end()
            && end > self.now
        {
            return format!("{principal} is locked. Until {} the buyer can take all of it back.", time(end));
        }
        let open = (0u8..).zip(&escrow.milestones).filter(|(_, milestone)| !milestone.is_settled());
        let Some((index, next)) = open.min_by_key(|(_, milestone)| milestone.deadline) else { return String::new() };
        let number = name::number(index);
        let what = match escrow.milestones.len() {
            1 => amount(next.remaining).to_string(),
            count => {
                let settled = escrow.milestones.iter().filter(|milestone| milestone.is_settled()).count();
                format!(
                    "{settled} of {count} milestones are settled. The next deadline is milestone {number}'s: {}",
                    amount(next.remaining)
                )
            }
        };
        let (until, deliverer) = (time(next.deadline), if is_named(&state.attester) { "attester" } else { "seller" });
        if next.deadline <= self.now {
            return format!("{what} is undecided, and the deadline was {until}: anyone can apply the agreed default.");
        }
        match next.status() {
            Ok(MilestoneStatus::Pending) if state.is_hashlocked() && !is_named(&state.attester) => {
                format!("{what} is locked; the secret can claim it until {until}.")
            }
            Ok(MilestoneStatus::Pending) => format!("{what} is locked; the {deliverer} can deliver until {until}."),
            Ok(MilestoneStatus::Delivered) => {
                format!("{what} is delivered; the buyer can look at it, and dispute it until {until}.")
            }
            Ok(MilestoneStatus::Disputed) if is_named(&state.arbiter) => {
                format!("{what} is disputed; the arbiter can rule until {until}.")
            }
            Ok(MilestoneStatus::Disputed) => format!("{what} is disputed; the two can agree until {until}."),
            Ok(MilestoneStatus::Settled) | Err(_) => String::new(),
        }
    }
}
