//! Transactions that are held back and delivered later.

use std::{sync::Arc, time::Duration};

use hyper::{HeaderMap, Method, header};
use serde_json::Value;

use super::{
    Shared,
    upstream::{Failure, Upstream},
};
use crate::{json_rpc::Call, log::Delivery, plan::Until, transaction::Transaction};

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
        self.log.update(number, |entry| entry.delivery = Delivery::Held);
        self.spawn(async move {
            let Some(upstream) = shared.upstreams.get(index) else { return };
            wait(upstream, until, &blockhash).await;
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
            let sent = upstream.send(Method::POST, None, headers, body.into()).await;
            let delivery = match sent {
                Ok(answered) => {
                    let text = || format!("HTTP {}, {} bytes", answered.status.as_u16(), answered.body.len());
                    let answer = serde_json::from_slice(&answered.body).unwrap_or_else(|_| Value::String(text()));
                    Delivery::Answered { at_us: shared.micros(), answer }
                }
                Err(Failure::Unreachable(reason)) => Delivery::Unreachable(reason),
                Err(Failure::Lost(reason)) => Delivery::Lost(reason),
            };
            shared.log.update(number, |entry| {
                entry.deliveries = entry.deliveries.saturating_add(1);
                entry.delivery = delivery;
            });
        });
    }
}

async fn wait(upstream: &Upstream, until: Until, blockhash: &str) {
    let height = match until {
        Until::Ms(ms) => return tokio::time::sleep(Duration::from_millis(ms)).await,
        Until::Blocks(blocks) => upstream.height().await.map(|height| height.saturating_add(blocks)),
        Until::BeforeExpiry(blocks) => {
            upstream.blockhash(blockhash).await.map(|known| known.last_valid_height.saturating_sub(blocks))
        }
    };
    let Some(height) = height else { return };
    upstream.until(height).await;
}
