//! The `escrow` command, built for the tests that type it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// The binary. Cargo builds the binaries of a package for that package's own tests only, so it is built here, with what Cargo
/// has compiled for the very test that asks: the same target directory (in which Cargo's `CARGO_TARGET_TMPDIR` lies), profile
/// and features (naming the test turns those on that development dependencies ask for, so that nothing else is compiled anew).
///
/// # Panics
///
/// Where it does not build.
pub fn escrow(target_tmpdir: &str, test: &str) -> PathBuf {
    let target = Path::new(target_tmpdir).parent().expect("a target directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--workspace", "--bin", "escrow", "--test", test, "--message-format", "json"]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--target-dir").arg(target);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    // What Cargo tells this test about its own package. Build scripts that look at it (ring's) would be run again, here and
    // by the next `cargo test`, with everything that stands on them.
    let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| told.iter().any(|start| name.starts_with(start))) {
            cargo.env_remove(name);
        }
    }
    let built = cargo.stderr(Stdio::inherit()).output().expect("Cargo runs");
    assert!(built.status.success(), "the command line does not build");
    let messages = String::from_utf8(built.stdout).expect("text");
    let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut binaries = messages.filter(|message| message["target"]["name"] == "escrow");
    let binary = binaries.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    binary.expect("Cargo names the binary")
}
