//! One signed transaction: how long it may live, and the bytes.

mod attempt;
mod lifetime;
mod wire;

pub use attempt::{Attempt, AttemptError};
pub use lifetime::{Lifetime, MAX_AGE, NonceOffer, Offer, Origin, PrepareError};
