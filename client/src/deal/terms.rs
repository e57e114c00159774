//! Building terms with defaults that protect both sides, and checking an escrow against them.

use escrow::state::{MAX_MILESTONES, MilestoneTerms, Terms, share};
use solana_pubkey::Pubkey;
use thiserror::Error;

use super::code::DeliveryCode;
use crate::EscrowError;

/// An hour, in seconds.
pub const HOUR: u32 = 60 * 60;
/// A day, in seconds.
pub const DAY: u32 = 24 * HOUR;

/// What is agreed where nothing else is said.
pub mod defaults {
    use super::DAY;

    /// To be funded within this time, in seconds, or before the first delivery deadline, if that is sooner.
    pub const FUND_WITHIN: u32 = DAY;
    /// No cooling-off period, in seconds.
    pub const COOLING_OFF: u32 = 0;
    /// How long the buyer may review a delivery, in seconds.
    pub const REVIEW_WINDOW: u32 = 3 * DAY;
    /// How long a dispute may stay open, in seconds.
    pub const RULING_WINDOW: u32 = 7 * DAY;
    /// The seller never delivers: the buyer gets everything back. The seller's share, in basis points.
    pub const UNDELIVERED_BPS: u16 = 0;
    /// The buyer never answers: the seller gets everything. The seller's share, in basis points.
    pub const UNANSWERED_BPS: u16 = 10_000;
    /// Nobody rules on a dispute: half each. The seller's share, in basis points.
    pub const UNRULED_BPS: u16 = 5_000;
}

/// What an escrow holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asset {
    /// SOL.
    Sol,
    /// A token.
    Token {
        /// Its mint.
        mint: Pubkey,
        /// The program of the mint: SPL Token or Token-2022.
        program: Pubkey,
    },
}

impl Asset {
    /// The token's mint; none for SOL.
    pub const fn mint(&self) -> Option<Pubkey> {
        match self {
            Self::Sol => None,
            Self::Token { mint, .. } => Some(*mint),
        }
    }
}

/// A part of every milestone that the seller gets later: after the last work was delivered and a time has passed in which
/// the buyer may dispute it.
///
/// In the terms it is a last milestone, delivered together with the last work, whose review window is that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The part, in basis points.
    pub bps: u16,
    /// How long it is retained, in seconds.
    pub seconds: u32,
}

/// A fee on what is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// Who is paid.
    pub recipient: Pubkey,
    /// How much, in basis points.
    pub bps: u16,
}

/// Who can end a deal with a delivery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CodeKind {
    /// The code pays at once; the seller may also deliver without it, and is then paid when the review is over.
    #[default]
    Soft,
    /// No code, no money.
    Strict,
}

/// Why terms cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TermsError {
    /// The program would refuse them.
    #[error(transparent)]
    Rule(#[from] EscrowError),
    /// They could be funded at a time at which the program refuses it, because a delivery deadline has passed.
    #[error(
        "milestone {milestone} must be delivered before the escrow has to be funded and its cooling-off period is over: \
         set an earlier funding deadline, or a later one for delivery"
    )]
    FundedTooLate {
        /// The milestone's number, counted from 1.
        milestone: u8,
    },
    /// No milestone is left for the retention.
    #[error("a retention is a milestone of its own: name at most {max} others", max = MAX_MILESTONES.saturating_sub(1))]
    NoRoomForRetention,
    /// A delivery code releases the only milestone.
    #[error("a delivery code needs a single milestone, and neither a retention nor another attester")]
    CodeNeedsSingleMilestone,
}

/// Terms that are being agreed on. What is `None` is none, or what [`defaults`] say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermsBuilder {
    /// Who pays.
    pub buyer: Pubkey,
    /// Who delivers and is paid.
    pub seller: Pubkey,
    /// In what.
    pub asset: Asset,
    /// Who may rule on disputes.
    pub arbiter: Option<Pubkey>,
    /// Who delivers in the seller's place.
    pub attester: Option<Pubkey>,
    /// A fee on what is released.
    pub fee: Option<Fee>,
    /// The arbiter's fee on what a ruling decides, in basis points.
    pub arbiter_fee_bps: Option<u16>,
    /// The powers of the token's issuer that the parties accept: `RISK_*` bits.
    pub accepted_risks: u16,
    /// Funded before this time, in unix seconds.
    pub fund_by: Option<i64>,
    /// How long after funding the buyer may cancel, in seconds.
    pub cooling_off: Option<u32>,
    /// How long a dispute may stay open, in seconds.
    pub ruling_window: Option<u32>,
    /// The seller's share where nothing is delivered in time, in basis points.
    pub undelivered_bps: Option<u16>,
    /// The seller's share where the buyer does not answer a delivery in time, in basis points.
    pub unanswered_bps: Option<u16>,
    /// The seller's share where nobody rules on a dispute in time, in basis points.
    pub unruled_bps: Option<u16>,
    /// sha256 of a secret that claims the only milestone.
    pub hashlock: Option<[u8; 32]>,
    /// sha256 of the written agreement.
    pub document_hash: Option<[u8; 32]>,
    /// What makes these terms differ from the same ones agreed on again; random where none is named.
    pub salt: Option<[u8; 16]>,
    /// The milestones.
    pub milestones: Vec<MilestoneTerms>,
    /// A part of them that is paid later.
    pub retention: Option<Retention>,
}

impl TermsBuilder {
    /// Between these two, in this asset; with no milestone yet.
    pub const fn new(buyer: Pubkey, seller: Pubkey, asset: Asset) -> Self {
        Self {
            buyer,
            seller,
            asset,
            arbiter: None,
            attester: None,
            fee: None,
            arbiter_fee_bps: None,
            accepted_risks: 0,
            fund_by: None,
            cooling_off: None,
            ruling_window: None,
            undelivered_bps: None,
            unanswered_bps: None,
            unruled_bps: None,
            hashlock: None,
            document_hash: None,
            salt: None,
            milestones: Vec::new(),
            retention: None,
        }
    }

    /// With one milestone more: `amount` units, to be delivered before `deliver_by` (unix seconds).
    #[must_use]
    pub fn milestone(mut self, amount: u64, deliver_by: i64) -> Self {
        self.milestones.push(milestone(amount, deliver_by));
        self
    }

    /// With a delivery code: whoever shows it releases the only milestone.
    ///
    /// # Errors
    ///
    /// [`TermsError::CodeNeedsSingleMilestone`].
    pub fn delivery_code(mut self, code: &DeliveryCode, kind: CodeKind) -> Result<Self, TermsError> {
        if self.milestones.len() > 1 || self.retention.is_some() || self.attester.is_some() {
            return Err(TermsError::CodeNeedsSingleMilestone);
        }
        self.hashlock = Some(code.hashlock());
        // With a hash-lock and no attester the secret is the only delivery.
        self.attester = (kind == CodeKind::Soft).then_some(self.seller);
        Ok(self)
    }

    /// A small deal of `amount` to be settled before this one is made: between the same two, under the same conditions, in
    /// one milestone. A trial milestone inside this one would limit nothing: everything is locked when it is funded.
    #[must_use]
    pub fn trial(&self, amount: u64) -> Self {
        let first = self.milestones.first().map(|first| MilestoneTerms { amount, ..*first });
        Self {
            milestones: first.into_iter().collect(),
            retention: None,
            hashlock: None,
            document_hash: None,
            salt: None,
            ..self.clone()
        }
    }

    /// The terms, as they can be agreed on at `now` (unix seconds).
    ///
    /// # Errors
    ///
    /// Where the program would refuse them, or they contradict themselves.
    pub fn build(&self, now: i64) -> Result<Terms, TermsError> {
        let terms = self.assemble(now)?;
        terms.validate(now)?;
        // The program asks it of whoever funds: at the last second at which one may, the cooling-off period has to end
        // before every delivery deadline.
        let latest = |milestone: &MilestoneTerms| milestone.deliver_by.saturating_sub(i64::from(terms.cooling_off));
        let first = (1u8..).zip(&terms.milestones).find(|(_, milestone)| terms.fund_by > latest(milestone));
        first.map_or(Ok(()), |(milestone, _)| Err(TermsError::FundedTooLate { milestone }))?;
        Ok(terms)
    }

    /// The terms as they are so far, without asking the program's rules: to be shown while they are agreed on.
    ///
    /// # Errors
    ///
    /// Where a retention leaves no room, or takes more than there is.
    pub fn assemble(&self, now: i64) -> Result<Terms, TermsError> {
        let milestones = match self.retention {
            None => self.milestones.clone(),
            Some(retention) => retain(&self.milestones, retention)?,
        };
        let cooling_off = self.cooling_off.unwrap_or(defaults::COOLING_OFF);
        // The usual time, unless it would be too late; where even that is in the past, the milestone is what is wrong.
        let first = milestones.iter().map(|milestone| milestone.deliver_by).min();
        let latest = first.map(|first| first.saturating_sub(i64::from(cooling_off))).filter(|latest| *latest > now);
        let usual = now.saturating_add(i64::from(defaults::FUND_WITHIN));
        let fund_by = self.fund_by.unwrap_or_else(|| latest.map_or(usual, |latest| usual.min(latest)));
        let (mint, token_program) = match self.asset {
            Asset::Sol => (Pubkey::default(), Pubkey::default()),
            Asset::Token { mint, program } => (mint, program),
        };
        Ok(Terms {
            buyer: self.buyer,
            seller: self.seller,
            arbiter: self.arbiter.unwrap_or_default(),
            attester: self.attester.unwrap_or_default(),
            fee_recipient: self.fee.map(|fee| fee.recipient).unwrap_or_default(),
            mint,
            token_program,
            accepted_risks: self.accepted_risks,
            fee_bps: self.fee.map_or(0, |fee| fee.bps),
            arbiter_fee_bps: self.arbiter_fee_bps.unwrap_or(0),
            fund_by,
            cooling_off,
            ruling_window: self.ruling_window.unwrap_or(defaults::RULING_WINDOW),
            undelivered_bps: self.undelivered_bps.unwrap_or(defaults::UNDELIVERED_BPS),
            unanswered_bps: self.unanswered_bps.unwrap_or(defaults::UNANSWERED_BPS),
            unruled_bps: self.unruled_bps.unwrap_or(defaults::UNRULED_BPS),
            hashlock: self.hashlock.unwrap_or_default(),
            document_hash: self.document_hash.unwrap_or_default(),
            salt: self.salt.unwrap_or_else(rand::random),
            milestones,
        })
    }
}

/// The milestones less the retained part, and the milestone that has it.
fn retain(milestones: &[MilestoneTerms], retention: Retention) -> Result<Vec<MilestoneTerms>, TermsError> {
    if milestones.len() >= MAX_MILESTONES {
        return Err(TermsError::NoRoomForRetention);
    }
    let Some(deliver_by) = milestones.iter().map(|milestone| milestone.deliver_by).max() else {
        return Ok(Vec::new());
    };
    let mut retained = 0u64;
    let mut all = Vec::new();
    for milestone in milestones {
        let part = share(milestone.amount, retention.bps)?;
        retained = retained.checked_add(part).ok_or(EscrowError::PrincipalOverflow)?;
        let amount = milestone.amount.checked_sub(part).ok_or(EscrowError::Overflow)?;
        all.push(MilestoneTerms { amount, ..*milestone });
    }
    all.push(MilestoneTerms { amount: retained, deliver_by, review_window: retention.seconds });
    Ok(all)
}

/// A milestone of `amount` units, to be delivered before `deliver_by` (unix seconds), with the usual time to review it.
pub const fn milestone(amount: u64, deliver_by: i64) -> MilestoneTerms {
    MilestoneTerms { amount, deliver_by, review_window: defaults::REVIEW_WINDOW }
}

/// What an escrow with these terms holds.
pub fn asset_of(terms: &Terms) -> Asset {
    if terms.is_sol() { Asset::Sol } else { Asset::Token { mint: terms.mint, program: terms.token_program } }
}

/// Whether `address` is the escrow with exactly these terms. Check it before signing anything that pays into it.
///
/// # Errors
///
/// Where the terms cannot be hashed.
pub fn is_address_of(terms: &Terms, address: &Pubkey) -> Result<bool, EscrowError> {
    Ok(crate::address::escrow_address(terms)? == *address)
}

/// The salt of a deal that is created under a reference, such as an invoice's number: the same for whoever creates it, so that
/// a repetition on another machine finds the first by it.
pub fn reference_salt(reference: &str) -> [u8; 16] {
    let hash = anchor_lang::sha256(format!("escrow reference:{reference}").as_bytes());
    let mut salt = [0; 16];
    salt.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn builder() -> TermsBuilder {
        let key = |byte| Pubkey::new_from_array([byte; 32]);
        TermsBuilder::new(key(1), key(2), Asset::Sol)
    }

    fn in_days(days: i64) -> i64 {
        NOW + days * i64::from(DAY)
    }

    #[test]
    fn what_is_not_said_is_as_the_defaults_say() {
        let terms = builder().milestone(1_000, in_days(14)).build(NOW).unwrap();
        assert_eq!((terms.fund_by, terms.cooling_off, terms.ruling_window), (in_days(1), 0, 7 * DAY));
        assert_eq!((terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps), (0, 10_000, 5_000));
        assert_eq!(terms.milestones[0].review_window, 3 * DAY);
        let again = builder().milestone(1_000, in_days(14)).build(NOW).unwrap();
        assert_ne!(terms.salt, again.salt);
    }

    #[test]
    fn nobody_is_asked_to_fund_what_the_program_would_refuse() {
        let soon = NOW + 600;
        assert_eq!(builder().milestone(1, soon).build(NOW).unwrap().fund_by, soon);
        let cooling = TermsBuilder { cooling_off: Some(60), ..builder() };
        assert_eq!(cooling.milestone(1, soon).build(NOW).unwrap().fund_by, soon - 60);
        let late = TermsBuilder { fund_by: Some(in_days(15)), ..builder() };
        let late = late.milestone(1, in_days(20)).milestone(1, in_days(14));
        assert_eq!(late.build(NOW), Err(TermsError::FundedTooLate { milestone: 2 }));
        // What else is wrong is told first.
        let past = TermsBuilder { fund_by: Some(in_days(1)), ..builder() }.milestone(1, NOW);
        assert_eq!(past.build(NOW), Err(TermsError::Rule(EscrowError::DeliverByPassed)));
        assert_eq!(builder().build(NOW), Err(TermsError::Rule(EscrowError::MilestoneCount)));
    }

    #[test]
    fn a_retention_is_the_last_milestone_and_nothing_is_lost_in_it() {
        let retention = Some(Retention { bps: 1_000, seconds: 30 * DAY });
        let work = TermsBuilder { retention, ..builder() }.milestone(1_005, in_days(20)).milestone(2_009, in_days(10));
        let terms = work.build(NOW).unwrap();
        let amounts: Vec<u64> = terms.milestones.iter().map(|milestone| milestone.amount).collect();
        assert_eq!(amounts, [905, 1_809, 300]);
        let last = terms.milestones.last().unwrap();
        assert_eq!((last.deliver_by, last.review_window), (in_days(20), 30 * DAY));
        let full = TermsBuilder { milestones: vec![milestone(10, in_days(1)); 8], retention, ..builder() };
        assert_eq!(full.build(NOW), Err(TermsError::NoRoomForRetention));
    }

    #[test]
    fn a_delivery_code_is_soft_or_strict() {
        let code = DeliveryCode::from([7; 32]);
        let soft = builder().milestone(1, in_days(5)).delivery_code(&code, CodeKind::Soft).unwrap().build(NOW).unwrap();
        assert_eq!((soft.hashlock, soft.attester), (code.hashlock(), soft.seller));
        let strict = builder().milestone(1, in_days(5)).delivery_code(&code, CodeKind::Strict).unwrap();
        assert_eq!(strict.build(NOW).unwrap().attester, Pubkey::default());
        let two = builder().milestone(1, in_days(5)).milestone(1, in_days(5));
        assert_eq!(two.delivery_code(&code, CodeKind::Soft), Err(TermsError::CodeNeedsSingleMilestone));
    }

    #[test]
    fn a_small_deal_first_is_an_escrow_of_its_own() {
        let deal = TermsBuilder { document_hash: Some([1; 32]), ..builder() };
        let deal = deal.milestone(1_000_000, in_days(5)).milestone(2_000_000, in_days(9));
        let trial = deal.trial(5_000).build(NOW).unwrap();
        assert_eq!(trial.milestones, [milestone(5_000, in_days(5))]);
        assert_eq!(trial.document_hash, [0; 32]);
        assert_ne!(trial.hash(), deal.build(NOW).unwrap().hash());
    }
}
