//! Deploying and upgrading the escrow program, on any cluster, with the upgradeable loader (loader v3).
//!
//! The bytes of a program do not fit into a transaction. They are written to a *buffer* account in about a hundred
//! transactions, and one last transaction makes a program of the buffer, or puts it in the place of an older one. What
//! is here does that so that it may be interrupted at any point and started again:
//!
//! - The buffer's address follows from who may upgrade the program, from the program's address and from the sha256 of
//!   the bytes ([`buffer::address`]). There is no keypair for it, so there is none to keep, to lose or to leak; and the
//!   same request finds the same buffer again, reads it, and writes only what is missing.
//! - A buffer that exists cannot be created again: money for a second one is never spent.
//! - Everything is checked before anything is sent: that the bytes are the ones that were named by their sha256, that
//!   the program can be deployed or upgraded by this authority, and that there is enough money for all of it.
//! - No transaction is executed twice ([`escrow_client::send`]), and nothing counts as done before it was read back from
//!   the chain.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use escrow_client::EscrowClient;
//! use escrow_migrations::{Deploy, Elf, ElfHash, Migrator};
//! use solana_client::nonblocking::rpc_client::RpcClient;
//! use solana_keypair::Keypair;
//!
//! # type Result = escrow_migrations::Result<()>;
//! # async fn example(bytes: Vec<u8>, named: ElfHash, payer: Keypair, program: Keypair) -> Result {
//! let client = EscrowClient::from_rpc(Arc::new(RpcClient::new("http://127.0.0.1:8899".to_owned())));
//! let elf = Elf::new(bytes, &named)?;
//! let done = Migrator::new(client)
//!     .deploy(&Deploy {
//!         elf: &elf,
//!         program: &program,
//!         declared: Some(escrow_client::escrow::ID),
//!         payer: &payer,
//!         authority: &payer,
//!         max_len: None,
//!     })
//!     .await?;
//! println!("{} in slot {:?}", done.program, done.slot);
//! # Ok(())
//! # }
//! ```

pub mod authority;
pub mod buffer;
pub mod cost;
pub mod deploy;
pub mod elf;
pub mod error;
pub mod fill;
pub mod migrator;
pub mod upgrade;

pub use {
    authority::{NewAuthority, SetAuthority},
    cost::Cost,
    deploy::Deploy,
    elf::Elf,
    error::{Error, Result},
    escrow_client::program::{ElfHash, Program},
    fill::ClosedBuffer,
    migrator::{Deployment, Event, Migrator},
    upgrade::Upgrade,
};
