//! Rules that go over all milestones: the first and the last of eight count like any other.

use escrow_client::{
    EscrowError::{self, *},
    Milestone, MilestoneStatus, MilestoneTerms, Recipient,
    escrow::state::{Escrow, MAX_MILESTONES, MAX_TIME_AHEAD, MAX_WINDOW},
};
use escrow_tests::{DAY, KINDS, Kind, SECRET, START, Who, World, case, deal::*};
use sha2::{Digest, Sha256};

const ENDS: [u8; 2] = [0, 7];
/// Neither the first nor the last: what is acted on where one of those is wrong.
const ACTED_ON: u8 = 3;
/// All different, so that none can be taken for another.
const AMOUNTS: [u64; MAX_MILESTONES] = [100, 200, 300, 400, 500, 600, 700, 800];
const SUM: u64 = 3_600;
const COOLING_OFF: u32 = 100;

fn cooling(kind: Kind) -> Deal {
    Deal::funded(kind, &AMOUNTS, |_, terms| terms.cooling_off = COOLING_OFF)
}

// The way in -----------------------------------------------------------------------------------------------------------

#[test]
fn one_milestone_against_a_rule_makes_no_escrow() {
    const TWO_YEARS: i64 = MAX_TIME_AHEAD as i64;
    const COOLED: i64 = START + COOLING_OFF as i64;
    type Change = fn(&mut MilestoneTerms);
    let cases: [(&str, Change, EscrowError, Change); 7] = [
        ("the amount", |one| one.amount = 0, AmountZero, |one| one.amount = 1),
        ("a time in the past", |one| one.deliver_by = START, DeliverByPassed, |one| one.deliver_by = COOLED + 1),
        (
            "a time ahead",
            |one| one.deliver_by = START + TWO_YEARS + 1,
            DeliverByTooFar,
            |one| one.deliver_by = START + TWO_YEARS,
        ),
        (
            "a long window",
            |one| one.review_window = MAX_WINDOW + 1,
            WindowTooLong,
            |one| one.review_window = MAX_WINDOW,
        ),
        ("no window", |one| one.review_window = 0, ReviewWindowZero, |one| one.review_window = 1),
        ("the cooling-off period", |one| one.deliver_by = COOLED, CoolingOffTooLong, |one| one.deliver_by = COOLED + 1),
        ("the sum", |one| one.amount += u64::MAX - SUM + 1, PrincipalOverflow, |one| one.amount += u64::MAX - SUM),
    ];
    for kind in KINDS {
        for (name, wrong, reason, limit) in cases {
            for index in ENDS {
                case(format_args!("{kind:?}, {name}, milestone {index}"));
                let agreed = |change: Change| {
                    Deal::agreed(World::new(), kind, &AMOUNTS, |_, terms| {
                        terms.cooling_off = COOLING_OFF;
                        change(&mut terms.milestones[usize::from(index)]);
                    })
                };
                let mut refused = agreed(wrong);
                refused.refused(refused.create(), reason);
                let mut accepted = agreed(limit);
                accepted.ok(accepted.create());
                assert_eq!(accepted.account().terms(), accepted.terms);
            }
        }
    }
}

#[test]
fn one_milestone_that_is_due_too_early_is_not_funded() {
    for kind in KINDS {
        for index in ENDS {
            case(format_args!("{kind:?}, milestone {index}"));
            let mut deal = Deal::created(kind, &AMOUNTS, |_, terms| {
                terms.cooling_off = COOLING_OFF;
                terms.milestones[usize::from(index)].deliver_by = START + 500;
            });
            deal.world.set_time(START + 400);
            deal.refused(deal.fund(), CoolingOffTooLong);
            deal.world.set_time(START + 399);
            deal.ok(deal.fund());
        }
    }
}

// The way out ----------------------------------------------------------------------------------------------------------

#[test]
fn cancelling_takes_back_what_remains_of_every_milestone() {
    /// How much of milestone `index` was released and refunded before.
    const BEFORE: [(&str, u64, u64); 5] = [
        ("nothing", 0, 0),
        ("partly released", 30, 0),
        ("partly refunded", 0, 30),
        ("released", 100, 0),
        ("refunded", 0, 100),
    ];
    for kind in KINDS {
        let deal = cooling(kind);
        for (name, released, refunded) in BEFORE {
            for index in ENDS {
                case(format_args!("{kind:?}, {name}, milestone {index}"));
                let mut deal = deal.fork();
                let before = deal.balances();
                // All of it, where all of the smallest is meant.
                let amount = AMOUNTS[usize::from(index)];
                let part = |part| if part == 100 { amount } else { part };
                let (released, refunded) = (part(released), part(refunded));
                if released != 0 {
                    deal.ok(deal.release(index, released));
                }
                if refunded != 0 {
                    deal.ok(deal.refund(index, refunded));
                }
                deal.ok(deal.cancel(Who::Buyer));
                assert_eq!(deal.milestones(), [(MilestoneStatus::Settled, 0); MAX_MILESTONES]);
                assert!(deal.account().milestones.iter().all(|milestone| milestone.deadline == 0));
                let back = SUM - released;
                deal.assert_ledger([released, back, 0, 0], [back, released, 0, 0]);
                deal.withdraw_all();
                deal.assert_moved(&before, &[(Who::Buyer, back.into()), (Who::Seller, released.into())]);
                deal.wait_and_close();
            }
        }
    }
}

#[test]
fn one_milestone_that_is_not_settled_keeps_an_escrow_open() {
    for kind in KINDS {
        for index in ENDS {
            case(format_args!("{kind:?}, milestone {index}"));
            let mut deal = Deal::funded(kind, &AMOUNTS, plain);
            for (other, amount) in (0..).zip(AMOUNTS).filter(|(other, _)| *other != index) {
                deal.ok(deal.release(other, amount));
            }
            deal.withdraw_all();
            deal.world.set_time(deal.terms.fund_by);
            deal.refused(deal.close(), NotSettled);
            let amount = AMOUNTS[usize::from(index)];
            deal.ok(deal.refund(index, amount - 1));
            deal.ok(deal.withdraw(Recipient::Buyer));
            deal.refused(deal.close(), NotSettled);
            deal.ok(deal.refund(index, 1));
            deal.refused(deal.close(), NotWithdrawn);
            deal.ok(deal.withdraw(Recipient::Buyer));
            deal.ok(deal.close());
        }
    }
}

// In between -----------------------------------------------------------------------------------------------------------

/// Every instruction that decides on a milestone. An escrow of eight has a hash-lock only where a test wrote it there.
fn decisions(milestone: u8) -> Vec<(&'static str, Deal, Act)> {
    let decided = |name, kind, prepare: &dyn Fn(&mut Deal), act: &dyn Fn(&Deal) -> Act| {
        let mut deal = Deal::funded(kind, &AMOUNTS, |_, terms| terms.arbiter_fee_bps = 1_000);
        prepare(&mut deal);
        let act = act(&deal);
        (name, deal, act)
    };
    let lock = |deal: &mut Deal| deal.alter(|escrow, _| escrow.hashlock = Sha256::digest(SECRET).into());
    KINDS
        .into_iter()
        .flat_map(|kind| {
            [
                decided("deliver", kind, &|_| (), &|deal| deal.deliver(milestone)),
                decided("claim", kind, &lock, &|deal| deal.claim(milestone, SECRET)),
                decided("release", kind, &|_| (), &|deal| deal.release(milestone, 1)),
                decided("refund", kind, &|_| (), &|deal| deal.refund(milestone, 1)),
                decided("dispute", kind, &|deal| drop(deal.ok(deal.deliver(milestone))), &|deal| {
                    deal.dispute(milestone)
                }),
                decided("rule", kind, &|deal| deal.deliver_and_dispute(milestone), &|deal| deal.rule(milestone, 5_000)),
                decided(
                    "accept a split",
                    kind,
                    &|deal| drop(deal.ok(deal.propose(Who::Buyer, deal.split(milestone, 50)))),
                    &|deal| deal.accept(Who::Seller, deal.split(milestone, 50)),
                ),
                decided(
                    "accept more time",
                    kind,
                    &|deal| drop(deal.ok(deal.propose(Who::Buyer, deal.extension(milestone, START + 20 * DAY)))),
                    &|deal| deal.accept(Who::Seller, deal.extension(milestone, START + 20 * DAY)),
                ),
                decided("expire", kind, &|deal| deal.world.set_time(deal.milestone(milestone).deadline), &|deal| {
                    deal.expire(milestone)
                }),
            ]
        })
        .collect()
}

#[test]
fn a_decision_on_one_milestone_leaves_the_others_as_they_are() {
    for index in ENDS {
        for (name, mut deal, act) in decisions(index) {
            case(format_args!("{:?}, {name}, milestone {index}", deal.kind));
            let milestones = |deal: &mut Deal| {
                let mut all = Vec::new();
                deal.alter(|_, milestones| all.extend_from_slice(milestones));
                all
            };
            let mut expected = milestones(&mut deal);
            deal.world.ok(act.instruction, &act.signers.iter().collect::<Vec<_>>());
            let after = milestones(&mut deal);
            let own = usize::from(index);
            assert_ne!(after[own], expected[own]);
            expected[own] = after[own];
            assert_eq!(after, expected);
        }
    }
}

/// One milestone that contradicts itself, while all amounts together still are the principal.
type Contradict = fn(&mut Escrow, &mut Milestone);

const CONTRADICTIONS: [(&str, Contradict); 4] = [
    ("settled, and something remains", |_, milestone| milestone.status = MilestoneStatus::Settled.byte()),
    ("not settled, and nothing remains", |escrow, milestone| {
        escrow.ledger.principal -= milestone.remaining;
        milestone.remaining = 0;
    }),
    ("more remains than it was", |_, milestone| milestone.amount = milestone.remaining - 1),
    ("less remains than the ledger says", |_, milestone| milestone.remaining -= 1),
];

#[test]
fn one_milestone_that_contradicts_itself_stops_everything() {
    let fund = |kind| {
        let deal = Deal::created(kind, &AMOUNTS, plain);
        let act = deal.fund();
        ("fund", deal, act)
    };
    let withdraw = |kind| {
        let mut deal = Deal::funded(kind, &AMOUNTS, plain);
        deal.ok(deal.release(ACTED_ON, 1));
        let act = deal.withdraw(Recipient::Seller);
        ("withdraw", deal, act)
    };
    let cancel = |kind| {
        let deal = cooling(kind);
        let act = deal.cancel(Who::Buyer);
        ("cancel", deal, act)
    };
    let acts = decisions(ACTED_ON)
        .into_iter()
        .chain(KINDS.into_iter().flat_map(|kind| [fund(kind), withdraw(kind), cancel(kind)]));
    for (name, deal, act) in acts {
        for (what, contradict) in CONTRADICTIONS {
            for index in ENDS {
                // Cancelling settles the first before it looks: only an amount that is missing is still wrong then.
                if name == "cancel" && index == 0 && what != "less remains than the ledger says" {
                    continue;
                }
                case(format_args!("{:?}, {name}, {what}, milestone {index}", deal.kind));
                let mut broken = deal.fork();
                broken.alter(|escrow, milestones| contradict(escrow, &mut milestones[usize::from(index)]));
                broken.refused(act.clone(), Invariant);
            }
        }
    }
}
