//! From actions to instructions, pure: each on the escrow as those before it leave it.

use std::collections::HashMap;

use escrow_client::{
    Action as Step, EscrowAccount, EscrowError, EscrowInstruction, Party, Proposal, Recipe,
    recipe::{PreviewedAction, RefusedAction},
    terms::Asset,
    words::{Denomination, refusal::refusal},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{expect, opened};
use crate::{
    problem::{Code, Problem, Result},
    wire::action::{Accept, Action, Part, ProposeExtension, ProposeSplit, Withdraw},
};

/// What is known when a plan is made.
#[derive(Debug, Clone, Default)]
pub struct Situations {
    /// The slot that it was read at.
    pub slot: u64,
    /// The chain's time, in unix seconds.
    pub now: i64,
    /// The escrows that there are.
    pub escrows: HashMap<Pubkey, EscrowAccount>,
    /// The escrows that are made, by the number of their action.
    pub agreed: HashMap<usize, EscrowAccount>,
    /// How amounts are written.
    pub denominations: HashMap<Asset, Denomination>,
    /// Whose token accounts are missing, and whether the vault holds tokens that nobody is owed.
    pub token_accounts: HashMap<Pubkey, (Vec<Pubkey>, bool)>,
}

/// One action of a plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The number of the action in the request that it comes from.
    pub index: usize,
    /// The action, and what it would do.
    pub previewed: PreviewedAction,
    /// Its instructions: token accounts that it needs, then itself.
    pub instructions: Vec<Instruction>,
    /// How many token accounts it makes.
    pub opens: u8,
    /// How amounts of it are written.
    pub denomination: Denomination,
    /// The chain's time, in unix seconds.
    pub now: i64,
    /// The slot of the state that it was planned on.
    pub slot: u64,
}

/// The plan for these actions.
///
/// # Errors
///
/// The first that the program would refuse, with its place.
pub fn plan(actions: &[Action], fee_payer: &Pubkey, situations: Situations) -> Result<Vec<Planned>> {
    let Situations { slot, now, mut escrows, agreed, denominations, token_accounts } = situations;
    let mut planned = Vec::new();
    for (index, action) in actions.iter().enumerate() {
        let pointer = format!("/actions/{index}");
        let deal = match action.escrow() {
            None => agreed.get(&index).cloned(),
            Some(address) => escrows.get(&address.0).cloned(),
        };
        let deal = deal.ok_or_else(|| missing(action, &pointer))?;
        let (absent, surplus) = token_accounts.get(&deal.address).cloned().unwrap_or_default();
        let recipe = recipe(action, &deal, &absent, surplus, now, &pointer)?;
        let unknown = || Denomination::unknown(deal.asset(), "its mint was not read");
        let denomination = denominations.get(&deal.asset()).cloned().unwrap_or_else(unknown);
        let previewed = recipe.preview(&deal, now).map_err(|refused| told(&refused, &denomination, now, &pointer))?;
        let units = previewed.units(fee_payer);
        match &previewed.after {
            Some(after) => escrows.insert(deal.address, after.clone()),
            None => escrows.remove(&deal.address),
        };
        let mut opens_left = opened(&recipe.steps);
        for (previewed, instructions) in previewed.actions.into_iter().zip(units) {
            let opens = u8::try_from(instructions.len().saturating_sub(1)).unwrap_or(u8::MAX).min(opens_left);
            opens_left = opens_left.saturating_sub(opens);
            let denomination = denomination.clone();
            planned.push(Planned { index, previewed, instructions, opens, denomination, now, slot });
        }
    }
    Ok(planned)
}

fn missing(action: &Action, pointer: &str) -> Problem {
    let address = action.escrow().map(|escrow| escrow.to_string()).unwrap_or_default();
    let detail = format!("there is no escrow at {address}: it was never created, is closed, or is on another cluster");
    Problem::new(Code::NotFound, detail).at(format!("{pointer}/escrow"))
}

/// What the action is on this escrow.
fn recipe(
    action: &Action,
    deal: &EscrowAccount,
    absent: &[Pubkey],
    surplus: bool,
    now: i64,
    pointer: &str,
) -> Result<Recipe> {
    let at = |field: &str| format!("{pointer}/{field}");
    let index =
        |number: u8| number.checked_sub(1).ok_or_else(|| Problem::invalid(at("milestone"), "is counted from 1"));
    let only = |instruction| Recipe::only(Step::new(deal, instruction));
    Ok(match action {
        Action::Create(create) => Recipe::create(&deal.terms(), deal.state.rent_payer, create.fund)
            .map_err(|error| Problem::from(escrow_client::Error::Rule(error)).at(at("terms")))?,
        Action::Fund(fund) => {
            let stale = || {
                let hash = hex::encode(deal.state.terms_hash);
                Problem::new(Code::Stale, format!("the terms of {} have the hash {hash}", deal.address))
                    .at(at("terms_hash"))
            };
            expect(fund.terms_hash.map(|hash| hash.0), &deal.state.terms_hash, stale)?;
            let pay = Step::new(deal, EscrowInstruction::Fund);
            let usual = pay.token_account;
            Recipe::only(pay.with(fund.token_account.map(|account| account.0).or(usual)))
        }
        Action::Cancel(cancel) => Recipe::cancel(deal, cancel.by.0, surplus, absent),
        Action::Deliver(deliver) => only(EscrowInstruction::Deliver {
            milestone: index(deliver.milestone)?,
            evidence_hash: deliver.evidence_hash.map_or([0; 32], |hash| hash.0),
        }),
        Action::DeliverWithRetention(deliver) => {
            let hash = deliver.evidence_hash.map_or([0; 32], |hash| hash.0);
            Recipe::deliver_with_retention(deal, hash)
                .map_err(|error| Problem::from(escrow_client::Error::Rule(error)).at(pointer))?
        }
        Action::Claim(claim) => {
            only(EscrowInstruction::Claim { milestone: index(claim.milestone)?, secret: claim.secret.0 })
        }
        Action::Release(part) => {
            let (milestone, amount, expected_remaining) = part_of(part, deal, &at)?;
            only(EscrowInstruction::Release { milestone, amount, expected_remaining })
        }
        Action::Refund(part) => {
            let (milestone, amount, expected_remaining) = part_of(part, deal, &at)?;
            only(EscrowInstruction::Refund { milestone, amount, expected_remaining })
        }
        Action::Dispute(dispute) => only(EscrowInstruction::Dispute {
            milestone: index(dispute.milestone)?,
            reason_hash: dispute.reason_hash.map_or([0; 32], |hash| hash.0),
        }),
        Action::Rule(rule) => only(EscrowInstruction::Rule {
            milestone: index(rule.milestone)?,
            seller_bps: rule.seller_bps,
            rationale_hash: rule.rationale_hash.map_or([0; 32], |hash| hash.0),
        }),
        Action::ProposeSplit(ProposeSplit { by, milestone, to_seller, expires_at, .. }) => {
            let milestone = index(*milestone)?;
            let (status, remaining, _) = present(deal, milestone, &at)?;
            let (to_seller, expires_at) = (to_seller.0, *expires_at);
            let proposal = Proposal::Split { milestone, status, remaining, to_seller, expires_at };
            Recipe::only(Step::new(deal, EscrowInstruction::Propose { proposal }).by(by.0))
        }
        Action::ProposeExtension(ProposeExtension { by, milestone, deadline, expires_at, .. }) => {
            let milestone = index(*milestone)?;
            let (status, _, replaces) = present(deal, milestone, &at)?;
            let (deadline, expires_at) = (*deadline, *expires_at);
            let proposal = Proposal::Extension { milestone, status, replaces, deadline, expires_at };
            Recipe::only(Step::new(deal, EscrowInstruction::Propose { proposal }).by(by.0))
        }
        Action::WithdrawProposal(withdraw) => {
            let proposal = Proposal::Withdrawn;
            Recipe::only(Step::new(deal, EscrowInstruction::Propose { proposal }).by(withdraw.by.0))
        }
        Action::Accept(accept) => {
            let proposal = proposed(accept, deal, &at)?;
            Recipe::only(Step::new(deal, EscrowInstruction::Accept { proposal }).by(accept.by.0))
        }
        Action::Expire(expire) => only(EscrowInstruction::Expire { milestone: index(expire.milestone)? }),
        Action::Withdraw(Withdraw { recipient, token_account, .. }) => {
            let recipient = (*recipient).into();
            match token_account {
                None => {
                    let pay = Recipe::pay_out(deal, Some(recipient), absent);
                    // Nothing is due: let the rule say so.
                    if pay.steps.is_empty() { only(EscrowInstruction::Withdraw { recipient }) } else { pay }
                }
                Some(account) => {
                    let pay = Step::new(deal, EscrowInstruction::Withdraw { recipient });
                    Recipe::only(pay.by(*deal.state.recipient(recipient)).with(Some(account.0)))
                }
            }
        }
        Action::Close(_) => Recipe::close(deal, surplus, absent),
        Action::PayOut(_) => Recipe::pay_out(deal, None, absent),
        Action::Finish(_) => Recipe::finish(deal, surplus, absent, now),
    })
}

/// Status, what remains, and the deadline of a milestone.
fn present(
    deal: &EscrowAccount,
    milestone: u8,
    at: &impl Fn(&str) -> String,
) -> Result<(escrow_client::MilestoneStatus, u64, i64)> {
    let rule = |error| Problem::from(escrow_client::Error::Rule(error)).at(at("milestone"));
    let found = deal.milestone(milestone).map_err(rule)?;
    Ok((found.status().map_err(rule)?, found.remaining, found.deadline))
}

/// Which milestone, how much of it, and what must remain of it before.
fn part_of(part: &Part, deal: &EscrowAccount, at: &impl Fn(&str) -> String) -> Result<(u8, u64, u64)> {
    let milestone =
        part.milestone.checked_sub(1).ok_or_else(|| Problem::invalid(at("milestone"), "is counted from 1"))?;
    let (_, remaining, _) = present(deal, milestone, at)?;
    let stale = || {
        let detail = format!("of milestone {} {remaining} base units remain, not what is expected", part.milestone);
        Problem::new(Code::Stale, detail).at(at("expected_remaining"))
    };
    expect(part.expected_remaining.map(|units| units.0), &remaining, stale)?;
    Ok((milestone, part.amount.map_or(remaining, |units| units.0), remaining))
}

/// The proposal that is accepted.
fn proposed(accept: &Accept, deal: &EscrowAccount, at: &impl Fn(&str) -> String) -> Result<Proposal> {
    let state = &deal.state;
    // Somebody who is neither is told so by the rule.
    let other = state.party(&accept.by.0).map_or(Party::Seller, Party::other);
    let rule = |error| Problem::from(escrow_client::Error::Rule(error)).at(at("by"));
    let proposal = state.slot(other).proposal().map_err(rule)?;
    if proposal == Proposal::Withdrawn && state.party(&accept.by.0).is_ok() {
        return Err(rule(EscrowError::ProposalMissing));
    }
    let (to_seller, deadline) = match proposal {
        Proposal::Split { to_seller, .. } => (Some(to_seller), None),
        Proposal::Extension { deadline, .. } => (None, Some(deadline)),
        Proposal::Withdrawn => (None, None),
    };
    let stale = |field: &str| {
        let detail = "what is proposed is something else: read the escrow again".to_owned();
        Problem::new(Code::Stale, detail).at(at(field))
    };
    expect(accept.to_seller.map(|units| Some(units.0)), &to_seller, || stale("to_seller"))?;
    expect(accept.deadline.map(Some), &deadline, || stale("deadline"))?;
    Ok(proposal)
}

/// What a rule refuses, with the numbers that it is about. What changed since it was read is a conflict.
fn told(refused: &RefusedAction, denomination: &Denomination, now: i64, pointer: &str) -> Problem {
    let RefusedAction { action, before, error } = refused;
    let text = refusal(*error, action, before, denomination, now).to_string();
    let code = match error {
        EscrowError::RemainingMismatch
        | EscrowError::ProposalMismatch
        | EscrowError::StatusMismatch
        | EscrowError::DeadlineMismatch
        | EscrowError::AlreadyCreated
        | EscrowError::AlreadyFunded => Code::Stale,
        _ => Code::Refused,
    };
    Problem { program_error: Some(*error), ..Problem::new(code, text).at(pointer) }
}
