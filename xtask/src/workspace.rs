//! Where things are.

use std::env;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process;

/// The checked-out project, and the folder for everything that is built from it.
#[derive(Debug)]
pub struct Workspace {
    pub root: PathBuf,
    pub target: PathBuf,
}

impl Workspace {
    /// Finds the project from the environment that `cargo xtask` gives.
    pub fn find() -> Result<Self> {
        // Set by `cargo run`; the second is for whoever starts the binary itself.
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().map(Path::to_owned).unwrap_or_default();
        ensure!(
            root.join("programs/escrow/Cargo.toml").is_file(),
            "{} is not the escrow project; run this as `cargo xtask`, inside the project",
            root.display()
        );
        let target = env::var_os("CARGO_TARGET_DIR")
            .or_else(|| env::var_os("CARGO_BUILD_TARGET_DIR"))
            .map_or_else(|| root.join("target"), PathBuf::from);
        let target =
            absolute(&target).with_context(|| format!("the target folder {} has no full path", target.display()))?;
        Ok(Self { root, target })
    }

    /// cargo as it was called, in the project.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = process::command("cargo");
        command.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// The path as people know it: relative to the project, if it is inside.
    pub fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
