//! What a node knows: reading escrows, listing them, and their history. Believed only as far as it can be checked.

pub(crate) mod decode;
mod history;
pub mod read;
mod situation;
mod squads;
mod watching;

pub use {situation::Situation, squads::OpenProposal};
