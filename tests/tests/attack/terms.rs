//! Terms that no escrow may have, and the odd ones that it may.

use escrow_tests::{START, TOKEN};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

use crate::{
    arena::{Arena, Kind},
    wire::{Deed, TWO_YEARS, Terms, YEAR, program},
};

/// A change of the terms.
type Change = fn(&mut Terms);

/// Changes, each of which alone makes the terms impossible, and why.
const BAD: [(Change, u32); 36] = [
    (|terms| terms.buyer = Pubkey::default(), 6000),
    (|terms| terms.seller = Pubkey::default(), 6000),
    (|terms| terms.buyer = terms.seller, 6001),
    (|terms| terms.arbiter = terms.seller, 6001),
    (|terms| terms.arbiter = terms.buyer, 6001),
    (|terms| terms.buyer = program(), 6002),
    (|terms| terms.seller = program(), 6002),
    (|terms| terms.arbiter = program(), 6002),
    (|terms| terms.attester = program(), 6002),
    (|terms| terms.fee_recipient = program(), 6002),
    (|terms| terms.mint = terms.buyer, 6003),
    (|terms| terms.token_program = TOKEN, 6003),
    (|terms| terms.stones.clear(), 6005),
    (|terms| terms.stones = vec![terms.stones[0].clone(); 9], 6005),
    (|terms| terms.stones[0].amount = 0, 6006),
    (|terms| terms.fee_bps = 1001, 6008),
    (|terms| terms.fee_bps = u16::MAX, 6008),
    (|terms| terms.arbiter_fee_bps = 1001, 6008),
    (|terms| terms.fee_recipient = Pubkey::default(), 6009),
    (|terms| terms.arbiter = Pubkey::default(), 6010),
    (|terms| terms.undelivered_bps = 10_001, 6011),
    (|terms| terms.unanswered_bps = u16::MAX, 6011),
    (|terms| terms.unruled_bps = 10_001, 6011),
    (|terms| terms.fund_by = START, 6012),
    (|terms| terms.fund_by = i64::MIN, 6012),
    (|terms| terms.fund_by = i64::MAX, 6013),
    (|terms| terms.fund_by = START + TWO_YEARS + 1, 6013),
    (|terms| terms.stones[0].deliver_by = i64::MAX, 6015),
    (|terms| terms.stones[0].deliver_by = START + TWO_YEARS + 1, 6015),
    (|terms| terms.cooling_off = 10 * 86_400, 6019),
    (|terms| terms.ruling_window = YEAR + 1, 6016),
    (|terms| terms.stones[0].review_window = u32::MAX, 6016),
    (|terms| terms.ruling_window = 0, 6017),
    (|terms| terms.stones[0].review_window = 0, 6018),
    (|terms| terms.accepted_risks = 32, 6021),
    (|terms| terms.accepted_risks = 0x8000, 6021),
];

#[test]
fn terms_that_no_escrow_may_have() {
    for (change, code) in BAD {
        let mut arena = Arena::empty(Kind::Sol, change);
        arena.cannot(arena.deal.rent_payer, Deed::Create, code);
    }
    for change in [
        |terms: &mut Terms| terms.stones[0].deliver_by = START,
        |terms: &mut Terms| terms.stones[0].deliver_by = i64::MIN,
        |terms: &mut Terms| terms.cooling_off = u32::MAX,
    ] {
        let mut arena = Arena::empty(Kind::Sol, change);
        assert!(arena.play(&[(arena.deal.rent_payer, Deed::Create)]).is_err());
    }
}

#[test]
fn the_last_of_eight_is_looked_at_like_the_first() {
    for change in [
        |terms: &mut Terms| terms.stones[7].amount = 0,
        |terms: &mut Terms| terms.stones[7].amount = u64::MAX,
        |terms: &mut Terms| terms.stones[7].deliver_by = START,
        |terms: &mut Terms| terms.stones[7].deliver_by = START + TWO_YEARS + 1,
        |terms: &mut Terms| terms.stones[7].review_window = 0,
        |terms: &mut Terms| terms.stones[7].review_window = YEAR + 1,
        |terms: &mut Terms| terms.cooling_off = (terms.stones[7].deliver_by - START) as u32,
        |terms: &mut Terms| terms.hashlock = [1; 32],
    ] {
        let mut arena = Arena::empty(Kind::Sol, |terms| {
            let mut stone = terms.stones[0].clone();
            stone.deliver_by -= 1;
            terms.stones.extend(vec![terms.stones[0].clone(); 6]);
            terms.stones.push(stone);
            change(terms);
        });
        assert!(arena.play(&[(arena.deal.rent_payer, Deed::Create)]).is_err());
    }
}

#[test]
fn a_review_of_nothing_needs_an_attester_who_is_not_the_seller() {
    let people = Arena::empty(Kind::Sol, |_| ());
    for (attester, possible) in [(people.seller(), false), (people.buyer(), true), (people.stranger(), true)] {
        let mut arena = Arena::empty(Kind::Sol, |terms| {
            terms.attester = attester;
            terms.stones[0].review_window = 0;
        });
        assert_eq!(arena.play(&[(arena.deal.rent_payer, Deed::Create)]).is_ok(), possible);
        if possible {
            arena.must(arena.buyer(), Deed::Fund);
            // Delivered and paid in one second, but never disputed in it.
            arena.must(attester, Deed::Deliver(0));
            arena.cannot(arena.buyer(), Deed::Dispute(0), 6079);
            arena.finish();
        }
    }
}

#[test]
fn the_longest_times_and_windows_are_possible() {
    let mut arena = Arena::funded(Kind::Sol, |terms| {
        terms.fund_by = START + TWO_YEARS;
        terms.cooling_off = YEAR;
        terms.ruling_window = YEAR;
        terms.stones[0].deliver_by = START + TWO_YEARS;
        terms.stones[0].review_window = YEAR;
    });
    arena.at(START + TWO_YEARS - 1);
    arena.must(arena.seller(), Deed::Deliver(0));
    arena.at(START + TWO_YEARS - 2 + i64::from(YEAR));
    arena.must(arena.buyer(), Deed::Dispute(0));
    arena.finish();
}

#[test]
fn the_address_is_the_contract() {
    // Every byte of the terms counts: with any changed, this address is refused (or the terms are, before it).
    let mut arena = Arena::empty(Kind::Sol, |_| ());
    let create = arena.instruction(arena.deal.rent_payer, &Deed::Create);
    for index in 1..create.data.len() {
        let mut other = create.clone();
        other.data[index] ^= 1;
        assert!(arena.send(&[other]).is_err(), "byte {index}");
    }
    // Nor another address for these terms: a wallet, the vault's, the program's.
    for wrong in [arena.stranger(), arena.vault(), system_program::ID] {
        let mut other = create.clone();
        other.accounts[1].pubkey = wrong;
        assert!(arena.send(&[other]).is_err());
    }
    arena.check();
    arena.create();
}
