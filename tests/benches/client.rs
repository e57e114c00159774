//! What the client adds to what the network does, as ratios within one run:
//!
//! - as many escrows settled through the client, with its journal on a disk, as by a bare loop that pushes transactions which were signed
//!   before, at one validator;
//! - 100,000 escrows listed and decoded, besides the same answer read as JSON.
//!
//! ```text
//! cargo bench -p escrow-tests --bench client
//! ```
//!
//! Each measurement runs in a process of its own, so that its memory is its own.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use escrow_client::{
    EscrowAccount, EscrowClient, Filter, Order, OrderStep, Terms, TermsBuilder, address,
    instruction::{self, Part},
    send::Expected,
    sender::{Fingerprint, Journal},
    terms::{Asset, DAY},
};
use escrow_localnet::{Blocks, Config, Localnet};
use futures_util::{StreamExt, stream};
use solana_client::{
    nonblocking::rpc_client::RpcClient, rpc_config::RpcSendTransactionConfig, rpc_request::RpcRequest,
    rpc_response::RpcKeyedAccount,
};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::Transaction;

/// How many escrows each way settles.
const ESCROWS: u64 = 1_000;

/// How many are under way at once.
const IN_FLIGHT: usize = 256;

/// How many accounts are listed.
const ACCOUNTS: u64 = 100_000;

/// What each escrow holds, in lamports.
const AMOUNT: u64 = 1_000_000;

/// How long a block of the validator takes: a block hash lives for 15 seconds then.
const BLOCK: Duration = Duration::from_millis(100);

/// How often both ways are measured, in turn: a machine has better and worse moments.
const ROUNDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match words.as_slice() {
        [] => runtime.block_on(measure()),
        ["client", url, keypair, escrows] => runtime.block_on(settle_through_the_client(url, keypair, escrows)),
        ["bare", url, keypair, escrows] => runtime.block_on(settle_by_a_bare_loop(url, keypair, escrows)),
        ["list", url] => runtime.block_on(list(url)),
        ["read", url] => runtime.block_on(read_only(url)),
        _ => panic!("no arguments"),
    }
}

/// What a process measured of itself.
struct Measured {
    seconds: f64,
    /// The most that it held, in MiB.
    memory: f64,
}

fn child(words: &[&str]) -> Measured {
    let ran = Command::new(std::env::current_exe().expect("a path")).args(words).output().expect("it starts");
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    let mut numbers = told.split_whitespace().map(|word| word.parse().expect("a number"));
    let mut next = || numbers.next().expect("two numbers");
    Measured { seconds: next(), memory: next() }
}

/// Says how long it took, and the most memory that this process has held.
fn tell(took: Duration) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    let kib: f64 = peak.trim().trim_end_matches("kB").trim().parse().unwrap_or_default();
    println!("{} {}", took.as_secs_f64(), kib / 1024.0);
}

async fn measure() {
    let net =
        Localnet::start(Config::default().with_blocks(Blocks::Every(BLOCK))).await.expect("an embedded validator");
    let operator = net.new_funded_keypair(100_000_000_000).await.expect("money");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let keypair = folder.join("keypair");
    std::fs::write(&keypair, operator.to_base58_string()).expect("a file");
    let keypair = keypair.to_str().expect("a path that is text");

    println!("{ESCROWS} escrows settled, {IN_FLIGHT} at a time, {ROUNDS} rounds:");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let mut files = Vec::new();
        for way in ["client", "bare"] {
            let file = folder.join(format!("{way}-{round}"));
            std::fs::write(&file, funded(&net, &operator).await.concat()).expect("a file");
            files.push(file.to_str().expect("a path that is text").to_owned());
        }
        let client = child(&["client", net.rpc_url(), keypair, &files[0]]);
        let bare = child(&["bare", net.rpc_url(), keypair, &files[1]]);
        let per_second = |measured: &Measured| ESCROWS as f64 / measured.seconds;
        println!(
            "  client {:.0} a second, {:.0} MiB; bare loop {:.0} a second, {:.0} MiB: throughput {:.2}, memory {:.2}",
            per_second(&client),
            client.memory,
            per_second(&bare),
            bare.memory,
            bare.seconds / client.seconds,
            client.memory / bare.memory,
        );
        ratios.push(bare.seconds / client.seconds);
    }
    ratios.sort_by(f64::total_cmp);
    println!("  median ratio of throughput: {:.2} (goal: at least 0.9)", ratios[ROUNDS / 2]);
    net.shutdown().await.expect("it ends");
    std::fs::remove_dir_all(&folder).expect("the folder goes");

    let url = serve(answer());
    let (listed, read) = (child(&["list", &url]), child(&["read", &url]));
    println!(
        "{ACCOUNTS} escrows listed in {:.2} s with {:.0} MiB; the answer read as JSON alone {:.2} s, {:.0} MiB: decoding adds {:.2} s \
         (goal: less than 1 s, 300 MiB)",
        listed.seconds,
        listed.memory,
        read.seconds,
        read.memory,
        listed.seconds - read.seconds,
    );
}

/// New escrows, created and funded: their addresses, a line each.
async fn funded(net: &Localnet, operator: &Keypair) -> Vec<String> {
    let client = EscrowClient::new(net.rpc_url(), CommitmentConfig::confirmed());
    let now = client.now().await.expect("the validator answers");
    let payer = operator.pubkey();
    let orders = (0..ESCROWS).map(|number| {
        let terms = terms(payer, now, number);
        let escrow = address::escrow_address(&terms).expect("an address");
        let create = instruction::create(payer, &terms).expect("an instruction");
        let fund = instruction::fund(&terms).expect("an instruction");
        let steps = vec![OrderStep { instructions: vec![create, fund], expected: None }];
        (escrow, Order::new(Fingerprint(escrow.to_bytes()), steps))
    });
    let (escrows, orders): (Vec<Pubkey>, Vec<Order>) = orders.unzip();
    let signers: [&(dyn Signer + Sync); 1] = [operator];
    let mut ends = std::pin::pin!(client.execute_all(orders, &signers, IN_FLIGHT));
    while let Some((_, ended)) = ends.next().await {
        ended.expect("it is created and funded");
    }
    escrows.iter().map(|escrow| format!("{escrow}\n")).collect()
}

fn terms(payer: Pubkey, now: i64, number: u64) -> Terms {
    let builder = TermsBuilder::new(payer, Pubkey::new_from_array([9; 32]), Asset::Sol);
    let mut terms = builder.milestone(AMOUNT, now + 14 * i64::from(DAY)).build(now).expect("terms");
    terms.salt = Keypair::new().pubkey().to_bytes()[..16].try_into().expect("16 bytes");
    terms.salt[..8].copy_from_slice(&number.to_le_bytes());
    terms
}

fn given(keypair: &str, escrows: &str) -> (Keypair, Vec<Pubkey>) {
    let keypair = Keypair::from_base58_string(&std::fs::read_to_string(keypair).expect("a keypair"));
    let escrows = std::fs::read_to_string(escrows).expect("a list");
    (keypair, escrows.lines().map(|line| line.parse().expect("an address")).collect())
}

/// Everything is released to the seller: signed upon what was listed, and written down before it is sent.
async fn settle_through_the_client(url: &str, keypair: &str, escrows: &str) {
    let (keypair, addresses) = given(keypair, escrows);
    let journal = Journal::open(Path::new(escrows).with_extension("journal")).expect("a journal");
    let client = EscrowClient::new(url, CommitmentConfig::confirmed()).keeping(journal);
    let mut listed = client.list(&Filter { buyer: Some(keypair.pubkey()), ..Filter::default() }).await.expect("a list");
    listed.retain(|account| addresses.contains(&account.address));
    assert_eq!(listed.len(), addresses.len());
    let began = Instant::now();
    let orders = listed.into_iter().map(|account| {
        let instructions = vec![release(&account.address, &keypair)];
        let fingerprint = Fingerprint(account.address.to_bytes());
        let expected = Some(Expected { address: account.address, escrow: Some(account) });
        Order::new(fingerprint, vec![OrderStep { instructions, expected }])
    });
    let orders: Vec<Order> = orders.collect();
    let signers: [&(dyn Signer + Sync); 1] = [&keypair];
    let mut ends = std::pin::pin!(client.execute_all(orders, &signers, IN_FLIGHT));
    while let Some((_, ended)) = ends.next().await {
        ended.expect("it is settled");
    }
    tell(began.elapsed());
}

/// The same, signed beforehand, pushed once and never looked after: what the network takes.
async fn settle_by_a_bare_loop(url: &str, keypair: &str, escrows: &str) {
    let (keypair, addresses) = given(keypair, escrows);
    let rpc = Arc::new(RpcClient::new_with_commitment(url.to_owned(), CommitmentConfig::confirmed()));
    let blockhash = rpc.get_latest_blockhash().await.expect("the validator answers");
    let signed = addresses.iter().map(|address| {
        let instructions = [release(address, &keypair)];
        Transaction::new_signed_with_payer(&instructions, Some(&keypair.pubkey()), &[&keypair], blockhash)
    });
    let signed: Vec<Transaction> = signed.collect();
    let config = RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() };
    let began = Instant::now();
    let sent = stream::iter(&signed).map(|transaction| {
        let rpc = Arc::clone(&rpc);
        async move { rpc.send_transaction_with_config(transaction, config).await.expect("it is taken") }
    });
    let mut open: Vec<Signature> = sent.buffer_unordered(IN_FLIGHT).collect().await;
    while !open.is_empty() {
        let mut left = Vec::new();
        for some in open.chunks(256) {
            let statuses = rpc.get_signature_statuses(some).await.expect("the validator answers").value;
            for (signature, status) in some.iter().zip(statuses) {
                assert_eq!(status.as_ref().and_then(|status| status.err.clone()), None);
                if status.is_none_or(|status| !status.satisfies_commitment(CommitmentConfig::confirmed())) {
                    left.push(*signature);
                }
            }
        }
        open = left;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tell(began.elapsed());
}

fn release(escrow: &Pubkey, buyer: &Keypair) -> Instruction {
    instruction::release(*escrow, buyer.pubkey(), 0, Part { amount: AMOUNT, of: AMOUNT })
}

async fn list(url: &str) {
    let client = EscrowClient::new(url, CommitmentConfig::confirmed());
    let began = Instant::now();
    let listed = client.list(&Filter::default()).await.expect("a list");
    let took = began.elapsed();
    assert_eq!(listed.len() as u64, ACCOUNTS);
    tell(took);
}

/// The answer as the types of Solana's client, and nothing made of them.
async fn read_only(url: &str) {
    let began = Instant::now();
    let rpc = RpcClient::new(url.to_owned());
    let accounts: Vec<RpcKeyedAccount> =
        rpc.send(RpcRequest::GetProgramAccounts, serde_json::json!([])).await.expect("an answer");
    let took = began.elapsed();
    assert_eq!(accounts.len() as u64, ACCOUNTS);
    tell(took);
}

/// What a node answers to who asks for all escrows.
fn answer() -> Vec<u8> {
    let payer = Pubkey::new_from_array([8; 32]);
    let mut body = br#"{"jsonrpc":"2.0","id":0,"result":["#.to_vec();
    for number in 0..ACCOUNTS {
        let account = EscrowAccount::agreed(&terms(payer, 1_800_000_000, number), payer).expect("terms");
        let (address, data) = (account.address, BASE64.encode(account.encode()));
        let comma = if number == 0 { "" } else { "," };
        let space = account.encode().len();
        write!(
            body,
            r#"{comma}{{"pubkey":"{address}","account":{{"lamports":{AMOUNT},"owner":"{}","data":["{data}","base64"],"executable":false,"rentEpoch":0,"space":{space}}}}}"#,
            escrow_client::escrow::ID
        )
        .expect("memory");
    }
    body.extend_from_slice(b"]}");
    body
}

/// Answers everybody with the same.
fn serve(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever hangs up has what was wanted, or says so.
            let _ = stream.and_then(|stream| respond(stream, &body));
        }
    });
    url
}

fn respond(mut stream: TcpStream, body: &[u8]) -> std::io::Result<()> {
    // The request is short enough to come at once.
    let _ = stream.read(&mut [0; 4096])?;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}
