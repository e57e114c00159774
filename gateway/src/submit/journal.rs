//! The sender's journal, in the database: what an intention holds is one row, changed by the sender's own rules, and only if it
//! is still as it was read.

use escrow_client::sender::{
    Claim, Entry, Fence, Fingerprint, Intention, Judged, Refusal, Seen, Signed, Store as Keeps, StoreError, Time,
};

use crate::store::{Change, Journalling, Store};

/// The journal.
#[derive(Debug, Clone)]
pub struct Journal {
    store: Store,
    whose: Journalling,
}

/// How often a change is tried again that somebody else came before.
const TRIES: usize = 50;

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("the journal in the database cannot be used: {error}"))
}

/// What the entries in a row come to.
///
/// # Errors
///
/// Where they are not what a gateway writes.
pub fn read(fingerprint: Fingerprint, entries: &str) -> Result<Intention, StoreError> {
    let entries: Vec<Entry> = serde_json::from_str(entries).map_err(failed)?;
    let mut intention = Intention::new(fingerprint);
    for entry in entries {
        intention.apply(entry)?;
    }
    Ok(intention)
}

fn write(intention: &Intention) -> Result<String, StoreError> {
    let entries: Vec<Entry> = intention.entries().collect();
    serde_json::to_string(&entries).map_err(failed)
}

impl Journal {
    /// Of what wallets signed, in this database.
    pub const fn new(store: Store) -> Self {
        Self { store, whose: Journalling::Wallets }
    }

    /// Of what the keeper signed.
    pub const fn of_keeper(store: Store) -> Self {
        Self { store, whose: Journalling::Keeper }
    }

    /// Writes an entry as part of a larger change. Whoever commits it has the intention as it was read here, or nothing.
    ///
    /// # Errors
    ///
    /// Where the journal does not take it, or somebody else came before.
    pub async fn write_in(
        &self,
        change: &mut Change,
        fingerprint: Fingerprint,
        entry: Entry,
    ) -> Result<(), StoreError> {
        let name = fingerprint.to_string();
        let (version, mut intention) = match self.store.intention_in(change, &name).await.map_err(failed)? {
            None => (0, Intention::new(fingerprint)),
            Some((version, entries)) => (version, read(fingerprint, &entries)?),
        };
        intention.apply(entry)?;
        let (entries, unresolved) = (write(&intention)?, intention.is_unresolved());
        let written = self
            .store
            .set_intention(change, (self.whose, &name), version, &entries, unresolved)
            .await
            .map_err(failed)?;
        if written { Ok(()) } else { Err(failed("somebody else has changed it meanwhile")) }
    }

    /// Changes an intention, whatever others do at the same time.
    async fn change<T>(
        &self,
        fingerprint: Fingerprint,
        apply: impl Fn(&mut Intention) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let name = fingerprint.to_string();
        for _ in 0..TRIES {
            let mut change = self.store.change().await.map_err(failed)?;
            let (version, mut intention) = match self.store.intention_in(&mut change, &name).await.map_err(failed)? {
                None => (0, Intention::new(fingerprint)),
                Some((version, entries)) => (version, read(fingerprint, &entries)?),
            };
            let before = intention.clone();
            let answer = apply(&mut intention)?;
            if before == intention {
                return Ok(answer);
            }
            let (entries, unresolved) = (write(&intention)?, intention.is_unresolved());
            if self
                .store
                .set_intention(&mut change, (self.whose, &name), version, &entries, unresolved)
                .await
                .map_err(failed)?
            {
                change.commit().await.map_err(failed)?;
                return Ok(answer);
            }
        }
        Err(failed("others change it all the time"))
    }

    async fn write(&self, fence: Fence, entry: Entry) -> Result<(), StoreError> {
        self.change(fence.fingerprint, |intention| {
            intention.holds(fence.number)?;
            Ok(intention.apply(entry.clone())?)
        })
        .await
    }
}

impl Keeps for Journal {
    async fn claim(&self, fingerprint: Fingerprint, owner: &str, now: Time, until: Time) -> Result<Claim, StoreError> {
        self.change(fingerprint, |intention| match intention.claim(owner, now, until) {
            Ok(lease) => {
                let number = lease.fence;
                intention.apply(Entry::Claimed(lease))?;
                Ok(Claim::Held(Fence { fingerprint, number }, intention.clone()))
            }
            Err(lease) => Ok(Claim::Busy(lease)),
        })
        .await
    }

    async fn record(&self, batch: Vec<(Fence, Signed)>) -> Vec<Result<(), StoreError>> {
        let mut written = Vec::with_capacity(batch.len());
        for (fence, signed) in batch {
            written.push(self.write(fence, Entry::Signed(signed)).await);
        }
        written
    }

    async fn observe(&self, fence: Fence, seen: Seen) -> Result<(), StoreError> {
        self.write(fence, Entry::Seen(seen)).await
    }

    async fn verdict(&self, fence: Fence, judged: Judged) -> Result<(), StoreError> {
        self.write(fence, Entry::Judged(judged)).await
    }

    async fn find(&self, fingerprint: Fingerprint) -> Result<Option<Intention>, StoreError> {
        let found = self.store.intention(&fingerprint.to_string()).await.map_err(failed)?;
        found.map(|(_, entries)| read(fingerprint, &entries)).transpose()
    }

    async fn unresolved(&self) -> Result<Vec<Intention>, StoreError> {
        let rows = self.store.unresolved(self.whose).await.map_err(failed)?;
        let read = |(name, entries): (String, String)| {
            let fingerprint = Fingerprint::try_from(name).map_err(failed)?;
            read(fingerprint, &entries)
        };
        rows.into_iter().map(read).collect()
    }
}

/// Whether somebody else has signed or judged it meanwhile.
pub fn is_conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Refused(Refusal::NotNext { .. } | Refusal::Fenced { .. }))
}
