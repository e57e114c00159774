//! The ledger: deciding and paying are separate. Every decision only moves amounts between these counters.

use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use super::Result;
use crate::error::EscrowError;

/// 100 %, in basis points.
pub const BPS_DENOMINATOR: u16 = 10_000;

/// `floor(amount · bps / 10,000)`.
///
/// `amount = 10,000·q + r` gives `q·bps + floor(r·bps / 10,000)`. With `bps` up to 10,000 the first product is at most
/// `amount`, the second less than 10^8 and the sum at most `amount`, so nothing overflows.
pub fn share(amount: u64, bps: u16) -> Result<u64> {
    if bps > BPS_DENOMINATOR {
        return Err(EscrowError::ShareTooHigh);
    }
    let (denominator, bps) = (u64::from(BPS_DENOMINATOR), u64::from(bps));
    #[expect(clippy::arithmetic_side_effects, reason = "a constant divisor other than zero")]
    let (whole, rest) = (amount / denominator, amount % denominator);
    // A checked product costs 30 compute units more, and cannot fail.
    #[expect(clippy::arithmetic_side_effects, reason = "a constant divisor other than zero")]
    Ok(whole.wrapping_mul(bps).wrapping_add(rest.wrapping_mul(bps) / denominator))
}

/// Whom the escrow pays.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, IdlType, SchemaRead, SchemaWrite, borsh::BorshSerialize, borsh::BorshDeserialize,
)]
#[repr(u8)]
pub enum Recipient {
    /// The buyer: refunds.
    Buyer,
    /// The seller: releases less the fee.
    Seller,
    /// The fee recipient.
    Fee,
    /// The arbiter.
    Arbiter,
}

impl Recipient {
    /// Every recipient.
    pub const ALL: [Self; 4] = [Self::Buyer, Self::Seller, Self::Fee, Self::Arbiter];
}

/// Amounts in the smallest unit of the escrow's asset (lamports, or the token's base unit).
///
/// Totals only grow. `due_*` grows with a decision and falls to zero with the withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable, IdlType)]
#[repr(C)]
pub struct Ledger {
    /// Sum of the milestones' amounts: what the buyer pays in, once. Never computed from a balance.
    pub principal: u64,
    /// Decided in the seller's favour so far, including the fee.
    pub released: u64,
    /// Decided in the buyer's favour so far.
    pub refunded: u64,
    /// The part of `released` that is the fee recipient's: `floor(released · fee_bps / 10,000)` at every moment.
    pub fees: u64,
    /// Decided in the arbiter's favour so far.
    pub arbiter_fees: u64,
    /// Decided for the buyer and not yet paid out.
    pub due_buyer: u64,
    /// Decided for the seller and not yet paid out.
    pub due_seller: u64,
    /// Decided for the fee recipient and not yet paid out.
    pub due_fee: u64,
    /// Decided for the arbiter and not yet paid out.
    pub due_arbiter: u64,
}

/// What one decision moved, for its event. The parts add up to what the milestone lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// To the seller, after the fee.
    pub seller: u64,
    /// To the fee recipient.
    pub fee: u64,
    /// To the buyer.
    pub buyer: u64,
    /// To the arbiter.
    pub arbiter: u64,
}

impl Ledger {
    /// What is decided for `recipient` and not yet paid out.
    pub const fn due(&self, recipient: Recipient) -> u64 {
        match recipient {
            Recipient::Buyer => self.due_buyer,
            Recipient::Seller => self.due_seller,
            Recipient::Fee => self.due_fee,
            Recipient::Arbiter => self.due_arbiter,
        }
    }

    /// What is decided and not yet paid out, of all recipients together.
    pub fn total_due(&self) -> Result<u64> {
        sum([self.due_buyer, self.due_seller, self.due_fee, self.due_arbiter])
    }

    /// Takes what is due to `recipient`, which is then paid.
    pub(crate) fn take_due(&mut self, recipient: Recipient) -> Result<u64> {
        let due = match recipient {
            Recipient::Buyer => &mut self.due_buyer,
            Recipient::Seller => &mut self.due_seller,
            Recipient::Fee => &mut self.due_fee,
            Recipient::Arbiter => &mut self.due_arbiter,
        };
        match core::mem::take(due) {
            0 => Err(EscrowError::NothingDue),
            amount => Ok(amount),
        }
    }

    /// Decides `amount` for the seller, less the fee. The total fee depends on the total released only, so it is the
    /// same however many releases it took.
    pub(crate) fn release(&mut self, amount: u64, fee_bps: u16) -> Result<Moved> {
        self.released = add(self.released, amount)?;
        let fees = share(self.released, fee_bps)?;
        let fee = fees.checked_sub(self.fees).ok_or(EscrowError::Overflow)?;
        let seller = amount.checked_sub(fee).ok_or(EscrowError::Overflow)?;
        self.fees = fees;
        self.due_fee = add(self.due_fee, fee)?;
        self.due_seller = add(self.due_seller, seller)?;
        Ok(Moved { seller, fee, ..Moved::default() })
    }

    /// Decides `amount` for the buyer.
    pub(crate) fn refund(&mut self, amount: u64) -> Result<Moved> {
        self.refunded = add(self.refunded, amount)?;
        self.due_buyer = add(self.due_buyer, amount)?;
        Ok(Moved { buyer: amount, ..Moved::default() })
    }

    /// Decides `amount` for the arbiter.
    pub(crate) fn pay_arbiter(&mut self, amount: u64) -> Result<Moved> {
        self.arbiter_fees = add(self.arbiter_fees, amount)?;
        self.due_arbiter = add(self.due_arbiter, amount)?;
        Ok(Moved { arbiter: amount, ..Moved::default() })
    }

    /// `principal == remaining + released + refunded + arbiter_fees`, and no one is owed more than was decided.
    pub(crate) fn invariant(&self, remaining: u64) -> Result<()> {
        let decided = sum([remaining, self.released, self.refunded, self.arbiter_fees])?;
        let seller = self.released.checked_sub(self.fees).ok_or(EscrowError::Invariant)?;
        let sound = decided == self.principal
            && self.due_buyer <= self.refunded
            && self.due_seller <= seller
            && self.due_fee <= self.fees
            && self.due_arbiter <= self.arbiter_fees;
        if sound { Ok(()) } else { Err(EscrowError::Invariant) }
    }
}

impl Moved {
    /// The amounts of two moves together.
    pub(crate) fn and(self, other: Self) -> Result<Self> {
        Ok(Self {
            seller: add(self.seller, other.seller)?,
            fee: add(self.fee, other.fee)?,
            buyer: add(self.buyer, other.buyer)?,
            arbiter: add(self.arbiter, other.arbiter)?,
        })
    }
}

fn add(a: u64, b: u64) -> Result<u64> {
    a.checked_add(b).ok_or(EscrowError::Overflow)
}

fn sum(amounts: [u64; 4]) -> Result<u64> {
    amounts.into_iter().try_fold(0, add)
}
