//! Idempotency keys: the answer to a request is written in the same change as its effect, and answered again.

use sqlx::Row as _;

use super::{Change, Store};

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The HTTP status.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// The body.
    pub body: String,
}

/// What a key says when a request comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// This request is the one that does the work, until the time that it gave, with this fence.
    Ours(i64),
    /// Another one is doing it, until then.
    InFlight(i64),
    /// It was used with another body.
    Reused,
    /// It is done.
    Done(Kept),
}

/// Which key: of whom, for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of whom.
    pub principal: String,
    /// Method and path.
    pub route: String,
    /// As the client wrote it.
    pub key: String,
}

impl Store {
    /// Takes a key for `body_hash` until `until`, if nobody has it. A key from before `used_before` is forgotten.
    pub async fn open_key(
        &self,
        place: &Place,
        body_hash: &str,
        now: i64,
        until: i64,
        used_before: i64,
    ) -> sqlx::Result<Opened> {
        let mut change = self.change().await?;
        let forget = sqlx::query(
            "DELETE FROM idempotency \
             WHERE principal = $1 AND route = $2 AND key = $3 AND created_at <= $4 AND until <= $5",
        );
        let forget = forget.bind(&place.principal).bind(&place.route).bind(&place.key).bind(used_before).bind(now);
        forget.execute(&mut *change).await?;
        let add = sqlx::query(
            "INSERT INTO idempotency (principal, route, key, body_hash, fence, until, created_at) \
             VALUES ($1, $2, $3, $4, 1, $5, $6) ON CONFLICT (principal, route, key) DO NOTHING",
        );
        let add = add.bind(&place.principal).bind(&place.route).bind(&place.key).bind(body_hash).bind(until).bind(now);
        if add.execute(&mut *change).await?.rows_affected() == 1 {
            change.commit().await?;
            return Ok(Opened::Ours(1));
        }
        // Somebody's work that was not finished in its time is taken up.
        let take = sqlx::query(
            "UPDATE idempotency SET fence = fence + 1, until = $1 \
             WHERE principal = $2 AND route = $3 AND key = $4 AND body_hash = $5 AND status IS NULL AND until <= $6 \
             RETURNING fence",
        );
        let take =
            take.bind(until).bind(&place.principal).bind(&place.route).bind(&place.key).bind(body_hash).bind(now);
        if let Some(row) = take.fetch_optional(&mut *change).await? {
            let fence = row.try_get(0)?;
            change.commit().await?;
            return Ok(Opened::Ours(fence));
        }
        let find = sqlx::query(
            "SELECT body_hash, until, status, location, body FROM idempotency \
             WHERE principal = $1 AND route = $2 AND key = $3",
        );
        let find = find.bind(&place.principal).bind(&place.route).bind(&place.key);
        let Some(row) = find.fetch_optional(&mut *change).await? else {
            // Swept in between.
            return Ok(Opened::InFlight(now));
        };
        if row.try_get::<String, _>(0)? != body_hash {
            return Ok(Opened::Reused);
        }
        match row.try_get::<Option<i64>, _>(2)? {
            None => Ok(Opened::InFlight(row.try_get(1)?)),
            Some(status) => Ok(Opened::Done(Kept {
                status: u16::try_from(status).unwrap_or(500),
                location: row.try_get(3)?,
                body: row.try_get::<Option<String>, _>(4)?.unwrap_or_default(),
            })),
        }
    }

    /// Keeps the answer, in the same change as its effect. False where somebody else has taken the work up: then nothing may
    /// be committed.
    pub async fn keep(&self, change: &mut Change, place: &Place, fence: i64, kept: &Kept) -> sqlx::Result<bool> {
        let keep = sqlx::query(
            "UPDATE idempotency SET status = $1, location = $2, body = $3, until = 0 \
             WHERE principal = $4 AND route = $5 AND key = $6 AND fence = $7 AND status IS NULL",
        );
        let keep = keep.bind(i64::from(kept.status)).bind(kept.location.as_deref()).bind(&kept.body);
        let keep = keep.bind(&place.principal).bind(&place.route).bind(&place.key).bind(fence);
        Ok(keep.execute(&mut **change).await?.rows_affected() == 1)
    }

    /// Gives a key back: the next request with it does the work.
    pub async fn release_key(&self, place: &Place, fence: i64) -> sqlx::Result<()> {
        let release = sqlx::query(
            "UPDATE idempotency SET until = 0 \
             WHERE principal = $1 AND route = $2 AND key = $3 AND fence = $4 AND status IS NULL",
        );
        let release = release.bind(&place.principal).bind(&place.route).bind(&place.key).bind(fence);
        release.execute(&self.pool).await.map(drop)
    }
}
