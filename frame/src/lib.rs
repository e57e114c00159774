//! What the project's command lines share. Of escrows it knows how the client's errors are told, and nothing else.
//!
//! Its files, in the order in which they use each other:
//!
//! - [`diagnostic`]: an error as people and programs read it: a sentence, a kind, whether to try again;
//! - [`terminal`]: text fitted to where it goes, and asking whoever sits there;
//! - [`output`]: the one place that prints;
//! - [`config`]: Solana's own configuration file; [`node`]: which node is asked; [`signer`]: where a keypair comes from, and
//!   [`seed`] where that is a seed phrase;
//! - [`error`]: what can go wrong in all of these;
//! - [`options`]: the options of every command, and what they come to;
//! - [`command_line`]: parsing it, and the process's exit code.
//!
//! Standard output is the result and nothing else. Standard error has notes and errors: text for people; in the JSON formats
//! one JSON object on each line, the error last.

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
#![deny(missing_docs)]

pub mod command_line;
pub mod config;
pub mod diagnostic;
pub mod error;
pub mod node;
pub mod options;
pub mod output;
pub mod seed;
pub mod signer;
pub mod terminal;

pub use {
    command_line::{exit, format, parse, parse_from},
    diagnostic::{Diagnostic, Kind, Retry},
    error::{Error, Result},
    options::{Options, Settings, Signing},
    output::{Format, Report, log, note, print, print_one},
    signer::SignerSource,
};
