//! `release` by the buyer and `refund` by the seller: part or all of what remains, in any status, at any time.

use escrow_client::{EscrowError::*, Milestone, MilestoneStatus};
use escrow_tests::{KINDS, Kind, Who, case, deal::*};
use solana_keypair::Keypair;

/// One of the two instructions, which are mirror images.
type Take = fn(&Deal, u8, u64) -> Act;
type TakeExpecting = fn(&Deal, u8, u64, u64) -> Act;
const BOTH: [(&str, Take, TakeExpecting); 2] =
    [("release", Deal::release, Deal::release_expecting), ("refund", Deal::refund, Deal::refund_expecting)];

/// The ledger after `amount` was released or refunded in all, without a fee.
#[track_caller]
fn assert_taken(deal: &Deal, name: &str, amount: u64) {
    match name {
        "release" => deal.assert_ledger([amount, 0, 0, 0], [0, amount, 0, 0]),
        _ => deal.assert_ledger([0, amount, 0, 0], [amount, 0, 0, 0]),
    }
}

#[test]
fn a_part_leaves_the_rest_where_it_was() {
    for kind in KINDS {
        for (name, take, _) in BOTH {
            case(format_args!("{kind:?}, {name}"));
            let mut deal = Deal::funded(kind, &[100, 200, 300], plain);
            let before = deal.account().milestones;
            deal.ok(take(&deal, 1, 50));
            let after = Milestone { remaining: 150, ..before[1] };
            assert_eq!(deal.account().milestones, [before[0], after, before[2]]);
            assert_taken(&deal, name, 50);
            deal.ok(take(&deal, 1, 149));
            assert_eq!(deal.milestone(1), Milestone { remaining: 1, ..before[1] });
            deal.ok(take(&deal, 1, 1));
            let settled = Milestone { remaining: 0, status: MilestoneStatus::Settled.byte(), deadline: 0, ..before[1] };
            assert_eq!(deal.account().milestones, [before[0], settled, before[2]]);
            assert_taken(&deal, name, 200);
        }
    }
}

#[test]
fn all_of_it_settles_the_milestone_in_every_status() {
    for kind in KINDS {
        for (name, take, _) in BOTH {
            for steps in 0..3 {
                for late in [false, true] {
                    case(format_args!("{kind:?}, {name}, after {steps} steps, late: {late}"));
                    let mut deal = Deal::funded(kind, &[100], plain);
                    if steps >= 1 {
                        deal.ok(deal.deliver(0));
                    }
                    if steps == 2 {
                        deal.ok(deal.dispute(0));
                    }
                    if late {
                        deal.world.set_time(deal.milestone(0).deadline + 1);
                    }
                    let status = deal.milestones()[0].0;
                    let deadline = deal.milestone(0).deadline;
                    deal.ok(take(&deal, 0, 40));
                    assert_eq!(deal.milestones(), [(status, 60)]);
                    assert_eq!(deal.milestone(0).deadline, deadline);
                    deal.ok(take(&deal, 0, 60));
                    assert_eq!(deal.milestones(), [(MilestoneStatus::Settled, 0)]);
                    assert_taken(&deal, name, 100);
                }
            }
        }
    }
}

#[test]
fn an_amount_of_zero_or_more_than_remains_is_refused() {
    for kind in KINDS {
        for (name, take, _) in BOTH {
            case(format_args!("{kind:?}, {name}"));
            let mut deal = Deal::funded(kind, &[100, 1_000], plain);
            deal.refused(take(&deal, 0, 0), AmountZero);
            for amount in [101, 1_000, u64::MAX] {
                deal.refused(take(&deal, 0, amount), AmountTooHigh);
            }
            deal.ok(take(&deal, 0, 30));
            deal.refused(take(&deal, 0, 71), AmountTooHigh);
        }
    }
}

#[test]
fn a_request_that_was_sent_twice_pays_once() {
    for kind in KINDS {
        for (name, take, expecting) in BOTH {
            case(format_args!("{kind:?}, {name}"));
            let mut deal = Deal::funded(kind, &[100], plain);
            deal.ok(take(&deal, 0, 30));
            deal.refused(expecting(&deal, 0, 30, 100), RemainingMismatch);
            for expected in [0, 69, 71, u64::MAX] {
                deal.refused(expecting(&deal, 0, 30, expected), RemainingMismatch);
            }
            deal.ok(take(&deal, 0, 70));
            deal.refused(expecting(&deal, 0, 70, 70), MilestoneSettled);
            deal.refused(expecting(&deal, 0, 0, 0), MilestoneSettled);
        }
    }
}

#[test]
fn an_unfunded_milestone_has_nothing_to_release_or_refund() {
    for kind in KINDS {
        for (_, take, _) in BOTH {
            let mut deal = Deal::created(kind, &[100], plain);
            deal.refused(take(&deal, 0, 100), NotFunded);
        }
    }
}

#[test]
fn only_the_buyer_releases_and_only_the_seller_refunds() {
    let roles = [(Who::Buyer, NotBuyer), (Who::Seller, NotSeller)];
    for kind in KINDS {
        for ((name, take, _), (role, reason)) in BOTH.into_iter().zip(roles) {
            let mut deal = Deal::funded(kind, &[100], plain);
            for who in Who::ALL.into_iter().filter(|who| *who != role) {
                case(format_args!("{kind:?}, {name}, {who:?}"));
                let other: Keypair = deal.keypair(who);
                deal.refused(take(&deal, 0, 100).signed_by(1, &other), reason);
            }
        }
    }
}

#[test]
fn release_and_refund_work_on_one_milestone_together() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[100], plain);
        deal.ok(deal.release(0, 10));
        deal.ok(deal.refund(0, 20));
        deal.ok(deal.deliver(0));
        deal.ok(deal.release(0, 30));
        deal.ok(deal.dispute(0));
        deal.ok(deal.refund(0, 5));
        deal.assert_ledger([40, 25, 0, 0], [25, 40, 0, 0]);
        let before = deal.balances();
        deal.withdraw_all();
        deal.assert_moved(&before, &[(Who::Buyer, 25), (Who::Seller, 40)]);
        deal.assert_ledger([40, 25, 0, 0], [0; 4]);
        deal.ok(deal.release(0, 35));
        deal.assert_ledger([75, 25, 0, 0], [0, 35, 0, 0]);
        assert_eq!(deal.kind, kind);
    }
}

#[test]
fn the_largest_amount_is_released_and_refunded_without_overflow() {
    let deal = largest_token_deal(0, 0);
    for (name, take, _) in BOTH {
        case(name);
        let mut deal = deal.fork();
        deal.ok(take(&deal, 0, u64::MAX - 1));
        deal.ok(take(&deal, 0, 1));
        assert_taken(&deal, name, u64::MAX);
        deal.withdraw_all();
        assert_eq!((deal.held(), deal.kind), (0, Kind::Token));
    }
}
