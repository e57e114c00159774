//! Who may do it, and for how much: leases and a budget in the database, which all processes share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use escrow_client::work::keep::{Budget, Cost, Limits, Permits as Permit, Trouble};
use solana_pubkey::Pubkey;

use crate::store::{Lease, Store};

/// What leases on escrows are named by, in front of the address.
pub const LEASES: &str = "keeper/";
/// How often a change is tried again that somebody else came before.
const TRIES: usize = 50;

/// The permits of one process.
#[derive(Debug, Clone)]
pub struct Permits {
    store: Store,
    process: String,
    payer: Pubkey,
    limits: Limits,
    /// How long a lease lasts, in milliseconds.
    lease: i64,
    held: Arc<Mutex<HashMap<Pubkey, Lease>>>,
}

/// What the database could not do; the log has why.
pub fn failed(error: &sqlx::Error) -> Trouble {
    tracing::error!(%error, "database");
    Trouble("the database does not answer as it should: nothing is begun without it".to_owned())
}

impl Permits {
    /// Of the process with this name, for whoever pays. A lease lasts so many seconds.
    pub fn new(store: Store, process: String, payer: Pubkey, limits: Limits, lease: u32) -> Self {
        let lease = i64::from(lease).saturating_mul(1_000);
        Self { store, process, payer, limits, lease, held: Arc::default() }
    }

    /// The process.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Who pays.
    pub const fn payer(&self) -> Pubkey {
        self.payer
    }

    /// The most that may be spent in a day.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// What was spent today or set aside, by all with this payer.
    ///
    /// # Errors
    ///
    /// Where the database does not answer, or holds something else.
    pub async fn spent(&self) -> Result<Cost, Trouble> {
        let found = self.store.keeper_budget(&self.payer.to_string()).await.map_err(|error| failed(&error))?;
        let (_, budget) = self.read(found)?;
        Ok(budget.today(crate::now_ms().div_euclid(1_000)))
    }

    /// Forgets what processes told and held that have been silent since before then.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn forget(&self, before: i64) -> Result<(), Trouble> {
        self.store.forget_keepers(before).await.map_err(|error| failed(&error))?;
        self.store.forget_leases(LEASES, before).await.map_err(|error| failed(&error))
    }

    fn read(&self, found: Option<(i64, String)>) -> Result<(i64, Budget), Trouble> {
        let Some((version, text)) = found else { return Ok((0, Budget::default())) };
        let budget = text.parse().map_err(|error| {
            let payer = self.payer;
            Trouble(format!(
                "what {payer} spent cannot be read: {error}. Nothing is spent before that row of keeper_budgets is mended, or removed to \
                 begin the day anew"
            ))
        })?;
        Ok((version, budget))
    }

    /// Changes what was spent, whatever others do at the same time.
    async fn change<T>(&self, apply: impl Fn(&mut Budget) -> T) -> Result<T, Trouble> {
        let payer = self.payer.to_string();
        for _ in 0..TRIES {
            let mut change = self.store.change().await.map_err(|error| failed(&error))?;
            let found = self.store.keeper_budget_in(&mut change, &payer).await.map_err(|error| failed(&error))?;
            let (version, before) = self.read(found)?;
            let mut budget = before;
            let answer = apply(&mut budget);
            if budget == before {
                return Ok(answer);
            }
            let written = self.store.set_keeper_budget(&mut change, &payer, version, &budget.to_string()).await;
            if written.map_err(|error| failed(&error))? {
                change.commit().await.map_err(|error| failed(&error))?;
                return Ok(answer);
            }
        }
        Err(Trouble("others change what was spent all the time: nothing is begun".to_owned()))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Pubkey, Lease>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit for Permits {
    /// By this machine's clock, as all leases here: the chain's, which `until` is by, stands still when the cluster does.
    async fn claim(&self, escrows: &[Pubkey], _: i64) -> Result<Vec<Pubkey>, Trouble> {
        let names: Vec<String> = escrows.iter().map(|escrow| format!("{LEASES}{escrow}")).collect();
        let now = crate::now_ms();
        let leases = self.store.lease_all(&names, &self.process, now, now.saturating_add(self.lease)).await;
        let mut leases: HashMap<String, Lease> =
            leases.map_err(|error| failed(&error))?.into_iter().map(|lease| (lease.name.clone(), lease)).collect();
        let mut held = self.held();
        let mut granted = Vec::new();
        for (escrow, name) in escrows.iter().zip(&names) {
            if let Some(lease) = leases.remove(name) {
                held.insert(*escrow, lease);
                granted.push(*escrow);
            }
        }
        Ok(granted)
    }

    async fn release(&self, escrows: &[Pubkey]) -> Result<(), Trouble> {
        let leases: Vec<Lease> = {
            let mut held = self.held();
            escrows.iter().filter_map(|escrow| held.remove(escrow)).collect()
        };
        self.store.release(&leases).await.map_err(|error| failed(&error))
    }

    async fn reserve(&self, cost: Cost, now: i64) -> Result<bool, Trouble> {
        let limits = self.limits;
        self.change(|budget| budget.reserve(cost, limits, now)).await
    }

    async fn settle(&self, reserved: Cost, spent: Cost, now: i64) -> Result<(), Trouble> {
        self.change(|budget| budget.settle(reserved, spent, now)).await
    }
}
