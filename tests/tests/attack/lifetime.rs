//! Creating, ending and beginning again.

use escrow_tests::{DAY, START};
use solana_signer::Signer;

use crate::{
    arena::{Arena, KINDS},
    referee::Life,
    wire::Deed,
};

#[test]
fn an_address_is_never_used_twice_for_a_deal() {
    for asset in KINDS {
        let mut arena = Arena::funded(asset, |_| ());
        let (buyer, rent_payer, stranger) = (arena.buyer(), arena.deal.rent_payer, arena.stranger());
        let expected = arena.deal.stones[0].remaining;
        arena.must(buyer, Deed::Release { milestone: 0, amount: expected, expected });
        for recipient in [1, 2] {
            arena.must(stranger, Deed::Withdraw(recipient));
        }
        let fund_by = arena.deal.terms.fund_by;
        for now in [START, fund_by - 1] {
            arena.at(now);
            arena.cannot(stranger, Deed::Close, 6093);
            arena.cannot(rent_payer, Deed::Create, 6023);
            arena.cannot(buyer, Deed::Fund, 6071);
        }
        for now in [fund_by, fund_by + 1] {
            let mut arena = arena.fork();
            arena.at(now);
            // Closed and opened again in one transaction.
            let again = [(stranger, Deed::Close), (rent_payer, Deed::Create)];
            assert!(arena.play(&again).is_err());
            assert!(arena.play(&[(stranger, Deed::Close), (buyer, Deed::Fund)]).is_err());
            assert!(arena.play(&[(stranger, Deed::Close), (stranger, Deed::Close)]).is_err());
            arena.must(stranger, Deed::Close);
            arena.cannot(rent_payer, Deed::Create, 6012);
            assert!(arena.play(&[(stranger, Deed::Withdraw(1))]).is_err());
        }
    }
}

#[test]
fn an_unfunded_escrow_may_be_cancelled_and_created_again() {
    for asset in KINDS {
        let mut arena = Arena::empty(asset, |_| ());
        arena.create();
        let (buyer, seller, rent_payer, stranger) =
            (arena.buyer(), arena.seller(), arena.deal.rent_payer, arena.stranger());
        for actor in [stranger, arena.arbiter(), arena.deal.terms.fee_recipient] {
            arena.cannot(actor, Deed::Cancel, 6045);
        }
        for actor in [buyer, seller, rent_payer] {
            // Also at once, and funded after it: whoever cancels ahead of the buyer only costs him a refusal.
            assert!(arena.play(&[(actor, Deed::Cancel), (buyer, Deed::Fund)]).is_err());
            assert!(arena.play(&[(actor, Deed::Cancel), (rent_payer, Deed::Create)]).is_ok());
        }
        // Another payer of the rent takes over; the rent goes back to whom it came from.
        arena.must(seller, Deed::Cancel);
        arena.must(stranger, Deed::Create);
        let mut wrong = arena.instruction(seller, &Deed::Cancel);
        wrong.accounts[2].pubkey = rent_payer;
        arena.no(wrong, 6046);
        arena.must(seller, Deed::Cancel);
    }
}

#[test]
fn at_the_funding_deadline_funding_ends_and_anybody_may_clear_up() {
    for asset in KINDS {
        for offset in [-1, 0, 1] {
            let mut arena = Arena::empty(asset, |_| ());
            arena.create();
            arena.at(arena.deal.terms.fund_by + offset);
            let (buyer, stranger) = (arena.buyer(), arena.stranger());
            assert_eq!(arena.fork().play(&[(buyer, Deed::Fund)]).is_ok(), offset < 0);
            assert_eq!(arena.fork().play(&[(stranger, Deed::Cancel)]).is_ok(), offset >= 0);
            assert!(arena.fork().play(&[(buyer, Deed::Cancel)]).is_ok());
        }
    }
}

#[test]
fn a_whole_deal_in_one_transaction() {
    for asset in KINDS {
        let mut arena = Arena::empty(asset, |_| ());
        let (buyer, seller, arbiter) = (arena.buyer(), arena.seller(), arena.arbiter());
        let whole = [
            (arena.deal.rent_payer, Deed::Create),
            (buyer, Deed::Fund),
            (seller, Deed::Deliver(0)),
            (buyer, Deed::Dispute(0)),
            (arbiter, Deed::Rule(0, 3333)),
            (seller, Deed::Withdraw(0)),
            (seller, Deed::Withdraw(1)),
            (seller, Deed::Withdraw(2)),
            (seller, Deed::Withdraw(3)),
        ];
        assert!(arena.play(&whole).is_ok());
        let too_early = (0, solana_instruction::error::InstructionError::Custom(6093));
        assert_eq!(arena.play(&[(seller, Deed::Close)]), Err(too_early));
        arena.finish();
    }
}

#[test]
fn funding_twice_and_by_others() {
    for asset in KINDS {
        let mut arena = Arena::empty(asset, |_| ());
        arena.create();
        let buyer = arena.buyer();
        for actor in [arena.seller(), arena.arbiter()] {
            arena.cannot(actor, Deed::Fund, 6040);
        }
        assert!(arena.play(&[(buyer, Deed::Fund), (buyer, Deed::Fund)]).is_err());
        arena.must(buyer, Deed::Fund);
        arena.cannot(buyer, Deed::Fund, 6071);
    }
}

#[test]
fn the_rent_payer_may_be_a_party() {
    for asset in KINDS {
        for payer in [|arena: &Arena| arena.buyer(), |arena: &Arena| arena.world.arbiter.pubkey()] {
            let mut arena = Arena::empty(asset, |_| ());
            let payer = payer(&arena);
            arena.must(payer, Deed::Create);
            arena.must(arena.buyer(), Deed::Fund);
            arena.at(START + 10 * DAY);
            arena.finish();
            assert_eq!(arena.deal.life, Life::Closed);
        }
    }
}
