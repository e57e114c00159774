//! Each instruction logs exactly one event, and it says what happened.

use escrow_client::{
    MilestoneStatus, Proposal, Recipient,
    escrow::{event::*, state::ProposalSlot},
    event::{EscrowEvent, Events, events},
    terms,
};
use escrow_tests::{DAY, HOUR, KINDS, Kind, SECRET, START, Who, deal::*};
use solana_signer::Signer;

/// Sends `act` and gives what it logged, which must be one event, about this escrow.
#[track_caller]
fn logged(deal: &mut Deal, act: Act) -> EscrowEvent {
    let logs = deal.ok(act).logs;
    let Events { events, truncated } = events(&logs);
    assert!(!truncated, "{logs:?}");
    let [event] = events[..] else { panic!("{} events: {logs:?}", events.len()) };
    assert_eq!(*event.escrow(), deal.escrow);
    event
}

/// Three milestones, a fee of 10 % to be released and one of 1 % for the arbiter.
fn deal(kind: Kind) -> Deal {
    Deal::agreed(escrow_tests::World::new(), kind, &[1_000, 2_000, 3_000], |world, terms| {
        (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
        terms.arbiter_fee_bps = 100;
        terms.cooling_off = 60;
        terms.undelivered_bps = 2_500;
        terms.milestones[1] = terms::milestone(2_000, START + DAY);
        (terms.milestones[0].review_window, terms.ruling_window) = (600, 700);
    })
}

#[test]
fn creating_funding_cancelling_and_closing_are_told() {
    for kind in KINDS {
        let mut deal = deal(kind);
        let (escrow, principal, fund_by) = (deal.escrow, 6_000, deal.terms.fund_by);
        let (buyer, seller) = (deal.terms.buyer, deal.terms.seller);
        let create = deal.create();
        assert_eq!(
            logged(&mut deal, create),
            EscrowEvent::Created(Created { escrow, buyer, seller, principal, fund_by })
        );
        let mut unfunded = deal.fork();
        let cancel = unfunded.cancel(Who::Seller);
        assert_eq!(logged(&mut unfunded, cancel), EscrowEvent::Cancelled(Cancelled { escrow, refunded: 0 }));

        deal.world.advance(5);
        let fund = deal.fund();
        let cooling_off_end = START + 5 + 60;
        assert_eq!(logged(&mut deal, fund), EscrowEvent::Funded(Funded { escrow, principal, cooling_off_end }));
        deal.ok(deal.release(1, 100));
        let cancel = deal.cancel(Who::Buyer);
        assert_eq!(logged(&mut deal, cancel), EscrowEvent::Cancelled(Cancelled { escrow, refunded: 5_900 }));

        for (recipient, amount) in [(Recipient::Buyer, 5_900), (Recipient::Seller, 90), (Recipient::Fee, 10)] {
            let withdraw = deal.withdraw(recipient);
            assert_eq!(logged(&mut deal, withdraw), EscrowEvent::Withdrawn(Withdrawn { escrow, amount }));
        }
        deal.world.set_time(fund_by);
        let close = deal.close();
        assert_eq!(logged(&mut deal, close), EscrowEvent::Closed(Closed { escrow, surplus: 0 }));
    }
}

#[test]
fn every_decision_is_told_with_what_it_moved() {
    for kind in KINDS {
        let mut deal = deal(kind);
        deal.ok(deal.create());
        deal.ok(deal.fund());
        deal.world.advance(HOUR);
        let (escrow, now, reserved) = (deal.escrow, deal.world.now(), [0; 7]);

        let deliver = deal.deliver(0);
        assert_eq!(
            logged(&mut deal, deliver),
            EscrowEvent::Delivered(Delivered {
                escrow,
                evidence_hash: [1; 32],
                deadline: now + 600,
                milestone: 0,
                reserved
            })
        );
        let dispute = deal.dispute(0);
        assert_eq!(
            logged(&mut deal, dispute),
            EscrowEvent::Disputed(Disputed {
                escrow,
                reason_hash: [2; 32],
                deadline: now + 700,
                milestone: 0,
                reserved
            })
        );
        let release = deal.release(2, 500);
        assert_eq!(
            logged(&mut deal, release),
            EscrowEvent::Released(Released {
                escrow,
                to_seller: 450,
                fee: 50,
                remaining: 2_500,
                milestone: 2,
                reserved
            })
        );
        let refund = deal.refund(2, 200);
        assert_eq!(
            logged(&mut deal, refund),
            EscrowEvent::Refunded(Refunded { escrow, to_buyer: 200, remaining: 2_300, milestone: 2, reserved })
        );
        // 1 % for the arbiter, of the other 990 a half each, of the seller's 10 % as the fee, rounded over all releases.
        let rule = deal.rule(0, 5_000);
        let decided = Decided { to_seller: 446, fee: 49, to_buyer: 495, milestone: 0, reserved };
        assert_eq!(
            logged(&mut deal, rule),
            EscrowEvent::Ruled(Ruled { escrow, rationale_hash: [3; 32], decided, to_arbiter: 10 })
        );
        deal.world.set_time(START + DAY);
        let expire = deal.expire(1);
        let decided = Decided { to_seller: 450, fee: 50, to_buyer: 1_500, milestone: 1, reserved };
        assert_eq!(logged(&mut deal, expire), EscrowEvent::Expired(Expired { escrow, decided }));
    }
}

#[test]
fn proposing_and_accepting_are_told() {
    for kind in KINDS {
        let mut deal = deal(kind);
        deal.ok(deal.create());
        deal.ok(deal.fund());
        let (escrow, reserved, expires_at) = (deal.escrow, [0; 7], deal.world.now() + DAY);

        let replaces = deal.terms.milestones[2].deliver_by;
        let deadline = replaces + 1;
        let extension = deal.extension(2, deadline);
        let propose = deal.propose(Who::Seller, extension);
        let slot = ProposalSlot { replaces, deadline, expires_at, kind: 2, milestone: 2, ..ProposalSlot::default() };
        assert_eq!(logged(&mut deal, propose), EscrowEvent::Proposed(Proposed { escrow, proposal: slot }));
        let accept = deal.accept(Who::Buyer, extension);
        let decided = Decided { milestone: 2, ..Decided::default() };
        assert_eq!(logged(&mut deal, accept), EscrowEvent::Accepted(Accepted { escrow, decided, deadline }));

        let split = deal.split(1, 1_200);
        let propose = deal.propose(Who::Buyer, split);
        let slot = ProposalSlot {
            remaining: 2_000,
            to_seller: 1_200,
            expires_at,
            kind: 1,
            milestone: 1,
            ..ProposalSlot::default()
        };
        assert_eq!(logged(&mut deal, propose), EscrowEvent::Proposed(Proposed { escrow, proposal: slot }));
        let accept = deal.accept(Who::Seller, split);
        let decided = Decided { to_seller: 1_080, fee: 120, to_buyer: 800, milestone: 1, reserved };
        assert_eq!(logged(&mut deal, accept), EscrowEvent::Accepted(Accepted { escrow, decided, deadline: 0 }));

        // In another status than the first, which is 0.
        deal.world.advance(60);
        deal.ok(deal.deliver(0));
        let (split, status, expires_at) = (deal.split(0, 7), MilestoneStatus::Delivered.byte(), expires_at + 60);
        let propose = deal.propose(Who::Buyer, split);
        let slot =
            ProposalSlot { remaining: 1_000, to_seller: 7, expires_at, kind: 1, status, ..ProposalSlot::default() };
        assert_eq!(logged(&mut deal, propose), EscrowEvent::Proposed(Proposed { escrow, proposal: slot }));

        let withdrawn = deal.propose(Who::Buyer, Proposal::Withdrawn);
        let proposal = ProposalSlot::default();
        assert_eq!(logged(&mut deal, withdrawn), EscrowEvent::Proposed(Proposed { escrow, proposal }));
    }
}

/// The deadline that holds, which with a hash-lock may be the one from before.
#[test]
fn a_delivery_and_a_dispute_tell_the_deadline_that_holds() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |world, terms| {
            lock(terms);
            terms.attester = world.attester.pubkey();
        });
        let (escrow, deadline, reserved) = (deal.escrow, deal.terms.milestones[0].deliver_by, [0; 7]);
        let deliver = deal.deliver(0);
        let delivered = Delivered { escrow, evidence_hash: [1; 32], deadline, milestone: 0, reserved };
        assert_eq!(logged(&mut deal, deliver), EscrowEvent::Delivered(delivered));
        let dispute = deal.dispute(0);
        let disputed = Disputed { escrow, reason_hash: [2; 32], deadline, milestone: 0, reserved };
        assert_eq!(logged(&mut deal, dispute), EscrowEvent::Disputed(disputed));
    }
}

#[test]
fn a_claim_is_told() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |world, terms| {
            lock(terms);
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 250);
        });
        let claim = deal.claim(0, SECRET);
        let escrow = deal.escrow;
        assert_eq!(logged(&mut deal, claim), EscrowEvent::Claimed(Claimed { escrow, to_seller: 975, fee: 25 }));
    }
}

#[test]
fn a_surplus_that_closing_pays_out_is_told() {
    let mut deal = Deal::funded(Kind::Token, &[1_000], plain);
    deal.ok(deal.refund(0, 1_000));
    deal.withdraw_all();
    deal.world.mint_to_account(&deal.vault(), 42);
    deal.uninvited = 42;
    deal.world.set_time(deal.terms.fund_by);
    let close = Act::new(escrow_client::instruction::close(&deal.account(), true), &[]);
    let escrow = deal.escrow;
    assert_eq!(logged(&mut deal, close), EscrowEvent::Closed(Closed { escrow, surplus: 42 }));
}
