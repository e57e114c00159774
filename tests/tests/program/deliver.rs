//! `deliver`: Pending → Delivered, by the attester where one is named, else by the seller.

use escrow_client::{EscrowError::*, Milestone, MilestoneStatus};
use escrow_tests::{KINDS, Kind, SECRET, Who, case, deal::*};
use solana_signer::Signer;

#[test]
fn a_delivery_starts_the_review_of_its_milestone_only() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[10, 20, 30], |_, terms| terms.milestones[1].review_window = 500);
        deal.world.advance(7);
        let before = deal.account();
        deal.ok(deal.deliver(1));
        let after = deal.account();
        let expected = Milestone {
            status: MilestoneStatus::Delivered.byte(),
            deadline: deal.world.now() + 500,
            ..before.milestones[1]
        };
        assert_eq!(after.milestones, [before.milestones[0], expected, before.milestones[2]]);
        assert_eq!(after.state, before.state);
    }
}

#[test]
fn a_partly_released_milestone_may_be_delivered() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[10], plain);
        deal.ok(deal.release(0, 4));
        deal.ok(deal.deliver(0));
        assert_eq!(deal.milestones(), [(MilestoneStatus::Delivered, 6)]);
    }
}

#[test]
fn only_the_seller_delivers_where_no_attester_is_named() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[10], plain);
        for who in Who::ALL.into_iter().filter(|who| *who != Who::Seller) {
            deal.refused(deal.deliver_by(0, who), NotDeliverer);
        }
        deal.ok(deal.deliver_by(0, Who::Seller));
    }
}

#[test]
fn only_the_attester_delivers_where_one_is_named() {
    for kind in KINDS {
        for attester in [Who::Attester, Who::Buyer, Who::Arbiter, Who::Seller, Who::FeeRecipient] {
            case(format_args!("{kind:?}, {attester:?}"));
            let mut deal = Deal::funded(kind, &[10], |world, terms| terms.attester = attester.key(world));
            for who in Who::ALL.into_iter().filter(|who| *who != attester) {
                deal.refused(deal.deliver_by(0, who), NotDeliverer);
            }
            deal.ok(deal.deliver_by(0, attester));
        }
    }
}

#[test]
fn a_milestone_is_delivered_once_and_only_while_pending() {
    let mut deal = Deal::funded(Kind::Sol, &[10], plain);
    deal.ok(deal.deliver(0));
    deal.refused(deal.deliver(0), NotPending);
    deal.ok(deal.dispute(0));
    deal.refused(deal.deliver(0), NotPending);
    deal.ok(deal.rule(0, 5_000));
    deal.refused(deal.deliver(0), NotPending);
}

#[test]
fn an_unfunded_milestone_is_not_delivered() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[10], plain);
        deal.refused(deal.deliver(0), NotFunded);
    }
}

#[test]
fn delivering_and_claiming_start_when_the_cooling_off_period_ends() {
    for kind in KINDS {
        let deal = Deal::funded(kind, &[10], |world, terms| {
            terms.attester = world.attester.pubkey();
            terms.cooling_off = 100;
            lock(terms);
        });
        for (at, accepted) in [(0, false), (1, false), (99, false), (100, true), (101, true)] {
            let mut deal = deal.fork();
            deal.world.advance(at);
            if accepted {
                let mut claimed = deal.fork();
                claimed.ok(claimed.claim(0, SECRET));
                deal.ok(deal.deliver(0));
            } else {
                deal.refused(deal.deliver(0), CoolingOff);
                deal.refused(deal.claim(0, SECRET), CoolingOff);
            }
        }
    }
}

#[test]
fn a_delivery_without_review_is_over_in_the_second_it_is_made() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[10], |world, terms| {
            terms.attester = world.attester.pubkey();
            terms.milestones[0].review_window = 0;
        });
        deal.ok(deal.deliver(0));
        assert_eq!(deal.milestone(0).deadline, deal.world.now());
        deal.refused(deal.dispute(0), DeadlinePassed);
        deal.ok(deal.expire(0));
        deal.assert_ledger([10, 0, 0, 0], [0, 10, 0, 0]);
    }
}
