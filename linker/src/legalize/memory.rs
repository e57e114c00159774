//! Copies and fills.
//!
//! LLVM turns short ones into loads and stores. For the others, and for those whose length is not known, it would call
//! `memcpy` and its kin, which the BPF back end refuses. Solana's virtual machine has system calls for them, which cost
//! 1 compute unit for every 250 bytes, and 10 at least.

// Every function here passes values of one live module to LLVM's builder, which neither keeps nor frees them: the
// contract is the same for each call, and stands at `Legalizer::rewrite`.
#![allow(unsafe_op_in_unsafe_fn, reason = "one contract for the whole module, see above")]

use std::ffi::CStr;

use bpf_linker::llvm_sys::core::*;
use bpf_linker::llvm_sys::prelude::*;

use crate::llvm::{Builder, Context, Module, UNNAMED, symbol};

/// Copies up to this length stay in line: 16 loads and 16 stores, against a call's 10 compute units and the registers it
/// spills. May go down to 0, and up to 1,024, where the back end itself gives up.
const INLINE_BYTES: u64 = 128;

pub struct Legalizer<'a> {
    context: &'a Context,
    module: &'a Module<'a>,
    builder: &'a Builder,
}

impl<'a> Legalizer<'a> {
    pub fn new(context: &'a Context, module: &'a Module, builder: &'a Builder) -> Self {
        Self { context, module, builder }
    }

    /// Rewrites the instruction if it is a long copy or fill, and then erases it. Says whether it did.
    ///
    /// # Safety
    ///
    /// `instruction` is an instruction of the live module that this was made for.
    pub unsafe fn rewrite(&self, instruction: LLVMValueRef) -> bool {
        if LLVMIsACallInst(instruction).is_null() {
            return false;
        }
        let callee = symbol(LLVMGetCalledValue(instruction));
        let syscall = if callee.starts_with("llvm.memcpy.p0.p0.") {
            c"sol_memcpy_"
        } else if callee.starts_with("llvm.memmove.p0.p0.") {
            c"sol_memmove_"
        } else if callee.starts_with("llvm.memset.p0.") {
            c"sol_memset_"
        } else {
            return false;
        };
        let length = LLVMGetOperand(instruction, 2);
        if !LLVMIsAConstantInt(length).is_null() && LLVMConstIntGetZExtValue(length) <= INLINE_BYTES {
            return false;
        }
        self.call(syscall, instruction, length);
        LLVMInstructionEraseFromParent(instruction);
        true
    }

    /// Calls `syscall(to, what, length)`, with the first two operands of the instruction: for a copy the second is an
    /// address, for a fill a byte.
    unsafe fn call(&self, syscall: &CStr, instruction: LLVMValueRef, length: LLVMValueRef) {
        let (to, what) = (LLVMGetOperand(instruction, 0), LLVMGetOperand(instruction, 1));
        let nothing = LLVMVoidTypeInContext(self.context.raw());
        let mut parameters = [LLVMTypeOf(to), LLVMTypeOf(what), LLVMTypeOf(length)];
        let signature = LLVMFunctionType(nothing, parameters.as_mut_ptr(), 3, 0);
        let mut function = LLVMGetNamedFunction(self.module.raw(), syscall.as_ptr());
        if function.is_null() {
            function = LLVMAddFunction(self.module.raw(), syscall.as_ptr(), signature);
        }
        let mut arguments = [to, what, length];
        LLVMPositionBuilderBefore(self.builder.raw(), instruction);
        LLVMBuildCall2(self.builder.raw(), signature, function, arguments.as_mut_ptr(), 3, UNNAMED);
    }
}
