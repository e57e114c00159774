//! The options of every command, and what they come to: the command line first, then the environment, then Solana's own
//! configuration, then this machine.

use std::path::PathBuf;

use clap::{Args, builder::FalseyValueParser};
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};

use crate::{config::SolanaConfig, error::Result, node::node_url, output::Format, signer::SignerSource};

/// Options of every command. The environment's values are not shown in the help: a node's URL may hold a key.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Options {
    /// RPC node: a URL, or localhost, devnet, testnet, mainnet-beta. Several times for several nodes, of which two must say
    /// the same before it is believed [default: Solana's configuration, or localhost]
    #[arg(
        short,
        long,
        global = true,
        value_name = "URL_OR_MONIKER",
        env = "ESCROW_URL",
        value_delimiter = ' ',
        hide_env_values = true
    )]
    pub url: Vec<String>,

    /// Who signs and pays: a key file, - for standard input, prompt: for a seed phrase that is asked for (prompt://?key=0/0 as
    /// wallets derive it), or an address that signs elsewhere [default: Solana's configuration, or ~/.config/solana/id.json]
    #[arg(short, long, global = true, value_name = "SIGNER", env = "ESCROW_KEYPAIR", hide_env_values = true)]
    pub keypair: Option<PathBuf>,

    /// How final data must be before it is read or reported: processed, confirmed or finalized [default: Solana's
    /// configuration, or confirmed]
    #[arg(long, global = true, value_name = "LEVEL", env = "ESCROW_COMMITMENT", hide_env_values = true)]
    pub commitment: Option<CommitmentLevel>,

    /// Solana's configuration file [default: ~/.config/solana/cli/config.yml]
    #[arg(short = 'C', long, global = true, value_name = "PATH", env = "ESCROW_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,

    /// How to print the result
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Format::Display,
        env = "ESCROW_OUTPUT",
        hide_env_values = true
    )]
    pub output: Format,
}

/// Options of every command that signs. A switch's variable counts as set for `1`, `true` and `yes`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command that signs")]
pub struct Signing {
    /// Sign without asking. A script that pays what somebody else wrote says what it expects, too: see each command
    #[arg(short, long, global = true, env = "ESCROW_YES", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub yes: bool,

    /// Show what would be signed, what it costs and how it can end, and sign nothing
    #[arg(long, global = true, env = "ESCROW_DRY_RUN", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub dry_run: bool,

    /// Who pays the fees and the rent of token accounts, if not --keypair: named as that is
    #[arg(long, global = true, value_name = "SIGNER", env = "ESCROW_FEE_PAYER", hide_env_values = true)]
    pub fee_payer: Option<PathBuf>,

    /// Sign, and print the transaction instead of sending it. Needs --blockhash, which with --nonce is the nonce's value
    #[arg(
        long,
        global = true,
        env = "ESCROW_SIGN_ONLY",
        hide_env_values = true,
        value_parser = FalseyValueParser::new()
    )]
    pub sign_only: bool,

    /// The block hash to sign with, for --sign-only, --dump-transaction-message and --signer
    #[arg(long, global = true, value_name = "HASH", env = "ESCROW_BLOCKHASH", hide_env_values = true)]
    pub blockhash: Option<String>,

    /// A signature that was made elsewhere, over the same message: with all of them it is sent. Repeat for several
    #[arg(long, global = true, value_name = "ADDRESS=SIGNATURE", env = "ESCROW_SIGNER", hide_env_values = true)]
    pub signer: Vec<String>,

    /// Print the message that would be signed, in base64, and sign nothing. Needs --blockhash; --keypair may be an address
    #[arg(
        long,
        global = true,
        env = "ESCROW_DUMP_TRANSACTION_MESSAGE",
        hide_env_values = true,
        value_parser = FalseyValueParser::new()
    )]
    pub dump_transaction_message: bool,

    /// The escrow as `show --output json` told of it: with it and --blockhash nothing is asked of any node
    #[arg(long, global = true, value_name = "FILE", env = "ESCROW_STATE", hide_env_values = true)]
    pub state: Option<PathBuf>,
}

/// What the options come to.
#[derive(Debug)]
pub struct Settings {
    /// The nodes' URLs, at least one.
    pub urls: Vec<String>,
    /// What to read at and wait for.
    pub commitment: CommitmentConfig,
    /// Who signs and pays. Read only by the commands that need it.
    pub signer: SignerSource,
    /// How to print.
    pub format: Format,
}

impl Options {
    /// What they come to. Reads Solana's configuration, and asks nobody.
    ///
    /// # Errors
    ///
    /// If the configuration is broken, or missing where it was named, or if what is named is not a node.
    pub fn resolve(self) -> Result<Settings> {
        let Self { url, keypair, commitment, config, output: format } = self;
        let config = SolanaConfig::load(config)?;
        let urls = match config.json_rpc_url {
            _ if !url.is_empty() => url.iter().map(|url| node_url(url, None)).collect(),
            Some(url) => {
                let path = config.path.unwrap_or_default();
                node_url(&url, Some(format!("json_rpc_url in {}", path.display()))).map(|url| vec![url])
            }
            // Solana's own default is mainnet. Nobody should end up there by accident.
            None => node_url("localhost", None).map(|url| vec![url]),
        }?;
        let commitment = commitment.or(config.commitment).unwrap_or(CommitmentLevel::Confirmed);
        let keypair = keypair.or(config.keypair_path.map(PathBuf::from));
        let signer = SignerSource::new(&keypair.unwrap_or_else(|| PathBuf::from("~/.config/solana/id.json")));
        Ok(Settings { urls, commitment: CommitmentConfig { commitment }, signer, format })
    }
}
