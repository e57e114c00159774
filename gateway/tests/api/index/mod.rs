//! The index on a simulated chain, whose nodes lag, forget, cut their pages and are replaced at any time, with a kill at any moment
//! and two processes that both believe to write. What it says is held against the chain, by rules that are written twice.

mod faults;
mod schedules;
mod world;
