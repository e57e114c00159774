//! Measures what each instruction costs, in compute units, on the bytecode under test.

use std::collections::BTreeMap;

use escrow_client::{MilestoneStatus, Proposal, Recipient, address, escrow::event, instruction};
use solana_signer::Signer;
use spl_token_2022_interface::instruction as token_instruction;

use crate::{DAY, HOUR, INITIAL_LAMPORTS, Kind, TOKEN, World, keypair};

/// How many escrows, each at another address, each instruction is measured on: looking for an address's bump makes
/// some addresses cost more than others.
pub const RUNS: usize = 25;

/// What one instruction cost in all runs.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which instruction, and on what.
    pub name: &'static str,
    /// The goal in the design, section 4.
    pub goal: Option<u64>,
    /// Sorted.
    pub costs: Vec<u64>,
}

impl Row {
    /// The least.
    pub fn min(&self) -> u64 {
        self.costs.first().copied().unwrap_or(0)
    }

    /// The one in the middle.
    pub fn median(&self) -> u64 {
        self.costs.get(self.costs.len() / 2).copied().unwrap_or(0)
    }

    /// The most.
    pub fn max(&self) -> u64 {
        self.costs.last().copied().unwrap_or(0)
    }
}

/// The rows of the table, in its order, with the design's goals.
const ROWS: [(&str, Option<u64>); 22] = [
    ("create, SOL, 1 milestone", Some(4_500)),
    ("create, SOL, 8 milestones", None),
    ("create, token, vault included", None),
    ("fund, SOL", Some(1_899)),
    ("fund, token", None),
    ("create + fund, token", Some(12_000)),
    ("cancel, unfunded, SOL", None),
    ("cancel, unfunded, token", None),
    ("cancel, funded", None),
    ("deliver", Some(800)),
    ("claim", Some(800)),
    ("release", Some(800)),
    ("refund", Some(800)),
    ("dispute", Some(800)),
    ("rule", Some(800)),
    ("propose", Some(800)),
    ("accept", Some(800)),
    ("expire", Some(800)),
    ("withdraw, SOL", Some(700)),
    ("withdraw, token", Some(2_500)),
    ("close, SOL", None),
    ("close, token", Some(2_500)),
];

/// Measures every row.
pub fn measure() -> Vec<Row> {
    let mut costs: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
    for run in 0..RUNS {
        for (name, cost) in measure_once(run) {
            costs.entry(name).or_default().push(cost);
        }
    }
    ROWS.into_iter()
        .map(|(name, goal)| {
            let mut costs = costs.remove(name).unwrap_or_else(|| panic!("{name} is not measured"));
            costs.sort_unstable();
            Row { name, goal, costs }
        })
        .collect()
}

/// Runs every instruction once, on escrows that no other run has.
fn measure_once(run: usize) -> Vec<(&'static str, u64)> {
    let mut world = World::new();
    let mut costs = Vec::new();
    // Another seller in each run: whose associated token account is found at another bump.
    world.seller = keypair(100 + u8::try_from(run).expect("few runs"));
    let (seller, mint) = (world.seller.pubkey(), world.mint);
    world.svm.airdrop(&seller, INITIAL_LAMPORTS).expect("an airdrop");
    world.create_token_account(&seller, &mint, &TOKEN);
    let (buyer, seller) = (world.buyer.insecure_clone(), world.seller.insecure_clone());
    let (arbiter, rent_payer) = (world.arbiter.insecure_clone(), world.rent_payer.insecure_clone());
    let secret = [7; 32];
    // The salt is counted from another start in each run.
    for _ in 0..run * 100 {
        world.terms(Kind::Sol, &[1]);
    }

    for kind in [Kind::Sol, Kind::Token] {
        let by_kind = |sol, token| if kind == Kind::Sol { sol } else { token };
        let terms = world.terms(kind, &[1_000_000]);
        let create = world.ok(world.create_instruction(&terms), &[&rent_payer]).compute_units_consumed;
        costs.push((by_kind("create, SOL, 1 milestone", "create, token, vault included"), create));
        let escrow = address::escrow_address(&terms).expect("an address");
        let unfunded = world.escrow(&escrow);
        let cancel = world.ok(instruction::cancel(&unfunded, buyer.pubkey(), false), &[&buyer]).compute_units_consumed;
        costs.push((by_kind("cancel, unfunded, SOL", "cancel, unfunded, token"), cancel));

        let mut terms = world.terms(kind, &[1_000_000]);
        terms.fee_recipient = world.fee_recipient.pubkey();
        terms.fee_bps = 250;
        let create = world.ok(world.create_instruction(&terms), &[&rent_payer]).compute_units_consumed;
        let escrow = address::escrow_address(&terms).expect("an address");
        let fund = world.ok(instruction::fund(&terms).expect("an address"), &[&buyer]).compute_units_consumed;
        costs.push((by_kind("fund, SOL", "fund, token"), fund));
        if kind == Kind::Token {
            costs.push(("create + fund, token", create + fund));
        }
        let release =
            instruction::release(escrow, buyer.pubkey(), 0, instruction::Part { amount: 400_000, of: 1_000_000 });
        let release = world.ok(release, &[&buyer]).compute_units_consumed;
        let account = world.escrow(&escrow);
        let withdraw = world.ok(instruction::withdraw(&account, Recipient::Seller), &[]).compute_units_consumed;
        costs.push((by_kind("withdraw, SOL", "withdraw, token"), withdraw));
        let refund =
            instruction::refund(escrow, seller.pubkey(), 0, instruction::Part { amount: 600_000, of: 600_000 });
        let refund = world.ok(refund, &[&seller]).compute_units_consumed;
        if kind == Kind::Sol {
            costs.extend([("release", release), ("refund", refund)]);
        }
        world.withdraw_all(&escrow);
        world.advance(2 * DAY);
        let account = world.escrow(&escrow);
        let close = world.ok(instruction::close(&account, false), &[]).compute_units_consumed;
        costs.push((by_kind("close, SOL", "close, token"), close));
    }

    let terms = world.terms(Kind::Sol, &[1; 8]);
    let create = world.ok(world.create_instruction(&terms), &[&rent_payer]).compute_units_consumed;
    costs.push(("create, SOL, 8 milestones", create));

    let mut terms = world.terms(Kind::Sol, &[1_000_000]);
    terms.cooling_off = 60;
    let escrow = world.create_and_fund(&terms);
    let account = world.escrow(&escrow);
    let cancel = world.ok(instruction::cancel(&account, buyer.pubkey(), false), &[&buyer]).compute_units_consumed;
    costs.push(("cancel, funded", cancel));

    let mut terms = world.terms(Kind::Sol, &[1_000_000]);
    terms.hashlock = anchor_lang::sha256(&secret);
    let escrow = world.create_and_fund(&terms);
    costs.push(("claim", world.ok(instruction::claim(escrow, 0, secret), &[]).compute_units_consumed));

    let mut terms = world.terms(Kind::Sol, &[1_000_000]);
    terms.arbiter_fee_bps = 300;
    let escrow = world.create_and_fund(&terms);
    let deliver = instruction::deliver(escrow, seller.pubkey(), 0, [1; 32]);
    costs.push(("deliver", world.ok(deliver, &[&seller]).compute_units_consumed));
    let dispute = instruction::dispute(escrow, buyer.pubkey(), 0, [2; 32]);
    costs.push(("dispute", world.ok(dispute, &[&buyer]).compute_units_consumed));
    let rule = instruction::rule(escrow, arbiter.pubkey(), 0, 3_333, [3; 32]);
    costs.push(("rule", world.ok(rule, &[&arbiter]).compute_units_consumed));

    let terms = world.terms(Kind::Sol, &[1_000_000]);
    let escrow = world.create_and_fund(&terms);
    let expires_at = world.now() + HOUR;
    let proposal = Proposal::Split {
        milestone: 0,
        status: MilestoneStatus::Pending,
        remaining: 1_000_000,
        to_seller: 700_000,
        expires_at,
    };
    let propose = world.ok(instruction::propose(escrow, seller.pubkey(), proposal), &[&seller]);
    costs.push(("propose", propose.compute_units_consumed));
    let accept = world.ok(instruction::accept(escrow, buyer.pubkey(), proposal), &[&buyer]);
    costs.push(("accept", accept.compute_units_consumed));

    let terms = world.terms(Kind::Sol, &[1_000_000]);
    let escrow = world.create_and_fund(&terms);
    world.advance(11 * DAY);
    costs.push(("expire", world.ok(instruction::expire(escrow, 0), &[]).compute_units_consumed));
    costs
}

/// What the programs cost that an escrow calls, measured alone in the same bank.
struct Callees {
    transfer: u64,
    create_account: u64,
    transfer_tokens: u64,
    initialize_account: u64,
    close_account: u64,
}

impl Callees {
    fn measure() -> Self {
        let mut world = World::new();
        let (buyer, seller, mint) = (world.buyer.insecure_clone(), world.seller.pubkey(), world.mint);
        let transfer = solana_system_interface::instruction::transfer(&buyer.pubkey(), &seller, 1);
        let transfer = world.ok(transfer, &[&buyer]).compute_units_consumed;
        let new = keypair(90);
        let rent = world.svm.minimum_balance_for_rent_exemption(165);
        let create =
            solana_system_interface::instruction::create_account(&buyer.pubkey(), &new.pubkey(), rent, 165, &TOKEN);
        let create_account = world.ok(create, &[&buyer, &new]).compute_units_consumed;
        let initialize = token_instruction::initialize_account3(&TOKEN, &new.pubkey(), &mint, &buyer.pubkey());
        let initialize_account = world.ok(initialize.expect("valid"), &[]).compute_units_consumed;
        let (from, to) = (world.token_account(&buyer.pubkey()), world.token_account(&seller));
        let checked = token_instruction::transfer_checked(&TOKEN, &from, &mint, &to, &buyer.pubkey(), &[], 1, 6);
        let transfer_tokens = world.ok(checked.expect("valid"), &[&buyer]).compute_units_consumed;
        let close = token_instruction::close_account(&TOKEN, &new.pubkey(), &seller, &buyer.pubkey(), &[]);
        let close_account = world.ok(close.expect("valid"), &[&buyer]).compute_units_consumed;
        Self { transfer, create_account, transfer_tokens, initialize_account, close_account }
    }
}

/// What the runtime asks for (agave 4.2, `execution_budget.rs`): for the call of a program, ...
const INVOKE: u64 = 946;
/// ... for the clock or the rent, ...
const SYSVAR: u64 = 110;
/// ... and for asking whether a point is on the curve.
const CURVE: u64 = 159;

/// A hash of pieces with these lengths.
fn sha256(pieces: &[usize]) -> u64 {
    85 + pieces.iter().map(|length| (*length as u64 / 2).max(10)).sum::<u64>()
}

/// A line of the log with an event.
fn logged<E>() -> u64 {
    let discriminator = 8;
    200 + (discriminator + size_of::<E>()) as u64
}

/// An address derived at the first bump: where it is found later, each further one costs as much again.
fn derivation() -> u64 {
    sha256(&[6, 32, 1, 32, 21]) + CURVE
}

/// What the syscalls, calls and event of each row cost by themselves: no program that does the same with them costs less.
fn floors() -> BTreeMap<&'static str, u64> {
    let Callees { transfer, create_account, transfer_tokens, initialize_account, close_account } = Callees::measure();
    let call = |callee: u64| INVOKE + callee;
    let terms = |milestones: usize| sha256(&[15, 32, 32, 32, 32, 32, 32, 32, 28, 32, 32, 16, 4, 20 * milestones]);
    let create =
        |milestones| 2 * SYSVAR + terms(milestones) + derivation() + call(create_account) + logged::<event::Created>();
    let vault = derivation() + SYSVAR + call(create_account) + call(initialize_account);
    let associated = sha256(&[150]);
    BTreeMap::from([
        ("create, SOL, 1 milestone", create(1)),
        ("create, SOL, 8 milestones", create(8)),
        ("create, token, vault included", create(1) + vault),
        ("fund, SOL", SYSVAR + call(transfer) + logged::<event::Funded>()),
        ("fund, token", SYSVAR + call(transfer_tokens) + logged::<event::Funded>()),
        ("create + fund, token", create(1) + vault + SYSVAR + call(transfer_tokens) + logged::<event::Funded>()),
        ("cancel, unfunded, SOL", SYSVAR + logged::<event::Cancelled>()),
        ("cancel, unfunded, token", SYSVAR + call(close_account) + logged::<event::Cancelled>()),
        ("cancel, funded", SYSVAR + logged::<event::Cancelled>()),
        ("deliver", SYSVAR + logged::<event::Delivered>()),
        ("claim", SYSVAR + sha256(&[32]) + logged::<event::Claimed>()),
        ("release", logged::<event::Released>()),
        ("refund", logged::<event::Refunded>()),
        ("dispute", SYSVAR + logged::<event::Disputed>()),
        ("rule", SYSVAR + logged::<event::Ruled>()),
        ("propose", SYSVAR + logged::<event::Proposed>()),
        ("accept", SYSVAR + logged::<event::Accepted>()),
        ("expire", SYSVAR + logged::<event::Expired>()),
        ("withdraw, SOL", logged::<event::Withdrawn>()),
        ("withdraw, token", associated + call(transfer_tokens) + logged::<event::Withdrawn>()),
        ("close, SOL", SYSVAR + logged::<event::Closed>()),
        ("close, token", SYSVAR + call(close_account) + logged::<event::Closed>()),
    ])
}

/// What stands in `docs/COMPUTE_UNITS.md`.
pub fn document() -> String {
    let size = std::fs::metadata(crate::elf_path()).map_or(0, |file| file.len());
    let mut text = format!(
        "# Compute units\n\n\
         What each instruction costs, measured on the committed program in LiteSVM 0.16 with the token program that it \
         ships, on {RUNS} escrows at different addresses. `cargo xtask generate` writes it, and a test fails when it no \
         longer matches. Compute units are deterministic: the same program, instruction and \
         accounts cost the same everywhere. Where a row has more than one number, the cost depends on how many bumps \
         are tried until an address is found.\n\n\
         The **floor** is what the syscalls, the calls of other programs and the event of the instruction cost by \
         themselves, with addresses found at the first bump; × is how many times that the median is. Between the two \
         stands everything else: reading and checking accounts, decoding arguments, the rules, the ledger and its \
         invariant.\n\n\
         | instruction | least | median | most | floor | × | goal | best peer |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n"
    );
    let floors = floors();
    for row in measure() {
        let goal = row.goal.map_or(String::new(), grouped);
        let peer = PEERS.iter().find(|(name, _)| *name == row.name).map_or("", |(_, peer)| peer);
        let (min, median, max) = (grouped(row.min()), grouped(row.median()), grouped(row.max()));
        let floor = floors[row.name];
        let hundredths = row.median() * 100 / floor;
        let times = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let floor = grouped(floor);
        text.push_str(&format!("| {} | {min} | {median} | {max} | {floor} | {times} | {goal} | {peer} |\n", row.name));
    }
    text.push_str(&format!(
        "\nThe program has {} bytes; the goal is {}. Of the best peers, Quasar's escrow (3 instructions) has 44,320 and the \
         Solana Foundation's (13 instructions, same toolchain) 188,136.\n\n\
         In the floors, and in the same bank: calling another program {INVOKE}; a sysvar {SYSVAR}; a derived address at the \
         first bump {}; an event 200 and its length in bytes.\n",
        grouped(size),
        grouped(98_304),
        derivation()
    ));
    text
}

/// The peers in the design, section 4, with how their numbers are known.
const PEERS: [(&str, &str); 8] = [
    ("create, SOL, 1 milestone", "6,117: Solana Foundation escrow, create only, no terms; measured"),
    (
        "create + fund, token",
        "21,035: Quasar escrow, make; published. 51,028: Solana Foundation escrow, create, allow mint, deposit; measured",
    ),
    ("fund, SOL", "1,899: Anchor 2 vault, deposit; published"),
    ("deliver", DECISION_PEER),
    ("release", DECISION_PEER),
    ("expire", DECISION_PEER),
    ("withdraw, SOL", "389: Anchor 2 vault, withdraw, no terms to check; published"),
    ("withdraw, token", "13,068: Solana Foundation escrow; measured"),
];
const DECISION_PEER: &str = "1,819: Solana Foundation escrow, set-immutable; measured";

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
