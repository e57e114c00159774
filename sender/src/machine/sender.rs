//! One intention on its way.

use std::sync::Arc;

use super::{
    Decision, Observation, Pace, Question, Rules, Standing, Status, Until, Verdict, decide::Standings, witness::Witness,
};
use crate::{
    Attempt, Commitment, Entry, Fingerprint, Intention, Judged, Lifetime, Node, Opening, Position, Seen, Signature,
    Signed, Time,
};

/// What is asked of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Of how many transactions the intention consists, in order.
    pub steps: u32,
    /// How sure a success must be. `processed` is taken for `confirmed`.
    pub wanted: Commitment,
    /// How many times each transaction may be signed before "expired" is handed back: at least once.
    pub attempts: u32,
    /// A second execution is meant, though the first succeeded a short while ago.
    pub again: bool,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With a verdict on what was signed last.
    Verdict {
        /// Its signature.
        signature: Signature,
        /// The verdict.
        judged: Judged,
        /// Why the journal could not write the verdict, if it could not. Asking again finds the same.
        unwritten: Option<String>,
    },
    /// The same succeeded a short while ago. Nothing was signed.
    Repetition {
        /// The signature of its last transaction.
        signature: Signature,
        /// Its verdict.
        judged: Judged,
    },
    /// Nothing was sent of the transaction that was next. Steps before it stand as the journal says.
    NotSent(NotSent),
}

/// Why nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The caller found that it no longer fits, or could not be signed.
    #[error("nothing was sent: {0}")]
    Declined(String),
    /// The signer returned something else than it was given.
    #[error(transparent)]
    Attempt(#[from] crate::AttemptError),
    /// The journal did not take it.
    #[error("nothing was sent, because it could not be written down first: {0}")]
    Journal(String),
}

/// Sends the transactions of one intention. See the [module](crate).
#[derive(Debug, Clone)]
pub struct Sender {
    intention: Intention,
    request: Request,
    nodes: Vec<String>,
    pace: Pace,
    rules: Rules,
    now: Time,
    /// How many times the present step was signed by this sender.
    signings: u32,
    phase: Phase,
}

#[derive(Debug, Clone)]
enum Phase {
    Sign(Position),
    Record(Signed),
    Watch(Box<Watch>),
    Judge(Signature, Judged),
    Done(Ended),
}

/// An attempt that may have been sent.
#[derive(Debug, Clone)]
struct Watch {
    signed: Signed,
    witnesses: Vec<Witness>,
    /// Per node, when it is next sent to and asked.
    send_at: Vec<Time>,
    ask_at: Vec<Time>,
    /// Nodes that were asked at signing and are not given.
    absent: Vec<String>,
    began: Time,
    agreed_since: Option<Time>,
    /// How sure the journal says that it is.
    noted: Option<Commitment>,
    /// That an error answered a send, where the rules take that for an answer.
    ended_by_error: bool,
}

impl Sender {
    /// For an intention as the journal holds it, with these nodes by name.
    pub fn new(intention: Intention, request: Request, nodes: Vec<String>, pace: Pace, now: Time) -> Self {
        Self::under(Rules::ALL, intention, request, nodes, pace, now)
    }

    /// The same under these rules.
    pub fn under(
        rules: Rules,
        intention: Intention,
        request: Request,
        nodes: Vec<String>,
        pace: Pace,
        now: Time,
    ) -> Self {
        let opening = intention.opening_under(rules, now, request.again, &pace);
        let mut sender =
            Self { intention, request, nodes, pace, rules, now, signings: 0, phase: Phase::Sign(Position::default()) };
        sender.phase = match opening {
            Opening::Sign(position) => Phase::Sign(position),
            Opening::TakeUp(signed) => sender.watch(signed),
            Opening::Repetition(judged) => {
                let record =
                    sender.intention.records().iter().rfind(|record| record.signed.position == judged.position);
                let signature = record.map_or(Signature([0; 64]), |record| record.signed.attempt.signature());
                Phase::Done(Ended::Repetition { signature, judged })
            }
        };
        sender
    }

    /// The intention, as far as the journal has told.
    pub fn intention(&self) -> &Intention {
        &self.intention
    }

    /// By which the journal finds it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.intention.fingerprint()
    }

    /// What to do next.
    pub fn next(&mut self, now: Time) -> Decision {
        self.now = self.now.max(now);
        if let Some(verdict) = self.verdict() {
            self.judge(verdict);
        }
        let now = self.now;
        match &mut self.phase {
            Phase::Sign(position) => Decision::Sign(*position),
            Phase::Record(signed) => Decision::Record(Entry::Signed(signed.clone())),
            Phase::Watch(watch) => watch.next(now, &self.pace, self.rules),
            Phase::Judge(_, judged) => Decision::Record(Entry::Judged(judged.clone())),
            Phase::Done(ended) => Decision::Done(ended.clone()),
        }
    }

    /// Takes in what was observed. What comes late, or twice, or of an attempt before, does no harm.
    pub fn observe(&mut self, now: Time, observation: Observation) {
        self.now = self.now.max(now);
        match observation {
            Observation::Signed(attempt) => self.signed(attempt),
            Observation::Declined(reason) => {
                if let Phase::Sign(_) = self.phase {
                    self.phase = Phase::Done(Ended::NotSent(NotSent::Declined(reason)));
                }
            }
            Observation::Recorded(result) => self.recorded(result),
            observation => {
                if let Phase::Watch(watch) = &mut self.phase {
                    watch.hear(self.now, observation, &self.pace, self.rules);
                }
            }
        }
    }

    fn signed(&mut self, attempt: Result<Attempt, crate::AttemptError>) {
        let Phase::Sign(position) = self.phase else { return };
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(error) => {
                self.phase = Phase::Done(Ended::NotSent(NotSent::Attempt(error)));
                return;
            }
        };
        self.signings = self.signings.saturating_add(1);
        let signed = Signed { position, steps: self.request.steps, attempt, nodes: self.nodes.clone(), at: self.now };
        self.phase = if self.rules.journal_first() { Phase::Record(signed) } else { self.watch(signed) };
    }

    fn recorded(&mut self, result: Result<(), String>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Sign(Position::default()));
        self.phase = match (phase, result) {
            (Phase::Record(signed), Ok(())) => match self.apply(Entry::Signed(signed.clone())) {
                Ok(()) => self.watch(signed),
                Err(reason) => Phase::Done(Ended::NotSent(NotSent::Journal(reason))),
            },
            (Phase::Record(_), Err(reason)) => Phase::Done(Ended::NotSent(NotSent::Journal(reason))),
            (Phase::Judge(signature, judged), result) => self.judged(signature, judged, result),
            (phase, _) => phase,
        };
    }

    /// After a verdict is written, or could not be: the next transaction, the same once more, or the end.
    fn judged(&mut self, signature: Signature, judged: Judged, written: Result<(), String>) -> Phase {
        let written = written.and_then(|()| self.apply(Entry::Judged(judged.clone())));
        if written.is_ok() {
            match (&judged.verdict, self.intention.next()) {
                (Verdict::Succeeded { .. }, Some(next)) if next.run == judged.position.run => {
                    self.signings = 0;
                    return Phase::Sign(next);
                }
                (Verdict::Expired { .. }, Some(next)) if self.signings < self.request.attempts => {
                    return Phase::Sign(next);
                }
                _ => {}
            }
        }
        Phase::Done(Ended::Verdict { signature, judged, unwritten: written.err() })
    }

    fn apply(&mut self, entry: Entry) -> Result<(), String> {
        self.intention.apply_under(self.rules, entry).map_err(|refusal| refusal.to_string())
    }

    fn watch(&self, signed: Signed) -> Phase {
        let count = self.nodes.len();
        Phase::Watch(Box::new(Watch {
            witnesses: vec![Witness::default(); count],
            send_at: vec![self.now; count],
            ask_at: vec![self.now; count],
            absent: signed.nodes.iter().filter(|name| !self.nodes.contains(name)).cloned().collect(),
            signed,
            began: self.now,
            agreed_since: None,
            noted: None,
            ended_by_error: false,
        }))
    }

    /// The outcome, if there is enough for one, or the time is up.
    fn verdict(&mut self) -> Option<Verdict> {
        let Phase::Watch(watch) = &mut self.phase else { return None };
        let (attempt, wanted, rules) = (&watch.signed.attempt, self.request.wanted, self.rules);
        let given = watch.witnesses.iter().map(|witness| witness.standing(attempt, wanted, rules));
        let standings = Standings {
            standings: given.chain(watch.absent.iter().map(|_| Standing::Absent)).collect(),
            names: &|node| self.nodes.iter().chain(&watch.absent).nth(node).cloned().unwrap_or_default(),
            quorum: rules.agreement(self.nodes.len()),
        };
        if watch.ended_by_error {
            return Some(standings.expired(attempt));
        }
        let outcome = standings.outcome(attempt, &mut watch.agreed_since, self.now, &self.pace, rules);
        if outcome.is_some() || self.now.since(watch.began) < self.pace.limit {
            return outcome;
        }
        let over = watch.witnesses.iter().filter(|witness| witness.is_over()).count();
        let until = match attempt.lifetime() {
            _ if over >= standings.quorum => Until::Over,
            Lifetime::BlockHash { last_valid, .. } => Until::Height(*last_valid),
            Lifetime::Nonce { account, .. } => Until::NonceAdvances(*account),
        };
        let seen = self.intention.records().last().and_then(|record| record.seen.clone());
        Some(Verdict::Unknown { known: watch.known().or(seen), until, nodes: standings.named() })
    }

    fn judge(&mut self, verdict: Verdict) {
        let Phase::Watch(watch) = &self.phase else { return };
        let judged = Judged { position: watch.signed.position, verdict, at: self.now };
        self.phase = Phase::Judge(watch.signed.attempt.signature(), judged);
    }
}

impl Watch {
    fn known(&self) -> Option<Status> {
        self.witnesses.iter().filter_map(Witness::known).max_by_key(|status| status.commitment).cloned()
    }

    fn hear(&mut self, now: Time, observation: Observation, pace: &Pace, rules: Rules) {
        let Some(Node(node)) = observation.node() else { return };
        if let Some(at) = self.ask_at.get_mut(node) {
            match &observation {
                // An error in answer to a send may mean that it was executed before: look at once.
                Observation::Sent { error: Some(_), .. } => *at = now,
                Observation::Status { .. } | Observation::Failed { .. } => *at = now.plus(pace.poll),
                _ => {}
            }
        }
        if let Observation::Sent { error: Some(_), signature, .. } = &observation {
            self.ended_by_error |= rules.ends_at_an_error() && *signature == self.signed.attempt.signature();
        }
        if let Some(witness) = self.witnesses.get_mut(node) {
            witness.hear(observation, &self.signed.attempt, rules);
        }
    }

    fn next(&mut self, now: Time, pace: &Pace, rules: Rules) -> Decision {
        if let Some(status) = &self.known()
            && self.noted < Some(status.commitment)
        {
            self.noted = Some(status.commitment);
            return Decision::Note(Seen { position: self.signed.position, status: status.clone() });
        }
        let nodes: Vec<Node> = self.due_sends(now, pace, rules);
        if !nodes.is_empty() {
            let attempt = &self.signed.attempt;
            return Decision::Send { nodes, signature: attempt.signature(), bytes: Arc::clone(attempt.bytes()) };
        }
        let questions = self.due_questions(now, pace, rules);
        if !questions.is_empty() {
            return Decision::Ask(questions);
        }
        let attempt = &self.signed.attempt;
        let is_spread = self.is_spread(rules);
        let sends = self.send_at.iter().zip(&self.witnesses).filter(|_| !is_spread);
        let sends =
            sends.filter(|(at, witness)| witness.takes_sends_until(attempt, pace) > Some(**at)).map(|(at, _)| *at);
        let mut until = self.began.plus(pace.limit);
        until = sends.chain(self.ask_at.iter().copied()).fold(until, Time::min);
        if let Some(since) = self.agreed_since {
            until = until.min(since.plus(pace.patience));
        }
        Decision::Wait(until)
    }

    /// Whether it need not be sent any more: one node alone that says that it knows it may lie.
    fn is_spread(&self, rules: Rules) -> bool {
        let know = self.witnesses.iter().filter(|witness| witness.known().is_some()).count();
        know >= rules.agreement(self.witnesses.len())
    }

    fn due_sends(&mut self, now: Time, pace: &Pace, rules: Rules) -> Vec<Node> {
        if self.is_spread(rules) {
            return Vec::new();
        }
        let attempt = &self.signed.attempt;
        let due = self.send_at.iter_mut().zip(&self.witnesses).enumerate();
        due.filter(|(_, (at, witness))| **at <= now && witness.takes_sends_until(attempt, pace) > Some(now))
            .map(|(node, (at, _))| {
                *at = now.plus(pace.resend);
                Node(node)
            })
            .collect()
    }

    fn due_questions(&mut self, now: Time, pace: &Pace, rules: Rules) -> Vec<(Node, Question)> {
        let attempt = &self.signed.attempt;
        let mut questions = Vec::new();
        let due = self.ask_at.iter_mut().zip(&self.witnesses).enumerate();
        for (node, (at, witness)) in due.filter(|(_, (at, _))| **at <= now) {
            *at = now.plus(pace.answer);
            let mut ask = |question| questions.push((Node(node), question));
            // In this order: a bank that looks for the signature after the end was seen may be past it.
            ask(Question::Height(rules.ends_a_life()));
            if let Lifetime::Nonce { account, .. } = attempt.lifetime() {
                ask(Question::Nonce(*account));
            }
            if witness.is_over() {
                ask(Question::FirstBlock);
                if attempt.shows() {
                    ask(Question::Effect(attempt.signature()));
                }
            }
            ask(Question::Status(attempt.signature()));
        }
        questions
    }
}
