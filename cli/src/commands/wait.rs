//! `escrow wait`

use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};

use clap::{Args, ValueEnum};
use escrow_client::{EscrowAccount, due::State, view};
use serde::Serialize;
use solana_pubkey::Pubkey;
use tokio::time::{Instant, sleep};

use crate::{
    context::Context,
    error::{CliError, Result},
    parse::{self, Window},
};

/// How long until the node is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// What can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    /// The account is there
    Created,
    /// The money was paid in
    Funded,
    /// A milestone is delivered, and not answered
    Delivered,
    /// A milestone is disputed
    Disputed,
    /// Everything is decided
    Settled,
    /// The account is closed
    Closed,
    /// What the others say can no longer be taken back: it is read from finalized blocks
    Final,
}

impl Until {
    /// Whether it is so of an escrow that is there.
    fn is_true_of(self, escrow: &EscrowAccount) -> bool {
        match self {
            Self::Created | Self::Final => true,
            Self::Funded => escrow.is_funded(),
            Self::Delivered => State::Delivered.is_of(escrow),
            Self::Disputed => State::Disputed.is_of(escrow),
            Self::Settled => State::Settled.is_of(escrow),
            Self::Closed => false,
        }
    }
}

impl Display for Until {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Arguments of `wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// Address of the escrow; it need not be created yet
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,

    /// What to wait for; of several, that all are so at once
    #[arg(long, value_enum, value_delimiter = ',', required = true, value_name = "STATE,…")]
    until: Vec<Until>,

    /// The longest to wait, as in 2h: then the command exits with 8 [default: as long as it takes]
    #[arg(long, value_parser = parse::window, value_name = "DURATION")]
    timeout: Option<Window>,
}

/// What was waited for has come.
#[derive(Debug, Serialize)]
pub struct Come {
    version: u32,
    address: String,
    /// What was waited for.
    reached: Vec<String>,
    /// How the escrow stands; none where its account is closed.
    status: Option<view::Status>,
}

impl Display for Come {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "escrow {} is {}", self.address, self.reached.join(" and "))
    }
}

impl WaitArgs {
    /// The escrow as it has to be read for what is waited for.
    async fn read(&self, context: &Context) -> Result<Option<EscrowAccount>> {
        match self.until.contains(&Until::Final) {
            true => Ok(context.client.finalized_escrow(&self.escrow).await?),
            false => Ok(context.client.find(&self.escrow).await?),
        }
    }

    /// What is not so yet. Where there is no account, nothing was created or everything is over: its transactions tell.
    async fn missing(&self, context: &Context, escrow: Option<&EscrowAccount>) -> Result<Vec<Until>> {
        if let Some(escrow) = escrow {
            return Ok(self.until.iter().filter(|until| !until.is_true_of(escrow)).copied().collect());
        }
        let existed = context.client.history(&self.escrow).await?.terms().is_some();
        // A read of the account that lags behind says nothing: only one that is closed has a history and is no more.
        if !existed || context.client.find(&self.escrow).await?.is_some() {
            return Ok(self.until.clone());
        }
        let over = |until: &&Until| !matches!(until, Until::Created | Until::Closed | Until::Final);
        match self.until.iter().find(over) {
            Some(until) => Err(CliError::NotNow(format!(
                "escrow {} is closed, so it can never be {until}: escrow history {} tells how it ended",
                self.escrow, self.escrow
            ))),
            None => Ok(Vec::new()),
        }
    }
}

pub async fn run(context: &Context, args: WaitArgs) -> Result<Come> {
    let end = args.timeout.map(|timeout| (Instant::now(), Duration::from_secs(u64::from(timeout.0)), timeout));
    let mut was_read = false;
    loop {
        let looked = async {
            let escrow = args.read(context).await?;
            let missing = args.missing(context, escrow.as_ref()).await?;
            Ok((escrow, missing))
        };
        let missing = match looked.await {
            Ok((escrow, missing)) if missing.is_empty() => {
                return Ok(Come {
                    version: view::VERSION,
                    address: args.escrow.to_string(),
                    reached: args.until.iter().map(Until::to_string).collect(),
                    status: escrow.as_ref().map(view::Status::from),
                });
            }
            Ok((_, missing)) => {
                was_read = true;
                missing
            }
            // A node that has answered once may fail for a while.
            Err(error @ CliError::Frame(_)) if was_read => {
                context.note(format_args!("Asking again: {error}"));
                args.until.clone()
            }
            Err(error) => return Err(error),
        };
        if let Some((begun, longest, timeout)) = end
            && begun.elapsed() >= longest
        {
            let missing: Vec<String> = missing.iter().map(Until::to_string).collect();
            return Err(CliError::NotYet(format!(
                "escrow {} is not {} after {timeout}. Wait on with the same command, or see escrow show {}",
                args.escrow,
                missing.join(" and "),
                args.escrow
            )));
        }
        let left = end.map_or(PAUSE, |(begun, longest, _)| longest.saturating_sub(begun.elapsed()));
        sleep(PAUSE.min(left)).await;
    }
}
