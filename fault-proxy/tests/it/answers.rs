//! What a client gets in place of an answer.

use std::time::{Duration, Instant};

use escrow_fault_proxy::{Answer, Delivery, Fault, Http, Nonsense, RetryAfter, RpcError, Rule, Told};
use serde_json::{Value, json};

use crate::{
    client::{End, IMPATIENCE, Seen, ask, exchange, http, post, post_within, result, send, send_call},
    node::{blockhash, signature},
    stage,
};

/// What a client sees of this in answer to a transaction: once after the node got it, and once before. The client's second
/// request is answered.
async fn told(with: Answer) -> Seen {
    let mut seen = Vec::new();
    for delivered in [true, false] {
        let fault = Fault::Answer { delivered, with: with.clone() };
        let (node, proxy) = stage([Rule::on("sendTransaction", fault).times(1)]).await;
        let call = send_call(1, &blockhash(1000)).to_string();
        seen.push(match with {
            Answer::Hang { ms: None } | Answer::Length { .. } => post_within(IMPATIENCE, &proxy.url(), &call).await,
            _ => post(&proxy.url(), &call).await,
        });
        proxy.settled().await;
        assert_eq!(node.sends(), usize::from(delivered), "{with:?}");
        let entry = &proxy.log().of("sendTransaction")[0];
        assert_eq!(entry.rules, [0]);
        assert_eq!(matches!(entry.delivery, Delivery::Answered { .. }), delivered);
        if delivered {
            let Delivery::Answered { answer, .. } = &entry.delivery else { panic!("{entry:?}") };
            assert_eq!(answer["result"], signature(1), "the log has what was really answered");
            assert_eq!(proxy.log().accepted(), [signature(1)]);
        }
        if !matches!(with, Answer::Rpc(_)) {
            assert_eq!(entry.told, Told::Fault(with.clone()));
        }
        assert_eq!(send(&proxy.url(), 2, &blockhash(1000)).await.json()["result"], signature(2));
        proxy.shutdown().await;
    }
    let before = seen.pop().unwrap();
    let after = seen.pop().unwrap();
    assert_eq!((before.end, before.status), (after.end, after.status), "{with:?}");
    after
}

#[tokio::test]
async fn a_connection_is_reset() {
    assert_eq!(told(Answer::Reset).await.end, End::Reset);
}

#[tokio::test]
async fn a_connection_is_closed() {
    let seen = told(Answer::Close).await;
    assert_eq!((seen.end, seen.head.as_str()), (End::Closed, ""));
}

#[tokio::test]
async fn nothing_comes() {
    assert_eq!(told(Answer::Hang { ms: None }).await.end, End::Silent);
    let start = Instant::now();
    assert_eq!(told(Answer::Hang { ms: Some(100) }).await.end, End::Reset);
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn http_says_no() {
    for status in [301, 302, 307, 308, 400, 401, 403, 404, 413, 500, 502, 503, 504, 530, 599] {
        let location = (status < 400).then(|| "http://127.0.0.1:1/elsewhere".to_owned());
        let seen = told(Answer::Http(Http { location: location.clone(), ..Http::status(status) })).await;
        assert_eq!((seen.end, seen.status, seen.text()), (End::Complete, status, format!("HTTP {status}")));
        assert_eq!(seen.header("location"), location);
    }
}

#[tokio::test]
async fn too_many_requests_with_and_without_a_time() {
    let told_after = async |retry_after| {
        let seen = told(Answer::Http(Http { retry_after, ..Http::status(429) })).await;
        assert_eq!(seen.status, 429);
        seen.header("retry-after")
    };
    assert_eq!(told_after(None).await, None);
    for (seconds, text) in [(3, "3"), (119, "119"), (-1, "-1"), (i64::MAX, "9223372036854775807")] {
        assert_eq!(told_after(Some(RetryAfter::Seconds(seconds))).await.as_deref(), Some(text));
    }
    assert_eq!(told_after(Some(RetryAfter::Text("soon".to_owned()))).await.as_deref(), Some("soon"));
    let date = told_after(Some(RetryAfter::Date(3600))).await.unwrap();
    let ahead = httpdate::parse_http_date(&date).unwrap().duration_since(std::time::SystemTime::now()).unwrap();
    assert!((3590..=3600).contains(&ahead.as_secs()), "{date}");
    for (seconds, date) in [(i64::MIN, "Thu, 01 Jan 1970 00:00:00 GMT"), (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT")] {
        assert_eq!(told_after(Some(RetryAfter::Date(seconds))).await.as_deref(), Some(date));
    }
}

#[tokio::test]
async fn every_json_rpc_error_with_and_without_data() {
    for code in RpcError::CODES {
        for error in [RpcError::usual(code), RpcError::without_data(code)] {
            let answer = told(Answer::Rpc(error.clone())).await.json();
            assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(code)));
            assert_eq!(answer["error"], json!(error));
            assert_eq!(answer.get("result"), None);
        }
    }
}

#[tokio::test]
async fn an_answer_is_cut_off() {
    let seen = told(Answer::Truncated { bytes: 20 }).await;
    assert_eq!((seen.end, seen.status, seen.body.len()), (End::Closed, 200, 20));
    let seen = told(Answer::Truncated { bytes: 0 }).await;
    assert_eq!((seen.end, seen.body.len()), (End::Closed, 0));
}

#[tokio::test]
async fn a_length_is_wrong() {
    let seen = told(Answer::Length { by: 5 }).await;
    let claimed: usize = seen.header("content-length").unwrap().parse().unwrap();
    assert_eq!((seen.end, claimed), (End::Silent, seen.body.len() + 5));
    let seen = told(Answer::Length { by: -5 }).await;
    let claimed: usize = seen.header("content-length").unwrap().parse().unwrap();
    assert_eq!(claimed, seen.body.len() - 5);
    assert_eq!(told(Answer::Length { by: i64::MIN }).await.header("content-length").as_deref(), Some("0"));
}

#[tokio::test]
async fn an_answer_is_too_large() {
    let seen = told(Answer::Oversized { bytes: 3_000_000, chunked: false }).await;
    let result = seen.json()["result"].clone();
    assert_eq!(result.as_str().map(str::len), Some(3_000_000));
    let seen = told(Answer::Oversized { bytes: 100, chunked: true }).await;
    assert_eq!(seen.header("content-length"), None);
    assert_eq!(seen.header("transfer-encoding").as_deref(), Some("chunked"));
}

#[tokio::test]
async fn an_answer_comes_slowly() {
    let start = Instant::now();
    let seen = told(Answer::Slow { ms: 2 }).await;
    assert_eq!(seen.json()["id"], 7);
    assert!(start.elapsed() >= Duration::from_millis(2 * u64::try_from(seen.body.len()).unwrap()));
}

#[tokio::test]
async fn a_body_makes_no_sense() {
    let body = async |nonsense| {
        let seen = told(Answer::Nonsense(nonsense)).await;
        assert_eq!((seen.end, seen.status), (End::Complete, 200));
        seen
    };
    let json = async |nonsense| -> Value { serde_json::from_slice(&body(nonsense).await.body).unwrap() };
    assert_eq!(body(Nonsense::Empty).await.body, b"");
    let html = body(Nonsense::Html).await;
    assert_eq!(html.header("content-type").as_deref(), Some("text/html"));
    assert!(html.text().starts_with("<!DOCTYPE html>"));
    assert_eq!(json(Nonsense::OtherShape).await.get("jsonrpc"), None);
    assert_eq!(json(Nonsense::Null).await, Value::Null);
    assert_eq!(json(Nonsense::NullResult).await, json!({ "jsonrpc": "2.0", "id": 7, "result": null }));
    let other = json(Nonsense::WrongId).await;
    assert_eq!((&other["id"], &other["result"]), (&json!(8), &json!(signature(1))));
    assert_eq!(json(Nonsense::NoResult).await, json!({ "jsonrpc": "2.0", "id": 7 }));
    let text = body(Nonsense::NotANumber).await.text();
    assert!(text.contains("NaN") && serde_json::from_str::<Value>(&text).is_err());
    let text = body(Nonsense::Deep { levels: 50_000 }).await.text();
    assert!(text.contains(&"[".repeat(50_000)) && text.ends_with("]}"));
    assert!(String::from_utf8(body(Nonsense::InvalidUtf8).await.body).is_err());
}

#[tokio::test]
async fn a_result_has_other_types() {
    let fault = Fault::Answer { delivered: true, with: Answer::Nonsense(Nonsense::WrongTypes) };
    let (_node, proxy) = stage([Rule::always(fault)]).await;
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, json!("1000"));
    let blockhash = result(&proxy.url(), "getLatestBlockhash", json!([])).await;
    assert!(blockhash.is_array(), "{blockhash}");
}

#[tokio::test]
async fn an_error_quotes_the_url_with_its_key() {
    let http = Http { body: "no quota left for {url}".to_owned(), ..Http::status(403) };
    let rpc = RpcError { message: "bad key in {url}".to_owned(), ..RpcError::usual(-32603) };
    let answer = |with| Fault::Answer { delivered: false, with };
    let rules = [Rule::on("getSlot", answer(Answer::Http(http))), Rule::on("getHealth", answer(Answer::Rpc(rpc)))];
    let (_node, proxy) = stage(rules).await;
    let url = proxy.url_of("alice?api-key=secret");
    assert_eq!(ask(&url, "getSlot", json!([])).await.text(), format!("no quota left for {url}"));
    let error = ask(&url, "getHealth", json!([])).await.json();
    assert_eq!(error["error"]["message"], format!("bad key in {url}"));
    // A password in the URL travels in a header: here of `user:pass`.
    let with_password = url.replace("http://", "http://user:pass@");
    let body = crate::client::call("getSlot", json!([])).to_string();
    let (host, bytes) = crate::client::http("POST", &url, "authorization: Basic dXNlcjpwYXNz\r\n", &body);
    assert_eq!(exchange(&host, &bytes).await.text(), format!("no quota left for {with_password}"));
}

#[tokio::test]
async fn of_two_faults_the_first_answers() {
    let answer = |status| Fault::Answer { delivered: true, with: Answer::Http(Http::status(status)) };
    let (node, proxy) = stage([Rule::always(answer(502)), Rule::always(answer(503))]).await;
    assert_eq!(ask(&proxy.url(), "getSlot", json!([])).await.status, 502);
    assert_eq!(proxy.log().entries()[0].rules, [0]);
    assert_eq!(node.asked("getSlot").len(), 1);
}

#[tokio::test]
async fn what_is_no_json_rpc_can_be_answered_with_a_fault_too() {
    let fault = Fault::Answer { delivered: true, with: Answer::Http(Http::status(503)) };
    let (node, proxy) = stage([Rule::on("GET /health", fault)]).await;
    let (host, bytes) = http("GET", &format!("{}/health", proxy.url()), "", "");
    assert_eq!(exchange(&host, &bytes).await.status, 503);
    assert_eq!(node.heads().len(), 1);
}
