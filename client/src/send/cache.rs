//! What a client remembers between transactions.

use std::{
    collections::HashMap,
    sync::{Mutex, atomic::AtomicU32},
    time::Instant,
};

use escrow_sender::{Hash, Observation, Time};
use solana_pubkey::Pubkey;
use tokio::sync::Mutex as AsyncMutex;

use crate::transaction::Lifetime;

/// What is remembered between transactions.
#[derive(Default)]
pub(super) struct Cache {
    /// The last lifetime, and until when it is used for others.
    pub(super) lifetime: AsyncMutex<Option<Fresh>>,
    pub(super) genesis: AsyncMutex<Option<Hash>>,
    pub(super) fees: Mutex<HashMap<Vec<Pubkey>, (Instant, u64)>>,
    pub(super) turn: AtomicU32,
}

/// A lifetime that was chosen a moment ago.
#[derive(Clone)]
pub(super) struct Fresh {
    pub(super) at: Time,
    pub(super) lifetime: Lifetime,
    pub(super) heights: Vec<Observation>,
}
