//! Amounts of a few units, where every rounding shows. What is expected is written here once more, by another way than the
//! program's: by counting.

use escrow_client::{EscrowError::*, Recipient};
use escrow_tests::{KINDS, Kind, Who, case, deal::*};
use solana_signer::Signer;

/// The lowest rate, a usual one and the highest.
const RATES: [u16; 3] = [1, 250, 1_000];

/// How many whole units are in this share, counted one by one.
fn whole_units(amount: u64, bps: u16) -> u64 {
    (1..).take_while(|units| units * 10_000 <= amount * u64::from(bps)).last().unwrap_or(0)
}

/// What the ledger should be.
#[derive(Default)]
struct Expected {
    released: u64,
    refunded: u64,
    arbiter: u64,
    fee_bps: u16,
}

impl Expected {
    #[track_caller]
    fn check(&self, deal: &Deal) {
        let fee = whole_units(self.released, self.fee_bps);
        let Self { released, refunded, arbiter, .. } = *self;
        deal.assert_ledger([released, refunded, fee, arbiter], [refunded, released - fee, fee, arbiter]);
        deal.check();
    }

    /// A share of `amount` to the seller, the rest to the buyer.
    fn split(&mut self, amount: u64, bps: u16) {
        let to_seller = whole_units(amount, bps);
        self.released += to_seller;
        self.refunded += amount - to_seller;
    }
}

fn with_fee(kind: Kind, amounts: &[u64], fee_bps: u16) -> (Deal, Expected) {
    let deal = Deal::funded(kind, amounts, |world, terms| {
        (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), fee_bps);
        terms.arbiter_fee_bps = 1_000;
        (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (1, 9_999, 3_333);
    });
    (deal, Expected { fee_bps, ..Expected::default() })
}

/// Begins at nothing, and shortly before the lowest rate comes to its first unit.
#[test]
fn the_fee_is_whole_units_of_the_total_after_every_release_of_dust() {
    for kind in KINDS {
        for fee_bps in RATES {
            for first in [0, 9_800] {
                let (mut deal, mut expected) = with_fee(kind, &[10_300], fee_bps);
                if first != 0 {
                    deal.ok(deal.release(0, first));
                    expected.released = first;
                }
                for amount in 1..=30 {
                    case(format_args!("{kind:?}, {amount} after {} at {fee_bps}", expected.released));
                    deal.ok(deal.release(0, amount));
                    expected.released += amount;
                    expected.check(&deal);
                }
            }
        }
    }
}

#[test]
fn dust_at_once_is_dust_unit_by_unit() {
    for kind in KINDS {
        for fee_bps in RATES {
            let (deal, _) = with_fee(kind, &[10_030], fee_bps);
            for first in [0, 9_985] {
                let mut unit_by_unit = deal.fork();
                if first != 0 {
                    unit_by_unit.ok(unit_by_unit.release(0, first));
                }
                let start = unit_by_unit.fork();
                for total in 1..=30 {
                    case(format_args!("{kind:?}, {total} after {first} at {fee_bps}"));
                    unit_by_unit.ok(unit_by_unit.release(0, 1));
                    let mut at_once = start.fork();
                    at_once.ok(at_once.release(0, total));
                    assert_eq!(at_once.ledger(), unit_by_unit.ledger());
                    Expected { released: first + total, fee_bps, ..Expected::default() }.check(&at_once);
                }
            }
        }
    }
}

#[test]
fn a_fee_of_less_than_a_unit_is_nothing_and_waits_for_the_rest() {
    for kind in KINDS {
        for (fee_bps, before_the_first) in [(1, 9_999), (250, 39), (1_000, 9)] {
            case(format_args!("{kind:?}, {fee_bps}"));
            let (mut deal, _) = with_fee(kind, &[10_030], fee_bps);
            deal.ok(deal.release(0, before_the_first));
            deal.refused(deal.withdraw(Recipient::Fee), NothingDue);
            deal.ok(deal.withdraw(Recipient::Seller));
            deal.ok(deal.release(0, 1));
            // The whole last unit is the fee.
            deal.refused(deal.withdraw(Recipient::Seller), NothingDue);
            deal.ok(deal.withdraw(Recipient::Fee));
            deal.assert_ledger([before_the_first + 1, 0, 1, 0], [0; 4]);
        }
    }
}

#[test]
fn dust_of_every_kind_of_decision_is_one_total() {
    const AMOUNTS: [u64; 8] = [30, 29, 23, 19, 17, 13, 11, 9_990];
    for kind in KINDS {
        for fee_bps in RATES {
            case(format_args!("{kind:?}, {fee_bps}"));
            let (mut deal, mut expected) = with_fee(kind, &AMOUNTS, fee_bps);
            let start = deal.balances();
            // Shortly before the first unit of the lowest fee.
            deal.ok(deal.release(7, 9_970));
            expected.released += 9_970;
            expected.check(&deal);
            for amount in [1, 2, 3, 5, 7] {
                deal.ok(deal.release(0, amount));
                expected.released += amount;
                expected.check(&deal);
                deal.ok(deal.refund(0, 1));
                expected.refunded += 1;
                expected.check(&deal);
            }
            // A ruling: the arbiter's fee first, then the split of the rest.
            deal.deliver_and_dispute(1);
            deal.ok(deal.rule(1, 6_666));
            let arbiter = whole_units(29, 1_000);
            expected.arbiter += arbiter;
            expected.split(29 - arbiter, 6_666);
            expected.check(&deal);
            // What the parties agree on.
            let split = deal.split(2, 11);
            deal.ok(deal.propose(Who::Seller, split));
            deal.ok(deal.accept(Who::Buyer, split));
            expected.released += 11;
            expected.refunded += 12;
            expected.check(&deal);
            // A ruling over so little that there is no fee of the arbiter's.
            deal.ok(deal.refund(3, 10));
            expected.refunded += 10;
            deal.deliver_and_dispute(3);
            deal.ok(deal.rule(3, 5_000));
            expected.split(9, 5_000);
            expected.check(&deal);
            // The defaults.
            deal.ok(deal.deliver(4));
            deal.deliver_and_dispute(5);
            for (milestone, bps) in [(4, 9_999), (5, 3_333), (6, 1)] {
                deal.world.set_time(deal.milestone(milestone).deadline.max(deal.world.now()));
                deal.ok(deal.expire(milestone));
                expected.split(AMOUNTS[usize::from(milestone)], bps);
                expected.check(&deal);
            }
            let (released, fee) = (expected.released, whole_units(expected.released, fee_bps));
            assert_ne!(fee, 0);
            deal.withdraw_all();
            deal.assert_moved(
                &start,
                &[
                    (Who::Buyer, expected.refunded.into()),
                    (Who::Seller, (released - fee).into()),
                    (Who::FeeRecipient, fee.into()),
                    (Who::Arbiter, expected.arbiter.into()),
                ],
            );
        }
    }
}

#[test]
fn one_to_thirty_units_are_split_to_the_unit() {
    for kind in KINDS {
        for amount in 1..=30 {
            for bps in [1, 3_333, 5_000, 6_667, 9_999] {
                case(format_args!("{kind:?}, {bps} of {amount}"));
                let mut deal = Deal::funded(kind, &[amount], |_, terms| {
                    (terms.undelivered_bps, terms.arbiter_fee_bps) = (bps, 1_000);
                });
                let mut ruled = deal.fork();
                ruled.deliver_and_dispute(0);
                ruled.ok(ruled.rule(0, bps));
                let arbiter = whole_units(amount, 1_000);
                let mut expected = Expected { arbiter, ..Expected::default() };
                expected.split(amount - arbiter, bps);
                expected.check(&ruled);

                deal.world.set_time(deal.milestone(0).deadline);
                deal.ok(deal.expire(0));
                let mut expected = Expected::default();
                expected.split(amount, bps);
                expected.check(&deal);
            }
        }
    }
}
