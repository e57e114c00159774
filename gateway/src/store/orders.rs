//! Owners' own references for escrows, and the sources that are asked about them.

use sqlx::{Row as _, any::AnyRow};

use super::{Change, Store};

/// What an owner calls an escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its own name for it.
    pub reference: String,
    /// The escrow's address.
    pub escrow: String,
    /// When that was written down.
    pub created_at: i64,
}

/// What is asked about an owner's orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// By which it is found.
    pub id: String,
    /// Whose orders.
    pub owner: String,
    /// As it is called in answers.
    pub name: String,
    /// Where, with `{reference}` in it.
    pub url: String,
    /// How long one answer may take, in milliseconds.
    pub timeout_ms: i64,
    /// How long an answer is good without asking again, in milliseconds.
    pub fresh_ms: i64,
    /// The name of a token in the settings.
    pub bearer: Option<String>,
    /// When it was made.
    pub created_at: i64,
}

fn order(row: &AnyRow) -> sqlx::Result<Order> {
    Ok(Order { reference: row.try_get(0)?, escrow: row.try_get(1)?, created_at: row.try_get(2)? })
}

fn source(row: &AnyRow) -> sqlx::Result<Source> {
    Ok(Source {
        id: row.try_get(0)?,
        owner: row.try_get(1)?,
        name: row.try_get(2)?,
        url: row.try_get(3)?,
        timeout_ms: row.try_get(4)?,
        fresh_ms: row.try_get(5)?,
        bearer: row.try_get(6)?,
        created_at: row.try_get(7)?,
    })
}

impl Store {
    /// Adds an order. False where the owner has this reference or this escrow already.
    pub async fn add_order(&self, change: &mut Change, owner: &str, order: &Order) -> sqlx::Result<bool> {
        let add = sqlx::query(
            "INSERT INTO orders (owner, reference, escrow, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        );
        let Order { reference, escrow, created_at } = order;
        let add = add.bind(owner).bind(reference).bind(escrow).bind(*created_at);
        Ok(add.execute(&mut **change).await?.rows_affected() == 1)
    }

    /// The order of this owner with this reference, as this change sees it.
    pub async fn order_in(&self, change: &mut Change, owner: &str, reference: &str) -> sqlx::Result<Option<Order>> {
        let find = sqlx::query("SELECT reference, escrow, created_at FROM orders WHERE owner = $1 AND reference = $2");
        find.bind(owner).bind(reference).fetch_optional(&mut **change).await?.as_ref().map(order).transpose()
    }

    /// The same, by itself.
    pub async fn order(&self, owner: &str, reference: &str) -> sqlx::Result<Option<Order>> {
        let find = sqlx::query("SELECT reference, escrow, created_at FROM orders WHERE owner = $1 AND reference = $2");
        find.bind(owner).bind(reference).fetch_optional(&self.pool).await?.as_ref().map(order).transpose()
    }

    /// An owner's orders before this place in the list, the newest first.
    pub async fn orders(&self, owner: &str, before: &(i64, String), limit: i64) -> sqlx::Result<Vec<Order>> {
        let find = sqlx::query(
            "SELECT reference, escrow, created_at FROM orders \
             WHERE owner = $1 AND (created_at < $2 OR (created_at = $2 AND reference > $3)) \
             ORDER BY created_at DESC, reference LIMIT $4",
        );
        let rows = find.bind(owner).bind(before.0).bind(&before.1).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(order).collect()
    }

    /// Forgets what an owner calls an escrow. False where it calls none so.
    pub async fn delete_order(&self, owner: &str, reference: &str) -> sqlx::Result<bool> {
        let delete = sqlx::query("DELETE FROM orders WHERE owner = $1 AND reference = $2");
        Ok(delete.bind(owner).bind(reference).execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Adds a source. False where the owner has one of this name.
    pub async fn add_source(&self, change: &mut Change, source: &Source) -> sqlx::Result<bool> {
        let add = sqlx::query(
            "INSERT INTO order_sources (id, owner, name, url, timeout_ms, fresh_ms, bearer, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (owner, name) DO NOTHING",
        );
        let Source { id, owner, name, url, timeout_ms, fresh_ms, bearer, created_at } = source;
        let add = add.bind(id).bind(owner).bind(name).bind(url).bind(*timeout_ms).bind(*fresh_ms);
        let add = add.bind(bearer.as_deref()).bind(*created_at);
        Ok(add.execute(&mut **change).await?.rows_affected() == 1)
    }

    /// All sources of one owner, by name.
    pub async fn sources_of(&self, owner: &str) -> sqlx::Result<Vec<Source>> {
        let find = sqlx::query(
            "SELECT id, owner, name, url, timeout_ms, fresh_ms, bearer, created_at FROM order_sources \
             WHERE owner = $1 ORDER BY name",
        );
        find.bind(owner).fetch_all(&self.pool).await?.iter().map(source).collect()
    }

    /// Sources of all owners, the oldest first, after this place in the list.
    pub async fn sources(&self, after: &(i64, String), limit: i64) -> sqlx::Result<Vec<Source>> {
        let find = sqlx::query(
            "SELECT id, owner, name, url, timeout_ms, fresh_ms, bearer, created_at FROM order_sources \
             WHERE created_at > $1 OR (created_at = $1 AND id > $2) ORDER BY created_at, id LIMIT $3",
        );
        let rows = find.bind(after.0).bind(&after.1).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(source).collect()
    }

    /// Deletes a source. False where there is none.
    pub async fn delete_source(&self, id: &str) -> sqlx::Result<bool> {
        let delete = sqlx::query("DELETE FROM order_sources WHERE id = $1");
        Ok(delete.bind(id).execute(&self.pool).await?.rows_affected() == 1)
    }
}
