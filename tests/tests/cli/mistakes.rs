//! What happens when somebody gets it wrong: the exit code, and a message that says what to do.

use solana_pubkey::Pubkey;

use crate::{DAY, Folder, Ran, Stage, command};

#[tokio::test]
async fn the_wrong_persons_keypair() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --arbiter {arbiter} --attester {stranger} --fund");
    let unfunded = stage.create("--amount 1 --deliver-by 9d");
    for (who, line, owner, role) in [
        ("seller", format!("release {escrow}"), "buyer", "the buyer"),
        ("seller", format!("fund {unfunded}"), "buyer", "the buyer"),
        ("seller", format!("dispute {escrow}"), "buyer", "the buyer"),
        ("buyer", format!("refund {escrow}"), "seller", "the seller"),
        ("seller", format!("deliver {escrow}"), "stranger", "the attester"),
        ("buyer", format!("deliver {unfunded}"), "seller", "the seller"),
        ("buyer", format!("rule {escrow} --seller-share 1"), "arbiter", "the arbiter"),
    ] {
        let (owner, signer) = (stage.address(owner).to_string(), stage.address(who).to_string());
        stage.types(who, &line).fails(3, &[&owner, &signer, role]);
    }
    let line = "create --buyer {buyer} --seller {seller} --amount 1 --deliver-by 9d --fund";
    let (owner, signer) = (stage.address("buyer").to_string(), stage.address("seller").to_string());
    stage.types("seller", line).fails(3, &[&owner, &signer, "the buyer"]);
}

#[tokio::test]
async fn a_keypair_that_cannot_be_read() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    stage.folder.write("empty.json", "");
    stage.folder.write("text.json", "secret");
    stage.folder.write("short.json", "[1,2,3]");
    for name in ["missing", "empty", "text", "short"] {
        let refused = stage.types(name, &format!("release {escrow}"));
        refused.fails(1, &["cannot read the keypair", &format!("{name}.json"), "--keypair"]);
    }
    // Reading needs no keypair.
    stage.types("missing", &format!("show {escrow}")).succeeds();
    stage.types("missing", "list").succeeds();
}

#[tokio::test]
async fn milestones_are_counted_from_one() {
    let stage = Stage::new().await;
    let escrow = stage.create("--milestone 1,9d --milestone 2,9d --fund");
    for line in ["release", "refund", "expire", "deliver", "dispute", "propose --seller-amount 1"] {
        let who = if matches!(line, "refund" | "deliver") { "seller" } else { "buyer" };
        stage.types(who, &format!("{line} {escrow}")).fails(2, &["2 milestones", "--milestone", "1 to 2"]);
        stage.types(who, &format!("{line} {escrow} -m 0")).fails(2, &["no milestone 0", "counted from 1"]);
        stage.types(who, &format!("{line} {escrow} -m 3")).fails(2, &["no milestone 3", "it has 2"]);
        stage.types(who, &format!("{line} {escrow} -m 255")).fails(2, &["no milestone 255"]);
        stage.types(who, &format!("{line} {escrow} -m 256")).fails(2, &["256"]);
        stage.types(who, &format!("{line} {escrow} -m one")).fails(2, &["one"]);
    }
    stage.types("buyer", &format!("release {escrow} -m 2")).succeeds().shows(&["milestone 2", "2 SOL"]);
    // With one milestone its number may be left out, and may not be wrong.
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    stage.types("buyer", &format!("release {escrow} -m 2")).fails(2, &["no milestone 2"]);
    stage.types("buyer", &format!("release {escrow}")).succeeds();
}

#[tokio::test]
async fn amounts_that_are_none() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    for (amount, reason) in [
        ("0.0000000001", "9"),
        ("abc", "\"abc\" is not an amount"),
        ("1,5", "\"1,5\" is not an amount"),
        ("1e9", "is not an amount"),
        ("0x10", "is not an amount"),
        ("1SOL", "is not an amount"),
        ("+1", "is not an amount"),
        (".", "is not an amount"),
        ("99999999999999999999999", "more than an escrow can hold"),
        ("18446744073.709551616", "more than an escrow can hold"),
        ("0", "greater than zero"),
        ("1.000000001", "more than what remains"),
    ] {
        // What is an amount is refused by a rule; what is none is a mistake in the command line.
        let code = if ["0", "1.000000001"].contains(&amount) { 3 } else { 2 };
        for (who, what) in [("buyer", "release"), ("seller", "refund")] {
            stage.types(who, &format!("{what} {escrow} --amount {amount}")).fails(code, &[reason]);
        }
    }
    for (terms, reason) in [
        ("--mint {mint} --amount 0.0000001", "this asset has 6"),
        ("--amount 0", "greater than zero"),
        ("--amount 18446744073.709551616", "more than an escrow can hold"),
        ("--amount 1.5.5", "is not an amount"),
    ] {
        let line = format!("create --seller {{seller}} --deliver-by 9d {terms}");
        let code = if terms == "--amount 0" { 3 } else { 2 };
        stage.types("buyer", &line).fails(code, &[reason]);
    }
    let sum = "--milestone 18000000000,9d --milestone 18000000000,9d";
    stage.types("buyer", &format!("create --seller {{seller}} {sum}")).fails(3, &["64-bit"]);
    // Nothing of all this was sent.
    assert_eq!(stage.asks("buyer", &format!("show {escrow}"))["milestones"][0]["remaining"]["text"], "1 SOL");
    assert_eq!(stage.asks("buyer", "list").as_array().unwrap().len(), 1);
}

/// `-5` is an amount that makes no sense, and not an option.
#[tokio::test]
async fn a_negative_amount_is_called_one() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --fund");
    stage.types("buyer", &format!("release {escrow} --amount=-5")).fails(2, &["\"-5\" is not an amount"]);
    let refused = stage.types("buyer", &format!("release {escrow} --amount -5"));
    assert!(refused.code != Some(0), "{refused:#?}");
    assert!(refused.err.contains("\"-5\" is not an amount"), "{refused:#?}");
}

#[tokio::test]
async fn times_that_are_none() {
    let stage = Stage::new().await;
    for (terms, code, reason) in [
        ("--deliver-by 2020-01-01T00:00:00Z", 3, "A delivery deadline must lie in the future"),
        ("--deliver-by 0s", 3, "A delivery deadline must lie in the future"),
        ("--deliver-by 3y", 3, "two years"),
        ("--deliver-by 9000-01-01T00:00:00Z", 3, "two years"),
        ("--deliver-by tomorrow", 2, "7d"),
        ("--deliver-by 7", 2, "7d"),
        ("--deliver-by 2026-12-24", 2, "2026-12-24T18:00:00Z"),
        ("--deliver-by 99999999999999999999d", 2, "7d"),
        ("--deliver-by 9d --fund-by 2020-01-01T00:00:00Z", 3, "funding deadline has passed"),
        ("--deliver-by 9d --fund-by 3y", 3, "two years"),
        ("--deliver-by 9d --review 0s", 3, "review window"),
        ("--deliver-by 9d --review 366d", 3, "365 days"),
        ("--deliver-by 9d --review 3", 2, "3d"),
        ("--deliver-by 9d --review -1d", 2, "-1"),
        ("--deliver-by 9d --review 200years", 2, "too long"),
        ("--deliver-by 9d --ruling-window 0s", 3, "ruling window must not be 0"),
        ("--deliver-by 9d --ruling-window 366d", 3, "365 days"),
        ("--deliver-by 9d --cooling-off 9d", 3, "cooling-off period must end before"),
    ] {
        stage.types("buyer", &format!("create --seller {{seller}} --amount 1 {terms}")).fails(code, &[reason]);
    }
    assert_eq!(stage.asks("buyer", "list").as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn terms_that_break_a_rule() {
    let stage = Stage::new().await;
    let nine = "--milestone 1,9d ".repeat(9);
    let one = "--amount 1 --deliver-by 9d";
    for (who, terms, code, reason) in [
        ("buyer", "--seller {seller}".to_owned(), 2, "--amount"),
        ("buyer", "--seller {seller} --amount 1".to_owned(), 2, "--deliver-by"),
        ("buyer", one.to_owned(), 2, "--seller"),
        ("buyer", format!("--seller nobody {one}"), 2, "nobody"),
        ("buyer", format!("--seller {{seller}} {nine}"), 3, "1 to 8 milestones"),
        ("buyer", format!("--seller {{seller}} {one} --milestone 1,9d"), 2, "--milestone"),
        ("seller", format!("--seller {{seller}} {one}"), 3, "have the same address"),
        ("buyer", format!("--seller {{seller}} --arbiter {{buyer}} {one}"), 3, "have the same address"),
        ("buyer", format!("--seller {{seller}} {one} --fee 1"), 2, "--fee-recipient"),
        ("buyer", format!("--seller {{seller}} {one} --fee-recipient {{stranger}}"), 2, "--fee"),
        ("buyer", format!("--seller {{seller}} {one} --fee 10.01 --fee-recipient {{stranger}}"), 3, "10 %"),
        ("buyer", format!("--seller {{seller}} {one} --fee 100.01 --fee-recipient {{stranger}}"), 2, "100 %"),
        ("buyer", format!("--seller {{seller}} {one} --fee 0.001 --fee-recipient {{stranger}}"), 2, "two decimals"),
        ("buyer", format!("--seller {{seller}} {one} --arbiter-fee 1"), 2, "--arbiter"),
        ("buyer", format!("--seller {{seller}} {one} --unruled 101"), 2, "100 %"),
        ("buyer", format!("--seller {{seller}} {one} --unruled half"), 2, "2.5%"),
        ("buyer", format!("--seller {{seller}} {one} --accept-risk everything"), 2, "permanent-delegate"),
        ("buyer", format!("--seller {{seller}} {one} --hashlock 00"), 2, "64 hexadecimal digits"),
        ("buyer", format!("--seller {{seller}} {one} --document missing.txt"), 1, "missing.txt"),
        ("buyer", format!("--seller {{seller}} {one} --mint {{seller}}"), 1, "not a token's mint"),
    ] {
        stage.types(who, &format!("create {terms}")).fails(code, &[reason]);
    }
    let hashlock = "11".repeat(32);
    let two = format!("create --seller {{seller}} --milestone 1,9d --milestone 1,9d --hashlock {hashlock}");
    stage.types("buyer", &two).fails(3, &["single milestone"]);
}

/// The mistakes that need no node to be seen are mistakes of usage, like those that the parser finds.
#[test]
fn mistakes_in_the_command_line_exit_with_two() {
    let folder = Folder::new();
    for line in ["-u bogus list", "localnet --rpc-port 65535"] {
        let output = command(&folder).args(line.split(' ')).output().unwrap();
        Ran::new(line, output).fails(2, &["error: "]);
    }
}

#[tokio::test]
async fn addresses_where_no_escrow_is() {
    let stage = Stage::new().await;
    let nowhere = Pubkey::new_unique().to_string();
    let (mint, wallet) = (stage.mint.address.to_string(), stage.address("seller").to_string());
    let program = escrow_client::escrow::ID.to_string();
    for what in ["show", "fund", "cancel", "deliver", "release", "refund", "dispute", "expire", "withdraw", "close"] {
        for address in [&nowhere, &wallet] {
            let refused = stage.types("buyer", &format!("{what} {address}"));
            refused.fails(1, &["there is no escrow at", address, stage.net.rpc_url()]);
        }
        for address in [&mint, &program] {
            stage.types("buyer", &format!("{what} {address}")).fails(1, &[address, "is not an escrow"]);
        }
        stage.types("buyer", &format!("{what} nonsense")).fails(2, &["nonsense"]);
        stage.types("buyer", what).fails(2, &["<ESCROW>"]);
    }
    stage.types("buyer", &format!("history {nowhere}")).fails(1, &[&nowhere]);
}

#[tokio::test]
async fn everything_happens_once_and_in_its_time() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d --cooling-off 1h --fund-by 2d");
    for (who, what, reason) in [
        ("buyer", "release", "not funded"),
        ("seller", "refund", "not funded"),
        ("seller", "deliver", "not funded"),
        ("buyer", "expire", "not funded"),
        ("buyer", "close", "not funded"),
        ("stranger", "cancel", "the buyer, the seller or the rent payer"),
        ("seller", "withdraw", "owes nobody anything"),
    ] {
        stage.types(who, &format!("{what} {escrow}")).fails(3, &[reason]);
    }
    stage.types("buyer", &format!("fund {escrow}")).succeeds();
    stage.types("buyer", &format!("fund {escrow}")).fails(3, &["funded already"]);
    stage.types("seller", &format!("deliver {escrow}")).fails(3, &["cooling-off period is not over"]);
    stage.types("seller", &format!("cancel {escrow}")).fails(3, &["buyer"]);
    stage.net.advance_time(3_600).await.unwrap();
    stage.types("buyer", &format!("cancel {escrow}")).fails(3, &["cooling-off period is over"]);
    stage.types("buyer", &format!("dispute {escrow}")).fails(3, &["not delivered"]);
    stage.types("buyer", &format!("expire {escrow}")).fails(3, &["deadline has not come yet"]);
    stage.types("seller", &format!("deliver {escrow}")).succeeds();
    stage.types("seller", &format!("deliver {escrow}")).fails(3, &["not pending"]);
    stage.types("buyer", &format!("close {escrow}")).fails(3, &["not settled"]);
    stage.types("buyer", &format!("release {escrow}")).succeeds();
    stage.types("buyer", &format!("release {escrow}")).fails(3, &["settled"]);
    stage.types("buyer", &format!("close {escrow}")).fails(3, &["not withdrawn"]);
    stage.types("seller", &format!("withdraw {escrow} --recipient buyer")).fails(3, &["owes the buyer nothing"]);
    stage.types("seller", &format!("withdraw {escrow}")).succeeds();
    stage.types("seller", &format!("withdraw {escrow}")).fails(3, &["owes nobody anything"]);
    stage.types("buyer", &format!("close {escrow}")).fails(3, &["funding deadline"]);
    stage.net.advance_time(2 * DAY).await.unwrap();
    stage.types("buyer", &format!("close {escrow}")).succeeds();
    stage.types("buyer", &format!("close {escrow}")).fails(1, &["closed already"]);
}

#[tokio::test]
async fn sol_has_no_token_accounts() {
    let stage = Stage::new().await;
    let escrow = stage.create("--amount 1 --deliver-by 9d");
    stage.types("buyer", &format!("fund {escrow} --from {{buyer}}")).fails(2, &["SOL", "--from"]);
    stage.types("buyer", &format!("fund {escrow}")).succeeds();
    stage.types("buyer", &format!("release {escrow}")).succeeds();
    let withdraw = format!("withdraw {escrow} --recipient seller --to {{seller}}");
    stage.types("seller", &withdraw).fails(2, &["SOL", "--to"]);
    stage.types("seller", &format!("withdraw {escrow} --to {{seller}}")).fails(2, &["--recipient"]);
    stage.types("seller", &format!("withdraw {escrow} --recipient nobody")).fails(2, &["buyer, seller, fee, arbiter"]);
}

#[tokio::test]
async fn not_enough_money() {
    let stage = Stage::new().await;
    let line = "create --seller {seller} --deliver-by 9d --fund";
    let sol = stage.types("buyer", &format!("{line} --amount 1000000"));
    sol.fails(3, &["does not hold enough SOL"]);
    let tokens = stage.types("buyer", &format!("{line} --mint {{mint}} --amount 1000000"));
    tokens.fails(3, &["does not hold enough tokens"]);
    let none = stage.types("seller", "create --seller {buyer} --deliver-by 9d --mint {mint} --amount 1 --fund");
    none.fails(3, &["token account"]);
    stage.folder.write("poor.json", serde_json::to_vec(solana_keypair::Keypair::new().to_bytes().as_slice()).unwrap());
    stage.types("poor", "create --seller {seller} --deliver-by 9d --amount 1").fails(3, &["send it some SOL"]);
    assert_eq!(stage.asks("buyer", "list").as_array().unwrap().len(), 0);
}

/// An address with a hidden key in its path or query stays out of messages.
#[tokio::test]
async fn a_node_that_is_not_there_is_named_without_its_secret() {
    let folder = Folder::new();
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}/path-secret?api-key=secret");
    let ran = Ran::new("list", command(&folder).args(["-u", &url, "list"]).output().unwrap());
    let ran = ran.fails(1, &[&format!("http://127.0.0.1:{port}")]);
    assert!(!ran.err.contains("secret"), "{ran:#?}");
}
