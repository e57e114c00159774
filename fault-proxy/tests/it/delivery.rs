//! Whether, when and how often the node gets a request.

use std::time::{Duration, Instant};

use escrow_fault_proxy::{Answer, Delivery, Fault, Rule, Until};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    client::{End, ask, http, result, send, send_call},
    node::{Node, SKIPPED, blockhash, signature},
    pass_through, stage, until,
};

#[tokio::test]
async fn without_rules_everything_passes_as_it_is() {
    let (node, proxy) = stage([]).await;
    // Blanks, order and numbers as the client wrote them.
    let body = "{ \"method\":\"getSlot\" ,\"params\":[], \"id\":1.50, \"jsonrpc\":\"2.0\"}";
    let url = proxy.url_of("alice?api-key=secret");
    let (host, bytes) = http("POST", &url, "content-type: application/json\r\nx-client: 1\r\n", body);
    let seen = crate::client::exchange(&host, &bytes).await;
    assert_eq!(node.bodies(), [body]);
    assert_eq!(seen.header("x-node").as_deref(), Some("script"));
    assert_eq!(seen.json()["result"], 1000);
    let (line, headers) = &node.heads()[0];
    // The client's name and key are the proxy's alone.
    assert_eq!(line, "POST /");
    assert_eq!(headers["x-client"], "1");
    let (host, bytes) = http("GET", &format!("{}/health?deep", proxy.url()), "", "");
    assert_eq!(crate::client::exchange(&host, &bytes).await.text(), "ok");
    assert_eq!(node.heads()[1].0, "GET /health?deep");
    let entries = proxy.log().entries();
    assert_eq!((entries[0].method.as_str(), entries[0].client.as_str()), ("getSlot", "alice"));
    assert_eq!(entries[1].method, "GET /health");
}

#[tokio::test]
async fn a_request_waits_or_its_answer_does() {
    for delivered in [false, true] {
        let delay = Fault::Delay { ms: 150, delivered };
        let (node, proxy) = stage([Rule::on("sendTransaction", delay)]).await;
        let start = Instant::now();
        let url = proxy.url();
        let sending = tokio::spawn(async move { send(&url, 1, &blockhash(1000)).await });
        tokio::time::sleep(Duration::from_millis(75)).await;
        assert_eq!(node.sends(), usize::from(delivered));
        assert_eq!(sending.await.unwrap().json()["result"], signature(1));
        assert!(start.elapsed() >= Duration::from_millis(150));
        assert_eq!(node.sends(), 1);
    }
}

#[tokio::test]
async fn sends_are_dropped_so_many_times() {
    let (node, proxy) = stage([Rule::always(Fault::Drop).times(3)]).await;
    for delivered in [0, 0, 0, 1, 2] {
        assert_eq!(send(&proxy.url(), 1, &blockhash(1000)).await.json()["result"], signature(1));
        assert_eq!(node.sends(), delivered);
    }
    assert_eq!(proxy.log().delivered(), [signature(1)]);
    let entries = proxy.log().entries();
    assert!(entries[..3].iter().all(|entry| entry.delivery == Delivery::None && entry.rules == [0]));
    assert!(entries[3..].iter().all(|entry| entry.deliveries == 1 && entry.rules.is_empty()));
}

#[tokio::test]
async fn a_transaction_is_delivered_after_some_time() {
    let (node, proxy) = stage([Rule::always(Fault::Hold(Until::Ms(100)))]).await;
    let start = Instant::now();
    assert_eq!(send(&proxy.url(), 1, &blockhash(1000)).await.json()["result"], signature(1));
    assert_eq!(node.sends(), 0);
    assert_eq!(proxy.log().entries()[0].delivery, Delivery::Held);
    assert!(proxy.log().delivered().is_empty());
    proxy.settled().await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(node.sends(), 1);
    assert!(matches!(proxy.log().entries()[0].delivery, Delivery::Answered { .. }));
    assert_eq!(proxy.log().accepted(), [signature(1)]);
}

#[tokio::test]
async fn a_transaction_is_delivered_some_blocks_later() {
    let (node, proxy) = stage([Rule::always(Fault::Hold(Until::Blocks(3)))]).await;
    send(&proxy.url(), 1, &blockhash(1000)).await.json();
    until("the proxy watches the height", || node.asked("getBlockHeight").len() > 2).await;
    node.set_slot(1002);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(node.sends(), 0);
    node.set_slot(1003);
    proxy.settled().await;
    assert_eq!(node.sends(), 1);
    // What the proxy asks itself is no client's request.
    assert_eq!(proxy.log().entries().len(), 1);
}

/// Whether a transaction with the block hash of slot 900 lands when the height is two below the last valid one.
async fn lands_at_the_last_moment(by_the_client: bool) {
    let (node, proxy) = stage([Rule::always(Fault::Hold(Until::BeforeExpiry(2)))]).await;
    if by_the_client {
        node.set_slot(900);
        result(&proxy.url(), "getLatestBlockhash", json!([])).await;
    } else {
        pass_through(&node, [900]).await;
    }
    node.set_slot(1000);
    send(&proxy.url(), 1, &blockhash(900)).await.json();
    let last_valid = 900 - SKIPPED + 150;
    node.set_slot(last_valid - 3 + SKIPPED);
    let asked = node.asked("getBlockHeight").len();
    until("the proxy watches the height", || node.asked("getBlockHeight").len() > asked + 2).await;
    assert_eq!(node.sends(), 0);
    node.set_slot(last_valid - 2 + SKIPPED);
    proxy.settled().await;
    assert_eq!(node.sends(), 1);
}

#[tokio::test]
async fn a_transaction_lands_at_the_last_moment() {
    lands_at_the_last_moment(true).await;
}

#[tokio::test]
async fn also_if_its_block_hash_came_from_elsewhere() {
    lands_at_the_last_moment(false).await;
}

#[tokio::test]
async fn a_transaction_with_a_block_hash_that_nobody_saw_is_not_held() {
    let (node, proxy) = stage([Rule::always(Fault::Hold(Until::BeforeExpiry(0)))]).await;
    send(&proxy.url(), 1, &blockhash(1)).await.json();
    proxy.settled().await;
    assert_eq!(node.sends(), 1);
}

#[tokio::test]
async fn what_is_no_transaction_is_neither_dropped_nor_held() {
    let (node, proxy) = stage([Rule::always(Fault::Drop)]).await;
    node.set_answer(200, r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"invalid"}}"#);
    let answer = ask(&proxy.url(), "sendTransaction", json!(["garbage"])).await.json();
    assert_eq!(answer["error"]["code"], -32602);
    assert!(proxy.log().entries()[0].rules.is_empty());
}

#[tokio::test]
async fn a_gateway_repeats_a_request() {
    let (node, proxy) = stage([Rule::on("sendTransaction", Fault::Repeat { times: 3 })]).await;
    send(&proxy.url(), 1, &blockhash(1000)).await.json();
    assert_eq!(node.sends(), 3);
    assert_eq!(proxy.log().entries()[0].deliveries, 3);
    assert_eq!(proxy.log().delivered(), [signature(1)]);
}

#[tokio::test]
async fn a_client_is_told_what_the_last_repetition_was() {
    let (node, proxy) = stage([Rule::on("sendTransaction", Fault::Repeat { times: 2 })]).await;
    node.refuse_repetitions();
    let answer = send(&proxy.url(), 1, &blockhash(1000)).await.json();
    assert_eq!(answer["error"]["code"], -32002);
    let entry = &proxy.log().entries()[0];
    assert!(format!("{:?}", entry.delivery).contains("AlreadyProcessed"));
    // It was taken all the same.
    assert_eq!(proxy.log().accepted(), [signature(1)]);
}

#[tokio::test]
async fn what_a_client_sent_arrives_though_the_client_is_gone() {
    let (node, proxy) = stage([Rule::always(Fault::Delay { ms: 100, delivered: false })]).await;
    let (host, bytes) = http("POST", &format!("{}/", proxy.url()), "", &send_call(1, &blockhash(1000)).to_string());
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    until("the request arrives", || proxy.log().entries().len() == 1).await;
    drop(stream);
    proxy.settled().await;
    assert_eq!(node.sends(), 1);
    assert_eq!(proxy.log().delivered(), [signature(1)]);
}

#[tokio::test]
async fn a_node_dies_and_comes_back() {
    for delivered in [false, true] {
        let down = Fault::Down { ms: Some(300), delivered };
        let (node, proxy) = stage([Rule::on("sendTransaction", down).times(1)]).await;
        let (host, bytes) = http("POST", &format!("{}/", proxy.url()), "", "{}");
        // Another connection, which is idle when the node dies.
        let mut idle = tokio::net::TcpStream::connect(&host).await.unwrap();
        idle.write_all(&bytes[..10]).await.unwrap();
        result(&proxy.url(), "getSlot", json!([])).await;

        let start = Instant::now();
        assert_eq!(send(&proxy.url(), 1, &blockhash(1000)).await.end, End::Reset);
        assert_eq!(node.sends(), usize::from(delivered));
        let mut byte = [0];
        assert!(tokio::io::AsyncReadExt::read(&mut idle, &mut byte).await.is_err(), "it is reset too");
        until("connections are refused", || std::net::TcpStream::connect(&host).is_err()).await;
        // Its port is kept for it.
        assert!(std::net::TcpListener::bind(&host).is_err());
        until("it comes back", || std::net::TcpStream::connect(&host).is_ok()).await;
        assert!(start.elapsed() >= Duration::from_millis(290), "{:?}", start.elapsed());
        assert_eq!(send(&proxy.url(), 2, &blockhash(1000)).await.json()["result"], signature(2));
    }
}

#[tokio::test]
async fn a_node_dies_for_good() {
    let down = Fault::Down { ms: None, delivered: false };
    let (node, proxy) = stage([Rule::on("getSlot", down).from(2)]).await;
    result(&proxy.url(), "getSlot", json!([])).await;
    assert_eq!(ask(&proxy.url(), "getSlot", json!([])).await.end, End::Reset);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(ask(&proxy.url(), "getSlot", json!([])).await.end, End::Refused);
    assert_eq!(node.asked("getSlot").len(), 1);
    // Until there is another plan.
    proxy.set_plan(escrow_fault_proxy::Plan::default()).unwrap();
    let start = Instant::now();
    while ask(&proxy.url(), "getSlot", json!([])).await.end != End::Complete {
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    proxy.shutdown().await;
}

#[tokio::test]
async fn a_node_that_is_not_there_is_said_to_be_so() {
    let node = Node::start().await;
    let url = node.url.clone();
    drop(node);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let proxy = escrow_fault_proxy::Proxy::start([url], escrow_fault_proxy::Plan::default()).await.unwrap();
    let seen = send(&proxy.url(), 1, &blockhash(1000)).await;
    assert_eq!(seen.status, 502);
    assert!(seen.text().contains("did not answer"), "{}", seen.text());
    let entry = &proxy.log().entries()[0];
    assert!(matches!(entry.delivery, Delivery::Unreachable(_)));
    assert_eq!(entry.deliveries, 0);
    assert!(proxy.log().delivered().is_empty());
}

#[tokio::test]
async fn a_lost_answer_hides_that_the_node_gave_none() {
    let node = Node::start().await;
    let url = node.url.clone();
    drop(node);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let lost = Fault::Answer { delivered: true, with: Answer::Reset };
    let plan = escrow_fault_proxy::Plan::new([Rule::always(lost)]);
    let proxy = escrow_fault_proxy::Proxy::start([url], plan).await.unwrap();
    assert_eq!(send(&proxy.url(), 1, &blockhash(1000)).await.end, End::Reset);
}
