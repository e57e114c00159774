//! What tests and assurance share.
//!
//! - [`world`]: a bank in LiteSVM with the committed bytecode, people with money, two assets and a clock;
//! - [`people`]: who they are;
//! - [`deal`]: an escrow in a bank of its own, an act for each instruction on it, and what must hold of it;
//! - [`lives`]: random lives of an escrow, for what watches them; [`chain`]: several of them on a simulated chain, with nodes that
//!   tell of it, not always well; [`expected`]: what must be told of it;
//! - [`fixtures`], [`compute_units`], [`documents`], [`typescript`]: committed files that follow from the code, which
//!   [`generated`] lists.

pub mod binary;
pub mod chain;
pub mod compute_units;
pub mod deal;
pub mod documents;
pub mod expected;
pub mod fixtures;
pub mod generated;
pub mod lives;
pub mod people;
pub mod typescript;
pub mod world;

pub use {
    people::Who,
    world::{
        DAY, HOUR, INITIAL_LAMPORTS, INITIAL_TOKENS, KINDS, Kind, OTHER_TERMS, Refusal, SECRET, START, TOKEN,
        TOKEN_2022, World, case, elf_path, keypair,
    },
};
