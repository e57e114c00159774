//! Something that happened to an escrow, or a deadline that comes near: what is listened to.

use serde::{Deserialize, Serialize};

use super::{Deadline, Entry, Time, VERSION};
use crate::{
    words::{self, Denomination, sentence::Teller},
    work::watch::{self, What},
};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// The version of this view.
    pub version: u32,
    /// Its name: the same whenever it is told.
    pub id: String,
    /// An instruction's name, `deadline_near`, `deadline_passed` or `gap`.
    pub kind: String,
    /// The escrow's address.
    pub escrow: String,
    /// When it happened, or came near.
    pub time: Time,
    /// What was done; none where nothing was.
    pub change: Option<Entry>,
    /// The deadline; none where it is about none.
    pub deadline: Option<Deadline>,
    /// What is missing; none where nothing is.
    pub gap: Option<Gap>,
    /// The same in words.
    pub text: String,
}

/// Something that no node tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Gap {
    /// It happened behind this slot.
    pub since: String,
    /// And not behind this one.
    pub until: String,
    /// Transactions in between that could not be read.
    pub unreadable: Vec<String>,
}

impl Event {
    /// `event` as seen at the chain's present time `now`.
    pub fn new(event: &watch::Event, denomination: &Denomination, now: i64) -> Self {
        let teller = Teller { denomination, now };
        let (mut change, mut deadline, mut gap) = (None, None, None);
        let text = match &event.what {
            What::Change(step) => {
                let entry = Entry::new(step, teller);
                let text = entry.text.clone();
                change = Some(entry);
                text
            }
            What::Near { deadline: near, ahead, escrow } => {
                deadline = Some(Deadline::new(near, now));
                teller.reminder(escrow, near, *ahead)
            }
            What::Gap { since, until, unreadable, .. } => {
                gap = Some(Gap {
                    since: since.to_string(),
                    until: until.to_string(),
                    unreadable: unreadable.iter().map(ToString::to_string).collect(),
                });
                format!("What happened behind slot {since} and up to slot {until} is not known: no node tells it.")
            }
        };
        Self {
            version: VERSION,
            id: event.id.to_string(),
            kind: event.kind().to_owned(),
            escrow: event.escrow.to_string(),
            time: words::Time::new(event.time, now).into(),
            change,
            deadline,
            gap,
            text,
        }
    }
}
