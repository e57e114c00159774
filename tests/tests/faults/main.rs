//! The client, the `escrow` command and the gateway behind nodes that go wrong, by seeded schedules, each verdict held against the chain.
//!
//! A [`schedule`] follows from its seed: what somebody means to do ([`deed`]), the nodes and what is wrong with them, who is
//! killed when, and how often it is tried again. [`library`], [`command`] and [`gateway`] carry it out through `escrow-fault-proxy` at an
//! embedded validator ([`world`]), [`judge`] asks that validator directly what came of it, [`campaign`] runs many and counts.
//!
//! `ESCROW_EFFORT=full` runs all schedules, a number runs so many of a thousand, nothing runs a few. `ESCROW_SEED=n` begins with another
//! seed: with `ESCROW_EFFORT=1` it repeats one.

mod campaign;
mod command;
mod deed;
mod found;
mod gateway;
mod judge;
mod library;
mod schedule;
mod world;

use self::schedule::Door;

#[test]
fn through_the_library_every_verdict_is_what_the_chain_says() {
    campaign::run(Door::Library);
}

#[test]
fn through_the_command_every_verdict_is_what_the_chain_says() {
    campaign::run(Door::Command);
}

#[test]
fn through_the_gateway_every_verdict_is_what_the_chain_says() {
    campaign::run(Door::Gateway);
}
