//! What runs by itself: an escrow that is [watched](watch), step by step and from a cursor; and what is kept
//! on a disk: the evidence of a [case]. Everything here is decided by
//! state machines that read no clock and talk to nobody; what drives them is thin.

pub mod case;
pub mod file;
pub mod keep;
#[cfg(feature = "pdf")]
pub mod paper;
pub mod watch;
