//! How an escrow stands, in the words by which lists are filtered: by its account and a time, and by nothing else.

use escrow_client::{
    EscrowAccount, MilestoneStatus,
    due::deadlines,
    explain::{Actor, possibilities},
    view::Role,
};

/// The first deadline that is open; none where everything is settled.
pub fn next_deadline(escrow: &EscrowAccount) -> Option<i64> {
    match escrow.is_funded() {
        false => Some(escrow.state.fund_by),
        true => escrow
            .milestones
            .iter()
            .filter(|milestone| !milestone.is_settled())
            .map(|milestone| milestone.deadline)
            .min(),
    }
}

/// Whose turn it is: who is meant to act next, or anyone where a default or a payment is due.
pub fn attention(escrow: &EscrowAccount, now: i64) -> Vec<Role> {
    let state = &escrow.state;
    let mut roles = Vec::new();
    if !escrow.is_funded() {
        roles.push(if now < state.fund_by { Role::Buyer } else { Role::Anyone });
        return roles;
    }
    for milestone in &escrow.milestones {
        let passed = milestone.deadline <= now;
        roles.push(match milestone.status() {
            Ok(MilestoneStatus::Settled) | Err(_) => continue,
            Ok(_) if passed => Role::Anyone,
            Ok(MilestoneStatus::Pending) if *state.deliverer() == state.seller => Role::Seller,
            Ok(MilestoneStatus::Pending) => Role::Attester,
            Ok(MilestoneStatus::Delivered) => Role::Buyer,
            Ok(MilestoneStatus::Disputed) => Role::Arbiter,
        });
    }
    let anyone =
        possibilities(escrow, now).iter().any(|possible| possible.actor == Actor::Anyone && possible.is_open(now));
    if anyone {
        roles.push(Role::Anyone);
    }
    let mut unique = Vec::new();
    for role in roles {
        if !unique.contains(&role) {
            unique.push(role);
        }
    }
    unique
}

/// When time alone first changes whose turn it is, or brings a deadline near; none: never.
pub fn changes_at(escrow: &EscrowAccount, now: i64) -> Option<i64> {
    let mut moments: Vec<i64> = Vec::new();
    for deadline in deadlines(escrow) {
        moments.extend(deadline.reminders().into_iter().map(|(_, moment)| moment));
    }
    for possible in possibilities(escrow, now) {
        moments.push(possible.from);
        moments.extend(possible.until);
    }
    moments.extend(next_deadline(escrow));
    moments.into_iter().filter(|moment| *moment > now).min()
}

/// A value's word, as answers have it.
pub fn word(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map(str::to_owned).unwrap_or_default()
}
