//! What a node that is behind answers: the truth of some slots ago.

use serde_json::{Value, json};

use super::{active::Applied, memory::context_slot, upstream::Upstream};
use crate::{
    json_rpc::{Call, MIN_CONTEXT_SLOT},
    lie::{Frozen, status},
    plan::{Lag, Level, Quantity},
    rpc_error::RpcError,
    transaction::Transaction,
};

/// A node that is further behind says of itself that it is not healthy.
const HEALTHY: u64 = 128;

/// After so many slots a block is final.
const FINAL_AFTER: u64 = 32;

/// How far a node is behind at present.
#[derive(Clone, Copy)]
pub(crate) struct Past {
    /// By so many slots.
    lag: u64,
    /// The newest slot that it knows.
    slot: u64,
}

impl Past {
    /// Where a node stands that is behind by this; none if its upstream does not say where it stands itself.
    pub(crate) async fn of(lag: Lag, applied: Applied<'_>, upstream: &Upstream, frozen: &Frozen) -> Option<Self> {
        let newest = upstream.slot().await?;
        let slot = match lag {
            Lag::Slots(lag) => newest.saturating_sub(lag),
            Lag::Stopped => frozen.first(applied.rule, Quantity::Slot, "processed", newest).min(newest),
        };
        Some(Self { lag: newest.saturating_sub(slot), slot })
    }

    /// Why the node refuses a call that its upstream would not.
    pub(crate) fn refuses(self, call: &Call, upstream: &Upstream) -> Option<RpcError> {
        let needed = call.option(MIN_CONTEXT_SLOT).and_then(Value::as_u64);
        if needed.is_some_and(|needed| needed > self.slot) {
            let mut error = RpcError::usual(-32016);
            error.data = Some(json!({ "contextSlot": self.slot }));
            return Some(error);
        }
        if call.method() == "getHealth" && self.lag > HEALTHY {
            let mut error = RpcError::usual(-32005);
            error.message = format!("Node is behind by {} slots", self.lag);
            error.data = Some(json!({ "numSlotsBehind": self.lag }));
            return Some(error);
        }
        let simulates = call.option("skipPreflight").and_then(Value::as_bool) != Some(true);
        let transaction = Transaction::of(call).filter(|_| simulates)?;
        let blockhash = upstream.memory.blockhash(&transaction.blockhash)?;
        (blockhash.slot > self.slot).then(|| RpcError::preflight(json!("BlockhashNotFound")))
    }

    /// Makes the upstream's answer one of the past. Whether that changed it.
    pub(crate) fn tell(self, call: &Call, upstream: &Upstream, answer: &mut Value) -> bool {
        let Some(result) = answer.get_mut("result") else { return false };
        let before = result.clone();
        let slot = context_slot(result).map_or(self.slot, |slot| self.earlier_slot(slot));
        match call.method() {
            "getSlot" => change(Some(result), |slot| self.earlier_slot(slot)),
            "getBlockHeight" => change(Some(result), |height| self.earlier(height)),
            "getEpochInfo" => {
                change(result.get_mut("absoluteSlot"), |slot| self.earlier_slot(slot));
                for name in ["blockHeight", "slotIndex"] {
                    change(result.get_mut(name), |number| self.earlier(number));
                }
            }
            "getLatestBlockhash" => {
                if let Some(old) = upstream.memory.blockhash_at(slot) {
                    *result = json!({
                        "context": { "slot": old.slot },
                        "value": { "blockhash": old.hash, "lastValidBlockHeight": old.last_valid_height },
                    });
                }
            }
            "getSignatureStatuses" => {
                change(result.pointer_mut("/context/slot"), |_| slot);
                let statuses = result.get_mut("value").and_then(Value::as_array_mut);
                statuses.into_iter().flatten().for_each(|status| earlier_status(status, slot));
            }
            "getTransaction" if is_later(result, slot) => *result = Value::Null,
            "getTransaction" => {}
            "getSignaturesForAddress" => {
                if let Some(transactions) = result.as_array_mut() {
                    transactions.retain(|one| !is_later(one, slot));
                }
            }
            _ => {
                let needed = call.option(MIN_CONTEXT_SLOT).and_then(Value::as_u64).unwrap_or(0);
                if let Some(old) = upstream.memory.answer(call, needed, slot) {
                    *result = old;
                }
            }
        }
        *result != before
    }

    fn earlier(self, number: u64) -> u64 {
        number.saturating_sub(self.lag)
    }

    /// The upstream may have gone on since it was asked where it stands: a node that has stopped has not.
    fn earlier_slot(self, slot: u64) -> u64 {
        self.earlier(slot).min(self.slot)
    }
}

fn change(number: Option<&mut Value>, earlier: impl Fn(u64) -> u64) {
    if let Some(number) = number
        && let Some(later) = number.as_u64()
    {
        *number = json!(earlier(later));
    }
}

/// Whether a transaction is in a later slot than this.
fn is_later(transaction: &Value, slot: u64) -> bool {
    transaction.get("slot").and_then(Value::as_u64).is_some_and(|its| its > slot)
}

/// Makes a status what it was at this slot: never more final than it is.
fn earlier_status(status: &mut Value, slot: u64) {
    let Some(since) = status.get("slot").and_then(Value::as_u64) else { return };
    let Some(age) = slot.checked_sub(since) else {
        *status = Value::Null;
        return;
    };
    let level = match age {
        0 => Level::Processed,
        age if age < FINAL_AFTER => Level::Confirmed,
        _ => Level::Finalized,
    };
    let present: Option<Level> =
        status.get("confirmationStatus").and_then(|level| serde_json::from_value(level.clone()).ok());
    if present.is_none_or(|present| present > level) {
        let err = status.get("err").cloned().unwrap_or_default();
        *status = status::status(json!(since), level, &err);
    }
}
