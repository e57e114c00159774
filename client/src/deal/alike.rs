//! Addresses that people take for one another: they look at the ends, and an address whose ends are those of another is made in
//! seconds.

use solana_pubkey::Pubkey;

/// How much two different addresses look like each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alike {
    /// They do not, or are the same.
    No,
    /// Both begin and end with the same three characters, which is seldom chance.
    Warn,
    /// Both begin and end with the same four characters, or they differ in one or two: hardly ever chance.
    Stop {
        /// The characters in the second by which they differ, from the first of them to the last.
        differing: String,
    },
}

/// How much `other` looks like `known`.
pub fn alike(known: &Pubkey, other: &Pubkey) -> Alike {
    let (known, other) = (known.to_string(), other.to_string());
    if known == other {
        return Alike::No;
    }
    let start = known.bytes().zip(other.bytes()).take_while(|(one, two)| one == two).count();
    let end = known.bytes().rev().zip(other.bytes().rev()).take_while(|(one, two)| one == two).count();
    let typing =
        known.len() == other.len() && known.bytes().zip(other.bytes()).filter(|(one, two)| one != two).count() <= 2;
    match start.min(end) {
        4.. => {}
        _ if typing => {}
        3 => return Alike::Warn,
        _ => return Alike::No,
    }
    let differing = other.get(start..other.len().saturating_sub(end)).filter(|text| !text.is_empty());
    Alike::Stop { differing: differing.unwrap_or(&other).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Pubkey {
        text.parse().unwrap()
    }

    #[test]
    fn ends_decide() {
        let known = "EsciU43x1AtsEzNfxzZprrTYtrUA7ikpy1x8Q8BEXeAH";
        let middle = |from: usize, to: usize| {
            let changed: String =
                known.char_indices().map(|(at, letter)| if (from..to).contains(&at) { '2' } else { letter }).collect();
            read(&changed)
        };
        let known = read(known);
        assert_eq!(alike(&known, &known), Alike::No);
        assert_eq!(alike(&known, &middle(4, 40)), Alike::Stop { differing: "2".repeat(36) });
        assert_eq!(alike(&known, &middle(3, 41)), Alike::Warn);
        assert_eq!(alike(&known, &middle(2, 42)), Alike::No);
        // One character mistyped, at the very end.
        assert_eq!(alike(&known, &middle(43, 44)), Alike::Stop { differing: "2".to_owned() });
        assert_eq!(alike(&known, &read("So11111111111111111111111111111111111111112")), Alike::No);
    }
}
