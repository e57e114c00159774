//! What is counted and named, each with a type of its own: a slot never stands where a height belongs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not a signature, hash or address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{text}\" is not base58 of {size} bytes")]
pub struct NotBase58 {
    /// What was written.
    text: String,
    /// How many bytes it should be.
    size: usize,
}

/// Bytes that people see as base58.
macro_rules! base58 {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(pub [u8; $size]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&bs58::encode(self.0).into_string())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl FromStr for $name {
            type Err = NotBase58;

            fn from_str(text: &str) -> Result<Self, NotBase58> {
                let mut bytes = [0; $size];
                match bs58::decode(text).onto(&mut bytes) {
                    Ok($size) => Ok(Self(bytes)),
                    _ => Err(NotBase58 { text: text.to_owned(), size: $size }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotBase58;

            fn try_from(text: String) -> Result<Self, NotBase58> {
                text.parse()
            }
        }
    };
}

base58!(
    /// A transaction's first signature, its name.
    Signature,
    64
);
base58!(
    /// A block hash, a nonce's value, or a genesis hash.
    Hash,
    32
);
base58!(
    /// The address of an account.
    Address,
    32
);

impl Default for Hash {
    /// Zero, which no block has.
    fn default() -> Self {
        Self([0; 32])
    }
}

/// A count that only compares, and adds or subtracts without wrapping.
macro_rules! count {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// So much later.
            pub fn plus(self, more: u64) -> Self {
                Self(self.0.saturating_add(more))
            }

            /// How much later this is than `earlier`; 0 if it is not.
            pub fn since(self, earlier: Self) -> u64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

count!(
    /// A slot: the time in which one leader may make a block.
    Slot
);
count!(
    /// A block height: how many blocks came before. Skipped slots do not count, so it grows at most as slots do.
    Height
);
count!(
    /// Milliseconds since the Unix epoch.
    Time
);

/// How sure a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Commitment {
    /// One node has executed it. It may be on a fork that is dropped.
    Processed,
    /// Two thirds of the stake have voted for it.
    Confirmed,
    /// It can not be taken back.
    Finalized,
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Processed => "processed",
            Self::Confirmed => "confirmed",
            Self::Finalized => "finalized",
        })
    }
}

/// A block: its slot and its height, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Its slot.
    pub slot: Slot,
    /// Its height.
    pub height: Height,
}

impl Reading {
    /// How many slots were skipped up to it. On one ledger this never goes down.
    pub fn skipped(&self) -> u64 {
        self.slot.0.saturating_sub(self.height.0)
    }
}

/// One of the nodes that a sender was given, by its place among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base58_comes_back_and_of_another_length_it_is_refused() {
        let signature = Signature([7; 64]);
        assert_eq!(signature.to_string().parse(), Ok(signature));
        let hash = Hash([7; 32]).to_string();
        assert_eq!(hash.parse(), Ok(Hash([7; 32])));
        let error = hash.parse::<Signature>().unwrap_err();
        assert_eq!(error.to_string(), format!("\"{hash}\" is not base58 of 64 bytes"));
        assert!("0OIl".parse::<Hash>().is_err());
    }

    #[test]
    fn counts_do_not_wrap() {
        assert_eq!(Slot(u64::MAX).plus(1), Slot(u64::MAX));
        assert_eq!(Slot(3).since(Slot(5)), 0);
    }
}
