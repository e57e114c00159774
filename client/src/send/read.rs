//! Reading many escrows before signing: who asks while a request is under way is answered together with the others.

use std::sync::{Mutex, PoisonError};

use solana_pubkey::Pubkey;
use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};

use crate::{EscrowAccount, EscrowClient, Result};

/// The most accounts that a node is asked for at once.
const ACCOUNTS: usize = 100;

/// An escrow to be read, and who waits for it. None where it could not be read with the others.
type Ask = (Pubkey, oneshot::Sender<Option<Option<EscrowAccount>>>);

/// Reads escrows together.
#[derive(Default)]
pub(super) struct Reader {
    queue: Mutex<Option<UnboundedSender<Ask>>>,
}

impl Reader {
    /// The escrow at an address, as two nodes say where there are several.
    pub(super) async fn find(&self, client: &EscrowClient, address: &Pubkey) -> Result<Option<EscrowAccount>> {
        let (reply, answer) = oneshot::channel();
        self.ask(client, (*address, reply));
        match answer.await {
            Ok(Some(found)) => Ok(found),
            // By itself it has an error of its own.
            Ok(None) | Err(_) => client.find_agreed(address).await,
        }
    }

    fn ask(&self, client: &EscrowClient, ask: Ask) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = match queue.as_ref() {
            Some(sender) => match sender.send(ask) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
            None => ask,
        };
        let (sender, receiver) = unbounded_channel();
        // The receiver is there.
        let _ = sender.send(ask);
        *queue = Some(sender);
        // Without this reader: it ends when its client does.
        let apart = client.apart();
        tokio::spawn(work(apart, receiver));
    }
}

async fn work(client: EscrowClient, mut queue: UnboundedReceiver<Ask>) {
    let mut asked: Vec<Ask> = Vec::new();
    while queue.recv_many(&mut asked, ACCOUNTS).await > 0 {
        let addresses: Vec<Pubkey> = asked.iter().map(|(address, _)| *address).collect();
        let found = client.find_all_agreed(&addresses).await;
        for (index, (_, reply)) in asked.drain(..).enumerate() {
            let escrow = found.as_ref().ok().and_then(|found| found.get(index).cloned().flatten());
            // Who does not wait any more has no use for it.
            let _ = reply.send(escrow);
        }
    }
}
