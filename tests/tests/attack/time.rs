//! Every second around every deadline, and clocks that nobody expects.

use escrow_tests::{DAY, START};

use crate::{
    arena::{Arena, KINDS, Kind},
    wire::{Deed, Stone, TWO_YEARS, YEAR},
};

#[test]
fn in_every_second_of_a_short_deal_one_exit_is_open() {
    // Windows of one second; every deed of everybody is tried in every second, on copies.
    let arena = Arena::funded(Kind::Sol, |terms| {
        terms.cooling_off = 2;
        terms.ruling_window = 1;
        terms.fund_by = START + 3;
        terms.stones[0] = Stone { amount: 1000, deliver_by: START + 5, review_window: 1 };
    });
    let (buyer, seller, arbiter, stranger) = (arena.buyer(), arena.seller(), arena.arbiter(), arena.stranger());
    let mut delivered = arena.fork();
    delivered.at(START + 4);
    delivered.must(seller, Deed::Deliver(0));
    let mut disputed = delivered.fork();
    disputed.must(buyer, Deed::Dispute(0));
    for (arena, seconds) in [(arena, 0..8), (delivered, 4..8), (disputed, 4..8)] {
        for second in seconds {
            let mut open = 0;
            for deed in [Deed::Cancel, Deed::Deliver(0), Deed::Dispute(0), Deed::Rule(0, 5000), Deed::Expire(0)] {
                let allowed = [buyer, seller, arbiter, stranger].map(|actor| {
                    let mut arena = arena.fork();
                    arena.at(START + second).play(&[(actor, deed)]).is_ok()
                });
                open += u32::from(allowed.contains(&true));
            }
            assert_eq!(open, 1, "second {second}");
        }
    }
}

#[test]
fn a_cancellation_takes_what_remains_and_nothing_else() {
    for asset in KINDS {
        for offset in [-1, 0, 1] {
            let mut arena = Arena::funded(asset, |terms| {
                terms.cooling_off = 1000;
                let stone = terms.stones[0].clone();
                terms.stones = vec![stone; 8];
            });
            let (buyer, seller, stranger) = (arena.buyer(), arena.seller(), arena.stranger());
            let expected = arena.deal.stones[7].remaining;
            arena.must(buyer, Deed::Release { milestone: 7, amount: expected, expected });
            arena.must(seller, Deed::Refund { milestone: 0, amount: expected, expected });
            arena.must(buyer, Deed::Release { milestone: 3, amount: 3, expected });
            arena.must(stranger, Deed::Withdraw(1));
            arena.at(START + 1000 + offset);
            for actor in [seller, stranger, arena.arbiter(), arena.deal.rent_payer] {
                assert!(arena.play(&[(actor, Deed::Cancel)]).is_err());
            }
            let cancel = (buyer, Deed::Cancel);
            // The seller cannot deliver in the last second to forestall it, nor in the same transaction.
            assert!(arena.fork().play(&[(seller, Deed::Deliver(1)), cancel]).is_err());
            assert_eq!(arena.play(&[cancel]).is_ok(), offset < 0);
            if offset < 0 {
                arena.cannot(buyer, Deed::Cancel, 6097);
                assert_eq!(arena.deal.refunded, 6 * expected - 3 + expected);
            }
            arena.finish();
        }
    }
}

#[test]
fn funding_in_the_last_second_that_leaves_time_to_deliver() {
    for (offset, possible) in [(-1, true), (0, false), (1, false)] {
        let mut arena = Arena::empty(Kind::Sol, |terms| {
            terms.cooling_off = 100;
            terms.fund_by = START + 2 * DAY;
            let early = Stone { amount: 5, deliver_by: START + DAY, review_window: 1 };
            terms.stones = [vec![terms.stones[0].clone(); 7], vec![early]].concat();
        });
        arena.create();
        arena.at(START + DAY - 100 + offset);
        let buyer = arena.buyer();
        assert_eq!(arena.play(&[(buyer, Deed::Fund)]).is_ok(), possible);
        arena.finish();
    }
}

#[test]
fn the_odd_one_is_the_last_of_eight() {
    for asset in KINDS {
        let mut arena = Arena::funded(asset, |terms| {
            let usual = Stone { amount: 11, ..terms.stones[0].clone() };
            let odd = Stone { amount: 1, deliver_by: START + 20 * DAY, review_window: 1 };
            terms.stones = [vec![usual; 7], vec![odd]].concat();
        });
        let (buyer, seller, stranger) = (arena.buyer(), arena.seller(), arena.stranger());
        arena.at(START + 10 * DAY);
        for milestone in 0..7 {
            arena.must(stranger, Deed::Expire(milestone));
        }
        arena.cannot(stranger, Deed::Expire(7), 6080);
        arena.cannot(stranger, Deed::Expire(8), 6072);
        for recipient in 0..2 {
            arena.must(stranger, Deed::Withdraw(recipient));
        }
        // Everything but one unit is settled and paid.
        arena.cannot(stranger, Deed::Close, 6091);
        arena.must(seller, Deed::Deliver(7));
        arena.must(buyer, Deed::Dispute(7));
        arena.must(arena.arbiter(), Deed::Rule(7, 10_000));
        arena.cannot(stranger, Deed::Close, 6092);
        arena.finish();
    }
}

#[test]
fn clocks_before_1970_and_at_the_end_of_numbers() {
    for now in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - TWO_YEARS - 1, i64::MAX - 1000, i64::MAX] {
        let mut arena = Arena::empty(Kind::Sol, |terms| {
            terms.fund_by = now.saturating_add(10);
            terms.cooling_off = 2;
            terms.ruling_window = YEAR;
            terms.stones[0].deliver_by = now.saturating_add(20);
            terms.stones[0].review_window = YEAR;
        });
        arena.at(now);
        let create = arena.instruction(arena.deal.rent_payer, &Deed::Create);
        if now > i64::MAX - TWO_YEARS {
            // What two years ahead is cannot be said any more: refused or not, nothing half done, nothing lost.
            let before = arena.world.snapshot();
            if arena.send(&[create]).is_err() {
                assert!(before == arena.world.snapshot());
            }
            continue;
        }
        arena.create();
        let (buyer, seller) = (arena.buyer(), arena.seller());
        arena.must(buyer, Deed::Fund);
        arena.at(now + 2);
        arena.must(seller, Deed::Deliver(0));
        arena.must(buyer, Deed::Dispute(0));
        arena.finish();
    }
}

#[test]
fn near_the_end_of_time_a_refused_transition_leaves_the_default_open() {
    // The clock jumps where a window does not fit behind it: nobody can deliver, and the default still comes.
    let now = i64::MAX - TWO_YEARS - 1;
    let mut arena = Arena::empty(Kind::Sol, |terms| {
        terms.fund_by = now + 10;
        terms.stones[0].deliver_by = now + TWO_YEARS;
        terms.stones[0].review_window = YEAR;
    });
    arena.at(now);
    arena.create();
    let (buyer, seller) = (arena.buyer(), arena.seller());
    arena.must(buyer, Deed::Fund);
    arena.at(i64::MAX - 10);
    let deliver = arena.instruction(seller, &Deed::Deliver(0));
    arena.no(deliver, 6110);
    arena.at(i64::MAX);
    arena.finish();
}
