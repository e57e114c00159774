//! A Solana validator inside this process, with programs deployed at their addresses; and one way to use it and any
//! other validator in tests.
//!
//! ```no_run
//! # async fn example() -> escrow_localnet::Result<()> {
//! use escrow_localnet::{Config, Localnet, MintConfig};
//!
//! let net = Localnet::start(Config::default()).await?;
//! let buyer = net.new_funded_keypair(2_000_000_000).await?;
//! let mint = net.create_mint(MintConfig::default()).await?;
//! # let owner = mint.address;
//! net.mint_to(&mint, &owner, 1_000_000).await?;
//! net.advance_time(24 * 60 * 60).await?;
//! net.shutdown().await
//! # }
//! ```
//!
//! What is embedded is surfpool, around LiteSVM: real programs, real transactions and Solana's JSON-RPC interface, and
//! neither consensus nor ledger nor network. It starts in half a second, listens on 127.0.0.1 alone, makes no request
//! to anybody and prints nothing. Commitment levels, preflight, expiring block hashes, simulation and subscriptions
//! behave as on a cluster, with these differences that a test can run into:
//!
//! - **Reading an account ignores the commitment**, as does simulating: every level sees the newest state. Signature
//!   statuses, slots and block hashes do respect it.
//! - A transaction that was sent before is refused without the structured error of a cluster
//!   (`AlreadyProcessed`): ask for its status by signature.
//! - Block hashes count up from the same one, and the genesis hash is the same, on every new validator: what was signed
//!   for one is valid on another of the same age.
//! - A block on demand comes with each transaction ([`Blocks::OnDemand`]), so a transaction is confirmed about a
//!   millisecond after it ran, and finalized 0.3 s later.
//! - The clock moves with blocks, and can be moved ahead: see [`Localnet::set_time`].
//! - Everybody can have any amount from the faucet.
//!
//! A surprise that it shares with clusters: a transaction whose block hash was read at `confirmed` fails its preflight
//! with `BlockhashNotFound` if that is done at `finalized`, which is the default of JSON-RPC. `RpcClient` passes its own
//! commitment; those who build their own configuration must set `preflight_commitment`.

mod config;
mod error;
mod localnet;
mod node;
mod token;
mod ws;

pub use config::{Blocks, Config, Ports, Program};
pub use error::{Error, Listener, Result};
pub use localnet::{Localnet, URL_VARIABLE};
pub use solana_client::nonblocking::rpc_client::RpcClient;
pub use solana_clock::Clock;
pub use token::{MintConfig, TestMint, TokenProgram};
