//! What every command needs: the node, the keypair and the format.

use std::path::PathBuf;

use escrow_client::{
    Action, Confirmed, EscrowAccount, EscrowClient, EscrowInstruction, Unsigned,
    read::node_url,
    recipe::RefusedAction,
    view,
    words::{Denomination, refusal::refusal, sentence::Teller},
};
use solana_cli_config::Config;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_instruction::Instruction;
use solana_keypair::{Keypair, read_keypair_file};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    cli::Global,
    error::{CliError, Result},
    output::{self, Format},
    parse,
};

/// What every command needs.
pub struct Context {
    pub client: EscrowClient,
    pub format: Format,
    keypair: KeypairSource,
}

/// An escrow as it stands.
pub struct Situation {
    pub escrow: EscrowAccount,
    pub denomination: Denomination,
    /// The chain's present time, in unix seconds.
    pub now: i64,
}

impl Situation {
    /// The action with its usual actor and token account.
    pub fn action(&self, instruction: EscrowInstruction) -> Action {
        Action::new(&self.escrow, instruction)
    }

    /// The same, with the escrow as it stands later.
    pub fn at(&self, escrow: EscrowAccount, now: i64) -> Self {
        Self { escrow, denomination: self.denomination.clone(), now }
    }

    /// Tells actions on it.
    pub fn teller(&self) -> Teller<'_> {
        Teller { denomination: &self.denomination, now: self.now }
    }

    /// How it is shown.
    pub fn view(&self) -> Result<view::Escrow> {
        Ok(view::Escrow::new(&self.escrow, &self.denomination, self.now)?)
    }

    /// Why a rule refuses an action, with the numbers that it is about.
    pub fn refused(&self, refused: &RefusedAction) -> CliError {
        let RefusedAction { action, before, error } = refused;
        CliError::Refused {
            refusal: refusal(*error, action, before, &self.denomination, self.now),
            escrow: before.address,
        }
    }
}

/// Where the keypair that signs and pays comes from.
enum KeypairSource {
    File(PathBuf),
    #[cfg(feature = "localnet")]
    Memory(Keypair),
}

impl Context {
    /// From the options, and where they are silent from Solana's own configuration.
    pub fn new(global: Global) -> Result<Self> {
        let Global { url, keypair, commitment, config, output } = global;
        let config = load_config(config)?;
        let url = resolve_url(url.as_deref().unwrap_or(&config.json_rpc_url))?;
        let commitment = match commitment {
            Some(level) => level,
            None if config.commitment.is_empty() => CommitmentLevel::Confirmed,
            None => config.commitment.parse().map_err(|_| {
                CliError::Usage(format!("Solana's configuration names the commitment \"{}\"", config.commitment))
            })?,
        };
        Ok(Self {
            client: EscrowClient::new(url, CommitmentConfig { commitment }),
            format: output,
            keypair: KeypairSource::File(keypair.unwrap_or_else(|| PathBuf::from(config.keypair_path))),
        })
    }

    /// For the demo, whose people have their keypairs in memory.
    #[cfg(feature = "localnet")]
    pub fn in_memory(client: EscrowClient, keypair: Keypair) -> Self {
        Self { client, format: Format::Json, keypair: KeypairSource::Memory(keypair) }
    }

    /// The keypair that signs and pays. Read only by the commands that need one.
    pub fn keypair(&self) -> Result<Keypair> {
        match &self.keypair {
            KeypairSource::File(path) => {
                parse::refuse_secret_itself("--keypair", path)?;
                read_keypair_file(path)
                    .map_err(|error| CliError::Keypair { path: path.clone(), reason: error.to_string() })
            }
            #[cfg(feature = "localnet")]
            KeypairSource::Memory(keypair) => Ok(keypair.insecure_clone()),
        }
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
        if self.format == Format::Display {
            output::note(format_args!(
                "Sending transaction {}, waiting until it is {}",
                submitted.signature(),
                self.client.commitment().commitment
            ));
        }
        Ok(self.client.confirm(&submitted).await?)
    }

    /// The escrow at `address`, how amounts of it are written, and the chain's present time.
    pub async fn situation(&self, address: &Pubkey) -> Result<Situation> {
        let escrow = self.client.escrow(address).await?;
        let denomination = self.client.denomination(escrow.asset()).await;
        Ok(Situation { escrow, denomination, now: self.client.now().await? })
    }
}

fn load_config(path: Option<PathBuf>) -> Result<Config> {
    let named = path.is_some();
    let path = path.or_else(|| solana_cli_config::CONFIG_FILE.as_ref().map(PathBuf::from));
    let Some(path) = path else { return Ok(local_defaults()) };
    // That there is none is normal, unless it was named.
    if !named && !path.exists() {
        return Ok(local_defaults());
    }
    Config::load(&path.to_string_lossy()).map_err(|error| CliError::Config { path, reason: error.to_string() })
}

/// Solana's defaults, but for the cluster: without a configuration nobody should end up on mainnet by accident.
fn local_defaults() -> Config {
    Config { json_rpc_url: "localhost".to_owned(), commitment: String::new(), ..Config::default() }
}

/// The URL behind a moniker; other URLs as they are.
fn resolve_url(url: &str) -> Result<String> {
    node_url(url).ok_or_else(|| {
        CliError::Arguments(format!(
            "\"{url}\" is no RPC node: name a URL (http://…) or localhost, devnet, testnet or mainnet-beta"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monikers_stand_for_clusters() {
        assert_eq!(resolve_url("localhost").ok().as_deref(), Some("http://127.0.0.1:8899"));
        assert_eq!(resolve_url("http://10.0.0.1:1").ok().as_deref(), Some("http://10.0.0.1:1"));
        assert!(matches!(resolve_url("mainnet"), Err(CliError::Arguments(_))));
    }
}
