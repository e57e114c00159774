//! Turns the merged module into a BPF object.

use anyhow::{Result, bail};

use crate::legalize::legalize;
use crate::llvm::{Context, Module};

pub fn object(bitcode: &[u8]) -> Result<Vec<u8>> {
    let context = Context::new();
    let module = Module::from_bitcode(&context, bitcode)?;
    let machine = module.target_machine()?;
    legalize(&context, &module, &machine)?;
    let object = machine.emit_object(&module);
    // LLVM goes on after many errors, to report the next one: its verdict alone does not tell.
    let errors = context.take_errors();
    if !errors.is_empty() {
        bail!("the program cannot be expressed in SBF:\n{}", explain_all(&errors));
    }
    object
}

fn explain_all(errors: &[String]) -> String {
    let mut explained: Vec<String> = errors.iter().map(|error| explain(error)).collect();
    explained.dedup();
    explained.join("\n")
}

/// An error of LLVM, with readable names and what can be done about it.
fn explain(error: &str) -> String {
    let readable: Vec<String> = error.split(' ').map(crate::readable).collect();
    let readable = readable.join(" ");
    match advice(error) {
        Some(advice) => format!("  {readable}\n    {advice}"),
        None => format!("  {readable}"),
    }
}

fn advice(error: &str) -> Option<&'static str> {
    const WIDE_DIVISION: [&str; 4] = ["__udivti3", "__umodti3", "__divti3", "__modti3"];
    const WIDE_PRODUCT: [&str; 2] = ["__multi3", "__muloti4"];
    let names = |symbols: &[&str]| symbols.iter().any(|symbol| error.contains(symbol));
    if names(&WIDE_DIVISION) {
        Some("A 128-bit division has no SBF form: divide 64-bit numbers.")
    } else if names(&WIDE_PRODUCT) {
        Some("This 128-bit product has no SBF form: multiply unsigned numbers, or check the operands first.")
    } else if error.contains("A call to built-in function") {
        Some("SBF has no floating point and no compiler runtime: use integers.")
    } else if error.contains("stack limit") {
        Some("A frame holds 4,096 bytes: move large values behind a Box, or into an `#[inline(never)]` function.")
    } else if error.contains("too many arguments") || error.contains("stack arguments") {
        Some("SBF passes five arguments: pass a reference to a struct.")
    } else if error.contains("aggregate returns") || error.contains("only small returns") {
        Some("SBF returns one register: return through a `&mut` argument.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_function_as_its_author_wrote_it() {
        let error = "<unknown>:0:0: in function _ZN6escrow3fee17h0123456789abcdefE i64 (i64): too many arguments";
        let explained = explain(error);
        assert!(explained.contains("in function escrow::fee i64 (i64)"), "{explained}");
        assert!(explained.contains("reference to a struct"), "{explained}");
    }

    #[test]
    fn a_division_is_told_from_floating_point() {
        let division = advice("A call to built-in function '__udivti3' is not supported.").unwrap();
        let float = advice("A call to built-in function '__adddf3' is not supported.").unwrap();
        assert!(division.contains("division") && float.contains("floating point"));
    }

    #[test]
    fn the_same_error_is_told_once() {
        assert_eq!(explain_all(&["one".into(), "one".into(), "two".into()]), "  one\n  two");
    }
}
