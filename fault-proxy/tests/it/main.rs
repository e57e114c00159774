//! What a client sees of each fault, and what the node behind the proxy sees. The node is a script.

mod answers;
mod balance;
mod batches;
mod behind;
mod binary;
mod client;
mod control;
mod delivery;
mod lies;
mod load;
mod node;
mod plans;
mod robust;
mod websocket;

use std::time::{Duration, Instant};

use escrow_fault_proxy::{Plan, Proxy, Rule};

use crate::node::Node;

/// Lets the proxy see the node in each of these slots, and leaves it in the last one. It must need the past.
async fn pass_through(node: &Node, slots: impl IntoIterator<Item = u64>) {
    for slot in slots {
        node.set_slot(slot);
        // One that was on its way may have been answered before.
        let asked = node.asked("getLatestBlockhash").len() + 4;
        until("the proxy watches the block hashes", || node.asked("getLatestBlockhash").len() >= asked).await;
    }
}

/// Waits until this is so.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A node, and a proxy in front of it with these rules.
async fn stage(rules: impl IntoIterator<Item = Rule>) -> (Node, Proxy) {
    let node = Node::start().await;
    let proxy = Proxy::start([&node.url], Plan::new(rules)).await.unwrap();
    (node, proxy)
}
