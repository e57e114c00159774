//! The binary itself.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use escrow_localnet::{Config, Program as Preloaded};
use serde_json::{Value, json};
use solana_keypair::write_keypair_file;

use crate::*;

/// A folder for one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(Keypair::new().pubkey().to_string());
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn keypair(&self, name: &str, keypair: &Keypair) -> String {
        let path = self.0.join(name);
        write_keypair_file(keypair, &path).unwrap();
        path.display().to_string()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn run(arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_escrow-migrate"));
    command.args(arguments).env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)))
}

#[tokio::test]
async fn an_old_program_is_shown_verified_upgraded_and_made_final() {
    let (authority, folder) = (Keypair::new(), Folder::new());
    let (old, new) = (variant(7), committed());
    let preloaded = Preloaded::new(escrow_client::escrow::ID, old.bytes().to_vec()).upgradeable_by(authority.pubkey());
    let rig = Rig::with(Config::bare().with_program(preloaded)).await;
    let payer = folder.keypair("payer.json", &rig.payer);
    let owner = folder.keypair("owner.json", &authority);
    let elf = folder.file("new.so", new.bytes());
    let (id, url) = (escrow_client::escrow::ID.to_string(), rig.net.rpc_url());
    let (old_hash, new_hash) = (old.hash().to_string(), new.hash().to_string());
    let on = ["--url", url, "--keypair", &payer, "--output", "json"];
    let with = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().chain(&on).map(|argument| argument.to_string()).collect();
        async move { run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };

    let shown = with(&["show", "--sha256", &new_hash]).await;
    assert!(shown.status.success() && shown.stderr.is_empty(), "{}", text(&shown.stderr));
    let programdata = solana_loader_v3_interface::get_program_data_address(&escrow_client::escrow::ID);
    let bytes = rig.program(&escrow_client::escrow::ID).await.code().len();
    assert_eq!(
        json(&shown.stdout),
        json!({
            "program": id,
            "programdata": programdata.to_string(),
            "bytes": bytes,
            "max_len": old.bytes().len(),
            "slot": 0,
            "upgrade_authority": authority.pubkey().to_string(),
            "immutable": false,
            "sha256": rig.program(&escrow_client::escrow::ID).await.hash().to_string(),
            "expected_sha256": new_hash,
            "is_expected": false,
        })
    );
    // The same for people.
    let shown = run(&["show", "--sha256", &old_hash, "--url", url]).await;
    assert!(text(&shown.stdout).contains(&format!("sha256             {old_hash}, as expected")));

    assert!(with(&["verify", "--sha256", &old_hash]).await.status.success());
    let other = with(&["verify", "--sha256", &new_hash]).await;
    assert!(!other.status.success() && other.stdout.is_empty());
    assert!(json(&other.stderr)["error"].as_str().unwrap().contains("is NOT the one"));

    // Not these bytes; not this authority.
    let refused = with(&["upgrade", "--elf", &elf, "--sha256", &old_hash, "--upgrade-authority", &owner]).await;
    assert!(!refused.status.success());
    assert!(json(&refused.stderr)["error"].as_str().unwrap().contains("not the bytes that were named"));
    let refused = with(&["upgrade", "--elf", &elf, "--sha256", &new_hash]).await;
    assert!(!refused.status.success());
    assert!(json(&refused.stderr)["error"].as_str().unwrap().contains("upgrade authority"));

    let upgrade = ["upgrade", "--elf", &elf, "--sha256", &new_hash, "--upgrade-authority", &owner];
    let upgraded = with(&upgrade).await;
    assert!(upgraded.status.success(), "{}", text(&upgraded.stderr));
    let result = json(&upgraded.stdout);
    assert_eq!((&result["sha256"], &result["changed"]), (&json!(new_hash), &json!(true)));
    assert!(with(&["verify", "--sha256", &new_hash]).await.status.success());
    let again = with(&upgrade).await;
    assert_eq!(json(&again.stdout)["changed"], json!(false));
    let again = run(&[&upgrade[..], &["--url", url, "--keypair", &payer]].concat()).await;
    assert!(again.status.success() && text(&again.stdout).starts_with("nothing to do: "), "{}", text(&again.stdout));

    let unsure = with(&["set-authority", "--final", "--upgrade-authority", &owner]).await;
    assert!(!unsure.status.success());
    assert!(json(&unsure.stderr)["error"].as_str().unwrap().contains("--yes"));
    let handed = with(&["set-authority", &payer, "--upgrade-authority", &owner]).await;
    assert_eq!(json(&handed.stdout)["upgrade_authority"], json!(rig.payer.pubkey().to_string()));
    let ended = with(&["set-authority", "--final", "--yes"]).await;
    assert_eq!(json(&ended.stdout)["immutable"], json!(true), "{}", text(&ended.stderr));
}

#[tokio::test]
async fn another_keypair_than_the_declared_one_is_refused() {
    let (rig, folder, program) = (Rig::new().await, Folder::new(), Keypair::new());
    let payer = folder.keypair("payer.json", &rig.payer);
    let key = folder.keypair("program.json", &program);
    let hash = committed().hash().to_string();
    let before = rig.balance().await;
    let arguments = ["deploy", "--program-keypair", &key, "--sha256", &hash, "-u", rig.net.rpc_url(), "-k", &payer];
    let refused = run(&arguments).await;
    assert!(!refused.status.success() && refused.stdout.is_empty());
    let error = text(&refused.stderr);
    assert!(error.contains(&program.pubkey().to_string()) && error.contains("declare_id!"), "{error}");
    assert_eq!(rig.balance().await, before);

    // Nothing is deployed, and there is no buffer: that is said, too.
    let missing = run(&["show", "-u", rig.net.rpc_url()]).await;
    assert!(!missing.status.success() && text(&missing.stderr).contains("there is no program"));
    let missing = run(&["close-buffer", "--sha256", &hash, "-u", rig.net.rpc_url(), "-k", &payer]).await;
    assert!(!missing.status.success() && text(&missing.stderr).contains("there is no buffer"));
}

#[tokio::test]
async fn nobody_is_asked_but_the_node_that_was_named() {
    // No configuration and no URL: this machine, where nobody listens on the port, or somebody who has no such program.
    let folder = Folder::new();
    let nowhere = run(&["show", "--url", "http://127.0.0.1:1", "--output", "json-compact"]).await;
    assert!(!nowhere.status.success());
    assert!(json(&nowhere.stderr)["error"].as_str().unwrap().contains("http://127.0.0.1:1"));
    let config = folder.file("config.yml", b"not a configuration");
    let broken = run(&["show", "-C", &config]).await;
    assert!(!broken.status.success() && text(&broken.stderr).contains("configuration"));
    let unknown = run(&["show", "--url", "mainnet"]).await;
    assert!(!unknown.status.success() && text(&unknown.stderr).contains("mainnet-beta"));
}

#[tokio::test]
async fn a_killed_process_is_taken_up_by_the_next_one() {
    let folder = Folder::new();
    let (old, new, owner) = (variant(7), committed(), Keypair::new());
    let preloaded = Preloaded::new(escrow_client::escrow::ID, old.bytes().to_vec()).upgradeable_by(owner.pubkey());
    let rig = Rig::with(Config::bare().with_program(preloaded)).await;
    rig.net.fund(&owner.pubkey(), 10 * SOL).await.unwrap();
    let key = folder.keypair("owner.json", &owner);
    let elf = folder.file("new.so", new.bytes());
    let (hash, url) = (new.hash().to_string(), rig.net.rpc_url());
    let arguments = ["upgrade", "--elf", &elf, "--sha256", &hash, "--url", url, "--keypair", &key];

    let mut first = tokio::process::Command::new(env!("CARGO_BIN_EXE_escrow-migrate"))
        .args([&arguments[..], &["--parallel", "1"]].concat())
        .env_clear()
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // As soon as some pieces are written; one by one, the whole takes most of a minute.
    let started = 10 * SOL - rig.rent(BUFFER_HEADER + new.bytes().len()).await;
    while rig.net.balance(&owner.pubkey()).await.unwrap() > started - 5 * FEE {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    first.kill().await.unwrap();

    let second = run(&arguments).await;
    assert!(second.status.success(), "{}", text(&second.stderr));
    assert!(text(&second.stderr).contains("going on with the buffer"), "{}", text(&second.stderr));
    assert!(rig.program(&escrow_client::escrow::ID).await.is(&new));
    // What was on the way when the process died may have been written twice.
    let fees = (1 + writes(&new, PIECE) as u64 + 1) * FEE;
    let spent = 10 * SOL - rig.net.balance(&owner.pubkey()).await.unwrap();
    assert!((fees..=fees + FEE).contains(&spent), "{spent}, not {fees}");
}
