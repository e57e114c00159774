//! What the issuer of a token, or the owner of a token account, can do to a deal: and to whom only.

use escrow_tests::{DAY, START, TOKEN, TOKEN_2022, World, keypair};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::instruction as token_instruction;

use crate::{
    stage::{Asset, Stage, terms},
    wire::{Deed, Terms, associated, program},
};

/// A deal in a token that its issuer can freeze.
fn freezable(change: impl FnOnce(&mut Terms)) -> Stage {
    let mut world = World::new();
    let issuer = world.mint_authority.pubkey();
    world.use_new_mint(1_000_000_000, Some(&issuer));
    let mut terms = terms(&world, Asset::Token);
    terms.accepted_risks = 1;
    change(&mut terms);
    Stage::with(world, terms)
}

fn freeze(stage: &mut Stage, account: &Pubkey, frozen: bool) {
    let (mint, issuer) = (stage.deal.terms.mint, stage.world.mint_authority.pubkey());
    let instruction = if frozen {
        token_instruction::freeze_account(&TOKEN, account, &mint, &issuer, &[])
    } else {
        token_instruction::thaw_account(&TOKEN, account, &mint, &issuer, &[])
    };
    stage.outside(instruction.expect("an instruction"));
}

#[test]
fn a_power_that_was_not_accepted_is_refused() {
    let mut stage = freezable(|terms| terms.accepted_risks = 0);
    let create = stage.instruction(stage.deal.rent_payer, &Deed::Create);
    stage.no(create.clone(), 6060);
    let mut stage = freezable(|terms| terms.accepted_risks = 2 | 4 | 8 | 16);
    let create = stage.instruction(stage.deal.rent_payer, &Deed::Create);
    stage.no(create, 6060);
}

#[test]
fn a_frozen_account_holds_up_its_owner_alone() {
    let mut stage = freezable(|_| ());
    stage.create();
    let (buyer, seller, stranger) = (stage.buyer(), stage.seller(), stage.stranger());
    stage.must(buyer, Deed::Fund);
    let account = stage.deal.terms.account_of(&seller);
    freeze(&mut stage, &account, true);
    stage.must(buyer, Deed::Release { milestone: 0, amount: 7, expected: 1_000_007 });
    stage.must(seller, Deed::Refund { milestone: 0, amount: 1_000_000, expected: 1_000_000 });
    let stuck = stage.instruction(stranger, &Deed::Withdraw(1));
    assert!(stage.send(&[stuck]).is_err());
    stage.must(stranger, Deed::Withdraw(0));
    // Another account of the seller's is another way.
    let mint = stage.deal.terms.mint;
    let own = stage.world.new_token_account(&keypair(32), &seller, &mint, &TOKEN);
    let mut other = stage.instruction(seller, &Deed::Withdraw(1));
    other.accounts[1].is_signer = true;
    other.accounts[2].pubkey = own;
    stage.outside(other);
    assert_eq!(stage.world.tokens_in(&own), 7);
}

#[test]
fn decisions_and_deadlines_go_on_while_the_vault_is_frozen() {
    let mut stage = freezable(|_| ());
    stage.create();
    let (buyer, seller, stranger, vault) = (stage.buyer(), stage.seller(), stage.stranger(), stage.vault());
    stage.must(buyer, Deed::Fund);
    freeze(&mut stage, &vault, true);
    stage.must(seller, Deed::Deliver(0));
    stage.must(buyer, Deed::Dispute(0));
    stage.at(stage.deal.stones[0].deadline);
    stage.must(stranger, Deed::Expire(0));
    let before = stage.world.snapshot();
    for recipient in 0..3 {
        let stuck = stage.instruction(stranger, &Deed::Withdraw(recipient));
        assert!(stage.send(&[stuck]).is_err());
    }
    assert!(before == stage.world.snapshot());
    stage.check();
    freeze(&mut stage, &vault, false);
    stage.finish();
}

#[test]
fn uninvited_tokens_for_a_frozen_buyer_hold_up_the_rent_and_nothing_else() {
    // A griefer sends one unit to the vault; the buyer's account is frozen. The rent waits, until the buyer signs for
    // another account or the issuer relents.
    let mut stage = freezable(|_| ());
    stage.create();
    let (buyer, stranger, vault, mint) = (stage.buyer(), stage.stranger(), stage.vault(), stage.deal.terms.mint);
    stage.must(buyer, Deed::Fund);
    stage.mint(&vault, 1);
    stage.must(buyer, Deed::Release { milestone: 0, amount: 1_000_007, expected: 1_000_007 });
    stage.must(stranger, Deed::Withdraw(1));
    stage.must(stranger, Deed::Withdraw(2));
    let account = stage.deal.terms.account_of(&buyer);
    freeze(&mut stage, &account, true);
    stage.at(START + DAY);
    let close = stage.instruction(stranger, &Deed::Close);
    assert!(stage.send(std::slice::from_ref(&close)).is_err());
    let own = stage.world.new_token_account(&keypair(31), &buyer, &mint, &TOKEN);
    let mut signed = close;
    signed.accounts[5].pubkey = own;
    stage.no(signed.clone(), 6057);
    signed.accounts[6] = solana_instruction::AccountMeta::new_readonly(stranger, true);
    stage.no(signed.clone(), 6040);
    signed.accounts[6].pubkey = buyer;
    stage.outside(signed);
    assert_eq!(stage.world.tokens_in(&own), 1);
    assert!(!stage.world.exists(&vault));
}

#[test]
fn a_delegate_of_the_buyer_does_not_fund() {
    let mut stage = Stage::empty(Asset::Token, |_| ());
    stage.create();
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let account = stage.deal.terms.account_of(&buyer);
    let approve = token_instruction::approve(&TOKEN, &account, &seller, &buyer, &[], u64::MAX).expect("it");
    stage.outside(approve);
    let mut fund = stage.instruction(seller, &Deed::Fund);
    fund.accounts[3].pubkey = account;
    stage.no(fund, 6040);
    // Nor does the buyer fund with somebody else's tokens, unless that person made him the delegate.
    let other = stage.deal.terms.account_of(&seller);
    stage.mint(&other, 2_000_000);
    let mut fund = stage.instruction(buyer, &Deed::Fund);
    fund.accounts[3].pubkey = other;
    assert!(stage.send(&[fund]).is_err());
    stage.check();
}

#[test]
fn a_token_2022_deal_goes_through_and_its_program_cannot_be_swapped() {
    let mut world = World::new();
    let mint = keypair(40);
    world.create_mint(&mint, TOKEN_2022, 0, None);
    for owner in [world.buyer.pubkey(), world.seller.pubkey(), world.fee_recipient.pubkey()] {
        world.create_token_account(&owner, &mint.pubkey(), &TOKEN_2022);
    }
    let mut terms = terms(&world, Asset::Token);
    terms.mint = mint.pubkey();
    // The mint belongs to the other token program.
    let mut wrong = Stage::with(world.fork(), Terms { token_program: TOKEN, ..terms.clone() });
    let create = wrong.instruction(wrong.deal.rent_payer, &Deed::Create);
    assert!(wrong.send(&[create]).is_err());
    terms.token_program = program();
    let mut wrong = Stage::with(world.fork(), terms.clone());
    let create = wrong.instruction(wrong.deal.rent_payer, &Deed::Create);
    wrong.no(create, 6004);
    terms.token_program = TOKEN_2022;
    let mut stage = Stage::with(world, terms);
    let account = associated(&stage.buyer(), &mint.pubkey(), &TOKEN_2022);
    stage.mint(&account, 5_000_000);
    let create = stage.instruction(stage.deal.rent_payer, &Deed::Create);
    // The vault of this program has no other size than the bank expects, or the rent would differ; so play it outside.
    stage.outside(create);
    stage.deal.life = crate::referee::Life::Created;
    stage.must(stage.buyer(), Deed::Fund);
    stage.at(START + 10 * DAY);
    stage.finish();
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
    let mut terms = terms(&world, Asset::Token);
    terms.fund_by = START + 1;
    for owner in terms.recipients() {
        world.create_token_account(&owner, &native, &TOKEN);
    }
    let mut stage = Stage::with(world, terms);
    let (buyer, stranger, vault) = (stage.buyer(), stage.stranger(), stage.vault());
    let wrapped = stage.deal.terms.account_of(&buyer);
    let sync = |account: &Pubkey| token_instruction::sync_native(&TOKEN, account).expect("an instruction");
    stage.donate(&wrapped, 2_000_000);
    stage.outside(sync(&wrapped));
    let payer = stage.deal.rent_payer;
    let before = stage.world.lamports(&payer);
    for (actor, deed) in [
        (payer, Deed::Create),
        (buyer, Deed::Fund),
        (buyer, Deed::Release { milestone: 0, amount: 1_000_007, expected: 1_000_007 }),
    ] {
        stage.outside(stage.instruction(actor, &deed));
        stage.deal.apply(&deed, &actor, START);
    }
    stage.donate(&vault, 500);
    stage.outside(sync(&vault));
    stage.donate(&vault, 30);
    for recipient in [1, 2] {
        stage.outside(stage.instruction(stranger, &Deed::Withdraw(recipient)));
    }
    let paid = [stage.seller(), stage.deal.terms.fee_recipient]
        .map(|owner| stage.world.tokens_in(&stage.deal.terms.account_of(&owner)));
    assert_eq!(paid, [975_007, 25_000]);
    stage.at(START + 1);
    let close = stage.instruction(stranger, &Deed::Close);
    stage.outside(close);
    // What was synced is tokens and goes to the buyer, what was not is lamports and goes to the rent payer.
    assert_eq!(stage.world.tokens_in(&wrapped), 2_000_000 - 1_000_007 + 500);
    assert_eq!(stage.world.lamports(&payer), before + 30);
}
