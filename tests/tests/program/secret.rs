//! A secret that is revealed pays: in every status, while the milestone is unsettled and before its present deadline,
//! whoever else sends what at the same time.

use escrow_client::{
    EscrowError::{self, *},
    MilestoneStatus,
};
use escrow_tests::{DAY, HOUR, KINDS, Kind, SECRET, START, Who, case, deal::*};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

const AMOUNT: u64 = 1_000_003;

/// With a hash-lock, and an attester who may deliver as well.
fn both_ways(kind: Kind) -> Deal {
    Deal::funded(kind, &[AMOUNT], |world, terms| {
        all_different(world, terms);
        lock(terms);
        terms.attester = world.attester.pubkey();
    })
}

/// When a milestone is delivered and disputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// At once, so that the next window ends before the present deadline, which stays.
    AtOnce,
    /// In the last second, so that the next window ends after it.
    LastSecond,
}

const PACES: [Pace; 2] = [Pace::AtOnce, Pace::LastSecond];

/// Delivers and disputes, as far as `status`. Returns the deadline, as the design says.
fn reach(deal: &mut Deal, status: MilestoneStatus, pace: Pace) -> i64 {
    let mut deadline = deal.terms.milestones[0].deliver_by;
    for window in [deal.terms.milestones[0].review_window, deal.terms.ruling_window] {
        if deal.milestones()[0].0 == status {
            break;
        }
        if pace == Pace::LastSecond {
            deal.world.set_time(deadline - 1);
        }
        deal.ok(deal.turn(0));
        deadline = deadline.max(deal.world.now() + i64::from(window));
        assert_eq!(deal.milestone(0).deadline, deadline);
    }
    deadline
}

// Until when -----------------------------------------------------------------------------------------------------------

#[test]
fn the_secret_pays_in_every_status_until_its_present_deadline() {
    for kind in KINDS {
        for status in UNSETTLED {
            for pace in PACES {
                for extended in [false, true] {
                    let mut deal = both_ways(kind);
                    let mut deadline = reach(&mut deal, status, pace);
                    if extended {
                        deadline += HOUR;
                        deal.extend(0, deadline);
                    }
                    for (at, in_time) in around(deadline) {
                        case(format_args!("{kind:?}, {status:?}, {pace:?}, {extended}, {} s", at - deadline));
                        let mut deal = deal.fork();
                        deal.world.set_time(at);
                        if in_time {
                            deal.ok(deal.claim(0, SECRET));
                            deal.assert_divided(AMOUNT, AMOUNT);
                        } else {
                            deal.refused(deal.claim(0, SECRET), DeadlinePassed);
                            deal.ok(deal.expire(0));
                            deal.assert_divided(AMOUNT, floor_share(AMOUNT, deal.default_bps(status)));
                        }
                        assert_eq!(deal.milestones(), [(MilestoneStatus::Settled, 0)]);
                        deal.refused(deal.claim(0, SECRET), MilestoneSettled);
                    }
                }
            }
        }
    }
}

#[test]
fn the_secret_pays_what_remains_less_the_fee_in_every_status() {
    for kind in KINDS {
        for status in UNSETTLED {
            case(format_args!("{kind:?}, {status:?}"));
            let mut deal = both_ways(kind);
            deal.ok(deal.release(0, 1_001));
            reach(&mut deal, status, Pace::AtOnce);
            deal.ok(deal.refund(0, 333));
            deal.ok(deal.claim(0, SECRET));
            deal.assert_divided(AMOUNT, AMOUNT - 333);
            let (before, fee) = (deal.balances(), floor_share(AMOUNT - 333, deal.terms.fee_bps));
            deal.withdraw_all();
            let seller = i128::from(AMOUNT - 333 - fee);
            deal.assert_moved(&before, &[(Who::Buyer, 333), (Who::Seller, seller), (Who::FeeRecipient, fee.into())]);
            deal.wait_and_close();
        }
    }
}

/// The exits that anyone may take by itself do not become more: before the deadline the secret, from it on the default.
#[test]
fn from_deliver_by_on_a_secret_without_an_attester_is_dead() {
    for kind in KINDS {
        let deal = Deal::funded(kind, &[AMOUNT], |world, terms| {
            all_different(world, terms);
            lock(terms);
        });
        for (at, in_time) in around(deal.terms.milestones[0].deliver_by) {
            let mut deal = deal.fork();
            deal.world.set_time(at);
            if in_time {
                deal.refused(deal.expire(0), DeadlineNotReached);
                deal.ok(deal.claim(0, SECRET));
                deal.assert_divided(AMOUNT, AMOUNT);
            } else {
                deal.refused(deal.claim(0, SECRET), DeadlinePassed);
                deal.refused(deal.deliver(0), SecretDelivers);
                deal.ok(deal.expire(0));
                deal.assert_divided(AMOUNT, floor_share(AMOUNT, deal.terms.undelivered_bps));
            }
        }
    }
}

#[test]
fn a_secret_is_the_delivery_where_no_attester_is_named() {
    for kind in KINDS {
        let deal = Deal::funded(kind, &[AMOUNT], |_, terms| {
            lock(terms);
            terms.cooling_off = 100;
        });
        let deliver_by = deal.terms.milestones[0].deliver_by;
        for at in [START, START + 99, START + 100, deliver_by - 1, deliver_by] {
            case(format_args!("{kind:?}, {at}"));
            let mut deal = deal.fork();
            deal.world.set_time(at);
            deal.refused(deal.deliver_by(0, Who::Seller), SecretDelivers);
            for who in Who::ALL.into_iter().filter(|who| *who != Who::Seller) {
                deal.refused(deal.deliver_by(0, who), NotDeliverer);
            }
        }
        let mut settled = deal.fork();
        settled.ok(settled.refund(0, AMOUNT));
        settled.refused(settled.deliver(0), NotPending);
        let mut unfunded = Deal::created(kind, &[AMOUNT], |_, terms| lock(terms));
        unfunded.refused(unfunded.deliver(0), NotFunded);
    }
}

#[test]
fn a_seller_who_is_the_attester_delivers_or_claims() {
    for kind in KINDS {
        let deal = Deal::funded(kind, &[AMOUNT], |world, terms| {
            all_different(world, terms);
            lock(terms);
            terms.attester = world.seller.pubkey();
        });
        let mut claimed = deal.fork();
        claimed.ok(claimed.claim(0, SECRET));
        claimed.assert_divided(AMOUNT, AMOUNT);

        let mut delivered = deal.fork();
        let stranger = delivered.deliver_by(0, Who::Attester);
        delivered.refused(stranger, NotDeliverer);
        delivered.ok(delivered.deliver_by(0, Who::Seller));
        let mut afterwards = delivered.fork();
        afterwards.ok(afterwards.claim(0, SECRET));
        afterwards.assert_divided(AMOUNT, AMOUNT);
        // Without the secret the delivery is as good as any other.
        delivered.world.set_time(delivered.milestone(0).deadline);
        delivered.ok(delivered.expire(0));
        delivered.assert_divided(AMOUNT, floor_share(AMOUNT, delivered.terms.unanswered_bps));
    }
}

// The deadline never comes nearer --------------------------------------------------------------------------------------

#[test]
fn no_transition_brings_the_deadline_of_a_secret_nearer() {
    for kind in KINDS {
        for locked in [true, false] {
            for (review_window, ruling_window) in [(0, 1), (60, 1), (1, 60), (3 * 86_400, 7 * 86_400)] {
                let deal = Deal::funded(kind, &[AMOUNT], |world, terms| {
                    terms.attester = world.attester.pubkey();
                    (terms.milestones[0].review_window, terms.ruling_window) = (review_window, ruling_window);
                    if locked {
                        lock(terms);
                    }
                });
                let present = deal.terms.milestones[0].deliver_by;
                let next = |present: i64, own: i64| if locked { own.max(present) } else { own };
                for delivered_at in [START, present - 61, present - 60, present - 59, present - 1] {
                    let mut deal = deal.fork();
                    deal.world.set_time(delivered_at);
                    deal.ok(deal.deliver(0));
                    let delivered = next(present, delivered_at + i64::from(review_window));
                    case(format_args!(
                        "{kind:?}, hash-lock: {locked}, {review_window}, {ruling_window}, delivered {} s before",
                        present - delivered_at
                    ));
                    assert_eq!(deal.milestone(0).deadline, delivered);
                    for disputed_at in [delivered_at, delivered - 2, delivered - 1] {
                        // A review that is over in the second of the delivery.
                        if !(delivered_at..delivered).contains(&disputed_at) {
                            continue;
                        }
                        let mut deal = deal.fork();
                        deal.world.set_time(disputed_at);
                        deal.ok(deal.dispute(0));
                        let disputed = next(delivered, disputed_at + i64::from(ruling_window));
                        assert_eq!(deal.milestone(0).deadline, disputed);
                        assert!(!locked || disputed >= present);
                    }
                }
            }
        }
    }
}

/// What an attester, or a buyer who is the attester, could burn a secret with: a delivery whose review is over at once.
#[test]
fn a_delivery_without_review_burns_no_secret_on_its_way() {
    for kind in KINDS {
        for attester in [Who::Attester, Who::Buyer] {
            for review_window in [0, 60] {
                case(format_args!("{kind:?}, {attester:?}, {review_window}"));
                let mut deal = Deal::funded(kind, &[AMOUNT], |world, terms| {
                    lock(terms);
                    terms.attester = attester.key(world);
                    (terms.milestones[0].review_window, terms.ruling_window) = (review_window, 1);
                    (terms.unanswered_bps, terms.unruled_bps) = (0, 0);
                });
                let deliver_by = deal.terms.milestones[0].deliver_by;
                deal.ok(deal.deliver(0));
                deal.refused(deal.expire(0), DeadlineNotReached);
                deal.ok(deal.dispute(0));
                deal.world.set_time(deliver_by - 1);
                deal.refused(deal.expire(0), DeadlineNotReached);
                deal.ok(deal.claim(0, SECRET));
                deal.assert_ledger([AMOUNT, 0, 0, 0], [0, AMOUNT, 0, 0]);
            }
        }
    }
}

// Races ----------------------------------------------------------------------------------------------------------------

/// What an act that is accepted does to the milestone.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// Something else than settling it.
    Leaves,
    /// This much to the seller's side and this much to the arbiter, the rest to the buyer.
    Settles { released: u64, arbiter: u64 },
}

type Answer = Result<Effect, EscrowError>;

/// What is sent at the same time as a claim.
struct Rival {
    name: &'static str,
    /// Where it can be sent: with the other party's offer, if it accepts one.
    deal: Deal,
    act: Act,
    /// Its answer before the deadline, and from it on.
    answers: [Answer; 2],
    /// Its answer once the milestone was claimed.
    once_claimed: EscrowError,
}

/// All that can be sent to a milestone in `status`. The clock is one second before its deadline at the latest.
fn rivals(deal: &Deal, status: MilestoneStatus) -> Vec<Rival> {
    let deadline = deal.milestone(0).deadline;
    let (split, extension) = (deal.split(0, 400), deal.extension(0, deadline + HOUR));
    let settles = |released: u64, arbiter: u64| Ok(Effect::Settles { released, arbiter });
    let offered = |proposal| {
        let mut deal = deal.fork();
        deal.ok(deal.propose(Who::Seller, proposal));
        deal
    };
    let arbiter = floor_share(AMOUNT, deal.terms.arbiter_fee_bps);
    let (turn, decides, once_claimed) = match status {
        MilestoneStatus::Pending => ("deliver", Ok(Effect::Leaves), NotPending),
        MilestoneStatus::Delivered => ("dispute", Ok(Effect::Leaves), NotDelivered),
        _ => ("rule", settles(floor_share(AMOUNT - arbiter, 5_000), arbiter), NotDisputed),
    };
    let default = settles(floor_share(AMOUNT, deal.default_bps(status)), 0);
    let (leaves, late) = (Ok(Effect::Leaves), Err(DeadlinePassed));
    let rival = |name, deal: Deal, act, answers| Rival { name, deal, act, answers, once_claimed: MilestoneSettled };
    vec![
        Rival { once_claimed, ..rival(turn, deal.fork(), deal.turn(0), [decides, late]) },
        rival("expire", deal.fork(), deal.expire(0), [Err(DeadlineNotReached), default]),
        rival("release all", deal.fork(), deal.release(0, AMOUNT), [settles(AMOUNT, 0); 2]),
        rival("refund all", deal.fork(), deal.refund(0, AMOUNT), [settles(0, 0); 2]),
        rival("propose a split", deal.fork(), deal.propose(Who::Buyer, split), [leaves, leaves]),
        rival("propose an extension", deal.fork(), deal.propose(Who::Buyer, extension), [leaves, late]),
        rival("accept a split", offered(split), deal.accept(Who::Buyer, split), [settles(400, 0); 2]),
        rival("accept an extension", offered(extension), deal.accept(Who::Buyer, extension), [leaves, late]),
    ]
}

/// Asserts what is decided of the milestone, by the one that settled it.
#[track_caller]
fn assert_decided(deal: &Deal, settled: Option<(u64, u64)>) {
    let Some((released, arbiter)) = settled else {
        deal.assert_ledger([0; 4], [0; 4]);
        assert_eq!(deal.milestone(0).remaining, AMOUNT);
        return;
    };
    let (refunded, fee) = (AMOUNT - arbiter - released, floor_share(released, deal.terms.fee_bps));
    deal.assert_ledger([released, refunded, fee, arbiter], [refunded, released - fee, fee, arbiter]);
    assert_eq!(deal.milestones(), [(MilestoneStatus::Settled, 0)]);
}

/// Sends both, in this order, in two transactions and in one.
#[track_caller]
fn race(deal: &Deal, acts: [(&Act, Answer); 2]) {
    let settling = acts.iter().filter_map(|(_, answer)| match answer {
        Ok(Effect::Settles { released, arbiter }) => Some((*released, *arbiter)),
        _ => None,
    });
    let settling: Vec<(u64, u64)> = settling.collect();
    assert!(settling.len() < 2, "the table has a milestone settled twice");

    let mut apart = deal.fork();
    for (act, answer) in acts {
        match answer {
            Ok(_) => drop(apart.ok(act.clone())),
            Err(reason) => apart.refused(act.clone(), reason),
        }
    }
    assert_decided(&apart, settling.first().copied());

    let mut together = deal.fork();
    let both = acts.map(|(act, _)| act);
    match acts.iter().enumerate().find_map(|(index, (_, answer))| Some((index, answer.err()?))) {
        None => {
            together.ok_together(&both);
            assert_decided(&together, settling.first().copied());
        }
        Some((index, reason)) => {
            together.refused_together(&both, index, reason);
            assert_decided(&together, None);
        }
    }
}

/// In both orders, in two transactions and in one, in the seconds around the deadline: at most one settles, the other has
/// its error, and nothing else moves.
#[test]
fn a_claim_and_whatever_is_sent_with_it_settle_once() {
    for kind in KINDS {
        for status in UNSETTLED {
            for pace in PACES {
                let mut deal = both_ways(kind);
                let deadline = reach(&mut deal, status, pace);
                deal.world.set_time(deadline - 2);
                for Rival { name, mut deal, act, answers, once_claimed } in rivals(&deal, status) {
                    for (at, in_time) in around(deadline) {
                        case(format_args!("{kind:?}, {status:?}, {pace:?}, {name}, {} s", at - deadline));
                        deal.world.set_time(at);
                        let claim = deal.claim(0, SECRET);
                        let answer = answers[usize::from(!in_time)];
                        let paid = Ok(Effect::Settles { released: AMOUNT, arbiter: 0 });
                        let claimed = if in_time { paid } else { Err(DeadlinePassed) };

                        let second = if in_time { Err(once_claimed) } else { answer };
                        race(&deal, [(&claim, claimed), (&act, second)]);
                        let settled = matches!(answer, Ok(Effect::Settles { .. }));
                        let second = if settled { Err(MilestoneSettled) } else { claimed };
                        race(&deal, [(&act, answer), (&claim, second)]);
                    }
                }
            }
        }
    }
}

/// Two who saw the secret, or one who sends it twice.
#[test]
fn two_claims_pay_once() {
    for kind in KINDS {
        for status in UNSETTLED {
            case(format_args!("{kind:?}, {status:?}"));
            let mut deal = both_ways(kind);
            reach(&mut deal, status, Pace::AtOnce);
            let claim = deal.claim(0, SECRET);
            let paid = Ok(Effect::Settles { released: AMOUNT, arbiter: 0 });
            race(&deal, [(&claim, paid), (&claim, Err(MilestoneSettled))]);
        }
    }
}

// The comparison -------------------------------------------------------------------------------------------------------

/// A hash that differs from the secret's in a single bit, and a secret that differs in one.
#[test]
fn a_single_bit_makes_it_another_secret() {
    let deal = both_ways(Kind::Sol);
    for bit in 0..256 {
        let flip =
            |bytes: [u8; 32]| std::array::from_fn(|at| bytes[at] ^ if at == bit / 8 { 1 << (bit % 8) } else { 0 });
        case(format_args!("bit {bit}"));
        let mut wrong_secret = deal.fork();
        wrong_secret.refused(wrong_secret.claim(0, flip(SECRET)), SecretMismatch);
        let mut wrong_hash = Deal::funded(Kind::Sol, &[1], |_, terms| {
            lock(terms);
            terms.hashlock = flip(terms.hashlock);
        });
        wrong_hash.refused(wrong_hash.claim(0, SECRET), SecretMismatch);
    }
}

/// The secret is looked at last: who has a wrong one learns where the milestone stands, who has the right one loses it to
/// nobody by sending it too early.
#[test]
fn a_wrong_secret_is_told_only_where_the_right_one_would_pay() {
    for kind in KINDS {
        let deal = Deal::funded(kind, &[AMOUNT], |world, terms| {
            lock(terms);
            terms.attester = world.attester.pubkey();
            (terms.arbiter, terms.cooling_off) = (Pubkey::default(), 100);
        });
        for (at, reason) in [
            (START + 99, CoolingOff),
            (START + 100, SecretMismatch),
            (START + 10 * DAY - 1, SecretMismatch),
            (START + 10 * DAY, DeadlinePassed),
        ] {
            let mut deal = deal.fork();
            deal.world.set_time(at);
            deal.refused(deal.claim(0, [0; 32]), reason);
        }
    }
}
