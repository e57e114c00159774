//! Many schedules at once, what they amount to, and the smallest one that breaks a promise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use escrow_fault_proxy::{Fault, Plan, Proxy};
use futures_util::{StreamExt, future::join_all, stream};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use crate::{
    command,
    deed::Scene,
    gateway,
    judge::{Broken, Judge, Told},
    library::{Heard, Run, SECRET, leaks},
    schedule::{Door, Kill, Schedule, name},
    world::World,
};

/// As many as a full run takes of each door, and as one without `ESCROW_EFFORT` does.
const EFFORTS: [(Door, u64, u64); 3] = [(Door::Library, 700, 7), (Door::Command, 300, 3), (Door::Gateway, 300, 30)];

/// How many are under way at once: most of a schedule is waiting for blocks.
const AT_ONCE: usize = 16;

/// After so many a fresh validator is taken: it keeps all of its blocks.
const OF_ONE_VALIDATOR: u64 = 500;

/// How long whoever asks a gateway waits for a verdict: while nodes go wrong, and when they are well.
const UNWELL: Duration = Duration::from_secs(8);
const WELL: Duration = Duration::from_secs(60);

/// How long a schedule that breaks a promise is made smaller.
const SHRINKING: Duration = Duration::from_secs(90);

/// What came of one schedule.
pub struct Outcome {
    pub broken: Vec<(Broken, String)>,
    excused: Vec<Broken>,
    /// What happened, by the names of what can, and how often.
    counts: BTreeMap<String, u64>,
    took: Duration,
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: write a number")))
}

fn effort(door: Door) -> u64 {
    let effort = EFFORTS.iter().find(|(of, ..)| *of == door);
    let (full, usual) = effort.map_or((0, 0), |(_, full, usual)| (*full, *usual));
    match std::env::var("ESCROW_EFFORT").as_deref() {
        Err(_) => usual,
        Ok("full") => full,
        Ok(_) => number("ESCROW_EFFORT").unwrap_or(0).saturating_mul(full).div_ceil(1_000),
    }
}

/// Runs a door's schedules, prints what happened in them, and fails where a promise was broken.
pub fn run(door: Door) {
    let (schedules, seed) = (effort(door), number("ESCROW_SEED").unwrap_or(1 << 32));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        if door == Door::Command {
            command::build();
        }
        let (began, mut counts, mut table) = (Instant::now(), BTreeMap::new(), BTreeMap::new());
        let mut broken: Vec<(Schedule, Outcome)> = Vec::new();
        let (mut slowest, mut done) = (Duration::ZERO, 0_u64);
        for first in (seed..seed + schedules).step_by(usize::try_from(OF_ONE_VALIDATOR).unwrap_or(usize::MAX)) {
            let world = World::new().await;
            let last = (seed + schedules).min(first + OF_ONE_VALIDATOR);
            let all = (first..last).map(|seed| Schedule::random(door, seed));
            let mut outcomes = stream::iter(all)
                .map(async |schedule| {
                    let outcome = play(&world, &schedule).await;
                    (schedule, outcome)
                })
                .buffer_unordered(AT_ONCE);
            while let Some((schedule, outcome)) = outcomes.next().await {
                done += 1;
                if done % 1_000 == 0 {
                    println!("{done} schedules, {} break a promise", broken.len());
                }
                for (what, count) in &outcome.counts {
                    *counts.entry(what.clone()).or_insert(0) += count;
                }
                slowest = slowest.max(outcome.took);
                let row: &mut [u64; 4] = table.entry(schedule.nodes_are()).or_default();
                row[0] += 1;
                let mut kinds: BTreeSet<Broken> = outcome.broken.iter().map(|(kind, _)| *kind).collect();
                kinds.extend(&outcome.excused);
                for (place, kind) in [(1, Broken::Wrong), (2, Broken::Twice), (3, Broken::NoVerdict)] {
                    row[place] += u64::from(kinds.contains(&kind));
                }
                if !outcome.broken.is_empty() {
                    println!("seed {}: {:?}", schedule.seed, outcome.broken);
                    broken.push((schedule, outcome));
                }
            }
        }
        let took = began.elapsed().as_secs_f64();
        println!(
            "{schedules} schedules through the {door:?} from seed {seed} in {took:.0} s, the slowest in {slowest:.0?}"
        );
        for (nodes, [runs, wrong, twice, none]) in table {
            println!(
                "{nodes:?}: {runs} schedules, {wrong} wrong verdicts, {twice} done twice, {none} without a verdict"
            );
        }
        for (what, count) in &counts {
            println!("{count:>10} {what}");
        }
        if let Some((schedule, outcome)) = broken.first() {
            let (schedule, outcome) = shrink(schedule, outcome.broken.clone()).await;
            let plans: Vec<String> = schedule.nodes.iter().map(|node| node.plan.to_json()).collect();
            panic!(
                "{} schedules break a promise. One of them: {schedule:#?}\n{}\n{outcome:#?}",
                broken.len(),
                plans.join("\n")
            );
        }
    });
}

/// The same schedule with as little going wrong in it as still breaks the promise.
async fn shrink(schedule: &Schedule, broken: Vec<(Broken, String)>) -> (Schedule, Vec<(Broken, String)>) {
    let (mut smallest, mut broken, began) = (schedule.clone(), broken, Instant::now());
    let world = World::new().await;
    'smaller: while began.elapsed() < SHRINKING {
        for simpler in smallest.simpler() {
            // What depends on time does not happen each time.
            for outcome in join_all((0..4).map(|_| play(&world, &simpler))).await {
                if !outcome.broken.is_empty() {
                    (smallest, broken) = (simpler, outcome.broken);
                    continue 'smaller;
                }
            }
        }
        break;
    }
    (smallest, broken)
}

/// A folder that goes with its schedule.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits until somebody can connect: a node that was down comes back a moment later.
async fn listens(proxy: &Proxy) {
    let url = proxy.url();
    while tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One schedule under way.
struct Play<'a> {
    schedule: &'a Schedule,
    scene: Arc<Scene>,
    proxies: Vec<Arc<Proxy>>,
    folder: Folder,
    judge: Judge,
    counts: BTreeMap<String, u64>,
    told: Vec<Told>,
    /// What the last run printed.
    text: String,
    runs: usize,
}

/// Plays a schedule to its end.
pub async fn play(world: &World, schedule: &Schedule) -> Outcome {
    let began = Instant::now();
    let mut proxies = Vec::new();
    for node in &schedule.nodes {
        // Twice the same node, for plans that balance.
        let is_balanced = node.plan.rules.iter().any(|rule| matches!(rule.fault, Fault::Balance(_)));
        let upstreams = vec![world.net.rpc_url(); if is_balanced { 2 } else { 1 }];
        proxies.push(Arc::new(Proxy::start(upstreams, node.plan.clone()).await.expect("a proxy")));
    }
    let scene = Arc::new(Scene::new(world, schedule.deed).await);
    let (folder, judge, counts, told) = (Folder::new(), Judge::new(schedule), BTreeMap::new(), Vec::new());
    let mut play = Play { schedule, scene, proxies, folder, judge, counts, told, text: String::new(), runs: 0 };
    play.bring_to_its_end(world).await;
    let Play { judge, counts, .. } = play;
    let Judge { broken, excused, .. } = judge;
    Outcome { broken, excused, counts, took: began.elapsed() }
}

impl Play<'_> {
    async fn bring_to_its_end(&mut self, world: &World) {
        let schedule = self.schedule;
        let mut random = StdRng::seed_from_u64(schedule.seed);
        let mut is_resolved = false;
        for number in 0..schedule.tries {
            let is_twice = schedule.twice_in == Some(number);
            let kill = schedule.kills.get(number).cloned().flatten();
            let told = self.round(world, kill, if is_twice { 2 } else { 1 }).await;
            is_resolved = told.iter().all(Told::is_done) || told.iter().all(Told::is_void) && !schedule.insists;
            if is_resolved {
                break;
            }
            tokio::time::sleep(Duration::from_millis(random.random_range(0..=schedule.pauses))).await;
        }
        self.count_faults();
        if !is_resolved && !schedule.gives_up {
            for proxy in &self.proxies {
                proxy.set_plan(Plan::default()).expect("no plan");
                listens(proxy).await;
            }
            self.judge.are_well();
            // Once for what was begun, and once for what expired.
            for _ in 0..2 {
                let told = self.round(world, None, 1).await;
                if !told.iter().all(Told::is_void) || !schedule.insists {
                    break;
                }
            }
        }
        for proxy in &self.proxies {
            // A hang for ever lasts until the client gives up.
            let _ = tokio::time::timeout(Duration::from_secs(15), proxy.settled()).await;
        }
        world.outlive().await;
        self.judge.end(world, &self.scene).await;
        if !self.judge.broken.is_empty() {
            let told: Vec<String> = self.told.iter().map(|told| format!("{told:?}")).collect();
            let why = format!("{:?} told {}, and last: {}", schedule.deed, told.join(", "), self.text);
            self.judge.breaks(self.judge.broken[0].0, why);
        }
    }

    async fn round(&mut self, world: &World, kill: Option<Kill>, count: usize) -> Vec<Told> {
        if count > 1 {
            self.count("two processes at once");
        }
        let runs = (0..count).map(|which| self.one(kill.clone().filter(|_| which == 0), self.runs + which));
        let heard = join_all(runs).await;
        self.runs += count;
        let mut told = Vec::new();
        for (one, text) in heard {
            self.text.clone_from(&text);
            if leaks(&text, &self.folder.0.join("journal")) {
                self.judge.breaks(Broken::Leak, text);
            }
            self.count(&format!("told: {}", one.name()));
            if let (Told::Killed, Some(kill)) = (&one, &kill) {
                self.count(&match kill {
                    Kill::After(_) => "killed at a random time".to_owned(),
                    Kill::At(step) => format!("killed: {step:?}"),
                    Kill::Request { .. } => "killed at a request".to_owned(),
                });
            }
            self.told.push(one.clone());
            told.push(one);
        }
        self.judge.hear(world, &self.scene, &told).await;
        told
    }

    async fn one(&self, kill: Option<Kill>, number: usize) -> Heard {
        let killed = CancellationToken::new();
        let given = if self.schedule.loses_nodes && number > 0 { 1 } else { self.proxies.len() };
        let urls = self.proxies.iter().enumerate().take(given).map(|(node, proxy)| {
            let url = proxy.url_of(&format!("{SECRET}path-{node}?api-key={SECRET}key-0123456789"));
            url.replacen("http://", &format!("http://{SECRET}user:{SECRET}password@"), 1)
        });
        let is_hooked = matches!(kill, Some(Kill::Request { .. }));
        let run = Run {
            urls: urls.collect(),
            folder: self.folder.0.join(if self.schedule.forgets {
                format!("journal-{number}")
            } else {
                "journal".to_owned()
            }),
            finalized: self.schedule.finalized,
            begins: self.schedule.begins && number == 0,
            kill,
            killed: killed.clone(),
            patience: if self.judge.is_well { WELL } else { UNWELL },
        };
        let ends = async {
            match self.schedule.door {
                Door::Library => run.of(Arc::clone(&self.scene)).await,
                Door::Command => command::run(run, Arc::clone(&self.scene), self.schedule, number).await,
                Door::Gateway => gateway::run(run, Arc::clone(&self.scene)).await,
            }
        };
        let mut hooks = Vec::new();
        let hooked = async {
            while let Some(proxy) = self.proxies.first()
                && let Some(hook) = proxy.next_hook().await
            {
                if is_hooked {
                    killed.cancel();
                    // Let go of when the process is dead.
                    hooks.push(hook);
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::pin!(ends);
        let heard = tokio::select! {
            heard = &mut ends => heard,
            () = hooked => unreachable!("it waits"),
        };
        drop(hooks);
        heard
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_insert(0) += 1;
    }

    /// What the proxies have done to the requests.
    fn count_faults(&mut self) {
        for (proxy, node) in self.proxies.iter().zip(&self.schedule.nodes) {
            for entry in proxy.log().entries() {
                for rule in entry.rules.iter().filter_map(|rule| node.plan.rules.get(*rule)) {
                    *self.counts.entry(format!("fault: {}", name(&rule.fault))).or_insert(0) += 1;
                }
            }
        }
    }
}
