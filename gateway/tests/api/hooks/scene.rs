//! A database with a log of events, workers by a clock that is set, and no gateway around them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use escrow_gateway::{
    deliver::{Clock, Deliver, Done, Held, egress::Egress, sign::Secret},
    store::{Endpoint, EventFinality, NewEvent, SecretRow, Store},
};
use futures_util::future::join_all;
use serde_json::json;

use super::receiver::Receiver;
use crate::harness::Database;

pub const SECOND: i64 = 1_000;
pub const HOUR: i64 = 3_600 * SECOND;
/// When the simulated time begins.
pub const BEGIN: i64 = 1_700_000_000_000;
/// How long workers wait for a receiver that answers, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Scene {
    pub store: Store,
    pub now: Arc<AtomicI64>,
    /// How long workers wait for a receiver.
    pub patience: Duration,
    egress: Arc<Egress>,
    /// How many events each escrow has.
    steps: HashMap<String, u64>,
}

impl Scene {
    pub async fn new(database: &Database, receivers: &[&Receiver]) -> Self {
        let allow: Vec<SocketAddr> = receivers.iter().map(|receiver| receiver.address).collect();
        Self {
            store: database.open().await,
            now: Arc::new(AtomicI64::new(BEGIN)),
            patience: PATIENCE,
            egress: Arc::new(Egress::new(&allow).unwrap()),
            steps: HashMap::new(),
        }
    }

    pub fn worker(&self) -> Deliver {
        let now = Arc::clone(&self.now);
        let clock: Clock = Arc::new(move || now.load(Ordering::SeqCst));
        Deliver::new(self.store.clone(), Arc::clone(&self.egress), "https://gateway.example".to_owned())
            .at(clock, self.patience)
    }

    pub fn time(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    pub fn pass(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// An endpoint for everything final, with its secret.
    pub async fn endpoint(&self, id: &str, receiver: &Receiver) -> (Endpoint, Secret) {
        let endpoint = Endpoint {
            id: id.to_owned(),
            owner: "key:shop".to_owned(),
            url: receiver.url(),
            description: String::new(),
            kinds: String::new(),
            escrows: String::new(),
            provisional: false,
            off_because: None,
            position: 0,
            rest_until: 0,
            created_at: self.time(),
        };
        let secret = self.add(&endpoint).await;
        (endpoint, secret)
    }

    pub async fn add(&self, endpoint: &Endpoint) -> Secret {
        let secret = Secret::new();
        let (shared, private) = (secret.shared(), secret.private());
        let row = SecretRow { id: format!("of-{}", endpoint.id), shared, private, created_at: BEGIN, expires_at: None };
        let mut change = self.store.change().await.unwrap();
        self.store.add_endpoint(&mut change, endpoint).await.unwrap();
        self.store.add_secret(&mut change, &endpoint.id, &row).await.unwrap();
        change.commit().await.unwrap();
        secret
    }

    /// Something final happens to each of these escrows, one after the other.
    pub async fn happen(&mut self, escrows: &[&str]) {
        let events: Vec<NewEvent> = escrows
            .iter()
            .map(|escrow| {
                let step = self.steps.entry((*escrow).to_owned()).or_default();
                *step += 1;
                event(&format!("{escrow}:{step}"), escrow, EventFinality::Final, *step)
            })
            .collect();
        self.log(&events).await;
    }

    /// As the index writes them.
    pub async fn log(&self, events: &[NewEvent]) {
        log(&self.store, events, self.time()).await;
    }
}

pub async fn log(store: &Store, events: &[NewEvent], now: i64) {
    assert!(store.lease("index", "the test", now, now + 60 * SECOND).await.unwrap().is_some());
    let mut change = store.change().await.unwrap();
    for event in events {
        store.add_event(&mut change, event, now).await.unwrap();
    }
    change.commit().await.unwrap();
}

pub fn event(id: &str, escrow: &str, finality: EventFinality, step: u64) -> NewEvent {
    NewEvent {
        id: id.to_owned(),
        finality,
        kind: if step == 1 { "create".to_owned() } else { "fund".to_owned() },
        escrow: escrow.to_owned(),
        slot: i64::try_from(step).unwrap(),
        body: json!({"step": step}).to_string(),
    }
}

/// Everything that is due and that nobody holds is held from now on.
pub async fn claim(worker: &Deliver) -> Vec<Held> {
    while worker.dispatch().await.unwrap() {}
    worker.claim(10_000, |_| 10_000).await.unwrap()
}

pub async fn attempt(worker: &Deliver, held: Vec<Held>) -> Vec<Done> {
    join_all(held.into_iter().map(|held| worker.attempt(held))).await.into_iter().flatten().collect()
}

/// What is due is attempted once and written down: how much that was.
pub async fn round(worker: &Deliver) -> usize {
    let done = attempt(worker, claim(worker).await).await;
    let count = done.len();
    worker.record(done).await.unwrap();
    count
}

/// Rounds until nothing is due.
pub async fn settle(worker: &Deliver) -> usize {
    let mut all = 0;
    loop {
        match round(worker).await {
            0 => return all,
            count => all += count,
        }
    }
}

/// That everything arrived, in order: what arrives again has arrived before, and nothing before what is before it.
pub fn assert_in_order(taken: &[(String, u64)], expected: &HashMap<String, u64>) {
    let mut far: HashMap<String, u64> = HashMap::new();
    for (escrow, step) in taken {
        let had = far.entry(escrow.clone()).or_default();
        assert!(*step <= *had + 1, "{escrow}: {step} came before {}", *had + 1);
        *had = (*had).max(*step);
    }
    assert_eq!(&far, expected, "something is lost");
}

impl Scene {
    pub fn expected(&self) -> HashMap<String, u64> {
        self.steps.clone()
    }
}
