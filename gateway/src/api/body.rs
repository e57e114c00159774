//! Reading requests: whatever cannot be read is a problem with its place.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::Api;
use crate::{
    problem::{Code, Problem, Result},
    wire::action::pointer_of,
};

/// A body in JSON, with the bytes that it was read from.
#[derive(Debug)]
pub struct JsonBody<T> {
    /// What it says.
    pub value: T,
    /// The bytes.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Api> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Problem::new(Code::MediaType, "send the body with Content-Type: application/json"));
        }
        if let Some(coding) = single(&parts.headers, "Content-Encoding")?
            && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            return Err(Problem::new(Code::MediaType, "send the body as it is, without a Content-Encoding"));
        }
        let bytes = read(api, body).await?;
        Ok(Self { value: parse(&bytes)?, bytes })
    }
}

/// A header that means one thing. Where it stands twice, a proxy may have read the other.
///
/// # Errors
///
/// Where it stands twice.
pub fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h HeaderValue>> {
    let mut found = headers.get_all(name).iter();
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err(Problem::new(Code::Malformed, format!("{name} stands there twice: send it once")).at(name)),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
}

/// All of a body, up to the cap, in its time. What is too long is read on for a while, and thrown away: a client that is still
/// sending does not hear an answer.
async fn read(api: &Api, mut body: Body) -> Result<Bytes> {
    const THROWN_AWAY: usize = 16 * 1024 * 1024;
    let limits = &api.config.limits;
    let collect = async {
        let (mut bytes, mut thrown) = (Vec::new(), 0usize);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Problem::new(Code::Malformed, format!("the body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if thrown == 0 && bytes.len().saturating_add(data.len()) <= limits.body_bytes {
                bytes.extend_from_slice(&data);
                continue;
            }
            thrown = thrown.saturating_add(data.len());
            if thrown > THROWN_AWAY {
                break;
            }
        }
        match thrown {
            0 => Ok(Bytes::from(bytes)),
            _ => Err(Problem::new(Code::BodyTooLarge, format!("a body has at most {} bytes", limits.body_bytes))),
        }
    };
    let slow = |_| Problem::new(Code::SlowBody, format!("the body did not arrive within {} s", limits.body_seconds));
    tokio::time::timeout(Duration::from_secs(limits.body_seconds), collect).await.map_err(slow)?
}

/// Reads JSON.
///
/// # Errors
///
/// What is wrong with it, and where.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = pointer_of(error.path());
        let inner = error.into_inner();
        if inner.is_data() {
            return Problem::invalid(place, inner.to_string());
        }
        Problem::new(Code::Malformed, format!("the body is not JSON: {inner}")).at(place)
    })?;
    let rest = reader.end();
    rest.map_err(|error| Problem::new(Code::Malformed, format!("the body is more than one JSON value: {error}")))?;
    Ok(value)
}

/// What stands in the query. Each parameter once.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(wrong_query(&error)),
        }
    }
}

/// What is wrong with a query, and with which parameter. The framework has both, but only as the cause of its own error.
fn wrong_query(error: &QueryRejection) -> Problem {
    type Wrong = serde_path_to_error::Error<serde::de::value::Error>;
    let whole: &(dyn std::error::Error + 'static) = error;
    let mut causes = std::iter::successors(Some(whole), |error| error.source());
    match causes.find_map(|cause| cause.downcast_ref::<Wrong>()) {
        Some(wrong) if wrong.path().iter().next().is_some() => {
            Problem::invalid(wrong.path().to_string(), wrong.inner().to_string())
        }
        Some(wrong) => Problem::invalid("query", wrong.inner().to_string()),
        None => Problem::invalid("query", error.body_text()),
    }
}

/// What stands in a path with two parts.
#[derive(Debug)]
pub struct PathPair(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathPair {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path((first, second))) => Ok(Self(first, second)),
            Err(error) => Err(unreadable_path(&error)),
        }
    }
}

fn unreadable_path(error: &PathRejection) -> Problem {
    Problem::new(Code::Malformed, format!("the path cannot be read: {}", error.body_text()))
}

/// What stands in the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: std::str::FromStr + Send, S: Send + Sync> FromRequestParts<S> for Path<T>
where
    T::Err: std::fmt::Display,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let text: axum::extract::Path<String> =
            axum::extract::Path::from_request_parts(parts, state).await.map_err(|error| unreadable_path(&error))?;
        match text.0.parse() {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Problem::invalid("path", format!("{:?}: {error}", text.0))),
        }
    }
}
