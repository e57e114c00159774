//! From where the nodes stand to an outcome.

use super::{Basis, Pace, Rules, Standing, Status, Verdict};
use crate::{Attempt, Time};

/// Where the nodes stand, in their order, and after them those that are absent.
pub(super) struct Standings<'a> {
    pub(super) names: &'a dyn Fn(usize) -> String,
    pub(super) standings: Vec<Standing>,
    /// How many must say the same.
    pub(super) quorum: usize,
}

impl Standings<'_> {
    /// The outcome that enough nodes stand for, if they do. `agreed_since` keeps from when on enough nodes have called it
    /// over.
    pub(super) fn outcome(
        &self,
        attempt: &Attempt,
        agreed_since: &mut Option<Time>,
        now: Time,
        pace: &Pace,
        rules: Rules,
    ) -> Option<Verdict> {
        if let Some(verdict) = self.landed() {
            return Some(verdict);
        }
        let over = self.standings.iter().filter(|standing| **standing == Standing::Over).count();
        if over < self.quorum {
            *agreed_since = None;
            return None;
        }
        let since = *agreed_since.get_or_insert(now);
        let differ = self.standings.len().saturating_sub(over);
        rules.has_heard_all(differ, since, now, pace).then(|| self.expired(attempt))
    }

    pub(super) fn expired(&self, attempt: &Attempt) -> Verdict {
        Verdict::Expired { basis: self.basis(attempt.shows(), |standing| *standing == Standing::Over) }
    }

    fn landed(&self) -> Option<Verdict> {
        let statuses = || {
            self.standings.iter().filter_map(|standing| match standing {
                Standing::Landed(status) => Some(status),
                _ => None,
            })
        };
        let agree = |a: &Status, b: &Status| a.slot == b.slot && a.error == b.error;
        let agreed = |status: &Status| statuses().filter(|other| agree(status, other)).count();
        let found = statuses().find(|status| agreed(status) >= self.quorum)?;
        let least = statuses().filter(|status| agree(found, status)).map(|status| status.commitment).min();
        let basis = self.basis(false, |standing| matches!(standing, Standing::Landed(status) if agree(found, status)));
        let slot = found.slot;
        Some(match found.error.clone() {
            None => Verdict::Succeeded { slot, commitment: least.unwrap_or(found.commitment), basis },
            Some(error) => Verdict::Failed { slot, error, basis },
        })
    }

    fn basis(&self, account: bool, supports: impl Fn(&Standing) -> bool) -> Basis {
        let (nodes, others): (Vec<_>, Vec<_>) = self.named().into_iter().partition(|(_, standing)| supports(standing));
        Basis { nodes: nodes.into_iter().map(|(name, _)| name).collect(), account, others }
    }

    /// The nodes by name, and where each stands.
    pub(super) fn named(&self) -> Vec<(String, Standing)> {
        self.standings.iter().enumerate().map(|(node, standing)| ((self.names)(node), standing.clone())).collect()
    }
}
