//! What an upstream answered before: the past that a node that is behind still lives in.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use crate::{
    json_rpc::{Call, MIN_CONTEXT_SLOT},
    log::weigh,
};

/// An answer that is heavier is not remembered.
const MAX_ANSWER: usize = 64 * 1024;

/// All remembered answers of an upstream together. The oldest are forgotten for the newest.
const MAX_ANSWERS: usize = 16 * 1024 * 1024;

/// Block hashes of an upstream, of which a client can use the latest 150.
const MAX_BLOCKHASHES: usize = 1024;

/// A block hash, and how long it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blockhash {
    /// The first slot as of which it was seen to be the latest.
    pub(crate) slot: u64,
    pub(crate) hash: String,
    pub(crate) last_valid_height: u64,
}

/// What one upstream answered.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    blockhashes: VecDeque<Blockhash>,
    answers: HashMap<String, VecDeque<(u64, Value)>>,
    /// The keys of all answers, the oldest first.
    order: VecDeque<(String, usize)>,
    weight: usize,
    slot: u64,
}

impl Memory {
    /// Remembers the result of a call.
    pub(crate) fn learn(&self, call: &Call, result: &Value) {
        let mut inner = self.lock();
        if let Some(slot) = context_slot(result).or_else(|| result.as_u64().filter(|_| call.method() == "getSlot")) {
            inner.slot = inner.slot.max(slot);
        }
        if call.method() == "getLatestBlockhash" {
            inner.add_blockhash(result);
        }
        // What the chain does not say has no past, and a transaction is sent and not asked for.
        if call.method().starts_with("get") {
            inner.add_answer(key(call), result);
        }
    }

    /// Remembers the latest block hash alone.
    pub(crate) fn learn_blockhash(&self, latest: &Value) {
        self.lock().add_blockhash(latest);
    }

    /// The block hash of this name.
    pub(crate) fn blockhash(&self, hash: &str) -> Option<Blockhash> {
        self.lock().blockhashes.iter().find(|known| known.hash == hash).cloned()
    }

    /// The newest block hash that is not newer than this slot.
    pub(crate) fn blockhash_at(&self, slot: u64) -> Option<Blockhash> {
        let inner = self.lock();
        inner.blockhashes.iter().filter(|known| known.slot <= slot).max_by_key(|known| known.slot).cloned()
    }

    /// The newest answer to this call as of a slot from `first` to `last`.
    pub(crate) fn answer(&self, call: &Call, first: u64, last: u64) -> Option<Value> {
        let inner = self.lock();
        let answers = inner.answers.get(&key(call))?;
        let fitting = answers.iter().filter(|(slot, _)| (first..=last).contains(slot));
        fitting.max_by_key(|(slot, _)| *slot).map(|(_, answer)| answer.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add_blockhash(&mut self, latest: &Value) {
        let Some(blockhash) = blockhash(latest) else { return };
        match self.blockhashes.iter_mut().find(|known| known.hash == blockhash.hash) {
            // Commitments see the same hash as the latest one at different slots.
            Some(known) => known.slot = known.slot.min(blockhash.slot),
            None => {
                if self.blockhashes.len() >= MAX_BLOCKHASHES {
                    self.blockhashes.pop_front();
                }
                self.blockhashes.push_back(blockhash);
            }
        }
    }

    fn add_answer(&mut self, key: String, answer: &Value) {
        let heavy = weigh(answer).saturating_add(key.len().saturating_mul(2));
        if heavy > MAX_ANSWER {
            return;
        }
        // An answer that does not say so is as of the newest slot that any other answer has named.
        let slot = context_slot(answer).unwrap_or(self.slot);
        self.answers.entry(key.clone()).or_default().push_back((slot, answer.clone()));
        self.order.push_back((key, heavy));
        self.weight = self.weight.saturating_add(heavy);
        while self.weight > MAX_ANSWERS
            && let Some((key, heavy)) = self.order.pop_front()
        {
            self.weight = self.weight.saturating_sub(heavy);
            if let Some(answers) = self.answers.get_mut(&key) {
                answers.pop_front();
                if answers.is_empty() {
                    self.answers.remove(&key);
                }
            }
        }
    }
}

/// The slot as of which a result says that it is.
pub(crate) fn context_slot(result: &Value) -> Option<u64> {
    result.pointer("/context/slot")?.as_u64()
}

fn blockhash(latest: &Value) -> Option<Blockhash> {
    Some(Blockhash {
        slot: context_slot(latest)?,
        hash: latest.pointer("/value/blockhash")?.as_str()?.to_owned(),
        last_valid_height: latest.pointer("/value/lastValidBlockHeight")?.as_u64()?,
    })
}

/// What makes two calls the same question: all but the slot that the answer must have reached.
fn key(call: &Call) -> String {
    let mut params = call.params().clone();
    let options = params.as_array_mut().and_then(|params| params.last_mut()).and_then(Value::as_object_mut);
    options.and_then(|options| options.remove(MIN_CONTEXT_SLOT));
    format!("{} {params}", call.method())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(address: &str) -> Call {
        Call(json!({ "method": "getAccountInfo", "params": [address] }))
    }

    fn at(slot: u64, value: &str) -> Value {
        json!({ "context": { "slot": slot }, "value": value })
    }

    #[test]
    fn the_newest_of_what_is_old_enough_is_found() {
        let memory = Memory::default();
        for slot in [10, 20, 30] {
            memory.learn(&call("a"), &at(slot, "x"));
        }
        assert_eq!(memory.answer(&call("a"), 0, 25), Some(at(20, "x")));
        assert_eq!(memory.answer(&call("a"), 21, 25), None);
        assert_eq!(memory.answer(&call("b"), 0, 25), None);
    }

    #[test]
    fn a_question_is_the_same_whatever_slot_it_needs() {
        let memory = Memory::default();
        let since = |slot: u64| {
            Call(
                json!({ "method": "getAccountInfo", "params": ["a", { "encoding": "base64", "minContextSlot": slot }] }),
            )
        };
        memory.learn(&since(9), &at(10, "x"));
        assert_eq!(memory.answer(&since(3), 3, 25), Some(at(10, "x")));
        assert_eq!(memory.answer(&call("a"), 0, 25), None);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let memory = Memory::default();
        let large = "x".repeat(MAX_ANSWER / 2);
        for slot in 0..1000 {
            memory.learn(&call(&format!("{slot}")), &at(slot, &large));
        }
        assert_eq!(memory.answer(&call("0"), 0, 1000), None);
        assert!(memory.answer(&call("999"), 0, 1000).is_some());
        let inner = memory.lock();
        assert!(inner.weight <= MAX_ANSWERS);
        assert_eq!(inner.order.len(), inner.answers.len());
    }

    #[test]
    fn a_block_hash_is_kept_with_the_first_slot_that_it_was_seen_at() {
        let memory = Memory::default();
        let latest = Call(json!({ "method": "getLatestBlockhash" }));
        let answer = |slot: u64, hash: &str| json!({ "context": { "slot": slot }, "value": { "blockhash": hash, "lastValidBlockHeight": slot + 150 } });
        for (slot, hash) in [(11, "a"), (10, "a"), (11, "a"), (12, "b")] {
            memory.learn(&latest, &answer(slot, hash));
        }
        assert_eq!(memory.blockhash("a").map(|known| (known.slot, known.last_valid_height)), Some((10, 161)));
        assert_eq!(memory.blockhash_at(11).map(|known| known.hash), Some("a".to_owned()));
        assert_eq!(memory.blockhash_at(9), None);
        assert_eq!(memory.blockhash_at(30).map(|known| known.hash), Some("b".to_owned()));
    }
}
