//! What may happen next to an escrow: who may do what, from when until exactly when, and what everybody would get.
//!
//! Nothing here knows the protocol. Every answer comes from trying the program's own rules on a copy of the escrow, at
//! every moment at which an answer can change.

use escrow::{
    error::EscrowError,
    state::{EscrowStatus, Milestone, Moved, Party, Recipient, is_named},
};
use solana_pubkey::Pubkey;

use crate::EscrowAccount;

/// Something that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The principal is paid in.
    Fund,
    /// The unfunded escrow is given up, or the funded one is refunded in the cooling-off period.
    Cancel,
    /// The milestone is delivered.
    Deliver,
    /// The milestone is claimed with the secret.
    Claim,
    /// All that remains of the milestone is released.
    Release,
    /// All that remains of the milestone is refunded.
    Refund,
    /// The milestone is disputed.
    Dispute,
    /// The arbiter rules entirely for the seller or the buyer; any split between is possible too.
    Rule {
        /// The seller's share in this case, in basis points.
        seller_bps: u16,
    },
    /// The open proposal of a party is accepted by the other.
    Accept {
        /// Who proposed.
        proposer: Party,
    },
    /// The agreed default is applied.
    Expire,
    /// What is due to somebody is paid out.
    Withdraw(Recipient),
    /// The accounts are closed.
    Close,
}

/// Who may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The buyer.
    Buyer,
    /// The seller.
    Seller,
    /// The arbiter.
    Arbiter,
    /// The attester.
    Attester,
    /// Buyer, seller or rent payer.
    AnyParty,
    /// Anyone who knows the secret.
    SecretHolder,
    /// Anyone at all.
    Anyone,
}

/// Something that may happen, now or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Possibility {
    /// What.
    pub act: Act,
    /// By whom.
    pub actor: Actor,
    /// The milestone's index, if it is about one.
    pub milestone: Option<u8>,
    /// From when, in unix seconds: the moment that was asked about, or a later one.
    pub from: i64,
    /// Until when, in unix seconds: from then on not any more. None: as long as nothing else happens.
    pub until: Option<i64>,
    /// What everybody would get, in the asset's smallest unit.
    pub outcome: Option<Moved>,
}

/// Everything that may happen to `escrow` at `now` or later, if nothing else happens before.
pub fn possibilities(escrow: &EscrowAccount, now: i64) -> Vec<Possibility> {
    let mut explainer = Explainer { escrow, moments: moments(escrow, now), found: Vec::new() };
    match escrow.state.status() {
        Ok(EscrowStatus::Created) => explainer.unfunded(),
        Ok(EscrowStatus::Funded) => explainer.funded(),
        Err(_) => {}
    }
    explainer.found
}

/// The moments at which what is allowed can change, from `now` on, in order.
fn moments(escrow: &EscrowAccount, now: i64) -> Vec<i64> {
    let state = &escrow.state;
    let mut moments = vec![now, state.fund_by, state.buyer_proposal.expires_at, state.seller_proposal.expires_at];
    moments.extend(state.cooling_off_end().ok());
    moments.extend(escrow.milestones.iter().map(|milestone| milestone.deadline));
    moments.retain(|moment| *moment >= now);
    moments.sort_unstable();
    moments.dedup();
    moments
}

struct Explainer<'a> {
    escrow: &'a EscrowAccount,
    moments: Vec<i64>,
    found: Vec<Possibility>,
}

type Attempt = Result<Option<Moved>, EscrowError>;

impl Explainer<'_> {
    /// Tries a rule at every moment: it is possible from the first at which it succeeds, until the next at which it
    /// does not.
    fn attempt(&mut self, act: Act, actor: Actor, milestone: Option<u8>, rule: impl Fn(i64) -> Attempt) {
        let mut attempts = self.moments.iter().map(|moment| (*moment, rule(*moment)));
        let Some((from, Ok(outcome))) = attempts.find(|(_, result)| result.is_ok()) else { return };
        let until = attempts.find(|(_, result)| result.is_err()).map(|(moment, _)| moment);
        self.found.push(Possibility { act, actor, milestone, from, until, outcome });
    }

    fn unfunded(&mut self) {
        let EscrowAccount { state, milestones, .. } = self.escrow;
        self.attempt(Act::Fund, Actor::Buyer, None, |now| ({ *state }).fund(milestones, now).map(|_| None));
        let cancel = |canceller: Pubkey| move |now| state.check_cancel_unfunded(&canceller, now).map(|()| None);
        self.attempt(Act::Cancel, Actor::AnyParty, None, cancel(state.buyer));
        // An address that is no party's.
        self.attempt(Act::Cancel, Actor::Anyone, None, cancel(escrow::ID));
    }

    fn funded(&mut self) {
        let EscrowAccount { state, milestones, .. } = self.escrow;
        let everything = Moved {
            buyer: milestones.iter().fold(0, |sum, milestone| sum.saturating_add(milestone.remaining)),
            ..Moved::default()
        };
        if everything.buyer > 0 {
            let buyer = &state.buyer;
            self.attempt(Act::Cancel, Actor::Buyer, None, |now| {
                state.check_cancel_funded(milestones, buyer, now).map(|()| Some(everything))
            });
        }
        for (index, milestone) in (0u8..).zip(milestones) {
            self.milestone(index, milestone);
        }
        for recipient in Recipient::ALL {
            self.attempt(Act::Withdraw(recipient), Actor::Anyone, None, |_| {
                let due = { *state }.withdraw(recipient)?;
                let mut paid = Moved::default();
                match recipient {
                    Recipient::Buyer => paid.buyer = due,
                    Recipient::Seller => paid.seller = due,
                    Recipient::Fee => paid.fee = due,
                    Recipient::Arbiter => paid.arbiter = due,
                }
                Ok(Some(paid))
            });
        }
        self.attempt(Act::Close, Actor::Anyone, None, |now| state.check_close(milestones, now).map(|()| None));
    }

    fn milestone(&mut self, index: u8, milestone: &Milestone) {
        let state = &self.escrow.state;
        let some = Some(index);
        let deliverer = if is_named(&state.attester) { Actor::Attester } else { Actor::Seller };
        self.attempt(Act::Deliver, deliverer, some, |now| state.deliver(&mut { *milestone }, now).map(|()| None));
        if state.is_hashlocked() {
            // Nobody knows the secret here: another one, with its own lock, is as good.
            let secret = [0; 32];
            let mut unlocked = *state;
            unlocked.hashlock = anchor_lang::sha256(&secret);
            self.attempt(Act::Claim, Actor::SecretHolder, some, |now| {
                ({ unlocked }).claim(&mut { *milestone }, &secret, now).map(Some)
            });
        }
        self.attempt(Act::Dispute, Actor::Buyer, some, |now| state.dispute(&mut { *milestone }, now).map(|()| None));
        if is_named(&state.arbiter) {
            for seller_bps in [0, 10_000] {
                self.attempt(Act::Rule { seller_bps }, Actor::Arbiter, some, |now| {
                    ({ *state }).rule(&mut { *milestone }, seller_bps, now).map(Some)
                });
            }
        }
        let remaining = milestone.remaining;
        self.attempt(Act::Release, Actor::Buyer, some, |_| {
            ({ *state }).release(&mut { *milestone }, remaining, remaining).map(Some)
        });
        self.attempt(Act::Refund, Actor::Seller, some, |_| {
            ({ *state }).refund(&mut { *milestone }, remaining, remaining).map(Some)
        });
        for (proposer, actor) in [(Party::Buyer, Actor::Seller), (Party::Seller, Actor::Buyer)] {
            let Ok(proposal) = state.slot(proposer).proposal() else { continue };
            if proposal.milestone() == some {
                self.attempt(Act::Accept { proposer }, actor, some, |now| {
                    ({ *state }).accept(proposer.other(), proposal, &mut { *milestone }, now).map(Some)
                });
            }
        }
        self.attempt(Act::Expire, Actor::Anyone, some, |now| ({ *state }).expire(&mut { *milestone }, now).map(Some));
    }
}

impl Possibility {
    /// Whether it is possible at the moment that was asked about, and not only later.
    pub const fn is_open(&self, now: i64) -> bool {
        self.from <= now
    }
}
