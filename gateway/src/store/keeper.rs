//! What the keeper spent, and what its processes tell.

use super::{Change, Store};

impl Store {
    /// What was spent by this payer, with its version; none where nothing was.
    pub async fn keeper_budget(&self, payer: &str) -> sqlx::Result<Option<(i64, String)>> {
        let find = sqlx::query_as("SELECT version, spent FROM keeper_budgets WHERE payer = $1");
        find.bind(payer).fetch_optional(&self.pool).await
    }

    /// The same, as this change sees it.
    pub async fn keeper_budget_in(&self, change: &mut Change, payer: &str) -> sqlx::Result<Option<(i64, String)>> {
        let find = sqlx::query_as("SELECT version, spent FROM keeper_budgets WHERE payer = $1");
        find.bind(payer).fetch_optional(&mut **change).await
    }

    /// Writes what was spent in place of its version `before`; 0: it is not there yet. False where somebody else has changed it
    /// since it was read.
    pub async fn set_keeper_budget(
        &self,
        change: &mut Change,
        payer: &str,
        before: i64,
        spent: &str,
    ) -> sqlx::Result<bool> {
        let set = sqlx::query(
            "INSERT INTO keeper_budgets (payer, version, spent) VALUES ($1, 1, $2) \
             ON CONFLICT (payer) DO UPDATE SET version = keeper_budgets.version + 1, spent = $2 \
             WHERE keeper_budgets.version = $3",
        );
        Ok(set.bind(payer).bind(spent).bind(before).execute(&mut **change).await?.rows_affected() == 1)
    }

    /// Keeps what a process tells, in place of what it told before.
    pub async fn report_keeper(&self, process: &str, now: i64, report: &str) -> sqlx::Result<()> {
        let set = sqlx::query(
            "INSERT INTO keeper_processes (process, seen_at, report) VALUES ($1, $2, $3) \
             ON CONFLICT (process) DO UPDATE SET seen_at = $2, report = $3",
        );
        set.bind(process).bind(now).bind(report).execute(&self.pool).await.map(drop)
    }

    /// What the processes told that were heard of since then, at most so many: name, when, report.
    pub async fn keeper_reports(&self, since: i64, limit: i64) -> sqlx::Result<Vec<(String, i64, String)>> {
        let find = sqlx::query_as(
            "SELECT process, seen_at, report FROM keeper_processes WHERE seen_at >= $1 \
             ORDER BY seen_at DESC, process LIMIT $2",
        );
        find.bind(since).bind(limit).fetch_all(&self.pool).await
    }

    /// Forgets what was told before then.
    pub async fn forget_keepers(&self, before: i64) -> sqlx::Result<()> {
        let forget = sqlx::query("DELETE FROM keeper_processes WHERE seen_at < $1");
        forget.bind(before).execute(&self.pool).await.map(drop)
    }
}
