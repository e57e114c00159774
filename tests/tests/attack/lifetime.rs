//! Creating, ending and beginning again.

use escrow_tests::{DAY, START};
use solana_signer::Signer;

use crate::{
    referee::Life,
    stage::{ASSETS, Stage},
    wire::Deed,
};

#[test]
fn an_address_is_never_used_twice_for_a_deal() {
    for asset in ASSETS {
        let mut stage = Stage::funded(asset, |_| ());
        let (buyer, rent_payer, stranger) = (stage.buyer(), stage.deal.rent_payer, stage.stranger());
        let expected = stage.deal.stones[0].remaining;
        stage.must(buyer, Deed::Release { milestone: 0, amount: expected, expected });
        for recipient in [1, 2] {
            stage.must(stranger, Deed::Withdraw(recipient));
        }
        let fund_by = stage.deal.terms.fund_by;
        for now in [START, fund_by - 1] {
            stage.at(now);
            stage.cannot(stranger, Deed::Close, 6093);
            stage.cannot(rent_payer, Deed::Create, 6023);
            stage.cannot(buyer, Deed::Fund, 6071);
        }
        for now in [fund_by, fund_by + 1] {
            let mut stage = stage.fork();
            stage.at(now);
            // Closed and opened again in one transaction.
            let again = [(stranger, Deed::Close), (rent_payer, Deed::Create)];
            assert!(stage.play(&again).is_err());
            assert!(stage.play(&[(stranger, Deed::Close), (buyer, Deed::Fund)]).is_err());
            assert!(stage.play(&[(stranger, Deed::Close), (stranger, Deed::Close)]).is_err());
            stage.must(stranger, Deed::Close);
            stage.cannot(rent_payer, Deed::Create, 6012);
            assert!(stage.play(&[(stranger, Deed::Withdraw(1))]).is_err());
        }
    }
}

#[test]
fn an_unfunded_escrow_may_be_cancelled_and_created_again() {
    for asset in ASSETS {
        let mut stage = Stage::empty(asset, |_| ());
        stage.create();
        let (buyer, seller, rent_payer, stranger) =
            (stage.buyer(), stage.seller(), stage.deal.rent_payer, stage.stranger());
        for actor in [stranger, stage.arbiter(), stage.deal.terms.fee_recipient] {
            stage.cannot(actor, Deed::Cancel, 6045);
        }
        for actor in [buyer, seller, rent_payer] {
            // Also at once, and funded after it: whoever cancels ahead of the buyer only costs him a refusal.
            assert!(stage.play(&[(actor, Deed::Cancel), (buyer, Deed::Fund)]).is_err());
            assert!(stage.play(&[(actor, Deed::Cancel), (rent_payer, Deed::Create)]).is_ok());
        }
        // Another payer of the rent takes over; the rent goes back to whom it came from.
        stage.must(seller, Deed::Cancel);
        stage.must(stranger, Deed::Create);
        let mut wrong = stage.instruction(seller, &Deed::Cancel);
        wrong.accounts[2].pubkey = rent_payer;
        stage.no(wrong, 6046);
        stage.must(seller, Deed::Cancel);
    }
}

#[test]
fn at_the_funding_deadline_funding_ends_and_anybody_may_clear_up() {
    for asset in ASSETS {
        for offset in [-1, 0, 1] {
            let mut stage = Stage::empty(asset, |_| ());
            stage.create();
            stage.at(stage.deal.terms.fund_by + offset);
            let (buyer, stranger) = (stage.buyer(), stage.stranger());
            assert_eq!(stage.fork().play(&[(buyer, Deed::Fund)]).is_ok(), offset < 0);
            assert_eq!(stage.fork().play(&[(stranger, Deed::Cancel)]).is_ok(), offset >= 0);
            assert!(stage.fork().play(&[(buyer, Deed::Cancel)]).is_ok());
        }
    }
}

#[test]
fn a_whole_deal_in_one_transaction() {
    for asset in ASSETS {
        let mut stage = Stage::empty(asset, |_| ());
        let (buyer, seller, arbiter) = (stage.buyer(), stage.seller(), stage.arbiter());
        let whole = [
            (stage.deal.rent_payer, Deed::Create),
            (buyer, Deed::Fund),
            (seller, Deed::Deliver(0)),
            (buyer, Deed::Dispute(0)),
            (arbiter, Deed::Rule(0, 3333)),
            (seller, Deed::Withdraw(0)),
            (seller, Deed::Withdraw(1)),
            (seller, Deed::Withdraw(2)),
            (seller, Deed::Withdraw(3)),
        ];
        assert!(stage.play(&whole).is_ok());
        let too_early = (0, solana_instruction::error::InstructionError::Custom(6093));
        assert_eq!(stage.play(&[(seller, Deed::Close)]), Err(too_early));
        stage.finish();
    }
}

#[test]
fn funding_twice_and_by_others() {
    for asset in ASSETS {
        let mut stage = Stage::empty(asset, |_| ());
        stage.create();
        let buyer = stage.buyer();
        for actor in [stage.seller(), stage.arbiter()] {
            stage.cannot(actor, Deed::Fund, 6040);
        }
        assert!(stage.play(&[(buyer, Deed::Fund), (buyer, Deed::Fund)]).is_err());
        stage.must(buyer, Deed::Fund);
        stage.cannot(buyer, Deed::Fund, 6071);
    }
}

#[test]
fn the_rent_payer_may_be_a_party() {
    for asset in ASSETS {
        for payer in [|stage: &Stage| stage.buyer(), |stage: &Stage| stage.world.arbiter.pubkey()] {
            let mut stage = Stage::empty(asset, |_| ());
            let payer = payer(&stage);
            stage.must(payer, Deed::Create);
            stage.must(stage.buyer(), Deed::Fund);
            stage.at(START + 10 * DAY);
            stage.finish();
            assert_eq!(stage.deal.life, Life::Closed);
        }
    }
}
