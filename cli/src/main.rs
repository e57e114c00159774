//! `escrow`: creates, funds, settles and explains escrows on Solana.
//!
//! Its files, in the order in which they use each other: [`error`]; [`parse`], arguments as people write them; [`layout`], how
//! things look; [`context`], what every command needs; [`commands`], one file each; [`on_chain`], the list of them; [`demo`],
//! which plays them; [`cli`], the whole command line. What it shares with the project's other command lines, above all the one
//! place that prints, is the crate `escrow-frame`.

mod cli;
mod commands;
mod context;
#[cfg(feature = "localnet")]
mod demo;
mod error;
mod layout;
mod on_chain;
mod parse;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let cli: cli::Cli = match escrow_frame::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let format = cli.options.output;
    escrow_frame::exit(format, cli::run(cli).await)
}
