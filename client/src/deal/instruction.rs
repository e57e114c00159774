//! One builder per instruction of the program, for who knows the few addresses that it takes. Pure; all of them build an
//! [`Action`], which does the same for an escrow as read.

use escrow::state::{Proposal, Recipient, Terms};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    account::EscrowAccount,
    action::{Action, EscrowInstruction, Facts, TokenAccounts},
    address::{associated_token_address, escrow_address},
    terms::asset_of,
};
use crate::EscrowError;

/// An instruction that needs to know no more of the escrow than its address.
fn build(escrow: Pubkey, actor: Option<Pubkey>, instruction: EscrowInstruction) -> Instruction {
    Action { escrow, instruction, actor, token_account: None }.build(&Facts::default())
}

/// Creates the escrow with these terms. `rent_payer` signs and pays the rent.
///
/// # Errors
///
/// Where the terms cannot be hashed.
pub fn create(rent_payer: Pubkey, terms: &Terms) -> Result<Instruction, EscrowError> {
    let escrow = escrow_address(terms)?;
    let instruction = EscrowInstruction::Create { terms: Box::new(terms.clone()) };
    let facts = Facts { tokens: TokenAccounts::of(&escrow, asset_of(terms)), ..Facts::default() };
    Ok(Action { escrow, instruction, actor: Some(rent_payer), token_account: None }.build(&facts))
}

/// Pays the principal in, for a token from the buyer's associated token account. The buyer signs.
///
/// # Errors
///
/// Where the terms cannot be hashed.
pub fn fund(terms: &Terms) -> Result<Instruction, EscrowError> {
    fund_from(terms, None)
}

/// Like [`fund`], for a token from `source` if one is named.
///
/// # Errors
///
/// Where the terms cannot be hashed.
pub fn fund_from(terms: &Terms, source: Option<Pubkey>) -> Result<Instruction, EscrowError> {
    let escrow = escrow_address(terms)?;
    let associated = || associated_token_address(&terms.buyer, &terms.mint, &terms.token_program);
    let token_account = (!terms.is_sol()).then(|| source.unwrap_or_else(associated));
    let facts = Facts { tokens: TokenAccounts::of(&escrow, asset_of(terms)), ..Facts::default() };
    let action = Action { escrow, instruction: EscrowInstruction::Fund, actor: Some(terms.buyer), token_account };
    Ok(action.build(&facts))
}

/// Gives up an unfunded escrow, or takes everything back in the cooling-off period. `canceller` signs.
///
/// `surplus`: whether the vault of an unfunded escrow holds tokens that somebody sent uninvited. They go to the buyer's
/// associated token account, which must exist.
pub fn cancel(escrow: &EscrowAccount, canceller: Pubkey, surplus: bool) -> Instruction {
    let cancel = Action::new(escrow, EscrowInstruction::Cancel).by(canceller);
    cancel.with(surplus_account(escrow, surplus && !escrow.is_funded())).instruction(escrow)
}

/// Marks a milestone as delivered. `deliverer` (the attester where one is named, else the seller) signs.
pub fn deliver(escrow: Pubkey, deliverer: Pubkey, milestone: u8, evidence_hash: [u8; 32]) -> Instruction {
    build(escrow, Some(deliverer), EscrowInstruction::Deliver { milestone, evidence_hash })
}

/// Releases a hash-locked milestone to the seller. Nobody need sign.
pub fn claim(escrow: Pubkey, milestone: u8, secret: [u8; 32]) -> Instruction {
    build(escrow, None, EscrowInstruction::Claim { milestone, secret })
}

/// A part of what remains of a milestone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// How much, in the asset's smallest unit.
    pub amount: u64,
    /// Of how much: what must remain undecided when it is executed.
    pub of: u64,
}

/// Releases a part of a milestone to the seller. The buyer signs. Fails unless exactly as much remains undecided as it is a
/// part of, so that a request sent twice does not pay twice.
pub fn release(escrow: Pubkey, buyer: Pubkey, milestone: u8, part: Part) -> Instruction {
    let Part { amount, of: expected_remaining } = part;
    build(escrow, Some(buyer), EscrowInstruction::Release { milestone, amount, expected_remaining })
}

/// Refunds a part of a milestone to the buyer. The seller signs. Fails as [`release`] does.
pub fn refund(escrow: Pubkey, seller: Pubkey, milestone: u8, part: Part) -> Instruction {
    let Part { amount, of: expected_remaining } = part;
    build(escrow, Some(seller), EscrowInstruction::Refund { milestone, amount, expected_remaining })
}

/// Disputes a delivered milestone. The buyer signs.
pub fn dispute(escrow: Pubkey, buyer: Pubkey, milestone: u8, reason_hash: [u8; 32]) -> Instruction {
    build(escrow, Some(buyer), EscrowInstruction::Dispute { milestone, reason_hash })
}

/// Rules on a disputed milestone: `seller_bps` ten-thousandths to the seller, after the arbiter's fee. The arbiter signs.
pub fn rule(escrow: Pubkey, arbiter: Pubkey, milestone: u8, seller_bps: u16, rationale_hash: [u8; 32]) -> Instruction {
    build(escrow, Some(arbiter), EscrowInstruction::Rule { milestone, seller_bps, rationale_hash })
}

/// Fills or empties the slot of `proposer`, who signs.
pub fn propose(escrow: Pubkey, proposer: Pubkey, proposal: Proposal) -> Instruction {
    build(escrow, Some(proposer), EscrowInstruction::Propose { proposal })
}

/// Accepts exactly this proposal of the other party. `acceptor` signs.
pub fn accept(escrow: Pubkey, acceptor: Pubkey, proposal: Proposal) -> Instruction {
    build(escrow, Some(acceptor), EscrowInstruction::Accept { proposal })
}

/// Applies the agreed default to a milestone whose deadline has come. Nobody need sign.
pub fn expire(escrow: Pubkey, milestone: u8) -> Instruction {
    build(escrow, None, EscrowInstruction::Expire { milestone })
}

/// Pays what is due to `recipient`, for a token to its associated token account, which must exist. Nobody need sign.
pub fn withdraw(escrow: &EscrowAccount, recipient: Recipient) -> Instruction {
    withdraw_to(escrow, recipient, None)
}

/// Like [`withdraw`], for a token to `destination` if one is named; then the recipient signs.
pub fn withdraw_to(escrow: &EscrowAccount, recipient: Recipient, destination: Option<Pubkey>) -> Instruction {
    let mut withdraw = Action::new(escrow, EscrowInstruction::Withdraw { recipient });
    if destination.is_some() {
        withdraw = withdraw.by(*escrow.state.recipient(recipient));
        withdraw.token_account = destination.filter(|_| !escrow.state.is_sol());
    }
    withdraw.instruction(escrow)
}

/// Closes a settled and withdrawn escrow; the rent goes back to its payer. Nobody need sign. `surplus` as in [`cancel`].
pub fn close(escrow: &EscrowAccount, surplus: bool) -> Instruction {
    Action::new(escrow, EscrowInstruction::Close).with(surplus_account(escrow, surplus)).instruction(escrow)
}

/// Where tokens that were sent to the vault uninvited go.
fn surplus_account(escrow: &EscrowAccount, surplus: bool) -> Option<Pubkey> {
    let state = &escrow.state;
    let associated = || associated_token_address(&state.buyer, &state.mint, &state.token_program);
    (surplus && !state.is_sol()).then(associated)
}

/// Creates the associated token account of `owner` if it does not exist. `payer` signs and pays its rent.
pub fn create_associated_token_account(
    payer: Pubkey,
    owner: Pubkey,
    mint: Pubkey,
    token_program: Pubkey,
) -> Instruction {
    spl_associated_token_account_interface::instruction::create_associated_token_account_idempotent(
        &payer,
        &owner,
        &mint,
        &token_program,
    )
}
