//! `cargo xtask idl`: writes the interface of the program, `idl/escrow.json`, from its code.
//!
//! Anchor's macros describe the instructions, accounts, events and errors where they are defined, and print that in
//! tests that only the feature `idl-build` compiles. [`printed`] runs them and reads what they print; [`complete`] makes
//! one description of it and adds what Anchor's format or its macros leave out, most of all the milestones behind the
//! header of the escrow account ([`slab`]).
//!
//! The result is an Anchor IDL (specification 0.1.0), so that clients for other languages can be generated from it.
//! `clients/typescript` does that, and decodes a real account with the result.

mod complete;
mod diff;
mod printed;
mod slab;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Write the interface of the program, idl/escrow.json, from its code
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Change nothing: fail, and show the difference, if the committed interface is not what the code gives
    #[arg(long)]
    check: bool,
}

pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let idl = complete::complete(printed::print(workspace)?)?;
    let is = serde_json::to_string_pretty(&idl)? + "\n";
    let file = workspace.root.join("idl/escrow.json");
    let path = workspace.relative(&file);
    if args.check {
        let was = fs::read_to_string(&file)
            .with_context(|| format!("cannot read {path}; `cargo xtask idl` makes it, and it is committed"))?;
        if was != is {
            eprint!("{}", diff::lines(&was, &is));
            bail!("{path} is not what the code gives. Run `cargo xtask idl` and commit it.");
        }
        println!("{path} is what the code gives");
    } else {
        let folder = file.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::write(&file, &is).with_context(|| format!("cannot write {path}"))?;
        println!("{path}");
    }
    for (name, number) in [
        ("instructions", idl.instructions.len()),
        ("accounts", idl.accounts.len()),
        ("types", idl.types.len()),
        ("events", idl.events.len()),
        ("errors", idl.errors.len()),
        ("constants", idl.constants.len()),
    ] {
        println!("  {name:<13} {number}");
    }
    Ok(())
}
