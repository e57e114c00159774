//! One request to one node, and its answer: within a time, within a size, and told without what might be a secret.
//!
//! Solana's own transport reads an answer of any length, obeys `Retry-After` five times over, and quotes the URL.

use std::{
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use reqwest::{StatusCode, header};
use serde_json::Value;
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    rpc_request::{RpcError, RpcRequest, RpcResponseErrorData},
    rpc_response::RpcSimulateTransactionResult,
    rpc_sender::{RpcSender, RpcTransportStats},
};

use super::redact::Secrets;

/// How long a node may take to be reached.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take, and one that goes through all accounts of a program.
const ANSWER: Duration = Duration::from_secs(10);
const SCAN: Duration = Duration::from_secs(120);

/// How long an answer may be: a page of a hundred accounts, a block's largest transaction, and 100,000 escrows.
const LONGEST: usize = 16 << 20;
const LONGEST_SCAN: usize = 512 << 20;

/// How long a node that asks for it is left alone at most, and how long if it does not say.
const LONGEST_REST: Duration = Duration::from_secs(60);
const REST: Duration = Duration::from_millis(500);

/// How long a request waits for a node that wants to be left alone: another node is asked meanwhile.
const WAIT: Duration = Duration::from_secs(3);

/// What a server answers to a request of ours that it will not work on, in JSON-RPC.
const PREFLIGHT_FAILURE: i64 = -32_002;

type Result<T> = std::result::Result<T, ClientError>;

/// JSON-RPC over HTTP.
pub(super) struct Transport {
    http: reqwest::Client,
    url: String,
    secrets: Secrets,
    next_id: AtomicU64,
    /// Until when the node wants to be left alone.
    rest: Mutex<Option<Instant>>,
    stats: RwLock<RpcTransportStats>,
}

impl Transport {
    pub(super) fn new(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            // A node does not send elsewhere, and where it would is not what the user named.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            // None of the options can fail without a proxy or certificates of our own.
            .unwrap_or_default();
        Self {
            http,
            url: url.to_owned(),
            secrets: Secrets::of(url),
            next_id: AtomicU64::new(0),
            rest: Mutex::new(None),
            stats: RwLock::default(),
        }
    }

    fn rest(&self) -> Option<Duration> {
        let until = *self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        until?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn leave_alone(&self, answer: &reqwest::Response) -> Duration {
        let told = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let seconds = told.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let rest = seconds.unwrap_or(REST).min(LONGEST_REST);
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_add(rest);
        rest
    }

    /// A text of the node's, without what might be a secret and without what a terminal would obey.
    fn told(&self, text: &str) -> String {
        self.secrets.redact(text)
    }

    fn failed(&self, reason: impl AsRef<str>) -> ClientError {
        ClientErrorKind::RpcError(RpcError::RpcRequestError(self.told(reason.as_ref()))).into()
    }

    async fn ask(&self, request: RpcRequest, params: Value) -> Result<Value> {
        let is_scan = matches!(request, RpcRequest::GetProgramAccounts);
        let (timeout, longest) = if is_scan { (SCAN, LONGEST_SCAN) } else { (ANSWER, LONGEST) };
        match self.rest() {
            Some(rest) if rest > WAIT => {
                return Err(self.failed(format!("asked to be left alone for {} s more", rest.as_secs().max(1))));
            }
            Some(rest) => tokio::time::sleep(rest).await,
            None => {}
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = request.build_request_json(id, params).to_string();
        let without_url = |error: reqwest::Error| ClientError::from(ClientErrorKind::Reqwest(error.without_url()));
        let asked = self.http.post(&self.url).header(header::CONTENT_TYPE, "application/json").timeout(timeout);
        let mut answer = asked.body(body).send().await.map_err(without_url)?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::TOO_MANY_REQUESTS => {
                let rest = self.leave_alone(&answer);
                return Err(self.failed(format!("answered 429, too many requests: it is left alone for {rest:?}")));
            }
            status => {
                return Err(match answer.error_for_status() {
                    Err(error) => without_url(error),
                    Ok(_) => self.failed(format!("answered {status}")),
                });
            }
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(without_url)? {
            if bytes.len().saturating_add(chunk.len()) > longest {
                return Err(self.failed(format!("answered more than {} MiB", longest >> 20)));
            }
            bytes.extend_from_slice(&chunk);
        }
        let answer: Value = serde_json::from_slice(&bytes)
            .map_err(|error| self.failed(format!("answered what is not JSON: {error}")))?;
        drop(bytes);
        self.read(id, answer)
    }

    /// The result in a JSON-RPC answer.
    fn read(&self, id: u64, mut answer: Value) -> Result<Value> {
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            return Err(self.error(error));
        }
        if answer.get("id").and_then(Value::as_u64) != Some(id) {
            return Err(self.failed("gave the answer to another question"));
        }
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(self.failed("gave an answer without a result")),
        }
    }

    fn error(&self, error: &Value) -> ClientError {
        let (Some(code), Some(message)) =
            (error.get("code").and_then(Value::as_i64), error.get("message").and_then(Value::as_str))
        else {
            return self.failed("answered an error that says nothing");
        };
        let data = match error.get("data") {
            Some(data) if code == PREFLIGHT_FAILURE => {
                match serde_json::from_value::<RpcSimulateTransactionResult>(data.clone()) {
                    Ok(simulation) => RpcResponseErrorData::SendTransactionPreflightFailure(simulation),
                    Err(_) => RpcResponseErrorData::Empty,
                }
            }
            _ => RpcResponseErrorData::Empty,
        };
        ClientErrorKind::RpcError(RpcError::RpcResponseError { code, message: self.told(message), data }).into()
    }
}

#[async_trait]
impl RpcSender for Transport {
    async fn send(&self, request: RpcRequest, params: Value) -> Result<Value> {
        let began = Instant::now();
        let answer = self.ask(request, params).await;
        let elapsed = began.elapsed();
        {
            let mut stats = self.stats.write().unwrap_or_else(PoisonError::into_inner);
            stats.request_count = stats.request_count.saturating_add(1);
            stats.elapsed_time = stats.elapsed_time.saturating_add(elapsed);
        }
        match &answer {
            Ok(_) => tracing::trace!(target: "escrow_client::node", method = %request, ?elapsed, "answered"),
            Err(error) => {
                tracing::debug!(target: "escrow_client::node", method = %request, ?elapsed, %error, "no answer");
            }
        }
        answer
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        self.stats.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn url(&self) -> String {
        self.url.clone()
    }
}
