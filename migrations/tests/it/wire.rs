//! The line to the validator, which counts transactions and can be cut.

use std::{
    collections::HashSet,
    future,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use escrow_client::EscrowClient;
use escrow_migrations::Migrator;
use solana_client::{
    client_error,
    nonblocking::rpc_client::RpcClient,
    rpc_client::RpcClientConfig,
    rpc_request::RpcRequest,
    rpc_sender::{RpcSender, RpcTransportStats},
};
use tokio::sync::Notify;

/// When the line is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Never.
    Never,
    /// Before the transaction with this number, counted from 0, reaches the validator.
    Before(usize),
    /// After the transaction with this number was executed, and before anybody hears of it.
    After(usize),
}

/// A line to a validator. Transactions count once, however often they are sent.
pub struct Wire {
    rpc: Arc<RpcClient>,
    cut: Cut,
    state: Mutex<State>,
    is_cut: Notify,
}

#[derive(Default)]
struct State {
    /// All transactions that were let through.
    sent: HashSet<String>,
    /// How many of them are not answered yet.
    on_the_way: usize,
    dead: bool,
}

impl Wire {
    pub fn new(rpc: Arc<RpcClient>) -> Arc<Self> {
        Self::cut(rpc, Cut::Never)
    }

    pub fn cut(rpc: Arc<RpcClient>, cut: Cut) -> Arc<Self> {
        Arc::new(Self { rpc, cut, state: Mutex::default(), is_cut: Notify::new() })
    }

    /// How many transactions reached the validator.
    pub fn sent(&self) -> usize {
        self.state.lock().unwrap().sent.len()
    }

    /// Waits until the line is cut, and all that was let through before has arrived.
    pub async fn is_cut(&self) {
        self.is_cut.notified().await;
    }

    /// What works through this line, as fast as it can.
    pub fn migrator(self: &Arc<Self>) -> Migrator {
        let config = RpcClientConfig::with_commitment(self.rpc.commitment());
        let rpc = RpcClient::new_sender(Line(self.clone()), config);
        Migrator::new(EscrowClient::from_rpc(Arc::new(rpc))).with_parallel(16)
    }

    /// Lets a transaction through, unless the line is cut before it.
    fn pass(&self, transaction: &str) -> Pass {
        let mut state = self.state.lock().unwrap();
        let number = state.sent.len();
        if state.sent.contains(transaction) {
            return Pass::Again;
        }
        if self.cut == Cut::Before(number) || matches!(self.cut, Cut::After(last) if number > last) {
            return Pass::No;
        }
        state.sent.insert(transaction.to_owned());
        state.on_the_way += 1;
        Pass::First(number)
    }

    /// What was let through is answered, or the line is cut.
    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap();
        change(&mut state);
        if state.dead && state.on_the_way == 0 {
            self.is_cut.notify_one();
        }
    }

    async fn die(&self) -> client_error::Result<serde_json::Value> {
        self.update(|state| state.dead = true);
        future::pending().await
    }
}

enum Pass {
    First(usize),
    Again,
    No,
}

struct Line(Arc<Wire>);

#[async_trait]
impl RpcSender for Line {
    async fn send(&self, request: RpcRequest, params: serde_json::Value) -> client_error::Result<serde_json::Value> {
        let Line(wire) = self;
        if request != RpcRequest::SendTransaction {
            return wire.rpc.send(request, params).await;
        }
        let transaction = params[0].as_str().unwrap_or_default().to_owned();
        match wire.pass(&transaction) {
            Pass::First(number) => {
                let answer = wire.rpc.send(request, params).await;
                wire.update(|state| state.on_the_way -= 1);
                match wire.cut == Cut::After(number) {
                    true => wire.die().await,
                    false => answer,
                }
            }
            Pass::Again => wire.rpc.send(request, params).await,
            Pass::No => wire.die().await,
        }
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        self.0.rpc.url()
    }
}
