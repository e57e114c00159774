//! What waits for a worker. While the worker is busy more gathers, and is taken up together.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A queue whose worker begins with the first that waits.
pub(super) struct Queue<T>(Mutex<Option<UnboundedSender<T>>>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Queue<T> {
    /// Puts something in without waiting, and `begin`s a worker where there is none, or the runtime of the last has ended.
    pub(super) fn push(&self, item: T, begin: impl FnOnce(UnboundedReceiver<T>)) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unsent = match queue.as_ref() {
            Some(sender) => sender.send(item).err().map(|unsent| unsent.0),
            None => Some(item),
        };
        if let Some(item) = unsent {
            let (sender, receiver) = unbounded_channel();
            // The receiver is there.
            let _ = sender.send(item);
            *queue = Some(sender);
            begin(receiver);
        }
    }
}
