//! The gateway over HTTP, on SQLite and on Postgres, against the embedded validator.
//!
//! Postgres is started from the installed binaries, on loopback, in a folder of its own. Where there are none the tests say so
//! and run on SQLite alone; with `ESCROW_REQUIRE_POSTGRES=1` that is a failure.

mod access;
mod bad_input;
mod contract;
mod events;
mod harness;
mod hooks;
mod idempotency;
mod index;
mod indexed;
mod journal;
mod keeper;
mod lifecycle;
mod multisig;
mod orders;
mod postgres;
mod promises;
mod replicas;
mod slow;
mod wallets;
