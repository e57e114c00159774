//! What a command needs that signs by itself, again and again, until it is stopped.

use std::path::PathBuf;

use escrow_client::{EscrowClient, sender::Journal};
use escrow_frame::{Report, log};
use solana_keypair::Keypair;

use super::{Asked, Context};
use crate::error::{CliError, Result};

impl Context {
    /// The keypair, where it signs and pays alone and at once.
    pub fn keypair_alone(&self) -> Result<&Keypair> {
        let signing = &self.signing;
        let in_the_way = [
            ("--dry-run", signing.dry_run),
            ("--fee-payer", signing.fee_payer.is_some()),
            ("--nonce", self.nonce().is_some()),
            ("--no-wait", self.does_not_wait()),
            ("--sign-only, --dump-transaction-message or --signer", self.is_signed_elsewhere()),
        ];
        match in_the_way.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(CliError::Arguments(format!(
                "the keeper signs with --keypair, which pays, and waits for what becomes of it: leave {option} out"
            ))),
            None => self.keypair(),
        }
    }

    /// A client that sends with a journal of its own in this folder of the journal's; and the folder.
    pub fn sender_in(&self, name: &str) -> Result<(EscrowClient, PathBuf)> {
        let (journal, pace) = match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => (std::env::temp_dir().join("escrow-demo"), None),
            Asked::Typed { journal, pace, .. } => (journal.clone(), *pace),
        };
        let folder = journal.join(name);
        let journal = Journal::open(&folder).map_err(|error| CliError::Journal(error.to_string()))?;
        let client = self.client.clone().keeping(journal);
        Ok((pace.map_or(client.clone(), |pace| client.at_pace(pace)), folder))
    }

    /// Writes a line of a log on standard error.
    pub fn log(&self, line: &dyn Report) {
        log(self.format, line);
    }

    /// Writes lines of a log from wherever they come about.
    pub fn logger(&self) -> impl Fn(&dyn Report) + Send + Sync + 'static {
        let format = self.format;
        move |line| log(format, line)
    }
}
