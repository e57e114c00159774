//! A node behind the proxy.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Uri,
    header::{self, HeaderName},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{Mutex, watch},
};

use super::memory::Memory;
use crate::{Error, Result};

/// A larger answer is treated as one that did not come. The accounts of 100,000 escrows have half of it.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// An answer that takes longer is treated as one that did not come, so that nothing waits forever.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// How long the proxy waits for what it asks itself.
const OWN_WAIT: Duration = Duration::from_secs(5);

/// How often the height is asked for while something waits for it. The shortest blocks in use take 10 ms.
const POLL: Duration = Duration::from_millis(3);

/// Headers that belong to one connection, and those that are made again from the body.
const OWN_HEADERS: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    // An answer must be readable here.
    header::ACCEPT_ENCODING,
    HeaderName::from_static("keep-alive"),
];

/// A node, and what it has answered so far.
pub(crate) struct Upstream {
    uri: Uri,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    pub(crate) memory: Memory,
    /// The height that was asked for last, and whose turn it is to ask.
    height: watch::Sender<u64>,
    turn: Mutex<()>,
}

/// What a node answered, whatever it is.
pub(crate) struct Answered {
    pub(crate) status: hyper::StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answered {
    /// What is written down of one that is not JSON-RPC, or too long to be read.
    pub(crate) fn summary(&self) -> String {
        format!("HTTP {}, {} bytes", self.status.as_u16(), self.body.len())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There was no connection.
    Unreachable(String),
    /// It broke, or nothing came.
    Lost(String),
}

impl Upstream {
    /// A node on this machine.
    pub(crate) fn new(url: &str) -> Result<Self> {
        let (address, uri) = on_loopback(url)?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self {
            uri,
            address,
            client,
            memory: Memory::default(),
            height: watch::Sender::new(0),
            turn: Mutex::new(()),
        })
    }

    /// Connects to the node's WebSocket, on the port behind that of its JSON-RPC.
    pub(crate) async fn connect_to_websocket(&self) -> io::Result<TcpStream> {
        let address = self.address;
        TcpStream::connect(SocketAddr::new(address.ip(), address.port().saturating_add(1))).await
    }

    /// Passes a request on. `path` is HTTP's, and is used for what is no JSON-RPC; that goes to the node's own path.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: Option<&str>,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answered, Failure> {
        let mut parts = self.uri.clone().into_parts();
        if let Some(path) = path.and_then(|path| path.parse().ok()) {
            parts.path_and_query = Some(path);
        }
        remove_own(&mut headers);
        let lost = |error: &dyn std::error::Error| Failure::Lost(with_sources(error));
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_parts(parts).map_err(|error| lost(&error))?;
        *request.headers_mut() = headers;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| match error.is_connect() {
                true => Failure::Unreachable(with_sources(&error)),
                false => lost(&error),
            })?;
            let (mut parts, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| lost(&*error))?;
            remove_own(&mut parts.headers);
            Ok(Answered { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        let late = |_| Failure::Lost(format!("no answer in {} s", MAX_WAIT.as_secs()));
        tokio::time::timeout(MAX_WAIT, exchange).await.map_err(late)?
    }

    /// Asks the node something on the proxy's own account.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Option<Value> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": method, "params": params }).to_string();
        let sent = self.send(Method::POST, None, headers, body.into());
        let answer = tokio::time::timeout(OWN_WAIT, sent).await.ok()?.ok()?;
        serde_json::from_slice::<Value>(&answer.body).ok()?.get_mut("result").map(Value::take)
    }

    /// The newest slot of the node.
    pub(crate) async fn slot(&self) -> Option<u64> {
        self.ask("getSlot", json!([{ "commitment": "processed" }])).await?.as_u64()
    }

    /// The newest block height of the node.
    pub(crate) async fn height(&self) -> Option<u64> {
        self.ask("getBlockHeight", json!([{ "commitment": "processed" }])).await?.as_u64()
    }

    /// Waits until the node has this height. However many wait, one of them asks.
    pub(crate) async fn until(&self, height: u64) {
        let asking = async {
            let _turn = self.turn.lock().await;
            loop {
                // A node that does not answer is asked again.
                if let Some(height) = self.height().await {
                    self.height.send_replace(height);
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let mut known = self.height.subscribe();
        tokio::select! {
            () = asking => {}
            _ = known.wait_for(|known| *known >= height) => {}
        }
    }

    /// Remembers the latest block hashes, so that the past is known when a plan needs it.
    pub(crate) async fn record(&self) {
        for commitment in ["processed", "finalized"] {
            let params = json!([{ "commitment": commitment }]);
            if let Some(latest) = self.ask("getLatestBlockhash", params).await {
                self.memory.learn_blockhash(&latest);
            }
        }
    }
}

fn remove_own(headers: &mut HeaderMap) {
    for name in &OWN_HEADERS {
        headers.remove(name);
    }
}

/// An error with everything that it came from: hyper's own text alone says little.
fn with_sources(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

/// The URL of a node on this machine, by its number, so that nothing is looked up.
fn on_loopback(url: &str) -> Result<(SocketAddr, Uri)> {
    let refuse = |reason| Error::Upstream { url: url.to_owned(), reason };
    let uri: Uri = url.parse().map_err(|_| refuse("it is not a URL"))?;
    if uri.scheme_str() != Some("http") {
        return Err(refuse("it does not begin with http://"));
    }
    let host = uri.host().unwrap_or_default();
    let ip: Option<IpAddr> = match host {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        host => host.trim_start_matches('[').trim_end_matches(']').parse().ok(),
    };
    let ip = ip.filter(IpAddr::is_loopback).ok_or_else(|| refuse("it is not on loopback"))?;
    let address = SocketAddr::new(ip, uri.port_u16().unwrap_or(80));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = format!("http://{address}{path}").parse().map_err(|_| refuse("it is not a URL"))?;
    Ok((address, uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_on_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:8899", "http://127.0.0.1:8899/"),
            ("http://localhost:8899/?key=1", "http://127.0.0.1:8899/?key=1"),
            ("http://[::1]:8899/rpc", "http://[::1]:8899/rpc"),
            ("http://127.0.0.2", "http://127.0.0.2:80/"),
        ] {
            assert_eq!(on_loopback(url).unwrap().1.to_string(), expected);
        }
        for url in [
            "",
            "127.0.0.1:8899",
            "https://127.0.0.1:8899",
            "http://10.0.0.1",
            "http://example.com",
            "http://localhost.example.com",
        ] {
            assert!(matches!(on_loopback(url), Err(Error::Upstream { .. })), "{url}");
        }
    }
}
