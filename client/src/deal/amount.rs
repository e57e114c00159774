//! Amounts as people write them. The program counts in an asset's smallest unit: lamports, or a token's base unit.

use thiserror::Error;

/// Digits after the decimal point of SOL.
pub const SOL_DECIMALS: u8 = 9;

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AmountError {
    /// Not digits with at most one decimal point.
    #[error("\"{0}\" is not an amount: write digits with at most one decimal point, as in 1.5")]
    NotANumber(String),
    /// More digits after the point than the asset has.
    #[error("{text} has {given} digits after the decimal point, but this asset has {decimals}")]
    TooPrecise {
        /// What was written.
        text: String,
        /// How many digits that has.
        given: usize,
        /// How many the asset has.
        decimals: u8,
    },
    /// More than 2^64 − 1 units.
    #[error("{0} is more than an escrow can hold (18446744073709551615 of the asset's smallest unit)")]
    TooLarge(String),
    /// Nobody knows what a digit is worth.
    #[error("how much \"{text}\" is cannot be told, because the token's decimals are unknown: {reason}")]
    DecimalsUnknown {
        /// What was written.
        text: String,
        /// Why.
        reason: String,
    },
}

/// Reads `"1.5"` as units of an asset with this many decimals. Exact: nothing is ever rounded.
///
/// # Errors
///
/// Where it is not digits with at most one point, has more of them than the asset, or does not fit.
pub fn parse_amount(text: &str, decimals: u8) -> Result<u64, AmountError> {
    let not_a_number = || AmountError::NotANumber(text.to_owned());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(not_a_number());
    }
    let fraction = fraction.trim_end_matches('0');
    let Some(missing) = usize::from(decimals).checked_sub(fraction.len()) else {
        let given = fraction.len();
        return Err(AmountError::TooPrecise { text: text.to_owned(), given, decimals });
    };
    let zeros = std::iter::repeat_n(b'0', missing);
    whole
        .bytes()
        .chain(fraction.bytes())
        .chain(zeros)
        .try_fold(0u64, |units, digit| units.checked_mul(10)?.checked_add(u64::from(digit.checked_sub(b'0')?)))
        .ok_or_else(|| AmountError::TooLarge(text.to_owned()))
}

/// Writes units of an asset with this many decimals as `"1.5"`, without trailing zeros.
pub fn format_amount(units: u64, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = format!("{units:0>width$}", width = decimals.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, decimals, units) in [
            ("1.5", 6, 1_500_000),
            ("1", 6, 1_000_000),
            (".5", 1, 5),
            ("1.", 1, 10),
            ("0", 9, 0),
            ("0.000000001", 9, 1),
            ("1.50000000000", 6, 1_500_000),
            ("18446744073709551615", 0, u64::MAX),
            ("18446744073.709551615", 9, u64::MAX),
            ("007", 0, 7),
        ] {
            assert_eq!(parse_amount(text, decimals), Ok(units), "{text} with {decimals} decimals");
        }
    }

    #[test]
    fn refuses_what_is_not_an_amount() {
        for text in ["", ".", "-1", "+1", "1e3", "1,5", "1.2.3", " 1", "1 SOL", "٣"] {
            assert_eq!(parse_amount(text, 6), Err(AmountError::NotANumber(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn never_rounds() {
        let error = AmountError::TooPrecise { text: "0.0000001".to_owned(), given: 7, decimals: 6 };
        assert_eq!(parse_amount("0.0000001", 6), Err(error));
    }

    #[test]
    fn refuses_what_does_not_fit() {
        for (text, decimals) in [("18446744073709551616", 0), ("18446744073.709551616", 9), ("1", 20), ("1", 255)] {
            assert_eq!(parse_amount(text, decimals), Err(AmountError::TooLarge(text.to_owned())), "{text}");
        }
        assert_eq!(parse_amount("0", 255), Ok(0));
    }

    #[test]
    fn writes_back_what_it_read() {
        for decimals in [0, 1, 6, 9, 18, 19, 20, 255] {
            for units in [0, 1, 9, 10, 11, 999_999, 1_000_000, 1_500_000, u64::MAX - 1, u64::MAX] {
                let text = format_amount(units, decimals);
                assert_eq!(parse_amount(&text, decimals), Ok(units), "{text} with {decimals} decimals");
            }
        }
        assert_eq!(format_amount(1_500_000, 6), "1.5");
        assert_eq!(format_amount(1, 9), "0.000000001");
        assert_eq!(format_amount(10, 0), "10");
    }
}
