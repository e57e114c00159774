//! The six promises of the design, section 1, each with a test of its name. What each says in full is told by the tests
//! of the other files; here it stands in one piece. `docs/assurance.md` says how else each is shown.

use escrow_client::{EscrowError::*, Milestone, MilestoneStatus, Proposal, Recipient, Terms, address};
use escrow_tests::{DAY, HOUR, KINDS, Kind, OTHER_TERMS, START, Who, World, case, deal::*};
use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

const AMOUNT: u64 = 1_000_003;

/// A funded escrow with one milestone in each status that has a deadline.
fn in_all_statuses(kind: Kind) -> Deal {
    let mut deal = Deal::funded(kind, &[AMOUNT, AMOUNT, AMOUNT], all_different);
    deal.ok(deal.deliver(1));
    deal.deliver_and_dispute(2);
    deal
}

fn last_deadline(deal: &Deal) -> i64 {
    deal.account().milestones.iter().map(|milestone| milestone.deadline).max().expect("a milestone")
}

#[test]
fn promise_1_money_never_locks() {
    for kind in KINDS {
        let mut late = in_all_statuses(kind);
        let deadline = last_deadline(&late);
        late.world.set_time(deadline);
        // All that are ever owed, by the three defaults: to the seller's side and back.
        let bps: [u16; 3] = [1_111, 8_888, 4_444];
        let released: u64 = bps.iter().map(|bps| floor_share(AMOUNT, *bps)).sum();
        let fee = floor_share(released, 777);
        let owed = [
            (Recipient::Buyer, Who::Buyer, 3 * AMOUNT - released),
            (Recipient::Seller, Who::Seller, released - fee),
            (Recipient::Fee, Who::FeeRecipient, fee),
        ];
        for (recipient, who, amount) in owed {
            case(format!("{kind:?}, {who:?} alone"));
            let mut deal = late.fork();
            let before = deal.balances();
            // Nobody signs any of these; the others' token accounts need not even exist.
            if kind == Kind::Token {
                for other in Who::ALL.into_iter().filter(|other| *other != who && *other != Who::Buyer) {
                    let account = deal.world.token_account(&deal.key(other));
                    deal.world.svm.set_account(account, solana_account::Account::default()).expect("an account");
                }
            }
            for milestone in 0..3 {
                deal.ok(deal.expire(milestone));
            }
            deal.ok(deal.withdraw(recipient));
            let gained = deal.world.holds(kind, &deal.key(who)) - before[&who];
            assert_eq!(gained, amount);
        }
    }
}

#[test]
fn promise_2_one_exit_at_a_time() {
    for kind in KINDS {
        let deal = in_all_statuses(kind);
        for (milestone, act) in [(0, deal.deliver(0)), (1, deal.dispute(1)), (2, deal.rule(2, 5_000))] {
            let Milestone { deadline, .. } = deal.milestone(milestone);
            for (now, turn) in [(START + 1, true), (deadline - 1, true), (deadline, false), (deadline + DAY, false)] {
                case(format!("{kind:?}, milestone {milestone}, {} seconds to the deadline", deadline - now));
                let mut deal = deal.fork();
                deal.world.set_time(now);
                let (acting, default) = (deal.answer(act.clone()), deal.answer(deal.expire(milestone)));
                let error = |error: escrow_client::EscrowError| Err(InstructionError::Custom(error.code()));
                if turn {
                    assert_eq!((acting, default), (Ok(()), error(DeadlineNotReached)));
                } else {
                    assert_eq!((acting, default), (error(DeadlinePassed), Ok(())));
                }
            }
        }
    }
}

#[test]
fn promise_3_silence_has_an_agreed_price() {
    for kind in KINDS {
        for (milestone, bps) in [(0u8, 1_111), (1, 8_888), (2, 4_444)] {
            case(format!("{kind:?}, milestone {milestone}"));
            let mut deal = in_all_statuses(kind);
            let deadline = deal.milestone(milestone).deadline;
            deal.world.set_time(deadline);
            deal.ok(deal.expire(milestone));
            let released = floor_share(AMOUNT, bps);
            let (refunded, fee) = (AMOUNT - released, floor_share(released, 777));
            deal.assert_ledger([released, refunded, fee, 0], [refunded, released - fee, fee, 0]);
            assert_eq!(deal.milestone(milestone).status(), Ok(MilestoneStatus::Settled));
        }
    }
}

#[test]
fn promise_4_the_address_is_the_contract() {
    for kind in KINDS {
        let mut deal = in_all_statuses(kind);
        let agreed = deal.terms.clone();
        // Another address for any other term. The milestones of `in_all_statuses` are alike, but for this.
        let mut agreed_differently = agreed.clone();
        agreed_differently.milestones[0].review_window += 1;
        let mut addresses = vec![address::escrow_address(&agreed), address::escrow_address(&agreed_differently)];
        let order: fn(&mut Terms) = |terms| terms.milestones.swap(0, 2);
        for change in OTHER_TERMS.into_iter().chain([order]) {
            let mut terms = agreed_differently.clone();
            change(&mut terms);
            addresses.push(address::escrow_address(&terms));
        }
        let mut different = addresses.clone();
        different.sort_by_key(|address| address.expect("terms that hash"));
        different.dedup();
        assert_eq!(different.len(), addresses.len());

        // The terms stay, whatever is decided, and also where a deadline is extended.
        let later = deal.milestone(0).deadline + DAY;
        let extension = deal.extension(0, later);
        deal.ok(deal.propose(Who::Seller, extension));
        deal.ok(deal.accept(Who::Buyer, extension));
        deal.ok(deal.release(1, 1));
        deal.ok(deal.rule(2, 5_000));
        assert_eq!(deal.milestone(0).deadline, later);
        assert_eq!(deal.account().terms(), agreed);

        // No second deal at the address: neither now nor when it is closed.
        deal.refused(deal.create(), AlreadyCreated);
        deal.world.set_time(later + HOUR);
        deal.ok(deal.expire(0));
        deal.ok(deal.expire(1));
        deal.withdraw_all();
        deal.wait_and_close();
        deal.refused(deal.create(), FundByPassed);
    }
}

#[test]
fn promise_5_nobody_else_is_trusted() {
    for kind in KINDS {
        let deal = in_all_statuses(kind);
        let everything = deal.every_act();
        // Whoever is no party does nothing, or what anyone may do, and nothing comes to them by it.
        for who in [Who::Stranger, Who::FeeRecipient, Who::RentPayer, Who::Attester, Who::Arbiter] {
            for (name, act) in &everything {
                case(format!("{kind:?}, {name} by {who:?}"));
                let mut deal = deal.fork();
                let before = deal.balances();
                let instruction = &act.instruction;
                let signer = instruction.accounts.iter().position(|account| account.is_signer);
                let act = match signer {
                    Some(signer) => act.clone().signed_by(signer, &deal.keypair(who)),
                    None => act.clone(),
                };
                let answer = deal.answer(act.clone());
                if signer.is_some() {
                    assert!(answer.is_err(), "{who:?} may {name}");
                } else if answer.is_ok() {
                    deal.ok(act);
                    deal.assert_moved(&before, &[]);
                }
            }
        }
        // An arbiter splits between the two parties and takes the agreed fee, whatever it rules.
        for seller_bps in [0, 1, 5_000, 10_000] {
            let mut deal = deal.fork();
            deal.ok(deal.rule(2, seller_bps));
            let arbiter = floor_share(AMOUNT, 333);
            let released = floor_share(AMOUNT - arbiter, seller_bps);
            let fee = floor_share(released, 777);
            let refunded = AMOUNT - arbiter - released;
            deal.assert_ledger([released, refunded, fee, arbiter], [refunded, released - fee, fee, arbiter]);
        }
        // There are no more instructions than the fourteen: none for an administrator.
        for discriminator in 14..=u8::MAX {
            let mut deal = deal.fork();
            let unknown = deal.close().data(|data| data[0] = discriminator);
            deal.refused(unknown, InstructionError::InvalidInstructionData);
        }
    }
}

#[test]
fn promise_6_exact_to_the_unit() {
    for kind in KINDS {
        for fee_bps in [0, 1, 333, 1_000] {
            let numbers = &mut Numbers(u64::from(fee_bps));
            let mut deal = Deal::funded(kind, &[AMOUNT, 1, 9_999], |world, terms| {
                (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), fee_bps);
            });
            let before = deal.balances();
            let (mut released, mut refunded) = (0u64, 0u64);
            // Some to the seller, some back, in pieces of any size, paid out now and then. `Deal::ok` compares what the
            // escrow holds with what it owes each time.
            for milestone in 0..3 {
                while deal.milestone(milestone).remaining != 0 {
                    let remaining = deal.milestone(milestone).remaining;
                    let amount = 1 + numbers.below(remaining.min(100_000));
                    if numbers.below(3) == 0 {
                        deal.ok(deal.refund(milestone, amount));
                        refunded += amount;
                    } else {
                        deal.ok(deal.release(milestone, amount));
                        released += amount;
                    }
                    assert_eq!(deal.ledger().fees, floor_share(released, fee_bps));
                    if numbers.below(4) == 0 {
                        deal.withdraw_all();
                    }
                }
            }
            deal.withdraw_all();
            let fee = floor_share(released, fee_bps);
            assert_eq!(released + refunded, AMOUNT + 1 + 9_999);
            let moved = [
                (Who::Buyer, i128::from(refunded)),
                (Who::Seller, i128::from(released - fee)),
                (Who::FeeRecipient, i128::from(fee)),
            ];
            deal.assert_moved(&before, &moved);
            assert_eq!(deal.held(), 0);
        }
    }
}

/// In one second at the deadline everybody is in time or everybody is late, whatever the order in the block.
#[test]
fn a_ruling_a_default_and_a_settlement_that_race_at_the_deadline_have_one_winner() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[AMOUNT], all_different);
        deal.deliver_and_dispute(0);
        let deadline = deal.milestone(0).deadline;
        let split = Proposal::Split {
            milestone: 0,
            status: MilestoneStatus::Disputed,
            remaining: AMOUNT,
            to_seller: 7,
            expires_at: deadline + 1,
        };
        deal.ok(deal.propose(Who::Seller, split));
        for late in [false, true] {
            let mut deal = deal.fork();
            deal.world.set_time(if late { deadline } else { deadline - 1 });
            let (ruling, default, settlement) = (deal.rule(0, 5_000), deal.expire(0), deal.accept(Who::Buyer, split));
            // A settlement between the two is possible at any time; of the others one is.
            let (open, shut, why) = if late {
                (default.clone(), ruling.clone(), DeadlinePassed)
            } else {
                (ruling.clone(), default.clone(), DeadlineNotReached)
            };
            deal.refused(shut, why);
            for first in [&open, &settlement] {
                let mut deal = deal.fork();
                deal.ok(first.clone());
                let ledger = deal.ledger();
                for second in [&ruling, &default, &settlement] {
                    assert!(deal.answer(second.clone()).is_err(), "a milestone is settled twice");
                }
                assert_eq!(deal.ledger(), ledger);
            }
        }
    }
}

/// Five roles and who paid the rent, in every way in which they can fall together.
#[test]
fn every_way_in_which_roles_can_coincide_pays_each_role_its_own() {
    let none = None;
    let attesters = [none, Some(Who::Buyer), Some(Who::Seller), Some(Who::Arbiter), Some(Who::Attester)];
    let fee_recipients = [Who::Buyer, Who::Seller, Who::Arbiter, Who::Attester, Who::FeeRecipient];
    let rent_payers = [Who::Buyer, Who::Seller, Who::Arbiter, Who::Attester, Who::FeeRecipient, Who::RentPayer];
    for kind in KINDS {
        for attester in attesters {
            for fee_recipient in fee_recipients {
                for rent_payer in rent_payers {
                    case(format!("{kind:?}: attester {attester:?}, fee {fee_recipient:?}, rent {rent_payer:?}"));
                    let mut deal = Deal::agreed(World::new(), kind, &[AMOUNT], |world, terms| {
                        all_different(world, terms);
                        terms.fee_recipient = fee_recipient.key(world);
                        terms.attester = attester.map_or(Pubkey::default(), |who| who.key(world));
                    });
                    if kind == Kind::Token {
                        let (owner, mint) = (deal.terms.fee_recipient, deal.world.mint);
                        deal.world.create_token_account(&owner, &mint, &escrow_tests::TOKEN);
                    }
                    let before = deal.balances();
                    let lamports = deal.world.lamports(&deal.key(rent_payer));
                    let create = deal.create().signed_by(0, &deal.keypair(rent_payer));
                    deal.ok(create);
                    deal.ok(deal.fund());
                    deal.deliver_and_dispute(0);
                    deal.ok(deal.rule(0, 5_000));
                    deal.withdraw_all();
                    deal.wait_and_close();

                    let arbiter = floor_share(AMOUNT, 333);
                    let released = floor_share(AMOUNT - arbiter, 5_000);
                    let fee = floor_share(released, 777);
                    let refunded = AMOUNT - arbiter - released;
                    let mut gains: std::collections::BTreeMap<Who, i128> = Default::default();
                    for (who, gain) in [
                        (Who::Buyer, i128::from(refunded) - i128::from(AMOUNT)),
                        (Who::Seller, i128::from(released - fee)),
                        (fee_recipient, i128::from(fee)),
                        (Who::Arbiter, i128::from(arbiter)),
                    ] {
                        *gains.entry(who).or_default() += gain;
                    }
                    deal.assert_moved(&before, &gains.into_iter().collect::<Vec<_>>());
                    if kind == Kind::Token {
                        assert_eq!(deal.world.lamports(&deal.key(rent_payer)), lamports);
                    }
                }
            }
        }
    }
}

/// Solana can change what an account must hold. An open escrow was paid for at the old price.
#[test]
fn a_rent_that_changes_while_an_escrow_is_open_costs_nobody_anything() {
    for kind in KINDS {
        for factor in [0, 2] {
            case(format!("{kind:?}, rent times {factor}"));
            let mut deal = Deal::funded(kind, &[10_000_000], plain);
            let (held, payer) = (deal.world.lamports(&deal.escrow), deal.world.lamports(&deal.key(Who::RentPayer)));
            let mut rent = deal.world.svm.get_sysvar::<solana_rent::Rent>();
            rent.lamports_per_byte *= factor;
            deal.world.svm.set_sysvar(&rent);
            deal.world.ok(deal.release(0, 10_000_000).instruction, &[&deal.keypair(Who::Buyer)]);
            let withdraw = deal.withdraw(Recipient::Seller);
            let before = deal.world.holds(kind, &deal.key(Who::Seller));
            let mut added = 0;
            if kind == Kind::Sol && factor == 2 {
                // What is left would be less than the new rent, which the runtime does not let happen. Anybody can add
                // it, and it goes to the rent payer in the end.
                assert!(deal.world.send(std::slice::from_ref(&withdraw.instruction), &[]).is_err());
                added = held;
                let (fee_payer, escrow) = (deal.world.fee_payer.pubkey(), deal.escrow);
                deal.world.ok(solana_system_interface::instruction::transfer(&fee_payer, &escrow, added), &[]);
            }
            deal.world.ok(withdraw.instruction, &[]);
            assert_eq!(deal.world.holds(kind, &deal.key(Who::Seller)) - before, 10_000_000);
            deal.world.set_time(deal.terms.fund_by);
            let vault = deal.world.lamports(&deal.vault());
            let close = deal.close();
            deal.world.ok(close.instruction, &[]);
            let principal = if kind == Kind::Sol { 10_000_000 } else { 0 };
            let back = deal.world.lamports(&deal.key(Who::RentPayer)) - payer;
            assert_eq!(back, held - principal + vault + added);
        }
    }
}

/// The clock of a cluster is what its validators say: it can stand still for many transactions, and jump.
#[test]
fn a_clock_that_stands_still_or_jumps_a_day_keeps_the_order_of_things() {
    for kind in KINDS {
        // All in one second, where every window is at least that long.
        let mut deal = Deal::funded(kind, &[AMOUNT], all_different);
        let now = deal.world.now();
        deal.ok(deal.deliver(0));
        deal.refused(deal.expire(0), DeadlineNotReached);
        deal.ok(deal.dispute(0));
        deal.refused(deal.expire(0), DeadlineNotReached);
        deal.ok(deal.rule(0, 5_000));
        deal.withdraw_all();
        assert_eq!(deal.world.now(), now);
        deal.refused(deal.close(), CloseTooEarly);
        deal.wait_and_close();

        // A day is missing: who was in time before the jump is late after it, and the default applies once.
        let mut deal = Deal::funded(kind, &[AMOUNT], all_different);
        deal.ok(deal.deliver(0));
        let deadline = deal.milestone(0).deadline;
        deal.world.set_time(deadline - 1);
        assert_eq!(deal.answer(deal.dispute(0)), Ok(()));
        deal.world.set_time(deadline - 1 + DAY);
        deal.refused(deal.dispute(0), DeadlinePassed);
        deal.ok(deal.expire(0));
        deal.refused(deal.expire(0), MilestoneSettled);
        // Back again, as after a restart of a cluster: what was decided stays.
        deal.world.set_time(deadline - 1);
        deal.refused(deal.dispute(0), NotDelivered);
        deal.withdraw_all();
        deal.wait_and_close();
    }
}
