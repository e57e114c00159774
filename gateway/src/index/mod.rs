//! The index: all escrows of the program and everything that happens to them, from finalized transactions, in the database.
//!
//! It is the client's [watching engine](escrow_client::work::watch) with its memory in rows. A round goes through the program's
//! transactions behind the *floor*, the slot up to which everything is written. Each escrow that they touch is replayed from its
//! row on and held against its account; its events, its row and its names are written in one change. Only then does the floor move.
//! So a failed request, a gap in a list, a node that has forgotten or a kill at any moment repeats a round, and skips nothing.
//!
//! - [`Index`]: one pass over what there is to do;
//! - [`Node`]: what is asked; [`Nodes`]: the RPC nodes;
//! - [`run`]: the role `index`;
//! - [`Tail`]: the end of the log, for streams.

mod apply;
mod memory;
mod node;
mod pass;
mod reconcile;
mod rows;
mod status;
mod tail;
mod worker;

pub use self::{
    node::{Node, Nodes},
    pass::{Clock, Index, Pass, Patience, Stop},
    rows::{cursor_of, document, mint, party},
    status::Status,
    tail::Tail,
    worker::run,
};
