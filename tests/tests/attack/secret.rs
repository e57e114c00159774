//! A secret that was revealed must pay, whatever anybody does before, behind or between.

use escrow_tests::{DAY, START};
use solana_pubkey::Pubkey;

use crate::{
    arena::{Arena, KINDS, Kind, SECRET},
    referee::Live,
    wire::{DELIVERED, DISPUTED, Deed, Offer, PENDING, Terms, sha256},
};

/// Who is named as the attester: nobody, somebody, or a role that has its own interest.
const ATTESTERS: [fn(&Arena) -> Pubkey; 5] = [
    |_| Pubkey::default(),
    |arena| solana_signer::Signer::pubkey(&arena.world.attester),
    |arena| arena.buyer(),
    |arena| arena.seller(),
    |arena| arena.arbiter(),
];

fn locked(terms: &mut Terms) {
    terms.hashlock = sha256(&[&SECRET]);
}

/// A hash-locked escrow with this attester and these windows.
fn swap(asset: Kind, attester: fn(&Arena) -> Pubkey, review: u32, ruling: u32) -> Arena {
    let named = attester(&Arena::empty(asset, |_| ()));
    Arena::funded(asset, |terms| {
        locked(terms);
        terms.attester = named;
        let zero_allowed = ![Pubkey::default(), terms.seller].contains(&named);
        terms.stones[0].review_window = if zero_allowed { review } else { review.max(1) };
        terms.ruling_window = ruling;
        terms.cooling_off = 100;
    })
}

/// Everything that anybody can do to the milestone, by whoever may do it.
fn rivals(arena: &Arena) -> Vec<Vec<(Pubkey, Deed)>> {
    let (buyer, seller, arbiter) = (arena.buyer(), arena.seller(), arena.arbiter());
    let deliverer = if arena.attester() == Pubkey::default() { seller } else { arena.attester() };
    let Live { remaining, deadline, status } = arena.deal.stones[0];
    let expires_at = arena.world.now() + 1;
    let split = Offer::Split { milestone: 0, status, remaining, to_seller: 1, expires_at };
    let longer = Offer::Extension { milestone: 0, status, replaces: deadline, deadline: deadline + 1, expires_at };
    let half = remaining / 2;
    vec![
        vec![(deliverer, Deed::Deliver(0))],
        vec![(buyer, Deed::Dispute(0))],
        vec![(arbiter, Deed::Rule(0, 0))],
        vec![(deliverer, Deed::Deliver(0)), (buyer, Deed::Dispute(0))],
        vec![(deliverer, Deed::Deliver(0)), (buyer, Deed::Dispute(0)), (arbiter, Deed::Rule(0, 0))],
        vec![(buyer, Deed::Propose(split))],
        vec![(buyer, Deed::Propose(split)), (seller, Deed::Accept(split))],
        vec![(seller, Deed::Propose(longer)), (buyer, Deed::Accept(longer))],
        vec![(buyer, Deed::Release { milestone: 0, amount: half, expected: remaining })],
        vec![(seller, Deed::Refund { milestone: 0, amount: half, expected: remaining })],
        vec![(buyer, Deed::Cancel)],
        vec![(seller, Deed::Cancel)],
        vec![(seller, Deed::Expire(0))],
        vec![(seller, Deed::Withdraw(1))],
        vec![(seller, Deed::Close)],
    ]
}

/// Pending, delivered and disputed, each reached at once after the cooling-off period, as far as anybody can deliver.
fn statuses(arena: &Arena) -> Vec<Arena> {
    let mut arenas = vec![arena.fork()];
    if arena.attester() == Pubkey::default() {
        return arenas;
    }
    let mut next = arena.fork();
    next.at(arena.deal.cool_at());
    next.must(arena.attester(), Deed::Deliver(0));
    arenas.push(next.fork());
    next.must(arena.buyer(), Deed::Dispute(0));
    arenas.push(next);
    arenas
}

#[test]
fn nothing_that_comes_first_in_a_transaction_steals_a_revealed_secret() {
    let mut trials = 0;
    for asset in KINDS {
        for attester in ATTESTERS {
            for (review, ruling) in [(0, 1), (1, 1), (60, 60), (20 * DAY as u32, 30 * DAY as u32)] {
                // Tokens make no other decisions; one of the windows is enough to see it.
                if asset == Kind::Token && review != 1 {
                    continue;
                }
                let arena = swap(asset, attester, review, ruling);
                for mut arena in statuses(&arena) {
                    let deadline = arena.deal.stones[0].deadline;
                    let cool = arena.deal.cool_at();
                    for now in [cool - 1, cool, cool + 1, deadline - 1, deadline, deadline + 1] {
                        arena.at(now);
                        for rival in rivals(&arena) {
                            let claim = (arena.stranger(), Deed::Claim(0, SECRET));
                            for order in [[rival.clone(), vec![claim]].concat(), [vec![claim], rival].concat()] {
                                // The referee says what must come of it.
                                let _ = arena.fork().play(&order);
                                trials += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(trials > 10_000, "{trials}");
}

#[test]
fn no_transition_burns_a_secret_that_is_under_way() {
    // Without the referee: whatever of these succeeds before the deadline, the secret still pays in the last second.
    for attester in &ATTESTERS[1..] {
        for (review, ruling) in [(0, 1), (1, 1), (60, 60)] {
            let arena = swap(Kind::Sol, *attester, review, ruling);
            let last = START + 10 * DAY - 1;
            for start in [arena.deal.cool_at(), last - 61, last - 1, last] {
                let mut arena = arena.fork();
                arena.at(start);
                let (buyer, arbiter, attester) = (arena.buyer(), arena.arbiter(), arena.attester());
                arena.must(attester, Deed::Deliver(0));
                let _ = arena.fork().play(&[(arbiter, Deed::Rule(0, 0))]);
                arena.must(buyer, Deed::Dispute(0));
                arena.at(last);
                let remaining = arena.deal.stones[0].remaining;
                arena.must(buyer, Deed::Claim(0, SECRET));
                assert_eq!(arena.deal.due[1] + arena.deal.due[2], remaining);
                arena.finish();
            }
        }
    }
}

#[test]
fn without_the_secret_and_without_an_attester_nobody_prolongs_a_swap() {
    for now in [START + 100, START + 10 * DAY - 1, START + 10 * DAY] {
        let mut arena = swap(Kind::Sol, ATTESTERS[0], 3000, 5000);
        arena.at(now);
        for actor in Arena::people().collect::<Vec<_>>() {
            assert!(arena.play(&[(actor, Deed::Deliver(0))]).is_err());
            assert!(arena.play(&[(actor, Deed::Dispute(0))]).is_err());
            assert!(arena.play(&[(actor, Deed::Rule(0, 10_000))]).is_err());
        }
        let stone = &arena.deal.stones[0];
        // Alone, nobody moves the deadline either; for both it is a deal.
        let (replaces, expires_at) = (stone.deadline, now + 1);
        let longer = Offer::Extension { milestone: 0, status: PENDING, replaces, deadline: replaces + 1, expires_at };
        let seller = arena.seller();
        if arena.play(&[(seller, Deed::Propose(longer))]).is_ok() {
            arena.cannot(seller, Deed::Accept(longer), 6085);
        }
        arena.at(replaces);
        arena.cannot(seller, Deed::Claim(0, SECRET), 6079);
        arena.finish();
    }
}

#[test]
fn a_secret_must_be_the_one() {
    let mut arena = swap(Kind::Sol, ATTESTERS[0], 3000, 5000);
    arena.at(arena.deal.cool_at());
    let seller = arena.seller();
    for index in 0..32 {
        let mut wrong = SECRET;
        wrong[index] ^= 1 << (index % 8);
        arena.cannot(seller, Deed::Claim(0, wrong), 6084);
    }
    arena.cannot(seller, Deed::Claim(0, sha256(&[&SECRET])), 6084);
    arena.cannot(seller, Deed::Claim(1, SECRET), 6072);
    arena.cannot(seller, Deed::Claim(255, SECRET), 6072);
}

#[test]
fn the_secret_pays_a_seller_once() {
    let mut arena = swap(Kind::Token, ATTESTERS[3], 3000, 5000);
    arena.at(arena.deal.cool_at());
    let (stranger, claim) = (arena.stranger(), Deed::Claim(0, SECRET));
    assert!(arena.play(&[(stranger, claim), (stranger, claim)]).is_err());
    arena.must(stranger, claim);
    arena.cannot(stranger, claim, 6073);
    arena.must(stranger, Deed::Withdraw(1));
    arena.cannot(stranger, claim, 6073);
    arena.finish();
}

#[test]
fn a_hashlock_of_nothing_is_no_hashlock() {
    // The preimage of all zero is nobody's; whoever found one could not claim with it either.
    let mut arena = Arena::funded(Kind::Sol, |_| ());
    let stranger = arena.stranger();
    for secret in [[0; 32], SECRET, [255; 32]] {
        arena.cannot(stranger, Deed::Claim(0, secret), 6083);
    }
}

#[test]
fn a_dispute_in_the_second_before_the_secret_is_used_changes_nothing() {
    // Carrier delivers, buyer disputes, and the seller gets the code late: at every second until the later deadline.
    let arena = swap(Kind::Sol, ATTESTERS[1], 60, 60);
    for offset in [-120, -61, -60, -59, -1] {
        let mut arena = arena.fork();
        let deliver_by = START + 10 * DAY;
        arena.at(deliver_by + offset);
        let (buyer, attester) = (arena.buyer(), arena.attester());
        assert!(arena.play(&[(attester, Deed::Deliver(0)), (buyer, Deed::Dispute(0))]).is_ok());
        assert_eq!(arena.deal.stones[0].status, DISPUTED);
        let deadline = deliver_by.max(deliver_by + offset + 60);
        assert_eq!(arena.deal.stones[0].deadline, deadline);
        arena.at(deadline - 1);
        assert!(arena.fork().play(&[(buyer, Deed::Claim(0, SECRET))]).is_ok());
        arena.cannot(buyer, Deed::Expire(0), 6080);
        arena.at(deadline);
        arena.cannot(buyer, Deed::Claim(0, SECRET), 6079);
        arena.must(buyer, Deed::Expire(0));
    }
}

#[test]
fn an_agreed_longer_review_lets_the_secret_in_longer() {
    let mut arena = swap(Kind::Sol, ATTESTERS[1], 60, 60);
    let (buyer, seller, attester) = (arena.buyer(), arena.seller(), arena.attester());
    arena.at(START + 10 * DAY - 1);
    arena.must(attester, Deed::Deliver(0));
    let replaces = arena.deal.stones[0].deadline;
    assert_eq!(replaces, START + 10 * DAY + 59);
    let (deadline, expires_at) = (replaces + 1000, replaces);
    let longer = Offer::Extension { milestone: 0, status: DELIVERED, replaces, deadline, expires_at };
    arena.must(seller, Deed::Propose(longer));
    arena.at(replaces - 1);
    arena.must(buyer, Deed::Accept(longer));
    // A dispute now has a window of 60 seconds of its own, and must not end the 1,000 that were agreed on.
    arena.must(buyer, Deed::Dispute(0));
    assert_eq!(arena.deal.stones[0].deadline, deadline);
    arena.at(deadline - 1);
    arena.must(seller, Deed::Claim(0, SECRET));
    arena.finish();
}

#[test]
fn with_a_hashlock_a_delivery_without_review_does_not_pay_at_once() {
    // The price of the rule that nothing brings the deadline nearer: the buyer may dispute until deliver_by.
    let mut arena = swap(Kind::Sol, ATTESTERS[1], 0, 60);
    let (buyer, attester) = (arena.buyer(), arena.attester());
    arena.at(arena.deal.cool_at());
    arena.must(attester, Deed::Deliver(0));
    arena.cannot(buyer, Deed::Expire(0), 6080);
    arena.at(START + 10 * DAY - 1);
    arena.must(buyer, Deed::Dispute(0));
    arena.finish();
}
