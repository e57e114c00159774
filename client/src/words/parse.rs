//! What people write, read: moments, windows, shares, addresses, hashes. Each error says what to write instead.

use std::fmt::{self, Display, Formatter};

use escrow::state::RISKS;
use solana_pubkey::Pubkey;

use super::time::duration;
use crate::amount::{format_amount, parse_amount};

/// What is read, or what to write instead.
type Read<T> = Result<T, String>;

/// A moment: from now, as in `7d` or `2h 30m`, or in RFC 3339, as in `2026-12-24T18:00:00+01:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Seconds from the chain's present time.
    FromNow(i64),
    /// Unix seconds.
    At(i64),
}

impl Moment {
    /// Unix seconds, at the chain's present time `now`.
    pub fn at(self, now: i64) -> i64 {
        match self {
            Self::FromNow(seconds) => now.saturating_add(seconds),
            Self::At(time) => time,
        }
    }
}

/// Reads a [`Moment`].
///
/// # Errors
///
/// What to write instead.
pub fn moment(text: &str) -> Read<Moment> {
    if let Ok(duration) = humantime::parse_duration(text) {
        let seconds = i64::try_from(duration.as_secs()).map_err(|_| "too far ahead".to_owned())?;
        return Ok(Moment::FromNow(seconds));
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Moment::At(time.as_second()));
    }
    not_negative(text)?;
    if text.parse::<jiff::civil::Date>().is_ok() && !text.contains(':') {
        return Err("the time and its zone are missing: write 2026-12-24T18:00:00Z, or +01:00 in place of Z".to_owned());
    }
    if text.parse::<jiff::civil::DateTime>().is_ok() {
        return Err("the time zone is missing: add Z for UTC, or as in +01:00".to_owned());
    }
    Err("write a duration from now, as in 7d or 12h, or a time, as in 2026-12-24T18:00:00Z".to_owned())
}

/// Refuses a duration with a minus before it.
fn not_negative(text: &str) -> Read<()> {
    match text.strip_prefix(['-', '−']) {
        Some(rest) if humantime::parse_duration(rest).is_ok() => {
            Err("a duration cannot be negative: write one that lies ahead, as in 7d or 12h".to_owned())
        }
        _ => Ok(()),
    }
}

/// A window, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(
    /// Its seconds.
    pub u32,
);

/// As it is read.
impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&duration(u64::from(self.0)))
    }
}

/// Reads a window, as in `3d`.
///
/// # Errors
///
/// What to write instead.
pub fn window(text: &str) -> Read<Window> {
    not_negative(text)?;
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}: write a duration, as in 3d or 12h"))?;
    u32::try_from(duration.as_secs()).map(Window).map_err(|_| "too long".to_owned())
}

/// Reads an address.
///
/// # Errors
///
/// What to write instead.
pub fn address(text: &str) -> Read<Pubkey> {
    text.parse().map_err(|_| {
        let length = text.chars().count();
        let wrong = text.chars().find(|letter| !letter.is_ascii_alphanumeric() || "0OIl".contains(*letter));
        match wrong {
            Some(' ') => "an address has no spaces: remove them".to_owned(),
            Some(letter) => format!("{letter:?} never appears in an address. Copy the whole address again"),
            None if !(32..=44).contains(&length) => format!("an address has 32 to 44 characters, this has {length}"),
            None => "this is not a valid address: a character is missing or wrong".to_owned(),
        }
    })
}

/// A share, in basis points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(
    /// Its basis points.
    pub u16,
);

/// As it is read.
impl Display for Percent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&format_amount(u64::from(self.0), 2))
    }
}

/// Reads percent, as in `2.5` or `2.5%`.
///
/// # Errors
///
/// What to write instead.
pub fn percent(text: &str) -> Read<Percent> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    let bps =
        parse_amount(digits, 2).map_err(|_| "write percent with at most two decimals, as in 2.5 or 2.5%".to_owned())?;
    let bps = u16::try_from(bps).ok().filter(|bps| *bps <= 10_000);
    bps.map(Percent).ok_or_else(|| "at most 100 %".to_owned())
}

/// Reads 32 bytes in hexadecimal.
///
/// # Errors
///
/// What to write instead.
pub fn hash(text: &str) -> Read<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| "write 64 hexadecimal digits".to_owned())?;
    Ok(bytes)
}

/// Reads the name of an issuer's power, as its bit in the terms.
///
/// # Errors
///
/// What to write instead.
pub fn risk(text: &str) -> Read<u16> {
    let names: Vec<_> = RISKS.iter().map(|(_, name)| *name).collect();
    let found = RISKS.iter().find(|(_, name)| *name == text);
    found.map(|(bit, _)| *bit).ok_or_else(|| format!("one of: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_durations_or_times() {
        assert_eq!(moment("7d"), Ok(Moment::FromNow(7 * 24 * 60 * 60)));
        assert_eq!(moment("2h 30m"), Ok(Moment::FromNow(9_000)));
        assert_eq!(moment("1970-01-01T01:00:00+01:00"), Ok(Moment::At(0)));
        assert_eq!(moment("2026-12-24T18:00:00Z"), Ok(Moment::At(1_798_135_200)));
        for text in ["", "7", "tomorrow", "-7d", "2026-12-24", "2026-12-24T18:00:00"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_not_one_says_what_is_missing() {
        for (text, reason) in [
            ("-7d", "cannot be negative"),
            ("−7d", "cannot be negative"),
            ("2026-12-24", "the time and its zone are missing"),
            ("2026-12-24T18:00", "the time zone is missing"),
            ("2026-12-24T18:00:00", "the time zone is missing"),
            ("2026-12-24 18:00:00", "the time zone is missing"),
            ("--fund", "write a duration"),
            ("2026-13-24", "write a duration"),
            ("", "write a duration"),
        ] {
            let said = moment(text).expect_err(text);
            assert!(said.contains(reason), "{text}: {said}");
        }
        // What it says to write can be read.
        for text in ["2026-12-24T18:00Z", "2026-12-24T18:00+01:00", "2026-12-24T18:00:00+01:00"] {
            assert!(matches!(moment(text), Ok(Moment::At(_))), "{text}");
        }
        assert!(window("-1d").expect_err("negative").contains("cannot be negative"));
    }

    #[test]
    fn a_mistyped_address_is_told_from_one() {
        let good = "EsciU43x1AtsEzNfxzZprrTYtrUA7ikpy1x8Q8BEXeAH";
        assert_eq!(address(good).map(|address| address.to_string()), Ok(good.to_owned()));
        let says = |text: &str| address(text).expect_err("not an address");
        assert!(says("abc").contains("this has 3"));
        assert!(says(&"z".repeat(44)).contains("missing or wrong"));
        assert!(says(&good.replace('1', "0")).contains("'0'"));
        assert!(says(&format!("{good} ")).contains("no spaces"));
        assert!(says("").contains("this has 0"));
    }

    #[test]
    fn percent_is_exact() {
        for (text, bps) in [("2.5", 250), ("2.5%", 250), ("0.01%", 1), ("0", 0), ("100", 10_000), ("33.33", 3_333)] {
            assert_eq!(percent(text), Ok(Percent(bps)), "{text}");
            assert_eq!(percent(&Percent(bps).to_string()), Ok(Percent(bps)));
        }
        for text in ["100.01", "0.001", "-1", "", "%", "1e1"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn windows_fit_the_terms() {
        assert_eq!(window("3d"), Ok(Window(3 * 24 * 60 * 60)));
        for seconds in [0, 1, 90_061, 7 * 86_400] {
            let shown = Window(seconds).to_string();
            assert!(window(&shown).is_ok_and(|read| read.0 <= seconds), "{shown}");
        }
        assert!(window("200years").is_err());
        assert!(window("3").is_err());
    }
}
