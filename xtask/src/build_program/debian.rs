//! The road of Debian's packages: an upstream Rust compiler with the sources of its standard library, LLVM's libraries,
//! and this project's own linker (`linker/`). Nothing comes from a release page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::record::Record;
use super::{Arch, Built, OPT_LEVEL, Program, Toolchain, profile, wrapper};
use crate::process;
use crate::workspace::Workspace;

/// Full paths: a rustup on the PATH has compilers of the same names.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LLVM: &str = "/usr/lib/llvm-22";

/// The first with LLVM 22 and `panic=immediate-abort`.
const OLDEST: (u32, u32) = (1, 96);

const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "llvm-22-dev"];

/// Fixed by the linker: rustc learns from this file that it speaks to one, and what the machine is like.
const TARGET_SPEC: &str = include_str!("sbpf-solana.json");

/// The installed tools.
pub struct Tools {
    rustc: String,
    host: String,
    llvm: String,
    packages: String,
}

impl Tools {
    /// Finds the tools, or names what is missing; installs it first if asked to.
    pub fn find(install: bool) -> Result<Self> {
        let missing = missing();
        if !missing.is_empty() && install {
            self::install()?;
        }
        let missing = if install { self::missing() } else { missing };
        if !missing.is_empty() {
            bail!(
                "building the program needs Solana's `cargo build-sbf`, or packages of Debian 12 or later, of which \
                 these are missing:\n  {}\nInstall them with\n  apt-get update && apt-get install -y {}\nor, as \
                 root, with\n  cargo xtask build-program --install",
                missing.join("\n  "),
                PACKAGES.join(" ")
            );
        }
        let verbose = process::output(process::command(RUSTC).arg("-vV"))?;
        let field = |name: &str| {
            let line = verbose.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or("unknown").to_owned()
        };
        Ok(Self {
            rustc: verbose.lines().next().unwrap_or("unknown").to_owned(),
            host: field("host: "),
            llvm: process::output(process::command(llvm_config()).arg("--version"))?,
            packages: package_versions(),
        })
    }
}

/// Whether everything is there.
pub fn is_installed() -> bool {
    missing().is_empty()
}

/// What is missing, each with its reason.
fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    for (package, program) in [("rustc-web", RUSTC), ("cargo-web", CARGO)] {
        let (major, minor) = OLDEST;
        match version(program) {
            None => missing.push(format!("{package}: there is no {program} that runs")),
            Some(found) if found < OLDEST => missing.push(format!(
                "{package}: {program} is {}.{}, and {major}.{minor} is the oldest that will do",
                found.0, found.1
            )),
            Some(_) => {}
        }
    }
    let sources = sysroot().map(|sysroot| sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml"));
    if !sources.is_some_and(|sources| sources.is_file()) {
        missing.push("rust-web-src: the compiler has no sources of its standard library".to_owned());
    }
    if !llvm_config().is_file() || !Path::new(LLVM).join("lib/libLLVM.so").is_file() {
        missing.push(format!("llvm-22-dev: there is no LLVM in {LLVM}"));
    }
    missing
}

fn llvm_config() -> PathBuf {
    Path::new(LLVM).join("bin/llvm-config")
}

fn sysroot() -> Option<PathBuf> {
    let sysroot = process::output(process::command(RUSTC).args(["--print", "sysroot"])).ok()?;
    Some(PathBuf::from(sysroot))
}

/// The major and minor version of rustc or cargo.
fn version(program: &str) -> Option<(u32, u32)> {
    parse_version(&process::output(process::command(program).arg("--version")).ok()?)
}

/// From a line such as `rustc 1.96.0 (ac68faa20 2026-05-25)`.
fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Debian patches what it packages, so its revision belongs to the version.
fn package_versions() -> String {
    let query = process::output(
        process::command("dpkg-query").args(["--show", "--showformat=${Package} ${Version}, "]).args(PACKAGES),
    );
    match query {
        Ok(versions) => versions.trim_end_matches([',', ' ']).to_owned(),
        Err(_) => "none".to_owned(),
    }
}

fn install() -> Result<()> {
    ensure!(
        process::find("apt-get").is_some(),
        "--install works where there is apt-get (Debian 12 or later); elsewhere, install Solana's `cargo build-sbf`"
    );
    let user = process::output(process::command("id").arg("-u"))?;
    ensure!(user == "0", "--install needs root; or ask for: apt-get install -y {}", PACKAGES.join(" "));
    eprintln!("Installing {}", PACKAGES.join(", "));
    let apt = || {
        let mut apt = process::command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    // Old lists may do, and a repository that is out of reach may not matter: let the installation decide.
    if let Err(error) = process::run(apt().arg("update")) {
        eprintln!("warning: {error:#}");
    }
    // Never at the cost of another package, such as a `rustc` that somebody uses.
    process::run(apt().args(["install", "--yes", "--no-install-recommends", "--no-remove"]).args(PACKAGES))
}

pub fn build(workspace: &Workspace, tools: &Tools, programs: &[Program], arch: Arch) -> Result<Vec<Built>> {
    let linker = build_linker(workspace)?;
    programs
        .iter()
        .map(|program| {
            eprintln!("Building {} for SBPF {arch} with {}", program.package, tools.rustc);
            let elf = build_program(workspace, &linker, program, arch, process::run)?;
            Ok(Built { elf, record: record(workspace, tools, arch)? })
        })
        .collect()
}

/// What a program is built with.
pub fn record(workspace: &Workspace, tools: &Tools, arch: Arch) -> Result<Record> {
    let lock = workspace.root.join("linker/Cargo.lock");
    let lock = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let version = |package| {
        let version = locked_version(&lock, package).context("not in linker/Cargo.lock");
        anyhow::Ok(format!("{package} {}", version.context(package)?))
    };
    Ok(Record::new([
        ("toolchain", Toolchain::Debian.name().to_owned()),
        ("compiler", tools.rustc.clone()),
        ("host", tools.host.clone()),
        ("packages", tools.packages.clone()),
        ("llvm", tools.llvm.clone()),
        ("linker", format!("sbf-link with {}, {}", version("bpf-linker")?, version("sbpf-linker")?)),
        ("arch", arch.to_string()),
        ("opt-level", OPT_LEVEL.to_owned()),
    ]))
}

pub fn build_linker(workspace: &Workspace) -> Result<PathBuf> {
    eprintln!("Building the linker (a first time takes about two minutes)");
    let target = workspace.target.join("linker");
    process::run(
        cargo()
            .args(["build", "--quiet", "--release", "--locked", "--manifest-path"])
            .arg(workspace.root.join("linker/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .env("LLVM_PREFIX", LLVM),
    )?;
    Ok(target.join("release/sbf-link"))
}

/// Builds one program of `workspace`, with `run` running cargo.
pub fn build_program(
    workspace: &Workspace,
    linker: &Path,
    program: &Program,
    arch: Arch,
    run: process::Runner,
) -> Result<Vec<u8>> {
    let package = program.package;
    let target = workspace.target.join("sbf");
    let spec = target.join(wrapper::TARGET).with_extension("json");
    fs::create_dir_all(&target).with_context(|| format!("cannot create {}", target.display()))?;
    write_if_changed(&spec, TARGET_SPEC)?;

    // cargo does not know when the linker has changed. Without its results, it links again.
    let release = target.join(wrapper::TARGET).join("release");
    let name = format!("lib{}.so", program.name);
    let elf = release.join(&name);
    for file in [&elf, &release.join("deps").join(&name)] {
        if file.exists() {
            fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }

    let linker = linker.to_str().context("the target folder has a name that cargo cannot read")?;
    let settings = [
        "unstable.build-std=[\"core\", \"alloc\", \"std\", \"panic_abort\"]".to_owned(),
        "unstable.build-std-features=[]".to_owned(),
        "unstable.json-target-spec=true".to_owned(),
        // A panic ends the program at once, without a message: what would format it is left out.
        "unstable.panic-immediate-abort=true".to_owned(),
        "profile.release.panic=\"immediate-abort\"".to_owned(),
        format!("target.{}.linker={}", wrapper::TARGET, toml_string(linker)),
        // The virtual machine has one thread and no atomic instructions. Programs do not move in memory.
        format!(
            "target.{}.rustflags=[\"-Zunstable-options\", \"-Cpanic=immediate-abort\", \
             \"-Cpasses=lower-atomic\", \"-Crelocation-model=static\", \"-Clink-arg=--arch={arch}\"]",
            wrapper::TARGET
        ),
    ];
    let mut command = cargo();
    command
        .args(["build", "--release", "--locked", "--package", package, "--lib", "--manifest-path"])
        .arg(workspace.root.join("Cargo.toml"))
        .arg("--target")
        .arg(&spec)
        .arg("--target-dir")
        .arg(&target)
        .args(settings.iter().flat_map(|setting| ["--config", setting]))
        .args(profile())
        // Building std and a target of one's own are not stable; the compiler is pinned by the record instead.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(&workspace.root);
    wrapper::install(&mut command)?;
    run(&mut command)?;
    fs::read(&elf).with_context(|| format!("the build left no {}", elf.display()))
}

/// Debian's cargo, with Debian's compiler.
fn cargo() -> Command {
    let mut command = process::command(CARGO);
    command.env("RUSTC", RUSTC);
    command
}

/// Spares cargo a rebuild of everything for a new date.
fn write_if_changed(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The version of a package in a lock file.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let after = lock.lines().skip_while(|line| *line != name).nth(1)?;
    after.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = parse_version("rustc 1.100.2 (abc 2027-01-01) (built from a source tarball)");
        assert_eq!(version, Some((1, 100)));
        assert!(version > Some(OLDEST));
        assert!(parse_version("rustc 1.95.0 (abc)") < Some(OLDEST));
        assert_eq!(parse_version("no such program"), None);
    }

    #[test]
    fn the_lock_file_names_the_linkers_crates() {
        let lock = include_str!("../../../linker/Cargo.lock");
        assert_eq!(locked_version(lock, "bpf-linker"), Some("0.13.0"));
        assert_eq!(locked_version(lock, "sbpf-linker"), Some("0.2.6"));
        assert_eq!(locked_version(lock, "linker"), None);
    }

    #[test]
    fn a_path_with_quotes_is_one_toml_string() {
        assert_eq!(toml_string(r#"/a "b"\c"#), r#""/a \"b\"\\c""#);
    }
}
