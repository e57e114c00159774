//! Arguments as people write them.

use std::{any::TypeId, path::Path};

pub use crate::contacts::address;
use clap::Arg;
use escrow_client::amount::{AmountError, SOL_DECIMALS, parse_amount};
use escrow_client::code::DeliveryCode;
use escrow_client::sender::Pace;
pub use escrow_client::words::parse::{Moment, Percent, Window, hash, moment, percent, risk, window};
use escrow_frame::signer::secret_itself;
use sha2::{Digest, Sha256};

use crate::error::{CliError, Result};

/// Lets options for times and windows take what begins with a hyphen, so that what reads them can say what is wrong with `-1d`.
pub fn with_negative_times(argument: Arg) -> Arg {
    let value = argument.get_value_parser().type_id();
    if value == TypeId::of::<Moment>() || value == TypeId::of::<Window>() {
        return argument.allow_hyphen_values(true);
    }
    argument
}

/// Reads waiting times as `NAME=MILLISECONDS,…`. What is not named is as usual.
pub fn pace(text: &str) -> std::result::Result<Pace, String> {
    let mut pace = Pace::default();
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("{part} is not NAME=MILLISECONDS"))?;
        let time = match name {
            "poll" => &mut pace.poll,
            "answer" => &mut pace.answer,
            "resend" => &mut pace.resend,
            "patience" => &mut pace.patience,
            "limit" => &mut pace.limit,
            "recent" => &mut pace.recent,
            "claim" => &mut pace.claim,
            _ => return Err(format!("there is no waiting time {name}")),
        };
        *time = value.parse().map_err(|_| format!("{value} is not a number of milliseconds"))?;
    }
    Ok(pace)
}

/// Reads an amount of SOL, in lamports.
pub fn sol(text: &str) -> std::result::Result<u64, AmountError> {
    parse_amount(text.strip_suffix(" SOL").unwrap_or(text), SOL_DECIMALS)
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
    // With separators or without, as `escrow code` prints it.
    text.parse().map(|code: DeliveryCode| *code.secret()).map_err(|_| {
        let path = path.display();
        CliError::Usage(format!("{path} does not contain a secret (expected 32 raw bytes or 64 hexadecimal digits)"))
    })
}

fn unreadable(path: &Path, source: std::io::Error) -> CliError {
    escrow_frame::Error::File { path: path.to_owned(), source }.into()
}
