//! `sbf-link`: a linker that turns the LLVM bitcode of an upstream Rust compiler into a Solana program, for machines
//! where Solana's own compiler cannot be installed.
//!
//! rustc calls it as `-C linker=sbf-link` for a target whose linker flavour is `bpf` and whose objects are bitcode:
//!
//! 1. [`merge`]: `bpf-linker` joins the bitcode of all crates into one module and optimises it.
//! 2. [`legalize`]: rewrites what the BPF back end of LLVM 22 cannot express.
//! 3. [`codegen`]: LLVM turns the module into a BPF object.
//! 4. [`layout`]: `sbpf-linker` lays the object out as an SBF shared object.
//!
//! The same input gives the same bytes: nothing here may depend on paths, time, addresses or the order of a hash map.

mod args;
mod codegen;
mod layout;
mod legalize;
mod llvm;
mod merge;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::args::Args;

/// One stack frame of the SBF virtual machine, in bytes.
const STACK_FRAME_BYTES: i32 = 4096;

/// The symbol where the virtual machine enters a program.
const ENTRYPOINT: &str = "entrypoint";

fn main() -> ExitCode {
    // The two linker crates report through `tracing`. Errors only: rustc shows whatever a linker prints.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
        .without_time()
        .init();
    match link() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sbf-link: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn link() -> Result<()> {
    let args = Args::parse(std::env::args().skip(1))?;
    let exports = args.read_exports()?;
    let program = if exports.iter().any(|symbol| symbol == ENTRYPOINT) {
        let bitcode = merge::merge(&args.inputs, args.opt_level, &exports)?;
        let object = codegen::object(&bitcode)?;
        layout::program(&object, args.arch)?
    } else {
        // A dependency that also declares `crate-type = ["cdylib"]`: no program, so there is nothing to link. rustc
        // still wants its file.
        Vec::new()
    };
    std::fs::write(&args.output, program).with_context(|| format!("cannot write {}", args.output.display()))
}

/// The name of a function as its author knows it.
fn readable(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol))
}
