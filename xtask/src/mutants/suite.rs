//! The tests that a mutant is run against: which there are, how long each takes, and running some of them until one
//! fails.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::Verdict;
use crate::process;
use crate::workspace::Workspace;

/// The test binaries that run the program's bytecode in a bank, the quickest to find something first.
const BINARIES: [&str; 3] = ["program", "token_2022", "multisig"];

/// What a mutant may take, in multiples of the program as it is. Compute units run out long before.
const PATIENCE: u32 = 20;

/// A test takes its turn last from here on.
const SLOW: Duration = Duration::from_millis(120);

/// As a test says it (`escrow_tests::World`).
const DOES_NOT_LOAD: &str = "the bytecode loads";

pub struct Suite {
    binaries: Vec<Binary>,
    limit: Duration,
}

struct Binary {
    name: &'static str,
    path: PathBuf,
    /// Where cargo would run it.
    folder: PathBuf,
    tests: Vec<(String, Duration)>,
}

/// How one run of a test binary ended.
enum End {
    /// All passed. How long each took.
    Passed(Vec<(String, Duration)>),
    /// This test failed, and said so.
    Failed {
        test: String,
        reason: String,
    },
    TimedOut,
}

impl Suite {
    /// Builds the tests, and runs them with the program as it is.
    /// Copies of them, in `folder`: so that the project can be worked on in the meantime.
    pub fn new(workspace: &Workspace, elf: &Path, folder: &Path) -> Result<Self> {
        let executables = executables(workspace)?;
        let mut binaries = Vec::new();
        let start = Instant::now();
        for name in BINARIES {
            let path = executables.get(name).with_context(|| format!("cargo built no tests of the name {name}"))?;
            let copy = folder.join(name);
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            fs::copy(path, &copy).with_context(|| format!("cannot copy {}", path.display()))?;
            let mut binary = Binary { name, path: copy, folder: workspace.root.join("tests"), tests: Vec::new() };
            binary.tests = match binary.run(elf, &[], &[], Duration::from_secs(600))? {
                End::Passed(tests) => tests,
                End::Failed { test, reason } => bail!("the program fails its test {name}::{test}: {reason}"),
                End::TimedOut => bail!("the tests {name} take longer than ten minutes"),
            };
            ensure!(!binary.tests.is_empty(), "there are no tests in {name}");
            binaries.push(binary);
        }
        Ok(Self { binaries, limit: (start.elapsed() * PATIENCE).max(Duration::from_secs(60)) })
    }

    pub fn count(&self) -> usize {
        self.binaries.iter().map(|binary| binary.tests.len()).sum()
    }

    /// Runs the tests with this program until one fails: first those of `first`, then those of `likely`, last those that
    /// take long.
    pub fn judge(&self, elf: &Path, first: &[String], likely: &[String]) -> Result<Verdict> {
        let first: HashSet<&str> = first.iter().map(String::as_str).collect();
        let likely: HashSet<&str> = likely.iter().map(String::as_str).collect();
        for turn in [Turn::First, Turn::Likely, Turn::Quick, Turn::Slow] {
            for binary in &self.binaries {
                let (chosen, others): (Vec<_>, Vec<_>) = binary.tests.iter().partition(|(test, duration)| {
                    let name = format!("{}::{test}", binary.name);
                    let due = match name.as_str() {
                        name if first.contains(name) => Turn::First,
                        name if likely.contains(name) => Turn::Likely,
                        _ if *duration < SLOW => Turn::Quick,
                        _ => Turn::Slow,
                    };
                    due == turn
                });
                if chosen.is_empty() {
                    continue;
                }
                // Names on the command line: rather the shorter list.
                let names = |tests: &[&(String, Duration)]| tests.iter().map(|(name, _)| name.clone()).collect();
                let (only, skip): (Vec<String>, Vec<String>) =
                    if chosen.len() <= others.len() { (names(&chosen), vec![]) } else { (vec![], names(&others)) };
                match binary.run(elf, &only, &skip, self.limit)? {
                    End::Passed(passed) => ensure!(
                        passed.len() == chosen.len(),
                        "of {} tests in {}, {} were run",
                        chosen.len(),
                        binary.name,
                        passed.len()
                    ),
                    End::Failed { reason, .. } if reason.contains(DOES_NOT_LOAD) => {
                        return Ok(Verdict::Unviable { reason: "the virtual machine does not load it".to_owned() });
                    }
                    End::Failed { test, reason } => {
                        return Ok(Verdict::Killed { test: format!("{}::{test}", binary.name), reason });
                    }
                    End::TimedOut => return Ok(Verdict::TimedOut),
                }
            }
        }
        Ok(Verdict::Survived)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Likely,
    Quick,
    Slow,
}

impl Binary {
    /// Runs tests one after the other, those of exactly these names, until one fails.
    fn run(&self, elf: &Path, only: &[String], skip: &[String], limit: Duration) -> Result<End> {
        let mut command = process::command(&self.path);
        command
            // One thread, and output as it comes: so that it is known which test says what.
            .args(["--test-threads=1", "--nocapture", "--exact"])
            .args(only)
            .args(skip.iter().flat_map(|test| ["--skip", test]))
            .env("ESCROW_ELF", elf)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.watch(&mut command, limit).with_context(|| format!("the tests {}", self.name))
    }

    fn watch(&self, command: &mut Command, limit: Duration) -> Result<End> {
        let mut child = Stopped(command.spawn().with_context(|| format!("cannot run {}", self.path.display()))?);
        let stdout = child.0.stdout.take().context("no standard output")?;
        let stderr = child.0.stderr.take().context("no standard error")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let said = thread::spawn(move || {
            let mut text = Vec::new();
            // What was said so far counts, however it ended.
            let _ = BufReader::new(stderr).read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let (start, mut began) = (Instant::now(), Instant::now());
        let (mut running, mut passed, mut failed) = (None, Vec::new(), None);
        loop {
            let line = match lines.recv_timeout(limit.saturating_sub(start.elapsed())) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => return Ok(End::TimedOut),
            };
            if let Some((test, _)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ...")) {
                (running, began) = (Some(test.to_owned()), Instant::now());
            }
            let ended = |word| line == word || (line.starts_with("test ") && line.ends_with(word));
            if ended("ok")
                && let Some(test) = running.take()
            {
                passed.push((test, began.elapsed()));
            } else if ended("FAILED") && running.is_some() {
                failed = running.take();
                break;
            }
        }
        let Some(test) = failed else {
            let status = child.0.wait().context("it cannot be waited for")?;
            let said = said.join().unwrap_or_default();
            // Neither passed nor a test that says so: that shows nothing about the program.
            ensure!(status.success(), "ended with {status}, and no test failed: {}", said.trim());
            return Ok(End::Passed(passed));
        };
        drop(child);
        Ok(End::Failed { test, reason: reason(&said.join().unwrap_or_default()) })
    }
}

/// A process that does not outlive its use.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line of what a failed test says.
fn reason(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at "));
    let place = lines.next().unwrap_or_default();
    let place = place.split_once("panicked at ").map_or(place, |(_, place)| place);
    let message: Vec<&str> = lines.map(str::trim).take_while(|line| !line.starts_with("note: ")).take(3).collect();
    format!("{place} {}", message.join(" ")).trim().to_owned()
}

/// The test binaries of the package `escrow-tests`, by name.
fn executables(workspace: &Workspace) -> Result<HashMap<String, PathBuf>> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        target: Option<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        kind: Vec<String>,
        name: String,
    }
    // The whole workspace, so that its features are those of any other test run, and nothing is compiled twice.
    let messages = process::output(
        process::command("cargo")
            .args(["test", "--quiet", "--locked", "--workspace", "--no-run", "--message-format=json"])
            .arg("--target-dir")
            .arg(&workspace.target)
            .current_dir(&workspace.root),
    )?;
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()).filter_map(|message| {
        let (path, target) = (message.executable?, message.target?);
        target.kind.iter().any(|kind| kind == "test").then_some((target.name, path))
    });
    Ok(built.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_assertion() {
        let said = "case: x\nthread 'fund::late' (7) panicked at tests/fund.rs:7:9:\naccepted, where Custom(6012) was \
                    expected\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(reason(said), "tests/fund.rs:7:9: accepted, where Custom(6012) was expected");
        assert_eq!(reason("nothing"), "");
    }
}
