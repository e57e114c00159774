//! How a signed transaction is kept: in a database, a file or a queue, until its outcome is known, however many versions of
//! this crate later.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the version, 1 |
//! | 1 | the lifetime: 0 block hash, 1 nonce |
//! | 48 or 96 | block hash (32), last valid block height (8), slot (8); or nonce account, authority and value (32 each) |
//! | rest | the transaction as it goes over the wire |
//!
//! Numbers are little-endian. A byte more or less than that is no transaction.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use thiserror::Error;

use super::{Lifetime, Signed};

/// The version that is written.
const VERSION: u8 = 1;

/// Why kept bytes are not a signed transaction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Another version of this crate wrote it.
    #[error("they were written in format {0}, and this client reads format {VERSION}")]
    Version(u8),
    /// They end too early, or have too much.
    #[error("they are not what this client writes: {0}")]
    Malformed(String),
    /// A signature is missing or false.
    #[error("a signature in them is missing or false")]
    Signature,
    /// The transaction has another lifetime than the one beside it.
    #[error("the transaction in them has another block hash or nonce than the one beside it")]
    Lifetime,
}

impl Signed {
    /// The bytes to keep.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        // Writing to memory does not fail.
        let _ = self.lifetime.serialize(&mut bytes);
        bytes.extend(wire(&self.transaction));
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// Where the bytes are something else, or have a false signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let malformed = |error: &dyn std::fmt::Display| DecodeError::Malformed(error.to_string());
        let (version, mut rest) = bytes.split_first().ok_or_else(|| malformed(&"there are none"))?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let lifetime = Lifetime::deserialize(&mut rest).map_err(|error| malformed(&error))?;
        let transaction = read_wire(rest).map_err(|error| malformed(&error))?;
        let sound = transaction.sanitize().is_ok() && transaction.verify_with_results().iter().all(|valid| *valid);
        if !sound || transaction.signatures.contains(&Signature::default()) {
            return Err(DecodeError::Signature);
        }
        if *transaction.message.recent_blockhash() != lifetime.hash() {
            return Err(DecodeError::Lifetime);
        }
        Ok(Self { transaction, lifetime })
    }
}

/// The transaction as it goes over the wire.
pub(super) fn wire(transaction: &VersionedTransaction) -> Vec<u8> {
    wincode::serialize(transaction).unwrap_or_default()
}

/// Reads exactly one transaction.
pub(super) fn read_wire(bytes: &[u8]) -> Result<VersionedTransaction, String> {
    let transaction: VersionedTransaction = wincode::deserialize(bytes).map_err(|error| error.to_string())?;
    match wire(&transaction) == bytes {
        true => Ok(transaction),
        false => Err("more bytes than one transaction has".to_owned()),
    }
}
