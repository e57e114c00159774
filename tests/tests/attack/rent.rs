//! Lamports and tokens that nobody asked for, and who gets them.

use escrow_tests::{DAY, START};
use solana_instruction::{AccountMeta, error::InstructionError};
use spl_token_2022_interface::instruction as token_instruction;

use crate::{
    referee::Life,
    stage::{ASSETS, Asset, Stage},
    wire::{Deed, program},
};

#[test]
fn lamports_sent_in_advance_do_not_prevent_a_deal() {
    for asset in ASSETS {
        for (to_escrow, to_vault) in [(1, 0), (0, 1), (890_880, 890_880), (5_000_000_000, 5_000_000_000)] {
            let mut stage = Stage::empty(asset, |_| ());
            let (escrow, vault) = (stage.escrow(), stage.vault());
            for (address, lamports) in [(escrow, to_escrow), (vault, to_vault)] {
                if lamports != 0 {
                    // Below the rent of an empty account the bank itself refuses; so it is put there.
                    let account = solana_account::Account { lamports, rent_epoch: u64::MAX, ..Default::default() };
                    stage.world.svm.set_account(address, account).expect("an account");
                }
            }
            stage.look();
            stage.create();
            stage.must(stage.buyer(), Deed::Fund);
            stage.at(START + 10 * DAY);
            stage.finish();
        }
    }
}

#[test]
fn lamports_sent_later_are_the_rent_payers_and_never_the_deals() {
    for asset in ASSETS {
        let mut stage = Stage::empty(asset, |_| ());
        stage.create();
        let (escrow, vault, stranger) = (stage.escrow(), stage.vault(), stage.stranger());
        stage.donate(&escrow, 3_000_000_000);
        stage.must(stage.buyer(), Deed::Fund);
        stage.donate(&escrow, 1);
        if asset == Asset::Token {
            stage.donate(&vault, 7_000_000);
        }
        stage.must(stage.seller(), Deed::Refund { milestone: 0, amount: 7, expected: 1_000_007 });
        stage.must(stranger, Deed::Withdraw(0));
        stage.cannot(stranger, Deed::Withdraw(0), 6090);
        stage.cannot(stranger, Deed::Withdraw(1), 6090);
        stage.finish();
    }
}

#[test]
fn a_donation_to_an_unfunded_escrow_does_not_fund_it() {
    for asset in ASSETS {
        let mut stage = Stage::empty(asset, |_| ());
        stage.create();
        let (escrow, vault, buyer) = (stage.escrow(), stage.vault(), stage.buyer());
        match asset {
            Asset::Sol => stage.donate(&escrow, 1_000_007),
            Asset::Token => stage.mint(&vault, 1_000_007),
        }
        stage.cannot(stage.seller(), Deed::Deliver(0), 6070);
        let mut cancelled = stage.fork();
        cancelled.must(stage.seller(), Deed::Cancel);
        // The buyer pays the whole all the same.
        stage.must(buyer, Deed::Fund);
        stage.finish();
    }
}

#[test]
fn uninvited_tokens_go_to_the_buyer_and_hold_nobody_up() {
    let mut stage = Stage::funded(Asset::Token, |_| ());
    let (vault, stranger, buyer) = (stage.vault(), stage.stranger(), stage.buyer());
    stage.mint(&vault, 123);
    let expected = 1_000_007;
    stage.must(buyer, Deed::Release { milestone: 0, amount: expected, expected });
    stage.must(stranger, Deed::Withdraw(1));
    stage.must(stranger, Deed::Withdraw(2));
    stage.at(stage.deal.terms.fund_by);
    let close = stage.instruction(stranger, &Deed::Close);
    // Left out, or somebody else's.
    let mut odd = close.clone();
    odd.accounts[5] = AccountMeta::new_readonly(program(), false);
    stage.no(odd, 6062);
    let mut odd = close.clone();
    odd.accounts[5].pubkey = stage.deal.terms.account_of(&stage.seller());
    stage.no(odd, 6056);
    let mut odd = close.clone();
    odd.accounts[5].pubkey = vault;
    assert!(stage.send(&[odd]).is_err());
    stage.must(stranger, Deed::Close);
}

#[test]
fn the_rent_goes_to_the_rent_payer_alone() {
    for asset in ASSETS {
        let mut stage = Stage::funded(asset, |_| ());
        let (buyer, seller, stranger) = (stage.buyer(), stage.seller(), stage.stranger());
        stage.must(seller, Deed::Refund { milestone: 0, amount: 1_000_007, expected: 1_000_007 });
        stage.must(stranger, Deed::Withdraw(0));
        stage.at(stage.deal.terms.fund_by);
        for thief in [buyer, seller, stranger, stage.vault()] {
            let mut odd = stage.instruction(stranger, &Deed::Close);
            odd.accounts[1].pubkey = thief;
            stage.refused(odd, &[InstructionError::Custom(6046), InstructionError::Custom(2040)]);
        }
        let mut odd = stage.instruction(stranger, &Deed::Close);
        odd.accounts[1].pubkey = stage.escrow();
        stage.refused(odd, &[InstructionError::Custom(6046), InstructionError::Custom(2040)]);
        stage.must(stranger, Deed::Close);
        assert_eq!(stage.deal.life, Life::Closed);
    }
}

#[test]
fn a_payment_too_small_for_an_empty_wallet_waits_and_harms_nobody() {
    // The fee recipient has never been used, and its fee is below the rent of an empty account.
    let mut stage = Stage::funded(Asset::Sol, |_| ());
    let (buyer, stranger) = (stage.buyer(), stage.stranger());
    let fee_recipient = stage.deal.terms.fee_recipient;
    stage.world.svm.set_account(fee_recipient, Default::default()).expect("an empty account");
    stage.look();
    stage.must(buyer, Deed::Release { milestone: 0, amount: 1_000_007, expected: 1_000_007 });
    let withdraw = stage.instruction(stranger, &Deed::Withdraw(2));
    let signers = [crate::stage::key_of(&stranger)];
    assert!(stage.world.send(&[withdraw], &signers[..0]).is_err());
    stage.check();
    stage.must(stranger, Deed::Withdraw(1));
    stage.donate(&fee_recipient, 890_880);
    stage.finish();
}

#[test]
fn the_vault_obeys_nobody_but_the_program() {
    let mut stage = Stage::funded(Asset::Token, |_| ());
    let (vault, escrow, buyer) = (stage.vault(), stage.escrow(), stage.buyer());
    let (mint, token) = (stage.deal.terms.mint, stage.deal.terms.token_program);
    let to = stage.deal.terms.account_of(&buyer);
    let before = stage.world.snapshot();
    for owner in [buyer, stage.seller(), stage.arbiter(), stage.deal.rent_payer] {
        for instruction in [
            token_instruction::transfer_checked(&token, &vault, &mint, &to, &owner, &[], 1, 6).expect("it"),
            token_instruction::close_account(&token, &vault, &to, &owner, &[]).expect("it"),
            token_instruction::approve(&token, &vault, &owner, &owner, &[], 1).expect("it"),
            token_instruction::burn(&token, &vault, &mint, &owner, &[], 1).expect("it"),
        ] {
            assert!(stage.send(&[instruction]).is_err());
        }
    }
    // Nor does it have a delegate or a closer: the owner is the escrow, and that is all.
    let account = stage.world.svm.get_account(&vault).expect("a vault");
    assert_eq!(account.data[32..64], escrow.to_bytes());
    assert_eq!(account.data[72..76], [0; 4], "a delegate");
    assert_eq!(account.data[129..133], [0; 4], "a close authority");
    assert!(before == stage.world.snapshot());
}
