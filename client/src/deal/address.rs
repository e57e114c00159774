//! Where things are: every address follows from the terms.

use escrow::{ESCROW_SEED, VAULT_SEED, state::Terms, token::ASSOCIATED_TOKEN_PROGRAM_ID};
use solana_pubkey::Pubkey;

use crate::EscrowError;

/// The address of the escrow with these terms. Nobody can put other terms behind it: it is derived from their hash.
///
/// # Errors
///
/// Where the terms cannot be hashed: there are more milestones than an escrow has.
pub fn escrow_address(terms: &Terms) -> Result<Pubkey, EscrowError> {
    Ok(escrow_address_and_bump(&terms.hash()?).0)
}

pub(crate) fn escrow_address_and_bump(terms_hash: &[u8; 32]) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[ESCROW_SEED, terms_hash], &escrow::ID)
}

/// The address of an escrow's vault: the token account that holds its tokens.
pub fn vault_address(escrow: &Pubkey) -> Pubkey {
    Pubkey::find_program_address(&[VAULT_SEED, escrow.as_array()], &escrow::ID).0
}

/// The associated token account of `owner`.
pub fn associated_token_address(owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Pubkey {
    let seeds: &[&[u8]] = &[owner.as_array(), token_program.as_array(), mint.as_array()];
    Pubkey::find_program_address(seeds, &ASSOCIATED_TOKEN_PROGRAM_ID).0
}
