//! What needs somebody is what the rules allow and silence would answer; the most urgent comes first.

use escrow_client::{
    Action, EscrowAccount, EscrowInstruction, MilestoneStatus, TermsBuilder,
    due::{self, Ahead, Attention, Deadline, DeadlineKind, Need, Role, State, Wanted},
    terms::{self, Asset},
    view,
    words::{Denomination, sentence::Teller},
};
use escrow_tests::{
    DAY, HOUR, START,
    lives::{Life, Random, people},
};

const SOL: u64 = 1_000_000_000;

fn agreed() -> EscrowAccount {
    let mut terms = TermsBuilder::new(people::BUYER, people::SELLER, Asset::Sol).assemble(START).expect("terms");
    (terms.arbiter, terms.arbiter_fee_bps) = (people::ARBITER, 100);
    terms.milestones.push(terms::milestone(SOL, START + 10 * DAY));
    EscrowAccount::agreed(&terms, people::RENT_PAYER).expect("terms that hash")
}

fn after(escrow: &EscrowAccount, instruction: EscrowInstruction, now: i64) -> EscrowAccount {
    let preview = Action::new(escrow, instruction).preview(escrow, now).expect("allowed");
    preview.after.expect("not closed")
}

fn funded() -> EscrowAccount {
    after(&agreed(), EscrowInstruction::Fund, START)
}

fn delivered() -> EscrowAccount {
    after(&funded(), EscrowInstruction::Deliver { milestone: 0, evidence_hash: [0; 32] }, START + DAY)
}

fn needs(escrow: &EscrowAccount, who: &solana_pubkey::Pubkey, now: i64) -> Vec<(Need, Option<i64>)> {
    due::tasks(escrow, who, now).into_iter().map(|task| (task.need, task.until)).collect()
}

#[test]
fn each_has_a_turn_and_nobody_else() {
    let disputed = after(&delivered(), EscrowInstruction::Dispute { milestone: 0, reason_hash: [0; 32] }, START + DAY);
    let (review, ruling) = (START + 4 * DAY, START + 8 * DAY);
    for (escrow, whose, need, until) in [
        (agreed(), Role::Buyer, Need::Fund, START + DAY),
        (funded(), Role::Seller, Need::Deliver, START + 10 * DAY),
        (delivered(), Role::Buyer, Need::Review, review),
        (disputed, Role::Arbiter, Need::Rule, ruling),
    ] {
        for role in [Role::Buyer, Role::Seller, Role::Arbiter, Role::RentPayer] {
            let who = role.address(&escrow).expect("named");
            let expected = if role == whose { vec![(need, Some(until))] } else { Vec::new() };
            assert_eq!(needs(&escrow, &who, START + DAY - 1), expected, "{role:?}");
        }
    }
}

#[test]
fn a_deadline_that_has_passed_is_for_who_gains_by_it() {
    let (delivered, now) = (delivered(), START + 4 * DAY);
    assert_eq!(needs(&delivered, &people::SELLER, now), [(Need::Apply, None)]);
    assert_eq!(needs(&delivered, &people::BUYER, now), []);
    let settled = after(&delivered, EscrowInstruction::Expire { milestone: 0 }, now);
    let recipient = escrow_client::Recipient::Seller;
    assert_eq!(needs(&settled, &people::SELLER, now), [(Need::Collect(recipient), None)]);
    let empty = after(&settled, EscrowInstruction::Withdraw { recipient }, now);
    assert_eq!(needs(&empty, &people::SELLER, now), []);
    assert_eq!(needs(&empty, &people::RENT_PAYER, now), [(Need::Close, None)]);
}

#[test]
fn a_dispute_without_an_arbiter_needs_both() {
    let mut terms = agreed().terms();
    (terms.arbiter, terms.arbiter_fee_bps) = (Default::default(), 0);
    let agreed = EscrowAccount::agreed(&terms, people::RENT_PAYER).expect("terms that hash");
    let escrow = after(&agreed, EscrowInstruction::Fund, START);
    let escrow = after(&escrow, EscrowInstruction::Deliver { milestone: 0, evidence_hash: [0; 32] }, START);
    let escrow = after(&escrow, EscrowInstruction::Dispute { milestone: 0, reason_hash: [0; 32] }, START);
    for who in [people::BUYER, people::SELLER] {
        assert_eq!(needs(&escrow, &who, START), [(Need::Agree, Some(START + 7 * DAY))]);
    }
}

#[test]
fn one_is_told_at_half_the_window_a_day_an_hour_before_and_when_it_has_passed() {
    let told = |window, at| Deadline { kind: DeadlineKind::Review(0), at, window }.reminders();
    let at = START + 100 * DAY;
    assert_eq!(
        told(Some(10 * DAY), at),
        [(Ahead::HalfTheWindow, at - 5 * DAY), (Ahead::Day, at - DAY), (Ahead::Hour, at - HOUR), (Ahead::Nothing, at)]
    );
    // A day of a window of six hours was before it; half of two days is a day.
    assert_eq!(
        told(Some(6 * HOUR), at),
        [(Ahead::HalfTheWindow, at - 3 * HOUR), (Ahead::Hour, at - HOUR), (Ahead::Nothing, at)]
    );
    assert_eq!(
        told(Some(2 * DAY), at),
        [(Ahead::HalfTheWindow, at - DAY), (Ahead::Hour, at - HOUR), (Ahead::Nothing, at)]
    );
    assert_eq!(told(None, at), [(Ahead::Day, at - DAY), (Ahead::Hour, at - HOUR), (Ahead::Nothing, at)]);
    assert_eq!(told(Some(0), at), [(Ahead::Nothing, at)]);
    assert_eq!(told(Some(i64::MAX), i64::MIN).len(), 1);
}

#[test]
fn a_list_shows_what_was_asked_for_and_the_most_urgent_first() {
    let escrow = |seconds: i64| {
        let mut terms = agreed().terms();
        terms.milestones[0].deliver_by = START + seconds;
        let agreed = EscrowAccount::agreed(&terms, people::RENT_PAYER).expect("terms that hash");
        after(&agreed, EscrowInstruction::Fund, START)
    };
    let (soon, late, mine) = (escrow(2 * DAY), escrow(9 * DAY), delivered());
    let now = START + DAY;
    let all = || vec![late.clone(), soon.clone(), mine.clone()];
    let shown = |who, wanted: Wanted| -> Vec<_> {
        due::list(all(), who, &wanted, now).into_iter().map(|one| one.escrow.address).collect()
    };
    // What waits for somebody else comes behind, also if its deadline is sooner.
    assert_eq!(shown(&people::SELLER, Wanted::default()), [soon.address, late.address, mine.address]);
    assert_eq!(shown(&people::BUYER, Wanted::default()), [mine.address, soon.address, late.address]);
    let within = |seconds| Wanted { due_within: Some(seconds), ..Wanted::default() };
    assert_eq!(shown(&people::SELLER, within(DAY)), [soon.address]);
    assert_eq!(shown(&people::SELLER, within(DAY - 1)), []);
    let state = Wanted { state: Some(State::Delivered), ..Wanted::default() };
    assert_eq!(shown(&people::BUYER, state), [mine.address]);
    let role = Wanted { role: Some(Role::Seller), ..Wanted::default() };
    assert_eq!(shown(&people::BUYER, role), []);
    assert_eq!(shown(&people::SELLER, role).len(), 3);
}

#[test]
fn a_deal_is_told_in_a_line() {
    let line = |escrow: &EscrowAccount, who, now| {
        let teller = Teller { denomination: &Denomination::SOL, now };
        teller.next(&Attention::new(escrow.clone(), who, now))
    };
    let now = START + DAY;
    assert_eq!(
        line(&funded(), &people::SELLER, now).as_deref(),
        Some("Deliver milestone 1 until 2027-01-25T08:00:00Z (in 9d); otherwise 1 SOL for the buyer.")
    );
    assert_eq!(
        line(&funded(), &people::BUYER, now).as_deref(),
        Some("Nothing until the delivery deadline of milestone 1: 2027-01-25T08:00:00Z (in 9d).")
    );
    assert_eq!(
        line(&delivered(), &people::SELLER, START + 5 * DAY).as_deref(),
        Some("Apply the default to milestone 1, whose deadline has passed: 1 SOL for the seller.")
    );
}

/// A task is something that the rules allow at that moment, to who has it; whoever has one whose time ends loses it then.
#[test]
fn in_every_state_of_every_life_tasks_are_what_the_rules_allow() {
    let everybody =
        [people::BUYER, people::SELLER, people::ARBITER, people::FEE_RECIPIENT, people::ATTESTER, people::RENT_PAYER];
    let (mut states, mut kinds) = (0, std::collections::BTreeMap::<String, u32>::new());
    for seed in 0..300 {
        let life = Life::random(&mut Random::new(seed), 20);
        for act in &life.acts {
            let Some(escrow) = &act.after else { continue };
            states += 1;
            let mut moments = vec![act.time];
            moments.extend(due::deadlines(escrow).iter().flat_map(|deadline| [deadline.at - 1, deadline.at]));
            for now in moments.into_iter().filter(|moment| *moment >= act.time) {
                let all: Vec<_> = everybody.iter().map(|who| due::tasks(escrow, who, now)).collect();
                for task in all.iter().flatten() {
                    let kind = format!("{:?}", task.need);
                    *kinds.entry(kind.split(['(', ' ']).next().unwrap_or_default().to_owned()).or_default() += 1;
                    assert!(task.until.is_none_or(|until| until > now), "{seed}: {task:?}");
                }
                // Whose turn it is, is told; and what anyone may do is offered to somebody who gains by it.
                for (index, milestone) in (0u8..).zip(&escrow.milestones) {
                    let open = milestone.deadline > now && milestone.status() != Ok(MilestoneStatus::Settled);
                    let cooled = escrow.state.cooling_off_end().is_ok_and(|end| end <= now);
                    let strict = escrow.state.is_hashlocked() && milestone.status() != Ok(MilestoneStatus::Pending);
                    if escrow.is_funded() && open && cooled && !strict {
                        let turn = |tasks: &Vec<due::Task>| tasks.iter().any(|task| task.milestone == Some(index));
                        assert!(all.iter().any(turn), "{seed}: nobody's turn on {index} at {now}: {escrow:?}");
                    }
                }
                for action in due::for_anyone(escrow, now) {
                    if !matches!(action.instruction, EscrowInstruction::Withdraw { .. } | EscrowInstruction::Close) {
                        assert!(action.preview(escrow, now).is_ok(), "{seed}: {action:?}");
                    }
                }
                let next = due::next_for_anyone(escrow, now);
                assert_eq!(next == Some(now), !due::for_anyone(escrow, now).is_empty(), "{seed}: {next:?} {escrow:?}");
                let attention = Attention::new(escrow.clone(), &people::BUYER, now);
                let shown = view::Attention::new(&attention, &people::BUYER, &Denomination::SOL, now);
                assert_eq!(shown.tasks.len(), attention.tasks.len());
            }
        }
    }
    println!("{states} states: {kinds:?}");
    for kind in ["Fund", "Deliver", "Claim", "Review", "Rule", "Agree", "Answer", "Apply", "Collect", "Close"] {
        assert!(kinds.contains_key(kind), "no {kind} in any of {states} states");
    }
}
