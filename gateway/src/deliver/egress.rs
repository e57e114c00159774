//! The only way out to URLs that users name. It reaches the public Internet and the addresses that the operator has named; it
//! looks at the address at each connect, so that a name which meant something else before gains nothing. It follows no
//! redirect, asks no proxy, and reads only so much for so long.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::http::{HeaderMap, Method, header};
use futures_util::future::BoxFuture;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::address::is_public;

/// How long an exchange may take, from the name to the last byte.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// The most bytes of an answer that are read.
pub const MOST_BYTES: usize = 64 * 1024;
/// The longest URL.
const LONGEST_URL: usize = 2_000;
/// How long a connection that is not used stays open, and how many of them to one host.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 64;

/// Which addresses a name has.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The way out.
#[derive(Clone)]
pub struct Egress {
    /// To the public Internet.
    public: Client,
    /// To where an address is allowed besides, by the URL's scheme and port. A name is looked up without its port, so each has a
    /// client of its own.
    exceptions: HashMap<(&'static str, u16), Client>,
    allow: Arc<[SocketAddr]>,
}

/// Why nothing came back, or nothing was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EgressError {
    /// It is no URL that the gateway may be told.
    #[error("{0}")]
    Url(String),
    /// There is no answer.
    #[error("no answer: {0}")]
    Connection(String),
    /// There is none in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Slow(Duration),
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status. A redirect is not followed.
    pub status: u16,
    /// When to come again, as the header says it.
    pub retry_after: Option<String>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// Whether that is all of it: it was neither too long nor too slow.
    pub is_whole: bool,
}

/// Where a name may lead.
struct Guarded {
    lookup: Lookup,
    public: bool,
    also: Vec<IpAddr>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let (public, also, found) = (self.public, self.also.clone(), (self.lookup)(name.clone()));
        Box::pin(async move {
            let found = found.await.map_err(|_| format!("the name {name} cannot be looked up"))?;
            let reached = |address: &IpAddr| (public && is_public(*address)) || also.contains(address);
            let addresses: Vec<SocketAddr> =
                found.iter().filter(|address| reached(address)).map(|address| (*address, 0).into()).collect();
            if addresses.is_empty() {
                // Not which it has: whoever named it need not learn how this network is laid out.
                return Err(format!("{name} has no address of the public Internet").into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

impl Egress {
    /// One that also reaches these addresses.
    ///
    /// # Errors
    ///
    /// Where TLS cannot be set up.
    pub fn new(allow: &[SocketAddr]) -> reqwest::Result<Self> {
        let lookup: Lookup = Arc::new(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        });
        Self::with_lookup(allow, &lookup)
    }

    /// The same, where names mean something else.
    ///
    /// # Errors
    ///
    /// Where TLS cannot be set up.
    pub fn with_lookup(allow: &[SocketAddr], lookup: &Lookup) -> reqwest::Result<Self> {
        let client = |public, also| client(Guarded { lookup: Arc::clone(lookup), public, also });
        let mut exceptions = HashMap::new();
        for address in allow {
            let port = address.port();
            let also = || allow.iter().filter(|also| also.port() == port).map(SocketAddr::ip).collect();
            exceptions.insert(("https", port), client(true, also())?);
            // Without TLS only there.
            exceptions.insert(("http", port), client(false, also())?);
        }
        Ok(Self { public: client(true, Vec::new())?, exceptions, allow: allow.into() })
    }

    /// Whether a URL may be kept: whether its name leads to where it may is seen only when it is used.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self, url: &str) -> Result<Url, EgressError> {
        let wrong = |what: String| Err(EgressError::Url(what));
        if url.len() > LONGEST_URL {
            return wrong(format!("is longer than {LONGEST_URL} bytes"));
        }
        let parsed = match Url::parse(url) {
            Ok(parsed) => parsed,
            Err(error) => return wrong(format!("{url:?} is no URL ({error}): write https://host/path")),
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return wrong("names a user or a password, which others may read: write it without".to_owned());
        }
        let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
            return wrong(format!("{url:?} names no host: write https://host/path"));
        };
        let is_exception = |ip: Option<IpAddr>| {
            self.allow.iter().any(|allowed| allowed.port() == port && ip.is_none_or(|ip| allowed.ip() == ip))
        };
        // An address of IPv6 stands in brackets; one of IPv4 is written in one way, whichever way it was given.
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        match parsed.scheme() {
            "https" => {}
            "http" if is_exception(literal) => {}
            scheme => return wrong(format!("begins with {scheme}://: write https://")),
        }
        match literal {
            Some(ip) if !is_public(ip) && !is_exception(Some(ip)) => {
                wrong(format!("leads to {ip}, which is no address of the public Internet"))
            }
            _ => Ok(parsed),
        }
    }

    /// Sends a request, and reads what comes back within `patience`.
    ///
    /// # Errors
    ///
    /// Where there is no answer, or the URL leads to where nobody may go.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<Answer, EgressError> {
        let url = self.check(url)?;
        let scheme = if url.scheme() == "https" { "https" } else { "http" };
        let port = url.port_or_known_default().unwrap_or_default();
        let client = match self.exceptions.get(&(scheme, port)) {
            Some(client) => client,
            None => &self.public,
        };
        let slow = || EgressError::Slow(patience);
        let until = Instant::now().checked_add(patience).ok_or_else(slow)?;
        let sent = client.request(method, url).headers(headers).body(body).send();
        let mut response = match timeout_at(until, sent).await {
            Err(_) => return Err(slow()),
            Ok(Err(error)) => return Err(EgressError::Connection(innermost(&error))),
            Ok(Ok(response)) => response,
        };
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let (status, retry_after) = (response.status().as_u16(), retry_after.map(str::to_owned));
        let mut body = Vec::new();
        // The head is the answer: what is wrong with the body does not take it back.
        let is_whole = loop {
            match timeout_at(until, response.chunk()).await {
                Ok(Ok(None)) => break true,
                Ok(Ok(Some(chunk))) => {
                    let room = MOST_BYTES.saturating_sub(body.len());
                    body.extend(chunk.iter().take(room));
                    if chunk.len() > room {
                        break false;
                    }
                }
                Ok(Err(_)) | Err(_) => break false,
            }
        };
        Ok(Answer { status, retry_after, body, is_whole })
    }
}

fn client(guarded: Guarded) -> reqwest::Result<Client> {
    Client::builder()
        .dns_resolver(Arc::new(guarded))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .user_agent(concat!("escrow-gateway/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The first cause: what is wrapped around it says only that something failed.
fn innermost(error: &reqwest::Error) -> String {
    let whole: &(dyn std::error::Error + 'static) = error;
    let causes = std::iter::successors(Some(whole), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// Without the connections.
impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("allow", &self.allow).finish_non_exhaustive()
    }
}
