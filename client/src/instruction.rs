//! One builder per instruction of the program. Pure: what they need to know of an escrow, they take from its terms or
//! from the account as read.

use escrow::{
    accounts, instruction,
    state::{Proposal, Recipient, Terms},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use crate::{
    EscrowAccount, EscrowError,
    address::{associated_token_address, escrow_address, vault_address},
    terms::Asset,
};

const SYSTEM_PROGRAM: Pubkey = solana_sdk_ids::system_program::ID;

/// The accounts of an escrow's token; none for SOL.
struct TokenAccounts {
    vault: Option<Pubkey>,
    mint: Option<Pubkey>,
    program: Option<Pubkey>,
}

impl TokenAccounts {
    fn of(escrow: &Pubkey, asset: Asset) -> Self {
        match asset {
            Asset::Sol => Self { vault: None, mint: None, program: None },
            Asset::Token { mint, program } => {
                Self { vault: Some(vault_address(escrow)), mint: Some(mint), program: Some(program) }
            }
        }
    }

    /// The associated token account of `owner`; none for SOL.
    fn associated(&self, owner: &Pubkey) -> Option<Pubkey> {
        Some(associated_token_address(owner, &self.mint?, &self.program?))
    }

    /// What stands behind the other accounts of `fund` and `withdraw`; nothing for SOL.
    fn behind(&self, account: Option<Pubkey>) -> Vec<AccountMeta> {
        let (Some(account), Some(vault), Some(mint), Some(program)) = (account, self.vault, self.mint, self.program)
        else {
            return Vec::new();
        };
        vec![
            AccountMeta::new(account, false),
            AccountMeta::new(vault, false),
            AccountMeta::new_readonly(mint, false),
            AccountMeta::new_readonly(program, false),
        ]
    }
}

fn asset_of(terms: &Terms) -> Asset {
    if terms.is_sol() { Asset::Sol } else { Asset::Token { mint: terms.mint, program: terms.token_program } }
}

/// Creates the escrow with these terms. `rent_payer` signs and pays the rent.
pub fn create(rent_payer: Pubkey, terms: &Terms) -> Result<Instruction, EscrowError> {
    let escrow = escrow_address(terms)?;
    let TokenAccounts { vault, mint, program } = TokenAccounts::of(&escrow, asset_of(terms));
    let accounts =
        accounts::Create { rent_payer, escrow, system_program: SYSTEM_PROGRAM, vault, mint, token_program: program };
    Ok(instruction::Create { terms: terms.clone() }.to_instruction(accounts))
}

/// Pays the principal in, for a token from the buyer's associated token account. The buyer signs.
pub fn fund(terms: &Terms) -> Result<Instruction, EscrowError> {
    fund_from(terms, None)
}

/// Like [`fund`], for a token from `source` if one is named.
pub fn fund_from(terms: &Terms, source: Option<Pubkey>) -> Result<Instruction, EscrowError> {
    let escrow = escrow_address(terms)?;
    let tokens = TokenAccounts::of(&escrow, asset_of(terms));
    let buyer_token = source.or_else(|| tokens.associated(&terms.buyer));
    let accounts = accounts::Fund { escrow, buyer: terms.buyer, system_program: SYSTEM_PROGRAM };
    let mut built = instruction::Fund {}.to_instruction(accounts);
    built.accounts.extend(tokens.behind(buyer_token));
    Ok(built)
}

/// Gives up an unfunded escrow, or takes everything back in the cooling-off period. `canceller` signs.
///
/// `surplus`: whether the vault of an unfunded escrow holds tokens that somebody sent uninvited. They go to the buyer's
/// associated token account, which must exist.
pub fn cancel(escrow: &EscrowAccount, canceller: Pubkey, surplus: bool) -> Instruction {
    let closes = !escrow.is_funded();
    let tokens = TokenAccounts::of(&escrow.address, if closes { escrow.asset() } else { Asset::Sol });
    let buyer_token = tokens.associated(&escrow.state.buyer).filter(|_| surplus);
    let TokenAccounts { vault, mint, program } = tokens;
    let accounts = accounts::Cancel {
        escrow: escrow.address,
        canceller,
        rent_payer: escrow.state.rent_payer,
        vault,
        mint: mint.filter(|_| surplus),
        token_program: program,
        buyer_token,
    };
    instruction::Cancel {}.to_instruction(accounts)
}

/// Says that a milestone is delivered. `deliverer` (the attester where one is named, else the seller) signs.
pub fn deliver(escrow: Pubkey, deliverer: Pubkey, milestone: u8, evidence_hash: [u8; 32]) -> Instruction {
    instruction::Deliver { milestone, evidence_hash }.to_instruction(accounts::Deliver { escrow, deliverer })
}

/// Releases a hash-locked milestone to the seller. Nobody need sign.
pub fn claim(escrow: Pubkey, milestone: u8, secret: [u8; 32]) -> Instruction {
    instruction::Claim { milestone, secret }.to_instruction(accounts::Claim { escrow })
}

/// Releases `amount` of a milestone to the seller. The buyer signs. Fails unless exactly `expected_remaining` remains
/// undecided, so that a request sent twice does not pay twice.
pub fn release(escrow: Pubkey, buyer: Pubkey, milestone: u8, amount: u64, expected_remaining: u64) -> Instruction {
    instruction::Release { milestone, amount, expected_remaining }.to_instruction(accounts::Release { escrow, buyer })
}

/// Refunds `amount` of a milestone to the buyer. The seller signs. `expected_remaining` as in [`release`].
pub fn refund(escrow: Pubkey, seller: Pubkey, milestone: u8, amount: u64, expected_remaining: u64) -> Instruction {
    instruction::Refund { milestone, amount, expected_remaining }.to_instruction(accounts::Refund { escrow, seller })
}

/// Disputes a delivered milestone. The buyer signs.
pub fn dispute(escrow: Pubkey, buyer: Pubkey, milestone: u8, reason_hash: [u8; 32]) -> Instruction {
    instruction::Dispute { milestone, reason_hash }.to_instruction(accounts::Dispute { escrow, buyer })
}

/// Rules on a disputed milestone: `seller_bps` ten-thousandths to the seller, after the arbiter's fee. The arbiter signs.
pub fn rule(escrow: Pubkey, arbiter: Pubkey, milestone: u8, seller_bps: u16, rationale_hash: [u8; 32]) -> Instruction {
    instruction::Rule { milestone, seller_bps, rationale_hash }.to_instruction(accounts::Rule { escrow, arbiter })
}

/// Fills or empties the slot of `proposer`, who signs.
pub fn propose(escrow: Pubkey, proposer: Pubkey, proposal: Proposal) -> Instruction {
    instruction::Propose { proposal }.to_instruction(accounts::Propose { escrow, proposer })
}

/// Accepts exactly this proposal of the other party. `acceptor` signs.
pub fn accept(escrow: Pubkey, acceptor: Pubkey, proposal: Proposal) -> Instruction {
    instruction::Accept { proposal }.to_instruction(accounts::Accept { escrow, acceptor })
}

/// Applies the agreed default to a milestone whose deadline has come. Nobody need sign.
pub fn expire(escrow: Pubkey, milestone: u8) -> Instruction {
    instruction::Expire { milestone }.to_instruction(accounts::Expire { escrow })
}

/// Pays what is due to `recipient`, for a token to its associated token account, which must exist. Nobody need sign.
pub fn withdraw(escrow: &EscrowAccount, recipient: Recipient) -> Instruction {
    withdraw_to(escrow, recipient, None)
}

/// Like [`withdraw`], for a token to `destination` if one is named; then the recipient signs.
pub fn withdraw_to(escrow: &EscrowAccount, recipient: Recipient, destination: Option<Pubkey>) -> Instruction {
    let address = *escrow.state.recipient(recipient);
    let tokens = TokenAccounts::of(&escrow.address, escrow.asset());
    let recipient_token = destination.or_else(|| tokens.associated(&address));
    let accounts = accounts::Withdraw { escrow: escrow.address, recipient: address };
    let mut built = instruction::Withdraw { recipient }.to_instruction(accounts);
    if let Some(account) = built.accounts.iter_mut().find(|account| account.pubkey == address) {
        // To be paid SOL. Where that is impossible the runtime takes the mark back, and tokens are paid all the same.
        account.is_writable = true;
        account.is_signer = destination.is_some();
    }
    built.accounts.extend(tokens.behind(recipient_token));
    built
}

/// Closes a settled and withdrawn escrow; the rent goes back to its payer. Nobody need sign. `surplus` as in [`cancel`].
pub fn close(escrow: &EscrowAccount, surplus: bool) -> Instruction {
    let tokens = TokenAccounts::of(&escrow.address, escrow.asset());
    let buyer_token = tokens.associated(&escrow.state.buyer).filter(|_| surplus);
    let TokenAccounts { vault, mint, program } = tokens;
    let accounts = accounts::Close {
        escrow: escrow.address,
        rent_payer: escrow.state.rent_payer,
        vault,
        mint: mint.filter(|_| surplus),
        token_program: program,
        buyer_token,
        buyer: None,
    };
    instruction::Close {}.to_instruction(accounts)
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
