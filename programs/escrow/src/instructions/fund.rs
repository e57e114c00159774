//! `fund`: the buyer pays the whole principal in, once.

use anchor_lang::{
    address_eq,
    cpi::{InstructionAccount, InstructionView},
    pinocchio::cpi::{CpiAccount, invoke_unchecked},
    prelude::*,
};

use super::{EscrowAccount, now, split, view};
use crate::{
    error::EscrowError,
    event::{self, Funded},
    token::{self, TokenAccount, Transfer},
};

/// Accounts of `fund`.
#[derive(Accounts)]
pub struct Fund {
    /// The escrow, created and not funded.
    #[account(mut)]
    pub escrow: EscrowAccount,
    /// The buyer, who pays.
    #[account(mut, address = escrow.buyer @ EscrowError::NotBuyer)]
    pub buyer: Signer,
    /// The system program.
    pub system_program: Program<System>,
    /// A token account that the buyer can spend from, for a token.
    #[account(mut)]
    pub buyer_token: Option<UncheckedAccount>,
    /// The vault, for a token.
    #[account(mut)]
    pub vault: Option<UncheckedAccount>,
    /// The mint in the terms, for a token.
    pub mint: Option<UncheckedAccount>,
    /// The token program in the terms, for a token.
    pub token_program: Option<UncheckedAccount>,
}

impl Fund {
    pub(crate) fn handler(ctx: &mut Context<Fund>) -> Result<()> {
        let Fund { escrow, buyer, system_program: _, buyer_token, vault, mint, token_program } = &mut ctx.accounts;
        let (header, milestones) = split(escrow);
        header.fund(milestones, now()?)?;
        header.invariant(milestones)?;
        let principal = header.ledger.principal;

        let tokens = (view(buyer_token), view(vault), view(mint), view(token_program));
        if escrow.is_sol() {
            require!(matches!(tokens, (None, None, None, None)), EscrowError::TokenAccountsUnexpected);
            transfer_lamports(*buyer.account(), *escrow.account(), principal);
        } else {
            let (Some(buyer_token), Some(vault), Some(mint), Some(token_program)) = tokens else {
                return Err(EscrowError::TokenAccountsMissing.into());
            };
            let token_program = token_program.address();
            require!(address_eq(token_program, &escrow.token_program), EscrowError::TokenProgramMismatch);
            require!(address_eq(vault.address(), &escrow.vault), EscrowError::VaultMismatch);
            // The issuer's powers, again: they may have grown since the escrow was created.
            token::read_mint(&mint, &escrow.mint, token_program)?.check_accepted(escrow.accepted_risks)?;
            let source = TokenAccount::read(&buyer_token, token_program)?;
            require!(address_eq(&source.mint, &escrow.mint), EscrowError::TokenAccountMint);
            // Not checked: who owns `buyer_token`. The token program lets the buyer spend from it, or not.
            let before = TokenAccount::read(&vault, token_program)?.amount;
            let authority = *buyer.account();
            Transfer { from: &buyer_token, to: &vault, authority: &authority, mint: &mint, token_program }
                .invoke(principal, None)?;
            let after = TokenAccount::read(&vault, token_program)?.amount;
            require!(after.checked_sub(before) == Some(principal), EscrowError::FundingShort);
        }

        event::log(Funded { escrow: *escrow.address(), principal, cooling_off_end: escrow.cooling_off_end()? });
        Ok(())
    }
}

/// The system program's transfer. Called by hand because the escrow is borrowed here, which `pinocchio-system` refuses.
fn transfer_lamports(from: AccountView, to: AccountView, lamports: u64) {
    const TRANSFER: [u8; 4] = 2u32.to_le_bytes();
    let mut data = [0u8; 12];
    if let Some((tag, amount)) = data.split_first_chunk_mut::<4>() {
        *tag = TRANSFER;
        amount.copy_from_slice(&lamports.to_le_bytes());
    }
    let instruction = InstructionView {
        program_id: &System::id(),
        accounts: &[InstructionAccount::writable_signer(from.address()), InstructionAccount::writable(to.address())],
        data: &data,
    };
    // SAFETY: a transfer changes lamports only, never the bytes that are borrowed.
    unsafe { invoke_unchecked(&instruction, &[CpiAccount::from(&from), CpiAccount::from(&to)]) };
}
