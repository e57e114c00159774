//! Arguments as people write them.

use std::{
    any::TypeId,
    fmt::{self, Display, Formatter},
    path::Path,
};

use clap::Arg;
use escrow_client::{
    amount::{format_amount, parse_amount},
    escrow::state::RISKS,
    words::time::duration,
};
use escrow_frame::signer::secret_itself;
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use crate::error::{CliError, Result};

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

/// Lets options for times and windows take what begins with a hyphen, so that what reads them can say what is wrong with `-1d`.
pub fn with_negative_times(argument: Arg) -> Arg {
    let value = argument.get_value_parser().type_id();
    if value == TypeId::of::<Moment>() || value == TypeId::of::<Window>() {
        return argument.allow_hyphen_values(true);
    }
    argument
}

/// Reads a [`Moment`].
pub fn moment(text: &str) -> std::result::Result<Moment, String> {
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
fn not_negative(text: &str) -> std::result::Result<(), String> {
    match text.strip_prefix(['-', '−']) {
        Some(rest) if humantime::parse_duration(rest).is_ok() => {
            Err("a duration cannot be negative: write one that lies ahead, as in 7d or 12h".to_owned())
        }
        _ => Ok(()),
    }
}

/// A window, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(pub u32);

/// As it is read.
impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&duration(u64::from(self.0)))
    }
}

/// Reads a window, as in `3d`.
pub fn window(text: &str) -> std::result::Result<Window, String> {
    not_negative(text)?;
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}: write a duration, as in 3d or 12h"))?;
    u32::try_from(duration.as_secs()).map(Window).map_err(|_| "too long".to_owned())
}

/// Reads an address.
pub fn address(text: &str) -> std::result::Result<Pubkey, String> {
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
pub struct Percent(pub u16);

/// As it is read.
impl Display for Percent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&format_amount(u64::from(self.0), 2))
    }
}

/// Reads percent, as in `2.5` or `2.5%`.
pub fn percent(text: &str) -> std::result::Result<Percent, String> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    let bps =
        parse_amount(digits, 2).map_err(|_| "write percent with at most two decimals, as in 2.5 or 2.5%".to_owned())?;
    let bps = u16::try_from(bps).ok().filter(|bps| *bps <= 10_000);
    bps.map(Percent).ok_or_else(|| "at most 100 %".to_owned())
}

/// Reads 32 bytes in hexadecimal.
pub fn hash(text: &str) -> std::result::Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| "write 64 hexadecimal digits".to_owned())?;
    Ok(bytes)
}

/// Reads the name of an issuer's power, as its bit in the terms.
pub fn risk(text: &str) -> std::result::Result<u16, String> {
    let names: Vec<_> = RISKS.iter().map(|(_, name)| *name).collect();
    let found = RISKS.iter().find(|(_, name)| *name == text);
    found.map(|(bit, _)| *bit).ok_or_else(|| format!("one of: {}", names.join(", ")))
}

/// The sha256 of a file: what stands on chain for a document or for evidence.
pub fn file_hash(path: &Path) -> Result<[u8; 32]> {
    let content = std::fs::read(path).map_err(|source| unreadable(path, source))?;
    Ok(Sha256::digest(content).into())
}

/// The hash that was named, or that of the file that was named; all zero for neither.
pub fn file_or_hash(file: Option<&Path>, hash: Option<[u8; 32]>) -> Result<[u8; 32]> {
    file.map_or(Ok(hash.unwrap_or_default()), file_hash)
}

/// Reads a 32-byte secret, raw or as 64 hexadecimal digits. From a file, because arguments are visible to every process.
pub fn secret_file(path: &Path) -> Result<[u8; 32]> {
    if let Some(refusal) = secret_itself("--secret", path) {
        return Err(CliError::Usage(refusal));
    }
    let content = std::fs::read(path).map_err(|source| unreadable(path, source))?;
    if let Ok(raw) = <[u8; 32]>::try_from(content.as_slice()) {
        return Ok(raw);
    }
    let text = std::str::from_utf8(&content).unwrap_or_default();
    hash(text.trim()).map_err(|_| {
        let path = path.display();
        CliError::Usage(format!("{path} does not contain a secret (expected 32 raw bytes or 64 hexadecimal digits)"))
    })
}

fn unreadable(path: &Path, source: std::io::Error) -> CliError {
    escrow_frame::Error::File { path: path.to_owned(), source }.into()
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
