//! Delivery codes on this machine's disk: one file for each escrow, which only this user may read.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use escrow_client::code::DeliveryCode;
use solana_pubkey::Pubkey;

use crate::error::{CliError, Result};

/// A folder with delivery codes.
pub struct Codes(PathBuf);

impl Codes {
    /// In this folder.
    pub const fn in_folder(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn path(&self, escrow: &Pubkey) -> PathBuf {
        self.0.join(format!("{escrow}.code"))
    }

    /// Keeps the code of an escrow, on disk when this returns, and says where.
    pub fn keep(&self, escrow: &Pubkey, code: &DeliveryCode) -> Result<PathBuf> {
        let path = self.path(escrow);
        let write = || {
            fs::create_dir_all(&self.0)?;
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&path)?;
            writeln!(file, "{code}")?;
            file.sync_all()?;
            // The name as well, or a crash could leave a file that nobody finds.
            fs::File::open(&self.0)?.sync_all()
        };
        match write() {
            Ok(()) => Ok(path),
            Err(source) => Err(failed(path, source)),
        }
    }

    /// The code of an escrow, if it was made here.
    pub fn find(&self, escrow: &Pubkey) -> Result<Option<DeliveryCode>> {
        let path = self.path(escrow);
        match fs::read_to_string(&path) {
            Ok(text) => text.parse().map(Some).map_err(|_| failed(path, io::Error::other("it is not a delivery code"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed(path, source)),
        }
    }

    /// Where they are.
    pub const fn folder(&self) -> &PathBuf {
        &self.0
    }
}

fn failed(path: PathBuf, source: io::Error) -> CliError {
    escrow_frame::Error::File { path, source }.into()
}
