//! `expire`: from the deadline on, the agreed default, by anyone. The deadlines themselves are in `time`.

use escrow_client::{EscrowError::*, MilestoneStatus};
use escrow_tests::{KINDS, Kind, SECRET, case, deal::*};
use solana_signer::Signer;

/// A milestone of `amount` at `status`, whose default for that status alone gives the seller `bps`.
fn waiting(kind: Kind, amount: u64, status: MilestoneStatus, bps: u16) -> Deal {
    let mut deal = Deal::funded(kind, &[amount, 77], |world, terms| {
        (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 123);
        // No arbiter's fee is taken where nobody ruled.
        terms.arbiter_fee_bps = 1_000;
        // The other defaults differ from the one that must apply.
        let default = |when| if when == status { bps } else { 10_000 - bps.min(9_998) - 1 };
        terms.undelivered_bps = default(MilestoneStatus::Pending);
        terms.unanswered_bps = default(MilestoneStatus::Delivered);
        terms.unruled_bps = default(MilestoneStatus::Disputed);
    });
    deal.bring_to(0, status);
    deal
}

#[test]
fn each_status_has_its_own_default_exact_to_the_unit() {
    for kind in KINDS {
        for status in UNSETTLED {
            for bps in [0, 1, 3_333, 5_000, 9_999, 10_000] {
                for amount in [1, 2, 9_999, 10_001, 1_000_003] {
                    case(format_args!("{kind:?}, {status:?}, {bps}, {amount}"));
                    let mut deal = waiting(kind, amount, status, bps);
                    let other = deal.milestone(1);
                    deal.world.set_time(deal.milestone(0).deadline);
                    deal.ok(deal.expire(0));
                    deal.assert_divided(amount, floor_share(amount, bps));
                    assert_eq!((deal.milestones()[0], deal.milestone(0).deadline), ((MilestoneStatus::Settled, 0), 0));
                    assert_eq!(deal.milestone(1), other);
                }
            }
        }
    }
}

#[test]
fn the_default_applies_to_what_remains() {
    for kind in KINDS {
        for status in UNSETTLED {
            let mut deal = waiting(kind, 1_000, status, 3_333);
            deal.ok(deal.release(0, 100));
            deal.ok(deal.refund(0, 200));
            deal.world.set_time(deal.milestone(0).deadline);
            deal.ok(deal.expire(0));
            deal.assert_divided(1_000, 100 + floor_share(700, 3_333));
        }
    }
}

#[test]
fn a_milestone_expires_once() {
    for kind in KINDS {
        let mut deal = waiting(kind, 1_000, MilestoneStatus::Pending, 5_000);
        deal.world.set_time(deal.milestone(0).deadline);
        deal.ok(deal.expire(0));
        deal.refused(deal.expire(0), MilestoneSettled);
        deal.world.advance(1_000_000_000);
        deal.refused(deal.expire(0), MilestoneSettled);
    }
}

#[test]
fn an_unfunded_escrow_has_no_defaults() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[10], plain);
        deal.world.set_time(deal.milestone(0).deadline + 1);
        deal.refused(deal.expire(0), NotFunded);
    }
}

#[test]
fn an_index_without_a_milestone_is_refused_by_every_decision() {
    for kind in KINDS {
        for count in [1, 8] {
            let mut deal = Deal::funded(kind, &vec![10; usize::from(count)], plain);
            for index in [count, count + 1, 127, 255] {
                case(format_args!("{kind:?}, {index} of {count}"));
                let acts = [
                    deal.deliver(index),
                    deal.claim(index, SECRET),
                    deal.release_expecting(index, 10, 10),
                    deal.refund_expecting(index, 10, 10),
                    deal.dispute(index),
                    deal.rule(index, 0),
                    deal.expire(index),
                ];
                for act in acts {
                    deal.refused(act, MilestoneMissing);
                }
            }
        }
    }
}
