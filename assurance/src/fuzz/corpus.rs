//! The inputs that are kept: for each target a file, with a line for each way in which an input ended.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result};

/// An input that is longer is not kept.
const LONGEST: usize = 4096;

fn path(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target).with_extension("txt")
}

/// The inputs of a target; none where it has no file.
pub fn read(target: &str) -> Result<Vec<Vec<u8>>> {
    let path = path(target);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines()
        .map(|line| {
            let (_, input) = line.split_once('\t').with_context(|| format!("{}: {line}", path.display()))?;
            decode(input).with_context(|| format!("{}: {line}", path.display()))
        })
        .collect()
}

/// Keeps one input for each outcome.
pub fn write(target: &str, outcomes: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let lines = outcomes
        .iter()
        .filter(|(_, input)| input.len() <= LONGEST)
        .map(|(outcome, input)| format!("{outcome}\t{}\n", encode(input)));
    let path = path(target);
    fs::write(&path, lines.collect::<String>()).with_context(|| format!("cannot write {}", path.display()))
}

/// JSON as it is, everything else in hexadecimal.
pub fn encode(input: &[u8]) -> String {
    match std::str::from_utf8(input) {
        Ok(text) if text.starts_with('{') && text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) => text.to_owned(),
        _ => input.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// What [`encode`] wrote.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if text.starts_with('{') {
        return Some(text.as_bytes().to_vec());
    }
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_as_they_were_written() {
        for input in [b"".as_slice(), b"{\"a\":1}", b"{\n", b"{\t}", b"ab", &[0, 255, 10]] {
            assert_eq!(decode(&encode(input)).as_deref(), Some(input));
        }
    }
}
