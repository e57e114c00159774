//! The database: SQLite in a file, or Postgres. One text for each query and for the tables, which both understand, so that
//! what the tests see on one holds on the other.
//!
//! What two processes may do at once is decided by conditions in the statements (`WHERE version = …`, `ON CONFLICT`), never by
//! what was read before. A time is always given from outside.

mod credentials;
mod deliveries;
mod events;
mod idempotency;
mod index;
mod keeper;
mod lease;
mod migrate;
mod orders;
mod transactions;
mod webhooks;

use std::{str::FromStr, time::Duration};

use sqlx::{
    Any, AnyPool, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use thiserror::Error;

pub use credentials::{Challenge, Credential};
pub use deliveries::{Attempted, Claim, Delivery, Onward, Queue, Which};
pub use events::{EventFinality, Logged, NewEvent};
pub use idempotency::{Kept, Opened, Place};
pub use index::{Generation, Indexed, Listed, Name, Stage};
pub use lease::Lease;
pub use orders::{Order, Source};
pub use transactions::{Journalling, Row};
pub use webhooks::{Endpoint, EndpointChange, SecretRow};

/// How long a connection, or SQLite's writer, is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no database.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Neither of the two.
    #[error("the database must be postgres://… or sqlite://…: {0} is neither")]
    Scheme(String),
    /// It does not answer, or not as it should.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] sqlx::Error),
    /// A later version of the gateway has written it.
    #[error(
        "the database was migrated to version {found} by a later gateway, and this one knows up to {known}: start that one, or \
         restore the database from before"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The latest that this gateway knows.
        known: i64,
    },
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    is_postgres: bool,
}

/// A change of several rows, all or nothing.
pub type Change = Transaction<'static, Any>;

impl Store {
    /// Opens it and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// Where it does not answer, or is of a later version.
    pub async fn open(url: &str, connections: u32) -> Result<Self, OpenError> {
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !is_postgres && !url.starts_with("sqlite:") {
            let scheme = url.split_once("://").map_or("what is named", |(scheme, _)| scheme);
            return Err(OpenError::Scheme(scheme.to_owned()));
        }
        sqlx::any::install_default_drivers();
        let url = if is_postgres || url.contains("mode=") { url.to_owned() } else { with_parameter(url, "mode=rwc") };
        let mut pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
        if !is_postgres {
            pool = pool.after_connect(|connection, _| {
                Box::pin(async move {
                    // Readers do not wait for the writer; a writer waits for another; what is committed survives a loss of
                    // power.
                    let settings = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                                    PRAGMA foreign_keys = ON";
                    sqlx::raw_sql(settings).execute(connection).await?;
                    Ok(())
                })
            });
        }
        let pool = pool.connect_with(AnyConnectOptions::from_str(&url)?).await?;
        let store = Self { pool, is_postgres };
        store.migrate().await?;
        Ok(store)
    }

    /// Begins a change. SQLite's one writer is taken at once: a reader that becomes a writer could be refused.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn change(&self) -> sqlx::Result<Change> {
        if self.is_postgres { self.pool.begin().await } else { self.pool.begin_with("BEGIN IMMEDIATE").await }
    }

    /// Whether it answers.
    ///
    /// # Errors
    ///
    /// Where it does not.
    pub async fn ping(&self) -> sqlx::Result<()> {
        sqlx::query("SELECT version FROM schema_version").fetch_one(&self.pool).await.map(drop)
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn with_parameter(url: &str, parameter: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{parameter}")
}
