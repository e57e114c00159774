//! The difference between two texts, for people.

use std::fmt::Write;

/// The lines that differ, as `-` and `+`, each group behind the line of the old text that it begins at.
pub fn lines(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let (mut a, mut b) = (0, 0);
    let mut shown = String::new();
    while a < old.len() || b < new.len() {
        if old.get(a) == new.get(b) {
            (a, b) = (a + 1, b + 1);
            continue;
        }
        let (removed, added) = next_match(&old[a..], &new[b..]);
        let _ = writeln!(shown, "@@ line {}", a + 1);
        for line in &old[a..a + removed] {
            let _ = writeln!(shown, "-{line}");
        }
        for line in &new[b..b + added] {
            let _ = writeln!(shown, "+{line}");
        }
        (a, b) = (a + removed, b + added);
    }
    shown
}

/// How many lines of each to skip until both go on with the same three lines, or end: the fewest together.
fn next_match(old: &[&str], new: &[&str]) -> (usize, usize) {
    (1..=old.len() + new.len())
        .flat_map(|together| (0..=together).map(move |removed| (removed, together - removed)))
        .filter(|&(removed, added)| removed <= old.len() && added <= new.len())
        .find(|&(removed, added)| old[removed..].iter().take(3).eq(new[added..].iter().take(3)))
        .unwrap_or((old.len(), new.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(lines("a\nb\nc\n", "a\nb\nc\n"), "");
        assert_eq!(lines("a\nb\nc\nd\ne\n", "a\nB\nc\nd\ne\n"), "@@ line 2\n-b\n+B\n");
        assert_eq!(lines("a\nb\nc\nd\n", "a\nx\ny\nb\nc\nd\n"), "@@ line 2\n+x\n+y\n");
        assert_eq!(lines("a\nb\nc\n", "a\n"), "@@ line 2\n-b\n-c\n");
        assert_eq!(lines("", "a\n"), "@@ line 1\n+a\n");
    }
}
