//! What every command needs: the node, the keypair and the format.

use std::{fmt::Display, sync::OnceLock};

use escrow_client::{Confirmed, EscrowClient, Situation, Unsigned};
use escrow_frame::{Format, Settings, SignerSource, note};
use solana_instruction::Instruction;
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
}

impl Context {
    /// From what the options come to.
    pub fn new(settings: Settings) -> Self {
        let Settings { url, commitment, signer, format } = settings;
        Self {
            client: EscrowClient::new(url, commitment),
            format,
            signer,
            keypair: OnceLock::new(),
            executed: OnceLock::new(),
        }
    }

    /// For the demo, whose people have their keypairs in memory.
    #[cfg(feature = "localnet")]
    pub fn in_memory(client: EscrowClient, keypair: Keypair) -> Self {
        let signer = SignerSource::Memory(keypair);
        Self { client, format: Format::Silent, signer, keypair: OnceLock::new(), executed: OnceLock::new() }
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

    /// Sends a transaction signed and paid by `keypair`.
    pub async fn send(&self, instructions: &[Instruction], keypair: &Keypair) -> Result<Confirmed> {
        let unsigned = self.client.prepare(instructions, &keypair.pubkey()).await?;
        let signed = unsigned.sign(&[keypair]).and_then(Unsigned::complete).map_err(escrow_client::Error::from)?;
        let submitted = self.client.submit(signed).await?;
        let (signature, commitment) = (submitted.signature(), self.client.commitment().commitment);
        self.note(format_args!("Sending transaction {signature}, waiting until it is {commitment}"));
        let confirmed = self.client.confirm(&submitted).await?;
        // Of several, the first stays: it is the one that must not be repeated.
        let _ = self.executed.set(confirmed.signature);
        Ok(confirmed)
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
