//! `fund`: the buyer pays the whole principal in, once, before fund_by.

use escrow_client::{
    EscrowError::{self, *},
    address, escrow, instruction, terms,
};
use escrow_tests::{INITIAL_TOKENS, KINDS, Kind, Refusal, START, TOKEN, TOKEN_2022, Who, case, deal::*, keypair};
use solana_account::Account;
use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::instruction as token_instruction;

#[test]
fn the_buyer_pays_exactly_the_principal() {
    for kind in KINDS {
        for amounts in [&[1][..], &[1_000], &[1, 2, 3], &[7; 8]] {
            case(format_args!("{kind:?}, {amounts:?}"));
            let mut deal = Deal::created(kind, amounts, plain);
            deal.world.advance(5);
            let (before, lamports) = (deal.balances(), deal.world.lamports(&deal.key(Who::RentPayer)));
            deal.ok(deal.fund());
            let principal: u64 = amounts.iter().sum();
            deal.assert_moved(&before, &[(Who::Buyer, -i128::from(principal))]);
            assert_eq!(deal.held(), principal);
            assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), lamports);
            let account = deal.account();
            assert!(account.is_funded());
            assert_eq!(account.state.funded_at, START + 5);
            deal.assert_ledger([0; 4], [0; 4]);
            assert_eq!(account.terms(), deal.terms);
        }
    }
}

#[test]
fn a_second_funding_is_refused() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        deal.refused(deal.fund(), AlreadyFunded);
        deal.ok(deal.release(0, 1_000));
        deal.refused(deal.fund(), AlreadyFunded);
        deal.withdraw_all();
        deal.refused(deal.fund(), AlreadyFunded);
    }
}

#[test]
fn a_cooling_off_period_that_outlasts_a_deliver_by_when_funded_is_refused() {
    for kind in KINDS {
        for (cooling_off, at, accepted) in
            [(0, 499, true), (0, 500, false), (100, 399, true), (100, 400, false), (100, 450, false), (0, 501, false)]
        {
            case(format_args!("{kind:?}, cooling-off of {cooling_off} at {at}"));
            let mut deal = Deal::created(kind, &[5], |_, terms| {
                terms.cooling_off = cooling_off;
                terms.milestones = vec![terms::milestone(5, START + 5_000), terms::milestone(5, START + 500)];
            });
            deal.world.set_time(START + at);
            if accepted {
                deal.ok(deal.fund());
            } else {
                deal.refused(deal.fund(), CoolingOffTooLong);
            }
        }
    }
}

#[test]
fn the_rent_payer_may_be_the_buyer() {
    for kind in KINDS {
        let mut deal = Deal::agreed(escrow_tests::World::new(), kind, &[1_000], plain);
        let buyer = deal.keypair(Who::Buyer);
        let start = deal.world.lamports(&buyer.pubkey());
        deal.ok(deal.create().signed_by(0, &buyer));
        deal.ok(deal.fund());
        deal.ok(deal.refund(0, 1_000));
        deal.withdraw_all();
        deal.wait_and_close();
        assert_eq!(deal.world.lamports(&buyer.pubkey()), start);
    }
}

#[test]
fn a_buyer_without_enough_cannot_fund() {
    let holds = escrow_tests::INITIAL_LAMPORTS;
    let mut deal = Deal::created(Kind::Sol, &[holds + 1], plain);
    deal.refused(deal.fund(), InstructionError::Custom(1));
    let mut deal = Deal::created(Kind::Sol, &[u64::MAX], plain);
    deal.refused(deal.fund(), InstructionError::Custom(1));
    let mut deal = Deal::created(Kind::Token, &[INITIAL_TOKENS + 1], plain);
    deal.refused(deal.fund(), TOKEN_INSUFFICIENT_FUNDS);
    let mut deal = Deal::created(Kind::Token, &[INITIAL_TOKENS], plain);
    deal.ok(deal.fund());
    assert_eq!(deal.held(), INITIAL_TOKENS);
}

#[test]
fn a_token_escrow_needs_all_its_token_accounts() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    for without in some_of_four(3) {
        case(format_args!("the program's address in the place of {without:?}"));
        let act = without.iter().fold(deal.fund(), |act, index| act.without(*index));
        deal.refused(act, TokenAccountsMissing);
    }
    for count in 3..7 {
        case(format_args!("{count} of 7 accounts"));
        deal.refused(deal.fund().first_accounts(count), TokenAccountsMissing);
    }
}

/// What a signer or a payer of other instructions adds at the end.
#[test]
fn accounts_behind_the_token_accounts_are_not_looked_at() {
    let deal = Deal::created(Kind::Token, &[1_000], plain);
    let (escrow, buyer, mint) = (deal.escrow, deal.key(Who::Buyer), deal.world.mint);
    for (more, accepted) in [
        (vec![deal.key(Who::Stranger)], true),
        (vec![escrow::ID], true),
        (vec![mint, deal.vault(), TOKEN_2022], true),
        // Anchor's: what is written to is named once.
        (vec![escrow], false),
        (vec![mint, buyer], false),
    ] {
        case(format_args!("{more:?}"));
        let mut deal = deal.fork();
        let (before, fund) = (deal.balances(), deal.fund().behind(&more));
        if accepted {
            deal.ok(fund);
            deal.assert_moved(&before, &[(Who::Buyer, -1_000)]);
        } else {
            deal.refused(fund, DUPLICATE);
        }
    }
}

/// Each in the place of each other one.
#[test]
fn a_token_account_that_stands_in_two_places_is_refused() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    deal.world.mint_to_account(&deal.vault(), 5_000);
    deal.uninvited = 5_000;
    let accounts: Vec<Pubkey> = deal.fund().instruction.accounts.iter().map(|account| account.pubkey).collect();
    let names = ["the escrow", "the buyer", "the system program", "the source", "the vault", "the mint", "the program"];
    for (place, mismatch) in [(4, VaultMismatch), (5, MintMismatch), (6, TokenProgramMismatch)] {
        for from in (0..7).filter(|from| *from != place) {
            case(format_args!("{} in the place of {}", names[from], names[place]));
            let act = deal.fund().account(place, accounts[from]);
            deal.refused(act, if from < 2 { Refusal(DUPLICATE) } else { mismatch.into() });
        }
    }
    let sources: [(usize, Refusal); 6] = [
        (0, DUPLICATE.into()),
        (1, DUPLICATE.into()),
        // No transaction can write to the system program.
        (2, NOT_WRITABLE.into()),
        (4, TOKEN_OWNER_MISMATCH.into()),
        (5, TokenAccountInvalid.into()),
        (6, TokenAccountInvalid.into()),
    ];
    for (from, reason) in sources {
        case(format_args!("{} in the place of the source", names[from]));
        deal.refused(deal.fund().account(3, accounts[from]), reason);
    }
}

/// A client that cannot leave an account out passes the program's own address in its place.
#[test]
fn a_sol_escrow_is_funded_without_token_accounts_or_with_placeholders() {
    let deal = Deal::created(Kind::Sol, &[1_000], plain);
    for count in 0..=5 {
        for writable in [true, false] {
            case(format_args!("{count} placeholders, writable: {writable}"));
            let mut deal = deal.fork();
            let mut act = deal.fund().behind(&vec![escrow::ID; count]);
            assert_eq!(act.instruction.accounts.len(), 3 + count);
            act.instruction.accounts[3..].iter_mut().for_each(|account| account.is_writable = writable);
            let before = deal.balances();
            deal.ok(act);
            deal.assert_moved(&before, &[(Who::Buyer, -1_000)]);
        }
    }
}

#[test]
fn a_sol_escrow_takes_no_token_accounts() {
    let mut deal = Deal::created(Kind::Sol, &[1_000], plain);
    let (buyer_token, vault, mint) = (deal.world.token_account(&deal.key(Who::Buyer)), deal.vault(), deal.world.mint);
    let all = [buyer_token, vault, mint, TOKEN];
    deal.refused(deal.fund().behind(&all), TokenAccountsUnexpected);
    deal.refused(deal.fund().behind(&[escrow::ID, escrow::ID, escrow::ID, escrow::ID, mint]), TokenAccountsUnexpected);
    for (index, address) in (0..4).zip(all) {
        deal.refused(deal.fund().behind(&[address]), TokenAccountsUnexpected);
        let mut placeholders = [escrow::ID; 4];
        placeholders[index] = address;
        deal.refused(deal.fund().behind(&placeholders), TokenAccountsUnexpected);
    }
}

#[test]
fn the_buyer_may_fund_from_any_account_it_can_spend_from() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    let (buyer, seller) = (deal.keypair(Who::Buyer), deal.keypair(Who::Seller));
    let mint = deal.world.mint;
    // An account of the buyer's that is not the associated one.
    let other = deal.world.new_token_account(&keypair(73), &buyer.pubkey(), &mint, &TOKEN);
    deal.world.mint_to_account(&other, 1_500);
    let mut fork = deal.fork();
    let fund = instruction::fund_from(&fork.terms, Some(other)).expect("an address");
    fork.ok(Act::new(fund, &[&buyer]));
    assert_eq!((fork.world.tokens_in(&other), fork.held()), (500, 1_000));
    // Somebody else's, who approved the buyer.
    deal.world.mint_to(&seller.pubkey(), 5_000);
    let source = deal.world.token_account(&seller.pubkey());
    let approve =
        token_instruction::approve(&TOKEN, &source, &buyer.pubkey(), &seller.pubkey(), &[], 1_000).expect("valid");
    deal.world.ok(approve, &[&seller]);
    let fund = instruction::fund_from(&deal.terms, Some(source)).expect("an address");
    deal.ok(Act::new(fund, &[&buyer]));
    assert_eq!((deal.world.tokens_in(&source), deal.held()), (4_000, 1_000));
}

#[test]
fn a_wrong_token_program_mint_or_vault_is_refused() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    let other_mint = keypair(70);
    deal.world.create_mint(&other_mint, TOKEN, 6, None);
    let others = deal.world.terms(Kind::Token, &[5]);
    let other_vault = address::vault_address(&deal.world.create(&others));
    let seller_token = deal.world.token_account(&deal.key(Who::Seller));
    let cases: [(&str, usize, Pubkey, EscrowError); 8] = [
        ("the other token program", 6, TOKEN_2022, TokenProgramMismatch),
        ("a person as token program", 6, deal.key(Who::Stranger), TokenProgramMismatch),
        ("another mint", 5, other_mint.pubkey(), MintMismatch),
        ("nothing as mint", 5, keypair(99).pubkey(), MintMismatch),
        ("the vault of another escrow", 4, other_vault, VaultMismatch),
        ("the seller's account as vault", 4, seller_token, VaultMismatch),
        ("a person as vault", 4, deal.key(Who::Stranger), VaultMismatch),
        ("a source as vault", 4, keypair(99).pubkey(), VaultMismatch),
    ];
    for (name, index, address, reason) in cases {
        case(name);
        deal.refused(deal.fund().account(index, address), reason);
    }
}

#[test]
fn a_source_that_is_no_token_account_of_the_mint_is_refused() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    for (name, address, reason) in wrong_token_accounts(&mut deal) {
        case(name);
        deal.refused(deal.fund().account(3, address), reason);
    }
}

#[test]
fn a_source_that_the_buyer_cannot_spend_from_is_refused() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    let seller = deal.key(Who::Seller);
    deal.world.mint_to(&seller, 5_000);
    deal.refused(deal.fund().account(3, deal.world.token_account(&seller)), TOKEN_OWNER_MISMATCH);
    // Another escrow's vault, full: the buyer does not own it.
    let others = deal.world.terms(Kind::Token, &[5_000]);
    let other_vault = address::vault_address(&deal.world.create_and_fund(&others));
    deal.refused(deal.fund().account(3, other_vault), TOKEN_OWNER_MISMATCH);
}

#[test]
fn the_vault_cannot_fund_itself() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    let vault = deal.vault();
    deal.refused(deal.fund().account(3, vault), TOKEN_INSUFFICIENT_FUNDS);
    deal.world.mint_to_account(&vault, 5_000);
    // Enough is in it, and it would still be there: but the buyer cannot spend from it.
    deal.refused(deal.fund().account(3, vault), TOKEN_OWNER_MISMATCH);
}

#[test]
fn tokens_that_were_in_the_vault_before_do_not_count_as_funding() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    deal.world.mint_to_account(&deal.vault(), 1_000);
    deal.uninvited = 1_000;
    let before = deal.balances();
    deal.ok(deal.fund());
    deal.assert_moved(&before, &[(Who::Buyer, -1_000)]);
    assert_eq!(deal.held(), 2_000);
}

#[test]
fn the_system_program_cannot_be_replaced() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], plain);
        deal.refused(deal.fund().account(2, TOKEN_2022), InstructionError::IncorrectProgramId);
        deal.refused(deal.fund().account(2, deal.key(Who::Stranger)), NOT_EXECUTABLE);
    }
}

/// The issuer's powers are looked at again: the mint got a freeze authority after the escrow was created.
#[test]
fn a_risk_that_appeared_since_the_creation_is_refused() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    let mut mint: Account = deal.world.raw(&deal.world.mint);
    mint.data[46] = 1;
    mint.data[50..82].copy_from_slice(&[9; 32]);
    deal.world.svm.set_account(deal.world.mint, mint).expect("an account");
    deal.refused(deal.fund(), RiskNotAccepted);
}

#[test]
fn a_mint_that_is_gone_is_refused() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    let mut mint: Account = deal.world.raw(&deal.world.mint);
    mint.owner = solana_sdk_ids::system_program::ID;
    deal.world.svm.set_account(deal.world.mint, mint).expect("an account");
    deal.refused(deal.fund(), MintInvalid);
}
