//! Version 1: one file for each resource. A field may be added; one that goes or means something else makes a version 2.

pub mod access;
pub mod cluster;
pub mod deliveries;
pub mod escrow_list;
pub mod escrows;
pub mod events;
pub mod keeper;
pub mod orders;
pub mod rotation;
pub mod sources;
pub mod terms;
pub mod transactions;
pub mod webhooks;

/// The version of the answers.
pub const VERSION: u32 = 1;
