//! A simulated chain, a database, and processes that index the one into the other.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    task::Poll,
};

use escrow_client::{
    terms::Asset,
    view,
    words::Denomination,
    work::watch::{Ask, Heard},
};
use escrow_gateway::{
    index::{Clock, Index, Node, Pass, Patience, Stop, cursor_of},
    store::{Generation, Logged, Stage, Store},
};
use escrow_tests::{
    chain::{Chain, Counts, Nodes},
    expected::{Begin, expected},
    lives::Random,
};
use solana_pubkey::Pubkey;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Runs a test.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(test)
}

/// The chain and those who tell of it.
pub struct Simulation {
    pub random: Random,
    pub chain: Chain,
    pub nodes: Nodes,
    /// The place of the newest slot.
    pub tip: usize,
    /// Whether it moves while it is asked.
    pub moves: bool,
    pub counts: Counts,
    /// Answers something else, where it gives something.
    pub lie: Option<Lie>,
}

/// What a node answers instead of what it would.
pub type Lie = Box<dyn FnMut(&Ask, Heard) -> Heard + Send>;

/// A handle on it, as the index asks it.
#[derive(Clone)]
pub struct Simulated(pub Arc<Mutex<Simulation>>);

impl Simulated {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let chain = Chain::random(&mut random);
        let nodes = Nodes::random(&mut random, &chain);
        let tip = random.below(chain.slots.len() as u64) as usize;
        let (counts, moves) = (Counts::default(), true);
        Self(Arc::new(Mutex::new(Simulation { random, chain, nodes, tip, moves, counts, lie: None })))
    }

    /// Whatever is asked is answered, and truly.
    pub fn honest(seed: u64) -> Self {
        let simulated = Self::new(seed);
        simulated.with(|it| {
            it.nodes.heal();
            it.moves = false;
            it.tip = it.chain.slots.len() - 1;
        });
        simulated
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Simulation) -> T) -> T {
        act(&mut self.0.lock().expect("no panic before"))
    }

    pub fn lie(&self, lie: impl FnMut(&Ask, Heard) -> Heard + Send + 'static) {
        self.with(|it| it.lie = Some(Box::new(lie)));
    }
}

impl Node for Simulated {
    async fn answer(&self, ask: &Ask) -> Heard {
        tokio::task::yield_now().await;
        let heard = self.with(|it| {
            if it.moves && it.random.once_in(10) && it.tip + 1 < it.chain.slots.len() {
                it.tip += 1;
            }
            let heard = it.nodes.answer(&mut it.random, &it.chain, it.tip, ask, &mut it.counts);
            match &mut it.lie {
                Some(lie) => lie(ask, heard),
                None => heard,
            }
        });
        tokio::task::yield_now().await;
        heard
    }

    async fn addresses(&self) -> Result<Vec<Pubkey>, String> {
        Ok(self.with(|it| it.nodes.addresses(&it.chain, it.tip)))
    }

    async fn denomination(&self, asset: Asset) -> Denomination {
        match asset {
            Asset::Sol => Denomination::SOL,
            Asset::Token { .. } => Denomination::token(asset, 6),
        }
    }

    fn turn(&self) {
        self.with(|it| it.nodes.turn());
    }
}

/// A database of a run's own.
pub struct Database {
    pub store: Store,
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    pub async fn sqlite() -> Self {
        // In memory, where there is such a folder: what survives a loss of power is not tried here.
        let memory = std::path::Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("gateway.db").display());
        Self { store: Store::open(&url, 4).await.expect("a database"), _folder: Some(folder) }
    }

    /// None where there is no Postgres.
    pub async fn postgres() -> Option<Self> {
        let url = crate::postgres::database()?;
        Some(Self { store: Store::open(&url, 4).await.expect("a database"), _folder: None })
    }

    /// Both.
    pub async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        all.extend(Self::postgres().await);
        all
    }
}

/// The gateway's clock.
#[derive(Clone)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_900_000_000_000)))
    }

    pub fn pass(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub fn clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Arc::new(move || time.load(Ordering::Relaxed))
    }
}

/// Few at once, so that what is long in life is long here.
pub const PATIENCE: Patience = Patience {
    first_slot: 0,
    rounds_before_unread: u32::MAX,
    rounds_before_gap: None,
    most_listed: 4,
    reconcile_every: 3_600_000,
};

/// A process that indexes.
pub fn process(database: &Database, node: &Simulated, time: &Time, patience: Patience) -> Index<Simulated> {
    Index::new(database.store.clone(), node.clone(), patience, time.clock())
}

/// Polls a future so many times at most: whoever is killed gets no further. None where it was.
pub async fn cut<T>(future: &mut Pin<&mut impl Future<Output = T>>, mut polls: u64) -> Option<T> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if polls == 0 => Poll::Ready(None),
        Poll::Pending => {
            polls -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Passes until there is nothing more to do at once; at most so many.
pub async fn settle(index: &mut Index<Simulated>, most: u32) {
    for _ in 0..most {
        let mut pass = pin!(index.pass());
        match pass.as_mut().await {
            Ok(Pass::More) => {}
            Ok(Pass::Rest) => return,
            Ok(Pass::Standby) => panic!("somebody else has the lease"),
            Err(Stop::Lost) => panic!("the lease is lost"),
            Err(Stop::Database(error)) => panic!("{error}"),
        }
    }
    panic!("{most} passes, and there is still something to do");
}

/// The whole log.
pub async fn log(store: &Store) -> Vec<Logged> {
    store.events_after(0, i64::MAX).await.expect("the log")
}

pub async fn serving(store: &Store) -> Generation {
    store.serving().await.expect("a database").expect("a generation")
}

/// Holds the log against the chain: whole where `is_all`, else as far as it goes.
pub async fn judge(node: &Simulated, store: &Store, is_all: bool) -> Result<(), String> {
    let log = log(store).await;
    if let Some((place, logged)) = (1..).zip(&log).find(|(place, logged)| logged.number != *place) {
        return Err(format!("the log has number {} in place {place}", logged.number));
    }
    node.with(|it| {
        for life in &it.chain.lives {
            let address = life.address.to_string();
            let told: Vec<&str> = log
                .iter()
                .filter(|logged| logged.event.escrow == address)
                .map(|logged| logged.event.id.as_str())
                .collect();
            let all = expected(&it.chain, &life.address, Begin::Creation, it.tip);
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            if (is_all && told != all) || !all.iter().map(String::as_str).collect::<Vec<_>>().starts_with(&told) {
                let place = told.iter().zip(&all).take_while(|(told, all)| told == all).count();
                let (told, all) = (told.len(), all.len());
                return Err(format!("of {address} {told} events are told of {all}; the first that differs is {place}"));
            }
        }
        let foreign = log
            .iter()
            .find(|logged| !it.chain.lives.iter().any(|life| life.address.to_string() == logged.event.escrow));
        match foreign {
            Some(logged) => Err(format!("{} is told of an escrow that there is not", logged.event.id)),
            None => Ok(()),
        }
    })
}

/// Holds each row of a generation against the account at the row's own slot.
pub async fn judge_rows(node: &Simulated, store: &Store, generation: &Generation, is_all: bool) -> Result<(), String> {
    let lives: Vec<Pubkey> = node.with(|it| it.chain.lives.iter().map(|life| life.address).collect());
    let mut open = 0;
    for escrow in lives {
        let position = store.position(generation.number, &escrow.to_string()).await.expect("a database");
        let Some(position) = position else {
            let is_there = node.with(|it| it.chain.account(&escrow, it.tip).is_some());
            if is_all && is_there {
                return Err(format!("{escrow} has no row"));
            }
            continue;
        };
        let cursor = cursor_of(&position).expect("a position");
        open += usize::from(cursor.state.is_some());
        node.with(|it| {
            let place = it.chain.slots.iter().rposition(|slot| slot.number <= cursor.slot).unwrap_or(0);
            let account = it.chain.account(&escrow, place);
            let parts = |account: &escrow_client::EscrowAccount| (account.state, account.milestones.clone());
            match account.as_ref().map(parts) == cursor.state.as_ref().map(parts) {
                true => Ok(()),
                false => Err(format!("the row of {escrow} is not as the account was in slot {}", cursor.slot)),
            }
        })?;
    }
    let listed = escrow_gateway::store::Listed::default();
    let start = (i64::MIN, String::new());
    let rows = store.list_escrows(generation.number, &listed, &start, i64::MAX).await.expect("a database");
    match rows.len() == open {
        true => Ok(()),
        false => Err(format!("{} escrows are listed, and {open} have an account", rows.len())),
    }
}

/// A process that is killed now and then, and its successors.
pub struct Run {
    pub node: Simulated,
    pub database: Database,
    pub time: Time,
    pub index: Index<Simulated>,
    pub patience: Patience,
}

impl Run {
    pub fn new(node: Simulated, database: Database, patience: Patience) -> Self {
        let time = Time::new();
        let index = process(&database, &node, &time, patience);
        Self { node, database, time, index, patience }
    }

    /// It is killed, and another one begins when its lease has ended.
    pub fn kill(&mut self) {
        self.time.pass(31_000);
        self.index = process(&self.database, &self.node, &self.time, self.patience);
    }

    /// Passes until all is told; some time goes by between them.
    pub async fn finish(&mut self) {
        for _ in 0..12 {
            self.time.pass(61_000);
            settle(&mut self.index, 1_000).await;
        }
    }

    pub async fn judge(&self, is_all: bool) -> Result<(), String> {
        judge(&self.node, &self.database.store, is_all).await?;
        for generation in self.database.store.generations().await.expect("a database") {
            let is_whole = is_all && generation.stage == Stage::Serving;
            judge_rows(&self.node, &self.database.store, &generation, is_whole).await?;
        }
        Ok(())
    }
}

/// As clients are told an event.
pub fn body(logged: &Logged) -> view::Event {
    serde_json::from_str(&logged.event.body).expect("an event")
}
