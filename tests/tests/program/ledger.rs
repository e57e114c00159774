//! Exact to the unit: what was paid in is what was paid out and what is still held, always.

use std::collections::BTreeMap;

use escrow_client::{MilestoneStatus, Proposal, Recipient};
use escrow_tests::{DAY, INITIAL_LAMPORTS, KINDS, Kind, SECRET, Who, case, deal::*};
use solana_signer::Signer;

fn with_fee(kind: Kind, amounts: &[u64], fee_bps: u16) -> Deal {
    Deal::funded(kind, amounts, |world, terms| {
        (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), fee_bps);
    })
}

#[test]
fn the_fee_over_many_small_releases_is_the_fee_over_one() {
    for kind in KINDS {
        for (amount, fee_bps, steps) in [(121, 333, 1), (90, 1_000, 1), (299, 1, 7), (30_001, 1, 500), (400, 999, 3)] {
            case(format_args!("{kind:?}, {amount} at {fee_bps} in steps of {steps}"));
            let mut at_once = with_fee(kind, &[amount], fee_bps);
            at_once.ok(at_once.release(0, amount));
            let mut bit_by_bit = with_fee(kind, &[amount], fee_bps);
            let mut fees = 0;
            loop {
                let remaining = bit_by_bit.milestone(0).remaining;
                if remaining == 0 {
                    break;
                }
                bit_by_bit.ok(bit_by_bit.release(0, steps.min(remaining)));
                let ledger = bit_by_bit.ledger();
                assert!(ledger.fees >= fees, "the fee shrank");
                fees = ledger.fees;
            }
            assert_eq!(bit_by_bit.ledger(), at_once.ledger());
            let fee = floor_share(amount, fee_bps);
            at_once.assert_ledger([amount, 0, fee, 0], [0, amount - fee, fee, 0]);
        }
    }
}

#[test]
fn withdrawing_between_releases_changes_no_total() {
    for kind in KINDS {
        let mut deal = with_fee(kind, &[1_000], 777);
        let before = deal.balances();
        for amount in [1, 9, 90, 300, 599, 1] {
            deal.ok(deal.release(0, amount));
            deal.withdraw_all();
        }
        deal.assert_ledger([1_000, 0, 77, 0], [0; 4]);
        deal.assert_moved(&before, &[(Who::Seller, 923), (Who::FeeRecipient, 77)]);
        deal.wait_and_close();
    }
}

#[test]
fn no_fee_is_taken_of_what_goes_back() {
    for kind in KINDS {
        let mut deal = with_fee(kind, &[1_000], 1_000);
        deal.ok(deal.refund(0, 999));
        deal.assert_ledger([0, 999, 0, 0], [999, 0, 0, 0]);
        deal.ok(deal.release(0, 1));
        // A tenth of one unit is no unit.
        deal.assert_ledger([1, 999, 0, 0], [999, 1, 0, 0]);
    }
}

#[test]
fn the_fee_counts_over_all_milestones_together() {
    for kind in KINDS {
        let mut deal = with_fee(kind, &[5; 8], 1_000);
        for milestone in 0..8 {
            deal.ok(deal.release(milestone, 5));
        }
        // Eight times floor(0.5) would be nothing.
        deal.assert_ledger([40, 0, 4, 0], [0, 36, 4, 0]);
    }
}

#[test]
fn the_fee_of_every_kind_of_decision_is_one_running_total() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[999, 998, 997, 996, 995], |world, terms| {
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 333);
            terms.arbiter_fee_bps = 777;
            (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (1, 9_999, 3_333);
        });
        let start = deal.balances();
        deal.deliver_and_dispute(0);
        deal.ok(deal.rule(0, 4_321));
        deal.ok(deal.release(1, 501));
        let split = deal.split(1, 17);
        deal.ok(deal.propose(Who::Seller, split));
        deal.ok(deal.accept(Who::Buyer, split));
        deal.ok(deal.deliver(2));
        deal.deliver_and_dispute(3);
        deal.world.set_time(deal.milestone(2).deadline);
        deal.ok(deal.expire(2));
        deal.world.set_time(deal.milestone(3).deadline);
        deal.ok(deal.expire(3));
        deal.world.set_time(deal.milestone(4).deadline);
        deal.ok(deal.expire(4));
        let arbiter = floor_share(999, 777);
        let released = [
            floor_share(999 - arbiter, 4_321),
            501 + 17,
            floor_share(997, 9_999),
            floor_share(996, 3_333),
            floor_share(995, 1),
        ];
        let released: u64 = released.iter().sum();
        let refunded = (999 + 998 + 997 + 996 + 995) - arbiter - released;
        let fee = floor_share(released, 333);
        deal.assert_ledger([released, refunded, fee, arbiter], [refunded, released - fee, fee, arbiter]);
        deal.withdraw_all();
        deal.assert_moved(
            &start,
            &[
                (Who::Buyer, refunded.into()),
                (Who::Seller, (released - fee).into()),
                (Who::FeeRecipient, fee.into()),
                (Who::Arbiter, arbiter.into()),
            ],
        );
        deal.wait_and_close();
    }
}

#[test]
fn one_unit_goes_somewhere_whole() {
    for kind in KINDS {
        for bps in [0, 1, 5_000, 9_999, 10_000] {
            case(format_args!("{kind:?}, {bps}"));
            let mut deal = Deal::funded(kind, &[1], |world, terms| {
                (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
                terms.undelivered_bps = bps;
            });
            deal.world.set_time(deal.milestone(0).deadline);
            deal.ok(deal.expire(0));
            let released = u64::from(bps == 10_000);
            deal.assert_ledger([released, 1 - released, 0, 0], [1 - released, released, 0, 0]);
        }
    }
}

/// Around the amount from which on ten thousand times it does not fit its number.
#[test]
fn the_whole_of_an_amount_is_all_of_it_whether_its_product_fits_or_not() {
    const FITS: u64 = u64::MAX / 10_000;
    for amount in [FITS, FITS + 1, FITS + 2] {
        case(amount);
        let mut world = escrow_tests::World::new();
        world.use_new_mint(amount, None);
        let mut deal = Deal::agreed(world, Kind::Token, &[amount], |_, terms| terms.unanswered_bps = 10_000);
        deal.ok(deal.create());
        deal.ok(deal.fund());
        deal.ok(deal.deliver(0));
        deal.world.set_time(deal.milestone(0).deadline);
        deal.ok(deal.expire(0));
        deal.assert_ledger([amount, 0, 0, 0], [0, amount, 0, 0]);
    }
}

#[test]
fn all_units_of_a_token_that_can_exist_are_escrowed_exactly() {
    let deal = largest_token_deal(1_000, 1_000);
    for bps in [0, 1, 3_333, 9_999, 10_000] {
        case(bps);
        let mut deal = deal.fork();
        let split = deal.split(0, floor_share(u64::MAX, bps));
        deal.ok(deal.propose(Who::Buyer, split));
        deal.ok(deal.accept(Who::Seller, split));
        let released = floor_share(u64::MAX, bps);
        let (refunded, fee) = (u64::MAX - released, floor_share(released, 1_000));
        deal.assert_ledger([released, refunded, fee, 0], [refunded, released - fee, fee, 0]);
        let before = deal.balances();
        deal.withdraw_all();
        deal.assert_moved(
            &before,
            &[(Who::Buyer, refunded.into()), (Who::Seller, (released - fee).into()), (Who::FeeRecipient, fee.into())],
        );
        assert_eq!(deal.held(), 0);
        deal.wait_and_close();
    }
    // The default of a milestone that was never delivered.
    let mut deal = deal.fork();
    deal.world.set_time(deal.milestone(0).deadline);
    deal.ok(deal.expire(0));
    deal.assert_ledger([0, u64::MAX, 0, 0], [u64::MAX, 0, 0, 0]);
}

// Anything in any order ------------------------------------------------------------------------------------------------

/// One random act on a random milestone; most are legal, some are not.
fn random_act(deal: &Deal, numbers: &mut Numbers, open: &mut BTreeMap<Who, Proposal>) -> (&'static str, Act) {
    let account = deal.account();
    let milestone = u8::try_from(numbers.below(account.milestones.len() as u64)).expect("at most eight");
    let remaining = account.milestones[usize::from(milestone)].remaining;
    let part = match numbers.below(4) {
        0 => remaining,
        1 => 1,
        _ => numbers.below(remaining.saturating_add(2)),
    };
    let (proposer, acceptor) =
        if numbers.below(2) == 0 { (Who::Buyer, Who::Seller) } else { (Who::Seller, Who::Buyer) };
    let recipient = Recipient::ALL[usize::try_from(numbers.below(4)).expect("at most three")];
    match numbers.below(13) {
        0 | 1 => ("deliver", deal.deliver(milestone)),
        2 => ("release", deal.release(milestone, part)),
        3 => ("refund", deal.refund(milestone, part)),
        4 | 5 => ("dispute", deal.dispute(milestone)),
        6 => ("rule", deal.rule(milestone, u16::try_from(numbers.below(10_002)).expect("a share"))),
        7 => {
            let later = deal.world.now() + i64::try_from(numbers.below(30 * 86_400)).expect("a month");
            let proposal = match numbers.below(4) {
                0 => Proposal::Withdrawn,
                1 => deal.extension(milestone, later),
                _ => deal.split(milestone, part),
            };
            open.insert(proposer, proposal);
            ("propose", deal.propose(proposer, proposal))
        }
        8 => {
            let proposal = open.get(&proposer).copied().unwrap_or(Proposal::Withdrawn);
            ("accept", deal.accept(acceptor, proposal))
        }
        9 => ("expire", deal.expire(milestone)),
        10 => ("claim", deal.claim(milestone, SECRET)),
        11 if numbers.below(3) == 0 => ("cancel", deal.cancel(Who::Buyer)),
        _ => ("withdraw", deal.withdraw(recipient)),
    }
}

#[test]
fn whatever_happens_in_whatever_order_every_unit_arrives_and_no_escrow_stays() {
    let mut done: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..60 {
        let mut numbers = Numbers(seed);
        let kind = KINDS[usize::from(seed % 2 == 0)];
        // The random amounts stay below what the buyer holds.
        let count = if seed % 5 == 0 { 1 } else { 1 + numbers.below(8) };
        let amounts: Vec<u64> = (0..count)
            .map(|_| match numbers.below(3) {
                0 => 1 + numbers.below(9),
                1 => 1 + numbers.below(100_000),
                _ => 1 + numbers.below(100_000_000_000),
            })
            .collect();
        let mut deal = Deal::agreed(escrow_tests::World::new(), kind, &amounts, |world, terms| {
            (terms.fee_recipient, terms.fee_bps) =
                (world.fee_recipient.pubkey(), u16::try_from(numbers.below(1_001)).expect("a fee"));
            terms.arbiter_fee_bps = u16::try_from(numbers.below(1_001)).expect("a fee");
            let mut share = || u16::try_from(numbers.below(10_001)).expect("a share");
            (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (share(), share(), share());
            if amounts.len() == 1 {
                lock(terms);
            }
            if numbers.below(2) == 0 {
                terms.attester = world.attester.pubkey();
            }
            terms.cooling_off = u32::try_from(numbers.below(2) * 5 * 86_400).expect("five days");
        });
        let start = deal.balances();
        deal.ok(deal.create());
        deal.ok(deal.fund());
        let mut open = BTreeMap::new();
        for step in 0..60 {
            let (name, act) = random_act(&deal, &mut numbers, &mut open);
            case(format_args!("seed {seed}, step {step}, {name}"));
            let before = deal.account();
            let instruction = act.instruction.clone();
            let signers: Vec<_> = act.signers.iter().collect();
            let worked = deal.world.send(&[instruction], &signers).is_ok();
            if worked {
                *done.entry(name).or_default() += 1;
            } else {
                assert_eq!(deal.account(), before, "a refused act changed the escrow");
            }
            deal.check();
            only_grows(&before.state.ledger, &deal.ledger());
            deal.world.advance(i64::try_from(numbers.below(86_400)).expect("a day"));
        }
        // Nobody does anything any more: the defaults end it.
        deal.world.advance(800 * DAY);
        for milestone in 0..u8::try_from(amounts.len()).expect("at most eight") {
            if deal.milestones()[usize::from(milestone)].0 != MilestoneStatus::Settled {
                deal.ok(deal.expire(milestone));
            }
        }
        deal.withdraw_all();
        let ledger = deal.ledger();
        assert_eq!(deal.held(), 0);
        let paid = i128::from(deal.terms.principal().expect("a principal"));
        deal.assert_moved(
            &start,
            &[
                (Who::Buyer, i128::from(ledger.refunded) - paid),
                (Who::Seller, i128::from(ledger.released - ledger.fees)),
                (Who::FeeRecipient, ledger.fees.into()),
                (Who::Arbiter, ledger.arbiter_fees.into()),
                (
                    Who::RentPayer,
                    match kind {
                        Kind::Sol => -i128::from(deal.rent()),
                        Kind::Token => 0,
                    },
                ),
            ],
        );
        deal.wait_and_close();
        assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS);
    }
    // A walk that never got anywhere would prove nothing.
    for name in [
        "deliver", "release", "refund", "dispute", "rule", "propose", "accept", "expire", "claim", "cancel", "withdraw",
    ] {
        assert!(done.get(name).is_some_and(|count| *count >= 3), "{name} worked too rarely: {done:?}");
    }
}

/// Totals never shrink.
#[track_caller]
fn only_grows(before: &escrow_client::escrow::state::Ledger, after: &escrow_client::escrow::state::Ledger) {
    assert_eq!(before.principal, after.principal);
    assert!(before.released <= after.released && before.refunded <= after.refunded);
    assert!(before.fees <= after.fees && before.arbiter_fees <= after.arbiter_fees);
}
