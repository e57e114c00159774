//! What a client keeps for sending.

use std::sync::Arc;

use escrow_sender::{Memory, Pace};

use solana_pubkey::Pubkey;
use tokio::sync::oneshot;

use super::{Told, cache::Cache, driver::Driver, queue::Queue, store::AnyStore};
use crate::{EscrowAccount, node::Nodes, transaction::budget::Fees};

/// An escrow to be read before it is signed upon, and who waits for it. None where it could not be read with the others.
pub(super) type Reading = (Pubkey, oneshot::Sender<Option<Option<EscrowAccount>>>);

/// What sending needs, shared by the clones of a client.
pub(crate) struct Sending {
    pub(super) driver: Driver,
    pub(super) readings: Queue<Reading>,
    pub(super) cache: Cache,
    pub(super) fees: Fees,
    pub(super) kept: AnyStore,
    pub(super) told: Option<Told>,
}

impl Sending {
    pub(crate) fn new(nodes: &Arc<Nodes>) -> Self {
        // A machine's own validator makes its blocks at once.
        let poll = if nodes.are_local() { 50 } else { Pace::default().poll };
        let pace = Pace { poll, ..Pace::default() };
        Self::with(nodes, AnyStore::new(Memory::default()), pace, Fees::default(), None)
    }

    pub(super) fn with(nodes: &Arc<Nodes>, kept: AnyStore, pace: Pace, fees: Fees, told: Option<Told>) -> Self {
        let driver = Driver::new(nodes, kept.clone(), pace, told.clone());
        Self { driver, readings: Queue::default(), cache: Cache::default(), fees, kept, told }
    }
}
