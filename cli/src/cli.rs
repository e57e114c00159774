//! The command line as a whole.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, builder::FalseyValueParser};
use escrow_client::{sender::Pace, transaction::budget::Fees};
use escrow_frame::{Options, Signing, print};
use solana_pubkey::Pubkey;

use crate::{
    commands::explain,
    context::{Asked, Context, Nonce},
    error::Result,
    on_chain::{OnChain, execute},
    parse,
};
#[cfg(feature = "localnet")]
use crate::{commands::localnet, demo};

/// Escrows on Solana: money is held by a program and released only when agreed conditions are met.
#[derive(Debug, Parser)]
#[command(
    name = "escrow",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Exit codes: escrow explain exit-codes. Errors: escrow explain ERROR"
)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    sending: Sending,
    #[command(subcommand)]
    command: Command,
}

/// How transactions are sent, by every command that sends one.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Sending {
    /// Tell on standard error which nodes are asked, how often, and what happens to what is sent
    #[arg(
        short,
        long,
        global = true,
        env = "ESCROW_VERBOSE",
        hide_env_values = true,
        value_parser = FalseyValueParser::new()
    )]
    verbose: bool,

    /// Folder of the journal, where what is signed is kept before it is sent [default: ~/.local/state/escrow]
    #[arg(long, global = true, value_name = "DIR", env = "ESCROW_JOURNAL", hide_env_values = true)]
    journal: Option<PathBuf>,

    /// Waiting times in milliseconds, so that a test need not wait real minutes
    #[arg(long, global = true, hide = true, value_parser = parse::pace, env = "ESCROW_PACE", hide_env_values = true)]
    pace: Option<Pace>,

    /// Do it once more, though the same command succeeded a short while ago
    #[arg(long, global = true, env = "ESCROW_AGAIN", hide_env_values = true, value_parser = FalseyValueParser::new())]
    again: bool,

    /// Do not wait for what becomes of it: escrow status tells later
    #[arg(long, global = true, env = "ESCROW_NO_WAIT", hide_env_values = true, value_parser = FalseyValueParser::new())]
    no_wait: bool,

    /// What to pay for each compute unit, in micro-lamports [default: what others pay, up to --max-compute-unit-price]
    #[arg(long, global = true, value_name = "PRICE", env = "ESCROW_COMPUTE_UNIT_PRICE", hide_env_values = true)]
    with_compute_unit_price: Option<u64>,

    /// The most to pay for each compute unit, in micro-lamports [default: 1000000, about 0.00001 SOL a transaction]
    #[arg(long, global = true, value_name = "PRICE", env = "ESCROW_MAX_COMPUTE_UNIT_PRICE", hide_env_values = true)]
    max_compute_unit_price: Option<u64>,

    /// How many compute units a transaction may take [default: what its instructions need]
    #[arg(long, global = true, value_name = "UNITS", env = "ESCROW_COMPUTE_UNIT_LIMIT", hide_env_values = true)]
    with_compute_unit_limit: Option<u32>,

    /// Sign with the nonce in this account instead of a recent block hash
    #[arg(long, global = true, value_name = "ADDRESS", value_parser = parse::address, env = "ESCROW_NONCE", hide_env_values = true)]
    nonce: Option<Pubkey>,

    /// Who may use the nonce, if not --keypair: named as that is
    #[arg(long, global = true, value_name = "SIGNER", env = "ESCROW_NONCE_AUTHORITY", hide_env_values = true)]
    nonce_authority: Option<PathBuf>,

    /// A name of your own for what is to be done, such as an invoice's number: whatever is asked for under it is done once
    #[arg(long, global = true, value_name = "NAME", env = "ESCROW_REFERENCE", hide_env_values = true)]
    reference: Option<String>,
}

/// The most that is paid for each compute unit where nothing is said, in micro-lamports.
const MOST_PAID: u64 = 1_000_000;

impl Sending {
    /// The fees that are paid.
    fn fees(&self) -> Fees {
        let units = self.with_compute_unit_limit;
        match self.with_compute_unit_price {
            Some(price) => Fees { floor: price, cap: price, units },
            None => Fees { floor: 0, cap: self.max_compute_unit_price.unwrap_or(MOST_PAID), units },
        }
    }

    /// What was asked for, with where it is kept.
    fn asked(self, command: &OnChain) -> Asked {
        let journal = self.journal.unwrap_or_else(|| {
            let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
            let state = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")));
            state.unwrap_or_default().join("escrow")
        });
        let typed = match &self.reference {
            Some(reference) => format!("{}, reference {reference}", command.name()),
            None => format!("{command:?}"),
        };
        let Self { again, no_wait, reference, nonce, nonce_authority: authority, pace, verbose, .. } = self;
        let nonce = nonce.map(|account| Nonce { account, authority });
        Asked::Typed { command: typed, journal, again, reference, no_wait, nonce, pace, verbose }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for as long as the process runs")]
enum Command {
    #[command(flatten)]
    OnChain(OnChain),
    /// Explain an error, by its number, name or kind; `exit-codes` for what the command exits with
    Explain(explain::ExplainArgs),
    /// Print a file with terms to fill in, for `escrow create --from FILE`
    Template,
    /// Print completions for a shell
    Completions(explain::CompletionsArgs),
    /// Print the manual page
    Man,
    /// What the command exits with
    #[command(hide = true, after_help = explain::EXIT_CODES)]
    ExitCodes,
    /// Print docs/cli.md
    #[command(hide = true)]
    Documentation,
    /// Run a validator on this machine, with the program deployed
    #[cfg(feature = "localnet")]
    Localnet(localnet::LocalnetArgs),
    /// Run example deals on a temporary validator and check every balance
    #[cfg(feature = "localnet")]
    Demo(demo::DemoArgs),
}

/// Runs a command and prints its result.
pub async fn run(cli: Cli) -> Result<()> {
    let Cli { options, signing, sending, command } = cli;
    let format = options.output;
    match command {
        #[cfg(feature = "localnet")]
        Command::Localnet(args) => localnet::run(format, args).await,
        #[cfg(feature = "localnet")]
        Command::Demo(args) => demo::run(format, args).await,
        Command::Explain(args) => Ok(print(format, &explain::explain(&args)?)?),
        Command::ExitCodes => Ok(print(format, &explain::Text(explain::EXIT_CODES.to_owned()))?),
        Command::Template => Ok(print(format, &explain::template())?),
        Command::Completions(args) => Ok(print(format, &explain::completions(&args, Cli::command()))?),
        Command::Man => Ok(print(format, &explain::man(Cli::command())?)?),
        Command::Documentation => Ok(print(format, &explain::documentation(Cli::command()))?),
        Command::OnChain(command) => {
            let fees = sending.fees();
            let context = Context::new(options.resolve()?, signing, fees, sending.asked(&command));
            context.tell_what_is_asked();
            let result = execute(&context, command).await;
            context.tell_requests();
            match result? {
                Some(report) => Ok(print(format, &*report)?),
                None => Ok(()),
            }
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
