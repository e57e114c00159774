//! `cancel`: an unfunded escrow is given up and closed; a funded one is refunded in the cooling-off period.

use anchor_lang::prelude::*;

use super::{LoadedEscrow, close::close_accounts, decide, now};
use crate::{
    error::EscrowError,
    event::{self, Cancelled},
    state::{EscrowStatus, Moved},
};

/// Accounts of `cancel`.
#[derive(Accounts)]
pub struct Cancel {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// Unfunded: the buyer, the seller or the rent payer, and anyone from fund_by on. Funded: the buyer.
    pub canceller: Signer,
    /// Gets the rent back where the accounts are closed. Its data is never looked at, so it may be the canceller too.
    #[account(mut, address = escrow.rent_payer @ EscrowError::RentPayerMismatch, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
    /// The vault, for an unfunded token escrow.
    #[account(mut)]
    pub vault: Option<UncheckedAccount>,
    /// The mint in the terms, where the vault holds tokens that somebody sent uninvited.
    pub mint: Option<UncheckedAccount>,
    /// The token program in the terms, for an unfunded token escrow.
    pub token_program: Option<UncheckedAccount>,
    /// The buyer's token account, where the vault holds tokens that somebody sent uninvited: the associated one, or any
    /// of the buyer's if the buyer cancels.
    #[account(mut)]
    pub buyer_token: Option<UncheckedAccount>,
}

impl Cancel {
    pub(crate) fn handler(ctx: &mut Context<Cancel>) -> Result<()> {
        let Cancel { escrow, canceller, rent_payer, vault, mint, token_program, buyer_token } = &mut ctx.accounts;
        let now = now()?;
        let address = *escrow.address();
        let refunded = match escrow.status()? {
            EscrowStatus::Created => {
                escrow.check_cancel_unfunded(canceller.address(), now)?;
                let buyer_signed = canceller.address() == &escrow.buyer;
                close_accounts(
                    escrow,
                    rent_payer.account(),
                    vault.as_ref(),
                    mint.as_ref(),
                    token_program.as_ref(),
                    buyer_token.as_ref(),
                    buyer_signed,
                )?;
                0
            }
            EscrowStatus::Funded => {
                escrow.check_cancel_funded(escrow.as_slice(), canceller.address(), now)?;
                let mut refunded = 0u64;
                for milestone in (0u8..).take(escrow.len()) {
                    let Moved { buyer, .. } = decide(escrow, milestone, |escrow, milestone| escrow.cancel(milestone))?;
                    refunded = refunded.checked_add(buyer).ok_or(EscrowError::Overflow)?;
                }
                refunded
            }
        };
        event::log(Cancelled { escrow: address, refunded });
        Ok(())
    }
}
