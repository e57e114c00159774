//! Reasons why a mutant may survive.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// The name of a mutant in a line of its own, and its reason in indented lines behind it.
const TEXT: &str = include_str!("explained.txt");

#[derive(Debug)]
pub struct Explained(BTreeMap<String, String>);

impl Explained {
    pub fn read() -> Result<Self> {
        Self::parse(TEXT).context("xtask/src/mutants/explained.txt")
    }

    fn parse(text: &str) -> Result<Self> {
        let mut reasons: BTreeMap<String, String> = BTreeMap::new();
        // Several mutants in a row share the reason behind them.
        let (mut waiting, mut reason): (Vec<&str>, String) = (Vec::new(), String::new());
        let mut finish = |waiting: &mut Vec<&str>, reason: &mut String| {
            for name in waiting.drain(..) {
                ensure!(!reason.is_empty(), "no reason for {name}");
                ensure!(reasons.insert(name.to_owned(), reason.clone()).is_none(), "two reasons for {name}");
            }
            reason.clear();
            Ok(())
        };
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            if line.starts_with(' ') {
                ensure!(!waiting.is_empty(), "a reason without a mutant: {}", line.trim());
                reason.extend([if reason.is_empty() { "" } else { " " }, line.trim()]);
            } else {
                if !reason.is_empty() {
                    finish(&mut waiting, &mut reason)?;
                }
                waiting.push(line.trim_end());
            }
        }
        finish(&mut waiting, &mut reason)?;
        Ok(Self(reasons))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn reason(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutants_in_a_row_share_the_reason_behind_them() {
        let explained = Explained::parse("# Why.\n\na\nb\n    because\n    of c\nd\n    too\n").unwrap();
        assert_eq!(explained.reason("a"), Some("because of c"));
        assert_eq!(explained.reason("b"), Some("because of c"));
        assert_eq!(explained.reason("d"), Some("too"));
        assert_eq!(explained.names().count(), 3);
    }

    #[test]
    fn a_mutant_without_a_reason_is_a_mistake() {
        assert!(Explained::parse("a\n").is_err());
        assert!(Explained::parse("    because\n").is_err());
        assert!(Explained::parse("a\n    x\na\n    y\n").is_err());
        Explained::read().unwrap();
    }
}
