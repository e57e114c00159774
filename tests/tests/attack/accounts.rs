//! Accounts in the wrong place: every account of every instruction that moves money, in place of every other.

use escrow_tests::{DAY, START, TOKEN, TOKEN_2022, keypair};
use solana_instruction::{AccountMeta, Instruction, error::InstructionError::Custom};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use solana_signer::Signer;

use crate::{
    stage::{ASSETS, Asset, Stage, too_few},
    wire::{Deed, program, spl_account},
};

/// A token deal in which something is due to the buyer, the seller and the fee recipient.
fn decided(asset: Asset) -> Stage {
    let mut stage = Stage::funded(asset, |_| ());
    let (buyer, seller) = (stage.buyer(), stage.seller());
    stage.must(buyer, Deed::Release { milestone: 0, amount: 500_000, expected: 1_000_007 });
    stage.must(seller, Deed::Refund { milestone: 0, amount: 500_007, expected: 500_007 });
    stage
}

/// Everything that a thief may have at hand for a token deal.
fn loot(stage: &mut Stage) -> Vec<Pubkey> {
    let (mint, other_mint) = (stage.deal.terms.mint, keypair(30));
    let mut loot: Vec<Pubkey> = Stage::people().collect();
    loot.extend(Stage::people().map(|owner| spl_account(&owner, &mint)));
    let (escrow, vault) = (stage.escrow(), stage.vault());
    loot.extend([escrow, vault, mint, TOKEN, TOKEN_2022, system_program::ID, program()]);
    // Accounts that are not associated: of the buyer, the seller, the stranger and of the escrow itself.
    for (number, owner) in [(31, stage.buyer()), (32, stage.seller()), (33, stage.stranger()), (34, escrow)] {
        loot.push(stage.world.new_token_account(&keypair(number), &owner, &mint, &TOKEN));
    }
    // Another mint, and accounts for it, of both token programs.
    stage.world.create_mint(&other_mint, TOKEN, 6, None);
    loot.push(other_mint.pubkey());
    for owner in [stage.buyer(), stage.seller()] {
        loot.push(stage.world.create_token_account(&owner, &other_mint.pubkey(), &TOKEN));
    }
    let mint_2022 = keypair(35);
    stage.world.create_mint(&mint_2022, TOKEN_2022, 6, None);
    loot.push(mint_2022.pubkey());
    loot.push(stage.world.create_token_account(&stage.seller(), &mint_2022.pubkey(), &TOKEN_2022));
    // Another escrow in the same bank, in the same token, with its vault full.
    let mut other = stage.deal.terms.clone();
    other.salt = [8; 16];
    for (actor, deed) in [(stage.deal.rent_payer, Deed::Create), (stage.buyer(), Deed::Fund)] {
        stage.outside(deed.instruction(&other, &stage.deal.rent_payer, &actor, false));
    }
    loot.extend([other.escrow(), other.vault()]);
    loot.sort();
    loot.dedup();
    stage.look();
    stage.mint(&vault, 5);
    loot
}

/// Puts everything in every place. Whatever is accepted must have the outcome of the true instruction for the people:
/// nobody holds a unit more than they should, and nobody's share is gone.
fn substitute(stage: &Stage, whole: &Instruction, deed: &Deed, loot: &[Pubkey]) {
    let mut fair = stage.fork();
    fair.outside(whole.clone());
    let worth = |stage: &Stage, owner: &Pubkey| {
        let mint = stage.deal.terms.mint;
        let accounts = [spl_account(owner, &mint)].into_iter().chain([31, 32, 33].map(|n| keypair(n).pubkey()));
        let owned = accounts.filter(|account| {
            stage.world.svm.get_account(account).is_some_and(|account| account.data.get(32..64) == Some(owner.as_ref()))
        });
        owned.map(|account| stage.world.tokens_in(&account)).sum::<u64>()
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
            if odd.accounts[index].is_signer && !Stage::people().any(|person| person == *wrong) {
                continue;
            }
            let mut stage = stage.fork();
            let before = stage.world.snapshot();
            match stage.send(&[odd]) {
                Err(_) => assert!(before == stage.world.snapshot()),
                Ok(()) => {
                    for owner in Stage::people() {
                        assert_eq!(
                            worth(&stage, &owner),
                            worth(&fair, &owner),
                            "{deed:?}: {wrong} in place {index} moved tokens of {owner}"
                        );
                        assert_eq!(
                            stage.world.lamports(&owner),
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
    let mut stage = decided(Asset::Token);
    let loot = loot(&mut stage);
    for recipient in 0..3 {
        let deed = Deed::Withdraw(recipient);
        substitute(&stage, &stage.instruction(stage.stranger(), &deed), &deed, &loot);
    }
    // Closing, with tokens left that nobody is owed.
    let mut closing = stage.fork();
    for recipient in 0..3 {
        closing.must(stage.stranger(), Deed::Withdraw(recipient));
    }
    closing.at(START + DAY);
    substitute(&closing, &closing.instruction(stage.stranger(), &Deed::Close), &Deed::Close, &loot);
}

#[test]
fn nothing_in_the_wrong_place_funds_or_cancels() {
    let mut stage = Stage::empty(Asset::Token, |_| ());
    stage.create();
    let loot = loot(&mut stage);
    for (actor, deed) in [(stage.buyer(), Deed::Fund), (stage.seller(), Deed::Cancel)] {
        substitute(&stage, &stage.instruction(actor, &deed), &deed, &loot);
    }
    let mut stage = Stage::empty(Asset::Token, |terms| terms.salt = [9; 16]);
    let loot = loot_without_escrow(&mut stage);
    substitute(&stage, &stage.instruction(stage.deal.rent_payer, &Deed::Create), &Deed::Create, &loot);
}

/// [`loot`] for an escrow that does not exist yet, whose vault cannot be given tokens.
fn loot_without_escrow(stage: &mut Stage) -> Vec<Pubkey> {
    let mint = stage.deal.terms.mint;
    let mut loot: Vec<Pubkey> = Stage::people().collect();
    loot.extend(Stage::people().map(|owner| spl_account(&owner, &mint)));
    loot.extend([stage.escrow(), stage.vault(), mint, TOKEN, TOKEN_2022, system_program::ID, program()]);
    loot
}

#[test]
fn token_accounts_in_any_other_order_or_number_are_refused() {
    let stage = decided(Asset::Token);
    let whole = stage.instruction(stage.stranger(), &Deed::Withdraw(1));
    for first in 2..6 {
        for second in 2..6 {
            let mut stage = stage.fork();
            let before = stage.world.snapshot();
            let mut odd = whole.clone();
            // Swapped, or (with the same one twice) doubled.
            if first < second {
                odd.accounts.swap(first, second);
            } else if first > second {
                odd.accounts[first].pubkey = odd.accounts[second].pubkey;
            } else {
                odd.accounts[first] = AccountMeta::new_readonly(program(), false);
            }
            assert!(stage.send(&[odd]).is_err(), "{first} {second}");
            assert!(before == stage.world.snapshot());
        }
    }
    for length in 2..6 {
        let mut odd = whole.clone();
        odd.accounts.truncate(length);
        stage.fork().refused(odd, &[Custom(6048), too_few()]);
    }
    // All of them as placeholders say the same.
    let mut odd = whole.clone();
    odd.accounts[2..].fill(AccountMeta::new_readonly(program(), false));
    stage.fork().no(odd, 6048);
    // Read-only, the token program cannot move anything.
    for index in [2, 3] {
        let mut odd = whole.clone();
        odd.accounts[index].is_writable = false;
        let mut stage = stage.fork();
        let before = stage.world.snapshot();
        let result = stage.send(&[odd]);
        assert!(result.is_err(), "{index}");
        assert!(before == stage.world.snapshot());
    }
}

#[test]
fn another_account_of_the_recipient_needs_a_signature() {
    let mut stage = decided(Asset::Token);
    let (seller, escrow, mint) = (stage.seller(), stage.escrow(), stage.deal.terms.mint);
    let own = stage.world.new_token_account(&keypair(32), &seller, &mint, &TOKEN);
    let sneaky = stage.world.new_token_account(&keypair(34), &escrow, &mint, &TOKEN);
    let mut odd = stage.instruction(seller, &Deed::Withdraw(1));
    odd.accounts[2].pubkey = own;
    stage.no(odd.clone(), 6057);
    odd.accounts[1].is_signer = true;
    // An account of the escrow's would swallow the money, even if the seller asked for it; so would the vault.
    for wrong in [sneaky, stage.vault(), stage.deal.terms.account_of(&stage.buyer())] {
        let mut odd = odd.clone();
        odd.accounts[2].pubkey = wrong;
        stage.refused(odd, &[Custom(6056), Custom(2040)]);
    }
    stage.outside(odd);
    assert_eq!(stage.world.tokens_in(&own), 487_500);
}

#[test]
fn an_associated_account_that_was_given_away_is_nobodys_way_to_the_money() {
    // SPL Token lets an owner give the account away: the address is still the associated one, the owner is not.
    let mut stage = decided(Asset::Token);
    let (seller, stranger, mint) = (stage.seller(), stage.stranger(), stage.deal.terms.mint);
    let account = stage.deal.terms.account_of(&seller);
    let kind = spl_token_2022_interface::instruction::AuthorityType::AccountOwner;
    let give =
        spl_token_2022_interface::instruction::set_authority(&TOKEN, &account, Some(&stranger), kind, &seller, &[]);
    stage.outside(give.expect("an instruction"));
    let withdraw = stage.instruction(stranger, &Deed::Withdraw(1));
    stage.no(withdraw.clone(), 6056);
    // With a signature there is another way.
    let own = stage.world.new_token_account(&keypair(32), &seller, &mint, &TOKEN);
    let mut other = withdraw;
    other.accounts[1].is_signer = true;
    other.accounts[2].pubkey = own;
    stage.outside(other);
    assert_eq!(stage.world.tokens_in(&own), 487_500);
}

#[test]
fn a_deal_in_sol_takes_no_token_accounts() {
    let mut stage = decided(Asset::Sol);
    let mint = stage.world.mint;
    let mut empty = Stage::empty(Asset::Sol, |terms| terms.salt = [1; 16]);
    empty.create();
    let buyer = stage.buyer();
    let tokens = [
        AccountMeta::new(spl_account(&buyer, &mint), false),
        AccountMeta::new(spl_account(&stage.seller(), &mint), false),
        AccountMeta::new_readonly(mint, false),
        AccountMeta::new_readonly(TOKEN, false),
    ];
    let mut withdraw = stage.instruction(buyer, &Deed::Withdraw(1));
    withdraw.accounts.extend(tokens.clone());
    stage.no(withdraw, 6049);
    let mut fund = empty.instruction(buyer, &Deed::Fund);
    fund.accounts.extend(tokens.clone());
    empty.no(fund, 6049);
    // As placeholders, they are allowed where they cost something only.
    let mut stage = decided(Asset::Sol);
    let mut withdraw = stage.instruction(buyer, &Deed::Withdraw(1));
    withdraw.accounts.extend(vec![AccountMeta::new_readonly(program(), false); 4]);
    stage.outside(withdraw);
    assert_eq!(stage.deal.due[1], 487_500);
}

#[test]
fn sol_goes_to_the_recorded_address_only() {
    let mut stage = decided(Asset::Sol);
    for recipient in 0..3_u8 {
        let whole = stage.instruction(stage.stranger(), &Deed::Withdraw(recipient));
        let others: Vec<Pubkey> =
            Stage::people().chain([stage.escrow(), stage.vault(), program(), system_program::ID]).collect();
        for other in others.into_iter().filter(|other| *other != whole.accounts[1].pubkey) {
            let mut odd = whole.clone();
            odd.accounts[1].pubkey = other;
            stage.refused(odd, &[Custom(6047), Custom(2040), Custom(2000)]);
        }
    }
    stage.finish();
}

/// A stage for each instruction that makes or closes accounts, on which its usual actor may do it.
fn created_cancelled_closed(asset: Asset) -> [(Stage, Pubkey, Deed); 3] {
    let unborn = Stage::empty(asset, |_| ());
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
    for asset in ASSETS {
        for (mut stage, actor, deed) in created_cancelled_closed(asset) {
            let whole = stage.instruction(actor, &deed);
            // Only `fund` and `withdraw` may be given less. These three refuse it, and do no harm.
            for length in 0..whole.accounts.len() {
                let mut odd = whole.clone();
                odd.accounts.truncate(length);
                let mut fork = stage.fork();
                let before = fork.world.snapshot();
                match fork.send(&[odd]) {
                    Ok(()) => panic!("{deed:?} with {length} accounts"),
                    Err((_, error)) => {
                        assert_eq!(error, too_few(), "{deed:?} with {length} accounts");
                    }
                }
                assert!(before == fork.world.snapshot());
            }
            stage.outside(whole);
        }
    }
}

#[test]
fn nothing_behind_the_fixed_accounts_of_a_sol_deal_is_touched() {
    // Token accounts in the places of the table, for each instruction that has such places.
    for (stage, actor, deed) in created_cancelled_closed(Asset::Sol) {
        let (payer, buyer) = (stage.deal.rent_payer, stage.buyer());
        let whole = stage.instruction(actor, &deed);
        let mint = stage.world.mint;
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
            let mut stage = stage.fork();
            if deed == Deed::Create {
                stage.no(odd, 6049);
            } else if stage.send(&[odd]).is_ok() {
                assert!(!stage.world.exists(&stage.escrow()));
                assert_eq!(stage.world.tokens_in(&spl_account(&buyer, &mint)), escrow_tests::INITIAL_TOKENS);
                assert_eq!(stage.world.lamports(&payer), escrow_tests::INITIAL_LAMPORTS);
            }
        }
    }
}

#[test]
fn accounts_behind_the_end_of_the_list_change_nothing() {
    for asset in ASSETS {
        let mut stage = Stage::funded(asset, |_| ());
        let (buyer, seller, stranger) = (stage.buyer(), stage.seller(), stage.stranger());
        let more = [AccountMeta::new(stranger, false), AccountMeta::new(stage.world.token_account(&seller), false)];
        for (actor, deed) in [
            (seller, Deed::Deliver(0)),
            (buyer, Deed::Dispute(0)),
            (buyer, Deed::Release { milestone: 0, amount: 1, expected: 1_000_007 }),
            (stage.arbiter(), Deed::Rule(0, 10_000)),
        ] {
            let mut longer = stage.instruction(actor, &deed);
            longer.accounts.extend(more.clone());
            // Accepted or not is no promise; what comes of it is.
            if stage.send(&[longer]).is_ok() {
                stage.deal.apply(&deed, &actor, START);
                stage.check();
            } else {
                stage.must(actor, deed);
            }
        }
        stage.finish();
    }
}

#[test]
fn a_funded_cancel_moves_no_tokens_whatever_is_passed() {
    let mut stage = Stage::funded(Asset::Token, |terms| terms.cooling_off = 100);
    let buyer = stage.buyer();
    // With the accounts that only an unfunded one needs.
    let cancel = Deed::Cancel.instruction(&stage.deal.terms, &stage.deal.rent_payer, &buyer, false);
    let result = stage.send(&[cancel]);
    if result.is_ok() {
        stage.deal.apply(&Deed::Cancel, &buyer, START);
    }
    stage.check();
    stage.finish();
}
