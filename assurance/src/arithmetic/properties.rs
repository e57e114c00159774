//! The program's functions themselves, at full width, against what they should be in 128 bits. This ties the proofs to
//! the code: a change that the proofs do not follow shows here.

use anyhow::{Result, anyhow, ensure};
use bytemuck::Zeroable;
use escrow::{
    error::EscrowError,
    state::{
        BPS_DENOMINATOR, Escrow, EscrowStatus, Ledger, MAX_TIME_AHEAD, Milestone, MilestoneStatus, Moved, Party,
        Proposal, Recipient, after, share,
    },
};
use escrow_tests::SECRET;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{Figure, Run};

/// Random inputs per property, at effort 1.
const CASES: u32 = 20_000;

/// Checks all of them.
pub fn check(run: &Run) -> Result<Vec<Figure>> {
    let shares = shares_at_the_edges()?;
    let cases = CASES.saturating_mul(u32::try_from(run.effort).unwrap_or(u32::MAX));
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&run.seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));

    let mut properties = 0_u64;
    let mut property = |name: &str, result: std::result::Result<(), String>| {
        properties += 1;
        result.map_err(|error| anyhow!("{name} (seed {}): {error}", run.seed))
    };
    property("share", told(runner.run(&(amount(), any::<u16>()), |(amount, bps)| agree(share_agrees(amount, bps)))))?;
    property("after", told(runner.run(&(time(), any::<u32>()), |(start, window)| agree(after_agrees(start, window)))))?;
    property("check_ahead", told(runner.run(&(time(), time_apart()), |(now, ahead)| agree(ahead_agrees(now, ahead)))))?;
    property("decisions", told(runner.run(&(situation(), decision()), |(from, what)| agree(decide(&from, what)))))?;
    property("withdraw", told(runner.run(&(situation(), 0..4usize), |(from, who)| agree(withdraw(&from, who)))))?;
    property(
        "the fee of many releases",
        told(runner.run(&(amount(), bps(), prop::collection::vec(any::<u64>(), 0..12)), |(whole, fee_bps, cuts)| {
            agree(fee_of_parts(whole, fee_bps, &cuts))
        })),
    )?;
    Ok(vec![
        Figure::new("shares at the edges, exhaustively (every rate)", shares),
        Figure::new(
            format!("random inputs in {properties} properties of the program's functions"),
            u64::from(cases) * properties,
        ),
    ])
}

/// Every rate, with the amounts around which something changes: multiples of 10,000, the limit of the first branch,
/// powers of two, both ends.
fn shares_at_the_edges() -> Result<u64> {
    let limit = u64::MAX / 10_000;
    let mut amounts: Vec<u64> = (0..64).map(|bit| 1 << bit).collect();
    amounts.extend([0, 10_000, 20_000, 123_450_000, limit, limit * 10_000, (limit / 10_000) * 10_000, u64::MAX]);
    let mut around: Vec<u64> =
        amounts.iter().flat_map(|amount| [amount.wrapping_sub(1), *amount, amount.wrapping_add(1)]).collect();
    around.sort_unstable();
    around.dedup();
    for bps in 0..=BPS_DENOMINATOR {
        for amount in &around {
            if let Err(error) = share_agrees(*amount, bps) {
                return Err(anyhow!(error));
            }
        }
    }
    for bps in BPS_DENOMINATOR + 1..=u16::MAX {
        ensure!(share(u64::MAX, bps) == Err(EscrowError::ShareTooHigh), "a share of {bps} basis points");
    }
    Ok(around.len() as u64 * (u64::from(BPS_DENOMINATOR) + 1))
}

// What things should be --------------------------------------------------------------------------------------------

type Agreement = std::result::Result<(), String>;

fn agree(agreement: Agreement) -> std::result::Result<(), TestCaseError> {
    agreement.map_err(TestCaseError::fail)
}

/// The error with its smallest input.
fn told<T: std::fmt::Debug>(
    result: std::result::Result<(), proptest::test_runner::TestError<T>>,
) -> std::result::Result<(), String> {
    result.map_err(|error| format!("{error}"))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should_be: T) -> Agreement {
    if is == should_be { Ok(()) } else { Err(format!("{what} is {is:?}, and should be {should_be:?}")) }
}

fn floor(amount: u128, bps: u16) -> u128 {
    amount * u128::from(bps) / 10_000
}

fn share_agrees(amount: u64, bps: u16) -> Agreement {
    let exact = u64::try_from(floor(amount.into(), bps)).map_err(|_| EscrowError::ShareTooHigh);
    let expected = if bps > 10_000 { Err(EscrowError::ShareTooHigh) } else { exact };
    match share(amount, bps) {
        // Not formatted for each of many million inputs.
        is if is == expected => Ok(()),
        is => same(&format!("{bps} basis points of {amount}"), is, expected),
    }
}

fn after_agrees(start: i64, window: u32) -> Agreement {
    same("after", after(start, window), start.checked_add(i64::from(window)).ok_or(EscrowError::Overflow))
}

/// `check_ahead`, through the expiry of a proposal, which nothing else looks at.
fn ahead_agrees(now: i64, ahead: i128) -> Agreement {
    let Ok(expires_at) = i64::try_from(i128::from(now) + ahead) else { return Ok(()) };
    let mut state = Escrow { status: EscrowStatus::Funded.byte(), ..Escrow::zeroed() };
    let milestone = Milestone { amount: 1, remaining: 1, ..Milestone::default() };
    let proposal =
        Proposal::Split { milestone: 0, status: MilestoneStatus::Pending, remaining: 1, to_seller: 0, expires_at };
    let ahead = i128::from(expires_at) - i128::from(now);
    let expected = if ahead <= 0 {
        Err(EscrowError::ProposalExpiry)
    } else if now > i64::MAX - i64::from(MAX_TIME_AHEAD) {
        Err(EscrowError::Overflow)
    } else if ahead > i128::from(MAX_TIME_AHEAD) {
        Err(EscrowError::ProposalExpiry)
    } else {
        Ok(())
    };
    same("an expiry", state.propose(Party::Buyer, proposal, Some(&milestone), now), expected)
}

// Situations and decisions -----------------------------------------------------------------------------------------

/// A funded escrow whose ledger adds up, and one of its milestones; what the others have left is in `elsewhere`.
#[derive(Debug, Clone)]
struct Situation {
    state: Escrow,
    milestone: Milestone,
    elsewhere: u64,
}

#[derive(Debug, Clone, Copy)]
enum Decision {
    Release(u64),
    Refund(u64),
    Claim,
    Rule(u16),
    Expire(MilestoneStatus),
    Accept(u64),
}

/// What everybody gets from a decision, in 128 bits.
struct Expected {
    seller: u128,
    fee: u128,
    buyer: u128,
    arbiter: u128,
}

/// Before every deadline, and after every one.
const EARLY: i64 = 1_000;
const LATE: i64 = 2_000;

fn decide(from: &Situation, decision: Decision) -> Agreement {
    let Situation { state: before, milestone: milestone_before, elsewhere } = from;
    let remaining = milestone_before.remaining;
    let (mut state, mut milestone) = (*before, *milestone_before);
    let split = |to_seller: u128, of: u128| {
        let fee = floor(u128::from(before.ledger.released) + to_seller, before.fee_bps)
            - floor(before.ledger.released.into(), before.fee_bps);
        Expected { seller: to_seller - fee, fee, buyer: of - to_seller, arbiter: 0 }
    };
    let all = u128::from(remaining);
    let (result, expected) = match decision {
        Decision::Release(amount) => {
            let part = amount % remaining + 1;
            (state.release(&mut milestone, part, remaining), split(part.into(), part.into()))
        }
        Decision::Refund(amount) => {
            let part = amount % remaining + 1;
            (state.refund(&mut milestone, part, remaining), split(0, part.into()))
        }
        Decision::Claim => {
            state.hashlock = sha256(&SECRET);
            (state.claim(&mut milestone, &SECRET, EARLY), split(all, all))
        }
        Decision::Rule(seller_bps) => {
            milestone.status = MilestoneStatus::Disputed.byte();
            let arbiter = floor(all, before.arbiter_fee_bps);
            let rest = all - arbiter;
            let expected = Expected { arbiter, ..split(floor(rest, seller_bps), rest) };
            (state.rule(&mut milestone, seller_bps, EARLY), expected)
        }
        Decision::Expire(status) => {
            milestone.status = status.byte();
            let seller_bps = before.default_bps(status).map_err(|error| error.to_string())?;
            (state.expire(&mut milestone, LATE), split(floor(all, seller_bps), all))
        }
        Decision::Accept(amount) => {
            // `remaining` is at most u64::MAX - 1 here, so that there is one more part than units.
            let to_seller = amount % (remaining + 1);
            let status = milestone.status().map_err(|error| error.to_string())?;
            let proposal = Proposal::Split { milestone: 0, status, remaining, to_seller, expires_at: LATE };
            state.propose(Party::Seller, proposal, Some(&milestone), EARLY).map_err(|error| error.to_string())?;
            (state.accept(Party::Buyer, proposal, &mut milestone, EARLY), split(to_seller.into(), all))
        }
    };
    let moved = result.map_err(|error| format!("refused: {error}"))?;
    let Expected { seller, fee, buyer, arbiter } = expected;
    let Moved { seller: to_seller, fee: to_fee, buyer: to_buyer, arbiter: to_arbiter } = moved;
    same("what moved", [to_seller, to_fee, to_buyer, to_arbiter].map(u128::from), [seller, fee, buyer, arbiter])?;
    let (old, new) = (before.ledger, state.ledger);
    for (what, is, was, more) in [
        ("principal", new.principal, old.principal, 0),
        ("released", new.released, old.released, seller + fee),
        ("refunded", new.refunded, old.refunded, buyer),
        ("fees", new.fees, old.fees, fee),
        ("arbiter_fees", new.arbiter_fees, old.arbiter_fees, arbiter),
        ("due_buyer", new.due_buyer, old.due_buyer, buyer),
        ("due_seller", new.due_seller, old.due_seller, seller),
        ("due_fee", new.due_fee, old.due_fee, fee),
        ("due_arbiter", new.due_arbiter, old.due_arbiter, arbiter),
    ] {
        same(what, u128::from(is), u128::from(was) + more)?;
    }
    same("fees", u128::from(new.fees), floor(new.released.into(), before.fee_bps))?;
    same("what remains", u128::from(milestone.remaining), all - seller - fee - buyer - arbiter)?;
    same("settled", milestone.is_settled(), milestone.remaining == 0)?;
    same("the invariant", state.invariant(&milestones(milestone, *elsewhere)), Ok(()))
}

fn withdraw(from: &Situation, recipient: usize) -> Agreement {
    let recipient = Recipient::ALL[recipient];
    let mut state = from.state;
    let due = state.ledger.due(recipient);
    let expected = if due == 0 { Err(EscrowError::NothingDue) } else { Ok(due) };
    same("what is paid", state.withdraw(recipient), expected)?;
    same("what is still due", state.ledger.due(recipient), 0)?;
    for other in Recipient::ALL.into_iter().filter(|other| *other != recipient) {
        same("what is due to others", state.ledger.due(other), from.state.ledger.due(other))?;
    }
    same("the invariant", state.invariant(&milestones(from.milestone, from.elsewhere)), Ok(()))
}

/// However `whole` is cut into releases, the fee is that of one.
fn fee_of_parts(whole: u64, fee_bps: u16, cuts: &[u64]) -> Agreement {
    if whole == 0 {
        return Ok(());
    }
    let mut milestone = Milestone { amount: whole, remaining: whole, ..Milestone::default() };
    let ledger = Ledger { principal: whole, ..Ledger::default() };
    let mut state = Escrow { status: EscrowStatus::Funded.byte(), fee_bps, ledger, ..Escrow::zeroed() };
    let mut release = |milestone: &mut Milestone, amount| {
        let remaining = milestone.remaining;
        state.release(milestone, amount, remaining).map_err(|error| format!("refused: {error}"))
    };
    let (mut fees, mut to_seller) = (0_u128, 0_u128);
    for cut in cuts {
        if milestone.remaining > 1 {
            let part = cut % (milestone.remaining - 1) + 1;
            let moved = release(&mut milestone, part)?;
            fees += u128::from(moved.fee);
            to_seller += u128::from(moved.seller);
        }
    }
    let last = milestone.remaining;
    let moved = release(&mut milestone, last)?;
    same("the fee", fees + u128::from(moved.fee), floor(whole.into(), fee_bps))?;
    same("the rest", to_seller + u128::from(moved.seller), u128::from(whole) - floor(whole.into(), fee_bps))
}

fn milestones(milestone: Milestone, elsewhere: u64) -> [Milestone; 2] {
    let settled = Milestone { amount: 1, status: MilestoneStatus::Settled.byte(), ..Milestone::default() };
    let other = Milestone { amount: elsewhere, remaining: elsewhere, ..Milestone::default() };
    [milestone, if elsewhere == 0 { settled } else { other }]
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

// Inputs -----------------------------------------------------------------------------------------------------------

/// Any amount, often one at which something changes.
fn amount() -> impl Strategy<Value = u64> {
    let limit = u64::MAX / 10_000;
    prop_oneof![
        4 => any::<u64>(),
        2 => (0..64u32, any::<u64>()).prop_map(|(bits, any)| any >> bits),
        1 => (0..=limit, 0..20_002u64).prop_map(|(tens, near)| (tens * 10_000).saturating_add(near).saturating_sub(10_001)),
        1 => (0..20_000u64).prop_map(move |near| limit - 10_000 + near),
        1 => (0..20_000u64).prop_map(|below| u64::MAX - below),
    ]
}

fn bps() -> impl Strategy<Value = u16> {
    prop_oneof![8 => 0..=10_000u16, 1 => Just(0), 1 => Just(10_000), 1 => Just(1), 1 => Just(9_999)]
}

fn time() -> impl Strategy<Value = i64> {
    let window = i64::from(u32::MAX);
    prop_oneof![
        2 => any::<i64>(),
        1 => -window..window,
        1 => (0..window).prop_map(|below| i64::MAX - below),
        1 => (0..window).prop_map(|above| i64::MIN + above),
    ]
}

fn time_apart() -> impl Strategy<Value = i128> {
    let limit = i128::from(MAX_TIME_AHEAD);
    prop_oneof![2 => -limit..2 * limit, 1 => -3..3i128, 1 => limit - 3..limit + 3, 1 => any::<i64>().prop_map(i128::from)]
}

/// Cuts a principal into what was decided for each, paid a part of it, and leaves the rest to two milestones.
fn situation() -> impl Strategy<Value = Situation> {
    let rates = (bps(), bps(), bps(), bps(), bps());
    (amount(), any::<[u64; 4]>(), any::<[u64; 4]>(), rates).prop_map(|(principal, cuts, paid, rates)| {
        let up_to = |cut: u64, most: u64| match cut % 4 {
            0 => 0,
            _ => ((u128::from(cut) * (u128::from(most) + 1)) >> 64) as u64,
        };
        let principal = principal.clamp(1, u64::MAX - 1);
        // At least one unit is left to decide.
        let released = up_to(cuts[0], principal - 1);
        let refunded = up_to(cuts[1], principal - 1 - released);
        let arbiter_fees = up_to(cuts[2], principal - 1 - released - refunded);
        let undecided = principal - released - refunded - arbiter_fees;
        let elsewhere = up_to(cuts[3], undecided - 1);
        let (fee_bps, arbiter_fee_bps, undelivered_bps, unanswered_bps, unruled_bps) = rates;
        let fees = floor(released.into(), fee_bps) as u64;
        let due = |decided: u64, paid| decided - up_to(paid, decided);
        let ledger = Ledger {
            principal,
            released,
            refunded,
            fees,
            arbiter_fees,
            due_buyer: due(refunded, paid[0]),
            due_seller: due(released - fees, paid[1]),
            due_fee: due(fees, paid[2]),
            due_arbiter: due(arbiter_fees, paid[3]),
        };
        let status = EscrowStatus::Funded.byte();
        let state = Escrow {
            ledger,
            status,
            fee_bps,
            arbiter_fee_bps,
            undelivered_bps,
            unanswered_bps,
            unruled_bps,
            ..Escrow::zeroed()
        };
        let remaining = undecided - elsewhere;
        let milestone = Milestone { amount: remaining, remaining, deadline: LATE, ..Milestone::default() };
        Situation { state, milestone, elsewhere }
    })
}

fn decision() -> impl Strategy<Value = Decision> {
    use MilestoneStatus::{Delivered, Disputed, Pending};
    prop_oneof![
        any::<u64>().prop_map(Decision::Release),
        any::<u64>().prop_map(Decision::Refund),
        Just(Decision::Claim),
        bps().prop_map(Decision::Rule),
        prop_oneof![Just(Pending), Just(Delivered), Just(Disputed)].prop_map(Decision::Expire),
        any::<u64>().prop_map(Decision::Accept),
    ]
}
