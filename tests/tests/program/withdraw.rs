//! `withdraw`: pays what is due to one recipient, to the recorded address, by anyone.

use escrow_client::{EscrowError::*, Recipient, Terms, address, escrow, instruction};
use escrow_tests::{INITIAL_LAMPORTS, KINDS, Kind, Refusal, TOKEN, TOKEN_2022, Who, World, case, deal::*, keypair};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;
use spl_token_2022_interface::instruction::{self as token_instruction, AuthorityType};

/// Something is due to everybody: (buyer, seller, fee recipient, arbiter) = (450, 405, 45, 100).
fn decided(kind: Kind) -> Deal {
    let mut deal = Deal::funded(kind, &[1_000], |world, terms| {
        (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
        terms.arbiter_fee_bps = 1_000;
    });
    deal.deliver_and_dispute(0);
    deal.ok(deal.rule(0, 5_000));
    deal.assert_ledger([450, 450, 45, 100], [450, 405, 45, 100]);
    deal
}

const DUE: [(Recipient, Who, u64); 4] = [
    (Recipient::Buyer, Who::Buyer, 450),
    (Recipient::Seller, Who::Seller, 405),
    (Recipient::Fee, Who::FeeRecipient, 45),
    (Recipient::Arbiter, Who::Arbiter, 100),
];

#[test]
fn each_recipient_is_paid_what_is_due_in_any_order_once() {
    for kind in KINDS {
        let deal = decided(kind);
        // Every order of four.
        for order in 0..24usize {
            let mut left: Vec<usize> = (0..4).collect();
            let mut deal = deal.fork();
            let (mut divisor, mut code) = (6, order);
            let mut remaining = deal.held();
            for step in 0..4 {
                let (recipient, who, amount) = DUE[left.remove(code / divisor)];
                code %= divisor;
                divisor /= (3 - step).max(1);
                case(format_args!("{kind:?}, order {order}, {recipient:?}"));
                let (before, due) = (deal.balances(), deal.account());
                deal.ok(deal.withdraw(recipient));
                deal.assert_moved(&before, &[(who, amount.into())]);
                remaining -= amount;
                assert_eq!(deal.held(), remaining);
                assert_eq!(deal.ledger().due(recipient), 0);
                for other in Recipient::ALL.into_iter().filter(|other| *other != recipient) {
                    assert_eq!(deal.ledger().due(other), due.state.ledger.due(other));
                }
                assert_eq!(deal.account().milestones, due.milestones);
                deal.refused(deal.withdraw(recipient), NothingDue);
            }
            deal.assert_ledger([450, 450, 45, 100], [0; 4]);
            deal.wait_and_close();
        }
    }
}

#[test]
fn nothing_is_paid_where_nothing_is_due() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], |world, terms| {
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1);
        });
        for recipient in Recipient::ALL {
            deal.refused(deal.withdraw(recipient), NothingDue);
        }
        deal.ok(deal.fund());
        for recipient in Recipient::ALL {
            deal.refused(deal.withdraw(recipient), NothingDue);
        }
        // A fee too small for a whole unit.
        deal.ok(deal.release(0, 1_000));
        deal.refused(deal.withdraw(Recipient::Fee), NothingDue);
    }
}

#[test]
fn a_recipient_that_the_terms_do_not_name_is_paid_nothing() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |_, terms| terms.arbiter = Pubkey::default());
        for recipient in [Recipient::Fee, Recipient::Arbiter] {
            deal.refused(deal.withdraw(recipient), NothingDue);
            for who in Who::ALL {
                deal.refused(deal.withdraw(recipient).account(1, deal.key(who)), RecipientMismatch);
            }
        }
    }
}

#[test]
fn nobody_is_paid_in_anothers_place() {
    for kind in KINDS {
        let mut deal = decided(kind);
        for (recipient, named, _) in DUE {
            for who in Who::ALL.into_iter().filter(|who| *who != named) {
                case(format_args!("{kind:?}, {recipient:?}, {who:?}"));
                deal.refused(deal.withdraw(recipient).account(1, deal.key(who)), RecipientMismatch);
                let (other, honest) = (deal.keypair(who), deal.withdraw(recipient));
                deal.refused(honest.signed_by(1, &other), RecipientMismatch);
            }
            deal.refused(deal.withdraw(recipient).account(1, deal.escrow), DUPLICATE);
        }
    }
}

#[test]
fn coinciding_recipients_are_paid_by_role() {
    type Pick = fn(&World) -> Pubkey;
    let cases: [(Who, Pick); 3] = [
        (Who::Seller, |world| world.seller.pubkey()),
        (Who::Buyer, |world| world.buyer.pubkey()),
        (Who::Arbiter, |world| world.arbiter.pubkey()),
    ];
    for kind in KINDS {
        for (same, pick) in cases {
            case(format_args!("{kind:?}, the fee recipient is the {same:?}"));
            let mut deal = Deal::funded(kind, &[1_000], |world, terms| {
                (terms.fee_recipient, terms.fee_bps, terms.arbiter_fee_bps) = (pick(world), 1_000, 1_000);
            });
            deal.deliver_and_dispute(0);
            deal.ok(deal.rule(0, 5_000));
            for (recipient, who, amount) in DUE {
                let paid = if recipient == Recipient::Fee { same } else { who };
                let before = deal.balances();
                deal.ok(deal.withdraw(recipient));
                deal.assert_moved(&before, &[(paid, amount.into())]);
            }
            deal.wait_and_close();
        }
    }
}

#[test]
fn the_escrow_never_falls_below_its_rent() {
    let mut deal = decided(Kind::Sol);
    let rent = deal.rent();
    for (recipient, _, _) in DUE {
        deal.ok(deal.withdraw(recipient));
        assert!(deal.world.lamports(&deal.escrow) >= rent);
    }
    assert_eq!(deal.world.lamports(&deal.escrow), rent);
    deal.wait_and_close();
    assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS);
}

/// The runtime keeps no account with less than its rent. It waits in the escrow until the address holds more.
#[test]
fn too_few_lamports_for_a_new_account_wait_until_it_has_rent() {
    let fresh = keypair(74).pubkey();
    let mut deal = Deal::funded(Kind::Sol, &[1_000], |_, terms| (terms.fee_recipient, terms.fee_bps) = (fresh, 1_000));
    deal.ok(deal.release(0, 1_000));
    let withdraw = deal.withdraw(Recipient::Fee);
    let before = deal.world.snapshot();
    let failed = deal.world.send(&[withdraw.instruction], &[]).expect_err("an account below its rent");
    assert!(matches!(failed.err, TransactionError::InsufficientFundsForRent { .. }), "{:?}", failed.err);
    assert_eq!(deal.world.snapshot(), before);
    // Nobody else has to wait for it.
    deal.ok(deal.withdraw(Recipient::Seller));
    deal.world.svm.airdrop(&fresh, 1_000_000).expect("an airdrop");
    deal.ok(deal.withdraw(Recipient::Fee));
    assert_eq!(deal.world.lamports(&fresh), 1_000_100);
}

/// Promise 1: money never locks. A mint's address can be somebody's key, and that somebody a party.
#[test]
fn a_party_at_the_mints_own_address_gets_its_money_or_no_deal() {
    type Set = fn(&mut Terms, Pubkey);
    let roles: [(&str, Recipient, Set); 3] = [
        ("the buyer", Recipient::Buyer, |terms, mint| terms.buyer = mint),
        ("the seller", Recipient::Seller, |terms, mint| terms.seller = mint),
        ("the fee recipient", Recipient::Fee, |terms, mint| terms.fee_recipient = mint),
    ];
    let mut locked = Vec::new();
    for (name, recipient, set) in roles {
        case(name);
        let mut world = World::new();
        world.use_new_mint(1_000_000, None);
        let (mint, key) = (world.mint, keypair(11));
        assert_eq!(mint, key.pubkey());
        let mint_token = world.create_token_account(&mint, &mint, &TOKEN);
        world.mint_to_account(&mint_token, 1_000);
        let mut deal = Deal::agreed(world, Kind::Token, &[1_000], |world, terms| {
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
            set(terms, mint);
        });
        if deal.answer(deal.create()).is_err() {
            continue;
        }
        deal.ok(deal.create());
        let sign = |deal: &Deal, address: &Pubkey| {
            if *address == mint { key.insecure_clone() } else { deal.keypair(deal.who(address)) }
        };
        let buyer = sign(&deal, &deal.terms.buyer);
        let mut fund = deal.fund();
        fund.signers = vec![buyer.insecure_clone()];
        if deal.answer(fund.clone()).is_err() {
            // Nobody is bound, and nothing paid in.
            continue;
        }
        deal.ok(fund);
        let seller = sign(&deal, &deal.terms.seller);
        deal.ok(deal.refund(0, 400).signed_by(1, &seller));
        deal.ok(deal.release(0, 600).signed_by(1, &buyer));
        if deal.answer(deal.withdraw(recipient)).is_err() {
            locked.push(name);
            continue;
        }
        deal.withdraw_all();
        deal.wait_and_close();
    }
    assert_eq!(locked, [""; 0], "their money is locked for ever");
}

/// The limit of promise 5, as SECURITY.md says: to an address that the runtime lets nobody write to, nobody can pay
/// lamports. Its fee stays in the escrow, and with it the rent, of whoever created an escrow on such terms.
#[test]
fn only_a_fee_recipient_that_nobody_can_pay_keeps_the_rent() {
    let recipients = [
        ("a sysvar", solana_sdk_ids::sysvar::rent::ID),
        ("a builtin program", solana_sdk_ids::vote::ID),
        ("a program", TOKEN),
        ("an account of a program", keypair(9).pubkey()),
    ];
    let mut kept = Vec::new();
    for (name, fee_recipient) in recipients {
        case(name);
        let mut deal = Deal::agreed(World::new(), Kind::Sol, &[1_000], |_, terms| {
            (terms.fee_recipient, terms.fee_bps) = (fee_recipient, 1_000);
        });
        if deal.answer(deal.create()).is_err() {
            continue;
        }
        deal.ok(deal.create());
        deal.ok(deal.fund());
        deal.ok(deal.release(0, 1_000));
        deal.ok(deal.withdraw(Recipient::Seller));
        deal.world.set_time(deal.terms.fund_by);
        if deal.answer(deal.withdraw(Recipient::Fee)).is_ok() {
            deal.ok(deal.withdraw(Recipient::Fee));
        }
        if deal.answer(deal.close()).is_err() {
            kept.push(name);
        }
    }
    assert_eq!(kept, ["a sysvar", "a builtin program"]);
}

// The accounts ---------------------------------------------------------------------------------------------------------

#[test]
fn a_token_escrow_needs_all_its_token_accounts() {
    let mut deal = decided(Kind::Token);
    for without in some_of_four(2) {
        case(format_args!("the program's address in the place of {without:?}"));
        let act = without.iter().fold(deal.withdraw(Recipient::Seller), |act, index| act.without(*index));
        deal.refused(act, TokenAccountsMissing);
    }
    for count in 2..6 {
        case(format_args!("{count} of 6 accounts"));
        deal.refused(deal.withdraw(Recipient::Seller).first_accounts(count), TokenAccountsMissing);
    }
}

/// What a signer or a payer of other instructions adds at the end.
#[test]
fn accounts_behind_the_token_accounts_are_not_looked_at() {
    let deal = decided(Kind::Token);
    let (seller, mint) = (deal.key(Who::Seller), deal.world.mint);
    for (more, accepted) in [
        (vec![deal.key(Who::Stranger)], true),
        (vec![escrow::ID], true),
        (vec![mint, deal.vault(), seller, TOKEN_2022], true),
        // Anchor's: what is written to is named once.
        (vec![deal.escrow], false),
        (vec![mint, deal.escrow], false),
    ] {
        case(format_args!("{more:?}"));
        let mut deal = deal.fork();
        let (before, withdraw) = (deal.balances(), deal.withdraw(Recipient::Seller).behind(&more));
        if accepted {
            deal.ok(withdraw);
            deal.assert_moved(&before, &[(Who::Seller, 405)]);
        } else {
            deal.refused(withdraw, DUPLICATE);
        }
    }
}

/// Each in the place of each other one, whether the recipient signs or not.
#[test]
fn a_token_account_that_stands_in_two_places_is_refused() {
    let mut deal = decided(Kind::Token);
    let seller = deal.keypair(Who::Seller);
    let names = ["the escrow", "the recipient", "the destination", "the vault", "the mint", "the program"];
    let destination = deal.world.token_account(&seller.pubkey());
    for signed in [false, true] {
        let withdraw = match signed {
            false => deal.withdraw(Recipient::Seller),
            true => {
                let to = instruction::withdraw_to(&deal.account(), Recipient::Seller, Some(destination));
                Act::new(to, &[&seller])
            }
        };
        let accounts: Vec<Pubkey> = withdraw.instruction.accounts.iter().map(|account| account.pubkey).collect();
        for (place, mismatch) in [(3, VaultMismatch), (4, MintMismatch), (5, TokenProgramMismatch)] {
            for from in (0..6).filter(|from| *from != place) {
                case(format_args!("{} in the place of {}, signed: {signed}", names[from], names[place]));
                let act = withdraw.clone().account(place, accounts[from]);
                deal.refused(act, if from == 0 { Refusal(DUPLICATE) } else { mismatch.into() });
            }
        }
        let destinations: [(usize, Refusal); 5] = [
            (0, DUPLICATE.into()),
            (1, TokenAccountInvalid.into()),
            (3, TokenAccountOwner.into()),
            (4, TokenAccountInvalid.into()),
            (5, TokenAccountInvalid.into()),
        ];
        for (from, reason) in destinations {
            case(format_args!("{} in the place of the destination, signed: {signed}", names[from]));
            deal.refused(withdraw.clone().account(2, accounts[from]), reason);
        }
    }
}

/// A client that cannot leave an account out passes the program's own address in its place.
#[test]
fn a_sol_escrow_pays_without_token_accounts_or_with_placeholders() {
    let deal = decided(Kind::Sol);
    for count in 0..=5 {
        for writable in [true, false] {
            case(format_args!("{count} placeholders, writable: {writable}"));
            let mut deal = deal.fork();
            let mut act = deal.withdraw(Recipient::Seller).behind(&vec![escrow::ID; count]);
            assert_eq!(act.instruction.accounts.len(), 2 + count);
            act.instruction.accounts[2..].iter_mut().for_each(|account| account.is_writable = writable);
            let before = deal.balances();
            deal.ok(act);
            deal.assert_moved(&before, &[(Who::Seller, 405)]);
        }
    }
}

#[test]
fn a_sol_escrow_takes_no_token_accounts() {
    let mut deal = decided(Kind::Sol);
    let (seller_token, vault, mint) = (deal.world.token_account(&deal.key(Who::Seller)), deal.vault(), deal.world.mint);
    let all = [seller_token, vault, mint, TOKEN];
    let withdraw = deal.withdraw(Recipient::Seller);
    deal.refused(withdraw.clone().behind(&all), TokenAccountsUnexpected);
    let fifth = [escrow::ID, escrow::ID, escrow::ID, escrow::ID, mint];
    deal.refused(withdraw.clone().behind(&fifth), TokenAccountsUnexpected);
    for (index, address) in (0..4).zip(all) {
        deal.refused(withdraw.clone().behind(&[address]), TokenAccountsUnexpected);
        let mut placeholders = [escrow::ID; 4];
        placeholders[index] = address;
        deal.refused(withdraw.clone().behind(&placeholders), TokenAccountsUnexpected);
    }
}

#[test]
fn a_wrong_token_program_mint_or_vault_is_refused() {
    let mut deal = decided(Kind::Token);
    let other_mint = keypair(70);
    deal.world.create_mint(&other_mint, TOKEN, 6, None);
    let others = deal.world.terms(Kind::Token, &[5_000]);
    let other_vault = address::vault_address(&deal.world.create_and_fund(&others));
    let buyer_token = deal.world.token_account(&deal.key(Who::Buyer));
    let cases = [
        ("the other token program", 5, TOKEN_2022, TokenProgramMismatch),
        ("a person as token program", 5, deal.key(Who::Stranger), TokenProgramMismatch),
        ("another mint", 4, other_mint.pubkey(), MintMismatch),
        ("nothing as mint", 4, keypair(99).pubkey(), MintMismatch),
        ("the vault of another escrow", 3, other_vault, VaultMismatch),
        ("somebody's account as vault", 3, buyer_token, VaultMismatch),
        ("nothing as vault", 3, keypair(99).pubkey(), VaultMismatch),
    ];
    for (name, index, address, reason) in cases {
        case(name);
        deal.refused(deal.withdraw(Recipient::Seller).account(index, address), reason);
    }
}

#[test]
fn a_destination_that_is_no_token_account_of_the_mint_is_refused() {
    let mut deal = decided(Kind::Token);
    for (name, address, reason) in wrong_token_accounts(&mut deal) {
        for recipient in Recipient::ALL {
            case(format_args!("{name}, {recipient:?}"));
            deal.refused(deal.withdraw(recipient).account(2, address), reason);
            let signed = Act::new(
                instruction::withdraw_to(&deal.account(), recipient, Some(address)),
                &[&deal.keypair(DUE.into_iter().find(|(of, ..)| *of == recipient).expect("listed").1)],
            );
            deal.refused(signed, reason);
        }
    }
}

#[test]
fn a_destination_of_another_mint_is_refused_even_if_the_recipient_signs() {
    let mut deal = decided(Kind::Token);
    let (other_mint, seller) = (keypair(70), deal.keypair(Who::Seller));
    deal.world.create_mint(&other_mint, TOKEN, 6, None);
    let other = deal.world.create_token_account(&seller.pubkey(), &other_mint.pubkey(), &TOKEN);
    deal.refused(deal.withdraw(Recipient::Seller).account(2, other), TokenAccountMint);
    let signed = instruction::withdraw_to(&deal.account(), Recipient::Seller, Some(other));
    deal.refused(Act::new(signed, &[&seller]), TokenAccountMint);
}

#[test]
fn a_destination_of_somebody_else_is_refused_even_if_the_recipient_signs() {
    let mut deal = decided(Kind::Token);
    for (recipient, named, _) in DUE {
        for who in [Who::Buyer, Who::Seller, Who::FeeRecipient, Who::Arbiter].into_iter().filter(|who| *who != named) {
            case(format_args!("{recipient:?}, {who:?}"));
            let others = deal.world.token_account(&deal.key(who));
            deal.refused(deal.withdraw(recipient).account(2, others), TokenAccountOwner);
            let signed = instruction::withdraw_to(&deal.account(), recipient, Some(others));
            deal.refused(Act::new(signed, &[&deal.keypair(named)]), TokenAccountOwner);
        }
    }
}

#[test]
fn a_vault_is_never_a_destination() {
    let mut deal = decided(Kind::Token);
    let others = deal.world.terms(Kind::Token, &[5_000]);
    let other_vault = address::vault_address(&deal.world.create_and_fund(&others));
    deal.refused(deal.withdraw(Recipient::Seller).account(2, deal.vault()), TokenAccountOwner);
    deal.refused(deal.withdraw(Recipient::Seller).account(2, other_vault), TokenAccountOwner);
}

#[test]
fn a_recipient_who_signs_chooses_among_its_accounts() {
    let mut deal = decided(Kind::Token);
    let mint = deal.world.mint;
    for (index, (recipient, who, amount)) in (0u8..).zip(DUE) {
        let owner = deal.keypair(who);
        let other = deal.world.new_token_account(&keypair(60 + index), &owner.pubkey(), &mint, &TOKEN);
        // Unsigned, and signed by somebody else, it goes to the associated account only.
        deal.refused(deal.withdraw(recipient).account(2, other), NotAssociatedAccount);
        let stranger = deal.keypair(Who::Stranger);
        let mut act = deal.withdraw(recipient).account(2, other);
        act.instruction.accounts.push(solana_instruction::AccountMeta::new_readonly(stranger.pubkey(), true));
        act.signers.push(stranger);
        deal.refused(act, NotAssociatedAccount);
        deal.ok(Act::new(instruction::withdraw_to(&deal.account(), recipient, Some(other)), &[&owner]));
        assert_eq!(deal.world.tokens_in(&other), amount);
    }
}

/// The associated account that was given away belongs to another now: the recipient directs to one of its own.
#[test]
fn an_associated_account_that_was_given_away_is_refused() {
    let mut deal = decided(Kind::Token);
    let (seller, stranger, mint) = (deal.keypair(Who::Seller), deal.key(Who::Stranger), deal.world.mint);
    let associated = deal.world.token_account(&seller.pubkey());
    let give = token_instruction::set_authority(
        &TOKEN,
        &associated,
        Some(&stranger),
        AuthorityType::AccountOwner,
        &seller.pubkey(),
        &[],
    );
    deal.world.ok(give.expect("valid"), &[&seller]);
    deal.refused(deal.withdraw(Recipient::Seller), TokenAccountOwner);
    let signed = instruction::withdraw_to(&deal.account(), Recipient::Seller, Some(associated));
    deal.refused(Act::new(signed, &[&seller]), TokenAccountOwner);
    let other = deal.world.new_token_account(&keypair(73), &seller.pubkey(), &mint, &TOKEN);
    deal.ok(Act::new(instruction::withdraw_to(&deal.account(), Recipient::Seller, Some(other)), &[&seller]));
    assert_eq!(deal.world.tokens_in(&other), 405);
}

/// A destination that belongs to the recipient and has a delegate or a close authority still belongs to the recipient.
#[test]
fn a_destination_with_a_delegate_is_fine() {
    let mut deal = decided(Kind::Token);
    let (seller, stranger) = (deal.keypair(Who::Seller), deal.key(Who::Stranger));
    let associated = deal.world.token_account(&seller.pubkey());
    let approve = token_instruction::approve(&TOKEN, &associated, &stranger, &seller.pubkey(), &[], 5).expect("valid");
    deal.world.ok(approve, &[&seller]);
    deal.ok(deal.withdraw(Recipient::Seller));
    assert_eq!(deal.world.tokens_in(&associated), 405);
}
