//! `cargo xtask assure`: runs everything that shows that the promises hold, and writes `docs/assurance.md`.
//!
//! Each part is a command of its own that anybody can run alone. This runs them one after the other, so that each has the
//! whole machine, and puts their numbers next to the promises.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::process;
use crate::workspace::Workspace;

/// Run all checks and proofs, and write docs/assurance.md
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What everything random comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How much of what is random to try, in multiples of what the tests try
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    effort: u64,

    /// How many mutants to build and run at once
    #[arg(long, default_value_t = 2)]
    jobs: u16,

    /// Take from this result of `cargo xtask mutants --json`, of the same program, what it knows: the mutants take the
    /// longest
    #[arg(long, value_name = "FILE")]
    mutants_after: Option<PathBuf>,
}

/// The promises of the design, section 1.
const PROMISES: [&str; 6] = [
    "Money never locks",
    "One exit at a time",
    "Silence has an agreed price",
    "The address is the contract",
    "Nobody else is trusted",
    "Exact to the unit",
];

/// What a part of the work found.
struct Part {
    name: String,
    shows: String,
    promises: Vec<u8>,
    command: String,
    figures: Vec<String>,
    took: Duration,
    /// How ten times more of it would take.
    ten_times: TenTimes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TenTimes {
    /// Ten times as long.
    Longer,
    /// All there is was tried: there is no more.
    Exhausted,
}

/// As `escrow-assurance --json` prints it.
#[derive(Deserialize)]
struct Checked {
    name: String,
    shows: String,
    promises: Vec<u8>,
    figures: Vec<Figure>,
    failure: Option<String>,
    seconds: u64,
}

#[derive(Deserialize)]
struct Figure {
    what: String,
    count: u64,
}

/// As `cargo xtask mutants --json` writes it.
#[derive(Deserialize)]
struct Mutants {
    figures: MutantFigures,
}

#[derive(Deserialize)]
struct MutantFigures {
    mutants: u64,
    killed: u64,
    explained: u64,
    survived: u64,
    equivalent: u64,
    unviable: u64,
    kill_rate_percent: f64,
    tests: u64,
}

/// Checks whose work the effort multiplies; all others try all there is.
const RANDOM: [&str; 2] = ["model", "fuzz"];

pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let start = Instant::now();
    let mut parts = Vec::new();
    let of = 4;
    step(1, of, "all tests", start);
    parts.push(tests(workspace)?);
    step(2, of, "the model, the tables, the proofs, the fuzzing", start);
    parts.extend(checks(workspace, args)?);
    step(3, of, "lints and the supply chain", start);
    parts.push(lints(workspace)?);
    parts.push(supply_chain(workspace)?);
    step(4, of, "mutants", start);
    parts.push(mutants(workspace, args)?);

    let path = report_path(workspace);
    fs::write(&path, report(args, &parts)).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", workspace.relative(&path));
    let ten: Duration =
        parts.iter().map(|part| part.took * if part.ten_times == TenTimes::Longer { 10 } else { 1 }).sum();
    eprintln!(
        "all of it took {}; with --effort {} it would take about {}",
        time(start.elapsed()),
        args.effort * 10,
        time(ten)
    );
    Ok(())
}

fn step(number: usize, of: usize, what: &str, start: Instant) {
    eprintln!("\n[{number}/{of}] {what} (after {})", time(start.elapsed()));
}

fn report_path(workspace: &Workspace) -> PathBuf {
    workspace.root.join("docs/assurance.md")
}

fn tests(workspace: &Workspace) -> Result<Part> {
    let start = Instant::now();
    let mut command = workspace.cargo(&["test", "--workspace"]);
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("`cargo test --workspace` failed:\n{text}");
    }
    let passed: u64 = text.lines().filter_map(passed).sum();
    ensure!(passed != 0, "no test ran");
    Ok(Part {
        name: "tests".to_owned(),
        shows:
            "each rule has a test that breaks it, on the committed bytecode, with the exact error, after which no byte \
                and no lamport moved; each promise has a test of its name (tests/tests/program/promises.rs)"
                .to_owned(),
        promises: (1..=6).collect(),
        command: "cargo test --workspace".to_owned(),
        figures: vec![format!("{} tests, all passed", number(passed))],
        took: start.elapsed(),
        ten_times: TenTimes::Exhausted,
    })
}

/// From `test result: ok. 12 passed; 0 failed; …`.
fn passed(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split_once(' ')?.0.parse().ok()
}

fn checks(workspace: &Workspace, args: &Args) -> Result<Vec<Part>> {
    let (effort, seed) = (args.effort.to_string(), args.seed.to_string());
    let run = ["run", "--quiet", "-p", "escrow-assurance", "--", "--json", "--effort", &effort, "--seed", &seed];
    let mut command = workspace.cargo(&run);
    // Its progress is for whoever waits.
    let output = command.env("ESCROW_REQUIRE_SOLVER", "1").stderr(Stdio::inherit()).output();
    let output = output.context("cannot run cargo")?;
    let outcomes: Vec<Checked> = serde_json::from_slice(&output.stdout).context("the checks printed no result")?;
    let mut parts = Vec::new();
    for outcome in outcomes {
        let Checked { name, shows, promises, figures, failure, seconds } = outcome;
        if let Some(failure) = failure {
            bail!("{name} failed: {failure}");
        }
        let random = RANDOM.contains(&name.as_str());
        let command = if random {
            format!("cargo run -p escrow-assurance -- {name} --effort {effort} --seed {seed}")
        } else {
            format!("cargo run -p escrow-assurance -- {name}")
        };
        parts.push(Part {
            figures: figures.iter().map(|figure| format!("{} {}", number(figure.count), figure.what)).collect(),
            took: Duration::from_secs(seconds),
            ten_times: if random { TenTimes::Longer } else { TenTimes::Exhausted },
            name,
            shows,
            promises,
            command,
        });
    }
    Ok(parts)
}

fn lints(workspace: &Workspace) -> Result<Part> {
    let start = Instant::now();
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    process::run(&mut workspace.cargo(&lints))?;
    let denied = fs::read_to_string(workspace.root.join("programs/escrow/src/lib.rs"))?;
    let denied = denied.lines().filter(|line| line.trim_start().starts_with("clippy::")).count();
    Ok(Part {
        name: "lints".to_owned(),
        shows: "nothing in the program or the client can panic, wrap around, cut a number short or read past an end: \
                `arithmetic_side_effects`, `as_conversions`, `expect_used`, `indexing_slicing`, `panic` and `unwrap_used` \
                are denied, each exception has its reason"
            .to_owned(),
        promises: vec![1, 6],
        command: "cargo clippy --workspace --all-targets -- -D warnings".to_owned(),
        figures: vec![format!("{denied} lints denied beyond the usual")],
        took: start.elapsed(),
        ten_times: TenTimes::Exhausted,
    })
}

fn supply_chain(workspace: &Workspace) -> Result<Part> {
    let start = Instant::now();
    let mut figures = Vec::new();
    match cargo_deny() {
        None => {
            figures.push("NOT CHECKED in this run: cargo-deny is not installed here (.ci/run installs it)".to_owned())
        }
        Some(deny) => {
            let check = |what: &[&str]| {
                let mut command = process::command(&deny);
                command.args(["--locked", "--log-level", "error", "--config", "deny.toml", "check"]).args(what);
                process::run(command.current_dir(&workspace.root))
            };
            check(&["--hide-inclusion-graph", "bans", "licenses", "sources"])?;
            let lock = fs::read_to_string(workspace.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
            let crates = lock.lines().filter(|line| *line == "[[package]]").count();
            figures.push(format!("{crates} crates: what is linked, under which licence and from where"));
            let mut fetch = process::command(&deny);
            fetch.args(["--log-level", "off", "--config", "deny.toml", "fetch", "db"]).current_dir(&workspace.root);
            if process::output(&mut fetch).is_ok() {
                check(&["--hide-inclusion-graph", "advisories"])?;
                figures.push("no advisory but those that deny.toml explains".to_owned());
            } else {
                figures.push("NOT CHECKED in this run: advisories, whose database was out of reach".to_owned());
            }
        }
    }
    Ok(Part {
        name: "supply-chain".to_owned(),
        shows: "nothing is linked that deny.toml does not allow, with the reason".to_owned(),
        promises: vec![5],
        command: "cargo deny check".to_owned(),
        figures,
        took: start.elapsed(),
        ten_times: TenTimes::Exhausted,
    })
}

/// Where `.ci/run` keeps it, or on the path.
fn cargo_deny() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let kept = home.map(|home| home.join(".cache/escrow-ci/tools/bin/cargo-deny")).filter(|path| path.exists());
    kept.or_else(|| process::find("cargo-deny"))
}

fn mutants(workspace: &Workspace, args: &Args) -> Result<Part> {
    let start = Instant::now();
    let results = workspace.target.join("mutants.json");
    let this = std::env::current_exe().context("where is this program?")?;
    let mut command = Command::new(this);
    command.args(["mutants", "--jobs", &args.jobs.to_string(), "--json"]).arg(&results);
    if let Some(earlier) = &args.mutants_after {
        command.arg("--after").arg(earlier);
    }
    process::run(&mut command)?;
    let text = fs::read_to_string(&results).with_context(|| format!("cannot read {}", results.display()))?;
    let Mutants { figures } = serde_json::from_str(&text).context("the mutants left no result")?;
    let MutantFigures { mutants, killed, explained, survived, equivalent, unviable, kill_rate_percent, tests } =
        figures;
    Ok(Part {
        name: "mutants".to_owned(),
        shows:
            "no check of the program can be taken away without a test that notices, but where another stops the same"
                .to_owned(),
        promises: (1..=6).collect(),
        command: "cargo xtask mutants".to_owned(),
        figures: vec![
            format!("{} programs with one check less, run against {} tests", number(mutants), number(tests)),
            format!("{} found by a test: {kill_rate_percent:.1} %", number(killed)),
            format!("{} not, each with its reason (xtask/src/mutants/explained.txt)", number(explained)),
            format!("{survived} not, without one"),
            format!("{equivalent} with the same bytecode as before, {unviable} that no compiler accepts"),
        ],
        took: start.elapsed(),
        ten_times: TenTimes::Exhausted,
    })
}

/// `1234567` as `1,234,567`.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{:.1} h", duration.as_secs_f64() / 3_600.0),
    }
}

fn report(args: &Args, parts: &[Part]) -> String {
    let mut text = String::from(INTRODUCTION);
    let _ = writeln!(
        text,
        "Last written with seed {} and effort {}: the tests try an effort of 1 of what is random. What is exhaustive is \
         the same with any.\n",
        args.seed, args.effort
    );
    text.push_str("## Which promise is shown by what\n\n| promise | shown by |\n| --- | --- |\n");
    for (number, promise) in (1u8..).zip(PROMISES) {
        let names: Vec<String> = parts
            .iter()
            .filter(|part| part.promises.contains(&number))
            .map(|part| format!("[{0}](#{0})", part.name))
            .collect();
        let _ = writeln!(text, "| {number}. {promise} | {} |", names.join(", "));
    }
    text.push_str("\n## What was done, and its numbers\n");
    for part in parts {
        let Part { name, shows, command, figures, ten_times, .. } = part;
        let shows = capital(shows.trim_end_matches('.'));
        let _ = writeln!(text, "\n### {name}\n\n{shows}.\n\n```sh\n{command}\n```\n");
        for figure in figures {
            let _ = writeln!(text, "- {figure}");
        }
        if *ten_times == TenTimes::Longer {
            text.push_str("- random: ten times the effort takes ten times as long\n");
        }
    }
    text.push_str(LIMITS);
    text
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

const INTRODUCTION: &str = "\
# Assurance

How it is shown that the program keeps its promises (README, SECURITY.md), with the command for each part and the numbers
of its last run. A count of tests convinces nobody; what is meant to convince is that all states, all account slots, all
seconds and all inputs were gone through where that is possible, and many by chance where it is not. Everything runs on
the committed bytecode, `programs/escrow/elf/escrow.so`, unless it says otherwise. Nothing depends on time, and everything
random comes from a seed that is printed. Written by

```sh
cargo xtask assure
```

which runs all of it in under an hour on two cores. `.ci/run` runs a part of each kind for every submission.

";

const LIMITS: &str = "
## What this does not show

- Nobody independent has audited the program.
- The model, the tables and the program were written by the same team from the same design: a mistake in the design itself
  is in all of them.
- LiteSVM executes the bytecode with Solana's virtual machine and token programs; a cluster's scheduler, its forks and its
  fees are not in it. The client's tests run on an embedded validator, and can run against a full one (README).
- The proofs of the arithmetic are about formulas that mirror the source, function by function; a test pins the source
  that was mirrored.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_tests_are_counted() {
        assert_eq!(passed("test result: ok. 226 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"), Some(226));
        assert_eq!(passed("test result: FAILED. 1 passed; 1 failed"), None);
        assert_eq!(passed("running 3 tests"), None);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(12_345_678), "12,345,678");
    }
}
