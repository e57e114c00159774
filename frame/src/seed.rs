//! The keypair of a seed phrase, derived as Solana's own tools do it, and typed where nobody sees it.

use std::io;

use solana_derivation_path::DerivationPath;
use solana_keypair::{Keypair, Signer, keypair_from_seed, seed_derivable::keypair_from_seed_and_derivation_path};
use solana_seed_phrase::generate_seed_from_seed_phrase_and_passphrase;

use crate::terminal::{ask, ask_unseen};

/// How many words a seed phrase has.
const WORDS: [usize; 5] = [12, 15, 18, 21, 24];

/// Which of the keypairs of a seed phrase.
#[derive(Debug, PartialEq, Eq)]
enum Derived {
    /// The seed itself is the key, as the oldest tools had it.
    Not,
    /// By this path.
    By(DerivationPath),
}

/// Asks for the seed phrase that `named` stands for (`prompt:`, `prompt://?key=0/0`, `prompt://?full-path=m/44/501/0`, `ASK`), for
/// `option`, and whether the address that it gives is the right one: a mistyped word gives another one, and no error.
///
/// # Errors
///
/// What to say where there is no keypair: nobody is at a terminal, or what was typed is no seed phrase, or not theirs.
pub fn keypair(named: &str, option: &str) -> Result<Keypair, String> {
    let derived = derivation(named)?;
    let unread = |error: io::Error| format!("it was not typed to its end: {error}");
    let nobody = || "nobody is at a terminal to type it".to_owned();
    let asked = ask_unseen(&format!("Seed phrase for {option}, which is not shown: ")).map_err(unread)?;
    let phrase = asked.ok_or_else(nobody)?;
    check(&phrase)?;
    let asked = ask_unseen("Its passphrase, which is not shown either; Enter if it has none: ").map_err(unread)?;
    let keypair = derive(&phrase, &asked.ok_or_else(nobody)?, derived)?;
    let question = format!("It gives the address {}. Is that the right one? [y/N] ", keypair.pubkey());
    match ask(&question).map_err(unread)?.as_deref() {
        Some("y" | "Y" | "yes") => Ok(keypair),
        _ => Err("you did not say that its address is the right one. A mistyped word gives another address".to_owned()),
    }
}

/// Which keypair is meant.
fn derivation(named: &str) -> Result<Derived, String> {
    if named == "ASK" {
        return Ok(Derived::Not);
    }
    let path = match named.split_once('?').map(|(_, query)| query.split_once('=')) {
        None => Ok(DerivationPath::default()),
        Some(Some(("key", path))) => DerivationPath::from_key_str(path),
        Some(Some(("full-path", path))) => DerivationPath::from_absolute_path_str(path),
        Some(_) => return Err("behind the question mark stands key=ACCOUNT/CHANGE or full-path=PATH".to_owned()),
    };
    path.map(Derived::By).map_err(|error| error.to_string())
}

/// Whether it can be a seed phrase. Repeats nothing of it.
fn check(phrase: &str) -> Result<(), String> {
    let count = phrase.split_whitespace().count();
    match WORDS.contains(&count) {
        true => Ok(()),
        false => Err(format!("it has {count} words, and a seed phrase has 12, 15, 18, 21 or 24")),
    }
}

fn derive(phrase: &str, passphrase: &str, derived: Derived) -> Result<Keypair, String> {
    let phrase: Vec<&str> = phrase.split_whitespace().collect();
    let seed = generate_seed_from_seed_phrase_and_passphrase(&phrase.join(" "), passphrase);
    let keypair = match derived {
        Derived::Not => keypair_from_seed(&seed),
        Derived::By(path) => keypair_from_seed_and_derivation_path(&seed, Some(path)),
    };
    keypair.map_err(|error| format!("no key can be derived: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHRASE: &str =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    fn address(named: &str, passphrase: &str) -> String {
        derive(PHRASE, passphrase, derivation(named).unwrap()).unwrap().pubkey().to_string()
    }

    /// The addresses that wallets show for the phrase of BIP-39's own test vectors.
    #[test]
    fn the_same_words_give_the_same_address_as_elsewhere() {
        assert_eq!(address("prompt://?key=0/0", ""), "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk");
        assert_eq!(address("prompt://?full-path=m/44/501/0/0", ""), address("prompt://?key=0/0", ""));
        // The seed that stands in the test vectors themselves, for the passphrase TREZOR.
        let seed = generate_seed_from_seed_phrase_and_passphrase(PHRASE, "TREZOR");
        assert_eq!(seed[..8], [0xc5, 0x52, 0x57, 0xc3, 0x60, 0xc0, 0x7c, 0x72]);
        assert_eq!(address("ASK", "TREZOR"), keypair_from_seed(&seed).unwrap().pubkey().to_string());
        let of = |named| address(named, "");
        let all = [of("prompt:"), of("ASK"), of("prompt://?key=0"), of("prompt://?key=0/0"), of("prompt://?key=1/0")];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{all:?}");
        let spaced = derive(&PHRASE.replace(' ', "  "), "", derivation("prompt:").unwrap()).unwrap();
        assert_eq!(spaced.pubkey().to_string(), of("prompt:"));
    }

    #[test]
    fn what_is_no_phrase_or_path_is_named() {
        assert!(check("one two three").is_err_and(|said| said.contains("3 words") && !said.contains("two")));
        assert_eq!(check(PHRASE), Ok(()));
        for named in
            ["prompt://?key=x", "prompt://?key=0/0/0", "prompt://?full-path=44", "prompt://?other=1", "prompt://?"]
        {
            assert!(derivation(named).is_err(), "{named}");
        }
    }
}
