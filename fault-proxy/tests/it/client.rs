//! A client that sees what comes over the wire, byte by byte.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::node::transaction;

/// How long a client waits for what comes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client waits for what does not come.
pub const IMPATIENCE: Duration = Duration::from_millis(500);

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The whole answer came: as much as its content-length says.
    Complete,
    /// The connection was closed before.
    Closed,
    /// The connection was reset.
    Reset,
    /// Nothing more came.
    Silent,
    /// There was no connection.
    Refused,
}

/// What a client saw.
#[derive(Debug, Clone)]
pub struct Seen {
    pub end: End,
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }

    pub fn json(&self) -> Value {
        assert_eq!((self.end, self.status), (End::Complete, 200), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// A request in HTTP.
pub fn http(method: &str, url: &str, headers: &str, body: &str) -> (String, Vec<u8>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let length = body.len();
    let head = format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n{headers}\r\n");
    (host.to_owned(), [head.as_bytes(), body.as_bytes()].concat())
}

/// Sends these bytes, and reads what comes.
pub async fn exchange(host: &str, bytes: &[u8]) -> Seen {
    exchange_within(PATIENCE, host, bytes).await
}

/// The same, for as long as something comes at least this often.
pub async fn exchange_within(patience: Duration, host: &str, bytes: &[u8]) -> Seen {
    let mut seen = Seen { end: End::Refused, status: 0, head: String::new(), body: Vec::new() };
    let Ok(mut stream) = TcpStream::connect(host).await else { return seen };
    // A proxy that is down may reset the connection before it is written to.
    let _ = stream.write_all(bytes).await;
    let mut buffer = vec![0; 64 * 1024];
    let mut length = None;
    seen.end = loop {
        if seen.head.is_empty()
            && let Some(at) = seen.body.windows(4).position(|window| window == b"\r\n\r\n")
        {
            let rest = seen.body.split_off(at + 4);
            seen.head = String::from_utf8(std::mem::replace(&mut seen.body, rest)).unwrap().trim_end().to_owned();
            seen.status = seen.head.split(' ').nth(1).unwrap().parse().unwrap();
            length = seen.header("content-length").map(|length| length.parse::<usize>().unwrap());
        }
        let chunked = seen.header("transfer-encoding").is_some();
        if length.is_some_and(|length| seen.body.len() >= length) || (chunked && seen.body.ends_with(b"\r\n0\r\n\r\n"))
        {
            break End::Complete;
        }
        match tokio::time::timeout(patience, stream.read(&mut buffer)).await {
            Err(_) => break End::Silent,
            Ok(Ok(0)) => break End::Closed,
            Ok(Ok(count)) => seen.body.extend_from_slice(&buffer[..count]),
            Ok(Err(_)) => break End::Reset,
        }
    };
    seen
}

/// Posts a body.
pub async fn post(url: &str, body: &str) -> Seen {
    post_within(PATIENCE, url, body).await
}

/// The same, for as long as something comes at least this often.
pub async fn post_within(patience: Duration, url: &str, body: &str) -> Seen {
    let url = if url.matches('/').count() == 2 { format!("{url}/") } else { url.to_owned() };
    let (host, bytes) = http("POST", &url, "content-type: application/json\r\n", body);
    exchange_within(patience, &host, &bytes).await
}

pub fn call(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

/// Calls a method.
pub async fn ask(url: &str, method: &str, params: Value) -> Seen {
    post(url, &call(method, params).to_string()).await
}

/// Calls a method that is answered with a result.
pub async fn result(url: &str, method: &str, params: Value) -> Value {
    let answer = ask(url, method, params).await.json();
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].clone()
}

pub fn send_call(byte: u8, blockhash: &str) -> Value {
    call("sendTransaction", json!([transaction(byte, blockhash), { "encoding": "base64" }]))
}

/// Sends the transaction of this signature.
pub async fn send(url: &str, byte: u8, blockhash: &str) -> Seen {
    post(url, &send_call(byte, blockhash).to_string()).await
}
