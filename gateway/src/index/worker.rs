//! The role `index`: pass after pass. Any number of processes may have it; the one with the lease works.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    node::Node,
    pass::{Index, Pass, Stop},
    status::Status,
};
use crate::store::Store;

/// After a pass that broke off, and for those who wait for the lease.
const AGAIN: Duration = Duration::from_secs(2);

/// Works until it is cancelled. A pass that is cut off anywhere is repeated, and tells nothing twice.
pub async fn run<N: Node>(store: Store, mut index: Index<N>, pause: Duration, end: CancellationToken) {
    let work = work(&store, &mut index, pause);
    tokio::select! {
        () = end.cancelled() => {}
        () = work => {}
    }
    if let Err(error) = index.release().await {
        tracing::warn!(%error, "the index's lease ends by itself");
    }
}

async fn work<N: Node>(store: &Store, index: &mut Index<N>, pause: Duration) {
    loop {
        let passed = index.pass().await;
        let pause = match passed {
            Ok(Pass::More) => Duration::ZERO,
            Ok(Pass::Rest) => pause,
            Ok(Pass::Standby) | Err(Stop::Lost) => AGAIN,
            Err(Stop::Database(error)) => {
                tracing::warn!(%error, "the index waits for the database");
                AGAIN
            }
        };
        measure(store).await;
        tokio::time::sleep(pause).await;
    }
}

async fn measure(store: &Store) {
    let now = crate::now_ms();
    let Ok(Some(status)) = Status::read(store, now).await else { return };
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a gauge is a float")]
    let gauges = [
        ("escrow_gateway_index_slot", status.slot as f64),
        ("escrow_gateway_index_behind_seconds", now.div_euclid(1_000).saturating_sub(status.time) as f64),
        ("escrow_gateway_index_dead_letters", status.dead_letters as f64),
        ("escrow_gateway_index_stuck", f64::from(u8::from(!status.trouble.is_empty()))),
    ];
    for (name, value) in gauges {
        metrics::gauge!(name).set(value);
    }
}
