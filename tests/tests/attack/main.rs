//! Attacks on the program from outside. Whoever wrote these knew what it promises (`docs/protocol.md`, the design) and had
//! not read its code: bytes, addresses and account images are put together here from the tables in the documents
//! (`wire`), and what may happen and who gets what is judged by a referee of its own (`referee`), to the unit and to the
//! byte of the account (`arena`).

mod accounts;
mod arena;
mod cpi;
mod data;
mod dust;
mod forged;
mod lifetime;
mod offers;
mod plays;
mod powers;
mod referee;
mod rent;
mod secret;
mod terms;
mod time;
mod wire;
