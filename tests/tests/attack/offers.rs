//! Offers that outlive what they were made for.

use escrow_tests::{DAY, START};

use crate::{
    referee::Live,
    stage::{Asset, Stage},
    wire::{DELIVERED, DISPUTED, Deed, Offer, PENDING, SETTLED, Stone, TWO_YEARS},
};

/// An offer to split the milestone as it stands: the seller gets a tenth.
fn split(stage: &Stage, milestone: u8, expires_at: i64) -> Offer {
    let Live { remaining, status, .. } = stage.deal.stones[usize::from(milestone)];
    Offer::Split { milestone, status, remaining, to_seller: remaining / 10, expires_at }
}

/// An offer to move the milestone's present deadline by so many seconds.
fn longer(stage: &Stage, milestone: u8, by: i64, expires_at: i64) -> Offer {
    let Live { deadline, status, .. } = stage.deal.stones[usize::from(milestone)];
    Offer::Extension { milestone, status, replaces: deadline, deadline: deadline + by, expires_at }
}

fn two_stones() -> Stage {
    Stage::funded(Asset::Sol, |terms| {
        let stone = terms.stones[0].clone();
        terms.stones.push(stone);
    })
}

#[test]
fn an_offer_on_a_pending_milestone_is_dead_after_delivery_and_dispute() {
    let expires_at = START + TWO_YEARS;
    for make in [split as fn(&Stage, u8, i64) -> Offer, |stage, milestone, at| longer(stage, milestone, 9, at)] {
        let mut stage = Stage::funded(Asset::Sol, |_| ());
        let (buyer, seller) = (stage.buyer(), stage.seller());
        let pending = make(&stage, 0, expires_at);
        stage.must(buyer, Deed::Propose(pending));
        // In the seller's own transaction too: he cannot deliver and take what was offered for nothing.
        let order = [(seller, Deed::Deliver(0)), (seller, Deed::Accept(pending))];
        assert!(stage.play(&order).is_err());
        stage.must(seller, Deed::Deliver(0));
        assert!(stage.play(&[(seller, Deed::Accept(pending))]).is_err());
        let delivered = make(&stage, 0, expires_at);
        stage.must(buyer, Deed::Propose(delivered));
        stage.must(buyer, Deed::Dispute(0));
        assert!(stage.play(&[(seller, Deed::Accept(delivered))]).is_err());
        let disputed = make(&stage, 0, expires_at);
        stage.must(buyer, Deed::Propose(disputed));
        stage.must(stage.arbiter(), Deed::Rule(0, 0));
        assert!(stage.play(&[(seller, Deed::Accept(disputed))]).is_err());
        stage.finish();
    }
}

#[test]
fn an_offer_is_dead_once_a_part_was_released_or_refunded() {
    let stage = two_stones();
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let expected = stage.deal.stones[0].remaining;
    let offer = split(&stage, 0, START + DAY);
    for (actor, partial) in [
        (buyer, Deed::Release { milestone: 0, amount: 1, expected }),
        (seller, Deed::Refund { milestone: 0, amount: 1, expected }),
        (buyer, Deed::Release { milestone: 0, amount: expected, expected }),
    ] {
        let mut stage = stage.fork();
        stage.must(buyer, Deed::Propose(offer));
        stage.must(actor, partial);
        assert!(stage.play(&[(seller, Deed::Accept(offer))]).is_err());
        // The same numbers for the twin beside it are not the same offer.
        let Offer::Split { status, remaining, to_seller, expires_at, .. } = offer else { unreachable!() };
        let twin = Offer::Split { milestone: 1, status, remaining, to_seller, expires_at };
        stage.cannot(seller, Deed::Accept(twin), 6086);
        stage.finish();
    }
}

#[test]
fn an_acceptance_is_used_up() {
    for asset in crate::stage::ASSETS {
        let stage = Stage::funded(asset, |_| ());
        let (buyer, seller) = (stage.buyer(), stage.seller());
        for offer in [split(&stage, 0, START + DAY), longer(&stage, 0, 60, START + DAY)] {
            let mut stage = stage.fork();
            stage.must(buyer, Deed::Propose(offer));
            let twice = [(seller, Deed::Accept(offer)), (seller, Deed::Accept(offer))];
            assert!(stage.play(&twice).is_err());
            stage.must(seller, Deed::Accept(offer));
            stage.cannot(seller, Deed::Accept(offer), 6085);
            stage.finish();
        }
    }
}

#[test]
fn the_same_offer_in_both_slots_counts_once() {
    let stage = Stage::funded(Asset::Sol, |_| ());
    let (buyer, seller) = (stage.buyer(), stage.seller());
    for (offer, dead) in [(split(&stage, 0, START + DAY), 6073), (longer(&stage, 0, 60, START + DAY), 6096)] {
        for (first, second) in [(buyer, seller), (seller, buyer)] {
            let mut stage = stage.fork();
            stage.must(buyer, Deed::Propose(offer));
            stage.must(seller, Deed::Propose(offer));
            stage.must(first, Deed::Accept(offer));
            stage.cannot(second, Deed::Accept(offer), dead);
            // What is left in a slot is nobody's any more; its owner can still empty it.
            stage.must(first, Deed::Propose(Offer::Nothing));
            stage.finish();
        }
    }
}

#[test]
fn nobody_accepts_what_they_proposed_themselves_or_was_not_proposed() {
    let mut stage = Stage::funded(Asset::Sol, |_| ());
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let offer = split(&stage, 0, START + DAY);
    stage.must(seller, Deed::Propose(offer));
    stage.cannot(seller, Deed::Accept(offer), 6085);
    for actor in [stage.arbiter(), stage.stranger(), stage.deal.terms.fee_recipient, stage.deal.rent_payer] {
        stage.cannot(actor, Deed::Accept(offer), 6044);
        stage.cannot(actor, Deed::Propose(offer), 6044);
    }
    // A better price in the acceptance than in the slot.
    let Offer::Split { milestone, status, remaining, expires_at, .. } = offer else { unreachable!() };
    for to_seller in [0, remaining / 10 - 1, remaining / 10 + 1, remaining] {
        let better = Offer::Split { milestone, status, remaining, to_seller, expires_at };
        stage.cannot(buyer, Deed::Accept(better), 6086);
    }
    stage.must(seller, Deed::Propose(Offer::Nothing));
    stage.cannot(buyer, Deed::Accept(offer), 6085);
}

#[test]
fn an_offer_dies_in_the_second_that_it_names() {
    for offset in [-1, 0, 1] {
        let mut stage = Stage::funded(Asset::Sol, |_| ());
        let (buyer, seller) = (stage.buyer(), stage.seller());
        let offer = split(&stage, 0, START + 50);
        stage.must(buyer, Deed::Propose(offer));
        stage.at(START + 50 + offset);
        let result = stage.play(&[(seller, Deed::Accept(offer))]);
        assert_eq!(result.is_ok(), offset < 0);
    }
}

#[test]
fn accepting_more_time_and_the_default_never_race() {
    for status in [PENDING, DELIVERED, DISPUTED] {
        for offset in [-1, 0, 1] {
            let mut stage = Stage::funded(Asset::Sol, |_| ());
            let (buyer, seller, stranger) = (stage.buyer(), stage.seller(), stage.stranger());
            if status >= DELIVERED {
                stage.must(seller, Deed::Deliver(0));
            }
            if status == DISPUTED {
                stage.must(buyer, Deed::Dispute(0));
            }
            let offer = longer(&stage, 0, 1, START + TWO_YEARS);
            stage.must(seller, Deed::Propose(offer));
            stage.at(stage.deal.stones[0].deadline + offset);
            let accept = (buyer, Deed::Accept(offer));
            let expire = (stranger, Deed::Expire(0));
            let accepted = stage.fork().play(&[accept]).is_ok();
            let expired = stage.fork().play(&[expire]).is_ok();
            assert_eq!((accepted, expired), (offset < 0, offset >= 0));
            assert!(stage.fork().play(&[accept, expire]).is_err());
            assert!(stage.fork().play(&[expire, accept]).is_err());
            stage.finish();
        }
    }
}

#[test]
fn a_deadline_only_moves_away_and_at_most_two_years_ahead() {
    let mut stage = Stage::funded(Asset::Sol, |_| ());
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let Live { deadline: replaces, status, .. } = stage.deal.stones[0];
    let expires_at = START + DAY;
    let offer = |deadline| Offer::Extension { milestone: 0, status, replaces, deadline, expires_at };
    for deadline in [i64::MIN, -1, 0, START, replaces - 1, replaces, START + TWO_YEARS + 1, i64::MAX - 1, i64::MAX] {
        stage.cannot(seller, Deed::Propose(offer(deadline)), 6089);
    }
    for expires_at in [i64::MIN, 0, START, START + TWO_YEARS + 1, i64::MAX] {
        let dead = Offer::Extension { milestone: 0, status, replaces, deadline: replaces + 1, expires_at };
        stage.cannot(seller, Deed::Propose(dead), 6088);
    }
    for replaces in [i64::MIN, 0, replaces - 1, replaces + 1, i64::MAX] {
        let other = Offer::Extension { milestone: 0, status, replaces, deadline: replaces.max(START), expires_at };
        assert!(stage.play(&[(seller, Deed::Propose(other))]).is_err());
    }
    stage.must(seller, Deed::Propose(offer(START + TWO_YEARS)));
    stage.must(buyer, Deed::Accept(offer(START + TWO_YEARS)));
    assert_eq!(stage.deal.stones[0].deadline, START + TWO_YEARS);
    stage.finish();
}

#[test]
fn a_chain_of_extensions_goes_as_far_as_both_agree_and_no_further() {
    let mut stage = Stage::funded(Asset::Token, |_| ());
    let (buyer, seller) = (stage.buyer(), stage.seller());
    for _ in 0..5 {
        let now = stage.world.now();
        let Live { deadline: replaces, status, .. } = stage.deal.stones[0];
        let offer = |deadline| Offer::Extension { milestone: 0, status, replaces, deadline, expires_at: now + 1 };
        stage.cannot(seller, Deed::Propose(offer(now + TWO_YEARS + 1)), 6089);
        stage.must(seller, Deed::Propose(offer(now + TWO_YEARS)));
        stage.must(buyer, Deed::Accept(offer(now + TWO_YEARS)));
        stage.at(now + TWO_YEARS - 1);
    }
    // Ten years later the ordinary ways are still there.
    stage.must(seller, Deed::Deliver(0));
    stage.must(buyer, Deed::Dispute(0));
    stage.finish();
}

#[test]
fn an_extension_of_one_deadline_is_none_of_the_same_second_in_another_status() {
    // The review ends in the very second in which delivery would have: the status alone tells the deadlines apart.
    let mut stage = Stage::funded(Asset::Sol, |terms| {
        terms.stones[0] = Stone { amount: 10, deliver_by: START + 100, review_window: 60 };
        terms.ruling_window = 60;
    });
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let offer = longer(&stage, 0, DAY, START + DAY);
    stage.must(buyer, Deed::Propose(offer));
    stage.at(START + 40);
    stage.must(seller, Deed::Deliver(0));
    assert_eq!(stage.deal.stones[0].deadline, START + 100);
    stage.cannot(seller, Deed::Accept(offer), 6095);
    let offer = longer(&stage, 0, DAY, START + DAY);
    stage.must(seller, Deed::Propose(offer));
    stage.must(buyer, Deed::Dispute(0));
    assert_eq!(stage.deal.stones[0].deadline, START + 100);
    stage.cannot(buyer, Deed::Accept(offer), 6095);
}

#[test]
fn a_split_for_nobody_or_for_more_than_there_is() {
    let mut stage = Stage::funded(Asset::Sol, |_| ());
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let Live { remaining, status, .. } = stage.deal.stones[0];
    let offer = |remaining, to_seller, status| Offer::Split {
        milestone: 0,
        status,
        remaining,
        to_seller,
        expires_at: START + 1,
    };
    for to_seller in [remaining + 1, u64::MAX] {
        stage.cannot(seller, Deed::Propose(offer(remaining, to_seller, status)), 6082);
    }
    for other in [0, remaining - 1, remaining + 1, u64::MAX] {
        stage.cannot(seller, Deed::Propose(offer(other, 0, status)), 6081);
    }
    for other in [DELIVERED, DISPUTED] {
        stage.cannot(seller, Deed::Propose(offer(remaining, 0, other)), 6095);
    }
    // A settled milestone is not open to offers, and nothing above is a status at all.
    for status in [SETTLED, 4, 255] {
        let odd = offer(remaining, 0, status);
        let before = stage.world.snapshot();
        for deed in [Deed::Propose(odd), Deed::Accept(odd)] {
            let instruction = stage.instruction(seller, &deed);
            assert!(stage.send(&[instruction]).is_err());
        }
        assert!(before == stage.world.snapshot());
    }
    for to_seller in [0, remaining] {
        let mut stage = stage.fork();
        let all = offer(remaining, to_seller, status);
        assert!(stage.play(&[(seller, Deed::Propose(all)), (buyer, Deed::Accept(all))]).is_ok());
        stage.finish();
    }
}

#[test]
fn offers_before_funding_and_after_the_end_are_refused() {
    let mut stage = Stage::empty(Asset::Sol, |_| ());
    stage.create();
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let offer = split(&stage, 0, START + DAY);
    stage.cannot(buyer, Deed::Propose(offer), 6070);
    stage.cannot(buyer, Deed::Propose(Offer::Nothing), 6070);
    stage.cannot(seller, Deed::Accept(offer), 6070);
    stage.must(buyer, Deed::Fund);
    let expected = stage.deal.stones[0].remaining;
    stage.must(buyer, Deed::Propose(offer));
    stage.must(buyer, Deed::Release { milestone: 0, amount: expected, expected });
    stage.cannot(seller, Deed::Propose(offer), 6073);
    stage.cannot(seller, Deed::Accept(offer), 6073);
    stage.finish();
}
