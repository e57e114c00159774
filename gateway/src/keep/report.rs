//! What a keeper tells: of its last pass, and of all that it did.

use escrow_client::{
    view::Amount,
    words::Denomination,
    work::keep::{Cost, Counters, Keeper as Engine, Outcome, Pass, Permits as Permit, Sender, Source, Trouble},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::permits::{LEASES, Permits};
use crate::{
    problem::{Problem, Result},
    store::Store,
};

/// A process that has been silent for longer is not told of, in milliseconds.
const SILENT: i64 = 60 * 60 * 1_000;
/// The most processes, and the most escrows that are worked on, of which one is told.
const MOST: i64 = 100;

/// What one process of the keeper tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeeperReport)]
pub struct Report {
    /// Who pays.
    pub payer: String,
    /// How many escrows were found due in its last pass; it takes at most 200 at once.
    pub due: u32,
    /// Those of them that wait: for their time, or because they failed a while ago.
    pub waiting: u32,
    /// Those of them that another process works on.
    pub with_others: u32,
    /// How many transactions it sent in that pass.
    pub sent: u32,
    /// Whether more was due than today's budget allows.
    pub out_of_budget: bool,
    /// Why the pass could not be finished, or the first of its transactions that did not do its work.
    pub trouble: Option<String>,
    /// Of how many escrows it remembers something.
    pub remembered: u32,
    /// What it spends.
    pub spending: Spending,
    /// What it did since it began.
    pub done: Done,
}

/// What is spent in a day (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeeperSpending)]
pub struct Spending {
    /// What was spent or set aside today, by all processes with this payer.
    pub spent: Amount,
    /// The most that may be.
    pub budget: Amount,
    /// How many token accounts were made today.
    pub token_accounts: u32,
    /// The most that may be.
    pub most_token_accounts: u32,
}

/// What a process did since it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeeperDone)]
pub struct Done {
    /// Passes.
    pub passes: u32,
    /// Defaults that were applied.
    pub expired: u32,
    /// Payments.
    pub withdrawn: u32,
    /// Accounts that were closed.
    pub closed: u32,
    /// Escrows that were given up.
    pub cancelled: u32,
    /// Transactions that were executed.
    pub landed: u32,
    /// Transactions that were executed and failed.
    pub failed: u32,
    /// Transactions that were refused before they were sent, or expired: they cost nothing.
    pub never: u32,
    /// Times that nobody knew what became of a transaction.
    pub unknown: u32,
    /// Token accounts that were made.
    pub token_accounts: u32,
    /// What was paid in fees.
    pub fees: Amount,
}

/// A process of the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeeperProcess)]
pub struct Process {
    /// Its name, another one after each start.
    pub process: String,
    /// When it was last heard of, in unix seconds.
    pub seen_at: i64,
    /// What it told.
    #[serde(flatten)]
    pub report: Report,
}

/// An escrow that is worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeeperWorking)]
pub struct Working {
    /// The escrow.
    pub escrow: String,
    /// The process.
    pub process: String,
    /// Until when nobody else takes it, in unix seconds.
    pub until: i64,
}

/// What is due, who works on it, and what was spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Keepers {
    /// The processes that were heard of in the last hour, the last in front; at most 100.
    pub processes: Vec<Process>,
    /// The escrows that are worked on at present; at most 100.
    pub working: Vec<Working>,
}

/// What the processes of the keeper told, and what they hold.
///
/// # Errors
///
/// Where the database does not answer.
pub async fn told(store: &Store) -> Result<Keepers> {
    let now = crate::now_ms();
    let seconds = |milliseconds: i64| milliseconds.div_euclid(1_000);
    let mut processes = Vec::new();
    for (process, seen_at, report) in store.keeper_reports(now.saturating_sub(SILENT), MOST).await? {
        let report = serde_json::from_str(&report).map_err(Problem::internal)?;
        processes.push(Process { process, seen_at: seconds(seen_at), report });
    }
    let leases = store.leases(LEASES, now, MOST).await?.into_iter();
    let working = leases.map(|lease| Working {
        escrow: lease.name.trim_start_matches(LEASES).to_owned(),
        process: lease.owner,
        until: seconds(lease.until),
    });
    Ok(Keepers { processes, working: working.collect() })
}

fn sol(lamports: u64) -> Amount {
    Denomination::SOL.amount(lamports).into()
}

fn count(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

impl Report {
    /// Of what the engine did, and what came of its last pass.
    pub fn new<Src: Source, Per: Permit, Snd: Sender>(
        engine: &Engine<Src, Per, Snd>,
        permits: &Permits,
        passed: &std::result::Result<Pass, Trouble>,
        spent: Cost,
    ) -> Self {
        let pass = passed.clone().unwrap_or_default();
        let trouble = match passed {
            Err(trouble) => Some(trouble.to_string()),
            Ok(pass) => pass.sent.iter().find_map(|(_, outcome)| match outcome {
                Outcome::Failed { reason, .. } | Outcome::Never { reason } => Some(reason.clone()),
                Outcome::Landed { .. } | Outcome::Unknown => None,
            }),
        };
        Self {
            payer: permits.payer().to_string(),
            due: count(pass.named),
            waiting: count(pass.resting),
            with_others: count(pass.others),
            sent: count(pass.sent.len()),
            out_of_budget: pass.out_of_budget,
            trouble,
            remembered: count(engine.remembered()),
            spending: Spending {
                spent: sol(spent.lamports),
                budget: sol(permits.limits().lamports),
                token_accounts: spent.token_accounts,
                most_token_accounts: permits.limits().token_accounts,
            },
            done: Done::new(engine.counters()),
        }
    }

    /// The same as metrics.
    pub fn measure(&self) {
        let Self { due, waiting, remembered, out_of_budget, spending, done, .. } = self;
        metrics::gauge!("escrow_gateway_keeper_due").set(*due);
        metrics::gauge!("escrow_gateway_keeper_waiting").set(*waiting);
        metrics::gauge!("escrow_gateway_keeper_remembered").set(*remembered);
        metrics::gauge!("escrow_gateway_keeper_out_of_budget").set(u32::from(*out_of_budget));
        for (name, amount) in [("spent", &spending.spent), ("budget", &spending.budget)] {
            // Metrics are floating point numbers.
            let lamports: f64 = amount.units.parse().unwrap_or_default();
            metrics::gauge!(format!("escrow_gateway_keeper_{name}_lamports")).set(lamports);
        }
        for (outcome, number) in
            [("landed", done.landed), ("failed", done.failed), ("never", done.never), ("unknown", done.unknown)]
        {
            let counter = metrics::counter!("escrow_gateway_keeper_transactions_total", "outcome" => outcome);
            counter.absolute(u64::from(number));
        }
        for (kind, number) in
            [("expire", done.expired), ("withdraw", done.withdrawn), ("close", done.closed), ("cancel", done.cancelled)]
        {
            metrics::counter!("escrow_gateway_keeper_actions_total", "kind" => kind).absolute(u64::from(number));
        }
    }
}

impl Done {
    fn new(counters: Counters) -> Self {
        let Counters { passes, expired, withdrawn, closed, cancelled, landed, failed, never, unknown, .. } = counters;
        Self {
            passes: count(passes),
            expired: count(expired),
            withdrawn: count(withdrawn),
            closed: count(closed),
            cancelled: count(cancelled),
            landed: count(landed),
            failed: count(failed),
            never: count(never),
            unknown: count(unknown),
            token_accounts: count(counters.token_accounts),
            fees: sol(counters.fees),
        }
    }
}
