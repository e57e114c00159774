//! Amounts of a unit, all rates, and the largest numbers.

use escrow_tests::{START, World};

use crate::{
    stage::{Asset, Stage, terms},
    wire::{Deed, Offer, Stone},
};

#[test]
fn fees_are_exact_however_dust_is_released() {
    for fee_bps in [0, 1, 250, 999, 1000] {
        for amount in [1, 2, 9, 10, 11, 39, 41] {
            let mut stage = Stage::funded(Asset::Sol, |terms| {
                terms.fee_bps = fee_bps;
                terms.stones[0].amount = amount;
            });
            let (buyer, seller) = (stage.buyer(), stage.seller());
            for expected in (1..=amount).rev() {
                // Every third unit goes back: a refund must not count towards the fee.
                let (actor, deed) = if expected % 3 == 0 {
                    (seller, Deed::Refund { milestone: 0, amount: 1, expected })
                } else {
                    (buyer, Deed::Release { milestone: 0, amount: 1, expected })
                };
                stage.must(actor, deed);
                if expected % 5 == 0 {
                    let _ = stage.play(&[(seller, Deed::Withdraw(2))]);
                    let _ = stage.play(&[(seller, Deed::Withdraw(1))]);
                }
            }
            assert_eq!(stage.deal.fees, stage.deal.released * u64::from(fee_bps) / 10_000);
            stage.finish();
        }
    }
}

#[test]
fn rulings_and_defaults_on_dust_at_all_rates() {
    for amount in [1, 2, 3, 9, 10, 11, 33] {
        for bps in [0, 1, 3333, 5000, 9999, 10_000] {
            for arbiter_fee_bps in [0, 1, 1000] {
                let mut stage = Stage::funded(Asset::Sol, |terms| {
                    terms.fee_bps = 1000;
                    terms.arbiter_fee_bps = arbiter_fee_bps;
                    terms.unruled_bps = bps;
                    terms.undelivered_bps = bps;
                    terms.unanswered_bps = bps;
                    terms.stones = vec![Stone { amount, ..terms.stones[0].clone() }; 4];
                });
                let (buyer, seller, arbiter) = (stage.buyer(), stage.seller(), stage.arbiter());
                for milestone in 0..3 {
                    stage.must(seller, Deed::Deliver(milestone));
                }
                stage.must(buyer, Deed::Dispute(0));
                stage.must(buyer, Deed::Dispute(1));
                stage.must(arbiter, Deed::Rule(0, bps));
                stage.finish();
            }
        }
    }
}

#[test]
fn the_largest_number_of_tokens() {
    for fee_bps in [0, 1, 1000] {
        let mut world = World::new();
        world.use_new_mint(u64::MAX, None);
        let mut terms = terms(&world, Asset::Token);
        terms.fee_bps = fee_bps;
        terms.arbiter_fee_bps = 1000;
        let half = u64::MAX / 2;
        let stone = |amount| Stone { amount, ..terms.stones[0].clone() };
        terms.stones = vec![stone(half), stone(half), stone(1)];
        let mut stage = Stage::with(world, terms);
        stage.create();
        let (buyer, seller, arbiter) = (stage.buyer(), stage.seller(), stage.arbiter());
        stage.must(buyer, Deed::Fund);
        stage.must(seller, Deed::Deliver(0));
        stage.must(buyer, Deed::Dispute(0));
        stage.must(arbiter, Deed::Rule(0, 9999));
        let expires_at = START + 1;
        let offer = Offer::Split { milestone: 1, status: 0, remaining: half, to_seller: half - 1, expires_at };
        assert!(stage.play(&[(buyer, Deed::Propose(offer)), (seller, Deed::Accept(offer))]).is_ok());
        stage.finish();
    }
}

#[test]
fn more_than_the_largest_number_is_refused_and_the_largest_of_sol_harms_nobody() {
    let mut stage = Stage::empty(Asset::Token, |terms| {
        let stone = |amount| Stone { amount, ..terms.stones[0].clone() };
        terms.stones = [vec![stone(1); 7], vec![stone(u64::MAX - 6)]].concat();
    });
    stage.cannot(stage.deal.rent_payer, Deed::Create, 6007);
    // More SOL than there is: created, never funded, and the rent comes back.
    let mut stage = Stage::empty(Asset::Sol, |terms| terms.stones[0].amount = u64::MAX);
    stage.create();
    let fund = stage.instruction(stage.buyer(), &Deed::Fund);
    assert!(stage.send(&[fund]).is_err());
    stage.check();
    stage.finish();
}
