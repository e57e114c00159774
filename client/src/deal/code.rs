//! A delivery code: a secret that the buyer gives away on delivery, and whoever has it can release the money with. Whoever
//! gives it away has accepted: inspect first.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// 32 random bytes, made by the buyer's client. Never shorter, because their hash is public and short ones are guessed at
/// once; never used for a second deal, because a claim makes them public.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryCode([u8; 32]);

/// Why a text is not a delivery code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a delivery code has 64 hexadecimal digits, and this has {digits}{}", if *other > 0 { " beside other characters" } else { "" })]
pub struct CodeError {
    /// How many hexadecimal digits there are.
    pub digits: usize,
    /// How many characters that are neither digits nor separators.
    pub other: usize,
}

impl DeliveryCode {
    /// A new one, from the system's random numbers.
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// Its hash, as the terms have it.
    pub fn hashlock(&self) -> [u8; 32] {
        anchor_lang::sha256(&self.0)
    }

    /// The secret itself, to claim with.
    pub const fn secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for DeliveryCode {
    fn from(secret: [u8; 32]) -> Self {
        Self(secret)
    }
}

/// Whole, in groups that can be read aloud: `0f1e-2d3c-…`.
impl fmt::Display for DeliveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.0.chunks(2).map(hex::encode).collect();
        f.write_str(&groups.join("-"))
    }
}

/// Never in a log.
impl fmt::Debug for DeliveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeliveryCode(…)")
    }
}

/// With or without separators, in capitals or not.
impl FromStr for DeliveryCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let is_other = |letter: &char| !letter.is_ascii_hexdigit() && !letter.is_whitespace() && *letter != '-';
        let other = text.chars().filter(is_other).count();
        let mut secret = [0; 32];
        match hex::decode_to_slice(&digits, &mut secret) {
            Ok(()) if other == 0 => Ok(Self(secret)),
            _ => Err(CodeError { digits: digits.len(), other }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_however_it_was_copied() {
        let code = DeliveryCode::generate();
        let text = code.to_string();
        assert_eq!(text.len(), 64 + 15);
        for copied in
            [text.clone(), text.to_uppercase(), text.replace('-', ""), format!(" {}\n", text.replace('-', " "))]
        {
            assert_eq!(copied.parse(), Ok(code.clone()), "{copied}");
        }
        assert_ne!(code, DeliveryCode::generate());
    }

    #[test]
    fn a_part_of_a_code_is_none_and_no_log_has_it() {
        let code = DeliveryCode::from([0xab; 32]);
        let text = code.to_string();
        assert_eq!(text[1..].parse::<DeliveryCode>(), Err(CodeError { digits: 63, other: 0 }));
        assert_eq!(format!("{text}g").parse::<DeliveryCode>(), Err(CodeError { digits: 64, other: 1 }));
        assert!(!format!("{code:?}").contains("ab"));
    }
}
