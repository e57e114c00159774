//! A signed transaction.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Lifetime, Origin, wire::Wire};
use crate::{Hash, Rules, Signature};

/// Why bytes that a signer returned are not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttemptError {
    /// Not a transaction that this crate can read.
    #[error("the signer returned {0} bytes that are not a legacy or version 0 transaction: nothing was sent")]
    NotATransaction(usize),
    /// They are not base64.
    #[error("the signed bytes are not base64")]
    NotBase64,
    /// The signer has put another block hash or nonce in: when the transaction dies is not known.
    #[error(
        "the signer returned a transaction with the block hash {found} instead of {expected}: until when it could be \
         executed is not known, so it is not sent; sign again with a wallet that leaves the block hash alone"
    )]
    OtherLifetime {
        /// What it was given.
        expected: Hash,
        /// What it returned.
        found: Hash,
    },
}

/// A signed transaction. Sending it any number of times executes it at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Plain", try_from = "Plain")]
pub struct Attempt {
    signature: Signature,
    bytes: std::sync::Arc<[u8]>,
    lifetime: Lifetime,
    origin: Origin,
    shows: bool,
}

impl Attempt {
    /// What a signer returned for a message with this lifetime.
    ///
    /// `shows` says whether an account that the transaction changes tells afterwards if it was executed: then it is read
    /// before "expired" is said.
    pub fn new(bytes: &[u8], lifetime: Lifetime, origin: Origin, shows: bool) -> Result<Self, AttemptError> {
        Self::new_under(Rules::ALL, bytes, lifetime, origin, shows)
    }

    /// The same under these rules.
    pub fn new_under(
        rules: Rules,
        bytes: &[u8],
        lifetime: Lifetime,
        origin: Origin,
        shows: bool,
    ) -> Result<Self, AttemptError> {
        let wire = Wire::read(bytes).ok_or(AttemptError::NotATransaction(bytes.len()))?;
        let (expected, found) = (lifetime.hash(), wire.hash);
        if !rules.is_signed_lifetime(expected, found) {
            return Err(AttemptError::OtherLifetime { expected, found });
        }
        Ok(Self { signature: wire.signature, bytes: bytes.into(), lifetime, origin, shows })
    }

    /// By which the transaction is known.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// What is sent.
    pub fn bytes(&self) -> &std::sync::Arc<[u8]> {
        &self.bytes
    }

    /// How long it may be executed.
    pub fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// Where the ledger stood when it was signed.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether an account tells afterwards if it was executed.
    pub fn shows(&self) -> bool {
        self.shows
    }
}

/// As it is written down. The signature is in the bytes; it stands beside them for people who search for it.
#[derive(Serialize, Deserialize)]
struct Plain {
    signature: Signature,
    bytes: String,
    lifetime: Lifetime,
    origin: Origin,
    shows: bool,
}

impl From<Attempt> for Plain {
    fn from(attempt: Attempt) -> Self {
        let Attempt { signature, bytes, lifetime, origin, shows } = attempt;
        Self { signature, bytes: STANDARD.encode(bytes), lifetime, origin, shows }
    }
}

impl TryFrom<Plain> for Attempt {
    type Error = AttemptError;

    fn try_from(plain: Plain) -> Result<Self, AttemptError> {
        let Plain { bytes, lifetime, origin, shows, .. } = plain;
        let bytes = STANDARD.decode(bytes).map_err(|_| AttemptError::NotBase64)?;
        Self::new(&bytes, lifetime, origin, shows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Height, Slot, testing};

    #[test]
    fn another_block_hash_than_the_signer_was_given_is_refused_by_name() {
        let lifetime = Lifetime::BlockHash { hash: Hash([1; 32]), last_valid: Height(250) };
        let origin = Origin { genesis: Hash([0; 32]), slot: Slot(0), height: Height(0), skipped: 100 };
        let signed = Attempt::new(&testing::bytes([7; 64], Hash([1; 32])), lifetime, origin, true).unwrap();
        assert_eq!(signed.signature(), Signature([7; 64]));
        let error = Attempt::new(&testing::bytes([7; 64], Hash([2; 32])), lifetime, origin, true).unwrap_err();
        assert_eq!(error, AttemptError::OtherLifetime { expected: Hash([1; 32]), found: Hash([2; 32]) });
        assert_eq!(Attempt::new(&[1, 2], lifetime, origin, true), Err(AttemptError::NotATransaction(2)));
    }

    #[test]
    fn what_is_written_down_is_read_back_and_checked_again() {
        let attempt = testing::attempt(1);
        let json = serde_json::to_string(&attempt).unwrap();
        assert_eq!(serde_json::from_str::<Attempt>(&json).unwrap(), attempt);
        let other = json.replace(&attempt.lifetime().hash().to_string(), &Hash([9; 32]).to_string());
        assert!(serde_json::from_str::<Attempt>(&other).unwrap_err().to_string().contains("instead of"));
    }
}
