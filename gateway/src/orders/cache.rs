//! The last good value of many things, each with its time.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The most values of one cache.
const MOST: usize = 10_000;

/// Values by key.
#[derive(Debug)]
pub struct Cache<K, V> {
    known: Mutex<HashMap<K, (V, i64)>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { known: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The last value, and when it was learned.
    pub fn get(&self, key: &K) -> Option<(V, i64)> {
        self.lock().get(key).cloned()
    }

    /// A value that was learned at `now`.
    pub fn put(&self, key: K, value: V, now: i64) {
        let mut known = self.lock();
        if known.len() >= MOST {
            // Half of them go, the older ones.
            let mut times: Vec<i64> = known.values().map(|(_, at)| *at).collect();
            times.sort_unstable();
            let middle = times.get(times.len().div_euclid(2)).copied().unwrap_or(now);
            known.retain(|_, (_, at)| *at > middle);
        }
        known.insert(key, (value, now));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (V, i64)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_stays_and_there_are_never_too_many() {
        let cache = Cache::default();
        for now in 0..i64::try_from(MOST).unwrap() + 10 {
            cache.put(now, now, now);
        }
        cache.put(7, 8, 9);
        assert_eq!(cache.get(&7), Some((8, 9)));
        let last = i64::try_from(MOST).unwrap() + 9;
        assert_eq!(cache.get(&last), Some((last, last)));
        assert!(cache.lock().len() <= MOST);
    }
}
