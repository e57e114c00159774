//! Several nodes behind one address.

use escrow_fault_proxy::{Balance, Fault, Lie, Number, Plan, Proxy, Quantity, Rule};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::{call, http, result},
    node::Node,
};

async fn two(balance: Balance) -> (Node, Node, Proxy) {
    let (one, other) = (Node::start().await, Node::start().await);
    other.set_slot(2000);
    let plan = Plan { seed: 3, rules: vec![Rule::always(Fault::Balance(balance))] };
    let proxy = Proxy::start([&one.url, &other.url], plan).await.unwrap();
    (one, other, proxy)
}

#[tokio::test]
async fn each_request_goes_to_either_node() {
    let (one, other, proxy) = two(Balance::PerRequest).await;
    let mut slots: Vec<Value> = Vec::new();
    for _ in 0..40 {
        slots.push(result(&proxy.url(), "getSlot", json!([])).await);
    }
    let (at_one, at_other) = (one.asked("getSlot").len(), other.asked("getSlot").len());
    assert_eq!(at_one + at_other, 40);
    assert!(at_one > 5 && at_other > 5, "{at_one} and {at_other}");
    let in_log = proxy.log().entries().into_iter().map(|entry| json!([1000, 2000][entry.upstream]));
    assert_eq!(in_log.collect::<Vec<_>>(), slots);
}

#[tokio::test]
async fn a_connection_stays_with_its_node() {
    let (_one, _other, proxy) = two(Balance::PerConnection).await;
    let mut nodes = Vec::new();
    for _ in 0..12 {
        let (host, bytes) = http("POST", &format!("{}/", proxy.url()), "", &call("getSlot", json!([])).to_string());
        let mut stream = TcpStream::connect(host).await.unwrap();
        let mut slots = Vec::new();
        for _ in 0..5 {
            stream.write_all(&bytes).await.unwrap();
            let mut answer = vec![0; 4096];
            let count = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
            slots.push(answer.contains("\"result\":2000"));
        }
        assert!(slots.iter().all(|slot| *slot == slots[0]), "{slots:?}");
        nodes.push(slots[0]);
    }
    assert!(nodes.contains(&true) && nodes.contains(&false), "{nodes:?}");
}

#[tokio::test]
async fn requests_go_to_the_node_that_is_named() {
    let (one, other, proxy) = two(Balance::To(1)).await;
    assert_eq!(result(&proxy.url(), "getSlot", json!([])).await, 2000);
    assert_eq!((one.bodies().len(), other.bodies().len()), (0, 1));
}

#[tokio::test]
async fn one_of_two_nodes_lies() {
    let (one, other) = (Node::start().await, Node::start().await);
    let lie = Fault::Lie(Lie::Number { of: Quantity::Slot, is: Number::Set(5) });
    let balance = Rule::on("getSlot", Fault::Balance(Balance::To(1))).every(2);
    let proxy =
        Proxy::start([&one.url, &other.url], Plan::new([balance, Rule::always(lie).upstream(1)])).await.unwrap();
    let mut slots = Vec::new();
    for _ in 0..4 {
        slots.push(result(&proxy.url(), "getSlot", json!([])).await);
    }
    assert_eq!(slots, [5, 1000, 5, 1000]);
}
