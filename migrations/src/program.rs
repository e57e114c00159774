//! A program as it stands on chain.

use solana_account::Account;
use solana_loader_v3_interface::{get_program_data_address, state::UpgradeableLoaderState};
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader, bpf_loader_deprecated, bpf_loader_upgradeable, system_program};

use crate::{
    elf::{Elf, len_of, without_zeros},
    error::{Error, Result},
    hash::ElfHash,
};

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
pub(crate) enum Place {
    /// Nothing, or lamports that somebody sent in advance.
    Vacant { lamports: u64 },
    /// A program.
    Deployed(Box<Program>),
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

    /// Whether it is this file: the deployed bytes are the file, and then nothing but zeros.
    pub fn is(&self, elf: &Elf) -> bool {
        self.region.strip_prefix(elf.bytes()).is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
    }

    /// Nobody can change it any more, or only `keypair`.
    pub(crate) fn check_authority(&self, keypair: &Pubkey) -> Result<()> {
        match self.upgrade_authority {
            None => Err(Error::Immutable { program: self.address }),
            Some(authority) if authority != *keypair => {
                Err(Error::WrongAuthority { program: self.address, authority, keypair: *keypair })
            }
            Some(_) => Ok(()),
        }
    }
}

impl Place {
    /// From the account at `address` and the one that should hold the bytes, both of the same moment.
    pub(crate) fn read(address: Pubkey, program: Option<&Account>, programdata: Option<&Account>) -> Result<Self> {
        let not_a_program = |reason: String| Error::NotAProgram { address, reason };
        let Some(program) = program else { return Ok(Self::Vacant { lamports: 0 }) };
        if program.owner == system_program::ID && program.data.is_empty() {
            return Ok(Self::Vacant { lamports: program.lamports });
        }
        if program.owner == bpf_loader::ID || program.owner == bpf_loader_deprecated::ID {
            return Err(not_a_program("it was deployed with an older loader, whose programs never change".to_owned()));
        }
        let expected = get_program_data_address(&address);
        match state(program) {
            Some(UpgradeableLoaderState::Program { programdata_address }) if programdata_address == expected => {}
            Some(_) => return Err(not_a_program("it is an account of the loader, but not a program".to_owned())),
            None => return Err(not_a_program(format!("it belongs to {}", program.owner))),
        }
        let Some(programdata) = programdata else { return Err(Error::Closed { program: address }) };
        match state(programdata) {
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
            _ => Err(Error::Closed { program: address }),
        }
    }
}

/// What the loader says of an account of its own.
pub(crate) fn state(account: &Account) -> Option<UpgradeableLoaderState> {
    if account.owner != bpf_loader_upgradeable::ID {
        return None;
    }
    // The bytes behind the header are not part of it.
    let longest = UpgradeableLoaderState::size_of_programdata_metadata().min(account.data.len());
    wincode::deserialize(account.data.get(..longest)?).ok()
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
        assert!(matches!(place(Some(&program), None), Err(Error::Closed { .. })));
        assert!(matches!(place(Some(&program), Some(&wallet)), Err(Error::Closed { .. })));
        let foreign = account(loader, header(Pubkey::new_unique()), b"");
        assert!(matches!(place(Some(&foreign), Some(&programdata)), Err(Error::NotAProgram { .. })));
        assert!(matches!(place(Some(&programdata), None), Err(Error::NotAProgram { .. })));
        let old = Account { owner: bpf_loader::ID, ..program.clone() };
        assert!(matches!(place(Some(&old), None), Err(Error::NotAProgram { .. })));
    }
}
