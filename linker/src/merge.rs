//! Joins the bitcode of all crates into one optimised module, with `bpf-linker`.

use std::ffi::CString;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bpf_linker::{Cpu, Linker, LinkerInput, LinkerOptions, OptLevel, OutputType};

use crate::STACK_FRAME_BYTES;
use crate::llvm::CPU_FEATURES;

pub fn merge(inputs: &[PathBuf], opt_level: OptLevel, exports: &[String]) -> Result<Vec<u8>> {
    let linker = Linker::new(LinkerOptions {
        target: None,
        cpu: Cpu::V2,
        cpu_features: CPU_FEATURES.into(),
        optimize: opt_level,
        unroll_loops: false,
        ignore_inline_never: false,
        // Options of LLVM are global to the process: this one is for code generation, which comes later.
        llvm_args: vec![CString::new(format!("--bpf-stack-size={STACK_FRAME_BYTES}"))?],
        // The kernel's verifier wants copies expanded in order; Solana's virtual machine has no such wish.
        disable_expand_memcpy_in_order: true,
        // Keep `memcpy`, `memcmp` and the like alive: code generation may still call them.
        disable_memory_builtins: false,
        btf: false,
        // An unreachable point becomes a call of `abort`, rather than running on into the next function.
        allow_bpf_trap: true,
    });
    let files = inputs.iter().map(|path| LinkerInput::new_from_file(path));
    let bitcode = linker
        .link_to_buffer(files, OutputType::Bitcode, exports.iter().map(String::as_str))
        .context("cannot merge the crates' bitcode")?;
    ensure!(!linker.has_errors(), "LLVM reported errors while merging the crates' bitcode (see above)");
    Ok(bitcode.as_slice().to_vec())
}
