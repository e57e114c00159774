//! The little of a Solana transaction that a node's gateway can see.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::json_rpc::Call;

const SIGNATURE_BYTES: usize = 64;
const ADDRESS_BYTES: usize = 32;

/// A transaction in a call of `sendTransaction`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// The first signature, by which it is known, in base58.
    pub(crate) signature: String,
    /// The block hash by which its life ends, in base58; with a nonce, that.
    pub(crate) blockhash: String,
}

impl Transaction {
    /// The transaction that this call sends, if it is one.
    pub(crate) fn of(call: &Call) -> Option<Self> {
        if call.method() != "sendTransaction" {
            return None;
        }
        let text = call.param(0)?.as_str()?;
        let bytes = match call.option("encoding").and_then(Value::as_str) {
            Some("base64") => STANDARD.decode(text).ok()?,
            // Decoding takes time by the square of the length.
            _ if text.len() > 2048 => return None,
            _ => bs58::decode(text).into_vec().ok()?,
        };
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (signatures, rest) = compact_u16(bytes)?;
        let (signature, _) = rest.split_at_checked(SIGNATURE_BYTES)?;
        let message = rest.get(signatures.checked_mul(SIGNATURE_BYTES)?..)?;
        // The first byte of a message with a version has the highest bit set, and the header follows.
        let header = if message.first()? & 0x80 == 0 { message } else { message.get(1..)? };
        let (accounts, rest) = compact_u16(header.get(3..)?)?;
        let blockhash = rest.get(accounts.checked_mul(ADDRESS_BYTES)?..)?.get(..ADDRESS_BYTES)?;
        let base58 = |bytes: &[u8]| bs58::encode(bytes).into_string();
        Some(Self { signature: base58(signature), blockhash: base58(blockhash) })
    }
}

/// A number of one to three bytes, seven bits in each, and what follows it.
fn compact_u16(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(3).enumerate() {
        number |= usize::from(byte & 0x7f).checked_shl(u32::try_from(index).ok()?.checked_mul(7)?)?;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index.checked_add(1)?..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(version: Option<u8>) -> Vec<u8> {
        let mut bytes = vec![2];
        bytes.extend([1; 64]);
        bytes.extend([2; 64]);
        bytes.extend(version);
        bytes.extend([2, 0, 1, 3]);
        bytes.extend([3; 96]);
        bytes.extend([4; 32]);
        bytes.extend([1, 2, 0, 0]);
        bytes
    }

    #[test]
    fn it_is_known_by_its_first_signature_and_lives_by_its_block_hash() {
        let expected = Transaction {
            signature: bs58::encode([1; 64]).into_string(),
            blockhash: bs58::encode([4; 32]).into_string(),
        };
        for bytes in [bytes(None), bytes(Some(0x80))] {
            let base58 = json!({ "method": "sendTransaction", "params": [bs58::encode(&bytes).into_string()] });
            let base64 =
                json!({ "method": "sendTransaction", "params": [STANDARD.encode(&bytes), { "encoding": "base64" }] });
            assert_eq!(Transaction::of(&Call(base58)).as_ref(), Some(&expected));
            assert_eq!(Transaction::of(&Call(base64)).as_ref(), Some(&expected));
        }
    }

    #[test]
    fn what_is_cut_anywhere_is_none() {
        let whole = bytes(Some(0x80));
        let needed = whole.len() - 4;
        for length in 0..needed {
            assert_eq!(Transaction::parse(&whole[..length]), None, "{length}");
        }
        assert!(Transaction::parse(&whole[..needed]).is_some());
        assert_eq!(Transaction::parse(&[0xff; 400]), None);
    }

    #[test]
    fn a_number_has_up_to_three_bytes() {
        assert_eq!(compact_u16(&[0x7f, 9]), Some((0x7f, &[9][..])));
        assert_eq!(compact_u16(&[0x80, 0x01]), Some((0x80, &[][..])));
        assert_eq!(compact_u16(&[0xff, 0xff, 0x03]), Some((0xffff, &[][..])));
        assert_eq!(compact_u16(&[0x80]), None);
        assert_eq!(compact_u16(&[0x80; 3]), None);
    }
}
