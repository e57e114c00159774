//! The keeper on a simulated chain: everything that is due is done, nothing twice by the same keeper, nothing beyond the
//! budget; whatever is lost on the way, with kills at every step, and with another keeper beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Instant,
};

use escrow_client::{
    Action, EscrowAccount, EscrowInstruction, Recipient,
    due::for_anyone,
    terms::Asset,
    work::keep::{
        Batch, Budget, Company, Cost, Keeper, Kinds, Limits, Outcome, Pass, Permits, Present, Sender, Settings, Source,
        Trouble, batches, work,
    },
};
use escrow_tests::{
    DAY, START,
    lives::{Life, Random},
};
use solana_pubkey::Pubkey;

/// Lamports of a transaction.
const FEE: u64 = 5_000;
/// Lamports of a token account.
const RENT: u64 = 2_039_280;

/// As many as a full run takes; without `ESCROW_EFFORT`, a tenth of them.
const FULL: u64 = 300;

/// What has happened to an escrow, and what stands in its way.
struct Place {
    account: Option<EscrowAccount>,
    /// Older states, the oldest first, each with the slot of its end.
    past: Vec<(u64, EscrowAccount)>,
    /// A payment to these fails: their token account is frozen.
    frozen: Vec<Recipient>,
}

struct World {
    random: Random,
    now: i64,
    slot: u64,
    places: BTreeMap<Pubkey, Place>,
    /// Who has a token account.
    wallets: BTreeSet<(Pubkey, Pubkey)>,
    /// Once in so many times something is lost, by each kind.
    trouble: u64,
    /// Whether nodes show what was a while ago.
    stale: bool,
    /// Each action that was executed, and by whom.
    done: Vec<(u8, Pubkey, String)>,
    /// Transactions that failed because of what the same keeper had done already.
    repeated: u64,
    fees: BTreeMap<u8, Cost>,
    /// What is under way, as a journal has it: by keeper and key.
    journal: BTreeMap<(u8, [u8; 32]), (Vec<Pubkey>, Outcome)>,
    budgets: BTreeMap<u8, Budget>,
    limits: Limits,
    /// What a token account costs, in lamports.
    rent: u64,
    leases: BTreeMap<Pubkey, (u8, i64)>,
    /// After so many steps more, whoever takes it is killed.
    steps: Option<u64>,
}

/// A keeper's hands on the world. All traits are the same one.
struct Hands<'a> {
    world: &'a Mutex<World>,
    me: u8,
    last: Mutex<Option<Pubkey>>,
}

impl<'a> Hands<'a> {
    fn new(world: &'a Mutex<World>, me: u8) -> Self {
        Self { world, me, last: Mutex::new(None) }
    }

    /// A step: perhaps it is the last.
    async fn step(&self) {
        let is_killed = {
            let mut world = self.world.lock().expect("the world");
            world.steps = world.steps.map(|steps| steps.saturating_sub(1));
            world.steps == Some(0)
        };
        if is_killed {
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'a, World> {
        self.world.lock().expect("the world")
    }
}

impl Source for &Hands<'_> {
    async fn now(&self) -> Result<i64, Trouble> {
        self.step().await;
        Ok(self.lock().now)
    }

    async fn due(&self, now: i64, most: usize) -> Result<Vec<Pubkey>, Trouble> {
        self.step().await;
        let mut world = self.lock();
        if world.loses() {
            return Err(Trouble("no answer".to_owned()));
        }
        let is_due = |place: &Place| place.account.as_ref().is_some_and(|account| !for_anyone(account, now).is_empty());
        let due: Vec<Pubkey> =
            world.places.iter().filter(|(_, place)| is_due(place)).map(|(escrow, _)| *escrow).collect();
        let mut last = self.last.lock().expect("the last");
        let begin = last.and_then(|last| due.iter().position(|escrow| *escrow > last)).unwrap_or(0);
        let named: Vec<Pubkey> = due.iter().cycle().skip(begin).take(most.min(due.len())).copied().collect();
        *last = named.last().copied();
        Ok(named)
    }

    async fn read(&self, escrows: &[Pubkey], least_slot: u64) -> Result<Vec<Present>, Trouble> {
        self.step().await;
        let mut world = self.lock();
        if world.loses() {
            return Err(Trouble("no answer".to_owned()));
        }
        // A node that is behind, though not further than it may be.
        let stale = world.stale && world.random.once_in(3);
        let slot = if stale { world.slot.saturating_sub(world.random.below(6)).max(least_slot) } else { world.slot };
        let present = escrows.iter().filter_map(|escrow| world.present(escrow, slot));
        Ok(present.collect())
    }
}

impl Permits for &Hands<'_> {
    async fn claim(&self, escrows: &[Pubkey], until: i64) -> Result<Vec<Pubkey>, Trouble> {
        self.step().await;
        let mut world = self.lock();
        let (now, me) = (world.now, self.me);
        // Keepers 0 and 1 share their rows; 2 knows nothing of them.
        let free = |world: &World, escrow: &Pubkey| {
            me == 2 || world.leases.get(escrow).is_none_or(|(owner, until)| *owner == me || *until <= now)
        };
        let granted: Vec<Pubkey> = escrows.iter().filter(|escrow| free(&world, escrow)).copied().collect();
        if me != 2 {
            world.leases.extend(granted.iter().map(|escrow| (*escrow, (me, until))));
        }
        Ok(granted)
    }

    async fn release(&self, escrows: &[Pubkey]) -> Result<(), Trouble> {
        self.step().await;
        let mut world = self.lock();
        for escrow in escrows {
            if world.leases.get(escrow).is_some_and(|(owner, _)| *owner == self.me) {
                world.leases.remove(escrow);
            }
        }
        Ok(())
    }

    async fn reserve(&self, cost: Cost, now: i64) -> Result<bool, Trouble> {
        self.step().await;
        let mut world = self.lock();
        let limits = world.limits;
        let budget = world.budgets.entry(self.me).or_default();
        let reserved = budget.reserve(cost, limits, now);
        // As a file keeps it.
        *budget = budget.to_string().parse().expect("a budget");
        Ok(reserved)
    }

    async fn settle(&self, reserved: Cost, spent: Cost, now: i64) -> Result<(), Trouble> {
        self.step().await;
        let mut world = self.lock();
        world.budgets.entry(self.me).or_default().settle(reserved, spent, now);
        Ok(())
    }
}

impl Sender for &Hands<'_> {
    fn payer(&self) -> Pubkey {
        Pubkey::new_from_array([100 + self.me; 32])
    }

    async fn price(&self, _: &Batch) -> Result<(u64, u64), Trouble> {
        self.step().await;
        Ok((FEE, self.lock().rent))
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        self.step().await;
        let name = (self.me, batch.key);
        {
            let mut world = self.lock();
            if let Some((_, Outcome::Unknown)) = world.journal.get(&name) {
                return Outcome::Unknown;
            }
            // Written down before it leaves.
            world.journal.insert(name, (batch.escrows.clone(), Outcome::Unknown));
        }
        self.step().await;
        let outcome = {
            let mut world = self.lock();
            let outcome = match world.loses() {
                true => Outcome::Never { reason: "expired".to_owned() },
                false => world.execute(self.me, batch),
            };
            world.journal.insert(name, (batch.escrows.clone(), outcome.clone()));
            // Nobody heard of it: the truth comes out later.
            if world.loses() {
                return Outcome::Unknown;
            }
            outcome
        };
        self.step().await;
        self.lock().journal.remove(&name);
        outcome
    }

    async fn resume(&self) -> Result<Vec<(Vec<Pubkey>, Outcome)>, Trouble> {
        self.step().await;
        let mut world = self.lock();
        let mine: Vec<_> = world.journal.keys().filter(|(of, _)| *of == self.me).copied().collect();
        let mut finished = Vec::new();
        for name in mine {
            let (escrows, outcome) = world.journal.remove(&name).expect("in the journal");
            // What was written down and never sent, never will be.
            let outcome =
                if outcome == Outcome::Unknown { Outcome::Never { reason: "expired".to_owned() } } else { outcome };
            finished.push((escrows, outcome));
        }
        Ok(finished)
    }
}

impl World {
    fn new(seed: u64, escrows: usize) -> Self {
        let mut random = Random::new(seed);
        let mut places = BTreeMap::new();
        let (mut now, mut wallets) = (START, BTreeSet::new());
        while places.len() < escrows {
            let most = 2 + random.below(9) as usize;
            let life = Life::random(&mut random, most);
            let Some(account) = life.end().cloned() else { continue };
            now = now.max(life.acts.last().expect("acts").time);
            let frozen = if random.once_in(12) { vec![random.choose(&Recipient::ALL)] } else { Vec::new() };
            if random.once_in(2)
                && let Asset::Token { mint, .. } = account.asset()
            {
                Recipient::ALL.iter().for_each(|recipient| {
                    wallets.insert((*account.state.recipient(*recipient), mint));
                });
            }
            places.insert(account.address, Place { account: Some(account), past: Vec::new(), frozen });
        }
        let trouble = random.choose(&[u64::MAX, 30, 6]);
        let stale = random.once_in(2);
        Self {
            random,
            now,
            slot: 100,
            places,
            wallets,
            trouble,
            stale,
            done: Vec::new(),
            repeated: 0,
            fees: BTreeMap::new(),
            journal: BTreeMap::new(),
            budgets: BTreeMap::new(),
            limits: Cost { lamports: u64::MAX, token_accounts: u32::MAX },
            rent: RENT,
            leases: BTreeMap::new(),
            steps: None,
        }
    }

    fn loses(&mut self) -> bool {
        self.random.once_in(self.trouble)
    }

    fn present(&self, escrow: &Pubkey, slot: u64) -> Option<Present> {
        let place = self.places.get(escrow)?;
        let past = place.past.iter().find(|(end, _)| slot < *end).map(|(_, account)| account.clone());
        let escrow = past.or_else(|| place.account.clone())?;
        let missing = match escrow.asset() {
            Asset::Sol => Vec::new(),
            Asset::Token { mint, .. } => {
                let owners = Recipient::ALL.iter().map(|recipient| *escrow.state.recipient(*recipient));
                owners.filter(|owner| !self.wallets.contains(&(*owner, mint))).collect()
            }
        };
        Some(Present { escrow, missing, surplus: false })
    }

    /// All of it, or nothing but the fee.
    fn execute(&mut self, me: u8, batch: &Batch) -> Outcome {
        self.slot += 1 + self.random.below(2);
        let (slot, now) = (self.slot, self.now);
        let mut states: BTreeMap<Pubkey, Option<EscrowAccount>> = BTreeMap::new();
        let mut opened = BTreeSet::new();
        let mut failed = None;
        for instruction in &batch.instructions {
            let Some(action) = Action::decode(instruction) else {
                // An associated token account: owner and mint.
                opened.insert((instruction.accounts[2].pubkey, instruction.accounts[3].pubkey));
                continue;
            };
            let place = &self.places[&action.escrow];
            let state = states.entry(action.escrow).or_insert_with(|| place.account.clone());
            let refused = match state {
                None => Some("there is no escrow".to_owned()),
                Some(account) => match (&action.instruction, account.asset()) {
                    (EscrowInstruction::Withdraw { recipient }, _) if place.frozen.contains(recipient) => {
                        Some("frozen".to_owned())
                    }
                    (EscrowInstruction::Withdraw { recipient }, Asset::Token { mint, .. })
                        if !self.wallets.contains(&(*account.state.recipient(*recipient), mint))
                            && !opened.contains(&(*account.state.recipient(*recipient), mint)) =>
                    {
                        Some("there is no token account".to_owned())
                    }
                    _ => match action.preview(account, now) {
                        Ok(preview) => {
                            *state = preview.after;
                            None
                        }
                        Err(error) => Some(error.message().to_owned()),
                    },
                },
            };
            if let Some(reason) = refused {
                let mine = (me, action.escrow, format!("{:?}", action.instruction));
                self.repeated += u64::from(reason != "frozen" && self.done.contains(&mine));
                failed = Some(reason);
                break;
            }
        }
        let cost = match failed {
            Some(_) => Cost { lamports: FEE, token_accounts: 0 },
            None => {
                let made = opened.difference(&self.wallets).count() as u32;
                Cost { lamports: FEE + self.rent * u64::from(made), token_accounts: made }
            }
        };
        let spent = self.fees.entry(me).or_default();
        *spent = spent.plus(cost);
        if let Some(reason) = failed {
            return Outcome::Failed { slot, fee: FEE, reason };
        }
        self.wallets.extend(opened);
        for action in &batch.actions {
            self.done.push((me, action.escrow, format!("{:?}", action.instruction)));
        }
        for (escrow, after) in states {
            let place = self.places.get_mut(&escrow).expect("a place");
            let before = std::mem::replace(&mut place.account, after);
            place.past.extend(before.map(|before| (slot, before)));
        }
        Outcome::Landed { slot, fee: FEE }
    }

    /// Those for which anyone could still do something that would succeed.
    fn left(&self) -> Vec<Pubkey> {
        let could = |place: &Place| {
            let Some(account) = &place.account else { return false };
            for_anyone(account, self.now).iter().any(|action| match &action.instruction {
                EscrowInstruction::Withdraw { recipient } => !place.frozen.contains(recipient),
                EscrowInstruction::Close => action.preview(account, self.now).is_ok(),
                _ => true,
            })
        };
        self.places.iter().filter(|(_, place)| could(place)).map(|(escrow, _)| *escrow).collect()
    }
}

const SETTINGS: Settings = Settings {
    kinds: Kinds { expire: true, withdraw: true, close: true, cancel: true },
    seed: 1,
    jitter: 20,
    at_once: 16,
    together: 6,
    in_flight: 4,
    accounts_each: 4,
    lease: 300,
    rest: 60,
    memory: 100,
};

type OneKeeper<'a> = Keeper<&'a Hands<'a>, &'a Hands<'a>, &'a Hands<'a>>;

/// Polls it once: all that it waits for is there already, or never comes.
fn pass(keeper: &mut OneKeeper<'_>) -> Option<Result<Pass, Trouble>> {
    let pass = pin!(keeper.pass());
    match pass.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

/// One run with so many keepers. What was done, or the promise that was broken.
fn run(seed: u64, keepers: u8) -> Result<World, String> {
    let mut world = World::new(seed, 20);
    world.now += DAY * world.random.below(60) as i64;
    let kills = world.random.once_in(2);
    let alone = keepers == 1;
    let world = Mutex::new(world);
    let lock = || world.lock().expect("the world");
    let hands: Vec<Hands<'_>> = (0..3).map(|me| Hands::new(&world, me)).collect();
    let who: &[usize] = match keepers {
        1 => &[0],
        2 => &[0, 1],
        _ => &[0, 2],
    };
    let settings = |me: usize| Settings { seed: me as u64, ..SETTINGS };
    let fresh = |me: usize| Keeper::new(&hands[me], &hands[me], &hands[me], settings(me));
    let mut running: Vec<(usize, OneKeeper<'_>)> = who.iter().map(|me| (*me, fresh(*me))).collect();
    for round in 0..300 {
        for (me, keeper) in &mut running {
            if kills && round < 40 {
                let mut world = lock();
                world.steps = world.random.once_in(3).then_some(1 + world.random.below(30));
            }
            if pass(keeper).is_none() {
                *keeper = fresh(*me);
            }
            lock().steps = None;
            if keeper.remembered() > SETTINGS.memory {
                return Err(format!("it remembers {} escrows", keeper.remembered()));
            }
        }
        let mut world = lock();
        world.now += 15;
        if round == 60 {
            (world.trouble, world.stale) = (u64::MAX, false);
        }
        if round > 60 && world.left().is_empty() && world.journal.is_empty() {
            break;
        }
    }
    drop(running);
    drop(hands);
    let world = world.into_inner().expect("the world");
    let left = world.left();
    if !left.is_empty() {
        return Err(format!("{} escrows are left undone: {left:?}", left.len()));
    }
    if alone && world.repeated > 0 && !kills {
        return Err(format!("{} transactions repeated what was done", world.repeated));
    }
    Ok(world)
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
fn all_that_is_due_is_done_and_nothing_twice() {
    let (runs, began) = (effort(), Instant::now());
    for keepers in 1..=3u8 {
        let (mut done, mut spent, mut repeated) = (0, Cost::default(), 0);
        for seed in 0..runs {
            match run(seed, keepers) {
                Ok(world) => {
                    done += world.done.len();
                    spent = world.fees.values().fold(spent, |sum, cost| sum.plus(*cost));
                    repeated += world.repeated;
                }
                Err(broken) => panic!("run {seed} with {keepers}: {broken}"),
            }
        }
        println!("{keepers}: {runs} runs, {done} actions, {spent:?}, {repeated} repeated");
        assert!(done > 0 && spent.token_accounts > 0);
    }
    println!("in {:.1} s", began.elapsed().as_secs_f64());
}

#[test]
fn a_budget_that_runs_out_is_kept_and_the_next_day_goes_on() {
    let limits = Cost { lamports: 3 * FEE, token_accounts: 1 };
    for seed in 0..10 {
        let mut world = World::new(seed, 20);
        (world.limits, world.trouble, world.stale, world.rent) = (limits, u64::MAX, false, FEE);
        world.now += 60 * DAY;
        let world = Mutex::new(world);
        let hands = Hands::new(&world, 0);
        let mut out_of_budget = false;
        let mut days = 0;
        while !world.lock().expect("the world").left().is_empty() && days < 200 {
            days += 1;
            let before = world.lock().expect("the world").fees.get(&0).copied().unwrap_or_default();
            for _ in 0..8 {
                // Also a keeper that begins anew knows what was spent.
                let mut keeper = Keeper::new(&hands, &hands, &hands, Settings { jitter: 0, together: 2, ..SETTINGS });
                let pass = pass(&mut keeper).expect("no kill").expect("no trouble");
                out_of_budget |= pass.out_of_budget;
                world.lock().expect("the world").now += 1;
            }
            let mut world = world.lock().expect("the world");
            let spent = world.fees.get(&0).copied().unwrap_or_default().minus(before);
            assert!(spent.is_within(limits), "{seed}: {spent:?} in a day");
            world.now = (world.now / DAY + 1) * DAY;
        }
        assert!(out_of_budget, "{seed}: the budget never ran out");
    }
}

#[test]
fn little_is_remembered_of_many() {
    let mut world = World::new(5, 60);
    world.now += 60 * DAY;
    (world.trouble, world.stale) = (2, true);
    let world = Mutex::new(world);
    let hands = Hands::new(&world, 0);
    let mut keeper = Keeper::new(&hands, &hands, &hands, Settings { memory: 7, at_once: 60, ..SETTINGS });
    for _ in 0..50 {
        let _ = pass(&mut keeper).expect("no kill");
        assert!(keeper.remembered() <= 7);
        world.lock().expect("the world").now += 30;
    }
    assert!(keeper.counters().landed > 0);
}

#[test]
fn work_is_divided_as_sizes_and_company_allow() {
    let mut world = World::new(11, 60);
    world.now += 60 * DAY;
    let (now, payer) = (world.now, Pubkey::new_from_array([100; 32]));
    let present = world.places.keys().filter_map(|escrow| world.present(escrow, u64::MAX));
    let planned: Vec<_> = present.filter_map(|present| work(&present, Kinds::default(), 4, &payer, now)).collect();
    let all = |company| batches(&planned, |_| company, 6, &payer).expect("batches");
    let together = all(Company::Together);
    assert!(together.iter().any(|batch| batch.escrows.len() > 2), "several fit");
    assert!(together.iter().all(|batch| batch.escrows.len() <= 6));
    let keys: BTreeSet<_> = together.iter().map(|batch| batch.key).collect();
    assert_eq!(keys.len(), together.len());
    assert_eq!(together, all(Company::Together), "the same work has the same name");
    assert!(all(Company::Alone).iter().all(|batch| batch.escrows.len() == 1));
    for batch in all(Company::Apart) {
        let payments =
            batch.actions.iter().filter(|action| matches!(action.instruction, EscrowInstruction::Withdraw { .. }));
        let defaults =
            batch.actions.iter().filter(|action| matches!(action.instruction, EscrowInstruction::Expire { .. }));
        let (payments, defaults) = (payments.count(), defaults.count());
        assert!(payments <= 1 && (payments == 0 || defaults == 0), "{:?}", batch.actions);
    }
    // Nobody's token account is made where none may be.
    let present = world.places.keys().filter_map(|escrow| world.present(escrow, u64::MAX));
    let frugal: Vec<_> = present.filter_map(|present| work(&present, Kinds::default(), 0, &payer, now)).collect();
    assert!(frugal.iter().all(|work| work.token_accounts == 0));
    assert!(!frugal.is_empty());
    // And what is switched off is not done.
    for (kinds, off) in [
        (Kinds { expire: false, ..Kinds::default() }, "Expire"),
        (Kinds { withdraw: false, ..Kinds::default() }, "Withdraw"),
        (Kinds { close: false, ..Kinds::default() }, "Close"),
        (Kinds { cancel: false, ..Kinds::default() }, "Cancel"),
    ] {
        let present = world.places.keys().filter_map(|escrow| world.present(escrow, u64::MAX));
        let actions: Vec<String> = present
            .filter_map(|present| work(&present, kinds, 4, &payer, now))
            .flat_map(|work| work.actions)
            .map(|action| format!("{:?}", action.instruction))
            .collect();
        assert!(!actions.is_empty() && actions.iter().all(|action| !action.starts_with(off)), "{off}");
    }
}
