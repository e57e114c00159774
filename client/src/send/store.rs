//! Any journal behind one type.

use std::{future::Future, pin::Pin, sync::Arc};

use escrow_sender::{Claim, Fence, Fingerprint, Intention, Judged, Seen, Signed, Store, StoreError, Time};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Store`] with its futures in boxes, so that a client need not name the journal that it has.
trait Boxes: Send + Sync {
    fn claim<'a>(
        &'a self,
        fingerprint: Fingerprint,
        owner: &'a str,
        now: Time,
        until: Time,
    ) -> Boxed<'a, Result<Claim, StoreError>>;
    fn record(&self, batch: Vec<(Fence, Signed)>) -> Boxed<'_, Vec<Result<(), StoreError>>>;
    fn observe(&self, fence: Fence, seen: Seen) -> Boxed<'_, Result<(), StoreError>>;
    fn verdict(&self, fence: Fence, judged: Judged) -> Boxed<'_, Result<(), StoreError>>;
    fn find(&self, fingerprint: Fingerprint) -> Boxed<'_, Result<Option<Intention>, StoreError>>;
    fn unresolved(&self) -> Boxed<'_, Result<Vec<Intention>, StoreError>>;
}

impl<S: Store> Boxes for S {
    fn claim<'a>(
        &'a self,
        fingerprint: Fingerprint,
        owner: &'a str,
        now: Time,
        until: Time,
    ) -> Boxed<'a, Result<Claim, StoreError>> {
        Box::pin(Store::claim(self, fingerprint, owner, now, until))
    }

    fn record(&self, batch: Vec<(Fence, Signed)>) -> Boxed<'_, Vec<Result<(), StoreError>>> {
        Box::pin(Store::record(self, batch))
    }

    fn observe(&self, fence: Fence, seen: Seen) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(Store::observe(self, fence, seen))
    }

    fn verdict(&self, fence: Fence, judged: Judged) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(Store::verdict(self, fence, judged))
    }

    fn find(&self, fingerprint: Fingerprint) -> Boxed<'_, Result<Option<Intention>, StoreError>> {
        Box::pin(Store::find(self, fingerprint))
    }

    fn unresolved(&self) -> Boxed<'_, Result<Vec<Intention>, StoreError>> {
        Box::pin(Store::unresolved(self))
    }
}

/// The journal of a client. Clones share it.
#[derive(Clone)]
pub(super) struct AnyStore(Arc<dyn Boxes>);

impl AnyStore {
    pub(super) fn new(store: impl Store + 'static) -> Self {
        Self(Arc::new(store))
    }
}

impl Store for AnyStore {
    async fn claim(&self, fingerprint: Fingerprint, owner: &str, now: Time, until: Time) -> Result<Claim, StoreError> {
        self.0.claim(fingerprint, owner, now, until).await
    }

    async fn record(&self, batch: Vec<(Fence, Signed)>) -> Vec<Result<(), StoreError>> {
        self.0.record(batch).await
    }

    async fn observe(&self, fence: Fence, seen: Seen) -> Result<(), StoreError> {
        self.0.observe(fence, seen).await
    }

    async fn verdict(&self, fence: Fence, judged: Judged) -> Result<(), StoreError> {
        self.0.verdict(fence, judged).await
    }

    async fn find(&self, fingerprint: Fingerprint) -> Result<Option<Intention>, StoreError> {
        self.0.find(fingerprint).await
    }

    async fn unresolved(&self) -> Result<Vec<Intention>, StoreError> {
        self.0.unresolved().await
    }
}
