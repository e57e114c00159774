//! The command line as a whole.

use clap::{Parser, Subcommand};
use escrow_frame::{Options, print};

#[cfg(feature = "localnet")]
use crate::{commands::localnet, demo};
use crate::{
    context::Context,
    error::Result,
    on_chain::{OnChain, execute},
};

/// Escrows on Solana: money is held by a program and released only when agreed conditions are met.
#[derive(Debug, Parser)]
#[command(name = "escrow", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    OnChain(OnChain),
    /// Run a validator on this machine, with the program deployed
    #[cfg(feature = "localnet")]
    Localnet(localnet::LocalnetArgs),
    /// Run example deals on a temporary validator and check every balance
    #[cfg(feature = "localnet")]
    Demo(demo::DemoArgs),
}

/// Runs a command and prints its result.
pub async fn run(cli: Cli) -> Result<()> {
    let Cli { options, command } = cli;
    let format = options.output;
    match command {
        #[cfg(feature = "localnet")]
        Command::Localnet(args) => localnet::run(format, args).await,
        #[cfg(feature = "localnet")]
        Command::Demo(args) => demo::run(format, args).await,
        Command::OnChain(command) => {
            let context = Context::new(options.resolve()?);
            Ok(print(format, &*execute(&context, command).await?)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
