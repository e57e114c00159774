//! What the parties agree on, fixed when the escrow is created (design, section 2.2).

use anchor_lang::{prelude::*, solana_program::hash::hashv};
use solana_address::address_eq;

use super::{BPS_DENOMINATOR, MAX_WINDOW, RISKS_KNOWN, Result, after, check_ahead};
use crate::error::EscrowError;

/// The most milestones an escrow has. Their accounts and the instruction that creates them are sized for it.
#[constant]
pub const MAX_MILESTONES: usize = 8;

/// The highest fee, and the highest arbiter's fee, in basis points: 10 %.
#[constant]
pub const MAX_FEE_BPS: u16 = 1_000;

/// Stands before the terms when they are hashed, so that the hash of terms is never the hash of anything else. Its number
/// is that of [`LAYOUT_VERSION`](super::LAYOUT_VERSION): the same terms under other rules are another deal.
#[constant]
pub const TERMS_HASH_PREFIX: &[u8] = b"escrow:terms:v2";

/// The bytes of encoded terms without their milestones.
pub const TERMS_BASE_SIZE: usize = 336;

/// The bytes of one encoded milestone of the terms.
pub const MILESTONE_TERMS_SIZE: usize = 20;

/// What the parties agree on. An escrow's address is derived from the hash of all of it.
#[derive(
    Debug, Clone, PartialEq, Eq, IdlType, SchemaRead, SchemaWrite, borsh::BorshSerialize, borsh::BorshDeserialize,
)]
pub struct Terms {
    /// Pays in; may cancel in the cooling-off period, release and dispute.
    pub buyer: Address,
    /// Delivers and is paid; may refund.
    pub seller: Address,
    /// May rule on a disputed milestone; the default key means none.
    pub arbiter: Address,
    /// Delivers in the seller's place; the default key means none.
    pub attester: Address,
    /// Is paid the fee; the default key means none.
    pub fee_recipient: Address,
    /// The token's mint; the default key means SOL.
    pub mint: Address,
    /// The token's program; the default key means SOL.
    pub token_program: Address,
    /// The issuer's powers over the token that both parties accept: the `RISK_*` bits.
    pub accepted_risks: u16,
    /// The fee on what is released, in basis points, at most 1,000.
    pub fee_bps: u16,
    /// The arbiter's fee on what a ruling decides, in basis points, at most 1,000.
    pub arbiter_fee_bps: u16,
    /// Unix seconds: created and funded strictly before it.
    pub fund_by: i64,
    /// Seconds after funding in which the buyer may cancel, before delivery starts.
    pub cooling_off: u32,
    /// Seconds that a dispute may stay open.
    pub ruling_window: u32,
    /// The seller's share in basis points when nothing is delivered in time.
    pub undelivered_bps: u16,
    /// The seller's share in basis points when the buyer does not answer a delivery in time.
    pub unanswered_bps: u16,
    /// The seller's share in basis points when nobody rules on a dispute in time.
    pub unruled_bps: u16,
    /// sha256 of a 32-byte secret whose holder may claim the single milestone for the seller; all zero means none.
    pub hashlock: [u8; 32],
    /// sha256 of the agreement that is kept elsewhere; all zero means none.
    pub document_hash: [u8; 32],
    /// Random, so that two deals with the same terms have two addresses.
    pub salt: [u8; 16],
    /// 1 to 8 milestones.
    pub milestones: Vec<MilestoneTerms>,
}

/// One milestone, as agreed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, IdlType, SchemaRead, SchemaWrite, borsh::BorshSerialize, borsh::BorshDeserialize,
)]
pub struct MilestoneTerms {
    /// In the asset's smallest unit; not zero.
    pub amount: u64,
    /// Unix seconds: delivered strictly before it.
    pub deliver_by: i64,
    /// Seconds after the delivery in which the buyer may dispute; with a hash-lock at least until the deadline that the
    /// delivery met.
    pub review_window: u32,
}

/// Whether an optional role or asset is named.
pub fn is_named(address: &Address) -> bool {
    !address_eq(address, &Address::new_from_array([0; 32]))
}

impl Terms {
    /// Whether the escrow holds SOL, not a token.
    pub fn is_sol(&self) -> bool {
        !is_named(&self.mint)
    }

    /// The sum of the milestones' amounts.
    pub fn principal(&self) -> Result<u64> {
        self.milestones
            .iter()
            .try_fold(0u64, |sum, milestone| sum.checked_add(milestone.amount))
            .ok_or(EscrowError::PrincipalOverflow)
    }

    /// `sha256(prefix ‖ borsh(self))`, from which the escrow's address is derived.
    ///
    /// Encodes by hand, into the pieces that the hash takes: Borsh's writer would cost three times as much on chain.
    /// A test holds the two together.
    pub fn hash(&self) -> Result<[u8; 32]> {
        let mut numbers = [0u8; 28];
        put(&mut numbers, 0, self.accepted_risks.to_le_bytes());
        put(&mut numbers, 2, self.fee_bps.to_le_bytes());
        put(&mut numbers, 4, self.arbiter_fee_bps.to_le_bytes());
        put(&mut numbers, 6, self.fund_by.to_le_bytes());
        put(&mut numbers, 14, self.cooling_off.to_le_bytes());
        put(&mut numbers, 18, self.ruling_window.to_le_bytes());
        put(&mut numbers, 22, self.undelivered_bps.to_le_bytes());
        put(&mut numbers, 24, self.unanswered_bps.to_le_bytes());
        put(&mut numbers, 26, self.unruled_bps.to_le_bytes());
        let count = u32::try_from(self.milestones.len()).map_err(|_| EscrowError::MilestoneCount)?;
        let mut milestones = [0u8; MAX_MILESTONES * MILESTONE_TERMS_SIZE];
        let mut slots = milestones.chunks_exact_mut(MILESTONE_TERMS_SIZE);
        for milestone in &self.milestones {
            let slot = slots.next().ok_or(EscrowError::MilestoneCount)?;
            put(slot, 0, milestone.amount.to_le_bytes());
            put(slot, 8, milestone.deliver_by.to_le_bytes());
            put(slot, 16, milestone.review_window.to_le_bytes());
        }
        let used = self.milestones.len().saturating_mul(MILESTONE_TERMS_SIZE);
        Ok(hashv(&[
            TERMS_HASH_PREFIX,
            self.buyer.as_array(),
            self.seller.as_array(),
            self.arbiter.as_array(),
            self.attester.as_array(),
            self.fee_recipient.as_array(),
            self.mint.as_array(),
            self.token_program.as_array(),
            &numbers,
            &self.hashlock,
            &self.document_hash,
            &self.salt,
            &count.to_le_bytes(),
            milestones.get(..used).ok_or(EscrowError::MilestoneCount)?,
        ])
        .to_bytes())
    }

    /// Whether an escrow may be created on these terms at `now`.
    ///
    /// Not checked: that a role is the escrow's own address or its vault. Both are derived from a hash of the terms,
    /// so no terms can name them.
    pub fn validate(&self, now: i64) -> Result<()> {
        self.validate_roles()?;
        self.validate_asset()?;
        self.validate_rates()?;
        check_ahead(self.fund_by, now, EscrowError::FundByPassed, EscrowError::FundByTooFar)?;
        if self.cooling_off > MAX_WINDOW || self.ruling_window > MAX_WINDOW {
            return Err(EscrowError::WindowTooLong);
        }
        if self.ruling_window == 0 {
            return Err(EscrowError::RulingWindowZero);
        }
        self.validate_milestones(now)
    }

    fn validate_roles(&self) -> Result<()> {
        let Self { buyer, seller, arbiter, attester, fee_recipient, .. } = self;
        if !is_named(buyer) || !is_named(seller) {
            return Err(EscrowError::RoleMissing);
        }
        if address_eq(buyer, seller) || address_eq(buyer, arbiter) || address_eq(seller, arbiter) {
            return Err(EscrowError::RolesNotDistinct);
        }
        if [buyer, seller, arbiter, attester, fee_recipient].into_iter().any(|role| address_eq(role, &crate::ID)) {
            return Err(EscrowError::RoleIsProgram);
        }
        Ok(())
    }

    fn validate_asset(&self) -> Result<()> {
        let Self { mint, token_program, accepted_risks, .. } = self;
        if is_named(mint) != is_named(token_program) {
            return Err(EscrowError::AssetIncomplete);
        }
        let known = [&Token::id(), &Token2022::id()].into_iter().any(|program| address_eq(token_program, program));
        if is_named(token_program) && !known {
            return Err(EscrowError::TokenProgramUnknown);
        }
        if accepted_risks & !RISKS_KNOWN != 0 {
            return Err(EscrowError::RiskUnknown);
        }
        Ok(())
    }

    fn validate_rates(&self) -> Result<()> {
        if self.fee_bps > MAX_FEE_BPS || self.arbiter_fee_bps > MAX_FEE_BPS {
            return Err(EscrowError::FeeTooHigh);
        }
        if self.fee_bps != 0 && !is_named(&self.fee_recipient) {
            return Err(EscrowError::FeeWithoutRecipient);
        }
        if self.arbiter_fee_bps != 0 && !is_named(&self.arbiter) {
            return Err(EscrowError::FeeWithoutArbiter);
        }
        let shares = [self.undelivered_bps, self.unanswered_bps, self.unruled_bps];
        if shares.into_iter().any(|share| share > BPS_DENOMINATOR) {
            return Err(EscrowError::ShareTooHigh);
        }
        Ok(())
    }

    fn validate_milestones(&self, now: i64) -> Result<()> {
        let Self { milestones, seller, attester, .. } = self;
        if milestones.is_empty() || milestones.len() > MAX_MILESTONES {
            return Err(EscrowError::MilestoneCount);
        }
        if self.hashlock != [0; 32] && milestones.len() != 1 {
            return Err(EscrowError::HashlockMilestones);
        }
        // A seller who is their own attester could deliver and be paid in the same second, as without one.
        let attested = is_named(attester) && !address_eq(attester, seller);
        let cooling_off_end = after(now, self.cooling_off)?;
        for milestone in milestones {
            let MilestoneTerms { amount, deliver_by, review_window } = *milestone;
            if amount == 0 {
                return Err(EscrowError::AmountZero);
            }
            check_ahead(deliver_by, now, EscrowError::DeliverByPassed, EscrowError::DeliverByTooFar)?;
            if review_window > MAX_WINDOW {
                return Err(EscrowError::WindowTooLong);
            }
            if review_window == 0 && !attested {
                return Err(EscrowError::ReviewWindowZero);
            }
            // Funding checks this again, at its own time: here it keeps out an escrow that nobody could ever fund.
            if cooling_off_end >= deliver_by {
                return Err(EscrowError::CoolingOffTooLong);
            }
        }
        self.principal().map(|_| ())
    }
}

/// Copies `bytes` to `at`. Only called with constant offsets that fit.
fn put<const N: usize>(buffer: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(target) = buffer.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<N>()) {
        *target = bytes;
    }
}
