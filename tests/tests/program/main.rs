//! The program's committed bytecode in LiteSVM, with the token programs that it ships.

mod accounts;
mod cancel;
mod claim;
mod close;
mod create;
mod deliver;
mod dispute;
mod encoding;
mod errors;
mod events;
mod expire;
mod extend;
mod fund;
mod ledger;
mod lifecycle;
mod promises;
mod propose;
mod release;
mod roles;
mod secret;
mod support;
mod time;
mod tokens;
mod versions;
mod withdraw;
