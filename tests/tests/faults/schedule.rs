//! Schedules: everything that happens in one follows from its seed, but for time.

use escrow_fault_proxy::{
    AccountLie, Answer, Balance, BlockhashLie, Fault, Lag, Lie, Nonsense, Number, Plan, Profile, Quantity, Rule,
    StatusLie, Until,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{deed::Deed, world::BLOCK};

/// Through which door it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Library,
    Command,
    /// A wallet that signs, and a gateway over HTTP that builds and submits.
    Gateway,
}

/// What the worst of the nodes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nodes {
    Honest,
    Nonsense,
    /// One of several lies.
    OneLies,
    /// The only one lies: what it says is what a verdict rests on, and the verdict says so.
    TheOnlyOneLies,
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    pub is_liar: bool,
    pub plan: Plan,
}

/// When the process dies.
#[derive(Debug, Clone)]
pub enum Kill {
    /// After so many milliseconds.
    After(u64),
    /// When this is reached on its way to a verdict. The library alone can tell.
    At(Step),
    /// At this request, before or after it is delivered.
    Request { method: &'static str, nth: u64, delivered: bool },
}

/// A place between two writings of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing is signed.
    Signing,
    /// It is signed, and not in the journal.
    Signed,
    /// A node knows it.
    Seen,
    /// There is a verdict, and it is not in the journal.
    Judged,
}

/// A schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub seed: u64,
    pub door: Door,
    pub deed: Deed,
    pub nodes: Vec<Node>,
    /// Each run's end that somebody else brings about.
    pub kills: Vec<Option<Kill>>,
    /// In which run two processes do the same at once.
    pub twice_in: Option<usize>,
    /// How often it is tried while things go wrong, and how long somebody waits before trying again.
    pub tries: usize,
    pub pauses: u64,
    /// Whether what expired or failed is done once more.
    pub insists: bool,
    /// Whether nobody tries any more after that: else it is done at last with nodes that are well.
    pub gives_up: bool,
    /// Waits for `finalized`.
    pub finalized: bool,
    /// The first run does not wait for what becomes of it.
    pub begins: bool,
    /// After the first run fewer nodes are given.
    pub loses_nodes: bool,
    /// The command's output, and whether nothing takes it.
    pub json: bool,
    pub is_full: bool,
    /// Whether each run begins with an empty journal: what the oracle must notice.
    pub forgets: bool,
}

impl Schedule {
    pub fn random(door: Door, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let is_command = door == Door::Command;
        let deed = Deed::random(&mut random, door == Door::Library);
        let count = if is_command { 1 } else { [1, 1, 1, 2, 2, 3, 3][random.random_range(0..7)] };
        let worst = random.random_range(0..20);
        let bad = random.random_range(0..count);
        let node = |number: usize| {
            let seed = random.random();
            let plan = |profile| Plan::random(seed, profile).paced(BLOCK);
            let (is_liar, plan) = match worst {
                0..5 if number == bad => (true, plan(Profile::Liar)),
                5..9 if number == bad => (false, plan(Profile::Nonsense)),
                // One that never answers, and one that is late for good.
                9 if number == bad && count > 1 => {
                    let hangs = Fault::Answer { delivered: false, with: Answer::Hang { ms: None } };
                    (false, Plan::new([Rule::always(hangs).from(random.random_range(1..12))]))
                }
                10 if number == bad => {
                    (false, Plan::new([Rule::always(Fault::Behind(Lag::Slots(random.random_range(1..120))))]))
                }
                _ if number > 0 && random.random_bool(0.4) => (false, Plan::default()),
                _ => (false, plan(Profile::Honest)),
            };
            Node { is_liar, plan }
        };
        let nodes = (0..count).map(node).collect();
        let mut schedule = Self {
            seed,
            door,
            deed,
            nodes,
            kills: Vec::new(),
            twice_in: random.random_bool(0.15).then(|| random.random_range(0..2)),
            tries: random.random_range(1..=5),
            pauses: [0, 50, 400, 2_500][random.random_range(0..4)],
            insists: random.random_bool(0.5),
            gives_up: random.random_bool(0.3),
            finalized: random.random_bool(0.2),
            begins: random.random_bool(0.15),
            loses_nodes: random.random_bool(0.2),
            json: random.random_bool(0.8),
            is_full: is_command && random.random_bool(0.05),
            forgets: false,
        };
        for number in 0..random.random_range(0..3_usize) {
            schedule.kills.push(random.random_bool(0.7).then(|| kill(&mut random, door, number)));
        }
        // Who is left with one that lies has nothing else.
        schedule.loses_nodes &= schedule.nodes.iter().all(|node| !node.is_liar);
        schedule.hook();
        schedule
    }

    /// Puts the kill at a request into the first node's plan.
    fn hook(&mut self) {
        for kill in self.kills.iter().flatten() {
            if let (Kill::Request { method, nth, delivered }, Some(node)) = (kill, self.nodes.first_mut()) {
                let hook = Fault::Hook { name: "kill".to_owned(), delivered: *delivered };
                node.plan.rules.push(Rule::on(method, hook).from(*nth).times(1));
            }
        }
    }

    pub fn nodes_are(&self) -> Nodes {
        let faults = || self.nodes.iter().flat_map(|node| &node.plan.rules).map(|rule| &rule.fault);
        let is_nonsense = |fault: &Fault| {
            let Fault::Answer { with, .. } = fault else { return false };
            match with {
                Answer::Nonsense(_) | Answer::Length { .. } | Answer::Oversized { .. } | Answer::Slow { .. } => true,
                Answer::Rpc(error) => ![-32005, -32603].contains(&error.code),
                Answer::Http(http) => ![429, 500, 502, 503, 504].contains(&http.status),
                _ => false,
            }
        };
        match self {
            _ if !self.is_strict() => Nodes::TheOnlyOneLies,
            _ if self.nodes.iter().any(|node| node.is_liar) => Nodes::OneLies,
            _ if faults().any(is_nonsense) => Nodes::Nonsense,
            _ => Nodes::Honest,
        }
    }

    /// Whether nothing wrong may be said: not where the only node lies.
    pub fn is_strict(&self) -> bool {
        self.nodes.len() > 1 || self.nodes.iter().all(|node| !node.is_liar)
    }

    /// Whether a node says that it is of another cluster.
    pub fn lies_about_the_cluster(&self) -> bool {
        let mut rules = self.nodes.iter().flat_map(|node| &node.plan.rules);
        rules.any(|rule| matches!(rule.fault, Fault::Lie(Lie::GenesisHash(_))))
    }

    /// The same without one thing that goes wrong, for each such thing.
    pub fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut Self)| {
            let mut simpler = self.clone();
            change(&mut simpler);
            all.push(simpler);
        };
        for (node, present) in self.nodes.iter().enumerate() {
            for rule in 0..present.plan.rules.len() {
                with(&|one| one.nodes[node].plan = one.nodes[node].plan.without(rule));
            }
        }
        for run in 0..self.kills.len() {
            if self.kills[run].is_some() {
                with(&|one| one.kills[run] = None);
            }
        }
        if self.twice_in.is_some() {
            with(&|one| one.twice_in = None);
        }
        if self.tries > 1 {
            with(&|one| one.tries -= 1);
        }
        if self.begins {
            with(&|one| one.begins = false);
        }
        if self.loses_nodes {
            with(&|one| one.loses_nodes = false);
        }
        if self.finalized {
            with(&|one| one.finalized = false);
        }
        all
    }
}

fn kill(random: &mut StdRng, door: Door, number: usize) -> Kill {
    let step = [Step::Signing, Step::Signed, Step::Seen, Step::Judged][random.random_range(0..4)];
    match random.random_range(0..10) {
        0..4 => Kill::After(random.random_range(5..1_500)),
        4..7 if door == Door::Library => Kill::At(step),
        // Requests are counted in all runs together.
        _ if number == 0 => {
            let methods = ["sendTransaction", "getSignatureStatuses", "getEpochInfo", "getLatestBlockhash"];
            let method = methods[random.random_range(0..methods.len())];
            Kill::Request { method, nth: random.random_range(1..4), delivered: random.random_bool(0.5) }
        }
        _ => Kill::After(random.random_range(5..1_500)),
    }
}

/// A fault by the name under which it is counted.
pub fn name(fault: &Fault) -> String {
    let delivered = |delivered: &bool| if *delivered { ", delivered" } else { ", not delivered" };
    match fault {
        Fault::Delay { delivered: answer, .. } => {
            format!("delay of the {}", if *answer { "answer" } else { "request" })
        }
        Fault::Answer { delivered: is, with } => match with {
            Answer::Reset => format!("reset{}", delivered(is)),
            Answer::Close => format!("closed{}", delivered(is)),
            Answer::Hang { .. } => format!("hangs{}", delivered(is)),
            Answer::Http(http) => {
                let later = if http.retry_after.is_some() { " with Retry-After" } else { "" };
                let status = if http.status == 429 { "429".to_owned() } else { format!("{}xx", http.status / 100) };
                format!("HTTP {status}{later}{}", delivered(is))
            }
            Answer::Rpc(error) => format!("JSON-RPC error {}{}", error.code, delivered(is)),
            Answer::Truncated { .. } => "truncated".to_owned(),
            Answer::Length { .. } => "wrong length".to_owned(),
            Answer::Oversized { .. } => "oversized".to_owned(),
            Answer::Slow { .. } => "byte by byte".to_owned(),
            Answer::Nonsense(nonsense) => match nonsense {
                Nonsense::Deep { .. } => "nonsense: deep".to_owned(),
                nonsense => format!("nonsense: {nonsense:?}"),
            },
        },
        Fault::Lie(lie) => match lie {
            Lie::Number { of: Quantity::LastValidHeight, .. } => "lie: last valid height".to_owned(),
            Lie::Number { of, is: Number::Freeze } => format!("lie: {of:?} stands still"),
            Lie::Number { of, .. } => format!("lie: {of:?} jumps"),
            Lie::Blockhash(BlockhashLie::Stale { .. }) => "lie: stale block hash".to_owned(),
            Lie::Blockhash(BlockhashLie::Foreign) => "lie: foreign block hash".to_owned(),
            Lie::GenesisHash(_) => "lie: genesis".to_owned(),
            Lie::Status { is: StatusLie::Unknown, .. } => "lie: status vanishes".to_owned(),
            Lie::Status { is: StatusLie::Known { invented: true, .. }, .. } => "lie: status invented".to_owned(),
            Lie::Status { .. } => "lie: status changed".to_owned(),
            Lie::Account { is: AccountLie::Missing, .. } => "lie: account missing".to_owned(),
            Lie::Account { .. } => "lie: account changed".to_owned(),
            Lie::Clock { .. } => "lie: clock".to_owned(),
            Lie::Decimals { .. } => "lie: decimals".to_owned(),
            Lie::Result(_) => "lie: result".to_owned(),
        },
        Fault::Behind(Lag::Slots(_)) => "behind".to_owned(),
        Fault::Behind(Lag::Stopped) => "stopped".to_owned(),
        Fault::Drop => "send dropped".to_owned(),
        Fault::Hold(Until::BeforeExpiry(_)) => "lands at the last moment".to_owned(),
        Fault::Hold(_) => "lands later".to_owned(),
        Fault::Repeat { .. } => "delivered twice".to_owned(),
        Fault::Balance(Balance::To(_)) => "another node".to_owned(),
        Fault::Balance(_) => "balanced".to_owned(),
        Fault::Down { .. } => "node down".to_owned(),
        Fault::Hook { delivered: is, .. } => format!("killed at a request{}", delivered(is)),
    }
}
