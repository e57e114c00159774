//! Escrows on Solana for dApp back ends: build their terms, find their addresses, create, fund and settle them, and
//! read them back.
//!
//! Its rooms; each uses only those above it:
//!
//! - [`deal`]: what the parties agree on and what happens to it, pure. [`terms`], [`address`]es, an escrow [`account`]
//!   decoded and checked, an [`action`](deal::action) on it with its preview, [`recipe`]s of several, what may happen next
//!   ([`explain`]) and what of it needs whom ([`due`]), its [`history`] and the [`receipt`] for it, [`evidence`], the
//!   program's [`event`]s, [`amount`]s, [`warning`]s;
//! - [`words`]: how all that is told to people; `view`: and to other programs, as JSON (feature `serde`; its JSON Schema:
//!   feature `schema`);
//! - [`transaction`]: unsigned, signed and kept, submitted;
//! - [`chain`]: reading from a node, one escrow or a list ([`read`]), and everything that ever happened to one, also after
//!   it is closed;
//! - [`send`], which hands them to a node and tells what became of them;
//! - `blocking`: the client with methods that wait (feature `blocking`).
//! - [`work`]: what runs by itself. [Watching](work::watch) from a cursor, the [keeper](work::keep)'s engine, the folder of a
//!   [case](work::case) of evidence; a receipt as a page of paper (feature `pdf`).
//!
//! The way through them: [`TermsBuilder`] makes terms; [`EscrowAccount::agreed`] is the escrow that they would be, and
//! [`EscrowClient::escrow`] one that is there. [`Action::new`] is one step on it, [`Action::preview`] what that would do, and
//! [`words::sentence::Teller`] says it. [`Action::instruction`] goes into [`EscrowClient::prepare`], whose
//! [`Unsigned`] transaction is signed here or by a wallet elsewhere, kept ([`Signed::encode`]), submitted and confirmed.
//!
//! The rules themselves are the program's own types and functions, in [`escrow`]: nothing is written twice.

#![deny(missing_docs, clippy::missing_errors_doc)]
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

#[cfg(feature = "blocking")]
pub mod blocking;
pub mod chain;
pub mod deal;
pub mod error;
mod node;
pub mod send;
pub mod transaction;
#[cfg(feature = "serde")]
pub mod view;
pub mod words;
pub mod work;

pub use {
    chain::{Cluster, Cost, Situation, read, stablecoin},
    deal::{
        account,
        account::EscrowAccount,
        action::{Action, Effects, EscrowInstruction, Preview},
        address, alike, amount, code, due, ending, event, evidence, explain, history, instruction, program, receipt,
        recipe,
        recipe::Recipe,
        record, share,
        share::Share,
        terms,
        terms::TermsBuilder,
        warning,
    },
    error::{Error, Result},
    escrow,
    escrow::{
        error::EscrowError,
        state::{Milestone, MilestoneStatus, MilestoneTerms, Party, Proposal, Recipient, Terms},
    },
    escrow_sender as sender,
    read::{EscrowClient, Filter, Mint},
    send::{Confirmed, Executed, Order, OrderStep},
    transaction::{Signed, Submitted, Unsigned},
};
