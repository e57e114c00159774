//! What a history does not tell.

use super::Time;
use crate::history::{Completeness, History};

/// What is missing in `history`, in a sentence; none where it is whole.
pub fn missing(history: &History, now: i64) -> Option<String> {
    let moment = |index: usize| {
        let entry = &history.steps.get(index)?.entry;
        Some(match entry.time {
            Some(time) => format!("{} (slot {})", Time::new(time, now), entry.slot),
            None => format!("slot {}", entry.slot),
        })
    };
    let moment = |index| moment(index).unwrap_or_default();
    let missing = match history.completeness {
        Completeness::Whole => None,
        Completeness::Nothing => Some("The node remembers nothing of this escrow.".to_owned()),
        Completeness::BeginningMissing => Some(format!("The node has forgotten what happened before {}.", moment(0))),
        Completeness::GapBefore(index) => Some(format!(
            "What happened at {} does not follow from what is told before it: the node has forgotten something in between.",
            moment(index)
        )),
        Completeness::EndMissing => {
            Some("The escrow's account has changed by more than the node tells here.".to_owned())
        }
        Completeness::Contradiction => Some(
            "Do not rely on this: the node tells of more than the escrow's account accounts for. Ask another node."
                .to_owned(),
        ),
    };
    let unreadable = match history.unreadable.as_slice() {
        [] => None,
        [one] => Some(format!("The transaction {one} could not be read; it may have changed the escrow too.")),
        [one, rest @ ..] => Some(format!(
            "The transaction {one} and {} more could not be read; they may have changed the escrow too.",
            rest.len()
        )),
    };
    match (missing, unreadable) {
        (missing, None) => missing,
        (None, unreadable) => unreadable,
        (Some(missing), Some(unreadable)) => Some(format!("{missing} {unreadable}")),
    }
}
