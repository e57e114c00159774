//! One request, from its arrival to what goes back to the client.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{
    Shared,
    active::{Active, Applied, Asker},
    asked::Asked,
    behind::Past,
    reply::{Raw, Reply},
    upstream::{Answered, Failure, Upstream},
};
use crate::{
    json_rpc::{Call, Kind, Request, answers},
    lie::Scene,
    log::Told,
    plan::{Answer, Fault},
    rpc_error::RpcError,
    transaction::Transaction,
};

/// A longer answer is read only where something in it is to be changed.
const MAX_READ: usize = 1024 * 1024;

/// A call on its way.
pub(super) struct Way<'a> {
    pub(super) call: Call,
    /// The number of its entry in the log.
    number: u64,
    applied: Vec<Applied<'a>>,
    /// Where its node stands, if that is behind.
    past: Option<Past>,
    /// What it is answered, once that is known.
    answer: Option<Value>,
    /// The upstream does not get it with the others.
    stays: bool,
    /// It, or its answer, is not what it was.
    changed: bool,
    /// The rules that took effect.
    rules: Vec<usize>,
}

impl<'a> Way<'a> {
    pub(super) fn new(call: Call, number: u64, applied: Vec<Applied<'a>>) -> Self {
        Self { call, number, applied, past: None, answer: None, stays: false, changed: false, rules: Vec::new() }
    }

    /// The rules that took effect, each once, in the plan's order.
    pub(super) fn rules(&self) -> Vec<usize> {
        let mut rules = self.rules.clone();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// The first fault that answers in place of the node.
    fn answered_by(&self) -> Option<(Applied<'a>, bool, &'a Answer)> {
        self.applied.iter().find_map(|applied| match applied.fault {
            Fault::Answer { delivered, with } => Some((*applied, *delivered, with)),
            _ => None,
        })
    }

    fn rpc_error(&self) -> Option<(Applied<'a>, bool, &'a RpcError)> {
        match self.answered_by()? {
            (applied, delivered, Answer::Rpc(error)) => Some((applied, delivered, error)),
            _ => None,
        }
    }
}

/// What happens to all calls of a request together.
pub(super) struct Together<'a> {
    /// The fault in place of the whole answer.
    pub(super) answer: Option<(bool, &'a Answer)>,
    /// The node dies, for so long.
    down: Option<(bool, Option<u64>)>,
    /// On arrival, and on departure.
    pub(super) delay: [Duration; 2],
    /// The same.
    pub(super) hooks: [Vec<&'a str>; 2],
    times: u32,
}

/// Does with a request what the plan says.
pub(crate) async fn exchange(shared: &Arc<Shared>, asked: Asked) -> Reply {
    let active = shared.active();
    let mut request = Request::parse(&asked.body, &asked.name());
    // In its path a client names itself; of what is no JSON-RPC, the path is the node's.
    let client = if request.kind == Kind::Opaque { "" } else { asked.client() };
    let asker = Asker { client, connection: asked.connection };
    let decision = active.decide(asker, &request.calls, shared.upstreams.len());
    let Some(upstream) = shared.upstreams.get(decision.upstream) else {
        return Reply::bad_gateway("there is no such upstream");
    };
    let mut ways: Vec<Way> = std::mem::take(&mut request.calls)
        .into_iter()
        .zip(decision.calls)
        .map(|(call, applied)| {
            let number = shared.log.add(shared.entry(&call, client, decision.upstream));
            Way::new(call, number, applied)
        })
        .collect();
    let together = together(&mut ways);
    for way in &ways {
        shared.log.update(way.number, |entry| entry.rules = way.rules());
    }

    let [arrival, departure] = &together.hooks;
    shared.wait_for_hooks(arrival, &ways.iter().map(|way| &way.call).collect::<Vec<_>>()).await;
    tokio::time::sleep(together.delay[0]).await;

    let reaches =
        together.answer.is_none_or(|(delivered, _)| delivered) && together.down.is_none_or(|(delivered, _)| delivered);
    let mut original = None;
    if reaches {
        for way in &mut ways {
            before_delivery(shared, &active, decision.upstream, upstream, way).await;
        }
        original = match deliver(shared, upstream, &asked, request.kind, &mut ways, &together).await {
            Ok(original) => original,
            // What is said in place of the answer hides that there is none.
            Err(reason) if together.answer.is_none() && together.down.is_none() => {
                for way in ways {
                    let told = Told::Answer(Value::String("HTTP 502".to_owned()));
                    shared.log.update(way.number, |entry| (entry.told, entry.rules) = (told, way.rules()));
                }
                return Reply::bad_gateway(&reason);
            }
            Err(_) => None,
        };
    }
    for way in &mut ways {
        after_delivery(&active, upstream, &asked, way);
    }

    let reply = finish(shared, &asked, &mut request, ways, &together, original);
    let calls: Vec<&Call> = request.calls.iter().collect();
    shared.wait_for_hooks(departure, &calls).await;
    tokio::time::sleep(together.delay[1]).await;
    if let Some((_, ms)) = together.down {
        shared.go_down(ms.map(Duration::from_millis));
        return Reply::Raw(Raw { reset: true, ..Raw::default() });
    }
    reply
}

/// What the rules for the single calls come to for all of them.
pub(super) fn together<'a>(ways: &mut [Way<'a>]) -> Together<'a> {
    let mut together =
        Together { answer: None, down: None, delay: [Duration::ZERO; 2], hooks: Default::default(), times: 1 };
    let mut met = Vec::new();
    for way in ways {
        for applied in &way.applied {
            // A rule that several calls of a batch meet waits once.
            let first = !met.contains(&applied.rule);
            met.push(applied.rule);
            match applied.fault {
                Fault::Delay { ms, delivered } if first => {
                    if let Some(delay) = together.delay.get_mut(usize::from(*delivered)) {
                        *delay = delay.saturating_add(Duration::from_millis(*ms));
                    }
                }
                Fault::Hook { name, delivered } if first => {
                    if let Some(hooks) = together.hooks.get_mut(usize::from(*delivered)) {
                        hooks.push(name);
                    }
                }
                Fault::Down { ms, delivered } => together.down = together.down.or(Some((*delivered, *ms))),
                Fault::Repeat { times } => together.times = together.times.max(*times),
                Fault::Delay { .. } | Fault::Hook { .. } | Fault::Balance(_) => {}
                // They take effect later, or not at all.
                Fault::Answer { .. } | Fault::Lie(_) | Fault::Behind(_) | Fault::Drop | Fault::Hold(_) => continue,
            }
            way.rules.push(applied.rule);
        }
        if let Some((applied, delivered, answer)) = way.answered_by()
            && !matches!(answer, Answer::Rpc(_))
            && together.answer.is_none()
        {
            together.answer = Some((delivered, answer));
            way.rules.push(applied.rule);
        }
    }
    together
}

/// What happens to a call before the upstream gets it: it may not get it at all.
async fn before_delivery(shared: &Arc<Shared>, active: &Active, index: usize, upstream: &Upstream, way: &mut Way<'_>) {
    if let Some((applied, false, _)) = way.rpc_error() {
        way.rules.push(applied.rule);
        way.stays = true;
        return;
    }
    for applied in way.applied.clone() {
        match applied.fault {
            Fault::Behind(lag) => {
                way.past = Past::of(*lag, applied, upstream, &active.frozen).await;
                if let Some(error) = way.past.and_then(|past| past.refuses(&way.call, upstream)) {
                    way.answer = Some(way.call.error(&error));
                    way.rules.push(applied.rule);
                    way.stays = true;
                    return;
                }
            }
            Fault::Lie(lie) if lie.prepare(&mut way.call) => {
                way.changed = true;
                way.rules.push(applied.rule);
            }
            Fault::Drop | Fault::Hold(_) => {
                let Some(transaction) = Transaction::of(&way.call) else { continue };
                way.answer = Some(way.call.result(Value::String(transaction.signature.clone())));
                way.rules.push(applied.rule);
                way.stays = true;
                if let Fault::Hold(until) = applied.fault {
                    shared.hold(index, way.number, &way.call, &transaction, *until);
                }
                return;
            }
            _ => {}
        }
    }
}

/// The status and headers of the upstream's answer, and its body as it came.
type Original = (StatusCode, HeaderMap, Bytes);

/// Gives the upstream those calls that it is to get, and takes its answers. The whole answer comes back too, if there is
/// one; if there should be and is none, the reason.
async fn deliver(
    shared: &Shared,
    upstream: &Upstream,
    asked: &Asked,
    kind: Kind,
    ways: &mut [Way<'_>],
    together: &Together<'_>,
) -> Result<Option<Original>, String> {
    let as_it_came = ways.iter().all(|way| !way.stays && !way.changed);
    let mut going: Vec<&mut Way> = ways.iter_mut().filter(|way| !way.stays).collect();
    if going.is_empty() {
        return Ok(None);
    }
    let body = match kind {
        _ if as_it_came => asked.body.clone(),
        Kind::Batch => Value::Array(going.iter().map(|way| way.call.0.clone()).collect()).to_string().into(),
        Kind::Single | Kind::Opaque => going.iter().map(|way| way.call.0.to_string()).collect::<String>().into(),
    };
    let path = match kind {
        Kind::Opaque => asked.uri.path_and_query().map(|path| path.as_str()),
        Kind::Single | Kind::Batch => None,
    };
    let mut last = None;
    for _ in 0..together.times.max(1) {
        let sent = upstream.send(asked.method.clone(), path, asked.headers.clone(), body.clone()).await;
        last = Some(match sent {
            Ok(answered) => {
                take(shared, upstream, kind, &mut going, &answered);
                Ok((answered.status, answered.headers, answered.body))
            }
            Err(failure) => {
                for way in &going {
                    shared.came_of(way.number, Err(&failure));
                }
                let (Failure::Unreachable(reason) | Failure::Lost(reason)) = failure;
                Err(reason)
            }
        });
    }
    last.transpose()
}

/// Gives each call its answer, and remembers it.
fn take(shared: &Shared, upstream: &Upstream, kind: Kind, going: &mut [&mut Way], answered: &Answered) {
    let needed = going
        .iter()
        .any(|way| way.applied.iter().any(|applied| matches!(applied.fault, Fault::Lie(_) | Fault::Behind(_))));
    let read = (needed || answered.body.len() <= MAX_READ).then(|| serde_json::from_slice(&answered.body).ok());
    let found = match read.flatten() {
        Some(body) => answers(kind, &going.iter().map(|way| &way.call).collect::<Vec<_>>(), body),
        None => vec![None; going.len()],
    };
    for (way, answer) in going.iter_mut().zip(found) {
        if let Some(result) = answer.as_ref().and_then(|answer| answer.get("result")) {
            upstream.memory.learn(&way.call, result);
        }
        let came = answer.clone().unwrap_or_else(|| Value::String(answered.summary()));
        shared.came_of(way.number, Ok(came));
        way.answer = answer;
    }
}

/// What happens to the answer to a call.
fn after_delivery(active: &Active, upstream: &Upstream, asked: &Asked, way: &mut Way<'_>) {
    if let Some((applied, _, error)) = way.rpc_error() {
        let message = asked.quote(&error.message);
        way.answer = Some(way.call.error(&RpcError { message, ..error.clone() }));
        way.changed = true;
        way.rules.push(applied.rule);
        return;
    }
    if way.stays {
        return;
    }
    for applied in way.applied.clone() {
        let Some(answer) = &mut way.answer else { return };
        let told = match applied.fault {
            Fault::Behind(_) => match way.past {
                Some(past) => past.tell(&way.call, upstream, answer),
                None => false,
            },
            Fault::Lie(lie) => {
                let (call, frozen, dice) = (&way.call, &active.frozen, active.dice(applied));
                lie.tell(Scene { call, upstream, frozen, rule: applied.rule, dice }, answer)
            }
            _ => false,
        };
        if told {
            way.changed = true;
            way.rules.push(applied.rule);
        }
    }
}

/// Puts the answers together, and writes down what the client gets.
fn finish(
    shared: &Shared,
    asked: &Asked,
    request: &mut Request,
    mut ways: Vec<Way>,
    together: &Together,
    original: Option<Original>,
) -> Reply {
    let untouched = ways.iter().all(|way| !way.changed && !way.stays);
    let (head, body) = match original {
        Some((status, headers, body)) if untouched => (Some((status, headers)), body),
        original => {
            for way in ways.iter_mut().filter(|way| !way.call.is_notification()) {
                // A call may have got no answer among others.
                way.answer.get_or_insert_with(|| way.call.result(Value::Null));
            }
            let mut answers = ways.iter().filter_map(|way| way.answer.as_ref());
            let body = match request.kind {
                Kind::Batch => serde_json::to_string(&answers.collect::<Vec<_>>()),
                Kind::Single | Kind::Opaque => serde_json::to_string(&answers.next()),
            };
            // Fails on maps whose keys are no strings alone, of which there are none.
            let body = body.unwrap_or_default();
            (original.map(|(status, headers, _)| (status, headers)), body.into())
        }
    };
    let length = body.len();
    for way in &mut ways {
        let told = match together {
            Together { down: Some(_), .. } => Told::Down,
            Together { answer: Some((_, answer)), .. } => Told::Fault((*answer).clone()),
            _ => Told::Answer(way.answer.take().unwrap_or_else(|| Value::String(format!("{length} bytes")))),
        };
        shared.log.update(way.number, |entry| (entry.told, entry.rules) = (told, way.rules()));
    }
    request.calls = ways.into_iter().map(|way| way.call).collect();
    match together.answer {
        Some((_, answer)) => Reply::fault(answer, asked, request, body),
        None if untouched => match head {
            Some((status, headers)) => Reply::passed(Answered { status, headers, body }),
            None => Reply::json(None, body),
        },
        None => Reply::json(head, body),
    }
}
