//! What a node knows: reading escrows, listing them, and their history. Believed only as far as it can be checked.

mod cluster;
mod cost;
pub(crate) mod decode;
mod history;
pub mod read;
pub mod recipient;
mod record;
mod situation;
mod squads;
pub mod stablecoin;

pub use {cluster::Cluster, cost::Cost, situation::Situation, squads::OpenProposal};
