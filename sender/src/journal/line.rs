//! The journal's lines: what stands in them, and which of them can be believed.
//!
//! A line is its length, a checksum, and JSON. The end of a file may be torn: a process died while it wrote, or power was
//! lost before the disk had everything. Nobody relied on such an end, because nothing is relied on before it is synced. All
//! else that does not fit is damage, and is never passed over.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Entry, Fingerprint};

/// The format that this code writes.
pub(super) const VERSION: u32 = 1;

/// What stands in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one, and one is held at a time")]
pub(super) enum Line {
    /// The first of a file.
    Journal(Header),
    /// Something of an intention.
    Intention { fingerprint: Fingerprint, entry: Entry },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) version: u32,
    /// No fence up to this is given again: intentions that had them may have been left behind in an earlier file.
    pub(super) fence_floor: u64,
}

/// What follows in a file.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// A line, and where it ends.
    Line(Box<Line>, usize),
    /// Nothing.
    End,
    /// A line that was not written to its end, and nothing after it.
    Torn,
    /// What was written was changed.
    Damaged,
}

impl Line {
    pub(super) fn write(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        Ok(format!("{} {} {json}\n", json.len(), checksum(json.as_bytes())))
    }
}

fn checksum(json: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::digest(json).into();
    hex::encode(hash.first_chunk::<8>().copied().unwrap_or_default())
}

/// Reads what stands at the beginning of these bytes.
pub(super) fn next(bytes: &[u8]) -> Next {
    if bytes.is_empty() {
        return Next::End;
    }
    if let Some((line, end)) = whole(bytes) {
        return Next::Line(Box::new(line), end);
    }
    let ends_written =
        bytes.ends_with(b"\n") || said(bytes).is_some_and(|(start, length)| bytes.len() > start.saturating_add(length));
    let zeros = bytes.ends_with(b"\0");
    if (zeros || !ends_written) && !good_line_after(bytes) { Next::Torn } else { Next::Damaged }
}

/// Where the JSON starts, and how long it is said to be.
fn said(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut fields = bytes.splitn(3, |byte| *byte == b' ');
    let (length, checksum) = (fields.next()?, fields.next()?);
    fields.next()?;
    let start = length.len().checked_add(checksum.len())?.checked_add(2)?;
    // Ten digits are more than any line has.
    let length = std::str::from_utf8(length).ok().filter(|digits| digits.len() <= 10)?.parse().ok()?;
    Some((start, length))
}

fn whole(bytes: &[u8]) -> Option<(Line, usize)> {
    let (start, length) = said(bytes)?;
    let end = start.checked_add(length)?;
    let json = bytes.get(start..end)?;
    let prefix = format!("{length} {} ", checksum(json));
    (bytes.get(end) == Some(&b'\n') && bytes.starts_with(prefix.as_bytes())).then_some(())?;
    Some((serde_json::from_slice(json).ok()?, end.checked_add(1)?))
}

fn good_line_after(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(newline) = rest.iter().position(|byte| *byte == b'\n') {
        rest = rest.get(newline.saturating_add(1)..).unwrap_or_default();
        if whole(rest).is_some() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Position, testing};

    fn lines() -> Vec<String> {
        let header = Line::Journal(Header { version: VERSION, fence_floor: 0 });
        let signed = Entry::Signed(testing::signed(1, Position::default()));
        let signed = Line::Intention { fingerprint: testing::fingerprint(1), entry: signed };
        [header, signed.clone(), signed].iter().map(|line| line.write().unwrap()).collect()
    }

    /// The lines that are read, and what comes after them.
    fn read(bytes: &[u8]) -> (usize, Next) {
        let (mut at, mut count) = (0, 0);
        loop {
            match next(&bytes[at..]) {
                Next::Line(_, end) => at += end,
                after => return (count, after),
            }
            count += 1;
        }
    }

    #[test]
    fn a_file_that_ends_at_any_byte_has_the_whole_lines_before_it() {
        let lines = lines();
        let all = lines.concat();
        for end in 0..=all.len() {
            let mut before = 0;
            let whole = lines.iter().take_while(|line| {
                before += line.len();
                before <= end
            });
            let whole = whole.count();
            let at_a_line = lines[..whole].concat().len() == end;
            let after = if at_a_line { Next::End } else { Next::Torn };
            assert_eq!(read(&all.as_bytes()[..end]), (whole, after), "{end}");
        }
    }

    #[test]
    fn an_end_of_zeros_is_torn_too() {
        let lines = lines();
        let (good, last) = (lines[..2].concat(), &lines[2]);
        for kept in 0..last.len() {
            let mut bytes = [good.as_bytes(), &last.as_bytes()[..kept]].concat();
            bytes.resize(good.len() + last.len(), 0);
            assert_eq!(read(&bytes), (2, Next::Torn), "{kept}");
        }
    }

    #[test]
    fn a_flipped_bit_is_damage_wherever_it_is() {
        let all = lines().concat().into_bytes();
        for at in 0..all.len() {
            for bit in 0..8 {
                let mut bytes = all.clone();
                bytes[at] ^= 1 << bit;
                let (count, after) = read(&bytes);
                assert_eq!(after, Next::Damaged, "bit {bit} of byte {at}, after {count} lines");
            }
        }
    }
}
