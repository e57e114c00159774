//! The nodes that are asked: one, or several that need not be believed one by one.
//!
//! A request goes to the next node where one fails. What must be true (the time, a mint's decimals, what is signed upon)
//! is asked of all, and two must say the same. What is older than what was read before is not taken.

pub(crate) mod redact;
mod transport;

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    nonblocking::rpc_client::RpcClient,
    rpc_client::RpcClientConfig,
    rpc_request::RpcError,
    rpc_response::Response,
};
use solana_commitment_config::CommitmentConfig;

use self::{redact::public_url, transport::Transport};
use crate::{Error, Result, error::without_url};

/// The most accounts that a node is asked for at once.
pub(crate) const MOST_ACCOUNTS: usize = 100;

/// Between two rounds of the same question.
const AGAIN: Duration = Duration::from_millis(250);

/// How often a question is asked of each node before it is given up.
const ROUNDS: u32 = 3;

/// How long nodes that differ have to agree.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the others have to answer after the first, where one answer is enough.
const OTHERS: Duration = Duration::from_millis(500);

/// What one node answered.
type Asked<T> = std::result::Result<T, ClientError>;

/// One node.
pub(crate) struct Node {
    pub(crate) rpc: Arc<RpcClient>,
    /// Its address as it may be shown, which no other of the nodes has.
    pub(crate) name: String,
}

/// The nodes.
pub(crate) struct Nodes {
    all: Vec<Node>,
    commitment: CommitmentConfig,
    /// Their addresses, where the connections are ours. A connection that a caller brought has its own way to ask again.
    urls: Option<Vec<String>>,
    /// The newest slot that an answer came from, and when.
    newest: Mutex<Option<(u64, Instant)>>,
}

impl Nodes {
    /// The nodes at these addresses, the preferred first.
    pub(crate) fn at(urls: &[String], commitment: CommitmentConfig) -> Self {
        let rpc = |url: &String| {
            Arc::new(RpcClient::new_sender(Transport::new(url), RpcClientConfig::with_commitment(commitment)))
        };
        Self { urls: Some(urls.to_vec()), ..Self::of(urls.iter().map(rpc).collect(), commitment) }
    }

    pub(crate) fn of(all: Vec<Arc<RpcClient>>, commitment: CommitmentConfig) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        for rpc in all {
            let name = public_url(&rpc.url());
            let same = nodes.iter().filter(|node| node.name.split(" #").next() == Some(&name)).count();
            let name = if same == 0 { name } else { format!("{name} #{}", same.saturating_add(1)) };
            nodes.push(Node { rpc, name });
        }
        Self { all: nodes, commitment, urls: None, newest: Mutex::new(None) }
    }

    /// The same nodes over connections of their own, for another runtime: a connection lives in the one that opened it.
    #[cfg(feature = "blocking")]
    pub(crate) fn anew(&self) -> Self {
        match &self.urls {
            Some(urls) => Self::at(urls, self.commitment),
            None => Self::of(self.all.iter().map(|node| Arc::clone(&node.rpc)).collect(), self.commitment),
        }
    }

    /// Whether a question is asked again where it has no answer.
    const fn asks_again(&self) -> bool {
        self.urls.is_some()
    }

    pub(crate) fn all(&self) -> &[Node] {
        &self.all
    }

    pub(crate) fn commitment(&self) -> CommitmentConfig {
        self.commitment
    }

    /// Their names, as people may see them.
    pub(crate) fn names(&self) -> Vec<String> {
        self.all.iter().map(|node| node.name.clone()).collect()
    }

    pub(crate) fn name(&self) -> String {
        self.names().join(", ")
    }

    /// Whether all of them are on this machine.
    pub(crate) fn are_local(&self) -> bool {
        self.all.iter().all(|node| {
            let host = node.name.split("://").nth(1).unwrap_or_default();
            ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local))
        })
    }

    /// Asks one node, and the next where it fails.
    pub(crate) async fn ask<T, F: Future<Output = Asked<T>>>(
        &self,
        question: impl Fn(Arc<RpcClient>) -> F,
    ) -> Result<T> {
        let mut last = None;
        let rounds = if self.asks_again() { ROUNDS } else { 1 };
        for round in 0..rounds {
            if round > 0 {
                tokio::time::sleep(AGAIN.saturating_mul(round)).await;
            }
            for node in &self.all {
                match question(Arc::clone(&node.rpc)).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => {
                        let is_answer = is_answer(&error);
                        last = Some((node, error));
                        // A node that understood and refuses says the same again.
                        if is_answer && self.all.len() == 1 {
                            return Err(self.error(last));
                        }
                    }
                }
            }
        }
        Err(self.error(last))
    }

    fn error(&self, last: Option<(&Node, ClientError)>) -> Error {
        let (url, source) = last.map_or_else(
            || (self.name(), ClientErrorKind::Custom("there is no node".to_owned()).into()),
            |(node, error)| (node.name.clone(), error),
        );
        Error::Rpc { url, source: Box::new(without_url(source)) }
    }

    /// The newest answer, never older than one before. With several nodes two must say the same, where `two` says so; else one
    /// is enough where the others do not answer.
    pub(crate) async fn read<T, F>(
        &self,
        what: &str,
        two: bool,
        question: impl Fn(Arc<RpcClient>) -> F,
        same: impl Fn(&T, &T) -> bool,
    ) -> Result<T>
    where
        F: Future<Output = Asked<Response<T>>>,
    {
        let began = Instant::now();
        let needed = if two && self.all.len() > 1 { 2 } else { 1 };
        let mut last = None;
        let mut rounds = 0_u32;
        loop {
            let mut answers: Vec<(&Node, u64, T)> = Vec::new();
            let mut open: FuturesUnordered<_> = self
                .all
                .iter()
                .map(|node| {
                    let asked = question(Arc::clone(&node.rpc));
                    async move { (node, asked.await) }
                })
                .collect();
            let mut until = None;
            loop {
                let next = match until {
                    None => open.next().await,
                    Some(until) => tokio::time::timeout_at(until, open.next()).await.unwrap_or(None),
                };
                let Some((node, answer)) = next else { break };
                match answer {
                    Ok(Response { context, value }) => {
                        if self.is_old(context.slot) {
                            last = Some(behind(node, context.slot));
                            continue;
                        }
                        let agree = answers.iter().filter(|(_, _, other)| same(other, &value)).count();
                        if agree.saturating_add(1) >= needed && (needed > 1 || self.all.len() == 1) {
                            self.is_at(context.slot);
                            return Ok(value);
                        }
                        answers.push((node, context.slot, value));
                        if needed == 1 && until.is_none() {
                            until = tokio::time::Instant::now().checked_add(OTHERS);
                        }
                    }
                    Err(error) => last = Some((node, error)),
                }
            }
            if needed == 1
                && let Some((_, slot, value)) = answers.into_iter().max_by_key(|(_, slot, _)| *slot)
            {
                self.is_at(slot);
                return Ok(value);
            } else if needed > 1 && began.elapsed() >= PATIENCE {
                return Err(Error::Disagree { what: what.to_owned(), nodes: self.name() });
            }
            if !self.asks_again() {
                return Err(self.error(last));
            }
            rounds = rounds.saturating_add(1);
            let refused = last.as_ref().is_some_and(|(_, error)| is_answer(error) && !is_behind(error));
            let enough = if needed == 1 { rounds >= ROUNDS || refused } else { began.elapsed() >= PATIENCE };
            if enough && !last.as_ref().is_some_and(|(_, error)| is_behind(error) && began.elapsed() < PATIENCE) {
                return Err(self.error(last));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The slot that an answer must come from at least.
    pub(crate) fn min_context_slot(&self) -> Option<u64> {
        let newest = *self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.map(|(slot, _)| slot)
    }

    fn is_old(&self, slot: u64) -> bool {
        self.asks_again() && self.min_context_slot().is_some_and(|newest| slot < newest)
    }

    /// A slot that an answer came from. One further ahead than slots can pass is not taken for the truth.
    pub(crate) fn is_at(&self, slot: u64) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match *newest {
            Some((known, when)) => {
                let passed = u64::try_from(when.elapsed().as_millis()).unwrap_or(u64::MAX);
                if slot > known && slot <= known.saturating_add(passed).saturating_add(1_000) {
                    *newest = Some((slot, Instant::now()));
                }
            }
            None => *newest = Some((slot, Instant::now())),
        }
    }
}

/// Whether the node understood the request and refuses it.
fn is_answer(error: &ClientError) -> bool {
    matches!(error.kind(), ClientErrorKind::RpcError(RpcError::RpcResponseError { .. }))
}

/// What servers answer where they have not reached `minContextSlot`, in JSON-RPC.
const NOT_REACHED: i64 = -32_016;

fn is_behind(error: &ClientError) -> bool {
    match error.kind() {
        ClientErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) => *code == NOT_REACHED,
        ClientErrorKind::Custom(reason) => reason.starts_with(BEHIND),
        _ => false,
    }
}

const BEHIND: &str = "it is at slot";

fn behind(node: &Node, slot: u64) -> (&Node, ClientError) {
    let reason = format!("{BEHIND} {slot}, behind what was read before: it lags, or is on another ledger");
    (node, ClientErrorKind::Custom(reason).into())
}
