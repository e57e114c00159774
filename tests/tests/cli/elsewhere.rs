//! Signatures that are made where there is no network, and sent where there is one.

use serde_json::Value;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{DAY, Folder, Ran, Stage, command};

/// A machine without a network, on which the escrow's state was carried.
fn offline(stage: &Stage, words: &str) -> Ran {
    let mut command = command(&stage.folder);
    let line = format!("-u http://127.0.0.1:1 --state state.json --output json {words}");
    Ran::new(words, command.args(stage.words(&line)).output().unwrap())
}

fn signature(printed: &Value) -> String {
    printed["transactions"][0]["signatures"][0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_signed_elsewhere_is_sent_here() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let shown = stage.types_only("buyer", &format!("show {escrow} --output json")).succeeds().out;
    stage.folder.write("state.json", &shown);
    let hash = stage.net.rpc().get_latest_blockhash().await.unwrap();
    let release = format!("release {escrow} --amount 0.4 --blockhash {hash}");
    let signed = offline(&stage, &format!("{release} --sign-only -k buyer.json")).succeeds().json();
    let given = format!("--signer {}", signature(&signed));
    // Here there is no key: only the address, and the signature.
    let send = |line: &str| {
        let mut command = command(&stage.folder);
        let line = format!("--url {} --keypair {{buyer}} --yes {line}", stage.net.rpc_url());
        Ran::new(line.clone(), command.args(stage.words(&line)).output().unwrap())
    };
    send(&format!("release {escrow} --amount 0.4 {given}")).fails(2, &["--blockhash", "--nonce"]);
    send(&format!("release {escrow} --amount 0.5 --blockhash {hash} {given}")).fails(2, &["was signed"]);
    send(&format!("{release} --signer nonsense")).fails(2, &["is not ADDRESS=SIGNATURE"]);
    send(&format!("{release} {given} --no-wait")).fails(2, &["leave out --no-wait"]);
    let before = stage.sol("buyer").await;
    send(&format!("{release} {given}")).succeeds().shows(&["released 0.4 SOL"]);
    assert_eq!(before - stage.sol("buyer").await, 5_000, "the fee, and nothing else");
    // Twice is once: the same bytes are the same transaction, and the escrow is no longer as it was signed for.
    send(&format!("{release} {given}")).fails(2, &["was signed"]);
    assert_eq!(stage.asks("buyer", &format!("show {escrow}"))["milestones"][0]["remaining"]["text"], "0.6 SOL");
}

/// The transaction is built twice, and the escrow is the same both times: its address follows from the block hash.
#[tokio::test]
async fn an_escrow_is_created_with_a_signature_from_elsewhere() {
    let stage = Stage::new().await;
    let hash = stage.net.rpc().get_latest_blockhash().await.unwrap();
    let present = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = |days: u64| escrow_client::words::Time::new((present + days * DAY) as i64, 0).rfc3339();
    let (deliver, fund) = (at(60), at(30));
    let parties = "create --seller {seller} --arbiter {arbiter} --amount 1 --fund";
    let create = format!("{parties} --deliver-by {deliver} --fund-by {fund} --blockhash {hash}");
    let run = |line: String| {
        let mut command = command(&stage.folder);
        let line = format!("--url {} --yes --output json {line}", stage.net.rpc_url());
        Ran::new(line.clone(), command.args(stage.words(&line)).output().unwrap())
    };
    let signed = run(format!("{create} --sign-only -k buyer.json")).succeeds().json();
    let again = run(format!("{create} --sign-only -k buyer.json")).succeeds().json();
    assert_eq!(signed["transactions"], again["transactions"], "the same bytes");
    let given = format!("-k {{buyer}} --signer {}", signature(&signed));
    for (line, why) in [
        (format!("{parties} --deliver-by 9d --fund-by {fund} --blockhash {hash} {given}"), "every deadline is a time"),
        (format!("{parties} --deliver-by {deliver} --blockhash {hash} {given}"), "name --fund-by"),
        (format!("{parties} --deliver-by {deliver} --fund-by {fund} {given}"), "--blockhash"),
        (format!("{create} --delivery-code {given}"), "--hashlock"),
        (format!("{create} --undelivered 1 {given}"), "was signed"),
    ] {
        run(line).fails(2, &[why]);
    }
    let created = run(format!("{create} {given}")).succeeds().json();
    let escrow = created["address"].as_str().unwrap();
    assert_eq!(stage.asks("seller", &format!("show {escrow}"))["status"], "funded");
    // The same bytes are the same transaction: whoever sends them again is told what became of it, and pays nothing.
    let before = stage.sol("buyer").await;
    let again = run(format!("{create} {given}")).succeeds().json();
    assert_eq!((&again["signature"], &again["address"]), (&created["signature"], &created["address"]));
    assert_eq!(stage.sol("buyer").await, before);
}

/// Two hands: who pays the fee signs here, and the buyer elsewhere.
#[tokio::test]
async fn several_sign_one_transaction() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let shown = stage.types_only("buyer", &format!("show {escrow} --output json")).succeeds().out;
    stage.folder.write("state.json", &shown);
    let hash = stage.net.rpc().get_latest_blockhash().await.unwrap();
    let release = format!("release {escrow} --blockhash {hash}");
    let signed =
        offline(&stage, &format!("{release} --sign-only -k buyer.json --fee-payer {{stranger}}")).succeeds().json();
    assert_eq!(signed["transactions"][0]["missing"], serde_json::json!([stage.address("stranger").to_string()]));
    let given = format!("--signer {}", signature(&signed));
    let send = |payer: &str| {
        let mut command = command(&stage.folder);
        let url = stage.net.rpc_url();
        let line = format!("--url {url} --keypair {{buyer}} --yes {release} {given} --fee-payer {payer}");
        Ran::new(line.clone(), command.args(stage.words(&line)).output().unwrap())
    };
    send("{stranger}").fails(2, &["would have to sign too", &stage.address("stranger").to_string()]);
    let before = (stage.sol("buyer").await, stage.sol("stranger").await);
    send("stranger.json").succeeds().shows(&["released 1 SOL"]);
    assert_eq!((stage.sol("buyer").await, stage.sol("stranger").await), (before.0, before.1 - 2 * 5_000));
}

/// With a durable nonce there is time: it is sent long after its block hash would have been forgotten.
#[tokio::test]
async fn a_nonce_gives_time_to_sign() {
    let stage = Stage::new().await;
    let (account, authority) = (Keypair::new(), stage.keypair("arbiter"));
    let payer = stage.keypair("stranger");
    let rent = stage.net.rpc().get_minimum_balance_for_rent_exemption(80).await.unwrap();
    let nonce = account.pubkey();
    let made = escrow_client::transaction::nonce::create(&payer.pubkey(), &nonce, &authority.pubkey(), rent);
    stage.net.send(&made, &[payer, &account]).await.unwrap();
    let value = async || {
        let data = stage.net.account(&nonce).await.unwrap().unwrap().data;
        Pubkey::new_from_array(data[40..72].try_into().unwrap()).to_string()
    };
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let shown = stage.types_only("buyer", &format!("show {escrow} --output json")).succeeds().out;
    stage.folder.write("state.json", &shown);
    let first = value().await;
    let release = format!("release {escrow} --amount 0.4 --nonce {nonce}");
    let line = format!("{release} --blockhash {first} --sign-only -k buyer.json");
    let signed = offline(&stage, &format!("{line} --nonce-authority arbiter.json")).succeeds().json();
    assert_eq!(signed["transactions"][0]["missing"], serde_json::json!([]), "{signed}");
    let signatures = signed["transactions"][0]["signatures"].as_array().unwrap();
    let given: Vec<String> = signatures.iter().map(|one| format!("--signer {}", one.as_str().unwrap())).collect();
    let send = || {
        let mut command = command(&stage.folder);
        let line = format!(
            "--url {} --keypair {{buyer}} --yes {release} --blockhash {first} --nonce-authority {{arbiter}} {}",
            stage.net.rpc_url(),
            given.join(" ")
        );
        Ran::new(line.clone(), command.args(stage.words(&line)).output().unwrap())
    };
    send().succeeds().shows(&["released 0.4 SOL"]);
    assert_ne!(value().await, first, "it is used up");
    send().fails(3, &["nothing was sent", &nonce.to_string(), "sign it anew"]);
    // And where all keys are here.
    let done =
        stage.types("buyer", &format!("release {escrow} --amount 0.1 --nonce {nonce} --nonce-authority arbiter.json"));
    done.succeeds().shows(&["released 0.1 SOL"]);
}

/// What is not built in is named, with what works instead.
#[test]
fn hardware_is_named() {
    let folder = Folder::new();
    let words = ["-u", "http://127.0.0.1:1", "-k", "usb://ledger", "contacts", "import"];
    let ran = Ran::new("a ledger", command(&folder).args(words).output().unwrap());
    ran.fails(1, &["usb://ledger", "solana-remote-wallet", "--dump-transaction-message", "--signer"]);
}
