//! Webhooks: receivers that go wrong in every way, workers that die, and the time given from outside.

mod egress;
mod endpoints;
mod faults;
mod load;
mod queues;
mod receiver;
mod runbooks;
mod scene;
