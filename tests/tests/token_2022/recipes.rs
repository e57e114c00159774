//! How Token-2022 makes a mint with each of its extensions.

use escrow_tests::{TOKEN_2022, keypair};
use sha2::{Digest, Sha256};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::{
    extension::{
        ExtensionType::*, confidential_transfer, default_account_state, group_member_pointer, group_pointer,
        interest_bearing_mint, metadata_pointer, pausable, scaled_ui_amount, transfer_fee, transfer_hook,
    },
    instruction::{self as token_instruction, AuthorityType},
    state::AccountState,
};

use crate::support::*;

/// Somebody who may change display settings.
pub fn somebody() -> Pubkey {
    issuer().pubkey()
}

/// An instruction of the interfaces for metadata and groups, which Token-2022 implements.
pub fn interface(name: &str, accounts: Vec<AccountMeta>, arguments: &[u8]) -> Instruction {
    let mut data = Sha256::digest(name)[..8].to_vec();
    data.extend(arguments);
    Instruction { program_id: TOKEN_2022, accounts, data }
}

/// The group that the mint of the tests is a member of.
pub fn group_mint() -> Keypair {
    keypair(23)
}

pub fn initialize_group(group: Pubkey) -> Instruction {
    let accounts = vec![
        AccountMeta::new(group, false),
        AccountMeta::new_readonly(group, false),
        AccountMeta::new_readonly(keypair(10).pubkey(), true),
    ];
    let arguments = [somebody().as_array().as_slice(), &10u64.to_le_bytes()].concat();
    interface("spl_token_group_interface:initialize_token_group", accounts, &arguments)
}

/// With a pointer and the group itself.
pub fn group(at: Pubkey) -> Recipe {
    let pointer = built(group_pointer::instruction::initialize(&TOKEN_2022, &at, Some(somebody()), Some(at)));
    Recipe::new(GroupPointer, pointer).after([initialize_group(at)])
}

pub fn metadata() -> Recipe {
    let accounts = vec![
        AccountMeta::new(mint(), false),
        AccountMeta::new_readonly(somebody(), false),
        AccountMeta::new_readonly(mint(), false),
        AccountMeta::new_readonly(keypair(10).pubkey(), true),
    ];
    let arguments = borsh::to_vec(&("Escrowed dollar", "ESC", "https://example.org/esc.json")).expect("texts");
    let initialize = interface("spl_token_metadata_interface:initialize_account", accounts, &arguments);
    metadata_pointer_only().after([initialize])
}

pub fn metadata_pointer_only() -> Recipe {
    let initialize = metadata_pointer::instruction::initialize(&TOKEN_2022, &mint(), Some(somebody()), Some(mint()));
    Recipe::new(MetadataPointer, built(initialize))
}

pub fn group_member() -> Recipe {
    let pointer = group_member_pointer::instruction::initialize(&TOKEN_2022, &mint(), Some(somebody()), Some(mint()));
    let accounts = vec![
        AccountMeta::new(mint(), false),
        AccountMeta::new_readonly(mint(), false),
        AccountMeta::new_readonly(keypair(10).pubkey(), true),
        AccountMeta::new(group_mint().pubkey(), false),
        AccountMeta::new_readonly(somebody(), true),
    ];
    let initialize = interface("spl_token_group_interface:initialize_member", accounts, &[]);
    Recipe::new(GroupMemberPointer, built(pointer)).after([initialize])
}

pub fn fee(authority: Option<&Pubkey>, rate: u16, maximum: u64) -> Recipe {
    let withdraw = somebody();
    let initialize = transfer_fee::instruction::initialize_transfer_fee_config(
        &TOKEN_2022,
        &mint(),
        authority,
        Some(&withdraw),
        rate,
        maximum,
    );
    Recipe::new(TransferFeeConfig, built(initialize))
}

pub fn hook(authority: Option<Pubkey>, program: Option<Pubkey>) -> Recipe {
    Recipe::new(TransferHook, built(transfer_hook::instruction::initialize(&TOKEN_2022, &mint(), authority, program)))
}

pub fn confidential() -> Recipe {
    let initialize =
        confidential_transfer::instruction::initialize_mint(&TOKEN_2022, &mint(), Some(somebody()), true, None);
    Recipe::new(ConfidentialTransferMint, built(initialize))
}

/// The issuer sets or gives up an authority of the mint.
pub fn set_authority(kind: AuthorityType, to: Option<&Pubkey>) -> Instruction {
    built(token_instruction::set_authority(&TOKEN_2022, &mint(), to, kind, &issuer().pubkey(), &[]))
}

pub fn default_state(state: AccountState) -> Recipe {
    let initialize = default_account_state::instruction::initialize_default_account_state(&TOKEN_2022, &mint(), &state);
    Recipe::new(DefaultAccountState, built(initialize)).freeze()
}

pub fn pausable_mint() -> Recipe {
    Recipe::new(Pausable, built(pausable::instruction::initialize(&TOKEN_2022, &mint(), &issuer().pubkey())))
}

pub fn permanent_delegate() -> Recipe {
    let initialize = token_instruction::initialize_permanent_delegate(&TOKEN_2022, &mint(), &issuer().pubkey());
    Recipe::new(PermanentDelegate, built(initialize))
}

pub fn mint_close() -> Recipe {
    let issuer = issuer().pubkey();
    let initialize = token_instruction::initialize_mint_close_authority(&TOKEN_2022, &mint(), Some(&issuer));
    Recipe::new(MintCloseAuthority, built(initialize))
}

pub fn interest() -> Recipe {
    let initialize = interest_bearing_mint::instruction::initialize(&TOKEN_2022, &mint(), Some(somebody()), 500);
    Recipe::new(InterestBearingConfig, built(initialize))
}

pub fn scaled() -> Recipe {
    let initialize = scaled_ui_amount::instruction::initialize(&TOKEN_2022, &mint(), Some(somebody()), 2.5);
    Recipe::new(ScaledUiAmount, built(initialize))
}
