//! Escrows on Solana for dApp back ends: build their terms, find their addresses, create, fund and settle them, and
//! read them back.
//!
//! The parts without input and output come first and stand alone:
//!
//! - [`terms`]: what the parties agree on, built with safe defaults;
//! - [`address`]: where an escrow and its vault are, from the terms alone;
//! - [`instruction`]: one builder per instruction of the program;
//! - [`account`]: an escrow account decoded and checked;
//! - [`event`]: what the program logged, told from what others log;
//! - [`explain`]: what may happen next, by whom and until when;
//! - [`amount`]: `"1.5"` and 1,500,000 units of a token with six decimals.
//!
//! [`EscrowClient`] reads from and sends to an RPC node. Sending is exactly once: see [`send`]. [`history`] is everything
//! that ever happened to an escrow, also after it is closed.
//!
//! The rules themselves are the program's own types and functions, in [`escrow`]: nothing is written twice.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod account;
pub mod address;
pub mod amount;
pub mod error;
pub mod event;
pub mod explain;
pub mod history;
pub mod instruction;
pub mod read;
pub mod send;
pub mod terms;

pub use {
    account::EscrowAccount,
    error::{Error, Result},
    escrow,
    escrow::{
        error::EscrowError,
        state::{Milestone, MilestoneStatus, MilestoneTerms, Party, Proposal, Recipient, Terms},
    },
    read::{EscrowClient, Filter, Mint},
    send::{Confirmed, Prepared},
};
