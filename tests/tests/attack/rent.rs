//! Lamports and tokens that nobody asked for, and who gets them.

use escrow_tests::{DAY, START};
use solana_instruction::{AccountMeta, error::InstructionError};
use spl_token_2022_interface::instruction as token_instruction;

use crate::{
    arena::{Arena, KINDS, Kind},
    referee::Life,
    wire::{Deed, program},
};

#[test]
fn lamports_sent_in_advance_do_not_prevent_a_deal() {
    for asset in KINDS {
        for (to_escrow, to_vault) in [(1, 0), (0, 1), (890_880, 890_880), (5_000_000_000, 5_000_000_000)] {
            let mut arena = Arena::empty(asset, |_| ());
            let (escrow, vault) = (arena.escrow(), arena.vault());
            for (address, lamports) in [(escrow, to_escrow), (vault, to_vault)] {
                if lamports != 0 {
                    // Below the rent of an empty account the bank itself refuses; so it is put there.
                    let account = solana_account::Account { lamports, rent_epoch: u64::MAX, ..Default::default() };
                    arena.world.svm.set_account(address, account).expect("an account");
                }
            }
            arena.look();
            arena.create();
            arena.must(arena.buyer(), Deed::Fund);
            arena.at(START + 10 * DAY);
            arena.finish();
        }
    }
}

#[test]
fn lamports_sent_later_are_the_rent_payers_and_never_the_deals() {
    for asset in KINDS {
        let mut arena = Arena::empty(asset, |_| ());
        arena.create();
        let (escrow, vault, stranger) = (arena.escrow(), arena.vault(), arena.stranger());
        arena.donate(&escrow, 3_000_000_000);
        arena.must(arena.buyer(), Deed::Fund);
        arena.donate(&escrow, 1);
        if asset == Kind::Token {
            arena.donate(&vault, 7_000_000);
        }
        arena.must(arena.seller(), Deed::Refund { milestone: 0, amount: 7, expected: 1_000_007 });
        arena.must(stranger, Deed::Withdraw(0));
        arena.cannot(stranger, Deed::Withdraw(0), 6090);
        arena.cannot(stranger, Deed::Withdraw(1), 6090);
        arena.finish();
    }
}

#[test]
fn a_donation_to_an_unfunded_escrow_does_not_fund_it() {
    for asset in KINDS {
        let mut arena = Arena::empty(asset, |_| ());
        arena.create();
        let (escrow, vault, buyer) = (arena.escrow(), arena.vault(), arena.buyer());
        match asset {
            Kind::Sol => arena.donate(&escrow, 1_000_007),
            Kind::Token => arena.mint(&vault, 1_000_007),
        }
        arena.cannot(arena.seller(), Deed::Deliver(0), 6070);
        let mut cancelled = arena.fork();
        cancelled.must(arena.seller(), Deed::Cancel);
        // The buyer pays the whole all the same.
        arena.must(buyer, Deed::Fund);
        arena.finish();
    }
}

#[test]
fn uninvited_tokens_go_to_the_buyer_and_hold_nobody_up() {
    let mut arena = Arena::funded(Kind::Token, |_| ());
    let (vault, stranger, buyer) = (arena.vault(), arena.stranger(), arena.buyer());
    arena.mint(&vault, 123);
    let expected = 1_000_007;
    arena.must(buyer, Deed::Release { milestone: 0, amount: expected, expected });
    arena.must(stranger, Deed::Withdraw(1));
    arena.must(stranger, Deed::Withdraw(2));
    arena.at(arena.deal.terms.fund_by);
    let close = arena.instruction(stranger, &Deed::Close);
    // Left out, or somebody else's.
    let mut odd = close.clone();
    odd.accounts[5] = AccountMeta::new_readonly(program(), false);
    arena.no(odd, 6062);
    let mut odd = close.clone();
    odd.accounts[5].pubkey = arena.deal.terms.account_of(&arena.seller());
    arena.no(odd, 6056);
    let mut odd = close.clone();
    odd.accounts[5].pubkey = vault;
    assert!(arena.send(&[odd]).is_err());
    arena.must(stranger, Deed::Close);
}

#[test]
fn the_rent_goes_to_the_rent_payer_alone() {
    for asset in KINDS {
        let mut arena = Arena::funded(asset, |_| ());
        let (buyer, seller, stranger) = (arena.buyer(), arena.seller(), arena.stranger());
        arena.must(seller, Deed::Refund { milestone: 0, amount: 1_000_007, expected: 1_000_007 });
        arena.must(stranger, Deed::Withdraw(0));
        arena.at(arena.deal.terms.fund_by);
        for thief in [buyer, seller, stranger, arena.vault()] {
            let mut odd = arena.instruction(stranger, &Deed::Close);
            odd.accounts[1].pubkey = thief;
            arena.refused(odd, &[InstructionError::Custom(6046), InstructionError::Custom(2040)]);
        }
        let mut odd = arena.instruction(stranger, &Deed::Close);
        odd.accounts[1].pubkey = arena.escrow();
        arena.refused(odd, &[InstructionError::Custom(6046), InstructionError::Custom(2040)]);
        arena.must(stranger, Deed::Close);
        assert_eq!(arena.deal.life, Life::Closed);
    }
}

#[test]
fn a_payment_too_small_for_an_empty_wallet_waits_and_harms_nobody() {
    // The fee recipient has never been used, and its fee is below the rent of an empty account.
    let mut arena = Arena::funded(Kind::Sol, |_| ());
    let (buyer, stranger) = (arena.buyer(), arena.stranger());
    let fee_recipient = arena.deal.terms.fee_recipient;
    arena.world.svm.set_account(fee_recipient, Default::default()).expect("an empty account");
    arena.look();
    arena.must(buyer, Deed::Release { milestone: 0, amount: 1_000_007, expected: 1_000_007 });
    let withdraw = arena.instruction(stranger, &Deed::Withdraw(2));
    let signers = [crate::arena::key_of(&stranger)];
    assert!(arena.world.send(&[withdraw], &signers[..0]).is_err());
    arena.check();
    arena.must(stranger, Deed::Withdraw(1));
    arena.donate(&fee_recipient, 890_880);
    arena.finish();
}

#[test]
fn the_vault_obeys_nobody_but_the_program() {
    let mut arena = Arena::funded(Kind::Token, |_| ());
    let (vault, escrow, buyer) = (arena.vault(), arena.escrow(), arena.buyer());
    let (mint, token) = (arena.deal.terms.mint, arena.deal.terms.token_program);
    let to = arena.deal.terms.account_of(&buyer);
    let before = arena.world.snapshot();
    for owner in [buyer, arena.seller(), arena.arbiter(), arena.deal.rent_payer] {
        for instruction in [
            token_instruction::transfer_checked(&token, &vault, &mint, &to, &owner, &[], 1, 6).expect("it"),
            token_instruction::close_account(&token, &vault, &to, &owner, &[]).expect("it"),
            token_instruction::approve(&token, &vault, &owner, &owner, &[], 1).expect("it"),
            token_instruction::burn(&token, &vault, &mint, &owner, &[], 1).expect("it"),
        ] {
            assert!(arena.send(&[instruction]).is_err());
        }
    }
    // Nor does it have a delegate or a closer: the owner is the escrow, and that is all.
    let account = arena.world.svm.get_account(&vault).expect("a vault");
    assert_eq!(account.data[32..64], escrow.to_bytes());
    assert_eq!(account.data[72..76], [0; 4], "a delegate");
    assert_eq!(account.data[129..133], [0; 4], "a close authority");
    assert!(before == arena.world.snapshot());
}
