//! `escrow`: creates, funds, settles and explains escrows on Solana.
//!
//! Standard output is the result and nothing else; progress, hints and errors go to standard error. One file per
//! command in `commands/`; each returns a typed result, and [`output`] alone prints.

mod cli;
mod commands;
mod context;
mod error;
mod layout;
mod output;
mod parse;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::print_usage(&error),
    };
    let format = cli.global.output;
    match commands::run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(format, &error);
            ExitCode::from(error.exit_code())
        }
    }
}
