//! Offers that outlive what they were made for.

use escrow_tests::{DAY, START};

use crate::{
    arena::{Arena, Kind},
    referee::Live,
    wire::{DELIVERED, DISPUTED, Deed, Offer, PENDING, SETTLED, Stone, TWO_YEARS},
};

/// An offer to split the milestone as it stands: the seller gets a tenth.
fn split(arena: &Arena, milestone: u8, expires_at: i64) -> Offer {
    let Live { remaining, status, .. } = arena.deal.stones[usize::from(milestone)];
    Offer::Split { milestone, status, remaining, to_seller: remaining / 10, expires_at }
}

/// An offer to move the milestone's present deadline by so many seconds.
fn longer(arena: &Arena, milestone: u8, by: i64, expires_at: i64) -> Offer {
    let Live { deadline, status, .. } = arena.deal.stones[usize::from(milestone)];
    Offer::Extension { milestone, status, replaces: deadline, deadline: deadline + by, expires_at }
}

fn two_stones() -> Arena {
    Arena::funded(Kind::Sol, |terms| {
        let stone = terms.stones[0].clone();
        terms.stones.push(stone);
    })
}

#[test]
fn an_offer_on_a_pending_milestone_is_dead_after_delivery_and_dispute() {
    let expires_at = START + TWO_YEARS;
    for make in [split as fn(&Arena, u8, i64) -> Offer, |arena, milestone, at| longer(arena, milestone, 9, at)] {
        let mut arena = Arena::funded(Kind::Sol, |_| ());
        let (buyer, seller) = (arena.buyer(), arena.seller());
        let pending = make(&arena, 0, expires_at);
        arena.must(buyer, Deed::Propose(pending));
        // In the seller's own transaction too: he cannot deliver and take what was offered for nothing.
        let order = [(seller, Deed::Deliver(0)), (seller, Deed::Accept(pending))];
        assert!(arena.play(&order).is_err());
        arena.must(seller, Deed::Deliver(0));
        assert!(arena.play(&[(seller, Deed::Accept(pending))]).is_err());
        let delivered = make(&arena, 0, expires_at);
        arena.must(buyer, Deed::Propose(delivered));
        arena.must(buyer, Deed::Dispute(0));
        assert!(arena.play(&[(seller, Deed::Accept(delivered))]).is_err());
        let disputed = make(&arena, 0, expires_at);
        arena.must(buyer, Deed::Propose(disputed));
        arena.must(arena.arbiter(), Deed::Rule(0, 0));
        assert!(arena.play(&[(seller, Deed::Accept(disputed))]).is_err());
        arena.finish();
    }
}

#[test]
fn an_offer_is_dead_once_a_part_was_released_or_refunded() {
    let arena = two_stones();
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let expected = arena.deal.stones[0].remaining;
    let offer = split(&arena, 0, START + DAY);
    for (actor, partial) in [
        (buyer, Deed::Release { milestone: 0, amount: 1, expected }),
        (seller, Deed::Refund { milestone: 0, amount: 1, expected }),
        (buyer, Deed::Release { milestone: 0, amount: expected, expected }),
    ] {
        let mut arena = arena.fork();
        arena.must(buyer, Deed::Propose(offer));
        arena.must(actor, partial);
        assert!(arena.play(&[(seller, Deed::Accept(offer))]).is_err());
        // The same numbers for the twin beside it are not the same offer.
        let Offer::Split { status, remaining, to_seller, expires_at, .. } = offer else { unreachable!() };
        let twin = Offer::Split { milestone: 1, status, remaining, to_seller, expires_at };
        arena.cannot(seller, Deed::Accept(twin), 6086);
        arena.finish();
    }
}

#[test]
fn an_acceptance_is_used_up() {
    for asset in crate::arena::KINDS {
        let arena = Arena::funded(asset, |_| ());
        let (buyer, seller) = (arena.buyer(), arena.seller());
        for offer in [split(&arena, 0, START + DAY), longer(&arena, 0, 60, START + DAY)] {
            let mut arena = arena.fork();
            arena.must(buyer, Deed::Propose(offer));
            let twice = [(seller, Deed::Accept(offer)), (seller, Deed::Accept(offer))];
            assert!(arena.play(&twice).is_err());
            arena.must(seller, Deed::Accept(offer));
            arena.cannot(seller, Deed::Accept(offer), 6085);
            arena.finish();
        }
    }
}

#[test]
fn the_same_offer_in_both_slots_counts_once() {
    let arena = Arena::funded(Kind::Sol, |_| ());
    let (buyer, seller) = (arena.buyer(), arena.seller());
    for (offer, dead) in [(split(&arena, 0, START + DAY), 6073), (longer(&arena, 0, 60, START + DAY), 6096)] {
        for (first, second) in [(buyer, seller), (seller, buyer)] {
            let mut arena = arena.fork();
            arena.must(buyer, Deed::Propose(offer));
            arena.must(seller, Deed::Propose(offer));
            arena.must(first, Deed::Accept(offer));
            arena.cannot(second, Deed::Accept(offer), dead);
            // What is left in a slot is nobody's any more; its owner can still empty it.
            arena.must(first, Deed::Propose(Offer::Nothing));
            arena.finish();
        }
    }
}

#[test]
fn nobody_accepts_what_they_proposed_themselves_or_was_not_proposed() {
    let mut arena = Arena::funded(Kind::Sol, |_| ());
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let offer = split(&arena, 0, START + DAY);
    arena.must(seller, Deed::Propose(offer));
    arena.cannot(seller, Deed::Accept(offer), 6085);
    for actor in [arena.arbiter(), arena.stranger(), arena.deal.terms.fee_recipient, arena.deal.rent_payer] {
        arena.cannot(actor, Deed::Accept(offer), 6044);
        arena.cannot(actor, Deed::Propose(offer), 6044);
    }
    // A better price in the acceptance than in the slot.
    let Offer::Split { milestone, status, remaining, expires_at, .. } = offer else { unreachable!() };
    for to_seller in [0, remaining / 10 - 1, remaining / 10 + 1, remaining] {
        let better = Offer::Split { milestone, status, remaining, to_seller, expires_at };
        arena.cannot(buyer, Deed::Accept(better), 6086);
    }
    arena.must(seller, Deed::Propose(Offer::Nothing));
    arena.cannot(buyer, Deed::Accept(offer), 6085);
}

#[test]
fn an_offer_dies_in_the_second_that_it_names() {
    for offset in [-1, 0, 1] {
        let mut arena = Arena::funded(Kind::Sol, |_| ());
        let (buyer, seller) = (arena.buyer(), arena.seller());
        let offer = split(&arena, 0, START + 50);
        arena.must(buyer, Deed::Propose(offer));
        arena.at(START + 50 + offset);
        let result = arena.play(&[(seller, Deed::Accept(offer))]);
        assert_eq!(result.is_ok(), offset < 0);
    }
}

#[test]
fn accepting_more_time_and_the_default_never_race() {
    for status in [PENDING, DELIVERED, DISPUTED] {
        for offset in [-1, 0, 1] {
            let mut arena = Arena::funded(Kind::Sol, |_| ());
            let (buyer, seller, stranger) = (arena.buyer(), arena.seller(), arena.stranger());
            if status >= DELIVERED {
                arena.must(seller, Deed::Deliver(0));
            }
            if status == DISPUTED {
                arena.must(buyer, Deed::Dispute(0));
            }
            let offer = longer(&arena, 0, 1, START + TWO_YEARS);
            arena.must(seller, Deed::Propose(offer));
            arena.at(arena.deal.stones[0].deadline + offset);
            let accept = (buyer, Deed::Accept(offer));
            let expire = (stranger, Deed::Expire(0));
            let accepted = arena.fork().play(&[accept]).is_ok();
            let expired = arena.fork().play(&[expire]).is_ok();
            assert_eq!((accepted, expired), (offset < 0, offset >= 0));
            assert!(arena.fork().play(&[accept, expire]).is_err());
            assert!(arena.fork().play(&[expire, accept]).is_err());
            arena.finish();
        }
    }
}

#[test]
fn a_deadline_only_moves_away_and_at_most_two_years_ahead() {
    let mut arena = Arena::funded(Kind::Sol, |_| ());
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let Live { deadline: replaces, status, .. } = arena.deal.stones[0];
    let expires_at = START + DAY;
    let offer = |deadline| Offer::Extension { milestone: 0, status, replaces, deadline, expires_at };
    for deadline in [i64::MIN, -1, 0, START, replaces - 1, replaces, START + TWO_YEARS + 1, i64::MAX - 1, i64::MAX] {
        arena.cannot(seller, Deed::Propose(offer(deadline)), 6089);
    }
    for expires_at in [i64::MIN, 0, START, START + TWO_YEARS + 1, i64::MAX] {
        let dead = Offer::Extension { milestone: 0, status, replaces, deadline: replaces + 1, expires_at };
        arena.cannot(seller, Deed::Propose(dead), 6088);
    }
    for replaces in [i64::MIN, 0, replaces - 1, replaces + 1, i64::MAX] {
        let other = Offer::Extension { milestone: 0, status, replaces, deadline: replaces.max(START), expires_at };
        assert!(arena.play(&[(seller, Deed::Propose(other))]).is_err());
    }
    arena.must(seller, Deed::Propose(offer(START + TWO_YEARS)));
    arena.must(buyer, Deed::Accept(offer(START + TWO_YEARS)));
    assert_eq!(arena.deal.stones[0].deadline, START + TWO_YEARS);
    arena.finish();
}

#[test]
fn a_chain_of_extensions_goes_as_far_as_both_agree_and_no_further() {
    let mut arena = Arena::funded(Kind::Token, |_| ());
    let (buyer, seller) = (arena.buyer(), arena.seller());
    for _ in 0..5 {
        let now = arena.world.now();
        let Live { deadline: replaces, status, .. } = arena.deal.stones[0];
        let offer = |deadline| Offer::Extension { milestone: 0, status, replaces, deadline, expires_at: now + 1 };
        arena.cannot(seller, Deed::Propose(offer(now + TWO_YEARS + 1)), 6089);
        arena.must(seller, Deed::Propose(offer(now + TWO_YEARS)));
        arena.must(buyer, Deed::Accept(offer(now + TWO_YEARS)));
        arena.at(now + TWO_YEARS - 1);
    }
    // Ten years later the ordinary ways are still there.
    arena.must(seller, Deed::Deliver(0));
    arena.must(buyer, Deed::Dispute(0));
    arena.finish();
}

#[test]
fn an_extension_of_one_deadline_is_none_of_the_same_second_in_another_status() {
    // The review ends in the very second in which delivery would have: the status alone tells the deadlines apart.
    let mut arena = Arena::funded(Kind::Sol, |terms| {
        terms.stones[0] = Stone { amount: 10, deliver_by: START + 100, review_window: 60 };
        terms.ruling_window = 60;
    });
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let offer = longer(&arena, 0, DAY, START + DAY);
    arena.must(buyer, Deed::Propose(offer));
    arena.at(START + 40);
    arena.must(seller, Deed::Deliver(0));
    assert_eq!(arena.deal.stones[0].deadline, START + 100);
    arena.cannot(seller, Deed::Accept(offer), 6095);
    let offer = longer(&arena, 0, DAY, START + DAY);
    arena.must(seller, Deed::Propose(offer));
    arena.must(buyer, Deed::Dispute(0));
    assert_eq!(arena.deal.stones[0].deadline, START + 100);
    arena.cannot(buyer, Deed::Accept(offer), 6095);
}

#[test]
fn a_split_for_nobody_or_for_more_than_there_is() {
    let mut arena = Arena::funded(Kind::Sol, |_| ());
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let Live { remaining, status, .. } = arena.deal.stones[0];
    let offer = |remaining, to_seller, status| Offer::Split {
        milestone: 0,
        status,
        remaining,
        to_seller,
        expires_at: START + 1,
    };
    for to_seller in [remaining + 1, u64::MAX] {
        arena.cannot(seller, Deed::Propose(offer(remaining, to_seller, status)), 6082);
    }
    for other in [0, remaining - 1, remaining + 1, u64::MAX] {
        arena.cannot(seller, Deed::Propose(offer(other, 0, status)), 6081);
    }
    for other in [DELIVERED, DISPUTED] {
        arena.cannot(seller, Deed::Propose(offer(remaining, 0, other)), 6095);
    }
    // A settled milestone is not open to offers, and nothing above is a status at all.
    for status in [SETTLED, 4, 255] {
        let odd = offer(remaining, 0, status);
        let before = arena.world.snapshot();
        for deed in [Deed::Propose(odd), Deed::Accept(odd)] {
            let instruction = arena.instruction(seller, &deed);
            assert!(arena.send(&[instruction]).is_err());
        }
        assert!(before == arena.world.snapshot());
    }
    for to_seller in [0, remaining] {
        let mut arena = arena.fork();
        let all = offer(remaining, to_seller, status);
        assert!(arena.play(&[(seller, Deed::Propose(all)), (buyer, Deed::Accept(all))]).is_ok());
        arena.finish();
    }
}

#[test]
fn offers_before_funding_and_after_the_end_are_refused() {
    let mut arena = Arena::empty(Kind::Sol, |_| ());
    arena.create();
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let offer = split(&arena, 0, START + DAY);
    arena.cannot(buyer, Deed::Propose(offer), 6070);
    arena.cannot(buyer, Deed::Propose(Offer::Nothing), 6070);
    arena.cannot(seller, Deed::Accept(offer), 6070);
    arena.must(buyer, Deed::Fund);
    let expected = arena.deal.stones[0].remaining;
    arena.must(buyer, Deed::Propose(offer));
    arena.must(buyer, Deed::Release { milestone: 0, amount: expected, expected });
    arena.cannot(seller, Deed::Propose(offer), 6073);
    arena.cannot(seller, Deed::Accept(offer), 6073);
    arena.finish();
}
