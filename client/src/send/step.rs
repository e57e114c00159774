//! What is to be executed together.

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::EscrowAccount;

/// One transaction of an order.
#[derive(Debug, Clone, Default)]
pub struct OrderStep {
    /// Its instructions, without the compute budget.
    pub instructions: Vec<Instruction>,
    /// What it acts on: read again before each signing, and if it differs nothing is signed.
    pub expected: Option<Expected>,
}

/// What a transaction acts on, as it was when it was agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The escrow.
    pub address: Pubkey,
    /// How it stands; none where there is no account.
    pub escrow: Option<EscrowAccount>,
}
