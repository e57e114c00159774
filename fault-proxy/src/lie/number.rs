//! Slots and heights.

use serde_json::{Value, json};

use super::{Scene, set};
use crate::plan::{Number, Quantity};

/// The methods that say as of which slot they answer.
const WITH_CONTEXT: [&str; 17] = [
    "getAccountInfo",
    "getBalance",
    "getBlockProduction",
    "getFeeForMessage",
    "getLargestAccounts",
    "getLatestBlockhash",
    "getMultipleAccounts",
    "getProgramAccounts",
    "getSignatureStatuses",
    "getSupply",
    "getTokenAccountBalance",
    "getTokenAccountsByDelegate",
    "getTokenAccountsByOwner",
    "getTokenLargestAccounts",
    "getTokenSupply",
    "isBlockhashValid",
    "simulateTransaction",
];

/// Where a quantity stands in which method's result.
const PLACES: [(Quantity, &str, &str); 8] = [
    (Quantity::Height, "getBlockHeight", ""),
    (Quantity::Height, "getEpochInfo", "/blockHeight"),
    (Quantity::Slot, "getSlot", ""),
    (Quantity::Slot, "getEpochInfo", "/absoluteSlot"),
    (Quantity::LastValidHeight, "getLatestBlockhash", "/value/lastValidBlockHeight"),
    (Quantity::FirstAvailableBlock, "getFirstAvailableBlock", ""),
    (Quantity::FirstAvailableBlock, "minimumLedgerSlot", ""),
    (Quantity::ContextSlot, "", "/context/slot"),
];

/// Where the quantity stands in the result of this method.
pub(crate) fn places(of: Quantity, method: &str) -> impl Iterator<Item = &'static str> {
    let in_method = move |place: &(Quantity, &str, &str)| match of {
        Quantity::ContextSlot => WITH_CONTEXT.contains(&method),
        _ => place.1 == method,
    };
    PLACES.into_iter().filter(move |place| place.0 == of && in_method(place)).map(|(_, _, pointer)| pointer)
}

pub(super) fn tell(scene: &Scene, of: Quantity, is: Number, result: &mut Value) -> bool {
    let mut changed = false;
    for pointer in places(of, scene.call.method()) {
        let Some(value) = result.pointer_mut(pointer) else { continue };
        let Some(number) = value.as_u64() else { continue };
        let number = match is {
            Number::Freeze => scene.frozen.first(scene.rule, of, scene.call.commitment(), number),
            Number::Add(_) | Number::Set(_) => is.of(number),
        };
        changed |= set(value, json!(number));
    }
    changed
}
