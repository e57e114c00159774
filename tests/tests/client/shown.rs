//! Whether an escrow shows that an action was executed: on that rests "expired", so a wrong "no" would pay twice.

use escrow_client::{
    Action, EscrowAccount, EscrowInstruction, Milestone, MilestoneStatus, Proposal, TermsBuilder,
    deal::action::Preview,
    explain::possibilities,
    terms::{Asset, DAY, Fee, milestone},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

const NOW: i64 = 1_800_000_000;
const SECRET: [u8; 32] = [7; 32];

fn key(number: u8) -> Pubkey {
    Pubkey::new_from_array([number; 32])
}

fn agreed(rng: &mut StdRng) -> EscrowAccount {
    let milestones = vec![milestone(1_000, NOW + 10 * i64::from(DAY)); rng.random_range(1..=3)];
    let is_locked = milestones.len() == 1 && rng.random();
    let builder = TermsBuilder {
        arbiter: Some(key(3)),
        attester: Some(key(5)),
        fee: Some(Fee { recipient: key(4), bps: 250 }),
        hashlock: is_locked.then(|| Sha256::digest(SECRET).into()),
        milestones,
        ..TermsBuilder::new(key(1), key(2), Asset::Sol)
    };
    EscrowAccount::agreed(&builder.build(NOW).unwrap(), key(6)).unwrap()
}

/// Everything that somebody may do at this moment, and offers and parts of it.
fn actions(escrow: &EscrowAccount, now: i64, rng: &mut StdRng) -> Vec<Action> {
    let open = possibilities(escrow, now).into_iter().filter(|possible| possible.is_open(now));
    let mut actions: Vec<Action> = open.map(|possible| possible.action).collect();
    for action in &mut actions {
        if let EscrowInstruction::Claim { secret, .. } = &mut action.instruction {
            *secret = SECRET;
        }
        if action.instruction == EscrowInstruction::Cancel {
            *action = action.clone().by(escrow.state.buyer);
        }
    }
    for (index, present) in (0..).zip(&escrow.milestones) {
        let Milestone { remaining, deadline, .. } = *present;
        let (Ok(status), true) = (present.status(), present.is_open()) else { continue };
        let (amount, expected_remaining) = (rng.random_range(1..=remaining), remaining);
        let new = |instruction| Action::new(escrow, instruction);
        actions.push(new(EscrowInstruction::Release { milestone: index, amount, expected_remaining }));
        actions.push(new(EscrowInstruction::Refund { milestone: index, amount, expected_remaining }));
        let (status, expires_at): (MilestoneStatus, i64) = (status, now + 1_000);
        for proposal in [
            Proposal::Split { milestone: index, status, remaining, to_seller: amount, expires_at },
            Proposal::Extension { milestone: index, status, replaces: deadline, deadline: deadline + 60, expires_at },
        ] {
            let proposer = *[escrow.state.buyer, escrow.state.seller].choose(rng).unwrap();
            actions.push(new(EscrowInstruction::Propose { proposal }).by(proposer));
        }
    }
    actions
}

#[test]
fn what_was_executed_is_never_said_not_to_be_and_what_was_not_never_to_be() {
    let (mut executed, mut told, mut kinds) = (0, 0, std::collections::BTreeSet::new());
    for seed in 0..400 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let (mut escrow, mut now) = (agreed(rng), NOW);
        let mut done: Vec<Action> = Vec::new();
        for _ in 0..60 {
            now += *[0, 1, 4_000, i64::from(DAY)].choose(rng).unwrap();
            let open: Vec<(Action, Preview)> = actions(&escrow, now, rng)
                .into_iter()
                .filter_map(|action| Some((action.clone(), action.preview(&escrow, now).ok()?)))
                .collect();
            for (action, _) in &open {
                let shown = action.shown_in(Some(&escrow));
                assert_ne!(shown, Some(true), "seed {seed}: {action:?} was not executed: {escrow:?}");
                told += i32::from(shown.is_some());
            }
            let Some((action, preview)) = open.choose(rng) else { continue };
            kinds.insert(action.instruction.name());
            done.push(action.clone());
            executed += 1;
            let after = preview.after.as_ref();
            for action in &done {
                let shown = action.shown_in(after);
                assert_ne!(shown, Some(false), "seed {seed}: {action:?} was executed: {after:?}");
            }
            match &preview.after {
                Some(after) => escrow = after.clone(),
                None => break,
            }
        }
    }
    println!("{executed} executed, {told} times told that one was not, {kinds:?}");
    assert_eq!(kinds.len(), 13, "all but the creation: {kinds:?}");
    assert!(told > 10_000);
}
