//! The road of Solana's own tools.

use std::fs;

use anyhow::{Context, Result};

use super::record::Record;
use super::{Arch, Built, OPT_LEVEL, Toolchain, profile, wrapper};
use crate::process;
use crate::workspace::Workspace;

pub const MISSING: &str = "there is no `cargo build-sbf` on the PATH; it comes with Solana's tools \
                           (https://docs.anza.xyz/cli/install), or use --toolchain debian";

const PROGRAM: &str = "cargo-build-sbf";

pub fn is_installed() -> bool {
    process::find(PROGRAM).is_some()
}

pub fn build(workspace: &Workspace, arch: Arch) -> Result<Built> {
    // Three lines: its own version, that of the platform tools, and the compiler in them.
    let version = process::output(process::command(PROGRAM).arg("--version"))?;
    let mut version = version.lines();
    let mut line = || version.next().unwrap_or("unknown").trim().to_owned();
    let (own, tools, compiler) = (line(), line(), line());

    let target = workspace.target.join("sbf/cargo-build-sbf");
    let out = target.join("out");
    // A stale program must not pass for the new one.
    let program = out.join("escrow.so");
    if program.exists() {
        fs::remove_file(&program).with_context(|| format!("cannot remove {}", program.display()))?;
    }
    eprintln!("Building the program with {own}, {tools}");
    let mut command = process::command(PROGRAM);
    command
        .arg("--manifest-path")
        .arg(workspace.root.join("programs/escrow/Cargo.toml"))
        .arg("--arch")
        .arg(arch.to_string())
        .arg("--sbf-out-dir")
        .arg(&out)
        // For cargo. The compiler in the platform tools is older than `rust-version`, which is the host's.
        .args(["--", "--locked", "--ignore-rust-version"])
        .args(profile())
        .env("CARGO_TARGET_DIR", &target);
    wrapper::install(&mut command)?;
    process::run(&mut command)?;

    let elf = fs::read(&program).with_context(|| format!("cargo build-sbf left no {}", program.display()))?;
    let record = Record::new([
        ("toolchain", Toolchain::CargoBuildSbf.name().to_owned()),
        ("compiler", format!("{compiler}, {tools}, {own}")),
        ("arch", arch.to_string()),
        ("opt-level", OPT_LEVEL.to_owned()),
    ]);
    Ok(Built { elf, record })
}
