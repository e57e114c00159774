//! Where the node, the keypair and the commitment come from: options, then the environment, then Solana's configuration.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::{Folder, Ran, Stage, command};

/// Solana's configuration, as `solana config set` writes it.
fn config(url: &str, keypair: &str, commitment: &str) -> String {
    format!(
        "---\njson_rpc_url: \"{url}\"\nwebsocket_url: \"\"\nkeypair_path: \"{keypair}\"\n\
         address_labels:\n  \"11111111111111111111111111111111\": System Program\ncommitment: \"{commitment}\"\n"
    )
}

fn run(mut command: Command, words: &str) -> Ran {
    Ran::new(words, command.args(words.split_whitespace()).output().unwrap())
}

/// A place where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

const CREATE: &str = "create --amount 1 --deliver-by 9d --unruled 50 --yes";

#[tokio::test]
async fn all_comes_from_the_configuration() {
    let stage = Stage::new().await;
    let (folder, url) = (&stage.folder, stage.net.rpc_url());
    folder.write("config.yml", config(url, "buyer.json", "finalized"));
    let seller = stage.address("seller");
    let created = run(command(folder), &format!("-C config.yml {CREATE} --seller {seller}")).succeeds();
    created.shows(&[&stage.address("buyer").to_string()]);
    let ran = run(command(folder), &format!("--again --config config.yml {CREATE} --seller {seller}")).succeeds();
    assert!(ran.err.contains("until it is finalized"), "{ran:#?}");
}

#[tokio::test]
async fn options_come_first() {
    let stage = Stage::new().await;
    let (folder, url) = (&stage.folder, stage.net.rpc_url());
    folder.write("config.yml", config(NOWHERE, "missing.json", "finalized"));
    let seller = stage.address("seller");
    let line = format!("-C config.yml {CREATE} --seller {seller}");
    run(command(folder), &line).fails(1, &["missing.json"]);
    run(command(folder), &format!("{line} -k buyer.json")).fails(1, &[NOWHERE]);
    let ran = run(command(folder), &format!("{line} -k buyer.json -u {url} --commitment processed")).succeeds();
    // What one node alone has seen is nothing to go by.
    assert!(ran.err.contains("until it is confirmed"), "{ran:#?}");
}

#[tokio::test]
async fn the_environment_comes_between() {
    let stage = Stage::new().await;
    let (folder, url) = (&stage.folder, stage.net.rpc_url());
    folder.write("config.yml", config(NOWHERE, "missing.json", "confirmed"));
    let line = format!("-C config.yml {CREATE} --seller {}", stage.address("seller"));
    let with = |url: &str, keypair: &str| {
        let mut command = command(folder);
        command.env("ESCROW_URL", url).env("ESCROW_KEYPAIR", keypair);
        command
    };
    run(with(url, "buyer.json"), &line).succeeds().shows(&[&stage.address("buyer").to_string()]);
    run(with(NOWHERE, "buyer.json"), &format!("--again {line} -u {url}")).succeeds();
    let ran = run(with(url, "missing.json"), &format!("{line} -k arbiter.json")).succeeds();
    ran.shows(&[&stage.address("arbiter").to_string()]);
}

/// The configuration is looked for where Solana's tools put it, and so is the keypair.
#[tokio::test]
async fn the_usual_places_are_used() {
    let stage = Stage::new().await;
    let (folder, url) = (&stage.folder, stage.net.rpc_url());
    std::fs::create_dir_all(folder.0.join(".config/solana/cli")).unwrap();
    let line = format!("{CREATE} --seller {}", stage.address("seller"));
    run(command(folder), &format!("{line} -u {url}")).fails(1, &["cannot read the keypair", ".config/solana/id.json"]);
    std::fs::copy(folder.0.join("buyer.json"), folder.0.join(".config/solana/id.json")).unwrap();
    run(command(folder), &format!("{line} -u {url}")).succeeds().shows(&[&stage.address("buyer").to_string()]);
    folder.write(".config/solana/cli/config.yml", config(url, "arbiter.json", "confirmed"));
    run(command(folder), &line).succeeds().shows(&[&stage.address("arbiter").to_string()]);
}

#[test]
fn a_configuration_that_is_none_is_named() {
    let folder = Folder::new();
    run(command(&folder), "-C missing.yml list").fails(1, &["missing.yml"]);
    folder.write("broken.yml", "{{{");
    run(command(&folder), "-C broken.yml list").fails(1, &["broken.yml"]);
    folder.write("typo.yml", config("http://127.0.0.1:1", "x.json", "comfirmed"));
    run(command(&folder), "-C typo.yml list").fails(1, &["comfirmed"]);
    folder.write("url.yml", config("no node", "x.json", "confirmed"));
    run(command(&folder), "-C url.yml list").fails(2, &["no node"]);
    run(command(&folder), "--commitment comfirmed list").fails(2, &["comfirmed"]);
}

/// The first line of the first request to `listener`.
fn first_line(listener: &TcpListener) -> String {
    let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
    let mut line = String::new();
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
    stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    line.trim_end().to_owned()
}

/// A proxy on loopback sees whom the command line would have asked; nothing leaves this machine.
#[test]
fn monikers_stand_for_clusters() {
    let folder = Folder::new();
    for (moniker, host) in [
        ("devnet", "api.devnet.solana.com:443"),
        ("d", "api.devnet.solana.com:443"),
        ("testnet", "api.testnet.solana.com:443"),
        ("t", "api.testnet.solana.com:443"),
        ("mainnet-beta", "api.mainnet-beta.solana.com:443"),
        ("m", "api.mainnet-beta.solana.com:443"),
    ] {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        let asked = std::thread::spawn(move || first_line(&proxy));
        let mut command = command(&folder);
        command.env("HTTPS_PROXY", &address).env("https_proxy", &address);
        run(command, &format!("-u {moniker} list")).fails(1, &[]);
        assert_eq!(asked.join().unwrap(), format!("CONNECT {host} HTTP/1.1"), "{moniker}");
    }
    run(command(&folder), "-u mainnet list").fails(2, &["mainnet-beta"]);
}

/// Without any configuration it is this machine, and no cluster with real money.
#[test]
fn without_a_configuration_it_is_this_machine() {
    let folder = Folder::new();
    let Ok(listener) = TcpListener::bind("127.0.0.1:8899") else {
        eprintln!("skipped: somebody listens on port 8899 already");
        return;
    };
    let asked = std::thread::spawn(move || [(); 3].map(|()| first_line(&listener)));
    for line in ["list", "-u localhost list", "-u l list"] {
        run(command(&folder), line).fails(1, &["127.0.0.1:8899"]);
    }
    for line in asked.join().unwrap() {
        assert!(line.starts_with("POST / "), "{line}");
    }
}
