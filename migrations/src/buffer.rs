//! The buffer: where it is, what is in it, and what is not in it yet.

use escrow_client::program::{ElfHash, loader_state};
use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_loader_v3_interface::state::UpgradeableLoaderState;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader_upgradeable, system_program};

use crate::error::{Error, Result};

/// What the seed of a buffer's address is made from first. Another version finds other buffers.
const SEED_DOMAIN: &[u8] = b"escrow-migrate:buffer:v1";

/// The address of the buffer for the bytes with this sha256, which `authority` writes to deploy or upgrade `program`.
///
/// It is derived from the authority's address and a seed (`create_with_seed`, owned by the loader), the seed being 32
/// hexadecimal digits of `sha256("escrow-migrate:buffer:v1" ‖ program ‖ sha256)`. Only a signature of the authority
/// creates an account there, so nobody can put another one in its place; lamports that somebody sends there in advance
/// are no obstacle, and come back with the rent.
///
/// # Errors
///
/// None in practice: [`Error::Build`] for an address that the system program would not derive.
pub fn address(authority: &Pubkey, program: &Pubkey, hash: &ElfHash) -> Result<Pubkey> {
    Pubkey::create_with_seed(authority, &seed(program, hash), &bpf_loader_upgradeable::ID)
        .map_err(|error| Error::Build(error.to_string()))
}

/// What the address is derived from, beside the authority's.
pub(crate) fn seed(program: &Pubkey, hash: &ElfHash) -> String {
    let digest = Sha256::new_with_prefix(SEED_DOMAIN).chain_update(program).chain_update(hash.to_bytes()).finalize();
    // A seed has at most 32 bytes.
    hex::encode(&digest[..16])
}

/// What is at the address of the buffer.
pub(crate) enum Buffer {
    /// Nothing, or lamports that somebody sent in advance.
    Vacant { lamports: u64 },
    /// A buffer of the right length that is ours to write.
    Usable { bytes: Vec<u8>, lamports: u64 },
}

impl Buffer {
    /// From the account at `address`: a buffer is usable if it is `authority`'s and has room for `len` bytes.
    pub(crate) fn read(address: Pubkey, authority: Pubkey, len: usize, account: Option<Account>) -> Result<Self> {
        let bad = |reason: String| Error::BadBuffer { address, reason };
        let Some(account) = account else { return Ok(Self::Vacant { lamports: 0 }) };
        if account.owner == system_program::ID && account.data.is_empty() {
            return Ok(Self::Vacant { lamports: account.lamports });
        }
        let owner = owner(&account).map_err(bad)?;
        if owner != authority {
            return Err(bad(format!("its authority is {owner}, not {authority}")));
        }
        let bytes = account.data.get(UpgradeableLoaderState::size_of_buffer_metadata()..).unwrap_or_default();
        if bytes.len() != len {
            let is = bytes.len();
            return Err(bad(format!("it has room for {is} bytes, not for {len}; close it with `close-buffer`")));
        }
        Ok(Self::Usable { bytes: bytes.to_vec(), lamports: account.lamports })
    }

    pub(crate) fn lamports(&self) -> u64 {
        match self {
            Self::Vacant { lamports } | Self::Usable { lamports, .. } => *lamports,
        }
    }

    /// The pieces of `elf` that are not there, with their offsets. A new buffer is full of zeros.
    pub(crate) fn missing<'a>(&self, elf: &'a [u8], piece: usize) -> Vec<(usize, &'a [u8])> {
        let pieces = elf.chunks(piece.max(1)).enumerate().map(|(index, wanted)| (index * piece, wanted));
        pieces
            .filter(|(offset, wanted)| match self {
                Self::Usable { bytes, .. } => bytes.get(*offset..offset + wanted.len()) != Some(*wanted),
                Self::Vacant { .. } => wanted.iter().any(|byte| *byte != 0),
            })
            .collect()
    }
}

/// The authority of a buffer, or why it is none that can be used.
pub(crate) fn owner(account: &Account) -> std::result::Result<Pubkey, String> {
    match loader_state(account) {
        Some(UpgradeableLoaderState::Buffer { authority_address: Some(authority) }) => Ok(authority),
        Some(UpgradeableLoaderState::Buffer { authority_address: None }) => {
            Err("it has no authority, so nobody can write to it or close it".to_owned())
        }
        Some(_) => Err("it is an account of the loader, but not a buffer".to_owned()),
        None => Err(format!("it belongs to {}", account.owner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_depends_on_who_what_and_where() {
        let [a, b, program] = std::array::from_fn(|_| Pubkey::new_unique());
        let (one, two) = (ElfHash::of(b"one"), ElfHash::of(b"two"));
        let first = address(&a, &program, &one).unwrap();
        assert_eq!(address(&a, &program, &one).unwrap(), first);
        for other in [address(&b, &program, &one), address(&a, &b, &one), address(&a, &program, &two)] {
            assert_ne!(other.unwrap(), first);
        }
    }

    #[test]
    fn only_what_differs_is_missing() {
        let elf = b"aaaabbbb\0\0\0\0cc";
        let new = Buffer::Vacant { lamports: 0 };
        assert_eq!(new.missing(elf, 4), [(0, &b"aaaa"[..]), (4, b"bbbb"), (12, b"cc")]);
        let usable = |bytes: &[u8]| Buffer::Usable { bytes: bytes.to_vec(), lamports: 0 };
        assert!(usable(elf).missing(elf, 4).is_empty());
        assert_eq!(usable(b"aaaabxbb\0\0\0\0cc").missing(elf, 4), [(4, &b"bbbb"[..])]);
        assert_eq!(usable(b"aaaabbbb\0x\0\0cx").missing(elf, 4), [(8, &b"\0\0\0\0"[..]), (12, b"cc")]);
        // Written with pieces of another length, by an attempt that paid for priority: still found.
        assert_eq!(usable(b"aaaa\0\0\0\0\0\0\0\0\0\0").missing(elf, 8), [(0, &b"aaaabbbb"[..]), (8, b"\0\0\0\0cc")]);
    }
}
