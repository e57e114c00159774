//! `escrow`: creates, funds, settles and explains escrows on Solana.
//!
//! Its files, in the order in which they use each other: [`error`]; [`parse`], arguments as people write them, and
//! [`draft`], terms in a file or a dialogue; [`layout`], how things look; [`context`], what every command needs; [`consent`],
//! what comes before a signature, with [`checks`] and [`guards`]; [`monitor`], what the keeper tells over HTTP; [`commands`], one file each; [`on_chain`], the list of them;
//! [`demo`], which plays them; [`cli`], the whole command line. What it shares with the project's other command lines, above all
//! the one place that prints, is the crate `escrow-frame`.

mod checks;
mod cli;
mod codes;
mod commands;
mod consent;
mod contacts;
mod context;
#[cfg(feature = "localnet")]
mod demo;
mod draft;
mod error;
mod follow;
mod guards;
mod layout;
mod monitor;
mod on_chain;
mod parse;
mod stop;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match draft::expand(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => return escrow_frame::exit(escrow_frame::format(), Err(error)),
    };
    let cli: cli::Cli = match escrow_frame::parse_from(arguments) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let format = cli.options.output;
    escrow_frame::exit(format, cli::run(cli).await)
}
