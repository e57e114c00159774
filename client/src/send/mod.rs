//! Sending, so that nothing is executed twice whatever the network does: the rules are in [`escrow_sender`], and how they come together in
//! `docs/sending.md`.
//!
//! What is to be executed is an [`Order`]: steps of one transaction each, under a name by which the same order is found again.
//! Its signed bytes are in the client's journal before they leave, and are repeated until enough nodes say what became of
//! them. The journal of a client is in memory unless [`EscrowClient::keeping`] names another: only one on disk survives a
//! crash.

mod cache;
mod driver;
mod poll;
mod prepare;
mod queue;
mod sending;
mod step;
mod store;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use escrow_sender::{Ended, Fingerprint, Intention, NotSent, Observation, Pace, Position, Request, Stage, Store, Time};
use futures_util::{Stream, StreamExt, future::BoxFuture, stream};
use rand::Rng;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;

pub use escrow_sender::{Attempt, Status, Verdict};
pub(crate) use sending::Sending;
pub use step::{Expected, OrderStep};

use self::{
    driver::{Finished, Prepared, Signs, Stop, journal},
    store::AnyStore,
};
use crate::{
    Error, EscrowClient, Result, Signed, Submitted, Unsigned,
    error::Failure,
    node::Node,
    transaction::{PrepareError, budget::Fees},
};

/// A transaction that was executed and has reached the client's commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Its signature.
    pub signature: Signature,
    /// The slot in which it was executed.
    pub slot: u64,
    /// On what that rests, in words: which nodes say so.
    pub basis: String,
}

/// What somebody means to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// By which the same order is found again, by whichever process. See [`EscrowClient::fingerprint`].
    pub fingerprint: Fingerprint,
    /// Its transactions.
    pub steps: Vec<OrderStep>,
    /// How many times each may be signed before "expired" is the answer.
    pub attempts: u32,
    /// A second execution is meant, though the first succeeded a short while ago.
    pub again: bool,
    /// The account of a durable nonce to sign with instead of a block hash, and who advances it.
    pub nonce: Option<(Pubkey, Pubkey)>,
    /// Whether each transaction is tried out on a node before it is signed.
    pub simulate: bool,
}

impl Order {
    /// An order that is signed once, and tried out before.
    pub fn new(fingerprint: Fingerprint, steps: Vec<OrderStep>) -> Self {
        Self { fingerprint, steps, attempts: 1, again: false, nonce: None, simulate: true }
    }
}

/// An order that was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Its transactions, in order.
    pub transactions: Vec<Confirmed>,
}

impl Executed {
    /// The last of them.
    pub fn last(&self) -> Option<&Confirmed> {
        self.transactions.last()
    }
}

/// What a client has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Transactions that were signed, each attempt by itself.
    pub signed: u64,
    /// Times that a transaction was handed to a node: the same one again counts again.
    pub sent: u64,
    /// Verdicts.
    pub succeeded: u64,
    /// Verdicts.
    pub failed: u64,
    /// Verdicts.
    pub expired: u64,
    /// Verdicts that are none yet.
    pub unknown: u64,
    /// Requests that each node was sent, by its name.
    pub requests: Vec<(String, usize)>,
}

/// What happens on the way, for whoever waits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Progress {
    /// Another process works on the same.
    Busy,
    /// A step is about to be signed.
    Signing {
        /// Which, counted from 0.
        step: u32,
        /// For which time, counted from 0.
        attempt: u32,
    },
    /// It is signed and kept, and about to be sent.
    Sending(Box<Attempt>),
    /// A node knows it.
    Seen(Status),
    /// What became of it.
    Judged(Verdict),
}

/// Who is told what happens.
type Told = Arc<dyn Fn(&Progress) + Send + Sync>;

/// A name that nothing else has, for what nobody will ask for again.
pub fn once() -> Fingerprint {
    Fingerprint(rand::rng().random())
}

/// The time of this machine, in milliseconds since the Unix epoch, as a journal has it.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl EscrowClient {
    /// The same with this journal: what was signed is found in it again, by this process or the next.
    #[must_use]
    pub fn keeping(self, store: impl Store + 'static) -> Self {
        let Sending { driver, fees, told, .. } = &*self.sending;
        self.sending(AnyStore::new(store), driver.pace, *fees, told.clone())
    }

    /// The same with other waiting times.
    #[must_use]
    pub fn at_pace(self, pace: Pace) -> Self {
        let Sending { kept, fees, told, .. } = &*self.sending;
        self.sending(kept.clone(), pace, *fees, told.clone())
    }

    /// The same, paying these fees.
    #[must_use]
    pub fn paying(self, fees: Fees) -> Self {
        let Sending { driver, kept, told, .. } = &*self.sending;
        self.sending(kept.clone(), driver.pace, fees, told.clone())
    }

    /// The same, telling what happens on the way.
    #[must_use]
    pub fn telling(self, told: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        let Sending { driver, kept, fees, .. } = &*self.sending;
        self.sending(kept.clone(), driver.pace, *fees, Some(Arc::new(told)))
    }

    /// The same for another runtime, which shares with this one neither connections nor what runs in the background.
    #[cfg(feature = "blocking")]
    pub(crate) fn anew(&self) -> Self {
        let Sending { driver, kept, fees, told, .. } = &*self.sending;
        let nodes = Arc::new(self.nodes.anew());
        let sending = Arc::new(Sending::with(&nodes, kept.clone(), driver.pace, *fees, told.clone()));
        Self { nodes, sending }
    }

    /// A client of the same nodes that shares nothing else with this one.
    fn apart(&self) -> Self {
        let nodes = Arc::clone(&self.nodes);
        let sending = Arc::new(Sending::new(&nodes));
        Self { nodes, sending }
    }

    fn sending(&self, kept: AnyStore, pace: Pace, fees: Fees, told: Option<Told>) -> Self {
        let nodes = Arc::clone(&self.nodes);
        let sending = Arc::new(Sending::with(&nodes, kept, pace, fees, told));
        Self { nodes, sending }
    }

    /// The fees that are paid.
    pub fn fees(&self) -> Fees {
        self.sending.fees
    }

    /// The name of an intention on this cluster: by who acts, and what is asked for, as it was asked for.
    ///
    /// # Errors
    ///
    /// Where no node says which cluster this is.
    pub async fn fingerprint(&self, signer: &Pubkey, asked: &[&[u8]]) -> Result<Fingerprint> {
        let genesis = self.genesis().await?;
        let mut parts: Vec<&[u8]> = vec![&genesis.0, signer.as_array()];
        parts.extend_from_slice(asked);
        Ok(Fingerprint::of(&parts))
    }

    /// A transaction with a fresh block hash and the compute budget in front, whose fee `payer` pays, to be signed here or
    /// elsewhere. Sends nothing.
    ///
    /// # Errors
    ///
    /// Where it does not fit into one transaction, or the nodes do not answer.
    pub async fn prepare(&self, instructions: &[Instruction], payer: &Pubkey) -> Result<Unsigned> {
        let all = self.budgeted(instructions, payer).await?;
        let (lifetime, _) = self.lifetime().await?;
        Ok(Unsigned::new(&all, payer, lifetime)?)
    }

    /// The same with a durable nonce: it can be executed until the nonce is advanced.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare), and where the account holds no nonce.
    pub async fn prepare_with_nonce(
        &self,
        instructions: &[Instruction],
        payer: &Pubkey,
        account: &Pubkey,
        authority: &Pubkey,
    ) -> Result<Unsigned> {
        let all = self.budgeted(instructions, payer).await?;
        Ok(Unsigned::new(&all, payer, self.nonce(account, authority).await?)?)
    }

    /// Prepares, tries out, signs, submits and waits: one transaction that nobody means to ask for again. The first signer pays
    /// the fee.
    ///
    /// # Errors
    ///
    /// Where nobody signs or a signer fails, where it would fail, and as for [`confirm`](Self::confirm).
    pub async fn send(&self, instructions: &[Instruction], signers: &[&(dyn Signer + Sync)]) -> Result<Confirmed> {
        let step = OrderStep { instructions: instructions.to_vec(), expected: None };
        let executed = self.execute(&Order::new(once(), vec![step]), signers).await?;
        executed.transactions.into_iter().next_back().ok_or(Error::Transaction(PrepareError::NobodySigns))
    }

    /// Executes an order: takes up what the journal holds of it, signs and sends what is missing, and waits. The first signer
    /// pays the fee.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] and [`Error::Expired`] are final. [`Error::Unknown`] is not: the same order takes it up again.
    /// [`Error::Repetition`]: it succeeded a short while ago. Everything else: nothing was sent of the step that was next.
    pub async fn execute(&self, order: &Order, signers: &[&(dyn Signer + Sync)]) -> Result<Executed> {
        self.execute_until(order, signers, Stop::Verdict).await
    }

    /// The same without waiting for what becomes of it: [`Error::Unknown`] with until when it can be executed, unless that is
    /// known at once.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub async fn begin(&self, order: &Order, signers: &[&(dyn Signer + Sync)]) -> Result<Executed> {
        self.execute_until(order, signers, Stop::Sent).await
    }

    /// Executes many orders, so many at a time: the result of each, as they end. What can be asked for together is: reading before
    /// signing, the disk, and what became of them.
    pub fn execute_all<'a>(
        &'a self,
        orders: impl IntoIterator<Item = Order, IntoIter: Send + 'a>,
        signers: &'a [&'a (dyn Signer + Sync)],
        in_flight: usize,
    ) -> impl Stream<Item = (Fingerprint, Result<Executed>)> + Send + 'a {
        let each = move |order: Order| async move { (order.fingerprint, self.execute(&order, signers).await) };
        stream::iter(orders).map(each).buffer_unordered(in_flight.max(1))
    }

    /// What this client has done since it was made, and its clones with it: for a back end's metrics.
    pub fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counters = &self.sending.driver.counters;
        let requests = |node: &Node| (node.name.clone(), node.rpc.get_transport_stats().request_count);
        Counts {
            signed: of(&counters.signed),
            sent: of(&counters.sent),
            succeeded: of(&counters.succeeded),
            failed: of(&counters.failed),
            expired: of(&counters.expired),
            unknown: of(&counters.unknown),
            requests: self.nodes.all().iter().map(requests).collect(),
        }
    }

    async fn execute_until(&self, order: &Order, signers: &[&(dyn Signer + Sync)], stop: Stop) -> Result<Executed> {
        let payer = signers.first().ok_or(PrepareError::NobodySigns)?.try_pubkey();
        let payer = payer.map_err(|error| PrepareError::Signer(error.to_string()))?;
        let mut signs = SignsHere { client: self, order, signers, payer };
        match self.run(order.fingerprint, self.request(order), &mut signs, stop).await? {
            (_, Ended::Repetition { signature, judged }) => {
                Err(Error::Repetition { signature: signature.0.into(), at: judged.at.0 / 1_000 })
            }
            (intention, ended) => self.ended(&intention, ended),
        }
    }

    /// What the journal holds and nobody has seen the end of.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub async fn unresolved(&self) -> Result<Vec<Intention>> {
        self.sending.kept.unresolved().await.map_err(journal)
    }

    /// What the journal holds of an intention.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub async fn kept(&self, fingerprint: Fingerprint) -> Result<Option<Intention>> {
        self.sending.kept.find(fingerprint).await.map_err(journal)
    }

    /// Sends on and waits for what an intention has signed, without signing anything.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub async fn resume(&self, intention: &Intention) -> Result<Executed> {
        let steps = intention.records().last().map_or(1, |record| record.signed.steps);
        let request = Request { steps, wanted: self.wanted(), attempts: 1, again: false };
        let (intention, ended) = self.run(intention.fingerprint(), request, &mut NobodySigns, Stop::Verdict).await?;
        self.ended(&intention, ended)
    }

    /// Keeps a signed transaction in the journal and hands it to the nodes. What became of it, [`confirm`](Self::confirm)
    /// tells.
    ///
    /// # Errors
    ///
    /// [`Error::Journal`], where it cannot be kept: then it was not sent.
    pub async fn submit(&self, signed: Signed) -> Result<Submitted> {
        let submitted = Submitted::perhaps(signed);
        match self.watch(&submitted, Stop::Sent).await {
            Ok(_) | Err(Error::Unknown { .. } | Error::Failed { .. } | Error::Expired { .. }) => Ok(submitted),
            Err(error) => Err(error),
        }
    }

    /// Repeats a transaction that was submitted, and waits until it has reached the commitment.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] and [`Error::Expired`] are final: nothing changed and nothing will. [`Error::Unknown`] is not: ask
    /// again.
    pub async fn confirm(&self, submitted: &Submitted) -> Result<Confirmed> {
        let executed = self.watch(submitted, Stop::Verdict).await?;
        executed.transactions.into_iter().next_back().ok_or(Error::Transaction(PrepareError::NobodySigns))
    }

    async fn watch(&self, submitted: &Submitted, stop: Stop) -> Result<Executed> {
        let signed = submitted.signed();
        let fingerprint = Fingerprint::of(&[b"transaction", signed.signature().as_ref()]);
        if let Some(intention) = self.kept(fingerprint).await?
            && let Some(known) = self.known(&intention)
        {
            return known;
        }
        let request = Request { steps: 1, wanted: self.wanted(), attempts: 1, again: false };
        let (intention, ended) = self.run(fingerprint, request, &mut IsSigned(Some(signed.clone())), stop).await?;
        self.ended(&intention, ended)
    }

    /// What the journal says for good.
    fn known(&self, intention: &Intention) -> Option<Result<Executed>> {
        let record = intention.records().last()?;
        let judged = record.judged.as_ref().filter(|judged| judged.verdict.is_final())?;
        if let Verdict::Succeeded { commitment, .. } = judged.verdict
            && commitment < self.wanted()
        {
            return None;
        }
        Some(self.executed(intention, record.signed.attempt.signature(), &judged.verdict))
    }

    fn request(&self, order: &Order) -> Request {
        let steps = u32::try_from(order.steps.len()).unwrap_or(u32::MAX);
        Request { steps, wanted: self.wanted(), attempts: order.attempts.max(1), again: order.again }
    }

    fn wanted(&self) -> escrow_sender::Commitment {
        if self.lasting().is_finalized() {
            escrow_sender::Commitment::Finalized
        } else {
            escrow_sender::Commitment::Confirmed
        }
    }

    async fn run(
        &self,
        fingerprint: Fingerprint,
        request: Request,
        signs: &mut dyn Signs,
        stop: Stop,
    ) -> Result<(Intention, Ended)> {
        let driver = &self.sending.driver;
        let (fence, intention) = driver.claim(fingerprint).await?;
        let Finished { ended, declined, intention } = driver.run(fence, intention, request, signs, stop).await;
        match (ended, declined) {
            (Ended::NotSent(NotSent::Declined(_)), Some(error)) => {
                let last = intention.records().last().and_then(|record| {
                    let judged = record.judged.clone()?;
                    Some((record.signed.attempt.signature(), judged))
                });
                match last {
                    // Who signs nothing is told what became of what was signed.
                    Some((signature, judged))
                        if matches!(error, Error::ToBeSigned { .. }) && !is_between(&intention) =>
                    {
                        Ok((intention, Ended::Verdict { signature, judged, unwritten: None }))
                    }
                    _ => Err(error),
                }
            }
            (ended, _) => Ok((intention, ended)),
        }
    }

    fn ended(&self, intention: &Intention, ended: Ended) -> Result<Executed> {
        match ended {
            Ended::Verdict { signature, judged, unwritten } => {
                if let Some(reason) = unwritten {
                    tracing::warn!(target: "escrow_client::send", %signature, reason, "the verdict was not written");
                }
                self.executed(intention, signature, &judged.verdict)
            }
            // Somebody else has brought it to its end meanwhile.
            Ended::Repetition { signature, judged } => self.executed(intention, signature, &judged.verdict),
            Ended::NotSent(NotSent::Attempt(error)) => Err(Error::Attempt(error)),
            Ended::NotSent(NotSent::Declined(reason) | NotSent::Journal(reason)) => Err(Error::Journal(reason)),
        }
    }

    /// A verdict, as this crate tells it.
    fn executed(
        &self,
        intention: &Intention,
        signature: escrow_sender::Signature,
        verdict: &Verdict,
    ) -> Result<Executed> {
        let named = Signature::from(signature.0);
        match verdict {
            Verdict::Succeeded { .. } => {
                let run = intention.records().last().map(|record| record.signed.position.run);
                let of_run = intention.records().iter().filter(|record| Some(record.signed.position.run) == run);
                let succeeded = of_run.filter_map(|record| match &record.judged.as_ref()?.verdict {
                    Verdict::Succeeded { slot, basis, .. } => Some(Confirmed {
                        signature: record.signed.attempt.signature().0.into(),
                        slot: slot.0,
                        basis: basis.to_string(),
                    }),
                    _ => None,
                });
                let mut transactions: Vec<Confirmed> = succeeded.collect();
                // Where the journal did not take the verdict, it is told all the same.
                if transactions.last().is_none_or(|last| last.signature != named)
                    && let Verdict::Succeeded { slot, basis, .. } = verdict
                {
                    transactions.push(Confirmed { signature: named, slot: slot.0, basis: basis.to_string() });
                }
                Ok(Executed { transactions })
            }
            Verdict::Failed { error, .. } => {
                let record = intention.records().iter().rfind(|record| record.signed.attempt.signature() == signature);
                let signed = record.and_then(|record| Signed::of(&record.signed.attempt).ok());
                let accounts = signed.as_ref().map(|signed| signed.transaction().message.static_account_keys());
                let error = serde_json::from_str(error).unwrap_or(TransactionError::SanitizeFailure);
                let failure = Failure::new(error, Vec::new(), accounts.unwrap_or_default());
                Err(Error::Failed { signature: named, failure: Box::new(failure) })
            }
            Verdict::Expired { basis } => Err(Error::Expired { signature: named, basis: basis.to_string() }),
            Verdict::Unknown { .. } => Err(Error::Unknown { signature: named, verdict: Box::new(verdict.clone()) }),
        }
    }

    /// The best that any node knows of a signature. Sends nothing.
    ///
    /// # Errors
    ///
    /// Where no node answers.
    pub async fn status(&self, signature: &Signature) -> Result<Option<Status>> {
        let known = self.statuses(signature).await?.into_iter().filter_map(|(_, status)| status);
        Ok(known.max_by_key(|status| status.commitment))
    }

    /// What each node knows of a signature, the preferred first. Sends nothing.
    ///
    /// # Errors
    ///
    /// Where no node answers.
    pub async fn statuses(&self, signature: &Signature) -> Result<Vec<(String, Option<Status>)>> {
        let asked = [escrow_sender::Signature(*signature.as_array())];
        let mut known = Vec::new();
        let mut last = None;
        for node in self.nodes.all() {
            match poll::read_statuses(&node.rpc, &asked).await {
                Ok((_, found)) => known.push((node.name.clone(), found.into_iter().next().flatten())),
                Err(error) => last = Some((node, error)),
            }
        }
        match last {
            Some((node, error)) if known.is_empty() => {
                Err(Error::Rpc { url: node.name.clone(), source: Box::new(crate::error::without_url(error)) })
            }
            _ => Ok(known),
        }
    }
}

/// Whether a step has succeeded and the next is not signed.
fn is_between(intention: &Intention) -> bool {
    matches!(intention.stage(), Stage::Between(_))
}

/// Signs the steps of an order here.
struct SignsHere<'a> {
    client: &'a EscrowClient,
    order: &'a Order,
    signers: &'a [&'a (dyn Signer + Sync)],
    payer: Pubkey,
}

impl Signs for SignsHere<'_> {
    fn sign(&mut self, position: Position) -> BoxFuture<'_, Result<Prepared>> {
        Box::pin(async move {
            let step = usize::try_from(position.step).ok().and_then(|step| self.order.steps.get(step));
            let step = step.ok_or(Error::Steps { steps: self.order.steps.len() })?;
            if let Some(expected) = &step.expected {
                self.client.check(expected).await?;
            }
            let all = self.client.budgeted(&step.instructions, &self.payer).await?;
            let (lifetime, heights) = match &self.order.nonce {
                None => self.client.lifetime().await?,
                Some((account, authority)) => (self.client.nonce(account, authority).await?, Vec::new()),
            };
            let unsigned = Unsigned::new(&all, &self.payer, lifetime)?;
            if self.order.simulate {
                self.client.simulate(&unsigned).await?;
            }
            #[expect(clippy::as_conversions, reason = "to a supertrait: no value changes")]
            let signers: Vec<&dyn Signer> = self.signers.iter().map(|signer| *signer as &dyn Signer).collect();
            Ok(Prepared { signed: unsigned.sign(&signers)?.complete()?, heights })
        })
    }
}

/// A transaction that is signed already.
struct IsSigned(Option<Signed>);

impl Signs for IsSigned {
    fn sign(&mut self, position: Position) -> BoxFuture<'_, Result<Prepared>> {
        // Another attempt would be another transaction.
        let signed = self.0.take().filter(|_| position == Position::default());
        let signed = signed.ok_or(Error::ToBeSigned { step: position.step.saturating_add(1) });
        Box::pin(async { Ok(Prepared { signed: signed?, heights: Vec::<Observation>::new() }) })
    }
}

/// Nothing is signed.
struct NobodySigns;

impl Signs for NobodySigns {
    fn sign(&mut self, position: Position) -> BoxFuture<'_, Result<Prepared>> {
        Box::pin(async move { Err(Error::ToBeSigned { step: position.step.saturating_add(1) }) })
    }
}
