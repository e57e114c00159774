//! Starting, stopping, waiting, and being told.

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use escrow_fault_proxy::{Answer, Delivery, Error, Fault, Lie, Plan, Proxy, Rule, Told, Until};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    client::{call, http, result, send},
    node::{Node, blockhash},
    stage, until,
};

fn hook(name: &str, delivered: bool) -> Fault {
    Fault::Hook { name: name.to_owned(), delivered }
}

#[tokio::test]
async fn a_hook_stops_a_request_before_it_is_delivered_or_after() {
    for delivered in [false, true] {
        let rule = Rule::on("sendTransaction", hook("here", delivered)).from(2).times(1);
        let (node, proxy) = stage([rule]).await;
        send(&proxy.url(), 1, &blockhash(1000)).await.json();
        let url = proxy.url();
        let sending = tokio::spawn(async move { send(&url, 2, &blockhash(1000)).await });
        let hook = proxy.next_hook().await.unwrap();
        assert_eq!((hook.name.as_str(), hook.methods.as_slice()), ("here", &["sendTransaction".to_owned()][..]));
        assert_eq!(node.sends(), 1 + usize::from(delivered));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!sending.is_finished());
        drop(hook);
        sending.await.unwrap().json();
        assert_eq!(node.sends(), 2);
    }
}

#[tokio::test]
async fn a_client_that_is_killed_at_a_hook_has_sent_all_the_same() {
    let (node, proxy) = stage([Rule::on("sendTransaction", hook("kill", false))]).await;
    let url = proxy.url();
    let client = tokio::spawn(async move { send(&url, 1, &blockhash(1000)).await });
    let hook = proxy.next_hook().await.unwrap();
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    drop(hook);
    proxy.settled().await;
    assert_eq!(node.sends(), 1);
}

#[tokio::test]
async fn settled_means_that_nothing_arrives_any_more() {
    let rules =
        [Rule::always(Fault::Hold(Until::Ms(150))), Rule::on("getSlot", Fault::Delay { ms: 80, delivered: false })];
    let (node, proxy) = stage(rules).await;
    let start = Instant::now();
    proxy.settled().await;
    assert!(start.elapsed() < Duration::from_millis(50), "there is nothing to wait for");
    send(&proxy.url(), 1, &blockhash(1000)).await.json();
    proxy.settled().await;
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert_eq!(node.sends(), 1);
}

#[tokio::test]
async fn a_proxy_that_is_shut_down_leaves_nothing() {
    let (node, proxy) = stage([Rule::always(Fault::Hold(Until::Ms(100)))]).await;
    send(&proxy.url(), 1, &blockhash(1000)).await.json();
    let (url, log) = (proxy.url(), proxy.log());
    let start = Instant::now();
    proxy.shutdown().await;
    assert!(start.elapsed() < Duration::from_millis(90));
    let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    drop(TcpListener::bind(address).unwrap());
    drop(TcpListener::bind(SocketAddr::new(address.ip(), address.port() + 1)).unwrap());
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(node.sends(), 0, "what was held is not delivered");
    assert_eq!(log.entries()[0].delivery, Delivery::Held);
    // Also for another one at once, whatever the system remembers of the connections.
    let again = Proxy::start_on(address, [&node.url], Plan::default()).await.unwrap();
    assert_eq!(again.url(), url);
    assert_eq!(result(&url, "getSlot", json!([])).await, 1000);
}

#[tokio::test]
async fn a_proxy_does_not_wait_for_its_clients_to_leave() {
    let answer = |with| Fault::Answer { delivered: false, with };
    let rules = [
        Rule::on("a", answer(Answer::Close)),
        Rule::on("b", answer(Answer::Hang { ms: None })),
        Rule::on("c", answer(Answer::Length { by: 9 })),
        Rule::on("d", answer(Answer::Oversized { bytes: 1 << 30, chunked: true })),
        Rule::on("e", Fault::Delay { ms: u64::MAX, delivered: true }),
        Rule::on("f", hook("never taken", true)),
    ];
    let (_node, proxy) = stage(rules).await;
    let mut streams = Vec::new();
    for method in ["a", "b", "c", "d", "e", "f", "getSlot"] {
        let (host, bytes) = http("POST", &format!("{}/", proxy.url()), "", &call(method, json!([])).to_string());
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        streams.push(stream);
    }
    until("all have come", || proxy.log().entries().len() == 7).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    tokio::time::timeout(Duration::from_secs(2), proxy.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_is_dropped_ends() {
    let (_node, proxy) = stage([]).await;
    let address = proxy.url().strip_prefix("http://").unwrap().to_owned();
    drop(proxy);
    let start = Instant::now();
    while TcpListener::bind(&address).is_err() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn many_proxies_stand_in_front_of_one_node() {
    let node = Node::start().await;
    let mut proxies = Vec::new();
    for number in 0..20 {
        let plan = Plan::new([Rule::on("getSlot", Fault::Lie(Lie::Result(json!(number))))]);
        proxies.push(Proxy::start([&node.url], plan).await.unwrap());
    }
    for (number, proxy) in proxies.iter().enumerate() {
        assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, number);
        assert_eq!(proxy.log().entries().len(), 1);
    }
}

#[tokio::test]
async fn a_proxy_listens_and_connects_on_this_machine_alone() {
    let start = async |url: &str| Proxy::start([url], Plan::default()).await.err().unwrap().to_string();
    for url in ["http://192.0.2.1:8899", "https://127.0.0.1:8899", "localhost", "http://example.com"] {
        let error = start(url).await;
        assert!(error.contains(url) && error.contains("name a node on this machine"), "{error}");
    }
    let nobody: [&str; 0] = [];
    assert!(matches!(Proxy::start(nobody, Plan::default()).await, Err(Error::NoUpstream)));
    let node = Node::start().await;
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let error = Proxy::start_on(everywhere, [&node.url], Plan::default()).await.err().unwrap();
    assert!(matches!(error, Error::NotLoopback(address) if address == everywhere));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let (_node, proxy) = stage([]).await;
    let address: SocketAddr = proxy.url().strip_prefix("http://").unwrap().parse().unwrap();
    let next = SocketAddr::new(address.ip(), address.port() + 1);
    let node = Node::start().await;
    for taken in [address, next] {
        let error = Proxy::start_on(taken, [&node.url], Plan::default()).await.err().unwrap();
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
    }
}

#[tokio::test]
async fn the_log_knows_what_was_asked_and_told() {
    let (_node, proxy) = stage([Rule::on("getSlot", Fault::Lie(Lie::Result(json!("soon"))))]).await;
    result(&proxy.url_of("alice"), "getSlot", json!([{ "commitment": "confirmed" }])).await;
    send(&proxy.url_of("bob"), 4, &blockhash(1000)).await.json();
    let log = proxy.log();
    let [slot, sent] = log.entries().try_into().unwrap();
    assert_eq!((slot.number, slot.client.as_str(), slot.upstream), (0, "alice", 0));
    assert_eq!(slot.params, json!([{ "commitment": "confirmed" }]));
    assert_eq!(slot.told, Told::Answer(json!({ "jsonrpc": "2.0", "id": 7, "result": "soon" })));
    assert!(
        matches!(&slot.delivery, Delivery::Answered { answer, at_us } if answer["result"] == 1000 && *at_us >= slot.at_us)
    );
    assert_eq!((sent.number, sent.deliveries), (1, 1));
    assert_eq!(sent.signature, Some(crate::node::signature(4)));
    assert_eq!(log.of("getSlot"), [slot]);
    assert_eq!(log.since(1), [sent]);
    assert_eq!(log.evicted(), 0);
    proxy.shutdown().await;
    assert_eq!(log.entries().len(), 2, "it outlives the proxy");
}
