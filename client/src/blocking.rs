//! The client for scripts and back ends without async (feature `blocking`): the same methods, which wait.
//!
//! Its runtime runs on a thread of its own, where it is made and dropped, so that the client may be made, used and dropped
//! anywhere: also inside async code, which it holds up for as long as it waits.

use std::{
    future::Future,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use escrow_sender::{Fingerprint, Intention, Pace, Store};
use futures_util::future::BoxFuture;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{
    Confirmed, EscrowAccount, Executed, Filter, Mint, Order, Result, Signed, Situation, Submitted, Unsigned,
    history::History,
    transaction::{Lifetime, budget::Fees},
};

/// Why there is no client.
#[derive(Debug, Error)]
#[error("the thread that waits for the network could not be started: {0}")]
pub struct StartError(#[from] std::io::Error);

/// [`EscrowClient`](crate::EscrowClient) with methods that wait. Clones share its thread, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct EscrowClient {
    inner: crate::EscrowClient,
    thread: Arc<Thread>,
}

/// What is to be run.
type Work = BoxFuture<'static, ()>;

/// The thread that has the runtime.
#[derive(Debug)]
struct Thread {
    work: Option<UnboundedSender<Work>>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    fn start() -> std::result::Result<Self, StartError> {
        let (work, mut queue) = unbounded_channel::<Work>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            // It lives and ends here, whoever drops the client.
            runtime.block_on(async {
                while let Some(work) = queue.recv().await {
                    tokio::spawn(work);
                }
            });
        };
        let handle = thread::Builder::new().name("escrow-client".to_owned()).spawn(run)?;
        Ok(Self { work: Some(work), handle: Some(handle) })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.work.take());
        // Nobody waits for anything more: it ends at once. It cannot wait for itself.
        if let Some(handle) = self.handle.take().filter(|handle| handle.thread().id() != thread::current().id()) {
            let _ = handle.join();
        }
    }
}

impl EscrowClient {
    /// As [`crate::EscrowClient::new`].
    ///
    /// # Errors
    ///
    /// Where the system gives no thread.
    pub fn new(url: impl Into<String>, commitment: CommitmentConfig) -> std::result::Result<Self, StartError> {
        Self::of(crate::EscrowClient::new(url, commitment))
    }

    /// As [`crate::EscrowClient::of_nodes`].
    ///
    /// # Errors
    ///
    /// Where the system gives no thread.
    pub fn of_nodes(urls: &[String], commitment: CommitmentConfig) -> std::result::Result<Self, StartError> {
        Self::of(crate::EscrowClient::of_nodes(urls, commitment))
    }

    /// The methods of `inner`, which wait, over connections of their own. A connection that the caller brought
    /// ([`from_rpc`](crate::EscrowClient::from_rpc)) stays the same, and needs the runtime that opened it to run on.
    ///
    /// # Errors
    ///
    /// Where the system gives no thread.
    pub fn of(inner: crate::EscrowClient) -> std::result::Result<Self, StartError> {
        Ok(Self { inner: inner.anew(), thread: Arc::new(Thread::start()?) })
    }

    /// The client whose methods are awaited.
    pub fn inner(&self) -> &crate::EscrowClient {
        &self.inner
    }

    /// As [`crate::EscrowClient::keeping`].
    #[must_use]
    pub fn keeping(self, store: impl Store + 'static) -> Self {
        Self { inner: self.inner.keeping(store), thread: self.thread }
    }

    /// As [`crate::EscrowClient::at_pace`].
    #[must_use]
    pub fn at_pace(self, pace: Pace) -> Self {
        Self { inner: self.inner.at_pace(pace), thread: self.thread }
    }

    /// As [`crate::EscrowClient::paying`].
    #[must_use]
    pub fn paying(self, fees: Fees) -> Self {
        Self { inner: self.inner.paying(fees), thread: self.thread }
    }

    /// Hands `work` to the thread and waits for what comes of it.
    fn wait<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let work: Work = Box::pin(async move {
            let _ = answer.send(work.await);
        });
        let ended = || crate::Error::Journal("the thread that waits for the network has ended".to_owned());
        let own = self.thread.handle.as_ref().is_some_and(|handle| handle.thread().id() == thread::current().id());
        if own {
            return Err(crate::Error::Journal(
                "whoever is told of progress cannot wait for the same client".to_owned(),
            ));
        }
        let queue = self.thread.work.as_ref().ok_or_else(ended)?;
        queue.send(work).map_err(|_| ended())?;
        answered.recv().map_err(|_| ended())?
    }

    /// As [`crate::EscrowClient::escrow`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn escrow(&self, address: &Pubkey) -> Result<EscrowAccount> {
        let client = self.inner.clone();
        let address = *address;
        self.wait(async move { client.escrow(&address).await })
    }

    /// As [`crate::EscrowClient::find`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn find(&self, address: &Pubkey) -> Result<Option<EscrowAccount>> {
        let client = self.inner.clone();
        let address = *address;
        self.wait(async move { client.find(&address).await })
    }

    /// As [`crate::EscrowClient::list`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn list(&self, filter: &Filter) -> Result<Vec<EscrowAccount>> {
        let client = self.inner.clone();
        let filter = *filter;
        self.wait(async move { client.list(&filter).await })
    }

    /// As [`crate::EscrowClient::list_of`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn list_of(&self, address: &Pubkey) -> Result<Vec<EscrowAccount>> {
        let client = self.inner.clone();
        let address = *address;
        self.wait(async move { client.list_of(&address).await })
    }

    /// As [`crate::EscrowClient::situation`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn situation(&self, address: &Pubkey) -> Result<Situation> {
        let client = self.inner.clone();
        let address = *address;
        self.wait(async move { client.situation(&address).await })
    }

    /// As [`crate::EscrowClient::history`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn history(&self, address: &Pubkey) -> Result<History> {
        let client = self.inner.clone();
        let address = *address;
        self.wait(async move { client.history(&address).await })
    }

    /// As [`crate::EscrowClient::now`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn now(&self) -> Result<i64> {
        let client = self.inner.clone();

        self.wait(async move { client.now().await })
    }

    /// As [`crate::EscrowClient::mint`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn mint(&self, address: &Pubkey) -> Result<Mint> {
        let client = self.inner.clone();
        let address = *address;
        self.wait(async move { client.mint(&address).await })
    }

    /// As [`crate::EscrowClient::missing_token_accounts`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn missing_token_accounts(&self, escrow: &EscrowAccount, surplus: bool) -> Result<Vec<Pubkey>> {
        let client = self.inner.clone();
        let escrow = escrow.clone();
        self.wait(async move { client.missing_token_accounts(&escrow, surplus).await })
    }

    /// As [`crate::EscrowClient::nonce`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn nonce(&self, account: &Pubkey, authority: &Pubkey) -> Result<Lifetime> {
        let client = self.inner.clone();
        let account = *account;
        let authority = *authority;
        self.wait(async move { client.nonce(&account, &authority).await })
    }

    /// As [`crate::EscrowClient::prepare`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn prepare(&self, instructions: &[Instruction], payer: &Pubkey) -> Result<Unsigned> {
        let client = self.inner.clone();
        let instructions = instructions.to_vec();
        let payer = *payer;
        self.wait(async move { client.prepare(&instructions, &payer).await })
    }

    /// As [`crate::EscrowClient::simulate`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn simulate(&self, unsigned: &Unsigned) -> Result<u64> {
        let client = self.inner.clone();
        let unsigned = unsigned.clone();
        self.wait(async move { client.simulate(&unsigned).await })
    }

    /// As [`crate::EscrowClient::submit`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn submit(&self, signed: Signed) -> Result<Submitted> {
        let client = self.inner.clone();

        self.wait(async move { client.submit(signed).await })
    }

    /// As [`crate::EscrowClient::confirm`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn confirm(&self, submitted: &Submitted) -> Result<Confirmed> {
        let client = self.inner.clone();
        let submitted = submitted.clone();
        self.wait(async move { client.confirm(&submitted).await })
    }

    /// As [`crate::EscrowClient::unresolved`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn unresolved(&self) -> Result<Vec<Intention>> {
        let client = self.inner.clone();

        self.wait(async move { client.unresolved().await })
    }

    /// As [`crate::EscrowClient::kept`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn kept(&self, fingerprint: Fingerprint) -> Result<Option<Intention>> {
        let client = self.inner.clone();

        self.wait(async move { client.kept(fingerprint).await })
    }

    /// As [`crate::EscrowClient::resume`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn resume(&self, intention: &Intention) -> Result<Executed> {
        let client = self.inner.clone();
        let intention = intention.clone();
        self.wait(async move { client.resume(&intention).await })
    }

    /// As [`crate::EscrowClient::fingerprint`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn fingerprint(&self, signer: &Pubkey, asked: &[&[u8]]) -> Result<Fingerprint> {
        let (client, signer) = (self.inner.clone(), *signer);
        let asked: Vec<Vec<u8>> = asked.iter().map(|part| part.to_vec()).collect();
        self.wait(async move {
            let parts: Vec<&[u8]> = asked.iter().map(Vec::as_slice).collect();
            client.fingerprint(&signer, &parts).await
        })
    }

    /// As [`crate::EscrowClient::send`]. The signers are asked on another thread.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send(&self, instructions: &[Instruction], signers: &[Arc<dyn Signer + Send + Sync>]) -> Result<Confirmed> {
        let (client, instructions, signers) = (self.inner.clone(), instructions.to_vec(), signers.to_vec());
        self.wait(async move { client.send(&instructions, &shared(&signers)).await })
    }

    /// As [`crate::EscrowClient::execute`]. The signers are asked on another thread.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn execute(&self, order: &Order, signers: &[Arc<dyn Signer + Send + Sync>]) -> Result<Executed> {
        let (client, order, signers) = (self.inner.clone(), order.clone(), signers.to_vec());
        self.wait(async move { client.execute(&order, &shared(&signers)).await })
    }

    /// As [`crate::EscrowClient::begin`]. The signers are asked on another thread.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn begin(&self, order: &Order, signers: &[Arc<dyn Signer + Send + Sync>]) -> Result<Executed> {
        let (client, order, signers) = (self.inner.clone(), order.clone(), signers.to_vec());
        self.wait(async move { client.begin(&order, &shared(&signers)).await })
    }
}

fn shared(signers: &[Arc<dyn Signer + Send + Sync>]) -> Vec<&(dyn Signer + Sync)> {
    signers.iter().map(|signer| -> &(dyn Signer + Sync) { &**signer }).collect()
}
