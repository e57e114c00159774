//! Accounts in the wrong place: every account of every instruction that moves money, in place of every other.

use escrow_tests::{DAY, START, TOKEN, TOKEN_2022, keypair};
use solana_instruction::{AccountMeta, Instruction, error::InstructionError::Custom};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use solana_signer::Signer;

use crate::{
    arena::{Arena, KINDS, Kind, too_few},
    wire::{Deed, program, spl_account},
};

/// A token deal in which something is due to the buyer, the seller and the fee recipient.
fn decided(asset: Kind) -> Arena {
    let mut arena = Arena::funded(asset, |_| ());
    let (buyer, seller) = (arena.buyer(), arena.seller());
    arena.must(buyer, Deed::Release { milestone: 0, amount: 500_000, expected: 1_000_007 });
    arena.must(seller, Deed::Refund { milestone: 0, amount: 500_007, expected: 500_007 });
    arena
}

/// Everything that a thief may have at hand for a token deal.
fn loot(arena: &mut Arena) -> Vec<Pubkey> {
    let (mint, other_mint) = (arena.deal.terms.mint, keypair(30));
    let mut loot: Vec<Pubkey> = Arena::people().collect();
    loot.extend(Arena::people().map(|owner| spl_account(&owner, &mint)));
    let (escrow, vault) = (arena.escrow(), arena.vault());
    loot.extend([escrow, vault, mint, TOKEN, TOKEN_2022, system_program::ID, program()]);
    // Accounts that are not associated: of the buyer, the seller, the stranger and of the escrow itself.
    for (number, owner) in [(31, arena.buyer()), (32, arena.seller()), (33, arena.stranger()), (34, escrow)] {
        loot.push(arena.world.new_token_account(&keypair(number), &owner, &mint, &TOKEN));
    }
    // Another mint, and accounts for it, of both token programs.
    arena.world.create_mint(&other_mint, TOKEN, 6, None);
    loot.push(other_mint.pubkey());
    for owner in [arena.buyer(), arena.seller()] {
        loot.push(arena.world.create_token_account(&owner, &other_mint.pubkey(), &TOKEN));
    }
    let mint_2022 = keypair(35);
    arena.world.create_mint(&mint_2022, TOKEN_2022, 6, None);
    loot.push(mint_2022.pubkey());
    loot.push(arena.world.create_token_account(&arena.seller(), &mint_2022.pubkey(), &TOKEN_2022));
    // Another escrow in the same bank, in the same token, with its vault full.
    let mut other = arena.deal.terms.clone();
    other.salt = [8; 16];
    for (actor, deed) in [(arena.deal.rent_payer, Deed::Create), (arena.buyer(), Deed::Fund)] {
        arena.outside(deed.instruction(&other, &arena.deal.rent_payer, &actor, false));
    }
    loot.extend([other.escrow(), other.vault()]);
    loot.sort();
    loot.dedup();
    arena.look();
    arena.mint(&vault, 5);
    loot
}

/// Puts everything in every place. Whatever is accepted must have the outcome of the true instruction for the people:
/// nobody holds a unit more than they should, and nobody's share is gone.
fn substitute(arena: &Arena, whole: &Instruction, deed: &Deed, loot: &[Pubkey]) {
    let mut fair = arena.fork();
    fair.outside(whole.clone());
    let worth = |arena: &Arena, owner: &Pubkey| {
        let mint = arena.deal.terms.mint;
        let accounts = [spl_account(owner, &mint)].into_iter().chain([31, 32, 33].map(|n| keypair(n).pubkey()));
        let owned = accounts.filter(|account| {
            arena.world.svm.get_account(account).is_some_and(|account| account.data.get(32..64) == Some(owner.as_ref()))
        });
        owned.map(|account| arena.world.tokens_in(&account)).sum::<u64>()
    };
    // Who pays the rent of a new escrow is free.
    for index in usize::from(*deed == Deed::Create)..whole.accounts.len() {
        for wrong in loot {
            if whole.accounts[index].pubkey == *wrong {
                continue;
            }
            let mut odd = whole.clone();
            odd.accounts[index].pubkey = *wrong;
            // Only people sign. What anybody may name without a signature is tried without one.
            if odd.accounts[index].is_signer && !Arena::people().any(|person| person == *wrong) {
                continue;
            }
            let mut arena = arena.fork();
            let before = arena.world.snapshot();
            match arena.send(&[odd]) {
                Err(_) => assert!(before == arena.world.snapshot()),
                Ok(()) => {
                    for owner in Arena::people() {
                        assert_eq!(
                            worth(&arena, &owner),
                            worth(&fair, &owner),
                            "{deed:?}: {wrong} in place {index} moved tokens of {owner}"
                        );
                        assert_eq!(
                            arena.world.lamports(&owner),
                            fair.world.lamports(&owner),
                            "{deed:?}: {wrong} in place {index} moved lamports of {owner}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_in_the_wrong_place_moves_money() {
    // Withdrawals.
    let mut arena = decided(Kind::Token);
    let loot = loot(&mut arena);
    for recipient in 0..3 {
        let deed = Deed::Withdraw(recipient);
        substitute(&arena, &arena.instruction(arena.stranger(), &deed), &deed, &loot);
    }
    // Closing, with tokens left that nobody is owed.
    let mut closing = arena.fork();
    for recipient in 0..3 {
        closing.must(arena.stranger(), Deed::Withdraw(recipient));
    }
    closing.at(START + DAY);
    substitute(&closing, &closing.instruction(arena.stranger(), &Deed::Close), &Deed::Close, &loot);
}

#[test]
fn nothing_in_the_wrong_place_funds_or_cancels() {
    let mut arena = Arena::empty(Kind::Token, |_| ());
    arena.create();
    let loot = loot(&mut arena);
    for (actor, deed) in [(arena.buyer(), Deed::Fund), (arena.seller(), Deed::Cancel)] {
        substitute(&arena, &arena.instruction(actor, &deed), &deed, &loot);
    }
    let mut arena = Arena::empty(Kind::Token, |terms| terms.salt = [9; 16]);
    let loot = loot_without_escrow(&mut arena);
    substitute(&arena, &arena.instruction(arena.deal.rent_payer, &Deed::Create), &Deed::Create, &loot);
}

/// [`loot`] for an escrow that does not exist yet, whose vault cannot be given tokens.
fn loot_without_escrow(arena: &mut Arena) -> Vec<Pubkey> {
    let mint = arena.deal.terms.mint;
    let mut loot: Vec<Pubkey> = Arena::people().collect();
    loot.extend(Arena::people().map(|owner| spl_account(&owner, &mint)));
    loot.extend([arena.escrow(), arena.vault(), mint, TOKEN, TOKEN_2022, system_program::ID, program()]);
    loot
}

#[test]
fn token_accounts_in_any_other_order_or_number_are_refused() {
    let arena = decided(Kind::Token);
    let whole = arena.instruction(arena.stranger(), &Deed::Withdraw(1));
    for first in 2..6 {
        for second in 2..6 {
            let mut arena = arena.fork();
            let before = arena.world.snapshot();
            let mut odd = whole.clone();
            // Swapped, or (with the same one twice) doubled.
            if first < second {
                odd.accounts.swap(first, second);
            } else if first > second {
                odd.accounts[first].pubkey = odd.accounts[second].pubkey;
            } else {
                odd.accounts[first] = AccountMeta::new_readonly(program(), false);
            }
            assert!(arena.send(&[odd]).is_err(), "{first} {second}");
            assert!(before == arena.world.snapshot());
        }
    }
    for length in 2..6 {
        let mut odd = whole.clone();
        odd.accounts.truncate(length);
        arena.fork().refused(odd, &[Custom(6048), too_few()]);
    }
    // All of them as placeholders say the same.
    let mut odd = whole.clone();
    odd.accounts[2..].fill(AccountMeta::new_readonly(program(), false));
    arena.fork().no(odd, 6048);
    // Read-only, the token program cannot move anything.
    for index in [2, 3] {
        let mut odd = whole.clone();
        odd.accounts[index].is_writable = false;
        let mut arena = arena.fork();
        let before = arena.world.snapshot();
        let result = arena.send(&[odd]);
        assert!(result.is_err(), "{index}");
        assert!(before == arena.world.snapshot());
    }
}

#[test]
fn another_account_of_the_recipient_needs_a_signature() {
    let mut arena = decided(Kind::Token);
    let (seller, escrow, mint) = (arena.seller(), arena.escrow(), arena.deal.terms.mint);
    let own = arena.world.new_token_account(&keypair(32), &seller, &mint, &TOKEN);
    let sneaky = arena.world.new_token_account(&keypair(34), &escrow, &mint, &TOKEN);
    let mut odd = arena.instruction(seller, &Deed::Withdraw(1));
    odd.accounts[2].pubkey = own;
    arena.no(odd.clone(), 6057);
    odd.accounts[1].is_signer = true;
    // An account of the escrow's would swallow the money, even if the seller asked for it; so would the vault.
    for wrong in [sneaky, arena.vault(), arena.deal.terms.account_of(&arena.buyer())] {
        let mut odd = odd.clone();
        odd.accounts[2].pubkey = wrong;
        arena.refused(odd, &[Custom(6056), Custom(2040)]);
    }
    arena.outside(odd);
    assert_eq!(arena.world.tokens_in(&own), 487_500);
}

#[test]
fn an_associated_account_that_was_given_away_is_nobodys_way_to_the_money() {
    // SPL Token lets an owner give the account away: the address is still the associated one, the owner is not.
    let mut arena = decided(Kind::Token);
    let (seller, stranger, mint) = (arena.seller(), arena.stranger(), arena.deal.terms.mint);
    let account = arena.deal.terms.account_of(&seller);
    let kind = spl_token_2022_interface::instruction::AuthorityType::AccountOwner;
    let give =
        spl_token_2022_interface::instruction::set_authority(&TOKEN, &account, Some(&stranger), kind, &seller, &[]);
    arena.outside(give.expect("an instruction"));
    let withdraw = arena.instruction(stranger, &Deed::Withdraw(1));
    arena.no(withdraw.clone(), 6056);
    // With a signature there is another way.
    let own = arena.world.new_token_account(&keypair(32), &seller, &mint, &TOKEN);
    let mut other = withdraw;
    other.accounts[1].is_signer = true;
    other.accounts[2].pubkey = own;
    arena.outside(other);
    assert_eq!(arena.world.tokens_in(&own), 487_500);
}

#[test]
fn a_deal_in_sol_takes_no_token_accounts() {
    let mut arena = decided(Kind::Sol);
    let mint = arena.world.mint;
    let mut empty = Arena::empty(Kind::Sol, |terms| terms.salt = [1; 16]);
    empty.create();
    let buyer = arena.buyer();
    let tokens = [
        AccountMeta::new(spl_account(&buyer, &mint), false),
        AccountMeta::new(spl_account(&arena.seller(), &mint), false),
        AccountMeta::new_readonly(mint, false),
        AccountMeta::new_readonly(TOKEN, false),
    ];
    let mut withdraw = arena.instruction(buyer, &Deed::Withdraw(1));
    withdraw.accounts.extend(tokens.clone());
    arena.no(withdraw, 6049);
    let mut fund = empty.instruction(buyer, &Deed::Fund);
    fund.accounts.extend(tokens.clone());
    empty.no(fund, 6049);
    // As placeholders, they are allowed where they cost something only.
    let mut arena = decided(Kind::Sol);
    let mut withdraw = arena.instruction(buyer, &Deed::Withdraw(1));
    withdraw.accounts.extend(vec![AccountMeta::new_readonly(program(), false); 4]);
    arena.outside(withdraw);
    assert_eq!(arena.deal.due[1], 487_500);
}

#[test]
fn sol_goes_to_the_recorded_address_only() {
    let mut arena = decided(Kind::Sol);
    for recipient in 0..3_u8 {
        let whole = arena.instruction(arena.stranger(), &Deed::Withdraw(recipient));
        let others: Vec<Pubkey> =
            Arena::people().chain([arena.escrow(), arena.vault(), program(), system_program::ID]).collect();
        for other in others.into_iter().filter(|other| *other != whole.accounts[1].pubkey) {
            let mut odd = whole.clone();
            odd.accounts[1].pubkey = other;
            arena.refused(odd, &[Custom(6047), Custom(2040), Custom(2000)]);
        }
    }
    arena.finish();
}

/// A arena for each instruction that makes or closes accounts, on which its usual actor may do it.
fn created_cancelled_closed(asset: Kind) -> [(Arena, Pubkey, Deed); 3] {
    let unborn = Arena::empty(asset, |_| ());
    let mut created = unborn.fork();
    created.create();
    let mut done = decided(asset);
    for recipient in 0..3 {
        done.must(done.stranger(), Deed::Withdraw(recipient));
    }
    done.at(START + DAY);
    let (payer, buyer) = (unborn.deal.rent_payer, unborn.buyer());
    [(unborn, payer, Deed::Create), (created, buyer, Deed::Cancel), (done, buyer, Deed::Close)]
}

#[test]
fn a_list_that_ends_early_changes_nothing() {
    for asset in KINDS {
        for (mut arena, actor, deed) in created_cancelled_closed(asset) {
            let whole = arena.instruction(actor, &deed);
            // Only `fund` and `withdraw` may be given less. These three refuse it, and do no harm.
            for length in 0..whole.accounts.len() {
                let mut odd = whole.clone();
                odd.accounts.truncate(length);
                let mut fork = arena.fork();
                let before = fork.world.snapshot();
                match fork.send(&[odd]) {
                    Ok(()) => panic!("{deed:?} with {length} accounts"),
                    Err((_, error)) => {
                        assert_eq!(error, too_few(), "{deed:?} with {length} accounts");
                    }
                }
                assert!(before == fork.world.snapshot());
            }
            arena.outside(whole);
        }
    }
}

#[test]
fn nothing_behind_the_fixed_accounts_of_a_sol_deal_is_touched() {
    // Token accounts in the places of the table, for each instruction that has such places.
    for (arena, actor, deed) in created_cancelled_closed(Kind::Sol) {
        let (payer, buyer) = (arena.deal.rent_payer, arena.buyer());
        let whole = arena.instruction(actor, &deed);
        let mint = arena.world.mint;
        let tokens = [
            AccountMeta::new(spl_account(&buyer, &mint), false),
            AccountMeta::new_readonly(mint, false),
            AccountMeta::new_readonly(TOKEN, false),
        ];
        // `create` refuses them by name. `cancel` and `close` have no use for them, and only pay the rent back.
        let first = if deed == Deed::Close { 2 } else { 3 };
        for places in [0..1, 1..2, 2..3, 0..3] {
            let mut odd = whole.clone();
            odd.accounts[first + places.start..first + places.end].clone_from_slice(&tokens[places]);
            let mut arena = arena.fork();
            if deed == Deed::Create {
                arena.no(odd, 6049);
            } else if arena.send(&[odd]).is_ok() {
                assert!(!arena.world.exists(&arena.escrow()));
                assert_eq!(arena.world.tokens_in(&spl_account(&buyer, &mint)), escrow_tests::INITIAL_TOKENS);
                assert_eq!(arena.world.lamports(&payer), escrow_tests::INITIAL_LAMPORTS);
            }
        }
    }
}

#[test]
fn accounts_behind_the_end_of_the_list_change_nothing() {
    for asset in KINDS {
        let mut arena = Arena::funded(asset, |_| ());
        let (buyer, seller, stranger) = (arena.buyer(), arena.seller(), arena.stranger());
        let more = [AccountMeta::new(stranger, false), AccountMeta::new(arena.world.token_account(&seller), false)];
        for (actor, deed) in [
            (seller, Deed::Deliver(0)),
            (buyer, Deed::Dispute(0)),
            (buyer, Deed::Release { milestone: 0, amount: 1, expected: 1_000_007 }),
            (arena.arbiter(), Deed::Rule(0, 10_000)),
        ] {
            let mut longer = arena.instruction(actor, &deed);
            longer.accounts.extend(more.clone());
            // Accepted or not is no promise; what comes of it is.
            if arena.send(&[longer]).is_ok() {
                arena.deal.apply(&deed, &actor, START);
                arena.check();
            } else {
                arena.must(actor, deed);
            }
        }
        arena.finish();
    }
}

#[test]
fn a_funded_cancel_moves_no_tokens_whatever_is_passed() {
    let mut arena = Arena::funded(Kind::Token, |terms| terms.cooling_off = 100);
    let buyer = arena.buyer();
    // With the accounts that only an unfunded one needs.
    let cancel = Deed::Cancel.instruction(&arena.deal.terms, &arena.deal.rent_payer, &buyer, false);
    let result = arena.send(&[cancel]);
    if result.is_ok() {
        arena.deal.apply(&Deed::Cancel, &buyer, START);
    }
    arena.check();
    arena.finish();
}
