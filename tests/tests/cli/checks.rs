//! What is looked at before money goes somewhere.

use escrow_fault_proxy::{Fault, Lie, Plan, Proxy, Rule};
use escrow_localnet::TokenProgram;
use sha2::{Digest, Sha256};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::{create_account, transfer};

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
    let nobody = Pubkey::new_unique();
    let created = stage.types("buyer", &format!("create --seller {nobody} --amount 1 --deliver-by 9d")).succeeds();
    assert!(created.err.contains("no account yet"), "{created:#?}");
}

/// An address that differs from one's own, or from one that is known, by a character is hardly ever meant.
#[tokio::test]
async fn a_look_alike_is_stopped() {
    let stage = Stage::new().await;
    let alike = |address: Pubkey| {
        let text = address.to_string();
        let last = text.chars().last().unwrap();
        let others = "123456789abcdef".chars().filter(|letter| *letter != last);
        others.map(|letter| format!("{}{letter}", &text[..text.len() - 1])).find(|text| text.parse::<Pubkey>().is_ok())
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
    let nobody = Pubkey::new_unique();
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

/// A mint of Token-2022 that calls itself by this symbol, made as its issuer makes it.
async fn mint_called(stage: &Stage, symbol: &str) -> Pubkey {
    let (program, issuer, mint) = (TokenProgram::Token2022.id(), stage.keypair("stranger"), Keypair::new());
    let (authority, address) = (issuer.pubkey(), mint.pubkey());
    let call =
        |data: &[&[u8]], accounts: Vec<AccountMeta>| Instruction::new_with_bytes(program, &data.concat(), accounts);
    let text = |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat();
    let initialize = &Sha256::digest("spl_token_metadata_interface:initialize_account")[..8];
    let metadata = [
        AccountMeta::new(address, false),
        AccountMeta::new_readonly(authority, false),
        AccountMeta::new_readonly(address, false),
        AccountMeta::new_readonly(authority, true),
    ];
    let made = [
        // Room for where its metadata is; they themselves come behind it, for which there is rent.
        create_account(&authority, &address, 10_000_000, 234, &program),
        call(&[&[39, 0], authority.as_array(), address.as_array()], vec![AccountMeta::new(address, false)]),
        call(&[&[20, 6], authority.as_array(), &[0]], vec![AccountMeta::new(address, false)]),
        call(&[initialize, &text("USD Coin"), &text(symbol), &text("")], metadata.to_vec()),
    ];
    stage.net.send(&made, &[issuer, &mint]).await.unwrap();
    address
}

/// On mainnet, a token that only calls itself a stablecoin is named as another one, before anything is signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_calls_itself_a_stablecoin_is_told_from_it() {
    let stage = Stage::new().await;
    // With a letter that only looks like a C.
    let mint = mint_called(&stage, "USD\u{421}").await;
    // The same on mainnet.
    let mainnet = Lie::GenesisHash("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d".to_owned());
    let plan = Plan::new([Rule::on("getGenesisHash", Fault::Lie(mainnet))]);
    let proxy = Proxy::start([stage.net.rpc_url()], plan).await.unwrap();
    let types = |line: &str| {
        let mut command = command(&stage.folder);
        let words = stage.words(&format!("--url {} --keypair buyer.json {line}", proxy.url()));
        Ran::new(line, command.args(words).output().unwrap())
    };
    let other = "is not the USDC: the mint of that is EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v, by Circle";
    let seen = types(&format!("check {mint}")).succeeds();
    seen.shows(&["mainnet-beta", "6 decimals", "calls itself \"USD\u{421}\"", other]);
    types(&format!("check {mint} --strict")).fails(3, &["--strict", other]);
    let terms =
        format!("create --seller {{seller}} --arbiter {{arbiter}} --mint {mint} --amount 1 --deliver-by 9d --dry-run");
    types(&terms).succeeds().shows(&["What could go against one of you", other]);
    let plain = types("check {mint}").succeeds();
    assert!(!plain.out.contains("USDC"), "{plain:#?}");
    proxy.shutdown().await;
    // Where no stablecoin is known a symbol means nothing.
    let private = stage.types_only("buyer", &format!("check {mint}")).succeeds();
    assert!(!private.out.contains("USDC"), "{private:#?}");
}

/// A record that one person could have made alone says so, and `--strict` refuses it.
#[tokio::test]
async fn a_record_that_could_be_faked_is_flagged() {
    let stage = Stage::new().await;
    let (funder, sponsor) = (stage.keypair("stranger"), stage.net.payer().await.unwrap().pubkey().to_string());
    // Wallets of people who deal with the seller, filled by one of them.
    for (index, name) in ["one", "two", "three"].into_iter().enumerate() {
        let person = Keypair::new();
        let gift = transfer(&funder.pubkey(), &person.pubkey(), 5 * crate::SOL);
        stage.net.send(&[gift], &[funder]).await.unwrap();
        stage.folder.write(&format!("{name}.json"), serde_json::to_vec(person.to_bytes().as_slice()).unwrap());
        let seller = stage.types_only("buyer", "check {seller}").succeeds();
        assert!(!seller.out.contains("everybody they dealt with"), "with {index}: {}", seller.out);
        let terms = "create --seller {seller} --arbiter {arbiter} --amount 1 --deliver-by 9d --fund";
        let escrow = stage.asks(name, terms)["address"].as_str().unwrap().to_owned();
        stage.asks(name, &format!("release {escrow}"));
    }
    let seller = stage.types_only("buyer", "check {seller}").succeeds();
    seller.shows(&[
        &sponsor,
        "everybody they dealt with",
        "3 deals were settled within ten minutes",
        "3 different people",
    ]);
    stage.types_only("buyer", "check {seller} --strict").fails(3, &["--strict", "everybody they dealt with"]);
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
