//! What every command needs: the node, the keypair and the format.

use std::path::PathBuf;

use escrow_client::{Confirmed, EscrowAccount, EscrowClient, EscrowError, Mint, amount::SOL_DECIMALS, read::node_url};
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
    view::{Asset, detail},
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
        if self.format == Format::Display {
            output::note(format_args!(
                "submitting {}, waiting until it is {}",
                prepared.signature(),
                self.client.commitment().commitment
            ));
        }
        Ok(self.client.submit(&prepared).await?)
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
