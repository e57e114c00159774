//! What the program needs of SPL Token and Token-2022. Their accounts begin alike, so one reader serves both.

#![deny(missing_docs)]

use anchor_lang::{
    address_eq,
    pinocchio::cpi::{Seed, Signer as CpiSigner, get_return_data},
    prelude::*,
    sha256,
};
use bytemuck::{Pod, Zeroable, bytes_of};
use pinocchio_token::instructions::{CloseAccount, GetAccountDataSize, InitializeAccount3, TransferChecked};

use crate::{
    error::EscrowError,
    state::{Escrow, MintInfo},
};

/// The size of a token account without extensions.
const TOKEN_ACCOUNT_SIZE: usize = 165;
/// A multisig of the token programs has this size and no mark that tells it from a longer token account.
const MULTISIG_SIZE: usize = 355;
/// Behind a token account's fields, where there are extensions: 2 says that it is one.
const ACCOUNT_TYPE_TOKEN: u8 = 2;

/// The program that derives associated token accounts.
pub const ASSOCIATED_TOKEN_PROGRAM_ID: Address =
    Address::from_str_const("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");

/// A token account's fields, as the token program wrote them.
pub struct TokenAccount {
    /// The token.
    pub mint: Address,
    /// Who may spend it. Not always who the account was created for: an owner can give it to another.
    pub owner: Address,
    /// In the token's base unit.
    pub amount: u64,
}

impl TokenAccount {
    /// Reads an account that must be an initialised token account of `token_program`.
    pub fn read(view: &AccountView, token_program: &Address) -> Result<Self> {
        require!(view.owned_by(token_program), EscrowError::TokenAccountInvalid);
        let data = view.try_borrow()?;
        Self::parse(&data).ok_or(EscrowError::TokenAccountInvalid.into())
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let is_token_account = data.len() == TOKEN_ACCOUNT_SIZE
            || (data.len() != MULTISIG_SIZE && data.get(TOKEN_ACCOUNT_SIZE) == Some(&ACCOUNT_TYPE_TOKEN));
        // 0 is uninitialised, 1 initialised, 2 frozen.
        let is_initialized = matches!(data.get(108), Some(1 | 2));
        if !is_token_account || !is_initialized {
            return None;
        }
        let (mint, rest) = data.split_first_chunk::<32>()?;
        let (owner, rest) = rest.split_first_chunk::<32>()?;
        let amount = rest.first_chunk::<8>()?;
        Some(Self {
            mint: Address::new_from_array(*mint),
            owner: Address::new_from_array(*owner),
            amount: u64::from_le_bytes(*amount),
        })
    }
}

/// What `fund` and `withdraw` need of a token. These accounts stand behind the others of the instruction, and are left
/// out for SOL; a client that cannot leave an account out passes the program's own address in its place.
///
/// Not fields of the accounts structs: there each one that is left out would cost 45 compute units.
pub struct TokenAccounts {
    /// Where the tokens come from, or go to. Writable.
    pub account: AccountView,
    /// The vault of the escrow. Writable.
    pub vault: AccountView,
    /// The mint in the terms.
    pub mint: AccountView,
    /// The token program in the terms.
    pub token_program: AccountView,
}

impl TokenAccounts {
    /// Takes them from `behind`, what stands behind the other accounts; none where the escrow holds SOL.
    ///
    /// Not checked: `account`, which each instruction checks by itself.
    pub fn of(escrow: &Escrow, behind: &[AccountView]) -> Result<Option<Self>> {
        let is_absent = |account: &AccountView| address_eq(account.address(), &crate::ID);
        if escrow.is_sol() {
            // Empty as a rule: asked first, for 3 compute units less.
            require!(behind.is_empty() || behind.iter().all(is_absent), EscrowError::TokenAccountsUnexpected);
            return Ok(None);
        }
        let passed = behind.first_chunk::<4>().ok_or(EscrowError::TokenAccountsMissing)?;
        let [account, vault, mint, token_program] = *passed;
        let wrong: Option<Error> = if !address_eq(token_program.address(), &escrow.token_program) {
            Some(EscrowError::TokenProgramMismatch.into())
        } else if !address_eq(vault.address(), &escrow.vault) {
            Some(EscrowError::VaultMismatch.into())
        } else if !address_eq(mint.address(), &escrow.mint) {
            Some(EscrowError::MintMismatch.into())
        } else if !(account.is_writable() && vault.is_writable()) {
            Some(ErrorCode::ConstraintMut.into())
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let is_missing = passed.iter().any(is_absent);
            return Err(if is_missing { EscrowError::TokenAccountsMissing.into() } else { wrong });
        }
        Ok(Some(Self { account, vault, mint, token_program }))
    }
}

/// Reads a mint. The way in only: on the way out nobody asks what the issuer may do.
pub fn read_mint(mint: &AccountView, token_program: &Address) -> Result<MintInfo> {
    require!(mint.owned_by(token_program), EscrowError::MintInvalid);
    let data = mint.try_borrow()?;
    Ok(MintInfo::read(&data)?)
}

/// Whether `destination` may receive tokens for `owner`: a token account of the right mint that belongs to `owner`,
/// and the associated one unless `owner` signed.
///
/// Not checked: whether it is the vault. The vault belongs to the escrow, which is nobody's address in its own terms.
pub fn check_destination(
    destination: &AccountView,
    owner: &Address,
    owner_signed: bool,
    escrow: &Escrow,
) -> Result<()> {
    let account = TokenAccount::read(destination, &escrow.token_program)?;
    require!(address_eq(&account.mint, &escrow.mint), EscrowError::TokenAccountMint);
    require!(address_eq(&account.owner, owner), EscrowError::TokenAccountOwner);
    require!(
        owner_signed || is_associated(destination.address(), owner, &escrow.token_program, &escrow.mint),
        EscrowError::NotAssociatedAccount
    );
    Ok(())
}

/// What is hashed into the address of an associated token account.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct AssociatedSeeds {
    owner: Address,
    token_program: Address,
    mint: Address,
    bump: u8,
    program: Address,
    marker: [u8; 21],
}

/// Whether `address` is the associated token account of `owner`.
///
/// Compares hashes from bump 255 down and does not look for the first one off the curve: at any other of these
/// addresses there cannot be a token account, since only the associated-token program signs for them and only for the
/// first.
fn is_associated(address: &Address, owner: &Address, token_program: &Address, mint: &Address) -> bool {
    let mut seeds = AssociatedSeeds {
        owner: *owner,
        token_program: *token_program,
        mint: *mint,
        bump: 0,
        program: ASSOCIATED_TOKEN_PROGRAM_ID,
        marker: *b"ProgramDerivedAddress",
    };
    (0..=u8::MAX).rev().any(|bump| {
        seeds.bump = bump;
        address_eq(address, &sha256(bytes_of(&seeds)).into())
    })
}

/// Makes `vault`, a new account at its address, a token account that belongs to the escrow.
pub fn initialize_vault(
    vault: &AccountView,
    mint: &AccountView,
    owner: &Address,
    token_program: &Address,
) -> Result<()> {
    InitializeAccount3::new(vault, mint, owner).invoke_with_unverified_program(token_program)
}

/// The size of a token account for `mint`: more than usual where the mint's extensions need room in each account.
pub fn account_size(mint: &AccountView, token_program: &Address) -> Result<usize> {
    if address_eq(token_program, &Token::id()) {
        return Ok(TOKEN_ACCOUNT_SIZE);
    }
    GetAccountDataSize::new(mint).invoke_with_unverified_program(token_program)?;
    let size = get_return_data()
        .and_then(|answer| answer.as_slice().first_chunk::<8>().copied())
        .ok_or(EscrowError::MintInvalid)?;
    usize::try_from(u64::from_le_bytes(size)).map_err(|_| EscrowError::MintInvalid.into())
}

/// The accounts of one transfer.
pub struct Transfer<'a> {
    /// Source.
    pub from: &'a AccountView,
    /// Destination.
    pub to: &'a AccountView,
    /// Owner of the source.
    pub authority: &'a AccountView,
    /// The token.
    pub mint: &'a AccountView,
    /// Its program.
    pub token_program: &'a Address,
}

impl Transfer<'_> {
    /// Moves `amount`. `signer` holds the seeds where the escrow itself is the authority.
    pub fn invoke(&self, amount: u64, signer: Option<&EscrowSeeds>) -> Result<()> {
        let decimals = *self.mint.try_borrow()?.get(44).ok_or(EscrowError::MintInvalid)?;
        let transfer = TransferChecked::new(self.from, self.mint, self.to, self.authority, amount, decimals);
        match signer {
            None => transfer.invoke_with_unverified_program(self.token_program),
            Some(seeds) => {
                seeds.sign(|signer| transfer.invoke_signed_with_unverified_program(&[signer], self.token_program))
            }
        }
    }
}

/// Closes the vault, which must be empty; its rent goes to `rent_payer`.
pub fn close_vault(
    vault: &AccountView,
    rent_payer: &AccountView,
    escrow: &AccountView,
    token_program: &Address,
    seeds: &EscrowSeeds,
) -> Result<()> {
    let close = CloseAccount::new(vault, rent_payer, escrow);
    seeds.sign(|signer| close.invoke_signed_with_unverified_program(&[signer], token_program))
}

/// The seeds with which the program signs for an escrow.
pub struct EscrowSeeds<'a> {
    terms_hash: &'a [u8; 32],
    bump: [u8; 1],
}

impl<'a> EscrowSeeds<'a> {
    /// Those of this escrow.
    pub fn of(escrow: &'a Escrow) -> Self {
        Self { terms_hash: &escrow.terms_hash, bump: [escrow.bump] }
    }

    fn sign(&self, invoke: impl FnOnce(CpiSigner<'_, '_>) -> Result<()>) -> Result<()> {
        let seeds = [Seed::from(crate::ESCROW_SEED), Seed::from(self.terms_hash), Seed::from(&self.bump)];
        invoke(CpiSigner::from(&seeds))
    }
}
