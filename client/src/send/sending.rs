//! What a client keeps for sending.

use std::sync::Arc;

use escrow_sender::{Memory, Pace};

use super::{Told, cache::Cache, driver::Driver, read::Reader, store::AnyStore};
use crate::{node::Nodes, transaction::budget::Fees};

/// What sending needs, shared by the clones of a client.
pub(crate) struct Sending {
    pub(super) driver: Driver,
    pub(super) reader: Reader,
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
        Self { driver, reader: Reader::default(), cache: Cache::default(), fees, kept, told }
    }
}
