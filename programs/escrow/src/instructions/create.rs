//! `create`: the escrow account, and the vault for a token.

use anchor_lang::{AccountInitialize, address_eq, create_account_signed, find_and_verify_program_address, prelude::*};

use super::{EscrowSlab, now};
use crate::{
    ESCROW_SEED, VAULT_SEED,
    error::EscrowError,
    event::{self, Created},
    state::{Milestone, Terms},
    token,
};

/// Accounts of `create`.
#[derive(Accounts)]
pub struct Create {
    /// Pays the rent of the new accounts and gets it back when they are closed. Anyone.
    #[account(mut)]
    pub rent_payer: Signer,
    /// The new escrow, at the address derived from the terms. May hold lamports that somebody sent in advance.
    #[account(mut)]
    pub escrow: UncheckedAccount,
    /// The system program.
    pub system_program: Program<System>,
    /// The new vault, for a token.
    #[account(mut)]
    pub vault: Option<UncheckedAccount>,
    /// The mint in the terms, for a token.
    pub mint: Option<UncheckedAccount>,
    /// The token program in the terms, for a token.
    pub token_program: Option<UncheckedAccount>,
}

impl Create {
    pub(crate) fn handler(ctx: &mut Context<Create>, terms: Terms) -> Result<()> {
        terms.validate(now()?)?;
        let Create { rent_payer, escrow, system_program: _, vault, mint, token_program } = &ctx.accounts;

        // escrow
        let terms_hash = terms.hash()?;
        let seeds: &[&[u8]] = &[ESCROW_SEED, &terms_hash];
        let bump = find_and_verify_program_address(seeds, &crate::ID, escrow.address())
            .map_err(|_| EscrowError::AddressMismatch)?;
        require!(!escrow.owned_by(&crate::ID), EscrowError::AlreadyCreated);
        let capacity = u32::try_from(terms.milestones.len()).map_err(|_| EscrowError::MilestoneCount)?;
        let mut account = EscrowSlab::create_and_initialize(
            rent_payer.account(),
            escrow.account(),
            EscrowSlab::try_space_for(capacity)?,
            &crate::ID,
            &(),
            Some(&[ESCROW_SEED, &terms_hash, &[bump]]),
            None,
        )?;

        // vault, mint, token_program
        let vault_address = match (vault, mint, token_program) {
            (None, None, None) if terms.is_sol() => Address::default(),
            (Some(vault), Some(mint), Some(token_program)) if !terms.is_sol() => {
                let token_program = token_program.address();
                require!(address_eq(token_program, &terms.token_program), EscrowError::TokenProgramMismatch);
                require!(address_eq(mint.address(), &terms.mint), EscrowError::MintMismatch);
                token::read_mint(mint.account(), token_program)?.check_accepted(terms.accepted_risks)?;
                let seeds: &[&[u8]] = &[VAULT_SEED, escrow.address().as_array()];
                let bump = find_and_verify_program_address(seeds, &crate::ID, vault.address())
                    .map_err(|_| EscrowError::VaultMismatch)?;
                create_account_signed(
                    rent_payer.account(),
                    vault.account(),
                    token::account_size(mint.account(), token_program)?,
                    token_program,
                    &[VAULT_SEED, escrow.address().as_array(), &[bump]],
                )?;
                token::initialize_vault(vault.account(), mint.account(), escrow.address(), token_program)?;
                *vault.address()
            }
            _ if terms.is_sol() => return Err(EscrowError::TokenAccountsUnexpected.into()),
            _ => return Err(EscrowError::TokenAccountsMissing.into()),
        };

        account.initialize(&terms, terms_hash, vault_address, *rent_payer.address(), bump)?;
        for milestone in &terms.milestones {
            account.try_push(Milestone::from(milestone))?;
        }
        account.invariant(account.as_slice())?;
        event::log(Created {
            escrow: *escrow.address(),
            buyer: terms.buyer,
            seller: terms.seller,
            principal: account.ledger.principal,
            fund_by: terms.fund_by,
        });
        Ok(())
    }
}
