//! The client's engines, without a node: whole lives of escrows from seeds, by the program's own rules.

mod due;
mod evidence;
mod histories;
mod keep;
mod receipts;
mod watch;
