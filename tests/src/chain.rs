//! A simulated chain on which several escrows live, and nodes that tell of it, not always well.

use std::collections::BTreeMap;

use escrow_client::{
    EscrowAccount, EscrowInstruction,
    event::Events,
    history::Entry,
    work::watch::{Answer, Ask, Heard, Listed, Page, Question},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::{
    START,
    lives::{Act, Life, Random, people},
};

/// How many transactions a page may have.
const ASKED: usize = 1_000;

/// A transaction that names the program.
pub struct Transaction {
    /// Its signature.
    pub signature: Signature,
    /// Whether it failed.
    pub failed: bool,
    /// Which addresses it names.
    pub names: Vec<Pubkey>,
    /// What it did.
    pub acts: Vec<Act>,
}

/// A slot with a block.
pub struct Slot {
    /// Its number.
    pub number: u64,
    /// Its time.
    pub time: i64,
    /// In their order.
    pub transactions: Vec<Transaction>,
}

/// A chain.
pub struct Chain {
    /// The escrows.
    pub lives: Vec<Life>,
    /// The slots that have a block.
    pub slots: Vec<Slot>,
}

impl Chain {
    /// The one that a seed gives.
    pub fn random(random: &mut Random) -> Self {
        let lives: Vec<Life> = (0..1 + random.below(3)).map(|_| Life::random(random, 14)).collect();
        let mut acts: Vec<Act> = lives.iter().flat_map(|life| life.acts.clone()).collect();
        // The sort is stable: each life keeps its order.
        acts.sort_by_key(|act| act.time);
        let mut chain = Self { lives, slots: vec![Slot { number: 3, time: START - 100, transactions: Vec::new() }] };
        let mut count = 0u64;
        for act in acts {
            let (last, in_last) = {
                let last = chain.slots.last().expect("a slot");
                (last.time, last.transactions.len())
            };
            if act.time > last || in_last == 0 || random.once_in(3) {
                chain.pass(random, act.time);
                chain.open(random, act.time);
            }
            if random.once_in(5) {
                let transaction = chain.noise(random, &mut count);
                chain.last().transactions.push(transaction);
            }
            let escrow = act.action.escrow;
            match chain.last().transactions.last_mut().filter(|last| !last.acts.is_empty()) {
                // Several in one transaction.
                Some(last) if random.once_in(4) => {
                    if !last.names.contains(&escrow) {
                        last.names.push(escrow);
                    }
                    last.acts.push(act);
                }
                _ => {
                    let (signature, names) = (signature(&mut count), vec![escrow]);
                    chain.last().transactions.push(Transaction { signature, failed: false, names, acts: vec![act] });
                }
            }
        }
        let end = chain.last().time + random.choose(&[0, 3_600, 86_400, 40 * 86_400]);
        chain.pass(random, end);
        chain.open(random, end);
        chain
    }

    fn last(&mut self) -> &mut Slot {
        self.slots.last_mut().expect("a slot")
    }

    fn open(&mut self, random: &mut Random, time: i64) {
        let number = self.last().number + 1 + random.below(3);
        self.slots.push(Slot { number, time, transactions: Vec::new() });
    }

    /// Some slots in which nothing happens.
    fn pass(&mut self, random: &mut Random, until: i64) {
        for _ in 0..random.below(4) {
            let time = self.last().time;
            let between = time + (until - time).max(0) / (1 + random.below(4) as i64);
            self.open(random, between);
        }
    }

    /// A transaction that failed, or that names an escrow and does nothing to it.
    fn noise(&mut self, random: &mut Random, count: &mut u64) -> Transaction {
        let names = vec![random.choose(&self.lives).address];
        Transaction { signature: signature(count), failed: random.once_in(2), names, acts: Vec::new() }
    }

    /// The account of an escrow behind the slot with this place.
    pub fn account(&self, escrow: &Pubkey, place: usize) -> Option<EscrowAccount> {
        let mut acts = self.slots[..=place].iter().flat_map(|slot| &slot.transactions).flat_map(|done| &done.acts);
        acts.rfind(|act| act.action.escrow == *escrow).and_then(|act| act.after.clone())
    }

    /// Whether it can be noticed, by the account behind the slot with this number, that a transaction is missing. A later
    /// one may have left all as if it had not been.
    fn is_missed(&self, escrow: &Pubkey, signature: &Signature, slot: u64) -> bool {
        let place = self.slots.iter().rposition(|one| one.number <= slot).unwrap_or(0);
        let known = self.slots[..=place].iter().flat_map(|slot| &slot.transactions);
        let mut state: Option<EscrowAccount> = None;
        for act in known.filter(|one| one.signature != *signature).flat_map(|one| &one.acts) {
            if act.action.escrow != *escrow {
                continue;
            }
            let is_creation = matches!(act.action.instruction, EscrowInstruction::Create { .. });
            let before = if is_creation { self.agreed(escrow) } else { state };
            match before.map(|before| act.action.preview(&before, act.time)) {
                Some(Ok(preview)) => state = preview.after,
                _ => return true,
            }
        }
        let stands = |account: Option<EscrowAccount>| account.map(|account| (account.state, account.milestones));
        stands(state) != stands(self.account(escrow, place))
    }

    /// Whether each escrow that a transaction did something to shows that it is missing.
    fn is_missed_by_all(&self, signature: &Signature, slot: u64) -> bool {
        let all = self.slots.iter().flat_map(|slot| &slot.transactions);
        let mut acts = all.filter(|one| one.signature == *signature).flat_map(|one| &one.acts).peekable();
        acts.peek().is_some() && acts.all(|act| self.is_missed(&act.action.escrow, signature, slot))
    }

    fn agreed(&self, escrow: &Pubkey) -> Option<EscrowAccount> {
        let life = self.lives.iter().find(|life| life.address == *escrow)?;
        EscrowAccount::agreed(&life.terms, people::RENT_PAYER).ok()
    }

    fn entries(&self, slot: &Slot, transaction: &Transaction, about: &Pubkey) -> Vec<Entry> {
        let is_about = |act: &&Act| *about == escrow_client::escrow::ID || act.action.escrow == *about;
        let entry = |act: &Act| Entry {
            signature: transaction.signature,
            slot: slot.number,
            time: Some(slot.time),
            action: act.action.clone(),
            events: Events { truncated: true, ..Events::default() },
        };
        transaction.acts.iter().filter(is_about).map(entry).collect()
    }
}

fn signature(count: &mut u64) -> Signature {
    *count += 1;
    let mut bytes = [0; 64];
    bytes[..8].copy_from_slice(&count.to_be_bytes());
    // They look like nothing in particular: no order follows from them.
    bytes[8..40].copy_from_slice(&escrow_client::code::DeliveryCode::from([*count as u8; 32]).hashlock());
    bytes.rotate_left(8);
    Signature::from(bytes)
}

/// A node, and what is wrong with it.
pub struct Node {
    /// How many slots it is behind the newest.
    lag: usize,
    /// The place of the first slot that it remembers.
    first: usize,
    /// The most transactions of its pages.
    page: usize,
    /// It does not tell the place of a transaction in its block, and lists them in no order.
    unordered: bool,
    /// It says what it knows, whatever it was asked to know.
    careless: bool,
    /// Once in so many times it does not answer, or leaves something out.
    failing: u64,
    /// Its lists lack something that can be missed, once in so many times.
    holes: u64,
    /// So does the program's.
    program_holes: bool,
}

/// The nodes: one of them answers.
pub struct Nodes {
    nodes: Vec<Node>,
    current: usize,
}

impl Nodes {
    /// Those that a seed gives.
    pub fn random(random: &mut Random, chain: &Chain) -> Self {
        let slots = chain.slots.len() as u64;
        let mut nodes: Vec<Node> = (0..1 + random.below(3))
            .map(|_| Node {
                lag: random.choose(&[0, 0, 1, 2, 4, 12]),
                first: if random.once_in(3) { random.below(slots) as usize } else { 0 },
                page: 6 + random.below(5) as usize,
                unordered: random.once_in(3),
                careless: random.once_in(3),
                failing: random.choose(&[u64::MAX, 20, 5]),
                holes: random.choose(&[u64::MAX, u64::MAX, 3]),
                program_holes: false,
            })
            .collect();
        // Somebody remembers everything.
        nodes[0].first = 0;
        Self { nodes, current: 0 }
    }

    /// The program's list lacks something too.
    pub fn with_holes_in_the_programs_list(mut self) -> Self {
        self.nodes.iter_mut().for_each(|node| node.program_holes = true);
        self
    }

    /// From here on nothing goes wrong.
    pub fn heal(&mut self) {
        self.current = 0;
        self.nodes.truncate(1);
        let node = &mut self.nodes[0];
        (node.lag, node.failing, node.first, node.holes) = (0, u64::MAX, 0, u64::MAX);
    }

    /// Another one answers from now on.
    pub fn turn(&mut self) {
        self.current = (self.current + 1) % self.nodes.len();
    }

    /// The addresses of the accounts that are there.
    pub fn addresses(&self, chain: &Chain, tip: usize) -> Vec<Pubkey> {
        let knows = tip.saturating_sub(self.nodes[self.current].lag);
        let addresses = chain.lives.iter().map(|life| life.address);
        addresses.filter(|address| chain.account(address, knows).is_some()).collect()
    }

    /// What the one whose turn it is answers.
    pub fn answer(&mut self, random: &mut Random, chain: &Chain, tip: usize, ask: &Ask, counts: &mut Counts) -> Heard {
        if self.nodes.len() > 1 && random.once_in(4) {
            counts.add("nodes replaced");
            self.current = random.below(self.nodes.len() as u64) as usize;
        }
        let node = &mut self.nodes[self.current];
        if node.failing != u64::MAX && random.once_in(6) {
            node.lag = random.choose(&[0, 1, 3]);
        }
        let knows = tip.saturating_sub(node.lag);
        let newest = chain.slots[knows].number;
        if random.once_in(node.failing) {
            counts.add("no answers");
            return Heard::Failed("gone".to_owned());
        }
        let behind = |least_slot: u64| newest < least_slot;
        match ask {
            Ask::Accounts { least_slot, .. } if behind(*least_slot) && !node.careless => {
                counts.add("nodes behind");
                Heard::Failed("behind".to_owned())
            }
            Ask::Accounts { addresses, .. } => {
                let accounts = addresses.iter().map(|escrow| chain.account(escrow, knows)).collect();
                Heard::Accounts { slot: newest, time: chain.slots[knows].time, accounts }
            }
            Ask::About(_, Question::Page { least_slot, .. }) if behind(*least_slot) => {
                counts.add("nodes behind");
                Heard::Failed("behind".to_owned())
            }
            Ask::About(address, Question::Page { before, least_slot }) => {
                let mut listed = node.listed(chain, knows, address);
                if random.once_in(node.holes) && (node.program_holes || *address != escrow_client::escrow::ID) {
                    let slot = if *least_slot == 0 { newest } else { *least_slot };
                    let is_missed = |one: &Listed| match *address == escrow_client::escrow::ID {
                        true => chain.is_missed_by_all(&one.signature, slot),
                        false => chain.is_missed(address, &one.signature, slot),
                    };
                    let last = listed.iter().position(is_missed);
                    if let Some(last) = last {
                        counts.add("lists with a hole");
                        listed.remove(last);
                    }
                }
                let begin = match before {
                    None => Some(0),
                    Some(before) => listed.iter().position(|one| one.signature == *before).map(|place| place + 1),
                };
                if begin.is_none() {
                    counts.add("pages before what a node does not know");
                }
                let behind = listed.get(begin.unwrap_or(listed.len())..).unwrap_or_default();
                let listed: Vec<Listed> = behind.iter().take(node.page).copied().collect();
                if listed.len() < behind.len() {
                    counts.add("pages cut");
                }
                let first_available = Some(chain.slots[node.first].number).filter(|_| node.first > 0).or(Some(0));
                Heard::About(Answer::Page(Page { listed, asked: ASKED, first_available }))
            }
            Ask::About(_, Question::Block(number)) => {
                counts.add("blocks");
                let known = chain.slots[node.first..=knows.max(node.first)].iter().find(|slot| slot.number == *number);
                match known {
                    None => Heard::Failed("no such block".to_owned()),
                    Some(slot) => {
                        let order = slot.transactions.iter().map(|one| one.signature).collect();
                        Heard::About(Answer::Block(Some(order)))
                    }
                }
            }
            Ask::About(address, Question::Transactions(wanted)) => {
                let mut known = BTreeMap::new();
                for slot in &chain.slots[node.first..=knows.max(node.first)] {
                    for one in &slot.transactions {
                        known.insert(one.signature, (slot, one));
                    }
                }
                let read = |signature| {
                    if random.once_in(node.failing) {
                        counts.add("bodies missing");
                        return None;
                    }
                    let (slot, one) = known.get(signature)?;
                    Some(chain.entries(slot, one, address))
                };
                Heard::About(Answer::Transactions(wanted.iter().map(read).collect()))
            }
        }
    }
}

impl Node {
    /// The newest first.
    fn listed(&self, chain: &Chain, knows: usize, address: &Pubkey) -> Vec<Listed> {
        let mut listed = Vec::new();
        for slot in chain.slots.iter().take(knows + 1).skip(self.first) {
            let begin = listed.len();
            for (index, one) in slot.transactions.iter().enumerate() {
                if *address == escrow_client::escrow::ID || one.names.contains(address) {
                    let index = (!self.unordered).then_some(index as u32);
                    listed.push(Listed { signature: one.signature, slot: slot.number, index, failed: one.failed });
                }
            }
            if self.unordered {
                listed[begin..].sort_by_key(|one| one.signature);
            }
        }
        listed.reverse();
        listed
    }
}

/// Counts of what happened, for people.
#[derive(Debug, Default)]
pub struct Counts(pub BTreeMap<&'static str, u64>);

impl Counts {
    /// Counts one.
    pub fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, count)| *self.0.entry(what).or_default() += count);
    }
}
