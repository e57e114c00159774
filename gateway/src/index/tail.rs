//! The end of the log in memory, so that ten thousand streams ask the database once and not ten thousand times.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::store::{Logged, Store};

/// How often the log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many events are held.
const HELD: usize = 1_000;
/// How many are read at once.
const READ: i64 = 500;

/// The last events of the log.
#[derive(Debug)]
pub struct Tail {
    /// What is held, and the number behind which nothing of the log is missing in it.
    held: RwLock<(i64, VecDeque<Arc<Logged>>)>,
    head: watch::Sender<i64>,
}

/// Nothing is held before it runs.
impl Default for Tail {
    fn default() -> Self {
        Self { held: RwLock::new((i64::MAX, VecDeque::new())), head: watch::Sender::new(0) }
    }
}

impl Tail {
    /// Follows the log until it is cancelled.
    pub async fn run(&self, store: Store, end: CancellationToken) {
        let mut head = None;
        loop {
            if let Err(error) = self.look(&store, &mut head).await {
                tracing::warn!(%error, "the log of events cannot be read");
            }
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&self, store: &Store, head: &mut Option<i64>) -> sqlx::Result<()> {
        let from = match *head {
            Some(head) => head,
            None => {
                let last = store.last_event().await?;
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = (last, VecDeque::new());
                *head = Some(last);
                self.head.send_replace(last);
                return Ok(());
            }
        };
        let found = store.events_after(from, READ).await?;
        let Some(last) = found.last().map(|last| last.number) else { return Ok(()) };
        {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            let (since, events) = &mut *held;
            events.extend(found.into_iter().map(Arc::new));
            while events.len() > HELD {
                if let Some(gone) = events.pop_front() {
                    *since = gone.number;
                }
            }
        }
        *head = Some(last);
        self.head.send_replace(last);
        Ok(())
    }

    /// Tells of the number of the last event, each time that it has changed.
    pub fn head(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// The events behind this number; none where they are not held.
    pub fn after(&self, number: i64) -> Option<Vec<Arc<Logged>>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let (since, events) = &*held;
        (number >= *since).then(|| events.iter().filter(|event| event.number > number).map(Arc::clone).collect())
    }
}
