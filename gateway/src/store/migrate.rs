//! The tables, brought up to date. A migration only adds, so that replicas of the version before work on beside it.

use super::{OpenError, Store};

/// Each once and in order, never changed after a release.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_access_and_transactions.sql"),
    include_str!("../../migrations/0002_events.sql"),
    include_str!("../../migrations/0003_index.sql"),
    include_str!("../../migrations/0004_webhooks.sql"),
    include_str!("../../migrations/0005_orders.sql"),
    include_str!("../../migrations/0006_keeper.sql"),
];

impl Store {
    pub(super) async fn migrate(&self) -> Result<(), OpenError> {
        // Not in the change below: two that make the same table at once disturb each other on Postgres, and one of them is
        // told so. The table is there all the same.
        let made = sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)");
        let made = made.execute(&self.pool).await;
        let mut change = self.change().await?;
        if self.is_postgres {
            // Until the end of the change, so that one of several that start at once does the work.
            match sqlx::raw_sql("LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE").execute(&mut *change).await {
                Ok(_) => {}
                Err(error) => return Err(made.err().unwrap_or(error).into()),
            }
        }
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT version FROM schema_version").fetch_optional(&mut *change).await?;
        let found = row.map_or(0, |(version,)| version);
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(OpenError::Newer { found, known });
        }
        if found == known {
            return Ok(());
        }
        for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
            sqlx::raw_sql(*migration).execute(&mut *change).await?;
        }
        sqlx::query("DELETE FROM schema_version").execute(&mut *change).await?;
        sqlx::query("INSERT INTO schema_version (version) VALUES ($1)").bind(known).execute(&mut *change).await?;
        change.commit().await?;
        tracing::info!(from = found, to = known, "the database is up to date");
        Ok(())
    }
}
