//! The command line that rustc builds for the linker flavour `bpf`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use bpf_linker::OptLevel;
use sbpf_linker::SbpfArch;

#[derive(Debug)]
pub struct Args {
    /// Bitcode files, and archives of them.
    pub inputs: Vec<PathBuf>,
    pub output: PathBuf,
    pub opt_level: OptLevel,
    pub arch: SbpfArch,
    /// A file that lists the symbols to export, one a line.
    export_list: Option<PathBuf>,
}

impl Args {
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut inputs = Vec::new();
        let mut output = None;
        let mut opt_level = OptLevel::Aggressive;
        let mut arch = SbpfArch::V3;
        let mut export_list = None;

        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("the option {arg} needs a value"));
            match arg.as_str() {
                "-o" => output = Some(PathBuf::from(value()?)),
                "--export-symbols" => export_list = Some(PathBuf::from(value()?)),
                // Settled by this linker: every program is for one processor, and every input is named in full.
                "-L" | "--cpu" | "--cpu-features" | "--target" | "-flavor" => drop(value()?),
                "-O0" => opt_level = OptLevel::No,
                "-O1" => opt_level = OptLevel::Less,
                "-O2" => opt_level = OptLevel::Default,
                "-O3" => opt_level = OptLevel::Aggressive,
                "-Os" => opt_level = OptLevel::Size,
                "-Oz" => opt_level = OptLevel::SizeMin,
                "--arch=v0" => arch = SbpfArch::V0,
                "--arch=v3" => arch = SbpfArch::V3,
                unknown if unknown.starts_with("--arch") => {
                    bail!("{unknown}: this linker writes --arch=v0 and --arch=v3")
                }
                // rustc also passes flags without a meaning here, such as `--debug` and `--as-needed`.
                flag if flag.starts_with('-') => {}
                input => inputs.push(PathBuf::from(input)),
            }
        }

        ensure!(!inputs.is_empty(), "no input files; rustc calls this program, as -C linker=sbf-link");
        let output = output.context("no output file; name it with -o")?;
        Ok(Self { inputs, output, opt_level, arch, export_list })
    }

    /// The symbols to export. None without a list.
    pub fn read_exports(&self) -> Result<Vec<String>> {
        let Some(path) = &self.export_list else {
            return Ok(Vec::new());
        };
        let list = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(list.lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_command_line_of_rustc() {
        let args = parse(
            "--export-symbols symbols.txt escrow.o libcore.rlib -L /some/where --cpu generic \
             --arch=v0 -O3 --debug -o escrow.so",
        )
        .unwrap();
        assert_eq!(args.inputs, ["escrow.o", "libcore.rlib"].map(PathBuf::from));
        assert_eq!(args.output, PathBuf::from("escrow.so"));
        assert_eq!(args.export_list, Some(PathBuf::from("symbols.txt")));
        assert!(matches!(args.arch, SbpfArch::V0));
        assert!(matches!(args.opt_level, OptLevel::Aggressive));
    }

    #[test]
    fn the_value_of_an_ignored_option_is_not_an_input() {
        let args = parse("a.o -L dir --cpu v4 --cpu-features +x --target bpfel -flavor bpf -o out").unwrap();
        assert_eq!(args.inputs, [PathBuf::from("a.o")]);
    }

    #[test]
    fn the_architecture_is_v3_unless_asked() {
        assert!(matches!(parse("a.o -o out").unwrap().arch, SbpfArch::V3));
        assert!(matches!(parse("a.o -o out --arch=v3").unwrap().arch, SbpfArch::V3));
    }

    #[test]
    fn an_architecture_that_cannot_be_written_is_refused() {
        let error = parse("a.o -o out --arch=v2").unwrap_err().to_string();
        assert!(error.contains("--arch=v2") && error.contains("--arch=v3"), "{error}");
    }

    #[test]
    fn size_optimisation_reaches_llvm() {
        assert!(matches!(parse("a.o -o out -Os").unwrap().opt_level, OptLevel::Size));
        assert!(matches!(parse("a.o -o out -Oz").unwrap().opt_level, OptLevel::SizeMin));
    }

    #[test]
    fn an_incomplete_command_line_says_what_is_missing() {
        assert!(parse("a.o -o").unwrap_err().to_string().contains("-o"));
        assert!(parse("a.o").unwrap_err().to_string().contains("no output file"));
        assert!(parse("-o out").unwrap_err().to_string().contains("no input files"));
    }
}
