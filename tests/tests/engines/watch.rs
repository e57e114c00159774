//! Listening is held against what the chain says: each event and each reminder in order, none missing, none under two ids,
//! at most the last one repeated after a kill. Whatever the nodes do, and with a kill at every step.

use std::{collections::BTreeMap, time::Instant};

use escrow_client::{
    event::Events,
    history::Entry,
    work::watch::{
        Answer, Cursor, Event, EventId, Heard, Listed, Listener, Page, Position, PositionError, Question, Rule, Rules,
        Settings, Subject, View, Watch, What,
    },
};
use escrow_tests::{
    chain::{self, Chain, Counts, Nodes},
    expected::{Begin, expected},
    lives::{Life, Random, people},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// As many as a full run takes; without `ESCROW_EFFORT`, a tenth of them.
const FULL: u64 = 5_000;

/// The first run. Others than those for which the rules are tried.
const SEED: u64 = 1 << 32;

/// How many runs are tried to find that a rule is missing.
const MOST: u64 = 5_000;

/// After how many rounds without a fault everything has to be told.
const ENOUGH: u32 = 30;

/// Without a gap: a node that explains everything is always there.
const SETTINGS: Settings =
    Settings { rounds_before_gap: None, rounds_before_unread: None, quiet_rounds: 3, most_listed: 5 };

struct World {
    random: Random,
    chain: Chain,
    nodes: Nodes,
    tip: usize,
    rules: Rules,
    listener: Listener,
    /// What is on the disk.
    kept: String,
    /// How each escrow's story begins.
    begins: BTreeMap<Pubkey, Begin>,
    told: Vec<(Pubkey, EventId)>,
    /// Told, and not kept when it was killed: each of them may come again, once.
    unkept: Vec<EventId>,
    counts: Counts,
    kills: bool,
}

impl World {
    fn new(seed: u64, rules: Rules) -> Self {
        let mut random = Random::new(seed);
        let chain = Chain::random(&mut random);
        let nodes = Nodes::random(&mut random, &chain);
        let tip = random.below(chain.slots.len() as u64) as usize;
        let mut begins = BTreeMap::new();
        let mut escrows = Vec::new();
        let everything = random.once_in(2);
        let subject = random.choose(&[Subject::Party(people::ARBITER), Subject::Named, Subject::All]);
        for life in &chain.lives {
            let is_theirs = subject == Subject::All || life.terms.arbiter == people::ARBITER;
            let view = View {
                slot: chain.slots[tip].number,
                time: chain.slots[tip].time,
                account: chain.account(&life.address, tip),
            };
            match (subject, everything) {
                (Subject::Named, true) => {
                    escrows.push(Cursor::beginning(life.address));
                    begins.insert(life.address, Begin::Creation);
                }
                (Subject::Named, false) => {
                    escrows.push(Cursor::since(life.address, &view));
                    begins.insert(life.address, Begin::At(tip));
                }
                (Subject::Party(_) | Subject::All, false) if is_theirs && view.account.is_some() => {
                    escrows.push(Cursor::since(life.address, &view));
                    begins.insert(life.address, Begin::At(tip));
                }
                // One that ended before is nobody's concern; one that comes later is found.
                (Subject::Party(_) | Subject::All, false) if is_theirs => {
                    let created = |slot: &chain::Slot| {
                        slot.transactions.iter().any(|one| one.acts.iter().any(|act| act.action.escrow == life.address))
                    };
                    if !chain.slots[..=tip].iter().any(created) {
                        begins.insert(life.address, Begin::Creation);
                    }
                }
                (Subject::Party(_) | Subject::All, true) if is_theirs => {
                    begins.insert(life.address, Begin::Creation);
                }
                (Subject::Party(_) | Subject::All, _) => {}
            }
        }
        let discovered = if everything { 0 } else { chain.slots[tip].number };
        let position = Position { subject, discovered, escrows };
        let kept = position.to_string();
        let listener = Listener::with(position, SETTINGS, rules);
        let (told, counts) = (Vec::new(), Counts::default());
        Self { random, chain, nodes, tip, rules, listener, kept, begins, told, unkept: Vec::new(), counts, kills: true }
    }

    /// Whether it is killed at this step. Then it begins again with what is on the disk.
    fn killed(&mut self) -> bool {
        if !self.kills || !self.random.once_in(25) {
            return false;
        }
        self.counts.add("kills");
        let position: Position = self.kept.parse().expect("a position");
        assert_eq!(position.to_string(), self.kept);
        self.listener = Listener::with(position, SETTINGS, self.rules);
        true
    }

    /// One round: asks until nothing is to be asked, and tells what there is to tell.
    fn round(&mut self) -> Result<(), String> {
        self.listener.round();
        for _ in 0..500 {
            let asks = self.listener.asks();
            if asks.is_empty() {
                return self.tell();
            }
            let ask = self.random.choose(&asks);
            if self.kills && self.random.once_in(10) && self.tip + 1 < self.chain.slots.len() {
                self.tip += 1;
            }
            let heard = self.nodes.answer(&mut self.random, &self.chain, self.tip, &ask, &mut self.counts);
            if matches!(heard, Heard::Failed(_)) {
                self.counts.add("questions without an answer");
            }
            if self.killed() {
                return Ok(());
            }
            self.listener.heard(&ask, heard);
            if self.killed() {
                return Ok(());
            }
        }
        Err("a round does not end".to_owned())
    }

    fn tell(&mut self) -> Result<(), String> {
        while let Some(event) = self.listener.event().cloned() {
            self.counts.add(match event.what {
                What::Change(_) => "changes told",
                What::Near { .. } => "reminders told",
                What::Gap { .. } => "gaps told",
            });
            let again = self.told.iter().any(|(_, told)| *told == event.id);
            let unkept = self.unkept.iter().position(|unkept| *unkept == event.id);
            match (again, unkept) {
                (true, Some(unkept)) => {
                    self.unkept.swap_remove(unkept);
                    self.counts.add("told again after a kill");
                }
                (true, None) => {
                    return Err(format!("{} of {} ({}) is told twice", event.id, event.escrow, event.kind()));
                }
                (false, _) => self.told.push((event.escrow, event.id)),
            }
            // The receiver has it, and nobody wrote that down.
            if self.killed() {
                self.unkept.push(event.id);
                return Ok(());
            }
            self.listener.told();
            self.kept = self.listener.position().to_string();
            if self.killed() {
                return Ok(());
            }
        }
        self.kept = self.listener.position().to_string();
        Ok(())
    }

    /// What was told of each escrow is how its story begins.
    fn judge(&self, is_all: bool) -> Result<(), String> {
        let foreign = self.told.iter().find(|(escrow, _)| !self.begins.contains_key(escrow));
        if let Some((escrow, id)) = foreign {
            return Err(format!("{id} is told of {escrow}, which nobody asked for"));
        }
        for (escrow, begin) in &self.begins {
            let told: Vec<EventId> = self.told.iter().filter(|(of, _)| of == escrow).map(|(_, id)| *id).collect();
            let all = expected(&self.chain, escrow, *begin, self.tip);
            let is_right = if is_all { told == all } else { all.starts_with(&told) };
            if !is_right {
                let place = told.iter().zip(&all).take_while(|(told, all)| told == all).count();
                return Err(format!(
                    "of {escrow} {} events are told and {} happened; the first that differs is {place}",
                    told.len(),
                    all.len()
                ));
            }
        }
        Ok(())
    }
}

/// One run. What was counted, or the promise that was broken.
fn run(seed: u64, rules: Rules) -> Result<Counts, String> {
    let mut world = World::new(seed, rules);
    while world.tip + 1 < world.chain.slots.len() {
        world.tip = (world.tip + world.random.below(4) as usize).min(world.chain.slots.len() - 1);
        world.round()?;
        world.judge(false)?;
    }
    for _ in 0..world.random.below(6) {
        world.round()?;
    }
    world.kills = false;
    world.nodes.heal();
    for _ in 0..ENOUGH {
        world.round()?;
    }
    world.judge(true)?;
    let freshness = world.listener.freshness();
    if !freshness.troubles.is_empty() {
        return Err(format!("trouble without end: {:?}", freshness.troubles));
    }
    world.counts.add("runs");
    Ok(world.counts)
}

fn effort() -> u64 {
    match std::env::var("ESCROW_EFFORT") {
        Err(_) => FULL / 10,
        Ok(effort) if effort == "full" => FULL,
        Ok(effort) => {
            effort.parse().unwrap_or_else(|_| panic!("ESCROW_EFFORT={effort}: write \"full\" or a number of runs"))
        }
    }
}

#[test]
fn everything_is_told_once_and_in_order_whatever_happens() {
    let (runs, began, mut counts) = (effort(), Instant::now(), Counts::default());
    for seed in SEED..SEED + runs {
        match run(seed, Rules::ALL) {
            Ok(of_one) => counts.merge(&of_one),
            Err(broken) => panic!("run {seed}: {broken}"),
        }
    }
    println!("{runs} runs from seed {SEED} in {:.1} s", began.elapsed().as_secs_f64());
    for (what, count) in &counts.0 {
        println!("{count:>10} {what}");
    }
    for what in [
        "kills",
        "told again after a kill",
        "changes told",
        "reminders told",
        "pages cut",
        "pages before what a node does not know",
        "nodes replaced",
        "nodes behind",
        "bodies missing",
        "blocks",
    ] {
        assert!(counts.0.contains_key(what), "no run had: {what}");
    }
}

#[test]
fn without_any_one_rule_a_promise_breaks() {
    let found = |rule: Rule| {
        let broken = (0..MOST).find_map(|seed| Some((seed, run(seed, Rules::without(rule)).err()?)));
        match &broken {
            Some((seed, broken)) => {
                println!("{rule:?}: found after {} runs: {broken}", seed + 1);
                run(*seed, Rules::ALL).expect("nothing breaks with all rules");
            }
            None => println!("{rule:?}: NOT FOUND in {MOST} runs"),
        }
        broken.is_some()
    };
    let missed: Vec<Rule> = Rule::ALL.iter().copied().filter(|rule| !found(*rule)).collect();
    assert!(missed.is_empty(), "no run notices that these are gone: {missed:?}");
}

/// A list without its end: no node tells what was before.
#[test]
fn what_no_node_tells_is_told_as_a_gap_and_then_it_goes_on() {
    let mut random = Random::new(7);
    let life = loop {
        let life = Life::random(&mut random, 12);
        if life.acts.len() > 6 {
            break life;
        }
    };
    let mut watch = Watch::new(
        Cursor::beginning(life.address),
        Settings { rounds_before_gap: Some(3), quiet_rounds: 2, ..Settings::default() },
        Rules::ALL,
    );
    let mut events = Vec::new();
    let (forgotten, known) = life.acts.split_at(4);
    let mut account = forgotten.last().and_then(|act| act.after.clone());
    let mut time = forgotten.last().expect("acts").time;
    let mut listed: Vec<(Listed, Entry)> = Vec::new();
    for round in 0..12u64 {
        let slot = 100 + round;
        if let Some(act) = round.checked_sub(5).and_then(|place| known.get(place as usize)) {
            (account, time) = (act.after.clone(), act.time);
            let signature = Signature::from([round as u8; 64]);
            let entry = Entry {
                signature,
                slot,
                time: Some(time),
                action: act.action.clone(),
                events: Events { truncated: true, ..Events::default() },
            };
            listed.insert(0, (Listed { signature, slot, index: Some(0), failed: false }, entry));
        }
        watch.look(View { slot, time, account: account.clone() });
        while let Some(question) = watch.question() {
            let answer = match question {
                Question::Page { before, .. } => {
                    let begin = before.map_or(0, |before| {
                        1 + listed.iter().position(|(one, _)| one.signature == before).expect("known")
                    });
                    let page = listed[begin..].iter().map(|(one, _)| *one).collect();
                    Answer::Page(Page { listed: page, asked: 1_000, first_available: Some(90) })
                }
                Question::Transactions(wanted) => {
                    let read = |signature: &Signature| {
                        listed.iter().find(|(one, _)| one.signature == *signature).map(|(_, entry)| vec![entry.clone()])
                    };
                    Answer::Transactions(wanted.iter().map(read).collect())
                }
                Question::Block(slot) => panic!("no order is asked for in {slot}"),
            };
            watch.heard(answer);
        }
        while let Some(event) = watch.event().cloned() {
            events.push((round, event));
            watch.told();
        }
    }
    let gaps: Vec<_> = events.iter().filter(|(_, event)| matches!(event.what, What::Gap { .. })).collect();
    let [(2, Event { what: What::Gap { since: 0, until: 102, escrow, .. }, .. })] = gaps.as_slice() else {
        panic!("a gap in the third round: {gaps:?}");
    };
    assert_eq!(
        escrow.as_deref().map(|escrow| escrow.state),
        forgotten.last().and_then(|act| act.after.as_ref()).map(|after| after.state)
    );
    assert!(events.iter().all(|(round, _)| *round >= 2), "nothing is told before that is certain");
    let changes = events.iter().filter(|(_, event)| matches!(event.what, What::Change(_))).count();
    assert_eq!(changes, known.len().min(7), "and what follows is told");
    assert_eq!(watch.trouble(), None);
}

#[test]
fn a_cursor_is_read_back_and_a_damaged_one_is_refused() {
    let mut random = Random::new(3);
    let life = Life::random(&mut random, 3);
    let view = View { slot: 7, time: 1_800_000_000, account: life.end().cloned() };
    let mut cursor = Cursor::since(life.address, &view);
    cursor.told.push(EventId([9; 16]));
    let position = Position {
        subject: Subject::Party(people::ARBITER),
        discovered: 6,
        escrows: vec![cursor, Cursor::beginning(people::BUYER)],
    };
    let text = position.to_string();
    assert_eq!(format!(" {text}\n").parse(), Ok(position));
    assert_eq!("".parse::<Position>(), Err(PositionError::NotOne));
    assert_eq!(text.replacen(":1:", ":2:", 1).parse::<Position>(), Err(PositionError::Version("2".to_owned())));
    for place in 16..text.len() {
        let cut = &text[..place];
        assert_eq!(cut.parse::<Position>(), Err(PositionError::Damaged), "{place} bytes");
    }
    let mut changed = text.into_bytes();
    let place = changed.len() / 2;
    changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
    assert_eq!(String::from_utf8(changed).expect("text").parse::<Position>(), Err(PositionError::Damaged));
}
