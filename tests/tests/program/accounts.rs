//! Accounts that are not what an instruction needs: of another owner or kind, closed, passed twice, read-only, missing.

use escrow_client::{
    EscrowError::*,
    Recipient, address,
    escrow::{self, state::Ledger},
    instruction,
};
use escrow_tests::{KINDS, Kind, Refusal, TOKEN, Who, World, case, deal::*, keypair};
use solana_account::Account;
use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// Every instruction with another account in the place of the escrow.
fn with_escrow(deal: &Deal, escrow: Pubkey) -> Vec<(&'static str, Act)> {
    deal.every_act().into_iter().map(|(name, act)| (name, act.account(0, escrow))).collect()
}

/// Every instruction on an account with the escrow's bytes and this change is refused for this reason.
#[track_caller]
pub fn refuse_altered(
    deal: &mut Deal,
    what: &str,
    change: impl FnOnce(&mut Account),
    reason: impl Into<Refusal> + Clone,
) {
    let forged = keypair(75).pubkey();
    let mut account = deal.world.raw(&deal.escrow);
    change(&mut account);
    account.lamports = 100_000_000;
    deal.world.svm.set_account(forged, account).expect("an account");
    for (name, act) in with_escrow(deal, forged) {
        case(format_args!("{what}, {name}"));
        deal.refused(act, reason.clone());
    }
}

#[test]
fn an_account_of_another_owner_with_the_same_bytes_is_refused() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        for owner in [keypair(99).pubkey(), TOKEN, solana_sdk_ids::system_program::ID] {
            let what = format!("{kind:?}, owned by {owner}");
            refuse_altered(&mut deal, &what, |account| account.owner = owner, InstructionError::IllegalOwner);
        }
    }
}

#[test]
fn an_account_of_the_program_with_another_discriminator_is_refused() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        for byte in 0..8 {
            refuse_altered(
                &mut deal,
                &format!("{kind:?}, byte {byte} of the discriminator"),
                |account| account.data[byte] ^= 1,
                InstructionError::InvalidAccountData,
            );
        }
        for discriminator in [[0; 8], [255; 8]] {
            refuse_altered(
                &mut deal,
                &format!("{kind:?}, discriminator {discriminator:?}"),
                |account| account.data[..8].copy_from_slice(&discriminator),
                InstructionError::InvalidAccountData,
            );
        }
    }
}

#[test]
fn an_account_that_is_cut_off_is_refused() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        for length in [0, 7, 8, 597, 598, 615, 616, 620, 623] {
            refuse_altered(
                &mut deal,
                &format!("{kind:?}, {length} bytes"),
                |account| account.data.truncate(length),
                InstructionError::AccountDataTooSmall,
            );
        }
        // The header is whole, the milestone that it counts is not.
        for length in [624, 625, 663] {
            refuse_altered(
                &mut deal,
                &format!("{kind:?}, {length} bytes"),
                |account| account.data.truncate(length),
                InstructionError::InvalidAccountData,
            );
        }
    }
}

/// The program never resizes an account: one that has room for more than it counts is none that it wrote.
#[test]
fn an_account_whose_size_does_not_match_its_count_is_refused() {
    for kind in KINDS {
        for count in [1, 8] {
            let mut deal = Deal::funded(kind, &vec![1_000; count], plain);
            let full = 624 + 40 * count;
            for length in [full - 40, full - 1, full + 1, full + 39, full + 40, full + 400, 10_240] {
                refuse_altered(
                    &mut deal,
                    &format!("{kind:?}, {count} milestones in {length} bytes"),
                    |account| account.data.resize(length, 0),
                    InstructionError::InvalidAccountData,
                );
            }
            // 2^32 milestones of 40 bytes, less those that would be too few: no product of the two wraps around.
            for counted in [0, count as u32 - 1, count as u32 + 1, 1 << 29, 1 << 31, u32::MAX] {
                if counted == count as u32 {
                    continue;
                }
                refuse_altered(
                    &mut deal,
                    &format!("{kind:?}, {count} milestones, counted as {counted}"),
                    |account| account.data[616..620].copy_from_slice(&counted.to_le_bytes()),
                    InstructionError::InvalidAccountData,
                );
            }
        }
    }
}

#[test]
fn something_else_in_the_place_of_the_escrow_is_refused() {
    let mut deal = Deal::funded(Kind::Token, &[1_000], plain);
    let others = [
        ("the vault", deal.vault(), InstructionError::IllegalOwner),
        ("a token account", deal.world.token_account(&deal.key(Who::FeeRecipient)), InstructionError::IllegalOwner),
        ("the mint", deal.world.mint, InstructionError::IllegalOwner),
        ("a person", deal.key(Who::FeeRecipient), InstructionError::IllegalOwner),
        ("nothing", keypair(99).pubkey(), NO_ACCOUNT),
    ];
    for (what, address, reason) in others {
        for (name, act) in with_escrow(&deal, address) {
            case(format_args!("{what}, {name}"));
            // Among the fixed accounts, one that the instruction also names elsewhere is passed twice.
            let fixed = &act.instruction.accounts[..fixed_accounts(name, &act)];
            let twice = fixed.iter().filter(|account| account.pubkey == address).count() > 1;
            deal.refused(act, if twice { DUPLICATE } else { reason.clone() });
        }
    }
}

#[test]
fn every_instruction_on_a_closed_escrow_is_refused() {
    for kind in KINDS {
        for funded in [false, true] {
            let mut deal = Deal::created(kind, &[1_000], plain);
            if funded {
                deal.ok(deal.fund());
                deal.ok(deal.release(0, 1_000));
                deal.withdraw_all();
                deal.world.set_time(deal.terms.fund_by);
            }
            let acts = deal.every_act();
            if funded {
                deal.ok(deal.close());
            } else {
                deal.ok(deal.cancel(Who::Buyer));
            }
            for (name, act) in acts {
                case(format_args!("{kind:?}, funded: {funded}, {name}"));
                deal.refused(act.clone(), NO_ACCOUNT);
                // Nor does it come back with lamports.
                let mut revived = deal.fork();
                let escrow = revived.escrow;
                revived.world.svm.airdrop(&escrow, 50_000_000).expect("an airdrop");
                revived.refused(act, InstructionError::IllegalOwner);
            }
        }
    }
}

#[test]
fn a_read_only_escrow_is_refused() {
    for kind in KINDS {
        let mut fresh = Deal::agreed(World::new(), kind, &[1_000], plain);
        fresh.refused(fresh.create().read_only(1), NOT_WRITABLE);
        let mut deal = Deal::funded(kind, &[1_000], plain);
        for (name, act) in deal.every_act() {
            case(format_args!("{kind:?}, {name}"));
            deal.refused(act.read_only(0), NOT_WRITABLE);
        }
    }
}

#[test]
fn an_account_that_must_be_writable_and_is_not_is_refused() {
    for kind in KINDS {
        let mut fresh = Deal::agreed(World::new(), kind, &[1_000], plain);
        // A signer's two marks are read together, so both have one error.
        fresh.refused(fresh.create().read_only(0), MISSING_SIGNATURE);
        let mut created = Deal::created(kind, &[1_000], plain);
        created.refused(created.fund().read_only(1), MISSING_SIGNATURE);
        created.refused(created.cancel(Who::Buyer).read_only(2), NOT_WRITABLE);
        let mut deal = Deal::funded(kind, &[1_000], plain);
        deal.ok(deal.refund(0, 1_000));
        // SOL is paid to the address itself, tokens are not.
        match kind {
            Kind::Sol => deal.refused(deal.withdraw(Recipient::Buyer).read_only(1), NOT_WRITABLE),
            Kind::Token => drop(deal.fork().ok(deal.withdraw(Recipient::Buyer).read_only(1))),
        }
        if kind == Kind::Token {
            fresh.refused(fresh.create().read_only(3), NOT_WRITABLE);
            for index in [3, 4] {
                created.refused(created.fund().read_only(index), NOT_WRITABLE);
            }
            created.refused(created.cancel(Who::Buyer).read_only(3), NOT_WRITABLE);
            for index in [2, 3] {
                deal.refused(deal.withdraw(Recipient::Buyer).read_only(index), NOT_WRITABLE);
            }
        }
        deal.withdraw_all();
        deal.world.set_time(deal.terms.fund_by);
        deal.refused(deal.close().read_only(1), NOT_WRITABLE);
        if kind == Kind::Token {
            deal.refused(deal.close().read_only(2), NOT_WRITABLE);
        }
    }
}

#[test]
fn an_account_for_uninvited_tokens_that_is_not_writable_is_refused() {
    let mut created = Deal::created(Kind::Token, &[1_000], plain);
    let mut funded = Deal::funded(Kind::Token, &[1_000], plain);
    funded.ok(funded.refund(0, 1_000));
    funded.withdraw_all();
    funded.world.set_time(funded.terms.fund_by);
    for deal in [&mut created, &mut funded] {
        deal.world.mint_to_account(&deal.vault(), 5);
        deal.uninvited = 5;
    }
    let buyer = created.keypair(Who::Buyer);
    let cancel = Act::new(instruction::cancel(&created.account(), buyer.pubkey(), true), &[&buyer]);
    created.refused(cancel.clone().read_only(6), NOT_WRITABLE);
    created.ok(cancel);
    let close = Act::new(instruction::close(&funded.account(), true), &[]);
    funded.refused(close.clone().read_only(5), NOT_WRITABLE);
    funded.ok(close);
}

/// How many of the accounts of `act` Anchor reads. The token accounts of `fund` and `withdraw` stand behind them.
fn fixed_accounts(name: &str, act: &Act) -> usize {
    match name {
        "fund" => 3,
        "withdraw" => 2,
        _ => act.instruction.accounts.len(),
    }
}

#[test]
fn missing_accounts_are_refused() {
    for kind in KINDS {
        let mut fresh = Deal::agreed(World::new(), kind, &[1_000], plain);
        let mut deal = Deal::funded(kind, &[1_000], plain);
        let create = [("create", fresh.create())];
        for (name, act) in create.into_iter().chain(deal.every_act()) {
            let full = fixed_accounts(name, &act);
            for count in 0..full {
                case(format_args!("{kind:?}, {name}, {count} of {full}"));
                let mut act = act.clone();
                act.instruction.accounts.truncate(count);
                let named = act.instruction.accounts.clone();
                act.signers.retain(|signer| named.iter().any(|account| account.pubkey == signer.pubkey()));
                let deal = if name == "create" { &mut fresh } else { &mut deal };
                deal.refused(act, TOO_FEW_ACCOUNTS);
            }
        }
    }
}

/// The escrow in the place of every other account.
#[test]
fn the_escrow_passed_twice_is_refused() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        for (name, act) in deal.every_act() {
            for index in 1..act.instruction.accounts.len() {
                case(format_args!("{kind:?}, {name}, account {index}"));
                deal.refused(act.clone().unsigned(index).account(index, deal.escrow), DUPLICATE);
            }
        }
    }
}

/// Any two accounts of the instructions that move money, made one.
#[test]
fn no_two_accounts_that_move_money_may_be_one() {
    for kind in KINDS {
        let created = Deal::created(kind, &[1_000], plain);
        let mut decided = Deal::funded(kind, &[1_000], plain);
        decided.ok(decided.release(0, 600));
        decided.ok(decided.refund(0, 400));
        let mut finished = decided.fork();
        finished.withdraw_all();
        finished.world.set_time(finished.terms.fund_by);
        type Build = fn(&Deal) -> Act;
        let cases: [(&str, &Deal, Build); 5] = [
            ("fund", &created, Deal::fund),
            ("withdraw for the seller", &decided, |deal| deal.withdraw(Recipient::Seller)),
            ("withdraw for the buyer", &decided, |deal| deal.withdraw(Recipient::Buyer)),
            ("close", &finished, Deal::close),
            ("close with the buyer's account", &finished, |deal| {
                Act::new(instruction::close(&deal.account(), true), &[])
            }),
        ];
        for (name, deal, act) in cases {
            let original = act(deal);
            let accounts = original.instruction.accounts.clone();
            for (to, account) in accounts.iter().enumerate() {
                for (from, other) in accounts.iter().enumerate() {
                    let none = account.pubkey == escrow::ID || other.pubkey == escrow::ID;
                    if to == from || none || account.pubkey == other.pubkey || other.is_signer || account.is_signer {
                        continue;
                    }
                    case(format_args!("{kind:?}, {name}, account {from} in the place of {to}"));
                    let balances = deal.balances();
                    let altered = original.clone().account(to, other.pubkey);
                    // What is right by itself (a mint that closing does not look at) may pass, if it moves no money.
                    let mut fork = deal.fork();
                    match deal.answer(altered.clone()) {
                        Ok(()) => {
                            fork.ok(altered);
                            fork.assert_moved(&balances, &[]);
                            assert!(name.starts_with("close"), "{name} passed");
                        }
                        Err(error) => fork.refused(altered, error),
                    }
                }
            }
        }
    }
}

// Values that the program never writes ----------------------------------------------------------------------------------

/// Where the header, the ledger and the first milestone begin in the account.
const HEADER: usize = 8;
const MILESTONE: usize = HEADER + escrow::state::HEADER_SIZE + 8;

#[test]
fn an_unknown_status_is_an_error_and_not_a_default() {
    for kind in KINDS {
        let deal = Deal::funded(kind, &[1_000], plain);
        let status = HEADER + std::mem::offset_of!(escrow::state::Escrow, status);
        for value in [0, 3, 255] {
            let mut broken = deal.fork();
            let acts = broken.every_act();
            tamper(&mut broken, |data| data[status] = value);
            for (name, act) in acts {
                let reason = match name {
                    "claim" => NoHashlock,
                    "withdraw" => NothingDue,
                    _ => Corrupt,
                };
                case(format_args!("{kind:?}, status {value}, {name}"));
                broken.refused(act, reason);
            }
        }
        let milestone = MILESTONE + std::mem::offset_of!(escrow::state::Milestone, status);
        for value in [4, 255] {
            let mut broken = deal.fork();
            let (expire, release, refund) = (broken.expire(0), broken.release(0, 1), broken.refund(0, 1));
            tamper(&mut broken, |data| data[milestone] = value);
            broken.refused(expire, Corrupt);
            broken.refused(release, Invariant);
            broken.refused(refund, Invariant);
        }
    }
}

#[test]
fn a_ledger_that_does_not_add_up_pays_nobody() {
    let fields: [(&str, usize); 5] = [
        ("principal", std::mem::offset_of!(Ledger, principal)),
        ("released", std::mem::offset_of!(Ledger, released)),
        ("refunded", std::mem::offset_of!(Ledger, refunded)),
        ("arbiter's fees", std::mem::offset_of!(Ledger, arbiter_fees)),
        ("due to the buyer", std::mem::offset_of!(Ledger, due_buyer)),
    ];
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        deal.ok(deal.release(0, 500));
        for (field, offset) in fields {
            case(format_args!("{kind:?}, {field}"));
            let at = HEADER + std::mem::offset_of!(escrow::state::Escrow, ledger) + offset;
            let mut broken = deal.fork();
            let acts = [broken.release(0, 100), broken.refund(0, 100), broken.withdraw(Recipient::Seller)];
            tamper(&mut broken, |data| data[at] = data[at].wrapping_add(1));
            for act in acts {
                broken.refused(act, Invariant);
            }
        }
    }
}

/// Where a field of the ledger is in the account.
macro_rules! ledger_field {
    ($field:ident) => {
        HEADER + std::mem::offset_of!(escrow::state::Escrow, ledger) + std::mem::offset_of!(Ledger, $field)
    };
}

/// Where a field of a milestone is in the account.
macro_rules! milestone_field {
    ($index:expr, $field:ident) => {
        MILESTONE + $index * 40 + std::mem::offset_of!(escrow::state::Milestone, $field)
    };
}

/// What [`tamper`] does.
type Change<'a> = &'a dyn Fn(&mut [u8]);

fn set(data: &mut [u8], at: usize, value: u64) {
    data[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn nobody_is_paid_while_somebody_is_owed_more_than_was_decided() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000, 1_000], |world, terms| {
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
            terms.arbiter_fee_bps = 1_000;
        });
        deal.deliver_and_dispute(0);
        deal.ok(deal.rule(0, 5_000));
        deal.assert_ledger([450, 450, 45, 100], [450, 405, 45, 100]);
        // Each due is all that was decided for its recipient. The fee is also what the seller does not get.
        let cases = [
            ("due to the buyer", ledger_field!(due_buyer), 451, Recipient::Seller),
            ("due to the seller", ledger_field!(due_seller), 406, Recipient::Buyer),
            ("due as the fee", ledger_field!(due_fee), 46, Recipient::Seller),
            ("due to the arbiter", ledger_field!(due_arbiter), 101, Recipient::Seller),
            ("the fees", ledger_field!(fees), 46, Recipient::Buyer),
            ("the fees, more than was released", ledger_field!(fees), 451, Recipient::Seller),
        ];
        for (what, at, value, other) in cases {
            case(format_args!("{kind:?}, {what}"));
            let mut broken = deal.fork();
            let acts = [broken.refund(1, 100), broken.withdraw(other)];
            tamper(&mut broken, |data| set(data, at, value));
            for act in acts {
                broken.refused(act, Invariant);
            }
        }
    }
}

#[test]
fn a_milestone_whose_status_and_amounts_contradict_each_other_stops_all() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000, 1_000], plain);
        deal.ok(deal.release(0, 100));
        let cases: [(&str, Change); 3] = [
            ("settled, and something remains", &|data| data[milestone_field!(1, status)] = 3),
            ("not settled, and nothing remains", &|data| {
                set(data, milestone_field!(1, remaining), 0);
                set(data, ledger_field!(released), 1_100);
            }),
            ("more remains than it was", &|data| set(data, milestone_field!(1, amount), 999)),
        ];
        for (what, change) in cases {
            case(format_args!("{kind:?}, {what}"));
            let mut broken = deal.fork();
            let acts = [broken.release(0, 100), broken.refund(0, 900), broken.withdraw(Recipient::Seller)];
            tamper(&mut broken, change);
            for act in acts {
                broken.refused(act, Invariant);
            }
        }
    }
}

#[test]
fn more_decided_than_was_paid_in_pays_nobody() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        deal.ok(deal.release(0, 1_000));
        for at in [ledger_field!(released), ledger_field!(refunded), ledger_field!(arbiter_fees)] {
            let mut broken = deal.fork();
            let withdraw = broken.withdraw(Recipient::Seller);
            // Nothing remains, and nothing less can.
            tamper(&mut broken, |data| data[at] += 1);
            broken.refused(withdraw, Invariant);
        }
    }
}

#[test]
fn a_principal_that_is_not_the_sum_of_the_milestones_is_not_paid_in() {
    for kind in KINDS {
        for principal in [999, 1_001] {
            let mut deal = Deal::created(kind, &[400, 600], plain);
            let fund = deal.fund();
            tamper(&mut deal, |data| set(data, ledger_field!(principal), principal));
            deal.refused(fund, Invariant);
        }
    }
}

#[test]
fn a_total_that_would_not_fit_its_number_is_an_error() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |world, terms| {
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
        });
        deal.ok(deal.release(0, 100));
        let (release, refund) = (deal.release(0, 100), deal.refund(0, 100));
        let cases = [
            ("released", ledger_field!(released), u64::MAX, &release),
            ("due to the seller", ledger_field!(due_seller), u64::MAX, &release),
            ("due as the fee", ledger_field!(due_fee), u64::MAX, &release),
            ("refunded", ledger_field!(refunded), u64::MAX, &refund),
            ("due to the buyer", ledger_field!(due_buyer), u64::MAX, &refund),
            // A fee that would go back, and one that is more than what is released.
            ("the fees", ledger_field!(fees), 21, &release),
            ("the fee of what was released", ledger_field!(released), 100_000, &release),
        ];
        for (what, at, value, act) in cases {
            case(format_args!("{kind:?}, {what}"));
            let mut broken = deal.fork();
            tamper(&mut broken, |data| set(data, at, value));
            broken.refused(act.clone(), Overflow);
        }
    }
}

// Two escrows ----------------------------------------------------------------------------------------------------------

#[test]
fn an_instruction_on_one_escrow_leaves_the_other_alone() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000, 1_000], |_, terms| terms.cooling_off = 5);
        let terms = deal.world.terms(kind, &[3_000]);
        let other = deal.world.create_and_fund(&terms);
        let other_vault = address::vault_address(&other);
        let before = (deal.world.raw(&other), deal.world.svm.get_account(&other_vault));
        deal.ok(deal.release(0, 1));
        deal.world.advance(5);
        deal.deliver_and_dispute(0);
        deal.ok(deal.rule(0, 5_000));
        let split = deal.split(1, 10);
        deal.ok(deal.propose(Who::Buyer, split));
        deal.ok(deal.accept(Who::Seller, split));
        deal.withdraw_all();
        deal.wait_and_close();
        assert_eq!(before, (deal.world.raw(&other), deal.world.svm.get_account(&other_vault)));
    }
}

#[test]
fn accounts_of_one_escrow_do_not_serve_another() {
    let mut deal = Deal::created(Kind::Token, &[1_000], plain);
    let terms = deal.world.terms(Kind::Token, &[1_000]);
    let other = deal.world.create_and_fund(&terms);
    let other_vault = address::vault_address(&other);
    let cases: [(Act, usize); 3] = [(deal.fund(), 4), (deal.cancel(Who::Buyer), 3), (deal.cancel(Who::Seller), 3)];
    for (act, index) in cases {
        deal.refused(act.account(index, other_vault), VaultMismatch);
    }
    deal.ok(deal.fund());
    deal.ok(deal.refund(0, 1_000));
    deal.refused(deal.withdraw(Recipient::Buyer).account(3, other_vault), VaultMismatch);
    // The first one's decision pays nothing out of the second one.
    deal.refused(deal.withdraw(Recipient::Buyer).account(0, other), NothingDue);
    deal.withdraw_all();
    deal.world.set_time(deal.terms.fund_by);
    deal.refused(deal.close().account(2, other_vault), VaultMismatch);
    deal.refused(deal.close().account(0, other), NotSettled);
}

#[test]
fn a_proposal_for_one_escrow_is_none_for_another() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        let terms = deal.world.terms(kind, &[1_000]);
        let other = deal.world.create_and_fund(&terms);
        let split = deal.split(0, 400);
        deal.ok(deal.propose(Who::Buyer, split));
        deal.refused(deal.accept(Who::Seller, split).account(0, other), ProposalMissing);
    }
}
