//! What somebody has done before, from the program's own history: how deals ended, with how many people, since when. No stars, and
//! never "safe": whoever pays the fees can make deals with oneself.

use std::collections::HashSet;

use escrow::state::Terms;
use solana_pubkey::Pubkey;

use super::{
    action::EscrowInstruction,
    history::{History, Step},
    terms::{Asset, asset_of},
};
use crate::MilestoneStatus;

/// How a deal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The buyer released it, or gave the secret away.
    Released,
    /// It was delivered, and the buyer stayed silent.
    Unanswered,
    /// The two agreed on how to divide it.
    Agreed,
    /// The arbiter ruled, more for the seller.
    RuledForSeller,
    /// The arbiter ruled, more for the buyer.
    RuledForBuyer,
    /// A dispute ended without a ruling.
    Unruled,
    /// The seller gave it back.
    Refunded,
    /// Nothing was delivered in time.
    Undelivered,
    /// The buyer took it back in the cooling-off period.
    Cancelled,
    /// It was never funded.
    Unfunded,
    /// It goes on.
    Open,
}

impl Ended {
    /// All of them, the best first.
    pub const ALL: [Self; 11] = [
        Self::Released,
        Self::Unanswered,
        Self::Agreed,
        Self::RuledForSeller,
        Self::RuledForBuyer,
        Self::Unruled,
        Self::Refunded,
        Self::Undelivered,
        Self::Cancelled,
        Self::Unfunded,
        Self::Open,
    ];

    /// Whether money was at stake, and it came to an end.
    pub const fn is_finished(self) -> bool {
        !matches!(self, Self::Open | Self::Unfunded | Self::Cancelled)
    }
}

/// A deal of somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// The escrow.
    pub escrow: Pubkey,
    /// Whether it was as the seller.
    pub as_seller: bool,
    /// With whom.
    pub with: Pubkey,
    /// Of what.
    pub asset: Asset,
    /// How much, in the asset's smallest unit.
    pub principal: u64,
    /// How it ended.
    pub ended: Ended,
    /// When it was created, in unix seconds, if a node knows.
    pub since: Option<i64>,
    /// How long it took from its funding to its end, in seconds, if it is known.
    pub took: Option<i64>,
    /// Who paid its rent.
    pub rent_payer: Option<Pubkey>,
    /// Who paid for the first transaction of the other's wallet, if that was looked up and is known.
    pub funder: Option<Pubkey>,
}

/// Somebody's deals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// All that were found.
    pub deals: Vec<Deal>,
    /// Whether those may not be all: the search was cut.
    pub cut: bool,
}

/// How much a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// No deal of theirs came to an end.
    Unknown,
    /// Fewer than five did, or with fewer than three people.
    Thin,
    /// At least five, with at least three people.
    Established,
    /// At least one with you.
    KnownToYou,
}

/// Something in a record that honest ones seldom have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// One wallet paid the rent of all of at least three deals with different people.
    OneRentPayer,
    /// One wallet paid for the first transactions of all of at least three people.
    OneFunder(Pubkey),
    /// So many were settled within ten minutes.
    SettledWithinMinutes(usize),
}

impl Deal {
    /// The deal that a history tells, seen from `party`. None where `party` is neither buyer nor seller, or its terms are
    /// forgotten.
    pub fn of(history: &History, party: &Pubkey) -> Option<Self> {
        let terms: &Terms = history.terms()?;
        let as_seller = terms.seller == *party;
        if !as_seller && terms.buyer != *party {
            return None;
        }
        let time_of = |wanted: fn(&EscrowInstruction) -> bool| {
            history.steps.iter().find(|step| wanted(&step.entry.action.instruction))?.entry.time
        };
        let funded = time_of(|instruction| matches!(instruction, EscrowInstruction::Fund));
        let ended = ended(history);
        let end = history.steps.iter().rev().find(|step| decides(step)).and_then(|step| step.entry.time);
        let creation = history.steps.iter().find(|step| is_creation(step));
        Some(Self {
            escrow: history.escrow,
            as_seller,
            with: if as_seller { terms.buyer } else { terms.seller },
            asset: asset_of(terms),
            principal: terms.principal().unwrap_or(0),
            ended,
            since: creation.and_then(|step| step.entry.time),
            took: end.zip(funded).map(|(end, funded)| end.saturating_sub(funded)).filter(|_| ended.is_finished()),
            rent_payer: creation.and_then(|step| step.entry.action.actor),
            funder: None,
        })
    }
}

fn is_creation(step: &Step) -> bool {
    matches!(step.entry.action.instruction, EscrowInstruction::Create { .. })
}

/// Whether it decided some of the money.
fn decides(step: &Step) -> bool {
    matches!(
        step.entry.action.instruction,
        EscrowInstruction::Release { .. }
            | EscrowInstruction::Refund { .. }
            | EscrowInstruction::Claim { .. }
            | EscrowInstruction::Rule { .. }
            | EscrowInstruction::Accept { .. }
            | EscrowInstruction::Expire { .. }
            | EscrowInstruction::Cancel
    )
}

/// How it ended: by what decided the last of it.
fn ended(history: &History) -> Ended {
    let funded = history.steps.iter().any(|step| matches!(step.entry.action.instruction, EscrowInstruction::Fund));
    if !funded {
        let over =
            history.steps.last().is_some_and(|step| matches!(step.entry.action.instruction, EscrowInstruction::Cancel));
        return if over { Ended::Unfunded } else { Ended::Open };
    }
    let last = history.steps.iter().rev().find(|step| decides(step));
    let is_settled = |step: &Step| match &step.replayed {
        Some(preview) => preview.after.as_ref().is_none_or(crate::EscrowAccount::is_settled),
        // What the node forgot: a closed escrow was settled.
        None => {
            matches!(history.steps.last().map(|last| &last.entry.action.instruction), Some(EscrowInstruction::Close))
        }
    };
    let Some(last) = last.filter(|last| is_settled(last)) else { return Ended::Open };
    let status_before = |milestone: u8| last.before.as_ref()?.milestone(milestone).ok()?.status().ok();
    match &last.entry.action.instruction {
        EscrowInstruction::Release { .. } | EscrowInstruction::Claim { .. } => Ended::Released,
        EscrowInstruction::Refund { .. } => Ended::Refunded,
        EscrowInstruction::Rule { seller_bps, .. } if *seller_bps >= 5_000 => Ended::RuledForSeller,
        EscrowInstruction::Rule { .. } => Ended::RuledForBuyer,
        EscrowInstruction::Accept { .. } => Ended::Agreed,
        EscrowInstruction::Cancel => Ended::Cancelled,
        EscrowInstruction::Expire { milestone } => match status_before(*milestone) {
            Some(MilestoneStatus::Delivered) => Ended::Unanswered,
            Some(MilestoneStatus::Disputed) => Ended::Unruled,
            _ => Ended::Undelivered,
        },
        _ => Ended::Open,
    }
}

impl Record {
    /// Those that came to an end with money at stake.
    pub fn finished(&self) -> impl Iterator<Item = &Deal> {
        self.deals.iter().filter(|deal| deal.ended.is_finished())
    }

    /// How many ended so, in this role.
    pub fn count(&self, ended: Ended, as_seller: bool) -> usize {
        self.deals.iter().filter(|deal| deal.ended == ended && deal.as_seller == as_seller).count()
    }

    /// With how many different people.
    pub fn people(&self) -> usize {
        self.finished().map(|deal| deal.with).collect::<HashSet<_>>().len()
    }

    /// How many with `you` came to an end.
    pub fn with(&self, you: &Pubkey) -> usize {
        self.finished().filter(|deal| deal.with == *you).count()
    }

    /// Since when.
    pub fn since(&self) -> Option<i64> {
        self.deals.iter().filter_map(|deal| deal.since).min()
    }

    /// How much it says to `you`.
    pub fn level(&self, you: Option<&Pubkey>) -> Level {
        match (self.finished().count(), self.people()) {
            _ if you.is_some_and(|you| self.with(you) > 0) => Level::KnownToYou,
            (0, _) => Level::Unknown,
            (5.., 3..) => Level::Established,
            _ => Level::Thin,
        }
    }

    /// What honest records seldom have.
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        let payers: HashSet<_> = self.finished().filter_map(|deal| deal.rent_payer).collect();
        if self.people() >= 3 && payers.len() == 1 {
            flags.push(Flag::OneRentPayer);
        }
        let funders: HashSet<_> = self.finished().map(|deal| deal.funder).collect();
        if let (true, 1, Some(Some(funder))) = (self.people() >= 3, funders.len(), funders.iter().next()) {
            flags.push(Flag::OneFunder(*funder));
        }
        let quick = self.finished().filter(|deal| deal.took.is_some_and(|took| took < 600)).count();
        if quick > 0 {
            flags.push(Flag::SettledWithinMinutes(quick));
        }
        flags
    }

    /// What a record like this would have cost somebody who deals with oneself, in lamports, besides money that comes back: four
    /// signatures for each deal.
    pub fn cost_of_faking(&self) -> u64 {
        let deals = u64::try_from(self.finished().count()).unwrap_or(u64::MAX);
        deals.saturating_mul(4 * 5_000)
    }

    /// How much a first deal in this asset should be at most: what they have finished well before. None where that is nothing.
    pub fn first_amount(&self, asset: Asset, you: Option<&Pubkey>) -> Option<u64> {
        let well = self.finished().filter(|deal| {
            deal.asset == asset && matches!(deal.ended, Ended::Released | Ended::Unanswered | Ended::Agreed)
        });
        let largest = well.map(|deal| deal.principal).max()?;
        match self.level(you) {
            Level::Established | Level::KnownToYou => Some(largest),
            Level::Thin | Level::Unknown => largest.checked_div(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    fn record(deals: &[(u8, Ended, u64)]) -> Record {
        let deal = |(with, ended, principal): &(u8, Ended, u64)| Deal {
            escrow: key(200),
            as_seller: true,
            with: key(*with),
            asset: Asset::Sol,
            principal: *principal,
            ended: *ended,
            since: Some(1_800_000_000),
            took: Some(86_400),
            rent_payer: Some(key(*with)),
            funder: None,
        };
        Record { deals: deals.iter().map(deal).collect(), cut: false }
    }

    #[test]
    fn levels_need_deals_and_people() {
        let (me, four) = (key(9), [(1, Ended::Released, 5); 4]);
        assert_eq!(record(&[]).level(None), Level::Unknown);
        assert_eq!(record(&[(1, Ended::Open, 5), (1, Ended::Cancelled, 5)]).level(None), Level::Unknown);
        assert_eq!(record(&four).level(None), Level::Thin);
        let with_one = [&four[..], &[(1, Ended::Released, 5)]].concat();
        assert_eq!(record(&with_one).level(Some(&me)), Level::Thin);
        let with_three = [&four[..], &[(2, Ended::Refunded, 5), (3, Ended::Undelivered, 5)]].concat();
        assert_eq!(record(&with_three).level(Some(&me)), Level::Established);
        assert_eq!(record(&[(9, Ended::Released, 5)]).level(Some(&me)), Level::KnownToYou);
    }

    #[test]
    fn a_first_amount_is_what_went_well_before() {
        assert_eq!(record(&[(1, Ended::Undelivered, 100)]).first_amount(Asset::Sol, None), None);
        assert_eq!(record(&[(1, Ended::Released, 100)]).first_amount(Asset::Sol, None), Some(50));
        assert_eq!(record(&[(9, Ended::Released, 100)]).first_amount(Asset::Sol, Some(&key(9))), Some(100));
    }

    #[test]
    fn what_is_odd_is_flagged() {
        let mut record = record(&[(1, Ended::Released, 5), (2, Ended::Released, 5), (3, Ended::Released, 5)]);
        assert_eq!(record.flags(), []);
        for deal in &mut record.deals {
            deal.rent_payer = Some(key(7));
        }
        record.deals[0].took = Some(30);
        assert_eq!(record.flags(), [Flag::OneRentPayer, Flag::SettledWithinMinutes(1)]);
        assert_eq!(record.cost_of_faking(), 60_000);
        // Of one who is not known to have the same funder nothing is said.
        for (funders, flagged) in [([7, 7, 8], false), ([7, 7, 0], false), ([7, 7, 7], true)] {
            for (deal, funder) in record.deals.iter_mut().zip(funders) {
                deal.funder = (funder > 0).then(|| key(funder));
            }
            assert_eq!(record.flags().contains(&Flag::OneFunder(key(7))), flagged, "{funders:?}");
        }
    }
}
