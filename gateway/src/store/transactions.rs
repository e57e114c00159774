//! What was prepared for wallets, and the journal of what they signed.

use sqlx::{Row as _, any::AnyRow};

use super::{Change, Store};

/// A transaction that was prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// By which it is found.
    pub id: String,
    /// Whose.
    pub owner: String,
    /// Grows with each change.
    pub version: i64,
    /// By which the journal finds it.
    pub fingerprint: String,
    /// What was answered when it was prepared, as JSON.
    pub prepared: String,
    /// The transaction with the signatures that there are, in base 64.
    pub wire: String,
    /// How long it may be executed, as JSON.
    pub lifetime: String,
    /// By which it is known on the chain, once all have signed.
    pub signature: Option<String>,
    /// When it was prepared.
    pub created_at: i64,
}

fn row(row: &AnyRow) -> sqlx::Result<Row> {
    Ok(Row {
        id: row.try_get(0)?,
        owner: row.try_get(1)?,
        version: row.try_get(2)?,
        fingerprint: row.try_get(3)?,
        prepared: row.try_get(4)?,
        wire: row.try_get(5)?,
        lifetime: row.try_get(6)?,
        signature: row.try_get(7)?,
        created_at: row.try_get(8)?,
    })
}

/// Whose transactions a journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journalling {
    /// Wallets', that were submitted.
    Wallets,
    /// The keeper's own.
    Keeper,
}

impl Journalling {
    const fn kind(self) -> &'static str {
        match self {
            Self::Wallets => "wallet",
            Self::Keeper => "keeper",
        }
    }
}

/// What the journal holds of one intention: its version and its entries.
pub type Journalled = Option<(i64, String)>;

impl Store {
    /// Adds one.
    pub async fn add_transaction(&self, change: &mut Change, row: &Row) -> sqlx::Result<()> {
        let add = sqlx::query(
            "INSERT INTO transactions \
             (id, owner, version, fingerprint, prepared, wire, lifetime, signature, created_at) \
             VALUES ($1, $2, 1, $3, $4, $5, $6, NULL, $7)",
        );
        let Row { id, owner, fingerprint, prepared, wire, lifetime, created_at, .. } = row;
        let add = add.bind(id).bind(owner).bind(fingerprint).bind(prepared).bind(wire).bind(lifetime);
        add.bind(*created_at).execute(&mut **change).await.map(drop)
    }

    /// The one of this owner with this id.
    pub async fn transaction(&self, owner: &str, id: &str) -> sqlx::Result<Option<Row>> {
        let find = sqlx::query(
            "SELECT id, owner, version, fingerprint, prepared, wire, lifetime, signature, created_at \
             FROM transactions WHERE id = $1 AND owner = $2",
        );
        find.bind(id).bind(owner).fetch_optional(&self.pool).await?.as_ref().map(row).transpose()
    }

    /// The one of this owner with this signature.
    pub async fn transaction_by_signature(&self, owner: &str, signature: &str) -> sqlx::Result<Option<Row>> {
        let find = sqlx::query(
            "SELECT id, owner, version, fingerprint, prepared, wire, lifetime, signature, created_at \
             FROM transactions WHERE signature = $1 AND owner = $2",
        );
        find.bind(signature).bind(owner).fetch_optional(&self.pool).await?.as_ref().map(row).transpose()
    }

    /// Changes what was signed of `row`. False where somebody else has changed it since it was read.
    pub async fn set_signed(
        &self,
        change: &mut Change,
        row: &Row,
        wire: &str,
        signature: Option<&str>,
    ) -> sqlx::Result<bool> {
        let set = sqlx::query(
            "UPDATE transactions SET wire = $1, signature = $2, version = version + 1 WHERE id = $3 AND version = $4",
        );
        let set = set.bind(wire).bind(signature).bind(&row.id).bind(row.version);
        Ok(set.execute(&mut **change).await?.rows_affected() == 1)
    }

    /// What the journal holds of an intention.
    pub async fn intention(&self, fingerprint: &str) -> sqlx::Result<Journalled> {
        let find = sqlx::query_as("SELECT version, entries FROM intentions WHERE fingerprint = $1");
        find.bind(fingerprint).fetch_optional(&self.pool).await
    }

    /// The same, as this change sees it.
    pub async fn intention_in(&self, change: &mut Change, fingerprint: &str) -> sqlx::Result<Journalled> {
        let find = sqlx::query_as("SELECT version, entries FROM intentions WHERE fingerprint = $1");
        find.bind(fingerprint).fetch_optional(&mut **change).await
    }

    /// Writes an intention in place of its version `before`; 0: it is not there yet. False where somebody else has changed it
    /// since it was read.
    pub async fn set_intention(
        &self,
        change: &mut Change,
        (whose, fingerprint): (Journalling, &str),
        before: i64,
        entries: &str,
        unresolved: bool,
    ) -> sqlx::Result<bool> {
        let unresolved = i64::from(unresolved);
        let written = if before == 0 {
            let add = sqlx::query(
                "INSERT INTO intentions (fingerprint, version, entries, unresolved, kind) VALUES ($1, 1, $2, $3, $4) \
                 ON CONFLICT (fingerprint) DO NOTHING",
            );
            let add = add.bind(fingerprint).bind(entries).bind(unresolved).bind(whose.kind());
            add.execute(&mut **change).await?
        } else {
            let set = sqlx::query(
                "UPDATE intentions SET version = version + 1, entries = $1, unresolved = $2 \
                 WHERE fingerprint = $3 AND version = $4",
            );
            set.bind(entries).bind(unresolved).bind(fingerprint).bind(before).execute(&mut **change).await?
        };
        Ok(written.rows_affected() == 1)
    }

    /// The intentions that somebody must still look after: fingerprint and entries.
    pub async fn unresolved(&self, whose: Journalling) -> sqlx::Result<Vec<(String, String)>> {
        let find = sqlx::query_as("SELECT fingerprint, entries FROM intentions WHERE unresolved = 1 AND kind = $1");
        find.bind(whose.kind()).fetch_all(&self.pool).await
    }
}
