//! What an issuer can do to an escrow whose parties accepted its power, and what it cannot.

use escrow_client::{
    EscrowError::{self, *},
    Recipient,
    escrow::state::{RISK_DEFAULT_STATE, RISK_FREEZE, RISK_MINT_CLOSE, RISK_PAUSABLE, RISK_PERMANENT_DELEGATE},
    instruction,
};
use escrow_tests::{DAY, TOKEN, TOKEN_2022, World, keypair};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::{
    error::TokenError,
    extension::{default_account_state, pausable},
    instruction as token_instruction,
    state::AccountState,
};

use crate::{recipes::*, support::*};

fn world(recipe: Recipe) -> World {
    let mut world = World::new();
    recipe.make(&mut world);
    world
}

// Freezing ------------------------------------------------------------------------------------------------------------

#[test]
fn a_frozen_vault_waits_while_deadlines_go_on() {
    let mut deal = Deal::created(world(Recipe::default().freeze()), RISK_FREEZE, &[1_000, 600]);
    let vault = deal.vault();
    deal.set_frozen(&vault, true);
    deal.refused(deal.fund(), &[Who::Buyer], token(TokenError::AccountFrozen));
    deal.set_frozen(&vault, false);
    deal.ok(deal.fund(), &[Who::Buyer]);
    deal.set_frozen(&vault, true);
    decide_and_wait(&mut deal, TokenError::AccountFrozen);
    deal.set_frozen(&vault, false);
    paid_out(deal);
}

/// Milestone 0 (1,000) is ruled half and half, milestone 1 (600) expires; nothing can be withdrawn because of `reason`.
#[track_caller]
fn decide_and_wait(deal: &mut Deal, reason: TokenError) {
    deal.rule(0, 5_000);
    deal.world.advance(400 * DAY);
    deal.ok(instruction::expire(deal.escrow, 1), &[]);
    for (recipient, _) in DUE {
        deal.refused(deal.withdraw(recipient), &[], token(reason.clone()));
    }
    deal.refused(deal.close(false), &[], NotWithdrawn);
}

/// What is due after [`decide_and_wait`].
#[track_caller]
fn paid_out(mut deal: Deal) {
    for (recipient, amount) in DUE {
        deal.paid(recipient, if recipient == Recipient::Buyer { amount + 600 } else { amount });
    }
    deal.wait_and_close();
}

#[test]
fn a_vault_that_begins_frozen_is_funded_once_it_is_thawed() {
    let mut deal = Deal::created(
        world(default_state(AccountState::Frozen)),
        RISK_FREEZE | RISK_DEFAULT_STATE,
        &[10_001, 20_003, 500],
    );
    let vault = deal.vault();
    assert_eq!(deal.world.raw(&vault).data[STATE_OFFSET], 2, "frozen");
    deal.refused(deal.fund(), &[Who::Buyer], token(TokenError::AccountFrozen));
    // Nobody is bound by an escrow that cannot be funded.
    let mut given_up = deal.fork();
    given_up.ok(given_up.cancel(Who::Seller, false), &[Who::Seller]);
    assert!(!given_up.world.exists(&vault));
    // A later change of the default changes nothing for accounts that exist.
    let issuer = issuer().pubkey();
    deal.by_issuer(default_account_state::instruction::update_default_account_state(
        &TOKEN_2022,
        &mint(),
        &issuer,
        &[],
        &AccountState::Initialized,
    ));
    deal.refused(deal.fund(), &[Who::Buyer], token(TokenError::AccountFrozen));
    live_through_token(deal, &[]);
}

/// A recipient that opens its account only now finds it frozen.
#[test]
fn an_account_that_begins_frozen_holds_up_nobody_else() {
    let mut deal = Deal::funded(world(default_state(AccountState::Frozen)), RISK_FREEZE | RISK_DEFAULT_STATE, &[1_000]);
    deal.rule(0, 5_000);
    let (owner, mint) = (deal.key(Who::Seller), deal.mint);
    let other = deal.world.new_token_account(&keypair(70), &owner, &mint, &TOKEN_2022);
    let to_other = deal.withdraw_to(Recipient::Seller, other);
    deal.refused(to_other.clone(), &[Who::Seller], token(TokenError::AccountFrozen));
    for (recipient, amount) in DUE.into_iter().filter(|(recipient, _)| *recipient != Recipient::Seller) {
        deal.paid(recipient, amount);
    }
    deal.set_frozen(&other, false);
    deal.ok(to_other, &[Who::Seller]);
    assert_eq!(deal.world.tokens_in(&other), 483);
    deal.wait_and_close();
}

// Pausing -------------------------------------------------------------------------------------------------------------

fn set_paused(deal: &mut Deal, paused: bool) {
    let build = if paused { pausable::instruction::pause } else { pausable::instruction::resume };
    deal.by_issuer(build(&TOKEN_2022, &mint(), &issuer().pubkey(), &[]));
}

#[test]
fn a_pause_holds_up_transfers_and_no_decision() {
    let mut deal = Deal::created(world(pausable_mint()), RISK_PAUSABLE, &[1_000, 600]);
    set_paused(&mut deal, true);
    deal.refused(deal.fund(), &[Who::Buyer], token(TokenError::MintPaused));
    // An escrow can be created, and given up, of a token that is paused.
    let mut given_up = deal.fork();
    given_up.ok(given_up.cancel(Who::RentPayer, false), &[Who::RentPayer]);
    given_up.ok(given_up.create(), &[Who::RentPayer]);
    set_paused(&mut deal, false);
    deal.ok(deal.fund(), &[Who::Buyer]);
    set_paused(&mut deal, true);
    decide_and_wait(&mut deal, TokenError::MintPaused);
    set_paused(&mut deal, false);
    paid_out(deal);
}

/// Only tokens that nobody is owed keep it open: they cannot be sent on.
#[test]
fn a_settled_and_withdrawn_escrow_closes_during_a_pause() {
    let mut deal = Deal::funded(world(pausable_mint()), RISK_PAUSABLE, &[1_000]);
    deal.rule(0, 5_000);
    for (recipient, amount) in DUE {
        deal.paid(recipient, amount);
    }
    let mut with_surplus = deal.fork();
    set_paused(&mut deal, true);
    deal.wait_and_close();

    let vault = with_surplus.vault();
    with_surplus.mint_to(&vault, 1);
    set_paused(&mut with_surplus, true);
    with_surplus.world.set_time(with_surplus.terms.fund_by);
    with_surplus.refused(with_surplus.close(true), &[], token(TokenError::MintPaused));
    set_paused(&mut with_surplus, false);
    with_surplus.wait_and_close();
}

// A permanent delegate ------------------------------------------------------------------------------------------------

/// The issuer takes `amount` out of `from`.
fn seize(deal: &mut Deal, from: &Pubkey, amount: u64) {
    let burn = token_instruction::burn(&TOKEN_2022, from, &mint(), &issuer().pubkey(), &[], amount);
    deal.by_issuer(burn);
}

#[test]
fn a_drained_vault_pays_what_it_has_and_waits_for_the_rest() {
    let world = world(permanent_delegate());
    let mut deal = Deal::funded(world, RISK_PERMANENT_DELEGATE, &[1_000]);
    // Another escrow of the same token.
    let mut other = Deal::agreed(deal.world.fork(), RISK_PERMANENT_DELEGATE, &[1_000]);
    other.ok(other.create(), &[Who::RentPayer]);
    other.ok(other.fund(), &[Who::Buyer]);
    assert_ne!(other.vault(), deal.vault());
    let vault = deal.vault();
    seize(&mut other, &vault, 1_000);
    other.rule(0, 5_000);
    for (recipient, amount) in DUE {
        other.paid(recipient, amount);
    }

    // 500 remain: enough for all but one of those who are owed 495, 483, 12 and 10, whoever comes last.
    seize(&mut deal, &vault, 500);
    deal.rule(0, 5_000);
    deal.paid(Recipient::Seller, 483);
    deal.refused(deal.withdraw(Recipient::Buyer), &[], token(TokenError::InsufficientFunds));
    deal.paid(Recipient::Fee, 12);
    deal.refused(deal.withdraw(Recipient::Arbiter), &[], token(TokenError::InsufficientFunds));
    deal.world.advance(30 * DAY);
    deal.refused(deal.close(true), &[], NotWithdrawn);
    // The debt stands, and is paid when the vault is filled up again, by whomever.
    deal.mint_to(&vault, 500);
    deal.paid(Recipient::Arbiter, 10);
    deal.paid(Recipient::Buyer, 495);
    deal.wait_and_close();
}

#[test]
fn an_empty_vault_stops_no_decision() {
    let mut deal = Deal::funded(world(permanent_delegate()), RISK_PERMANENT_DELEGATE, &[1_000, 600]);
    let vault = deal.vault();
    seize(&mut deal, &vault, 1_600);
    decide_and_wait(&mut deal, TokenError::InsufficientFunds);
    deal.mint_to(&vault, 1_600);
    paid_out(deal);
}

/// Moves, instead of burning: to the vault of another escrow, where it is a surplus and its buyer's.
#[test]
fn what_a_delegate_moves_into_a_vault_is_a_surplus() {
    let mut deal = Deal::funded(world(permanent_delegate()), RISK_PERMANENT_DELEGATE, &[1_000]);
    let (from, vault, issuer) = (deal.token_account(Who::Buyer), deal.vault(), issuer().pubkey());
    let seize = token_instruction::transfer_checked(&TOKEN_2022, &from, &mint(), &vault, &issuer, &[], 77, 6);
    deal.by_issuer(seize);
    deal.rule(0, 5_000);
    for (recipient, amount) in DUE {
        deal.paid(recipient, amount);
    }
    let before = deal.tokens(Who::Buyer);
    deal.world.set_time(deal.terms.fund_by);
    deal.refused(deal.close(false), &[], SurplusAccountMissing);
    deal.wait_and_close();
    assert_eq!(deal.tokens(Who::Buyer) - before, 77);
}

/// The funding is measured at the vault, so that tokens seized from it before do not count.
#[test]
fn a_vault_that_is_seized_before_funding_is_funded_in_full() {
    let mut deal = Deal::created(world(permanent_delegate()), RISK_PERMANENT_DELEGATE, &[1_000]);
    let vault = deal.vault();
    deal.mint_to(&vault, 50);
    seize(&mut deal, &vault, 20);
    deal.ok(deal.fund(), &[Who::Buyer]);
    assert_eq!((deal.held(), deal.tokens(Who::Buyer)), (1_030, TOKENS - 1_000));
}

// A mint that is closed and made again --------------------------------------------------------------------------------

/// An escrow whose mint is closed before it is funded: nobody holds a token, so that its close authority may.
fn with_closed_mint() -> Deal {
    let mut deal = Deal::agreed(world(mint_close()), RISK_MINT_CLOSE, &[10_001, 20_003, 500]);
    deal.open_accounts();
    deal.ok(deal.create(), &[Who::RentPayer]);
    let (issuer, to) = (issuer().pubkey(), deal.world.fee_payer.pubkey());
    deal.by_issuer(token_instruction::close_account(&TOKEN_2022, &mint(), &to, &issuer, &[]));
    assert!(!deal.world.exists(&mint()));
    deal
}

#[test]
fn a_mint_with_tokens_cannot_be_closed() {
    let mut deal = Deal::funded(world(mint_close()), RISK_MINT_CLOSE, &[1_000]);
    let (issuer, to) = (issuer(), deal.world.fee_payer.pubkey());
    let close = token_instruction::close_account(&TOKEN_2022, &mint(), &to, &issuer.pubkey(), &[]);
    deal.world.refused(built(close), &[&issuer], token(TokenError::MintHasSupply));
}

#[test]
fn a_closed_mint_funds_nothing_and_locks_nothing() {
    let mut deal = with_closed_mint();
    deal.refused(deal.fund(), &[Who::Buyer], MintInvalid);
    deal.refused(deal.create(), &[Who::RentPayer], AlreadyCreated);
    // The vault of an escrow that nobody can fund is closed, and its rent is back.
    deal.ok(deal.cancel(Who::Buyer, false), &[Who::Buyer]);
    assert!(!deal.world.exists(&deal.vault()));
    assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), escrow_tests::INITIAL_LAMPORTS);
}

#[test]
fn a_mint_made_again_under_another_program_is_refused() {
    let mut deal = with_closed_mint();
    Recipe::default().make_at(&mut deal.world, &mint_keypair(), TOKEN);
    // The buyer has tokens of the new mint, and passes the account that holds them.
    let buyer = deal.key(Who::Buyer);
    let source = deal.world.create_token_account(&buyer, &mint(), &TOKEN);
    let mut of_spl_token = Deal { program: TOKEN, ..deal.fork() };
    of_spl_token.mint_to(&source, 50_000);
    of_spl_token.refused(of_spl_token.fund(), &[Who::Buyer], MintInvalid);
    of_spl_token.refused(of_spl_token.fund_from(source), &[Who::Buyer], MintInvalid);
    // Nor is it an escrow of the new mint when its program is passed.
    let mut with_program = of_spl_token.fund_from(source);
    for meta in with_program.accounts.iter_mut().filter(|meta| meta.pubkey == TOKEN_2022) {
        meta.pubkey = TOKEN;
    }
    of_spl_token.refused(with_program, &[Who::Buyer], TokenProgramMismatch);
    // A new escrow that still names the old program for it is refused too.
    let mut anew = Deal::agreed(of_spl_token.world.fork(), RISK_MINT_CLOSE, &[1_000]);
    anew.refused(anew.create(), &[Who::RentPayer], MintInvalid);
    of_spl_token.ok(of_spl_token.cancel(Who::Buyer, false), &[Who::Buyer]);
}

/// The new mint is judged as it is; so the parties who accepted that it can be closed need accept nothing else.
#[test]
fn a_mint_made_again_with_other_powers_is_judged_anew() {
    let close = || mint_close();
    let issuer = issuer().pubkey();
    let rows: [(&str, Recipe, EscrowError); 6] = [
        ("freezable", close().freeze(), RiskNotAccepted),
        ("pausable", pausable_mint(), RiskNotAccepted),
        ("with a permanent delegate", close().and(permanent_delegate()), RiskNotAccepted),
        ("with a default state", default_state(AccountState::Frozen), RiskNotAccepted),
        ("with a fee", fee(Some(&issuer), 0, 0), ExtensionUnsupported),
        ("with a hook", hook(Some(issuer), None), ExtensionUnsupported),
    ];
    let closed = with_closed_mint();
    for (name, recipe, reason) in rows {
        case(name);
        let mut deal = closed.fork();
        recipe.make(&mut deal.world);
        deal.refused(deal.fund(), &[Who::Buyer], reason);
    }
}

#[test]
fn a_mint_made_again_as_it_was_goes_on() {
    for recipe in [mint_close(), Recipe::default()] {
        let mut deal = with_closed_mint();
        recipe.make(&mut deal.world);
        let source = deal.token_account(Who::Buyer);
        deal.mint_to(&source, 50_000);
        live_through_token(deal, &[]);
    }
}

/// An issuer with every power can do this after funding too: it destroys all tokens, closes the mint and makes another.
/// What was decided stands, and is paid in whatever the vault then holds.
#[test]
fn a_mint_made_again_after_funding_locks_no_decision() {
    let powers = mint_close().and(permanent_delegate());
    let mut deal = Deal::funded(world(powers), RISK_MINT_CLOSE | RISK_PERMANENT_DELEGATE, &[1_000]);
    let (vault, buyer_token) = (deal.vault(), deal.token_account(Who::Buyer));
    seize(&mut deal, &vault, 1_000);
    seize(&mut deal, &buyer_token, TOKENS - 1_000);
    let (issuer, to) = (issuer().pubkey(), deal.world.fee_payer.pubkey());
    deal.by_issuer(token_instruction::close_account(&TOKEN_2022, &mint(), &to, &issuer, &[]));
    deal.rule(0, 5_000);
    deal.refused(deal.withdraw(Recipient::Seller), &[], MintInvalid);

    let mut other_program = deal.fork();
    Recipe::default().make_at(&mut other_program.world, &mint_keypair(), TOKEN);
    other_program.refused(other_program.withdraw(Recipient::Seller), &[], token(TokenError::InsufficientFunds));

    // With powers that the parties never accepted: nobody looks, and those who are owed are paid all the same.
    pausable_mint().freeze().make(&mut deal.world);
    deal.refused(deal.withdraw(Recipient::Seller), &[], token(TokenError::InsufficientFunds));
    deal.mint_to(&vault, 1_000);
    for (recipient, amount) in DUE {
        deal.paid(recipient, amount);
    }
    deal.wait_and_close();
}
