//! The bytes of a program.

use std::fmt;

use sha2::{Digest, Sha256};
use solana_loader_v3_interface::state::UpgradeableLoaderState;
use solana_pubkey::Pubkey;
use solana_system_interface::MAX_PERMITTED_DATA_LENGTH;

use crate::{
    error::{Error, Result},
    hash::ElfHash,
};

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

/// `bytes` without the zeros at their end.
pub(crate) fn without_zeros(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.get(..len).unwrap_or_default()
}

/// How long the file with this sha256 is, if `region` holds it and then nothing but zeros.
///
/// Where the zeros of the file end and those behind it begin cannot be seen, so every length is tried.
pub(crate) fn len_of(region: &[u8], wanted: &ElfHash) -> Option<usize> {
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
