//! The bytes of a program.

use std::fmt;

use escrow_client::program::ElfHash;
use solana_loader_v3_interface::state::UpgradeableLoaderState;
use solana_pubkey::Pubkey;
use solana_system_interface::MAX_PERMITTED_DATA_LENGTH;

use crate::error::{Error, Result};

/// The longest program that can be deployed: what an account can hold, without the loader's header. Bytes.
pub const MAX_LEN: usize = MAX_PERMITTED_DATA_LENGTH as usize - UpgradeableLoaderState::size_of_programdata_metadata();

/// The bytes of a program, as they stand in its file: the ones that were named, and no others.
#[derive(Clone, PartialEq, Eq)]
pub struct Elf {
    bytes: Vec<u8>,
    hash: ElfHash,
}

impl fmt::Debug for Elf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elf").field("len", &self.bytes.len()).field("hash", &self.hash).finish()
    }
}

impl AsRef<[u8]> for Elf {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Elf {
    /// The program in `bytes`, whose sha256 must be `named`.
    ///
    /// # Errors
    ///
    /// [`Error::WrongHash`], [`Error::NotAnElf`], [`Error::TooLarge`]. Whether the program is valid, only the loader
    /// says, when it is deployed.
    pub fn new(bytes: Vec<u8>, named: &ElfHash) -> Result<Self> {
        let hash = ElfHash::of(&bytes);
        if hash != *named {
            return Err(Error::WrongHash { is: hash, named: *named });
        }
        if !bytes.starts_with(b"\x7fELF") {
            return Err(Error::NotAnElf { reason: "they do not begin as an ELF file does" });
        }
        if bytes.len() > MAX_LEN {
            return Err(Error::TooLarge { len: bytes.len(), max: MAX_LEN });
        }
        Ok(Self { bytes, hash })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their sha256.
    pub fn hash(&self) -> &ElfHash {
        &self.hash
    }

    /// Whether the program may know `address`: it is in the bytes as a whole, or all of its 32-bit words are, as
    /// operands of instructions.
    pub fn contains_address(&self, address: &Pubkey) -> bool {
        let has = |wanted: &[u8]| self.bytes.windows(wanted.len()).any(|bytes| bytes == wanted);
        has(address.as_ref()) || address.as_ref().chunks(4).all(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_were_not_named_are_no_program() {
        let bytes = b"\x7fELF and more".to_vec();
        let hash = ElfHash::of(&bytes);
        assert_eq!(Elf::new(bytes.clone(), &hash).unwrap().bytes(), bytes);
        assert!(matches!(Elf::new(b"\x7fELF".to_vec(), &hash), Err(Error::WrongHash { .. })));
        let text = b"#!/bin/sh".to_vec();
        let hash = ElfHash::of(&text);
        assert!(matches!(Elf::new(text, &hash), Err(Error::NotAnElf { .. })));
        let mut large = b"\x7fELF".to_vec();
        large.resize(MAX_LEN + 1, 1);
        let hash = ElfHash::of(&large);
        assert!(matches!(Elf::new(large, &hash), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn an_address_is_found_as_a_whole_or_in_words() {
        let address = Pubkey::new_from_array(std::array::from_fn(|index| index as u8 + 1));
        let elf = |bytes: &[u8]| {
            let bytes = [b"\x7fELF", bytes].concat();
            let hash = ElfHash::of(&bytes);
            Elf::new(bytes, &hash).unwrap()
        };
        assert!(elf(address.as_ref()).contains_address(&address));
        let words: Vec<u8> = address.as_ref().chunks(4).rev().flat_map(|word| [word, b"...."].concat()).collect();
        assert!(elf(&words).contains_address(&address));
        assert!(!elf(&words[8..]).contains_address(&address));
    }
}
