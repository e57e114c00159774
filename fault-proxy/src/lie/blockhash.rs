//! Block hashes.

use serde_json::{Value, json};

use super::{Scene, set};
use crate::{plan::BlockhashLie, proxy::memory::context_slot};

pub(super) fn tell(scene: &mut Scene<'_>, lie: BlockhashLie, result: &mut Value) -> bool {
    let stale = match lie {
        BlockhashLie::Foreign => {
            let foreign = scene.dice.address();
            return result.pointer_mut("/value/blockhash").is_some_and(|hash| set(hash, json!(foreign)));
        }
        BlockhashLie::Stale { slots } => match context_slot(result) {
            Some(slot) => scene.upstream.memory.blockhash_at(slot.saturating_sub(slots)),
            None => None,
        },
    };
    let (Some(stale), Some(value)) = (stale, result.get_mut("value")) else { return false };
    set(value, json!({ "blockhash": stale.hash, "lastValidBlockHeight": stale.last_valid_height }))
}
