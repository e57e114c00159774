//! Connections to the WebSocket: passed through byte by byte, and cut or silenced by the plan.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, copy_bidirectional},
    net::TcpStream,
};

use super::{
    Shared,
    active::Asker,
    exchange::{Way, together},
    life::Life,
    upstream::Failure,
};
use crate::{
    json_rpc::Call,
    log::Told,
    plan::{Answer, WEBSOCKET},
};

/// Connects a client with the upstream, until one of them leaves or the plan says otherwise.
pub(super) async fn serve(shared: Arc<Shared>, mut life: Life, mut client: TcpStream, number: u64) {
    let ends = tokio::select! {
        ends = pass(&shared, &mut client, number) => ends,
        () = life.ends() => End::Reset,
    };
    if ends == End::Reset {
        let _ = client.set_zero_linger();
    }
}

#[derive(PartialEq, Eq)]
enum End {
    Close,
    Reset,
}

async fn pass(shared: &Shared, client: &mut TcpStream, number: u64) -> End {
    let active = shared.active();
    let call = Call(json!({ "method": WEBSOCKET }));
    let asker = Asker { client: "", connection: number };
    let decision = active.decide(asker, std::slice::from_ref(&call), shared.upstreams.len());
    let entry = shared.log.add(shared.entry(&call, "", decision.upstream));
    let mut ways = [Way::new(call, entry, decision.calls.into_iter().next().unwrap_or_default())];
    let together = together(&mut ways);
    let [way] = &mut ways;
    shared.log.update(entry, |entry| entry.rules = way.rules());

    let [arrival, _] = &together.hooks;
    shared.wait_for_hooks(arrival, &[&way.call]).await;
    tokio::time::sleep(together.delay[0]).await;
    if let Some((false, answer)) = together.answer {
        return end(shared, client, None, entry, answer).await;
    }
    let Some(upstream) = shared.upstreams.get(decision.upstream) else { return End::Close };
    let mut node = match upstream.connect_to_websocket().await {
        Ok(node) => node,
        Err(error) => {
            shared.came_of(entry, Err(&Failure::Unreachable(error.to_string())));
            return End::Close;
        }
    };
    shared.came_of(entry, Ok(Value::String("connected".to_owned())));
    match together.answer {
        Some((_, answer)) => {
            let _ = tokio::time::timeout(together.delay[1], copy_bidirectional(client, &mut node)).await;
            end(shared, client, Some(node), entry, answer).await
        }
        None => {
            let _ = copy_bidirectional(client, &mut node).await;
            shared.log.update(entry, |entry| entry.told = Told::Answer(Value::String("passed through".to_owned())));
            End::Close
        }
    }
}

/// What the plan does to the client's end of a connection. A silent one stays open, and so does the node's.
async fn end(shared: &Shared, client: &mut TcpStream, node: Option<TcpStream>, entry: u64, answer: &Answer) -> End {
    shared.log.update(entry, |entry| entry.told = Told::Fault(answer.clone()));
    match answer {
        Answer::Hang { ms } => {
            let silent = async {
                let mut buffer = [0; 4096];
                while matches!(client.read(&mut buffer).await, Ok(1..)) {}
            };
            let _ = tokio::time::timeout(ms.map_or(Duration::MAX, Duration::from_millis), silent).await;
            drop(node);
            End::Reset
        }
        Answer::Reset => End::Reset,
        _ => End::Close,
    }
}
