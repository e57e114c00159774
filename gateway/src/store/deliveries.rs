//! What is told to endpoints, and the queues in which it waits: one for each endpoint and escrow, held by a lease.
//!
//! A change takes rows in one order, so that two do not wait for each other: endpoints, then queues, then deliveries.

use sqlx::{Row as _, any::AnyRow};

use super::{Change, Logged, Store, events::logged};

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue {
    /// Who is told.
    pub endpoint: String,
    /// Of which escrow.
    pub escrow: String,
}

/// The first of a queue, held by whoever claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The queue.
    pub queue: Queue,
    /// Grows with each holder.
    pub fence: i64,
    /// Until when it is held.
    pub until: i64,
    /// How often the first has failed.
    pub failures: i64,
    /// What is delivered.
    pub delivery: String,
    /// The event.
    pub event: Logged,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// When.
    pub at: i64,
    /// The status that came back.
    pub status: Option<i64>,
    /// Why nothing came back.
    pub error: Option<String>,
}

/// How a queue goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onward {
    /// With what waits behind the one that was delivered.
    Delivered,
    /// With the same one, then.
    Again(i64),
    /// Not, until somebody releases it.
    Parked,
}

/// Something that is told to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same at every attempt.
    pub id: String,
    /// Of which escrow.
    pub escrow: String,
    /// The event's place in the log.
    pub number: i64,
    /// What happened, in a word.
    pub kind: String,
    /// How often it was attempted.
    pub attempts: i64,
    /// The last attempt.
    pub last: Option<Attempted>,
    /// When it was delivered.
    pub delivered_at: Option<i64>,
    /// When it is attempted, of the first of a queue that is not parked.
    pub due_at: Option<i64>,
    /// Since when its queue is parked.
    pub parked_at: Option<i64>,
    /// When it was added.
    pub created_at: i64,
}

/// Which deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those that wait in a queue that is not parked.
    Waiting,
    /// Those that wait in a queue that is parked.
    Parked,
    /// Those that were delivered.
    Delivered,
}

fn delivery(row: &AnyRow) -> sqlx::Result<Delivery> {
    let attempted_at: Option<i64> = row.try_get(5)?;
    let (status, error) = (row.try_get(6)?, row.try_get(7)?);
    Ok(Delivery {
        id: row.try_get(0)?,
        escrow: row.try_get(1)?,
        number: row.try_get(2)?,
        kind: row.try_get(3)?,
        attempts: row.try_get(4)?,
        last: attempted_at.map(|at| Attempted { at, status, error }),
        delivered_at: row.try_get(8)?,
        created_at: row.try_get(9)?,
        due_at: row.try_get(10)?,
        parked_at: row.try_get(11)?,
    })
}

macro_rules! select_deliveries {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.escrow, d.number, d.kind, d.attempts, d.attempted_at, d.status, d.error, d.delivered_at, \
             d.created_at, CASE WHEN d.delivered_at IS NULL THEN q.due_at END, \
             CASE WHEN d.delivered_at IS NULL THEN q.parked_at END \
             FROM webhook_deliveries d JOIN webhook_queues q ON q.endpoint = d.endpoint AND q.escrow = d.escrow WHERE ",
            $rest
        )
    };
}

impl Store {
    /// Adds deliveries of these events, in the change that has moved the endpoint. What is there already stays as it is.
    pub async fn add_deliveries(
        &self,
        change: &mut Change,
        endpoint: &str,
        events: &[(String, &Logged)],
        now: i64,
    ) -> sqlx::Result<()> {
        let mut escrows: Vec<&str> = events.iter().map(|(_, logged)| logged.event.escrow.as_str()).collect();
        escrows.sort_unstable();
        escrows.dedup();
        for escrow in escrows {
            // A queue that waits for its next attempt, or is parked, goes on doing so.
            let wake = sqlx::query(
                "INSERT INTO webhook_queues (endpoint, escrow, due_at, failures, parked_at, fence, until) \
                 VALUES ($1, $2, $3, 0, NULL, 0, 0) \
                 ON CONFLICT (endpoint, escrow) DO UPDATE SET due_at = \
                 CASE WHEN webhook_queues.parked_at IS NULL THEN COALESCE(webhook_queues.due_at, $3) END",
            );
            wake.bind(endpoint).bind(escrow).bind(now).execute(&mut **change).await?;
        }
        for (id, logged) in events {
            let add = sqlx::query(
                "INSERT INTO webhook_deliveries (endpoint, id, escrow, number, kind, attempts, created_at) \
                 VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT (endpoint, id) DO NOTHING",
            );
            let add = add.bind(endpoint).bind(id).bind(&logged.event.escrow).bind(logged.number);
            add.bind(&logged.event.kind).bind(now).execute(&mut **change).await?;
        }
        Ok(())
    }

    /// Endpoints that are switched on and do not rest, in whose queues something is due that nobody holds: id and URL.
    pub async fn endpoints_due(&self, now: i64) -> sqlx::Result<Vec<(String, String)>> {
        let find = sqlx::query_as(
            "SELECT id, url FROM webhook_endpoints WHERE off_because IS NULL AND rest_until <= $1 AND EXISTS \
             (SELECT 1 FROM webhook_queues q WHERE q.endpoint = webhook_endpoints.id AND q.due_at <= $1 AND q.until <= $1)",
        );
        find.bind(now).fetch_all(&self.pool).await
    }

    /// Claims queues of an endpoint in which something is due, at most so many, those first that are due for longest.
    pub async fn claim(&self, endpoint: &str, most: i64, now: i64, until: i64) -> sqlx::Result<Vec<Claim>> {
        let mut change = self.change().await?;
        let find = sqlx::query_as(
            "SELECT escrow FROM webhook_queues WHERE endpoint = $1 AND due_at <= $2 AND until <= $2 \
             ORDER BY due_at, escrow LIMIT $3",
        );
        let mut found: Vec<(String,)> = find.bind(endpoint).bind(now).bind(most).fetch_all(&mut *change).await?;
        found.sort_unstable();
        let mut claims = Vec::new();
        for (escrow,) in found {
            let take = sqlx::query_as(
                "UPDATE webhook_queues SET fence = fence + 1, until = $1 \
                 WHERE endpoint = $2 AND escrow = $3 AND due_at <= $4 AND until <= $4 RETURNING fence, failures",
            );
            let taken: Option<(i64, i64)> =
                take.bind(until).bind(endpoint).bind(&escrow).bind(now).fetch_optional(&mut *change).await?;
            let Some((fence, failures)) = taken else { continue };
            let first = sqlx::query(
                "SELECT e.number, e.id, e.finality, e.kind, e.escrow, e.slot, e.body, e.learned_at, d.id AS delivery \
                 FROM webhook_deliveries d JOIN events e ON e.number = d.number \
                 WHERE d.endpoint = $1 AND d.escrow = $2 AND d.delivered_at IS NULL ORDER BY d.number LIMIT 1",
            );
            let queue = Queue { endpoint: endpoint.to_owned(), escrow };
            match first.bind(endpoint).bind(&queue.escrow).fetch_optional(&mut *change).await? {
                Some(row) => {
                    let (event, delivery) = (logged(&row)?, row.try_get("delivery")?);
                    claims.push(Claim { queue, fence, until, failures, delivery, event });
                }
                // What waited was delivered by somebody whose lease had ended.
                None => self.let_go(&mut change, &queue, now).await?,
            }
        }
        change.commit().await?;
        Ok(claims)
    }

    /// Gives a queue back that has not failed: due at once where more waits in it.
    async fn let_go(&self, change: &mut Change, queue: &Queue, now: i64) -> sqlx::Result<()> {
        let free = sqlx::query(
            "UPDATE webhook_queues SET until = 0, failures = 0, due_at = CASE WHEN EXISTS (SELECT 1 FROM webhook_deliveries \
             WHERE endpoint = $2 AND escrow = $3 AND delivered_at IS NULL) THEN $1 END WHERE endpoint = $2 AND escrow = $3",
        );
        free.bind(now).bind(&queue.endpoint).bind(&queue.escrow).execute(&mut **change).await.map(drop)
    }

    /// Writes what an attempt came to, and gives the queue back. False where somebody else holds it by now, or was told to repeat
    /// something of it: then nothing is written, and what was delivered is delivered once more.
    pub async fn settle(
        &self,
        change: &mut Change,
        claim: &Claim,
        attempted: &Attempted,
        onward: Onward,
    ) -> sqlx::Result<bool> {
        let Claim { queue: queue @ Queue { endpoint, escrow }, fence, delivery, .. } = claim;
        let (delivered_at, due_at, parked_at) = match onward {
            Onward::Delivered => (Some(attempted.at), None, None),
            Onward::Again(at) => (None, Some(at), None),
            Onward::Parked => (None, None, Some(attempted.at)),
        };
        // The queue's row is taken first: whoever adds to it waits, or has added what is looked for below.
        let free = sqlx::query(
            "UPDATE webhook_queues SET due_at = $1, parked_at = $2, failures = failures + 1, until = 0 \
             WHERE endpoint = $3 AND escrow = $4 AND fence = $5",
        );
        let free = free.bind(due_at).bind(parked_at).bind(endpoint).bind(escrow).bind(*fence);
        if free.execute(&mut **change).await?.rows_affected() == 0 {
            // Where the lease is still this one, nobody holds the queue: it was told to repeat something. Another's lease ends
            // later, because it could begin only after this one.
            let leave =
                sqlx::query("UPDATE webhook_queues SET until = 0 WHERE endpoint = $1 AND escrow = $2 AND until = $3");
            leave.bind(endpoint).bind(escrow).bind(claim.until).execute(&mut **change).await?;
            return Ok(false);
        }
        let write = sqlx::query(
            "UPDATE webhook_deliveries SET attempts = attempts + 1, attempted_at = $1, status = $2, error = $3, \
             delivered_at = $4 WHERE endpoint = $5 AND id = $6",
        );
        let write = write.bind(attempted.at).bind(attempted.status).bind(attempted.error.as_deref());
        write.bind(delivered_at).bind(endpoint).bind(delivery).execute(&mut **change).await?;
        if onward == Onward::Delivered {
            self.let_go(change, queue, attempted.at).await?;
        }
        Ok(true)
    }

    /// Has an endpoint's queues that have failed, or are parked, attempted at once: how many.
    pub async fn release_queues(&self, change: &mut Change, endpoint: &str, now: i64) -> sqlx::Result<u64> {
        let release = sqlx::query(
            "UPDATE webhook_queues SET parked_at = NULL, failures = 0, due_at = $1 \
             WHERE endpoint = $2 AND (parked_at IS NOT NULL OR failures > 0)",
        );
        Ok(release.bind(now).bind(endpoint).execute(&mut **change).await?.rows_affected())
    }

    /// Has everything from this place in the log on delivered once more: how many of them. Who holds a queue of it ends first, and
    /// what that came to is not written: so nothing overtakes what is before it.
    pub async fn repeat_from(&self, change: &mut Change, endpoint: &str, number: i64, now: i64) -> sqlx::Result<u64> {
        let wake = sqlx::query(
            "UPDATE webhook_queues SET parked_at = NULL, failures = 0, due_at = $1, fence = fence + 1 \
             WHERE endpoint = $2 AND escrow IN (SELECT escrow FROM webhook_deliveries WHERE endpoint = $2 AND number >= $3)",
        );
        wake.bind(now).bind(endpoint).bind(number).execute(&mut **change).await?;
        let again =
            sqlx::query("UPDATE webhook_deliveries SET delivered_at = NULL WHERE endpoint = $1 AND number >= $2");
        Ok(again.bind(endpoint).bind(number).execute(&mut **change).await?.rows_affected())
    }

    /// Has one delivered once more, behind what waits before it. False where the endpoint has none with this id.
    pub async fn repeat(&self, change: &mut Change, endpoint: &str, id: &str, now: i64) -> sqlx::Result<bool> {
        let find = sqlx::query_as("SELECT escrow FROM webhook_deliveries WHERE endpoint = $1 AND id = $2");
        let found: Option<(String,)> = find.bind(endpoint).bind(id).fetch_optional(&mut **change).await?;
        let Some((escrow,)) = found else { return Ok(false) };
        let wake = sqlx::query(
            "UPDATE webhook_queues SET parked_at = NULL, failures = 0, due_at = $1, fence = fence + 1 \
             WHERE endpoint = $2 AND escrow = $3",
        );
        wake.bind(now).bind(endpoint).bind(&escrow).execute(&mut **change).await?;
        let again = sqlx::query("UPDATE webhook_deliveries SET delivered_at = NULL WHERE endpoint = $1 AND id = $2");
        again.bind(endpoint).bind(id).execute(&mut **change).await.map(|_| true)
    }

    /// An endpoint's deliveries before this place in the list, the newest first.
    pub async fn deliveries(
        &self,
        endpoint: &str,
        which: Which,
        escrow: Option<&str>,
        before: i64,
        limit: i64,
    ) -> sqlx::Result<Vec<Delivery>> {
        let find = sqlx::query(match which {
            Which::All => select_deliveries!(
                "d.endpoint = $1 AND ($2 = '' OR d.escrow = $2) AND d.number < $3 ORDER BY d.number DESC LIMIT $4"
            ),
            Which::Waiting => select_deliveries!(
                "d.endpoint = $1 AND ($2 = '' OR d.escrow = $2) AND d.number < $3 AND d.delivered_at IS NULL \
                 AND q.parked_at IS NULL ORDER BY d.number DESC LIMIT $4"
            ),
            Which::Parked => select_deliveries!(
                "d.endpoint = $1 AND ($2 = '' OR d.escrow = $2) AND d.number < $3 AND d.delivered_at IS NULL \
                 AND q.parked_at IS NOT NULL ORDER BY d.number DESC LIMIT $4"
            ),
            Which::Delivered => select_deliveries!(
                "d.endpoint = $1 AND ($2 = '' OR d.escrow = $2) AND d.number < $3 AND d.delivered_at IS NOT NULL \
                 ORDER BY d.number DESC LIMIT $4"
            ),
        });
        let find = find.bind(endpoint).bind(escrow.unwrap_or_default()).bind(before).bind(limit);
        find.fetch_all(&self.pool).await?.iter().map(delivery).collect()
    }

    /// One of an endpoint's deliveries, as this change sees it.
    pub async fn delivery(&self, change: &mut Change, endpoint: &str, id: &str) -> sqlx::Result<Option<Delivery>> {
        let find = sqlx::query(select_deliveries!("d.endpoint = $1 AND d.id = $2"));
        find.bind(endpoint).bind(id).fetch_optional(&mut **change).await?.as_ref().map(delivery).transpose()
    }

    /// How many deliveries of an endpoint wait, and how many of its queues are parked.
    pub async fn backlog(&self, endpoint: &str) -> sqlx::Result<(i64, i64)> {
        let count = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM webhook_deliveries WHERE endpoint = $1 AND delivered_at IS NULL), \
             (SELECT COUNT(*) FROM webhook_queues WHERE endpoint = $1 AND parked_at IS NOT NULL)",
        );
        count.bind(endpoint).fetch_one(&self.pool).await
    }

    /// Forgets what was delivered before then, queues in which nothing waits, and secrets that are over.
    pub async fn sweep_deliveries(&self, now: i64, before: i64) -> sqlx::Result<u64> {
        let mut swept = 0u64;
        for (delete, time) in [
            ("DELETE FROM webhook_deliveries WHERE delivered_at < $1", before),
            (
                "DELETE FROM webhook_queues WHERE due_at IS NULL AND parked_at IS NULL AND until < $1 AND NOT EXISTS \
                 (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = webhook_queues.endpoint \
                 AND d.escrow = webhook_queues.escrow)",
                before,
            ),
            ("DELETE FROM webhook_secrets WHERE expires_at < $1", now),
        ] {
            swept = swept.saturating_add(sqlx::query(delete).bind(time).execute(&self.pool).await?.rows_affected());
        }
        Ok(swept)
    }
}
