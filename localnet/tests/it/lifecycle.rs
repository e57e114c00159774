//! Starting and stopping.

use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use escrow_localnet::{Config, Error, Listener, Localnet, Ports, Program};
use solana_pubkey::Pubkey;

use crate::{SOL, any, embedded};

/// Two neighbouring ports that nobody uses.
fn free_ports() -> (u16, u16) {
    loop {
        let rpc = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = rpc.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
            return (port, port + 1);
        }
    }
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

fn assert_free(port: u16) {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap_or_else(|error| panic!("port {port} is taken: {error}"));
}

/// Connections of clients that say nothing, or not all that they announced.
fn dangling_connections(rpc: u16, ws: u16) -> Vec<TcpStream> {
    let mut half = TcpStream::connect((Ipv4Addr::LOCALHOST, rpc)).unwrap();
    half.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{").unwrap();
    vec![
        half,
        TcpStream::connect((Ipv4Addr::LOCALHOST, rpc)).unwrap(),
        TcpStream::connect((Ipv4Addr::LOCALHOST, ws)).unwrap(),
    ]
}

#[tokio::test]
async fn it_answers_when_it_has_started() {
    let start = Instant::now();
    let net = embedded().await;
    eprintln!("started in {:?}", start.elapsed());
    net.rpc().get_health().await.unwrap();
    assert_eq!(port(net.ws_url()), port(net.rpc_url()) + 1);
    let start = Instant::now();
    net.shutdown().await.unwrap();
    eprintln!("stopped in {:?}", start.elapsed());
}

/// A single-threaded runtime, so that a drop that waited for the dropping thread would never end.
#[tokio::test(flavor = "current_thread")]
async fn the_same_fixed_ports_can_be_used_again_and_again() {
    let (rpc, ws) = free_ports();
    let config = Config::default().with_ports(Ports::Fixed { rpc, ws });
    for round in 0..4 {
        let net = Localnet::start(config.clone()).await.unwrap();
        assert_eq!(net.rpc_url(), format!("http://127.0.0.1:{rpc}"));
        assert_eq!(net.ws_url(), format!("ws://127.0.0.1:{ws}"));
        net.new_funded_keypair(SOL).await.unwrap();
        // With a pooled connection open, others on which nothing was ever sent, and half a request.
        let _idle = dangling_connections(rpc, ws);
        let start = Instant::now();
        if round % 2 == 0 {
            net.shutdown().await.unwrap();
        } else {
            drop(net);
        }
        assert!(start.elapsed() < Duration::from_secs(3));
        assert_free(rpc);
        assert_free(ws);
    }
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_leaves_nothing_behind() {
    let (rpc, ws) = free_ports();
    let config = Config::default().with_ports(Ports::Fixed { rpc, ws });
    // At once, and at about the moment when it is ready.
    for patience in [1, 100, 200, 250, 300, 350] {
        let start = Localnet::start(config.clone());
        if let Ok(started) = tokio::time::timeout(Duration::from_millis(patience), start).await {
            drop(started.unwrap());
        }
    }
    assert_free(rpc);
    assert_free(ws);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let (rpc, ws) = free_ports();
    for (taken, listener) in [(rpc, Listener::Rpc), (ws, Listener::WebSocket)] {
        let _squatter = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        let error = Localnet::start(Config::default().with_ports(Ports::Fixed { rpc, ws })).await.unwrap_err();
        assert!(matches!(error, Error::PortInUse { listener: l, port } if l == listener && port == taken), "{error:?}");
        assert!(error.to_string().contains(&taken.to_string()));
    }
    // Also if it is another embedded validator that has them, and if the two are the same.
    let config = Config::default().with_ports(Ports::Fixed { rpc, ws });
    let _net = Localnet::start(config.clone()).await.unwrap();
    let error = Localnet::start(config).await.unwrap_err();
    assert!(matches!(error, Error::PortInUse { listener: Listener::Rpc, port } if port == rpc), "{error:?}");
    let (same, _) = free_ports();
    let error = Localnet::start(Config::default().with_ports(Ports::Fixed { rpc: same, ws: same })).await.unwrap_err();
    assert!(matches!(error, Error::PortInUse { listener: Listener::WebSocket, port } if port == same), "{error:?}");
    assert_free(same);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_run_beside_each_other() {
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        starting.spawn(async {
            let net = embedded().await;
            let address = Pubkey::new_unique();
            net.fund(&address, SOL).await.unwrap();
            assert_eq!(net.balance(&address).await.unwrap(), SOL);
            (net, address)
        });
    }
    let nets = starting.join_all().await;
    // Each has its own ports, and its own money.
    let mut ports: Vec<u16> = nets.iter().flat_map(|(net, _)| [port(net.rpc_url()), port(net.ws_url())]).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 16);
    let (_, stranger) = &nets[0];
    for (net, _) in &nets[1..] {
        assert_eq!(net.balance(stranger).await.unwrap(), 0);
    }
    drop(nets);
    for port in ports {
        assert_free(port);
    }
}

#[tokio::test]
async fn bytes_that_are_no_program_are_refused() {
    let id = Pubkey::new_unique();
    let error =
        Localnet::start(Config::bare().with_program(Program::new(id, b"not an ELF".as_slice()))).await.unwrap_err();
    assert!(matches!(error, Error::InvalidProgram { id: of, .. } if of == id), "{error:?}");
}

#[tokio::test]
async fn an_external_validator_must_have_the_programs() {
    let net = any().await;
    let other = Localnet::connect(net.rpc_url(), &[]).await.unwrap();
    assert!(!other.is_embedded());
    assert_eq!(other.ws_url(), net.ws_url());
    other.shutdown().await.unwrap();
    net.rpc().get_health().await.unwrap();

    let id = Pubkey::new_unique();
    let error = Localnet::connect(net.rpc_url(), &[Program::new(id, Vec::new())]).await.unwrap_err();
    assert!(matches!(error, Error::ProgramMissing { id: of, .. } if of == id), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let (rpc, _) = free_ports();
    let error = Localnet::connect(&format!("http://127.0.0.1:{rpc}"), &[]).await.unwrap_err();
    assert!(matches!(error, Error::Rpc { .. }), "{error:?}");
}

/// The name of the test below, which the next two run in a process of its own.
const ALONE: &str = "lifecycle::alone";

/// Not a test by itself: a process in which nothing but this happens, so that its threads, its sockets and its output
/// are this crate's.
#[test]
#[ignore = "run by the tests below"]
fn alone() {
    let life = || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let net = embedded().await;
            net.new_funded_keypair(SOL).await.unwrap();
            net.advance_time(60).await.unwrap();
            let sockets = (listeners(), remote_peers());
            net.shutdown().await.unwrap();
            sockets
        })
    };
    let first = life();
    let threads = thread_names();
    for _ in 0..3 {
        life();
    }
    // The result, for the tests to read.
    println!("listeners {:?}", first.0);
    println!("peers {:?}", first.1);
    println!("threads after {:?}", thread_names());
    println!("listeners after {:?}", listeners());
    assert_eq!(thread_names().len(), threads.len(), "threads are left over: {:?}", thread_names());
}

fn run_alone() -> (String, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", ALONE, "--ignored", "--nocapture"])
        .env("RUST_LOG", "trace")
        .env_remove("ESCROW_TEST_URL")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stdout}\n{stderr}");
    (stdout, stderr)
}

#[test]
fn it_prints_nothing() {
    let (stdout, stderr) = run_alone();
    assert_eq!(stderr, "");
    for line in stdout.lines().filter(|line| !line.is_empty()) {
        assert!(
            ["listeners", "peers", "threads after", "running 1 test", "test "]
                .iter()
                .any(|known| line.starts_with(known)),
            "{line}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn it_leaves_nothing_behind_and_talks_to_this_machine_alone() {
    let (stdout, _) = run_alone();
    let value = |key: &str| {
        stdout
            .lines()
            .find_map(|line| line.split_once(key).map(|(_, value)| value.trim()))
            .unwrap_or_else(|| panic!("no {key:?} in {stdout}"))
    };
    let listeners: Vec<&str> = value("listeners [").trim_end_matches(']').split(", ").collect();
    assert_eq!(listeners.len(), 2, "{stdout}");
    assert!(listeners.iter().all(|l| l.starts_with("\"127.0.0.1:")), "{stdout}");
    assert_eq!(value("peers "), "[]");
    assert_eq!(value("listeners after "), "[]");
    assert!(!value("threads after ").contains("localnet"), "{stdout}");
}

/// The names of this process's threads.
fn thread_names() -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let mut names: Vec<String> = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect();
    names.sort();
    names
}

/// The addresses on which this process listens, of any protocol that has ports.
fn listeners() -> Vec<String> {
    sockets().into_iter().filter(|socket| socket.listening).map(|socket| socket.local).collect()
}

/// The addresses of other machines to which this process is connected.
fn remote_peers() -> Vec<String> {
    sockets()
        .into_iter()
        .filter(|socket| !socket.listening && !socket.remote.starts_with("127.0.0.1:"))
        .map(|socket| socket.remote)
        .collect()
}

struct Socket {
    local: String,
    remote: String,
    listening: bool,
}

/// This process's sockets, from Linux's tables. IPv6 addresses are given as they stand there.
fn sockets() -> Vec<Socket> {
    let mine: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?;
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let mut sockets = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let content = std::fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
        for line in content.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, state, ..] = fields[..] else {
                continue;
            };
            if fields.get(9).is_some_and(|inode| mine.iter().any(|m| m == inode)) {
                sockets.push(Socket {
                    local: address(local),
                    remote: address(remote),
                    // TCP's LISTEN, and UDP's only state without a peer.
                    listening: state == "0A" || (table.starts_with("udp") && state == "07"),
                });
            }
        }
    }
    sockets
}

/// `0100007F:22C3` is 127.0.0.1:8899, on a little-endian machine.
fn address(hex: &str) -> String {
    let Some((ip, port)) = hex.split_once(':') else {
        return hex.to_owned();
    };
    match (u32::from_str_radix(ip, 16), u16::from_str_radix(port, 16)) {
        (Ok(ip), Ok(port)) if hex.len() == 13 => {
            format!("{}:{port}", Ipv4Addr::from(u32::from_be(ip.to_be()).swap_bytes()))
        }
        _ => hex.to_owned(),
    }
}
