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

use escrow_fault_proxy::{Plan, Proxy, Rule};

use crate::node::Node;

/// A node, and a proxy in front of it with these rules.
async fn stage(rules: impl IntoIterator<Item = Rule>) -> (Node, Proxy) {
    let node = Node::start().await;
    let proxy = Proxy::start([&node.url], Plan::new(rules)).await.unwrap();
    (node, proxy)
}
