//! How a signed transaction is kept: in a database, a file or a queue, until its outcome is known, however many versions of
//! this crate later. As JSON, `{"version": 2, "attempt": {…}}`, where the attempt is as `docs/journal.md` describes it.

use escrow_sender::Attempt;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use thiserror::Error;

use super::{Lifetime, Signed};

/// The version that is written.
const VERSION: u64 = 2;

/// Why kept bytes are not a signed transaction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Another version of this crate wrote it.
    #[error("they were written in format {0}, and this client reads format {VERSION}")]
    Version(u64),
    /// They are something else.
    #[error("they are not what this client writes: {0}")]
    Malformed(String),
    /// A signature is missing or false.
    #[error("a signature in them is missing or false")]
    Signature,
}

impl Signed {
    /// The bytes to keep.
    pub fn encode(&self) -> Vec<u8> {
        // It is signed, with the lifetime that is beside it: there is no other way to make one.
        let attempt = self.attempt().ok().and_then(|attempt| serde_json::to_value(attempt).ok());
        json!({"version": VERSION, "attempt": attempt}).to_string().into_bytes()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// Where the bytes are something else, or have a false signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let malformed = |error: serde_json::Error| DecodeError::Malformed(error.to_string());
        let mut kept: Value = serde_json::from_slice(bytes).map_err(malformed)?;
        match kept.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) => return Err(DecodeError::Version(version)),
            None => return Err(DecodeError::Malformed("they name no version".to_owned())),
        }
        let attempt = kept.get_mut("attempt").map(Value::take).unwrap_or_default();
        Self::of(&serde_json::from_value(attempt).map_err(malformed)?)
    }

    /// The transaction that a journal holds.
    ///
    /// # Errors
    ///
    /// Where it has a false signature, or none of an account that has to sign.
    pub fn of(attempt: &Attempt) -> Result<Self, DecodeError> {
        let transaction = read_wire(attempt.bytes()).map_err(DecodeError::Malformed)?;
        let sound = transaction.sanitize().is_ok() && transaction.verify_with_results().iter().all(|valid| *valid);
        if !sound || transaction.signatures.contains(&Signature::default()) {
            return Err(DecodeError::Signature);
        }
        let authority = authority(&transaction).unwrap_or_default();
        let lifetime = Lifetime::of(attempt.lifetime(), *attempt.origin(), authority);
        Ok(Self { transaction, lifetime })
    }
}

/// Who advances the nonce: the third account of the first instruction.
fn authority(transaction: &VersionedTransaction) -> Option<Pubkey> {
    let first = transaction.message.instructions().first()?;
    let index = first.accounts.get(2)?;
    transaction.message.static_account_keys().get(usize::from(*index)).copied()
}

/// The transaction as it goes over the wire.
pub(crate) fn wire(transaction: &VersionedTransaction) -> Vec<u8> {
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
