//! What the program must log for each instruction, and what can be told of an escrow from its events and from its
//! instructions alone.

use anyhow::{Result, ensure};
use escrow_client::{
    EscrowInstruction, Proposal,
    escrow::{event::*, state::ProposalSlot},
    event::EscrowEvent,
};

use crate::model::{Call, Escrow, Model, Movements, Phase};

/// An amount of the model, which fits.
fn units(amount: i128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

fn seconds(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(i64::MIN)
}

/// The event of an instruction that did `done` and led to `model`.
pub fn expected(model: &Model, call: &Call, done: &Movements) -> EscrowEvent {
    let address = call.escrow;
    let escrow = model.escrows.get(&address);
    let after = |milestone: u8| escrow.and_then(|escrow| escrow.milestones.get(usize::from(milestone)));
    let deadline = |milestone| after(milestone).and_then(|m| m.phase.deadline()).map_or(0, seconds);
    let remaining = |milestone| after(milestone).map_or(0, |milestone| units(milestone.remaining));
    let (to_seller, fee, to_buyer) = (units(done.seller), units(done.fee), units(done.buyer));
    let reserved = [0; 7];
    let decided = |milestone| Decided { to_seller, fee, to_buyer, milestone, reserved };
    match &call.action {
        EscrowInstruction::Create { terms } => EscrowEvent::Created(Created {
            escrow: address,
            buyer: terms.buyer,
            seller: terms.seller,
            principal: terms.milestones.iter().map(|milestone| milestone.amount).sum(),
            fund_by: terms.fund_by,
        }),
        EscrowInstruction::Fund => EscrowEvent::Funded(Funded {
            escrow: address,
            principal: escrow.map_or(0, |escrow| units(escrow.principal())),
            cooling_off_end: escrow.and_then(Escrow::cooling_off_end).map_or(0, seconds),
        }),
        EscrowInstruction::Cancel => EscrowEvent::Cancelled(Cancelled { escrow: address, refunded: to_buyer }),
        EscrowInstruction::Deliver { milestone, evidence_hash } => EscrowEvent::Delivered(Delivered {
            escrow: address,
            evidence_hash: *evidence_hash,
            deadline: deadline(*milestone),
            milestone: *milestone,
            reserved,
        }),
        EscrowInstruction::Claim { .. } => EscrowEvent::Claimed(Claimed { escrow: address, to_seller, fee }),
        EscrowInstruction::Release { milestone, .. } => EscrowEvent::Released(Released {
            escrow: address,
            to_seller,
            fee,
            remaining: remaining(*milestone),
            milestone: *milestone,
            reserved,
        }),
        EscrowInstruction::Refund { milestone, .. } => EscrowEvent::Refunded(Refunded {
            escrow: address,
            to_buyer,
            remaining: remaining(*milestone),
            milestone: *milestone,
            reserved,
        }),
        EscrowInstruction::Dispute { milestone, reason_hash } => EscrowEvent::Disputed(Disputed {
            escrow: address,
            reason_hash: *reason_hash,
            deadline: deadline(*milestone),
            milestone: *milestone,
            reserved,
        }),
        EscrowInstruction::Rule { milestone, rationale_hash, .. } => EscrowEvent::Ruled(Ruled {
            escrow: address,
            rationale_hash: *rationale_hash,
            decided: decided(*milestone),
            to_arbiter: units(done.arbiter),
        }),
        EscrowInstruction::Propose { proposal } => {
            EscrowEvent::Proposed(Proposed { escrow: address, proposal: ProposalSlot::from(*proposal) })
        }
        EscrowInstruction::Accept { proposal } => {
            let milestone = proposal.milestone().unwrap_or(0);
            EscrowEvent::Accepted(Accepted {
                escrow: address,
                decided: decided(milestone),
                deadline: deadline(milestone),
            })
        }
        EscrowInstruction::Expire { milestone } => {
            EscrowEvent::Expired(Expired { escrow: address, decided: decided(*milestone) })
        }
        EscrowInstruction::Withdraw { .. } => {
            EscrowEvent::Withdrawn(Withdrawn { escrow: address, amount: units(done.paid) })
        }
        EscrowInstruction::Close => EscrowEvent::Closed(Closed { escrow: address, surplus: units(done.surplus) }),
    }
}

/// The state of an escrow as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    principal: i128,
    funded: bool,
    released: i128,
    refunded: i128,
    fees: i128,
    arbiter_fees: i128,
    paid: i128,
    proposals: u64,
    gone: bool,
}

impl Told {
    /// Takes in the next event.
    pub fn hear(&mut self, event: &EscrowEvent) {
        let mut decided = |seller: u64, fee: u64, buyer: u64| {
            self.released += i128::from(seller) + i128::from(fee);
            self.fees += i128::from(fee);
            self.refunded += i128::from(buyer);
        };
        match event {
            EscrowEvent::Created(event) => self.principal = event.principal.into(),
            EscrowEvent::Funded(_) => self.funded = true,
            EscrowEvent::Cancelled(event) => {
                decided(0, 0, event.refunded);
                self.gone = !self.funded;
            }
            EscrowEvent::Claimed(event) => decided(event.to_seller, event.fee, 0),
            EscrowEvent::Released(event) => decided(event.to_seller, event.fee, 0),
            EscrowEvent::Refunded(event) => decided(0, 0, event.to_buyer),
            EscrowEvent::Ruled(Ruled { decided: by, to_arbiter, .. }) => {
                decided(by.to_seller, by.fee, by.to_buyer);
                self.arbiter_fees += i128::from(*to_arbiter);
            }
            EscrowEvent::Accepted(Accepted { decided: by, .. }) | EscrowEvent::Expired(Expired { decided: by, .. }) => {
                decided(by.to_seller, by.fee, by.to_buyer);
            }
            EscrowEvent::Withdrawn(event) => self.paid += i128::from(event.amount),
            EscrowEvent::Closed(_) => self.gone = true,
            EscrowEvent::Proposed(_) => self.proposals += 1,
            EscrowEvent::Delivered(_) | EscrowEvent::Disputed(_) => {}
        }
    }

    /// Whether this is what `escrow` is; none where it does not exist.
    pub fn check(&self, escrow: Option<&Escrow>) -> Result<()> {
        let Some(escrow) = escrow else {
            let decided = self.released + self.refunded + self.arbiter_fees;
            let settled = if self.funded { self.principal == decided && self.paid == decided } else { decided == 0 };
            // An escrow that was never created told nothing.
            let silent = *self == Self::default();
            ensure!(silent || (self.gone && settled), "the events of a closed escrow say {self:?}");
            return Ok(());
        };
        let due: i128 = escrow.due.iter().sum();
        let truth = Self {
            principal: escrow.principal(),
            funded: escrow.funded_at.is_some(),
            released: escrow.released,
            refunded: escrow.refunded,
            fees: escrow.fees,
            arbiter_fees: escrow.arbiter_fees,
            paid: escrow.released + escrow.refunded + escrow.arbiter_fees - due,
            proposals: self.proposals,
            gone: false,
        };
        ensure!(*self == truth, "the events say {self:?}, where the escrow has {truth:?}");
        Ok(())
    }
}

/// Plays the instructions of an escrow again, as its transactions have them, and nothing else: this must lead to the same
/// state. So the history of an escrow says everything about it, also when no log and no account is left.
pub fn replay(history: &[(Vec<u8>, Call, i128)], escrow: Option<&Escrow>) -> Result<()> {
    let mut again: Option<Escrow> = None;
    for (data, call, time) in history {
        let Some(action) = EscrowInstruction::decode(data) else {
            anyhow::bail!("an instruction does not decode: {data:?}")
        };
        match (&action, &mut again) {
            (EscrowInstruction::Create { terms }, none) => {
                *none = Some(Escrow::new(terms, call.signer.unwrap_or_default()))
            }
            (EscrowInstruction::Fund, Some(escrow)) => escrow.funded_at = Some(*time),
            (EscrowInstruction::Cancel, Some(escrow)) if escrow.funded_at.is_some() => {
                escrow.refund_all(&mut Movements::default());
            }
            (EscrowInstruction::Cancel | EscrowInstruction::Close, none) => *none = None,
            (EscrowInstruction::Withdraw { recipient }, Some(escrow)) => escrow.pay(*recipient),
            (decision, Some(escrow)) => {
                let decided = escrow.decide(decision, call.signer, *time);
                ensure!(decided.is_ok(), "{decision:?} is refused when it is played again: {decided:?}");
            }
            (other, None) => anyhow::bail!("{other:?} before the escrow was created"),
        }
    }
    ensure!(again.as_ref() == escrow, "the instructions lead to {again:?}, where there is {escrow:?}");
    Ok(())
}

/// What tells two escrows apart for counting: the status of each milestone, what is due to whom, and what is proposed.
pub fn shape(escrow: &Escrow, now: i128) -> String {
    let mut shape = String::new();
    let terms = &escrow.terms;
    shape.push(if terms.mint == solana_pubkey::Pubkey::default() { 'S' } else { 'T' });
    shape.push(if escrow.funded_at.is_none() { 'c' } else { 'f' });
    shape.push(if escrow.cooling_off_end().is_some_and(|end| now < end) { 'o' } else { '-' });
    shape.push(if now < i128::from(terms.fund_by) { 'b' } else { '-' });
    for (milestone, agreed) in escrow.milestones.iter().zip(&terms.milestones) {
        let (name, deadline) = match milestone.phase {
            Phase::Pending(deadline) => ('P', deadline),
            Phase::Delivered(deadline) => ('D', deadline),
            Phase::Disputed(deadline) => ('X', deadline),
            Phase::Settled => ('S', i128::MAX),
        };
        shape.push(name);
        shape.push(if now < deadline { '<' } else { '>' });
        shape.push(if milestone.remaining == i128::from(agreed.amount) { '1' } else { '0' });
    }
    for due in escrow.due {
        shape.push(if due == 0 { '0' } else { '1' });
    }
    for proposal in escrow.proposals {
        shape.push(match proposal {
            None | Some(Proposal::Withdrawn) => '-',
            Some(Proposal::Split { .. }) => 's',
            Some(Proposal::Extension { .. }) => 'e',
        });
    }
    shape
}
