//! `cargo xtask mutants`: does a test notice when a check is missing?
//!
//! Every check, limit and step of the on-chain program is taken away, turned round or made to look at less, one at a time
//! ([`mutate::Kind`] has the sorts of mistakes). Each of these mutants is built to bytecode, with the compiler and the settings of the committed program, and run against the tests
//! of the program. One that passes them all, a survivor, is a test that is missing, or has its reason in
//! `explained.txt`.

mod explained;
mod mutate;
mod suite;
mod tree;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::explained::Explained;
use self::mutate::{Kind, Mutant};
use self::suite::Suite;
use self::tree::{Build, Tree};
use crate::build_program::Builder;
use crate::workspace::Workspace;

/// Where the program's source is.
const SOURCE: &str = "programs/escrow/src";

/// What is not mutated: what describes the program, and the dispatcher's one-liners.
const LEFT_OUT: [&str; 4] = ["error.rs", "idl.rs", "lib.rs", "security.rs"];

/// How many of the tests that found a mutant nearby are tried first.
const LIKELY: usize = 12;

/// Remove or negate every check of the program, one at a time, and see whether a test notices
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only say which mutants there are
    #[arg(long)]
    list: bool,

    /// Only the mutants whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Only the mutants of this kind (may be repeated)
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Vec<Kind>,

    /// Take from this result of --json, of the same program, what was noticed; try the rest again
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,

    /// Also the checks turned round, besides removed: what notices the one notices the other
    #[arg(long)]
    negated: bool,

    /// Only this many, chosen by --seed
    #[arg(long, value_name = "NUMBER")]
    sample: Option<usize>,

    /// What --sample chooses by
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How many to build and run at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,

    /// Write the figures, and what became of each mutant, to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// A test failed.
    Killed { test: String, reason: String },
    /// No test failed.
    Survived,
    /// No test failed in time. As bad as a survivor.
    TimedOut,
    /// The compiler makes the same program of it.
    Equivalent,
    /// The compiler, or the virtual machine, refuses it.
    Unviable { reason: String },
}

/// One line of the result.
#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    kind: Kind,
    #[serde(flatten)]
    verdict: &'a Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<&'a str>,
}

/// A result of --json, as it is read again.
#[derive(Debug, Deserialize)]
struct Earlier {
    program: String,
    results: Vec<EarlierLine>,
}

#[derive(Debug, Deserialize)]
struct EarlierLine {
    name: String,
    #[serde(flatten)]
    verdict: Verdict,
}

/// How many became what.
#[derive(Debug, Default, Serialize)]
struct Counts {
    /// All of them.
    mutants: usize,
    killed: usize,
    /// Survived, with a reason in `explained.txt`.
    explained: usize,
    /// Survived, without one.
    survived: usize,
    equivalent: usize,
    unviable: usize,
}

impl Counts {
    fn count(&mut self, verdict: &Verdict, explained: bool) {
        self.mutants += 1;
        *match verdict {
            Verdict::Survived | Verdict::TimedOut if explained => &mut self.explained,
            Verdict::Survived | Verdict::TimedOut => &mut self.survived,
            Verdict::Killed { .. } => &mut self.killed,
            Verdict::Equivalent => &mut self.equivalent,
            Verdict::Unviable { .. } => &mut self.unviable,
        } += 1;
    }
}

/// What a run has shown.
#[derive(Debug, Default, Serialize)]
struct Figures {
    #[serde(flatten)]
    all: Counts,
    /// Killed, in percent of those that a test could kill: of the killed, the explained and the survivors.
    kill_rate_percent: f64,
    tests: usize,
    by_kind: BTreeMap<Kind, Counts>,
}

pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let explained = Explained::read()?;
    let all = find(workspace)?;
    let unknown: Vec<&str> = explained.names().filter(|name| all.iter().all(|mutant| mutant.name != *name)).collect();
    ensure!(
        unknown.is_empty(),
        "explained.txt has a reason for what is no mutant any more:\n  {}",
        unknown.join("\n  ")
    );
    let chosen = choose(&all, args)?;
    if args.list {
        chosen.iter().for_each(|mutant| println!("{}", mutant.name));
        return Ok(());
    }
    ensure!(!chosen.is_empty(), "there is no such mutant");

    let work = workspace.target.join("mutants");
    let builder = Builder::new(workspace)?;
    eprintln!("Building and running the program as it is");
    let trees = trees(workspace, &builder, &work, usize::from(args.jobs).min(chosen.len()))?;
    let original = trees.first().context("no tree")?.original.clone();
    let elf = work.join("original.so");
    fs::write(&elf, &original).with_context(|| format!("cannot write {}", elf.display()))?;
    let suite = Suite::new(workspace, &elf, &work.join("tests"))?;
    let program = hex(&Sha256::digest(&original));
    let known = known(args, &program)?;
    let tried: Vec<&Mutant> = chosen.iter().filter(|mutant| !known.contains_key(&mutant.name)).copied().collect();
    let counts = (suite.count(), chosen.len(), all.len(), tried.len());
    eprintln!("{} tests; {} mutants of {}, of which {} are tried", counts.0, counts.1, counts.2, counts.3);

    let bench = Bench {
        suite,
        builder,
        work,
        original,
        progress: progress(tried.len()),
        killers: Mutex::default(),
        known: Mutex::default(),
        survivors: AtomicUsize::new(0),
    };
    let mut verdicts = known;
    let found = bench.judge_all(trees, &tried)?;
    verdicts.extend(tried.iter().map(|mutant| mutant.name.clone()).zip(found));
    let verdicts: Vec<Verdict> = chosen.iter().filter_map(|mutant| verdicts.get(&mutant.name).cloned()).collect();
    report(args, &explained, &chosen, &verdicts, bench.suite.count(), &program)
}

/// What an earlier result says of mutants of the same program, but for those that no test noticed.
fn known(args: &Args, program: &str) -> Result<HashMap<String, Verdict>> {
    let Some(path) = &args.after else { return Ok(HashMap::new()) };
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let earlier: Earlier =
        serde_json::from_str(&text).with_context(|| format!("{} is no result of --json", path.display()))?;
    ensure!(earlier.program == program, "{} is about another program: {}", path.display(), earlier.program);
    let noticed =
        earlier.results.into_iter().filter(|line| !matches!(line.verdict, Verdict::Survived | Verdict::TimedOut));
    Ok(noticed.map(|line| (line.name, line.verdict)).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All mutants, in the order of the files and of what stands in them.
fn find(workspace: &Workspace) -> Result<Vec<Mutant>> {
    let root = workspace.root.join(SOURCE);
    let mut found = Vec::new();
    for file in tree::files(&root)? {
        let name = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        if name.ends_with(".rs") && !LEFT_OUT.contains(&name.as_str()) {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            found.extend(mutate::mutants(&name, &text)?);
        }
    }
    Ok(found)
}

fn choose<'a>(all: &'a [Mutant], args: &Args) -> Result<Vec<&'a Mutant>> {
    let mut chosen: Vec<&Mutant> = all.iter().filter(|mutant| args.negated || !mutant.implied).collect();
    if let Some(filter) = &args.filter {
        chosen.retain(|mutant| mutant.name.contains(filter));
    }
    if !args.kind.is_empty() {
        chosen.retain(|mutant| args.kind.contains(&mutant.kind));
    }
    if let Some(number) = args.sample {
        eprintln!("A sample of {number}, by the seed {}", args.seed);
        let place: HashMap<&str, [u8; 32]> = chosen
            .iter()
            .map(|mutant| (mutant.name.as_str(), Sha256::digest(format!("{}:{}", args.seed, mutant.name)).into()))
            .collect();
        let mut drawn = chosen.clone();
        drawn.sort_by_key(|mutant| place.get(mutant.name.as_str()));
        drawn.truncate(number);
        chosen.retain(|mutant| drawn.contains(mutant));
    }
    Ok(chosen)
}

/// A copy of the project for each worker, with the program built once: a mutant then compiles one crate.
fn trees(workspace: &Workspace, builder: &Builder, work: &Path, jobs: usize) -> Result<Vec<Tree>> {
    let trees: Vec<Result<Tree>> = thread::scope(|scope| {
        let started: Vec<_> = (1..=jobs)
            .map(|number| scope.spawn(move || Tree::new(workspace, builder, &work.join(number.to_string()))))
            .collect();
        started.into_iter().map(|tree| tree.join().unwrap_or_else(|_| bail!("a worker ended early"))).collect()
    });
    trees.into_iter().collect()
}

fn progress(length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} {msg} {eta}");
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What the workers share.
struct Bench {
    suite: Suite,
    builder: Builder,
    work: PathBuf,
    original: Vec<u8>,
    progress: ProgressBar,
    /// Which tests killed mutants, the last first, by file and by function: they will kill others there.
    killers: Mutex<HashMap<String, Vec<String>>>,
    /// By the bytes of the program.
    known: Mutex<HashMap<[u8; 32], Verdict>>,
    survivors: AtomicUsize,
}

impl Bench {
    fn judge_all(&self, trees: Vec<Tree>, mutants: &[&Mutant]) -> Result<Vec<Verdict>> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let verdicts: Mutex<BTreeMap<usize, Verdict>> = Mutex::default();
        let work = |tree: &Tree| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(mutant) = mutants.get(index) else { break };
                let verdict = self.judge(tree, mutant).with_context(|| mutant.name.clone())?;
                if matches!(verdict, Verdict::Survived | Verdict::TimedOut) {
                    let survivors = self.survivors.fetch_add(1, Ordering::Relaxed) + 1;
                    self.progress.set_message(format!("{survivors} survived"));
                    self.progress.suspend(|| eprintln!("survived: {}", mutant.name));
                }
                self.progress.inc(1);
                // Where no bar is drawn, as in CI.
                let done = self.progress.position();
                if self.progress.is_hidden() && done.is_multiple_of(50) {
                    eprintln!("{done} of {}", mutants.len());
                }
                lock(&verdicts)?.insert(index, verdict);
            }
            Ok(())
        };
        let results: Vec<Result<()>> = thread::scope(|scope| {
            let started: Vec<_> = trees
                .iter()
                .map(|tree| scope.spawn(|| work(tree).inspect_err(|_| stop.store(true, Ordering::Relaxed))))
                .collect();
            started.into_iter().map(|worker| worker.join().unwrap_or_else(|_| bail!("a worker ended early"))).collect()
        });
        self.progress.finish_and_clear();
        results.into_iter().collect::<Result<()>>()?;
        let verdicts = verdicts.into_inner().map_err(|_| anyhow!("a worker ended early"))?;
        Ok(verdicts.into_values().collect())
    }

    fn judge(&self, tree: &Tree, mutant: &Mutant) -> Result<Verdict> {
        let bytes = match tree.build(&self.builder, &self.work.join("built"), mutant)? {
            Build::Program(bytes) => bytes,
            Build::Refused(reason) => return Ok(Verdict::Unviable { reason }),
        };
        if bytes == self.original {
            return Ok(Verdict::Equivalent);
        }
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        // Which test killed it the last time: it is asked again, first.
        let noted = self.work.join("killers").join(hex(hash.get(..16).unwrap_or(&hash)));
        if let Some(verdict) = lock(&self.known)?.get(&hash) {
            return Ok(verdict.clone());
        }
        let elf = tree.folder.join("mutant.so");
        fs::write(&elf, &bytes).with_context(|| format!("cannot write {}", elf.display()))?;
        let places = [format!("{} {}", mutant.file, mutant.function), mutant.file.clone()];
        let likely: Vec<String> = {
            let killers = lock(&self.killers)?;
            places.iter().filter_map(|place| killers.get(place)).flatten().take(LIKELY).cloned().collect()
        };
        let verdict = match fs::read_to_string(&noted) {
            Ok(test) => self.suite.judge(&elf, &[test], &likely)?,
            Err(_) => self.suite.judge(&elf, &[], &likely)?,
        };
        if let Verdict::Killed { test, .. } = &verdict {
            tree::write(&noted, test.as_bytes())?;
            let mut killers = lock(&self.killers)?;
            for place in places {
                let tests = killers.entry(place).or_default();
                tests.retain(|other| other != test);
                tests.insert(0, test.clone());
                tests.truncate(LIKELY / 2);
            }
        }
        lock(&self.known)?.insert(hash, verdict.clone());
        Ok(verdict)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> Result<std::sync::MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| anyhow!("a worker ended early"))
}

fn report(
    args: &Args,
    explained: &Explained,
    mutants: &[&Mutant],
    verdicts: &[Verdict],
    tests: usize,
    program: &str,
) -> Result<()> {
    let mut figures = Figures { tests, ..Figures::default() };
    let (mut survivors, mut stale) = (Vec::new(), Vec::new());
    for (mutant, verdict) in mutants.iter().zip(verdicts) {
        let name = mutant.name.as_str();
        let (explained, survived) =
            (explained.reason(name).is_some(), matches!(verdict, Verdict::Survived | Verdict::TimedOut));
        figures.all.count(verdict, explained);
        figures.by_kind.entry(mutant.kind).or_default().count(verdict, explained);
        match (survived, explained) {
            (true, false) => survivors.push(name),
            (false, true) => stale.push(name),
            _ => {}
        }
    }
    let Counts { killed, explained: reasons, survived, .. } = figures.all;
    figures.kill_rate_percent = percent(killed, killed + reasons + survived);

    println!("{:5} mutants, against {tests} tests", figures.all.mutants);
    println!("{killed:5} killed by a test, {:.1} % of those that differ", figures.kill_rate_percent);
    println!("{reasons:5} survived, and explained.txt says why");
    println!("{survived:5} survived");
    println!("{:5} the same bytecode as the program", figures.all.equivalent);
    println!("{:5} refused by the compiler", figures.all.unviable);
    if let Some(path) = &args.json {
        let lines: Vec<Line> = mutants
            .iter()
            .zip(verdicts)
            .map(|(mutant, verdict)| Line {
                name: &mutant.name,
                kind: mutant.kind,
                verdict,
                explained: explained.reason(&mutant.name),
            })
            .collect();
        let text = serde_json::to_string_pretty(
            &serde_json::json!({ "program": program, "figures": figures, "results": lines }),
        )?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    if !survivors.is_empty() {
        bail!(
            "no test notices these; write one, or a reason in xtask/src/mutants/explained.txt:\n  {}",
            survivors.join("\n  ")
        );
    }
    ensure!(
        stale.is_empty(),
        "explained.txt has a reason why these survive, and they do not:\n  {}",
        stale.join("\n  ")
    );
    Ok(())
}

/// With one digit.
fn percent(part: usize, whole: usize) -> f64 {
    let per_mille = (part * 1_000).checked_div(whole).unwrap_or(1_000);
    f64::from(u32::try_from(per_mille).unwrap_or(u32::MAX)) / 10.0
}
