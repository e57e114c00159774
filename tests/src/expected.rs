//! What must be told, by the chain alone.

use escrow_client::{
    EscrowAccount,
    due::{Deadline, deadlines},
    work::watch::EventId,
};
use solana_pubkey::Pubkey;

use crate::chain::Chain;

/// Where somebody begins: at the creation, or with the account behind the slot with this place.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    /// At its creation.
    Creation,
    /// With its account behind that slot.
    At(usize),
}

/// All events of an escrow until the slot with the place `end`, in their order.
pub fn expected(chain: &Chain, escrow: &Pubkey, begin: Begin, end: usize) -> Vec<EventId> {
    let mut told = Vec::new();
    let (first, mut state, mut clock) = match begin {
        Begin::Creation => (0, None, i64::MIN),
        Begin::At(place) => (place + 1, chain.account(escrow, place), chain.slots[place].time),
    };
    told.extend(near_already(escrow, None, state.as_ref(), clock));
    for slot in chain.slots.iter().take(end + 1).skip(first) {
        for transaction in &slot.transactions {
            let acts = transaction.acts.iter().filter(|act| act.action.escrow == *escrow);
            for (place, act) in (0..).zip(acts) {
                told.extend(come_near(escrow, state.as_ref(), clock, slot.time));
                clock = clock.max(slot.time);
                told.push(EventId::change(escrow, &transaction.signature, place));
                told.extend(near_already(escrow, state.as_ref(), act.after.as_ref(), clock));
                state.clone_from(&act.after);
            }
        }
    }
    told.extend(come_near(escrow, state.as_ref(), clock, chain.slots[end].time));
    told
}

/// The moments of all deadlines in between, in order.
fn come_near(escrow: &Pubkey, state: Option<&EscrowAccount>, since: i64, until: i64) -> Vec<EventId> {
    let mut moments = Vec::new();
    for (place, deadline) in by_kind(state).into_iter().enumerate() {
        for (ahead, moment) in deadline.reminders() {
            if since < moment && moment <= until {
                moments.push((moment, place, ahead, EventId::near(escrow, &deadline, ahead)));
            }
        }
    }
    moments.sort();
    moments.into_iter().map(|(_, _, _, id)| id).collect()
}

/// Of each deadline that is there from now on, the last moment that is over; but not of offers.
fn near_already(
    escrow: &Pubkey,
    before: Option<&EscrowAccount>,
    after: Option<&EscrowAccount>,
    now: i64,
) -> Vec<EventId> {
    let had = by_kind(before);
    let is_new = |deadline: &Deadline| !had.iter().any(|had| had.at == deadline.at && had.kind == deadline.kind);
    let mut begun: Vec<Deadline> = after.map(deadlines).unwrap_or_default();
    begun.retain(|deadline| is_new(deadline) && !format!("{:?}", deadline.kind).starts_with("Offer"));
    let last = |deadline: &Deadline| {
        let over =
            deadline.reminders().into_iter().filter(|(_, moment)| *moment <= now).max_by_key(|(_, moment)| *moment);
        over.map(|(ahead, _)| EventId::near(escrow, deadline, ahead))
    };
    begun.iter().filter_map(last).collect()
}

/// In the order in which the account has them: by what they are for.
fn by_kind(state: Option<&EscrowAccount>) -> Vec<Deadline> {
    let mut found = state.map(deadlines).unwrap_or_default();
    let names = ["Funding", "CoolingOff", "Delivery", "Review", "Ruling", "Offer"];
    let order = |deadline: &Deadline| {
        let name = format!("{:?}", deadline.kind);
        (names.iter().position(|begin| name.starts_with(begin)), name)
    };
    found.sort_by_key(order);
    found
}
