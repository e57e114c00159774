//! What the most used commands print, word for word: a deal from its creation to a ruling, for people and for programs. With
//! `ESCROW_SNAPSHOTS=write` the transcripts are written anew: read the difference before you commit it.

use std::{fs, path::Path};

use serde_json::Value;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;

use crate::{DAY, Ran, Stage};

/// What is typed, one after the other. `{escrow}` is what the first of them creates.
const DEAL: [(&str, &str); 17] = [
    ("buyer", "create --seller {seller} --arbiter {arbiter} --amount 1.5 --deliver-by 14d --arbiter-fee 5 --dry-run"),
    ("buyer", "create --seller {seller} --arbiter {arbiter} --amount 1.5 --deliver-by 14d --arbiter-fee 5 --yes"),
    ("seller", "verify {escrow}"),
    ("buyer", "fund {escrow} --yes"),
    ("buyer", "fund {escrow} --yes --seller {seller} --amount 1.5"),
    ("seller", "verify {escrow}"),
    ("seller", "show {escrow}"),
    ("buyer", "list"),
    ("seller", "release {escrow} --yes"),
    ("buyer", "release {escrow} --amount 0.5 --yes"),
    ("seller", "deliver {escrow}"),
    ("buyer", "dispute {escrow}"),
    ("arbiter", "rule {escrow} --seller-share 60 --yes --seller {seller} --amount 1.5"),
    ("stranger", "withdraw {escrow} --recipient seller --yes"),
    ("buyer", "check {seller}"),
    ("stranger", "check {escrow}"),
    ("buyer", "history {escrow}"),
];

#[tokio::test]
async fn what_people_read_is_as_it_was() {
    compare("display", &deal("display").await);
}

#[tokio::test]
async fn what_programs_read_is_as_it_was() {
    compare("json", &deal("json").await);
}

/// The transcript of the deal.
async fn deal(format: &str) -> String {
    let stage = Stage::new().await;
    let mut transcript = String::new();
    let mut escrow = String::new();
    for (who, line) in DEAL {
        let typed = line.replace("{escrow}", &escrow);
        let ran = stage.types_only(who, &format!("--output {format} {typed}"));
        if escrow.is_empty() && line.ends_with("--yes") {
            // In both formats the address stands on standard error before anything is sent.
            let words = |text: &str| text.split([' ', '\n', '"']).map(str::to_owned).collect::<Vec<_>>();
            let found = words(&ran.err).into_iter().find(|word| word.parse::<Pubkey>().is_ok());
            escrow = found.unwrap_or_else(|| panic!("{ran:#?}"));
        }
        let Ran { code, out, err, .. } = ran;
        transcript += &format!("$ {who}: escrow {line}\n");
        let mask = Mask { stage: &stage, escrow: &escrow };
        for line in mask.output(&err).lines() {
            transcript += &format!("2> {line}\n");
        }
        transcript += &mask.output(&out);
        if code != Some(0) {
            transcript += &format!("exit {code:?}\n");
        }
        transcript.push('\n');
        stage.net.advance_time(DAY / 24).await.unwrap();
    }
    transcript
}

#[track_caller]
fn compare(name: &str, transcript: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/snapshots/{name}.txt"));
    if std::env::var_os("ESCROW_SNAPSHOTS").is_some_and(|value| value == "write") {
        fs::write(&path, transcript).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let (mut said, mut lines) = (transcript.lines(), expected.lines());
    for number in 1.. {
        let (now, before) = (said.next(), lines.next());
        assert_eq!(now, before, "line {number} of {}: if that is meant, ESCROW_SNAPSHOTS=write", path.display());
        if now.is_none() {
            break;
        }
    }
}

/// Takes away what is another each time: addresses, signatures, hashes, times.
struct Mask<'a> {
    stage: &'a Stage,
    escrow: &'a str,
}

impl Mask<'_> {
    /// What was printed, text or JSON.
    fn output(&self, printed: &str) -> String {
        match serde_json::from_str(printed) {
            Ok(value) => serde_json::to_string_pretty(&self.value(value)).unwrap() + "\n",
            Err(_) => printed.split_inclusive('\n').map(|line| self.line(line)).collect(),
        }
    }

    fn line(&self, line: &str) -> String {
        match serde_json::from_str::<Value>(line) {
            Ok(value @ Value::Object(_)) => self.value(value).to_string() + "\n",
            _ => self.text(line),
        }
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) if text.len() > 400 && !text.contains(' ') => "<data>".into(),
            Value::String(text) => self.text(&text).into(),
            Value::Array(all) => all.into_iter().map(|one| self.value(one)).collect(),
            Value::Object(fields) => {
                let passes = |name: &str| matches!(name, "unix" | "seconds_from_now" | "slot");
                let masked = fields.into_iter().map(|(name, value)| {
                    let value = if passes(&name) { "<passes>".into() } else { self.value(value) };
                    (name, value)
                });
                Value::Object(masked.collect())
            }
            other => other,
        }
    }

    fn text(&self, text: &str) -> String {
        let text = text.replace(self.stage.net.rpc_url(), "<url>");
        let mut masked = String::new();
        let mut rest = text.as_str();
        while let Some(letter) = rest.chars().next() {
            let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || ":-".contains(letter)));
            let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
            if !word.is_empty() {
                masked += &self.word(word);
                // An address has 43 or 44 characters, and a table room for both.
                rest = if word == self.escrow && word.len() == 43 {
                    behind.strip_prefix("   ").map_or(behind, |_| &behind[1..])
                } else {
                    behind
                };
            } else if let Some((distance, behind)) = distance(rest) {
                masked += distance;
                rest = behind;
            } else {
                masked.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
        masked
    }

    fn word(&self, word: &str) -> String {
        let is_time = word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
        let person = self.stage.people.iter().find(|(_, keypair)| keypair.pubkey().to_string() == word);
        match person {
            _ if is_time => "<time>".to_owned(),
            Some((name, _)) => format!("<{name}>"),
            None if word == self.escrow => "<escrow>".to_owned(),
            None if word.len() == 64 && word.chars().all(|digit| digit.is_ascii_hexdigit()) => "<hash>".to_owned(),
            None if word.len() > 80 && word.parse::<Signature>().is_ok() => "<signature>".to_owned(),
            None if word.len() >= 32 && word.parse::<Pubkey>().is_ok() => "<address>".to_owned(),
            None => word.to_owned(),
        }
    }
}

/// How far away a moment is, in parentheses.
fn distance(text: &str) -> Option<(&'static str, &str)> {
    let (inside, behind) = text.strip_prefix('(')?.split_once(')')?;
    (inside == "now" || inside.starts_with("in ") || inside.ends_with(" ago")).then_some(("(<distance>)", behind))
}
