//! The road of Solana's own tools.

use std::fs;

use anyhow::{Context, Result};

use super::record::Record;
use super::{Arch, Built, OPT_LEVEL, Program, Toolchain, profile, wrapper};
use crate::process;
use crate::workspace::Workspace;

pub const MISSING: &str = "there is no `cargo build-sbf` on the PATH; it comes with Solana's tools \
                           (https://docs.anza.xyz/cli/install), or use --toolchain debian";

const PROGRAM: &str = "cargo-build-sbf";

pub fn is_installed() -> bool {
    process::find(PROGRAM).is_some()
}

pub fn build(workspace: &Workspace, programs: &[Program], arch: Arch) -> Result<Vec<Built>> {
    programs
        .iter()
        .map(|program| {
            let record = record(arch)?;
            eprintln!("Building {} with {}", program.package, record.get("compiler").unwrap_or_default());
            let elf = build_program(workspace, program, arch, process::run)?;
            Ok(Built { elf, record })
        })
        .collect()
}

/// What a program is built with.
pub fn record(arch: Arch) -> Result<Record> {
    // Three lines: its own version, that of the platform tools, and the compiler in them.
    let version = process::output(process::command(PROGRAM).arg("--version"))?;
    let mut version = version.lines();
    let mut line = || version.next().unwrap_or("unknown").trim().to_owned();
    let (own, tools, compiler) = (line(), line(), line());
    Ok(Record::new([
        ("toolchain", Toolchain::CargoBuildSbf.name().to_owned()),
        ("compiler", format!("{compiler}, {tools}, {own}")),
        ("arch", arch.to_string()),
        ("opt-level", OPT_LEVEL.to_owned()),
    ]))
}

/// Builds one program of `workspace`, with `run` running cargo.
pub fn build_program(workspace: &Workspace, program: &Program, arch: Arch, run: process::Runner) -> Result<Vec<u8>> {
    let target = workspace.target.join("sbf/cargo-build-sbf");
    let out = target.join("out");
    // A stale program must not pass for the new one.
    let elf = out.join(program.name).with_extension("so");
    if elf.exists() {
        fs::remove_file(&elf).with_context(|| format!("cannot remove {}", elf.display()))?;
    }
    let mut command = process::command(PROGRAM);
    command
        .arg("--manifest-path")
        .arg(workspace.root.join(program.folder).join("Cargo.toml"))
        .arg("--arch")
        .arg(arch.to_string())
        .arg("--sbf-out-dir")
        .arg(&out)
        // For cargo. The compiler in the platform tools is older than `rust-version`, which is the host's.
        .args(["--", "--locked", "--ignore-rust-version"])
        .args(profile())
        .env("CARGO_TARGET_DIR", &target);
    wrapper::install(&mut command)?;
    run(&mut command)?;
    fs::read(&elf).with_context(|| format!("cargo build-sbf left no {}", elf.display()))
}
