//! What the tests of several modules share.

use crate::{Attempt, Fingerprint, Hash, Height, Lifetime, Origin, Position, Signed, Slot, Time};

/// The bytes of a transaction with one signature, two accounts and this hash.
pub(crate) fn bytes(signature: [u8; 64], hash: Hash) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(signature);
    bytes.extend([0x80, 1, 0, 1, 2]);
    bytes.extend([3; 64]);
    bytes.extend(hash.0);
    bytes.extend([0, 0]);
    bytes
}

/// Signed at slot 1,000 and height 900, good up to height 1,100.
pub(crate) fn attempt(name: u8) -> Attempt {
    let hash = Hash([name; 32]);
    let lifetime = Lifetime::BlockHash { hash, last_valid: Height(1_100) };
    Attempt::new(&bytes([name; 64], hash), lifetime, origin(), true).unwrap()
}

pub(crate) fn origin() -> Origin {
    Origin { genesis: Hash([0; 32]), slot: Slot(1_000), height: Height(900), skipped: 100 }
}

/// The first signing of an intention of one step.
pub(crate) fn signed(name: u8, position: Position) -> Signed {
    Signed { position, steps: 1, attempt: attempt(name), nodes: vec!["a".to_owned()], at: Time(0) }
}

pub(crate) fn fingerprint(name: u8) -> Fingerprint {
    Fingerprint([name; 32])
}

/// Runs what never waits for anything but the disk.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("a store that waits"),
    }
}
