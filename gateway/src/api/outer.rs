//! What every request passes first and last: an id, a time limit, the body of a problem, the log and the counters.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use rand::RngCore;

use super::Api;
use crate::problem::{Code, Problem};

/// The header with the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer around everything.
pub async fn outer(State(api): State<Api>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let mut id = [0; 12];
    rand::rng().fill_bytes(&mut id);
    let id = hex::encode(id);
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let limit = Duration::from_secs(api.config.limits.answer_seconds);
    let answer = tokio::time::timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await;
    let mut response = match answer {
        Err(_) => {
            let detail =
                "the answer took too long; what was begun may be done all the same: ask again with the same key";
            Problem::new(Code::Timeout, detail).respond(&id)
        }
        Ok(Err(_)) => Problem::internal("a panic").respond(&id),
        Ok(Ok(mut response)) => match response.extensions_mut().remove::<Problem>() {
            None => response,
            Some(problem) => {
                let mut answered = problem.respond(&id);
                // What layers inside have said, as of rate limits, stands.
                for (name, value) in response.headers() {
                    if !answered.headers().contains_key(name) && name != header::CONTENT_LENGTH {
                        answered.headers_mut().insert(name, value.clone());
                    }
                }
                answered
            }
        },
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let status = response.status().as_u16();
    let route = path.unwrap_or_else(|| "none".to_owned());
    let took = began.elapsed();
    tracing::info!(request_id = id, %method, route, status, ms = took.as_millis(), "answered");
    let labels = [("method", method.to_string()), ("route", route), ("status", status.to_string())];
    metrics::counter!("escrow_gateway_requests_total", &labels).increment(1);
    metrics::histogram!("escrow_gateway_request_seconds", &labels).record(took.as_secs_f64());
    response
}
