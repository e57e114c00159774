//! A deal as a message to the other side.

use escrow::state::is_named;

use super::time::duration;
use crate::Situation;

/// The message that goes with a shared deal's link: what it is, and how to check it without believing who sends it.
pub fn message(situation: &Situation, cluster: &str, link: &str) -> String {
    let Situation { escrow, denomination, now } = situation;
    let state = &escrow.state;
    let deadlines: Vec<i64> = escrow.milestones.iter().map(|milestone| milestone.deliver_by).collect();
    let by = deadlines.iter().max().map_or_else(String::new, |by| super::Time::new(*by, *now).rfc3339());
    let arbiter = match is_named(&state.arbiter) {
        true => format!("If the two disagree, {} decides.", state.arbiter),
        false => "There is no arbiter.".to_owned(),
    };
    let windows = escrow.milestones.iter().map(|milestone| milestone.review_window);
    let review = windows.min().map_or_else(String::new, |seconds| duration(u64::from(seconds)));
    format!(
        "An escrow of {} on {cluster}: {} pays {}, who delivers by {by}; then there are {review} to look at it. {arbiter}\n\
         Do not believe this text: check it. `escrow verify` says whether it is so, whether the money is there, and what could go \
         against you.\n\n{link}",
        denomination.amount(state.ledger.principal),
        state.buyer,
        state.seller,
    )
}
