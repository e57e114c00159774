//! What the issuer of a token, or the owner of a token account, can do to a deal: and to whom only.

use escrow_tests::{DAY, START, TOKEN, TOKEN_2022, World, keypair};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::instruction as token_instruction;

use crate::{
    arena::{Arena, Kind, terms},
    wire::{Deed, Terms, associated, program},
};

/// A deal in a token that its issuer can freeze.
fn freezable(change: impl FnOnce(&mut Terms)) -> Arena {
    let mut world = World::new();
    let issuer = world.mint_authority.pubkey();
    world.use_new_mint(1_000_000_000, Some(&issuer));
    let mut terms = terms(&world, Kind::Token);
    terms.accepted_risks = 1;
    change(&mut terms);
    Arena::with(world, terms)
}

fn freeze(arena: &mut Arena, account: &Pubkey, frozen: bool) {
    let (mint, issuer) = (arena.deal.terms.mint, arena.world.mint_authority.pubkey());
    let instruction = if frozen {
        token_instruction::freeze_account(&TOKEN, account, &mint, &issuer, &[])
    } else {
        token_instruction::thaw_account(&TOKEN, account, &mint, &issuer, &[])
    };
    arena.outside(instruction.expect("an instruction"));
}

#[test]
fn a_power_that_was_not_accepted_is_refused() {
    let mut arena = freezable(|terms| terms.accepted_risks = 0);
    let create = arena.instruction(arena.deal.rent_payer, &Deed::Create);
    arena.no(create.clone(), 6060);
    let mut arena = freezable(|terms| terms.accepted_risks = 2 | 4 | 8 | 16);
    let create = arena.instruction(arena.deal.rent_payer, &Deed::Create);
    arena.no(create, 6060);
}

#[test]
fn a_frozen_account_holds_up_its_owner_alone() {
    let mut arena = freezable(|_| ());
    arena.create();
    let (buyer, seller, stranger) = (arena.buyer(), arena.seller(), arena.stranger());
    arena.must(buyer, Deed::Fund);
    let account = arena.deal.terms.account_of(&seller);
    freeze(&mut arena, &account, true);
    arena.must(buyer, Deed::Release { milestone: 0, amount: 7, expected: 1_000_007 });
    arena.must(seller, Deed::Refund { milestone: 0, amount: 1_000_000, expected: 1_000_000 });
    let stuck = arena.instruction(stranger, &Deed::Withdraw(1));
    assert!(arena.send(&[stuck]).is_err());
    arena.must(stranger, Deed::Withdraw(0));
    // Another account of the seller's is another way.
    let mint = arena.deal.terms.mint;
    let own = arena.world.new_token_account(&keypair(32), &seller, &mint, &TOKEN);
    let mut other = arena.instruction(seller, &Deed::Withdraw(1));
    other.accounts[1].is_signer = true;
    other.accounts[2].pubkey = own;
    arena.outside(other);
    assert_eq!(arena.world.tokens_in(&own), 7);
}

#[test]
fn decisions_and_deadlines_go_on_while_the_vault_is_frozen() {
    let mut arena = freezable(|_| ());
    arena.create();
    let (buyer, seller, stranger, vault) = (arena.buyer(), arena.seller(), arena.stranger(), arena.vault());
    arena.must(buyer, Deed::Fund);
    freeze(&mut arena, &vault, true);
    arena.must(seller, Deed::Deliver(0));
    arena.must(buyer, Deed::Dispute(0));
    arena.at(arena.deal.stones[0].deadline);
    arena.must(stranger, Deed::Expire(0));
    let before = arena.world.snapshot();
    for recipient in 0..3 {
        let stuck = arena.instruction(stranger, &Deed::Withdraw(recipient));
        assert!(arena.send(&[stuck]).is_err());
    }
    assert!(before == arena.world.snapshot());
    arena.check();
    freeze(&mut arena, &vault, false);
    arena.finish();
}

#[test]
fn uninvited_tokens_for_a_frozen_buyer_hold_up_the_rent_and_nothing_else() {
    // A griefer sends one unit to the vault; the buyer's account is frozen. The rent waits, until the buyer signs for
    // another account or the issuer relents.
    let mut arena = freezable(|_| ());
    arena.create();
    let (buyer, stranger, vault, mint) = (arena.buyer(), arena.stranger(), arena.vault(), arena.deal.terms.mint);
    arena.must(buyer, Deed::Fund);
    arena.mint(&vault, 1);
    arena.must(buyer, Deed::Release { milestone: 0, amount: 1_000_007, expected: 1_000_007 });
    arena.must(stranger, Deed::Withdraw(1));
    arena.must(stranger, Deed::Withdraw(2));
    let account = arena.deal.terms.account_of(&buyer);
    freeze(&mut arena, &account, true);
    arena.at(START + DAY);
    let close = arena.instruction(stranger, &Deed::Close);
    assert!(arena.send(std::slice::from_ref(&close)).is_err());
    let own = arena.world.new_token_account(&keypair(31), &buyer, &mint, &TOKEN);
    let mut signed = close;
    signed.accounts[5].pubkey = own;
    arena.no(signed.clone(), 6057);
    signed.accounts[6] = solana_instruction::AccountMeta::new_readonly(stranger, true);
    arena.no(signed.clone(), 6040);
    signed.accounts[6].pubkey = buyer;
    arena.outside(signed);
    assert_eq!(arena.world.tokens_in(&own), 1);
    assert!(!arena.world.exists(&vault));
}

#[test]
fn a_delegate_of_the_buyer_does_not_fund() {
    let mut arena = Arena::empty(Kind::Token, |_| ());
    arena.create();
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let account = arena.deal.terms.account_of(&buyer);
    let approve = token_instruction::approve(&TOKEN, &account, &seller, &buyer, &[], u64::MAX).expect("it");
    arena.outside(approve);
    let mut fund = arena.instruction(seller, &Deed::Fund);
    fund.accounts[3].pubkey = account;
    arena.no(fund, 6040);
    // Nor does the buyer fund with somebody else's tokens, unless that person made him the delegate.
    let other = arena.deal.terms.account_of(&seller);
    arena.mint(&other, 2_000_000);
    let mut fund = arena.instruction(buyer, &Deed::Fund);
    fund.accounts[3].pubkey = other;
    assert!(arena.send(&[fund]).is_err());
    arena.check();
}

#[test]
fn a_token_2022_deal_goes_through_and_its_program_cannot_be_swapped() {
    let mut world = World::new();
    let mint = keypair(40);
    world.create_mint(&mint, TOKEN_2022, 0, None);
    for owner in [world.buyer.pubkey(), world.seller.pubkey(), world.fee_recipient.pubkey()] {
        world.create_token_account(&owner, &mint.pubkey(), &TOKEN_2022);
    }
    let mut terms = terms(&world, Kind::Token);
    terms.mint = mint.pubkey();
    // The mint belongs to the other token program.
    let mut wrong = Arena::with(world.fork(), Terms { token_program: TOKEN, ..terms.clone() });
    let create = wrong.instruction(wrong.deal.rent_payer, &Deed::Create);
    assert!(wrong.send(&[create]).is_err());
    terms.token_program = program();
    let mut wrong = Arena::with(world.fork(), terms.clone());
    let create = wrong.instruction(wrong.deal.rent_payer, &Deed::Create);
    wrong.no(create, 6004);
    terms.token_program = TOKEN_2022;
    let mut arena = Arena::with(world, terms);
    let account = associated(&arena.buyer(), &mint.pubkey(), &TOKEN_2022);
    arena.mint(&account, 5_000_000);
    let create = arena.instruction(arena.deal.rent_payer, &Deed::Create);
    // The vault of this program has no other size than the bank expects, or the rent would differ; so play it outside.
    arena.outside(create);
    arena.deal.life = crate::referee::Life::Created;
    arena.must(arena.buyer(), Deed::Fund);
    arena.at(START + 10 * DAY);
    arena.finish();
}

#[test]
fn lamports_and_a_sync_do_not_mix_wrapped_sol_up() {
    // In a deal in wrapped SOL the vault's lamports are its tokens, and anybody can add to both.
    let native: Pubkey = "So11111111111111111111111111111111111111112".parse().expect("an address");
    let mut world = World::new();
    let mut data = vec![0; 82];
    (data[44], data[45]) = (9, 1);
    let mint = solana_account::Account { lamports: 1_000_000_000, data, owner: TOKEN, ..Default::default() };
    world.svm.set_account(native, mint).expect("the mint of wrapped SOL");
    world.mint = native;
    let mut terms = terms(&world, Kind::Token);
    terms.fund_by = START + 1;
    for owner in terms.recipients() {
        world.create_token_account(&owner, &native, &TOKEN);
    }
    let mut arena = Arena::with(world, terms);
    let (buyer, stranger, vault) = (arena.buyer(), arena.stranger(), arena.vault());
    let wrapped = arena.deal.terms.account_of(&buyer);
    let sync = |account: &Pubkey| token_instruction::sync_native(&TOKEN, account).expect("an instruction");
    arena.donate(&wrapped, 2_000_000);
    arena.outside(sync(&wrapped));
    let payer = arena.deal.rent_payer;
    let before = arena.world.lamports(&payer);
    for (actor, deed) in [
        (payer, Deed::Create),
        (buyer, Deed::Fund),
        (buyer, Deed::Release { milestone: 0, amount: 1_000_007, expected: 1_000_007 }),
    ] {
        arena.outside(arena.instruction(actor, &deed));
        arena.deal.apply(&deed, &actor, START);
    }
    arena.donate(&vault, 500);
    arena.outside(sync(&vault));
    arena.donate(&vault, 30);
    for recipient in [1, 2] {
        arena.outside(arena.instruction(stranger, &Deed::Withdraw(recipient)));
    }
    let paid = [arena.seller(), arena.deal.terms.fee_recipient]
        .map(|owner| arena.world.tokens_in(&arena.deal.terms.account_of(&owner)));
    assert_eq!(paid, [975_007, 25_000]);
    arena.at(START + 1);
    let close = arena.instruction(stranger, &Deed::Close);
    arena.outside(close);
    // What was synced is tokens and goes to the buyer, what was not is lamports and goes to the rent payer.
    assert_eq!(arena.world.tokens_in(&wrapped), 2_000_000 - 1_000_007 + 500);
    assert_eq!(arena.world.lamports(&payer), before + 30);
}
