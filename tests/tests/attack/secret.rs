//! A secret that was revealed must pay, whatever anybody does before, behind or between.

use escrow_tests::{DAY, START};
use solana_pubkey::Pubkey;

use crate::{
    referee::Live,
    stage::{ASSETS, Asset, SECRET, Stage},
    wire::{DELIVERED, DISPUTED, Deed, Offer, PENDING, Terms, sha256},
};

/// Who is named as the attester: nobody, somebody, or a role that has its own interest.
const ATTESTERS: [fn(&Stage) -> Pubkey; 5] = [
    |_| Pubkey::default(),
    |stage| solana_signer::Signer::pubkey(&stage.world.attester),
    |stage| stage.buyer(),
    |stage| stage.seller(),
    |stage| stage.arbiter(),
];

fn locked(terms: &mut Terms) {
    terms.hashlock = sha256(&[&SECRET]);
}

/// A hash-locked escrow with this attester and these windows.
fn swap(asset: Asset, attester: fn(&Stage) -> Pubkey, review: u32, ruling: u32) -> Stage {
    let named = attester(&Stage::empty(asset, |_| ()));
    Stage::funded(asset, |terms| {
        locked(terms);
        terms.attester = named;
        let zero_allowed = ![Pubkey::default(), terms.seller].contains(&named);
        terms.stones[0].review_window = if zero_allowed { review } else { review.max(1) };
        terms.ruling_window = ruling;
        terms.cooling_off = 100;
    })
}

/// Everything that anybody can do to the milestone, by whoever may do it.
fn rivals(stage: &Stage) -> Vec<Vec<(Pubkey, Deed)>> {
    let (buyer, seller, arbiter) = (stage.buyer(), stage.seller(), stage.arbiter());
    let deliverer = if stage.attester() == Pubkey::default() { seller } else { stage.attester() };
    let Live { remaining, deadline, status } = stage.deal.stones[0];
    let expires_at = stage.world.now() + 1;
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
fn statuses(stage: &Stage) -> Vec<Stage> {
    let mut stages = vec![stage.fork()];
    if stage.attester() == Pubkey::default() {
        return stages;
    }
    let mut next = stage.fork();
    next.at(stage.deal.cool_at());
    next.must(stage.attester(), Deed::Deliver(0));
    stages.push(next.fork());
    next.must(stage.buyer(), Deed::Dispute(0));
    stages.push(next);
    stages
}

#[test]
fn nothing_that_comes_first_in_a_transaction_steals_a_revealed_secret() {
    let mut trials = 0;
    for asset in ASSETS {
        for attester in ATTESTERS {
            for (review, ruling) in [(0, 1), (1, 1), (60, 60), (20 * DAY as u32, 30 * DAY as u32)] {
                // Tokens make no other decisions; one of the windows is enough to see it.
                if asset == Asset::Token && review != 1 {
                    continue;
                }
                let stage = swap(asset, attester, review, ruling);
                for mut stage in statuses(&stage) {
                    let deadline = stage.deal.stones[0].deadline;
                    let cool = stage.deal.cool_at();
                    for now in [cool - 1, cool, cool + 1, deadline - 1, deadline, deadline + 1] {
                        stage.at(now);
                        for rival in rivals(&stage) {
                            let claim = (stage.stranger(), Deed::Claim(0, SECRET));
                            for order in [[rival.clone(), vec![claim]].concat(), [vec![claim], rival].concat()] {
                                // The referee says what must come of it.
                                let _ = stage.fork().play(&order);
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
            let stage = swap(Asset::Sol, *attester, review, ruling);
            let last = START + 10 * DAY - 1;
            for start in [stage.deal.cool_at(), last - 61, last - 1, last] {
                let mut stage = stage.fork();
                stage.at(start);
                let (buyer, arbiter, attester) = (stage.buyer(), stage.arbiter(), stage.attester());
                stage.must(attester, Deed::Deliver(0));
                let _ = stage.fork().play(&[(arbiter, Deed::Rule(0, 0))]);
                stage.must(buyer, Deed::Dispute(0));
                stage.at(last);
                let remaining = stage.deal.stones[0].remaining;
                stage.must(buyer, Deed::Claim(0, SECRET));
                assert_eq!(stage.deal.due[1] + stage.deal.due[2], remaining);
                stage.finish();
            }
        }
    }
}

#[test]
fn without_the_secret_and_without_an_attester_nobody_prolongs_a_swap() {
    for now in [START + 100, START + 10 * DAY - 1, START + 10 * DAY] {
        let mut stage = swap(Asset::Sol, ATTESTERS[0], 3000, 5000);
        stage.at(now);
        for actor in Stage::people().collect::<Vec<_>>() {
            assert!(stage.play(&[(actor, Deed::Deliver(0))]).is_err());
            assert!(stage.play(&[(actor, Deed::Dispute(0))]).is_err());
            assert!(stage.play(&[(actor, Deed::Rule(0, 10_000))]).is_err());
        }
        let stone = &stage.deal.stones[0];
        // Alone, nobody moves the deadline either; for both it is a deal.
        let (replaces, expires_at) = (stone.deadline, now + 1);
        let longer = Offer::Extension { milestone: 0, status: PENDING, replaces, deadline: replaces + 1, expires_at };
        let seller = stage.seller();
        if stage.play(&[(seller, Deed::Propose(longer))]).is_ok() {
            stage.cannot(seller, Deed::Accept(longer), 6085);
        }
        stage.at(replaces);
        stage.cannot(seller, Deed::Claim(0, SECRET), 6079);
        stage.finish();
    }
}

#[test]
fn a_secret_must_be_the_one() {
    let mut stage = swap(Asset::Sol, ATTESTERS[0], 3000, 5000);
    stage.at(stage.deal.cool_at());
    let seller = stage.seller();
    for index in 0..32 {
        let mut wrong = SECRET;
        wrong[index] ^= 1 << (index % 8);
        stage.cannot(seller, Deed::Claim(0, wrong), 6084);
    }
    stage.cannot(seller, Deed::Claim(0, sha256(&[&SECRET])), 6084);
    stage.cannot(seller, Deed::Claim(1, SECRET), 6072);
    stage.cannot(seller, Deed::Claim(255, SECRET), 6072);
}

#[test]
fn the_secret_pays_a_seller_once() {
    let mut stage = swap(Asset::Token, ATTESTERS[3], 3000, 5000);
    stage.at(stage.deal.cool_at());
    let (stranger, claim) = (stage.stranger(), Deed::Claim(0, SECRET));
    assert!(stage.play(&[(stranger, claim), (stranger, claim)]).is_err());
    stage.must(stranger, claim);
    stage.cannot(stranger, claim, 6073);
    stage.must(stranger, Deed::Withdraw(1));
    stage.cannot(stranger, claim, 6073);
    stage.finish();
}

#[test]
fn a_hashlock_of_nothing_is_no_hashlock() {
    // The preimage of all zero is nobody's; whoever found one could not claim with it either.
    let mut stage = Stage::funded(Asset::Sol, |_| ());
    let stranger = stage.stranger();
    for secret in [[0; 32], SECRET, [255; 32]] {
        stage.cannot(stranger, Deed::Claim(0, secret), 6083);
    }
}

#[test]
fn a_dispute_in_the_second_before_the_secret_is_used_changes_nothing() {
    // Carrier delivers, buyer disputes, and the seller gets the code late: at every second until the later deadline.
    let stage = swap(Asset::Sol, ATTESTERS[1], 60, 60);
    for offset in [-120, -61, -60, -59, -1] {
        let mut stage = stage.fork();
        let deliver_by = START + 10 * DAY;
        stage.at(deliver_by + offset);
        let (buyer, attester) = (stage.buyer(), stage.attester());
        assert!(stage.play(&[(attester, Deed::Deliver(0)), (buyer, Deed::Dispute(0))]).is_ok());
        assert_eq!(stage.deal.stones[0].status, DISPUTED);
        let deadline = deliver_by.max(deliver_by + offset + 60);
        assert_eq!(stage.deal.stones[0].deadline, deadline);
        stage.at(deadline - 1);
        assert!(stage.fork().play(&[(buyer, Deed::Claim(0, SECRET))]).is_ok());
        stage.cannot(buyer, Deed::Expire(0), 6080);
        stage.at(deadline);
        stage.cannot(buyer, Deed::Claim(0, SECRET), 6079);
        stage.must(buyer, Deed::Expire(0));
    }
}

#[test]
fn an_agreed_longer_review_lets_the_secret_in_longer() {
    let mut stage = swap(Asset::Sol, ATTESTERS[1], 60, 60);
    let (buyer, seller, attester) = (stage.buyer(), stage.seller(), stage.attester());
    stage.at(START + 10 * DAY - 1);
    stage.must(attester, Deed::Deliver(0));
    let replaces = stage.deal.stones[0].deadline;
    assert_eq!(replaces, START + 10 * DAY + 59);
    let (deadline, expires_at) = (replaces + 1000, replaces);
    let longer = Offer::Extension { milestone: 0, status: DELIVERED, replaces, deadline, expires_at };
    stage.must(seller, Deed::Propose(longer));
    stage.at(replaces - 1);
    stage.must(buyer, Deed::Accept(longer));
    // A dispute now has a window of 60 seconds of its own, and must not end the 1,000 that were agreed on.
    stage.must(buyer, Deed::Dispute(0));
    assert_eq!(stage.deal.stones[0].deadline, deadline);
    stage.at(deadline - 1);
    stage.must(seller, Deed::Claim(0, SECRET));
    stage.finish();
}

#[test]
fn with_a_hashlock_a_delivery_without_review_does_not_pay_at_once() {
    // The price of the rule that nothing brings the deadline nearer: the buyer may dispute until deliver_by.
    let mut stage = swap(Asset::Sol, ATTESTERS[1], 0, 60);
    let (buyer, attester) = (stage.buyer(), stage.attester());
    stage.at(stage.deal.cool_at());
    stage.must(attester, Deed::Deliver(0));
    stage.cannot(buyer, Deed::Expire(0), 6080);
    stage.at(START + 10 * DAY - 1);
    stage.must(buyer, Deed::Dispute(0));
    stage.finish();
}
