//! The ledger: deciding and paying are separate. Every decision only moves amounts between these counters.

use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use super::{Result, ensure};
use crate::error::EscrowError;

/// 100 %, in basis points.
#[constant]
pub const BPS_DENOMINATOR: u16 = 10_000;

/// `floor(amount · bps / 10,000)`.
///
/// With `bps` up to 10,000 the product fits for every `amount` up to `u64::MAX / 10,000`. Above it,
/// `amount = 10,000·q + r` gives `q·bps + floor(r·bps / 10,000)`: the first product is at most `amount`, the second less
/// than 10^8 and the sum at most `amount`. So nothing wraps around; a checked product costs 30 compute units more.
pub fn share(amount: u64, bps: u16) -> Result<u64> {
    ensure(bps <= BPS_DENOMINATOR, EscrowError::ShareTooHigh)?;
    const DENOMINATOR: u64 = 10_000;
    let bps = u64::from(bps);
    if amount <= u64::MAX / DENOMINATOR {
        return Ok(amount.wrapping_mul(bps) / DENOMINATOR);
    }
    let (whole, rest) = (amount / DENOMINATOR, amount % DENOMINATOR);
    Ok(whole.wrapping_mul(bps).wrapping_add(rest.wrapping_mul(bps) / DENOMINATOR))
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
    pub(crate) fn refund(&mut self, amount: u64) -> Result<()> {
        self.refunded = add(self.refunded, amount)?;
        self.due_buyer = add(self.due_buyer, amount)?;
        Ok(())
    }

    /// Decides `amount`: `to_seller` is released, the rest refunded.
    pub(crate) fn divide(&mut self, amount: u64, to_seller: u64, fee_bps: u16) -> Result<Moved> {
        let to_buyer = amount.checked_sub(to_seller).ok_or(EscrowError::AmountTooHigh)?;
        let released = self.release(to_seller, fee_bps)?;
        self.refund(to_buyer)?;
        Ok(Moved { buyer: to_buyer, ..released })
    }

    /// Decides `amount` for the arbiter.
    pub(crate) fn pay_arbiter(&mut self, amount: u64) -> Result<()> {
        self.arbiter_fees = add(self.arbiter_fees, amount)?;
        self.due_arbiter = add(self.due_arbiter, amount)?;
        Ok(())
    }

    /// `principal == remaining + released + refunded + arbiter_fees`, and no one is owed more than was decided.
    pub(crate) fn invariant(&self, remaining: u64) -> Result<()> {
        let undecided = subtract(self.principal, [self.released, self.refunded, self.arbiter_fees])?;
        let seller = subtract(self.released, [self.fees])?;
        ensure(remaining == undecided, EscrowError::Invariant)?;
        ensure(self.due_buyer <= self.refunded, EscrowError::Invariant)?;
        ensure(self.due_seller <= seller, EscrowError::Invariant)?;
        ensure(self.due_fee <= self.fees, EscrowError::Invariant)?;
        ensure(self.due_arbiter <= self.arbiter_fees, EscrowError::Invariant)
    }
}

/// The sum, if it fits. `checked_add` takes twice as many instructions on chain, where no carry flag exists: so the room
/// above `a`, `u64::MAX - a` or `!a`, is compared first, after which the addition cannot wrap around.
pub(super) fn add(a: u64, b: u64) -> Result<u64> {
    ensure(b <= !a, EscrowError::Overflow)?;
    Ok(a.wrapping_add(b))
}

fn sum(amounts: [u64; 4]) -> Result<u64> {
    amounts.into_iter().try_fold(0, add)
}

/// What is left of `whole` without its parts.
fn subtract<const N: usize>(whole: u64, parts: [u64; N]) -> Result<u64> {
    parts.into_iter().try_fold(whole, u64::checked_sub).ok_or(EscrowError::Invariant)
}
