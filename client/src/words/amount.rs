//! Amounts with their unit. The program counts in an asset's smallest unit; how many digits stand behind the point only the
//! token's mint knows, and the mint is an account that its issuer controls: it may be gone, or say what cannot be. Then
//! base units are shown, with the reason, and nothing else changes.

use std::fmt::{self, Display, Formatter};

use crate::{
    amount::{AmountError, SOL_DECIMALS, format_amount, parse_amount},
    terms::Asset,
};

/// The most digits behind the point with which one whole token still fits an amount.
pub const MAX_DECIMALS: u8 = 19;

/// Digits behind the decimal point of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decimals {
    /// As many as this.
    Known(u8),
    /// Nobody can tell, for this reason.
    Unknown(String),
}

/// How amounts of an asset are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denomination {
    /// What is counted.
    pub asset: Asset,
    /// With how many decimals.
    pub decimals: Decimals,
}

impl Denomination {
    /// SOL.
    pub const SOL: Self = Self { asset: Asset::Sol, decimals: Decimals::Known(SOL_DECIMALS) };

    /// A token whose mint says that it has this many decimals.
    pub fn token(asset: Asset, decimals: u8) -> Self {
        let decimals = match decimals {
            0..=MAX_DECIMALS => Decimals::Known(decimals),
            _ => Decimals::Unknown(format!("its mint says {decimals} decimals, which no amount has")),
        };
        Self { asset, decimals }
    }

    /// A token of which nobody can tell the decimals.
    pub fn unknown(asset: Asset, reason: impl Into<String>) -> Self {
        Self { asset, decimals: Decimals::Unknown(reason.into()) }
    }

    /// The number of decimals, if it is known.
    pub const fn known_decimals(&self) -> Option<u8> {
        match self.decimals {
            Decimals::Known(decimals) => Some(decimals),
            Decimals::Unknown(_) => None,
        }
    }

    /// Why the decimals are unknown; none where they are known.
    pub fn unknown_because(&self) -> Option<String> {
        match &self.decimals {
            Decimals::Known(_) => None,
            Decimals::Unknown(reason) => Some(reason.clone()),
        }
    }

    /// Reads an amount as people write it.
    ///
    /// # Errors
    ///
    /// Where it is not an amount, has too many digits, or nobody knows what a digit is worth.
    pub fn parse(&self, text: &str) -> Result<u64, AmountError> {
        match &self.decimals {
            Decimals::Known(decimals) => parse_amount(text, *decimals),
            Decimals::Unknown(reason) => {
                Err(AmountError::DecimalsUnknown { text: text.to_owned(), reason: reason.clone() })
            }
        }
    }

    /// `units` of this asset's smallest unit.
    pub fn amount(&self, units: u64) -> Amount {
        let unit = match (&self.asset, &self.decimals) {
            (Asset::Sol, _) => Unit::Sol,
            (Asset::Token { .. }, Decimals::Known(_)) => Unit::Tokens,
            (Asset::Token { .. }, Decimals::Unknown(_)) => Unit::BaseUnits,
        };
        Amount { units, decimals: self.known_decimals(), unit }
    }
}

/// An amount: exactly, and as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// In the asset's smallest unit.
    pub units: u64,
    /// Digits behind the decimal point, if they are known.
    pub decimals: Option<u8>,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Sol,
    Tokens,
    BaseUnits,
}

impl Amount {
    /// The digits alone, as they are typed: `1.5`.
    pub fn digits(&self) -> String {
        format_amount(self.units, self.decimals.unwrap_or(0))
    }
}

/// `1.5 SOL`, `250 tokens` or, where the decimals are unknown, `2500 base units`. Which token: whoever shows an escrow shows
/// its mint, whole, because the ends of two addresses are easily made alike.
impl Display for Amount {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        let unit = match self.unit {
            Unit::Sol => "SOL",
            Unit::Tokens if digits == "1" => "token",
            Unit::Tokens => "tokens",
            Unit::BaseUnits if digits == "1" => "base unit",
            Unit::BaseUnits => "base units",
        };
        write!(f, "{digits} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use solana_pubkey::Pubkey;

    use super::*;

    const TOKEN: Asset =
        Asset::Token { mint: Pubkey::new_from_array([1; 32]), program: Pubkey::new_from_array([2; 32]) };

    #[test]
    fn amounts_have_their_unit() {
        assert_eq!(Denomination::SOL.amount(1_500_000_000).to_string(), "1.5 SOL");
        let token = Denomination::token(TOKEN, 6);
        assert_eq!(token.amount(1_500_000).to_string(), "1.5 tokens");
        assert_eq!(token.amount(1_000_000).to_string(), "1 token");
        assert_eq!(token.parse("1.5"), Ok(1_500_000));
    }

    #[test]
    fn unknown_decimals_are_base_units() {
        let gone = Denomination::unknown(TOKEN, "its mint is gone");
        assert_eq!(gone.amount(1_500_000).to_string(), "1500000 base units");
        assert_eq!(gone.amount(1).to_string(), "1 base unit");
        let error = AmountError::DecimalsUnknown { text: "1".to_owned(), reason: "its mint is gone".to_owned() };
        assert_eq!(gone.parse("1"), Err(error));
    }

    #[test]
    fn a_mint_that_says_what_cannot_be_is_not_believed() {
        assert_eq!(Denomination::token(TOKEN, 19).known_decimals(), Some(19));
        for decimals in [20, 255] {
            let hostile = Denomination::token(TOKEN, decimals);
            assert_eq!(hostile.known_decimals(), None);
            assert_eq!(hostile.amount(u64::MAX).to_string(), "18446744073709551615 base units");
        }
    }
}
