//! `dispute` by the buyer and `rule` by the arbiter.

use escrow_client::{EscrowError::*, Milestone, MilestoneStatus, Recipient};
use escrow_tests::{KINDS, Kind, Who, case, deal::*};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

// dispute --------------------------------------------------------------------------------------------------------------

#[test]
fn a_dispute_starts_the_ruling_of_its_milestone_only() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[10, 20, 30], |_, terms| terms.ruling_window = 600);
        deal.ok(deal.deliver(1));
        deal.world.advance(7);
        let before = deal.account();
        deal.ok(deal.dispute(1));
        let after = deal.account();
        let expected = Milestone {
            status: MilestoneStatus::Disputed.byte(),
            deadline: deal.world.now() + 600,
            ..before.milestones[1]
        };
        assert_eq!(after.milestones, [before.milestones[0], expected, before.milestones[2]]);
        assert_eq!(after.state, before.state);
    }
}

#[test]
fn only_the_buyer_disputes() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[10], plain);
        deal.ok(deal.deliver(0));
        for who in Who::ALL.into_iter().filter(|who| *who != Who::Buyer) {
            let other = deal.keypair(who);
            deal.refused(deal.dispute(0).signed_by(1, &other), NotBuyer);
        }
    }
}

#[test]
fn only_a_delivered_milestone_is_disputed() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[10], plain);
        deal.refused(deal.dispute(0), NotFunded);
        deal.ok(deal.fund());
        deal.refused(deal.dispute(0), NotDelivered);
        deal.ok(deal.deliver(0));
        deal.ok(deal.dispute(0));
        deal.refused(deal.dispute(0), NotDelivered);
        deal.ok(deal.rule(0, 0));
        deal.refused(deal.dispute(0), NotDelivered);
    }
}

// rule -----------------------------------------------------------------------------------------------------------------

fn disputed(kind: Kind, amount: u64, fee_bps: u16, arbiter_fee_bps: u16) -> Deal {
    let mut deal = Deal::funded(kind, &[amount], |world, terms| {
        (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), fee_bps);
        terms.arbiter_fee_bps = arbiter_fee_bps;
    });
    deal.deliver_and_dispute(0);
    deal
}

#[test]
fn a_ruling_takes_the_arbiters_fee_and_splits_the_rest() {
    for kind in KINDS {
        for amount in [1, 2, 3, 9_999, 10_000, 10_001, 123_457] {
            for arbiter_fee_bps in [0, 1, 333, 1_000] {
                let deal = disputed(kind, amount, 250, arbiter_fee_bps);
                for seller_bps in [0, 1, 3_333, 5_000, 9_999, 10_000] {
                    case(format_args!("{kind:?}, {amount}, {arbiter_fee_bps}, {seller_bps}"));
                    let mut deal = deal.fork();
                    deal.ok(deal.rule(0, seller_bps));
                    let arbiter = floor_share(amount, arbiter_fee_bps);
                    let released = floor_share(amount - arbiter, seller_bps);
                    let refunded = amount - arbiter - released;
                    let fee = floor_share(released, 250);
                    deal.assert_ledger([released, refunded, fee, arbiter], [refunded, released - fee, fee, arbiter]);
                    assert_eq!(deal.milestones(), [(MilestoneStatus::Settled, 0)]);
                    assert_eq!(deal.milestone(0).deadline, 0);
                    let before = deal.balances();
                    deal.withdraw_all();
                    deal.assert_moved(
                        &before,
                        &[
                            (Who::Buyer, refunded.into()),
                            (Who::Seller, (released - fee).into()),
                            (Who::FeeRecipient, fee.into()),
                            (Who::Arbiter, arbiter.into()),
                        ],
                    );
                }
            }
        }
    }
}

#[test]
fn a_ruling_decides_what_remains_of_its_milestone_only() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000, 2_000], |_, terms| terms.arbiter_fee_bps = 1_000);
        deal.deliver_and_dispute(0);
        deal.deliver_and_dispute(1);
        deal.ok(deal.release(1, 500));
        deal.ok(deal.refund(1, 500));
        let first = deal.milestone(0);
        deal.ok(deal.rule(1, 5_000));
        assert_eq!(deal.milestone(0), first);
        assert_eq!(deal.milestones(), [(MilestoneStatus::Disputed, 1_000), (MilestoneStatus::Settled, 0)]);
        deal.assert_ledger([500 + 450, 500 + 450, 0, 100], [950, 950, 0, 100]);
        deal.ok(deal.rule(0, 10_000));
        deal.assert_ledger([950 + 900, 950, 0, 200], [950, 1_850, 0, 200]);
    }
}

#[test]
fn a_share_over_the_whole_is_refused() {
    for kind in KINDS {
        let mut deal = disputed(kind, 1_000, 0, 1_000);
        for seller_bps in [10_001, u16::MAX] {
            deal.refused(deal.rule(0, seller_bps), ShareTooHigh);
        }
    }
}

#[test]
fn only_the_arbiter_rules() {
    for kind in KINDS {
        let mut deal = disputed(kind, 1_000, 0, 0);
        for who in Who::ALL.into_iter().filter(|who| *who != Who::Arbiter) {
            let other = deal.keypair(who);
            deal.refused(deal.rule(0, 5_000).signed_by(1, &other), NotArbiter);
        }
    }
}

#[test]
fn nobody_rules_where_there_is_no_arbiter() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |_, terms| terms.arbiter = Pubkey::default());
        deal.deliver_and_dispute(0);
        for who in Who::ALL {
            let other = deal.keypair(who);
            deal.refused(deal.rule(0, 5_000).signed_by(1, &other), NotArbiter);
        }
        // The default key is the address of the system program, for which nobody can sign.
        let act = deal.rule(0, 5_000).unsigned(1).account(1, Pubkey::default());
        deal.refused(act, MISSING_SIGNATURE);
        deal.world.set_time(deal.milestone(0).deadline);
        deal.ok(deal.expire(0));
        deal.assert_ledger([500, 500, 0, 0], [500, 500, 0, 0]);
    }
}

#[test]
fn only_a_disputed_milestone_is_ruled_on() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[10], plain);
        deal.refused(deal.rule(0, 0), NotFunded);
        deal.ok(deal.fund());
        deal.refused(deal.rule(0, 0), NotDisputed);
        deal.ok(deal.deliver(0));
        deal.refused(deal.rule(0, 0), NotDisputed);
        deal.ok(deal.dispute(0));
        deal.ok(deal.rule(0, 0));
        deal.refused(deal.rule(0, 0), NotDisputed);
    }
}

#[test]
fn a_ruling_on_the_largest_amount_is_exact() {
    let mut deal = largest_token_deal(1_000, 1_000);
    deal.deliver_and_dispute(0);
    deal.ok(deal.rule(0, 3_333));
    let arbiter = floor_share(u64::MAX, 1_000);
    let released = floor_share(u64::MAX - arbiter, 3_333);
    let (refunded, fee) = (u64::MAX - arbiter - released, floor_share(released, 1_000));
    deal.assert_ledger([released, refunded, fee, arbiter], [refunded, released - fee, fee, arbiter]);
    for recipient in Recipient::ALL {
        deal.ok(deal.withdraw(recipient));
    }
    assert_eq!(deal.held(), 0);
    deal.wait_and_close();
}
