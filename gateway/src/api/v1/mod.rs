//! Version 1: one file for each resource. A field may be added; one that goes or means something else makes a version 2.

pub mod access;
pub mod cluster;
pub mod escrows;
pub mod keeper;
pub mod terms;
pub mod transactions;

/// The version of the answers.
pub const VERSION: u32 = 1;
