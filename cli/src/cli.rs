//! The command line as a whole.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use escrow_client::sender::Pace;
use escrow_frame::{Options, print};

#[cfg(feature = "localnet")]
use crate::{commands::localnet, demo};
use crate::{
    context::{Asked, Context},
    error::Result,
    on_chain::{OnChain, execute},
    parse,
};

/// Escrows on Solana: money is held by a program and released only when agreed conditions are met.
#[derive(Debug, Parser)]
#[command(name = "escrow", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    sending: Sending,
    #[command(subcommand)]
    command: Command,
}

/// How transactions are sent, by every command that sends one.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Sending {
    /// Folder of the journal, where what is signed is kept before it is sent [default: ~/.local/state/escrow]
    #[arg(long, global = true, value_name = "DIR", env = "ESCROW_JOURNAL", hide_env_values = true)]
    journal: Option<PathBuf>,

    /// Waiting times in milliseconds, so that a test need not wait real minutes
    #[arg(long, global = true, hide = true, value_parser = parse::pace, env = "ESCROW_PACE", hide_env_values = true)]
    pace: Option<Pace>,

    /// Do it once more, though the same command succeeded a short while ago
    #[arg(long, global = true)]
    again: bool,
}

impl Sending {
    /// What was asked for, with where it is kept.
    fn asked(self, command: &OnChain) -> Asked {
        let journal = self.journal.unwrap_or_else(|| {
            let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
            let state = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")));
            state.unwrap_or_default().join("escrow")
        });
        Asked::Typed { command: format!("{command:?}"), journal, again: self.again, pace: self.pace }
    }
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
    let Cli { options, sending, command } = cli;
    let format = options.output;
    match command {
        #[cfg(feature = "localnet")]
        Command::Localnet(args) => localnet::run(format, args).await,
        #[cfg(feature = "localnet")]
        Command::Demo(args) => demo::run(format, args).await,
        Command::OnChain(command) => {
            let context = Context::new(options.resolve()?, sending.asked(&command));
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
