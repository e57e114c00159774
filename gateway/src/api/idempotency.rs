//! `Idempotency-Key`: the same request with the same key has one effect, and one answer for a day.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use sha2::{Digest, Sha256};

use super::{Api, auth::Principal, body::single};
use crate::{
    problem::{Code, Problem, Result},
    store::{Change, Kept, Opened, Place},
};

/// The header.
const KEY: &str = "Idempotency-Key";
/// That an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How long an answer is kept, in milliseconds.
pub const KEPT: i64 = 24 * 60 * 60 * 1_000;
/// The most letters of a key.
const LONGEST: usize = 255;
/// How long a request may take beyond its time limit before another takes its work up, in milliseconds.
const SPARE: i64 = 5_000;

/// A key that this request does the work for; none where there was no header.
#[derive(Debug)]
pub struct Ticket {
    held: Option<(Place, i64)>,
}

/// An answer that is kept, or was.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: String,
}

impl Answer {
    /// A new thing, at this place.
    ///
    /// # Errors
    ///
    /// None for what can be written as JSON.
    pub fn created(location: String, body: &impl serde::Serialize) -> Result<Self> {
        let body = serde_json::to_string(body).map_err(Problem::internal)?;
        Ok(Self { status: StatusCode::CREATED, location: Some(location), body })
    }

    /// Something that was done.
    ///
    /// # Errors
    ///
    /// None for what can be written as JSON.
    pub fn done(body: &impl serde::Serialize) -> Result<Self> {
        let body = serde_json::to_string(body).map_err(Problem::internal)?;
        Ok(Self { status: StatusCode::OK, location: None, body })
    }

    fn kept(&self) -> Kept {
        Kept { status: self.status.as_u16(), location: self.location.clone(), body: self.body.clone() }
    }

    /// The response.
    pub fn respond(self, replayed: bool) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let kind = if self.status.is_success() { "application/json" } else { "application/problem+json" };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(location) = self.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            headers.insert(header::LOCATION, location);
        }
        if replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl Ticket {
    /// Keeps the answer in the same change as the effect. Whoever gets an error must not commit.
    ///
    /// # Errors
    ///
    /// Where somebody else has taken the work up meanwhile.
    pub async fn keep(&self, api: &Api, change: &mut Change, answer: &Answer) -> Result<()> {
        let Some((place, fence)) = &self.held else { return Ok(()) };
        if api.store.keep(change, place, *fence, &answer.kept()).await? {
            return Ok(());
        }
        Err(in_flight(1))
    }
}

fn in_flight(seconds: u64) -> Problem {
    let detail = "the same request with this key is being worked on: ask again with the same key";
    Problem::new(Code::InFlight, detail).after(seconds)
}

/// Answers a request that has an effect once. `work` writes the effect and [keeps](Ticket::keep) the answer in one change.
pub async fn once<F>(
    api: &Api,
    principal: &Principal,
    route: &str,
    headers: &HeaderMap,
    body: &[u8],
    work: impl FnOnce(Ticket) -> F,
) -> Result<Response>
where
    F: Future<Output = Result<Answer>>,
{
    let Some(key) = single(headers, KEY)? else {
        return Ok(work(Ticket { held: None }).await?.respond(false));
    };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= LONGEST);
    let key = key.ok_or_else(|| Problem::invalid(KEY, format!("is 1 to {LONGEST} printable ASCII characters")))?;
    let place = Place { principal: principal.owner.clone(), route: route.to_owned(), key: key.to_owned() };
    let hash = hex::encode(Sha256::digest(body));
    let now = crate::now_ms();
    let limit = i64::try_from(api.config.limits.answer_seconds).unwrap_or(60).saturating_mul(1_000);
    let until = now.saturating_add(limit).saturating_add(SPARE);
    let fence = match api.store.open_key(&place, &hash, now, until, now.saturating_sub(KEPT)).await? {
        Opened::Ours(fence) => fence,
        Opened::Reused => {
            let detail = "this key was used for another body: use another key, or send the same body";
            return Err(Problem::new(Code::KeyReused, detail));
        }
        Opened::InFlight(until) => {
            let left = until.saturating_sub(now).max(0) / 1_000;
            return Err(in_flight(u64::try_from(left).unwrap_or(0).clamp(1, 5)));
        }
        Opened::Done(Kept { status, location, body }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(Answer { status, location, body }.respond(true));
        }
    };
    match work(Ticket { held: Some((place.clone(), fence)) }).await {
        Ok(answer) => Ok(answer.respond(false)),
        // What the gateway or a node could not do is taken up again; what the client did wrong stays wrong.
        Err(problem) if problem.code.status().is_server_error() || problem.code == Code::InFlight => {
            api.store.release_key(&place, fence).await?;
            Err(problem)
        }
        Err(problem) => {
            let mut change = api.store.change().await?;
            let body = serde_json::to_string(&problem.body("kept")).map_err(Problem::internal)?;
            let answer = Answer { status: problem.code.status(), location: None, body };
            if api.store.keep(&mut change, &place, fence, &answer.kept()).await? {
                change.commit().await?;
            }
            Err(problem)
        }
    }
}
