//! All of it, listening: the API, the metrics, and the work in the background.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::get};
use axum_server::Handle;
use escrow_client::transaction::returned::Allowance;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, Api, idempotency, limits::Limiter},
    chain::Chain,
    config::{Config, ConfigError, Role},
    deliver::{Deliver, egress::Egress},
    index::{self, Index, Nodes, Patience, Tail},
    keep,
    orders::Sources,
    store::{Lease, OpenError, Store},
    submit::{self, Journal, Submit},
};

/// Why it does not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// What it is told cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no database.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// It cannot reach receivers of webhooks.
    #[error("TLS cannot be set up: {0}")]
    Egress(#[from] reqwest::Error),
    /// It cannot listen.
    #[error("cannot listen on {address}: {source}; name another with --listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// It has ended by itself.
    #[error("the server has ended: {0}")]
    Ended(std::io::Error),
}

/// How long answers that were begun may take when the process is told to end.
const GRACE: Duration = Duration::from_secs(20);
/// How often what has expired is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long deliveries are kept, in milliseconds.
const DELIVERIES: i64 = 30 * 24 * 60 * 60 * 1_000;

/// How many events that are older than what is kept are emptied at once.
const EMPTIED: i64 = 10_000;

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    /// Where the API listens, if this process has it.
    pub address: Option<SocketAddr>,
    /// Where the metrics are, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// The database.
    pub store: Store,
    /// The nodes.
    pub chain: Arc<Chain>,
    end: CancellationToken,
    tasks: JoinSet<Result<(), ServeError>>,
}

impl Gateway {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Where there is no database, or it cannot listen.
    pub async fn start(config: Config) -> Result<Self, ServeError> {
        let store = Store::open(&config.database_url()?, config.database_connections).await?;
        let chain = Chain::new(&config.nodes, Journal::new(store.clone()));
        Self::start_with(config, store, chain).await
    }

    /// The same, with a database and nodes that are there already.
    ///
    /// # Errors
    ///
    /// Where it cannot listen.
    pub async fn start_with(config: Config, store: Store, chain: Chain) -> Result<Self, ServeError> {
        let (chain, config) = (Arc::new(chain), Arc::new(config));
        let (wake, end) = (Arc::new(Notify::new()), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let recorder = recorder();
        let egress = Arc::new(Egress::new(&config.egress_allow)?);
        let told = Arc::new(Notify::new());
        let mut gateway = Self {
            address: None,
            metrics: None,
            store: store.clone(),
            chain: Arc::clone(&chain),
            end: end.clone(),
            tasks: JoinSet::new(),
        };
        let limits = Arc::new(Limiter::new(&config.limits));
        if config.does(Role::Api) {
            let allowance = Allowance { priority_fee: config.limits.priority_fee };
            let submit = Submit::new(store.clone(), Arc::clone(&chain), Arc::clone(&wake), allowance);
            let (store, chain, limits) = (store.clone(), Arc::clone(&chain), Arc::clone(&limits));
            let tail = Arc::new(Tail::default());
            let streams = Arc::new(tokio::sync::Semaphore::new(config.limits.event_streams));
            let (follow, log, ended) = (Arc::clone(&tail), store.clone(), end.clone());
            tasks.spawn(async move {
                follow.run(log, ended).await;
                Ok(())
            });
            let (egress, told) = (Arc::clone(&egress), Arc::clone(&told));
            let config = Arc::clone(&config);
            let sources = Sources::new(Arc::clone(&egress), config.bearers.clone());
            let (seen, end) = (Arc::default(), end.clone());
            let api = Api {
                config,
                store,
                chain,
                submit,
                sources,
                seen,
                egress,
                told,
                limits,
                tail,
                streams,
                end: end.clone(),
            };
            let head = Duration::from_secs(api.config.limits.head_seconds);
            let address = listen(&mut tasks, api.config.listen, api::router(api), head, &end)?;
            gateway.address = Some(address);
        }
        let upkeep = recorder.clone();
        if let (Some(address), Some(recorder)) = (config.metrics_listen, recorder) {
            let render = move || std::future::ready(recorder.render());
            let router = Router::new().route("/metrics", get(render));
            let head = Duration::from_secs(config.limits.head_seconds);
            gateway.metrics = Some(listen(&mut tasks, address, router, head, &end)?);
        }
        if config.does(Role::Submit) {
            let (chain, end) = (Arc::clone(&chain), end.clone());
            tasks.spawn(async move {
                submit::run(chain, wake, end).await;
                Ok(())
            });
        }
        if config.does(Role::Index) {
            let (store, end) = (store.clone(), end.clone());
            let settings = config.index;
            let nodes = Nodes::new(&config.nodes, Arc::clone(&chain));
            let patience = Patience {
                first_slot: settings.first_slot,
                rounds_before_gap: settings.rounds_before_gap,
                ..Patience::default()
            };
            let index = Index::new(store.clone(), nodes, patience, Arc::new(crate::now_ms));
            tasks.spawn(async move {
                index::run(store, index, Duration::from_millis(settings.pause_ms), end).await;
                Ok(())
            });
        }
        let kept = i64::from(config.index.event_days).saturating_mul(24 * 60 * 60 * 1_000);
        if config.does(Role::Deliver) {
            let deliver = Deliver::new(store.clone(), egress, config.public_url.clone());
            let end = end.clone();
            tasks.spawn(async move {
                deliver.run(told, end).await;
                Ok(())
            });
        }
        if config.does(Role::Keep) {
            let (keeper, end) = (keep::Work::new(&config, &chain, &store)?, end.clone());
            tasks.spawn(async move {
                keeper.run(end).await;
                Ok(())
            });
        }
        tasks.spawn(async move {
            sweep(store, limits, kept, upkeep, end).await;
            Ok(())
        });
        gateway.tasks = tasks;
        Ok(gateway)
    }

    /// Tells it to end.
    pub fn end(&self) {
        self.end.cancel();
    }

    /// By which it is told from elsewhere to end.
    pub fn ender(&self) -> CancellationToken {
        self.end.clone()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// Where it ended by itself.
    pub async fn ended(mut self) -> Result<(), ServeError> {
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            // One that ends takes the others with it.
            self.end.cancel();
            if let Ok(Err(error)) = ended {
                outcome = Err(error);
            }
        }
        self.store.close().await;
        outcome
    }
}

/// Collects the metrics; none where another gateway of this process does.
fn recorder() -> Option<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().ok()
}

fn listen(
    tasks: &mut JoinSet<Result<(), ServeError>>,
    address: SocketAddr,
    router: Router,
    head: Duration,
    end: &CancellationToken,
) -> Result<SocketAddr, ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle.clone());
    // Who sends a head a byte at a time does not hold a connection for ever.
    server.http_builder().http1().header_read_timeout(head);
    let end = end.clone();
    tasks.spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serve = server.serve(service);
        tokio::pin!(serve);
        tokio::select! {
            ended = &mut serve => return ended.map_err(ServeError::Ended),
            () = end.cancelled() => handle.graceful_shutdown(Some(GRACE)),
        }
        serve.await.map_err(ServeError::Ended)
    });
    Ok(bound)
}

/// Forgets what has expired. One process does it, by a lease; two would do no harm.
async fn sweep(
    store: Store,
    limits: Arc<Limiter>,
    events_kept: i64,
    metrics: Option<PrometheusHandle>,
    end: CancellationToken,
) {
    let name = Lease::owner_here();
    let lease = i64::try_from(SWEEP_EVERY.as_millis()).unwrap_or(i64::MAX).saturating_mul(2);
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        limits.sweep();
        // What nobody fetches would be kept for ever.
        if let Some(metrics) = &metrics {
            metrics.run_upkeep();
        }
        let now = crate::now_ms();
        let swept = async {
            match store.lease("sweep", &name, now, now.saturating_add(lease)).await? {
                None => Ok(0),
                Some(_) => {
                    store.empty_events(now.saturating_sub(events_kept), EMPTIED).await?;
                    store.sweep_deliveries(now, now.saturating_sub(DELIVERIES)).await?;
                    store.sweep(now, now.saturating_sub(idempotency::KEPT)).await
                }
            }
        };
        if let Err(error) = swept.await {
            tracing::warn!(%error, "what has expired was not forgotten");
        }
    }
}
