//! A bounded model checker goes through every order in which the instructions of a small escrow can follow each other, at
//! every second until all deadlines have passed: two milestones that do not know of each other, or one with a hash-lock.
//!
//! In every state the program's own rules and the reference model do each step side by side, so that this shows the same
//! as the random plays do, for all orders instead of many.

use std::hash::{Hash, Hasher};

use anyhow::{Result, ensure};
use bytemuck::bytes_of;
use escrow_client::{
    Action, EscrowAccount, EscrowError, EscrowInstruction, MilestoneStatus, MilestoneTerms, Proposal, Recipient, Terms,
    address,
    escrow::state::{Escrow, HEADER_SIZE, Milestone},
};
use escrow_tests::{SECRET, START, keypair};
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use stateright::{Checker, Model, Property};

use crate::{
    Check, Figure, Run,
    model::{self, Phase},
    play::layout,
};

/// The check.
pub const CHECK: Check = Check {
    name: "interleavings",
    shows: "in every order of all decisions on two milestones the program's rules and the reference model do the same, \
            exactly one exit is open, and every path ends with everything paid out",
    promises: &[1, 2, 6],
    run,
};

/// A funded escrow, and the last second that is looked at.
struct Small {
    name: &'static str,
    terms: Terms,
    /// Whether the parties negotiate: left out where there are two milestones with everything else.
    proposals: bool,
    end: i64,
}

#[derive(Clone, Debug)]
struct State {
    now: i64,
    program: Escrow,
    milestones: Vec<Milestone>,
    model: model::Escrow,
    /// Why the two differ.
    difference: Option<String>,
}

impl State {
    fn key(&self) -> (i64, &[u8], &[u8], &Option<String>) {
        (self.now, bytes_of(&self.program), bytemuck::cast_slice(&self.milestones), &self.difference)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Tick,
    Do(EscrowInstruction, Option<Pubkey>),
}

impl Small {
    fn who(&self) -> [Option<Pubkey>; 3] {
        [Some(self.terms.buyer), Some(self.terms.seller), Some(self.terms.arbiter)]
    }

    /// Whether nothing but the secret delivers.
    fn is_secret_alone(&self) -> bool {
        self.terms.hashlock != [0; 32] && self.terms.attester == Pubkey::default()
    }

    /// Every instruction that means something now or would mean something at another time; whether it is accepted is
    /// what is looked at.
    fn steps(&self, state: &State) -> Vec<Step> {
        let [buyer, seller, arbiter] = self.who();
        let mut steps = vec![Step::Do(EscrowInstruction::Cancel, buyer)];
        for (milestone, present) in (0u8..).zip(&state.milestones) {
            let remaining = present.remaining;
            let mut push = |action, signer| steps.push(Step::Do(action, signer));
            push(EscrowInstruction::Deliver { milestone, evidence_hash: [1; 32] }, seller);
            push(EscrowInstruction::Dispute { milestone, reason_hash: [2; 32] }, buyer);
            push(EscrowInstruction::Rule { milestone, seller_bps: 3_333, rationale_hash: [3; 32] }, arbiter);
            push(EscrowInstruction::Expire { milestone }, None);
            if self.terms.hashlock != [0; 32] {
                push(EscrowInstruction::Claim { milestone, secret: SECRET }, None);
            }
            // A part once, then the rest.
            let amount = if remaining == present.amount { remaining / 2 } else { remaining };
            push(EscrowInstruction::Release { milestone, amount, expected_remaining: remaining }, buyer);
            push(EscrowInstruction::Refund { milestone, amount, expected_remaining: remaining }, seller);
            if self.proposals {
                let expires_at = START + 4;
                let status = present.status().unwrap_or(MilestoneStatus::Settled);
                let split = Proposal::Split { milestone, status, remaining, to_seller: remaining / 3, expires_at };
                let (replaces, deadline) = (present.deadline, START + 5);
                let extension = Proposal::Extension { milestone, status, replaces, deadline, expires_at };
                for proposal in [split, extension] {
                    push(EscrowInstruction::Propose { proposal }, seller);
                }
            }
        }
        if self.proposals {
            steps.push(Step::Do(EscrowInstruction::Propose { proposal: Proposal::Withdrawn }, seller));
            if let Some(proposal) = state.model.proposals[1] {
                steps.push(Step::Do(EscrowInstruction::Accept { proposal }, buyer));
            }
        }
        steps.extend(Recipient::ALL.map(|recipient| Step::Do(EscrowInstruction::Withdraw { recipient }, None)));
        if state.now < self.end {
            steps.push(Step::Tick);
        }
        steps
    }

    /// Does it in both. None where both refuse.
    fn step(&self, before: &State, step: &Step) -> Option<State> {
        let mut state = before.clone();
        let Step::Do(action, signer) = step else {
            state.now += 1;
            return Some(state);
        };
        let now = i128::from(state.now);
        let by_program = by_program(&mut state.program, &mut state.milestones, action, *signer, before.now);
        let by_model = by_model(&mut state.model, action, *signer, now);
        state.difference = match (by_program, by_model) {
            (Ok(()), Ok(())) => {
                let expected = layout::bytes(&self.address(), &state.model);
                let header = expected.get(8..8 + HEADER_SIZE) == Some(bytes_of(&state.program));
                let milestones: &[u8] = bytemuck::cast_slice(&state.milestones);
                let same = header && expected.get(8 + HEADER_SIZE + 8..) == Some(milestones);
                (!same).then(|| format!("{action:?} leads to {:?} and {:?}", state.program, state.model))
            }
            (Err(error), Err(reasons)) if reasons.contains(&model::Reason::Rule(error)) => return None,
            (program, model) => Some(format!("{action:?}: the program {program:?}, the model {model:?}")),
        };
        Some(state)
    }

    fn address(&self) -> Pubkey {
        address::escrow_address(&self.terms).unwrap_or_default()
    }

    fn start(&self) -> State {
        let mut model = model::Escrow::new(&self.terms, keypair(2).pubkey());
        model.funded_at = Some(START.into());
        let bytes = layout::bytes(&self.address(), &model);
        let program = bytemuck::pod_read_unaligned(&bytes[8..8 + HEADER_SIZE]);
        let milestones = bytes[8 + HEADER_SIZE + 8..].chunks_exact(size_of::<Milestone>());
        let milestones = milestones.map(bytemuck::pod_read_unaligned).collect();
        State { now: START, program, milestones, model, difference: None }
    }

    /// Whether the party whose turn it is may act on the milestone, and whether the default applies.
    fn exits(&self, state: &State, milestone: u8) -> (bool, bool) {
        let [buyer, seller, arbiter] = self.who();
        let accepts = |action: EscrowInstruction, signer| {
            let mut state = state.clone();
            by_program(&mut state.program, &mut state.milestones, &action, signer, state.now).is_ok()
        };
        let turn = match state.model.milestones[usize::from(milestone)].phase {
            // The secret is the delivery where nobody else delivers; otherwise it stands beside the one exit.
            Phase::Pending(_) => {
                accepts(EscrowInstruction::Deliver { milestone, evidence_hash: [0; 32] }, seller)
                    || self.is_secret_alone() && accepts(EscrowInstruction::Claim { milestone, secret: SECRET }, None)
                    || accepts(EscrowInstruction::Cancel, buyer)
            }
            Phase::Delivered(_) => accepts(EscrowInstruction::Dispute { milestone, reason_hash: [0; 32] }, buyer),
            Phase::Disputed(_) => {
                accepts(EscrowInstruction::Rule { milestone, seller_bps: 0, rationale_hash: [0; 32] }, arbiter)
            }
            Phase::Settled => false,
        };
        (turn, accepts(EscrowInstruction::Expire { milestone }, None))
    }
}

/// By the program's rules, as the client previews them.
fn by_program(
    escrow: &mut Escrow,
    milestones: &mut Vec<Milestone>,
    instruction: &EscrowInstruction,
    actor: Option<Pubkey>,
    now: i64,
) -> Result<(), EscrowError> {
    // Nothing in a preview depends on the address.
    let address = Pubkey::default();
    let deal = EscrowAccount { address, lamports: 0, state: *escrow, milestones: milestones.clone() };
    let action = Action { escrow: address, instruction: instruction.clone(), actor, token_account: None };
    // Of these steps none closes the escrow.
    let after = action.preview(&deal, now)?.after.ok_or(EscrowError::Corrupt)?;
    (*escrow, *milestones) = (after.state, after.milestones);
    Ok(())
}

fn by_model(
    escrow: &mut model::Escrow,
    action: &EscrowInstruction,
    signer: Option<Pubkey>,
    now: i128,
) -> Result<(), Vec<model::Reason>> {
    let rule = |error| Err(vec![model::Reason::Rule(error)]);
    match action {
        EscrowInstruction::Cancel if escrow.cooling_off_end().is_none_or(|end| now >= end) => {
            rule(EscrowError::CoolingOffOver)
        }
        EscrowInstruction::Cancel if escrow.remaining() == 0 => rule(EscrowError::NothingToCancel),
        EscrowInstruction::Cancel => {
            escrow.refund_all(&mut model::Movements::default());
            Ok(())
        }
        EscrowInstruction::Withdraw { recipient } if escrow.due(*recipient) == 0 => rule(EscrowError::NothingDue),
        EscrowInstruction::Withdraw { recipient } => {
            escrow.pay(*recipient);
            Ok(())
        }
        decision => escrow.decide(decision, signer, now).map(|_| ()),
    }
}

impl Model for Small {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        let accepted = self.steps(state).into_iter().filter(|step| self.step(state, step).is_some());
        actions.extend(accepted);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        self.step(state, &step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("the rules and the model agree", |_, state: &State| state.difference.is_none()),
            Property::always("one exit at a time", |small: &Self, state: &State| {
                (0u8..).zip(&state.milestones).all(|(milestone, present)| {
                    let (turn, default) = small.exits(state, milestone);
                    if present.is_settled() { !turn && !default } else { turn != default }
                })
            }),
            Property::always("every path ends with everything paid out", |small: &Self, state: &State| {
                let mut next = Vec::new();
                small.actions(state, &mut next);
                // Emptying an empty slot leads nowhere.
                let moves = next.iter().any(|step| small.step(state, step).is_some_and(|after| after != *state));
                moves || state.program.check_close(&state.milestones, state.now).is_ok()
            }),
            Property::sometimes("a ruling pays the arbiter", |_, state: &State| state.program.ledger.arbiter_fees != 0),
            Property::sometimes("an extension is agreed", |small: &Self, state: &State| {
                !small.proposals || state.milestones.iter().any(|m| m.status == 0 && m.deadline > m.deliver_by)
            }),
        ]
    }
}

fn terms(milestones: &[(u64, i64)], hashlock: [u8; 32]) -> Terms {
    let milestone =
        |(amount, after): &(u64, i64)| MilestoneTerms { amount: *amount, deliver_by: START + after, review_window: 1 };
    Terms {
        buyer: keypair(3).pubkey(),
        seller: keypair(4).pubkey(),
        arbiter: keypair(5).pubkey(),
        attester: Pubkey::default(),
        fee_recipient: keypair(7).pubkey(),
        mint: Pubkey::default(),
        token_program: Pubkey::default(),
        accepted_risks: 0,
        fee_bps: 1_000,
        arbiter_fee_bps: 1_000,
        fund_by: START + 1,
        cooling_off: 1,
        ruling_window: 1,
        undelivered_bps: 0,
        unanswered_bps: 10_000,
        unruled_bps: 5_000,
        hashlock,
        document_hash: [0; 32],
        salt: [0; 16],
        milestones: milestones.iter().map(milestone).collect(),
    }
}

/// The seller delivers, besides the secret.
fn attested(terms: Terms) -> Terms {
    Terms { attester: terms.seller, ..terms }
}

fn run(run: &Run) -> Result<Vec<Figure>> {
    let locked: [u8; 32] = Sha256::digest(SECRET).into();
    let cases = [
        Small { name: "two milestones", terms: terms(&[(21, 2), (35, 3)], [0; 32]), proposals: false, end: START + 5 },
        Small { name: "one with proposals", terms: terms(&[(35, 3)], [0; 32]), proposals: true, end: START + 7 },
        Small {
            name: "one with a hash-lock",
            terms: attested(terms(&[(35, 3)], locked)),
            proposals: true,
            end: START + 7,
        },
        Small { name: "one with a hash-lock alone", terms: terms(&[(35, 3)], locked), proposals: true, end: START + 7 },
    ];
    let count = cases.len() as u64;
    let mut figures = Vec::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for (number, case) in (1u64..).zip(cases) {
        let (name, is_secret_alone) = (case.name, case.is_secret_alone());
        let checker = case.checker().threads(threads).spawn_bfs().join();
        for (property, path) in checker.discoveries() {
            let wanted = ["a ruling pays the arbiter", "an extension is agreed"].contains(&property);
            ensure!(wanted, "{name}: \"{property}\" does not hold after\n{path}");
        }
        ensure!(checker.is_done(), "{name}: not all states were looked at");
        let is_ruled = checker.discovery("a ruling pays the arbiter").is_some();
        ensure!(is_ruled != is_secret_alone, "{name}: rulings where nothing is delivered, or none where it is");
        ensure!(checker.discovery("an extension is agreed").is_some(), "{name}: nothing is ever extended");
        figures.push(Figure::new(format!("states of {name}, all of them"), checker.unique_state_count()));
        figures.push(Figure::new(format!("steps between them ({name})"), checker.state_count()));
        (run.progress)(number, count);
    }
    Ok(figures)
}
