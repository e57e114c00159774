//! Extensions: both parties move the present deadline of a milestone to a later one, whatever its status.

use escrow_client::{EscrowError::*, Milestone, MilestoneStatus, Proposal, escrow::state::ProposalSlot};
use escrow_tests::{DAY, HOUR, KINDS, Kind, SECRET, START, Who, case, deal::*};
use solana_signer::Signer;

const AMOUNT: u64 = 1_000_003;

/// A funded escrow whose second milestone has this status.
fn at(kind: Kind, status: MilestoneStatus) -> Deal {
    let mut deal = Deal::funded(kind, &[1_000, AMOUNT], all_different);
    deal.bring_to(1, status);
    deal
}

/// Calls `test` on each asset and each status that has a deadline.
fn in_every_status(test: impl Fn(Deal, MilestoneStatus)) {
    for kind in KINDS {
        for status in UNSETTLED {
            case(format_args!("{kind:?}, {status:?}"));
            test(at(kind, status), status);
        }
    }
}

/// An extension of the second milestone, open for a day.
fn extension(deal: &Deal, status: MilestoneStatus, replaces: i64, deadline: i64) -> Proposal {
    Proposal::Extension { milestone: 1, status, replaces, deadline, expires_at: deal.world.now() + DAY }
}

// What it does ---------------------------------------------------------------------------------------------------------

#[test]
fn an_extension_that_both_want_moves_the_present_deadline_only() {
    in_every_status(|deal, _| {
        for (proposer, acceptor, _) in BOTH_WAYS {
            let mut deal = deal.fork();
            let before = deal.account();
            let deadline = before.milestones[1].deadline;
            let extension = deal.extension(1, deadline + 1);
            deal.ok(deal.propose(proposer, extension));
            assert_eq!(deal.account().milestones, before.milestones);
            deal.ok(deal.accept(acceptor, extension));
            let after = deal.account();
            let expected = Milestone { deadline: deadline + 1, ..before.milestones[1] };
            assert_eq!(after.milestones, [before.milestones[0], expected]);
            assert_eq!(after.state, before.state);
            // The terms stay, and with them the address that is derived from their hash.
            assert_eq!(after.terms(), deal.terms);
            assert_eq!(Ok(after.state.terms_hash), deal.terms.hash());
        }
    });
}

#[test]
fn after_an_extension_everybody_has_until_the_new_deadline() {
    in_every_status(|mut deal, status| {
        let old = deal.milestone(1).deadline;
        let new = old + DAY;
        deal.extend(1, new);
        let moments = around(old).into_iter().map(|(at, _)| (at, true)).chain(around(new));
        for (at, in_time) in moments {
            let mut deal = deal.fork();
            deal.world.set_time(at);
            if in_time {
                deal.refused(deal.expire(1), DeadlineNotReached);
                deal.ok(deal.turn(1));
            } else {
                deal.refused(deal.turn(1), DeadlinePassed);
                deal.ok(deal.expire(1));
                deal.assert_divided(AMOUNT, floor_share(AMOUNT, deal.default_bps(status)));
            }
        }
    });
}

/// More time to deliver is no more time to review, and more time to review none to rule.
#[test]
fn an_extension_does_not_outlive_the_status_it_was_made_for() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[AMOUNT], all_different);
        deal.extend(0, START + 100 * DAY);
        deal.ok(deal.deliver(0));
        let review = i64::from(deal.terms.milestones[0].review_window);
        assert_eq!(deal.milestone(0).deadline, START + review);
        deal.extend(0, START + 200 * DAY);
        deal.ok(deal.dispute(0));
        assert_eq!(deal.milestone(0).deadline, START + i64::from(deal.terms.ruling_window));
        deal.extend(0, START + 300 * DAY);
        deal.ok(deal.rule(0, 0));
        assert_eq!(deal.milestone(0).deadline, 0);
    }
}

/// With a hash-lock a deadline that was extended does not come nearer either.
#[test]
fn an_extension_of_a_secrets_deadline_outlives_the_delivery_and_the_dispute() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[AMOUNT], |world, terms| {
            lock(terms);
            terms.attester = world.attester.pubkey();
        });
        let mut deadline = START + 10 * DAY;
        for status in UNSETTLED {
            case(format_args!("{kind:?}, {status:?}"));
            deadline += 10 * DAY;
            deal.extend(0, deadline);
            if status != MilestoneStatus::Disputed {
                deal.ok(deal.turn(0));
            }
            assert_eq!(deal.milestone(0).deadline, deadline);
            let mut claimed = deal.fork();
            claimed.world.set_time(deadline - 1);
            claimed.ok(claimed.claim(0, SECRET));
        }
    }
}

#[test]
fn a_deadline_is_extended_again_and_again_each_time_by_both() {
    in_every_status(|mut deal, _| {
        for _ in 0..5 {
            let deadline = deal.milestone(1).deadline;
            deal.world.set_time(deadline - 1);
            deal.extend(1, deadline + HOUR);
            assert_eq!(deal.milestone(1).deadline, deadline + HOUR);
        }
    });
}

#[test]
fn an_extension_applies_to_what_remains() {
    in_every_status(|mut deal, status| {
        deal.ok(deal.release(1, 100));
        let deadline = deal.milestone(1).deadline;
        let extension = deal.extension(1, deadline + HOUR);
        deal.ok(deal.propose(Who::Seller, extension));
        // An amount that is decided meanwhile changes nothing: the extension names none.
        deal.ok(deal.refund(1, 200));
        deal.ok(deal.accept(Who::Buyer, extension));
        assert_eq!(deal.milestones()[1], (status, AMOUNT - 300));
        deal.world.set_time(deadline + HOUR);
        deal.ok(deal.expire(1));
        let released = 100 + floor_share(AMOUNT - 300, deal.default_bps(status));
        deal.assert_divided(AMOUNT, released);
    });
}

// Until when -----------------------------------------------------------------------------------------------------------

/// From the deadline on the default may be applied: an extension then would race with it.
#[test]
fn an_extension_is_proposed_and_accepted_strictly_before_the_deadline_it_replaces() {
    in_every_status(|mut deal, _| {
        let deadline = deal.milestone(1).deadline;
        deal.world.set_time(deadline - 2);
        // Open long after the deadline.
        let extension = deal.extension(1, deadline + HOUR);
        let mut proposed = deal.fork();
        proposed.ok(proposed.propose(Who::Seller, extension));
        for (at, in_time) in around(deadline) {
            let (mut deal, mut proposed) = (deal.fork(), proposed.fork());
            deal.world.set_time(at);
            proposed.world.set_time(at);
            if in_time {
                deal.ok(deal.propose(Who::Buyer, extension));
                proposed.ok(proposed.accept(Who::Buyer, extension));
                assert_eq!(proposed.milestone(1).deadline, deadline + HOUR);
            } else {
                deal.refused(deal.propose(Who::Buyer, extension), DeadlinePassed);
                proposed.refused(proposed.accept(Who::Buyer, extension), DeadlinePassed);
                proposed.ok(proposed.expire(1));
                proposed.refused(proposed.accept(Who::Buyer, extension), MilestoneSettled);
            }
        }
    });
}

#[test]
fn an_extension_that_is_not_later_or_more_than_two_years_ahead_is_refused() {
    in_every_status(|mut deal, _| {
        let (now, deadline) = (deal.world.now(), deal.milestone(1).deadline);
        for new in [i64::MIN, 0, now, deadline - 1, deadline, now + TWO_YEARS + 1, i64::MAX] {
            case(new);
            deal.refused(deal.propose(Who::Seller, deal.extension(1, new)), ExtensionNotLater);
        }
        for new in [deadline + 1, now + TWO_YEARS] {
            let mut deal = deal.fork();
            deal.extend(1, new);
            assert_eq!(deal.milestone(1).deadline, new);
        }
    });
}

/// Two years from when it is accepted, too. Only a clock that went back makes the two differ, as after a restart.
#[test]
fn an_extension_is_at_most_two_years_ahead_when_it_is_accepted() {
    in_every_status(|mut deal, _| {
        deal.world.advance(HOUR);
        let now = deal.world.now();
        let extension = deal.extension(1, now + TWO_YEARS);
        deal.ok(deal.propose(Who::Seller, extension));
        for (at, too_far) in around(now) {
            let mut deal = deal.fork();
            deal.world.set_time(at);
            if too_far {
                deal.refused(deal.accept(Who::Buyer, extension), ExtensionNotLater);
            } else {
                deal.ok(deal.accept(Who::Buyer, extension));
            }
        }
    });
}

// What it names --------------------------------------------------------------------------------------------------------

#[test]
fn an_offer_of_more_time_to_deliver_does_not_become_a_longer_review() {
    for kind in KINDS {
        // With a hash-lock the delivery leaves the deadline as it is: then the status alone tells.
        for locked in [false, true] {
            for (proposer, acceptor, _) in BOTH_WAYS {
                case(format_args!("{kind:?}, hash-lock: {locked}, {proposer:?}"));
                let mut deal = Deal::funded(kind, &[AMOUNT], |world, terms| {
                    terms.attester = world.attester.pubkey();
                    if locked {
                        lock(terms);
                    }
                });
                let replaces = deal.milestone(0).deadline;
                let extension = deal.extension(0, replaces + DAY);
                deal.ok(deal.propose(proposer, extension));
                for _ in 0..2 {
                    deal.ok(deal.turn(0));
                    assert_eq!(deal.milestone(0).deadline == replaces, locked);
                    deal.refused(deal.accept(acceptor, extension), StatusMismatch);
                    deal.refused(deal.propose(proposer, extension), StatusMismatch);
                }
                deal.ok(deal.rule(0, 0));
                deal.refused(deal.accept(acceptor, extension), MilestoneSettled);
                deal.refused(deal.propose(proposer, extension), MilestoneSettled);
            }
        }
    }
}

#[test]
fn an_extension_for_another_status_is_refused() {
    in_every_status(|mut deal, present| {
        let deadline = deal.milestone(1).deadline;
        for status in UNSETTLED.into_iter().chain([MilestoneStatus::Settled]) {
            case(format_args!("for {status:?}"));
            let extension = extension(&deal, status, deadline, deadline + DAY);
            if status == present {
                deal.fork().ok(deal.propose(Who::Buyer, extension));
            } else {
                deal.refused(deal.propose(Who::Buyer, extension), StatusMismatch);
            }
        }
    });
}

#[test]
fn an_extension_of_another_deadline_is_refused() {
    in_every_status(|mut deal, status| {
        let deadline = deal.milestone(1).deadline;
        for replaces in [i64::MIN, 0, START, deadline - 1, deadline + 1, deadline + DAY, i64::MAX] {
            case(format_args!("of {replaces}"));
            let extension = extension(&deal, status, replaces, deadline + DAY);
            deal.refused(deal.propose(Who::Buyer, extension), DeadlineMismatch);
        }
    });
}

#[test]
fn an_extension_that_another_one_overtook_is_refused() {
    in_every_status(|deal, _| {
        let deadline = deal.milestone(1).deadline;
        // Whether it would shorten the time, change nothing, or be more than both agreed to when they added it up.
        for other in [deadline + 10, deadline + 20, deadline + 30] {
            let mut deal = deal.fork();
            let (mine, theirs) = (deal.extension(1, other), deal.extension(1, deadline + 20));
            deal.ok(deal.propose(Who::Buyer, mine));
            deal.ok(deal.propose(Who::Seller, theirs));
            deal.ok(deal.accept(Who::Buyer, theirs));
            deal.refused(deal.accept(Who::Seller, mine), DeadlineMismatch);
            deal.refused(deal.propose(Who::Buyer, mine), DeadlineMismatch);
            assert_eq!(deal.milestone(1).deadline, deadline + 20);
        }
    });
}

#[test]
fn a_settled_milestone_is_not_extended() {
    in_every_status(|mut deal, status| {
        let deadline = deal.milestone(1).deadline;
        let open = deal.extension(1, deadline + DAY);
        deal.ok(deal.propose(Who::Seller, open));
        deal.ok(deal.refund(1, AMOUNT));
        deal.refused(deal.accept(Who::Buyer, open), MilestoneSettled);
        for (status, replaces) in [(status, deadline), (MilestoneStatus::Settled, 0)] {
            let extension = extension(&deal, status, replaces, deadline + DAY);
            deal.refused(deal.propose(Who::Buyer, extension), MilestoneSettled);
        }
        assert_eq!(deal.milestone(1).deadline, 0);
    });
}

/// Which of several mismatches is told: the one that explains the others.
#[test]
fn the_status_is_compared_before_the_deadline_and_the_amount() {
    in_every_status(|mut deal, present| {
        let (deadline, expires_at) = (deal.milestone(1).deadline, deal.world.now() + DAY);
        let split =
            |status, remaining, to_seller| Proposal::Split { milestone: 1, status, remaining, to_seller, expires_at };
        let extension = |status, replaces, new| extension(&deal, status, replaces, new);
        let other = UNSETTLED.into_iter().find(|status| *status != present).expect("another status");
        let cases = [
            (extension(other, deadline + 1, deadline), StatusMismatch),
            (extension(present, deadline + 1, deadline), DeadlineMismatch),
            (extension(present, deadline, deadline), ExtensionNotLater),
            (split(other, AMOUNT + 1, AMOUNT + 2), StatusMismatch),
            (split(present, AMOUNT + 1, AMOUNT + 2), RemainingMismatch),
            (split(present, AMOUNT, AMOUNT + 1), AmountTooHigh),
        ];
        for (proposal, reason) in cases {
            case(format_args!("{proposal:?}"));
            deal.refused(deal.propose(Who::Seller, proposal), reason);
        }
    });
}

// The slots ------------------------------------------------------------------------------------------------------------

#[test]
fn an_extension_that_is_refused_stays_in_its_slot_until_it_is_replaced() {
    in_every_status(|mut deal, _| {
        let deadline = deal.milestone(1).deadline;
        let (mine, theirs) = (deal.extension(1, deadline + 10), deal.extension(1, deadline + 20));
        deal.ok(deal.propose(Who::Buyer, mine));
        deal.ok(deal.propose(Who::Seller, theirs));
        deal.ok(deal.accept(Who::Buyer, theirs));
        deal.refused(deal.accept(Who::Seller, mine), DeadlineMismatch);
        let slots = |deal: &Deal| [deal.account().state.buyer_proposal, deal.account().state.seller_proposal];
        assert_eq!(slots(&deal), [ProposalSlot::from(mine), ProposalSlot::default()]);
        let again = deal.extension(1, deadline + 30);
        deal.ok(deal.propose(Who::Buyer, again));
        deal.ok(deal.accept(Who::Seller, again));
        assert_eq!((slots(&deal), deal.milestone(1).deadline), ([ProposalSlot::default(); 2], deadline + 30));
    });
}

#[test]
fn offers_that_nobody_took_hold_up_nothing() {
    in_every_status(|mut deal, _| {
        let deadline = deal.milestone(1).deadline;
        let (extension, split) = (deal.extension(1, deadline + TWO_YEARS / 2), deal.split(1, 1));
        deal.ok(deal.propose(Who::Buyer, extension));
        deal.ok(deal.propose(Who::Seller, split));
        deal.ok(deal.refund(0, 1_000));
        deal.world.set_time(deadline);
        deal.ok(deal.expire(1));
        deal.withdraw_all();
        deal.wait_and_close();
    });
}
