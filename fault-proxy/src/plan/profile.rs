//! Plans from seeds.

use clap::ValueEnum;
use serde_json::json;

use super::{
    AccountLie, Answer, Balance, BlockhashLie, Fault, Http, Lag, Level, Lie, Nonsense, Number, Plan, Quantity,
    RetryAfter, RpcError, Rule, StatusLie, Until, Verdict,
};
use crate::{lie::CLOCK, random::Random};

/// The rules of a plan, at most: few enough to see at once which of them matters.
const MAX_RULES: u64 = 4;

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// What kind of node a random plan makes of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// It loses, delays, repeats and refuses, is behind, dies, and balances between its upstreams. It never says anything that
    /// is not so.
    Honest,
    /// Its answers make no sense, or say that something failed.
    Nonsense,
    /// It says what is not so, in answers of the right form.
    Liar,
}

impl Profile {
    /// The profile's plan for this seed.
    pub(super) fn plan(self, seed: u64) -> Plan {
        let kind = match self {
            Profile::Honest => 1,
            Profile::Nonsense => 2,
            Profile::Liar => 3,
        };
        let mut random = Random::new(&[seed, kind]);
        let count = random.between(1, MAX_RULES);
        let mut rules = Vec::new();
        for _ in 0..count {
            rules.extend(match self {
                Profile::Honest => honest(&mut random),
                Profile::Nonsense => vec![nonsense(&mut random)],
                Profile::Liar => vec![liar(&mut random)],
            });
        }
        for rule in &mut rules {
            rule.when.dice = random.below(1 << 32);
        }
        Plan { seed, rules }
    }
}

/// One of the methods by which a client sends and waits, sending above all; or any.
fn on_some_method(random: &mut Random, fault: Fault) -> Rule {
    let send = "sendTransaction";
    let others = [
        send,
        send,
        "getSignatureStatuses",
        "getSignatureStatuses",
        "getBlockHeight",
        "getEpochInfo",
        "getLatestBlockhash",
        "getAccountInfo",
        "",
    ];
    match random.choose(send, &others) {
        "" => Rule::always(fault),
        method => Rule::on(method, fault),
    }
}

/// The same for a few requests near the beginning.
fn few(random: &mut Random, rule: Rule) -> Rule {
    let later = random.between(2, 5);
    rule.from(random.choose(1, &[1, later])).times(random.between(1, 4))
}

fn honest(random: &mut Random) -> Vec<Rule> {
    let fault = match random.below(11) {
        0 | 1 => Fault::Answer { delivered: true, with: loss(random) },
        2 => Fault::Answer { delivered: false, with: refusal(random) },
        3 => Fault::Delay { ms: random.between(50, 3000), delivered: random.once_in(2) },
        4 => Fault::Drop,
        5 => Fault::Hold(Until::BeforeExpiry(random.below(20))),
        6 => {
            let (blocks, ms) = (random.between(1, 140), random.between(100, 30_000));
            Fault::Hold(random.choose(Until::Blocks(blocks), &[Until::Ms(ms)]))
        }
        7 => Fault::Repeat { times: 2 },
        8 => Fault::Down { ms: Some(random.between(400, 8000)), delivered: random.once_in(2) },
        9 => {
            // Either of two nodes, as the balancer likes, and one of them behind.
            let balance = random.choose(Balance::PerRequest, &[Balance::PerConnection]);
            let lag = Fault::Behind(Lag::Slots(random.between(1, 60)));
            return vec![Rule::always(Fault::Balance(balance)), Rule::always(lag).chance(500, 0)];
        }
        _ => {
            let slots = random.between(1, 200);
            let lag = random.choose(Lag::Stopped, &[Lag::Slots(slots)]);
            return vec![Rule::always(Fault::Behind(lag)).from(random.between(1, 10)).chance(300, 0)];
        }
    };
    let rule = match fault {
        Fault::Drop | Fault::Hold(_) => Rule::always(fault),
        _ => on_some_method(random, fault),
    };
    vec![few(random, rule)]
}

/// What a client gets that is never to hear of an answer.
fn loss(random: &mut Random) -> Answer {
    let error = random.choose(-32603, &[-32005]);
    match random.below(6) {
        0 => Answer::Reset,
        1 => Answer::Close,
        2 => Answer::Hang { ms: Some(random.between(200, 4000)) },
        3 => Answer::Http(Http::status(random.choose(502, &[503, 504, 500]))),
        4 => Answer::Truncated { bytes: usize::try_from(random.below(60)).unwrap_or(0) },
        _ => Answer::Rpc(unhealthy(error)),
    }
}

/// What a client gets whose request is not taken.
fn refusal(random: &mut Random) -> Answer {
    let later = random.choose(None, &[Some(RetryAfter::Seconds(0)), Some(RetryAfter::Seconds(1))]);
    match random.below(4) {
        0 => Answer::Reset,
        1 => Answer::Http(Http::status(random.choose(502, &[503]))),
        2 => Answer::Http(Http { retry_after: later, ..Http::status(429) }),
        _ => Answer::Rpc(unhealthy(-32005)),
    }
}

/// An error that says nothing about the transaction, nor how far behind the node is.
fn unhealthy(code: i64) -> RpcError {
    match code {
        -32005 => {
            RpcError { code, message: "Node is unhealthy".to_owned(), data: Some(json!({ "numSlotsBehind": null })) }
        }
        code => RpcError::usual(code),
    }
}

fn nonsense(random: &mut Random) -> Rule {
    let with = match random.below(8) {
        0..=2 => Answer::Nonsense(random.choose(
            Nonsense::Empty,
            &[
                Nonsense::Html,
                Nonsense::OtherShape,
                Nonsense::Null,
                Nonsense::NullResult,
                Nonsense::WrongId,
                Nonsense::WrongTypes,
                Nonsense::NoResult,
                Nonsense::NotANumber,
                Nonsense::Deep { levels: 100_000 },
                Nonsense::InvalidUtf8,
            ],
        )),
        3 | 4 => {
            let code = random.choose(-32603, &RpcError::CODES);
            // Some quote what they were asked, with the key in it.
            let message = format!("{} at {{url}}", RpcError::usual(code).message);
            let quoting = RpcError { message, ..RpcError::usual(code) };
            Answer::Rpc(random.choose(RpcError::usual(code), &[RpcError::without_data(code), quoting]))
        }
        5 => {
            let wrong = random.signed(40);
            random.choose(Answer::Truncated { bytes: 30 }, &[Answer::Length { by: wrong }, Answer::Slow { ms: 5 }])
        }
        6 => Answer::Oversized { bytes: random.between(1, 64) << 20, chunked: random.once_in(2) },
        _ => Answer::Http(odd_http(random)),
    };
    let delivered = !random.once_in(3);
    let rule = on_some_method(random, Fault::Answer { delivered, with });
    few(random, rule)
}

/// An HTTP answer that a client may misunderstand.
fn odd_http(random: &mut Random) -> Http {
    let status =
        random.choose(429, &[429, 301, 302, 307, 308, 400, 401, 403, 404, 408, 413, 500, 502, 503, 504, 520, 530]);
    let retry_after = random.choose(
        None,
        &[
            Some(RetryAfter::Seconds(1)),
            Some(RetryAfter::Seconds(119)),
            Some(RetryAfter::Seconds(31_536_000)),
            Some(RetryAfter::Seconds(-1)),
            Some(RetryAfter::Date(2)),
            Some(RetryAfter::Date(-60)),
            Some(RetryAfter::Text("soon".to_owned())),
        ],
    );
    Http {
        status,
        retry_after: retry_after.filter(|_| matches!(status, 429 | 503)),
        location: (300..400).contains(&status).then(|| "{url}/elsewhere".to_owned()),
        body: format!("HTTP {status} for {{url}}"),
    }
}

fn liar(random: &mut Random) -> Rule {
    let fault = match random.below(9) {
        0..=2 => Fault::Lie(Lie::Status { signature: None, is: status_lie(random) }),
        3 => {
            let of = random.choose(Quantity::Height, &[Quantity::Height, Quantity::Slot, Quantity::ContextSlot]);
            let by = random.signed(10_000);
            Fault::Lie(Lie::Number { of, is: random.choose(Number::Add(by), &[Number::Freeze, Number::Set(0)]) })
        }
        4 => {
            let last_valid = Lie::Number { of: Quantity::LastValidHeight, is: Number::Add(random.signed(150)) };
            let stale = Lie::Blockhash(BlockhashLie::Stale { slots: random.between(10, 400) });
            Fault::Lie(random.choose(last_valid, &[stale, Lie::Blockhash(BlockhashLie::Foreign)]))
        }
        5 => Fault::Lie(Lie::Account { address: None, is: account_lie(random) }),
        6 => {
            let seconds = random.signed(400).saturating_mul(i64::try_from(DAY).unwrap_or(0));
            let decimals = Lie::Decimals { mint: None, by: i8::try_from(random.signed(6)).unwrap_or(3) };
            Fault::Lie(random.choose(Lie::Clock { seconds }, &[decimals]))
        }
        7 => {
            let first = Lie::Number { of: Quantity::FirstAvailableBlock, is: Number::Set(random.below(1 << 40)) };
            let genesis = Lie::GenesisHash(random.address());
            Fault::Lie(random.choose(genesis, &[first]))
        }
        _ => {
            let error = json!({ "InstructionError": [0, { "Custom": random.below(7000) }] });
            let err = random.choose(json!("AlreadyProcessed"), &[json!("BlockhashNotFound"), error]);
            let with = Answer::Rpc(RpcError::preflight(err));
            let delivered = !random.once_in(3);
            let rule = Rule::on("sendTransaction", Fault::Answer { delivered, with });
            return few(random, rule);
        }
    };
    let rule = Rule::always(fault);
    match random.below(3) {
        // For good, or for a while, or now and then.
        0 => rule.from(random.between(1, 3)),
        1 => few(random, rule),
        _ => rule.chance(500, 0),
    }
}

fn status_lie(random: &mut Random) -> StatusLie {
    let level = random.choose(Level::Finalized, &[Level::Confirmed, Level::Processed]);
    let failed = Verdict::Failed(json!({ "InstructionError": [0, { "Custom": 6000 }] }));
    let verdict = random.choose(Verdict::True, &[Verdict::Succeeded, failed]);
    let known = StatusLie::Known { level, verdict, invented: random.once_in(2) };
    random.choose(StatusLie::Unknown, &[known.clone(), known])
}

fn account_lie(random: &mut Random) -> AccountLie {
    let at = usize::try_from(random.below(1000)).unwrap_or(0);
    let lamports = random.signed(1_000_000_000);
    let (owner, bit) = (random.address(), random.below(8));
    random.choose(
        AccountLie::Missing,
        &[
            AccountLie::Lamports(Number::Add(lamports)),
            AccountLie::Owner(owner),
            AccountLie::Byte { at, xor: 1 << bit },
            AccountLie::Byte { at, xor: 0xff },
            AccountLie::Size(at),
            AccountLie::Other(CLOCK.to_owned()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn plans(profile: Profile) -> Vec<Plan> {
        (0..2000).map(|seed| Plan::random(seed, profile)).collect()
    }

    #[test]
    fn a_seed_gives_one_plan_that_can_be_followed_and_written() {
        for profile in Profile::value_variants() {
            let all = plans(*profile);
            assert_eq!(all, plans(*profile));
            for plan in &all {
                assert!(!plan.rules.is_empty());
                plan.check(1).unwrap();
                assert_eq!(&Plan::from_json(&plan.to_json()).unwrap(), plan);
            }
            let different: HashSet<String> = all.iter().map(Plan::to_json).collect();
            assert!(different.len() > 1900, "{}", different.len());
        }
    }

    #[test]
    fn an_honest_node_never_lies() {
        for plan in plans(Profile::Honest) {
            for rule in plan.rules {
                match rule.fault {
                    Fault::Lie(_) | Fault::Answer { with: Answer::Nonsense(_) | Answer::Oversized { .. }, .. } => {
                        panic!("seed {}: {:?}", plan.seed, rule.fault)
                    }
                    Fault::Answer { with: Answer::Rpc(error), .. } => assert!([-32005, -32603].contains(&error.code)),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn each_profile_reaches_all_of_its_faults() {
        let reached = |profile: Profile, words: &[&str]| {
            let all: String = plans(profile).iter().map(Plan::to_json).collect();
            for word in words {
                assert!(all.contains(word), "{profile:?} never says {word}");
            }
        };
        let honest = [
            "reset",
            "close",
            "hang",
            "http",
            "truncated",
            "rpc",
            "delay",
            "drop",
            "beforeExpiry",
            "blocks",
            "repeat",
            "down",
            "perRequest",
            "perConnection",
            "slots",
            "stopped",
            "retryAfter",
        ];
        reached(Profile::Honest, &honest);
        let nonsense = [
            "empty",
            "html",
            "otherShape",
            "null",
            "nullResult",
            "wrongId",
            "wrongTypes",
            "noResult",
            "notANumber",
            "deep",
            "invalidUtf8",
            "oversized",
            "length",
            "slow",
            "location",
            "{url}",
            "-32021",
            "-32700",
        ];
        reached(Profile::Nonsense, &nonsense);
        let liar = [
            "unknown",
            "invented",
            "failed",
            "height",
            "freeze",
            "stale",
            "foreign",
            "genesisHash",
            "clock",
            "decimals",
            "missing",
            "lamports",
            "owner",
            "byte",
            "size",
            "other",
            "firstAvailableBlock",
            "AlreadyProcessed",
        ];
        reached(Profile::Liar, &liar);
    }
}
