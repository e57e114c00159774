//! The part of LLVM's C interface that this linker uses, as owned Rust values.
//!
//! Ownership: [`Context`], [`Module`], [`Machine`] and [`Builder`] each own one LLVM object and dispose of it when
//! dropped; the lifetimes keep a context alive for as long as anything made in it. Values (functions, instructions) are
//! plain pointers into a module, as in LLVM itself: whoever holds one must not use it after erasing it.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr;

use anyhow::{Result, bail, ensure};
use bpf_linker::llvm_sys::LLVMDiagnosticSeverity;
use bpf_linker::llvm_sys::analysis::{LLVMVerifierFailureAction, LLVMVerifyModule};
use bpf_linker::llvm_sys::bit_reader::LLVMParseBitcodeInContext2;
use bpf_linker::llvm_sys::core::*;
use bpf_linker::llvm_sys::error::{LLVMDisposeErrorMessage, LLVMGetErrorMessage};
use bpf_linker::llvm_sys::ir_reader::LLVMParseIRInContext2;
use bpf_linker::llvm_sys::linker::LLVMLinkModules2;
use bpf_linker::llvm_sys::prelude::*;
use bpf_linker::llvm_sys::target_machine::*;
use bpf_linker::llvm_sys::transforms::pass_builder::{
    LLVMCreatePassBuilderOptions, LLVMDisposePassBuilderOptions, LLVMRunPasses,
};

/// What the processor can do beyond its version: Solana's virtual machine loads and stores at any address.
pub const CPU_FEATURES: &CStr = c"+allows-misaligned-mem-access";

/// LLVM's name for "no name wanted".
pub const UNNAMED: *const c_char = c"".as_ptr();

/// An LLVM context, and the errors that LLVM reported in it.
pub struct Context {
    raw: LLVMContextRef,
    /// Boxed, because LLVM holds its address.
    errors: Box<RefCell<Vec<String>>>,
}

impl Context {
    pub fn new() -> Self {
        let errors = Box::new(RefCell::new(Vec::new()));
        // SAFETY: the handler gets the address of `errors`, which lives on the heap, unmoved, until `drop` has
        // disposed of the context.
        let raw = unsafe {
            let raw = LLVMContextCreate();
            let address: *const RefCell<Vec<String>> = &raw const *errors;
            LLVMContextSetDiagnosticHandler(raw, Some(keep_error), address.cast_mut().cast());
            raw
        };
        Self { raw, errors }
    }

    pub fn raw(&self) -> LLVMContextRef {
        self.raw
    }

    /// The errors reported since the last call.
    pub fn take_errors(&self) -> Vec<String> {
        self.errors.take()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: created in `new`, owned by `self`, and nothing made in it outlives the borrow.
        unsafe { LLVMContextDispose(self.raw) }
    }
}

extern "C" fn keep_error(diagnostic: LLVMDiagnosticInfoRef, errors: *mut c_void) {
    // SAFETY: LLVM passes a live diagnostic, and the address given in `Context::new`. The list is borrowed for this
    // push alone, and LLVM's contexts are used from one thread.
    unsafe {
        if LLVMGetDiagInfoSeverity(diagnostic) == LLVMDiagnosticSeverity::LLVMDSError {
            let text = take_message(LLVMGetDiagInfoDescription(diagnostic)).trim_end().to_owned();
            (*errors.cast::<RefCell<Vec<String>>>()).borrow_mut().push(text);
        }
    }
}

/// A module of LLVM's intermediate representation.
pub struct Module<'context> {
    raw: LLVMModuleRef,
    context: PhantomData<&'context Context>,
}

impl<'context> Module<'context> {
    pub fn from_bitcode(context: &'context Context, bitcode: &[u8]) -> Result<Self> {
        let buffer = Buffer::copy_of(bitcode);
        let mut raw = ptr::null_mut();
        // SAFETY: both handles are live; LLVM reads the buffer and leaves it to us.
        let failed = unsafe { LLVMParseBitcodeInContext2(context.raw, buffer.0, &mut raw) };
        ensure!(failed == 0, "LLVM cannot read back the merged bitcode: {}", context.take_errors().join("; "));
        Ok(Self { raw, context: PhantomData })
    }

    /// Reads LLVM's textual form.
    pub fn from_text(context: &'context Context, text: &CStr) -> Result<Self> {
        let buffer = Buffer::copy_of(text.to_bytes());
        let (mut raw, mut message) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: both handles are live; LLVM reads the buffer and leaves it to us, and on failure sets a message that
        // is ours to dispose of.
        unsafe {
            if LLVMParseIRInContext2(context.raw, buffer.0, &mut raw, &mut message) != 0 {
                bail!("LLVM cannot read this linker's own IR: {}", take_message(message));
            }
        }
        Ok(Self { raw, context: PhantomData })
    }

    pub fn raw(&self) -> LLVMModuleRef {
        self.raw
    }

    /// Moves everything in `other`, a module of the same context, into this one.
    pub fn absorb(&self, other: Self) -> Result<()> {
        // LLVM destroys the other module, also on failure: it must not be dropped again.
        let other = std::mem::ManuallyDrop::new(other);
        // SAFETY: two live modules of one context, as the lifetime says for the one context there is; equal targets and
        // layouts let them link.
        let failed = unsafe {
            LLVMSetTarget(other.raw, LLVMGetTarget(self.raw));
            LLVMSetDataLayout(other.raw, LLVMGetDataLayoutStr(self.raw));
            LLVMLinkModules2(self.raw, other.raw)
        };
        ensure!(failed == 0, "LLVM cannot link this linker's own IR into the program");
        Ok(())
    }

    /// The code generator for the module's target.
    pub fn target_machine(&self) -> Result<Machine> {
        // SAFETY: the module is live and owns its triple; the target is a static of LLVM; the message is ours.
        unsafe {
            let triple = LLVMGetTarget(self.raw);
            let (mut target, mut message) = (ptr::null_mut(), ptr::null_mut());
            if LLVMGetTargetFromTriple(triple, &mut target, &mut message) != 0 {
                bail!("this LLVM cannot generate BPF: {}", take_message(message));
            }
            let raw = LLVMCreateTargetMachine(
                target,
                triple,
                c"v2".as_ptr(),
                CPU_FEATURES.as_ptr(),
                LLVMCodeGenOptLevel::LLVMCodeGenLevelAggressive,
                LLVMRelocMode::LLVMRelocStatic,
                LLVMCodeModel::LLVMCodeModelDefault,
            );
            ensure!(!raw.is_null(), "this LLVM has no code generator for BPF");
            Ok(Machine(raw))
        }
    }

    /// Runs LLVM passes, in the notation of `opt -passes=`.
    pub fn run(&self, machine: &Machine, passes: &CStr) -> Result<()> {
        self.run_for(machine.0, passes)
    }

    /// Runs LLVM passes without knowledge of any machine.
    #[cfg(test)]
    pub fn run_anywhere(&self, passes: &CStr) -> Result<()> {
        self.run_for(ptr::null_mut(), passes)
    }

    fn run_for(&self, machine: LLVMTargetMachineRef, passes: &CStr) -> Result<()> {
        // SAFETY: the handles are live (LLVM takes null for no machine), and the options are disposed of once. An error
        // is consumed by taking its message, which is ours to dispose of.
        unsafe {
            let options = LLVMCreatePassBuilderOptions();
            let error = LLVMRunPasses(self.raw, passes.as_ptr(), machine, options);
            LLVMDisposePassBuilderOptions(options);
            if !error.is_null() {
                let message = LLVMGetErrorMessage(error);
                let text = CStr::from_ptr(message).to_string_lossy().into_owned();
                LLVMDisposeErrorMessage(message);
                bail!("LLVM cannot run the passes {}: {text}", passes.to_string_lossy());
            }
        }
        Ok(())
    }

    /// Checks the module for form. A failure is a mistake of this linker.
    pub fn verify(&self) -> Result<()> {
        let mut message = ptr::null_mut();
        // SAFETY: the module is live; LLVM always sets the message, which is ours to dispose of.
        let (broken, text) = unsafe {
            let action = LLVMVerifierFailureAction::LLVMReturnStatusAction;
            let broken = LLVMVerifyModule(self.raw, action, &mut message);
            (broken, take_message(message))
        };
        ensure!(broken == 0, "a legalisation broke the program (a mistake in sbf-link): {text}");
        Ok(())
    }

    /// The functions, defined and declared, in the module's order.
    pub fn functions(&self) -> Vec<LLVMValueRef> {
        // SAFETY: the module is live, and so are the functions on its list.
        unsafe { chain(LLVMGetFirstFunction(self.raw), |function| LLVMGetNextFunction(function)) }
    }
}

impl Drop for Module<'_> {
    fn drop(&mut self) {
        // SAFETY: owned by `self`; `absorb` keeps a module that LLVM destroyed from coming here.
        unsafe { LLVMDisposeModule(self.raw) }
    }
}

/// A code generator.
pub struct Machine(LLVMTargetMachineRef);

impl Machine {
    /// Compiles the module. LLVM reports most errors to the context instead: look there too.
    pub fn emit_object(&self, module: &Module) -> Result<Vec<u8>> {
        let (mut message, mut object) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: both handles are live; on failure LLVM sets a message, else a buffer, and either is ours.
        unsafe {
            let kind = LLVMCodeGenFileType::LLVMObjectFile;
            let failed = LLVMTargetMachineEmitToMemoryBuffer(self.0, module.raw, kind, &mut message, &mut object);
            if failed != 0 {
                bail!("LLVM cannot generate code: {}", take_message(message));
            }
        }
        Ok(Buffer(object).bytes().to_vec())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: created in `target_machine` and owned by `self`.
        unsafe { LLVMDisposeTargetMachine(self.0) }
    }
}

/// A buffer that LLVM allocated.
struct Buffer(LLVMMemoryBufferRef);

impl Buffer {
    fn copy_of(bytes: &[u8]) -> Self {
        // SAFETY: LLVM copies the bytes that the slice covers.
        Self(unsafe { LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes.as_ptr().cast(), bytes.len(), UNNAMED) })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: LLVM gives the start and the length of the buffer, which lives as long as `self`.
        unsafe { std::slice::from_raw_parts(LLVMGetBufferStart(self.0).cast(), LLVMGetBufferSize(self.0)) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: owned by `self`: every function that takes a buffer above leaves it to us.
        unsafe { LLVMDisposeMemoryBuffer(self.0) }
    }
}

/// The place where new instructions go.
pub struct Builder(LLVMBuilderRef);

impl Builder {
    pub fn new(context: &Context) -> Self {
        // SAFETY: the context is live.
        Self(unsafe { LLVMCreateBuilderInContext(context.raw) })
    }

    pub fn raw(&self) -> LLVMBuilderRef {
        self.0
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        // SAFETY: created in `new` and owned by `self`.
        unsafe { LLVMDisposeBuilder(self.0) }
    }
}

/// The instructions of a function, in order.
///
/// # Safety
///
/// `function` is a function of a live module.
pub unsafe fn instructions(function: LLVMValueRef) -> Vec<LLVMValueRef> {
    // SAFETY: as the caller promises; blocks and instructions live in the function.
    unsafe {
        chain(LLVMGetFirstBasicBlock(function), |block| LLVMGetNextBasicBlock(block))
            .into_iter()
            .flat_map(|block| chain(LLVMGetFirstInstruction(block), |next| LLVMGetNextInstruction(next)))
            .collect()
    }
}

/// The symbol of a function or global; empty where it has none.
///
/// # Safety
///
/// `value` is a value of a live module.
pub unsafe fn symbol(value: LLVMValueRef) -> String {
    let mut length = 0;
    // SAFETY: as the caller promises; LLVM gives the start and the length of the name, which the value owns.
    let name = unsafe {
        let start = LLVMGetValueName2(value, &mut length);
        std::slice::from_raw_parts(start.cast::<u8>(), length)
    };
    String::from_utf8_lossy(name).into_owned()
}

/// The members of one of LLVM's intrusive lists, which end in a null pointer.
fn chain<T>(first: *mut T, next: impl Fn(*mut T) -> *mut T) -> Vec<*mut T> {
    let present = |member: *mut T| (!member.is_null()).then_some(member);
    std::iter::successors(present(first), |member| present(next(*member))).collect()
}

/// The text of a message from LLVM, which is disposed of.
///
/// # Safety
///
/// `message` is null, or a message that LLVM gave away.
unsafe fn take_message(message: *mut c_char) -> String {
    if message.is_null() {
        return "no reason given".to_owned();
    }
    // SAFETY: as the caller promises: a C string, ours to dispose of, once.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeMessage(message);
        text
    }
}
