//! What may happen next to an escrow: who may do what, from when until exactly when, and what everybody would get.
//!
//! Nothing here knows the protocol. Every answer comes from trying the program's own rules on a copy of the escrow, at
//! every moment at which an answer can change.

use escrow::state::{EscrowStatus, Milestone, Party, Recipient, is_named};

use super::{
    account::EscrowAccount,
    action::{Action, Effects, EscrowInstruction, Preview},
};

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

/// An action that may happen, now or later.
///
/// Of a release, a refund and a ruling it is the one that takes all of it: less, and any share between, is possible too. Of
/// a claim the secret is not known here, so all zero stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possibility {
    /// What. Its actor is who the terms name, where only one may.
    pub action: Action,
    /// By whom.
    pub actor: Actor,
    /// From when, in unix seconds: the moment that was asked about, or a later one.
    pub from: i64,
    /// Until when, in unix seconds: from then on not any more. None: as long as nothing else happens.
    pub until: Option<i64>,
    /// What it would move at `from`.
    pub effects: Effects,
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

impl Explainer<'_> {
    /// Previews an action at every moment: it is possible from the first at which it succeeds, until the next at which it
    /// does not.
    fn attempt(&mut self, action: Action, actor: Actor) {
        let escrow = self.escrow;
        self.attempt_on(escrow, action, actor);
    }

    /// The same, on another escrow than the one that is explained.
    fn attempt_on(&mut self, escrow: &EscrowAccount, action: Action, actor: Actor) {
        let mut attempts = self.moments.iter().map(|moment| (*moment, action.preview(escrow, *moment)));
        let Some((from, Ok(Preview { effects, .. }))) = attempts.find(|(_, result)| result.is_ok()) else { return };
        let until = attempts.find(|(_, result)| result.is_err()).map(|(moment, _)| moment);
        self.found.push(Possibility { action, actor, from, until, effects });
    }

    fn action(&self, instruction: EscrowInstruction) -> Action {
        Action::new(self.escrow, instruction)
    }

    fn unfunded(&mut self) {
        self.attempt(self.action(EscrowInstruction::Fund), Actor::Buyer);
        let cancel = self.action(EscrowInstruction::Cancel);
        self.attempt(cancel.clone(), Actor::AnyParty);
        // An address that is no party's.
        self.attempt(cancel.by(escrow::ID), Actor::Anyone);
    }

    fn funded(&mut self) {
        self.attempt(self.action(EscrowInstruction::Cancel), Actor::Buyer);
        for (index, milestone) in (0u8..).zip(&self.escrow.milestones) {
            self.milestone(index, milestone);
        }
        for recipient in Recipient::ALL {
            self.attempt(self.action(EscrowInstruction::Withdraw { recipient }), Actor::Anyone);
        }
        self.attempt(self.action(EscrowInstruction::Close), Actor::Anyone);
    }

    fn milestone(&mut self, milestone: u8, present: &Milestone) {
        let state = &self.escrow.state;
        let deliverer = if is_named(&state.attester) { Actor::Attester } else { Actor::Seller };
        self.attempt(self.action(EscrowInstruction::Deliver { milestone, evidence_hash: [0; 32] }), deliverer);
        if state.is_hashlocked() {
            // Nobody knows the secret here: another one, with its own lock, is as good.
            let secret = [0; 32];
            let mut unlocked = self.escrow.clone();
            unlocked.state.hashlock = anchor_lang::sha256(&secret);
            let claim = self.action(EscrowInstruction::Claim { milestone, secret });
            self.attempt_on(&unlocked, claim, Actor::SecretHolder);
        }
        self.attempt(self.action(EscrowInstruction::Dispute { milestone, reason_hash: [0; 32] }), Actor::Buyer);
        if is_named(&state.arbiter) {
            for seller_bps in [0, 10_000] {
                let rule = EscrowInstruction::Rule { milestone, seller_bps, rationale_hash: [0; 32] };
                self.attempt(self.action(rule), Actor::Arbiter);
            }
        }
        let (amount, expected_remaining) = (present.remaining, present.remaining);
        let release = EscrowInstruction::Release { milestone, amount, expected_remaining };
        self.attempt(self.action(release), Actor::Buyer);
        let refund = EscrowInstruction::Refund { milestone, amount, expected_remaining };
        self.attempt(self.action(refund), Actor::Seller);
        for (proposer, acceptor, actor) in
            [(Party::Buyer, state.seller, Actor::Seller), (Party::Seller, state.buyer, Actor::Buyer)]
        {
            let Ok(proposal) = state.slot(proposer).proposal() else { continue };
            if proposal.milestone() == Some(milestone) {
                self.attempt(self.action(EscrowInstruction::Accept { proposal }).by(acceptor), actor);
            }
        }
        self.attempt(self.action(EscrowInstruction::Expire { milestone }), Actor::Anyone);
    }
}

impl Possibility {
    /// Whether it is possible at the moment that was asked about, and not only later.
    pub const fn is_open(&self, now: i64) -> bool {
        self.from <= now
    }
}
