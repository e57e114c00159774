//! The project's developer commands: `cargo xtask <command>`.
//!
//! Each command is a module with its arguments and a `run`. Results go to standard output, everything else to standard
//! error.

mod assure;
mod build_program;
mod circles;
mod generate;
mod idl;
mod mutants;
mod process;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Developer commands of the escrow project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Assure(assure::Args),
    BuildProgram(build_program::Args),
    Circles(circles::Args),
    Generate(generate::Args),
    Mutants(mutants::Args),
}

fn main() -> ExitCode {
    // This binary is also the compiler wrapper of its own program build. cargo then calls it once for every crate.
    if let Some(status) = build_program::wrapper::run_if_called_by_cargo() {
        return status;
    }
    let result = Workspace::find().and_then(|workspace| match Cli::parse().command {
        Command::Assure(args) => assure::run(&workspace, &args),
        Command::BuildProgram(args) => build_program::run(&workspace, &args),
        Command::Circles(args) => circles::run(&workspace, &args),
        Command::Generate(args) => generate::run(&workspace, &args),
        Command::Mutants(args) => mutants::run(&workspace, &args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
