//! What was asked, what was done to it, and what the upstream really answered.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use serde_json::Value;

use crate::plan::Answer;

/// A value that is heavier is not kept; a node's answer about an account or a few statuses is far lighter.
const MAX_VALUE: usize = 64 * 1024;

/// All entries together. The oldest are given up for the newest.
const MAX_LOG: usize = 64 * 1024 * 1024;

/// One call, alone or in a batch, or one request that is no JSON-RPC.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its place in the order in which the calls came, from 0.
    pub number: u64,
    /// When it came, in microseconds since the proxy started.
    pub at_us: u64,
    /// Which client it came from: the path of the URL.
    pub client: String,
    /// The index of the upstream that it was meant for.
    pub upstream: usize,
    /// Its method; of what is no JSON-RPC, HTTP's method and the path.
    pub method: String,
    /// Its parameters. In place of what is too large to keep stands a text that says so.
    pub params: Value,
    /// Of a transaction that is sent, its signature, in base58.
    pub signature: Option<String>,
    /// The indexes of the plan's rules that were applied to it.
    pub rules: Vec<usize>,
    /// How often the upstream got it, or may have got it.
    pub deliveries: u32,
    /// Whether the upstream answered with a result, any of those times.
    pub accepted: bool,
    /// What came of the last time.
    pub delivery: Delivery,
    /// What the client got.
    pub told: Told,
}

impl Entry {
    /// Something came of it at the upstream.
    pub(crate) fn came_of(&mut self, delivery: Delivery) {
        let (delivered, accepted) = match &delivery {
            Delivery::Answered { answer, .. } => (true, answer.get("result").is_some()),
            Delivery::Lost(_) => (true, false),
            Delivery::None | Delivery::Held | Delivery::Unreachable(_) => (false, false),
        };
        self.deliveries = self.deliveries.saturating_add(u32::from(delivered));
        self.accepted |= accepted;
        self.delivery = delivery;
    }
}

/// What came of a request at the upstream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Delivery {
    /// The upstream does not have it, and will not get it.
    None,
    /// The upstream does not have it yet.
    Held,
    /// The upstream could not be connected to, for this reason.
    Unreachable(String),
    /// The upstream may have got it, and did not answer, for this reason.
    Lost(String),
    /// The upstream answered.
    Answered {
        /// When, in microseconds since the proxy started.
        at_us: u64,
        /// What: a JSON-RPC answer as it really was, or a text about what else there was.
        answer: Value,
    },
}

/// What a client got.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// This JSON-RPC answer; of what is no JSON-RPC, a text about it.
    Answer(Value),
    /// This in its place.
    Fault(Answer),
    /// The node died.
    Down,
}

/// A handle on the log of a proxy. It stays readable when the proxy is gone.
///
/// It keeps some 64 MB, hundreds of thousands of usual calls. Who relies on all of it looks at
/// [`evicted`](Self::evicted).
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<(Entry, usize)>,
    weight: usize,
    next: u64,
}

impl Log {
    /// All calls, in the order in which they came.
    pub fn entries(&self) -> Vec<Entry> {
        self.since(0)
    }

    /// The calls from this number on.
    pub fn since(&self, number: u64) -> Vec<Entry> {
        self.select(|entry| entry.number >= number)
    }

    /// The calls of this method.
    pub fn of(&self, method: &str) -> Vec<Entry> {
        self.select(|entry| entry.method == method)
    }

    /// The signatures of all transactions that the upstream got, or may have got, each once, in the order of the clients'
    /// requests.
    pub fn delivered(&self) -> Vec<String> {
        self.signatures(|entry| entry.deliveries > 0)
    }

    /// The signatures of all transactions that the upstream took, each once, in the order of the clients' requests: it
    /// answered with their signature, whatever the client was told.
    pub fn accepted(&self) -> Vec<String> {
        self.signatures(|entry| entry.accepted)
    }

    /// How many entries had to be given up for later ones.
    pub fn evicted(&self) -> u64 {
        let inner = self.lock();
        inner.next.saturating_sub(u64::try_from(inner.entries.len()).unwrap_or(u64::MAX))
    }

    fn select(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.lock().entries.iter().filter(|(entry, _)| wanted(entry)).map(|(entry, _)| entry.clone()).collect()
    }

    fn signatures(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<String> {
        let inner = self.lock();
        let wanted = inner.entries.iter().filter(|(entry, _)| wanted(entry));
        let mut seen = HashSet::new();
        wanted.filter_map(|(entry, _)| entry.signature.clone()).filter(|one| seen.insert(one.clone())).collect()
    }

    /// Writes a call down under the next number, which is returned.
    pub(crate) fn add(&self, mut entry: Entry) -> u64 {
        let mut inner = self.lock();
        entry.number = inner.next;
        shorten(&mut entry.params);
        let heavy = weigh_entry(&entry);
        inner.next = inner.next.saturating_add(1);
        inner.weight = inner.weight.saturating_add(heavy);
        let number = entry.number;
        inner.entries.push_back((entry, heavy));
        inner.evict();
        number
    }

    /// Changes the entry of this number, if it is still there.
    pub(crate) fn update(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let first = inner.entries.front().map_or(inner.next, |(entry, _)| entry.number);
        let index = number.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        let Some((entry, heavy)) = index.and_then(|index| inner.entries.get_mut(index)) else { return };
        change(entry);
        if let Delivery::Answered { answer, .. } = &mut entry.delivery {
            shorten(answer);
        }
        if let Told::Answer(answer) = &mut entry.told {
            shorten(answer);
        }
        let before = std::mem::replace(heavy, weigh_entry(entry));
        inner.weight = inner.weight.saturating_sub(before).saturating_add(*heavy);
        inner.evict();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn evict(&mut self) {
        while self.weight > MAX_LOG
            && let Some((_, heavy)) = self.entries.pop_front()
        {
            self.weight = self.weight.saturating_sub(heavy);
        }
    }
}

fn shorten(value: &mut Value) {
    let heavy = weigh(value);
    if heavy > MAX_VALUE {
        *value = Value::String(format!("too large to keep: about {heavy} bytes"));
    }
}

fn weigh_entry(entry: &Entry) -> usize {
    let answer = |delivery: &Delivery| match delivery {
        Delivery::Answered { answer, .. } => weigh(answer),
        Delivery::Unreachable(reason) | Delivery::Lost(reason) => reason.len(),
        Delivery::None | Delivery::Held => 0,
    };
    let told = match &entry.told {
        Told::Answer(answer) => weigh(answer),
        Told::Fault(_) | Told::Nothing | Told::Down => 0,
    };
    [size_of::<Entry>(), entry.client.len(), entry.method.len(), weigh(&entry.params), answer(&entry.delivery), told]
        .into_iter()
        .fold(0, usize::saturating_add)
}

/// About how many bytes of memory a value takes.
pub(crate) fn weigh(value: &Value) -> usize {
    let own = size_of::<Value>();
    match value {
        Value::String(text) => own.saturating_add(text.len()),
        Value::Array(items) => items.iter().map(weigh).fold(own, usize::saturating_add),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| weigh(member).saturating_add(name.len()).saturating_add(size_of::<String>()))
            .fold(own, usize::saturating_add),
        Value::Null | Value::Bool(_) | Value::Number(_) => own,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(params: Value) -> Entry {
        Entry {
            number: 0,
            at_us: 0,
            client: String::new(),
            upstream: 0,
            method: "sendTransaction".to_owned(),
            params,
            signature: Some("one".to_owned()),
            rules: Vec::new(),
            deliveries: 0,
            accepted: false,
            delivery: Delivery::None,
            told: Told::Nothing,
        }
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let log = Log::default();
        let number = log.add(entry(json!("a".repeat(MAX_VALUE))));
        log.update(number, |entry| entry.told = Told::Answer(json!(["b".repeat(MAX_VALUE)])));
        let kept = &log.entries()[0];
        assert!(kept.params.as_str().unwrap().starts_with("too large to keep"));
        assert!(matches!(&kept.told, Told::Answer(Value::String(text)) if text.starts_with("too large to keep")));
    }

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let log = Log::default();
        let large = "a".repeat(MAX_VALUE / 2);
        let count = u64::try_from(MAX_LOG / (MAX_VALUE / 2)).unwrap() + 10;
        for _ in 0..count {
            log.add(entry(json!(large)));
        }
        let entries = log.entries();
        assert!(log.evicted() >= 10);
        assert_eq!(entries.last().unwrap().number, count - 1);
        assert_eq!(u64::try_from(entries.len()).unwrap() + log.evicted(), count);
        // One that is gone cannot be changed, and nothing else is changed in its place.
        log.update(0, |entry| entry.deliveries = 7);
        assert!(log.entries().iter().all(|entry| entry.deliveries == 0));
    }

    #[test]
    fn a_transaction_is_delivered_once_however_often_it_is_sent() {
        let log = Log::default();
        for answer in [json!({ "error": 1 }), json!({ "result": "one" })] {
            let number = log.add(entry(Value::Null));
            log.update(number, |entry| entry.came_of(Delivery::Answered { at_us: 0, answer }));
        }
        log.add(Entry { signature: Some("two".to_owned()), ..entry(Value::Null) });
        assert_eq!(log.delivered(), ["one"]);
        assert_eq!(log.accepted(), ["one"]);
    }
}
