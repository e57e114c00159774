//! One run: the cluster, the nodes, the processes and the people, event by event.

use std::{cmp::Reverse, collections::BinaryHeap};

use escrow_sender::{
    Attempt, AttemptError, Decision, Ended, Entry, Fingerprint, Intention, Judged, Lease, Lifetime, Node, Observation,
    Origin, Pace, Position, Question, Request, Rules, Sender, Time, Verdict,
};

use crate::{
    chain::{Chain, TxId},
    node::{self, Answering, GENESIS, NONCE_ACCOUNT},
    random::mix,
    schedule::{ClusterFault, How, KillKind, NodeFaultKind, OfferLie, Schedule, SendLie},
};

/// How long a slot is.
const SLOT: u64 = 400;
/// How long an answer is waited for.
const TIME_OUT: u64 = 5_000;
/// How long a claim lasts.
const LEASE: u64 = 30_000;
/// How often one person types the command.
const PATIENCE: u32 = 8;
/// From this slot on nothing goes wrong any more, except that liars lie.
pub(crate) const CALM: u64 = 1_000;
/// When everybody goes home, at the latest.
const END: u64 = 9_000;
/// How long nodes are away while the ledger starts anew.
const RESTART: u64 = 60;

/// The sender's durations here. What succeeded is always recent: nobody means it twice.
pub(crate) const PACE: Pace = Pace {
    poll: 2_000,
    answer: 6_000,
    resend: 4_000,
    patience: 20_000,
    limit: 180_000,
    recent: u64::MAX,
    claim: LEASE,
};

/// When the journal waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    /// Whenever it must.
    Always,
    /// Not after it wrote a signed transaction.
    NotRecorded,
    /// Not before it hands over what somebody else wrote.
    NotClaimed,
}

/// What a person was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) tx: TxId,
    pub(crate) verdict: Verdict,
    /// In which slot.
    pub(crate) at: u64,
}

/// Counts of what happened, for people.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) processes: u64,
    pub(crate) killed: u64,
    pub(crate) power_losses: u64,
    pub(crate) stopped: u64,
    pub(crate) taken_over: u64,
    pub(crate) signed: u64,
    pub(crate) sends: u64,
    pub(crate) answers: u64,
    pub(crate) repetitions: u64,
    pub(crate) not_sent: u64,
}

enum Event {
    /// Somebody types the command.
    Types(usize),
    /// A process goes on.
    Wake(usize),
    /// The wallet signs.
    Signs(usize, Unsigned),
    /// A message reaches a node.
    Arrives(usize, usize, Message),
    /// An answer reaches a process.
    Answers(usize, Observation),
}

/// A transaction that lies with the wallet.
#[derive(Clone, Copy)]
struct Unsigned {
    position: Position,
    lifetime: Lifetime,
    origin: Origin,
    /// Whether the wallet takes a block hash of its own.
    swapped: bool,
}

#[derive(Clone, Copy)]
enum Message {
    /// With the time at which it was asked.
    Ask(Question, TxId, Time),
    Send(TxId),
}

/// One run of the command.
struct Process {
    user: usize,
    sender: Option<Sender>,
    fence: u64,
    lease_until: u64,
    /// How many steps it took: kills count them.
    steps: u32,
    alive: bool,
    stopped_until: u64,
    disk_full_until: u64,
    signing: bool,
    wakes_at: Option<u64>,
    started: u64,
    /// How much of its time was not the sender's: signing, waiting for a claim, stopped.
    excused: u64,
    signings: u32,
}

struct Person {
    typed: u32,
    content: bool,
}

pub(crate) struct World<'a> {
    schedule: &'a Schedule,
    rules: Rules,
    syncs: Syncs,
    pub(crate) chain: Chain<'a>,
    now: u64,
    /// By time, and of the same time in the order in which they were caused.
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    caused: u64,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    messages: u64,
    processes: Vec<Process>,
    people: Vec<Person>,
    journal: Journal,
    /// Of each transaction, its step, and the ledger on which it was signed.
    pub(crate) txs: Vec<(u32, u32)>,
    signings: u32,
    pub(crate) told: Vec<Told>,
    /// A process that took longer than it may.
    pub(crate) endless: Option<String>,
    pub(crate) tally: Tally,
    trace: Option<Vec<String>>,
}

/// The journal: everything that was written, and how much of it is on the disk.
struct Journal {
    entries: Vec<Entry>,
    synced: usize,
    intention: Intention,
}

const FINGERPRINT: Fingerprint = Fingerprint([0; 32]);

impl Journal {
    fn lose_power(&mut self, rules: Rules) {
        self.entries.truncate(self.synced);
        self.intention = Intention::new(FINGERPRINT);
        for entry in &self.entries {
            let _ = self.intention.apply_under(rules, entry.clone());
        }
    }
}

macro_rules! trace {
    ($world:expr, $($text:tt)*) => {
        if $world.trace.is_some() {
            let text = format!($($text)*);
            $world.note(text);
        }
    };
}

impl<'a> World<'a> {
    pub(crate) fn new(schedule: &'a Schedule, rules: Rules, syncs: Syncs, traced: bool) -> Self {
        let mut world = Self {
            schedule,
            rules,
            syncs,
            chain: Chain::new(schedule),
            now: 0,
            queue: BinaryHeap::new(),
            caused: 0,
            events: Vec::new(),
            free: Vec::new(),
            messages: 0,
            processes: Vec::new(),
            people: schedule.users.iter().map(|_| Person { typed: 0, content: false }).collect(),
            journal: Journal { entries: Vec::new(), synced: 0, intention: Intention::new(FINGERPRINT) },
            txs: Vec::new(),
            signings: 0,
            told: Vec::new(),
            endless: None,
            tally: Tally::default(),
            trace: traced.then(Vec::new),
        };
        for (index, user) in schedule.users.iter().enumerate() {
            world.at(u64::from(user.at) * SLOT, Event::Types(index));
        }
        world
    }

    fn note(&mut self, text: String) {
        let line = format!("slot {:>4}  {:>7.1} s  {text}", self.slot(), self.now as f64 / 1_000.0);
        let trace = self.trace.get_or_insert_default();
        // What is sent again and again is told once.
        if !(text.contains(" sends ") && trace.iter().rev().take(4).any(|before| before.ends_with(&text))) {
            trace.push(line);
        }
    }

    /// What happened, where it was to be traced.
    pub(crate) fn into_trace(self) -> Vec<String> {
        self.trace.unwrap_or_default()
    }

    /// The slot of the run.
    fn slot(&self) -> u64 {
        self.now / SLOT
    }

    fn at(&mut self, time: u64, event: Event) {
        let place = self.free.pop().unwrap_or(self.events.len());
        if place == self.events.len() {
            self.events.push(None);
        }
        self.events[place] = Some(event);
        self.caused += 1;
        self.queue.push(Reverse((time.max(self.now), self.caused, place)));
    }

    /// A number that is another for each message.
    fn chance(&mut self) -> u64 {
        self.messages += 1;
        mix(self.schedule.jitter.wrapping_add(self.messages << 20))
    }

    fn latency(&mut self, slower: u32) -> u64 {
        if self.schedule.jitter == 0 {
            return 100;
        }
        let chance = self.chance();
        let usual = 20 + chance % 200;
        let rare = if (chance >> 16).is_multiple_of(32) { (chance >> 24) % 4_000 } else { 0 };
        let slow = if slower > 0 { (chance >> 40) % (u64::from(slower) * SLOT) } else { 0 };
        usual + rare + slow
    }

    /// Runs until everybody has an outcome, and then until nothing can be executed any more.
    pub(crate) fn run(&mut self) {
        while let Some(Reverse((time, _, place))) = self.queue.pop() {
            if time > END * SLOT || self.endless.is_some() {
                break;
            }
            self.now = time;
            self.chain.advance(self.slot());
            self.free.push(place);
            if let Some(event) = self.events[place].take() {
                self.happen(event);
            }
        }
        let last = self.slot().max(CALM) + 400;
        self.chain.advance(last);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Types(user) => self.type_command(user),
            Event::Wake(process) => {
                if self.processes[process].wakes_at == Some(self.now) {
                    self.processes[process].wakes_at = None;
                    self.go_on(process);
                }
            }
            Event::Signs(process, unsigned) => {
                if self.takes(process, || Event::Signs(process, unsigned)) {
                    self.processes[process].signing = false;
                    let signed = self.wallet(process, unsigned);
                    self.observe(process, Observation::Signed(signed));
                    self.go_on(process);
                }
            }
            Event::Arrives(process, node, message) => self.arrive(process, node, message),
            Event::Answers(process, observation) => {
                if self.takes(process, || Event::Answers(process, observation.clone())) {
                    self.observe(process, observation);
                    self.go_on(process);
                }
            }
        }
    }

    /// Lets a process go on at this time, or before.
    fn wake(&mut self, process: usize, at: u64) {
        let at = at.max(self.now + 1);
        if self.processes[process].wakes_at.is_none_or(|before| before > at) {
            self.processes[process].wakes_at = Some(at);
            self.at(at, Event::Wake(process));
        }
    }

    /// Whether a process runs. One that is stopped goes on later.
    fn runs(&mut self, process: usize) -> bool {
        let Process { alive, stopped_until, .. } = self.processes[process];
        if alive && stopped_until > self.now {
            self.wake(process, stopped_until);
            return false;
        }
        alive
    }

    /// Whether a process takes in what reaches it. What reaches one that is stopped waits.
    fn takes(&mut self, process: usize, event: impl FnOnce() -> Event) -> bool {
        let Process { alive, stopped_until, .. } = self.processes[process];
        if alive && stopped_until > self.now {
            self.at(stopped_until, event());
            return false;
        }
        alive
    }

    fn observe(&mut self, process: usize, observation: Observation) {
        if let Some(sender) = &mut self.processes[process].sender {
            sender.observe(Time(self.now), observation);
        }
    }

    // People.

    fn type_command(&mut self, user: usize) {
        let person = &mut self.people[user];
        if person.content || person.typed >= PATIENCE {
            return;
        }
        person.typed += 1;
        let process = self.processes.len();
        self.tally.processes += 1;
        trace!(self, "person {user} types the command: process {process}");
        self.processes.push(Process {
            user,
            sender: None,
            fence: 0,
            lease_until: 0,
            steps: 0,
            alive: true,
            stopped_until: 0,
            disk_full_until: 0,
            signing: false,
            wakes_at: None,
            started: self.now,
            excused: 0,
            signings: 0,
        });
        self.go_on(process);
    }

    /// Somebody who did not get an outcome types it again: later, but not before everything is calm at the end.
    fn retype(&mut self, process: usize) {
        let user = self.processes[process].user;
        self.processes[process].alive = false;
        let mut after = self.now + u64::from(self.schedule.users[user].retypes_after) * SLOT;
        if self.people[user].typed + 2 >= PATIENCE {
            after = after.max(CALM * SLOT);
        }
        self.at(after, Event::Types(user));
    }

    // Processes.

    /// One of the points at which a process may be killed. False if it is not there any more.
    fn survives(&mut self, process: usize, here: &str) -> bool {
        let step = self.processes[process].steps;
        self.processes[process].steps += 1;
        if self.slot() >= CALM {
            return true;
        }
        let Some(kill) = self.schedule.kills.iter().find(|kill| kill.process as usize == process && kill.step == step)
        else {
            return true;
        };
        match kill.kind {
            KillKind::Kill => {
                trace!(self, "process {process} is killed {here}");
                self.tally.killed += 1;
                self.retype(process);
                false
            }
            KillKind::PowerLoss => {
                trace!(self, "the power fails, while process {process} is {here}");
                self.tally.power_losses += 1;
                self.journal.lose_power(self.rules);
                let alive: Vec<usize> =
                    (0..self.processes.len()).filter(|other| self.processes[*other].alive).collect();
                alive.into_iter().for_each(|other| self.retype(other));
                false
            }
            KillKind::Stop(slots) => {
                trace!(self, "process {process} is stopped for {slots} slots, {here}");
                self.tally.stopped += 1;
                let time = u64::from(slots) * SLOT;
                let stopped = &mut self.processes[process];
                (stopped.stopped_until, stopped.excused) = (self.now + time, stopped.excused + time);
                true
            }
            KillKind::FullDisk(slots) => {
                trace!(self, "the disk of process {process} is full for {slots} slots");
                self.processes[process].disk_full_until = self.now + u64::from(slots) * SLOT;
                true
            }
        }
    }

    fn go_on(&mut self, process: usize) {
        if !self.runs(process) {
            return;
        }
        loop {
            if !self.survives(process, "between two steps") {
                return;
            }
            if !self.runs(process) || !self.keep_claim(process) {
                return;
            }
            let now = Time(self.now);
            let Some(sender) = &mut self.processes[process].sender else { return };
            let decision = sender.next(now);
            if !matches!(decision, Decision::Done(_)) && !self.is_in_time(process) {
                return;
            }
            match decision {
                Decision::Sign(position) => {
                    if !self.sign(process, position) {
                        return;
                    }
                }
                Decision::Record(entry) => {
                    if !self.record(process, entry) {
                        return;
                    }
                }
                Decision::Note(seen) => {
                    trace!(self, "process {process} sees it {} in slot {}", seen.status.commitment, seen.status.slot);
                    let _ = self.write(process, Entry::Seen(seen));
                }
                Decision::Send { nodes, signature, .. } => {
                    let tx = node::number(signature);
                    self.tally.sends += 1;
                    trace!(self, "process {process} sends transaction {tx} to {}", names(&nodes));
                    for Node(node) in nodes {
                        self.request(process, node, Message::Send(tx));
                    }
                }
                Decision::Ask(questions) => {
                    for (Node(node), question) in questions {
                        let tx = match question {
                            Question::Status(signature) | Question::Effect(signature) => node::number(signature),
                            _ => 0,
                        };
                        self.request(process, node, Message::Ask(question, tx, now));
                    }
                }
                Decision::Wait(until) => {
                    self.wake(process, until.0);
                    return;
                }
                Decision::Done(ended) => {
                    if self.survives(process, "before it has told") {
                        self.tell(process, ended);
                    }
                    return;
                }
            }
        }
    }

    /// Whether it may still take time: each signing has its limit.
    fn is_in_time(&mut self, process: usize) -> bool {
        let Process { started, excused, signings, .. } = self.processes[process];
        let most = (u64::from(signings) + 1) * (PACE.limit + 10_000) + excused;
        if self.now - started > most {
            self.endless = Some(format!("process {process} has not ended after {} s", (self.now - started) / 1_000));
        }
        self.endless.is_none()
    }

    /// Claims the intention, or renews the claim. False if there is nothing to do at present.
    fn keep_claim(&mut self, process: usize) -> bool {
        let owner = process.to_string();
        let begun = self.processes[process].sender.is_some();
        if begun && self.processes[process].lease_until > self.now + LEASE / 2 {
            return true;
        }
        let full = self.processes[process].disk_full_until > self.now;
        let claimed = self.journal.intention.claim(&owner, Time(self.now), Time(self.now + LEASE));
        match claimed {
            Ok(lease) if !full => {
                self.processes[process].lease_until = lease.until.0;
                self.processes[process].fence = lease.fence;
                let entry = Entry::Claimed(lease);
                let _ = self.journal.intention.apply_under(self.rules, entry.clone());
                self.journal.entries.push(entry);
            }
            // A sender that has begun goes on without: its verdict is refused, and found again.
            _ if begun => return true,
            Ok(_) => {
                self.tally.not_sent += 1;
                trace!(self, "process {process} can not claim: the disk is full");
                self.retype(process);
                return false;
            }
            Err(Lease { until, .. }) => {
                self.tally.taken_over += 1;
                let wait = until.0.saturating_sub(self.now).min(5_000) + 1;
                self.processes[process].excused += wait;
                self.wake(process, self.now + wait);
                return false;
            }
        }
        if !begun {
            if self.syncs != Syncs::NotClaimed {
                self.journal.synced = self.journal.entries.len();
            }
            let Schedule { steps, wanted, attempts, .. } = *self.schedule;
            let request = Request { steps, wanted, attempts, again: false };
            let nodes = (0..self.schedule.nodes.len()).map(|node| format!("node {node}")).collect();
            let intention = self.journal.intention.clone();
            let sender = Sender::under(self.rules, intention, request, nodes, PACE, Time(self.now));
            self.processes[process].sender = Some(sender);
        }
        true
    }

    /// True to go on, false to wait.
    fn sign(&mut self, process: usize, position: Position) -> bool {
        if self.processes[process].signing {
            return false;
        }
        let reachable: Vec<usize> = (0..self.schedule.nodes.len())
            .filter(|node| {
                use NodeFaultKind::*;
                ![Lost, NoReply, Refused, Nonsense].iter().any(|kind| self.answering(*node, 0).has(*kind))
                    && !self.is_away()
            })
            .collect();
        let chances: Vec<u64> = reachable.iter().map(|_| self.chance()).collect();
        let answering = reachable.iter().zip(&chances).map(|(node, chance)| self.answering(*node, *chance));
        let prepared = if self.schedule.nonce {
            let offers: Vec<_> = answering.map(|answering| answering.nonce_offer()).collect();
            Lifetime::nonce(GENESIS, NONCE_ACCOUNT, self.schedule.nodes.len(), &offers)
        } else {
            let offers: Vec<_> = answering.map(|answering| answering.offer()).collect();
            Lifetime::block_hash_under(self.rules, GENESIS, self.schedule.nodes.len(), &offers, position.attempt)
        };
        let (lifetime, origin) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.observe(process, Observation::Declined(error.to_string()));
                return true;
            }
        };
        let swapped = self.schedule.swaps.contains(&self.signings) && !self.schedule.nonce;
        self.signings += 1;
        let delay = u64::from(self.schedule.signing) * SLOT;
        let signing = &mut self.processes[process];
        (signing.signing, signing.excused, signing.signings) = (true, signing.excused + delay, signing.signings + 1);
        self.at(self.now + delay, Event::Signs(process, Unsigned { position, lifetime, origin, swapped }));
        false
    }

    fn wallet(&mut self, process: usize, unsigned: Unsigned) -> Result<Attempt, AttemptError> {
        let Unsigned { position, lifetime, origin, swapped } = unsigned;
        let hash = if swapped { self.answering(0, 0).offer().hash } else { lifetime.hash() };
        let tx = self.chain.add(position.step, node::life(hash));
        self.txs.push((position.step, self.chain.ledger));
        let bytes = node::transaction(tx, hash);
        let signed = Attempt::new_under(self.rules, &bytes, lifetime, origin, self.schedule.shows);
        match &signed {
            Ok(_) => {
                self.tally.signed += 1;
                trace!(self, "process {process} signs transaction {tx}, {position}, with {lifetime:?}");
            }
            Err(error) => trace!(self, "process {process}: {error}"),
        }
        signed
    }

    fn record(&mut self, process: usize, entry: Entry) -> bool {
        if !self.survives(process, "before it writes") {
            return false;
        }
        match &entry {
            Entry::Signed(signed) => trace!(self, "process {process} records {}", signed.position),
            Entry::Judged(Judged { verdict, .. }) => trace!(self, "process {process} records the verdict: {verdict}"),
            _ => {}
        }
        let written = self.write(process, entry);
        if !self.survives(process, "after it has written and before that is synced") {
            return false;
        }
        match &written {
            Ok(()) if self.syncs != Syncs::NotRecorded => self.journal.synced = self.journal.entries.len(),
            Ok(()) => {}
            Err(error) => trace!(self, "process {process} could not: {error}"),
        }
        if !self.survives(process, "after that is synced") {
            return false;
        }
        self.observe(process, Observation::Recorded(written));
        true
    }

    fn write(&mut self, process: usize, entry: Entry) -> Result<(), String> {
        if self.processes[process].disk_full_until > self.now {
            return Err("the disk is full".to_owned());
        }
        let journal = &mut self.journal;
        journal.intention.holds(self.processes[process].fence).map_err(|refusal| refusal.to_string())?;
        journal.intention.apply_under(self.rules, entry.clone()).map_err(|refusal| refusal.to_string())?;
        journal.entries.push(entry);
        Ok(())
    }

    fn tell(&mut self, process: usize, ended: Ended) {
        let user = self.processes[process].user;
        self.processes[process].alive = false;
        // Its claim is given up.
        let owner = process.to_string();
        if let Ok(lease) = self.journal.intention.claim(&owner, Time(self.now), Time(self.now)) {
            let entry = Entry::Claimed(lease);
            let _ = self.journal.intention.apply_under(self.rules, entry.clone());
            self.journal.entries.push(entry);
        }
        let at = self.slot();
        match ended {
            Ended::Verdict { signature, judged, .. } => {
                trace!(self, "process {process} tells person {user}: {}", judged.verdict);
                let done = matches!(judged.verdict, Verdict::Succeeded { .. })
                    && judged.position.step + 1 == self.schedule.steps;
                self.told.push(Told { tx: node::number(signature), verdict: judged.verdict, at });
                if done {
                    self.people[user].content = true;
                } else {
                    self.retype(process);
                }
            }
            Ended::Repetition { signature, judged } => {
                trace!(self, "process {process} tells person {user} that it is done already");
                self.tally.repetitions += 1;
                self.told.push(Told { tx: node::number(signature), verdict: judged.verdict, at });
                self.people[user].content = true;
            }
            Ended::NotSent(reason) => {
                trace!(self, "process {process} tells person {user}: {reason}");
                self.tally.not_sent += 1;
                self.retype(process);
            }
        }
    }

    // Nodes.

    /// Whether the ledger is starting anew, so that no node answers.
    fn is_away(&self) -> bool {
        let slot = self.slot();
        self.schedule.cluster.iter().any(|fault| {
            matches!(fault, ClusterFault::Restart { at } if (u64::from(*at)..u64::from(*at) + RESTART).contains(&slot))
        })
    }

    fn answering(&self, node: usize, chance: u64) -> Answering<'_> {
        let plan = &self.schedule.nodes[node];
        let backend = (chance % plan.backends.len() as u64) as usize;
        Answering { chain: &self.chain, plan, node, backend, at: self.slot() }
    }

    fn request(&mut self, process: usize, node: usize, message: Message) {
        let slower = self.answering(node, 0).slower();
        let latency = self.latency(slower);
        self.at(self.now + latency, Event::Arrives(process, node, message));
    }

    fn arrive(&mut self, process: usize, node: usize, message: Message) {
        use NodeFaultKind::*;
        let chance = self.chance();
        let answering = self.answering(node, chance);
        let slower = answering.slower();
        let (lost, no_reply) = (answering.has(Lost), answering.has(NoReply));
        let (refused, error_after, nonsense) =
            (answering.has(Refused), answering.has(ErrorAfterDelivery), answering.has(Nonsense));
        let swallows = answering.has(Swallows);
        let away = self.is_away();
        let fails = |error: &str| Observation::Failed { node: Node(node), error: error.to_owned() };
        let (answer, after) = match message {
            _ if away || lost => (fails("time-out"), TIME_OUT),
            Message::Ask(..) if no_reply => (fails("time-out"), TIME_OUT),
            Message::Ask(..) if refused => (fails("503"), 0),
            Message::Ask(..) if nonsense => (fails("this is not JSON"), 0),
            Message::Ask(question, tx, asked) => {
                self.tally.answers += 1;
                let step = self.txs.get(tx).map_or(0, |(step, _)| *step);
                let answering = self.answering(node, chance);
                let answer = answering.answer(question, (tx, step), asked);
                if let Question::Height(_) = question {
                    // The same poller has read the newest block for somebody else.
                    let newest = answering.newest_block(asked);
                    self.at(self.now + 10, Event::Answers(process, newest));
                }
                (answer, 0)
            }
            Message::Send(tx) => {
                let delivered = !refused && !swallows;
                if delivered {
                    self.deliver(node, tx);
                }
                let error = match () {
                    () if refused => Some("429"),
                    () if error_after => Some("-32002"),
                    () if nonsense => Some("this is not JSON"),
                    () => None,
                };
                if no_reply {
                    return;
                }
                let signature = signature(tx);
                (Observation::Sent { node: Node(node), signature, error: error.map(str::to_owned) }, 0)
            }
        };
        let latency = self.latency(slower);
        self.at(self.now + latency + after, Event::Answers(process, answer));
    }

    fn deliver(&mut self, node: usize, tx: TxId) {
        let slot = self.slot();
        let mut how = None;
        match self.schedule.nodes[node].lie.map(|lie| lie.sends) {
            Some(SendLie::Drops) => return,
            Some(SendLie::LastMoment) => how = Some(How::LastMoment),
            _ => {}
        }
        let landing = self.schedule.landings.iter().find(|landing| {
            (u64::from(landing.from)..u64::from(landing.from) + u64::from(landing.slots)).contains(&slot)
        });
        match how.or(landing.map(|landing| landing.how)) {
            Some(How::Dropped) => {}
            Some(How::Later(slots)) => self.chain.deliver(tx, slot, slots.into(), false),
            Some(How::LastMoment) => self.chain.deliver(tx, slot, 0, true),
            None => self.chain.deliver(tx, slot, 0, false),
        }
    }

    /// Whether a node gives hashes that can never be executed: then "expired" comes again and again.
    pub(crate) fn has_foreign_hashes(&self) -> bool {
        self.schedule.nodes.iter().any(|node| node.lie.is_some_and(|lie| lie.offer == OfferLie::ForeignHash))
    }
}

fn signature(tx: TxId) -> escrow_sender::Signature {
    let mut bytes = [0; 64];
    bytes[..8].copy_from_slice(&(tx as u64).to_le_bytes());
    escrow_sender::Signature(bytes)
}

fn names(nodes: &[Node]) -> String {
    let names: Vec<String> = nodes.iter().map(|Node(node)| format!("node {node}")).collect();
    names.join(", ")
}
