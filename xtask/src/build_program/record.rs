//! What a program was built with: `escrow.so.compiler` and the like, for people and for `--check`.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const TITLE: &str = "# What this program was built with. Written by `cargo xtask build-program`.";

/// What is the machine's rather than the project's. Where these are the same, the bytes must be too.
const MACHINE: [&str; 5] = ["toolchain", "compiler", "host", "packages", "llvm"];

/// Lines of `key: value`, in a fixed order.
#[derive(Debug, PartialEq, Eq)]
pub struct Record(Vec<(String, String)>);

impl Record {
    pub fn new<V: Into<String>>(lines: impl IntoIterator<Item = (&'static str, V)>) -> Self {
        Self(lines.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
    }

    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!("cannot read {}; `cargo xtask build-program` makes it, and it is committed", path.display())
        })?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once(": "));
        Self(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// How the machine of the other record differs from this one's; `None` if it does not.
    pub fn other_machine(&self, other: &Self) -> Option<String> {
        let differences: Vec<String> = MACHINE
            .iter()
            .map(|key| (key, self.get(key).unwrap_or("none"), other.get(key).unwrap_or("none")))
            .filter(|(_, this, other)| this != other)
            .map(|(key, this, other)| format!("  {key}\n    committed  {this}\n    here       {other}"))
            .collect();
        (!differences.is_empty()).then(|| differences.join("\n"))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}")?;
        self.0.iter().try_for_each(|(key, value)| writeln!(f, "{key}: {value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record::new([("compiler", "rustc 1.96.0 (built: from source)"), ("arch", "v3")]);
        assert_eq!(Record::parse(&record.to_string()), record);
    }

    #[test]
    fn the_package_versions_are_part_of_the_compiler() {
        let one = Record::new([("compiler", "rustc 1.96.0"), ("packages", "rust-web-src 1.96.0-1")]);
        let two = Record::new([("compiler", "rustc 1.96.0"), ("packages", "rust-web-src 1.96.0-2")]);
        assert!(one.other_machine(&two).is_some_and(|difference| difference.contains("1.96.0-2")));
        assert_eq!(one.other_machine(&one), None);
    }
}
