//! What every command needs: the node, the keypair and the format.

mod elsewhere;
mod keeping;

use std::{fmt::Display, path::PathBuf, sync::OnceLock};

use escrow_client::{
    EscrowClient, Executed, Order, OrderStep, Situation,
    send::Progress,
    sender::{Fingerprint, Intention, Journal, Pace, Stage},
    terms::Asset,
    transaction::budget::Fees,
    view,
    words::Denomination,
};
use escrow_frame::{Format, Report, Settings, SignerSource, Signing, note, print_one};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;

use self::elsewhere::Other;
use crate::{
    codes::Codes,
    error::{CliError, Result},
};

/// What every command needs.
pub struct Context {
    pub client: EscrowClient,
    format: Format,
    /// What is asked and what happens is told.
    verbose: bool,
    signer: SignerSource,
    /// The signer's keypair, once it was read.
    keypair: OnceLock<Keypair>,
    /// The command's first transaction, once it is executed.
    executed: OnceLock<Signature>,
    asked: Asked,
    /// The client that sends, once something is sent: it keeps a journal.
    sender: OnceLock<EscrowClient>,
    signing: Signing,
    /// Those who type are at a terminal, and say yes.
    says_yes: bool,
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
        /// The caller's own name for it.
        reference: Option<String>,
        /// Nobody waits for what becomes of it.
        no_wait: bool,
        /// The nonce to sign with.
        nonce: Option<Nonce>,
        /// Other waiting times than the usual.
        pace: Option<Pace>,
        /// What is asked and what happens is told.
        verbose: bool,
    },
    /// By a program that means each command once.
    #[cfg(feature = "localnet")]
    Once,
}

/// A durable nonce.
#[derive(Debug, Clone)]
pub struct Nonce {
    /// Its account.
    pub account: Pubkey,
    /// Who may use it, as a signer is named; none: the one who signs anyway.
    pub authority: Option<PathBuf>,
}

impl Context {
    /// From what the options come to.
    pub fn new(settings: Settings, signing: Signing, fees: Fees, asked: Asked) -> Self {
        let Settings { urls, commitment, signer, format } = settings;
        let verbose = matches!(asked, Asked::Typed { verbose: true, .. });
        Self {
            client: EscrowClient::of_nodes(&urls, commitment).paying(fees),
            format,
            verbose,
            signer,
            keypair: OnceLock::new(),
            executed: OnceLock::new(),
            asked,
            sender: OnceLock::new(),
            signing,
            says_yes: false,
        }
    }

    /// For the demo, whose people have their keypairs in memory.
    #[cfg(feature = "localnet")]
    pub fn in_memory(client: EscrowClient, keypair: Keypair) -> Self {
        let signer = SignerSource::Memory(keypair);
        let (keypair, executed, sender) = Default::default();
        let signing = Signing::default();
        let (format, asked, says_yes, verbose) = (Format::Silent, Asked::Once, true, false);
        Self { client, format, verbose, signer, keypair, executed, asked, sender, signing, says_yes }
    }

    /// Whether whoever typed the command agrees to it without being asked.
    pub const fn agrees(&self) -> bool {
        self.signing.yes
    }

    /// Whether whoever is asked says yes without reading: in the demo alone.
    pub const fn says_yes(&self) -> bool {
        self.says_yes
    }

    /// Whether nothing is to be signed.
    pub const fn is_dry_run(&self) -> bool {
        self.signing.dry_run
    }

    /// Whether results are for people, who can be asked.
    pub fn is_for_people(&self) -> bool {
        self.format == Format::Display
    }

    /// The cluster that is asked.
    pub async fn cluster(&self) -> Result<view::Cluster> {
        let commitment = self.client.commitment().commitment;
        Ok(view::Cluster::new(self.client.cluster().await?, self.client.url(), commitment))
    }

    /// Prints one of many results. Says whether anybody still reads.
    pub fn print_one(&self, report: &dyn Report) -> Result<bool> {
        Ok(print_one(self.format, report)?)
    }

    /// Tells something that is not the result.
    pub fn note(&self, text: impl Display) {
        note(self.format, text);
    }

    /// Tells what was asked for, where that is wanted.
    pub fn tell_what_is_asked(&self) {
        if self.verbose {
            let commitment = self.client.commitment().commitment;
            self.note(format_args!("Asking {} at {commitment}; the signer is {}", self.client.url(), self.signer));
        }
    }

    /// Tells how many requests each node was sent, where that is wanted.
    pub fn tell_requests(&self) {
        if self.verbose {
            for (node, count) in self.client.counts().requests {
                self.note(format_args!("{count} requests to {node}"));
            }
        }
    }

    /// The keypair that signs and pays. Read only by the commands that need one.
    pub fn keypair(&self) -> Result<&Keypair> {
        if let Some(keypair) = self.keypair.get() {
            return Ok(keypair);
        }
        let keypair = self.signer.keypair("--keypair", self.format)?;
        Ok(self.keypair.get_or_init(|| keypair))
    }

    /// The address of the keypair, or the one whose signature is made elsewhere.
    pub fn address(&self) -> Result<Pubkey> {
        match &self.signer {
            SignerSource::Address(address) if self.is_signed_elsewhere() => Ok(*address),
            _ => Ok(self.keypair()?.pubkey()),
        }
    }

    /// The address of whoever looks, as far as it is known without asking anybody: reading needs no key.
    pub fn viewer(&self) -> Option<Pubkey> {
        match &self.signer {
            SignerSource::Address(address) => Some(*address),
            signer if signer.asks() && self.keypair.get().is_none() => None,
            _ => self.address().ok(),
        }
    }

    const fn nonce(&self) -> Option<&Nonce> {
        match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => None,
            Asked::Typed { nonce, .. } => nonce.as_ref(),
        }
    }

    /// Whether nobody wants to wait for what becomes of it.
    pub const fn does_not_wait(&self) -> bool {
        match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => false,
            Asked::Typed { no_wait, .. } => *no_wait,
        }
    }

    /// Whether no node is to be asked.
    pub const fn is_offline(&self) -> bool {
        self.signing.state.is_some() || (self.signs_only() && self.signing.blockhash.is_some())
    }

    /// The chain's present time; of this machine, where no node is to be asked.
    pub async fn now(&self) -> Result<i64> {
        match self.is_offline() {
            true => Ok(jiff::Timestamp::now().as_second()),
            false => Ok(self.client.now().await?),
        }
    }

    /// Where delivery codes are kept.
    pub fn codes(&self) -> Codes {
        match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => Codes::in_folder(std::env::temp_dir().join("escrow-demo-codes")),
            Asked::Typed { journal, .. } => Codes::in_folder(journal.join("codes")),
        }
    }

    /// The client that sends. What it signs is in the journal, on disk, before it leaves this machine.
    pub fn sender(&self) -> Result<&EscrowClient> {
        if let Some(sender) = self.sender.get() {
            return Ok(sender);
        }
        let client = match self.journal()? {
            None => self.client.clone(),
            Some(journal) => self.client.clone().keeping(journal),
        };
        let client = match &self.asked {
            Asked::Typed { pace: Some(pace), .. } => client.at_pace(*pace),
            _ => client,
        };
        let (format, verbose, commitment) = (self.format, self.verbose, self.client.lasting().commitment);
        let client = client.telling(move |progress| match progress {
            Progress::Sending(attempt) => {
                let signature = attempt.signature();
                note(format, format_args!("Sending transaction {signature}, waiting until it is {commitment}"));
            }
            Progress::Busy => note(format, "Another process works on the same: waiting for it"),
            Progress::Signing { step, attempt } if verbose => {
                let (step, attempt) = (step.saturating_add(1), attempt.saturating_add(1));
                note(format, format_args!("Signing transaction {step}, for time {attempt}"));
            }
            Progress::Seen(status) if verbose => {
                let slot = status.slot.0;
                note(format, format_args!("A node has seen it {:?} in slot {slot}", status.commitment));
            }
            Progress::Judged(verdict) if verbose => note(format, format_args!("The verdict: {verdict}")),
            _ => {}
        });
        Ok(self.sender.get_or_init(|| client))
    }

    /// The caller's own name for what is to be done.
    pub fn reference(&self) -> Option<&str> {
        match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => None,
            Asked::Typed { reference, .. } => reference.as_deref(),
        }
    }

    /// The journal, where there is one.
    pub fn journal(&self) -> Result<Option<Journal>> {
        match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => Ok(None),
            Asked::Typed { journal, .. } => match Journal::open(journal) {
                Ok(journal) => Ok(Some(journal)),
                Err(error) => Err(CliError::Journal(error.to_string())),
            },
        }
    }

    /// The name under which the journal has what was asked for.
    pub async fn fingerprint(&self) -> Result<Fingerprint> {
        match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => Ok(escrow_client::send::once()),
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
        let (again, no_wait) = match &self.asked {
            #[cfg(feature = "localnet")]
            Asked::Once => (false, false),
            Asked::Typed { again, no_wait, .. } => (*again, *no_wait),
        };
        let (keypair, fee_payer, authority) = (self.keypair()?, self.fee_payer()?, self.nonce_authority()?);
        let advances = authority.as_ref().map_or(keypair.pubkey(), Other::address);
        let nonce = self.nonce().map(|nonce| (nonce.account, advances));
        let order = Order { again, nonce, ..Order::new(self.fingerprint().await?, steps) };
        // Who pays the fee signs first.
        let mut signers: Vec<&(dyn Signer + Sync)> = Vec::new();
        let [first, last] = [&fee_payer, &authority].map(|other| other.as_ref().and_then(Other::keypair));
        for signer in [first, Some(keypair), last].into_iter().flatten() {
            if signers.iter().all(|known| known.pubkey() != signer.pubkey()) {
                signers.push(signer);
            }
        }
        let sender = self.sender()?;
        let executed =
            if no_wait { sender.begin(&order, &signers).await } else { sender.execute(&order, &signers).await };
        let executed = executed.map_err(|error| told(error, no_wait))?;
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

    /// How programs are told of it, and on which cluster it is.
    pub async fn view(&self, situation: &Situation) -> Result<view::Escrow> {
        Ok(view::Escrow { cluster: Some(self.cluster().await?), ..situation.view()? })
    }

    /// The escrow at `address`, how amounts of it are written, and the chain's present time.
    pub async fn situation(&self, address: &Pubkey) -> Result<Situation> {
        let Some(path) = &self.signing.state else { return Ok(self.client.situation(address).await?) };
        let text =
            std::fs::read_to_string(path).map_err(|source| escrow_frame::Error::File { path: path.clone(), source })?;
        let wrong = |reason: &str| CliError::NotNow(format!("{}: {reason}", path.display()));
        let read: view::Escrow = serde_json::from_str(&text)
            .map_err(|error| wrong(&format!("it is not what `escrow show --output json` prints: {error}")))?;
        // Its address follows from its terms: nobody can have put others into the file.
        let escrow = read.decode().ok_or_else(|| wrong("the account in it is not an escrow"))?;
        if escrow.address != *address {
            return Err(wrong(&format!("it tells of the escrow {}, and not of {address}", escrow.address)));
        }
        let asset = escrow.asset();
        let denomination = match (asset, read.principal.decimals) {
            (Asset::Sol, _) => Denomination::SOL,
            (asset, Some(decimals)) => Denomination::token(asset, decimals),
            (asset, None) => Denomination::unknown(asset, "the file does not tell"),
        };
        Ok(Situation { escrow, denomination, now: self.now().await? })
    }
}

/// Says how a repetition is meant as one, and that nobody wanted to wait.
fn told(error: escrow_client::Error, no_wait: bool) -> CliError {
    match error {
        escrow_client::Error::Repetition { signature, .. } => CliError::Repeated(signature),
        escrow_client::Error::Unknown { signature, verdict } if no_wait => CliError::Submitted { signature, verdict },
        error => error.into(),
    }
}
