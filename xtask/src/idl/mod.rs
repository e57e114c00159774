//! The interface of the program, `idl/escrow.json`, from its code: `cargo xtask generate` writes it.
//!
//! Anchor's macros describe the instructions, accounts, events and errors where they are defined, and print that in
//! tests that only the feature `idl-build` compiles. [`printed`] runs them and reads what they print; [`complete`] makes
//! one description of it and adds what Anchor's format or its macros leave out, most of all the milestones behind the
//! header of the escrow account ([`slab`]).
//!
//! The result is an Anchor IDL (specification 0.1.0), so that clients for other languages can be generated from it.
//! `idl/typescript` does that, and decodes a real account with the result.

mod complete;
mod printed;
mod slab;

use anyhow::Result;

use crate::workspace::Workspace;

/// What stands in `idl/escrow.json`.
pub fn document(workspace: &Workspace) -> Result<String> {
    let idl = complete::complete(printed::print(workspace)?)?;
    Ok(serde_json::to_string_pretty(&idl)? + "\n")
}
