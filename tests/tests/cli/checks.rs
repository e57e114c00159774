//! What is looked at before money goes somewhere.

use crate::{Folder, Ran, Stage, command};

fn contacts(stage: &Stage, words: &str) -> Ran {
    stage.types_only("buyer", &format!("contacts {words}"))
}

/// A mint, a program, an escrow and a token account are no sellers.
#[tokio::test]
async fn what_cannot_act_is_no_seller() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d");
    let mint = stage.mint.address.to_string();
    let tokens = stage.mint.associated_account(&stage.address("buyer")).to_string();
    let program = stage.mint.token_program.id().to_string();
    let terms = "--amount 1 --deliver-by 9d --fund";
    for (seller, what) in
        [(&mint, "a token's mint"), (&tokens, "a token account"), (&program, "a program"), (&escrow, "an escrow")]
    {
        let refused = stage.types("buyer", &format!("create --seller {seller} {terms}"));
        refused.fails(3, &[seller, what, "--allow-any-seller"]);
    }
    stage.types("buyer", &format!("create --seller {escrow} --amount 1 --deliver-by 9d --allow-any-seller")).succeeds();
    // Somebody who has nothing yet may be one; it is said.
    let nobody = solana_pubkey::Pubkey::new_unique();
    let created = stage.types("buyer", &format!("create --seller {nobody} --amount 1 --deliver-by 9d")).succeeds();
    assert!(created.err.contains("no account yet"), "{created:#?}");
}

/// An address that differs from one's own, or from one that is known, by a character is hardly ever meant.
#[tokio::test]
async fn a_look_alike_is_stopped() {
    let stage = Stage::new().await;
    let alike = |address: solana_pubkey::Pubkey| {
        let text = address.to_string();
        let last = text.chars().last().unwrap();
        let others = "123456789abcdef".chars().filter(|letter| *letter != last);
        others
            .map(|letter| format!("{}{letter}", &text[..text.len() - 1]))
            .find(|text| text.parse::<solana_pubkey::Pubkey>().is_ok())
    };
    let own = alike(stage.address("buyer")).unwrap();
    let create = |seller: &str| format!("create --seller {seller} --amount 1 --deliver-by 9d");
    stage.types("buyer", &create(&own)).fails(3, &["looks like your own address", &own, "--allow-any-seller"]);
    // Somebody unknown looks like nobody; once they have a name they can be imitated.
    let seller = alike(stage.address("seller")).unwrap();
    contacts(&stage, "add carpenter {seller}").succeeds().shows(&["carpenter"]);
    stage.types("buyer", &create(&seller)).fails(3, &["looks like @carpenter"]);
    contacts(&stage, &format!("add other {seller}")).fails(3, &["looks like carpenter's address"]);
    stage.types("buyer", &create("@carpenter")).succeeds().shows(&[&stage.address("seller").to_string(), "@carpenter"]);
    stage.types("buyer", &create("@carpentre")).fails(2, &["Did you mean @carpenter?"]);
    stage.types("buyer", &create(&seller).replace("--deliver", "--allow-any-seller --deliver")).succeeds();
}

#[tokio::test]
async fn contacts_are_named_imported_and_forgotten() {
    let stage = Stage::new().await;
    contacts(&stage, "").succeeds().shows(&["nobody is known yet"]);
    stage.create("--amount 1 --deliver-by 9d --arbiter {arbiter}");
    contacts(&stage, "import").succeeds().shows(&["seller-1", "arbiter-1", &stage.address("seller").to_string()]);
    contacts(&stage, "add seller-1 {stranger}").fails(3, &["already", "remove it first"]);
    contacts(&stage, "remove seller-1").succeeds();
    contacts(&stage, "remove seller-1").fails(3, &["nobody is called seller-1"]);
    contacts(&stage, "add a=b {seller}").fails(2, &["is not a name"]);
    let json = stage.types_only("buyer", "--output json contacts").succeeds().json();
    assert_eq!(json["contacts"][0]["name"], "arbiter-1");
}

/// The powers of a token's issuer are named before anything is signed, with what they mean and the option that accepts them.
#[tokio::test]
async fn an_issuers_powers_are_told_in_plain_words() {
    let stage = Stage::new().await;
    let config = escrow_localnet::MintConfig {
        freeze_authority: Some(stage.address("stranger")),
        ..escrow_localnet::MintConfig::default()
    };
    let mint = stage.net.create_mint(config).await.unwrap().address;
    let line = format!("create --seller {{seller}} --amount 1 --deliver-by 9d --mint {mint}");
    let refused = stage.types("buyer", &line);
    refused.fails(3, &["can freeze token accounts, yours and the escrow's", "--accept-risk freeze", &mint.to_string()]);
    let refused = stage.types("buyer", &format!("{line} --output json"));
    let error: serde_json::Value = serde_json::from_str(refused.err.lines().last().unwrap()).unwrap();
    assert_eq!(error["name"], "RiskNotAccepted");
    // Who has none of it is told so, with where it was looked for.
    let funded = stage.types("buyer", &format!("{line} --accept-risk freeze --fund"));
    funded.fails(3, &["there is no token account", &mint.to_string(), "1 token is needed"]);
    let plain = "create --seller {seller} --deliver-by 9d --fund";
    let much = stage.types("buyer", &format!("{plain} --amount 1000.5 --mint {{mint}}"));
    much.fails(3, &["it holds 1000 tokens, and 1000.5 tokens is needed"]);
    stage
        .types("buyer", &format!("{plain} --amount 1000"))
        .fails(3, &["does not hold enough SOL", "1000 SOL is needed"]);
}

/// What could never be paid out is said before it is paid in.
#[tokio::test]
async fn dust_for_an_empty_wallet_is_warned_of() {
    let stage = Stage::new().await;
    let nobody = solana_pubkey::Pubkey::new_unique();
    let created = stage.types("buyer", &format!("create --seller {nobody} --amount 0.0001 --deliver-by 9d")).succeeds();
    assert!(created.err.contains("cannot be paid into an empty wallet"), "{created:#?}");
    let enough = stage.types("buyer", &format!("create --seller {nobody} --amount 0.001 --deliver-by 9d")).succeeds();
    assert!(!enough.err.contains("empty wallet"), "{enough:#?}");
}

/// A counterparty's record comes from what the program did, however little a node tells of it.
#[tokio::test]
async fn a_record_tells_how_deals_ended() {
    let stage = Stage::new().await;
    let terms = "--amount 1 --deliver-by 9d --arbiter {arbiter} --fund";
    let released = stage.create(terms);
    stage.asks("buyer", &format!("release {released}"));
    stage.asks("seller", &format!("withdraw {released}"));
    stage.net.advance_time(2 * crate::DAY).await.unwrap();
    stage.asks("seller", &format!("close {released}"));
    let refunded = stage.create(terms);
    stage.asks("seller", &format!("refund {refunded}"));
    let open = stage.create(terms);
    let seller = stage.types_only("stranger", "check {seller}").succeeds();
    let seller = seller.shows(&[
        "a wallet",
        "thin:",
        "as the seller: 1 released by the buyer",
        "1 refunded by the seller",
        "1 open",
    ]);
    seller.shows(&["with 1 different person", "would have cost about", "a first deal: at most 0.5 SOL"]);
    stage.types_only("buyer", "check {seller}").succeeds().shows(&["known to you"]);
    stage.types_only("buyer", "check {stranger}").succeeds().shows(&["unknown:", "a small one"]);
    stage.types_only("stranger", &format!("check {open}")).succeeds().shows(&[
        "an escrow",
        "buyer:",
        "seller:",
        "arbiter:",
    ]);
    stage.types_only("stranger", "check {mint} --strict").fails(3, &["--strict", "no wallet"]);
}

/// A key that comes through standard input, as a password manager gives it.
#[tokio::test]
async fn a_key_on_standard_input() {
    use std::io::Write;

    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    let key = std::fs::read(stage.folder.0.join("buyer.json")).unwrap();
    for named in ["-", "stdin:"] {
        let mut command = command(&stage.folder);
        command.args([
            "--url",
            stage.net.rpc_url(),
            "-k",
            named,
            "release",
            &escrow,
            "--amount",
            "0.1",
            "--yes",
            "--again",
        ]);
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&key).unwrap();
        Ran::new(named, child.wait_with_output().unwrap()).succeeds().shows(&["0.1 SOL"]);
    }
}

#[test]
fn errors_are_explained_without_a_node() {
    let folder = Folder::new();
    let run = |words: &[&str]| Ran::new(words.join(" "), command(&folder).args(words).output().unwrap());
    run(&["explain", "6060"]).succeeds().shows(&["RiskNotAccepted"]);
    run(&["explain", "exit-codes"]).succeeds().shows(&["5  you said no", "8  not yet"]);
    run(&["help", "exit-codes"]).succeeds().shows(&["5  you said no"]);
    run(&["explain", "RiskNotAcepted"]).fails(2, &["Did you mean RiskNotAccepted?"]);
}
