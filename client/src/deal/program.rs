//! A program as it stands on chain: its bytes, their sha256, and who may change it.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_loader_v3_interface::{get_program_data_address, state::UpgradeableLoaderState};
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader, bpf_loader_deprecated, bpf_loader_upgradeable, system_program};
use thiserror::Error;

/// The sha256 of the program that belongs to this version of the client, as `sha256sum` writes it.
const RELEASED: &str = include_str!("../../../programs/escrow/elf/escrow.so.sha256");

/// The sha256 of a program's file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ElfHash([u8; 32]);

/// A text that is not a sha256.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{0}\" is not a sha256: that has 64 hexadecimal digits")]
pub struct ParseElfHashError(String);

/// Why what is at an address is no program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It is no program of the upgradeable loader.
    #[error("the account {address} is not an upgradeable program: {reason}")]
    NotAProgram {
        /// Its address.
        address: Pubkey,
        /// What is wrong with it.
        reason: String,
    },
    /// There was a program, and it was closed.
    #[error("the program {program} was closed, and its address can never be used again: take another program keypair")]
    Closed {
        /// Its address.
        program: Pubkey,
    },
}

/// An upgradeable program that is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its address.
    pub address: Pubkey,
    /// The account that holds its bytes.
    pub programdata: Pubkey,
    /// The slot in which its bytes were last deployed, upgraded or extended.
    pub slot: u64,
    /// Who may upgrade it and close it; nobody if there is none.
    pub upgrade_authority: Option<Pubkey>,
    /// The lamports of the account that holds its bytes.
    pub lamports: u64,
    /// The bytes behind the loader's header: the file, and zeros up to the account's end.
    region: Vec<u8>,
}

/// What is at the address of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nothing, or lamports that somebody sent in advance.
    Vacant {
        /// Those lamports.
        lamports: u64,
    },
    /// A program.
    Deployed(Box<Program>),
}

impl ElfHash {
    /// The sha256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// That of the program that belongs to this version of the client: the committed file's.
    pub fn released() -> Option<Self> {
        RELEASED.split_whitespace().next()?.parse().ok()
    }

    /// The 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for ElfHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ElfHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ElfHash {
    type Err = ParseElfHashError;

    fn from_str(text: &str) -> Result<Self, ParseElfHashError> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(ParseElfHashError(text.to_owned())),
        }
    }
}

impl Program {
    /// The longest file that fits, in bytes: the room behind the loader's header.
    pub fn max_len(&self) -> usize {
        self.region.len()
    }

    /// The deployed bytes without the zeros at their end. The file may end in some of those zeros itself: the chain
    /// does not say how long it was.
    pub fn code(&self) -> &[u8] {
        without_zeros(&self.region)
    }

    /// The sha256 of [`code`](Self::code), as other tools show it. It is not the file's if the file ends in zeros.
    pub fn hash(&self) -> ElfHash {
        ElfHash::of(self.code())
    }

    /// How long the file with this sha256 is, if that is what is deployed: the file, and then nothing but zeros. All
    /// lengths that the file can have had are tried.
    pub fn len_of(&self, hash: &ElfHash) -> Option<usize> {
        len_of(&self.region, hash)
    }

    /// Whether it is the file with this sha256 ([`len_of`](Self::len_of)).
    pub fn is_hash(&self, hash: &ElfHash) -> bool {
        self.len_of(hash).is_some()
    }

    /// Whether it is the file with these bytes: the deployed bytes are those, and then nothing but zeros.
    pub fn is(&self, file: impl AsRef<[u8]>) -> bool {
        self.region.strip_prefix(file.as_ref()).is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
    }
}

impl Place {
    /// From the account at `address` and the one that should hold the bytes, both of the same moment.
    ///
    /// # Errors
    ///
    /// Where it is something else, or a program that was closed.
    pub fn read(
        address: Pubkey,
        program: Option<&Account>,
        programdata: Option<&Account>,
    ) -> Result<Self, ProgramError> {
        let not_a_program = |reason: String| ProgramError::NotAProgram { address, reason };
        let Some(program) = program else { return Ok(Self::Vacant { lamports: 0 }) };
        if program.owner == system_program::ID && program.data.is_empty() {
            return Ok(Self::Vacant { lamports: program.lamports });
        }
        if program.owner == bpf_loader::ID || program.owner == bpf_loader_deprecated::ID {
            return Err(not_a_program("it was deployed with an older loader, whose programs never change".to_owned()));
        }
        let expected = get_program_data_address(&address);
        match loader_state(program) {
            Some(UpgradeableLoaderState::Program { programdata_address }) if programdata_address == expected => {}
            Some(_) => return Err(not_a_program("it is an account of the loader, but not a program".to_owned())),
            None => return Err(not_a_program(format!("it belongs to {}", program.owner))),
        }
        let Some(programdata) = programdata else { return Err(ProgramError::Closed { program: address }) };
        match loader_state(programdata) {
            Some(UpgradeableLoaderState::ProgramData { slot, upgrade_authority_address }) => {
                let header = UpgradeableLoaderState::size_of_programdata_metadata();
                Ok(Self::Deployed(Box::new(Program {
                    address,
                    programdata: expected,
                    slot,
                    upgrade_authority: upgrade_authority_address,
                    lamports: programdata.lamports,
                    region: programdata.data.get(header..).unwrap_or_default().to_vec(),
                })))
            }
            _ => Err(ProgramError::Closed { program: address }),
        }
    }
}

/// What the loader says of an account of its own.
pub fn loader_state(account: &Account) -> Option<UpgradeableLoaderState> {
    if account.owner != bpf_loader_upgradeable::ID {
        return None;
    }
    // The bytes behind the header are not part of it.
    let longest = UpgradeableLoaderState::size_of_programdata_metadata().min(account.data.len());
    wincode::deserialize(account.data.get(..longest)?).ok()
}

/// `bytes` without the zeros at their end.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    bytes.get(..len).unwrap_or_default()
}

/// How long the file with this sha256 is, if `region` holds it and then nothing but zeros.
///
/// Where the zeros of the file end and those behind it begin cannot be seen, so every length is tried.
fn len_of(region: &[u8], wanted: &ElfHash) -> Option<usize> {
    let code = without_zeros(region);
    let mut hasher = Sha256::new_with_prefix(code);
    for len in code.len()..=region.len() {
        if hasher.clone().finalize().as_slice() == wanted.to_bytes() {
            return Some(len);
        }
        hasher.update([0]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(owner: Pubkey, state: UpgradeableLoaderState, code: &[u8]) -> Account {
        let mut data = wincode::serialize(&state).unwrap();
        if let UpgradeableLoaderState::ProgramData { .. } = state {
            data.resize(UpgradeableLoaderState::size_of_programdata_metadata(), 0xff);
        }
        data.extend_from_slice(code);
        Account { lamports: 1, data, owner, ..Account::default() }
    }

    #[test]
    fn only_a_program_with_its_own_bytes_is_one() {
        let address = Pubkey::new_unique();
        let loader = bpf_loader_upgradeable::ID;
        let header = |programdata_address| UpgradeableLoaderState::Program { programdata_address };
        let program = account(loader, header(get_program_data_address(&address)), b"");
        let data = UpgradeableLoaderState::ProgramData { slot: 7, upgrade_authority_address: None };
        let programdata = account(loader, data, b"code\0\0");

        let Ok(Place::Deployed(read)) = Place::read(address, Some(&program), Some(&programdata)) else {
            panic!("a program is one")
        };
        assert_eq!((read.slot, read.upgrade_authority, read.max_len()), (7, None, 6));
        assert_eq!(read.code(), b"code");

        let place = |program, programdata| Place::read(address, program, programdata);
        assert!(matches!(place(None, None), Ok(Place::Vacant { lamports: 0 })));
        let wallet = Account { lamports: 5, owner: system_program::ID, ..Account::default() };
        assert!(matches!(place(Some(&wallet), None), Ok(Place::Vacant { lamports: 5 })));
        assert!(matches!(place(Some(&program), None), Err(ProgramError::Closed { .. })));
        assert!(matches!(place(Some(&program), Some(&wallet)), Err(ProgramError::Closed { .. })));
        let foreign = account(loader, header(Pubkey::new_unique()), b"");
        assert!(matches!(place(Some(&foreign), Some(&programdata)), Err(ProgramError::NotAProgram { .. })));
        assert!(matches!(place(Some(&programdata), None), Err(ProgramError::NotAProgram { .. })));
        let old = Account { owner: bpf_loader::ID, ..program.clone() };
        assert!(matches!(place(Some(&old), None), Err(ProgramError::NotAProgram { .. })));
    }

    #[test]
    fn zeros_at_the_end_belong_to_the_file_or_not() {
        let file = b"code\0\0";
        let hash = ElfHash::of(file);
        for padding in [0, 1, 100] {
            let mut region = file.to_vec();
            region.resize(file.len() + padding, 0);
            assert_eq!(len_of(&region, &hash), Some(file.len()), "{padding}");
        }
        assert_eq!(len_of(b"code\0", &hash), None, "shorter than the file");
        assert_eq!(len_of(b"code\0\0\x01", &hash), None, "something else behind it");
        assert_eq!(len_of(b"Code\0\0", &hash), None, "something else in it");
        assert_eq!(len_of(b"\0\0", &ElfHash::of(b"")), Some(0));
        assert_eq!(without_zeros(b"a\0b\0"), b"a\0b");
    }

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        assert_eq!(EMPTY.parse(), Ok(ElfHash::of(b"")));
        assert_eq!(EMPTY.to_uppercase().parse(), Ok(ElfHash::of(b"")));
        assert_eq!(ElfHash::of(b"").to_string(), EMPTY);
        for text in ["", "e3b0", &EMPTY[1..], &format!("{EMPTY}0"), &EMPTY.replace('e', "g"), &format!(" {EMPTY}")] {
            assert!(text.parse::<ElfHash>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_released_sum_is_that_of_the_committed_file() {
        let file = include_bytes!("../../../programs/escrow/elf/escrow.so");
        assert_eq!(ElfHash::released(), Some(ElfHash::of(file)));
    }
}
