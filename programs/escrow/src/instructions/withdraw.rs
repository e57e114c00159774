//! `withdraw`: pays what is due to one recipient. Anyone may call it: the money goes to the recorded address.

use anchor_lang::{address_eq, prelude::*};

use super::{EscrowAccount, split, view};
use crate::{
    error::EscrowError,
    event::{self, Withdrawn},
    state::Recipient,
    token::{EscrowSeeds, Transfer, check_destination},
};

/// Accounts of `withdraw`.
#[derive(Accounts)]
pub struct Withdraw {
    /// The escrow.
    #[account(mut)]
    pub escrow: EscrowAccount,
    /// The recorded address of the recipient. Gets SOL, for which it must be writable; for a token it may sign, to choose
    /// where the tokens go. Not marked as changed here: it may be an address that no transaction can write to, or the
    /// mint's, and gets its tokens all the same.
    pub recipient: UncheckedAccount,
    /// For a token: the recipient's associated token account, or any of its accounts if it signs.
    #[account(mut)]
    pub recipient_token: Option<UncheckedAccount>,
    /// The vault, for a token.
    #[account(mut)]
    pub vault: Option<UncheckedAccount>,
    /// The mint in the terms, for a token.
    pub mint: Option<UncheckedAccount>,
    /// The token program in the terms, for a token.
    pub token_program: Option<UncheckedAccount>,
}

impl Withdraw {
    pub(crate) fn handler(ctx: &mut Context<Withdraw>, role: Recipient) -> Result<()> {
        let Withdraw { escrow, recipient, recipient_token, vault, mint, token_program } = &mut ctx.accounts;
        require!(address_eq(recipient.address(), escrow.recipient(role)), EscrowError::RecipientMismatch);
        let (header, milestones) = split(escrow);
        let amount = header.withdraw(role)?;
        header.invariant(milestones)?;

        let tokens = (view(recipient_token), view(vault), view(mint), view(token_program));
        if escrow.is_sol() {
            require!(matches!(tokens, (None, None, None, None)), EscrowError::TokenAccountsUnexpected);
            require!(recipient.account().is_writable(), ConstraintMut);
            // The escrow's own lamports: its rent stays, because only what the ledger owes is ever taken.
            escrow.sub_lamports(amount)?;
            recipient.add_lamports(amount)?;
        } else {
            let (Some(recipient_token), Some(vault), Some(mint), Some(token_program)) = tokens else {
                return Err(EscrowError::TokenAccountsMissing.into());
            };
            let token_program = token_program.address();
            require!(address_eq(token_program, &escrow.token_program), EscrowError::TokenProgramMismatch);
            require!(address_eq(vault.address(), &escrow.vault), EscrowError::VaultMismatch);
            require!(address_eq(mint.address(), &escrow.mint), EscrowError::MintMismatch);
            let recipient_signed = recipient.account().is_signer();
            check_destination(&recipient_token, recipient.address(), recipient_signed, escrow)?;
            let authority = *escrow.account();
            Transfer { from: &vault, to: &recipient_token, authority: &authority, mint: &mint, token_program }
                .invoke(amount, Some(&EscrowSeeds::from(&**escrow)))?;
        }

        event::log(Withdrawn { escrow: *escrow.address(), amount });
        Ok(())
    }
}
