//! Associated token accounts whose bump is far below 255: one owner in 256 has one of 247 or less.

use escrow_client::{EscrowError::*, Recipient, address, escrow::token::ASSOCIATED_TOKEN_PROGRAM_ID, instruction};
use escrow_tests::{Kind, TOKEN, Who, World, case, deal::*, keypair};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// What is looked for: there is no associated account at this bump or above.
const LOW: u8 = 247;

fn seeds<'a>(owner: &'a Pubkey, mint: &'a Pubkey) -> [&'a [u8]; 3] {
    [owner.as_array(), TOKEN.as_array(), mint.as_array()]
}

fn bump(owner: &Pubkey, mint: &Pubkey) -> u8 {
    Pubkey::find_program_address(&seeds(owner, mint), &ASSOCIATED_TOKEN_PROGRAM_ID).1
}

/// The first of the numbered keypairs whose associated account has such a bump.
fn low_owner(world: &World) -> Keypair {
    let numbered = |number: u16| {
        let mut seed = [0xb0; 32];
        seed[..2].copy_from_slice(&number.to_le_bytes());
        Keypair::new_from_array(seed)
    };
    (0..=u16::MAX).map(numbered).find(|owner| bump(&owner.pubkey(), &world.mint) <= LOW).expect("one in 256")
}

/// A deal of tokens in which somebody's account has such a bump.
fn agreed(change: impl FnOnce(&mut World, Keypair)) -> (Deal, Pubkey) {
    let mut world = World::new();
    let (owner, mint) = (low_owner(&world), world.mint);
    let address = owner.pubkey();
    world.svm.airdrop(&address, escrow_tests::INITIAL_LAMPORTS).expect("an airdrop");
    let account = world.create_token_account(&address, &mint, &TOKEN);
    assert_eq!(account, world.token_account(&address));
    change(&mut world, owner);
    let deal = Deal::agreed(world, Kind::Token, &[1_000], |world, terms| {
        (terms.fee_recipient, terms.fee_bps, terms.arbiter_fee_bps) = (world.fee_recipient.pubkey(), 1_000, 1_000);
    });
    (deal, account)
}

fn decided(change: impl FnOnce(&mut World, Keypair)) -> (Deal, Pubkey) {
    let (mut deal, account) = agreed(change);
    // What the buyer pays with.
    deal.world.mint_to(&deal.key(Who::Buyer), 1_000);
    deal.ok(deal.create());
    deal.ok(deal.fund());
    deal.deliver_and_dispute(0);
    deal.ok(deal.rule(0, 5_000));
    (deal, account)
}

#[test]
fn whoever_is_paid_is_paid_at_a_low_bump_too() {
    type Become = fn(&mut World, Keypair);
    let cases: [(Recipient, Become, u64); 4] = [
        (Recipient::Buyer, |world, owner| world.buyer = owner, 450),
        (Recipient::Seller, |world, owner| world.seller = owner, 405),
        (Recipient::Fee, |world, owner| world.fee_recipient = owner, 45),
        (Recipient::Arbiter, |world, owner| world.arbiter = owner, 100),
    ];
    for (recipient, become_one, amount) in cases {
        case(format_args!("{recipient:?}"));
        let (mut deal, account) = decided(become_one);
        let before = deal.world.tokens_in(&account);
        // Nobody signs but the fee payer of the transaction.
        let withdraw = deal.withdraw(recipient);
        assert_eq!((withdraw.instruction.accounts[2].pubkey, withdraw.signers.len()), (account, 0));
        deal.ok(withdraw);
        assert_eq!(deal.world.tokens_in(&account), before + amount);
    }
}

#[test]
fn uninvited_tokens_go_to_a_low_bump_too() {
    // Cancelled by the seller, who signs for nothing of the buyer's.
    let (mut deal, account) = agreed(|world, owner| world.buyer = owner);
    deal.ok(deal.create());
    deal.world.mint_to_account(&deal.vault(), 77);
    deal.uninvited = 77;
    let seller = deal.keypair(Who::Seller);
    deal.ok(Act::new(instruction::cancel(&deal.account(), seller.pubkey(), true), &[&seller]));
    assert_eq!(deal.world.tokens_in(&account), 77);

    let (mut deal, account) = decided(|world, owner| world.buyer = owner);
    deal.withdraw_all();
    deal.world.mint_to_account(&deal.vault(), 77);
    deal.uninvited = 77;
    deal.world.set_time(deal.terms.fund_by);
    deal.ok(Act::new(instruction::close(&deal.account(), true), &[]));
    assert_eq!(deal.world.tokens_in(&account), 450 + 77);
}

/// The program compares with the addresses of all bumps, and does not ask which is the canonical one. So at another of
/// them, on the curve or off, it would pay. No cluster has a token account there: the associated-token program signs for
/// the canonical bump only, and nobody has the key to a point that a hash hit. What is paid there would still belong to
/// the owner, because the account's owner field is compared as well.
#[test]
fn at_the_address_of_another_bump_there_is_no_account_and_the_owner_is_compared_all_the_same() {
    let (deal, account) = decided(|world, owner| world.seller = owner);
    let (owner, mint) = (deal.key(Who::Seller), deal.world.mint);
    let canonical = bump(&owner, &mint);
    let at = |bump: u8| {
        let seeds = seeds(&owner, &mint);
        Pubkey::derive_address(&seeds, Some(bump), &ASSOCIATED_TOKEN_PROGRAM_ID)
    };
    assert_eq!(at(canonical), account);
    let off_curve = (0..canonical).rev().find(|bump| !at(*bump).is_on_curve()).expect("every second one");
    for bump in [255, canonical + 1, off_curve] {
        assert_eq!(at(bump).is_on_curve(), bump > canonical);
        case(format_args!("bump {bump}, where {canonical} is canonical"));
        let withdraw = deal.withdraw(Recipient::Seller).account(2, at(bump));
        let mut deal = deal.fork();
        deal.refused(withdraw.clone(), TokenAccountInvalid);
        // As no instruction can.
        let mut copy = deal.world.raw(&account);
        deal.world.svm.set_account(at(bump), copy.clone()).expect("an account");
        let mut paid = deal.fork();
        paid.ok(withdraw.clone());
        assert_eq!(paid.world.tokens_in(&at(bump)), 405);
        copy.data[32..64].copy_from_slice(deal.key(Who::Stranger).as_array());
        deal.world.svm.set_account(at(bump), copy).expect("an account");
        deal.refused(withdraw, TokenAccountOwner);
    }
    // Of another owner's addresses none will do.
    let mut deal = deal.fork();
    let others = address::associated_token_address(&keypair(99).pubkey(), &mint, &TOKEN);
    deal.world.svm.set_account(others, deal.world.raw(&account)).expect("an account");
    deal.refused(deal.withdraw(Recipient::Seller).account(2, others), NotAssociatedAccount);
}
