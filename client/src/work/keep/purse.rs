//! A keeper that knows of nobody else, and what it may spend.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use solana_pubkey::Pubkey;
use tokio::task::spawn_blocking;

use super::{
    budget::{Budget, Cost, Limits},
    keeper::{Permits, Trouble},
};
use crate::work::file::replace;

/// The budget in a file, which outlives the process. All processes with the same file spend one budget together. Who else works
/// on the same is not known: what is done twice the program refuses.
#[derive(Debug, Clone)]
pub struct Purse {
    path: PathBuf,
    limits: Limits,
}

impl Purse {
    /// What was spent is in this file, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>, limits: Limits) -> Self {
        Self { path: path.into(), limits }
    }

    /// What was spent or set aside on the last day on which anything was.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or holds something else.
    pub fn spent(&self) -> Result<Cost, Trouble> {
        Ok(self.read()?.spent())
    }

    fn read(&self) -> Result<Budget, Trouble> {
        let path = self.path.display();
        match fs::read_to_string(&self.path) {
            Ok(text) => text.trim_end().parse().map_err(|error| {
                Trouble(format!(
                    "{path}: {error}. Nothing is spent before it is mended, or removed to begin the day anew"
                ))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Budget::default()),
            Err(error) => Err(Trouble(format!("cannot read what was spent, {path}: {error}"))),
        }
    }

    /// Changes it while no other process does.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Budget) -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let purse = self.clone();
        let changed = spawn_blocking(move || {
            let failed = |error| Trouble(format!("cannot write what was spent, {}: {error}", purse.path.display()));
            let _lock = lock(&purse.path).map_err(failed)?;
            let before = purse.read()?;
            let mut budget = before;
            let result = change(&mut budget);
            if budget != before {
                replace(&purse.path, &budget.to_string()).map_err(failed)?;
            }
            Ok(result)
        });
        changed.await.map_err(|error| Trouble(error.to_string()))?
    }
}

/// The lock beside a file, until it is dropped; a process that dies has dropped it.
fn lock(path: &Path) -> io::Result<File> {
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(path.with_added_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

impl Permits for Purse {
    async fn claim(&self, escrows: &[Pubkey], _: i64) -> Result<Vec<Pubkey>, Trouble> {
        Ok(escrows.to_vec())
    }

    async fn release(&self, _: &[Pubkey]) -> Result<(), Trouble> {
        Ok(())
    }

    async fn reserve(&self, cost: Cost, now: i64) -> Result<bool, Trouble> {
        let limits = self.limits;
        self.change(move |budget| budget.reserve(cost, limits, now)).await
    }

    async fn settle(&self, reserved: Cost, spent: Cost, now: i64) -> Result<(), Trouble> {
        self.change(move |budget| budget.settle(reserved, spent, now)).await
    }
}
