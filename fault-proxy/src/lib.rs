//! A proxy between a client and a Solana RPC node that makes things go wrong, by a plan: answers that are lost after the
//! request arrived, nodes that are behind, nodes that lie, transactions that land at the last moment.
//!
//! ```no_run
//! # async fn example() -> escrow_fault_proxy::Result<()> {
//! use escrow_fault_proxy::{Answer, Fault, Plan, Proxy, Rule};
//!
//! // The first transaction arrives, and the client never hears of it.
//! let lost = Fault::Answer { delivered: true, with: Answer::Reset };
//! let plan = Plan::new([Rule::on("sendTransaction", lost).times(1)]);
//! let proxy = Proxy::start(["http://127.0.0.1:8899"], plan).await?;
//!
//! // ... run the client against proxy.url() ...
//!
//! proxy.settled().await;
//! for signature in proxy.log().delivered() {
//!     println!("{signature} reached the node, whatever the client believes");
//! }
//! proxy.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Plan`] says what goes wrong and when, [`Proxy`] does it, [`Log`] knows what was asked, what was done to it and what the
//! node really answered. A plan comes from rules written by hand, from JSON, or from a seed ([`Plan::random`]).
//!
//! It knows JSON-RPC over HTTP, batches included, and a little of Solana's methods, and nothing of what its users test. It
//! listens and connects on loopback alone. The README describes every fault.

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

mod error;
mod json_rpc;
mod lie;
mod log;
mod plan;
mod proxy;
mod random;
mod rpc_error;
mod transaction;

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use crate::{
    error::{Error, Result},
    log::{Delivery, Entry, Log, Told},
    plan::{
        AccountLie, Answer, Balance, BlockhashLie, Fault, Http, Lag, Level, Lie, Nonsense, Number, Plan, Profile,
        Quantity, RetryAfter, RpcError, Rule, StatusLie, Until, Verdict, WEBSOCKET, When,
    },
    proxy::{Hook, Proxy},
};
