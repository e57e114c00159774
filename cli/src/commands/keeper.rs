//! `escrow keeper`

use std::{
    fmt::{self, Display, Formatter},
    io,
    net::SocketAddr,
    pin::pin,
    time::Duration,
};

use clap::Args;
use escrow_client::{
    EscrowClient, Signed,
    send::{Progress, once},
    view::{Amount, VERSION},
    words::Denomination,
    work::keep::{
        Cost, Counters, Keeper, Outcome, Pass, Permits, Purse, Scan, Sender, Settings, Source, Trouble, Wallet,
    },
};
use serde::Serialize;
use solana_pubkey::Pubkey;
use tokio::time::sleep;

use crate::{
    context::Context,
    error::{CliError, Result},
    monitor::{Figures, Monitor},
    parse::{self, Window},
    stop,
};

/// The least time that a keeper may be silent before it is not well.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often all escrows are gone through with `--once` without anything being executed, before it ends: what fails with others
/// is tried alone, and then in parts.
const ROUNDS: u32 = 3;

/// Arguments of `keeper`.
#[derive(Debug, Args)]
pub struct KeeperArgs {
    /// Only the escrows of somebody, as buyer, seller, arbiter or attester [default: all of the program]
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    party: Option<Pubkey>,

    /// The most to spend in a day (UTC), in SOL: fees, and what token accounts cost
    #[arg(long, value_name = "SOL", value_parser = parse::sol, default_value = "0.1")]
    budget: u64,

    /// How many token accounts to make in a day for those who are owed tokens and have none: each costs about 0.002 SOL, which is
    /// its owner's
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    token_accounts: u32,

    /// How long to wait before it looks again where nothing is due
    #[arg(long, value_parser = parse::window, value_name = "DURATION", default_value = "30s")]
    every: Window,

    /// Do what is due now, and end: for cron
    #[arg(long)]
    once: bool,

    /// Tell over HTTP whether it is well (/healthz) and its figures (/metrics), on this machine alone
    #[arg(long, value_name = "127.0.0.1:PORT", conflicts_with = "once", value_parser = loopback)]
    listen: Option<SocketAddr>,
}

/// Reads an address of this machine.
fn loopback(text: &str) -> std::result::Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "write an address and a port, as in 127.0.0.1:9100".to_owned())?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("others could read it there: name 127.0.0.1, and put a server of your own before it".to_owned()),
    }
}

/// A line of the log.
#[derive(Debug, Default, Serialize)]
struct Line {
    time: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    escrows: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Line {
    fn new(event: &'static str) -> Self {
        Self { time: format!("{:.0}", jiff::Timestamp::now()), event, ..Self::default() }
    }

    fn saying(event: &'static str, text: impl Display) -> Self {
        Self { text: Some(text.to_string()), ..Self::new(event) }
    }

    fn about(event: &'static str, escrows: &[Pubkey]) -> Self {
        Self { escrows: escrows.iter().map(Pubkey::to_string).collect(), ..Self::new(event) }
    }

    /// What became of a transaction.
    fn of(escrows: &[Pubkey], outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Landed { slot, fee } => {
                Self { slot: Some(slot.to_string()), fee: Some(fee.to_string()), ..Self::about("landed", escrows) }
            }
            Outcome::Failed { slot, fee, reason } => {
                let (slot, fee) = (Some(slot.to_string()), Some(fee.to_string()));
                Self { slot, fee, text: Some(reason.clone()), ..Self::about("failed", escrows) }
            }
            Outcome::Never { reason } => Self { text: Some(reason.clone()), ..Self::about("never", escrows) },
            Outcome::Unknown => Self::about("unknown", escrows),
        }
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { time, event, transaction, escrows, slot, fee, text } = self;
        write!(f, "time={time} event={event}")?;
        for (name, value) in [("transaction", transaction), ("slot", slot), ("fee", fee)] {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        if !escrows.is_empty() {
            write!(f, " escrows={}", escrows.join(","))?;
        }
        match text {
            Some(text) => write!(f, " text={text:?}"),
            None => Ok(()),
        }
    }
}

/// What a keeper did until it ended.
#[derive(Debug, Serialize)]
pub struct Kept {
    version: u32,
    transactions: u64,
    expired: u64,
    withdrawn: u64,
    closed: u64,
    cancelled: u64,
    failed: u64,
    never: u64,
    unknown: u64,
    token_accounts: u64,
    fees: Amount,
}

/// An amount of SOL.
fn sol(lamports: u64) -> Amount {
    Denomination::SOL.amount(lamports).into()
}

impl Kept {
    fn new(counters: Counters) -> Self {
        let Counters { expired, withdrawn, closed, cancelled, landed, failed, never, unknown, .. } = counters;
        Self {
            version: VERSION,
            transactions: landed,
            expired,
            withdrawn,
            closed,
            cancelled,
            failed,
            never,
            unknown,
            token_accounts: counters.token_accounts,
            fees: sol(counters.fees),
        }
    }
}

impl Display for Kept {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { transactions, expired, withdrawn, closed, cancelled, failed, never, unknown, .. } = self;
        writeln!(
            f,
            "{transactions} transactions: {expired} defaults applied, {withdrawn} payments, {closed} closed, {cancelled} \
             given up"
        )?;
        writeln!(f, "fees {}, token accounts made: {}", self.fees.text, self.token_accounts)?;
        if failed.saturating_add(*never).saturating_add(*unknown) > 0 {
            writeln!(f, "{failed} transactions failed, {never} were never executed, of {unknown} nobody knows yet")?;
        }
        Ok(())
    }
}

/// Where a keeper keeps what it did.
const FOLDER: &str = "keeper";

pub async fn run(context: &Context, args: KeeperArgs) -> Result<Kept> {
    let mut stop = pin!(stop::asked().map_err(CliError::Signal)?);
    let payer = context.keypair_alone()?;
    let (client, folder) = context.sender_in(FOLDER)?;
    let budget = Cost { lamports: args.budget, token_accounts: args.token_accounts };
    let purse = Purse::new(folder.join("budget"), budget);
    let every = Duration::from_secs(u64::from(args.every.0));
    let settings = settings(&args);
    let client = telling(context, client);
    let wallet = Wallet::new(client.clone(), payer);
    context.log(&Line::saying(
        "begin",
        format_args!(
            "{} pays at most {} a day; journal {}",
            wallet.payer(),
            sol(budget.lamports).text,
            folder.display()
        ),
    ));
    let mut keeper = Keeper::new(Scan::new(client.clone(), args.party), purse.clone(), wallet, settings);
    let monitor = Monitor::new(client, PATIENCE.max(every.saturating_mul(10)), budget);
    if let Some(address) = args.listen {
        let listening = monitor.clone().listen(address).await;
        let address = listening.map_err(|source| CliError::Listen { address, source })?;
        context.log(&Line::saying("listening", format_args!("http://{address}/healthz and /metrics")));
    }
    let (mut round, mut out_of_budget) = (Round::default(), false);
    loop {
        let passed = match complete(context, &mut keeper, &mut stop).await? {
            Ended::Passed(passed) => passed,
            Ended::Stopped => break,
        };
        let figures = Figures {
            counters: keeper.counters(),
            remembered: keeper.remembered(),
            spent: purse.spent().unwrap_or_default(),
            budget,
            trouble: passed.as_ref().err().map(ToString::to_string),
        };
        monitor.tell(figures);
        let pause = match passed {
            Ok(pass) => {
                log(context, &pass, &mut out_of_budget);
                if args.once {
                    match round.after(&pass, settings.at_once) {
                        Some(pause) => pause,
                        None => break,
                    }
                } else if pass.sent.is_empty() && pass.named < settings.at_once {
                    every
                } else {
                    Duration::ZERO
                }
            }
            Err(trouble) if args.once => return Err(CliError::Keeper(trouble)),
            Err(trouble) => {
                context.log(&Line::saying("trouble", trouble));
                every
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            stopped = &mut stop => {
                stopped.map_err(CliError::Signal)?;
                break;
            }
        }
    }
    let kept = Kept::new(keeper.counters());
    match round.is_over_budget {
        true => Err(CliError::OutOfBudget(kept.to_string())),
        false => Ok(kept),
    }
}

fn settings(args: &KeeperArgs) -> Settings {
    // It differs from each other keeper.
    let seed = once().0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let settings = Settings { seed, ..Settings::default() };
    // What a day does not allow is not planned either.
    let settings = Settings { accounts_each: settings.accounts_each.min(args.token_accounts), ..settings };
    match args.once {
        // It does not stay for long.
        true => Settings { jitter: 0, rest: 1, ..settings },
        false => settings,
    }
}

/// The same client, writing into the log what it sends.
fn telling(context: &Context, client: EscrowClient) -> EscrowClient {
    let log = context.logger();
    client.telling(move |progress| {
        let Progress::Sending(attempt) = progress else { return };
        let actions = Signed::of(attempt).map(|signed| signed.actions()).unwrap_or_default();
        let mut escrows: Vec<Pubkey> = actions.iter().map(|action| action.escrow).collect();
        escrows.dedup();
        log(&Line { transaction: Some(attempt.signature().to_string()), ..Line::about("sent", &escrows) });
    })
}

/// How a pass ended.
enum Ended {
    Passed(std::result::Result<Pass, Trouble>),
    /// Somebody was not willing to wait for it.
    Stopped,
}

/// A pass, brought to its end when the process is to stop: what is sent is waited for, unless it is to stop once more.
async fn complete<Src: Source, Per: Permits, Snd: Sender>(
    context: &Context,
    keeper: &mut Keeper<Src, Per, Snd>,
    stop: &mut (impl Future<Output = io::Result<()>> + Unpin),
) -> Result<Ended> {
    let mut pass = pin!(keeper.pass());
    tokio::select! {
        passed = &mut pass => return Ok(Ended::Passed(passed)),
        stopped = stop => stopped.map_err(CliError::Signal)?,
    }
    context.log(&Line::saying("stopping", "waiting for what was sent; once more leaves that to the next keeper"));
    let mut again = pin!(stop::asked().map_err(CliError::Signal)?);
    tokio::select! {
        passed = &mut pass => {
            if let Ok(passed) = passed {
                log(context, &passed, &mut false);
            }
        }
        stopped = &mut again => stopped.map_err(CliError::Signal)?,
    }
    Ok(Ended::Stopped)
}

/// Tells what a pass did; that the budget is spent, once.
fn log(context: &Context, pass: &Pass, out_of_budget: &mut bool) {
    for (escrows, outcome) in &pass.sent {
        context.log(&Line::of(escrows, outcome));
    }
    if pass.out_of_budget && !*out_of_budget {
        context.log(&Line::saying("budget", "more is due than today's budget allows"));
    }
    *out_of_budget = pass.out_of_budget;
}

/// Going through all escrows until there is nothing left that can be done.
#[derive(Debug, Default)]
struct Round {
    landed: bool,
    named: bool,
    refused: bool,
    /// Whether the budget did not allow all of the last round.
    is_over_budget: bool,
    /// How many rounds in a row nothing came of.
    idle: u32,
}

impl Round {
    /// How long to wait before the next pass; none: that was the last.
    fn after(&mut self, pass: &Pass, most: usize) -> Option<Duration> {
        self.landed |= pass.sent.iter().any(|(_, outcome)| matches!(outcome, Outcome::Landed { .. }));
        self.named |= pass.named > 0;
        self.refused |= pass.out_of_budget;
        if pass.named >= most {
            return Some(Duration::ZERO);
        }
        let Self { landed, named, refused, idle, .. } = std::mem::take(self);
        self.is_over_budget = refused;
        self.idle = if landed { 0 } else { idle.saturating_add(1) };
        match named && self.idle < ROUNDS {
            true if landed => Some(Duration::ZERO),
            true => Some(Duration::from_secs(1)),
            false => None,
        }
    }
}
