//! What things are called and how they are told to people: the same on the command line, in JSON, in a receipt and on a
//! page. Pure text: tables, colour and width are for whoever prints, and so is the command to type.
//!
//! - [`amount`]: amounts with their unit, also where nobody knows a token's decimals;
//! - [`time`]: moments and durations;
//! - [`name`]: one name for each role, status and deadline;
//! - [`sentence`]: one sentence for an [`Action`](crate::Action): done, being done, or possible;
//! - [`ending`]: the ways in which a deal can end;
//! - [`share`]: a deal as a message;
//! - [`stablecoin`]: which token it is;
//! - [`standing`]: where a deal stands;
//! - [`refusal`]: why a rule refuses, with the numbers that it is about;
//! - [`due`]: what an escrow asks of somebody, and the deadlines that come near;
//! - [`history`]: what a history does not tell;
//! - [`receipt`]: how a deal ended, and what moved;
//! - [`warning`]: what could go against somebody;
//! - [`record`]: what somebody has done before;
//! - [`parse`]: and what people write, read.

pub mod amount;
pub mod due;
pub mod ending;
pub mod history;
pub mod name;
pub mod parse;
pub mod receipt;
pub mod record;
pub mod refusal;
pub mod sentence;
pub mod share;
pub mod stablecoin;
pub mod standing;
pub mod time;
pub mod warning;

pub use {
    amount::{Amount, Decimals, Denomination},
    sentence::{Sentence, Tense},
    time::Time,
};
