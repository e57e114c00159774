//! The embedded validator: surfpool's virtual machine, runloop and JSON-RPC methods, on threads and listeners of our own.
//!
//! Why not `surfpool_sdk::Surfnet`, which starts all of this in one call: it takes no ports, its clock thread never ends
//! and wakes up a thousand times a second, its HTTP listener shares its port with any other (SO_REUSEPORT), so that two
//! validators can end up on one port unnoticed, and it serves methods to every web page that this machine opens which
//! write files and load shared libraries into this process. So the parts are put together here, and all that is started
//! here also ends here.
//!
//! Nothing in this file reaches beyond 127.0.0.1: there is no remote client, and the methods that would make one
//! are not served.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, RwLock, atomic::AtomicUsize},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased, tick, unbounded};
use jsonrpc_pubsub::PubSubHandler;
use solana_account::Account;
use solana_loader_v3_interface::{get_program_data_address, state::UpgradeableLoaderState};
use solana_sdk_ids::bpf_loader_upgradeable;
use surfpool_core::{
    jsonrpc_core::MetaIoHandler,
    jsonrpc_http_server,
    rpc::{
        RunloopContext, SurfpoolMiddleware, SurfpoolWebsocketMeta, SurfpoolWebsocketMiddleware,
        accounts_data::{AccountsData, SurfpoolAccountsDataRpc},
        accounts_scan::{AccountsScan, SurfpoolAccountsScanRpc},
        bank_data::{BankData, SurfpoolBankDataRpc},
        full::{Full, SurfpoolFullRpc},
        minimal::{Minimal, SurfpoolMinimalRpc},
        surfnet_cheatcodes::{SurfnetCheatcodes, SurfnetCheatcodesRpc},
        ws::{Rpc as _, SurfpoolWsRpc},
    },
    runloops::start_block_production_runloop,
    surfnet::{
        locker::SurfnetSvmLocker,
        svm::{SurfnetSvm, SurfnetSvmConfig},
    },
};
use surfpool_types::{
    BlockProductionMode, ClockCommand, ClockEvent, RpcConfig, SimnetCommand, SimnetConfig, SimnetEvent,
    SvmFeatureConfig,
};
use tokio::{runtime::Runtime, sync::oneshot};

use crate::{
    config::{Blocks, Config, Ports, Program},
    error::{Error, Listener, Result},
    ws,
};

/// Surfpool's own method that is served besides Solana's. The others write files, load libraries, fetch accounts from
/// other clusters, or forge state that no transaction could have made; and `surfnet_pauseClock` stops the blocks, so
/// that nothing is confirmed any more.
const SERVED_CHEATCODE: &str = "surfnet_timeTravel";

/// How often blocks come on demand while a transaction waits to be finalized: 31 blocks, so 0.3 s. Not faster, because
/// a block hash lives for 150 blocks, and everyone's should survive other people's traffic for longer than a request.
const FINALIZING_INTERVAL: Duration = Duration::from_millis(10);

/// What a cluster keeps of a transaction's log.
const LOG_BYTES: usize = 10_000;

/// As large as surfpool's own limit, which is far above any request of ours.
const MAX_REQUEST_BYTES: usize = 15 * 1024 * 1024;

/// Pairs of neighbouring ports that are tried. Each attempt fails only if somebody took one of the two in the
/// microseconds since the operating system named it free, or its neighbour is taken.
const PORT_ATTEMPTS: u32 = 64;

/// Requests are answered on these. A request to send a transaction keeps one busy until the transaction has run.
const RPC_THREADS: usize = 4;

/// How long requests in progress may take to be answered when the validator stops.
const DRAIN: Duration = Duration::from_millis(500);

/// How long the validator's threads may take to end.
const STOP: Duration = Duration::from_secs(10);

/// A running embedded validator. It stops when dropped.
pub(crate) struct Node {
    pub(crate) rpc: SocketAddr,
    pub(crate) ws: SocketAddr,
    life: Life,
}

impl Node {
    /// Starts a validator and returns when it answers requests. If the future is dropped before, the validator is
    /// stopped, and waited for.
    pub(crate) async fn start(config: Config) -> Result<Node> {
        let (commands_tx, commands_rx) = unbounded();
        let (ready_tx, ready_rx) = oneshot::channel();
        let for_requests = commands_tx.clone();
        let thread = thread::Builder::new()
            .name("localnet".into())
            .spawn(move || run(config, for_requests, commands_rx, ready_tx))
            .map_err(Error::start)?;
        let mut life = Life { commands: commands_tx, thread: Some(thread) };
        match ready_rx.await {
            Ok((rpc, ws)) => Ok(Node { rpc, ws, life }),
            Err(_) => Err(match life.terminate().map(join) {
                Some(Err(error)) => error,
                Some(Ok(())) | None => Error::start("it stopped at once"),
            }),
        }
    }

    /// Stops the validator; when this returns its threads have ended and its ports are free.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let Some(thread) = self.life.terminate() else {
            return Ok(());
        };
        let deadline = Instant::now() + STOP;
        while !thread.is_finished() {
            if Instant::now() > deadline {
                return Err(Error::StopTimeout { waited: STOP });
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        join(thread)
    }
}

/// The thread that is the validator. It ends with this.
struct Life {
    commands: Sender<SimnetCommand>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Life {
    /// Tells the validator to end, and takes the thread to wait for.
    fn terminate(&mut self) -> Option<JoinHandle<Result<()>>> {
        let thread = self.thread.take()?;
        // Before the runloop has begun this is the first that it hears. It fails only if that has ended already.
        let _ = self.commands.send(SimnetCommand::Terminate(None));
        Some(thread)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // The ports must be free and the threads gone when this returns; that takes some milliseconds, or twice `DRAIN` if
        // a client is slow. The thread waits for nobody else outside of it, so this ends on a single-threaded runtime too.
        if let Some(thread) = self.terminate() {
            let _ = join(thread);
        }
    }
}

fn join(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| Err(Error::Failed { reason: "its thread panicked".into() }))
}

/// The life of a validator, on a thread of its own: everything below is started and ended here, outside of any
/// asynchronous runtime, where runtimes may be dropped.
fn run(
    config: Config,
    commands_tx: Sender<SimnetCommand>,
    commands_rx: Receiver<SimnetCommand>,
    ready: oneshot::Sender<(SocketAddr, SocketAddr)>,
) -> Result<()> {
    let slot_millis = config.blocks.slot_millis();
    // The last receiver is for Geyser plugins. Dropped, since its channel is bounded and its senders wait.
    let (mut svm, events, _) = SurfnetSvm::new(SurfnetSvmConfig {
        surfnet_id: "localnet".into(),
        slot_time: slot_millis,
        instruction_profiling_enabled: false,
        max_profiles: 1,
        log_bytes_limit: Some(LOG_BYTES),
        feature_config: SvmFeatureConfig::default(),
        skip_blockhash_check: false,
    })
    .map_err(Error::start)?;
    for program in &config.programs {
        deploy(&mut svm, program)?;
    }
    let locker = SurfnetSvmLocker::new(svm);
    locker.seal_startup_plan(Vec::new()).map_err(Error::start)?;

    // A runtime apart from the one that serves requests: those block their threads until this one has answered.
    let chain = runtime("localnet-chain", 1)?;
    let servers = Servers::start(config.ports, &locker, &commands_tx)?;
    // Ours would keep the channel open after the runloop has ended.
    drop(commands_tx);

    // One tick at most waits to be taken: a busy validator must not find a queue of blocks to produce.
    let (ticks_tx, ticks_rx) = bounded(1);
    let (clock_tx, clock_rx) = unbounded();
    let ticker = {
        let locker = locker.clone();
        thread::Builder::new()
            .name("localnet-ticks".into())
            .spawn(move || drive_blocks(config.blocks, &locker, &clock_rx, &events, &ticks_tx))
            .map_err(Error::start)?
    };

    let simnet = SimnetConfig {
        offline_mode: true,
        remote_rpc_url: None,
        slot_time: slot_millis,
        block_production_mode: BlockProductionMode::Clock,
        instruction_profiling_enabled: false,
        ..SimnetConfig::default()
    };
    let result = if ready.send(servers.addresses()).is_ok() {
        // Only used to end a validator that nobody has used for a while, which is not configured.
        let (expired_tx, _) = unbounded();
        chain
            .block_on(start_block_production_runloop(
                ticks_rx,
                clock_tx,
                commands_rx,
                expired_tx,
                locker,
                BlockProductionMode::Clock,
                &None,
                None,
                &simnet,
                None,
            ))
            .map_err(|error| Error::Failed { reason: error.to_string() })
    } else {
        // Nobody waits for this validator any more. The ticker ends by this, and requests that came already.
        drop((clock_tx, commands_rx));
        Ok(())
    };

    servers.stop();
    chain.shutdown_timeout(DRAIN);
    // It ends because the channels to the runloop are closed.
    let _ = ticker.join();
    result
}

fn runtime(name: &str, threads: usize) -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(Error::start)
}

/// Puts the two accounts of an upgradeable program onto the chain.
fn deploy(svm: &mut SurfnetSvm, program: &Program) -> Result<()> {
    let invalid = |reason: String| Error::InvalidProgram { id: program.id, reason };
    let account = |svm: &SurfnetSvm, data: Vec<u8>, executable| Account {
        lamports: svm.inner.minimum_balance_for_rent_exemption(data.len()),
        data,
        owner: bpf_loader_upgradeable::ID,
        executable,
        rent_epoch: u64::MAX,
    };
    let state = |state: UpgradeableLoaderState| wincode::serialize(&state).map_err(|error| invalid(error.to_string()));

    let programdata_address = get_program_data_address(&program.id);
    let mut programdata =
        state(UpgradeableLoaderState::ProgramData { slot: 0, upgrade_authority_address: program.upgrade_authority })?;
    // Without an authority the header is shorter; the code begins at the same place nevertheless.
    programdata.resize(UpgradeableLoaderState::size_of_programdata_metadata(), 0);
    programdata.extend_from_slice(&program.elf);
    let programdata = account(svm, programdata, false);
    let header = state(UpgradeableLoaderState::Program { programdata_address })?;
    let header = account(svm, header, true);

    // The code first: setting the program account loads and verifies what stands there.
    svm.set_account(&programdata_address, programdata)
        .and_then(|()| svm.set_account(&program.id, header))
        .map_err(|error| invalid(error.to_string()))
}

/// Asks the runloop for blocks, until the runloop is gone.
fn drive_blocks(
    blocks: Blocks,
    locker: &SurfnetSvmLocker,
    clock: &Receiver<ClockCommand>,
    events: &Receiver<SimnetEvent>,
    ticks: &Sender<ClockEvent>,
) {
    let timer = match blocks {
        Blocks::OnDemand => tick(FINALIZING_INTERVAL),
        Blocks::Every(_) => tick(Duration::from_millis(blocks.slot_millis())),
    };
    loop {
        // In order of urgency. All must be taken in any case: some senders of events wait until there is room.
        let due = select_biased! {
            recv(clock) -> command => match command {
                // To pause, to resume, to change the rate. No method that sends them is served.
                Ok(_) => false,
                Err(_) => return,
            },
            recv(events) -> event => match event {
                // The block that confirms it, at once.
                Ok(SimnetEvent::TransactionProcessed(..)) => blocks == Blocks::OnDemand,
                Ok(_) => false,
                Err(_) => return,
            },
            recv(timer) -> _ => match blocks {
                Blocks::OnDemand => is_awaiting_blocks(locker),
                Blocks::Every(_) => true,
            },
        };
        if due {
            // If it does not fit, a block is on its way already.
            let _ = ticks.try_send(ClockEvent::Tick);
        }
    }
}

/// Whether a transaction waits to be confirmed or finalized.
fn is_awaiting_blocks(locker: &SurfnetSvmLocker) -> bool {
    // While it is being written to, ask again with the next tick.
    locker.0.try_read().is_ok_and(|svm| {
        !svm.transactions_queued_for_confirmation.is_empty() || !svm.transactions_queued_for_finalization.is_empty()
    })
}

/// The two listeners.
struct Servers {
    http: jsonrpc_http_server::Server,
    ws: SocketAddr,
    /// Where requests are answered. The WebSocket listener and all connections end with it.
    runtime: Runtime,
}

impl Servers {
    fn start(ports: Ports, locker: &SurfnetSvmLocker, commands: &Sender<SimnetCommand>) -> Result<Servers> {
        match ports {
            Ports::Fixed { rpc, ws } => Servers::bind(rpc, ws, locker, commands),
            Ports::Free => {
                for _ in 0..PORT_ATTEMPTS {
                    let (rpc, ws) = free_pair()?;
                    match Servers::bind(rpc, ws, locker, commands) {
                        // Somebody was faster.
                        Err(Error::PortInUse { .. }) => continue,
                        result => return result,
                    }
                }
                Err(Error::NoFreePorts { attempts: PORT_ATTEMPTS })
            }
        }
    }

    fn bind(
        rpc_port: u16,
        ws_port: u16,
        locker: &SurfnetSvmLocker,
        commands: &Sender<SimnetCommand>,
    ) -> Result<Servers> {
        let rpc = SocketAddr::from((Ipv4Addr::LOCALHOST, rpc_port));
        let ws = SocketAddr::from((Ipv4Addr::LOCALHOST, ws_port));
        // Before anything is started, and in this order, so that the error names the right one.
        is_free(Listener::Rpc, rpc)?;
        is_free(Listener::WebSocket, ws)?;

        let runtime = runtime("localnet-rpc", RPC_THREADS)?;
        let (plugins, _) = unbounded();
        let middleware = SurfpoolMiddleware::new(
            locker.clone(),
            commands,
            &RpcConfig {
                bind_host: Ipv4Addr::LOCALHOST.to_string(),
                bind_port: rpc_port,
                ws_port,
                ..RpcConfig::default()
            },
            &None,
            plugins,
        );

        // An executor from outside and one thread of its own: so the listener is one socket, which it shares with none.
        let http = jsonrpc_http_server::ServerBuilder::new(http_methods(middleware.clone()))
            .event_loop_executor(runtime.handle().clone())
            .threads(1)
            .max_request_body_size(MAX_REQUEST_BYTES)
            .start_http(&rpc)
            .map_err(|error| bind_error(Listener::Rpc, rpc, error))?;

        let methods = ws_methods(middleware.clone(), &runtime);
        let _on_runtime = runtime.enter();
        let ws_listener = TcpListener::bind(ws).map_err(|error| bind_error(Listener::WebSocket, ws, error))?;
        let ws = ws_listener.local_addr().map_err(Error::start)?;
        ws::serve(ws_listener, methods, move |session| SurfpoolWebsocketMeta::new(context(&middleware), Some(session)))
            .map_err(Error::start)?;
        drop(_on_runtime);
        Ok(Servers { http, ws, runtime })
    }

    fn addresses(&self) -> (SocketAddr, SocketAddr) {
        (*self.http.address(), self.ws)
    }

    /// Closes both listeners and ends everything that runs for them.
    fn stop(self) {
        let Servers { http, runtime, .. } = self;
        // Requests in progress are answered, but a client that has sent half a request must not keep the port.
        http.close_handle().close();
        let http = thread::spawn(move || http.wait());
        let deadline = Instant::now() + DRAIN;
        while !http.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        runtime.shutdown_timeout(DRAIN);
        let _ = http.join();
    }
}

fn http_methods(middleware: SurfpoolMiddleware) -> MetaIoHandler<Option<RunloopContext>, SurfpoolMiddleware> {
    let mut io = MetaIoHandler::with_middleware(middleware);
    io.extend_with(SurfpoolMinimalRpc.to_delegate());
    io.extend_with(SurfpoolFullRpc.to_delegate());
    io.extend_with(SurfpoolAccountsDataRpc.to_delegate());
    io.extend_with(SurfpoolAccountsScanRpc.to_delegate());
    io.extend_with(SurfpoolBankDataRpc.to_delegate());
    io.extend_with(
        SurfnetCheatcodesRpc::empty().to_delegate().into_iter().filter(|(name, _)| name == SERVED_CHEATCODE),
    );
    io
}

fn ws_methods(middleware: SurfpoolMiddleware, runtime: &Runtime) -> ws::Methods {
    fn subscriptions<K, V>() -> Arc<RwLock<HashMap<K, V>>> {
        Arc::new(RwLock::new(HashMap::new()))
    }
    let mut io = PubSubHandler::new(MetaIoHandler::with_middleware(SurfpoolWebsocketMiddleware::new(middleware, None)));
    io.extend_with(
        SurfpoolWsRpc {
            uid: AtomicUsize::new(0),
            signature_subscription_map: subscriptions(),
            account_subscription_map: subscriptions(),
            program_subscription_map: subscriptions(),
            slot_subscription_map: subscriptions(),
            slots_updates_subscription_map: subscriptions(),
            logs_subscription_map: subscriptions(),
            snapshot_subscription_map: subscriptions(),
            tokio_handle: runtime.handle().clone(),
        }
        .to_delegate(),
    );
    io
}

fn context(middleware: &SurfpoolMiddleware) -> RunloopContext {
    RunloopContext {
        id: None,
        svm_locker: middleware.surfnet_svm.clone(),
        simnet_commands_tx: middleware.simnet_commands_tx.clone(),
        remote_rpc_client: None,
        rpc_config: middleware.config.clone(),
        cheatcode_config: middleware.cheatcode_config.clone(),
        plugin_commands_tx: middleware.plugin_commands_tx.clone(),
    }
}

/// Two neighbouring ports that were free a moment ago.
fn free_pair() -> Result<(u16, u16)> {
    for _ in 0..PORT_ATTEMPTS {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::start)?;
        let rpc = listener.local_addr().map_err(Error::start)?.port();
        let Some(ws) = rpc.checked_add(1) else {
            continue;
        };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, ws)).is_ok() {
            return Ok((rpc, ws));
        }
    }
    Err(Error::NoFreePorts { attempts: PORT_ATTEMPTS })
}

fn is_free(listener: Listener, address: SocketAddr) -> Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(bind_error(listener, address, error)),
    }
}

fn bind_error(listener: Listener, address: SocketAddr, source: io::Error) -> Error {
    let port = address.port();
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse { listener, port },
        _ => Error::Bind { listener, port, source },
    }
}
