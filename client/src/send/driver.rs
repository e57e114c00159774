//! The loop around the pure [`Sender`]: it does what that says, and tells it what came of it. It decides nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use escrow_sender::{
    Attempt, Claim, Decision, Ended, Entry, Fence, Fingerprint, Intention, Lease, Node, Observation, Pace, Position,
    Question, Request, Sender, Signed as Kept, Slot, Store, StoreError, Time, Verdict,
};
use futures_util::future::BoxFuture;
use rand::Rng;
use serde_json::{Value, json};
use solana_client::{nonblocking::rpc_client::RpcClient, rpc_request::RpcRequest};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    time::{Instant, sleep, timeout},
};

use super::{
    Progress, Told, now,
    poll::{Ask, Poller},
    queue::Queue,
    store::AnyStore,
};
use crate::{Action, Error, Result, Signed, error::without_url, node::Nodes};

/// How many sends one node has at a time.
const SENDS: usize = 64;

/// How many signed transactions wait for the disk at once.
const BATCH: usize = 1_024;

/// What signs the transactions of an intention.
pub(super) trait Signs: Send {
    /// The transaction at this place, signed. What it acts on is read before.
    fn sign(&mut self, position: Position) -> BoxFuture<'_, Result<Prepared>>;
}

/// A signed transaction, and the heights that were read for it.
pub(super) struct Prepared {
    pub(super) signed: Signed,
    pub(super) heights: Vec<Observation>,
}

/// How it ended, for a caller.
pub(super) struct Finished {
    pub(super) ended: Ended,
    /// Why it was not signed, where it was not.
    pub(super) declined: Option<Error>,
    pub(super) intention: Intention,
}

/// When a run stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// With the verdict.
    Verdict,
    /// As soon as the first transaction is sent.
    Sent,
}

/// Everything that runs of one client share.
pub(super) struct Driver {
    nodes: Arc<Nodes>,
    pollers: Vec<Poller>,
    store: AnyStore,
    pub(super) pace: Pace,
    owner: String,
    sends: Arc<Semaphore>,
    pub(super) counters: Counters,
    recordings: Queue<Recording>,
    pub(super) told: Option<Told>,
}

/// What was done, counted.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) signed: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) succeeded: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) unknown: AtomicU64,
}

/// A signed transaction that waits for the disk.
type Recording = (Fence, Kept, oneshot::Sender<std::result::Result<(), StoreError>>);

impl Driver {
    pub(super) fn new(nodes: &Arc<Nodes>, store: AnyStore, pace: Pace, told: Option<Told>) -> Self {
        let poller = |(index, node): (usize, &crate::node::Node)| Poller::new(Node(index), Arc::clone(&node.rpc));
        let owner = format!("{}-{:016x}", std::process::id(), rand::rng().random::<u64>());
        Self {
            pollers: nodes.all().iter().enumerate().map(poller).collect(),
            nodes: Arc::clone(nodes),
            store,
            pace,
            owner,
            sends: Arc::new(Semaphore::new(SENDS.saturating_mul(nodes.all().len()))),
            counters: Counters::default(),
            recordings: Queue::default(),
            told,
        }
    }

    fn tell(&self, progress: Progress) {
        if let Some(told) = &self.told {
            told(&progress);
        }
    }

    /// Claims an intention, and waits for whoever else works on it: what they find is the answer to this caller too.
    pub(super) async fn claim(&self, fingerprint: Fingerprint) -> Result<(Fence, Intention)> {
        let began = now();
        // Who shares a client is one owner to the journal, so each run is named by itself.
        let owner = format!("{}-{:08x}", self.owner, rand::rng().random::<u32>());
        loop {
            let at = now();
            match self.store.claim(fingerprint, &owner, at, at.plus(self.pace.claim)).await.map_err(journal)? {
                Claim::Held(fence, intention) => return Ok((fence, intention)),
                Claim::Busy(Lease { owner, until, .. }) => {
                    if at.since(began) > self.pace.limit {
                        return Err(Error::Busy { owner, until: until.0 });
                    }
                    self.tell(Progress::Busy);
                    sleep(Duration::from_millis(self.pace.poll)).await;
                }
            }
        }
    }

    /// Lets somebody else claim it.
    async fn release(&self, fence: Fence) {
        if let Ok(Some(intention)) = self.store.find(fence.fingerprint).await
            && let Some(lease) = intention.lease().filter(|lease| lease.fence == fence.number)
        {
            let at = now();
            // Whether this works or not, the claim ends by itself.
            let _ = self.store.claim(fence.fingerprint, &lease.owner, at, at).await;
        }
    }

    /// Brings an intention to its verdict.
    pub(super) async fn run(
        &self,
        fence: Fence,
        intention: Intention,
        request: Request,
        signs: &mut dyn Signs,
        stop: Stop,
    ) -> Finished {
        let outcome = Run::new(self, fence, intention, request).bring(signs, stop).await;
        self.release(fence).await;
        outcome
    }

    /// Writes a signed transaction, together with others that wait at the same time.
    async fn record(&self, fence: Fence, signed: Kept) -> std::result::Result<(), String> {
        let (reply, written) = oneshot::channel();
        self.recordings.push((fence, signed, reply), |waiting| {
            tokio::spawn(record_all(self.store.clone(), waiting));
        });
        match written.await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("its writer has ended".to_owned()),
        }
    }

    fn rpc(&self, node: Node) -> Option<&Arc<RpcClient>> {
        self.nodes.all().get(node.0).map(|node| &node.rpc)
    }
}

async fn record_all(store: AnyStore, mut queue: UnboundedReceiver<Recording>) {
    let mut waiting: Vec<Recording> = Vec::new();
    while queue.recv_many(&mut waiting, BATCH).await > 0 {
        let (batch, replies): (Vec<_>, Vec<_>) =
            waiting.drain(..).map(|(fence, signed, reply)| ((fence, signed), reply)).unzip();
        for (written, reply) in store.record(batch).await.into_iter().zip(replies) {
            // Who does not wait any more asks the journal.
            let _ = reply.send(written);
        }
    }
}

/// One intention on its way.
struct Run<'a> {
    driver: &'a Driver,
    fence: Fence,
    renewed: Time,
    sender: Sender,
    tell: UnboundedSender<Observation>,
    hear: UnboundedReceiver<Observation>,
    /// What the transaction that is watched does to escrows, and since when it may be executed.
    watched: Option<(escrow_sender::Signature, Arc<[Action]>, Slot)>,
    heights: Vec<Observation>,
    declined: Option<Error>,
    is_sent: bool,
}

impl<'a> Run<'a> {
    fn new(driver: &'a Driver, fence: Fence, intention: Intention, request: Request) -> Self {
        let (tell, hear) = unbounded_channel();
        let sender = Sender::new(intention, request, driver.nodes.names(), driver.pace, now());
        Self {
            driver,
            fence,
            renewed: now(),
            sender,
            tell,
            hear,
            watched: None,
            heights: Vec::new(),
            declined: None,
            is_sent: false,
        }
    }

    async fn bring(mut self, signs: &mut dyn Signs, stop: Stop) -> Finished {
        loop {
            self.renew().await;
            match self.sender.next(now()) {
                Decision::Sign(position) => self.sign(signs, position).await,
                Decision::Record(entry) => self.record(entry).await,
                Decision::Note(seen) => {
                    self.driver.tell(Progress::Seen(seen.status.clone()));
                    // For people after a crash: nothing rests on it.
                    let _ = self.driver.store.observe(self.fence, seen).await;
                }
                Decision::Send { nodes, signature, bytes } => {
                    self.send(&nodes, signature, &bytes);
                    self.is_sent = true;
                }
                Decision::Ask(questions) => self.ask(questions),
                Decision::Wait(until) => {
                    if self.is_sent && stop == Stop::Sent {
                        // What was sent has left when a node has answered, or had the time to.
                        self.hear_until(now().plus(self.driver.pace.poll)).await;
                        let ended = self.unresolved();
                        return self.end(ended);
                    }
                    self.hear_until(until).await;
                }
                Decision::Done(ended) => return self.end(ended),
            }
            while let Ok(observation) = self.hear.try_recv() {
                self.sender.observe(now(), observation);
            }
        }
    }

    fn end(self, ended: Ended) -> Finished {
        Finished { ended, declined: self.declined, intention: self.sender.intention().clone() }
    }

    /// A verdict for who does not wait for one.
    fn unresolved(&self) -> Ended {
        let record = self.sender.intention().records().last();
        let (signature, position, until) = match record {
            Some(record) => {
                let attempt = &record.signed.attempt;
                let until = match attempt.lifetime() {
                    escrow_sender::Lifetime::BlockHash { last_valid, .. } => escrow_sender::Until::Height(*last_valid),
                    escrow_sender::Lifetime::Nonce { account, .. } => escrow_sender::Until::NonceAdvances(*account),
                };
                (attempt.signature(), record.signed.position, until)
            }
            None => (escrow_sender::Signature([0; 64]), Position::default(), escrow_sender::Until::Over),
        };
        let verdict = Verdict::Unknown { known: None, until, nodes: Vec::new() };
        Ended::Verdict { signature, judged: escrow_sender::Judged { position, verdict, at: now() }, unwritten: None }
    }

    async fn hear_until(&mut self, until: Time) {
        // A claim is renewed also while nothing happens.
        let wait = until.since(now()).min(self.driver.pace.claim / 4);
        let deadline = Instant::now().checked_add(Duration::from_millis(wait));
        let Some(deadline) = deadline else { return };
        if let Ok(Some(observation)) =
            timeout(deadline.saturating_duration_since(Instant::now()), self.hear.recv()).await
        {
            self.sender.observe(now(), observation);
        }
    }

    async fn renew(&mut self) {
        let at = now();
        if at.since(self.renewed) < self.driver.pace.claim / 3 {
            return;
        }
        self.renewed = at;
        let Ok(Some(intention)) = self.driver.store.find(self.fence.fingerprint).await else { return };
        let Some(lease) = intention.lease().filter(|lease| lease.fence == self.fence.number) else { return };
        // Where somebody else has it, what is written next is refused, and the sender says so.
        let _ =
            self.driver.store.claim(self.fence.fingerprint, &lease.owner, at, at.plus(self.driver.pace.claim)).await;
    }

    async fn sign(&mut self, signs: &mut dyn Signs, position: Position) {
        self.driver.tell(Progress::Signing { step: position.step, attempt: position.attempt });
        let observation = match signs.sign(position).await {
            Ok(Prepared { signed, heights }) => {
                self.heights = heights;
                Observation::Signed(signed.attempt())
            }
            Err(error) => {
                let reason = error.to_string();
                self.declined = Some(error);
                Observation::Declined(reason)
            }
        };
        self.sender.observe(now(), observation);
    }

    async fn record(&mut self, entry: Entry) {
        match entry {
            Entry::Signed(signed) => {
                let attempt = signed.attempt.clone();
                self.driver.counters.signed.fetch_add(1, Ordering::Relaxed);
                let written = self.driver.record(self.fence, signed).await;
                let is_written = written.is_ok();
                self.sender.observe(now(), Observation::Recorded(written));
                if is_written {
                    self.driver.tell(Progress::Sending(Box::new(attempt.clone())));
                    self.watch(&attempt);
                    for height in std::mem::take(&mut self.heights) {
                        self.sender.observe(now(), height);
                    }
                }
            }
            Entry::Judged(judged) => {
                tracing::info!(target: "escrow_client::send", verdict = %judged.verdict, "judged");
                let counters = &self.driver.counters;
                let counter = match judged.verdict {
                    Verdict::Succeeded { .. } => &counters.succeeded,
                    Verdict::Failed { .. } => &counters.failed,
                    Verdict::Expired { .. } => &counters.expired,
                    Verdict::Unknown { .. } => &counters.unknown,
                };
                counter.fetch_add(1, Ordering::Relaxed);
                self.driver.tell(Progress::Judged(judged.verdict.clone()));
                let written = self.driver.store.verdict(self.fence, judged).await;
                self.sender.observe(now(), Observation::Recorded(written.map_err(|error| error.to_string())));
            }
            // A sender asks for no other.
            Entry::Claimed(_) | Entry::Seen(_) => self.sender.observe(now(), Observation::Recorded(Ok(()))),
        }
    }

    fn watch(&mut self, attempt: &Attempt) {
        let actions = Signed::of(attempt).map(|signed| signed.actions()).unwrap_or_default();
        self.watched = Some((attempt.signature(), actions.into(), attempt.origin().slot));
    }

    fn send(&mut self, nodes: &[Node], signature: escrow_sender::Signature, bytes: &Arc<[u8]>) {
        tracing::debug!(target: "escrow_client::send", %signature, nodes = nodes.len(), "sent");
        let encoded = BASE64_STANDARD.encode(bytes);
        for node in nodes {
            let Some(rpc) = self.driver.rpc(*node).map(Arc::clone) else { continue };
            self.driver.counters.sent.fetch_add(1, Ordering::Relaxed);
            let (node, tell, sends) = (*node, self.tell.clone(), Arc::clone(&self.driver.sends));
            let asked = json!([encoded, {"encoding": "base64", "skipPreflight": true, "maxRetries": 0}]);
            tokio::spawn(async move {
                let _turn = sends.acquire_owned().await;
                let answer: std::result::Result<Value, _> = rpc.send(RpcRequest::SendTransaction, asked).await;
                let error = answer.err().map(|error| without_url(error).to_string());
                let _ = tell.send(Observation::Sent { node, signature, error });
            });
        }
    }

    fn ask(&mut self, questions: Vec<(Node, Question)>) {
        let asked = questions.iter().find_map(|(_, question)| match question {
            Question::Status(signature) | Question::Effect(signature) => Some(*signature),
            _ => None,
        });
        // What the journal holds is taken up without being signed here.
        if let Some(signature) = asked
            && self.watched.as_ref().is_none_or(|(watched, ..)| *watched != signature)
        {
            let records = self.sender.intention().records();
            let record = records.iter().rfind(|record| record.signed.attempt.signature() == signature);
            if let Some(attempt) = record.map(|record| record.signed.attempt.clone()) {
                self.watch(&attempt);
            }
        }
        let (actions, since) = match &self.watched {
            Some((_, actions, since)) => (Arc::clone(actions), *since),
            None => (Arc::from([]), Slot(0)),
        };
        for (node, question) in questions {
            if let Some(poller) = self.driver.pollers.get(node.0) {
                poller.ask(Ask { question, actions: Arc::clone(&actions), since, reply: self.tell.clone() });
            }
        }
    }
}

pub(super) fn journal(error: StoreError) -> Error {
    Error::Journal(error.to_string())
}
