//! What may happen when: at every second exactly one kind of unilateral exit is legal per milestone.

use std::collections::BTreeMap;

use escrow_client::{EscrowError, EscrowError::*, Recipient};
use escrow_tests::{DAY, KINDS, Kind, SECRET, START, Who, World, case, deal::*};
use solana_signer::Signer;

/// The states between two of which a deadline lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Created,
    CoolingOff,
    Pending,
    Delivered,
    Disputed,
    Settled,
}

/// How a milestone is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The seller says so.
    Seller,
    /// With a secret, and no other way.
    Secret,
    /// With a secret, or an attester says so.
    SecretOrAttester,
}

const WAYS: [Way; 3] = [Way::Seller, Way::Secret, Way::SecretOrAttester];

impl Way {
    /// The stages that have a deadline which can be reached like this.
    fn stages(self) -> &'static [Moment] {
        let all = &[Moment::Created, Moment::CoolingOff, Moment::Pending, Moment::Delivered, Moment::Disputed];
        if self == Self::Secret { &all[..3] } else { all }
    }
}

const COOLING_OFF: u32 = 1_000;

fn at_stage(kind: Kind, way: Way, stage: Moment) -> Deal {
    let mut deal = Deal::created(kind, &[1_000], |world, terms| {
        terms.cooling_off = COOLING_OFF;
        if way != Way::Seller {
            lock(terms);
        }
        if way == Way::SecretOrAttester {
            terms.attester = world.attester.pubkey();
        }
    });
    if stage == Moment::Created {
        return deal;
    }
    deal.ok(deal.fund());
    if stage == Moment::CoolingOff {
        return deal;
    }
    deal.world.advance(i64::from(COOLING_OFF));
    match stage {
        Moment::Delivered => drop(deal.ok(deal.deliver(0))),
        Moment::Disputed => deal.deliver_and_dispute(0),
        Moment::Settled => drop(deal.ok(deal.release(0, 1_000))),
        _ => {}
    }
    deal
}

type Answers = BTreeMap<&'static str, Result<(), EscrowError>>;

/// What every action is answered now, each tried on a copy.
fn answers(deal: &Deal) -> Answers {
    let split = deal.split(0, 10);
    // Proposed by the other party first, where that is possible.
    let mut proposed = deal.fork();
    let _ = proposed.world.send(&[deal.propose(Who::Seller, split).instruction], &[&proposed.keypair(Who::Seller)]);
    let acts = [
        ("fund", deal.fund()),
        ("cancel by the buyer", deal.cancel(Who::Buyer)),
        ("cancel by a stranger", deal.cancel(Who::Stranger)),
        ("deliver", deal.deliver(0)),
        ("claim", deal.claim(0, SECRET)),
        ("release", deal.release(0, 1)),
        ("refund", deal.refund(0, 1)),
        ("dispute", deal.dispute(0)),
        ("rule", deal.rule(0, 5_000)),
        ("propose a split", deal.propose(Who::Buyer, split)),
        ("propose an extension", deal.propose(Who::Seller, deal.extension(0, deal.world.now() + 100 * DAY))),
        ("expire", deal.expire(0)),
        ("withdraw", deal.withdraw(Recipient::Buyer)),
        ("close", deal.close()),
    ];
    let ours = |error: solana_instruction::error::InstructionError| match error {
        solana_instruction::error::InstructionError::Custom(code) => {
            EscrowError::from_code(code).unwrap_or_else(|| panic!("{code} is none of our errors"))
        }
        other => panic!("{other:?} is none of our errors"),
    };
    let mut answers: Answers = acts.into_iter().map(|(name, act)| (name, deal.answer(act).map_err(ours))).collect();
    let accept = proposed.answer(proposed.accept(Who::Buyer, split)).map_err(ours);
    answers.insert("accept a split", accept);
    answers
}

/// The answers of the design's table, `late` where the deadline of the stage is reached.
fn expected(way: Way, stage: Moment, late: bool) -> Answers {
    let timely = |passed: EscrowError| if late { Err(passed) } else { Ok(()) };
    let not_yet = |too_early: EscrowError| if late { Ok(()) } else { Err(too_early) };
    let created = stage == Moment::Created;
    let unfunded = |error: EscrowError| Err(if created { NotFunded } else { error });
    let unsettled = match stage {
        Moment::Created => Err(NotFunded),
        Moment::Settled => Err(MilestoneSettled),
        _ => Ok(()),
    };
    let deliver = match stage {
        Moment::CoolingOff | Moment::Pending if way == Way::Secret => Err(SecretDelivers),
        Moment::CoolingOff => not_yet(CoolingOff),
        Moment::Pending => timely(DeadlinePassed),
        _ => unfunded(NotPending),
    };
    let claim = match stage {
        _ if way == Way::Seller => Err(NoHashlock),
        Moment::CoolingOff => not_yet(CoolingOff),
        Moment::Pending | Moment::Delivered | Moment::Disputed => timely(DeadlinePassed),
        _ => unsettled,
    };
    let expire = match stage {
        Moment::Pending | Moment::Delivered | Moment::Disputed => not_yet(DeadlineNotReached),
        Moment::CoolingOff => Err(DeadlineNotReached),
        _ => unsettled,
    };
    BTreeMap::from([
        ("fund", if created { timely(FundByPassed) } else { Err(AlreadyFunded) }),
        (
            "cancel by the buyer",
            match stage {
                Moment::Created => Ok(()),
                Moment::CoolingOff => timely(CoolingOffOver),
                _ => Err(CoolingOffOver),
            },
        ),
        ("cancel by a stranger", if created { not_yet(NotCanceller) } else { Err(NotBuyer) }),
        ("deliver", deliver),
        ("claim", claim),
        ("release", unsettled),
        ("refund", unsettled),
        ("dispute", if stage == Moment::Delivered { timely(DeadlinePassed) } else { unfunded(NotDelivered) }),
        ("rule", if stage == Moment::Disputed { timely(DeadlinePassed) } else { unfunded(NotDisputed) }),
        ("propose a split", unsettled),
        (
            "propose an extension",
            match stage {
                Moment::Pending | Moment::Delivered | Moment::Disputed => timely(DeadlinePassed),
                _ => unsettled,
            },
        ),
        (
            "accept a split",
            match stage {
                Moment::Settled => Err(ProposalMissing),
                _ => unsettled,
            },
        ),
        ("expire", expire),
        ("withdraw", Err(NothingDue)),
        ("close", if stage == Moment::Settled { Err(NotWithdrawn) } else { unfunded(NotSettled) }),
    ])
}

/// The moment at which the answers of a stage change.
fn deadline(deal: &Deal, stage: Moment) -> i64 {
    match stage {
        Moment::Created => deal.terms.fund_by,
        Moment::CoolingOff => START + i64::from(COOLING_OFF),
        _ => deal.milestone(0).deadline,
    }
}

#[test]
fn every_action_at_every_stage_before_at_and_after_its_deadline() {
    for kind in KINDS {
        for way in WAYS {
            for stage in way.stages() {
                let mut deal = at_stage(kind, way, *stage);
                let deadline = deadline(&deal, *stage);
                for (at, early) in [(deal.world.now(), true)].into_iter().chain(around(deadline)) {
                    case(format_args!("{kind:?}, {way:?}, {stage:?}, {} s from the deadline", at - deadline));
                    deal.world.set_time(at);
                    assert_eq!(answers(&deal), expected(way, *stage, !early));
                }
            }
            let mut settled = at_stage(kind, way, Moment::Settled);
            for at in [settled.world.now(), settled.terms.fund_by, settled.terms.milestones[0].deliver_by] {
                case(format_args!("{kind:?}, {way:?}, settled, at {at}"));
                settled.world.set_time(at);
                assert_eq!(answers(&settled), expected(way, Moment::Settled, false));
            }
        }
    }
}

/// Promise 2: one party's move before the deadline, the default from it on; never both, never neither. The secret, where
/// there is one, has the same deadline in every status.
#[test]
fn at_every_second_exactly_one_unilateral_exit_is_open() {
    for kind in KINDS {
        for way in WAYS {
            for (stage, turn) in
                [(Moment::Pending, "deliver"), (Moment::Delivered, "dispute"), (Moment::Disputed, "rule")]
            {
                if !way.stages().contains(&stage) {
                    continue;
                }
                let moves: &[&str] = match way {
                    Way::Seller => &[turn],
                    Way::Secret => &["claim"],
                    Way::SecretOrAttester => &[turn, "claim"],
                };
                let mut deal = at_stage(kind, way, stage);
                let deadline = deadline(&deal, stage);
                for at in deadline - 3..=deadline + 3 {
                    case(format_args!("{kind:?}, {way:?}, {stage:?}, {} s from the deadline", at - deadline));
                    deal.world.set_time(at);
                    let answers = answers(&deal);
                    for name in moves {
                        assert_ne!(answers[name].is_ok(), answers["expire"].is_ok(), "{name}");
                    }
                    assert_eq!(answers["expire"].is_ok(), at >= deadline);
                }
            }
        }
    }
}

#[test]
fn cancelling_and_delivering_never_overlap_and_leave_no_gap() {
    for kind in KINDS {
        for (way, names) in
            [(Way::Seller, &["deliver"][..]), (Way::Secret, &["claim"]), (Way::SecretOrAttester, &["deliver", "claim"])]
        {
            let mut deal = at_stage(kind, way, Moment::CoolingOff);
            let end = START + i64::from(COOLING_OFF);
            for at in end - 3..=end + 3 {
                deal.world.set_time(at);
                let answers = answers(&deal);
                for name in names {
                    assert_ne!(
                        answers[name].is_ok(),
                        answers["cancel by the buyer"].is_ok(),
                        "{kind:?}, {way:?}, {name} at {at}"
                    );
                }
            }
        }
    }
}

#[test]
fn funding_and_giving_up_by_a_stranger_never_overlap_and_leave_no_gap() {
    for kind in KINDS {
        let mut deal = at_stage(kind, Way::Seller, Moment::Created);
        let fund_by = deal.terms.fund_by;
        for at in fund_by - 3..=fund_by + 3 {
            deal.world.set_time(at);
            let answers = answers(&deal);
            assert_ne!(answers["fund"].is_ok(), answers["cancel by a stranger"].is_ok(), "{kind:?} at {at}");
        }
    }
}

#[test]
fn creating_and_closing_never_overlap_and_leave_no_gap() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        deal.ok(deal.release(0, 1_000));
        deal.withdraw_all();
        let fund_by = deal.terms.fund_by;
        for at in fund_by - 3..=fund_by + 3 {
            case(format_args!("{kind:?}, {} s from fund_by", at - fund_by));
            deal.world.set_time(at);
            let mut fresh = Deal::agreed(World::new(), kind, &[1], plain);
            fresh.terms = deal.terms.clone();
            fresh.world.set_time(at);
            let create = fresh.answer(fresh.create());
            assert_ne!(create.is_ok(), deal.answer(deal.close()).is_ok());
        }
    }
}

/// Each milestone has its own clock.
#[test]
fn milestones_in_different_states_do_not_disturb_each_other() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[100, 200, 300, 400, 500, 600, 700, 800], |_, terms| {
            (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (1_000, 9_000, 4_000);
        });
        for milestone in [1, 2, 3, 4] {
            deal.ok(deal.deliver(milestone));
        }
        for milestone in [2, 3] {
            deal.ok(deal.dispute(milestone));
        }
        let step = |deal: &mut Deal, milestone: u8, act: fn(&Deal, u8) -> Act| {
            let before = deal.account().milestones;
            deal.ok(act(deal, milestone));
            let after = deal.account().milestones;
            for (index, (before, after)) in before.iter().zip(&after).enumerate() {
                assert_eq!(index == usize::from(milestone), before != after, "milestone {index}");
            }
        };
        step(&mut deal, 3, |deal, milestone| deal.rule(milestone, 2_500)); // 100 released, 300 refunded
        step(&mut deal, 4, |deal, milestone| deal.release(milestone, 500)); // 500 released
        step(&mut deal, 5, |deal, milestone| deal.refund(milestone, 1)); // 1 refunded
        step(&mut deal, 6, |deal, milestone| deal.release(milestone, 7)); // 7 released
        deal.world.set_time(deal.milestone(1).deadline);
        step(&mut deal, 1, Deal::expire); // 180 released, 20 refunded
        deal.refused(deal.expire(2), DeadlineNotReached);
        deal.refused(deal.expire(0), DeadlineNotReached);
        deal.world.set_time(deal.milestone(2).deadline);
        step(&mut deal, 2, Deal::expire); // 120 released, 180 refunded
        deal.world.set_time(deal.milestone(0).deadline);
        for milestone in [0, 5, 6, 7] {
            step(&mut deal, milestone, Deal::expire); // 10 + 59 + 69 + 80 released, 90 + 540 + 624 + 720 refunded
        }
        let released = 100 + 500 + 7 + 180 + 120 + 10 + 59 + 69 + 80;
        let refunded = 300 + 1 + 20 + 180 + 90 + 540 + 624 + 720;
        assert_eq!(released + refunded, 3_600);
        deal.assert_ledger([released, refunded, 0, 0], [refunded, released, 0, 0]);
        let before = deal.balances();
        deal.withdraw_all();
        deal.assert_moved(&before, &[(Who::Buyer, refunded.into()), (Who::Seller, released.into())]);
        deal.wait_and_close();
    }
}
