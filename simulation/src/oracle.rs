//! What must hold, judged by the chain alone.

use escrow_sender::{Commitment, Verdict};

use crate::{
    Counts,
    schedule::{ClusterFault, JUMPS_APART, KillKind, NodeFaultKind, NodePlan, Schedule},
    world::{Told, World},
};

/// What is promised in a schedule. The table is in `docs/sending.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// Every verdict is true, and nothing is executed twice.
    pub safe: bool,
    /// In the end there is a verdict that is not "unknown".
    pub decided: bool,
}

fn is_late(node: &NodePlan) -> bool {
    node.faults.iter().any(|fault| fault.kind == NodeFaultKind::LateStatus)
}

/// Whether a jump of its blocks may be seen twice, and then is believed; unless there were not even slots for it, by what
/// honest nodes said at signing.
fn jumps(node: &NodePlan, schedule: &Schedule) -> bool {
    let honest = schedule.nodes.iter().all(|node| node.lie.is_none());
    let mut jumps: Vec<(u32, u32)> = node
        .faults
        .iter()
        .filter(|fault| match fault.kind {
            NodeFaultKind::HeightJump(by) => by < 1_000 || !honest,
            NodeFaultKind::BlockJump(_) => true,
            _ => false,
        })
        .map(|fault| (fault.from, fault.slots))
        .collect();
    jumps.sort_unstable();
    // Between two it must have told the truth to everybody who asks.
    let asked =
        !schedule.kills.iter().any(|kill| matches!(kill.kind, KillKind::Stop(_))) && jumps.len() == node.faults.len();
    let apart = |pair: &[(u32, u32)]| asked && pair[1].0 - pair[0].0 >= JUMPS_APART;
    !jumps.windows(2).all(apart) || jumps.iter().any(|(_, slots)| *slots > 1)
}

/// Whether what it says may be wrong: not only late, missing or out of order.
fn is_wrong(node: &NodePlan, schedule: &Schedule) -> bool {
    let [first, ..] = node.backends[..] else { return true };
    // Of two behind one address, one shows that a transaction can not be executed any more, and the other has forgotten it.
    let forgets = node.backends.iter().any(|backend| backend.keeps != first.keeps);
    // Of two behind one address, or two answers of which one was long on its way, one is older than a fork that is longer than
    // any should be.
    let splits = schedule.cluster.iter().any(|fault| matches!(fault, ClusterFault::Split { .. }));
    let slow = node.faults.iter().any(|fault| matches!(fault.kind, NodeFaultKind::Slow(_)));
    let mixes = splits && (slow || node.backends.iter().any(|backend| backend.lag != first.lag));
    node.lie.is_some() || is_late(node) || forgets || mixes || jumps(node, schedule)
}

impl Promise {
    /// What is promised here.
    pub fn of(schedule: &Schedule) -> Self {
        let count = schedule.nodes.len();
        let wrong = schedule.nodes.iter().filter(|node| is_wrong(node, schedule)).count();
        let lies = schedule.nodes.iter().filter(|node| node.lie.is_some()).count();
        let only_late = schedule.nodes.iter().all(|node| {
            let mut on_time = node.clone();
            on_time.faults.retain(|fault| fault.kind != NodeFaultKind::LateStatus);
            !is_wrong(&on_time, schedule)
        });
        let fails =
            schedule.cluster.iter().any(|fault| matches!(fault, ClusterFault::Fails { .. })) || schedule.steps > 1;
        // The account speaks for the only node, but it shows nothing of what failed.
        let account = schedule.shows && only_late && !fails;
        // Late statuses arrive while one that has them keeps the others waiting.
        let one_is_good = count >= 3
            && only_late
            && schedule.nodes.iter().any(|node| !is_wrong(node, schedule) && node.faults.is_empty());
        // A node that lies about its ledger has the bytes, whatever the sender does.
        let restarts = schedule.restarts();
        let safe = wrong == 0 || (!restarts && ((wrong == 1 && count >= 2) || account || one_is_good));
        // A block from the future, shown when a transaction is signed, makes the node itself look as if it were behind.
        let jumps = |node: &NodePlan| {
            let jump = |kind| matches!(kind, NodeFaultKind::HeightJump(_) | NodeFaultKind::BlockJump(_));
            node.faults.iter().any(|fault| jump(fault.kind))
        };
        let remembers = |node: &NodePlan| node.backends.iter().all(|backend| backend.keeps.is_none());
        let good = schedule.nodes.iter().filter(|node| !is_wrong(node, schedule) && remembers(node) && !jumps(node));
        let enough = good.count() >= count.min(2);
        Self { safe, decided: safe && enough && lies <= 1 && !restarts }
    }
}

/// What was counted, or the promise that was broken.
pub(crate) fn judge(schedule: &Schedule, world: &World<'_>) -> Result<Counts, String> {
    let promise = Promise::of(schedule);
    if let Some(endless) = &world.endless {
        return Err(endless.clone());
    }
    if promise.safe {
        effects(world)?;
        world.told.iter().try_for_each(|told| verdict(schedule, world, told))?;
    }
    if promise.decided {
        decided(world)?;
    }
    Ok(count(schedule, world, promise))
}

fn effects(world: &World<'_>) -> Result<(), String> {
    if let Some(step) = world.chain.effects().iter().position(|effects| *effects > 1) {
        return Err(format!("step {step} was executed {} times", world.chain.effects()[step]));
    }
    let elsewhere =
        |(tx, (_, ledger)): (usize, &(u32, u32))| *ledger != world.chain.ledger && world.chain.landed(tx).is_some();
    if let Some(tx) = world.txs.iter().enumerate().position(elsewhere) {
        return Err(format!("transaction {tx} was executed on another ledger than it was signed for"));
    }
    Ok(())
}

fn verdict(schedule: &Schedule, world: &World<'_>, told: &Told) -> Result<(), String> {
    let Told { tx, verdict, at } = told;
    let landed = world.chain.landed(*tx);
    // What was said of a ledger that is gone can not be looked up.
    if world.txs[*tx].1 != world.chain.ledger {
        return Ok(());
    }
    let true_of_a_fork = schedule.wanted != Commitment::Finalized && world.chain.was_confirmed_on_a_fork(*tx);
    let holds = match verdict {
        Verdict::Succeeded { commitment: Commitment::Confirmed, .. } if true_of_a_fork => true,
        Verdict::Succeeded { .. } => landed == Some(true),
        Verdict::Failed { .. } => landed == Some(false),
        Verdict::Expired { .. } => landed.is_none(),
        Verdict::Unknown { .. } => true,
    };
    let truth = match landed {
        None => "was never executed",
        Some(true) => "was executed and succeeded",
        Some(false) => "was executed and failed",
    };
    if holds { Ok(()) } else { Err(format!("transaction {tx} {truth}, and in slot {at} somebody was told: {verdict}")) }
}

/// In the end, when nothing goes wrong any more, everybody who asks gets an outcome.
fn decided(world: &World<'_>) -> Result<(), String> {
    let after = crate::world::CALM;
    match world.told.iter().rfind(|told| told.at >= after) {
        Some(Told { tx, verdict: Verdict::Unknown { .. }, at }) => {
            Err(format!("transaction {tx} has no outcome in slot {at}, when all has been calm for long"))
        }
        _ => Ok(()),
    }
}

fn count(schedule: &Schedule, world: &World<'_>, promise: Promise) -> Counts {
    let mut counts = Counts::default();
    counts.add("schedules", 1);
    counts.add("promised safe", promise.safe.into());
    counts.add("promised an outcome", promise.decided.into());
    let nodes = ["", "with 1 node", "with 2 nodes", "with 3 nodes", "with 4 nodes", "with 5 nodes"];
    counts.add(nodes[schedule.nodes.len()], 1);
    counts.add("with a node that lies", schedule.nodes.iter().any(|node| node.lie.is_some()).into());
    counts.add("with a block hash that is none", world.has_foreign_hashes().into());
    counts.add("with a durable nonce", schedule.nonce.into());
    counts.add("with two transactions", (schedule.steps > 1).into());
    counts.add("unconditional", (!schedule.conditional).into());
    let has = |of: fn(&ClusterFault) -> bool| u64::from(schedule.cluster.iter().any(of));
    counts.add("with a fork", has(|fault| matches!(fault, ClusterFault::Fork { .. } | ClusterFault::Split { .. })));
    counts.add("with a ledger that starts anew", has(|fault| matches!(fault, ClusterFault::Restart { .. })));
    for told in &world.told {
        let what = match told.verdict {
            Verdict::Succeeded { .. } => "told: succeeded",
            Verdict::Failed { .. } => "told: failed",
            Verdict::Expired { .. } => "told: expired",
            Verdict::Unknown { .. } => "told: unknown",
        };
        counts.add(what, 1);
    }
    let tally = &world.tally;
    for (what, number) in [
        ("processes", tally.processes),
        ("processes killed", tally.killed),
        ("losses of power", tally.power_losses),
        ("processes stopped for a while", tally.stopped),
        ("claims waited for", tally.taken_over),
        ("transactions signed", tally.signed),
        ("sends", tally.sends),
        ("answers", tally.answers),
        ("told: done already", tally.repetitions),
        ("told: not sent", tally.not_sent),
    ] {
        counts.add(what, number);
    }
    let executed = u64::from(world.chain.effects().iter().any(|effects| *effects > 0));
    counts.add("executed", executed);
    counts.add("never executed", 1 - executed);
    counts
}
