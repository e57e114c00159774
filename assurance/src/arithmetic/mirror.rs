//! What was proven is the code as it was when its mirror for the solver was written. A line
//! `; MIRRORS ledger.rs fn share 0123456789abcdef` pins the text of a function, without comments and layout: whoever
//! changes the function must look at the proof again.

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::FILES;

/// The program's rules that compute.
const SOURCES: [(&str, &str); 4] = [
    ("ledger.rs", include_str!("../../../programs/escrow/src/state/ledger.rs")),
    ("time.rs", include_str!("../../../programs/escrow/src/state/time.rs")),
    ("milestone.rs", include_str!("../../../programs/escrow/src/state/milestone.rs")),
    ("escrow.rs", include_str!("../../../programs/escrow/src/state/escrow.rs")),
];

/// Compares the text of every mirrored item with what is pinned. Gives their number.
pub fn check() -> Result<usize> {
    let (mut count, mut changed) = (0, Vec::new());
    for (file, text) in FILES {
        for line in text.lines().filter_map(|line| line.strip_prefix("; MIRRORS ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (source, kind, name, pinned) = match *words.as_slice() {
                [source, kind, name, pinned] => (source, kind, name, pinned),
                [source, kind, name] => (source, kind, name, "nothing"),
                _ => bail!("{file}: `MIRRORS {line}` should name a file, an item and its hash"),
            };
            let (_, code) =
                SOURCES.iter().find(|(name, _)| *name == source).with_context(|| format!("{file}: no {source}"))?;
            let item = item(code, kind, name).with_context(|| format!("{file}: {source} has no `{kind} {name}`"))?;
            let hash = hash(&item);
            count += 1;
            if hash != pinned {
                changed.push(format!("in {file}: ; MIRRORS {source} {kind} {name} {hash}"));
            }
        }
    }
    ensure!(
        changed.is_empty(),
        "the program's rules are not what was proven. Change their mirrors in assurance/src/arithmetic in the same \
         way, prove again, and then write\n  {}",
        changed.join("\n  ")
    );
    Ok(count)
}

/// The text of an item, in words that are one space apart, without comments.
fn item(code: &str, kind: &str, name: &str) -> Option<String> {
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    let start = [" ", "(", "<", ":"].into_iter().find_map(|end| words.find(&format!("{kind} {name}{end}")))?;
    let text = words.get(start..)?;
    if kind == "const" {
        return text.split_inclusive(';').next().map(str::to_owned);
    }
    let mut depth = 0_u32;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => continue,
        }
        if depth == 0 {
            return text.get(..=at).map(str::to_owned);
        }
    }
    None
}

fn hash(item: &str) -> String {
    Sha256::digest(item).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "
        /// Half of it.
        pub fn half(a: u64) -> u64 {
            // Rounds down.
            if a > 1 { a / 2 } else { 0 }
        }
        fn other() {}
    ";

    #[test]
    fn comments_and_layout_do_not_matter() {
        let half = item(CODE, "fn", "half").expect("an item");
        assert_eq!(half, "fn half(a: u64) -> u64 { if a > 1 { a / 2 } else { 0 } }");
        assert_eq!(item(&CODE.replace("// Rounds down.", "\n"), "fn", "half"), Some(half));
    }

    #[test]
    fn every_other_change_does() {
        let half = item(CODE, "fn", "half").expect("an item");
        let changed = item(&CODE.replace("> 1", ">= 1"), "fn", "half").expect("an item");
        assert_ne!(hash(&half), hash(&changed));
        assert_eq!(item(CODE, "fn", "third"), None);
        assert_eq!(item("pub const TEN: u8 = 10; fn a() {}", "const", "TEN").as_deref(), Some("const TEN: u8 = 10;"));
    }
}
