//! Many slow sources at once. What is asked goes on when nobody waits for it any more, up to the source's own time limit, so that
//! the next who asks finds its answer; nobody asks twice at once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, Method, header};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, join_all},
};
use serde_json::Value;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{breaker::Breaker, cache::Cache};
use crate::{config::Bearer, deliver::egress::Egress, store::Source};

/// How many requests to one source are under way.
const AT_ONCE: usize = 64;
/// The most bytes of a value.
const MOST_BYTES: usize = 8 * 1024;
/// What stands for the reference in a source's URL.
pub const PLACE: &str = "{reference}";

/// Which answer: a source's id, and a reference.
type Key = (String, String);
/// A request that several may wait for; what it comes to if not to a value.
type UnderWay = Shared<BoxFuture<'static, Result<(), String>>>;

/// All sources.
#[derive(Clone)]
pub struct Sources {
    egress: Arc<Egress>,
    bearers: Arc<BTreeMap<String, Bearer>>,
    known: Arc<Cache<Key, Value>>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    under_way: HashMap<Key, UnderWay>,
    breakers: HashMap<String, Breaker>,
    rooms: HashMap<String, Arc<Semaphore>>,
}

/// What a source says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The value, or the last good one; none where there never was one.
    pub value: Option<Value>,
    /// How old it is, in milliseconds.
    pub age: Option<i64>,
    /// Why it is not what the source would say now; none where it is.
    pub reason: Option<String>,
}

impl Sources {
    /// Reached by this way out, with these tokens.
    pub fn new(egress: Arc<Egress>, bearers: BTreeMap<String, Bearer>) -> Self {
        Self { egress, bearers: Arc::new(bearers), known: Arc::default(), state: Arc::default() }
    }

    /// Asks every source about every order at once, until the deadline. Row by row, in the order of `references` and `sources`.
    pub async fn ask(&self, sources: &[Source], references: &[String], deadline: Instant) -> Vec<Vec<Said>> {
        let rows = references
            .iter()
            .map(|reference| join_all(sources.iter().map(|source| self.ask_one(source, reference, deadline))));
        join_all(rows).await
    }

    async fn ask_one(&self, source: &Source, reference: &str, deadline: Instant) -> Said {
        let key = (source.id.clone(), reference.to_owned());
        let now = crate::now_ms();
        let age = |at: i64| crate::now_ms().saturating_sub(at).max(0);
        if let Some((value, at)) = self.known.get(&key)
            && now.saturating_sub(at) < source.fresh_ms
        {
            return Said { value: Some(value), age: Some(age(at)), reason: None };
        }
        let outcome = match self.begin(source, &key, now) {
            Err(reason) => Err(reason),
            Ok(under_way) => match timeout_at(deadline, under_way).await {
                Ok(outcome) => outcome,
                Err(_) => Err("no answer before the deadline: it is waited for, ask again".to_owned()),
            },
        };
        let known = self.known.get(&key);
        Said {
            age: known.as_ref().map(|(_, at)| age(*at)),
            value: known.map(|(value, _)| value),
            reason: outcome.err(),
        }
    }

    /// The request that is under way, or a new one. Why there is none.
    fn begin(&self, source: &Source, key: &Key, now: i64) -> Result<UnderWay, String> {
        let mut state = self.lock();
        if let Some(under_way) = state.under_way.get(key).filter(|under_way| under_way.peek().is_none()) {
            return Ok(under_way.clone());
        }
        if let Err(wait) = state.breakers.entry(source.id.clone()).or_default().ask(now) {
            let seconds = wait.div_euclid(1_000).saturating_add(1);
            return Err(format!("it failed again and again: it is asked again in {seconds} s"));
        }
        let room = state.rooms.entry(source.id.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
        let (this, source, asked, room) = (self.clone(), source.clone(), key.clone(), Arc::clone(room));
        // A task of its own: it goes on when nobody waits any more.
        let task = tokio::spawn(async move {
            let _permit = room.acquire().await;
            let outcome = this.fetch(&source, &asked.1).await;
            let now = crate::now_ms();
            let told = match outcome {
                Ok(value) => {
                    this.known.put(asked.clone(), value, now);
                    Ok(())
                }
                Err(reason) => Err(reason),
            };
            let mut state = this.lock();
            state.breakers.entry(asked.0.clone()).or_default().tell(told.is_ok(), now);
            state.under_way.remove(&asked);
            told
        });
        let ended = async { task.await.unwrap_or_else(|_| Err("the gateway is about to end".to_owned())) };
        let under_way = ended.boxed().shared();
        state.under_way.insert(key.clone(), under_way.clone());
        Ok(under_way)
    }

    async fn fetch(&self, source: &Source, reference: &str) -> Result<Value, String> {
        let url = source.url.replace(PLACE, reference);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(name) = &source.bearer {
            headers.insert(header::AUTHORIZATION, self.bearer(name, &url)?);
        }
        let patience = Duration::from_millis(u64::try_from(source.timeout_ms).unwrap_or(0));
        let answer = self.egress.send(Method::GET, &url, headers, Vec::new(), patience).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status {
            200..=299 => {}
            404 => return Ok(Value::Null),
            status => return Err(format!("it answered {status}")),
        }
        if !answer.is_whole || answer.body.len() > MOST_BYTES {
            return Err(format!("its answer is longer than {MOST_BYTES} bytes, or broke off"));
        }
        serde_json::from_slice(&answer.body).map_err(|_| "its answer is not JSON".to_owned())
    }

    /// A token from the settings, for the URLs that it is meant for and no others.
    fn bearer(&self, name: &str, url: &str) -> Result<HeaderValue, String> {
        let found = self.bearers.get(name).filter(|bearer| url.starts_with(&bearer.url));
        let bearer = found.ok_or_else(|| format!("the settings have no bearer {name:?} for its URL"))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.token))
            .map_err(|_| format!("the bearer {name:?} of the settings is no token"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without what was said.
impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("egress", &self.egress).finish_non_exhaustive()
    }
}
