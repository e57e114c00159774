//! From a schedule that breaks a promise to a smaller one that does.

use crate::schedule::{Schedule, SendLie, StatusLie};

/// The smallest schedule that can be reached by taking away, and what it breaks.
pub fn shrink(schedule: &Schedule, breaks: impl Fn(&Schedule) -> Option<String>) -> (Schedule, String) {
    let mut smallest = schedule.clone();
    let mut what = breaks(&smallest).unwrap_or_default();
    'again: loop {
        for candidate in smaller(&smallest) {
            if let Some(broken) = breaks(&candidate) {
                (smallest, what) = (candidate, broken);
                continue 'again;
            }
        }
        return (smallest, what);
    }
}

/// Everything that is one step smaller.
fn smaller(schedule: &Schedule) -> Vec<Schedule> {
    let mut all: Vec<Schedule> = Vec::new();
    let mut with = |change: &dyn Fn(&mut Schedule)| {
        let mut candidate = schedule.clone();
        change(&mut candidate);
        if candidate != *schedule {
            all.push(candidate);
        }
    };
    for node in (0..schedule.nodes.len()).filter(|_| schedule.nodes.len() > 1) {
        with(&|s| drop(s.nodes.remove(node)));
    }
    (0..schedule.kills.len()).for_each(|at| {
        with(&|s| {
            let _ = s.kills.remove(at);
        })
    });
    (0..schedule.cluster.len()).for_each(|at| {
        with(&|s| {
            let _ = s.cluster.remove(at);
        })
    });
    (0..schedule.landings.len()).for_each(|at| {
        with(&|s| {
            let _ = s.landings.remove(at);
        })
    });
    (0..schedule.users.len()).filter(|_| schedule.users.len() > 1).for_each(|at| {
        with(&|s| {
            let _ = s.users.remove(at);
        })
    });
    with(&|s| s.swaps.clear());
    with(&|s| s.jitter = 0);
    with(&|s| s.signing = 0);
    with(&|s| s.steps = 1);
    with(&|s| s.attempts = 1);
    with(&|s| s.nonce = false);
    with(&|s| s.conditional = false);
    with(&|s| s.shows = true);
    with(&|s| s.wanted = escrow_sender::Commitment::Finalized);
    for at in 0..schedule.users.len() {
        with(&|s| s.users[at].at = 0);
        with(&|s| s.users[at].retypes_after = 1);
    }
    for node in 0..schedule.nodes.len() {
        with(&|s| s.nodes[node].lie = None);
        with(&|s| s.nodes[node].backends.truncate(1));
        for fault in 0..schedule.nodes[node].faults.len() {
            with(&|s| {
                let _ = s.nodes[node].faults.remove(fault);
            });
            with(&|s| s.nodes[node].faults[fault].from /= 2);
            with(&|s| s.nodes[node].faults[fault].slots = (s.nodes[node].faults[fault].slots / 2).max(1));
        }
        for backend in 0..schedule.nodes[node].backends.len() {
            with(&|s| s.nodes[node].backends[backend].lag = 0);
            with(&|s| s.nodes[node].backends[backend].lag /= 2);
            with(&|s| s.nodes[node].backends[backend].keeps = None);
        }
        if let Some(lie) = schedule.nodes[node].lie {
            let with_lie = |lie| move |s: &mut Schedule| s.nodes[node].lie = Some(lie);
            with(&with_lie(crate::schedule::Lie { status: StatusLie::Honest, ..lie }));
            with(&with_lie(crate::schedule::Lie { blocks: 0, ..lie }));
            with(&with_lie(crate::schedule::Lie { heights: 0, ..lie }));
            with(&with_lie(crate::schedule::Lie { first_block: None, ..lie }));
            with(&with_lie(crate::schedule::Lie { effect: None, ..lie }));
            with(&with_lie(crate::schedule::Lie { offer: crate::schedule::OfferLie::Honest, ..lie }));
            with(&with_lie(crate::schedule::Lie { sends: SendLie::Forwards, ..lie }));
        }
    }
    for at in 0..schedule.kills.len() {
        with(&|s| s.kills[at].kind = crate::schedule::KillKind::Kill);
    }
    all
}
