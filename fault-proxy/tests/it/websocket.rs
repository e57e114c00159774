//! The WebSocket, which the proxy passes on byte by byte, on the port behind its own.

use std::time::Duration;

use escrow_fault_proxy::{Answer, Delivery, Fault, Plan, Proxy, Rule, Told, WEBSOCKET};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Two neighbouring ports, the second of which says everything back; and a proxy in front of them.
async fn echo(rules: impl IntoIterator<Item = Rule>) -> Proxy {
    let (rpc, websocket) = loop {
        let rpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let next = rpc.local_addr().unwrap().port() + 1;
        if let Ok(websocket) = TcpListener::bind(("127.0.0.1", next)).await {
            break (rpc, websocket);
        }
    };
    let url = format!("http://{}", rpc.local_addr().unwrap());
    tokio::spawn(async move {
        let _rpc = rpc;
        loop {
            let (mut stream, _) = websocket.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    Proxy::start([url], Plan::new(rules)).await.unwrap()
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.ws_url().strip_prefix("ws://").unwrap()).await.unwrap()
}

/// What comes back of a byte, within a while: it, the end, a reset, or nothing.
async fn say(stream: &mut TcpStream) -> &'static str {
    if stream.write_all(b"x").await.is_err() {
        return "reset";
    }
    let mut byte = [0];
    match tokio::time::timeout(Duration::from_millis(200), stream.read(&mut byte)).await {
        Err(_) => "silence",
        Ok(Ok(0)) => "end",
        Ok(Ok(_)) => "echo",
        Ok(Err(_)) => "reset",
    }
}

fn rule(delivered: bool, with: Answer) -> Rule {
    Rule::on(WEBSOCKET, Fault::Answer { delivered, with })
}

#[tokio::test]
async fn a_connection_passes_through() {
    let proxy = echo([]).await;
    let mut stream = connect(&proxy).await;
    for _ in 0..3 {
        assert_eq!(say(&mut stream).await, "echo");
    }
    let entry = &proxy.log().of(WEBSOCKET)[0];
    assert!(matches!(entry.delivery, Delivery::Answered { .. }));
    drop(stream);
    proxy.shutdown().await;
}

#[tokio::test]
async fn a_connection_is_refused() {
    let proxy = echo([rule(false, Answer::Reset).times(1)]).await;
    assert_eq!(say(&mut connect(&proxy).await).await, "reset");
    assert_eq!(proxy.log().of(WEBSOCKET)[0].delivery, Delivery::None);
    assert_eq!(say(&mut connect(&proxy).await).await, "echo");
}

#[tokio::test]
async fn a_connection_falls_silent_after_a_while() {
    let after = Rule::on(WEBSOCKET, Fault::Delay { ms: 200, delivered: true });
    let proxy = echo([after, rule(true, Answer::Hang { ms: Some(400) })]).await;
    let mut stream = connect(&proxy).await;
    assert_eq!(say(&mut stream).await, "echo");
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(say(&mut stream).await, "silence");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(say(&mut stream).await, "reset");
    let entry = &proxy.log().of(WEBSOCKET)[0];
    assert_eq!(entry.told, Told::Fault(Answer::Hang { ms: Some(400) }));
    assert_eq!(entry.rules, [0, 1]);
}

#[tokio::test]
async fn a_connection_is_closed_after_a_while() {
    let after = Rule::on(WEBSOCKET, Fault::Delay { ms: 150, delivered: true });
    let proxy = echo([after, rule(true, Answer::Close)]).await;
    let mut stream = connect(&proxy).await;
    assert_eq!(say(&mut stream).await, "echo");
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
}

#[tokio::test]
async fn a_node_without_one_is_said_to_have_none() {
    let node = crate::node::Node::start().await;
    let proxy = Proxy::start([&node.url], Plan::default()).await.unwrap();
    assert_ne!(say(&mut connect(&proxy).await).await, "echo");
    assert!(matches!(proxy.log().of(WEBSOCKET)[0].delivery, Delivery::Unreachable(_)));
}

#[tokio::test]
async fn connections_die_with_the_node() {
    let down = Fault::Down { ms: Some(100), delivered: false };
    let proxy = echo([Rule::on("getSlot", down).times(1)]).await;
    let mut stream = connect(&proxy).await;
    assert_eq!(say(&mut stream).await, "echo");
    crate::client::ask(&proxy.url(), "getSlot", serde_json::json!([])).await;
    assert_eq!(say(&mut stream).await, "reset");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(say(&mut connect(&proxy).await).await, "echo");
}
