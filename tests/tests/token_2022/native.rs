//! Wrapped SOL, of either program, is a token like any other; and lamports where nobody expects them belong to the rent
//! payer.

use escrow_client::{EscrowError::SurplusAccountMissing, Recipient};
use escrow_tests::{INITIAL_LAMPORTS, TOKEN, TOKEN_2022, World};
use solana_account::Account;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::{instruction as token_instruction, native_mint};

use crate::support::*;

/// The mint of wrapped SOL under SPL Token. It exists on every cluster from the first block.
const NATIVE_MINT: Pubkey = Pubkey::from_str_const("So11111111111111111111111111111111111111112");

/// Both kinds of wrapped SOL, with a buyer who has wrapped [`TOKENS`] lamports, and no escrow yet.
fn deals() -> [Deal; 2] {
    let mut world = World::new();
    let mut data = plain_mint();
    // No authority mints it; 9 decimals.
    data[..36].fill(0);
    data[44] = native_mint::DECIMALS;
    let account = Account { lamports: 1_000_000_000, data, owner: TOKEN, executable: false, rent_epoch: u64::MAX };
    world.svm.set_account(NATIVE_MINT, account).expect("an account");
    let create = token_instruction::create_native_mint(&TOKEN_2022, &world.fee_payer.pubkey());
    world.ok(built(create), &[]);
    [(NATIVE_MINT, TOKEN), (native_mint::ID, TOKEN_2022)].map(|(mint, program)| {
        let mut deal = Deal::agreed_for(world.fork(), mint, program, 0, &[10_001, 20_003, 500]);
        deal.open_accounts();
        let account = deal.token_account(Who::Buyer);
        deal.world.svm.airdrop(&account, TOKENS).expect("an airdrop");
        sync(&mut deal, &account);
        assert_eq!(deal.tokens(Who::Buyer), TOKENS);
        deal
    })
}

/// Counts the lamports of an account of wrapped SOL as tokens. Anyone may.
#[track_caller]
fn sync(deal: &mut Deal, account: &Pubkey) {
    deal.world.ok(built(token_instruction::sync_native(&deal.program, account)), &[]);
}

#[test]
fn wrapped_sol_lives_through_a_whole_escrow() {
    for mut deal in deals() {
        case(deal.program);
        deal.ok(deal.create(), &[Who::RentPayer]);
        live_through_token(deal, &[]);
    }
}

/// Whoever sends what to the vault, and whether or not somebody counts it: the parties are paid exactly, what was counted
/// is the buyer's, what was not is the rent payer's.
#[test]
fn wrapped_sol_that_nobody_asked_for_changes_nothing_for_the_parties() {
    for mut deal in deals() {
        case(deal.program);
        let vault = deal.vault();
        let rent = deal.world.svm.minimum_balance_for_rent_exemption(TOKEN_ACCOUNT_SIZE);
        let send = |deal: &mut Deal, lamports| {
            deal.world.svm.airdrop(&vault, lamports).expect("an airdrop");
        };
        // Before there is a vault: what is more than its rent is counted at once.
        send(&mut deal, rent + 1_000);
        deal.ok(deal.create(), &[Who::RentPayer]);
        assert_eq!(deal.held(), 1_000);
        // Before funding: counted, and not counted.
        send(&mut deal, 200);
        sync(&mut deal, &vault);
        send(&mut deal, 30);
        let before = deal.tokens(Who::Buyer);
        deal.ok(deal.fund(), &[Who::Buyer]);
        assert_eq!(before - deal.tokens(Who::Buyer), 30_504);
        assert_eq!(deal.held(), 30_504 + 1_200, "what was not counted is not counted by a transfer");
        // Afterwards.
        sync(&mut deal, &vault);
        send(&mut deal, 4);
        assert_eq!(deal.held(), 30_504 + 1_230);

        deal.rule(0, 3_333);
        deal.release_all(1);
        deal.refund(2, 500);
        // Released: 3,300 and 20,003, with a fee of 250/10,000 = 582.
        deal.paid(Recipient::Fee, 582);
        deal.paid(Recipient::Seller, 23_303 - 582);
        deal.paid(Recipient::Arbiter, 100);
        deal.paid(Recipient::Buyer, 6_601 + 500);
        assert_eq!(deal.held(), 1_230);

        let before = deal.tokens(Who::Buyer);
        deal.world.set_time(deal.terms.fund_by);
        deal.refused(deal.close(false), &[], SurplusAccountMissing);
        deal.ok(deal.close(true), &[]);
        assert_eq!(deal.tokens(Who::Buyer) - before, 1_230);
        assert!(!deal.world.exists(&vault));
        // The rent of the vault was there already when it was created.
        assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS + rent + 4);
    }
}

/// What is paid is SOL as soon as its owner closes the account.
#[test]
fn wrapped_sol_is_unwrapped_by_its_owner() {
    for mut deal in deals() {
        case(deal.program);
        deal.ok(deal.create(), &[Who::RentPayer]);
        deal.ok(deal.fund(), &[Who::Buyer]);
        deal.release_all(1);
        deal.paid(Recipient::Seller, 20_003 - 500);
        let (seller, account) = (deal.key(Who::Seller), deal.token_account(Who::Seller));
        let rent = deal.world.svm.minimum_balance_for_rent_exemption(deal.world.raw(&account).data.len());
        let before = deal.world.lamports(&seller);
        let close = token_instruction::close_account(&deal.program, &account, &seller, &seller, &[]);
        deal.ok(built(close), &[Who::Seller]);
        assert_eq!(deal.world.lamports(&seller) - before, rent + 19_503);
    }
}

/// Wrapped SOL of an unfunded escrow: the surplus is the buyer's there too.
#[test]
fn wrapped_sol_in_an_unfunded_vault_goes_to_the_buyer() {
    for mut deal in deals() {
        case(deal.program);
        deal.ok(deal.create(), &[Who::RentPayer]);
        let vault = deal.vault();
        deal.world.svm.airdrop(&vault, 77).expect("an airdrop");
        let mut uncounted = deal.fork();
        uncounted.ok(uncounted.cancel(Who::Seller, false), &[Who::Seller]);
        assert_eq!(uncounted.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS + 77);
        sync(&mut deal, &vault);
        deal.refused(deal.cancel(Who::Seller, false), &[Who::Seller], SurplusAccountMissing);
        deal.ok(deal.cancel(Who::Seller, true), &[Who::Seller]);
        assert_eq!(deal.tokens(Who::Buyer), TOKENS + 77);
        assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS);
    }
}

/// Lamports at the addresses of an escrow of any token, before and after it is created.
#[test]
fn lamports_sent_to_a_vault_go_to_the_rent_payer() {
    for program in [TOKEN, TOKEN_2022] {
        case(program);
        let mut world = World::new();
        Recipe::default().make_at(&mut world, &mint_keypair(), program);
        let mut deal = Deal::agreed_for(world, mint(), program, 0, &[1_000]);
        let (vault, escrow) = (deal.vault(), deal.escrow);
        let send = |deal: &mut Deal| {
            for address in [vault, escrow] {
                deal.world.svm.airdrop(&address, 1_000_000).expect("an airdrop");
            }
        };
        send(&mut deal);
        let mut deal = deal.create_with(TOKENS);
        send(&mut deal);
        deal.ok(deal.fund(), &[Who::Buyer]);
        send(&mut deal);
        assert_eq!(deal.held(), 1_000);
        deal.rule(0, 5_000);
        for (recipient, amount) in DUE {
            deal.paid(recipient, amount);
        }
        deal.world.set_time(deal.terms.fund_by);
        deal.ok(deal.close(false), &[]);
        assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS + 6_000_000);
    }
}
