//! Everything that happens to escrows, in order, each once: the one engine behind watching, listening and webhooks.
//!
//! Changes are the actions in an escrow's transactions, replayed by the program's own rules. A round begins with the account
//! as it stands at some slot; then all transactions up to that slot are listed and read; they are told only if, replayed from
//! where the last round ended, they give exactly that account. So a node that lags, that has forgotten, that cuts its pages
//! short or is replaced in the middle of them is noticed, and the round is made again. Deadlines that come near are told
//! between the changes, at the chain's time; they are computed, and never awaited.
//!
//! An [`Event`] has an id that follows from what it is about, and from nothing else. A [`Position`] says what was told; it
//! is kept after each event, so that after a kill at most the last one is told again, under the same id.
//!
//! - [`Watch`]: one escrow, as a state machine without I/O; [`Listener`]: several, and those that somebody will be named in;
//! - [`Discovery`]: those to which something happened, by the program's own transactions;
//! - [`Pages`]: an address's transactions, listed backwards without a gap;
//! - [`Rules`]: what all of it rests on, one function each;
//! - [`Feed`]: the driver between a listener and a node.

mod cursor;
mod discovery;
mod escrow;
mod event;
mod feed;
mod listener;
mod node;
mod pages;
mod rules;
mod view;

pub use self::{
    cursor::{Cursor, Position, PositionError, Subject},
    discovery::Discovery,
    escrow::{Answer, Question, Settings, Trouble, Watch},
    event::{Event, EventId, What},
    feed::{Feed, Pace, wake},
    listener::{Ask, Freshness, Heard, Listener},
    pages::{Listed, Page, Pages},
    rules::{Rule, Rules},
    view::View,
};
