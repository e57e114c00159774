//! One signed transaction: how long it may live, and the bytes.

mod attempt;
mod lifetime;
mod origin;
mod wire;

pub use attempt::{Attempt, AttemptError};
pub use lifetime::{Lifetime, NonceOffer, Offer, PrepareError};
pub use origin::{MAX_AGE, Origin};
