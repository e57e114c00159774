//! Running other programs.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A command without what `cargo xtask` itself was started with: cargo and rustup tell their children through the
/// environment which compiler, flags, features and libraries to use, and a different cargo would believe it.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_of_the_calling_cargo) {
            command.env_remove(name);
        }
    }
    command
}

fn is_of_the_calling_cargo(name: &str) -> bool {
    /// Where things are downloaded from and to, and how progress looks.
    const KEPT: [&str; 9] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "CARGO_BUILD_JOBS",
        "RUSTUP_",
    ];
    match name {
        "LD_LIBRARY_PATH" | "DYLD_FALLBACK_LIBRARY_PATH" => true,
        _ if name.starts_with("RUSTUP_TOOLCHAIN") => true,
        _ if KEPT.iter().any(|kept| name.starts_with(kept)) => false,
        _ => name.starts_with("CARGO") || name.starts_with("RUST") || name.starts_with("__CARGO"),
    }
}

/// [`run`] or [`run_quietly`].
pub type Runner = fn(&mut Command) -> Result<()>;

/// Runs the command, with all its output on standard error.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.stdout(io::stderr()).status().with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs the command; what it prints is only in the error, if it fails.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    output(command).map(|_| ())
}

/// Runs the command and gives what it prints on standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed ({}): {}", output.status, reason.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The full path of a program, if it is on the PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The program and its first argument: enough to know what failed.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    match command.get_args().next() {
        Some(argument) => format!("{} {}", program.display(), argument.display()),
        None => program.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_does_not_inherit_the_calling_compiler() {
        for name in [
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_MANIFEST_DIR",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_TARGET_DIR",
            "LD_LIBRARY_PATH",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(is_of_the_calling_cargo(name), "{name}");
        }
    }

    #[test]
    fn a_child_knows_its_network_and_its_home() {
        for name in ["CARGO_HOME", "CARGO_HTTP_PROXY", "CARGO_NET_OFFLINE", "HOME", "PATH"] {
            assert!(!is_of_the_calling_cargo(name), "{name}");
        }
    }
}
