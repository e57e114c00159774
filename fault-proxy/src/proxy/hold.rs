//! Transactions that are held back and delivered later.

use std::{sync::Arc, time::Duration};

use hyper::{HeaderMap, Method, header};
use serde_json::Value;

use super::{Shared, upstream::Upstream};
use crate::{json_rpc::Call, log::Delivery, plan::Until, transaction::Transaction};

/// More at once are delivered without waiting.
const MAX_HELD: usize = 10_000;

impl Shared {
    /// Delivers a transaction later, whether or not its client is still there.
    pub(super) fn hold(
        self: &Arc<Self>,
        index: usize,
        number: u64,
        call: &Call,
        transaction: &Transaction,
        until: Until,
    ) {
        let (shared, body, blockhash) = (Arc::clone(self), call.0.to_string(), transaction.blockhash.clone());
        let full = *self.in_flight.borrow() >= MAX_HELD;
        self.log.update(number, |entry| entry.delivery = Delivery::Held);
        self.spawn(async move {
            let Some(upstream) = shared.upstreams.get(index) else { return };
            if !full {
                wait(upstream, until, &blockhash).await;
            }
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
            let sent = upstream.send(Method::POST, None, headers, body.into()).await;
            let answer = sent.as_ref().map(|answered| {
                serde_json::from_slice(&answered.body).unwrap_or_else(|_| Value::String(answered.summary()))
            });
            shared.came_of(number, answer);
        });
    }
}

async fn wait(upstream: &Upstream, until: Until, blockhash: &str) {
    let height = match until {
        Until::Ms(ms) => return tokio::time::sleep(Duration::from_millis(ms)).await,
        Until::Blocks(blocks) => upstream.height().await.map(|height| height.saturating_add(blocks)),
        Until::BeforeExpiry(blocks) => {
            upstream.memory.blockhash(blockhash).map(|known| known.last_valid_height.saturating_sub(blocks))
        }
    };
    let Some(height) = height else { return };
    upstream.until(height).await;
}
