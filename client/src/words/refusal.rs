//! Why a rule refuses an action: its reason, and the numbers, names and times that it is about.

use std::fmt::{self, Display, Formatter};

use escrow::state::is_named;
use solana_pubkey::Pubkey;
use thiserror::Error;

use super::{Denomination, Time, name};
use crate::{Action, EscrowAccount, EscrowError, EscrowInstruction, terms::Asset};

/// A rule's refusal, with what it is about. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Refusal {
    /// The rule.
    pub error: EscrowError,
    /// The numbers, as a sentence; empty where the rule says it all.
    pub detail: String,
    /// What would have to happen first, if it is something that somebody can do.
    pub first: Option<Action>,
}

impl From<EscrowError> for Refusal {
    fn from(error: EscrowError) -> Self {
        Self { error, detail: String::new(), first: None }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.error, self.detail.as_str()) {
            // The rule speaks of an arbiter, and there is none.
            (EscrowError::NotArbiter | EscrowError::CoolingOffOver, detail) if !detail.is_empty() => {
                f.write_str(detail)
            }
            (error, "") => f.write_str(error.message()),
            (error, detail) => write!(f, "{} {detail}", error.message()),
        }
    }
}

/// Why `error` refuses `action` on `escrow` at `now`.
pub fn refusal(
    error: EscrowError,
    action: &Action,
    escrow: &EscrowAccount,
    denomination: &Denomination,
    now: i64,
) -> Refusal {
    let mut first = None;
    let state = &escrow.state;
    let time = |unix| Time::new(unix, now);
    let index = action.instruction.milestone();
    let number = index.map_or(1, name::number);
    let found = index.and_then(|index| escrow.milestone(index).ok());
    let you = || action.actor.map_or_else(String::new, |actor| format!(" {actor} is {}.", roles(escrow, &actor)));
    let detail = match (error, found) {
        (EscrowError::DeadlinePassed, Some(found)) => {
            format!("The deadline of milestone {number} was {}.", time(found.deadline))
        }
        (EscrowError::DeadlineNotReached, Some(found)) => {
            format!("The deadline of milestone {number} is {}.", time(found.deadline))
        }
        (EscrowError::AmountTooHigh | EscrowError::RemainingMismatch, Some(found)) => {
            format!("Milestone {number} has {} left.", denomination.amount(found.remaining))
        }
        (
            EscrowError::MilestoneSettled
            | EscrowError::NotPending
            | EscrowError::NotDelivered
            | EscrowError::NotDisputed,
            Some(found),
        ) => found
            .status()
            .map_or_else(|_| String::new(), |status| format!("Milestone {number} is {}.", name::status(status))),
        (EscrowError::CoolingOff, _) => {
            state.cooling_off_end().map_or_else(|_| String::new(), |end| format!("It ends at {}.", time(end)))
        }
        (EscrowError::CoolingOffOver, _) if state.cooling_off == 0 => {
            "This escrow has no cooling-off period: once it is funded, the buyer cannot cancel it.".to_owned()
        }
        (EscrowError::CoolingOffOver, _) => state
            .cooling_off_end()
            .map_or_else(|_| String::new(), |end| format!("{} It ended at {}.", error.message(), time(end))),
        (EscrowError::FundByPassed, _) => format!("The funding deadline was {}.", time(state.fund_by)),
        (EscrowError::CloseTooEarly, _) => format!("The funding deadline is {}.", time(state.fund_by)),
        (EscrowError::NotCanceller, _) => format!("The funding deadline is {}.{}", time(state.fund_by), you()),
        (EscrowError::NotFunded, _) => {
            first = Some(Action::new(escrow, EscrowInstruction::Fund));
            "The buyer can fund it.".to_owned()
        }
        (EscrowError::NotSettled, _) => {
            let open = (1..).zip(&escrow.milestones).filter(|(_, milestone)| !milestone.is_settled());
            let open: Vec<String> = open.map(|(number, _): (u8, _)| number.to_string()).collect();
            let milestones = if open.len() == 1 { "milestone" } else { "milestones" };
            format!("Still open: {milestones} {}.", name::list(&open))
        }
        (EscrowError::NotWithdrawn, _) => {
            let due: Vec<String> = escrow
                .due()
                .map(|(recipient, units)| {
                    format!("{} for the {}", denomination.amount(units), name::recipient(recipient))
                })
                .collect();
            first = escrow
                .due()
                .next()
                .map(|(recipient, _)| Action::new(escrow, EscrowInstruction::Withdraw { recipient }));
            format!("Waiting to be paid out: {}.", name::list(&due))
        }
        (EscrowError::NotBuyer, _) => format!("The buyer is {}.{}", state.buyer, you()),
        (EscrowError::NotSeller, _) => format!("The seller is {}.{}", state.seller, you()),
        (EscrowError::NotDeliverer, _) => {
            let who = if is_named(&state.attester) { "attester" } else { "seller" };
            format!("The {who} is {}.{}", state.deliverer(), you())
        }
        (EscrowError::NotArbiter, _) if !is_named(&state.arbiter) => {
            "This escrow has no arbiter: a dispute ends by an agreement of both parties, or by the agreed default."
                .to_owned()
        }
        (EscrowError::NotArbiter, _) => format!("{} The arbiter is {}.{}", error.message(), state.arbiter, you()),
        (EscrowError::NotParty, _) => format!("The buyer is {}, the seller {}.{}", state.buyer, state.seller, you()),
        (EscrowError::RiskNotAccepted, _) => match escrow.asset() {
            Asset::Token { mint, .. } => format!("The mint is {mint}."),
            Asset::Sol => String::new(),
        },
        (EscrowError::ProposalMissing, _) => own_proposal(action, escrow),
        _ => String::new(),
    };
    Refusal { error, detail, first }
}

/// Who accepts may have proposed, and be waiting for the other.
fn own_proposal(action: &Action, escrow: &EscrowAccount) -> String {
    let state = &escrow.state;
    let own = action.actor.and_then(|actor| state.party(&actor).ok());
    match own.and_then(|own| state.slot(own).proposal().ok()?.milestone()) {
        Some(_) => "Yours is open, and waits for the other party to accept it.".to_owned(),
        None => String::new(),
    }
}

/// What somebody is in an escrow: `the seller`, `the buyer and the rent payer`, or `nobody in this escrow`.
pub fn roles(escrow: &EscrowAccount, address: &Pubkey) -> String {
    let state = &escrow.state;
    let roles: Vec<String> = [
        (state.buyer, "the buyer"),
        (state.seller, "the seller"),
        (state.arbiter, "the arbiter"),
        (state.attester, "the attester"),
        (state.fee_recipient, "the fee recipient"),
        (state.rent_payer, "the rent payer"),
    ]
    .into_iter()
    .filter(|(who, _)| is_named(who) && who == address)
    .map(|(_, name)| name.to_owned())
    .collect();
    if roles.is_empty() { "nobody in this escrow".to_owned() } else { name::list(&roles) }
}
