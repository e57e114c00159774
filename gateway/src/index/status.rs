//! How fresh the index is, as every process sees it.

use super::rows;
use crate::store::Store;

/// How fresh the index is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which generation serves.
    pub generation: i64,
    /// Everything up to this slot is in it.
    pub slot: u64,
    /// The chain's time then, in unix seconds.
    pub time: i64,
    /// How long ago it had everything that was final, in seconds; none where it never had.
    pub complete_seconds_ago: Option<i64>,
    /// Why it does not come further; empty where it does.
    pub trouble: String,
    /// How many transactions cannot be read.
    pub dead_letters: i64,
}

impl Status {
    /// At this time of the gateway's, in unix milliseconds; none before there is an index.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn read(store: &Store, now: i64) -> sqlx::Result<Option<Self>> {
        let Some(serving) = store.serving().await? else { return Ok(None) };
        let ago = now.saturating_sub(serving.complete_at).div_euclid(1_000).max(0);
        Ok(Some(Self {
            generation: serving.number,
            slot: rows::read(serving.floor),
            time: serving.floor_time,
            complete_seconds_ago: (serving.complete_at > 0).then_some(ago),
            dead_letters: store.count_dead_letters(serving.number).await?,
            trouble: serving.trouble,
        }))
    }

    /// Whether lists can be answered from it: it had everything that was final at most so many seconds ago.
    pub fn is_fresh(&self, most_seconds: u64) -> bool {
        let most = i64::try_from(most_seconds).unwrap_or(i64::MAX);
        self.complete_seconds_ago.is_some_and(|ago| ago <= most)
    }
}
