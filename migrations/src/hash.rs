//! The sha256 of a program's bytes, by which they are named.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// The sha256 of a program's file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ElfHash([u8; 32]);

impl ElfHash {
    /// The sha256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for ElfHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ElfHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a sha256.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a sha256: that has 64 hexadecimal digits")]
pub struct ParseElfHashError(String);

impl FromStr for ElfHash {
    type Err = ParseElfHashError;

    fn from_str(text: &str) -> std::result::Result<Self, ParseElfHashError> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(ParseElfHashError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        assert_eq!(EMPTY.parse(), Ok(ElfHash::of(b"")));
        assert_eq!(EMPTY.to_uppercase().parse(), Ok(ElfHash::of(b"")));
        assert_eq!(ElfHash::of(b"").to_string(), EMPTY);
        for text in ["", "e3b0", &EMPTY[1..], &format!("{EMPTY}0"), &EMPTY.replace('e', "g"), &format!(" {EMPTY}")] {
            assert!(text.parse::<ElfHash>().is_err(), "{text}");
        }
    }
}
