//! A plan that is being followed: which rules apply to which request.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::{
    json_rpc::Call,
    lie::Frozen,
    plan::{Balance, Fault, Plan, Rule},
    random::Random,
};

/// A plan, and how far it has come.
pub(crate) struct Active {
    pub(crate) plan: Plan,
    since: Instant,
    /// Of each rule, how many requests it has counted.
    counts: Mutex<Vec<u64>>,
    pub(crate) frozen: Frozen,
}

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) client: &'a str,
    pub(crate) connection: u64,
}

/// A rule that applies to a call.
#[derive(Clone, Copy)]
pub(crate) struct Applied<'a> {
    pub(crate) rule: usize,
    pub(crate) fault: &'a Fault,
    nth: u64,
}

/// What happens to a request.
pub(crate) struct Decision<'a> {
    pub(crate) upstream: usize,
    /// To each of its calls.
    pub(crate) calls: Vec<Vec<Applied<'a>>>,
}

impl Active {
    pub(crate) fn new(plan: Plan) -> Self {
        let counts = Mutex::new(vec![0; plan.rules.len()]);
        Self { plan, since: Instant::now(), counts, frozen: Frozen::default() }
    }

    /// What happens to the next request. It is counted by this, so this is called once for each.
    pub(crate) fn decide(&self, asker: Asker, calls: &[Call], upstreams: usize) -> Decision<'_> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut take = |asked: &Asked| -> Vec<Applied> {
            let rules = self.plan.rules.iter().zip(counts.iter_mut()).enumerate();
            let applied = rules.filter_map(|(index, (rule, count))| {
                if !asked.by(rule) {
                    return None;
                }
                *count = count.saturating_add(1);
                rule.when.takes(*count, self.plan.seed).then_some(Applied {
                    rule: index,
                    fault: &rule.fault,
                    nth: *count,
                })
            });
            applied.collect()
        };
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let routes = match calls.first() {
            Some(call) => take(&Asked { asker, call, ms, upstream: None }),
            None => Vec::new(),
        };
        let upstream = routes.first().map_or(0, |applied| self.route(applied, asker, upstreams));
        let mut calls: Vec<_> =
            calls.iter().map(|call| take(&Asked { asker, call, ms, upstream: Some(upstream) })).collect();
        if let Some(first) = calls.first_mut() {
            first.extend(routes);
            first.sort_by_key(|applied| applied.rule);
        }
        Decision { upstream, calls }
    }

    /// What is random about a call to which a rule applies.
    pub(crate) fn dice(&self, applied: Applied) -> Random {
        match self.plan.rules.get(applied.rule) {
            Some(rule) => rule.when.dice(applied.nth, self.plan.seed),
            None => Random::new(&[applied.nth]),
        }
    }

    fn route(&self, applied: &Applied, asker: Asker, upstreams: usize) -> usize {
        let upstreams = u64::try_from(upstreams).unwrap_or(1);
        let random = match applied.fault {
            Fault::Balance(Balance::To(upstream)) => return *upstream,
            Fault::Balance(Balance::PerConnection) => Applied { nth: asker.connection, ..*applied },
            _ => *applied,
        };
        usize::try_from(self.dice(random).below(upstreams)).unwrap_or(0)
    }
}

/// A call, in the eyes of a rule. The upstream is what the rules that balance are still to decide.
struct Asked<'a> {
    asker: Asker<'a>,
    call: &'a Call,
    ms: u64,
    upstream: Option<usize>,
}

impl Asked<'_> {
    /// Whether a rule counts it.
    fn by(&self, Rule { when, fault }: &Rule) -> bool {
        let method = self.call.method();
        matches!(fault, Fault::Balance(_)) == self.upstream.is_none()
            && (when.methods.is_empty() || when.methods.iter().any(|name| name == method))
            && when.client.as_deref().is_none_or(|client| client == self.asker.client)
            && (when.upstream.is_none() || when.upstream == self.upstream)
            && when.mentions.as_deref().is_none_or(|text| self.call.mentions(text))
            && when.after_ms.is_none_or(|after| self.ms >= after)
            && when.until_ms.is_none_or(|until| self.ms < until)
            && fault.concerns(self.call)
    }
}
