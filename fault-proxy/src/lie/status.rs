//! What became of transactions.

use serde_json::{Value, json};

use super::{Scene, set};
use crate::{
    json_rpc::Call,
    plan::{Level, StatusLie, Verdict},
    proxy::memory::context_slot,
};

pub(super) fn concerns(call: &Call, signature: Option<&str>) -> bool {
    match call.method() {
        "getSignatureStatuses" | "getTransaction" => signature.is_none_or(|signature| call.mentions(signature)),
        "getSignaturesForAddress" => true,
        _ => false,
    }
}

pub(super) fn tell(scene: &Scene, signature: Option<&str>, lie: &StatusLie, result: &mut Value) -> bool {
    let meant = |one: Option<&str>| signature.is_none_or(|signature| one == Some(signature));
    match scene.call.method() {
        "getSignatureStatuses" => {
            let slot = context_slot(result).unwrap_or(0);
            let asked = scene.call.param(0).and_then(Value::as_array);
            let Some(statuses) = result.get_mut("value").and_then(Value::as_array_mut) else { return false };
            let mut changed = false;
            for (index, status) in statuses.iter_mut().enumerate() {
                let one = asked.and_then(|asked| asked.get(index)?.as_str());
                changed |= meant(one) && tell_status(lie, status, slot);
            }
            changed
        }
        "getTransaction" => match lie {
            StatusLie::Unknown | StatusLie::Known { level: Level::Processed, .. } => set(result, Value::Null),
            StatusLie::Known { verdict, .. } => {
                result.get_mut("meta").filter(|meta| meta.is_object()).is_some_and(|meta| tell_verdict(verdict, meta))
            }
        },
        _ => {
            let Some(transactions) = result.as_array_mut() else { return false };
            let before = transactions.len();
            let is_meant = |one: &Value| meant(one.get("signature").and_then(Value::as_str));
            let StatusLie::Known { level, verdict, .. } = lie else {
                transactions.retain(|one| !is_meant(one));
                return transactions.len() != before;
            };
            let mut changed = false;
            for one in transactions.iter_mut().filter(|one| is_meant(one)) {
                let final_before = one.get("confirmationStatus").cloned();
                if let Some(one) = one.as_object_mut() {
                    one.insert("confirmationStatus".to_owned(), json!(level));
                }
                changed |= final_before != Some(json!(level));
                if let Some(err) = verdict.err(one.get("err")) {
                    changed |= one.get_mut("err").is_some_and(|known| set(known, err));
                }
            }
            changed
        }
    }
}

fn tell_status(lie: &StatusLie, status: &mut Value, slot: u64) -> bool {
    let StatusLie::Known { level, verdict, invented } = lie else { return set(status, Value::Null) };
    if status.is_null() && !invented {
        return false;
    }
    let slot = status.get("slot").cloned().unwrap_or(json!(slot));
    let err = verdict.err(status.get("err")).unwrap_or_else(|| status.get("err").cloned().unwrap_or_default());
    set(status, self::status(slot, *level, &err))
}

/// A status as a node writes it.
pub(crate) fn status(slot: Value, level: Level, err: &Value) -> Value {
    let confirmations = match level {
        Level::Processed => json!(0),
        Level::Confirmed => json!(1),
        Level::Finalized => Value::Null,
    };
    let outcome = if err.is_null() { json!({ "Ok": null }) } else { json!({ "Err": err }) };
    json!({
        "slot": slot, "confirmations": confirmations, "confirmationStatus": level, "err": err, "status": outcome,
    })
}

fn tell_verdict(verdict: &Verdict, meta: &mut Value) -> bool {
    let Some(err) = verdict.err(meta.get("err")) else { return false };
    let outcome = if err.is_null() { json!({ "Ok": null }) } else { json!({ "Err": err }) };
    let mut changed = false;
    if let Some(meta) = meta.as_object_mut() {
        changed |= meta.insert("err".to_owned(), err.clone()) != Some(err);
        changed |= meta.insert("status".to_owned(), outcome.clone()) != Some(outcome);
    }
    changed
}

impl Verdict {
    /// The error that it says, in place of `known`; none if nothing is said of it.
    fn err(&self, known: Option<&Value>) -> Option<Value> {
        match self {
            Verdict::True => None,
            Verdict::Succeeded => Some(Value::Null),
            Verdict::Failed(error) => Some(error.clone()),
        }
        .filter(|err| known != Some(err))
    }
}
