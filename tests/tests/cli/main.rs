//! The command line as people and scripts use it: the real binary, against an embedded validator.

mod checks;
mod commands;
mod config;
mod consent;
mod demo;
mod desk;
mod elsewhere;
mod export;
mod guards;
mod help;
mod journal;
mod keeper;
mod localnet;
mod mistakes;
mod pipes;
mod roles;
mod secrets;
mod seeing;
mod snapshots;
mod terminal;
mod terms;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use escrow_localnet::{Config, Localnet, MintConfig, TestMint};
use serde_json::Value;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

const SOL: u64 = 1_000_000_000;
const DAY: u64 = 24 * 60 * 60;

/// What the buyer has of the token, in base units of 6 decimals.
const TOKENS: u64 = 1_000_000_000;

/// The binary.
fn escrow() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| escrow_tests::binary::escrow(env!("CARGO_TARGET_TMPDIR"), "cli"))
}

/// A folder of a test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The binary in `folder`, which is its home, too, with nothing of the environment of whoever runs the tests.
fn command(folder: &Folder) -> Command {
    let mut command = Command::new(escrow());
    command.env_clear().env("HOME", &folder.0).current_dir(&folder.0).stdin(Stdio::null());
    command
}

/// How a command ended.
#[derive(Debug)]
struct Ran {
    what: String,
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn new(what: impl Into<String>, output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { what: what.into(), code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}: {self:#?}", self.what);
        self
    }

    /// Standard output has each of these.
    #[track_caller]
    fn shows(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part), "{} shows no \"{part}\": {self:#?}", self.what);
        }
        self
    }

    /// It fails with this code and says each of these on standard error, and nothing on standard output.
    #[track_caller]
    fn fails(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.out, "", "{self:#?}");
        for part in parts {
            assert!(self.err.contains(part), "{} says no \"{part}\": {self:#?}", self.what);
        }
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A validator and people with keypair files, who type commands.
struct Stage {
    net: Localnet,
    mint: TestMint,
    folder: Folder,
    people: Vec<(&'static str, Keypair)>,
}

impl Stage {
    async fn new() -> Self {
        let net = Localnet::start(Config::default()).await.unwrap();
        let mint = net.create_mint(MintConfig::default()).await.unwrap();
        let folder = Folder::new();
        let mut people = Vec::new();
        for name in ["buyer", "seller", "arbiter", "stranger"] {
            let keypair = net.new_funded_keypair(100 * SOL).await.unwrap();
            folder.write(&format!("{name}.json"), serde_json::to_vec(keypair.to_bytes().as_slice()).unwrap());
            people.push((name, keypair));
        }
        let stage = Self { net, mint, folder, people };
        stage.net.mint_to(&stage.mint, &stage.address("buyer"), TOKENS).await.unwrap();
        stage
    }

    fn keypair(&self, name: &str) -> &Keypair {
        &self.people.iter().find(|(person, _)| *person == name).unwrap().1
    }

    fn address(&self, name: &str) -> Pubkey {
        self.keypair(name).pubkey()
    }

    /// Words as they are typed, with `{buyer}` and the like for addresses and `{mint}` for the token.
    fn words(&self, line: &str) -> Vec<String> {
        let mut line = line.replace("{mint}", &self.mint.address.to_string());
        for (name, keypair) in &self.people {
            line = line.replace(&format!("{{{name}}}"), &keypair.pubkey().to_string());
        }
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// What a script adds so that it need not be asked, and so that `create` goes without an arbiter.
    fn agrees(&self, who: &str, line: &str) -> Vec<String> {
        let mut added = vec!["--yes".to_owned()];
        let words = self.words(line);
        let command =
            words.iter().map(String::as_str).find(|word| ["create", "fund", "accept", "rule", "cancel"].contains(word));
        let has = |option: &str| words.iter().any(|word| word == option);
        match command {
            Some("create") if !has("--arbiter") && !has("--unruled") => added.extend(["--unruled".into(), "50".into()]),
            Some("fund" | "accept" | "rule" | "cancel") => {
                // As a script does that has looked at the deal before.
                let deal = words.iter().find(|word| word.parse::<Pubkey>().is_ok());
                let shown = deal.map(|deal| {
                    self.types_alone(who, &["--output".into(), "json".into(), "show".into(), deal.clone()])
                });
                if let Some(Ran { code: Some(0), out, .. }) = shown {
                    let shown: Value = serde_json::from_str(&out).unwrap();
                    added.extend(["--terms-hash".to_owned(), shown["terms_hash"].as_str().unwrap().to_owned()]);
                }
            }
            _ => {}
        }
        added
    }

    /// Somebody types `escrow …`, and agrees to whatever it does.
    fn types(&self, who: &str, line: &str) -> Ran {
        let words: Vec<String> = self.words(line).into_iter().chain(self.agrees(who, line)).collect();
        self.types_alone(who, &words)
    }

    /// The same, without agreeing to anything.
    fn types_only(&self, who: &str, line: &str) -> Ran {
        self.types_alone(who, &self.words(line))
    }

    fn types_alone(&self, who: &str, words: &[String]) -> Ran {
        let mut command = command(&self.folder);
        command.args(["--url", self.net.rpc_url(), "--keypair", &format!("{who}.json")]).args(words);
        Ran::new(format!("{who}: escrow {}", words.join(" ")), command.output().unwrap())
    }

    /// The same, and what it says to a script.
    #[track_caller]
    fn asks(&self, who: &str, line: &str) -> Value {
        self.types(who, &format!("--output json {line}")).succeeds().json()
    }

    /// The buyer creates an escrow with the seller. Returns its address.
    #[track_caller]
    fn create(&self, terms: &str) -> String {
        // A test may well mean the same twice.
        let created = self.asks("buyer", &format!("--again create --seller {{seller}} {terms}"));
        created["address"].as_str().unwrap().to_owned()
    }

    async fn sol(&self, who: &str) -> u64 {
        self.net.balance(&self.address(who)).await.unwrap()
    }

    async fn tokens(&self, who: &str) -> u64 {
        self.net.token_balance(&self.address(who), &self.mint).await.unwrap()
    }
}
