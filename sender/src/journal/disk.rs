//! The two calls that a full or failing disk refuses, so that tests can refuse them too.

use std::{
    fmt::Debug,
    fs::File,
    io::{self, Write},
};

pub(super) trait Disk: Debug + Send + Sync {
    /// Writes at the file's end.
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()>;

    /// Returns when the file, or folder, is on the disk.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct System;

impl Disk for System {
    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }
}
