//! Escrows on Solana for dApp back ends: build their terms, find their addresses, create, fund and settle them, and
//! read them back.
//!
//! Its rooms, in the order in which they use each other:
//!
//! - [`deal`]: what the parties agree on and what happens to it, pure. [`terms`], [`address`]es, [`instruction`]s, an escrow
//!   [`account`] decoded and checked, what may happen next ([`explain`]), the program's [`event`]s, [`amount`]s;
//! - [`chain`]: reading from a node, one escrow or a list ([`read`]), and everything that ever happened to one, also after
//!   it is closed ([`history`]);
//! - [`send`]: sending, exactly once.
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

pub mod chain;
pub mod deal;
pub mod error;
pub mod send;
pub mod transaction;
#[cfg(feature = "serde")]
pub mod view;
pub mod words;

pub use {
    chain::read,
    deal::{
        account,
        account::EscrowAccount,
        action::{Action, Effects, EscrowInstruction, Preview},
        address, amount, code, event, explain, history, instruction, recipe,
        recipe::Recipe,
        terms,
        terms::TermsBuilder,
    },
    error::{Error, Result},
    escrow,
    escrow::{
        error::EscrowError,
        state::{Milestone, MilestoneStatus, MilestoneTerms, Party, Proposal, Recipient, Terms},
    },
    read::{EscrowClient, Filter, Mint},
    send::Confirmed,
    transaction::{Signed, Submitted, Unsigned},
};
