//! What requests are written in: each value is checked when it is read, and says what to write instead.

pub mod action;
pub mod terms;

use std::{borrow::Cow, fmt, str::FromStr};

use escrow_client::words::parse;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use solana_pubkey::Pubkey;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

/// A value that is written as text of a pattern.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:literal, $pattern:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some($pattern));
                text.description(Some($schema)).examples([serde_json::json!($example)]).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

text!(
    /// An account's address.
    Address(Pubkey),
    "An account's address: 32 bytes in base 58.",
    "^[1-9A-HJ-NP-Za-km-z]{32,44}$",
    "So11111111111111111111111111111111111111112"
);
text!(
    /// An amount in an asset's smallest unit.
    Units(u64),
    "An amount in the asset's smallest unit, in decimal digits: numbers in JSON end at 2^53 for some.",
    "^(0|[1-9][0-9]{0,19})$",
    "1500000000"
);
text!(
    /// 32 bytes.
    Hash([u8; 32]),
    "32 bytes in hexadecimal.",
    "^[0-9a-fA-F]{64}$",
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
);
text!(
    /// 16 bytes.
    Salt([u8; 16]),
    "16 bytes in hexadecimal: what makes terms differ from the same ones agreed on again.",
    "^[0-9a-fA-F]{32}$",
    "00112233445566778899aabbccddeeff"
);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse::address(text).map(Self)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Units {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let leading = text.len() > 1 && text.starts_with('0');
        if !digits || leading {
            return Err(
                "write base units in decimal digits, as in \"1500000000\": no sign, point or leading zero".to_owned()
            );
        }
        text.parse().map(Self).map_err(|_| format!("at most {} base units", u64::MAX))
    }
}

/// Bytes in hexadecimal.
macro_rules! hexadecimal {
    ($name:ident, $size:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let mut bytes = [0; $size];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| format!("write {} bytes in hexadecimal: {} digits", $size, 2 * $size))?;
                Ok(Self(bytes))
            }
        }
    };
}

hexadecimal!(Hash, 32);
hexadecimal!(Salt, 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_digits_and_nothing_else() {
        for good in ["0", "1", "18446744073709551615"] {
            assert_eq!(good.parse::<Units>().unwrap().to_string(), good);
        }
        for bad in ["", "-1", "+1", "01", "1.0", "1e3", "18446744073709551616", " 1", "１"] {
            bad.parse::<Units>().unwrap_err();
        }
        serde_json::from_str::<Units>("1").unwrap_err();
    }

    #[test]
    fn bytes_have_their_length() {
        assert!("00".repeat(32).parse::<Hash>().is_ok() && "00".repeat(16).parse::<Salt>().is_ok());
        for bad in ["", "00", "zz", &"0".repeat(63), &"00".repeat(33)] {
            bad.parse::<Hash>().unwrap_err();
        }
    }
}
