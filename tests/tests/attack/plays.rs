//! Long random plays: odd agreements, people who do anything at any time, several deeds in a transaction, all judged by
//! the referee; and in the end a stranger brings every escrow to its end.

use escrow_tests::{START, World};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    arena::{Arena, KINDS, SECRET, terms},
    referee::Life,
    wire::{Deed, Offer, SETTLED, Stone, TWO_YEARS, sha256},
};

/// SplitMix64: the same plays in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

fn arena(dice: &mut Dice) -> Arena {
    let world = World::new();
    let asset = dice.pick(&KINDS);
    let mut terms = terms(&world, asset);
    let people = [world.buyer.pubkey(), world.seller.pubkey(), world.arbiter.pubkey(), world.attester.pubkey()];
    terms.salt = u128::from(dice.roll()).to_le_bytes();
    terms.attester = dice.pick(&[Pubkey::default(), people[0], people[1], people[2], people[3], people[3]]);
    if dice.one_in(4) {
        terms.arbiter = Pubkey::default();
        terms.arbiter_fee_bps = 0;
    } else {
        terms.arbiter_fee_bps = dice.pick(&[0, 1, 300, 1000]);
    }
    terms.fee_recipient = dice.pick(&[terms.fee_recipient, people[0], people[1], people[2]]);
    terms.fee_bps = dice.pick(&[0, 1, 250, 999, 1000]);
    terms.fund_by = START + dice.pick(&[1, 5, 20, 1000]);
    terms.cooling_off = dice.pick(&[0, 0, 1, 5]);
    terms.ruling_window = dice.pick(&[1, 2, 10, 100]);
    terms.undelivered_bps = dice.pick(&[0, 1, 3333, 10_000]);
    terms.unanswered_bps = dice.pick(&[0, 9999, 3333, 10_000]);
    terms.unruled_bps = dice.pick(&[0, 5000, 3333, 10_000]);
    let count = dice.pick(&[1, 1, 1, 2, 3, 8]);
    let zero_allowed = ![Pubkey::default(), terms.seller].contains(&terms.attester);
    terms.stones = (0..count)
        .map(|_| Stone {
            // SOL goes to accounts that exist, so a single unit can be paid too.
            amount: dice.pick(&[1, 2, 7, 39, 10_001, 1_000_003]),
            deliver_by: START + 7 + dice.below(20) as i64,
            review_window: dice.pick(&[u32::from(!zero_allowed), 1, 10, 100]),
        })
        .collect();
    if count == 1 && dice.one_in(2) {
        terms.hashlock = sha256(&[&SECRET]);
    }
    Arena::with(world, terms)
}

/// A second at which something may change, or the next one.
fn moment(arena: &Arena, dice: &mut Dice) -> i64 {
    let now = arena.world.now();
    let deal = &arena.deal;
    let mut moments = vec![deal.terms.fund_by, deal.cool_at()];
    moments.extend(deal.stones.iter().map(|stone| stone.deadline));
    for offer in deal.offers {
        if let Offer::Split { expires_at, .. } | Offer::Extension { expires_at, .. } = offer {
            moments.push(expires_at);
        }
    }
    let moment = dice.pick(&moments) + dice.pick(&[-1, 0, 1]);
    // Time does not go back, and not so far at once that nothing happens before.
    if moment > now && (moment < now + 50 || dice.one_in(10)) { moment } else { now + 1 }
}

fn offer(arena: &Arena, milestone: u8, dice: &mut Dice) -> Offer {
    let now = arena.world.now();
    let Some(stone) = arena.deal.stones.get(usize::from(milestone)) else {
        return Offer::Split { milestone, status: 0, remaining: 1, to_seller: 1, expires_at: now + 1 };
    };
    let status = if dice.one_in(12) { dice.pick(&[0, 1, 2]) } else { stone.status.min(2) };
    let expires_at = now + dice.pick(&[1, 2, 10, 10, 10, 100, TWO_YEARS, 0, -1, TWO_YEARS + 1]);
    if dice.one_in(2) {
        let remaining = if dice.one_in(12) { stone.remaining ^ 1 } else { stone.remaining };
        let much = u64::from(dice.one_in(9));
        let to_seller = dice.pick(&[0, remaining / 3, remaining, remaining + much]);
        Offer::Split { milestone, status, remaining, to_seller, expires_at }
    } else {
        let replaces = stone.deadline + i64::from(dice.one_in(12));
        let deadline = stone.deadline + dice.pick(&[1, 1, 5, 30, 30, 0, -1, 200]);
        let deadline = if dice.one_in(20) { now + TWO_YEARS + dice.pick(&[0, 1]) } else { deadline };
        Offer::Extension { milestone, status, replaces, deadline, expires_at }
    }
}

/// A deed that succeeds, if one comes up soon; sometimes any.
fn deed(arena: &Arena, dice: &mut Dice) -> (Pubkey, Deed) {
    let mut tries = dice.pick(&[1, 20, 20, 20]);
    loop {
        let (actor, deed) = any_deed(arena, dice);
        tries -= 1;
        if tries == 0 || arena.deal.reasons(&deed, &actor, arena.world.now()).is_empty() {
            return (actor, deed);
        }
    }
}

/// A deed, and mostly somebody who may do it.
fn any_deed(arena: &Arena, dice: &mut Dice) -> (Pubkey, Deed) {
    let deal = &arena.deal;
    let milestone = if dice.one_in(40) { 8 } else { dice.below(deal.stones.len() as u64) as u8 };
    let remaining = deal.stones.get(usize::from(milestone)).map_or(0, |stone| stone.remaining);
    let amount = dice.pick(&[remaining, remaining / 2, 1, remaining.saturating_sub(1), remaining + 1, 0]);
    let expected = if dice.one_in(10) { remaining + 1 } else { remaining };
    let deliverer = if deal.terms.attester == Pubkey::default() { arena.seller() } else { arena.attester() };
    let party = dice.pick(&[arena.buyer(), arena.seller()]);
    let other = if party == arena.buyer() { arena.seller() } else { arena.buyer() };
    let (actor, deed) = match dice.below(30) {
        0 => (deal.rent_payer, Deed::Create),
        1 => (arena.buyer(), Deed::Fund),
        2 => (arena.buyer(), Deed::Cancel),
        3..=7 => (deliverer, Deed::Deliver(milestone)),
        8 | 9 => (arena.stranger(), Deed::Claim(milestone, if dice.one_in(5) { [1; 32] } else { SECRET })),
        10 | 11 => (arena.buyer(), Deed::Release { milestone, amount, expected }),
        12 | 13 => (arena.seller(), Deed::Refund { milestone, amount, expected }),
        14..=17 => (arena.buyer(), Deed::Dispute(milestone)),
        18 | 19 => (arena.world.arbiter.pubkey(), Deed::Rule(milestone, dice.pick(&[0, 1, 3333, 10_000, 10_001]))),
        20..=22 => (party, Deed::Propose(offer(arena, milestone, dice))),
        23 => (party, Deed::Propose(Offer::Nothing)),
        24 | 25 => {
            // What the other party's slot holds, so that something comes of it.
            let open = deal.offers[usize::from(party == arena.buyer())];
            (party, Deed::Accept(if dice.one_in(9) { offer(arena, milestone, dice) } else { open }))
        }
        26 => (arena.stranger(), Deed::Expire(milestone)),
        27 | 28 => (arena.stranger(), Deed::Withdraw(dice.below(4) as u8)),
        _ => (arena.stranger(), Deed::Close),
    };
    if dice.one_in(15) { (dice.pick(&[arena.buyer(), other, arena.stranger()]), deed) } else { (actor, deed) }
}

/// Returns how many transactions succeeded and how many were refused.
fn play(seed: u64) -> (u32, u32) {
    let mut dice = Dice(seed);
    let mut arena = arena(&mut dice);
    arena.create();
    if !dice.one_in(8) {
        arena.must(arena.buyer(), Deed::Fund);
    }
    let (mut done, mut refused) = (0, 0);
    for _ in 0..40 {
        if arena.deal.life == Life::Closed {
            break;
        }
        if dice.one_in(3) {
            let moment = moment(&arena, &mut dice);
            arena.at(moment);
        }
        let mut deeds = vec![deed(&arena, &mut dice)];
        while dice.one_in(4) {
            deeds.push(deed(&arena, &mut dice));
        }
        // An offer and its acceptance in one transaction.
        if let (actor, Deed::Propose(offer)) = deeds[deeds.len() - 1]
            && dice.one_in(2)
        {
            let other = if actor == arena.buyer() { arena.seller() } else { arena.buyer() };
            deeds.push((other, Deed::Accept(offer)));
        }
        if dice.one_in(20) {
            // Somebody sends something uninvited in between.
            let (escrow, vault) = (arena.escrow(), arena.vault());
            if arena.deal.terms.in_tokens() && dice.one_in(2) {
                arena.mint(&vault, 1 + dice.below(1000));
            } else {
                arena.donate(&escrow, 1 + dice.below(1000));
            }
        }
        match arena.play(&deeds) {
            Ok(()) => done += 1,
            Err(_) => refused += 1,
        }
        assert!(arena.deal.stones.iter().all(|stone| (stone.status == SETTLED) == (stone.remaining == 0)));
    }
    arena.finish();
    // The address is used up: the deal's own funding deadline forbids a second one.
    if arena.world.now() >= arena.deal.terms.fund_by {
        assert!(arena.play(&[(arena.deal.rent_payer, Deed::Create)]).is_err());
    }
    (done, refused)
}

/// `ATTACK_PLAYS` for more of them than CI has time for.
fn plays(lane: u64) {
    let count = std::env::var("ATTACK_PLAYS").map_or(40, |plays| plays.parse().expect("a number"));
    let (mut done, mut refused) = (0, 0);
    for seed in 0..count {
        let counts = play(lane << 32 | seed);
        done += counts.0;
        refused += counts.1;
    }
    eprintln!("{done} transactions, {refused} refused");
    assert!(done > 5 * count as u32 && refused > 5 * count as u32, "{done}, {refused}: hardly anything was tried");
}

#[test]
fn whatever_people_do_the_referee_agrees() {
    plays(1);
}

#[test]
fn whatever_other_people_do_the_referee_agrees() {
    plays(2);
}
