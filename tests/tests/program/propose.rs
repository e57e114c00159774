//! `propose` and `accept`: a settlement between the parties, in two transactions.

use escrow_client::{EscrowError::*, MilestoneStatus, Proposal, escrow::state::ProposalSlot};
use escrow_tests::{DAY, KINDS, START, Who, case, deal::*};
use solana_signer::Signer;

fn slots(deal: &Deal) -> [ProposalSlot; 2] {
    let state = deal.account().state;
    [state.buyer_proposal, state.seller_proposal]
}

// Splits ---------------------------------------------------------------------------------------------------------------

#[test]
fn a_split_that_both_want_settles_the_milestone_in_every_status_and_at_any_time() {
    for kind in KINDS {
        for (proposer, acceptor, _) in BOTH_WAYS {
            for steps in 0..3 {
                for late in [false, true] {
                    for to_seller in [0, 1, 333, 1_000] {
                        case(format_args!("{kind:?}, {proposer:?}, {steps}, late: {late}, {to_seller}"));
                        let mut deal = Deal::funded(kind, &[1_000, 7], |world, terms| {
                            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
                        });
                        if steps >= 1 {
                            deal.ok(deal.deliver(0));
                        }
                        if steps == 2 {
                            deal.ok(deal.dispute(0));
                        }
                        if late {
                            deal.world.set_time(deal.milestone(0).deadline);
                        }
                        let other = deal.milestone(1);
                        let split = deal.split(0, to_seller);
                        deal.ok(deal.propose(proposer, split));
                        deal.assert_ledger([0; 4], [0; 4]);
                        deal.ok(deal.accept(acceptor, split));
                        let fee = to_seller / 10;
                        deal.assert_ledger(
                            [to_seller, 1_000 - to_seller, fee, 0],
                            [1_000 - to_seller, to_seller - fee, fee, 0],
                        );
                        assert_eq!(
                            (deal.milestones()[0], deal.milestone(0).deadline),
                            ((MilestoneStatus::Settled, 0), 0)
                        );
                        assert_eq!(deal.milestone(1), other);
                        assert_eq!(slots(&deal), [ProposalSlot::default(); 2]);
                    }
                }
            }
        }
    }
}

#[test]
fn a_proposal_fills_only_the_slot_of_its_proposer() {
    for kind in KINDS {
        for (proposer, _, party) in BOTH_WAYS {
            let mut deal = Deal::funded(kind, &[1_000], plain);
            let before = deal.account();
            let split = deal.split(0, 400);
            deal.ok(deal.propose(proposer, split));
            let after = deal.account();
            assert_eq!(*after.state.slot(party), ProposalSlot::from(split));
            assert_eq!(*after.state.slot(party.other()), ProposalSlot::default());
            assert_eq!((after.milestones, after.state.ledger), (before.milestones, before.state.ledger));
            // Again, the same: nothing changes.
            deal.ok(deal.propose(proposer, split));
            assert_eq!(*deal.account().state.slot(party), ProposalSlot::from(split));
        }
    }
}

#[test]
fn a_split_of_something_else_than_what_remains_is_refused() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        let split = |remaining, to_seller| Proposal::Split {
            milestone: 0,
            status: MilestoneStatus::Pending,
            remaining,
            to_seller,
            expires_at: START + DAY,
        };
        for remaining in [0, 999, 1_001, u64::MAX] {
            deal.refused(deal.propose(Who::Buyer, split(remaining, 0)), RemainingMismatch);
        }
        for to_seller in [1_001, u64::MAX] {
            deal.refused(deal.propose(Who::Buyer, split(1_000, to_seller)), AmountTooHigh);
        }
        deal.ok(deal.release(0, 1_000));
        deal.refused(deal.propose(Who::Buyer, split(0, 0)), MilestoneSettled);
    }
}

#[test]
fn a_proposal_is_stale_when_the_remaining_amount_changed() {
    for kind in KINDS {
        for (proposer, acceptor, _) in BOTH_WAYS {
            let mut deal = Deal::funded(kind, &[1_000], plain);
            let split = deal.split(0, 400);
            deal.ok(deal.propose(proposer, split));
            let mut released = deal.fork();
            released.ok(released.release(0, 1));
            released.refused(released.accept(acceptor, split), RemainingMismatch);
            let mut refunded = deal.fork();
            refunded.ok(refunded.refund(0, 1));
            refunded.refused(refunded.accept(acceptor, split), RemainingMismatch);
            deal.ok(deal.refund(0, 1_000));
            deal.refused(deal.accept(acceptor, split), MilestoneSettled);
        }
    }
}

/// What was offered while nothing was delivered cannot be taken after the delivery, the dispute or the ruling.
#[test]
fn a_split_does_not_outlive_the_status_it_was_offered_in() {
    for kind in KINDS {
        for (proposer, acceptor, _) in BOTH_WAYS {
            for status in UNSETTLED {
                case(format_args!("{kind:?}, {proposer:?}, {status:?}"));
                let mut deal = Deal::funded(kind, &[1_000], plain);
                deal.bring_to(0, status);
                let split = deal.split(0, 400);
                deal.ok(deal.propose(proposer, split));
                // It waits, in whatever status comes, until nothing remains.
                for _ in deal.milestones()[0].0.byte()..MilestoneStatus::Disputed.byte() {
                    deal.ok(deal.turn(0));
                    deal.refused(deal.accept(acceptor, split), StatusMismatch);
                    deal.refused(deal.propose(proposer, split), StatusMismatch);
                }
                deal.ok(deal.rule(0, 0));
                deal.refused(deal.accept(acceptor, split), MilestoneSettled);
                deal.refused(deal.propose(proposer, split), MilestoneSettled);
                deal.assert_ledger([0, 1_000, 0, 0], [1_000, 0, 0, 0]);
            }
        }
    }
}

/// A split names a status: any other than the present one is none.
#[test]
fn a_split_for_another_status_is_refused() {
    for kind in KINDS {
        for present in UNSETTLED {
            let mut deal = Deal::funded(kind, &[1_000], plain);
            deal.bring_to(0, present);
            let split = |status| Proposal::Split {
                milestone: 0,
                status,
                remaining: 1_000,
                to_seller: 400,
                expires_at: START + DAY,
            };
            for status in UNSETTLED.into_iter().chain([MilestoneStatus::Settled]) {
                case(format_args!("{kind:?}, {present:?}, for {status:?}"));
                if status == present {
                    deal.fork().ok(deal.propose(Who::Buyer, split(status)));
                } else {
                    deal.refused(deal.propose(Who::Buyer, split(status)), StatusMismatch);
                }
            }
            deal.ok(deal.refund(0, 1_000));
            for status in UNSETTLED.into_iter().chain([MilestoneStatus::Settled]) {
                deal.refused(deal.propose(Who::Buyer, split(status)), MilestoneSettled);
            }
        }
    }
}

// Who, which and until when --------------------------------------------------------------------------------------------

#[test]
fn only_the_other_party_accepts() {
    for kind in KINDS {
        for (proposer, acceptor, _) in BOTH_WAYS {
            let mut deal = Deal::funded(kind, &[1_000], plain);
            let deadline = deal.milestone(0).deadline;
            for proposal in [deal.split(0, 400), deal.extension(0, deadline + DAY)] {
                deal.ok(deal.propose(proposer, proposal));
                deal.refused(deal.accept(proposer, proposal), ProposalMissing);
                for who in Who::ALL.into_iter().filter(|who| ![proposer, acceptor].contains(who)) {
                    deal.refused(deal.accept(who, proposal), NotParty);
                }
                let mut deal = deal.fork();
                deal.ok(deal.accept(acceptor, proposal));
            }
        }
    }
}

#[test]
fn only_the_parties_propose() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        let split = deal.split(0, 400);
        for who in Who::ALL.into_iter().filter(|who| ![Who::Buyer, Who::Seller].contains(who)) {
            deal.refused(deal.propose(who, split), NotParty);
            deal.refused(deal.propose(who, Proposal::Withdrawn), NotParty);
        }
    }
}

#[test]
fn a_proposal_that_was_replaced_between_reading_and_accepting_is_refused() {
    for kind in KINDS {
        for (proposer, acceptor, _) in BOTH_WAYS {
            let mut deal = Deal::funded(kind, &[1_000, 1_000], plain);
            let expires_at = START + DAY;
            let read = Proposal::Split {
                milestone: 0,
                status: MilestoneStatus::Pending,
                remaining: 1_000,
                to_seller: 400,
                expires_at,
            };
            let replacements = [
                Proposal::Split {
                    milestone: 1,
                    status: MilestoneStatus::Pending,
                    remaining: 1_000,
                    to_seller: 400,
                    expires_at,
                },
                Proposal::Split {
                    milestone: 0,
                    status: MilestoneStatus::Pending,
                    remaining: 1_000,
                    to_seller: 401,
                    expires_at,
                },
                Proposal::Split {
                    milestone: 0,
                    status: MilestoneStatus::Pending,
                    remaining: 1_000,
                    to_seller: 400,
                    expires_at: expires_at + 1,
                },
                Proposal::Extension {
                    milestone: 0,
                    status: MilestoneStatus::Pending,
                    replaces: START + 10 * DAY,
                    deadline: START + 20 * DAY,
                    expires_at,
                },
            ];
            for replacement in replacements {
                case(format_args!("{kind:?}, {proposer:?}, {replacement:?}"));
                deal.ok(deal.propose(proposer, read));
                deal.ok(deal.propose(proposer, replacement));
                deal.refused(deal.accept(acceptor, read), ProposalMismatch);
                let mut deal = deal.fork();
                deal.ok(deal.accept(acceptor, replacement));
            }
        }
    }
}

/// One byte of the proposal that is accepted is another one than in the slot.
#[test]
fn a_proposal_that_differs_in_any_byte_is_not_the_one_in_the_slot() {
    for kind in KINDS {
        for (proposer, acceptor, _) in BOTH_WAYS {
            let deal = Deal::funded(kind, &[1_000, 1_000], plain);
            let extension = deal.extension(0, START + 20 * DAY);
            for proposal in [deal.split(0, 400), extension] {
                let mut deal = deal.fork();
                deal.ok(deal.propose(proposer, proposal));
                let accept = deal.accept(acceptor, proposal);
                // Behind the instruction's number and the kind of the proposal: milestone, status and three numbers.
                for index in 2..accept.instruction.data.len() {
                    case(format_args!("{kind:?}, {proposer:?}, {proposal:?}, byte {index}"));
                    deal.refused(accept.clone().data(|data| data[index] ^= 1), ProposalMismatch);
                }
                deal.ok(accept);
            }
        }
    }
}

#[test]
fn a_proposal_that_was_withdrawn_or_never_made_is_refused() {
    for kind in KINDS {
        for (proposer, acceptor, _) in BOTH_WAYS {
            let mut deal = Deal::funded(kind, &[1_000], plain);
            let split = deal.split(0, 400);
            deal.refused(deal.accept(acceptor, split), ProposalMissing);
            deal.refused(deal.accept(acceptor, Proposal::Withdrawn), ProposalMismatch);
            deal.ok(deal.propose(proposer, split));
            deal.refused(deal.accept(acceptor, Proposal::Withdrawn), ProposalMismatch);
            deal.ok(deal.propose(proposer, Proposal::Withdrawn));
            assert_eq!(slots(&deal), [ProposalSlot::default(); 2]);
            deal.refused(deal.accept(acceptor, split), ProposalMissing);
            // Withdrawing from an empty slot changes nothing.
            deal.ok(deal.propose(proposer, Proposal::Withdrawn));
        }
    }
}

#[test]
fn a_proposal_is_accepted_strictly_before_it_expires() {
    for kind in KINDS {
        for (proposer, acceptor, _) in BOTH_WAYS {
            let deal = Deal::funded(kind, &[1_000], plain);
            let expires_at = START + 500;
            let proposals = [
                Proposal::Split {
                    milestone: 0,
                    status: MilestoneStatus::Pending,
                    remaining: 1_000,
                    to_seller: 400,
                    expires_at,
                },
                Proposal::Extension {
                    milestone: 0,
                    status: MilestoneStatus::Pending,
                    replaces: START + 10 * DAY,
                    deadline: START + 20 * DAY,
                    expires_at,
                },
            ];
            for proposal in proposals {
                for (at, accepted) in [(expires_at - 1, true), (expires_at, false), (expires_at + 1, false)] {
                    let mut deal = deal.fork();
                    deal.ok(deal.propose(proposer, proposal));
                    deal.world.set_time(at);
                    if accepted {
                        deal.ok(deal.accept(acceptor, proposal));
                    } else {
                        deal.refused(deal.accept(acceptor, proposal), ProposalExpired);
                    }
                }
            }
        }
    }
}

#[test]
fn a_proposals_expiry_lies_ahead_at_most_two_years() {
    for kind in KINDS {
        let deal = Deal::funded(kind, &[1_000], plain);
        let proposals: [fn(i64) -> Proposal; 2] = [
            |expires_at| Proposal::Split {
                milestone: 0,
                status: MilestoneStatus::Pending,
                remaining: 1_000,
                to_seller: 400,
                expires_at,
            },
            |expires_at| Proposal::Extension {
                milestone: 0,
                status: MilestoneStatus::Pending,
                replaces: START + 10 * DAY,
                deadline: START + 20 * DAY,
                expires_at,
            },
        ];
        for proposal in proposals {
            let mut deal = deal.fork();
            for expires_at in [i64::MIN, 0, START - 1, START, START + TWO_YEARS + 1, i64::MAX] {
                deal.refused(deal.propose(Who::Buyer, proposal(expires_at)), ProposalExpiry);
            }
            for expires_at in [START + 1, START + TWO_YEARS] {
                deal.ok(deal.propose(Who::Buyer, proposal(expires_at)));
            }
        }
    }
}

#[test]
fn proposals_need_a_funded_escrow_and_a_milestone_that_exists() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], plain);
        let split = deal.split(0, 400);
        for proposal in [split, Proposal::Withdrawn] {
            deal.refused(deal.propose(Who::Buyer, proposal), NotFunded);
        }
        deal.refused(deal.accept(Who::Seller, split), NotFunded);
        deal.ok(deal.fund());
        for milestone in [1, 7, 8, 255] {
            for proposal in [deal.split(milestone, 0), deal.extension(milestone, START + 20 * DAY)] {
                deal.refused(deal.propose(Who::Buyer, proposal), MilestoneMissing);
                deal.refused(deal.accept(Who::Seller, proposal), MilestoneMissing);
            }
        }
    }
}

// Both slots -----------------------------------------------------------------------------------------------------------

#[test]
fn both_parties_may_have_a_proposal_open_at_once() {
    for kind in KINDS {
        for (first, second, party) in BOTH_WAYS {
            let mut deal = Deal::funded(kind, &[1_000, 500], plain);
            let (mine, theirs) = (deal.split(0, 100), deal.split(1, 200));
            deal.ok(deal.propose(first, mine));
            deal.ok(deal.propose(second, theirs));
            // Neither is accepted in the other's place.
            deal.refused(deal.accept(first, mine), ProposalMismatch);
            deal.refused(deal.accept(second, theirs), ProposalMismatch);
            deal.ok(deal.accept(second, mine));
            assert_eq!(*deal.account().state.slot(party), ProposalSlot::default());
            assert_eq!(*deal.account().state.slot(party.other()), ProposalSlot::from(theirs));
            deal.ok(deal.accept(first, theirs));
            deal.assert_ledger([300, 1_200, 0, 0], [1_200, 300, 0, 0]);
            assert_eq!(slots(&deal), [ProposalSlot::default(); 2]);
        }
    }
}

#[test]
fn the_same_proposal_of_both_applies_once() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        let split = deal.split(0, 400);
        deal.ok(deal.propose(Who::Buyer, split));
        deal.ok(deal.propose(Who::Seller, split));
        deal.ok(deal.accept(Who::Seller, split));
        deal.refused(deal.accept(Who::Buyer, split), MilestoneSettled);
        deal.refused(deal.accept(Who::Seller, split), ProposalMissing);
        deal.assert_ledger([400, 600, 0, 0], [600, 400, 0, 0]);

        let mut deal = Deal::funded(kind, &[1_000], plain);
        let deadline = deal.milestone(0).deadline;
        let extension = deal.extension(0, deadline + DAY);
        deal.ok(deal.propose(Who::Buyer, extension));
        deal.ok(deal.propose(Who::Seller, extension));
        deal.ok(deal.accept(Who::Seller, extension));
        deal.refused(deal.accept(Who::Buyer, extension), DeadlineMismatch);
    }
}

#[test]
fn an_accepted_proposal_cannot_be_accepted_again() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        let deadline = deal.milestone(0).deadline;
        let extension = deal.extension(0, deadline + DAY);
        deal.ok(deal.propose(Who::Seller, extension));
        deal.ok(deal.accept(Who::Buyer, extension));
        deal.refused(deal.accept(Who::Buyer, extension), ProposalMissing);
        let split = deal.split(0, 0);
        deal.ok(deal.propose(Who::Seller, split));
        deal.ok(deal.accept(Who::Buyer, split));
        deal.refused(deal.accept(Who::Buyer, split), ProposalMissing);
    }
}
