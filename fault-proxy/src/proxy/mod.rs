//! The proxy: between clients and their nodes, on loopback.

mod active;
mod asked;
mod behind;
mod body;
mod connection;
mod exchange;
mod hold;
mod life;
pub(crate) mod memory;
mod port;
mod reply;
pub(crate) mod upstream;
mod websocket;

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    active::Active,
    life::{Life, State},
    port::Port,
    upstream::{Failure, Upstream},
};
use crate::{
    Error, Result,
    json_rpc::Call,
    log::{Delivery, Entry, Log, Told},
    plan::Plan,
    transaction::Transaction,
};

/// More connections at once wait until others end.
const MAX_CONNECTIONS: usize = 4096;

/// How often the block hashes are watched. The shortest blocks in use take 10 ms.
const RECORD_EVERY: Duration = Duration::from_millis(8);

/// More hooks at once wait until others are taken.
const MAX_HOOKS: usize = 1024;

/// How long the proxy rests when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(10);

/// A running proxy, on two neighbouring ports: one for JSON-RPC over HTTP, and the next one for WebSockets, which it
/// passes on to the port behind the upstream's, where Solana's tools look for it. It ends when dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    hooks: Mutex<mpsc::Receiver<Hook>>,
}

/// Something that the plan wanted to be told of: see [`Fault::Hook`](crate::Fault::Hook). The request waits until this is
/// dropped.
#[derive(Debug)]
pub struct Hook {
    /// What it is called in the plan.
    pub name: String,
    /// The methods of the request's calls.
    pub methods: Vec<String>,
    /// Lets the request go on, by being dropped.
    _waits: oneshot::Sender<()>,
}

impl Proxy {
    /// Starts a proxy in front of these nodes, on free ports of 127.0.0.1. It lives on the tokio runtime that this is called
    /// on.
    ///
    /// # Errors
    ///
    /// If an upstream is not on loopback, or the plan cannot be followed.
    pub async fn start<I>(upstreams: I, plan: Plan) -> Result<Self>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Self::start_on(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0), upstreams, plan).await
    }

    /// The same on this address. Port 0 is any free one.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and if the address is not on loopback, or its port or the next one is taken.
    pub async fn start_on<I>(address: SocketAddr, upstreams: I, plan: Plan) -> Result<Self>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        if !address.ip().is_loopback() {
            return Err(Error::NotLoopback(address));
        }
        let upstreams = upstreams.into_iter().map(|url| Upstream::new(url.as_ref())).collect::<Result<Vec<_>>>()?;
        if upstreams.is_empty() {
            return Err(Error::NoUpstream);
        }
        plan.check(upstreams.len())?;
        let (rpc, websocket) = port::pair(address)?;
        let address = rpc.0.address;
        let (hooks, taken) = mpsc::channel(MAX_HOOKS);
        let shared = Arc::new(Shared {
            upstreams,
            active: RwLock::new(Arc::new(Active::new(plan))),
            log: Log::default(),
            started: Instant::now(),
            hooks,
            state: watch::Sender::new(State::default()),
            in_flight: watch::Sender::new(0),
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        for (kind, (port, listener)) in [(Door::Rpc, rpc), (Door::WebSocket, websocket)] {
            shared.tasks.spawn(accept(Arc::clone(&shared), kind, port, listener));
        }
        shared.record();
        Ok(Self { shared, address, hooks: Mutex::new(taken) })
    }

    /// Where a client finds it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where a client of this name finds it: the name is the path of the URL, by which rules and the log tell clients apart.
    /// A key that a test wants to see kept secret goes behind it: `url_of("alice?api-key=...")`.
    pub fn url_of(&self, client: &str) -> String {
        format!("http://{}/{client}", self.address)
    }

    /// Where a client finds the WebSocket.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", SocketAddr::new(self.address.ip(), self.address.port().saturating_add(1)))
    }

    /// What was asked and done so far.
    pub fn log(&self) -> Log {
        self.shared.log.clone()
    }

    /// Follows another plan from now on, from its beginning. A node that is down comes back. What is held back stays so.
    ///
    /// # Errors
    ///
    /// If the plan cannot be followed. Then nothing changes.
    pub fn set_plan(&self, plan: Plan) -> Result<()> {
        plan.check(self.shared.upstreams.len())?;
        *self.shared.active.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Active::new(plan));
        self.shared.state.send_modify(State::come_back);
        self.shared.record();
        Ok(())
    }

    /// The next request at which the plan has a hook. It waits until the [`Hook`] is dropped.
    pub async fn next_hook(&self) -> Option<Hook> {
        self.hooks.lock().await.recv().await
    }

    /// Waits until no request is on its way and no transaction is held back: after that nothing reaches an upstream that no
    /// client sends. It waits for hooks that nobody takes.
    pub async fn settled(&self) {
        // The sender lives as long as this.
        let _ = self.shared.in_flight.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Ends it. When this returns, its ports are free and nothing of it is left; what was held back is never delivered.
    pub async fn shutdown(self) {
        self.shared.cancel.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
    }
}

/// What all connections and requests of a proxy have in common.
pub(crate) struct Shared {
    pub(crate) upstreams: Vec<Upstream>,
    active: RwLock<Arc<Active>>,
    log: Log,
    started: Instant,
    hooks: mpsc::Sender<Hook>,
    state: watch::Sender<State>,
    in_flight: watch::Sender<usize>,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Shared {
    /// The plan that is being followed.
    fn active(&self) -> Arc<Active> {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Microseconds since the proxy started.
    fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A call, as the log has it when it comes.
    fn entry(&self, call: &Call, client: &str, upstream: usize) -> Entry {
        Entry {
            number: 0,
            at_us: self.micros(),
            client: client.to_owned(),
            upstream,
            method: call.method().to_owned(),
            params: call.params().clone(),
            signature: Transaction::of(call).map(|transaction| transaction.signature),
            rules: Vec::new(),
            deliveries: 0,
            accepted: false,
            delivery: Delivery::None,
            told: Told::Nothing,
        }
    }

    /// Writes down what came of a call at the upstream: an answer, or none.
    fn came_of(&self, number: u64, came: Result<Value, &Failure>) {
        let delivery = match came {
            Ok(answer) => Delivery::Answered { at_us: self.micros(), answer },
            Err(Failure::Unreachable(reason)) => Delivery::Unreachable(reason.clone()),
            Err(Failure::Lost(reason)) => Delivery::Lost(reason.clone()),
        };
        self.log.update(number, |entry| entry.came_of(delivery));
    }

    /// What ends when the node dies.
    fn life(&self) -> Life {
        Life::new(self.state.subscribe(), self.cancel.clone())
    }

    /// The node dies, for so long; without a time, for good.
    fn go_down(&self, time: Option<Duration>) {
        self.state.send_modify(|state| state.die(time));
    }

    /// Watches the block hashes of all upstreams, while the present plan needs the past.
    fn record(self: &Arc<Self>) {
        let (shared, active) = (Arc::clone(self), self.active());
        if !active.plan.needs_the_past() {
            return;
        }
        self.tasks.spawn(async move {
            let watching = async {
                while Arc::ptr_eq(&active, &shared.active()) {
                    for upstream in &shared.upstreams {
                        upstream.record().await;
                    }
                    tokio::time::sleep(RECORD_EVERY).await;
                }
            };
            shared.cancel.run_until_cancelled(watching).await
        });
    }

    /// Does something to its end, whoever may have lost interest in it, unless the proxy ends before.
    fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        let (cancel, counted) = (self.cancel.clone(), InFlight::new(self));
        self.tasks.spawn(async move {
            let _counted = counted;
            cancel.run_until_cancelled(work).await
        })
    }

    /// Waits until whoever started the proxy has seen all these hooks.
    async fn wait_for_hooks(&self, names: &[&str], calls: &[&Call]) {
        for name in names {
            let (waits, released) = oneshot::channel();
            let methods = calls.iter().map(|call| call.method().to_owned()).collect();
            let hook = Hook { name: (*name).to_owned(), methods, _waits: waits };
            // Both fail when nobody is there to take it any more.
            if self.hooks.send(hook).await.is_ok() {
                let _ = released.await;
            }
        }
    }
}

/// One request that is on its way, or one transaction that is held back.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.in_flight.send_modify(|count| *count = count.saturating_add(1));
        Self(Arc::clone(shared))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// What a port is for.
#[derive(Clone, Copy)]
enum Door {
    Rpc,
    WebSocket,
}

/// Takes connections on a port, while the node is not down.
async fn accept(shared: Arc<Shared>, door: Door, port: Port, mut listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut number: u64 = 0;
    let mut life = shared.life();
    loop {
        let accepted = tokio::select! {
            accepted = async { (Arc::clone(&places).acquire_owned().await, listener.accept().await) } => accepted,
            () = life.ends() => {
                drop(listener);
                // From before it is back: it may die again while the port is opened.
                life = shared.life();
                match reopen(&shared, &port).await {
                    Some(reopened) => listener = reopened,
                    None => return,
                }
                continue;
            }
        };
        let (place, Ok((stream, _))) = accepted else {
            tokio::time::sleep(NO_ROOM).await;
            continue;
        };
        // A connection that came in one life of the node does not live on in the next.
        let (own, life) = (Arc::clone(&shared), life.clone());
        shared.tasks.spawn(async move {
            serve(own, life, door, stream, number).await;
            drop(place);
        });
        number = number.wrapping_add(1);
    }
}

async fn serve(shared: Arc<Shared>, life: Life, door: Door, stream: TcpStream, number: u64) {
    match door {
        Door::Rpc => connection::serve(shared, life, stream, number).await,
        Door::WebSocket => websocket::serve(shared, life, stream, number).await,
    }
}

/// Listens on the port again once the node is back; not if the proxy ends before.
async fn reopen(shared: &Shared, port: &Port) -> Option<TcpListener> {
    let listening = async {
        life::until_back(&shared.state).await;
        loop {
            match port.listen() {
                Ok(listener) => return listener,
                Err(_) => tokio::time::sleep(NO_ROOM).await,
            }
        }
    };
    shared.cancel.run_until_cancelled(listening).await
}
