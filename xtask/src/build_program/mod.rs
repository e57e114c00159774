//! `cargo xtask build-program`: builds the program, and the one that its tests need, for SBF, the virtual machine of
//! Solana.
//!
//! Two roads lead there: [`agave`], with Solana's own compiler, and [`debian`], with Debian's and this project's linker,
//! for machines where Solana's cannot be installed. The results are committed, with a note of what they were built with,
//! so that using and testing the program need neither; `--check` rebuilds and compares.

mod agave;
mod debian;
mod record;
pub mod wrapper;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use sha2::{Digest, Sha256};

use self::record::Record;
use crate::process;
use crate::workspace::Workspace;

/// Build the programs for SBF, into programs/escrow/elf and tests/programs/vault/elf
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The compiler to use
    #[arg(long, value_enum, default_value_t)]
    toolchain: ToolchainChoice,

    /// The version of the virtual machine's instruction set
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,

    /// Change nothing: rebuild, and fail if a committed program differs under the same compiler
    #[arg(long)]
    check: bool,

    /// Install what is missing with apt-get (as root, on Debian)
    #[arg(long)]
    install: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ToolchainChoice {
    /// cargo-build-sbf where it is installed, else debian; with --check, rather the one that the committed programs have
    #[default]
    Auto,
    /// Solana's own
    CargoBuildSbf,
    /// Debian's rustc and LLVM, and this project's linker
    Debian,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Arch {
    V0,
    #[default]
    V3,
}

impl Arch {
    /// As in the `e_flags` of the program's ELF header.
    fn number(self) -> u32 {
        match self {
            Self::V0 => 0,
            Self::V3 => 3,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.number())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Toolchain {
    CargoBuildSbf,
    Debian,
}

impl Toolchain {
    /// As in the record, and on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::CargoBuildSbf => "cargo-build-sbf",
            Self::Debian => "debian",
        }
    }
}

/// What the compiler optimises for: "3" for compute units, "s" or "z" for size. A larger program costs rent once; a slower
/// one costs every user of every instruction.
///
/// A TOML value: a number stands bare, a letter in quotes (`"\"s\""`).
const OPT_LEVEL: &str = "3";

/// The program's release profile. Given on the command line of this one build, so that nothing else is built this way.
fn profile() -> Vec<String> {
    [
        ("opt-level", OPT_LEVEL),
        // One unit, optimised as a whole: smaller, faster, and the same bytes whatever the number of processors.
        ("lto", "\"fat\""),
        ("codegen-units", "1"),
        // Money: arithmetic that leaves its type aborts the transaction.
        ("overflow-checks", "true"),
        ("debug-assertions", "false"),
        ("debug", "false"),
        ("incremental", "false"),
    ]
    .iter()
    .flat_map(|(key, value)| ["--config".to_owned(), format!("profile.release.{key}={value}")])
    .collect()
}

/// A program that is built here.
struct Program {
    /// The package's name.
    package: &'static str,
    /// Its folder, in the project. The result goes to its `elf`.
    folder: &'static str,
    /// The name of its crate, and of the result.
    name: &'static str,
}

/// All of them, each optimised alike.
const PROGRAMS: [Program; 2] = [
    Program { package: "escrow", folder: "programs/escrow", name: "escrow" },
    // Signs for the tests as a multisig would.
    Program { package: "test-vault", folder: "tests/programs/vault", name: "test_vault" },
];

/// A built program.
struct Built {
    elf: Vec<u8>,
    record: Record,
}

/// The committed program and the files beside it.
struct Committed {
    elf: PathBuf,
    sha256: PathBuf,
    record: PathBuf,
}

impl Committed {
    fn new(workspace: &Workspace, program: &Program) -> Self {
        let elf = workspace.root.join(program.folder).join("elf").join(program.name).with_extension("so");
        Self { sha256: elf.with_extension("so.sha256"), record: elf.with_extension("so.compiler"), elf }
    }
}

pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let built = match choose(workspace, args.toolchain, args.check, args.install)? {
        Toolchain::CargoBuildSbf => agave::build(workspace, &PROGRAMS, args.arch)?,
        Toolchain::Debian => debian::build(workspace, &debian::Tools::find(args.install)?, &PROGRAMS, args.arch)?,
    };
    for (program, built) in PROGRAMS.iter().zip(&built) {
        inspect(workspace, program, &built.elf, args.arch)?;
    }
    for (program, built) in PROGRAMS.iter().zip(&built) {
        let committed = Committed::new(workspace, program);
        if args.check { check(workspace, program, &committed, built)? } else { write(workspace, &committed, built)? }
    }
    Ok(())
}

/// For `cargo xtask generate`, with the usual settings.
pub fn generate(workspace: &Workspace, check: bool, install: bool) -> Result<()> {
    run(workspace, &Args { toolchain: ToolchainChoice::default(), arch: Arch::default(), check, install })
}

/// `like_committed`: rather the one that the committed programs were built with.
fn choose(workspace: &Workspace, choice: ToolchainChoice, like_committed: bool, install: bool) -> Result<Toolchain> {
    let solana = agave::is_installed();
    match choice {
        ToolchainChoice::Debian => return Ok(Toolchain::Debian),
        ToolchainChoice::CargoBuildSbf => {
            ensure!(solana, "{}", agave::MISSING);
            return Ok(Toolchain::CargoBuildSbf);
        }
        ToolchainChoice::Auto => {}
    }
    // Only a program built the same way can be compared.
    if like_committed && (install || debian::is_installed()) {
        for program in &PROGRAMS {
            let record = Record::read(&Committed::new(workspace, program).record)?;
            if record.get("toolchain") == Some(Toolchain::Debian.name()) {
                return Ok(Toolchain::Debian);
            }
        }
    }
    Ok(if solana { Toolchain::CargoBuildSbf } else { Toolchain::Debian })
}

/// Builds the escrow program alone, of any copy of the project and as often as needed: what `mutants` uses.
pub struct Builder {
    arch: Arch,
    /// Debian's linker; none for `cargo build-sbf`.
    linker: Option<PathBuf>,
    /// What it builds with, for people and for telling results apart.
    pub record: String,
}

impl Builder {
    /// With the toolchain of the committed program, where it is installed.
    pub fn new(workspace: &Workspace) -> Result<Self> {
        let arch = Arch::default();
        let (linker, record) = match choose(workspace, ToolchainChoice::Auto, true, false)? {
            Toolchain::CargoBuildSbf => (None, agave::record(arch)?),
            Toolchain::Debian => {
                let tools = debian::Tools::find(false)?;
                (Some(debian::build_linker(workspace)?), debian::record(workspace, &tools, arch)?)
            }
        };
        Ok(Self { arch, linker, record: record.to_string() })
    }

    /// The program that the source in `workspace` gives. What the compiler says is in the error.
    pub fn escrow(&self, workspace: &Workspace) -> Result<Vec<u8>> {
        let [escrow, _] = &PROGRAMS;
        match &self.linker {
            None => agave::build_program(workspace, escrow, self.arch, process::run_quietly),
            Some(linker) => debian::build_program(workspace, linker, escrow, self.arch, process::run_quietly),
        }
    }
}

/// Refuses a program that cannot be meant.
fn inspect(workspace: &Workspace, program: &Program, elf: &[u8], arch: Arch) -> Result<()> {
    ensure!(
        elf.starts_with(b"\x7fELF"),
        "the linker wrote no program ({} bytes); has the package {} no entrypoint by default?",
        elf.len(),
        program.package
    );
    let flags = elf.get(48..52).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    ensure!(
        flags == Some(arch.number()),
        "the linker was asked for SBPF {arch} and wrote something else (e_flags {flags:?})"
    );
    let machine = [Some(workspace.root.clone()), Some(workspace.target.clone()), wrapper::cargo_home()];
    for path in machine.into_iter().flatten() {
        let path = path.display().to_string();
        // "/" and the like say nothing about a machine.
        let leaks = path.len() > 4 && elf.windows(path.len()).any(|bytes| bytes == path.as_bytes());
        ensure!(!leaks, "the program contains a path of this machine, {path}: its bytes would differ on any other");
    }
    Ok(())
}

fn write(workspace: &Workspace, committed: &Committed, built: &Built) -> Result<()> {
    let sha256 = sha256(&built.elf);
    let name = committed.elf.file_name().unwrap_or_default().display();
    let sha256_line = format!("{sha256}  {name}\n");
    let folder = committed.elf.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (path, contents) in [
        (&committed.elf, built.elf.as_slice()),
        (&committed.sha256, sha256_line.as_bytes()),
        (&committed.record, built.record.to_string().as_bytes()),
    ] {
        fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("{}", workspace.relative(&committed.elf));
    println!("  bytes   {}", built.elf.len());
    println!("  sha256  {sha256}");
    Ok(())
}

fn check(workspace: &Workspace, program: &Program, committed: &Committed, built: &Built) -> Result<()> {
    let path = workspace.relative(&committed.elf);
    let elf = fs::read(&committed.elf)
        .with_context(|| format!("cannot read {path}; `cargo xtask generate` makes it, and it is committed"))?;
    let (was, is) = (sha256(&elf), sha256(&built.elf));
    let noted = fs::read_to_string(&committed.sha256).unwrap_or_default();
    ensure!(
        noted.split_whitespace().next() == Some(&was),
        "{} does not hold the sha256 of {path}, which is {was}",
        workspace.relative(&committed.sha256)
    );
    match compare(&elf, &Record::read(&committed.record)?, built) {
        Comparison::Identical => println!("{path} is what the source gives\n  sha256  {was}"),
        Comparison::OtherCompiler(differences) => {
            println!("{path} cannot be compared: it was built with another compiler. The source builds.");
            println!("{differences}");
        }
        Comparison::Different => bail!(
            "{path} is not what the source gives under the same compiler\n  committed  sha256 {was}\n  \
             rebuilt    sha256 {is}\nRun `cargo xtask generate`, which writes {}/elf and what is measured on it.",
            program.folder
        ),
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Comparison {
    Identical,
    /// In which way, for people.
    OtherCompiler(String),
    Different,
}

fn compare(elf: &[u8], record: &Record, built: &Built) -> Comparison {
    if elf == built.elf {
        return Comparison::Identical;
    }
    match record.other_machine(&built.record) {
        Some(differences) => Comparison::OtherCompiler(differences),
        None => Comparison::Different,
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(compiler: &str, elf: &[u8]) -> Built {
        let record = Record::new([("toolchain", "debian"), ("compiler", compiler), ("arch", "v3")]);
        Built { elf: elf.to_owned(), record }
    }

    #[test]
    fn the_same_bytes_are_identical_whoever_built_them() {
        let committed = built("rustc 1.96.0", b"program");
        let comparison = compare(&committed.elf, &committed.record, &built("rustc 1.97.0", b"program"));
        assert_eq!(comparison, Comparison::Identical);
    }

    #[test]
    fn other_bytes_under_the_same_compiler_are_a_failure() {
        let committed = built("rustc 1.96.0", b"program");
        let comparison = compare(&committed.elf, &committed.record, &built("rustc 1.96.0", b"other"));
        assert_eq!(comparison, Comparison::Different);
    }

    #[test]
    fn other_bytes_under_another_compiler_cannot_be_compared() {
        let committed = built("rustc 1.96.0", b"program");
        match compare(&committed.elf, &committed.record, &built("rustc 1.97.0", b"other")) {
            Comparison::OtherCompiler(differences) => {
                assert!(differences.contains("rustc 1.96.0") && differences.contains("rustc 1.97.0"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_setting_of_this_project_is_no_excuse() {
        let committed = built("rustc 1.96.0", b"program");
        let mut other = built("rustc 1.96.0", b"other");
        other.record = Record::new([("toolchain", "debian"), ("compiler", "rustc 1.96.0"), ("arch", "v0")]);
        assert_eq!(compare(&committed.elf, &committed.record, &other), Comparison::Different);
    }
}
