//! The program's committed bytecode in LiteSVM, with the token programs that it ships.

mod accounts;
mod bits;
mod bumps;
mod cancel;
mod claim;
mod close;
mod create;
mod deliver;
mod dispute;
mod dust;
mod encoding;
mod errors;
mod events;
mod expire;
mod fund;
mod ledger;
mod lifecycle;
mod milestones;
mod promises;
mod propose;
mod release;
mod roles;
mod support;
mod time;
mod tokens;
mod withdraw;
