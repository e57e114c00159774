//! Amounts of a unit, all rates, and the largest numbers.

use escrow_tests::{START, World};

use crate::{
    arena::{Arena, Kind, terms},
    wire::{Deed, Offer, Stone},
};

#[test]
fn fees_are_exact_however_dust_is_released() {
    for fee_bps in [0, 1, 250, 999, 1000] {
        for amount in [1, 2, 9, 10, 11, 39, 41] {
            let mut arena = Arena::funded(Kind::Sol, |terms| {
                terms.fee_bps = fee_bps;
                terms.stones[0].amount = amount;
            });
            let (buyer, seller) = (arena.buyer(), arena.seller());
            for expected in (1..=amount).rev() {
                // Every third unit goes back: a refund must not count towards the fee.
                let (actor, deed) = if expected % 3 == 0 {
                    (seller, Deed::Refund { milestone: 0, amount: 1, expected })
                } else {
                    (buyer, Deed::Release { milestone: 0, amount: 1, expected })
                };
                arena.must(actor, deed);
                if expected % 5 == 0 {
                    let _ = arena.play(&[(seller, Deed::Withdraw(2))]);
                    let _ = arena.play(&[(seller, Deed::Withdraw(1))]);
                }
            }
            assert_eq!(arena.deal.fees, arena.deal.released * u64::from(fee_bps) / 10_000);
            arena.finish();
        }
    }
}

#[test]
fn rulings_and_defaults_on_dust_at_all_rates() {
    for amount in [1, 2, 3, 9, 10, 11, 33] {
        for bps in [0, 1, 3333, 5000, 9999, 10_000] {
            for arbiter_fee_bps in [0, 1, 1000] {
                let mut arena = Arena::funded(Kind::Sol, |terms| {
                    terms.fee_bps = 1000;
                    terms.arbiter_fee_bps = arbiter_fee_bps;
                    terms.unruled_bps = bps;
                    terms.undelivered_bps = bps;
                    terms.unanswered_bps = bps;
                    terms.stones = vec![Stone { amount, ..terms.stones[0].clone() }; 4];
                });
                let (buyer, seller, arbiter) = (arena.buyer(), arena.seller(), arena.arbiter());
                for milestone in 0..3 {
                    arena.must(seller, Deed::Deliver(milestone));
                }
                arena.must(buyer, Deed::Dispute(0));
                arena.must(buyer, Deed::Dispute(1));
                arena.must(arbiter, Deed::Rule(0, bps));
                arena.finish();
            }
        }
    }
}

#[test]
fn the_largest_number_of_tokens() {
    for fee_bps in [0, 1, 1000] {
        let mut world = World::new();
        world.use_new_mint(u64::MAX, None);
        let mut terms = terms(&world, Kind::Token);
        terms.fee_bps = fee_bps;
        terms.arbiter_fee_bps = 1000;
        let half = u64::MAX / 2;
        let stone = |amount| Stone { amount, ..terms.stones[0].clone() };
        terms.stones = vec![stone(half), stone(half), stone(1)];
        let mut arena = Arena::with(world, terms);
        arena.create();
        let (buyer, seller, arbiter) = (arena.buyer(), arena.seller(), arena.arbiter());
        arena.must(buyer, Deed::Fund);
        arena.must(seller, Deed::Deliver(0));
        arena.must(buyer, Deed::Dispute(0));
        arena.must(arbiter, Deed::Rule(0, 9999));
        let expires_at = START + 1;
        let offer = Offer::Split { milestone: 1, status: 0, remaining: half, to_seller: half - 1, expires_at };
        assert!(arena.play(&[(buyer, Deed::Propose(offer)), (seller, Deed::Accept(offer))]).is_ok());
        arena.finish();
    }
}

#[test]
fn more_than_the_largest_number_is_refused_and_the_largest_of_sol_harms_nobody() {
    let mut arena = Arena::empty(Kind::Token, |terms| {
        let stone = |amount| Stone { amount, ..terms.stones[0].clone() };
        terms.stones = [vec![stone(1); 7], vec![stone(u64::MAX - 6)]].concat();
    });
    arena.cannot(arena.deal.rent_payer, Deed::Create, 6007);
    // More SOL than there is: created, never funded, and the rent comes back.
    let mut arena = Arena::empty(Kind::Sol, |terms| terms.stones[0].amount = u64::MAX);
    arena.create();
    let fund = arena.instruction(arena.buyer(), &Deed::Fund);
    assert!(arena.send(&[fund]).is_err());
    arena.check();
    arena.finish();
}
