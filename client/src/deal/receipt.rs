//! How a deal ended, and everything that moved on the way: what a receipt says.
//!
//! It follows from the history, and is held against itself: what was paid in is what was decided, and what was decided is what
//! was paid out and what is still due. A history that is not whole gives no receipt.

use escrow::state::{MilestoneStatus, Moved, Recipient, Terms};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use thiserror::Error;

use super::{
    account::EscrowAccount,
    action::{Action, EscrowInstruction},
    due::{Role, role_of},
    history::{Completeness, History, Step},
    terms::Asset,
};

/// How a milestone was decided, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The buyer released it.
    Released,
    /// The delivery code claimed it.
    Claimed,
    /// The seller refunded it.
    Refunded,
    /// The arbiter ruled.
    Ruled,
    /// Both agreed.
    Agreed,
    /// Nobody delivered in time.
    Undelivered,
    /// The buyer did not answer a delivery in time.
    Unanswered,
    /// Nobody ruled in time.
    Unruled,
    /// The buyer cancelled in the cooling-off period.
    Cancelled,
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// On the milestone with this index; none: on all that remained.
    pub milestone: Option<u8>,
    /// How it came about.
    pub reason: Reason,
    /// Who gets what by it.
    pub moved: Moved,
    /// When, in unix seconds.
    pub time: i64,
    /// In which transaction.
    pub signature: Signature,
}

/// Money that moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Into the escrow (the buyer's), or out of it to this one.
    pub direction: Direction,
    /// How much, in the asset's smallest unit.
    pub units: u64,
    /// Whose address.
    pub address: Pubkey,
    /// When, in unix seconds.
    pub time: i64,
    /// In which slot.
    pub slot: u64,
    /// In which transaction.
    pub signature: Signature,
}

/// Where it moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The buyer paid in.
    In,
    /// It was paid out to this one.
    Out(Recipient),
}

/// How the deal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was given up before anything was paid in.
    GivenUp,
    /// Everything is decided and paid out.
    Paid,
    /// Everything is decided, and something is still to be paid out.
    Due,
}

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The escrow's address, which follows from the terms.
    pub escrow: Pubkey,
    /// What was agreed.
    pub terms: Terms,
    /// In what.
    pub asset: Asset,
    /// How it stands.
    pub ending: Ending,
    /// When the escrow was created, in unix seconds.
    pub created: i64,
    /// When the last thing happened, in unix seconds.
    pub ended: i64,
    /// What was decided, in order.
    pub decisions: Vec<Decision>,
    /// What moved, in order.
    pub movements: Vec<Movement>,
    /// What was paid in.
    pub paid_in: u64,
    /// Who got how much by all decisions.
    pub decided: Moved,
    /// Who was paid how much.
    pub paid_out: Moved,
    /// The transaction that closed the account; none where it is open.
    pub closed: Option<Signature>,
}

/// Why there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The history is not whole.
    #[error("there is no receipt as long as the escrow's history is not whole: ask a node that remembers all of it")]
    Incomplete(Completeness),
    /// The deal is not over.
    #[error("there is no receipt before everything is decided: something is still open")]
    Open,
    /// The amounts do not add up.
    #[error("the amounts in the escrow's history do not add up: do not rely on this node")]
    Contradiction,
}

impl Receipt {
    /// The receipt for a deal that is over.
    ///
    /// # Errors
    ///
    /// Where it is not over, or its history is not whole, or does not add up.
    pub fn new(history: &History) -> Result<Self, ReceiptError> {
        if history.completeness != Completeness::Whole || !history.unreadable.is_empty() {
            return Err(ReceiptError::Incomplete(history.completeness.clone()));
        }
        // After an unfunded one was cancelled, the same terms can be created again: the last life counts.
        let is_creation = |step: &Step| matches!(step.entry.action.instruction, EscrowInstruction::Create { .. });
        let begin = history.steps.iter().rposition(is_creation).ok_or(ReceiptError::Contradiction)?;
        let steps = history.steps.get(begin..).unwrap_or_default();
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Err(ReceiptError::Contradiction) };
        let EscrowInstruction::Create { terms } = &first.entry.action.instruction else {
            return Err(ReceiptError::Contradiction);
        };
        let agreed = EscrowAccount::agreed(terms, Pubkey::default()).map_err(|_| ReceiptError::Contradiction)?;
        let mut receipt = Self {
            escrow: history.escrow,
            terms: (**terms).clone(),
            asset: agreed.asset(),
            ending: Ending::GivenUp,
            created: time(first)?,
            ended: time(last)?,
            decisions: Vec::new(),
            movements: Vec::new(),
            paid_in: 0,
            decided: Moved::default(),
            paid_out: Moved::default(),
            closed: None,
        };
        for step in steps {
            receipt.take(&agreed, step)?;
        }
        let after = last.replayed.as_ref().and_then(|preview| preview.after.as_ref());
        receipt.ending = match after {
            Some(escrow) if !escrow.is_settled() => return Err(ReceiptError::Open),
            Some(escrow) if escrow.due().next().is_some() => Ending::Due,
            Some(_) => Ending::Paid,
            None if receipt.paid_in == 0 => Ending::GivenUp,
            None => Ending::Paid,
        };
        receipt.check(after)?;
        Ok(receipt)
    }

    fn take(&mut self, agreed: &EscrowAccount, step: &Step) -> Result<(), ReceiptError> {
        let preview = step.replayed.as_ref().ok_or(ReceiptError::Contradiction)?;
        let (time, signature) = (time(step)?, step.entry.signature);
        let effects = preview.effects;
        self.movements.extend(of_step(agreed, step)?);
        self.paid_in = self.paid_in.checked_add(effects.paid_in).ok_or(ReceiptError::Contradiction)?;
        if effects.decided != Moved::default() {
            let reason = reason(&step.entry.action, step.before.as_ref()).ok_or(ReceiptError::Contradiction)?;
            let (milestone, moved) = (step.entry.action.instruction.milestone(), effects.decided);
            self.decided = sum(self.decided, moved).ok_or(ReceiptError::Contradiction)?;
            self.decisions.push(Decision { milestone, reason, moved, time, signature });
        }
        if effects.paid_out.is_some() {
            let moved = effects.moved().unwrap_or_default();
            self.paid_out = sum(self.paid_out, moved).ok_or(ReceiptError::Contradiction)?;
        }
        if preview.after.is_none() {
            self.closed = Some(signature);
        }
        Ok(())
    }

    /// Nothing is created or lost.
    fn check(&self, after: Option<&EscrowAccount>) -> Result<(), ReceiptError> {
        let due = self.due();
        let adds_up = total(self.decided) == Some(self.paid_in)
            && sum(self.paid_out, due) == Some(self.decided)
            && match after {
                None => due == Moved::default(),
                Some(escrow) => {
                    let ledger = &escrow.state.ledger;
                    let Moved { seller, fee, buyer, arbiter } = self.decided;
                    (ledger.principal, ledger.refunded, ledger.arbiter_fees) == (self.paid_in, buyer, arbiter)
                        && seller.checked_add(fee) == Some(ledger.released)
                        && ledger.fees == fee
                }
            };
        if adds_up { Ok(()) } else { Err(ReceiptError::Contradiction) }
    }

    /// What is decided and still to be paid out.
    pub fn due(&self) -> Moved {
        Moved {
            seller: self.decided.seller.saturating_sub(self.paid_out.seller),
            fee: self.decided.fee.saturating_sub(self.paid_out.fee),
            buyer: self.decided.buyer.saturating_sub(self.paid_out.buyer),
            arbiter: self.decided.arbiter.saturating_sub(self.paid_out.arbiter),
        }
    }

    /// What somebody who is this got by all decisions.
    pub fn share(&self, role: Role) -> u64 {
        let of = |recipient| (role_of(recipient) == role).then(|| units(self.decided, recipient));
        Recipient::ALL.into_iter().find_map(of).unwrap_or(0)
    }
}

/// All that moved in a history, in order: whether or not the deal is over, and also what an earlier escrow of the same terms moved.
///
/// # Errors
///
/// Where the history is not whole.
pub fn movements(history: &History) -> Result<Vec<Movement>, ReceiptError> {
    if history.completeness != Completeness::Whole || !history.unreadable.is_empty() {
        return Err(ReceiptError::Incomplete(history.completeness.clone()));
    }
    let mut movements = Vec::new();
    for step in &history.steps {
        // A creation moves nothing.
        if let Some(before) = &step.before {
            movements.extend(of_step(before, step)?);
        }
    }
    Ok(movements)
}

/// What an action moved, of an escrow with the same parties as this one.
fn of_step(escrow: &EscrowAccount, step: &Step) -> Result<impl Iterator<Item = Movement>, ReceiptError> {
    let effects = step.replayed.as_ref().ok_or(ReceiptError::Contradiction)?.effects;
    let (time, slot, signature) = (time(step)?, step.entry.slot, step.entry.signature);
    let paid_in = (effects.paid_in > 0).then_some((Direction::In, effects.paid_in, escrow.state.buyer));
    let paid_out = effects
        .paid_out
        .map(|(recipient, units)| (Direction::Out(recipient), units, *escrow.state.recipient(recipient)));
    let movement = move |(direction, units, address)| Movement { direction, units, address, time, slot, signature };
    Ok(paid_in.into_iter().chain(paid_out).map(movement))
}

/// What one of those who are paid gets.
pub const fn units(moved: Moved, recipient: Recipient) -> u64 {
    match recipient {
        Recipient::Buyer => moved.buyer,
        Recipient::Seller => moved.seller,
        Recipient::Fee => moved.fee,
        Recipient::Arbiter => moved.arbiter,
    }
}

fn time(step: &Step) -> Result<i64, ReceiptError> {
    step.entry.time.ok_or(ReceiptError::Contradiction)
}

fn reason(action: &Action, before: Option<&EscrowAccount>) -> Option<Reason> {
    Some(match &action.instruction {
        EscrowInstruction::Release { .. } => Reason::Released,
        EscrowInstruction::Claim { .. } => Reason::Claimed,
        EscrowInstruction::Refund { .. } => Reason::Refunded,
        EscrowInstruction::Rule { .. } => Reason::Ruled,
        EscrowInstruction::Accept { .. } => Reason::Agreed,
        EscrowInstruction::Cancel => Reason::Cancelled,
        EscrowInstruction::Expire { milestone } => match before?.milestone(*milestone).ok()?.status().ok()? {
            MilestoneStatus::Pending => Reason::Undelivered,
            MilestoneStatus::Delivered => Reason::Unanswered,
            MilestoneStatus::Disputed => Reason::Unruled,
            MilestoneStatus::Settled => return None,
        },
        _ => return None,
    })
}

fn sum(one: Moved, other: Moved) -> Option<Moved> {
    Some(Moved {
        seller: one.seller.checked_add(other.seller)?,
        fee: one.fee.checked_add(other.fee)?,
        buyer: one.buyer.checked_add(other.buyer)?,
        arbiter: one.arbiter.checked_add(other.arbiter)?,
    })
}

fn total(moved: Moved) -> Option<u64> {
    let Moved { seller, fee, buyer, arbiter } = moved;
    seller.checked_add(fee)?.checked_add(buyer)?.checked_add(arbiter)
}
