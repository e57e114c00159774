//! Asks the solver Z3 about the claims of a file.
//!
//! A claim is a block of such a file: what is assumed, then behind `; THEREFORE` the negation of what follows. If the
//! solver finds nothing that satisfies both, the claim holds for every input.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// A solver gives up on one claim after this many seconds. The longest takes one or two.
const TIMEOUT: u32 = 300;

/// A claim, as in the file.
#[derive(Debug, Clone)]
pub struct Claim {
    /// In words.
    pub name: String,
    /// What it is about: the functions of its file.
    definitions: String,
    /// What is assumed.
    assumptions: String,
    /// The negation of what follows.
    negation: String,
}

/// The claims of a file, each with the definitions at the beginning of the file.
pub fn claims(text: &str) -> Result<Vec<Claim>> {
    let mut blocks = text.split("; CLAIM ");
    let definitions = blocks.next().context("an empty file")?;
    blocks
        .map(|block| {
            let (name, block) = block.split_once('\n').context("a claim without a body")?;
            let parts = block.split_once("; THEREFORE").with_context(|| format!("`{name}` claims nothing"))?;
            let (negation, _) = parts.1.split_once("(check-sat)").with_context(|| format!("`{name}` asks nothing"))?;
            Ok(Claim {
                name: name.to_owned(),
                definitions: definitions.to_owned(),
                assumptions: parts.0.to_owned(),
                negation: negation.to_owned(),
            })
        })
        .collect()
}

/// An installed Z3.
#[derive(Debug)]
pub struct Solver {
    version: String,
}

impl Solver {
    /// Looks for it, or says how to get it.
    pub fn find() -> Result<Self> {
        let output = Command::new("z3").arg("--version").output();
        let version = output.ok().filter(|output| output.status.success()).context(
            "The solver Z3 is missing: on Debian, `apt-get install z3`; elsewhere, a `z3` of 4.8.12 or later on the PATH",
        )?;
        let version = String::from_utf8_lossy(&version.stdout);
        Ok(Self { version: version.split(" - ").next().unwrap_or("Z3").trim().to_owned() })
    }

    /// Its name and version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Proves the claim, or says for which input it fails.
    pub fn prove(&self, claim: &Claim) -> Result<()> {
        let Claim { name, definitions, assumptions, negation } = claim;
        // Assumptions that nothing satisfies would prove anything.
        let script = format!("{definitions}{assumptions}(check-sat)\n{negation}(check-sat)\n");
        let answers = self.ask(&script)?;
        match answers.lines().collect::<Vec<_>>().as_slice() {
            ["sat", "unsat"] => Ok(()),
            ["unsat", ..] => bail!("`{name}` assumes what is impossible, so it says nothing"),
            ["sat", "sat"] => {
                let wanted = format!("{script}(get-value ({}))\n", constants(assumptions).join(" "));
                let answers = self.ask(&wanted)?;
                let example = answers.split_once("sat\nsat\n").map_or(answers.as_str(), |(_, example)| example);
                bail!("`{name}` does not hold; an example:\n{}", example.trim())
            }
            other => bail!("`{name}` is not decided: the solver answers {other:?}"),
        }
    }

    fn ask(&self, script: &str) -> Result<String> {
        let mut solver = Command::new("z3")
            .args(["-in", "-smt2", &format!("-T:{TIMEOUT}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run z3")?;
        // Taken, so that it is closed when all is written.
        solver.stdin.take().context("no standard input")?.write_all(script.as_bytes())?;
        let output = solver.wait_with_output()?;
        let answers = String::from_utf8(output.stdout)?;
        ensure!(!answers.contains("(error"), "the solver does not understand: {answers}");
        Ok(answers)
    }
}

/// The names that a claim declares.
fn constants(assumptions: &str) -> Vec<&str> {
    let declared = assumptions.split("(declare-const ").skip(1);
    declared.filter_map(|rest| rest.split_whitespace().next()).collect()
}
