//! What a sender must know of a transaction's bytes: its name, and the hash that limits its life.

use crate::{Hash, Signature};

/// The first signature of a transaction, and the block hash or nonce in its message.
pub(super) struct Wire {
    pub(super) signature: Signature,
    pub(super) hash: Hash,
}

impl Wire {
    /// Reads a legacy or version 0 transaction. None if the bytes are not one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let signatures = compact(&mut rest).filter(|count| *count > 0)?;
        let signature = Signature(*rest.first_chunk()?);
        skip(&mut rest, signatures.checked_mul(64)?)?;
        match rest.first()? {
            0x80 => skip(&mut rest, 1)?,
            version if *version > 0x80 => return None,
            _ => {}
        }
        skip(&mut rest, 3)?;
        let accounts = compact(&mut rest)?;
        skip(&mut rest, accounts.checked_mul(32)?)?;
        Some(Self { signature, hash: Hash(*rest.first_chunk()?) })
    }
}

fn skip(rest: &mut &[u8], count: usize) -> Option<()> {
    *rest = rest.get(count..)?;
    Some(())
}

/// A length: seven bits to the byte, the lowest first, in at most three bytes.
fn compact(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0usize;
    for shift in [0, 7, 14] {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(version: &[u8], signatures: u8, accounts: &[u8]) -> Vec<u8> {
        let count = accounts.iter().rev().fold(0, |count, byte| count << 7 | usize::from(byte & 0x7f));
        let mut bytes = vec![signatures];
        (0..signatures).for_each(|n| bytes.extend([n + 1; 64]));
        bytes.extend(version);
        bytes.extend([1, 0, 1]);
        bytes.extend(accounts);
        bytes.extend(vec![5; 32 * count]);
        bytes.extend([9; 32]);
        bytes.push(0);
        bytes
    }

    #[test]
    fn the_first_signature_and_the_hash_of_both_versions_are_found() {
        for (version, signatures, accounts) in
            [(&[][..], 1, &[3][..]), (&[0x80], 2, &[2]), (&[0x80], 1, &[0x80 | 72, 1])]
        {
            let wire = Wire::read(&transaction(version, signatures, accounts)).unwrap();
            assert_eq!(wire.signature, Signature([1; 64]));
            assert_eq!(wire.hash, Hash([9; 32]));
        }
    }

    #[test]
    fn what_is_cut_or_of_a_later_version_is_none() {
        let whole = transaction(&[0x80], 1, &[3]);
        for end in 0..whole.len() - 1 {
            assert!(Wire::read(&whole[..end]).is_none(), "{end}");
        }
        assert!(Wire::read(&transaction(&[0x81], 1, &[3])).is_none());
        assert!(Wire::read(&[0xff, 0xff, 0xff, 0xff]).is_none());
        assert!(Wire::read(&[0; 200]).is_none(), "without a signature");
    }
}
