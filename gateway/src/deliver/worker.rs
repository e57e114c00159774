//! Attempts what is due. Any number of these may run: a lease on each queue lets one work on it, and what a receiver hears
//! twice has the same id.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use rand::Rng;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    dispatch::dispatch,
    egress::{Egress, PATIENCE},
    message::{self, Message},
    schedule::{self, Next, Outcome, SPREAD},
    sign::{Secret, signature},
};
use crate::store::{Attempted, Claim, Onward, SecretRow, Store};

/// How often the log is looked at, if nobody says that there is something new.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How many attempts one process has under way, and how many of them to one endpoint: one that is slow keeps no other waiting.
const AT_ONCE: usize = 1_024;
const AT_ONCE_EACH: usize = 32;
/// How long a queue is held for one attempt, in milliseconds: twice as long as an attempt takes.
const LEASE: i64 = 30_000;

/// What time it is, in unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What it means.
    pub outcome: Outcome,
    /// The status that came back.
    pub status: Option<u16>,
    /// What was wrong, for people.
    pub error: Option<String>,
    /// The answer's body, or its beginning.
    pub body: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// Sends a message once, signed at this time.
pub async fn attempt(
    egress: &Egress,
    url: &str,
    secrets: &[Secret],
    message: &Message,
    now: i64,
    patience: Duration,
) -> Attempt {
    let seconds = now.div_euclid(1_000);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("webhook-id", message.id.clone()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature(secrets, &message.id, seconds, &message.body)),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let began = Instant::now();
    let answer = egress.send(Method::POST, url, headers, message.body.clone().into_bytes(), patience).await;
    let took = began.elapsed();
    match answer {
        Err(error) => {
            let error = Some(error.to_string());
            Attempt { outcome: Outcome::Failed, status: None, error, body: Vec::new(), took }
        }
        Ok(answer) => {
            let is_redirect = (300..400).contains(&answer.status);
            let error = is_redirect.then(|| "redirects are not followed: set the URL that it leads to".to_owned());
            let outcome = schedule::outcome(answer.status, answer.retry_after.as_deref(), now);
            Attempt { outcome, status: Some(answer.status), error, body: answer.body, took }
        }
    }
}

/// A secret from its row. What cannot be read does not sign, and is in the log.
pub fn readable(row: &SecretRow) -> Option<Secret> {
    match Secret::read(&row.shared, &row.private) {
        Ok(secret) => Some(secret),
        Err(error) => {
            tracing::error!(%error, id = row.id, "a webhook's secret does not sign");
            None
        }
    }
}

/// Delivers.
#[derive(Clone)]
pub struct Deliver {
    store: Store,
    egress: Arc<Egress>,
    public_url: String,
    clock: Clock,
    patience: Duration,
}

/// A delivery that is under way: by its lease nobody else's.
#[derive(Debug, Clone)]
pub struct Held {
    url: String,
    secrets: Arc<[Secret]>,
    claim: Claim,
}

/// A delivery that was attempted, and is not written down yet.
#[derive(Debug)]
pub struct Done {
    claim: Claim,
    attempt: Attempt,
    at: i64,
}

impl Deliver {
    /// What the log of this database has. `public_url` begins the links in messages.
    pub fn new(store: Store, egress: Arc<Egress>, public_url: String) -> Self {
        Self { store, egress, public_url, clock: Arc::new(crate::now_ms), patience: PATIENCE }
    }

    /// The same by another clock, and with another patience for receivers, at most the usual one.
    #[must_use]
    pub fn at(self, clock: Clock, patience: Duration) -> Self {
        Self { clock, patience: patience.min(PATIENCE), ..self }
    }

    /// Moves the endpoints on in the log. Whether there is more.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn dispatch(&self) -> sqlx::Result<bool> {
        dispatch(&self.store, (self.clock)()).await
    }

    /// Claims what is due, at most so much, and of each endpoint as much as `room` says.
    ///
    /// # Errors
    ///
    /// Where the database does not answer.
    pub async fn claim(&self, most: usize, room: impl Fn(&str) -> usize) -> sqlx::Result<Vec<Held>> {
        let now = (self.clock)();
        let mut held = Vec::new();
        for (endpoint, url) in self.store.endpoints_due(now).await? {
            let most = room(&endpoint).min(most.saturating_sub(held.len()));
            if most == 0 {
                continue;
            }
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let secrets: Arc<[Secret]> =
                self.store.secrets(&endpoint, now).await?.iter().filter_map(readable).collect();
            let claims = self.store.claim(&endpoint, most, now, now.saturating_add(LEASE)).await?;
            let of = |claim| Held { url: url.clone(), secrets: Arc::clone(&secrets), claim };
            held.extend(claims.into_iter().map(of));
        }
        Ok(held)
    }

    /// Attempts what is held. None where the lease may end before the attempt does: then it is somebody else's.
    pub async fn attempt(&self, held: Held) -> Option<Done> {
        let Held { url, secrets, claim } = held;
        let now = (self.clock)();
        let patience = i64::try_from(self.patience.as_millis()).unwrap_or(i64::MAX);
        if now.saturating_add(patience) > claim.until {
            tracing::warn!(delivery = claim.delivery, "too late to attempt it");
            return None;
        }
        let attempt = match message::of_event(&claim.event, &self.public_url) {
            Ok(message) => attempt(&self.egress, &url, &secrets, &message, now, self.patience).await,
            Err(error) => {
                tracing::error!(%error, number = claim.event.number, "the log holds something that is not JSON");
                let error = Some("the gateway cannot read this event: its log says why".to_owned());
                Attempt { outcome: Outcome::Failed, status: None, error, body: Vec::new(), took: Duration::ZERO }
            }
        };
        Some(Done { claim, attempt, at: (self.clock)() })
    }

    /// Writes down what was attempted, all in one change.
    ///
    /// # Errors
    ///
    /// Where the database does not answer. Then it is attempted again when the leases end.
    pub async fn record(&self, mut done: Vec<Done>) -> sqlx::Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        done.sort_by(|one, other| one.claim.queue.cmp(&other.claim.queue));
        let next: Vec<Next> = done.iter().map(Done::next).collect();
        let mut change = self.store.change().await?;
        for (done, next) in done.iter().zip(&next) {
            let endpoint = &done.claim.queue.endpoint;
            match next {
                Next::Off => self.store.end_endpoint(&mut change, endpoint).await?,
                Next::Again { rest_until: Some(until), .. } | Next::Park { rest_until: Some(until) } => {
                    self.store.rest_endpoint(&mut change, endpoint, *until).await?;
                }
                _ => {}
            }
        }
        for (done, next) in done.iter().zip(&next) {
            let onward = match next {
                Next::Onward => Onward::Delivered,
                Next::Again { at, .. } => Onward::Again(*at),
                Next::Park { .. } => Onward::Parked,
                // As soon as it is switched on again.
                Next::Off => Onward::Again(done.at),
            };
            let Attempt { status, error, .. } = &done.attempt;
            let attempted = Attempted { at: done.at, status: status.map(i64::from), error: error.clone() };
            if !self.store.settle(&mut change, &done.claim, &attempted, onward).await? {
                tracing::warn!(delivery = done.claim.delivery, "it was taken up or told to be repeated meanwhile");
            }
        }
        change.commit().await?;
        done.iter().zip(&next).for_each(|(done, next)| done.count(*next));
        Ok(())
    }

    /// Works until it is told to end. `wake` says that there is something new.
    pub async fn run(self, wake: Arc<Notify>, end: CancellationToken) {
        let (mut tasks, mut done) = (JoinSet::new(), Vec::new());
        let mut rooms: HashMap<String, Arc<Semaphore>> = HashMap::new();
        while !end.is_cancelled() {
            let mut is_more = false;
            match self.turn(&mut tasks, &mut rooms, std::mem::take(&mut done)).await {
                Ok(more) => is_more = more,
                Err(error) => tracing::error!(%error, "webhooks wait for the database"),
            }
            tokio::select! {
                () = end.cancelled() => {}
                () = wake.notified() => {}
                Some(ended) = tasks.join_next() => done.extend(ended.ok().flatten()),
                () = tokio::time::sleep(if is_more { Duration::ZERO } else { LOOK_EVERY }) => {}
            }
            while let Some(ended) = tasks.try_join_next() {
                done.extend(ended.ok().flatten());
            }
        }
        // What is under way ends, and is written down.
        let rest = async {
            while let Some(ended) = tasks.join_next().await {
                done.extend(ended.ok().flatten());
            }
        };
        if timeout(self.patience, rest).await.is_err() {
            tracing::warn!("some attempts did not end: they are repeated when their leases end");
        }
        if let Err(error) = self.record(done).await {
            tracing::warn!(%error, "attempts were not written down: they are repeated when their leases end");
        }
    }

    async fn turn(
        &self,
        tasks: &mut JoinSet<Option<Done>>,
        rooms: &mut HashMap<String, Arc<Semaphore>>,
        done: Vec<Done>,
    ) -> sqlx::Result<bool> {
        self.record(done).await?;
        let is_more = self.dispatch().await?;
        rooms.retain(|_, room| room.available_permits() < AT_ONCE_EACH);
        let free = |endpoint: &str| rooms.get(endpoint).map_or(AT_ONCE_EACH, |room| room.available_permits());
        for held in self.claim(AT_ONCE.saturating_sub(tasks.len()), free).await? {
            let room = rooms.entry(held.claim.queue.endpoint.clone());
            let room = Arc::clone(room.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_EACH))));
            // There is one: as many were claimed as are free.
            let permit: Option<OwnedSemaphorePermit> = room.try_acquire_owned().ok();
            let worker = self.clone();
            tasks.spawn(async move {
                let done = worker.attempt(held).await;
                drop(permit);
                done
            });
        }
        Ok(is_more)
    }
}

impl Done {
    /// What follows.
    fn next(&self) -> Next {
        let failures = u32::try_from(self.claim.failures).unwrap_or(u32::MAX);
        schedule::next(failures, self.attempt.outcome, self.at, rand::rng().random_range(-SPREAD..=SPREAD))
    }

    fn count(&self, next: Next) {
        let outcome = match (self.attempt.outcome, next) {
            (_, Next::Park { .. }) => "parked",
            (Outcome::Taken, _) => "taken",
            (Outcome::Gone, _) => "gone",
            (Outcome::Busy { .. }, _) => "busy",
            (Outcome::Failed, _) => "failed",
        };
        metrics::counter!("escrow_gateway_webhook_attempts_total", "outcome" => outcome).increment(1);
        if self.attempt.outcome == Outcome::Taken {
            let waited = u64::try_from(self.at.saturating_sub(self.claim.event.learned_at)).unwrap_or(0);
            let waited = Duration::from_millis(waited).as_secs_f64();
            metrics::histogram!("escrow_gateway_webhook_delay_seconds").record(waited);
        }
    }
}

/// Without what is secret.
impl std::fmt::Debug for Deliver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliver").field("egress", &self.egress).finish_non_exhaustive()
    }
}
