//! What is not given away before the money is there for good.

use escrow_fault_proxy::{AccountLie, Fault, Lie, Plan, Proxy, Rule};
use sha2::{Digest, Sha256};

use crate::{DAY, Ran, Stage, command, terminal::at_a_terminal};

/// Somebody types a command, asking the node at this URL.
fn types_at(stage: &Stage, url: &str, who: &str, line: &str) -> Ran {
    let mut command = command(&stage.folder);
    let words = stage.words(line);
    command.args(["--url", url, "--keypair", &format!("{who}.json"), "--yes"]).args(&words);
    Ran::new(format!("{who}: escrow {line}"), command.output().unwrap())
}

/// Before a node that has the deposit, and for so many looks not as a final one.
async fn not_final_yet(stage: &Stage, escrow: &str, looks: u64) -> Proxy {
    let missing = Fault::Lie(Lie::Account { address: Some(escrow.to_owned()), is: AccountLie::Missing });
    let rule = Rule::on("getAccountInfo", missing).mentions("finalized").times(looks);
    Proxy::start([stage.net.rpc_url()], Plan::new([rule])).await.unwrap()
}

/// Nothing is delivered, and no secret shown, for a deposit that may still vanish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_away_waits_until_the_deposit_is_final() {
    let stage = Stage::new().await;
    let secret = [7; 32];
    let lock: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    stage.folder.write("secret", secret);
    let plain = stage.create("--amount 1 --deliver-by 9d --fund");
    let locked = stage.create(&format!("--amount 1 --deliver-by 9d --hashlock {lock} --fund"));
    for (escrow, line) in [(&plain, format!("deliver {plain}")), (&locked, format!("claim {locked} --secret secret"))] {
        let proxy = not_final_yet(&stage, escrow, u64::MAX).await;
        let refused = types_at(&stage, &proxy.url(), "seller", &format!("{line} --no-wait"));
        refused.fails(3, &["nothing was signed", escrow, "not final yet"]);
        assert_eq!(proxy.log().delivered(), Vec::<String>::new(), "nothing left");
        proxy.shutdown().await;
        let proxy = not_final_yet(&stage, escrow, 2).await;
        let done = types_at(&stage, &proxy.url(), "seller", &line).succeeds();
        assert!(done.err.contains("waiting until that is final"), "{done:#?}");
        proxy.shutdown().await;
    }
}

/// A secret that comes too late is known, and pays nothing.
#[tokio::test]
async fn no_secret_is_shown_in_the_last_minutes() {
    let stage = Stage::new().await;
    let secret = [9; 32];
    let lock: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    stage.folder.write("secret", secret);
    let escrow = stage.create(&format!("--amount 1 --deliver-by 1d --hashlock {lock} --fund"));
    stage.net.advance_time(DAY - 200).await.unwrap();
    let claim = format!("claim {escrow} --secret secret");
    stage.types("seller", &claim).fails(3, &["the secret was not shown", "seconds away", "--late"]);
    stage.types("seller", &format!("{claim} --late")).succeeds().shows(&["1 SOL"]);
}

/// Who sees a secret that is worth all of it could still accept an offer of half.
#[tokio::test]
async fn an_offer_is_taken_back_before_a_secret_is_shown() {
    let stage = Stage::new().await;
    let secret = [8; 32];
    let lock: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    stage.folder.write("secret", secret);
    let escrow = stage.create(&format!("--amount 1 --deliver-by 9d --hashlock {lock} --fund"));
    stage.types("seller", &format!("propose {escrow} --seller-amount 0.5")).succeeds();
    let claim = format!("claim {escrow} --secret secret");
    let withdraw = format!("escrow propose {escrow} --withdraw");
    stage.types("seller", &claim).fails(3, &["the secret was not shown", "0.5 SOL", &withdraw]);
    stage.types("seller", &withdraw["escrow ".len()..]).succeeds();
    stage.types("seller", &claim).succeeds();
    // Beside a delivery or a dispute it is only told.
    let plain = stage.create("--amount 1 --deliver-by 9d --fund");
    for (who, step) in [("seller", "deliver"), ("buyer", "dispute")] {
        stage.types(who, &format!("propose {plain} --seller-amount 0.5")).succeeds();
        let done = stage.types(who, &format!("{step} {plain}")).succeeds();
        assert!(done.err.contains("Your offer still stands") && done.err.contains("0.5 SOL"), "{done:#?}");
    }
}

/// A seed phrase is typed, and does not appear; a no ends it, and reading asks for none.
#[tokio::test]
async fn a_seed_phrase_signs_and_is_not_shown() {
    let stage = Stage::new().await;
    let phrase = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    // As every wallet derives it.
    let address = "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk";
    stage.net.fund(&address.parse().unwrap(), 10 * crate::SOL).await.unwrap();
    let created = stage.asks(
        "stranger",
        &format!("create --buyer {address} --seller {{seller}} --arbiter {{arbiter}} --amount 1 --deliver-by 9d"),
    );
    let escrow = created["address"].as_str().unwrap();
    let types = |line: &str, answers: &[(&str, &str)]| {
        let mut command = command(&stage.folder);
        command.args(["--url", stage.net.rpc_url(), "--keypair", "prompt://?key=0/0"]).args(stage.words(line));
        let seen = at_a_terminal(&mut command, answers);
        assert!(!seen.screen.contains("abandon"), "{}", seen.screen);
        seen
    };
    let fund = format!("fund {escrow} --yes --seller {{seller}} --amount 1");
    for (answers, says) in [
        (vec![("Seed phrase", "abandon about")], "2 words"),
        (vec![("Seed phrase", phrase), ("passphrase", "another"), ("right one?", "n")], "you did not say"),
        (vec![("Seed phrase", "abandon\u{3}")], "Ctrl-C was pressed"),
    ] {
        let seen = types(&fund, &answers);
        // Wherever the line ends.
        let said = seen.screen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(seen.code == Some(1) && said.contains(says), "{:?}: {}", seen.code, seen.screen);
    }
    let seen = types(&fund, &[("Seed phrase", phrase), ("passphrase", ""), (address, "y")]);
    assert!(seen.code == Some(0) && seen.screen.contains("The buyer paid 1 SOL"), "{}", seen.screen);
    let seen = types(&format!("show {escrow}"), &[]);
    assert_eq!(seen.code, Some(0), "{}", seen.screen);
}
