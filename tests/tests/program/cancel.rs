//! `cancel`: an unfunded escrow is given up and closed; a funded one is refunded in the cooling-off period.

use escrow_client::{EscrowError::*, MilestoneStatus, Recipient, address, instruction};
use escrow_tests::{INITIAL_LAMPORTS, KINDS, Kind, TOKEN, TOKEN_2022, Who, case, deal::*, keypair};
use solana_instruction::AccountMeta;
use solana_signer::Signer;

const COOLING_OFF: u32 = 100;

fn cooling(kind: Kind, amounts: &[u64]) -> Deal {
    Deal::funded(kind, amounts, |_, terms| terms.cooling_off = COOLING_OFF)
}

// Unfunded -------------------------------------------------------------------------------------------------------------

#[test]
fn an_unfunded_escrow_is_cancelled_by_those_it_names_and_by_anyone_from_fund_by_on() {
    for kind in KINDS {
        let deal = Deal::created(kind, &[1_000], plain);
        let fund_by = deal.terms.fund_by;
        for who in Who::ALL {
            let named = matches!(who, Who::Buyer | Who::Seller | Who::RentPayer);
            for (at, accepted) in
                [(fund_by - 86_400, named), (fund_by - 1, named), (fund_by, true), (fund_by + 1, true)]
            {
                case(format_args!("{kind:?}, {who:?}, {at}"));
                let mut deal = deal.fork();
                deal.world.set_time(at);
                if !accepted {
                    deal.refused(deal.cancel(who), NotCanceller);
                    continue;
                }
                deal.ok(deal.cancel(who));
                assert!(!deal.world.exists(&deal.escrow) && !deal.world.exists(&deal.vault()));
                for who in Who::ALL {
                    assert_eq!(deal.world.lamports(&deal.key(who)), INITIAL_LAMPORTS, "{who:?}");
                }
            }
        }
    }
}

#[test]
fn cancelling_needs_the_vault_of_an_unfunded_token_escrow() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    for without in [&[3][..], &[5], &[3, 5]] {
        let act = without.iter().fold(deal.cancel(Who::Buyer), |act, index| act.without(*index));
        deal.refused(act, TokenAccountsMissing);
    }
    let others = deal.world.terms(Kind::Token, &[5]);
    let other_vault = address::vault_address(&deal.world.create(&others));
    for wrong in [other_vault, deal.world.token_account(&deal.key(Who::Buyer)), keypair(99).pubkey()] {
        deal.refused(deal.cancel(Who::Buyer).account(3, wrong), VaultMismatch);
    }
    deal.refused(deal.cancel(Who::Buyer).account(5, TOKEN_2022), TokenProgramMismatch);
}

#[test]
fn the_rent_of_a_cancelled_escrow_goes_to_its_payer_only() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], plain);
        for who in Who::ALL.into_iter().filter(|who| *who != Who::RentPayer) {
            deal.refused(deal.cancel(Who::Buyer).account(2, deal.key(who)), RentPayerMismatch);
        }
        let mut funded = cooling(kind, &[1_000]);
        let stranger = funded.key(Who::Stranger);
        funded.refused(funded.cancel(Who::Buyer).account(2, stranger), RentPayerMismatch);
    }
}

#[test]
fn lamports_that_nobody_asked_for_go_to_the_rent_payer() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], plain);
        let (escrow, vault) = (deal.escrow, deal.vault());
        deal.world.svm.airdrop(&escrow, 7_000_000).expect("an airdrop");
        let mut sent = 7_000_000;
        if kind == Kind::Token {
            deal.world.svm.airdrop(&vault, 3_000_000).expect("an airdrop");
            sent += 3_000_000;
        }
        deal.ok(deal.cancel(Who::Seller));
        assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS + sent);
    }
}

#[test]
fn tokens_in_the_vault_of_an_unfunded_escrow_go_to_the_buyer() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    deal.world.mint_to_account(&deal.vault(), 77);
    deal.uninvited = 77;
    let seller = deal.keypair(Who::Seller);
    let surplus = |deal: &Deal| Act::new(instruction::cancel(&deal.account(), seller.pubkey(), true), &[&seller]);
    deal.refused(deal.cancel(Who::Seller), SurplusAccountMissing);
    deal.refused(surplus(&deal).without(4), SurplusAccountMissing);
    deal.refused(surplus(&deal).without(6), SurplusAccountMissing);
    let other_mint = keypair(70);
    deal.world.create_mint(&other_mint, TOKEN, 6, None);
    deal.refused(surplus(&deal).account(4, other_mint.pubkey()), MintMismatch);
    let seller_token = deal.world.token_account(&seller.pubkey());
    deal.refused(surplus(&deal).account(6, seller_token), TokenAccountOwner);
    deal.refused(surplus(&deal).account(6, deal.vault()), DUPLICATE);
    for (name, address, reason) in wrong_token_accounts(&mut deal) {
        case(name);
        deal.refused(surplus(&deal).account(6, address), reason);
    }

    let before = deal.balances();
    deal.ok(surplus(&deal));
    deal.assert_moved(&before, &[(Who::Buyer, 77)]);
    assert!(!deal.world.exists(&deal.escrow) && !deal.world.exists(&deal.vault()));
}

#[test]
fn the_buyer_who_cancels_directs_such_tokens_to_any_of_its_accounts() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    deal.world.mint_to_account(&deal.vault(), 77);
    deal.uninvited = 77;
    let (buyer, mint) = (deal.keypair(Who::Buyer), deal.world.mint);
    let other = deal.world.new_token_account(&keypair(73), &buyer.pubkey(), &mint, &TOKEN);
    let surplus = |deal: &Deal, who: Who| {
        let canceller = deal.keypair(who);
        Act::new(instruction::cancel(&deal.account(), canceller.pubkey(), true), &[&canceller]).account(6, other)
    };
    deal.refused(surplus(&deal, Who::Seller), NotAssociatedAccount);
    deal.refused(surplus(&deal, Who::RentPayer), NotAssociatedAccount);
    deal.ok(surplus(&deal, Who::Buyer));
    assert_eq!(deal.world.tokens_in(&other), 77);
}

// Funded ---------------------------------------------------------------------------------------------------------------

#[test]
fn the_buyer_takes_everything_back_in_the_cooling_off_period() {
    for kind in KINDS {
        let mut deal = cooling(kind, &[10, 20, 30]);
        deal.ok(deal.cancel(Who::Buyer));
        assert_eq!(deal.milestones(), [(MilestoneStatus::Settled, 0); 3]);
        assert!(deal.account().milestones.iter().all(|milestone| milestone.deadline == 0));
        deal.assert_ledger([0, 60, 0, 0], [60, 0, 0, 0]);
        let before = deal.balances();
        deal.ok(deal.withdraw(Recipient::Buyer));
        deal.assert_moved(&before, &[(Who::Buyer, 60)]);
        deal.wait_and_close();
        assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS);
    }
}

#[test]
fn cancelling_takes_back_only_what_is_not_decided() {
    for kind in KINDS {
        let mut deal = cooling(kind, &[10, 20, 30]);
        deal.ok(deal.release(0, 10));
        deal.ok(deal.release(1, 5));
        deal.ok(deal.refund(2, 7));
        deal.ok(deal.cancel(Who::Buyer));
        deal.assert_ledger([15, 45, 0, 0], [45, 15, 0, 0]);
        deal.refused(deal.cancel(Who::Buyer), NothingToCancel);
        deal.withdraw_all();
        deal.wait_and_close();
    }
}

/// Settles a milestone of 10 in the cooling-off period, `released` of it to the seller.
fn settle(deal: &mut Deal, milestone: u8, released: u64) {
    if released != 0 {
        deal.ok(deal.release(milestone, released));
    }
    if released != 10 {
        deal.ok(deal.refund(milestone, 10 - released));
    }
}

#[test]
fn a_funded_escrow_in_which_nothing_remains_is_not_cancelled() {
    for kind in KINDS {
        for count in [1, 8] {
            for released in [0, 4, 10] {
                case(format_args!("{kind:?}, {count} milestones, {released} of 10 released"));
                let mut deal = cooling(kind, &vec![10; count]);
                for milestone in (0u8..).take(count) {
                    settle(&mut deal, milestone, released);
                }
                deal.refused(deal.cancel(Who::Buyer), NothingToCancel);
                // Who cancels, and when, is told first.
                for who in Who::ALL.into_iter().filter(|who| *who != Who::Buyer) {
                    deal.refused(deal.cancel(who), NotBuyer);
                }
                let total = 10 * count as u64;
                deal.assert_divided(total, released * count as u64);
                deal.withdraw_all();
                deal.refused(deal.cancel(Who::Buyer), NothingToCancel);
                deal.world.advance(i64::from(COOLING_OFF));
                deal.refused(deal.cancel(Who::Buyer), CoolingOffOver);
                deal.wait_and_close();
            }
        }
    }
}

#[test]
fn one_milestone_of_eight_in_which_something_remains_is_cancelled() {
    for kind in KINDS {
        for last in 0..8 {
            case(format_args!("{kind:?}, milestone {last}"));
            let mut deal = cooling(kind, &[10; 8]);
            for milestone in (0..8).filter(|milestone| *milestone != last) {
                settle(&mut deal, milestone, 10);
            }
            deal.ok(deal.release(last, 9));
            deal.ok(deal.cancel(Who::Buyer));
            deal.assert_divided(80, 79);
            assert_eq!(deal.milestones(), [(MilestoneStatus::Settled, 0); 8]);
            deal.refused(deal.cancel(Who::Buyer), NothingToCancel);
        }
    }
}

#[test]
fn only_the_buyer_cancels_a_funded_escrow() {
    for kind in KINDS {
        let mut deal = cooling(kind, &[1_000]);
        let fund_by = deal.terms.fund_by;
        for who in Who::ALL.into_iter().filter(|who| *who != Who::Buyer) {
            deal.refused(deal.cancel(who), NotBuyer);
        }
        deal.world.set_time(fund_by);
        for who in Who::ALL.into_iter().filter(|who| *who != Who::Buyer) {
            deal.refused(deal.cancel(who), NotBuyer);
        }
    }
}

#[test]
fn nobody_cancels_when_the_cooling_off_period_is_over() {
    for kind in KINDS {
        for cooling_off in [0, COOLING_OFF] {
            let mut deal = Deal::funded(kind, &[1_000], |_, terms| terms.cooling_off = cooling_off);
            let end = deal.world.now() + i64::from(cooling_off);
            for at in [end, end + 1, end + 1_000_000_000] {
                deal.world.set_time(at);
                deal.refused(deal.cancel(Who::Buyer), CoolingOffOver);
            }
        }
    }
}

/// The rent payer is named twice where it cancels itself.
#[test]
fn the_rent_payer_may_be_the_one_who_cancels() {
    for kind in KINDS {
        let mut deal = Deal::agreed(escrow_tests::World::new(), kind, &[1_000], |_, terms| terms.cooling_off = 9);
        let buyer = deal.keypair(Who::Buyer);
        let start = deal.world.lamports(&buyer.pubkey());
        deal.ok(deal.create().signed_by(0, &buyer));
        let mut unfunded = deal.fork();
        unfunded.ok(unfunded.cancel(Who::Buyer));
        assert_eq!(unfunded.world.lamports(&buyer.pubkey()), start);
        deal.ok(deal.fund());
        deal.ok(deal.cancel(Who::Buyer));
        deal.withdraw_all();
        deal.wait_and_close();
        assert_eq!(deal.world.lamports(&buyer.pubkey()), start);
    }
}

/// Cancelling a funded escrow moves no money, so accounts that it does not need change nothing.
#[test]
fn a_funded_escrow_is_cancelled_without_touching_token_accounts() {
    let mut deal = cooling(Kind::Token, &[1_000]);
    let buyer_token = deal.world.token_account(&deal.key(Who::Buyer));
    let (vault, mint) = (deal.vault(), deal.world.mint);
    let mut act = deal.cancel(Who::Buyer);
    act.instruction.accounts[3] = AccountMeta::new(vault, false);
    act.instruction.accounts[4] = AccountMeta::new_readonly(mint, false);
    act.instruction.accounts[5] = AccountMeta::new_readonly(TOKEN, false);
    act.instruction.accounts[6] = AccountMeta::new(buyer_token, false);
    let before = deal.balances();
    deal.ok(act);
    deal.assert_moved(&before, &[]);
    assert_eq!(deal.held(), 1_000);
}
