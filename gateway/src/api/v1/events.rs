//! What happened to escrows, from the log: a page at a time, or as a stream.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event as Frame, KeepAlive, Sse},
    },
};
use escrow_client::{view, work::watch::Event};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};

use super::VERSION;
use crate::{
    api::{
        Api,
        body::{Query, single},
        page,
    },
    problem::{Code, Problem, Result},
    store::{EventFinality, Logged},
    wire::Address,
};

/// How many rows of the log are looked through for one answer.
const LOOKED_THROUGH: i64 = 10_000;
/// How many events a stream reads at once.
const READ: i64 = 100;
/// How often a stream that has nothing to tell says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream lives: its client begins another one with what it had last, and shows its key again.
const LIFE: Duration = Duration::from_secs(600);

/// An event of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedEvent {
    /// Its place in the log: the event behind it has a higher one.
    pub number: String,
    /// How sure it is.
    pub finality: EventFinality,
    /// The slot in which it happened, or in which it was noticed that a deadline is near.
    pub slot: String,
    /// When it was written, in unix seconds.
    pub learned_at: i64,
    /// What happened, in the words of that moment.
    #[schema(value_type = view::Event)]
    pub event: serde_json::Value,
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The version of this answer.
    pub version: u32,
    /// The events, in the order in which they were learned; those of one escrow in the order of the chain.
    pub events: Vec<LoggedEvent>,
    /// What comes behind, as a path: also where there is nothing yet.
    pub next: String,
    /// Whether there is more at once.
    pub more: bool,
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The number of the last event that is known; from the beginning of what is kept where it is left out.
    #[param(max_length = 20)]
    after: Option<String>,
    /// Only these kinds, with a comma between: an instruction's name, `deadline_near`, `deadline_passed` or `gap`.
    #[param(max_length = 400)]
    types: Option<String>,
    /// Only of this escrow.
    escrow: Option<Address>,
    /// How many rows, 50 if it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Which events a stream tells.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Streamed {
    /// The number of the last event that is known; what happens from now on where it is left out. `Last-Event-ID` counts for more.
    #[param(max_length = 20)]
    after: Option<String>,
    /// Only these kinds, with a comma between.
    #[param(max_length = 400)]
    types: Option<String>,
    /// Only of this escrow.
    escrow: Option<Address>,
}

/// As the document says.
const MOST_DIGITS: usize = 20;

/// A number of the log.
fn number(text: &str, name: &str) -> Result<i64> {
    let is_plain = text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| is_plain)
        .ok_or_else(|| Problem::invalid(name, format!("{text:?} is no event's number: take one from an answer")))
}

/// Kinds with a comma around each; empty: all.
fn kinds(types: Option<&str>) -> Result<String> {
    let Some(types) = types else { return Ok(String::new()) };
    for kind in types.split(',') {
        if !Event::kinds().any(|known| known == kind) {
            let detail = format!("has {kind:?}: write instructions' names, deadline_near, deadline_passed or gap");
            return Err(Problem::invalid("types", detail));
        }
    }
    Ok(format!(",{types},"))
}

/// What is behind this number is kept, all of it.
async fn is_kept(api: &Api, after: i64, name: &str) -> Result<()> {
    let first = api.store.first_event().await?;
    if after.saturating_add(1) >= first {
        return Ok(());
    }
    let detail = format!(
        "events are kept from number {first} on, and those behind {after} are not among them: read the escrows that you follow \
         (/v1/escrows, /history), then go on with after={}",
        first.saturating_sub(1)
    );
    Err(Problem::new(Code::Gone, detail).at(name))
}

fn told(logged: &Logged) -> LoggedEvent {
    LoggedEvent {
        number: logged.number.to_string(),
        finality: logged.event.finality,
        slot: logged.event.slot.to_string(),
        learned_at: logged.learned_at.div_euclid(1_000),
        event: serde_json::from_str(&logged.event.body).unwrap_or_default(),
    }
}

/// The log of what happened, a page at a time. It is written when it is final. Ask on with `next`: nothing is left out and nothing
/// comes twice. What is older than what is kept is a problem (`gone`), never a hole.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "listEvents", security(("bearer" = ["read"])),
    params(Which), responses((status = 200, description = "A page", body = EventPage)))]
pub async fn list(State(api): State<Api>, Query(which): Query<Which>) -> Result<Json<EventPage>> {
    let limit = page::limit(which.limit)?;
    let kinds = kinds(which.types.as_deref())?;
    let after = match which.after.as_deref() {
        Some(after) => number(after, "after")?,
        None => api.store.first_event().await?.saturating_sub(1),
    };
    is_kept(&api, after, "after").await?;
    // Before the events are read: all up to here are visible.
    let last = api.store.last_event().await?;
    if after > last {
        return Err(Problem::invalid("after", format!("is {after}, and the log's last event is {last}")));
    }
    let until = after.saturating_add(LOOKED_THROUGH).min(last);
    let escrow = which.escrow.map(|escrow| escrow.to_string()).unwrap_or_default();
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = api.store.events_between((after, until), &kinds, &escrow, most).await?;
    let reached = match found.last() {
        Some(full) if found.len() >= limit => full.number,
        _ => until,
    };
    let mut query = format!("after={reached}&limit={limit}");
    for (name, value) in [("types", which.types.as_deref()), ("escrow", which.escrow.is_some().then_some(&*escrow))] {
        if let Some(value) = value {
            query = format!("{query}&{name}={value}");
        }
    }
    let next = format!("/v1/events?{query}");
    Ok(Json(EventPage { version: VERSION, events: found.iter().map(told).collect(), next, more: reached < last }))
}

/// A stream that is open.
struct Open {
    api: Api,
    after: i64,
    kinds: String,
    escrow: String,
    head: tokio::sync::watch::Receiver<i64>,
    ready: std::collections::VecDeque<Arc<Logged>>,
    began: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    /// The next event; none where the stream ends.
    async fn next(&mut self) -> Option<Arc<Logged>> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Some(next);
            }
            let head = *self.head.borrow_and_update();
            if head > self.after {
                // A database that does not answer ends the stream: its client comes again with what it had last.
                self.read(head).await.ok()?;
                continue;
            }
            let left = LIFE.checked_sub(self.began.elapsed())?;
            tokio::select! {
                () = self.api.end.cancelled() => return None,
                () = tokio::time::sleep(left) => return None,
                changed = self.head.changed() => changed.ok()?,
            }
        }
    }

    async fn read(&mut self, head: i64) -> Result<()> {
        if let Some(held) = self.api.tail.after(self.after) {
            self.after = held.last().map_or(head, |last| last.number).max(self.after);
            let is_wanted = |logged: &Arc<Logged>| {
                (self.kinds.is_empty() || self.kinds.contains(&format!(",{},", logged.event.kind)))
                    && (self.escrow.is_empty() || self.escrow == logged.event.escrow)
            };
            self.ready.extend(held.into_iter().filter(is_wanted));
            return Ok(());
        }
        is_kept(&self.api, self.after, "after").await?;
        let until = self.after.saturating_add(LOOKED_THROUGH).min(head);
        let found = self.api.store.events_between((self.after, until), &self.kinds, &self.escrow, READ).await?;
        let is_full = i64::try_from(found.len()).unwrap_or(i64::MAX) >= READ;
        self.after = found.last().filter(|_| is_full).map_or(until, |last| last.number);
        self.ready.extend(found.into_iter().map(Arc::new));
        Ok(())
    }

    fn into_stream(self) -> impl Stream<Item = std::result::Result<Frame, Infallible>> {
        stream::unfold(self, |mut open| async move {
            let logged = open.next().await?;
            let body = serde_json::to_string(&told(&logged)).unwrap_or_default();
            let frame = Frame::default().id(logged.number.to_string()).event(&logged.event.kind).data(body);
            Some((Ok(frame), open))
        })
    }
}

/// The log as server-sent events: each with its number as id, its kind as event, and as data what a page has. It resumes behind
/// `Last-Event-ID`. A comment every 15 seconds says that it is alive; after ten minutes it ends, and clients of the standard open
/// another one by themselves.
#[utoipa::path(get, path = "/events/stream", tag = "events", operation_id = "streamEvents", security(("bearer" = ["read"])),
    params(Streamed,
        ("Last-Event-ID" = Option<String>, Header, description = "The number of the last event that is known")),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream")))]
pub async fn stream_events(
    State(api): State<Api>,
    Query(which): Query<Streamed>,
    headers: HeaderMap,
) -> Result<Response> {
    let kinds = kinds(which.types.as_deref())?;
    let last_id = single(&headers, "Last-Event-ID")?.map(|value| value.to_str().unwrap_or_default().to_owned());
    let known = match (&last_id, &which.after) {
        (Some(id), _) => Some((number(id, "Last-Event-ID")?, "Last-Event-ID")),
        (None, Some(after)) => Some((number(after, "after")?, "after")),
        (None, None) => None,
    };
    let last = api.store.last_event().await?;
    if let Some((after, name)) = known {
        if after > last {
            return Err(Problem::invalid(name, format!("is {after}, and the log's last event is {last}")));
        }
        is_kept(&api, after, name).await?;
    }
    let permit = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| {
        let most = api.config.limits.event_streams;
        Problem::new(Code::RateLimited, format!("{most} event streams are open, and no more: ask /v1/events instead"))
            .after(30)
    })?;
    let open = Open {
        after: known.map_or(last, |(after, _)| after),
        kinds,
        escrow: which.escrow.map(|escrow| escrow.to_string()).unwrap_or_default(),
        head: api.tail.head(),
        ready: std::collections::VecDeque::new(),
        began: Instant::now(),
        _permit: permit,
        api,
    };
    let mut response = Sse::new(open.into_stream()).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // A proxy that collects would hold events back.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}
