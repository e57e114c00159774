//! A durable nonce: an account whose value stands in a transaction in place of a block hash, so that there is time to sign it
//! on a machine without a network, on hardware, or by several people. `docs/offline.md` says how it goes.

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_system_interface::instruction;

/// The size of a nonce's account: what its rent is paid for.
pub const NONCE_SIZE: u64 = 80;

/// Makes a nonce account at `account`, whose key signs once, here. `payer` signs and pays `lamports`, at least the rent of
/// [`NONCE_SIZE`] bytes; `authority` is who may use it, and does not sign.
pub fn create(payer: &Pubkey, account: &Pubkey, authority: &Pubkey, lamports: u64) -> Vec<Instruction> {
    instruction::create_nonce_account(payer, account, authority, lamports)
}

/// Gives the account another value: what was signed with the present one can never be executed. `authority` signs.
pub fn advance(account: &Pubkey, authority: &Pubkey) -> Instruction {
    instruction::advance_nonce_account(account, authority)
}

/// Whether a call of the system program uses up a nonce.
pub(super) fn advances_nonce(data: &[u8]) -> bool {
    data == [4, 0, 0, 0]
}

/// Takes `lamports` out of the account, all of them to end it: what was signed with it can never be executed then. `authority`
/// signs. While a transaction waits, the account must keep its rent.
pub fn withdraw(account: &Pubkey, authority: &Pubkey, to: &Pubkey, lamports: u64) -> Instruction {
    instruction::withdraw_nonce_account(account, authority, to, lamports)
}

/// Lets `next` use the account from now on. `authority` signs.
pub fn hand_over(account: &Pubkey, authority: &Pubkey, next: &Pubkey) -> Instruction {
    instruction::authorize_nonce_account(account, authority, next)
}
