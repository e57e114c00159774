//! `escrow-migrate`: deploys, upgrades and verifies the escrow program, on any cluster.
//!
//! Standard output is the result and nothing else; progress, costs and errors go to standard error. The work is done in
//! the library `escrow_migrations`; this reads the command line and files, and prints.

mod cli;
mod commands;
mod context;
mod error;
mod view;

use std::process::ExitCode;

/// What shells give to a process that an interrupt (signal 2) has ended.
const INTERRUPTED: u8 = 128 + 2;

#[tokio::main]
async fn main() -> ExitCode {
    let cli: cli::Cli = match escrow_frame::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let format = cli.options.output;
    // The command is dropped where it stands: that is safe at any point.
    let result = tokio::select! {
        result = commands::run(cli) => result,
        Ok(()) = tokio::signal::ctrl_c() => {
            escrow_frame::note(format, "interrupted: the same command again goes on from there, and `close-buffer` gives up");
            return ExitCode::from(INTERRUPTED);
        }
    };
    escrow_frame::exit(format, result)
}
