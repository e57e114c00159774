//! What a node knows: reading escrows, listing them, and their history. Believed only as far as it can be checked.

mod history;
pub mod read;
mod situation;

pub use situation::Situation;
