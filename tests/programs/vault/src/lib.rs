//! What a multisig does once its members have agreed: an instruction of another program, signed by a vault, which is an
//! address of this program's. Whoever asks is obeyed; nobody but the tests should deploy it.
//!
//! A vault is the PDA `["vault", seed]`, with one byte of seed. Nothing is stored in it: it can hold SOL, own token
//! accounts and have a role in an escrow.
//!
//! | the only instruction | |
//! | --- | --- |
//! | accounts | the program to call, then the accounts to call it with |
//! | data | seed, bump, the [flags](SIGNER) of each account to call with (one byte each), then the data to call with |

use pinocchio::{
    AccountView, Address, ProgramResult,
    cpi::{Seed, Signer, invoke_signed_with_slice},
    error::ProgramError,
    instruction::{InstructionAccount, InstructionView},
};

/// The first seed of every vault.
pub const VAULT_SEED: &[u8] = b"vault";
/// The account signs: because it signed the transaction, or because it is the vault.
pub const SIGNER: u8 = 1;
/// The account may be changed.
pub const WRITABLE: u8 = 2;

#[cfg(target_os = "solana")]
pinocchio::entrypoint!(process_instruction);

/// Calls the program as asked. The runtime refuses a signature that is neither the transaction's nor the vault's.
pub fn process_instruction(_program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let (program, accounts) = accounts.split_first().ok_or(ProgramError::NotEnoughAccountKeys)?;
    let (vault, rest) = data.split_first_chunk::<2>().ok_or(ProgramError::InvalidInstructionData)?;
    let (flags, data) = rest.split_at_checked(accounts.len()).ok_or(ProgramError::InvalidInstructionData)?;
    let metas: Vec<InstructionAccount> = accounts
        .iter()
        .zip(flags)
        .map(|(account, flags)| InstructionAccount::new(account.address(), flags & WRITABLE != 0, flags & SIGNER != 0))
        .collect();
    let (seed, bump) = vault.split_at(1);
    let seeds = [Seed::from(VAULT_SEED), Seed::from(seed), Seed::from(bump)];
    let instruction = InstructionView { program_id: program.address(), accounts: &metas, data };
    invoke_signed_with_slice(&instruction, accounts, &[Signer::from(&seeds)])
}
