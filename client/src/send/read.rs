//! Who asks for an escrow while a request is under way is answered together with the others who do.

use std::sync::{Mutex, PoisonError};

use solana_pubkey::Pubkey;
use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};

use crate::EscrowAccount;

/// An escrow to be read, and who waits for it. None where it could not be read with the others.
pub(super) type Ask = (Pubkey, oneshot::Sender<Option<Option<EscrowAccount>>>);

/// Those who ask.
#[derive(Default)]
pub(super) struct Reader {
    queue: Mutex<Option<UnboundedSender<Ask>>>,
}

impl Reader {
    /// Asks for the escrow at an address, and `begin`s to answer where nobody does, or the runtime of who did has ended.
    pub(super) fn ask(
        &self,
        address: &Pubkey,
        begin: impl FnOnce(UnboundedReceiver<Ask>),
    ) -> oneshot::Receiver<Option<Option<EscrowAccount>>> {
        let (reply, answer) = oneshot::channel();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let unsent = match queue.as_ref() {
            Some(sender) => sender.send((*address, reply)).err().map(|unsent| unsent.0),
            None => Some((*address, reply)),
        };
        if let Some(ask) = unsent {
            let (sender, receiver) = unbounded_channel();
            // The receiver is there.
            let _ = sender.send(ask);
            *queue = Some(sender);
            begin(receiver);
        }
        answer
    }
}
