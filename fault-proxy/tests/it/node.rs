//! A node that is a script: a chain of numbered blocks, with accounts and transactions that tests put there.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};

/// The height is so much less than the slot.
pub const SKIPPED: u64 = 10;

/// A transaction that has the signature of all `byte`s, and the block hash of this name.
pub fn transaction(byte: u8, blockhash: &str) -> String {
    let mut bytes = vec![1];
    bytes.extend([byte; 64]);
    bytes.extend([1, 0, 1, 2]);
    bytes.extend([5; 64]);
    bytes.extend(bs58::decode(blockhash).into_vec().unwrap());
    bytes.extend([1, 1, 0, 0]);
    STANDARD.encode(bytes)
}

pub fn signature(byte: u8) -> String {
    bs58::encode([byte; 64]).into_string()
}

/// The hash of the block in this slot.
pub fn blockhash(slot: u64) -> String {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&slot.to_le_bytes());
    bs58::encode(bytes).into_string()
}

/// An account as nodes write it.
pub fn account(lamports: u64, owner: &str, data: &[u8]) -> Value {
    json!({
        "lamports": lamports, "owner": owner, "data": [STANDARD.encode(data), "base64"], "executable": false,
        "rentEpoch": 0, "space": data.len(),
    })
}

/// A running node. It ends with this.
pub struct Node {
    pub url: String,
    state: Arc<Mutex<State>>,
    server: AbortHandle,
}

#[derive(Default)]
struct State {
    slot: u64,
    accounts: HashMap<String, Value>,
    statuses: HashMap<String, Value>,
    /// The bodies of all requests, as they came.
    bodies: Vec<String>,
    /// HTTP's method, the path and all headers of all requests.
    heads: Vec<(String, hyper::HeaderMap)>,
    /// What it says instead of an answer.
    instead: Option<(u16, Bytes)>,
    pause: Duration,
    refuses_repetitions: bool,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Node {
    /// At slot 1000.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { slot: 1000, ..State::default() }));
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(|request| serve(Arc::clone(&shared), request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, state, server: server.abort_handle() }
    }

    pub fn set_slot(&self, slot: u64) {
        self.lock().slot = slot;
    }

    pub fn set_account(&self, address: &str, account: Value) {
        self.lock().accounts.insert(address.to_owned(), account);
    }

    /// A transaction that is finalized, or failed.
    pub fn set_status(&self, byte: u8, slot: u64, err: Value) {
        let level = "finalized";
        let status =
            json!({ "slot": slot, "confirmations": null, "confirmationStatus": level, "err": err, "status": {} });
        self.lock().statuses.insert(signature(byte), status);
    }

    /// What it answers to everything from now on.
    pub fn set_answer(&self, status: u16, body: impl Into<Bytes>) {
        self.lock().instead = Some((status, body.into()));
    }

    /// It refuses a transaction that it was sent before.
    pub fn refuse_repetitions(&self) {
        self.lock().refuses_repetitions = true;
    }

    /// How long it takes for an answer.
    pub fn set_pause(&self, pause: Duration) {
        self.lock().pause = pause;
    }

    /// All bodies as they came.
    pub fn bodies(&self) -> Vec<String> {
        self.lock().bodies.clone()
    }

    pub fn heads(&self) -> Vec<(String, hyper::HeaderMap)> {
        self.lock().heads.clone()
    }

    /// The parameters of all calls of this method that came.
    pub fn asked(&self, method: &str) -> Vec<Value> {
        let calls = self.bodies().into_iter().flat_map(|body| match serde_json::from_str(&body) {
            Ok(Value::Array(calls)) => calls,
            Ok(call) => vec![call],
            Err(_) => Vec::new(),
        });
        calls.filter(|call| call["method"] == method).map(|call| call["params"].clone()).collect()
    }

    /// How many transactions came.
    pub fn sends(&self) -> usize {
        self.asked("sendTransaction").len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn serve(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    let pause = {
        let mut state = state.lock().unwrap();
        state.bodies.push(text.clone());
        state.heads.push((format!("{} {}", head.method, head.uri), head.headers));
        state.pause
    };
    tokio::time::sleep(pause).await;
    let state = state.lock().unwrap();
    let mut response = Response::new(Full::default());
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response.headers_mut().insert("x-node", "script".parse().unwrap());
    *response.body_mut() = match (&state.instead, serde_json::from_str::<Value>(&text)) {
        (Some((status, body)), _) => {
            *response.status_mut() = hyper::StatusCode::from_u16(*status).unwrap();
            body.clone().into()
        }
        (None, Ok(Value::Array(calls))) => {
            Value::Array(calls.iter().map(|call| answer(&state, call)).collect()).to_string().into()
        }
        (None, Ok(call)) => answer(&state, &call).to_string().into(),
        (None, Err(_)) => "ok".into(),
    };
    Ok(response)
}

fn answer(state: &State, call: &Value) -> Value {
    let slot = state.slot;
    let with_context = |value: Value| json!({ "context": { "apiVersion": "4.2.0", "slot": slot }, "value": value });
    let account = |address: &Value| state.accounts.get(address.as_str().unwrap()).cloned().unwrap_or_default();
    let status = |signature: &Value| state.statuses.get(signature.as_str().unwrap()).cloned().unwrap_or_default();
    let params = &call["params"];
    let result = match call["method"].as_str().unwrap_or_default() {
        "getSlot" => json!(slot),
        "getBlockHeight" => json!(slot - SKIPPED),
        "getEpochInfo" => json!({ "absoluteSlot": slot, "blockHeight": slot - SKIPPED, "epoch": 0, "slotIndex": slot }),
        "getLatestBlockhash" => {
            with_context(json!({ "blockhash": blockhash(slot), "lastValidBlockHeight": slot - SKIPPED + 150 }))
        }
        "getSignatureStatuses" => with_context(params[0].as_array().unwrap().iter().map(status).collect()),
        "getTransaction" => match status(&params[0]) {
            Value::Null => Value::Null,
            status => json!({ "slot": status["slot"], "meta": { "err": status["err"], "status": {} } }),
        },
        "getSignaturesForAddress" => {
            let mut all: Vec<Value> = Vec::new();
            for (signature, status) in &state.statuses {
                let level = &status["confirmationStatus"];
                all.push(json!({ "signature": signature, "slot": status["slot"], "err": status["err"], "confirmationStatus": level }));
            }
            all.sort_by_key(|one| one["signature"].to_string());
            json!(all)
        }
        "getAccountInfo" => with_context(account(&params[0])),
        "getMultipleAccounts" => with_context(params[0].as_array().unwrap().iter().map(account).collect()),
        "getBalance" => with_context(account(&params[0])["lamports"].clone()),
        "getProgramAccounts" => {
            let mut all: Vec<Value> = Vec::new();
            for (address, account) in &state.accounts {
                all.push(json!({ "pubkey": address, "account": account }));
            }
            all.sort_by_key(|one| one["pubkey"].to_string());
            json!(all)
        }
        "getTokenSupply" => with_context(json!({ "amount": "1", "decimals": 6 })),
        "getGenesisHash" => json!("genesis"),
        "getFirstAvailableBlock" => json!(3),
        "getBlockTime" => json!(1_700_000_000),
        "getHealth" => json!("ok"),
        "sendTransaction" => {
            let bytes = STANDARD.decode(params[0].as_str().unwrap()).unwrap();
            let again = state.bodies.iter().filter(|body| body.contains(params[0].as_str().unwrap())).count() > 1;
            if state.refuses_repetitions && again {
                let error =
                    json!({ "code": -32002, "message": "simulation failed", "data": { "err": "AlreadyProcessed" } });
                return json!({ "jsonrpc": "2.0", "id": call["id"], "error": error });
            }
            json!(bs58::encode(&bytes[1..65]).into_string())
        }
        _ => {
            let error = json!({ "code": -32601, "message": "Method not found" });
            return json!({ "jsonrpc": "2.0", "id": call["id"], "error": error });
        }
    };
    json!({ "jsonrpc": "2.0", "id": call["id"], "result": result })
}
