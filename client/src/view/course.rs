//! How a milestone went, from the escrow's history.

use serde::{Deserialize, Serialize};

use super::{Entry, Escrow, Shares, Time};
use crate::{
    EscrowInstruction, Proposal,
    history::History,
    words::{self, Denomination, name},
};

/// How a milestone went: what its account does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Course {
    /// When it was said to be delivered; none where it was not, or where the node does not know when.
    pub delivered: Option<Time>,
    /// The hash of the evidence that was given with the delivery, in hexadecimal.
    pub evidence_hash: Option<String>,
    /// When it was disputed; none where it was not, or where the node does not know when.
    pub disputed: Option<Time>,
    /// The hash of the reason that was given with the dispute, in hexadecimal.
    pub reason_hash: Option<String>,
    /// What decided it, part by part, the oldest first.
    pub decisions: Vec<Decision>,
}

/// What decided a milestone, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Decision {
    /// The instruction.
    pub action: String,
    /// When it was executed, if the node knows.
    pub time: Option<Time>,
    /// What everybody got by it; none where that is not known. Of an escrow that is cancelled, in all its milestones.
    pub shares: Option<Shares>,
    /// The hash of the rationale that was given with a ruling, in hexadecimal.
    pub rationale_hash: Option<String>,
    /// The transaction.
    pub signature: String,
    /// The same in words.
    pub text: String,
}

impl Escrow {
    /// The same, with what `history` tells of each milestone, as seen at the chain's present time `now`.
    pub fn with_history(mut self, history: &History, denomination: &Denomination, now: i64) -> Self {
        let told = super::History::new(history, denomination, now);
        for milestone in &mut self.milestones {
            let mut course = Course::default();
            for (step, entry) in history.steps.iter().zip(&told.entries) {
                let instruction = &step.entry.action.instruction;
                let of_all = matches!(instruction, EscrowInstruction::Cancel);
                if of_all || instruction.milestone().map(name::number) == Some(milestone.number) {
                    course.take_in(instruction, entry);
                }
            }
            milestone.course = Some(course);
        }
        self.history_missing = words::history::missing(history, now);
        self
    }
}

impl Course {
    fn take_in(&mut self, instruction: &EscrowInstruction, entry: &Entry) {
        let Entry { time, hash, .. } = entry;
        match instruction {
            EscrowInstruction::Deliver { .. } => {
                (self.delivered, self.evidence_hash) = (time.clone(), hash.clone());
            }
            EscrowInstruction::Dispute { .. } => {
                (self.disputed, self.reason_hash) = (time.clone(), hash.clone());
            }
            EscrowInstruction::Claim { .. }
            | EscrowInstruction::Release { .. }
            | EscrowInstruction::Refund { .. }
            | EscrowInstruction::Rule { .. }
            | EscrowInstruction::Expire { .. }
            | EscrowInstruction::Cancel => self.decide(entry),
            EscrowInstruction::Accept { proposal: Proposal::Split { .. } } => self.decide(entry),
            _ => {}
        }
    }

    fn decide(&mut self, entry: &Entry) {
        let Entry { action, time, shares, hash, signature, text, .. } = entry.clone();
        self.decisions.push(Decision { action, time, shares, rationale_hash: hash, signature, text });
    }
}
