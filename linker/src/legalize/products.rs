//! Products wider than a register.
//!
//! Rust multiplies 128-bit numbers directly, and 64-bit numbers through `llvm.umul.with.overflow.i64` wherever overflow
//! is checked. LLVM computes both from the high half of a 64 x 64 bit product; BPF has no instruction for that, LLVM
//! calls `__multi3` instead, and the BPF back end refuses calls that the program did not write. So the high half comes
//! from a helper of ours.

// Every function here passes values of one live module to LLVM's builder, which neither keeps nor frees them: the
// contract is the same for each call, and stands at `Legalizer::rewrite`.
#![allow(unsafe_op_in_unsafe_fn, reason = "one contract for the whole module, see above")]

use std::ffi::CStr;

use anyhow::{Result, ensure};
use bpf_linker::llvm_sys::core::*;
use bpf_linker::llvm_sys::prelude::*;
use bpf_linker::llvm_sys::{LLVMIntPredicate, LLVMOpcode};

use crate::llvm::{Builder, Context, Module, UNNAMED, symbol};

const HELPER: &CStr = c"__sbf_mulhu";

/// The high half of `a * b`, from the products of their 32-bit halves. `noinline`, because it is 19 instructions.
/// `llvm.used` keeps it while the modules are linked, before it has a caller.
const HELPER_IR: &CStr = c"
@llvm.used = appending global [1 x ptr] [ptr @__sbf_mulhu], section \"llvm.metadata\"

define internal i64 @__sbf_mulhu(i64 %a, i64 %b) noinline nounwind willreturn memory(none) {
  %a.low = and i64 %a, 4294967295
  %a.high = lshr i64 %a, 32
  %b.low = and i64 %b, 4294967295
  %b.high = lshr i64 %b, 32
  %low.low = mul i64 %a.low, %b.low
  %low.high = mul i64 %a.low, %b.high
  %high.low = mul i64 %a.high, %b.low
  %high.high = mul i64 %a.high, %b.high
  %carried = lshr i64 %low.low, 32
  %middle.1 = add i64 %high.low, %carried
  %middle.1.low = and i64 %middle.1, 4294967295
  %middle.1.high = lshr i64 %middle.1, 32
  %middle.2 = add i64 %low.high, %middle.1.low
  %middle.2.high = lshr i64 %middle.2, 32
  %top = add i64 %high.high, %middle.1.high
  %result = add i64 %top, %middle.2.high
  ret i64 %result
}
";

pub struct Legalizer<'a> {
    builder: &'a Builder,
    helper: LLVMValueRef,
    /// The types of 64 and 128 bits.
    word: LLVMTypeRef,
    wide: LLVMTypeRef,
}

impl<'a> Legalizer<'a> {
    /// Adds the helper to the module.
    pub fn new(context: &Context, module: &'a Module, builder: &'a Builder) -> Result<Self> {
        module.absorb(Module::from_text(context, HELPER_IR)?)?;
        // SAFETY: the module and the context are live. `llvm.used` has done its work; nothing refers to it.
        unsafe {
            let used = LLVMGetNamedGlobal(module.raw(), c"llvm.used".as_ptr());
            if !used.is_null() {
                LLVMDeleteGlobal(used);
            }
            let helper = LLVMGetNamedFunction(module.raw(), HELPER.as_ptr());
            ensure!(!helper.is_null(), "the multiplication helper is lost");
            let word = LLVMInt64TypeInContext(context.raw());
            let wide = LLVMInt128TypeInContext(context.raw());
            Ok(Self { builder, helper, word, wide })
        }
    }

    /// Rewrites the instruction if it is a wide product, and then erases it. Says whether it did.
    ///
    /// # Safety
    ///
    /// `instruction` is an instruction of the live module that this was made for.
    pub unsafe fn rewrite(&self, instruction: LLVMValueRef) -> bool {
        let replacement =
            if LLVMGetInstructionOpcode(instruction) == LLVMOpcode::LLVMMul && LLVMTypeOf(instruction) == self.wide {
                LLVMPositionBuilderBefore(self.builder.raw(), instruction);
                self.product(LLVMGetOperand(instruction, 0), LLVMGetOperand(instruction, 1))
            } else if !LLVMIsACallInst(instruction).is_null() {
                let checked: unsafe fn(&Self, _, _) -> _ = match symbol(LLVMGetCalledValue(instruction)).as_str() {
                    "llvm.umul.with.overflow.i64" => Self::checked_unsigned,
                    "llvm.smul.with.overflow.i64" => Self::checked_signed,
                    "llvm.umul.with.overflow.i128" => Self::checked_wide,
                    _ => return false,
                };
                LLVMPositionBuilderBefore(self.builder.raw(), instruction);
                let (x, y) = (LLVMGetOperand(instruction, 0), LLVMGetOperand(instruction, 1));
                let (product, overflow) = checked(self, x, y);
                let pair = LLVMGetUndef(LLVMTypeOf(instruction));
                let pair = LLVMBuildInsertValue(self.builder.raw(), pair, product, 0, UNNAMED);
                LLVMBuildInsertValue(self.builder.raw(), pair, overflow, 1, UNNAMED)
            } else {
                return false;
            };
        LLVMReplaceAllUsesWith(instruction, replacement);
        LLVMInstructionEraseFromParent(instruction);
        true
    }

    /// x * y, of which 128 bits are kept.
    unsafe fn product(&self, x: LLVMValueRef, y: LLVMValueRef) -> LLVMValueRef {
        let ((x_low, x_high), (y_low, y_high)) = (self.halves(x), self.halves(y));
        let high = self.high_half(x_low, y_low);
        let high = self.add(high, self.mul(x_low, y_high));
        let high = self.add(high, self.mul(x_high, y_low));
        self.join(self.mul(x_low, y_low), high)
    }

    /// The unsigned product of two words, and whether it overflowed: its high half is not 0.
    unsafe fn checked_unsigned(&self, x: LLVMValueRef, y: LLVMValueRef) -> (LLVMValueRef, LLVMValueRef) {
        (self.mul(x, y), self.is_not_zero(self.high_half(x, y)))
    }

    /// The signed product of two words, and whether it overflowed: its high half is not the sign of its low half.
    /// A negative factor counts 2^64 too much in the unsigned product, hence the two corrections.
    unsafe fn checked_signed(&self, x: LLVMValueRef, y: LLVMValueRef) -> (LLVMValueRef, LLVMValueRef) {
        let b = self.builder.raw();
        let low = self.mul(x, y);
        let high = self.high_half(x, y);
        let high = LLVMBuildSub(b, high, LLVMBuildAnd(b, self.sign(x), y, UNNAMED), UNNAMED);
        let high = LLVMBuildSub(b, high, LLVMBuildAnd(b, self.sign(y), x, UNNAMED), UNNAMED);
        (low, LLVMBuildICmp(b, LLVMIntPredicate::LLVMIntNE, high, self.sign(low), UNNAMED))
    }

    /// The unsigned product of two 128-bit numbers, and whether it overflowed: both have a high half, or a cross
    /// product is wider than a word, or adding the cross products carries.
    unsafe fn checked_wide(&self, x: LLVMValueRef, y: LLVMValueRef) -> (LLVMValueRef, LLVMValueRef) {
        let b = self.builder.raw();
        let either = |p, q| LLVMBuildOr(b, p, q, UNNAMED);
        let carried = |sum, part| LLVMBuildICmp(b, LLVMIntPredicate::LLVMIntULT, sum, part, UNNAMED);

        let ((x_low, x_high), (y_low, y_high)) = (self.halves(x), self.halves(y));
        let both_wide = LLVMBuildAnd(b, self.is_not_zero(x_high), self.is_not_zero(y_high), UNNAMED);
        let (cross_1, overflow_1) = self.checked_unsigned(x_low, y_high);
        let (cross_2, overflow_2) = self.checked_unsigned(x_high, y_low);
        let high_1 = self.high_half(x_low, y_low);
        let high_2 = self.add(high_1, cross_1);
        let high_3 = self.add(high_2, cross_2);
        let carry = either(carried(high_2, cross_1), carried(high_3, cross_2));
        let overflow = either(both_wide, either(carry, either(overflow_1, overflow_2)));
        (self.join(self.mul(x_low, y_low), high_3), overflow)
    }

    unsafe fn high_half(&self, x: LLVMValueRef, y: LLVMValueRef) -> LLVMValueRef {
        let signature = LLVMGlobalGetValueType(self.helper);
        let mut arguments = [x, y];
        LLVMBuildCall2(self.builder.raw(), signature, self.helper, arguments.as_mut_ptr(), 2, UNNAMED)
    }

    unsafe fn mul(&self, x: LLVMValueRef, y: LLVMValueRef) -> LLVMValueRef {
        LLVMBuildMul(self.builder.raw(), x, y, UNNAMED)
    }

    unsafe fn add(&self, x: LLVMValueRef, y: LLVMValueRef) -> LLVMValueRef {
        LLVMBuildAdd(self.builder.raw(), x, y, UNNAMED)
    }

    /// All ones for a negative word, else 0.
    unsafe fn sign(&self, x: LLVMValueRef) -> LLVMValueRef {
        LLVMBuildAShr(self.builder.raw(), x, LLVMConstInt(self.word, 63, 0), UNNAMED)
    }

    unsafe fn is_not_zero(&self, x: LLVMValueRef) -> LLVMValueRef {
        let zero = LLVMConstInt(self.word, 0, 0);
        LLVMBuildICmp(self.builder.raw(), LLVMIntPredicate::LLVMIntNE, x, zero, UNNAMED)
    }

    /// The low and the high word of a 128-bit number.
    unsafe fn halves(&self, x: LLVMValueRef) -> (LLVMValueRef, LLVMValueRef) {
        let b = self.builder.raw();
        let high = LLVMBuildLShr(b, x, LLVMConstInt(self.wide, 64, 0), UNNAMED);
        (LLVMBuildTrunc(b, x, self.word, UNNAMED), LLVMBuildTrunc(b, high, self.word, UNNAMED))
    }

    /// The 128-bit number with these words.
    unsafe fn join(&self, low: LLVMValueRef, high: LLVMValueRef) -> LLVMValueRef {
        let b = self.builder.raw();
        let low = LLVMBuildZExt(b, low, self.wide, UNNAMED);
        let high = LLVMBuildZExt(b, high, self.wide, UNNAMED);
        let high = LLVMBuildShl(b, high, LLVMConstInt(self.wide, 64, 0), UNNAMED);
        LLVMBuildOr(b, low, high, UNNAMED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llvm::instructions;

    /// What a legalised checked product computes for these constants: LLVM itself folds the result.
    fn checked(signed: bool, bits: u32, x: u128, y: u128) -> (u128, bool) {
        let sign = if signed { 's' } else { 'u' };
        let pair = format!("{{i{bits}, i1}}");
        let intrinsic = format!("@llvm.{sign}mul.with.overflow.i{bits}");
        let wide = |value: &str| match bits {
            128 => format!("%wide = add i128 {value}, 0"),
            _ => format!("%wide = zext i{bits} {value} to i128"),
        };
        let call = format!("%pair = call {pair} {intrinsic}(i{bits} {x}, i{bits} {y})");
        let product = format!("{call}\n %part = extractvalue {pair} %pair, 0\n {}", wide("%part"));
        let declaration = format!("declare {pair} {intrinsic}(i{bits}, i{bits})");
        let overflow = format!("{call}\n %part = extractvalue {pair} %pair, 1\n %wide = zext i1 %part to i128");
        (fold(&declaration, &product), fold(&declaration, &overflow) == 1)
    }

    fn product(x: u128, y: u128) -> u128 {
        fold("", &format!("%wide = mul i128 {x}, {y}"))
    }

    /// The value of `%wide` after the legalisation.
    fn fold(declaration: &str, body: &str) -> u128 {
        let half = |name: &str, shift: u32| {
            format!(
                "define i64 @{name}() {{\n {body}\n %part_{name} = lshr i128 %wide, {shift}\n \
                 %half = trunc i128 %part_{name} to i64\n ret i64 %half\n}}\n"
            )
        };
        let text = format!("target triple = \"bpfel\"\n{declaration}\n{}{}", half("low", 0), half("high", 64));
        let text = std::ffi::CString::new(text).unwrap();

        let context = Context::new();
        let module = Module::from_text(&context, &text).unwrap();
        let builder = Builder::new(&context);
        let legalizer = Legalizer::new(&context, &module, &builder).unwrap();
        let mut rewritten = 0;
        for function in module.functions() {
            // SAFETY: the function is in the live module; a rewrite erases only the instruction it is given.
            unsafe {
                rewritten += instructions(function).into_iter().filter(|i| legalizer.rewrite(*i)).count();
            }
        }
        assert_eq!(rewritten, 2, "nothing was legalised");
        module.verify().unwrap();
        // SAFETY: the helper is in the live module. From here on, its arithmetic is to be folded.
        unsafe { crate::legalize::signatures::always_inline(&context, legalizer.helper) }
        module.run_anywhere(c"always-inline,function(instcombine,simplifycfg)").unwrap();
        u128::from(result(&module, c"high")) << 64 | u128::from(result(&module, c"low"))
    }

    /// The constant that a function returns.
    fn result(module: &Module, name: &CStr) -> u64 {
        // SAFETY: the module is live and has the function, whose last instruction returns its only operand.
        unsafe {
            let function = LLVMGetNamedFunction(module.raw(), name.as_ptr());
            let value = LLVMGetOperand(*instructions(function).last().unwrap(), 0);
            assert!(!LLVMIsAConstantInt(value).is_null(), "not folded");
            LLVMConstIntGetZExtValue(value)
        }
    }

    /// Where carries happen and where they do not.
    const WORDS: [u64; 10] = [
        0,
        1,
        3,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0001,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0xfedc_ba98_7654_3210,
        u64::MAX,
    ];

    fn pairs() -> impl Iterator<Item = (u64, u64)> {
        WORDS.into_iter().flat_map(|x| WORDS.into_iter().map(move |y| (x, y)))
    }

    #[test]
    fn unsigned_products_of_words() {
        for (x, y) in pairs() {
            let (product, overflow) = x.overflowing_mul(y);
            assert_eq!(checked(false, 64, x.into(), y.into()), (product.into(), overflow), "{x} * {y}");
        }
    }

    #[test]
    fn signed_products_of_words() {
        for (x, y) in pairs() {
            let (product, overflow) = x.cast_signed().overflowing_mul(y.cast_signed());
            let expected = (product.cast_unsigned().into(), overflow);
            assert_eq!(checked(true, 64, x.into(), y.into()), expected, "{x} * {y}");
        }
    }

    #[test]
    fn wide_products() {
        for (x, y) in pairs() {
            assert_eq!(product(x.into(), y.into()), u128::from(x) * u128::from(y), "{x} * {y}");
            let (x, y) = (u128::from(x) << 64 | u128::from(y), u128::from(y) << 64 | u128::from(x));
            assert_eq!(product(x, y), x.wrapping_mul(y), "{x} * {y}");
        }
    }

    #[test]
    fn checked_wide_products() {
        for (x, y) in pairs() {
            for (x, y) in [
                (u128::from(x), u128::from(y)),
                (u128::from(x) << 64 | u128::from(y), u128::from(y)),
                (u128::from(x), u128::from(y) << 64 | u128::from(x)),
                (u128::from(x) << 64, u128::from(y) << 64),
                (u128::from(x) << 32, u128::from(y) << 32 | 1),
            ] {
                assert_eq!(checked(false, 128, x, y), x.overflowing_mul(y), "{x} * {y}");
            }
        }
    }
}
