//! What every command needs: the node, the keypair, the files and the format.

use std::path::{Path, PathBuf};

use escrow_client::EscrowClient;
use escrow_frame::{Format, Settings, SignerSource};
use escrow_migrations::{Elf, ElfHash, Event, Migrator, cost::Sol};
use indicatif::{ProgressBar, ProgressStyle};
use solana_keypair::Keypair;

use crate::{
    cli::{AuthorityArgs, ElfArgs, NamedArgs, SendArgs},
    error::{CliError, Result},
};

/// The committed program, in a checkout.
const COMMITTED: &str = "programs/escrow/elf/escrow.so";

/// What every command needs.
pub struct Context {
    pub format: Format,
    client: EscrowClient,
    signer: SignerSource,
    progress: ProgressBar,
}

impl Context {
    /// From what the options come to.
    pub fn new(settings: Settings) -> Self {
        let Settings { urls, commitment, signer, format } = settings;
        let client = EscrowClient::of_nodes(&urls, commitment);
        // On standard error, and only if that is a terminal.
        let progress = ProgressBar::new_spinner();
        progress.set_message(format!("asking {}", client.url()));
        progress.enable_steady_tick(std::time::Duration::from_millis(200));
        Self { format, client, signer, progress }
    }

    /// What does the work.
    pub fn migrator(&self, send: Option<SendArgs>) -> Migrator {
        let progress = self.progress.clone();
        let format = self.format;
        let url = self.client.url();
        let migrator =
            Migrator::new(self.client.clone()).with_observer(move |event| show(&progress, format, &url, event));
        match send {
            Some(send) => migrator.with_parallel(usize::from(send.parallel)).with_unit_price(send.compute_unit_price),
            None => migrator,
        }
    }

    /// The keypair that pays.
    pub fn keypair(&self) -> Result<Keypair> {
        Ok(self.signer.keypair("--keypair", self.format).map_err(escrow_frame::Error::from)?)
    }

    /// The keypair that may upgrade.
    pub fn authority(&self, args: &AuthorityArgs) -> Result<Keypair> {
        match &args.upgrade_authority {
            Some(path) => self.keypair_in(path, "--upgrade-authority"),
            None => self.keypair(),
        }
    }

    /// The keypair in a file that `option` names.
    pub fn keypair_in(&self, path: &Path, option: &'static str) -> Result<Keypair> {
        Ok(SignerSource::new(path).keypair(option, self.format).map_err(escrow_frame::Error::from)?)
    }

    /// Prints the result.
    pub fn print(&self, result: &(impl serde::Serialize + std::fmt::Display)) -> Result<()> {
        self.progress.finish_and_clear();
        Ok(escrow_frame::print(self.format, result).map_err(escrow_frame::Error::from)?)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.progress.finish_and_clear();
    }
}

/// Shows a person how far it is.
fn show(progress: &ProgressBar, format: Format, url: &str, event: Event<'_>) {
    let note = |text: String| progress.suspend(|| escrow_frame::note(format, text));
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

/// The bytes that were named.
pub fn elf(args: &ElfArgs) -> Result<Elf> {
    let path = match &args.elf {
        Some(path) => path.clone(),
        None => committed().ok_or_else(|| CliError::Usage(format!("there is no {COMMITTED} here: name --elf")))?,
    };
    let hash = named(args.named)?;
    let bytes = std::fs::read(&path).map_err(|source| escrow_frame::Error::File { path, source })?;
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
    let text =
        std::fs::read_to_string(&path).map_err(|source| escrow_frame::Error::File { path: path.clone(), source })?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
