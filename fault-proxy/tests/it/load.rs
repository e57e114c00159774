//! Many at once.

use std::time::{Duration, Instant};

use escrow_fault_proxy::{Answer, Fault, Plan, Profile, Proxy, Rule, Until};
use serde_json::json;

use crate::{
    client::{End, IMPATIENCE, ask, call, post_within, send, send_call},
    node::{Node, blockhash, signature},
    pass_through, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_at_once() {
    let node = Node::start().await;
    node.set_pause(Duration::from_millis(100));
    let reset = Fault::Answer { delivered: true, with: Answer::Reset };
    let plan = Plan::new([Rule::on("getSlot", reset).every(10)]);
    let proxy = Proxy::start([&node.url], plan).await.unwrap();
    let url = proxy.url();
    let start = Instant::now();
    let asked: Vec<_> = (0..1000)
        .map(|_| (url.clone(), "getSlot"))
        .map(|(url, method)| tokio::spawn(async move { ask(&url, method, json!([])).await }))
        .collect();
    let mut ends = Vec::new();
    for asked in asked {
        ends.push(asked.await.unwrap().end);
    }
    let took = start.elapsed();
    let count = |end| ends.iter().filter(|seen| **seen == end).count();
    assert_eq!((count(End::Complete), count(End::Reset)), (900, 100));
    assert_eq!(node.asked("getSlot").len(), 1000);
    let entries = proxy.log().entries();
    assert_eq!(entries.iter().filter(|entry| entry.rules == [0]).count(), 100);
    assert!(entries.iter().enumerate().all(|(index, entry)| usize::try_from(entry.number) == Ok(index)));
    println!("1,000 requests in {took:?}");
    // One after the other they would take 100 seconds.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_transactions_held_back_at_once() {
    let node = Node::start().await;
    let proxy =
        Proxy::start([&node.url], Plan::new([Rule::always(Fault::Hold(Until::BeforeExpiry(1)))])).await.unwrap();
    pass_through(&node, [1000]).await;
    for byte in 0..200 {
        send(&proxy.url(), byte, &blockhash(1000)).await.json();
    }
    assert_eq!(node.sends(), 0);
    node.set_slot(1149);
    proxy.settled().await;
    assert_eq!(node.sends(), 200);
    assert_eq!(proxy.log().accepted(), (0..200).map(signature).collect::<Vec<_>>());
}

/// No plan stops a proxy from answering when the plan is over.
#[tokio::test(flavor = "multi_thread")]
async fn random_plans_end() {
    let node = Node::start().await;
    let proxy = Proxy::start([&node.url], Plan::default()).await.unwrap();
    for seed in 0..40 {
        for profile in [Profile::Honest, Profile::Nonsense, Profile::Liar] {
            proxy.set_plan(Plan::random(seed, profile).paced(5)).unwrap();
            let url = proxy.url();
            let asked: Vec<_> = (0..8)
                .map(|number| {
                    let url = url.clone();
                    tokio::spawn(async move {
                        let call = match number % 4 {
                            0 => call("getLatestBlockhash", json!([])),
                            1 => call("getSignatureStatuses", json!([[signature(1)]])),
                            2 => call("getBlockHeight", json!([])),
                            _ => send_call(1, &blockhash(1000)),
                        };
                        post_within(IMPATIENCE, &url, &call.to_string()).await
                    })
                })
                .collect();
            for asked in asked {
                asked.await.unwrap();
            }
        }
        node.set_slot(1000 + (seed + 1) * 200);
    }
    proxy.set_plan(Plan::default()).unwrap();
    node.set_slot(100_000);
    tokio::time::timeout(Duration::from_secs(60), proxy.settled()).await.unwrap();
    let start = Instant::now();
    while ask(&proxy.url(), "getSlot", json!([])).await.end != End::Complete {
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

/// A node that dies takes no connection more, also of those that come at that moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_under_load() {
    let node = Node::start().await;
    let down = Plan::new([Rule::on("getSlot", Fault::Down { ms: None, delivered: false })]);
    let proxy = Proxy::start([&node.url], Plan::default()).await.unwrap();
    let host = proxy.url().strip_prefix("http://").unwrap().to_owned();
    for _ in 0..100 {
        proxy.set_plan(down.clone()).unwrap();
        until("it comes back", || std::net::TcpStream::connect(&host).is_ok()).await;
        let knocking: Vec<_> = (0..8)
            .map(|_| {
                let host = host.clone();
                tokio::spawn(async move {
                    let mut open = Vec::new();
                    while let Ok(stream) = tokio::net::TcpStream::connect(&host).await {
                        open.push(stream);
                    }
                    open
                })
            })
            .collect();
        assert_eq!(ask(&proxy.url(), "getSlot", json!([])).await.end, End::Reset);
        for knocking in knocking {
            let open = tokio::time::timeout(Duration::from_secs(5), knocking).await.expect("it is down").unwrap();
            for mut stream in open {
                let read = tokio::io::AsyncReadExt::read_u8(&mut stream);
                assert!(tokio::time::timeout(Duration::from_secs(5), read).await.expect("it is reset").is_err());
            }
        }
    }
}
