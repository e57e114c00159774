//! Building terms with defaults that protect both sides, and checking an escrow against them.

use escrow::state::{MilestoneTerms, Terms};
use solana_pubkey::Pubkey;

use crate::EscrowError;

/// An hour, in seconds.
pub const HOUR: u32 = 60 * 60;
/// A day, in seconds.
pub const DAY: u32 = 24 * HOUR;

/// What an escrow holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Terms with a random salt and these defaults:
///
/// - no arbiter, attester, fee, hash-lock or document;
/// - to be funded within a day of `now`; no cooling-off period;
/// - the seller never delivers: the buyer gets everything back;
/// - the buyer never answers: the seller gets everything;
/// - nobody rules on a dispute within 7 days: half each.
///
/// Set the public fields for anything else, and add milestones.
pub fn new(buyer: Pubkey, seller: Pubkey, asset: Asset, now: i64) -> Terms {
    let (mint, token_program) = match asset {
        Asset::Sol => (Pubkey::default(), Pubkey::default()),
        Asset::Token { mint, program } => (mint, program),
    };
    Terms {
        buyer,
        seller,
        arbiter: Pubkey::default(),
        attester: Pubkey::default(),
        fee_recipient: Pubkey::default(),
        mint,
        token_program,
        accepted_risks: 0,
        fee_bps: 0,
        arbiter_fee_bps: 0,
        fund_by: now.saturating_add(i64::from(DAY)),
        cooling_off: 0,
        ruling_window: DAY.saturating_mul(7),
        undelivered_bps: 0,
        unanswered_bps: 10_000,
        unruled_bps: 5_000,
        hashlock: [0; 32],
        document_hash: [0; 32],
        salt: rand::random(),
        milestones: Vec::new(),
    }
}

/// A milestone of `amount` units, to be delivered before `deliver_by` (unix seconds), with three days to review it.
pub fn milestone(amount: u64, deliver_by: i64) -> MilestoneTerms {
    MilestoneTerms { amount, deliver_by, review_window: DAY.saturating_mul(3) }
}

/// What an escrow with these terms holds.
pub fn asset_of(terms: &Terms) -> Asset {
    if terms.is_sol() { Asset::Sol } else { Asset::Token { mint: terms.mint, program: terms.token_program } }
}

/// Whether `address` is the escrow with exactly these terms. Check it before signing anything that pays into it.
pub fn is_address_of(terms: &Terms, address: &Pubkey) -> Result<bool, EscrowError> {
    Ok(crate::address::escrow_address(terms)? == *address)
}
