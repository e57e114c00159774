//! `withdraw`: pays what is due to one recipient. Anyone may call it: the money goes to the recorded address.

use anchor_lang::{address_eq, prelude::*};

use super::{LoadedEscrow, split};
use crate::{
    error::EscrowError,
    event::{self, Withdrawn},
    state::Recipient,
    token::{EscrowSeeds, TokenAccounts, Transfer, check_destination},
};

/// Accounts of `withdraw`. For a token, [`TokenAccounts`] stand behind them: the recipient's associated token account, or
/// any of its accounts if it signs, is the first.
#[derive(Accounts)]
pub struct Withdraw {
    /// The escrow.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The recorded address of the recipient. Gets SOL, for which it must be writable; for a token it may sign, to choose
    /// where the tokens go. Not marked as changed here: it may be an address that no transaction can write to, or the
    /// mint's, and gets its tokens all the same.
    pub recipient: UncheckedAccount,
}

impl Withdraw {
    pub(crate) fn handler(ctx: &mut Context<Withdraw>, role: Recipient) -> Result<()> {
        let behind = ctx.remaining_accounts()?;
        let Withdraw { escrow, recipient } = &mut ctx.accounts;
        require!(address_eq(recipient.address(), escrow.recipient(role)), EscrowError::RecipientMismatch);
        let (header, milestones) = split(escrow);
        let amount = header.withdraw(role)?;
        header.invariant(milestones)?;

        if let Some(TokenAccounts { account, vault, mint, token_program }) = TokenAccounts::of(escrow, &behind)? {
            let recipient_signed = recipient.account().is_signer();
            check_destination(&account, recipient.address(), recipient_signed, escrow)?;
            let (authority, token_program) = (escrow.account(), token_program.address());
            Transfer { from: &vault, to: &account, authority, mint: &mint, token_program }
                .invoke(amount, Some(&EscrowSeeds::of(escrow)))?;
        } else {
            require!(recipient.account().is_writable(), ConstraintMut);
            // The escrow's own lamports: its rent stays, because only what the ledger owes is ever taken.
            escrow.sub_lamports(amount)?;
            recipient.add_lamports(amount)?;
        }

        event::log(Withdrawn { escrow: *escrow.address(), amount });
        Ok(())
    }
}
