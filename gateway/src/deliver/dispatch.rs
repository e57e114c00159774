//! From the log to the queues: each endpoint goes through the log from its own place, and moves on in the change that adds what
//! it is told. Any number of these may run: of two that move the same endpoint, one does.

use std::collections::{HashMap, hash_map::Entry};

use super::message::id_of;
use crate::store::{Endpoint, EventFinality, Logged, Store};

/// How many events an endpoint moves on by in one change.
const AT_ONCE: i64 = 500;

/// Moves every endpoint on by some events. Whether there is more.
///
/// # Errors
///
/// Where the database does not answer.
pub async fn dispatch(store: &Store, now: i64) -> sqlx::Result<bool> {
    let last = store.last_event().await?;
    // Most endpoints stand at the same place.
    let mut pages: HashMap<i64, Vec<Logged>> = HashMap::new();
    let mut is_more = false;
    for endpoint in store.endpoints_before(last).await? {
        let from = endpoint.position;
        let page = match pages.entry(from) {
            Entry::Occupied(page) => page.into_mut(),
            Entry::Vacant(place) => place.insert(store.events_after(from, AT_ONCE).await?),
        };
        let Some(end) = page.last().map(|last| last.number) else { continue };
        let wanted = page.iter().filter(|logged| wants(&endpoint, logged));
        let told: Vec<_> =
            wanted.map(|logged| (id_of(&logged.event.id, logged.event.finality.name()), logged)).collect();
        let mut change = store.change().await?;
        if store.move_endpoint(&mut change, &endpoint.id, from, end).await? {
            store.add_deliveries(&mut change, &endpoint.id, &told, now).await?;
            change.commit().await?;
        }
        is_more |= end < last;
    }
    Ok(is_more)
}

/// Whether an endpoint is told of an event.
fn wants(endpoint: &Endpoint, logged: &Logged) -> bool {
    let has = |words: &str, word: &str| words.is_empty() || words.split(' ').any(|one| one == word);
    let is_sure = logged.event.finality == EventFinality::Final;
    (is_sure || endpoint.provisional)
        && has(&endpoint.kinds, &logged.event.kind)
        && has(&endpoint.escrows, &logged.event.escrow)
}
