//! Holds all rows against the accounts, a few at a time: what differs is read again through the engine.

use std::collections::BTreeMap;

use escrow_client::work::watch::{Ask, Cursor, Heard};
use solana_pubkey::Pubkey;

use super::{
    memory::Reconciling,
    node::Node,
    pass::{Index, Stop},
    rows,
};
use crate::store::Generation;

/// How many rows are compared at once, and how often in a pass.
const ROWS: i64 = 99;
const SLICES: usize = 8;
/// When it is tried again, in milliseconds.
const AGAIN: i64 = 60_000;

impl<N: Node> Index<N> {
    /// Compares some rows, if it is time for that. Whether there are more to compare at once.
    pub(super) async fn reconcile(&mut self, generation: &mut Generation) -> Result<bool, Stop> {
        let (number, now) = (generation.number, (self.clock)());
        if self.memory(number).reconcile_at > now {
            return Ok(false);
        }
        // Where it breaks off, it goes on then.
        self.memory(number).reconcile_at = now.saturating_add(AGAIN);
        let mut reconciling = match self.memory(number).reconciling.take() {
            Some(reconciling) => reconciling,
            None => match self.node.addresses().await {
                Ok(addresses) => Reconciling {
                    after: String::new(),
                    unseen: addresses.into_iter().collect(),
                    floor: rows::read(generation.floor),
                },
                Err(error) => {
                    tracing::warn!(error, "the index cannot be held against the accounts");
                    return Ok(false);
                }
            },
        };
        for _ in 0..SLICES {
            let some = self.store.positions(number, &reconciling.after, ROWS).await?;
            let Some((last, _)) = some.last() else {
                // Those that no row told of, and then it is over.
                let unseen = std::mem::take(&mut reconciling.unseen).into_iter().collect();
                if self.repair(generation, unseen, reconciling.floor).await? {
                    let next = now.saturating_add(self.patience.reconcile_every);
                    let memory = self.memory(number);
                    (memory.reconciled, memory.reconcile_at) = (true, next);
                    generation.reconciled_at = now;
                    let mut change = self.change().await?;
                    self.store.set_generation(&mut change, generation).await?;
                    change.commit().await?;
                }
                return Ok(false);
            };
            let last = last.clone();
            let Some(different) = self.different(generation, &some, &mut reconciling).await? else {
                // Nobody answers: these are compared the next time.
                self.memory(number).reconciling = Some(reconciling);
                return Ok(false);
            };
            if !self.repair(generation, different, reconciling.floor).await? {
                self.memory(number).reconciling = Some(reconciling);
                return Ok(false);
            }
            reconciling.after = last;
        }
        let memory = self.memory(number);
        (memory.reconciling, memory.reconcile_at) = (Some(reconciling), now);
        Ok(true)
    }

    /// Those whose accounts are not as their rows say; none where nobody answers.
    async fn different(
        &mut self,
        generation: &Generation,
        some: &[(String, String)],
        reconciling: &mut Reconciling,
    ) -> Result<Option<Vec<Pubkey>>, Stop> {
        self.renew().await?;
        let (mut addresses, mut cursors, mut different) = (Vec::new(), Vec::new(), Vec::new());
        for (address, position) in some {
            let Ok(escrow) = address.parse() else { continue };
            reconciling.unseen.remove(&escrow);
            match rows::cursor_of(position) {
                Ok(cursor) if cursor.escrow == escrow => {
                    addresses.push(escrow);
                    cursors.push(cursor);
                }
                _ => different.push(escrow),
            }
        }
        let ask = Ask::Accounts { addresses, least_slot: rows::read(generation.floor) };
        let Heard::Accounts { slot, accounts, .. } = self.node.answer(&ask).await else { return Ok(None) };
        if slot < rows::read(generation.floor) || accounts.len() != cursors.len() {
            return Ok(None);
        }
        for (Cursor { escrow, slot: known, state, .. }, account) in cursors.iter().zip(&accounts) {
            let parts = |account: &escrow_client::EscrowAccount| (account.state, account.milestones.clone());
            if state.as_ref().map(parts) != account.as_ref().map(parts) && *known <= slot {
                different.push(*escrow);
            }
        }
        Ok(Some(different))
    }

    /// Reads these again. Whether all of them are explained now.
    async fn repair(&mut self, generation: &Generation, escrows: Vec<Pubkey>, floor: u64) -> Result<bool, Stop> {
        let touched: BTreeMap<Pubkey, Vec<_>> = escrows.into_iter().map(|escrow| (escrow, Vec::new())).collect();
        let applied = self.apply_all(generation.number, touched, rows::read(generation.floor)).await?;
        for (escrow, slot) in &applied.first_changes {
            // What is newer would have come by itself.
            if *slot <= floor {
                tracing::warn!(%escrow, "a row of the index was not as the account: it was replayed and repaired");
                metrics::counter!("escrow_gateway_index_repaired_total").increment(1);
            }
        }
        for (escrow, trouble) in &applied.troubles {
            tracing::warn!(%escrow, trouble, "a row of the index is not as the account, and no node explains it");
        }
        Ok(applied.troubles.is_empty())
    }
}
