//! What goes back to the client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use serde_json::{Map, Value, json};

use super::{asked::Asked, body::Payload, upstream::Answered};
use crate::{
    json_rpc::{Kind, Request},
    plan::{Answer, Http, Nonsense, RetryAfter},
};

/// A length that is wrong leaves the client waiting for the rest: so long, if it has no patience of its own.
const MAX_OPEN: Duration = Duration::from_secs(600);

/// The last second that HTTP's dates can name.
const LAST_DATE: u64 = 253_402_300_799;

/// How a request ends.
pub(crate) enum Reply {
    /// In HTTP.
    Http(Response<Payload>),
    /// On the bare connection.
    Raw(Raw),
}

/// What is done to the bare connection.
#[derive(Default)]
pub(crate) struct Raw {
    /// Written as they are.
    pub(crate) bytes: Bytes,
    /// For so long nothing else happens, unless the client leaves.
    pub(crate) open: Duration,
    /// The end is a reset, and not an orderly one.
    pub(crate) reset: bool,
}

impl Reply {
    /// The upstream's own answer.
    pub(crate) fn passed(answered: Answered) -> Self {
        let mut response = Response::new(Payload::Whole(answered.body));
        *response.status_mut() = answered.status;
        *response.headers_mut() = answered.headers;
        Reply::Http(response)
    }

    /// A JSON body under the status and the headers that the upstream answered with, if it did.
    pub(crate) fn json(head: Option<(StatusCode, HeaderMap)>, body: Bytes) -> Self {
        let (status, mut headers) = head.unwrap_or_default();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self::passed(Answered { status, headers, body })
    }

    /// What a gateway says when its node does not answer.
    pub(crate) fn bad_gateway(reason: &str) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
        let body = format!("the node behind this proxy did not answer: {reason}").into();
        Self::passed(Answered { status: StatusCode::BAD_GATEWAY, headers, body })
    }

    /// A fault in place of an answer. `body` is what would have been answered.
    pub(crate) fn fault(answer: &Answer, asked: &Asked, request: &Request, body: Bytes) -> Self {
        let head = |length: usize| {
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
                .into_bytes()
        };
        match answer {
            Answer::Reset => Reply::Raw(Raw { reset: true, ..Raw::default() }),
            Answer::Close => Reply::Raw(Raw::default()),
            Answer::Hang { ms } => {
                let open = ms.map_or(Duration::MAX, Duration::from_millis);
                Reply::Raw(Raw { bytes: Bytes::new(), open, reset: true })
            }
            Answer::Truncated { bytes } => {
                let mut raw = head(body.len());
                raw.extend(body.get(..*bytes).unwrap_or(&body));
                Reply::Raw(Raw { bytes: raw.into(), ..Raw::default() })
            }
            Answer::Length { by } => {
                let by_size = isize::try_from(*by).unwrap_or(if *by < 0 { isize::MIN } else { isize::MAX });
                let mut raw = head(body.len().saturating_add_signed(by_size));
                raw.extend(&body);
                Reply::Raw(Raw { bytes: raw.into(), open: MAX_OPEN, reset: false })
            }
            Answer::Http(http) => Reply::http(http, asked),
            // Made where the calls are answered one by one.
            Answer::Rpc(_) => Reply::json(None, body),
            Answer::Oversized { bytes, chunked } => {
                let (head, tail) = envelope(request);
                let (head, tail) = (format!("{head}\""), format!("\"{tail}"));
                let payload =
                    Payload::Filled { head: head.into(), filling: *bytes, tail: tail.into(), sized: !chunked };
                Reply::Http(with_json_type(payload))
            }
            Answer::Slow { ms } => Reply::Http(with_json_type(Payload::slow(body, Duration::from_millis(*ms)))),
            Answer::Nonsense(nonsense) => nonsense_reply(*nonsense, request, body),
        }
    }

    fn http(http: &Http, asked: &Asked) -> Self {
        let status = StatusCode::from_u16(http.status).unwrap_or_default();
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
        let texts = [
            (header::RETRY_AFTER, http.retry_after.as_ref().map(retry_after)),
            (header::LOCATION, http.location.as_deref().map(|text| asked.quote(text))),
        ];
        for (name, text) in texts {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
        Self::passed(Answered { status, headers, body: asked.quote(&http.body).into() })
    }
}

fn with_json_type(payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn retry_after(retry_after: &RetryAfter) -> String {
    match retry_after {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => {
            let present = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let date = present.saturating_add_signed(*seconds).min(LAST_DATE);
            let date = UNIX_EPOCH.checked_add(Duration::from_secs(date)).unwrap_or(UNIX_EPOCH);
            httpdate::fmt_http_date(date)
        }
        RetryAfter::Text(text) => text.clone(),
    }
}

/// What stands before and behind the result of an answer; of a batch, of the answer to its first call.
fn envelope(request: &Request) -> (String, String) {
    let id = request.calls.first().map_or(&Value::Null, |call| call.id());
    let (open, close) = if request.kind == Kind::Batch { ("[", "]") } else { ("", "") };
    (format!(r#"{open}{{"jsonrpc":"2.0","id":{id},"result":"#), format!("}}{close}"))
}

fn nonsense_reply(nonsense: Nonsense, request: &Request, body: Bytes) -> Reply {
    let with_result = |result: &str| {
        let (head, tail) = envelope(request);
        Bytes::from(format!("{head}{result}{tail}"))
    };
    let mapped = |change: fn(&mut Value)| {
        let Ok(mut body) = serde_json::from_slice::<Value>(&body) else { return body.clone() };
        match &mut body {
            Value::Array(answers) => answers.iter_mut().for_each(change),
            answer => change(answer),
        }
        body.to_string().into()
    };
    let body = match nonsense {
        Nonsense::Empty => Bytes::new(),
        Nonsense::Html => {
            let html = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>";
            let mut response = Response::new(Payload::Whole(html.into()));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            return Reply::Http(response);
        }
        Nonsense::OtherShape => json!({ "status": "ok", "data": [] }).to_string().into(),
        Nonsense::Null => "null".into(),
        Nonsense::NullResult => with_result("null"),
        Nonsense::WrongId => mapped(|answer| {
            if let Some(id) = answer.get_mut("id") {
                *id = other_id(id);
            }
        }),
        Nonsense::WrongTypes => mapped(|answer| {
            if let Some(result) = answer.get_mut("result") {
                *result = other_types(result);
            }
        }),
        Nonsense::NoResult => mapped(|answer| {
            if let Some(answer) = answer.as_object_mut() {
                answer.retain(|name, _| name != "result" && name != "error");
            }
        }),
        Nonsense::NotANumber => with_result(r#"{"context":{"slot":NaN},"value":-Infinity}"#),
        Nonsense::Deep { levels } => with_result(&format!("{}{}", "[".repeat(levels), "]".repeat(levels))),
        Nonsense::InvalidUtf8 => {
            let (head, tail) = envelope(request);
            [head.as_bytes(), b"\"\xff\xfe\xc0\x80\"", tail.as_bytes()].concat().into()
        }
    };
    Reply::Http(with_json_type(Payload::Whole(body)))
}

fn other_id(id: &Value) -> Value {
    match id.as_u64() {
        Some(number) => json!(number.wrapping_add(1)),
        None => json!(format!("{id}?")),
    }
}

/// The same with every value of another type. What was parsed is at most 128 levels deep.
fn other_types(value: &Value) -> Value {
    match value {
        Value::Null => json!(false),
        Value::Bool(value) => json!(value.to_string()),
        Value::Number(number) => json!(number.to_string()),
        Value::String(text) => text.parse::<u64>().map_or(json!(0), |number| json!(number)),
        Value::Array(items) => {
            let members = items.iter().enumerate().map(|(index, item)| (index.to_string(), other_types(item)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Object(members) => Value::Array(members.values().map(other_types).collect()),
    }
}
