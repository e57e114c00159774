//! The driver between a [`Listener`] and a node: it asks, waits, and asks again.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use solana_client::{
    nonblocking::pubsub_client::PubsubClient,
    rpc_config::{RpcTransactionLogsConfig, RpcTransactionLogsFilter},
};
use tokio::sync::Notify;

use super::{
    cursor::{Position, Subject},
    escrow::Settings,
    event::Event,
    listener::{Freshness, Listener},
};
use crate::EscrowClient;

/// How many questions are asked at the same time.
const CONCURRENT: usize = 8;

/// How often the list of a party's escrows is read beside the program's transactions, in rounds.
const LIST_EVERY: u32 = 30;

/// How often it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// At least this often, whatever wakes it.
    pub every: Duration,
    /// How long before a connection that only wakes is made again.
    pub reconnect: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { every: Duration::from_secs(5), reconnect: Duration::from_secs(10) }
    }
}

/// Everything that happens, as a node tells it.
#[derive(Debug)]
pub struct Feed {
    client: EscrowClient,
    listener: Listener,
    party: Option<solana_pubkey::Pubkey>,
    pace: Pace,
    waker: Arc<Notify>,
    rounds: u32,
}

impl Feed {
    /// Goes on from `position`, by what the nodes of `client` tell at its commitment.
    pub fn new(client: EscrowClient, position: Position, settings: Settings, pace: Pace) -> Self {
        let party = match position.subject {
            Subject::Named | Subject::All => None,
            Subject::Party(party) => Some(party),
        };
        let listener = Listener::new(position, settings);
        Self { client, listener, party, pace, waker: Arc::new(Notify::new()), rounds: 0 }
    }

    /// Whoever notifies it lets the next round begin at once. Nothing depends on it.
    pub fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.waker)
    }

    /// One round: everything that is new is read.
    pub async fn round(&mut self) {
        self.listener.round();
        loop {
            let asks = self.listener.asks();
            if asks.is_empty() {
                break;
            }
            let client = &self.client;
            let answers = stream::iter(asks).map(|ask| async move { (client.answer(&ask).await, ask) });
            let answers: Vec<_> = answers.buffer_unordered(CONCURRENT).collect().await;
            for (heard, ask) in answers {
                self.listener.heard(&ask, heard);
            }
        }
        // Should the program's transactions lack a creation, the list has it.
        if let Some(party) = self.party
            && self.rounds.checked_rem(LIST_EVERY) == Some(0)
            && let Ok(found) = self.client.list_of(&party).await
        {
            found.iter().for_each(|escrow| self.listener.add(escrow.address));
        }
        self.rounds = self.rounds.wrapping_add(1);
    }

    /// What is to be told next, if there is something. It stays until [`told`](Self::told).
    pub fn event(&self) -> Option<&Event> {
        self.listener.event()
    }

    /// The event was told; then the [`position`](Self::position) is to be kept.
    pub fn told(&mut self) {
        self.listener.told();
    }

    /// Where it has come to.
    pub fn position(&self) -> Position {
        self.listener.position()
    }

    /// How fresh all of it is.
    pub fn freshness(&self) -> Freshness {
        self.listener.freshness()
    }

    /// Until it is time for another round, or something wakes it.
    pub async fn pause(&self) {
        tokio::select! {
            () = tokio::time::sleep(self.pace.every) => {}
            () = self.waker.notified() => {}
        }
    }

    /// The next event, however long that takes. It is given again until [`told`](Self::told).
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.event() {
                return event.clone();
            }
            self.round().await;
            if self.event().is_none() {
                self.pause().await;
            }
        }
    }
}

/// Wakes `waker` whenever a transaction of the program is logged, over the WebSocket at `url`, and connects again when that
/// breaks. It never ends by itself, and tells nothing: it may be cut at any time.
pub async fn wake(url: String, waker: Arc<Notify>, pace: Pace) {
    loop {
        let _ = woken(&url, &waker).await;
        // What happened without a connection.
        waker.notify_one();
        tokio::time::sleep(pace.reconnect).await;
    }
}

async fn woken(url: &str, waker: &Notify) -> Option<()> {
    let client = PubsubClient::new(url).await.ok()?;
    let ours = RpcTransactionLogsFilter::Mentions(vec![escrow::ID.to_string()]);
    let (mut logs, _) = client.logs_subscribe(ours, RpcTransactionLogsConfig { commitment: None }).await.ok()?;
    while logs.next().await.is_some() {
        waker.notify_one();
    }
    None
}
