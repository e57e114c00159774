//! Tells receivers what happened: webhooks, at least once, in order for each endpoint and escrow.
//!
//! The log of events is the outbox. [`dispatch`] decides for each endpoint what of it is delivered, and moves the endpoint's
//! place in the log in the same change; [`worker`] attempts what is due, holding the queue of an escrow by a lease.
//! [`schedule`] says when again, [`sign`] signs, and [`egress`] is the only way out, for orders too.

mod address;
mod dispatch;
pub mod egress;
pub mod message;
pub mod schedule;
pub mod sign;
mod worker;

pub use worker::{Attempt, Clock, Deliver, Done, Held, attempt, readable};
