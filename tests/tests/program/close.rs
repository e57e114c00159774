//! `close`: the end of a settled and withdrawn escrow, from fund_by on; the rent goes back.

use escrow_client::{EscrowError::*, Recipient, address, instruction};
use escrow_tests::{INITIAL_LAMPORTS, KINDS, Kind, TOKEN, TOKEN_2022, Who, World, case, deal::*, keypair};
use solana_instruction::AccountMeta;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Settled, withdrawn, and late enough to be closed.
fn finished(kind: Kind) -> Deal {
    let mut deal = Deal::funded(kind, &[1_000], plain);
    deal.ok(deal.release(0, 600));
    deal.ok(deal.refund(0, 400));
    deal.withdraw_all();
    deal.world.set_time(deal.terms.fund_by);
    deal
}

/// Closing with the buyer's account for tokens that nobody asked for, signed by the buyer or not.
fn close_with_surplus(deal: &Deal, buyer: Option<&Keypair>) -> Act {
    let mut act = Act::new(instruction::close(&deal.account(), true), &[]);
    if let Some(buyer) = buyer {
        act.instruction.accounts[6] = AccountMeta::new_readonly(buyer.pubkey(), true);
        act.signers.push(buyer.insecure_clone());
    }
    act
}

#[test]
fn closing_returns_all_rent_to_its_payer_whoever_that_is() {
    for kind in KINDS {
        for who in Who::ALL {
            case(format_args!("{kind:?}, {who:?}"));
            let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
            let payer = deal.keypair(who);
            deal.ok(deal.create().signed_by(0, &payer));
            deal.ok(deal.fund());
            deal.ok(deal.refund(0, 1_000));
            deal.withdraw_all();
            deal.wait_and_close();
            for who in Who::ALL {
                assert_eq!(deal.world.lamports(&deal.key(who)), INITIAL_LAMPORTS, "{who:?}");
            }
        }
    }
}

#[test]
fn an_escrow_closes_at_fund_by_at_the_earliest() {
    for kind in KINDS {
        let mut deal = finished(kind);
        let fund_by = deal.terms.fund_by;
        deal.world.set_time(fund_by - 1);
        deal.refused(deal.close(), CloseTooEarly);
        for at in [fund_by, fund_by + 1, fund_by + 1_000_000_000] {
            let mut deal = deal.fork();
            deal.world.set_time(at);
            deal.ok(deal.close());
        }
    }
}

#[test]
fn an_unfunded_or_unsettled_escrow_is_not_closed() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[10, 20], plain);
        let fund_by = deal.terms.fund_by;
        let mut unfunded = deal.fork();
        unfunded.world.set_time(fund_by);
        unfunded.refused(unfunded.close(), NotFunded);
        deal.ok(deal.fund());
        deal.world.set_time(fund_by);
        deal.refused(deal.close(), NotSettled);
        deal.ok(deal.release(0, 10));
        deal.withdraw_all();
        deal.refused(deal.close(), NotSettled);
        deal.ok(deal.deliver(1));
        deal.refused(deal.close(), NotSettled);
        deal.ok(deal.dispute(1));
        deal.refused(deal.close(), NotSettled);
        deal.ok(deal.rule(1, 5_000));
        deal.refused(deal.close(), NotWithdrawn);
    }
}

#[test]
fn an_escrow_that_owes_anybody_anything_is_not_closed() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |world, terms| {
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
            terms.arbiter_fee_bps = 1_000;
        });
        deal.deliver_and_dispute(0);
        deal.ok(deal.rule(0, 5_000));
        deal.world.set_time(deal.terms.fund_by);
        for last in Recipient::ALL {
            let mut deal = deal.fork();
            for other in Recipient::ALL.into_iter().filter(|other| *other != last) {
                deal.refused(deal.close(), NotWithdrawn);
                deal.ok(deal.withdraw(other));
            }
            deal.refused(deal.close(), NotWithdrawn);
            deal.ok(deal.withdraw(last));
            deal.ok(deal.close());
        }
    }
}

#[test]
fn the_rent_goes_to_nobody_else() {
    for kind in KINDS {
        let mut deal = finished(kind);
        for who in Who::ALL.into_iter().filter(|who| *who != Who::RentPayer) {
            deal.refused(deal.close().account(1, deal.key(who)), RentPayerMismatch);
        }
    }
}

#[test]
fn lamports_that_nobody_asked_for_go_to_the_rent_payer() {
    for kind in KINDS {
        let mut deal = finished(kind);
        let (escrow, vault) = (deal.escrow, deal.vault());
        deal.world.svm.airdrop(&escrow, 7_000_000).expect("an airdrop");
        let mut sent = 7_000_000;
        if kind == Kind::Token {
            deal.world.svm.airdrop(&vault, 3_000_000).expect("an airdrop");
            sent += 3_000_000;
        }
        deal.ok(deal.close());
        assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS + sent);
    }
}

#[test]
fn closing_needs_the_vault_of_a_token_escrow() {
    let mut deal = finished(Kind::Token);
    for without in [&[2][..], &[4], &[2, 4]] {
        let act = without.iter().fold(deal.close(), |act, index| act.without(*index));
        deal.refused(act, TokenAccountsMissing);
    }
    let others = deal.world.terms(Kind::Token, &[5]);
    let other_vault = address::vault_address(&deal.world.create(&others));
    for wrong in [other_vault, deal.world.token_account(&deal.key(Who::Buyer)), keypair(99).pubkey()] {
        deal.refused(deal.close().account(2, wrong), VaultMismatch);
    }
    deal.refused(deal.close().account(4, TOKEN_2022), TokenProgramMismatch);
}

#[test]
fn tokens_that_nobody_asked_for_go_to_the_buyer() {
    let mut deal = finished(Kind::Token);
    deal.world.mint_to_account(&deal.vault(), 77);
    deal.uninvited = 77;
    deal.refused(deal.close(), SurplusAccountMissing);
    deal.refused(close_with_surplus(&deal, None).without(3), SurplusAccountMissing);
    deal.refused(close_with_surplus(&deal, None).without(5), SurplusAccountMissing);
    let other_mint = keypair(70);
    deal.world.create_mint(&other_mint, TOKEN, 6, None);
    deal.refused(close_with_surplus(&deal, None).account(3, other_mint.pubkey()), MintMismatch);
    for who in [Who::Seller, Who::Arbiter, Who::FeeRecipient] {
        let others = deal.world.token_account(&deal.key(who));
        deal.refused(close_with_surplus(&deal, None).account(5, others), TokenAccountOwner);
    }
    deal.refused(close_with_surplus(&deal, None).account(5, deal.vault()), DUPLICATE);
    for (name, address, reason) in wrong_token_accounts(&mut deal) {
        case(name);
        deal.refused(close_with_surplus(&deal, None).account(5, address), reason);
    }
    let before = deal.balances();
    deal.ok(close_with_surplus(&deal, None));
    deal.assert_moved(&before, &[(Who::Buyer, 77)]);
    assert!(!deal.world.exists(&deal.escrow) && !deal.world.exists(&deal.vault()));
    assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS);
}

/// Tokens that were sent while the escrow was open do not mix with what it owes.
#[test]
fn tokens_that_nobody_asked_for_pay_nobody_before_the_end() {
    let mut deal = Deal::funded(Kind::Token, &[1_000], plain);
    deal.world.mint_to_account(&deal.vault(), 5_000);
    deal.uninvited = 5_000;
    deal.ok(deal.release(0, 600));
    deal.ok(deal.refund(0, 400));
    let before = deal.balances();
    deal.withdraw_all();
    deal.assert_moved(&before, &[(Who::Buyer, 400), (Who::Seller, 600)]);
    deal.world.set_time(deal.terms.fund_by);
    let before = deal.balances();
    deal.ok(close_with_surplus(&deal, None));
    deal.assert_moved(&before, &[(Who::Buyer, 5_000)]);
}

#[test]
fn only_the_buyer_directs_such_tokens_to_another_account() {
    let mut deal = finished(Kind::Token);
    deal.world.mint_to_account(&deal.vault(), 77);
    deal.uninvited = 77;
    let (buyer, mint) = (deal.keypair(Who::Buyer), deal.world.mint);
    let other = deal.world.new_token_account(&keypair(73), &buyer.pubkey(), &mint, &TOKEN);
    deal.refused(close_with_surplus(&deal, None).account(5, other), NotAssociatedAccount);
    for who in Who::ALL.into_iter().filter(|who| *who != Who::Buyer) {
        let person = deal.keypair(who);
        deal.refused(close_with_surplus(&deal, Some(&person)).account(5, other), NotBuyer);
    }
    deal.refused(close_with_surplus(&deal, Some(&buyer)).account(5, other).unsigned(6), MISSING_SIGNATURE);
    deal.ok(close_with_surplus(&deal, Some(&buyer)).account(5, other));
    assert_eq!(deal.world.tokens_in(&other), 77);
}

#[test]
fn a_closed_escrow_is_closed_once() {
    for kind in KINDS {
        let mut deal = finished(kind);
        let close = deal.close();
        let again = Act { instruction: close.instruction.clone(), signers: vec![] };
        deal.ok(close);
        deal.refused(again, NO_ACCOUNT);
    }
}
