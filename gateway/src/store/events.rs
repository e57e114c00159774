//! The log of what happened to escrows. See the migration for who writes it.

use serde::Serialize;
use sqlx::Row as _;
use utoipa::ToSchema;

use super::{Change, Store};

/// How sure an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventFinality {
    /// It may yet be taken back.
    Provisional,
    /// It stays.
    Final,
    /// It was provisional, and was taken back.
    Reverted,
}

impl EventFinality {
    const ALL: [Self; 3] = [Self::Provisional, Self::Final, Self::Reverted];

    /// By which it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Final => "final",
            Self::Reverted => "reverted",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finality| finality.name() == name)
    }
}

/// An event to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The same for ever.
    pub id: String,
    /// How sure it is.
    pub finality: EventFinality,
    /// What happened, in a word.
    pub kind: String,
    /// To which escrow.
    pub escrow: String,
    /// In which slot.
    pub slot: i64,
    /// As clients are told it: JSON.
    pub body: String,
}

/// An event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the log, from 1.
    pub number: i64,
    /// What was written.
    pub event: NewEvent,
    /// When, in unix milliseconds.
    pub learned_at: i64,
}

impl Store {
    /// Writes an event at the log's end, and gives its number; none where it stands there already. The change must have touched
    /// the row of the index's lease before.
    pub async fn add_event(&self, change: &mut Change, event: &NewEvent, now: i64) -> sqlx::Result<Option<i64>> {
        let NewEvent { id, finality, kind, escrow, slot, body } = event;
        let add = sqlx::query(
            "INSERT INTO events (number, id, finality, kind, escrow, slot, body, learned_at) \
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM events WHERE 1 = 1 \
             ON CONFLICT (id, finality) DO NOTHING RETURNING number",
        );
        let add = add.bind(id).bind(finality.name()).bind(kind).bind(escrow).bind(*slot).bind(body).bind(now);
        add.fetch_optional(&mut **change).await?.map(|row| row.try_get(0)).transpose()
    }

    /// The events behind this number, at most so many, in order; without those that are older than what is kept.
    pub async fn events_after(&self, number: i64, limit: i64) -> sqlx::Result<Vec<Logged>> {
        let rows = sqlx::query(
            "SELECT number, id, finality, kind, escrow, slot, body, learned_at FROM events WHERE number > $1 \
             AND body <> '' ORDER BY number LIMIT $2",
        );
        let rows = rows.bind(number).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(logged).collect()
    }

    /// Of the events behind the number `after` and not behind `until` those of these kinds (a text with a comma around each;
    /// empty: all) and of this escrow (empty: all), at most so many, in order.
    pub async fn events_between(
        &self,
        (after, until): (i64, i64),
        kinds: &str,
        escrow: &str,
        limit: i64,
    ) -> sqlx::Result<Vec<Logged>> {
        let of_all = "SELECT number, id, finality, kind, escrow, slot, body, learned_at FROM events \
             WHERE number > $1 AND number <= $2 AND body <> '' AND ($3 = '' OR $3 LIKE '%,' || kind || ',%') \
             ORDER BY number LIMIT $4";
        let of_one = "SELECT number, id, finality, kind, escrow, slot, body, learned_at FROM events \
             WHERE number > $1 AND number <= $2 AND body <> '' AND ($3 = '' OR $3 LIKE '%,' || kind || ',%') \
             AND escrow = $5 ORDER BY number LIMIT $4";
        let rows = sqlx::query(if escrow.is_empty() { of_all } else { of_one });
        let mut rows = rows.bind(after).bind(until).bind(kinds).bind(limit);
        if !escrow.is_empty() {
            rows = rows.bind(escrow);
        }
        rows.fetch_all(&self.pool).await?.iter().map(logged).collect()
    }

    /// The number of the first event that is kept; one behind the last where none is.
    pub async fn first_event(&self) -> sqlx::Result<i64> {
        let row = sqlx::query(
            "SELECT COALESCE((SELECT MIN(number) FROM events WHERE body <> ''), \
             (SELECT COALESCE(MAX(number), 0) + 1 FROM events))",
        );
        row.fetch_one(&self.pool).await?.try_get(0)
    }

    /// Empties the events that were learned before this time, the oldest first and at most so many: their names stay, so that
    /// nothing is told again. How many.
    pub async fn empty_events(&self, learned_before: i64, most: i64) -> sqlx::Result<u64> {
        let first = self.first_event().await?;
        let empty = sqlx::query(
            "UPDATE events SET body = '' WHERE body <> '' AND number >= $1 AND number < $2 AND number <= \
             (SELECT COALESCE(MAX(number), 0) FROM events WHERE number < $2 AND learned_at < $3)",
        );
        let empty = empty.bind(first).bind(first.saturating_add(most)).bind(learned_before);
        Ok(empty.execute(&self.pool).await?.rows_affected())
    }

    /// The number of the first event that was learned then or later; none where there is none yet.
    pub async fn first_event_since(&self, change: &mut Change, learned_at: i64) -> sqlx::Result<Option<i64>> {
        let first =
            sqlx::query("SELECT MIN(number) FROM events WHERE learned_at >= $1 AND body <> ''").bind(learned_at);
        first.fetch_one(&mut **change).await?.try_get(0)
    }

    /// The number of the last event; 0 where there is none.
    pub async fn last_event(&self) -> sqlx::Result<i64> {
        let row = sqlx::query("SELECT COALESCE(MAX(number), 0) FROM events").fetch_one(&self.pool).await?;
        row.try_get(0)
    }
}

pub(super) fn logged(row: &sqlx::any::AnyRow) -> sqlx::Result<Logged> {
    let finality: String = row.try_get("finality")?;
    let finality = EventFinality::of(&finality)
        .ok_or_else(|| sqlx::Error::Decode(format!("{finality} is no finality of an event").into()))?;
    let event = NewEvent {
        id: row.try_get("id")?,
        finality,
        kind: row.try_get("kind")?,
        escrow: row.try_get("escrow")?,
        slot: row.try_get("slot")?,
        body: row.try_get("body")?,
    };
    Ok(Logged { number: row.try_get("number")?, event, learned_at: row.try_get("learned_at")? })
}
