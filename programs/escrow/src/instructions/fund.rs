//! `fund`: the buyer pays the whole principal in, once.

use anchor_lang::{
    address_eq,
    cpi::{InstructionAccount, InstructionView},
    pinocchio::cpi::{CpiAccount, invoke_unchecked},
    prelude::*,
};

use super::{LoadedEscrow, now, split};
use crate::{
    error::EscrowError,
    event::{self, Funded},
    token::{self, TokenAccount, TokenAccounts, Transfer},
};

/// Accounts of `fund`. For a token, [`TokenAccounts`] stand behind them: a token account that the buyer can spend from is
/// the first.
#[derive(Accounts)]
pub struct Fund {
    /// The escrow, created and not funded.
    #[account(mut)]
    pub escrow: LoadedEscrow,
    /// The buyer, who pays.
    #[account(mut, address = escrow.buyer @ EscrowError::NotBuyer)]
    pub buyer: Signer,
    /// The system program.
    pub system_program: Program<System>,
}

impl Fund {
    pub(crate) fn handler(ctx: &mut Context<Fund>) -> Result<()> {
        let behind = ctx.remaining_accounts()?;
        let Fund { escrow, buyer, system_program: _ } = &mut ctx.accounts;
        let (header, milestones) = split(escrow);
        let cooling_off_end = header.fund(milestones, now()?)?;
        header.invariant(milestones)?;
        let principal = header.ledger.principal;

        if let Some(TokenAccounts { account: source, vault, mint, token_program }) = TokenAccounts::of(escrow, &behind)?
        {
            let token_program = token_program.address();
            // The issuer's powers, again: they may have grown since the escrow was created.
            token::read_mint(&mint, token_program)?.check_accepted(escrow.accepted_risks)?;
            require!(
                address_eq(&TokenAccount::read(&source, token_program)?.mint, &escrow.mint),
                EscrowError::TokenAccountMint
            );
            // Not checked: who owns `source`. The token program lets the buyer spend from it, or not.
            let before = TokenAccount::read(&vault, token_program)?.amount;
            let authority = buyer.account();
            Transfer { from: &source, to: &vault, authority, mint: &mint, token_program }.invoke(principal, None)?;
            let after = TokenAccount::read(&vault, token_program)?.amount;
            require!(after.checked_sub(before) == Some(principal), EscrowError::FundingShort);
        } else {
            transfer_lamports(buyer.account(), escrow.account(), principal);
        }

        event::log(Funded { escrow: *escrow.address(), principal, cooling_off_end });
        Ok(())
    }
}

/// The system program's transfer. Called by hand because the escrow is borrowed here, which `pinocchio-system` refuses.
fn transfer_lamports(from: &AccountView, to: &AccountView, lamports: u64) {
    // The number of `transfer`, then the amount.
    let [a, b, c, d, e, f, g, h] = lamports.to_le_bytes();
    let data = [2, 0, 0, 0, a, b, c, d, e, f, g, h];
    let instruction = InstructionView {
        program_id: &System::id(),
        accounts: &[InstructionAccount::writable_signer(from.address()), InstructionAccount::writable(to.address())],
        data: &data,
    };
    // SAFETY: a transfer changes lamports only, never the bytes that are borrowed.
    unsafe { invoke_unchecked(&instruction, &[CpiAccount::from(from), CpiAccount::from(to)]) };
}
