//! Terms in a file, recipes, and what is given to the other side.

use crate::{Folder, Ran, Stage, command};

fn run(folder: &Folder, words: &[&str]) -> Ran {
    Ran::new(words.join(" "), command(folder).args(words).output().unwrap())
}

/// The template, filled in, creates what it says; what is typed beside it counts instead.
#[tokio::test]
async fn a_file_of_terms_is_what_the_options_are() {
    let stage = Stage::new().await;
    let template = run(&stage.folder, &["template"]).succeeds().out;
    let (seller, arbiter) = (stage.address("seller").to_string(), stage.address("arbiter").to_string());
    let filled =
        template.replace("SELLER", &seller).replace("ARBITER", &arbiter).replace("#review = \"3d\"", "review = \"5d\"");
    stage.folder.write("terms.toml", &filled);
    let created = stage.types("buyer", "create --output json --from terms.toml").succeeds().json();
    let escrow = &created["escrow"];
    assert_eq!(
        (escrow["seller"].as_str(), escrow["arbiter"].as_str()),
        (Some(seller.as_str()), Some(arbiter.as_str()))
    );
    assert_eq!((&escrow["principal"]["text"], created["funded"].as_bool()), (&"1.5 SOL".into(), Some(false)));
    assert_eq!(escrow["milestones"][0]["review_window_seconds"], 5 * 86_400);
    let other = stage.types("buyer", "create --output json --from terms.toml --amount 2 --fund").succeeds().json();
    assert_eq!((&other["escrow"]["principal"]["text"], other["funded"].as_bool()), (&"2 SOL".into(), Some(true)));

    stage.folder.write("wrong.toml", "seler = \"x\"\namount = \"1\"\n");
    stage.types("buyer", "create --from wrong.toml").fails(2, &["--seler"]);
    stage.folder.write("broken.toml", "amount = 1.5\n");
    stage.types("buyer", "create --from broken.toml").fails(2, &["broken.toml", "in quotes"]);
    stage.types("buyer", "create --from missing.toml").fails(1, &["missing.toml"]);
}

#[tokio::test]
async fn a_retention_is_paid_later() {
    let stage = Stage::new().await;
    let created = stage.asks(
        "buyer",
        "create --seller {seller} --arbiter {arbiter} --milestone 10,9d --milestone 20,20d --retention 10% --for 30d",
    );
    let milestones = created["escrow"]["milestones"].as_array().unwrap();
    let amounts: Vec<&str> = milestones.iter().map(|row| row["amount"]["text"].as_str().unwrap()).collect();
    assert_eq!(amounts, ["9 SOL", "18 SOL", "3 SOL"]);
    assert_eq!(milestones[2]["review_window_seconds"], 30 * 86_400);
    let without = "create --seller {seller} --arbiter {arbiter} --amount 1 --deliver-by 9d --retention 10%";
    stage.types("buyer", without).fails(2, &["--for"]);
}

/// The code is on disk, for this user alone, before anything is sent; it opens exactly the escrow that it was made for.
#[tokio::test]
async fn a_delivery_code_pays_whoever_has_it() {
    let stage = Stage::new().await;
    for kind in ["--delivery-code", "--delivery-code=strict"] {
        let escrow = stage.create(&format!("--amount 1 --deliver-by 9d --arbiter {{arbiter}} {kind} --fund"));
        let told = stage
            .types("buyer", &format!("code {escrow}"))
            .succeeds()
            .shows(&["inspect", "Look at the delivery first"][1..]);
        let code = told.out.lines().find(|line| line.len() == 79 && line.contains('-')).unwrap().to_owned();
        let json = stage.asks("buyer", &format!("code {escrow}"));
        assert_eq!(json["code"], code);
        let kept = stage.folder.0.join(format!(".local/state/escrow/codes/{escrow}.code"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let strict = kind.ends_with("strict");
        let delivered = stage.types("seller", &format!("deliver {escrow}"));
        assert_eq!(delivered.code, Some(if strict { 3 } else { 0 }), "{delivered:#?}");
        stage.folder.write("given", &code);
        stage.types("seller", &format!("claim {escrow} --secret given")).succeeds();
        assert!(!stage.types("buyer", &format!("show {escrow}")).succeeds().out.contains(&code));
    }
    let plain = stage.create("--amount 1 --deliver-by 9d");
    stage.types("buyer", &format!("code {plain}")).fails(3, &[&plain, "--delivery-code"]);
    // A no leaves no secret behind.
    let dry = "create --seller {seller} --unruled 50 --amount 1 --deliver-by 9d --delivery-code --dry-run";
    stage.types_only("buyer", dry).succeeds();
    assert_eq!(std::fs::read_dir(stage.folder.0.join(".local/state/escrow/codes")).unwrap().count(), 2);
}

/// Three questions: is it that deal, is the money there and final, what could go against me.
#[tokio::test]
async fn what_is_shared_can_be_verified() {
    let stage = Stage::new().await;
    let document = stage.folder.write("contract.txt", "we agree");
    let escrow = stage.create(&format!("--amount 1.5 --deliver-by 9d --arbiter {{arbiter}} --document {document}"));
    let shared = stage.asks("buyer", &format!("share {escrow}"));
    let link = shared["link"].as_str().unwrap().to_owned();
    let told = stage.types("buyer", &format!("share {escrow}")).succeeds();
    told.shows(&["1.5 SOL", &stage.address("seller").to_string(), "escrow verify", &link, "▀"]);

    let verify = |words: &str| stage.types_only("seller", &format!("verify {words}"));
    verify(&link).succeeds().shows(&["1. Yes, this address is that deal", "2. NO: nothing is paid in."]);
    verify(&format!("{link} --strict")).fails(3, &["nothing is paid in"]);
    stage.types("buyer", &format!("fund {escrow}")).succeeds();
    verify(&link).succeeds().shows(&["2. Yes, the money was paid in and that is final: 1.5 SOL of 1.5 SOL"]);
    verify(&format!("{link} --strict")).succeeds();
    verify(&escrow).succeeds().shows(&["Only an address was given"]);
    // From a file with the whole message.
    let message = stage.folder.write("message.txt", shared["text"].as_str().unwrap());
    verify(&message).succeeds().shows(&["1. Yes"]);
    verify(&format!("{link} --document {document}")).succeeds().shows(&["3. Yes, the document is the one"]);
    let other = stage.folder.write("other.txt", "we do not");
    verify(&format!("{link} --document {other}")).succeeds().shows(&["3. NO: the document is not"]);
    // Whoever changes a letter of it is found out.
    let second = stage.create("--amount 1.5 --deliver-by 9d");
    verify(&link.replace(&escrow, &second)).fails(3, &["DO NOT TRUST IT", &escrow, &second]);
    verify("escrow:nonsense").fails(3, &["this is not a shared deal"]);
    verify(&link.replace("cluster=private", "cluster=mainnet-beta")).fails(3, &["mainnet-beta", "--url"]);
}

/// docs/cli.md is every command's help as it is printed.
#[test]
fn the_documentation_is_the_help() {
    let written = run(&Folder::new(), &["documentation"]).succeeds().out;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == written,
        "docs/cli.md no longer matches: cargo run -p escrow-cli -- documentation > docs/cli.md"
    );
}

#[test]
fn shells_and_man_know_the_commands() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        run(&folder, &["completions", shell]).succeeds().shows(&["withdraw", "terms-hash"]);
    }
    run(&folder, &["man"]).succeeds().shows(&[".TH escrow", "withdraw"]);
}
