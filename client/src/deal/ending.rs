//! How a deal can end, and what everybody gets in each ending: played by the program's own rules on a copy, from the escrow
//! as it stands.

use escrow::state::{EscrowStatus, MilestoneStatus, Moved};

use super::{
    account::EscrowAccount,
    action::{Action, EscrowInstruction, Preview},
};
use crate::EscrowError;

/// A way in which all that is open can end. Between the two rulings, and by an agreement, any share is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// Nobody does anything any more, from now on.
    Silence,
    /// The buyer releases everything.
    Released,
    /// Everything is delivered, and the buyer does not answer.
    Unanswered,
    /// Everything is delivered and disputed, and nobody rules or agrees.
    Unruled,
    /// Everything is disputed, and the arbiter rules for the buyer.
    RuledForBuyer,
    /// Everything is disputed, and the arbiter rules for the seller.
    RuledForSeller,
    /// The seller refunds everything.
    Refunded,
    /// Somebody shows the secret.
    Claimed,
}

/// An ending that is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub ending: Ending,
    /// What everybody gets of what is open.
    pub moved: Moved,
    /// When the last of it can be decided, in unix seconds: later only where the parties take their time.
    pub at: i64,
}

/// The endings that are possible for what is open in `deal` at `now`, the usual one first. For an escrow that is not funded:
/// as if it were funded at `now`. Empty where nothing is open, or where it can no longer be funded.
pub fn endings(deal: &EscrowAccount, now: i64) -> Vec<Outcome> {
    let Some(funded) = funded(deal, now) else { return Vec::new() };
    if funded.is_settled() {
        return Vec::new();
    }
    const ALL: [Ending; 8] = [
        Ending::Released,
        Ending::Claimed,
        Ending::Unanswered,
        Ending::Unruled,
        Ending::RuledForBuyer,
        Ending::RuledForSeller,
        Ending::Refunded,
        Ending::Silence,
    ];
    ALL.into_iter().filter_map(|ending| Play::new(funded.clone(), now).end(ending).ok()).collect()
}

/// What happens if nobody does anything from `now` on; none where nothing is open.
pub fn silence(deal: &EscrowAccount, now: i64) -> Option<Outcome> {
    let funded = funded(deal, now).filter(|funded| !funded.is_settled())?;
    Play::new(funded, now).end(Ending::Silence).ok()
}

fn funded(deal: &EscrowAccount, now: i64) -> Option<EscrowAccount> {
    match deal.state.status() {
        Ok(EscrowStatus::Funded) => Some(deal.clone()),
        Ok(EscrowStatus::Created) => Action::new(deal, EscrowInstruction::Fund).preview(deal, now).ok()?.after,
        Err(_) => None,
    }
}

/// An escrow while an ending is played on it.
struct Play {
    escrow: EscrowAccount,
    moved: Moved,
    now: i64,
    last: i64,
}

impl Play {
    const fn new(escrow: EscrowAccount, now: i64) -> Self {
        let moved = Moved { seller: 0, fee: 0, buyer: 0, arbiter: 0 };
        Self { escrow, moved, now, last: now }
    }

    fn end(mut self, ending: Ending) -> Result<Outcome, EscrowError> {
        for index in (0u8..).take(self.escrow.milestones.len()) {
            if !self.escrow.milestone(index)?.is_settled() {
                self.milestone(ending, index)?;
            }
        }
        let Self { moved, last: at, .. } = self;
        Ok(Outcome { ending, moved, at })
    }

    fn milestone(&mut self, ending: Ending, milestone: u8) -> Result<(), EscrowError> {
        let amount = self.escrow.milestone(milestone)?.remaining;
        let expected_remaining = amount;
        match ending {
            Ending::Silence => self.expire(milestone),
            Ending::Released => {
                self.act(EscrowInstruction::Release { milestone, amount, expected_remaining }, self.now)
            }
            Ending::Refunded => self.act(EscrowInstruction::Refund { milestone, amount, expected_remaining }, self.now),
            Ending::Unanswered => {
                self.deliver(milestone)?;
                // What is disputed was answered.
                if self.escrow.milestone(milestone)?.status()? == MilestoneStatus::Disputed {
                    return Err(EscrowError::NotDelivered);
                }
                self.expire(milestone)
            }
            Ending::Unruled => {
                self.dispute(milestone)?;
                self.expire(milestone)
            }
            Ending::RuledForBuyer => self.rule(milestone, 0),
            Ending::RuledForSeller => self.rule(milestone, 10_000),
            Ending::Claimed => {
                if !self.escrow.state.is_hashlocked() {
                    return Err(EscrowError::SecretMismatch);
                }
                // Nobody knows the secret here: another one, with its own lock, is as good.
                let secret = [0; 32];
                self.escrow.state.hashlock = anchor_lang::sha256(&secret);
                self.act(EscrowInstruction::Claim { milestone, secret }, self.earliest(milestone)?)
            }
        }
    }

    /// When a delivery is possible: delivery starts after the cooling-off period.
    fn earliest(&self, milestone: u8) -> Result<i64, EscrowError> {
        match self.escrow.milestone(milestone)?.status()? {
            MilestoneStatus::Pending => Ok(self.now.max(self.escrow.state.cooling_off_end()?)),
            _ => Ok(self.now),
        }
    }

    fn deliver(&mut self, milestone: u8) -> Result<(), EscrowError> {
        if self.escrow.milestone(milestone)?.status()? != MilestoneStatus::Pending {
            return Ok(());
        }
        let at = self.earliest(milestone)?;
        self.act(EscrowInstruction::Deliver { milestone, evidence_hash: [0; 32] }, at)
    }

    fn dispute(&mut self, milestone: u8) -> Result<(), EscrowError> {
        self.deliver(milestone)?;
        if self.escrow.milestone(milestone)?.status()? == MilestoneStatus::Disputed {
            return Ok(());
        }
        let at =
            self.earliest(milestone)?.max(self.last.min(self.escrow.milestone(milestone)?.deadline.saturating_sub(1)));
        self.act(EscrowInstruction::Dispute { milestone, reason_hash: [0; 32] }, at)
    }

    fn rule(&mut self, milestone: u8, seller_bps: u16) -> Result<(), EscrowError> {
        self.dispute(milestone)?;
        let at = self.last.min(self.escrow.milestone(milestone)?.deadline.saturating_sub(1));
        self.act(EscrowInstruction::Rule { milestone, seller_bps, rationale_hash: [0; 32] }, at)
    }

    fn expire(&mut self, milestone: u8) -> Result<(), EscrowError> {
        let at = self.escrow.milestone(milestone)?.deadline.max(self.now);
        self.act(EscrowInstruction::Expire { milestone }, at)
    }

    fn act(&mut self, instruction: EscrowInstruction, at: i64) -> Result<(), EscrowError> {
        let Preview { after, effects } = Action::new(&self.escrow, instruction).preview(&self.escrow, at)?;
        self.escrow = after.ok_or(EscrowError::NotSettled)?;
        let Moved { seller, fee, buyer, arbiter } = effects.decided;
        let sum = |one: u64, other: u64| one.checked_add(other).ok_or(EscrowError::Overflow);
        self.moved = Moved {
            seller: sum(self.moved.seller, seller)?,
            fee: sum(self.moved.fee, fee)?,
            buyer: sum(self.moved.buyer, buyer)?,
            arbiter: sum(self.moved.arbiter, arbiter)?,
        };
        self.last = self.last.max(at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use solana_pubkey::Pubkey;

    use super::*;
    use crate::{
        TermsBuilder,
        terms::{Asset, DAY, Fee},
    };

    const NOW: i64 = 1_800_000_000;

    fn deal(change: impl FnOnce(TermsBuilder) -> TermsBuilder) -> EscrowAccount {
        let key = |byte| Pubkey::new_from_array([byte; 32]);
        let builder = TermsBuilder {
            arbiter: Some(key(3)),
            arbiter_fee_bps: Some(1_000),
            fee: Some(Fee { recipient: key(4), bps: 1_000 }),
            ..TermsBuilder::new(key(1), key(2), Asset::Sol)
        };
        let builder = change(builder.milestone(1_000, NOW + 10 * i64::from(DAY)));
        EscrowAccount::agreed(&builder.build(NOW).unwrap(), key(1)).unwrap()
    }

    fn found(deal: &EscrowAccount) -> Vec<(Ending, [u64; 4])> {
        let of = |Outcome { ending, moved: Moved { seller, fee, buyer, arbiter }, .. }: Outcome| {
            (ending, [seller, fee, buyer, arbiter])
        };
        endings(deal, NOW).into_iter().map(of).collect()
    }

    #[test]
    fn each_ending_divides_all_there_is() {
        let found = found(&deal(|builder| builder));
        assert_eq!(
            found,
            [
                (Ending::Released, [900, 100, 0, 0]),
                (Ending::Unanswered, [900, 100, 0, 0]),
                (Ending::Unruled, [450, 50, 500, 0]),
                (Ending::RuledForBuyer, [0, 0, 900, 100]),
                (Ending::RuledForSeller, [810, 90, 0, 100]),
                (Ending::Refunded, [0, 0, 1_000, 0]),
                (Ending::Silence, [0, 0, 1_000, 0]),
            ]
        );
        assert!(found.iter().all(|(_, shares)| shares.iter().sum::<u64>() == 1_000));
    }

    #[test]
    fn what_cannot_happen_is_no_ending() {
        let strict = found(&deal(|builder| TermsBuilder {
            hashlock: Some([9; 32]),
            arbiter: None,
            arbiter_fee_bps: None,
            ..builder
        }));
        let endings: Vec<Ending> = strict.iter().map(|(ending, _)| *ending).collect();
        assert_eq!(endings, [Ending::Released, Ending::Claimed, Ending::Refunded, Ending::Silence]);
        let late = deal(|builder| builder);
        assert_eq!(super::endings(&late, late.state.fund_by), []);
    }

    #[test]
    fn silence_goes_on_from_where_the_deal_stands() {
        let deal = deal(|builder| TermsBuilder { undelivered_bps: Some(2_500), ..builder });
        let silence_at = |deal: &EscrowAccount, now| {
            let Outcome { moved, at, .. } = silence(deal, now).unwrap();
            (moved.seller + moved.fee, moved.buyer, at)
        };
        assert_eq!(silence_at(&deal, NOW), (250, 750, NOW + 10 * i64::from(DAY)));
        let mut play = Play::new(funded(&deal, NOW).unwrap(), NOW);
        play.deliver(0).unwrap();
        assert_eq!(silence_at(&play.escrow, NOW + 5), (1_000, 0, NOW + 3 * i64::from(DAY)));
        play.end(Ending::Released).unwrap();
    }
}
