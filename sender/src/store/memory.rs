//! A journal that ends with its process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Claim, Fence, Store, StoreError};
use crate::{Entry, Fingerprint, Intention, Judged, Seen, Signed, Time};

/// So many intentions are held before those that nobody needs are let go.
const MANY: usize = 4_096;

/// How long what has succeeded is held, in milliseconds, so that a repetition is pointed out.
const KEEP: u64 = 3_600_000;

/// A journal that ends with its process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    intentions: Arc<Mutex<BTreeMap<Fingerprint, Intention>>>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Fingerprint, Intention>> {
        self.intentions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, fence: Fence, entry: Entry) -> Result<(), StoreError> {
        let mut intentions = self.lock();
        let intention = intentions.entry(fence.fingerprint).or_insert_with(|| Intention::new(fence.fingerprint));
        intention.holds(fence.number)?;
        Ok(intention.apply(entry)?)
    }
}

impl Store for Memory {
    async fn claim(&self, fingerprint: Fingerprint, owner: &str, now: Time, until: Time) -> Result<Claim, StoreError> {
        let mut intentions = self.lock();
        // When it has doubled: letting go costs as much as all that was added since.
        if intentions.len() >= MANY && intentions.len().is_power_of_two() {
            intentions.retain(|_, intention| intention.is_needed(now, KEEP));
        }
        let intention = intentions.entry(fingerprint).or_insert_with(|| Intention::new(fingerprint));
        match intention.claim(owner, now, until) {
            Ok(lease) => {
                let number = lease.fence;
                intention.apply(Entry::Claimed(lease))?;
                Ok(Claim::Held(Fence { fingerprint, number }, intention.clone()))
            }
            Err(lease) => Ok(Claim::Busy(lease)),
        }
    }

    async fn record(&self, batch: Vec<(Fence, Signed)>) -> Vec<Result<(), StoreError>> {
        batch.into_iter().map(|(fence, signed)| self.write(fence, Entry::Signed(signed))).collect()
    }

    async fn observe(&self, fence: Fence, seen: Seen) -> Result<(), StoreError> {
        self.write(fence, Entry::Seen(seen))
    }

    async fn verdict(&self, fence: Fence, judged: Judged) -> Result<(), StoreError> {
        self.write(fence, Entry::Judged(judged))
    }

    async fn find(&self, fingerprint: Fingerprint) -> Result<Option<Intention>, StoreError> {
        Ok(self.lock().get(&fingerprint).cloned())
    }

    async fn unresolved(&self) -> Result<Vec<Intention>, StoreError> {
        Ok(self.lock().values().filter(|intention| intention.is_unresolved()).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{conformance, testing};

    #[test]
    fn it_conforms() {
        let stores = Mutex::new(HashMap::<&str, Memory>::new());
        let open = |name| std::future::ready(stores.lock().unwrap().entry(name).or_default().clone());
        let passed = testing::run(conformance::all(open)).unwrap();
        println!("{} conformance tests", passed.len());
    }
}
