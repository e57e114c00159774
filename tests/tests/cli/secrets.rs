//! A secret is in a file, and nowhere else: in no argument, in nothing that is printed, however much is asked for.

use sha2::{Digest, Sha256};
use solana_keypair::Keypair;

use crate::{Ran, Stage, command};

/// How the bytes of a secret could be printed: in hexadecimal, as numbers, in base58.
fn faces(secret: &[u8]) -> Vec<String> {
    let numbers: Vec<String> = secret.iter().take(8).map(u8::to_string).collect();
    let hex: String = secret.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    vec![numbers.join(","), numbers.join(", "), hex.to_uppercase(), hex]
}

#[track_caller]
fn hides(ran: &Ran, secrets: &[Vec<String>]) {
    for face in secrets.iter().flatten() {
        assert!(!ran.out.contains(face) && !ran.err.contains(face), "{face} is a secret: {ran:#?}");
    }
}

fn of(keypair: &Keypair) -> Vec<String> {
    let base58 = keypair.to_base58_string();
    [faces(keypair.secret_bytes()), vec![base58[..20].to_owned()]].concat()
}

#[tokio::test]
async fn nothing_prints_a_keypair_or_an_unused_secret() {
    let stage = Stage::new().await;
    let (secret, wrong) = ([0xa7; 32], [0xb6; 32]);
    let lock: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    let (file, wrong_file) = (stage.folder.write("secret", secret), stage.folder.write("wrong", wrong));
    let escrow = stage.create(&format!("--amount 1 --deliver-by 9d --hashlock {lock} --fund"));
    let mut secrets: Vec<Vec<String>> = stage.people.iter().map(|(_, keypair)| of(keypair)).collect();
    secrets.extend([faces(&wrong), faces(&secret)]);
    for format in ["display", "json"] {
        for (who, line, code) in [
            ("stranger", format!("show {escrow}"), 0),
            ("stranger", "list".to_owned(), 0),
            ("stranger", format!("history {escrow}"), 0),
            ("stranger", format!("claim {escrow} --secret {wrong_file}"), 3),
            ("stranger", format!("claim {escrow} --secret {file} -m 9"), 2),
            ("stranger", format!("release {escrow}"), 3),
            ("buyer", "--again create --seller {seller} --amount 1 --deliver-by 9d --unruled 50 --fund".to_owned(), 0),
        ] {
            let mut command = command(&stage.folder);
            command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
            command.args([
                "--url",
                stage.net.rpc_url(),
                "--keypair",
                &format!("{who}.json"),
                "--output",
                format,
                "--yes",
            ]);
            let ran = Ran::new(&line, command.args(stage.words(&line)).output().unwrap());
            assert_eq!(ran.code, Some(code), "{ran:#?}");
            hides(&ran, &secrets);
        }
    }
}

#[tokio::test]
async fn an_unreadable_secret_is_not_repeated() {
    let stage = Stage::new().await;
    let escrow = stage.create(&format!("--amount 1 --deliver-by 9d --hashlock {} --fund", "ab".repeat(32)));
    let keypair = Keypair::new();
    let bytes = keypair.to_bytes();
    let json = serde_json::to_string(bytes.as_slice()).unwrap();
    let secrets = [of(&keypair)];
    for (name, content) in [
        ("base58", keypair.to_base58_string()),
        ("quoted", format!("\"{}\"", keypair.to_base58_string())),
        ("cut", json[..json.len() - 9].to_owned()),
        ("long", json.replace(']', ",1]")),
        ("large", json.replace(']', "").rsplit_once(',').unwrap().0.to_owned() + ",300]"),
        ("other-half", json.replacen(&format!(",{}]", bytes[63]), &format!(",{}]", bytes[63] ^ 1), 1)),
        ("object", format!("{{\"secret\":{json}}}")),
    ] {
        stage.folder.write(&format!("{name}.json"), &content);
        let ran = stage.types(name, &format!("release {escrow}")).fails(1, &["cannot read the keypair"]);
        hides(&ran, &secrets);
        let ran = stage.types("buyer", &format!("claim {escrow} --secret {name}.json"));
        hides(&ran.fails(2, &["does not contain a secret"]), &secrets);
    }
}

#[tokio::test]
async fn a_secret_in_the_arguments_is_refused_and_not_repeated() {
    let stage = Stage::new().await;
    let escrow = stage.create(&format!("--amount 1 --deliver-by 9d --hashlock {} --fund", "ab".repeat(32)));
    let secret = "c5".repeat(32);
    let ran = stage.types("buyer", &format!("claim {escrow} --secret {secret}"));
    hides(&ran.fails(2, &["--secret takes a file"]), &[faces(&[0xc5; 32])]);
    let keypair = Keypair::new();
    for given in [keypair.to_base58_string(), serde_json::to_string(keypair.to_bytes().as_slice()).unwrap()] {
        let mut command = command(&stage.folder);
        command.args(["--url", stage.net.rpc_url(), "--keypair", &given, "release", &escrow]);
        let ran = Ran::new("a keypair in the arguments", command.output().unwrap());
        hides(&ran.fails(1, &["--keypair takes a file"]), &[of(&keypair)]);
    }
}
