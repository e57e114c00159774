//! All that one node said of one signature, and where it stands by that.

use super::{Effect, Observation, Pace, Rules, Standing, Status};
use crate::{Attempt, Commitment, Height, Lifetime, Reading, Slot, Time};

/// One node, about one attempt.
#[derive(Debug, Clone, Default)]
pub(super) struct Witness {
    /// Its newest finalized block on the ledger on which the attempt was signed.
    finalized: Option<Reading>,
    /// That the lifetime is over, if it is by the node's newest word.
    over: Option<Over>,
    /// What it last said of the signature.
    report: Option<Report>,
    /// That it once said that the signature is finalized: this can not change.
    finality: Option<Status>,
    /// Where its history begins. Behind one address there may be several nodes: the latest that was said.
    first_block: Option<Slot>,
    /// What it last said of the account that the transaction changes, and the slot of the bank.
    effect: Option<(Slot, Effect)>,
    /// Why it is not believed.
    doubt: Option<Doubt>,
    /// Its last error, until it shows a height.
    error: Option<String>,
    /// When it was asked for the height that it showed last.
    shown: Time,
}

/// That a lifetime is over, from when on the node has said nothing else.
#[derive(Debug, Clone, Copy)]
struct Over {
    /// The slot of its first word.
    said: Slot,
    /// The first slot of all its words.
    since: Slot,
    /// Whether another bank said it too.
    again: bool,
}

#[derive(Debug, Clone)]
struct Report {
    bank: Slot,
    status: Option<Status>,
}

#[derive(Debug, Clone, Copy)]
enum Doubt {
    Elsewhere(Height),
    Implausible(Height),
}

impl Witness {
    /// Takes in what the node said, if it is about this attempt.
    pub(super) fn hear(&mut self, observation: Observation, attempt: &Attempt, rules: Rules) {
        match observation {
            Observation::Height { commitment, reading, asked, .. } if commitment == rules.ends_a_life() => {
                self.error = None;
                self.hear_height(reading, asked, attempt, rules);
            }
            Observation::Status { signature, bank, status, .. } if signature == attempt.signature() => {
                if let Some(status) = status.as_ref().filter(|status| status.commitment == Commitment::Finalized) {
                    self.finality = Some(status.clone());
                }
                self.report = Some(Report { bank, status });
            }
            Observation::FirstBlock { slot, .. } => self.first_block = self.first_block.max(Some(slot)),
            Observation::Effect { signature, bank, effect, .. } if signature == attempt.signature() => {
                self.effect = Some((bank, effect));
            }
            Observation::Nonce { account, bank, value, .. } => match attempt.lifetime() {
                Lifetime::Nonce { account: ours, value: signed, read_at } if *ours == account => {
                    if value == Some(*signed) {
                        self.over = self.over.filter(|_| rules.keeps_old_words());
                    } else if rules.is_nonce_read_since(bank, *read_at) {
                        self.ended(bank);
                    }
                }
                _ => {}
            },
            Observation::Failed { error, .. } => self.error = Some(error),
            _ => {}
        }
    }

    fn hear_height(&mut self, reading: Reading, asked: Time, attempt: &Attempt, rules: Rules) {
        if !rules.is_same_ledger(reading.height, attempt.origin()) {
            *self = Self { doubt: Some(Doubt::Elsewhere(reading.height)), ..Self::default() };
            return;
        }
        if !rules.is_plausible(reading, attempt.origin()) {
            self.doubt = Some(Doubt::Implausible(reading.height));
            return;
        }
        (self.doubt, self.finalized, self.shown) = (None, Some(reading), asked);
        if let Lifetime::BlockHash { last_valid, .. } = attempt.lifetime() {
            if rules.is_past(reading.height, *last_valid) {
                self.ended(reading.slot);
            } else {
                self.over = self.over.filter(|_| rules.keeps_old_words());
            }
        }
    }

    fn ended(&mut self, at: Slot) {
        let over = self.over.unwrap_or(Over { said: at, since: at, again: false });
        self.over = Some(Over { since: over.since.min(at), again: over.again || at != over.said, ..over });
    }

    /// Since which finalized slot the lifetime is over, if that is sure.
    fn over(&self, rules: Rules) -> Option<Slot> {
        self.over.filter(|over| rules.was_said_twice(over.again)).map(|over| over.since)
    }

    /// Until when bytes may be sent to it: it has just shown that it is on the ledger on which they were signed, they may still
    /// be executed, and it does not know them.
    pub(super) fn takes_sends_until(&self, attempt: &Attempt, pace: &Pace) -> Option<Time> {
        let finalized =
            self.finalized.filter(|_| self.error.is_none() && self.doubt.is_none() && self.known().is_none())?;
        let lives = match attempt.lifetime() {
            Lifetime::BlockHash { last_valid, .. } => finalized.height <= *last_valid,
            Lifetime::Nonce { .. } => self.over.is_none(),
        };
        lives.then(|| self.shown.plus(pace.answer))
    }

    /// Whether the lifetime is over by its newest word.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// What it knows of the signature, however sure.
    pub(super) fn known(&self) -> Option<&Status> {
        let report = self.report.as_ref().and_then(|report| report.status.as_ref());
        self.finality.as_ref().or(report).filter(|_| self.finalized.is_some())
    }

    /// Where it stands, for a caller who wants this commitment.
    pub(super) fn standing(&self, attempt: &Attempt, wanted: Commitment, rules: Rules) -> Standing {
        if self.finalized.is_none() {
            return match self.doubt {
                Some(Doubt::Elsewhere(height)) => Standing::Elsewhere(height),
                Some(Doubt::Implausible(height)) => Standing::Implausible(height),
                None => Standing::Silent(self.error.clone()),
            };
        }
        match self.known() {
            Some(status) if rules.counts(status, wanted) => return Standing::Landed(status.clone()),
            Some(status) if rules.is_known(status) => return Standing::Known(status.clone()),
            _ => {}
        }
        let (Some(report), Some(over)) = (&self.report, self.over(rules)) else { return self.pending() };
        if !rules.saw_the_end(report.bank, over) {
            return self.pending();
        }
        match self.first_block {
            Some(first) if rules.remembers(first, attempt.origin()) => {}
            Some(first) => return Standing::Forgot(first),
            None => return self.pending(),
        }
        match attempt.shows().then(|| rules.is_untouched(self.effect, over)) {
            None | Some(Some(true)) => Standing::Over,
            Some(Some(false)) => Standing::Contradicts,
            Some(None) => self.pending(),
        }
    }

    fn pending(&self) -> Standing {
        match (self.doubt, &self.error) {
            (Some(Doubt::Implausible(height)), _) => Standing::Implausible(height),
            (_, Some(error)) => Standing::Silent(Some(error.clone())),
            _ => Standing::Pending,
        }
    }
}
