//! `escrow localnet`: it serves where it was told to until it is interrupted, and what it says to type works.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;

use crate::{Folder, Ran, command};

/// Two neighbouring ports that were free a moment ago.
fn free_ports() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if port < 65_535 && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// A running `escrow localnet`, which ends with this handle.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(folder: &Folder, words: &[&str]) -> Self {
        let mut command = command(folder);
        command.arg("localnet").args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// What it prints up to the line that begins with this.
    fn until(&mut self, start: &str) -> String {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "it ended after {text}");
            text.push_str(&line);
            if line.starts_with(start) {
                return text;
            }
        }
    }

    /// Sends a signal and waits for the end. Returns the exit code and what is left on both outputs.
    fn interrupt(mut self, signal: &str) -> (Option<i32>, String, String) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

fn run(folder: &Folder, words: &[&str]) -> Ran {
    Ran::new(words.join(" "), command(folder).args(words).output().unwrap())
}

#[test]
fn what_it_says_to_type_works_until_it_is_interrupted() {
    let folder = Folder::new();
    let port = free_ports();
    let mut running = Running::start(&folder, &["--rpc-port", &port.to_string()]);
    let text = running.until("Ctrl-C");
    for part in [
        format!("http://127.0.0.1:{port}"),
        format!("ws://127.0.0.1:{}", port + 1),
        escrow_client::escrow::ID.to_string(),
    ] {
        assert!(text.contains(&part), "no {part} in {text}");
    }

    let typed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  escrow ")).collect();
    assert!(typed.len() >= 2, "{text}");
    for line in &typed {
        run(&folder, &line.split_whitespace().chain(["--yes"]).collect::<Vec<_>>()).succeeds();
    }
    let url = format!("http://127.0.0.1:{port}");
    let list = run(&folder, &["--url", &url, "list", "--output", "json"]).succeeds().json();
    assert_eq!(list[0]["status"], "funded");

    let (code, out, err) = running.interrupt("-INT");
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", "stopping\n"));
    TcpListener::bind(("127.0.0.1", port)).unwrap();
    run(&folder, &["--url", &url, "list"]).fails(1, &[&url]);
}

#[test]
fn scripts_read_json_and_terminate_it() {
    let folder = Folder::new();
    let port = free_ports();
    let words = ["--rpc-port", &port.to_string(), "--keys", "my/keys", "--decimals", "2", "--output", "json"];
    let mut running = Running::start(&folder, &words);
    let first: Value = serde_json::from_str(&running.until("}")).unwrap();
    assert_eq!(first["rpc_url"], format!("http://127.0.0.1:{port}"));
    assert_eq!(first["ws_url"], format!("ws://127.0.0.1:{}", port + 1));
    assert_eq!(first["program"], escrow_client::escrow::ID.to_string());
    let keys = first["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);

    // The test token has the decimals that were asked for, and the buyer has a million of it.
    let (url, token) = (first["rpc_url"].as_str().unwrap(), first["token"].as_str().unwrap());
    let (buyer, seller) = (keys[0]["file"].as_str().unwrap(), keys[1]["address"].as_str().unwrap());
    let create = [
        "-u",
        url,
        "-k",
        buyer,
        "create",
        "--seller",
        seller,
        "--mint",
        token,
        "--deliver-by",
        "1d",
        "--fund",
        "--yes",
        "--unruled",
        "50",
    ];
    run(&folder, &[&create[..], &["--amount", "0.001"]].concat()).fails(2, &["this asset has 2"]);
    run(&folder, &[&create[..], &["--amount", "1000000.01"]].concat()).fails(3, &["does not hold enough tokens"]);
    run(&folder, &[&create[..], &["--amount", "1000000"]].concat()).succeeds();

    // Only this user may read the keypairs.
    #[cfg(unix)]
    for key in keys {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.0.join(key["file"].as_str().unwrap());
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let (code, out, _) = running.interrupt("-TERM");
    assert_eq!((code, out.as_str()), (Some(0), ""));

    // The next start has the same people.
    let mut again = Running::start(&folder, &words);
    let second: Value = serde_json::from_str(&again.until("}")).unwrap();
    assert_eq!(second["keys"], first["keys"]);
    assert_eq!(again.interrupt("-INT").0, Some(0));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = Folder::new();
    for taken in [0, 1] {
        let port = free_ports();
        let _listener = TcpListener::bind(("127.0.0.1", port + taken)).unwrap();
        let refused = run(&folder, &["localnet", "--rpc-port", &port.to_string()]);
        refused.fails(1, &["in use", &(port + taken).to_string()]);
    }
    run(&folder, &["localnet", "--rpc-port", "65536"]).fails(2, &["65536"]);
}

/// A keypair that is there is never overwritten.
#[test]
fn a_keypair_that_cannot_be_read_stays() {
    let folder = Folder::new();
    let path = folder.write("buyer.json", "somebody's notes");
    let port = free_ports().to_string();
    let refused = run(&folder, &["localnet", "--rpc-port", &port, "--keys", "."]);
    refused.fails(1, &["cannot read the keypair", "buyer.json"]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "somebody's notes");
}
