//! Webhook endpoints and their secrets.

use sqlx::{Row as _, any::AnyRow};

use super::{Change, Store};

/// Somebody who is told of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// By which it is found.
    pub id: String,
    /// Whose.
    pub owner: String,
    /// Where it is told.
    pub url: String,
    /// What it is for, for people.
    pub description: String,
    /// Which events, words with a space between them; empty: all.
    pub kinds: String,
    /// Of which escrows, the same way.
    pub escrows: String,
    /// Whether also what may yet be taken back.
    pub provisional: bool,
    /// Why nothing is sent: `owner` or `gone`.
    pub off_because: Option<String>,
    /// The number of the last event for which it was decided whether it is delivered.
    pub position: i64,
    /// Until when it wants to rest.
    pub rest_until: i64,
    /// When it was made.
    pub created_at: i64,
}

/// What changes of an endpoint; none: it stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointChange {
    /// Where it is told.
    pub url: Option<String>,
    /// What it is for, for people.
    pub description: Option<String>,
    /// Which events.
    pub kinds: Option<String>,
    /// Of which escrows.
    pub escrows: Option<String>,
    /// Whether also what may yet be taken back.
    pub provisional: Option<bool>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

/// With what is signed for an endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// By which it is found.
    pub id: String,
    /// `whsec_…`
    pub shared: String,
    /// `whsk_…`
    pub private: String,
    /// When it was made.
    pub created_at: i64,
    /// From when on it does not sign.
    pub expires_at: Option<i64>,
}

/// Without what is secret.
impl std::fmt::Debug for SecretRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretRow").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

macro_rules! columns {
    () => {
        "id, owner, url, description, kinds, escrows, provisional, off_because, position, rest_until, created_at"
    };
}

fn endpoint(row: &AnyRow) -> sqlx::Result<Endpoint> {
    Ok(Endpoint {
        id: row.try_get(0)?,
        owner: row.try_get(1)?,
        url: row.try_get(2)?,
        description: row.try_get(3)?,
        kinds: row.try_get(4)?,
        escrows: row.try_get(5)?,
        provisional: row.try_get::<i64, _>(6)? != 0,
        off_because: row.try_get(7)?,
        position: row.try_get(8)?,
        rest_until: row.try_get(9)?,
        created_at: row.try_get(10)?,
    })
}

impl Store {
    /// Adds an endpoint. It is told of what happens from now on.
    pub async fn add_endpoint(&self, change: &mut Change, endpoint: &Endpoint) -> sqlx::Result<()> {
        let add = sqlx::query(
            "INSERT INTO webhook_endpoints (id, owner, url, description, kinds, escrows, provisional, off_because, \
             position, rest_until, created_at) \
             SELECT $1, $2, $3, $4, $5, $6, $7, NULL, COALESCE(MAX(number), 0), 0, $8 FROM events",
        );
        let Endpoint { id, owner, url, description, kinds, escrows, provisional, created_at, .. } = endpoint;
        let add = add.bind(id).bind(owner).bind(url).bind(description).bind(kinds).bind(escrows);
        add.bind(i64::from(*provisional)).bind(*created_at).execute(&mut **change).await.map(drop)
    }

    /// The one of this owner with this id.
    pub async fn endpoint(&self, owner: &str, id: &str) -> sqlx::Result<Option<Endpoint>> {
        let find = sqlx::query(concat!("SELECT ", columns!(), " FROM webhook_endpoints WHERE owner = $1 AND id = $2"));
        find.bind(owner).bind(id).fetch_optional(&self.pool).await?.as_ref().map(endpoint).transpose()
    }

    /// An owner's, the oldest first, after this place in the list.
    pub async fn endpoints(&self, owner: &str, after: &(i64, String), limit: i64) -> sqlx::Result<Vec<Endpoint>> {
        let find = sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM webhook_endpoints WHERE owner = $1 AND (created_at > $2 OR (created_at = $2 AND id > $3)) \
             ORDER BY created_at, id LIMIT $4"
        ));
        let rows = find.bind(owner).bind(after.0).bind(&after.1).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(endpoint).collect()
    }

    /// How many an owner has.
    pub async fn count_endpoints(&self, change: &mut Change, owner: &str) -> sqlx::Result<i64> {
        let count = sqlx::query("SELECT COUNT(*) FROM webhook_endpoints WHERE owner = $1").bind(owner);
        count.fetch_one(&mut **change).await?.try_get(0)
    }

    /// Those that are switched on and stand before this place in the log.
    pub async fn endpoints_before(&self, number: i64) -> sqlx::Result<Vec<Endpoint>> {
        let find = sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM webhook_endpoints WHERE off_because IS NULL AND position < $1 ORDER BY position, id"
        ));
        find.bind(number).fetch_all(&self.pool).await?.iter().map(endpoint).collect()
    }

    /// Moves an endpoint on in the log. False where somebody else has moved it.
    pub async fn move_endpoint(&self, change: &mut Change, id: &str, from: i64, to: i64) -> sqlx::Result<bool> {
        let step = sqlx::query("UPDATE webhook_endpoints SET position = $1 WHERE id = $2 AND position = $3");
        Ok(step.bind(to).bind(id).bind(from).execute(&mut **change).await?.rows_affected() == 1)
    }

    /// Moves an endpoint back in the log, so that what lies behind is decided anew.
    pub async fn rewind_endpoint(&self, change: &mut Change, id: &str, to: i64) -> sqlx::Result<()> {
        let rewind = sqlx::query("UPDATE webhook_endpoints SET position = $1 WHERE id = $2 AND position > $1");
        rewind.bind(to).bind(id).execute(&mut **change).await.map(drop)
    }

    /// Changes an endpoint. None where this owner has none with this id.
    pub async fn change_endpoint(
        &self,
        change: &mut Change,
        owner: &str,
        id: &str,
        to: &EndpointChange,
    ) -> sqlx::Result<Option<Endpoint>> {
        let set = sqlx::query(concat!(
            "UPDATE webhook_endpoints SET url = COALESCE($1, url), description = COALESCE($2, description), \
             kinds = COALESCE($3, kinds), escrows = COALESCE($4, escrows), provisional = COALESCE($5, provisional), \
             off_because = CASE WHEN $6 = 1 THEN NULL WHEN $6 = 0 THEN 'owner' ELSE off_because END, \
             rest_until = CASE WHEN $6 = 1 THEN 0 ELSE rest_until END WHERE id = $7 AND owner = $8 RETURNING ",
            columns!()
        ));
        let EndpointChange { url, description, kinds, escrows, provisional, enabled } = to;
        let set = set.bind(url.as_deref()).bind(description.as_deref()).bind(kinds.as_deref()).bind(escrows.as_deref());
        let set = set.bind(provisional.map(i64::from)).bind(enabled.map(i64::from)).bind(id).bind(owner);
        set.fetch_optional(&mut **change).await?.as_ref().map(endpoint).transpose()
    }

    /// Has an endpoint rest until then, or longer if it rests longer already.
    pub async fn rest_endpoint(&self, change: &mut Change, id: &str, until: i64) -> sqlx::Result<()> {
        let rest = sqlx::query("UPDATE webhook_endpoints SET rest_until = $1 WHERE id = $2 AND rest_until < $1");
        rest.bind(until).bind(id).execute(&mut **change).await.map(drop)
    }

    /// Ends an endpoint's rest.
    pub async fn wake_endpoint(&self, change: &mut Change, id: &str) -> sqlx::Result<()> {
        let wake = sqlx::query("UPDATE webhook_endpoints SET rest_until = 0 WHERE id = $1");
        wake.bind(id).execute(&mut **change).await.map(drop)
    }

    /// Switches an endpoint off because its receiver wants no more.
    pub async fn end_endpoint(&self, change: &mut Change, id: &str) -> sqlx::Result<()> {
        let end = sqlx::query("UPDATE webhook_endpoints SET off_because = COALESCE(off_because, 'gone') WHERE id = $1");
        end.bind(id).execute(&mut **change).await.map(drop)
    }

    /// Deletes an endpoint with everything that belongs to it. False where this owner has none with this id.
    pub async fn delete_endpoint(&self, change: &mut Change, owner: &str, id: &str) -> sqlx::Result<bool> {
        // Taken first, so that nothing is added to it meanwhile.
        let take = sqlx::query("UPDATE webhook_endpoints SET off_because = 'owner' WHERE id = $1 AND owner = $2");
        if take.bind(id).bind(owner).execute(&mut **change).await?.rows_affected() == 0 {
            return Ok(false);
        }
        for delete in [
            "DELETE FROM webhook_deliveries WHERE endpoint = $1",
            "DELETE FROM webhook_queues WHERE endpoint = $1",
            "DELETE FROM webhook_secrets WHERE endpoint = $1",
            "DELETE FROM webhook_endpoints WHERE id = $1",
        ] {
            sqlx::query(delete).bind(id).execute(&mut **change).await?;
        }
        Ok(true)
    }

    /// Adds a secret.
    pub async fn add_secret(&self, change: &mut Change, endpoint: &str, secret: &SecretRow) -> sqlx::Result<()> {
        let add = sqlx::query(
            "INSERT INTO webhook_secrets (id, endpoint, shared, private, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, NULL)",
        );
        let SecretRow { id, shared, private, created_at, .. } = secret;
        let add = add.bind(id).bind(endpoint).bind(shared).bind(private).bind(*created_at);
        add.execute(&mut **change).await.map(drop)
    }

    /// Lets an endpoint's secrets end then, those that do not end before.
    pub async fn end_secrets(&self, change: &mut Change, endpoint: &str, at: i64) -> sqlx::Result<()> {
        let end = sqlx::query(
            "UPDATE webhook_secrets SET expires_at = $1 WHERE endpoint = $2 AND (expires_at IS NULL OR expires_at > $1)",
        );
        end.bind(at).bind(endpoint).execute(&mut **change).await.map(drop)
    }

    /// The secrets that sign for an endpoint at this time, the present one first.
    pub async fn secrets(&self, endpoint: &str, now: i64) -> sqlx::Result<Vec<SecretRow>> {
        let find = sqlx::query(
            "SELECT id, shared, private, created_at, expires_at FROM webhook_secrets \
             WHERE endpoint = $1 AND (expires_at IS NULL OR expires_at > $2) \
             ORDER BY CASE WHEN expires_at IS NULL THEN 0 ELSE 1 END, created_at DESC, id",
        );
        let secret = |row: &AnyRow| {
            Ok(SecretRow {
                id: row.try_get(0)?,
                shared: row.try_get(1)?,
                private: row.try_get(2)?,
                created_at: row.try_get(3)?,
                expires_at: row.try_get(4)?,
            })
        };
        find.bind(endpoint).bind(now).fetch_all(&self.pool).await?.iter().map(secret).collect()
    }
}
