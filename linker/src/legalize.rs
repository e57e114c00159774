//! Rewrites what the BPF back end of LLVM 22 cannot express, in three steps:
//!
//! | what | why | becomes |
//! | --- | --- | --- |
//! | wide products ([`products`]) | no 64 x 64 to 128 bit multiplication, and no compiler runtime to call | a helper |
//! | long copies ([`memory`]) | no `memcpy` to call, and loops cost compute units | Solana's memory syscalls |
//! | wide signatures ([`signatures`]) | five argument registers, one result register | inlined functions |
//!
//! Solana's own compiler and LLVM 23 have parts of this built in.

mod memory;
mod products;
mod signatures;

use anyhow::Result;

use crate::llvm::{Builder, Context, Machine, Module, instructions};

/// What the rewriting leaves to simplify: values passed through memory between functions that are now one, and
/// arithmetic on halves. Without `aggressive-instcombine`, which would recognise the helper's schoolbook
/// multiplication and turn it back into the product that it replaces.
const CLEAN_UP: &std::ffi::CStr =
    c"function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg),globaldce";

pub fn legalize(context: &Context, module: &Module, machine: &Machine) -> Result<()> {
    let builder = Builder::new(context);
    let products = products::Legalizer::new(context, module, &builder)?;
    let memory = memory::Legalizer::new(context, module, &builder);
    for function in module.functions() {
        // SAFETY: the function is in the live module. The instructions are listed before any is rewritten; a rewrite
        // erases at most the instruction that it is given, and what it adds is not on the list.
        unsafe {
            for instruction in instructions(function) {
                let _done = products.rewrite(instruction) || memory.rewrite(instruction);
            }
        }
    }
    module.run(machine, c"globaldce")?;
    signatures::inline_wide(context, module, machine)?;
    module.run(machine, CLEAN_UP)?;
    module.verify()
}
