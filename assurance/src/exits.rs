//! Which instructions succeed, by whom, in every status and every relation of the clock to the deadlines: all of them
//! tried on the bytecode, compared with a table written by hand from the design (sections 2.4 and 2.6), and written to
//! `docs/exits.md`. From the results, not from the table, follows the promise of one exit at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{bail, ensure};
use escrow_client::{
    EscrowAccount, EscrowError, MilestoneStatus, Proposal, Recipient, Terms, address,
    escrow::state::{MilestoneTerms, Party},
    instruction,
};
use escrow_tests::{KINDS, Kind, SECRET, START, Who, World, keypair};
use sha2::{Digest, Sha256};
use solana_instruction::{Instruction, error::InstructionError};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;

use crate::{
    Check, Figure, Run,
    bank::{believing, ok, on_every_core, send},
    generated,
};

/// The check.
pub const CHECK: Check = Check {
    name: "exits",
    shows: "in every status and second everybody can do what the design says and nothing else, with one exit at a time",
    promises: &[1, 2],
    run,
};

/// Where the table is.
pub const FILE: &str = "docs/exits.md";

// What is agreed ---------------------------------------------------------------------------------------------------------

/// Lamports or base units: more than the rent of an account, also one per cent of it.
const AMOUNT: u64 = 10_000_000_000;
/// What is released and refunded before anything else, so that something is due in every status.
const PART: u64 = 1_000_000_000;

/// Seconds after the start, when the escrow is created and funded.
const COOLING_OFF: i64 = 100;
const DELIVER_BY: i64 = 10_000;
const EXTENDED: i64 = 30_000;
const PROPOSED: i64 = 50_000;
const WINDOW: u32 = 5_000;

/// What differs from one escrow to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Agreed {
    token: bool,
    arbiter: bool,
    attester: bool,
    hashlock: bool,
    cooling_off: bool,
    /// Whether there is time to fund until after deliver_by.
    late_funding: bool,
}

impl Agreed {
    fn all() -> Vec<Self> {
        let bit = |number: u32, at: u32| number >> at & 1 == 1;
        (0..64)
            .map(|number| Self {
                token: bit(number, 0),
                arbiter: bit(number, 1),
                attester: bit(number, 2),
                hashlock: bit(number, 3),
                cooling_off: bit(number, 4),
                late_funding: bit(number, 5),
            })
            .collect()
    }

    const fn kind(self) -> Kind {
        KINDS[self.token as usize]
    }

    const fn cooling_off(self) -> i64 {
        if self.cooling_off { COOLING_OFF } else { 0 }
    }

    const fn fund_by(self) -> i64 {
        if self.late_funding { 20_000 } else { 1_000 }
    }

    fn terms(self, world: &World) -> Terms {
        let named = |named: bool, who: Who| if named { who.key(world) } else { Pubkey::default() };
        Terms {
            arbiter: named(self.arbiter, Who::Arbiter),
            attester: named(self.attester, Who::Attester),
            fee_recipient: Who::FeeRecipient.key(world),
            fee_bps: 1_000,
            fund_by: START + self.fund_by(),
            cooling_off: u32::try_from(self.cooling_off()).unwrap_or_default(),
            ruling_window: WINDOW,
            hashlock: if self.hashlock { Sha256::digest(SECRET).into() } else { [0; 32] },
            salt: [1; 16],
            milestones: vec![MilestoneTerms { amount: AMOUNT, deliver_by: START + DELIVER_BY, review_window: WINDOW }],
            ..escrow_client::TermsBuilder::new(Who::Buyer.key(world), Who::Seller.key(world), world.asset(self.kind()))
                .assemble(START)
                .expect("terms")
        }
    }
}

// Where it stands --------------------------------------------------------------------------------------------------------

/// Where the escrow and its milestone stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Nothing,
    Created,
    Pending,
    PendingLonger,
    Delivered,
    DeliveredLonger,
    Disputed,
    DisputedLonger,
    Settled,
    Withdrawn,
}

use Status::*;

impl Status {
    const ALL: [Self; 10] = [
        Nothing,
        Created,
        Pending,
        PendingLonger,
        Delivered,
        DeliveredLonger,
        Disputed,
        DisputedLonger,
        Settled,
        Withdrawn,
    ];

    const fn title(self) -> &'static str {
        match self {
            Nothing => "Nothing created",
            Created => "Created",
            Pending => "Funded, the milestone pending",
            PendingLonger => "Funded, the milestone pending, its deadline extended",
            Delivered => "Funded, the milestone delivered",
            DeliveredLonger => "Funded, the milestone delivered, its deadline extended",
            Disputed => "Funded, the milestone disputed",
            DisputedLonger => "Funded, the milestone disputed, its deadline extended",
            Settled => "Funded, the milestone settled, not all withdrawn",
            Withdrawn => "Funded, the milestone settled, all withdrawn",
        }
    }

    const fn is_funded(self) -> bool {
        !matches!(self, Nothing | Created)
    }

    const fn is_extended(self) -> bool {
        matches!(self, PendingLonger | DeliveredLonger | DisputedLonger)
    }

    /// Whether the escrow can come to stand here: by a hash-lock without an attester nothing is ever delivered.
    const fn is_reachable(self, agreed: Agreed) -> bool {
        let delivered = matches!(self, Delivered | DeliveredLonger | Disputed | DisputedLonger);
        !(delivered && agreed.hashlock && !agreed.attester)
    }

    /// The milestone's status in the interface.
    const fn of_milestone(self) -> MilestoneStatus {
        match self {
            Nothing | Created | Pending | PendingLonger => MilestoneStatus::Pending,
            Delivered | DeliveredLonger => MilestoneStatus::Delivered,
            Disputed | DisputedLonger => MilestoneStatus::Disputed,
            Settled | Withdrawn => MilestoneStatus::Settled,
        }
    }

    /// When the milestone came into this status, in seconds after the start.
    const fn since(self, agreed: Agreed) -> i64 {
        match self {
            Nothing | Created | Pending | PendingLonger | Settled | Withdrawn => 0,
            Delivered | DeliveredLonger => agreed.cooling_off() + 50,
            Disputed | DisputedLonger => agreed.cooling_off() + 60,
        }
    }

    /// The one deadline of the milestone, in seconds after the start.
    const fn deadline(self, agreed: Agreed) -> i64 {
        match self {
            PendingLonger | DeliveredLonger | DisputedLonger => EXTENDED,
            _ => self.agreed_deadline(agreed),
        }
    }

    /// The deadline without an extension. With a hash-lock a delivery and a dispute bring it no nearer.
    const fn agreed_deadline(self, agreed: Agreed) -> i64 {
        match self.of_milestone() {
            MilestoneStatus::Pending | MilestoneStatus::Settled => DELIVER_BY,
            _ if agreed.hashlock => DELIVER_BY,
            _ => self.since(agreed) + WINDOW as i64,
        }
    }

    /// The relations of the clock that can be in this status, each with its time in seconds after the start.
    fn moments(self, agreed: Agreed) -> Vec<(&'static str, i64)> {
        let (cooling_off, fund_by, deadline) = (agreed.cooling_off(), agreed.fund_by(), self.deadline(agreed));
        let funding =
            [("before fund_by", 0), ("fund_by − 1", fund_by - 1), ("fund_by", fund_by), ("later", fund_by + 1)];
        let late_funding = [
            ("before fund_by", 0),
            ("last second to cool off before deliver_by", DELIVER_BY - cooling_off - 1),
            ("the second after that", DELIVER_BY - cooling_off),
            ("fund_by − 1, after deliver_by", fund_by - 1),
            ("fund_by", fund_by),
            ("later", fund_by + 1),
        ];
        let cooling = [("as it is funded", 0), ("cooling-off end − 1", cooling_off - 1)];
        let cooling = &cooling[..if agreed.cooling_off { 2 } else { 0 }];
        let cooled = [("cooling-off end", cooling_off), ("between", cooling_off + 400)];
        let around_fund_by = [("fund_by − 1", fund_by - 1), ("fund_by", fund_by)];
        let around_deadline = [("deadline − 1", deadline - 1), ("deadline", deadline), ("deadline + 1", deadline + 1)];
        let old_deadline = self.agreed_deadline(agreed);
        let old = [("old deadline − 1", old_deadline - 1), ("old deadline", old_deadline)];
        let begun = [("this very second", self.since(agreed)), ("between", self.since(agreed) + 100)];
        match self {
            Nothing | Created if agreed.late_funding => late_funding.to_vec(),
            Nothing | Created => funding.to_vec(),
            // The deadline before fund_by, and now the other way round.
            Pending | PendingLonger | Delivered | DeliveredLonger | Disputed | DisputedLonger
                if agreed.late_funding =>
            {
                around_deadline.to_vec()
            }
            Pending => [cooling, &cooled, &around_fund_by, &around_deadline].concat(),
            PendingLonger => [cooling, &cooled, &around_fund_by, &old, &around_deadline].concat(),
            Delivered | Disputed => [begun.as_slice(), &around_fund_by, &around_deadline].concat(),
            DeliveredLonger | DisputedLonger => [begun.as_slice(), &around_fund_by, &old, &around_deadline].concat(),
            Settled | Withdrawn => {
                let end = [("fund_by − 1", fund_by - 1), ("fund_by", fund_by), ("later", fund_by + 1)];
                [cooling, &cooled, &end].concat()
            }
        }
    }
}

// Who does what ----------------------------------------------------------------------------------------------------------

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Create,
    Fund,
    Cancel,
    Deliver,
    Claim,
    Dispute,
    Rule,
    Expire,
    Release,
    Refund,
    ProposeSplit,
    ProposeTime,
    ProposeNothing,
    /// What the buyer proposed.
    AcceptSplitOfBuyer,
    AcceptSplitOfSeller,
    AcceptTimeOfBuyer,
    AcceptTimeOfSeller,
    WithdrawBuyer,
    WithdrawSeller,
    WithdrawFee,
    WithdrawArbiter,
    Close,
}

use Act::*;

impl Act {
    const ALL: [Self; 22] = [
        Create,
        Fund,
        Cancel,
        Deliver,
        Claim,
        Dispute,
        Rule,
        Expire,
        Release,
        Refund,
        ProposeSplit,
        ProposeTime,
        ProposeNothing,
        AcceptSplitOfBuyer,
        AcceptSplitOfSeller,
        AcceptTimeOfBuyer,
        AcceptTimeOfSeller,
        WithdrawBuyer,
        WithdrawSeller,
        WithdrawFee,
        WithdrawArbiter,
        Close,
    ];

    /// Whether anybody signs.
    const fn is_signed(self) -> bool {
        !matches!(self, Claim | Expire | WithdrawBuyer | WithdrawSeller | WithdrawFee | WithdrawArbiter | Close)
    }

    /// Whose proposal is accepted, and whether it is a split.
    const fn accepts(self) -> Option<(Party, bool)> {
        Some(match self {
            AcceptSplitOfBuyer => (Party::Buyer, true),
            AcceptSplitOfSeller => (Party::Seller, true),
            AcceptTimeOfBuyer => (Party::Buyer, false),
            AcceptTimeOfSeller => (Party::Seller, false),
            _ => return None,
        })
    }

    /// The instruction, signed by `who` in the place of whoever should. `account` is the escrow as it is, or as it would
    /// be if it were created.
    fn instruction(self, at: &At, who: Who) -> Instruction {
        let At { world, terms, account, split, more_time } = at;
        let (split, more_time) = (*split, *more_time);
        let (escrow, key) = (account.address, who.key(world));
        let remaining = account.milestones.first().map_or(0, |milestone| milestone.remaining);
        match self {
            Create => instruction::create(key, terms).expect("terms that hash"),
            Fund => funded_by(key, world, terms),
            Cancel => instruction::cancel(account, key, false),
            Deliver => instruction::deliver(escrow, key, 0, [1; 32]),
            Claim => instruction::claim(escrow, 0, SECRET),
            Dispute => instruction::dispute(escrow, key, 0, [2; 32]),
            Rule => instruction::rule(escrow, key, 0, 4_000, [3; 32]),
            Expire => instruction::expire(escrow, 0),
            Release => {
                instruction::release(escrow, key, 0, instruction::Part { amount: remaining.max(1), of: remaining })
            }
            Refund => {
                instruction::refund(escrow, key, 0, instruction::Part { amount: remaining.max(1), of: remaining })
            }
            ProposeSplit => instruction::propose(escrow, key, split),
            ProposeTime => instruction::propose(escrow, key, more_time),
            ProposeNothing => instruction::propose(escrow, key, Proposal::Withdrawn),
            AcceptSplitOfBuyer | AcceptSplitOfSeller => instruction::accept(escrow, key, split),
            AcceptTimeOfBuyer | AcceptTimeOfSeller => instruction::accept(escrow, key, more_time),
            WithdrawBuyer => instruction::withdraw(account, Recipient::Buyer),
            WithdrawSeller => instruction::withdraw(account, Recipient::Seller),
            WithdrawFee => instruction::withdraw(account, Recipient::Fee),
            WithdrawArbiter => instruction::withdraw(account, Recipient::Arbiter),
            Close => instruction::close(account, false),
        }
    }
}

/// Funding by `key`, from its own money.
fn funded_by(key: Pubkey, world: &World, terms: &Terms) -> Instruction {
    let mut fund = instruction::fund(terms).expect("terms that hash");
    let of_buyer = world.token_account(&terms.buyer);
    for account in &mut fund.accounts {
        if account.pubkey == terms.buyer {
            account.pubkey = key;
        } else if account.pubkey == of_buyer {
            account.pubkey = world.token_account(&key);
        }
    }
    fund
}

/// An escrow in a status, in its world.
struct At {
    world: World,
    terms: Terms,
    /// As it is, or as it would be if it were created.
    account: EscrowAccount,
    /// The split and the extension that fit the status.
    split: Proposal,
    more_time: Proposal,
}

const fn split(status: MilestoneStatus) -> Proposal {
    let remaining = AMOUNT - 2 * PART;
    Proposal::Split { milestone: 0, status, remaining, to_seller: remaining / 4, expires_at: START + 100_000 }
}

const fn more_time(status: MilestoneStatus, replaces: i64, deadline: i64) -> Proposal {
    let (replaces, deadline) = (START + replaces, START + deadline);
    Proposal::Extension { milestone: 0, status, replaces, deadline, expires_at: START + 100_000 }
}

// The design, by hand ----------------------------------------------------------------------------------------------------

/// A moment that the design names.
#[derive(Clone, Copy)]
enum Point {
    FundBy,
    /// fund_by, or the moment from which the cooling-off period would not end before deliver_by.
    FundingEnd,
    CoolingOffEnd,
    /// Of the milestone's status.
    Deadline,
}

#[derive(Clone, Copy)]
enum When {
    Always,
    Before(Point),
    From(Point),
    Between(Point, Point),
}

#[derive(Clone, Copy)]
enum By {
    Anyone,
    Buyer,
    Seller,
    Arbiter,
    /// The attester where one is named, else the seller, unless the secret is the delivery.
    Deliverer,
    /// Who holds the secret, where there is a hash-lock.
    SecretHolder,
    Parties,
    /// Buyer, seller and rent payer.
    Cancellers,
}

use {Point::*, When::*};

const UNDELIVERED: &[Status] = &[Pending, PendingLonger];
const UNSETTLED: &[Status] = &[Pending, PendingLonger, Delivered, DeliveredLonger, Disputed, DisputedLonger];
const DUE: &[Status] = &[Pending, PendingLonger, Delivered, DeliveredLonger, Disputed, DisputedLonger, Settled];
const FUNDED: &[Status] =
    &[Pending, PendingLonger, Delivered, DeliveredLonger, Disputed, DisputedLonger, Settled, Withdrawn];

/// Who may do what and when, by the design. What does not stand here is refused.
const DESIGN: &[(&[Status], Act, When, By)] = &[
    // 2.6: created and funded strictly before fund_by, so that the cooling-off period ends before every deliver_by.
    (&[Nothing], Create, Before(FundingEnd), By::Anyone),
    (&[Created], Fund, Before(FundingEnd), By::Buyer),
    // 2.6: unfunded: buyer, seller or rent payer, and anyone from fund_by on; funded: the buyer, while cooling off.
    (&[Created], Cancel, Before(FundBy), By::Cancellers),
    (&[Created], Cancel, From(FundBy), By::Anyone),
    (UNSETTLED, Cancel, Before(CoolingOffEnd), By::Buyer),
    // 2.4: one deadline. Before it, who has the turn; from it on, the default.
    (UNDELIVERED, Deliver, Between(CoolingOffEnd, Deadline), By::Deliverer),
    (&[Delivered, DeliveredLonger], Dispute, Before(Deadline), By::Buyer),
    (&[Disputed, DisputedLonger], Rule, Before(Deadline), By::Arbiter),
    (UNSETTLED, Expire, From(Deadline), By::Anyone),
    // 2.4: the secret settles in every status, before its deadline.
    (UNSETTLED, Claim, Between(CoolingOffEnd, Deadline), By::SecretHolder),
    // 2.4: while unsettled, in any status and at any time.
    (UNSETTLED, Release, Always, By::Buyer),
    (UNSETTLED, Refund, Always, By::Seller),
    (UNSETTLED, ProposeSplit, Always, By::Parties),
    (UNSETTLED, AcceptSplitOfBuyer, Always, By::Seller),
    (UNSETTLED, AcceptSplitOfSeller, Always, By::Buyer),
    // 2.4: a later deadline, agreed on before the present one.
    (UNSETTLED, ProposeTime, Before(Deadline), By::Parties),
    (UNSETTLED, AcceptTimeOfBuyer, Before(Deadline), By::Seller),
    (UNSETTLED, AcceptTimeOfSeller, Before(Deadline), By::Buyer),
    (FUNDED, ProposeNothing, Always, By::Parties),
    // 2.6: anyone, where something is due. Here: a part was released, a part refunded, nothing ruled.
    (DUE, WithdrawBuyer, Always, By::Anyone),
    (DUE, WithdrawSeller, Always, By::Anyone),
    (DUE, WithdrawFee, Always, By::Anyone),
    (&[Withdrawn], Close, From(FundBy), By::Anyone),
];

/// Whether the design lets `who` do this. Where nobody signs, nobody is asked.
fn designed(agreed: Agreed, status: Status, now: i64, act: Act, who: Who) -> bool {
    let at = |point: Point| match point {
        FundBy => agreed.fund_by(),
        FundingEnd => agreed.fund_by().min(DELIVER_BY - agreed.cooling_off()),
        CoolingOffEnd => agreed.cooling_off(),
        Deadline => status.deadline(agreed),
    };
    DESIGN.iter().any(|(statuses, what, when, by)| {
        let is_time = match *when {
            Always => true,
            Before(point) => now < at(point),
            From(point) => now >= at(point),
            Between(from, before) => at(from) <= now && now < at(before),
        };
        let may = match by {
            By::Anyone => true,
            By::Buyer => who == Who::Buyer,
            By::Seller => who == Who::Seller,
            By::Arbiter => agreed.arbiter && who == Who::Arbiter,
            By::Deliverer if agreed.attester => who == Who::Attester,
            By::Deliverer => who == Who::Seller && !agreed.hashlock,
            By::SecretHolder => agreed.hashlock,
            By::Parties => matches!(who, Who::Buyer | Who::Seller),
            By::Cancellers => matches!(who, Who::Buyer | Who::Seller | Who::RentPayer),
        };
        statuses.contains(&status) && *what == act && is_time && may
    })
}

// Trying it --------------------------------------------------------------------------------------------------------------

/// One thing that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    agreed: Agreed,
    status: Status,
    label: &'static str,
    now: i64,
    act: Act,
    /// A stranger, where nobody signs.
    who: Who,
}

/// An escrow in a status. `swapped`: whose slot holds which proposal; the buyer's holds the split, unless swapped.
fn set(agreed: Agreed, status: Status, swapped: bool) -> anyhow::Result<At> {
    let mut world = believing(World::new());
    let authority = world.mint_authority.pubkey();
    for person in 2..=8 {
        let (owner, mint) = (keypair(person).pubkey(), world.mint);
        let account = world.create_token_account(&owner, &mint, &escrow_tests::TOKEN);
        let mint_to = spl_token_2022_interface::instruction::mint_to(
            &escrow_tests::TOKEN,
            &mint,
            &account,
            &authority,
            &[],
            10 * AMOUNT,
        )?;
        ok(&mut world, &mint_to);
    }
    let terms = agreed.terms(&world);
    let escrow = address::escrow_address(&terms)?;
    let (buyer, seller) = (terms.buyer, terms.seller);
    let (of_milestone, deadline) = (status.of_milestone(), status.deadline(agreed));
    let (split, more_time) = (split(of_milestone), more_time(of_milestone, deadline, PROPOSED));
    let create = instruction::create(Who::RentPayer.key(&world), &terms)?;
    if status == Nothing {
        let mut created = world.fork();
        ok(&mut created, &create);
        let account = created.escrow(&escrow);
        return Ok(At { world, terms, account, split, more_time });
    }
    ok(&mut world, &create);
    if status.is_funded() {
        ok(&mut world, &instruction::fund(&terms)?);
        ok(&mut world, &instruction::release(escrow, buyer, 0, instruction::Part { amount: PART, of: AMOUNT }));
        ok(&mut world, &instruction::refund(escrow, seller, 0, instruction::Part { amount: PART, of: AMOUNT - PART }));
    }
    if matches!(status, Delivered | DeliveredLonger | Disputed | DisputedLonger) {
        world.set_time(START + Delivered.since(agreed));
        let deliverer = *world.escrow(&escrow).state.deliverer();
        ok(&mut world, &instruction::deliver(escrow, deliverer, 0, [1; 32]));
    }
    if matches!(status, Disputed | DisputedLonger) {
        world.set_time(START + Disputed.since(agreed));
        ok(&mut world, &instruction::dispute(escrow, buyer, 0, [2; 32]));
    }
    if status.is_extended() {
        let extension = self::more_time(of_milestone, status.agreed_deadline(agreed), EXTENDED);
        ok(&mut world, &instruction::propose(escrow, seller, extension));
        ok(&mut world, &instruction::accept(escrow, buyer, extension));
    }
    if status.is_funded() {
        // What fits the settled milestone could not be proposed any more.
        let is_settled = of_milestone == MilestoneStatus::Settled;
        let pending = MilestoneStatus::Pending;
        let offers = if is_settled {
            (self::split(pending), self::more_time(pending, DELIVER_BY, PROPOSED))
        } else {
            (split, more_time)
        };
        let (of_buyer, of_seller) = if swapped { (offers.1, offers.0) } else { offers };
        ok(&mut world, &instruction::propose(escrow, buyer, of_buyer));
        ok(&mut world, &instruction::propose(escrow, seller, of_seller));
    }
    if matches!(status, Settled | Withdrawn) {
        let rest = AMOUNT - 2 * PART;
        ok(&mut world, &instruction::release(escrow, buyer, 0, instruction::Part { amount: rest, of: rest }));
    }
    if status == Withdrawn {
        for recipient in [Recipient::Buyer, Recipient::Seller, Recipient::Fee] {
            let withdraw = instruction::withdraw(&world.escrow(&escrow), recipient);
            ok(&mut world, &withdraw);
        }
    }
    let account = world.escrow(&escrow);
    Ok(At { world, terms, account, split, more_time })
}

/// Tries everything with one agreement.
fn try_all(agreed: Agreed) -> anyhow::Result<Vec<(Cell, bool)>> {
    let mut cells = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| status.is_reachable(agreed)) {
        // Of two proposals each party can have one, so the other pair is tried in a second world.
        for swapped in [false, true] {
            let at = set(agreed, status, swapped)?;
            let attempts = attempts(&at, swapped);
            for (label, now) in status.moments(agreed) {
                let mut at_that_time = at.world.fork();
                at_that_time.set_time(START + now);
                let mut trial = at_that_time.fork();
                for (act, who, instruction) in &attempts {
                    let cell = Cell { agreed, status, label, now, act: *act, who: *who };
                    let succeeds = match send(&mut trial, instruction) {
                        Ok(_) => true,
                        Err(failed) => {
                            ensure!(is_a_rule(&failed.err, status), "{cell:?}: {:?}", failed.err);
                            false
                        }
                    };
                    if succeeds {
                        trial = at_that_time.fork();
                    }
                    cells.push((cell, succeeds));
                }
            }
        }
    }
    Ok(cells)
}

/// Every act by everybody who could sign it, as far as the proposals in this world serve for it.
fn attempts(at: &At, swapped: bool) -> Vec<(Act, Who, Instruction)> {
    let is_tried_here = |act: &Act| match act.accepts() {
        None => !swapped,
        Some((party, is_split)) => swapped != ((party == Party::Buyer) == is_split),
    };
    let mut attempts = Vec::new();
    for act in Act::ALL.into_iter().filter(is_tried_here) {
        let actors = if act.is_signed() { Who::ALL.as_slice() } else { &[Who::Stranger] };
        for who in actors {
            attempts.push((act, *who, act.instruction(at, *who)));
        }
    }
    attempts
}

/// Whether this is the refusal of a rule, not an accident of the trial.
fn is_a_rule(error: &TransactionError, status: Status) -> bool {
    match error {
        TransactionError::InstructionError(0, InstructionError::Custom(code)) => {
            EscrowError::from_code(*code).is_some()
        }
        // There is no account.
        TransactionError::InstructionError(0, InstructionError::UninitializedAccount) => status == Nothing,
        _ => false,
    }
}

/// Tries everything, compares it with the design and with the file.
fn run(run: &Run) -> anyhow::Result<Vec<Figure>> {
    let cells = try_everything(run)?;
    let wrong: Vec<String> = cells
        .iter()
        .filter(|(cell, succeeds)| designed(cell.agreed, cell.status, cell.now, cell.act, cell.who) != **succeeds)
        .map(|(cell, succeeds)| {
            format!("{} where the design says otherwise: {cell:?}", if *succeeds { "accepted" } else { "refused" })
        })
        .collect();
    if !wrong.is_empty() {
        bail!("{} cells differ from the design:\n{}", wrong.len(), wrong.join("\n"));
    }
    let seconds = one_exit(&cells)?;
    generated::compare(FILE, &document(&cells)?)?;
    let successes = cells.values().filter(|succeeds| **succeeds).count();
    Ok(vec![
        Figure::new("instructions tried, each by everybody who could sign it", cells.len()),
        Figure::new("of them succeed, each as the design says", successes),
        Figure::new(
            "agreements: both assets, with and without each role, hash-lock and cooling-off period",
            Agreed::all().len(),
        ),
        Figure::new("moments of an unsettled milestone with exactly one unilateral exit", seconds),
    ])
}

fn try_everything(run: &Run) -> anyhow::Result<BTreeMap<Cell, bool>> {
    let agreements = Agreed::all();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(Vec::new());
    let work = || {
        while let Some(agreed) = agreements.get(next.fetch_add(1, Ordering::Relaxed)) {
            let cells = try_all(*agreed);
            results.lock().expect("a lock").push(cells);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            (run.progress)(done as u64, agreements.len() as u64);
        }
    };
    on_every_core(work);
    let results = results.into_inner().expect("a lock");
    ensure!(results.len() == agreements.len(), "an agreement was not tried");
    let mut cells = BTreeMap::new();
    for tried in results {
        cells.extend(tried?);
    }
    Ok(cells)
}

/// Promise 2, from what happened: of every unsettled milestone, at every moment, exactly one kind of unilateral exit is
/// open. To release or to refund gives away one's own claim, and a split needs both: they are none. How many moments.
fn one_exit(cells: &BTreeMap<Cell, bool>) -> anyhow::Result<usize> {
    let mut open: BTreeMap<(Agreed, Status, i64), BTreeSet<&str>> = BTreeMap::new();
    for (cell, succeeds) in cells {
        if !UNSETTLED.contains(&cell.status) {
            continue;
        }
        let exits = open.entry((cell.agreed, cell.status, cell.now)).or_default();
        let kind = match cell.act {
            Cancel => "the buyer takes it back",
            Deliver => "the seller's turn",
            // The secret is the agreed condition itself: it stands beside the one exit (2.4), or is the only one.
            Claim if agreed_on_secret_alone(cell) => "the seller's turn",
            Dispute => "the buyer's turn",
            Rule => "the arbiter's turn",
            Expire => "the default",
            _ => continue,
        };
        if *succeeds {
            exits.insert(kind);
        }
    }
    let mut exactly_one = 0;
    for ((agreed, status, now), exits) in &open {
        // Without an arbiter a dispute is a negotiation until its deadline (2.4): nobody has an exit of their own.
        let is_disputed = status.of_milestone() == MilestoneStatus::Disputed;
        let negotiation = is_disputed && !agreed.arbiter && *now < status.deadline(*agreed);
        let expected = if negotiation { 0 } else { 1 };
        ensure!(exits.len() == expected, "{agreed:?}, {status:?}, {now} s after the start: {exits:?}");
        exactly_one += exits.len();
    }
    Ok(exactly_one)
}

/// Whether the secret is the delivery: nobody may deliver without it.
fn agreed_on_secret_alone(cell: &Cell) -> bool {
    cell.agreed.hashlock && !cell.agreed.attester
}

// The document -----------------------------------------------------------------------------------------------------------

/// What a column shows, and the acts behind it.
const COLUMNS: &[(&str, &[Act])] = &[
    ("create", &[Create]),
    ("fund", &[Fund]),
    ("cancel", &[Cancel]),
    ("deliver", &[Deliver]),
    ("claim", &[Claim]),
    ("dispute", &[Dispute]),
    ("rule", &[Rule]),
    ("expire", &[Expire]),
    ("release", &[Release]),
    ("refund", &[Refund]),
    ("propose a split", &[ProposeSplit]),
    ("accept it", &[AcceptSplitOfBuyer, AcceptSplitOfSeller]),
    ("propose more time", &[ProposeTime]),
    ("accept it", &[AcceptTimeOfBuyer, AcceptTimeOfSeller]),
    ("empty the slot", &[ProposeNothing]),
    ("withdraw", &[WithdrawBuyer, WithdrawSeller, WithdrawFee, WithdrawArbiter]),
    ("close", &[Close]),
];

const HEAD: &str = "\
# Exits

Who can do what, and when: every instruction was tried on the committed bytecode in every status, at every relation of
the clock to the deadlines, signed by everybody, with every kind of agreement (SOL or a token; with and without an
arbiter, an attester, a hash-lock and a cooling-off period; `fund_by` before and after `deliver_by`). The tables are what
happened. `cargo run -p escrow-assurance -- exits` tries it again, and fails if anything differs from this file (which
`cargo xtask generate` writes) or from the state machine of the design, which it holds as a table of its own.

A row is a moment: `deadline − 1` is the last second before the milestone's deadline. A cell names who succeeds: **B**
buyer, **S** seller, **R** arbiter and **A** attester where they are named, **P** rent payer, **any** whoever signs, or
nobody. *S (if no A, no secret)* is the seller where neither an attester is named nor a hash-lock agreed on, *any
(secret)* whoever has the secret of a hash-lock. Under *withdraw* stands who is paid (**F** is the fee recipient); anyone can send it. Under *accept it* each party accepts
what the other proposed; *more time* is a later deadline in place of the present one. An empty cell, and an instruction
without a column, is refused for everybody. In the trials a part of the milestone was released and a part refunded at once,
so that something is due in every funded status.

**One exit at a time.** In each row of an unsettled milestone exactly one of these is possible: to take the money back
(*cancel*), to take one's turn (*deliver*, *dispute*, *rule*), to apply the default (*expire*). The one exception is a
dispute without an arbiter, which until its deadline is a negotiation. With a hash-lock the secret is the condition that was
agreed on: *claim* stands beside the one exit before every deadline, and takes the place of *deliver* where no attester is
named. To *release* and to *refund* gives away one's own claim, and a split takes both: they are possible all the time.
";

fn document(cells: &BTreeMap<Cell, bool>) -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    for status in Status::ALL {
        let here: Vec<(&Cell, bool)> =
            cells.iter().filter(|(cell, _)| cell.status == status).map(|(cell, succeeds)| (cell, *succeeds)).collect();
        let columns: Vec<_> = COLUMNS
            .iter()
            .filter(|(_, acts)| here.iter().any(|(cell, succeeds)| *succeeds && acts.contains(&cell.act)))
            .collect();
        write!(text, "\n## {}\n\n| the clock |", status.title())?;
        columns.iter().try_for_each(|(name, _)| write!(text, " {name} |"))?;
        write!(text, "\n| --- |{}\n", " --- |".repeat(columns.len()))?;
        for label in labels(status) {
            write!(text, "| {label} |")?;
            for (_, acts) in &columns {
                let cell =
                    who_succeeds(here.iter().filter(|(cell, _)| cell.label == label && acts.contains(&cell.act)))?;
                write!(text, "{}{cell} |", if cell.is_empty() { "" } else { " " })?;
            }
            text.push('\n');
        }
    }
    Ok(text)
}

/// The moments of a status, with any agreement, in the order of time.
fn labels(status: Status) -> Vec<&'static str> {
    let mut labels = BTreeMap::new();
    for agreed in Agreed::all() {
        for (label, at) in status.moments(agreed) {
            let latest = labels.entry(label).or_insert(at);
            *latest = at.max(*latest);
        }
    }
    let mut labels: Vec<(i64, &str)> = labels.into_iter().map(|(label, at)| (at, label)).collect();
    labels.sort();
    labels.into_iter().map(|(_, label)| label).collect()
}

/// A cell of the document: who succeeds, and with which agreements.
fn who_succeeds<'a>(cells: impl Iterator<Item = &'a (&'a Cell, bool)>) -> anyhow::Result<String> {
    // For each name, the agreements with which it was tried, and those with which it succeeded.
    let (mut tried, mut succeeded) = (BTreeMap::new(), BTreeMap::new());
    for (cell, succeeds) in cells {
        let Some(name) = name(cell) else { continue };
        tried.entry(name).or_insert_with(BTreeSet::new).insert(cell.agreed);
        if *succeeds {
            succeeded.entry(name).or_insert_with(BTreeSet::new).insert(cell.agreed);
        }
    }
    let mut names = Vec::new();
    for (name, agreements) in &succeeded {
        names.push((name.1, condition(&tried[name], agreements)?));
    }
    let everybody = names.len() == Who::ALL.len() && names.iter().all(|(_, condition)| condition.is_empty());
    if everybody {
        return Ok("any".to_owned());
    }
    Ok(names.into_iter().map(|(name, condition)| format!("{name}{condition}")).collect::<Vec<_>>().join(", "))
}

/// Who is named in the document for a cell, after a number that sorts them.
fn name(cell: &Cell) -> Option<(usize, &'static str)> {
    Some(match (cell.act, cell.who) {
        (WithdrawBuyer, _) => (0, "B"),
        (WithdrawSeller, _) => (1, "S"),
        (WithdrawArbiter, _) => (2, "R"),
        (WithdrawFee, _) => (4, "F"),
        (act, _) if !act.is_signed() => (0, "any"),
        (AcceptSplitOfBuyer | AcceptTimeOfBuyer, Who::Buyer) => return None,
        (AcceptSplitOfSeller | AcceptTimeOfSeller, Who::Seller) => return None,
        (_, Who::Buyer) => (0, "B"),
        (_, Who::Seller) => (1, "S"),
        (_, Who::Arbiter) => (2, "R"),
        (_, Who::Attester) => (3, "A"),
        (_, Who::FeeRecipient) => (4, "F"),
        (_, Who::RentPayer) => (5, "P"),
        (_, Who::Stranger) => (6, "X"),
    })
}

/// What must be agreed, where it does not always succeed.
fn condition(tried: &BTreeSet<Agreed>, succeeded: &BTreeSet<Agreed>) -> anyhow::Result<&'static str> {
    type Has = fn(&Agreed) -> bool;
    let conditions: [(Has, &str); 6] = [
        (|_| true, ""),
        // An arbiter and an attester that nobody named are nobody.
        (|agreed| agreed.arbiter, ""),
        (|agreed| agreed.attester, ""),
        (|agreed| !agreed.attester, " (if no A)"),
        (|agreed| !agreed.attester && !agreed.hashlock, " (if no A, no secret)"),
        (|agreed| agreed.hashlock, " (secret)"),
    ];
    let fits = |has: &Has| tried.iter().filter(|agreed| has(agreed)).eq(succeeded.iter());
    match conditions.iter().find(|(has, _)| fits(has)) {
        Some((_, text)) => Ok(text),
        None => bail!("it depends on something that the document has no words for: {succeeded:?}"),
    }
}
