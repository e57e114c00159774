//! The keeper: it does what anyone may do. It applies defaults whose time has come, pays out what is due, closes what is
//! settled, and gives up what was never funded in time.
//!
//! The [`Keeper`] knows neither where the work comes from, nor who else does it, nor how it is sent: these are three traits.
//! [`Source`] finds escrows and reads them, [`Permits`] says who may work on which and what may be spent, [`Sender`] sends
//! exactly once. A door has its own: here are a [`Scan`] of the program's accounts, a [`Purse`] that knows of nobody else, and
//! a [`Wallet`] that signs; a back end brings an index and rows in a database.
//!
//! What it does twice costs a fee and never money: the program refuses it. It does little twice all the same: it reads an
//! escrow fresh before it plans, and never at a slot before the one in which it last did something; what failed in company is
//! tried alone; what fails again and again rests longer each time; and keepers that know nothing of each other wait for
//! different times.

mod budget;
mod keeper;
mod plan;
mod present;
mod purse;
mod scan;
mod wallet;

pub use self::{
    budget::{Budget, BudgetError, Cost, Limits},
    keeper::{Counters, Keeper, Outcome, Pass, Permits, Sender, Settings, Source, Trouble},
    plan::{Batch, Company, Kinds, Work, batches, work},
    present::Present,
    purse::Purse,
    scan::Scan,
    wallet::Wallet,
};
