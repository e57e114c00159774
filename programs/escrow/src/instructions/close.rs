//! `close`: the end of a settled and withdrawn escrow; the rent goes back.

use anchor_lang::{AccountClose, address_eq, prelude::*};

use super::{LoadedEscrow, now};
use crate::{
    error::EscrowError,
    event::{self, Closed},
    token::{EscrowSeeds, TokenAccount, Transfer, check_destination, close_vault},
};

/// Accounts of `close`. Anyone may call it.
#[derive(Accounts)]
pub struct Close {
    /// The escrow, settled and withdrawn.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// Gets the rent of the accounts back, and lamports that somebody sent there uninvited. Its data is never looked
    /// at, so it may be the buyer too.
    #[account(mut, address = escrow.rent_payer @ EscrowError::RentPayerMismatch, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
    /// The vault, for a token.
    #[account(mut)]
    pub vault: Option<UncheckedAccount>,
    /// The mint in the terms, where the vault holds tokens that somebody sent uninvited.
    pub mint: Option<UncheckedAccount>,
    /// The token program in the terms, for a token.
    pub token_program: Option<UncheckedAccount>,
    /// The buyer's token account, where the vault holds tokens that somebody sent uninvited: the associated one, or any
    /// of the buyer's if the buyer signs.
    #[account(mut)]
    pub buyer_token: Option<UncheckedAccount>,
    /// The buyer, to direct such tokens to another account than the associated one.
    #[account(address = escrow.buyer @ EscrowError::NotBuyer)]
    pub buyer: Option<Signer>,
}

impl Close {
    pub(crate) fn handler(ctx: &mut Context<Close>) -> Result<()> {
        let Close { escrow, rent_payer, vault, mint, token_program, buyer_token, buyer } = &mut ctx.accounts;
        escrow.check_close(escrow.as_slice(), now()?)?;
        let address = *escrow.address();
        let surplus = close_accounts(
            escrow,
            rent_payer.account(),
            vault.as_ref(),
            mint.as_ref(),
            token_program.as_ref(),
            buyer_token.as_ref(),
            buyer.is_some(),
        )?;
        event::log(Closed { escrow: address, surplus });
        Ok(())
    }
}

/// Closes the vault, where there is one, and the escrow. Tokens that nobody is owed go to the buyer, the rent and other
/// lamports to the rent payer. The number of those tokens is returned.
pub(super) fn close_accounts(
    escrow: &mut LoadedEscrow,
    rent_payer: &AccountView,
    vault: Option<&UncheckedAccount>,
    mint: Option<&UncheckedAccount>,
    token_program: Option<&UncheckedAccount>,
    buyer_token: Option<&UncheckedAccount>,
    buyer_signed: bool,
) -> Result<u64> {
    let mut surplus = 0;
    if !escrow.is_sol() {
        let (Some(vault), Some(token_program)) = (vault, token_program) else {
            return Err(EscrowError::TokenAccountsMissing.into());
        };
        let token_program = token_program.address();
        require!(address_eq(token_program, &escrow.token_program), EscrowError::TokenProgramMismatch);
        require!(address_eq(vault.address(), &escrow.vault), EscrowError::VaultMismatch);
        let seeds = EscrowSeeds::of(escrow);
        surplus = TokenAccount::read(vault.account(), token_program)?.amount;
        if surplus != 0 {
            let (Some(mint), Some(buyer_token)) = (mint, buyer_token) else {
                return Err(EscrowError::SurplusAccountMissing.into());
            };
            require!(address_eq(mint.address(), &escrow.mint), EscrowError::MintMismatch);
            check_destination(buyer_token.account(), &escrow.buyer, buyer_signed, escrow)?;
            Transfer {
                from: vault.account(),
                to: buyer_token.account(),
                authority: escrow.account(),
                mint: mint.account(),
                token_program,
            }
            .invoke(surplus, Some(&seeds))?;
        }
        close_vault(vault.account(), rent_payer, escrow.account(), token_program, &seeds)?;
    }
    escrow.close(*rent_payer)?;
    Ok(surplus)
}
