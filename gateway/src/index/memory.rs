//! What is kept between two rounds, in memory: nothing depends on it but patience.

use std::collections::{BTreeMap, BTreeSet};

use escrow_client::history::Entry;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// What is kept between the rounds of a generation.
#[derive(Debug, Default)]
pub struct Memory {
    /// Rounds in a row in which an escrow's account was not explained.
    pub tries: BTreeMap<Pubkey, u32>,
    /// Rounds in a row in which a transaction could not be read.
    pub unread: BTreeMap<Signature, u32>,
    /// What the transactions behind the floor did, as far as they could be read.
    pub bodies: BTreeMap<Signature, Vec<Entry>>,
    /// How far the rows are held against the accounts.
    pub reconciling: Option<Reconciling>,
    /// When they are next held against them, in unix milliseconds; at once in the beginning.
    pub reconcile_at: i64,
    /// Whether that came to its end since the process began.
    pub reconciled: bool,
}

/// How far the rows are held against the accounts.
#[derive(Debug)]
pub struct Reconciling {
    /// The last row that was compared.
    pub after: String,
    /// Accounts of which no row was seen yet.
    pub unseen: BTreeSet<Pubkey>,
    /// What happened up to this slot should have been written when it began.
    pub floor: u64,
}
