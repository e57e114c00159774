//! What every command needs: the node, the keypair, the files and the format.

use std::path::{Path, PathBuf};

use escrow_client::{EscrowClient, read::node_url};
use escrow_migrations::{Elf, ElfHash, Event, Migrator, cost::Sol};
use indicatif::{ProgressBar, ProgressStyle};
use solana_cli_config::Config;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_keypair::{Keypair, read_keypair_file};

use crate::{
    cli::{AuthorityArgs, ElfArgs, Global, NamedArgs, SendArgs},
    error::{CliError, Result},
    output::{self, Format},
};

/// The committed program, in a checkout.
const COMMITTED: &str = "programs/escrow/elf/escrow.so";

/// What every command needs.
pub struct Context {
    pub format: Format,
    client: EscrowClient,
    keypair_path: Option<PathBuf>,
    progress: ProgressBar,
}

impl Context {
    /// From the options, and where they are silent from Solana's own configuration.
    pub fn new(global: Global) -> Result<Self> {
        let Global { url, keypair, commitment, config, output: format } = global;
        let config = load_config(config)?;
        let named = url.or_else(|| config.as_ref().map(|config| config.json_rpc_url.clone()));
        // Without a configuration nobody should end up on mainnet by accident.
        let url = resolve_url(named.as_deref().unwrap_or("localhost"))?;
        let commitment = match (commitment, &config) {
            (Some(level), _) => level,
            (None, Some(config)) if !config.commitment.is_empty() => config.commitment.parse().map_err(|_| {
                CliError::Usage(format!("Solana's configuration names the commitment \"{}\"", config.commitment))
            })?,
            (None, _) => CommitmentLevel::Confirmed,
        };
        let keypair_path = keypair.or_else(|| config.map(|config| config.keypair_path.into())).or_else(default_keypair);
        let client = EscrowClient::new(url, CommitmentConfig { commitment });
        // On standard error, and only if that is a terminal.
        let progress = ProgressBar::new_spinner();
        progress.set_message(format!("asking {}", client.url()));
        progress.enable_steady_tick(std::time::Duration::from_millis(200));
        Ok(Self { format, client, keypair_path, progress })
    }

    /// What does the work.
    pub fn migrator(&self, send: Option<SendArgs>) -> Migrator {
        let progress = self.progress.clone();
        let tell = self.format == Format::Display;
        let url = self.client.url();
        let migrator =
            Migrator::new(self.client.clone()).with_observer(move |event| show(&progress, tell, &url, event));
        match send {
            Some(send) => migrator.with_parallel(usize::from(send.parallel)).with_unit_price(send.compute_unit_price),
            None => migrator,
        }
    }

    /// The keypair that pays.
    pub fn keypair(&self) -> Result<Keypair> {
        match &self.keypair_path {
            Some(path) => keypair(path),
            None => Err(CliError::Usage("there is no home directory: name a keypair with --keypair".to_owned())),
        }
    }

    /// The keypair that may upgrade.
    pub fn authority(&self, args: &AuthorityArgs) -> Result<Keypair> {
        args.upgrade_authority.as_deref().map_or_else(|| self.keypair(), keypair)
    }

    /// Prints the result.
    pub fn print(&self, result: &(impl serde::Serialize + std::fmt::Display)) -> Result<()> {
        self.progress.finish_and_clear();
        output::print(self.format, result)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.progress.finish_and_clear();
    }
}

/// Shows a person how far it is.
fn show(progress: &ProgressBar, tell: bool, url: &str, event: Event<'_>) {
    let note = |text: String| {
        if tell {
            progress.suspend(|| output::note(text));
        }
    };
    match event {
        Event::Affordable(cost) => {
            note(format!("on {url}: {} are needed and {} are there ({cost})", Sol(cost.needed), Sol(cost.available)))
        }
        Event::Buffer { address, resumed: true } => note(format!("going on with the buffer {address}")),
        Event::Buffer { address, resumed: false } => note(format!("writing to the buffer {address}")),
        Event::Written { done, total } => {
            // The template is a constant: it is right or a test says so.
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                progress.set_style(style);
            }
            progress.set_message("writing");
            progress.set_length(total as u64);
            progress.set_position(done as u64);
        }
        Event::Finishing => progress.set_message("finishing"),
        _ => {}
    }
}

const BAR: &str = "{msg} {bar:40} {bytes} of {total_bytes}, {elapsed}";

/// A keypair file.
pub fn keypair(path: &Path) -> Result<Keypair> {
    read_keypair_file(path).map_err(|error| CliError::Keypair { path: path.to_owned(), reason: error.to_string() })
}

/// The bytes that were named.
pub fn elf(args: &ElfArgs) -> Result<Elf> {
    let path = match &args.elf {
        Some(path) => path.clone(),
        None => committed().ok_or_else(|| CliError::Usage(format!("there is no {COMMITTED} here: name --elf")))?,
    };
    let hash = named(args.named)?;
    let bytes = std::fs::read(&path).map_err(|source| CliError::File { path, source })?;
    Ok(Elf::new(bytes, &hash)?)
}

/// The sha256 that was named, or the committed one.
pub fn named(args: NamedArgs) -> Result<ElfHash> {
    match args.sha256 {
        Some(hash) => Ok(hash),
        None => committed_hash()?.ok_or_else(|| {
            CliError::Usage(format!("there is no {COMMITTED}.sha256 here: say with --sha256 which bytes are meant"))
        }),
    }
}

/// The committed sha256, if this is a checkout.
pub fn committed_hash() -> Result<Option<ElfHash>> {
    let Some(path) = committed().map(|elf| elf.with_added_extension("sha256")).filter(|path| path.exists()) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&path).map_err(|source| CliError::File { path: path.clone(), source })?;
    // As sha256sum writes it: the sum, and the name.
    let sum = text.split_whitespace().next().unwrap_or_default();
    let hash = sum.parse().map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
    Ok(Some(hash))
}

/// The committed program of the checkout around the working directory.
fn committed() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(COMMITTED)).find(|path| path.exists())
}

/// Solana's configuration, if there is one.
fn load_config(path: Option<PathBuf>) -> Result<Option<Config>> {
    let named = path.is_some();
    let Some(path) = path.or_else(default_config) else { return Ok(None) };
    // That there is none is normal, unless it was named.
    if !named && !path.exists() {
        return Ok(None);
    }
    match Config::load(&path.to_string_lossy()) {
        Ok(config) => Ok(Some(config)),
        Err(error) => Err(CliError::Config { path, reason: error.to_string() }),
    }
}

fn default_config() -> Option<PathBuf> {
    solana_cli_config::CONFIG_FILE.as_ref().map(PathBuf::from)
}

/// Where `solana-keygen new` puts the first one.
fn default_keypair() -> Option<PathBuf> {
    Some(default_config()?.parent()?.parent()?.join("id.json"))
}

/// The URL behind a moniker; other URLs as they are.
fn resolve_url(url: &str) -> Result<String> {
    node_url(url).ok_or_else(|| {
        CliError::Usage(format!(
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
        assert!(matches!(resolve_url("mainnet"), Err(CliError::Usage(_))));
    }

    #[test]
    fn the_bar_has_a_valid_template() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }

    #[test]
    fn the_committed_program_is_found_from_below() {
        // Tests run in the package's folder.
        assert!(committed().is_some_and(|path| path.ends_with(COMMITTED)));
    }
}
