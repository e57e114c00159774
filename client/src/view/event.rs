//! Something that happened to an escrow, or a deadline that comes near: what is listened to.

use serde::{Deserialize, Serialize};

use super::{Deadline, Entry, Time};

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
