//! What runs by itself: an escrow that is [watched](watch), step by step and from a cursor. Everything here is decided by
//! state machines that read no clock and talk to nobody; what drives them is thin.

pub mod watch;
