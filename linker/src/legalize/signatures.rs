//! Functions that need more registers than a BPF call has.
//!
//! Five registers carry arguments and one carries the result. Rust passes a slice as two arguments and returns a pair in
//! two registers, so such functions are common. They are inlined into their callers, for which the signature does not
//! matter. What cannot be inlined is refused by name: a function that calls itself, or whose address is taken.

use anyhow::{Result, ensure};
use bpf_linker::llvm_sys::LLVMTypeKind;
use bpf_linker::llvm_sys::core::*;
use bpf_linker::llvm_sys::prelude::*;

use crate::llvm::{Context, Machine, Module, symbol};

const ARGUMENT_REGISTERS: u32 = 5;
const RESULT_REGISTERS: u32 = 1;

/// Inlining removes functions from the list, and may show new ones when arguments are split. Far more rounds than seen.
const ROUNDS: usize = 32;

/// LLVM's index for the attributes of a function itself, rather than of its result or of an argument.
const FUNCTION_ATTRIBUTES: u32 = u32::MAX;

pub fn inline_wide(context: &Context, module: &Module, machine: &Machine) -> Result<()> {
    for _ in 0..ROUNDS {
        let wide = wide_functions(module);
        if wide.is_empty() {
            return Ok(());
        }
        for function in wide {
            // SAFETY: just listed from the live module.
            unsafe { always_inline(context, function) }
        }
        module.run(machine, c"always-inline,globaldce")?;
    }
    let stuck: Vec<String> = wide_functions(module)
        .into_iter()
        .map(|function| {
            // SAFETY: just listed from the live module.
            let symbol = unsafe { symbol(function) };
            format!("  {}", crate::readable(&symbol))
        })
        .collect();
    ensure!(
        stuck.is_empty(),
        "these functions need more than {ARGUMENT_REGISTERS} argument registers or {RESULT_REGISTERS} result \
         register, and cannot be inlined, because they call themselves or their address is taken:\n{}\n\
         Give them fewer arguments (a slice counts twice), return through a `&mut` argument, or do without what takes \
         their address: function pointers, trait objects, and the formatting of `format!` and `{{}}`.",
        stuck.join("\n")
    );
    Ok(())
}

fn wide_functions(module: &Module) -> Vec<LLVMValueRef> {
    let mut functions = module.functions();
    // SAFETY: just listed from the live module.
    functions.retain(|function| unsafe { is_wide(*function) });
    functions
}

/// # Safety
///
/// `function` is a function of a live module.
unsafe fn is_wide(function: LLVMValueRef) -> bool {
    // SAFETY: as the caller promises; its type and its parameters live as long.
    unsafe {
        if LLVMIsDeclaration(function) != 0 {
            return false;
        }
        let result = registers(LLVMGetReturnType(LLVMGlobalGetValueType(function)));
        let arguments: u32 =
            (0..LLVMCountParams(function)).map(|index| registers(LLVMTypeOf(LLVMGetParam(function, index)))).sum();
        arguments > ARGUMENT_REGISTERS || result > RESULT_REGISTERS
    }
}

/// The registers that a value of this type takes. An aggregate counts as two: Rust has none that fit in one.
///
/// # Safety
///
/// `ty` is a type of a live context.
unsafe fn registers(ty: LLVMTypeRef) -> u32 {
    // SAFETY: as the caller promises.
    unsafe {
        match LLVMGetTypeKind(ty) {
            LLVMTypeKind::LLVMVoidTypeKind => 0,
            LLVMTypeKind::LLVMIntegerTypeKind => LLVMGetIntTypeWidth(ty).div_ceil(64),
            LLVMTypeKind::LLVMStructTypeKind | LLVMTypeKind::LLVMArrayTypeKind => 2,
            _ => 1,
        }
    }
}

/// # Safety
///
/// `function` is a function of a live module of this context.
pub unsafe fn always_inline(context: &Context, function: LLVMValueRef) {
    // SAFETY: as the caller promises; LLVM copies the attributes' names and is told their lengths.
    unsafe {
        let kind = |name: &str| LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
        for against in ["noinline", "optnone"] {
            LLVMRemoveEnumAttributeAtIndex(function, FUNCTION_ATTRIBUTES, kind(against));
        }
        let inline = LLVMCreateEnumAttribute(context.raw(), kind("alwaysinline"), 0);
        LLVMAddAttributeAtIndex(function, FUNCTION_ATTRIBUTES, inline);
    }
}
