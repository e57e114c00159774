//! Lays a BPF object out as an SBF shared object, with `sbpf-linker`.

use anyhow::{Result, bail};
use sbpf_linker::{OptimizationConfig, ProgramOptions, SbpfArch, SbpfLinkerError, link_program};

use crate::STACK_FRAME_BYTES;

pub fn program(object: &[u8], arch: SbpfArch) -> Result<Vec<u8>> {
    let options = ProgramOptions::new(OptimizationConfig::enabled(), arch, STACK_FRAME_BYTES);
    match link_program(object, options) {
        Ok(program) => Ok(program),
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(explain).collect();
            bail!("the program cannot be laid out:\n  {}", errors.join("\n  "))
        }
    }
}

fn explain(error: &SbpfLinkerError) -> String {
    match error {
        SbpfLinkerError::MissingExportSymbol { symbol } => format!(
            "`{}` is called and nowhere defined: no crate of the program has it, and it is no system call of Solana",
            crate::readable(symbol)
        ),
        SbpfLinkerError::StackArgOverlap { function, .. } => {
            format!("{error}; give `{}` fewer arguments, or smaller local values", crate::readable(function))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_function_is_named_as_its_author_knows_it() {
        let symbol = "_ZN6escrow3fee17h0123456789abcdefE".to_owned();
        let explained = explain(&SbpfLinkerError::MissingExportSymbol { symbol });
        assert!(explained.starts_with("`escrow::fee` is called and nowhere defined"), "{explained}");
    }

    #[test]
    fn garbage_is_refused() {
        assert!(program(b"no object", SbpfArch::V3).is_err());
    }
}
