//! What a program wants to know of an escrow, as plain data with serde: the command line's JSON and a gateway's answers
//! are these types, and `docs/schema/` describes them as JSON Schema (feature `schema`).
//!
//! Amounts are text in base units, because JavaScript's numbers end at 2^53, beside what people read; so are slots. Times
//! are unix seconds and RFC 3339. Addresses are whole. Every answer has a [`VERSION`]: a field may be added under the same
//! one; a field that goes or means something else makes another.

mod common;
mod escrow;
mod history;

pub use {common::*, escrow::*, history::*};

/// The version of the views.
pub const VERSION: u32 = 1;
