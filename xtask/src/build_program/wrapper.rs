//! What stands between cargo and rustc in a program build: cargo calls this binary as its `RUSTC_WRAPPER`, with the
//! compiler and its arguments, for every crate.
//!
//! For each crate of the program, whichever the compiler, it takes the paths of the machine out of the result. For an
//! upstream compiler it also makes three adjustments, all of which Solana's own compiler has built in:
//!
//! - `std` marks itself unstable on targets it does not know: the mark is dropped;
//! - `std` has no entry for the BPF architecture in its allocator's table of alignments: for that crate alone, it borrows
//!   the one of another 64-bit architecture;
//! - every other crate must see `target_os = "solana"`, or it compiles its off-chain half. (The target file says "zkvm",
//!   because `std` supports that system on bare metal, without threads or files.)

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// Set for this binary when it is to be the wrapper.
const CALLED_BY_CARGO: &str = "XTASK_RUSTC_WRAPPER";

/// The name of the target file, [`super::debian`]'s.
pub const TARGET: &str = "sbpf-solana";

/// Makes cargo call the compiler through this binary.
pub fn install(command: &mut Command) -> Result<()> {
    let this = env::current_exe().context("cannot find the xtask binary itself")?;
    command.env("RUSTC_WRAPPER", this).env(CALLED_BY_CARGO, "1");
    Ok(())
}

/// Runs the compiler and gives its status, if this process was started as the wrapper.
pub fn run_if_called_by_cargo() -> Option<ExitCode> {
    env::var_os(CALLED_BY_CARGO)?;
    let mut arguments = env::args_os().skip(1);
    let compiler = arguments.next()?;
    let status = Command::new(&compiler)
        .args(adjust(arguments.collect(), &Package::from_environment()))
        .env_remove(CALLED_BY_CARGO)
        .status();
    Some(match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", compiler.display());
            ExitCode::FAILURE
        }
    })
}

/// Where cargo keeps what it downloads.
pub fn cargo_home() -> Option<PathBuf> {
    let default = || Some(env::home_dir()?.join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(default)
}

/// The package being compiled, as cargo tells it to the compiler.
#[derive(Debug, Default)]
struct Package {
    /// Its folder.
    manifest_dir: PathBuf,
    /// Its name and version.
    name: String,
    /// What its build script writes.
    out_dir: Option<PathBuf>,
    /// Where the compiler runs: the workspace that the package is in.
    current_dir: Option<PathBuf>,
}

impl Package {
    fn from_environment() -> Self {
        let text = |name| env::var(name).unwrap_or_default();
        Self {
            manifest_dir: env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default().into(),
            name: format!("{}-{}", text("CARGO_PKG_NAME"), text("CARGO_PKG_VERSION")),
            out_dir: env::var_os("OUT_DIR").map(PathBuf::from),
            current_dir: env::current_dir().ok(),
        }
    }

    fn is_std(&self) -> bool {
        self.is_of_the_compiler() && self.manifest_dir.ends_with("library/std")
    }

    /// The standard library and the crates that come with its source.
    fn is_of_the_compiler(&self) -> bool {
        self.manifest_dir.to_string_lossy().contains("/rustlib/src/")
    }
}

fn adjust(arguments: Vec<OsString>, package: &Package) -> Vec<OsString> {
    let Some(target) = value_after(&arguments, "--target") else { return arguments };
    let for_debian = Path::new(target).file_stem() == Some(OsStr::new(TARGET));
    let for_solana = target.to_string_lossy().contains("-solana");
    if for_debian {
        without_paths(as_solana(arguments, package), package)
    } else if for_solana {
        without_paths(arguments, package)
    } else {
        arguments
    }
}

fn value_after<'a>(arguments: &'a [OsString], option: &str) -> Option<&'a OsString> {
    let index = arguments.iter().position(|argument| argument == option)?;
    arguments.get(index + 1)
}

fn as_solana(arguments: Vec<OsString>, package: &Package) -> Vec<OsString> {
    // A dependency of std, from the registry.
    let mut in_std = package.is_of_the_compiler();
    let mut adjusted: Vec<OsString> = Vec::with_capacity(arguments.len() + 16);
    for argument in arguments {
        if adjusted.last().is_some_and(|last| last == "--cfg") {
            if argument == "restricted_std" {
                adjusted.pop();
                continue;
            }
            in_std |= argument == "feature=\"rustc-dep-of-std\"";
        }
        adjusted.push(argument);
    }
    let cfg = if package.is_std() {
        "target_arch=\"sparc\""
    } else if in_std {
        return adjusted;
    } else {
        "target_os=\"solana\""
    };
    adjusted.extend(["--cfg", cfg, "-A", "explicit_builtin_cfgs_in_flags"].map(OsString::from));
    adjusted
}

/// Gives the sources names that are the same on every machine. The last prefix that matches counts.
fn without_paths(mut arguments: Vec<OsString>, package: &Package) -> Vec<OsString> {
    let mut remap = |from: &Path, to: &str| {
        let mut rule = OsString::from("--remap-path-prefix=");
        rule.push(from);
        rule.push("=");
        rule.push(to);
        arguments.push(rule);
    };
    if let Some(folder) = &package.current_dir {
        remap(folder, "/workspace");
    }
    if !package.manifest_dir.as_os_str().is_empty() {
        remap(&package.manifest_dir, &format!("/{}", package.name));
    }
    if let Some(folder) = &package.out_dir {
        remap(folder, &format!("/{}-out", package.name));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_SBF: &str = "--crate-name x --target /somewhere/sbpf-solana.json";

    fn adjusted(line: &str, folder: &str) -> String {
        let package = Package { manifest_dir: folder.into(), name: "x-1.0.0".into(), ..Package::default() };
        let arguments = line.split(' ').map(OsString::from).collect();
        let adjusted = adjust(arguments, &package);
        adjusted.join(OsStr::new(" ")).to_string_lossy().into_owned()
    }

    #[test]
    fn a_crate_for_the_host_is_left_alone() {
        let line = "--crate-name build_script --cfg restricted_std --out-dir /target/sbf/release";
        assert_eq!(adjusted(line, "/registry/x"), line);
        let line = "--crate-name x --target x86_64-unknown-linux-gnu";
        assert_eq!(adjusted(line, "/registry/x"), line);
    }

    #[test]
    fn a_crate_of_the_program_sees_solana() {
        assert!(adjusted(FOR_SBF, "/registry/x").contains("--cfg target_os=\"solana\""));
    }

    #[test]
    fn the_standard_library_sees_its_own_system() {
        let std =
            adjusted(&format!("{FOR_SBF} --cfg restricted_std --cfg unix"), "/usr/lib/rustlib/src/rust/library/std");
        assert!(std.contains("--cfg target_arch=\"sparc\""), "{std}");
        assert!(!std.contains("restricted_std") && std.contains("--cfg unix"), "{std}");
        let core = adjusted(FOR_SBF, "/usr/lib/rustlib/src/rust/library/core");
        assert!(!core.contains("target_os") && !core.contains("target_arch"), "{core}");
        let of_std = format!("{FOR_SBF} --cfg feature=\"rustc-dep-of-std\"");
        assert!(!adjusted(&of_std, "/registry/hashbrown").contains("target_os"));
    }

    #[test]
    fn solanas_own_compiler_only_loses_the_paths() {
        let line = "--crate-name x --target sbpfv3-solana-solana";
        assert_eq!(adjusted(line, "/registry/x"), format!("{line} --remap-path-prefix=/registry/x=/x-1.0.0"));
    }
}
