//! The gateway: an HTTP service that builds what wallets sign, submits what they signed, and reads escrows.
//!
//! It holds no party's key, and need not be believed: every answer about an escrow carries what a client needs to check it.
//! Its rooms; each uses only those above it:
//!
//! - [`problem`]: every error, with its code and status;
//! - [`wire`]: what requests are written in;
//! - [`config`]: what it is told, from a file, the environment and flags;
//! - [`store`]: the database, SQLite or Postgres, one text for each query;
//! - [`chain`]: the nodes, one answer at one slot;
//! - [`build`]: what is asked for as actions becomes a transaction that a wallet signs;
//! - [`standing`]: how an escrow stands, in the words of lists;
//! - [`index`]: all escrows and everything that happens to them, in the database;
//! - [`submit`]: what a wallet signed, until it is final or can never be executed;
//! - [`deliver`]: receivers of webhooks are told what happened, at least once and in order;
//! - [`orders`]: what a shop's own sources say of its orders, many at once, before a deadline;
//! - [`keep`]: what anyone may do for escrows, paid for by a keypair of this process;
//! - [`api`]: HTTP: who may do what, how often, once or again; every error a problem with a code;
//! - [`serve`]: all of it, listening.

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

pub mod api;
pub mod build;
pub mod chain;
pub mod config;
pub mod deliver;
pub mod index;
pub mod keep;
pub mod orders;
pub mod problem;
pub mod serve;
pub mod standing;
pub mod store;
pub mod submit;
pub mod wire;

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
