//! The keeper as a role: the client's engine on this gateway's nodes and database. Any number of processes may have it: who works on
//! an escrow is a lease, what may be spent a row, what was signed is in the journal before it leaves. What is done twice all the
//! same costs a fee and never money: the program refuses it.

mod permits;
mod report;

use std::{path::Path, time::Duration};

use escrow_client::work::keep::{Keeper as Engine, Kinds, Limits, Pass, Scan, Settings, Trouble, Wallet};
use rand::RngCore;
use solana_keypair::{Keypair, read_keypair_file};
use solana_signer::Signer;
use tokio_util::sync::CancellationToken;

use self::permits::Permits;
pub use self::report::{Keepers, Report, told};
use crate::{
    chain::{Chain, Finality},
    config::{Config, ConfigError, KeeperKind},
    store::Store,
    submit::Journal,
};

/// How long a pass may take to its end when the process is told to end.
const GRACE: Duration = Duration::from_secs(15);
/// How long it is silent after a failure at the longest, if it looks rarely.
const AFTER_TROUBLE: Duration = Duration::from_secs(30);
/// How long it waits before it looks at others, where all that it has looked at rest.
const A_MOMENT: Duration = Duration::from_secs(1);
/// How long is kept what a process told last, and a lease whose holder died, in milliseconds.
const KEPT: i64 = 24 * 60 * 60 * 1_000;

/// A keeper of this process.
pub struct Work {
    engine: Engine<Scan, Permits, Wallet<Keypair>>,
    permits: Permits,
    store: Store,
    every: Duration,
}

/// Without the keypair.
impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("permits", &self.permits).field("every", &self.every).finish_non_exhaustive()
    }
}

impl Work {
    /// With these settings, on this chain and database.
    ///
    /// # Errors
    ///
    /// Where there is no keypair.
    pub fn new(config: &Config, chain: &Chain, store: &Store) -> Result<Self, ConfigError> {
        let keeper = &config.keeper;
        let keypair = keypair(keeper.keypair.as_deref())?;
        let mut random = [0; 16];
        rand::rng().fill_bytes(&mut random);
        let process = format!("{}-{}", std::process::id(), hex::encode(random));
        let seed = random.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let limits = Limits { lamports: keeper.budget, token_accounts: keeper.token_accounts };
        let permits = Permits::new(store.clone(), process, keypair.pubkey(), limits, keeper.lease_seconds);
        // What an index knows of the next due escrows takes the scan's place here.
        let source = Scan::new(chain.client(Finality::Confirmed).clone(), None);
        let wallet = Wallet::new(chain.sender().clone().keeping(Journal::of_keeper(store.clone())), keypair);
        let engine = Engine::new(source, permits.clone(), wallet, settings(config, seed));
        Ok(Self { engine, permits, store: store.clone(), every: Duration::from_secs(keeper.every_seconds) })
    }

    /// Works until it is told to end; then what was sent has a while to come to its end, and else is the next one's.
    pub async fn run(mut self, end: CancellationToken) {
        let mut forgotten = 0;
        while !end.is_cancelled() {
            let pass = self.engine.pass();
            let passed = tokio::select! {
                passed = pass => passed,
                () = late(&end) => return,
            };
            let pause = self.pause(&passed);
            if let Err(error) = self.tell(&passed).await {
                tracing::warn!(%error, "what the keeper did is not told");
            }
            let now = crate::now_ms();
            if now.saturating_sub(forgotten) > KEPT / 24 {
                forgotten = now;
                if let Err(error) = self.permits.forget(now.saturating_sub(KEPT)).await {
                    tracing::warn!(%error, "what has expired was not forgotten");
                }
            }
            tokio::select! {
                () = end.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// How long to wait before the next pass.
    fn pause(&self, passed: &Result<Pass, Trouble>) -> Duration {
        match passed {
            Ok(pass) if !pass.sent.is_empty() => Duration::ZERO,
            // There is more where as many were named as are taken at once, though all of these rest.
            Ok(pass) if pass.named >= self.engine.settings().at_once => self.every.min(A_MOMENT),
            Ok(_) => self.every,
            Err(_) => self.every.min(AFTER_TROUBLE),
        }
    }

    /// Keeps what a pass came to, for the log, the metrics and whoever asks.
    async fn tell(&self, passed: &Result<Pass, Trouble>) -> Result<(), Trouble> {
        let spent = self.permits.spent().await?;
        let report = Report::new(&self.engine, &self.permits, passed, spent);
        report.measure();
        match passed {
            Err(trouble) => tracing::warn!(%trouble, "the keeper's pass could not be finished"),
            Ok(pass) if !pass.sent.is_empty() => {
                tracing::info!(sent = pass.sent.len(), due = pass.named, "the keeper did what is due");
            }
            Ok(_) => {}
        }
        let text = serde_json::to_string(&report).map_err(|error| Trouble(error.to_string()))?;
        let told = self.store.report_keeper(self.permits.process(), crate::now_ms(), &text).await;
        told.map_err(|error| permits::failed(&error))
    }
}

/// Waits until the process has been told to end, and some more.
async fn late(end: &CancellationToken) {
    end.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

fn settings(config: &Config, seed: u64) -> Settings {
    let keeper = &config.keeper;
    let does = |kind| !keeper.off.contains(&kind);
    let kinds = Kinds {
        expire: does(KeeperKind::Expire),
        withdraw: does(KeeperKind::Withdraw),
        close: does(KeeperKind::Close),
        cancel: does(KeeperKind::Cancel),
    };
    let usual = Settings::default();
    let connections = usize::try_from(config.database_connections).unwrap_or(usize::MAX);
    Settings {
        kinds,
        seed,
        jitter: keeper.wait_seconds,
        lease: keeper.lease_seconds,
        // Each writes the journal, and others of this process need the database too.
        in_flight: usual.in_flight.min(connections.div_ceil(2)),
        // What a day does not allow is not planned either.
        accounts_each: usual.accounts_each.min(keeper.token_accounts),
        ..usual
    }
}

/// The keypair that pays.
fn keypair(file: Option<&Path>) -> Result<Keypair, ConfigError> {
    let wrong = |problem: String| ConfigError::Value { setting: "keeper.keypair", problem };
    let file = file.ok_or_else(|| wrong("is missing: name the file with the keypair that pays".to_owned()))?;
    read_keypair_file(file).map_err(|error| {
        wrong(format!("names {}, which is no keypair: {error}. Make one with `solana-keygen new`", file.display()))
    })
}
