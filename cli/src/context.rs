//! What every command needs: the node, the keypair and the format.

use std::{fmt::Display, sync::OnceLock};

use escrow_client::{Confirmed, EscrowAccount, EscrowClient, EscrowError, Mint, amount::SOL_DECIMALS};
use escrow_frame::{Format, Settings, SignerSource, note};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;

use crate::{
    error::{CliError, Result},
    view::{Asset, detail},
};

/// What every command needs.
pub struct Context {
    pub client: EscrowClient,
    format: Format,
    signer: SignerSource,
    /// The command's first transaction, once it is executed.
    executed: OnceLock<Signature>,
}

/// An escrow as it stands.
pub struct Situation {
    pub escrow: EscrowAccount,
    pub asset: Asset,
    /// The chain's present time, in unix seconds.
    pub now: i64,
}

impl Situation {
    /// Why a rule refuses, with the numbers that it is about. For milestone-rules with the milestone's index.
    pub fn refused(&self, milestone: Option<u8>) -> impl Fn(EscrowError) -> CliError + '_ {
        move |error| CliError::Rule { error, detail: detail(error, self, milestone) }
    }
}

impl Context {
    /// From what the options come to.
    pub fn new(settings: Settings) -> Self {
        let Settings { url, commitment, signer, format } = settings;
        Self { client: EscrowClient::new(url, commitment), format, signer, executed: OnceLock::new() }
    }

    /// For the demo, whose people have their keypairs in memory.
    #[cfg(feature = "localnet")]
    pub fn in_memory(client: EscrowClient, keypair: Keypair) -> Self {
        Self { client, format: Format::Silent, signer: SignerSource::Memory(keypair), executed: OnceLock::new() }
    }

    /// Tells something that is not the result.
    pub fn note(&self, text: impl Display) {
        note(self.format, text);
    }

    /// The keypair that signs and pays. Read only by the commands that need one.
    pub fn keypair(&self) -> Result<Keypair> {
        Ok(self.signer.keypair("--keypair", self.format)?)
    }

    /// The keypair, which must be the one of `address`.
    pub fn keypair_of(&self, address: &Pubkey, role: &'static str) -> Result<Keypair> {
        let keypair = self.keypair()?;
        if keypair.pubkey() != *address {
            return Err(CliError::WrongKeypair { address: *address, role, keypair: keypair.pubkey() });
        }
        Ok(keypair)
    }

    /// Sends a transaction signed and paid by `keypair`.
    pub async fn send(&self, instructions: &[Instruction], keypair: &Keypair) -> Result<Confirmed> {
        let prepared = self.client.prepare(instructions, &keypair.pubkey(), &[keypair]).await?;
        let commitment = self.client.commitment().commitment;
        self.note(format_args!("sending transaction {}, waiting until it is {commitment}", prepared.signature()));
        let confirmed = self.client.submit(&prepared).await?;
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

    /// The escrow at `address`, what it holds and the chain's present time.
    pub async fn situation(&self, address: &Pubkey) -> Result<Situation> {
        let escrow = self.client.escrow(address).await?;
        let asset = self.asset_of(&escrow).await?;
        Ok(Situation { escrow, asset, now: self.client.now().await? })
    }

    /// What an escrow holds, with the digits that people write.
    pub async fn asset_of(&self, escrow: &EscrowAccount) -> Result<Asset> {
        self.asset((!escrow.state.is_sol()).then_some(&escrow.state.mint)).await
    }

    /// SOL, or the token with this mint.
    pub async fn asset(&self, mint: Option<&Pubkey>) -> Result<Asset> {
        Ok(match mint {
            None => Asset { decimals: SOL_DECIMALS, mint: None },
            Some(mint) => {
                let mint: Mint = self.client.mint(mint).await?;
                Asset { decimals: mint.decimals, mint: Some(mint) }
            }
        })
    }
}
