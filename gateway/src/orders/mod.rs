//! Orders: what a shop calls its escrows, and what its own sources say of them. Many at once, before a deadline; what does not
//! answer comes with its last good value, its age, and why.

mod breaker;
mod cache;
mod sources;

pub use cache::Cache;
pub use sources::{PLACE, Said, Sources};
