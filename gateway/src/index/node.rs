//! What the index asks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use escrow_client::{
    EscrowClient, Filter,
    terms::Asset,
    words::Denomination,
    work::watch::{Answer, Ask, Heard},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use tokio::time::timeout;

use crate::chain::Chain;

/// Somebody who knows the finalized chain, and need not be believed.
pub trait Node: Send + Sync {
    /// Answers one of the engine's questions.
    fn answer(&self, ask: &Ask) -> impl Future<Output = Heard> + Send;

    /// The addresses of all escrows that have an account.
    fn addresses(&self) -> impl Future<Output = Result<Vec<Pubkey>, String>> + Send;

    /// How amounts of an asset are written.
    fn denomination(&self, asset: Asset) -> impl Future<Output = Denomination> + Send;

    /// Asks another one from now on, if there is one: this one did not explain what it showed.
    fn turn(&self);
}

/// The RPC nodes. One at a time is asked; the next one where it does not answer.
#[derive(Debug)]
pub struct Nodes {
    clients: Vec<EscrowClient>,
    current: AtomicUsize,
    chain: Arc<Chain>,
}

/// How long other nodes may take to say which slot they show.
const PATIENCE: Duration = Duration::from_secs(2);

impl Nodes {
    /// The nodes at these addresses, the preferred first.
    pub fn new(urls: &[String], chain: Arc<Chain>) -> Self {
        let url = |named: &String| escrow_client::read::node_url(named);
        let client = |url: String| EscrowClient::new(url, CommitmentConfig::finalized());
        Self { clients: urls.iter().filter_map(url).map(client).collect(), current: AtomicUsize::new(0), chain }
    }

    fn current(&self) -> Option<&EscrowClient> {
        self.clients.get(self.current.load(Ordering::Relaxed).checked_rem(self.clients.len())?)
    }

    /// The newest slot that two nodes show: one alone that is far ahead would make all others look as if they were behind.
    async fn newest(&self, ask: &Ask) -> Heard {
        let asked = self.clients.iter().map(|client| timeout(PATIENCE, client.answer(ask)));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let (mut shown, mut failed) = (Vec::new(), None);
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(Heard::Accounts { slot, time, .. }) => shown.push((slot, time)),
                Ok(heard) => failed = Some(heard),
                Err(_) => {}
            }
        }
        shown.sort_unstable();
        let second = shown.len().checked_sub(2).and_then(|place| shown.get(place)).or(shown.first());
        match second {
            Some((slot, time)) => Heard::Accounts { slot: *slot, time: *time, accounts: Vec::new() },
            None => failed.unwrap_or_else(|| Heard::Failed("no node answers".to_owned())),
        }
    }
}

impl Node for Nodes {
    async fn answer(&self, ask: &Ask) -> Heard {
        let is_slot = matches!(ask, Ask::Accounts { addresses, .. } if addresses.is_empty());
        if is_slot && self.clients.len() > 1 {
            return self.newest(ask).await;
        }
        let Some(client) = self.current() else { return Heard::Failed("there is no node".to_owned()) };
        let heard = client.answer(ask).await;
        if matches!(heard, Heard::Failed(_) | Heard::About(Answer::Failed(_))) {
            self.turn();
        }
        heard
    }

    async fn addresses(&self) -> Result<Vec<Pubkey>, String> {
        let client = self.current().ok_or("there is no node")?;
        client.list_addresses(&Filter::default()).await.map_err(|error| error.to_string())
    }

    async fn denomination(&self, asset: Asset) -> Denomination {
        self.chain.denomination(asset).await
    }

    fn turn(&self) {
        self.current.fetch_add(1, Ordering::Relaxed);
    }
}
