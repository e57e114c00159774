//! What every command needs: the node, the keypair and the format.

use std::{fmt::Display, path::PathBuf, sync::OnceLock};

use escrow_client::{
    EscrowClient, Executed, Order, OrderStep, Situation,
    send::{Progress, once},
    sender::{Fingerprint, Intention, Journal, Pace, Stage},
};
use escrow_frame::{Format, Settings, SignerSource, note};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;

use crate::error::{CliError, Result};

/// What every command needs.
pub struct Context {
    pub client: EscrowClient,
    format: Format,
    signer: SignerSource,
    /// The signer's keypair, once it was read.
    keypair: OnceLock<Keypair>,
    /// The command's first transaction, once it is executed.
    executed: OnceLock<Signature>,
    asked: Asked,
    /// The client that sends, once something is sent: it keeps a journal.
    sender: OnceLock<EscrowClient>,
}

/// What was asked for, by which the same command is found again in the journal.
pub enum Asked {
    /// The command as it was typed, and where its journal is.
    Typed {
        /// The command and its arguments.
        command: String,
        /// The journal's folder.
        journal: PathBuf,
        /// A repetition is meant as one.
        again: bool,
        /// Other waiting times than the usual.
        pace: Option<Pace>,
    },
    /// By a program that means each command once.
    #[cfg(feature = "localnet")]
    Once,
}

impl Context {
    /// From what the options come to.
    pub fn new(settings: Settings, asked: Asked) -> Self {
        let Settings { url, commitment, signer, format } = settings;
        Self {
            client: EscrowClient::new(url, commitment),
            format,
            signer,
            keypair: OnceLock::new(),
            executed: OnceLock::new(),
            asked,
            sender: OnceLock::new(),
        }
    }

    /// For the demo, whose people have their keypairs in memory.
    #[cfg(feature = "localnet")]
    pub fn in_memory(client: EscrowClient, keypair: Keypair) -> Self {
        let signer = SignerSource::Memory(keypair);
        let (keypair, executed, sender) = Default::default();
        Self { client, format: Format::Silent, signer, keypair, executed, asked: Asked::Once, sender }
    }

    /// Tells something that is not the result.
    pub fn note(&self, text: impl Display) {
        note(self.format, text);
    }

    /// The keypair that signs and pays. Read only by the commands that need one.
    pub fn keypair(&self) -> Result<&Keypair> {
        if let Some(keypair) = self.keypair.get() {
            return Ok(keypair);
        }
        let keypair = self.signer.keypair("--keypair", self.format)?;
        Ok(self.keypair.get_or_init(|| keypair))
    }

    /// The address of the keypair.
    pub fn address(&self) -> Result<Pubkey> {
        Ok(self.keypair()?.pubkey())
    }

    /// The client that sends. What it signs is in the journal, on disk, before it leaves this machine.
    pub fn sender(&self) -> Result<&EscrowClient> {
        if let Some(sender) = self.sender.get() {
            return Ok(sender);
        }
        let client = match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => self.client.clone(),
            Asked::Typed { journal, pace, .. } => {
                let journal = Journal::open(journal).map_err(|error| CliError::Journal(error.to_string()))?;
                let client = self.client.clone().keeping(journal);
                pace.map_or(client.clone(), |pace| client.at_pace(pace))
            }
        };
        let (format, commitment) = (self.format, self.client.lasting().commitment);
        let client = client.telling(move |progress| match progress {
            Progress::Sending(attempt) => {
                let signature = attempt.signature();
                note(format, format_args!("Sending transaction {signature}, waiting until it is {commitment}"));
            }
            Progress::Busy => note(format, "Another process works on the same: waiting for it"),
            _ => {}
        });
        Ok(self.sender.get_or_init(|| client))
    }

    /// The name under which the journal has what was asked for.
    pub async fn fingerprint(&self) -> Result<Fingerprint> {
        match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => Ok(once()),
            Asked::Typed { command, .. } => {
                Ok(self.client.fingerprint(&self.address()?, &[command.as_bytes()]).await?)
            }
        }
    }

    /// What the journal holds of what was asked for, if its end is not known yet.
    pub async fn begun(&self) -> Result<Option<Intention>> {
        let sender = self.sender()?;
        Ok(sender.kept(self.fingerprint().await?).await?.filter(Intention::is_unresolved))
    }

    /// Executes these steps, signed and paid by the keypair.
    pub async fn execute(&self, steps: Vec<OrderStep>) -> Result<Executed> {
        let again = match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => false,
            Asked::Typed { again, .. } => *again,
        };
        let order = Order { again, ..Order::new(self.fingerprint().await?, steps) };
        let executed = self.sender()?.execute(&order, &[self.keypair()?]).await.map_err(repeated)?;
        self.has_executed(&executed);
        Ok(executed)
    }

    /// Brings to its end what an earlier run of this command has signed; none where that can never be executed any more.
    pub async fn take_up(&self, begun: &Intention) -> Result<Option<Executed>> {
        if let Stage::Open(record) = begun.stage() {
            let signature = record.signed.attempt.signature();
            self.note(format_args!("An earlier run of this command has signed transaction {signature}: taking it up"));
        }
        match self.sender()?.resume(begun).await {
            Ok(executed) => {
                self.has_executed(&executed);
                Ok(Some(executed))
            }
            Err(escrow_client::Error::Expired { .. } | escrow_client::Error::ToBeSigned { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn has_executed(&self, executed: &Executed) {
        // Of several, the first stays: it is the one that must not be repeated.
        if let Some(first) = executed.transactions.first() {
            let _ = self.executed.set(first.signature);
        }
    }

    /// An error that the command ends with, and that a transaction of it was executed before, if one was.
    pub fn after_sending(&self, error: CliError) -> CliError {
        match self.executed.get() {
            Some(signature) => CliError::Executed { signature: *signature, source: Box::new(error) },
            None => error,
        }
    }

    /// The escrow at `address`, how amounts of it are written, and the chain's present time.
    pub async fn situation(&self, address: &Pubkey) -> Result<Situation> {
        Ok(self.client.situation(address).await?)
    }
}

/// Says how a repetition is meant as one.
fn repeated(error: escrow_client::Error) -> CliError {
    match error {
        escrow_client::Error::Repetition { signature, .. } => CliError::Repeated(signature),
        error => error.into(),
    }
}
