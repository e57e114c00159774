//! Whatever either side sends, the proxy goes on.

use escrow_fault_proxy::{
    AccountLie, Answer, BlockhashLie, Fault, Lag, Level, Lie, Nonsense, Number, Plan, Proxy, Quantity, Rule, StatusLie,
    Verdict,
};
use serde_json::{Value, json};

use crate::{
    client::{End, IMPATIENCE, ask, exchange_within, post, result},
    node::Node,
    stage,
};

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// Any JSON, of the names and values that mean something to somebody.
    fn value(&mut self, depth: usize) -> Value {
        const NAMES: [&str; 16] = [
            "jsonrpc",
            "id",
            "method",
            "params",
            "result",
            "error",
            "context",
            "slot",
            "value",
            "data",
            "account",
            "pubkey",
            "lamports",
            "owner",
            "meta",
            "blockhash",
        ];
        const TEXTS: [&str; 8] = [
            "getAccountInfo",
            "getSignatureStatuses",
            "sendTransaction",
            "base64",
            "base58",
            "AAAA",
            "SysvarC1ock11111111111111111111111111111111",
            "\u{0}é",
        ];
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.0),
            3 => json!(-1.5e300),
            4 => json!(TEXTS[self.below(TEXTS.len())]),
            5 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let mut members = serde_json::Map::new();
                for _ in 0..self.below(6) {
                    members.insert(NAMES[self.below(NAMES.len())].to_owned(), self.value(depth - 1));
                }
                members.into()
            }
        }
    }
}

/// Every change of an answer at once.
fn all_changes() -> Vec<Rule> {
    let status = |level| StatusLie::Known { level, verdict: Verdict::Failed(json!("x")), invented: true };
    let number = |of| Lie::Number { of, is: Number::Add(-7) };
    let account = |is| Lie::Account { address: None, is };
    let lies = [
        number(Quantity::Height),
        number(Quantity::Slot),
        number(Quantity::ContextSlot),
        number(Quantity::LastValidHeight),
        number(Quantity::FirstAvailableBlock),
        Lie::Blockhash(BlockhashLie::Stale { slots: 3 }),
        Lie::Blockhash(BlockhashLie::Foreign),
        Lie::GenesisHash("x".to_owned()),
        Lie::Status { signature: None, is: status(Level::Confirmed) },
        Lie::Status { signature: None, is: status(Level::Finalized) },
        account(AccountLie::Byte { at: usize::MAX, xor: 1 }),
        account(AccountLie::Size(usize::MAX)),
        account(AccountLie::Lamports(Number::Set(u64::MAX))),
        account(AccountLie::Owner("x".to_owned())),
        account(AccountLie::Other("y".to_owned())),
        account(AccountLie::Missing),
        Lie::Clock { seconds: i64::MIN },
        Lie::Decimals { mint: None, by: -128 },
    ];
    let mut rules: Vec<Rule> = lies.into_iter().map(|lie| Rule::always(Fault::Lie(lie)).every(2)).collect();
    rules.push(Rule::always(Fault::Behind(Lag::Slots(u64::MAX))).every(3));
    rules
}

#[tokio::test(flavor = "multi_thread")]
async fn any_json_from_either_side() {
    let types = Fault::Answer { delivered: true, with: Answer::Nonsense(Nonsense::WrongTypes) };
    let rules = all_changes().into_iter().chain([Rule::always(types).every(5)]);
    let (node, proxy) = stage(rules).await;
    let mut random = Random(1);
    const METHODS: [&str; 17] = [
        "getAccountInfo",
        "getMultipleAccounts",
        "getProgramAccounts",
        "getBalance",
        "getSignatureStatuses",
        "getTransaction",
        "getSignaturesForAddress",
        "getLatestBlockhash",
        "getBlockHeight",
        "getSlot",
        "getEpochInfo",
        "getTokenSupply",
        "getBlockTime",
        "getGenesisHash",
        "getFirstAvailableBlock",
        "sendTransaction",
        "getHealth",
    ];
    for round in 0..1500 {
        let body = if round % 3 == 0 {
            random.value(4)
        } else {
            json!({ "jsonrpc": "2.0", "id": 7, "result": random.value(4) })
        };
        node.set_answer(200, body.to_string());
        let seen = match round % 5 {
            0 => post(&proxy.url(), &random.value(4).to_string()).await,
            _ => ask(&proxy.url(), METHODS[round % METHODS.len()], random.value(3)).await,
        };
        assert_eq!(seen.end, End::Complete, "{body}");
    }
    proxy.set_plan(Plan::default()).unwrap();
    node.set_answer(200, r#"{"jsonrpc":"2.0","id":7,"result":1}"#);
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, 1);
}

#[tokio::test]
async fn a_node_that_answers_no_json() {
    let (node, proxy) = stage(all_changes()).await;
    for body in [&b""[..], b"{", b"\xff\xfe", b"<html>", b"nan", &[b'['; 100_000]] {
        for status in [200, 404, 503] {
            node.set_answer(status, body.to_vec());
            let seen = ask(&proxy.url(), "getTransaction", json!(["a"])).await;
            assert_eq!((seen.status, seen.body.as_slice()), (status, body), "it is passed on as it is");
        }
    }
}

#[tokio::test]
async fn a_client_that_speaks_no_http() {
    let (_node, proxy) = stage([]).await;
    let host = proxy.url().strip_prefix("http://").unwrap().to_owned();
    for bytes in [
        &b"\0\x01\x02\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let seen = exchange_within(IMPATIENCE, &host, bytes).await;
        assert!(seen.status == 400 || seen.end != End::Complete, "{seen:?}");
    }
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, 1000);
}

#[tokio::test]
async fn a_request_that_is_too_large() {
    let (node, proxy) = stage([]).await;
    let large = json!({ "method": "getSlot", "params": "a".repeat(2 * 1024 * 1024) }).to_string();
    let seen = post(&proxy.url(), &large).await;
    assert!(seen.status == 413 || seen.end != End::Complete, "{}", seen.status);
    assert!(node.bodies().is_empty());
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, 1000);
}

#[tokio::test]
async fn a_node_that_hangs_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{")
                .await;
        }
    });
    let proxy = Proxy::start([url], Plan::default()).await.unwrap();
    let seen = crate::client::send(&proxy.url(), 1, &crate::node::blockhash(1000)).await;
    assert_eq!(seen.status, 502);
    assert!(matches!(proxy.log().entries()[0].delivery, escrow_fault_proxy::Delivery::Lost(_)));
    // It may have arrived.
    assert_eq!(proxy.log().delivered(), [crate::node::signature(1)]);
    assert!(proxy.log().accepted().is_empty());
}

#[tokio::test]
async fn a_long_answer_passes_unread() {
    let node = Node::start().await;
    let proxy = Proxy::start([&node.url], Plan::default()).await.unwrap();
    let long = json!({ "jsonrpc": "2.0", "id": 7, "result": "a".repeat(4 * 1024 * 1024) }).to_string();
    node.set_answer(200, long.clone());
    let seen = ask(&proxy.url(), "getProgramAccounts", json!([])).await;
    assert_eq!(seen.body, long.as_bytes());
    let entry = &proxy.log().entries()[0];
    assert!(format!("{:?}", entry.delivery).contains("HTTP 200, 41943"), "{:?}", entry.delivery);
}

#[tokio::test]
async fn a_long_answer_is_read_where_it_is_to_be_changed() {
    let types = Fault::Answer { delivered: true, with: Answer::Nonsense(Nonsense::WrongTypes) };
    let missing = Fault::Lie(Lie::Account { address: None, is: AccountLie::Missing });
    let (node, proxy) = stage([Rule::on("getBlock", types), Rule::on("getAccountInfo", missing)]).await;
    let value = json!({ "lamports": 1, "data": ["a".repeat(4 * 1024 * 1024), "base64"] });
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": { "value": value } });
    node.set_answer(200, answer.to_string());
    let changed = result(&proxy.url(), "getAccountInfo", json!(["a"])).await;
    assert_eq!(changed, json!({ "value": null }));
    let changed = result(&proxy.url(), "getBlock", json!([1])).await;
    assert!(changed.is_array());
    let entries = proxy.log().entries();
    assert_eq!((&entries[0].rules[..], &entries[1].rules[..]), (&[1][..], &[0][..]));
    assert!(format!("{:?}", entries[0].delivery).contains("too large to keep"));
}
