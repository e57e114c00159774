//! What programs that have no place in an action on an escrow are called, and what somebody would have them do.

use anchor_lang::{
    Id,
    programs::{Token, Token2022},
};
use solana_pubkey::Pubkey;

use super::{budget::COMPUTE_BUDGET, returned::LIGHTHOUSE, squads::SQUADS};
use crate::words::Denomination;

/// A program's address, with its name where it has one.
pub(super) fn named(program: &Pubkey) -> String {
    match name(program) {
        Some(name) => format!("{name} ({program})"),
        None => format!("the program {program}"),
    }
}

fn name(program: &Pubkey) -> Option<&'static str> {
    let known = [
        (solana_sdk_ids::system_program::ID, "the system program"),
        (Token::id(), "the token program"),
        (Token2022::id(), "the Token-2022 program"),
        (spl_associated_token_account_interface::program::ID, "the associated token account program"),
        (COMPUTE_BUDGET, "the compute budget program"),
        (solana_sdk_ids::stake::ID, "the stake program"),
        (solana_sdk_ids::vote::ID, "the vote program"),
        (solana_sdk_ids::address_lookup_table::ID, "the lookup table program"),
        (solana_sdk_ids::bpf_loader_upgradeable::ID, "the loader, which replaces programs"),
        (LIGHTHOUSE, "Lighthouse"),
        (SQUADS, "Squads"),
    ];
    known.into_iter().find(|(address, _)| address == program).map(|(_, name)| name)
}

/// What a call would do, where that is known.
pub(super) fn what(program: &Pubkey, data: &[u8]) -> Option<String> {
    let (first, rest) = data.split_first()?;
    if *program == solana_sdk_ids::system_program::ID {
        let (kind, rest) = data.split_first_chunk::<4>()?;
        return Some(match u32::from_le_bytes(*kind) {
            0 | 3 => "create an account".to_owned(),
            1 | 10 => "give an account away to a program".to_owned(),
            2 => {
                let lamports = rest.first_chunk::<8>().map(|units| u64::from_le_bytes(*units))?;
                format!("transfer {}", Denomination::SOL.amount(lamports))
            }
            4 => "use up a nonce, which only the first instruction may".to_owned(),
            5 => "take SOL out of a nonce account".to_owned(),
            6 => "set up a nonce account".to_owned(),
            7 => "give a nonce account away".to_owned(),
            11 => "transfer SOL".to_owned(),
            _ => return None,
        });
    }
    if *program == Token::id() || *program == Token2022::id() {
        let units = || rest.first_chunk::<8>().map(|units| u64::from_le_bytes(*units));
        return Some(match first {
            3 | 12 => format!("transfer {} base units of a token", units()?),
            4 | 13 => format!("let somebody else spend {} base units of a token", units()?),
            6 => "give a token account or a mint away".to_owned(),
            7 | 14 => "mint tokens".to_owned(),
            8 | 15 => "burn tokens".to_owned(),
            9 => "close a token account".to_owned(),
            10 => "freeze a token account".to_owned(),
            _ => return None,
        });
    }
    if *program == COMPUTE_BUDGET {
        return Some(match first {
            1 => "ask for a larger heap".to_owned(),
            4 => "limit the size of the accounts that are loaded".to_owned(),
            _ => return None,
        });
    }
    None
}
