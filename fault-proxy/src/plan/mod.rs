//! What is to go wrong: rules that say which requests meet which fault.

mod fault;
mod profile;

use serde::{Deserialize, Serialize};

pub use self::{
    fault::{
        AccountLie, Answer, Balance, BlockhashLie, Fault, Http, Lag, Level, Lie, Nonsense, Number, Quantity,
        RetryAfter, RpcError, StatusLie, Until, Verdict,
    },
    profile::Profile,
};
use crate::{Error, Result, random::Random};

/// The method by which rules and the log name a connection to the WebSocket.
pub const WEBSOCKET: &str = "websocket";

/// What is to go wrong, and when. Without rules nothing does.
///
/// It is written and read as JSON. The same plan does the same to the same sequence of requests, except for what depends
/// on the time that passes: [`When::after_ms`], [`When::until_ms`], delays, and a node that is down for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// What all chances in it follow from.
    #[serde(default)]
    pub seed: u64,
    /// All that match a request apply to it, in this order. Where two of them answer in place of the node, the first does.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

impl Plan {
    /// These rules, with the seed 0.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { seed: 0, rules: rules.into_iter().collect() }
    }

    /// A few rules that follow from the seed. Their times fit a cluster's blocks of 400 ms: see [`paced`](Self::paced).
    pub fn random(seed: u64, profile: Profile) -> Self {
        profile.plan(seed)
    }

    /// The same with one more rule at its end.
    pub fn with(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The same without the rule at this index, to find out which rules matter. The others keep their chances.
    pub fn without(&self, index: usize) -> Self {
        let rules = self.rules.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, rule)| rule.clone());
        Self { seed: self.seed, rules: rules.collect() }
    }

    /// The same for a chain whose blocks come every so many milliseconds instead of every 400: all times in it become
    /// shorter, or longer, by as much.
    pub fn paced(mut self, block_ms: u64) -> Self {
        let pace = |ms: &mut u64| *ms = ms.saturating_mul(block_ms).checked_div(400).unwrap_or(0);
        for rule in &mut self.rules {
            rule.when.after_ms.iter_mut().for_each(pace);
            rule.when.until_ms.iter_mut().for_each(pace);
            rule.fault.times().into_iter().for_each(pace);
        }
        self
    }

    /// As JSON, on several lines.
    pub fn to_json(&self) -> String {
        // Fails on maps whose keys are no strings alone, of which there are none.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// From JSON.
    ///
    /// # Errors
    ///
    /// If it is not JSON, or not a plan's.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(Error::PlanSyntax)
    }

    /// Whether something in it depends on what the upstream said before.
    pub(crate) fn needs_the_past(&self) -> bool {
        let needs = |fault: &Fault| {
            matches!(
                fault,
                Fault::Behind(_)
                    | Fault::Hold(Until::BeforeExpiry(_))
                    | Fault::Lie(Lie::Blockhash(BlockhashLie::Stale { .. }))
            )
        };
        self.rules.iter().any(|rule| needs(&rule.fault))
    }

    /// Whether it can be followed in front of so many upstreams.
    pub(crate) fn check(&self, upstreams: usize) -> Result<()> {
        for (rule, Rule { when, fault }) in self.rules.iter().enumerate() {
            let invalid = |reason: String| Error::PlanRule { rule, reason };
            if matches!(fault, Fault::Balance(_)) && when.upstream.is_some() {
                return Err(invalid("it decides on the upstream, and cannot depend on it".to_owned()));
            }
            when.check(upstreams).and_then(|()| fault.check(upstreams)).map_err(invalid)?;
        }
        Ok(())
    }
}

/// Which requests meet which fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Which.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
    /// What they meet.
    pub fault: Fault,
}

impl Rule {
    /// Every request that the fault can happen to.
    pub fn always(fault: Fault) -> Self {
        Self { when: When::default(), fault }
    }

    /// Every request for this method.
    pub fn on(method: &str, fault: Fault) -> Self {
        Self { when: When { methods: vec![method.to_owned()], ..When::default() }, fault }
    }

    /// The same, for this client alone: see [`Proxy::url_of`](crate::Proxy::url_of).
    pub fn client(mut self, client: &str) -> Self {
        self.when.client = Some(client.to_owned());
        self
    }

    /// The same, where the request goes to this upstream.
    pub fn upstream(mut self, upstream: usize) -> Self {
        self.when.upstream = Some(upstream);
        self
    }

    /// The same, where the request's parameters contain this string.
    pub fn mentions(mut self, text: &str) -> Self {
        self.when.mentions = Some(text.to_owned());
        self
    }

    /// The same from this request on, counted from 1.
    pub fn from(mut self, nth: u64) -> Self {
        self.when.from = nth;
        self
    }

    /// The same, at most so many times.
    pub fn times(mut self, count: u64) -> Self {
        self.when.count = Some(count);
        self
    }

    /// The same, for each so manieth request.
    pub fn every(mut self, every: u64) -> Self {
        self.when.every = every;
        self
    }

    /// The same, in so many of 1,000 cases, by dice of its own.
    pub fn chance(mut self, permille: u16, dice: u64) -> Self {
        (self.when.chance, self.when.dice) = (permille, dice);
        self
    }

    /// The same, from this time on and before that one, in milliseconds since the plan began.
    pub fn between(mut self, after_ms: u64, until_ms: u64) -> Self {
        (self.when.after_ms, self.when.until_ms) = (Some(after_ms), Some(until_ms));
        self
    }
}

/// Which requests. The default is all of them.
///
/// The requests that meet the first six conditions, and that the fault can happen to, are counted, from 1; the rest is
/// said of these numbers. Each call of a batch counts as a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// For one of these methods; if there are none, for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// From this client: see [`Proxy::url_of`](crate::Proxy::url_of).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// To the upstream of this index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<usize>,
    /// With a string in their parameters that contains this: an address, a signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions: Option<String>,
    /// Not before so many milliseconds since the plan began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// Before so many milliseconds since the plan began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// From this one on; 0 counts as 1.
    #[serde(skip_serializing_if = "is_one")]
    pub from: u64,
    /// Each so manieth from there; 0 counts as 1.
    #[serde(skip_serializing_if = "is_one")]
    pub every: u64,
    /// At most so many of those; without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// In so many of 1,000 cases.
    #[serde(skip_serializing_if = "is_certain")]
    pub chance: u16,
    /// What the chances follow from besides the plan's seed: two rules with the same dice fall together.
    #[serde(skip_serializing_if = "is_zero")]
    pub dice: u64,
}

/// A chance that is none.
const CERTAIN: u16 = 1000;

fn is_one(number: &u64) -> bool {
    *number == 1
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_certain(chance: &u16) -> bool {
    *chance == CERTAIN
}

impl Default for When {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            client: None,
            upstream: None,
            mentions: None,
            after_ms: None,
            until_ms: None,
            from: 1,
            every: 1,
            count: None,
            chance: CERTAIN,
            dice: 0,
        }
    }
}

impl When {
    fn is_always(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self, upstreams: usize) -> Result<(), String> {
        if self.chance > CERTAIN {
            return Err(format!("chance is {}, and must be at most {CERTAIN}", self.chance));
        }
        self.upstream.map_or(Ok(()), |upstream| fault::in_range(upstream, upstreams))
    }

    /// Whether the request of this number, of those that are counted, is one of them.
    pub(crate) fn takes(&self, nth: u64, seed: u64) -> bool {
        let every = self.every.max(1);
        let Some(since) = nth.checked_sub(self.from.max(1)) else { return false };
        since.checked_rem(every) == Some(0)
            && self.count.is_none_or(|count| since.checked_div(every).is_some_and(|number| number < count))
            && (self.chance == CERTAIN || self.dice(nth, seed).below(CERTAIN.into()) < self.chance.into())
    }

    /// What is random about the request of this number.
    pub(crate) fn dice(&self, nth: u64, seed: u64) -> Random {
        Random::new(&[seed, self.dice, nth])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rule: &Rule, seed: u64) -> Vec<u64> {
        (1..=20).filter(|nth| rule.when.takes(*nth, seed)).collect()
    }

    #[test]
    fn a_rule_takes_the_requests_that_it_names() {
        let rule = || Rule::always(Fault::Drop);
        assert_eq!(taken(&rule(), 0), (1..=20).collect::<Vec<_>>());
        assert_eq!(taken(&rule().from(3).times(2), 0), [3, 4]);
        assert_eq!(taken(&rule().from(2).every(5).times(3), 0), [2, 7, 12]);
        assert_eq!(taken(&rule().from(0).every(0).times(1), 0), [1]);
        assert_eq!(taken(&rule().chance(0, 0), 0), [0u64; 0]);
    }

    #[test]
    fn a_chance_follows_from_the_seed_and_the_dice() {
        let rule = |dice| Rule::always(Fault::Drop).chance(500, dice);
        assert_eq!(taken(&rule(1), 7), taken(&rule(1), 7));
        assert_ne!(taken(&rule(1), 7), taken(&rule(1), 8));
        assert_ne!(taken(&rule(1), 7), taken(&rule(2), 7));
        let thousand = (1..=1000).filter(|nth| rule(3).when.takes(*nth, 9)).count();
        assert!((400..600).contains(&thousand), "{thousand}");
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        let plan = Plan::new([Rule::on("sendTransaction", Fault::Drop).times(2), Rule::always(Fault::Drop)]);
        let json: serde_json::Value = serde_json::from_str(&plan.to_json()).unwrap();
        let expected = serde_json::json!({ "seed": 0, "rules": [
            { "when": { "methods": ["sendTransaction"], "count": 2 }, "fault": "drop" },
            { "fault": "drop" },
        ]});
        assert_eq!(json, expected);
        assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
    }

    #[test]
    fn a_typing_mistake_in_a_plan_is_none_of_the_rules() {
        for json in [r#"{"rule":[]}"#, r#"{"rules":[{"fault":"dorp"}]}"#, r#"{"rules":[{"wen":{},"fault":"drop"}]}"#] {
            assert!(matches!(Plan::from_json(json), Err(Error::PlanSyntax(_))), "{json}");
        }
    }

    #[test]
    fn a_rule_is_taken_out_by_its_index() {
        let rule = |nth| Rule::always(Fault::Drop).from(nth);
        let plan = Plan { seed: 5, rules: vec![rule(1), rule(2), rule(3)] };
        assert_eq!(plan.without(1), Plan { seed: 5, rules: vec![rule(1), rule(3)] });
        assert_eq!(plan.without(3), plan);
    }

    #[test]
    fn a_faster_chain_shortens_every_time() {
        let slow = Plan::new([
            Rule::always(Fault::Delay { ms: 800, delivered: true }).between(400, 4000),
            Rule::always(Fault::Hold(Until::Ms(2000))),
            Rule::always(Fault::Down { ms: Some(1200), delivered: false }),
            Rule::always(Fault::Answer { delivered: true, with: Answer::Hang { ms: Some(400) } }),
        ]);
        let fast = Plan::new([
            Rule::always(Fault::Delay { ms: 20, delivered: true }).between(10, 100),
            Rule::always(Fault::Hold(Until::Ms(50))),
            Rule::always(Fault::Down { ms: Some(30), delivered: false }),
            Rule::always(Fault::Answer { delivered: true, with: Answer::Hang { ms: Some(10) } }),
        ]);
        assert_eq!(slow.paced(10), fast);
    }
}
