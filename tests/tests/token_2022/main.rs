//! Tokens as their issuers and holders can make them (design, section 2.7), on the real Token-2022 and SPL Token programs
//! that LiteSVM ships.

mod accounts;
mod extensions;
mod malformed;
mod native;
mod powers;
mod recipes;
mod support;
