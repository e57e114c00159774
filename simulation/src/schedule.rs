//! Everything that happens to one intention, decided in advance: so that it can be repeated, printed, and made smaller.
//!
//! Times are slots since the beginning; in the first one the ledger is 1,000 slots old.

use escrow_sender::Commitment;

use crate::random::Random;

/// So many slots after one jump of its blocks, a node has told the truth to everybody who asks.
pub(crate) const JUMPS_APART: u32 = 20;

/// The world of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// From which the latency of each message follows. 0: every message takes 100 ms.
    pub jitter: u64,
    /// Whether the program refuses a second execution. If not, it pays twice.
    pub conditional: bool,
    /// Whether an account shows that a transaction was executed.
    pub shows: bool,
    /// Whether transactions live by a durable nonce instead of a block hash.
    pub nonce: bool,
    /// Of how many transactions the intention consists.
    pub steps: u32,
    /// How sure a success must be.
    pub wanted: Commitment,
    /// How many times the sender may sign each before it hands "expired" back.
    pub attempts: u32,
    /// How long the wallet takes.
    pub signing: u32,
    /// At which signings, counted from 0, the wallet puts in another block hash.
    pub swaps: Vec<u32>,
    /// The nodes.
    pub nodes: Vec<NodePlan>,
    /// What happens to the cluster.
    pub cluster: Vec<ClusterFault>,
    /// What happens to transactions on their way to a leader.
    pub landings: Vec<Landing>,
    /// Who types the command.
    pub users: Vec<User>,
    /// What happens to processes.
    pub kills: Vec<Kill>,
}

/// One address that a process was given.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePlan {
    /// The nodes behind it: one, or two behind a balancer.
    pub backends: Vec<Backend>,
    /// How it lies; none if it is honest.
    pub lie: Option<Lie>,
    /// What goes wrong with it.
    pub faults: Vec<NodeFault>,
}

/// A node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backend {
    /// How many slots it is behind.
    pub lag: u32,
    /// How many slots it remembers; none if all.
    pub keeps: Option<u32>,
}

/// Something that goes wrong with a node for a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeFault {
    /// From when.
    pub from: u32,
    /// How long.
    pub slots: u32,
    /// What.
    pub kind: NodeFaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NodeFaultKind {
    /// Nothing arrives, and the caller waits for its time-out.
    Lost,
    /// Everything arrives, and no answer comes back.
    NoReply,
    /// Nothing arrives, and an error is answered at once.
    Refused,
    /// Sends arrive, and an error is answered all the same.
    ErrorAfterDelivery,
    /// What is answered makes no sense. Sends arrive.
    Nonsense,
    /// Sends are answered and go nowhere.
    Swallows,
    /// Every message takes up to so many slots longer.
    Slow(u32),
    /// Heights are so much too high.
    HeightJump(u32),
    /// Heights and slots are so much too high.
    BlockJump(u32),
    /// Heights and slots are so much too low.
    BlockBack(u32),
    /// A transaction that is not executed has a status at `processed`.
    FalseStatus,
    /// A transaction that is executed has no status.
    LateStatus,
    /// A transaction that is executed stays at `processed`, though it is final.
    StaleStatus,
}

/// How a node lies, about one thing or several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lie {
    /// About statuses.
    pub status: StatusLie,
    /// So much is added to heights and slots; negative: taken away.
    pub blocks: i32,
    /// So much is added to heights alone.
    pub heights: i32,
    /// Where it says that its history begins: 0 for "from the beginning", none for the truth.
    pub first_block: Option<u32>,
    /// What it says that the account shows: none for the truth.
    pub effect: Option<bool>,
    /// When a transaction is about to be signed.
    pub offer: OfferLie,
    /// What it does with a transaction.
    pub sends: SendLie,
}

/// What a node says of a signature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StatusLie {
    /// The truth.
    Honest,
    /// That it succeeded, at this commitment.
    Succeeded(Commitment),
    /// That it failed, finalized.
    Failed,
    /// That it is not known, from a bank far ahead.
    NotFound,
}

/// What a node says before a transaction is signed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OfferLie {
    /// The truth.
    Honest,
    /// A block hash that is none.
    ForeignHash,
    /// A last valid height that is so much too low.
    EndsEarly(u32),
    /// A last valid height that is so much too high.
    EndsLate(u32),
}

/// What a node does with a transaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SendLie {
    /// Forwards it.
    Forwards,
    /// Drops it.
    Drops,
    /// Keeps it until the last block in which it can be executed.
    LastMoment,
}

/// Something that happens to the cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClusterFault {
    /// No block in every so many slots.
    SkipEvery(u32),
    /// No block.
    Skip { from: u32, slots: u32 },
    /// A fork beside the chain: the slots of the set bits are on it. Then it is dropped.
    Fork {
        from: u32,
        slots: u32,
        bits: u32,
        /// The nodes that take it for the chain meanwhile: one bit for each.
        seen_by: u8,
        /// Whether it reaches `confirmed`.
        confirmed: bool,
        /// Whether a transaction ends otherwise on it.
        flips: bool,
    },
    /// The cluster is split: a fork beside the chain as above, so long that nothing becomes confirmed or final meanwhile.
    Split {
        from: u32,
        slots: u32,
        bits: u128,
        seen_by: u8,
        /// Whether transactions reach the leaders of the fork.
        reached: bool,
    },
    /// Nothing more becomes final.
    Stall { from: u32, slots: u32 },
    /// Transactions are executed and fail.
    Fails { from: u32, slots: u32 },
    /// Somebody advances the nonce.
    NonceAdvance { at: u32 },
    /// The ledger starts anew, with the same genesis and block hashes.
    Restart { at: u32 },
}

/// What happens to the transactions that are sent in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Landing {
    /// From when.
    pub from: u32,
    /// How long.
    pub slots: u32,
    /// What.
    pub how: How,
}

/// How a transaction reaches a leader.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// Not at all.
    Dropped,
    /// So many slots later.
    Later(u32),
    /// In the last block in which it can be executed.
    LastMoment,
}

/// Somebody who types the command, and again when it did not end, until it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct User {
    /// When.
    pub at: u32,
    /// How long until the same command is typed again.
    pub retypes_after: u32,
}

/// Something that happens to a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kill {
    /// Which process, in the order in which they were started.
    pub process: u32,
    /// At which of its steps.
    pub step: u32,
    /// What.
    pub kind: KillKind,
}

/// What happens to a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KillKind {
    /// It is killed.
    Kill,
    /// The power fails: all processes end, and what was not synced is lost.
    PowerLoss,
    /// It is stopped so many slots.
    Stop(u32),
    /// The disk is full for so many slots.
    FullDisk(u32),
}

impl Schedule {
    /// The one of this number.
    pub fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let r = &mut random;
        // Half of all are about one thing going wrong, so that what matters alone is tried often enough.
        let busy = r.once_in(2);
        let count = |r: &mut Random, most: u32| if busy { r.below(most + 1) } else { u32::from(r.once_in(2)) };
        let nonce = r.once_in(4);
        let nodes = match r.below(8) {
            0..=2 => 1,
            3 | 4 => 2,
            5 | 6 => 3,
            _ => r.within((4, 5)),
        };
        let liar = if r.once_in(3) { Some(r.below(nodes)) } else { None };
        let late = r.once_in(6);
        let nodes: Vec<NodePlan> = (0..nodes)
            .map(|node| {
                let faults = count(r, 3);
                let lie = (liar == Some(node)).then(|| lie(r));
                let mut plan = NodePlan { backends: backends(r), lie, faults: Vec::new() };
                plan.faults.extend((0..faults).map(|_| node_fault(r)));
                if late && r.once_in(2) {
                    let (from, slots) = (r.below(500), r.within((1, 40)));
                    plan.faults.push(NodeFault { from, slots, kind: NodeFaultKind::LateStatus });
                }
                plan
            })
            .collect();
        let mut cluster = Vec::new();
        if r.once_in(2) {
            cluster.push(ClusterFault::SkipEvery(r.within((3, 20))));
        }
        let faults = count(r, 4);
        cluster.extend((0..faults).map(|_| cluster_fault(r, nonce)));
        let landings = count(r, 3);
        let landings = (0..landings).map(|_| landing(r)).collect();
        let users = if r.once_in(3) { 2 } else { 1 };
        let users = (0..users).map(|user| User {
            at: if user == 0 { r.below(8) } else { r.below_one_of(&[8, 400]) },
            retypes_after: r.choose(&[1, 5, 40, 200, 400]),
        });
        let users = users.collect();
        let kills = count(r, 3);
        let mut kills: Vec<Kill> = (0..kills).map(|_| kill(r)).collect();
        if r.once_in(12) {
            // What one process wrote and another took up must be on the disk.
            kills.push(Kill { process: 0, step: r.within((2, 7)), kind: KillKind::Kill });
            kills.push(Kill { process: 1, step: r.within((2, 30)), kind: KillKind::PowerLoss });
        }
        let mut schedule = Self {
            jitter: r.next() | 1,
            conditional: r.once_in(2),
            shows: !r.once_in(3),
            nonce,
            steps: if r.once_in(5) { 2 } else { 1 },
            wanted: r.choose(&[
                Commitment::Processed,
                Commitment::Confirmed,
                Commitment::Finalized,
                Commitment::Finalized,
            ]),
            attempts: r.choose(&[1, 1, 2]),
            signing: r.choose(&[0, 0, 1, 20, 140]),
            swaps: if r.once_in(8) { vec![0] } else { Vec::new() },
            nodes,
            cluster,
            landings,
            users,
            kills,
        };
        if r.once_in(2) {
            schedule.concentrate(r);
        }
        schedule
    }

    /// Whether the ledger starts anew.
    pub(crate) fn restarts(&self) -> bool {
        self.cluster.iter().any(|fault| matches!(fault, ClusterFault::Restart { .. }))
    }

    /// Lets the transaction land in the last block in which it can, and something go wrong around that.
    fn concentrate(&mut self, r: &mut Random) {
        self.landings = vec![Landing { from: 0, slots: 1_000, how: How::LastMoment }];
        self.signing = 0;
        if !r.once_in(4) {
            // And nothing else.
            (self.nonce, self.steps, self.swaps) = (false, 1, Vec::new());
            self.cluster.clear();
            self.kills.clear();
            for node in &mut self.nodes {
                *node = NodePlan { backends: vec![Backend { lag: 0, keeps: None }], lie: None, faults: Vec::new() };
            }
        }
        let every = r.choose(&[3, 3, 8, 20]);
        self.cluster.retain(|fault| !matches!(fault, ClusterFault::SkipEvery(_)));
        self.cluster.push(ClusterFault::SkipEvery(every));
        // About the slot of that block.
        let end = self.users[0].at + 150 * every / (every - 1);
        match r.below(6) {
            0 => self.fork_behind_a_balancer(r, end),
            1 => self.finality_behind_a_balancer(r, end),
            2 => self.late_statuses(r, end),
            3 => self.split(r, end),
            4 => self.height_jumps(r),
            _ => self.block_jumps(r, end),
        }
    }

    /// One node behind an address has not left a fork when the other is past it.
    fn fork_behind_a_balancer(&mut self, r: &mut Random, end: u32) {
        let from = end - r.within((4, 20));
        let slots = (end + r.within((8, 24)) - from).min(28);
        let mut fault = fork(r, from, slots);
        if let ClusterFault::Fork { bits, .. } = &mut fault {
            // Few leaders are on it, so that it is shorter than the chain.
            *bits = r.next() as u32 & r.next() as u32;
        }
        self.cluster.insert(0, fault);
        self.balance(r, (26, 44));
    }

    /// One node behind an address has not seen what is final for the other.
    fn finality_behind_a_balancer(&mut self, r: &mut Random, end: u32) {
        let (from, slots) = (end - 28 + r.below(30), r.within((12, 84)));
        self.cluster.insert(0, ClusterFault::Stall { from, slots });
        self.balance(r, (20, 80));
    }

    fn balance(&mut self, r: &mut Random, lag: (u32, u32)) {
        self.keep_few(r);
        let node = r.below(self.nodes.len() as u32) as usize;
        let lag = r.within(lag);
        self.nodes[node].backends = vec![Backend { lag: 0, keeps: None }, Backend { lag, keeps: None }];
        self.shows = self.shows && r.once_in(3);
    }

    /// One node, or two: more of them seldom go wrong together.
    fn keep_few(&mut self, r: &mut Random) {
        self.nodes.truncate(if r.once_in(4) { 2 } else { 1 });
    }

    /// Statuses that come late.
    fn late_statuses(&mut self, r: &mut Random, end: u32) {
        // One that is never late keeps the others waiting.
        let good = r.below(self.nodes.len() as u32) as usize;
        for (index, node) in self.nodes.iter_mut().enumerate() {
            node.faults.clear();
            if index != good || r.once_in(3) {
                let (from, slots) = (end + r.below(45), r.within((10, 40)));
                node.faults.push(NodeFault { from, slots, kind: NodeFaultKind::LateStatus });
            }
        }
        self.shows = self.shows && (self.nodes.len() < 3 || r.once_in(3));
    }

    /// A cluster that is split.
    fn split(&mut self, r: &mut Random, end: u32) {
        let (from, slots) = (end - 60 + r.below(50), r.within((40, 100)));
        let bits = u128::from(r.next() | r.next()) << 64 | u128::from(r.next() | r.next());
        let (seen_by, reached) = (r.next() as u8 | r.next() as u8, r.once_in(2));
        self.cluster.insert(0, ClusterFault::Split { from, slots, bits, seen_by, reached });
    }

    /// Heights of a node that jump past the end, once, or again when it has told the truth between.
    fn height_jumps(&mut self, r: &mut Random) {
        self.keep_few(r);
        // So many slots were skipped by then that the jump is not more than there were slots for.
        self.cluster.retain(|fault| !matches!(fault, ClusterFault::SkipEvery(_)));
        self.cluster.push(ClusterFault::SkipEvery(3));
        let (end, before) = (self.users[0].at + 225, r.within((54, 74)));
        let by = before * 2 / 3 + r.within((1, 8));
        self.jump(r, NodeFaultKind::HeightJump(by), end + 32 - before);
    }

    /// Blocks of a node that jump past the end.
    fn block_jumps(&mut self, r: &mut Random, end: u32) {
        let (by, before) = (r.within((10, 150)), r.below(150));
        self.jump(r, NodeFaultKind::BlockJump(by), end - before);
    }

    fn jump(&mut self, r: &mut Random, kind: NodeFaultKind, from: u32) {
        for node in &mut self.nodes {
            node.faults = vec![NodeFault { from, slots: 1, kind }];
            if r.once_in(2) {
                node.faults.push(NodeFault { from: from + JUMPS_APART + r.below(10), slots: 1, kind });
            }
        }
    }
}

fn backends(r: &mut Random) -> Vec<Backend> {
    let lag = |r: &mut Random| match r.below(6) {
        0..=2 => 0,
        3 => r.below(4),
        4 => r.below(40),
        _ => r.within((28, 70)),
    };
    let keeps = if r.once_in(8) { Some(r.within((60, 400))) } else { None };
    let count = if r.once_in(4) { 2 } else { 1 };
    (0..count)
        .map(|_| Backend { lag: lag(r), keeps: if r.once_in(20) { Some(r.within((60, 400))) } else { keeps } })
        .collect()
}

fn lie(r: &mut Random) -> Lie {
    let status = match r.below(6) {
        0 | 1 => StatusLie::Honest,
        2 => StatusLie::Succeeded(r.choose(&[Commitment::Confirmed, Commitment::Finalized])),
        3 => StatusLie::Failed,
        _ => StatusLie::NotFound,
    };
    let number = |r: &mut Random| match r.below(4) {
        0 | 1 => 0,
        2 => r.choose(&[10, 50, 200, 100_000]),
        _ => -r.choose(&[10, 50, 200, 100_000]),
    };
    Lie {
        status,
        blocks: number(r),
        heights: number(r),
        first_block: r.choose(&[None, None, Some(0), Some(1_000_000)]),
        effect: r.choose(&[None, None, Some(false), Some(true)]),
        offer: match r.below(6) {
            0 => OfferLie::ForeignHash,
            1 => OfferLie::EndsEarly(r.choose(&[20, 100, 149, 1_000])),
            2 => OfferLie::EndsLate(r.choose(&[100, 149, 1_000_000])),
            _ => OfferLie::Honest,
        },
        sends: r.choose(&[SendLie::Forwards, SendLie::Forwards, SendLie::Drops, SendLie::LastMoment]),
    }
}

fn node_fault(r: &mut Random) -> NodeFault {
    use NodeFaultKind::*;
    let jump = |r: &mut Random| r.choose(&[1, 5, 20, 100, 1_000, 1_000]);
    let kind = match r.below(15) {
        0 => Lost,
        1 => NoReply,
        2 => Refused,
        3 | 4 => ErrorAfterDelivery,
        5 => Nonsense,
        6 => Swallows,
        7 => Slow(r.choose(&[2, 10, 30])),
        8 | 9 => HeightJump(jump(r)),
        10 => BlockJump(jump(r)),
        11 => BlockBack(jump(r)),
        12 | 13 => StaleStatus,
        _ => FalseStatus,
    };
    let slots = match r.below(3) {
        0 => r.within((1, 10)),
        1 => r.within((1, 60)),
        _ => r.within((1, 400)),
    };
    NodeFault { from: r.below_one_of(&[1, 30, 300, 600]), slots, kind }
}

fn cluster_fault(r: &mut Random, nonce: bool) -> ClusterFault {
    let from = if r.once_in(4) { r.within((100, 260)) } else { r.below_one_of(&[20, 100, 700]) };
    match r.below(12) {
        0 => ClusterFault::Skip { from, slots: r.within((1, 30)) },
        1..=5 => {
            let slots = r.within((2, 28));
            fork(r, from, slots)
        }
        6 => ClusterFault::Stall { from, slots: r.within((10, 120)) },
        7 | 8 => ClusterFault::Fails { from, slots: r.within((1, 100)) },
        9 | 10 if nonce => ClusterFault::NonceAdvance { at: from },
        11 if r.once_in(4) => ClusterFault::Restart { at: r.within((5, 300)) },
        _ => ClusterFault::Skip { from, slots: r.within((1, 5)) },
    }
}

fn fork(r: &mut Random, from: u32, slots: u32) -> ClusterFault {
    ClusterFault::Fork {
        from,
        slots,
        bits: r.next() as u32 | r.next() as u32,
        seen_by: r.next() as u8 | r.next() as u8,
        confirmed: r.once_in(4),
        flips: r.once_in(2),
    }
}

fn landing(r: &mut Random) -> Landing {
    let how = match r.below(4) {
        0 => How::Dropped,
        1 => How::Later(r.choose(&[3, 30, 120])),
        _ => How::LastMoment,
    };
    Landing { from: r.below_one_of(&[1, 20, 400]), slots: r.choose(&[5, 40, 400]), how }
}

fn kill(r: &mut Random) -> Kill {
    let kind = match r.below(8) {
        0..=3 => KillKind::Kill,
        4 | 5 => KillKind::PowerLoss,
        6 => KillKind::Stop(r.choose(&[20, 100, 400])),
        _ => KillKind::FullDisk(r.choose(&[2, 50, 200])),
    };
    Kill { process: r.choose(&[0, 0, 0, 1, 2]), step: r.below_one_of(&[12, 30, 250]), kind }
}
