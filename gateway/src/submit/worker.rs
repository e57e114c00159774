//! Repeats what was submitted until its outcome is final. Any number of these may run: the journal's claims let one work on
//! each, and two at once do no harm, because the bytes are the same.

use std::{collections::HashSet, sync::Arc, time::Duration};

use escrow_client::sender::{Fingerprint, Intention};
use tokio::{sync::Notify, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::chain::Chain;

/// How often the journal is read for what nobody works on.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many are worked on at once.
const AT_ONCE: usize = 1_024;

/// Works until it is cancelled. `wake` says that there is something new.
pub async fn run(chain: Arc<Chain>, wake: Arc<Notify>, end: CancellationToken) {
    let mut tasks: JoinSet<Fingerprint> = JoinSet::new();
    let mut busy: HashSet<Fingerprint> = HashSet::new();
    while !end.is_cancelled() {
        match chain.sender().unresolved().await {
            Err(error) => tracing::error!(%error, "the journal cannot be read"),
            Ok(unresolved) => {
                metrics::gauge!("escrow_gateway_unresolved").set(u32::try_from(unresolved.len()).unwrap_or(u32::MAX));
                for intention in unresolved {
                    if busy.len() < AT_ONCE && !is_claimed(&intention) && busy.insert(intention.fingerprint()) {
                        tasks.spawn(bring(Arc::clone(&chain), intention));
                    }
                }
            }
        }
        let until = tokio::time::sleep(LOOK_EVERY);
        tokio::select! {
            () = end.cancelled() => {}
            () = wake.notified() => {}
            () = until => {}
        }
        while let Some(Ok(done)) = tasks.try_join_next() {
            busy.remove(&done);
        }
    }
    // What is under way is in the journal: somebody takes it up.
    tasks.abort_all();
    let _ = timeout(LOOK_EVERY, async { while tasks.join_next().await.is_some() {} }).await;
}

/// Whether somebody works on it, by a clock that may differ from theirs a little.
fn is_claimed(intention: &Intention) -> bool {
    let now = u64::try_from(crate::now_ms()).unwrap_or(0);
    intention.lease().is_some_and(|lease| lease.until.0 > now)
}

async fn bring(chain: Arc<Chain>, intention: Intention) -> Fingerprint {
    let fingerprint = intention.fingerprint();
    let outcome = match chain.sender().resume(&intention).await {
        Ok(_) => "finalized",
        Err(escrow_client::Error::Failed { .. }) => "failed",
        Err(escrow_client::Error::Expired { .. }) => "expired",
        Err(escrow_client::Error::Unknown { .. }) => "unknown",
        Err(error) => {
            tracing::warn!(%error, %fingerprint, "it is tried again");
            "error"
        }
    };
    metrics::counter!("escrow_gateway_submitted_total", "outcome" => outcome).increment(1);
    fingerprint
}
