//! An RPC node that lies, loses requests or hangs up: a small HTTP server on loopback in front of the real one.

use std::sync::{Arc, Mutex};

use escrow_client::EscrowClient;
use escrow_localnet::{Localnet, RpcClient};
use serde_json::{Value, json};
use solana_account::Account;
use solana_client::client_error::reqwest;
use solana_commitment_config::CommitmentConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What to do with a request.
pub enum Reply {
    /// Let the real node answer.
    Forward,
    /// Let the real node do it, and close the connection without an answer.
    ForwardThenHangUp,
    /// Close the connection.
    HangUp,
    /// This result, without asking anybody.
    Result(Value),
    /// This JSON-RPC error, without asking anybody.
    Error(Value),
    /// This status and body, which need not be JSON-RPC.
    Http(&'static str, String),
}

type Rule = dyn Fn(&str, &Value) -> Reply + Send + Sync;

/// A running gateway. It ends with this handle.
pub struct Gateway {
    pub url: String,
    requests: Arc<Mutex<Vec<Value>>>,
    server: JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Gateway {
    /// In front of `net`. `rule` is asked about each request, by its method and parameters.
    pub async fn before(net: &Localnet, rule: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (node, seen, rule) = (net.rpc_url().to_owned(), Arc::clone(&requests), Arc::new(rule) as Arc<Rule>);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (node, seen, rule) = (node.clone(), Arc::clone(&seen), Arc::clone(&rule));
                tokio::spawn(async move { serve(stream, &node, &seen, &*rule).await });
            }
        });
        Self { url, requests, server }
    }

    /// A client that asks this gateway.
    pub fn client(&self) -> EscrowClient {
        let rpc = RpcClient::new_with_commitment(self.url.clone(), CommitmentConfig::confirmed());
        EscrowClient::from_rpc(Arc::new(rpc))
    }

    /// The parameters of the requests for `method` so far.
    pub fn asked(&self, method: &str) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|request| request["method"] == method).map(|request| request["params"].clone()).collect()
    }
}

/// Answers one request; the client opens a new connection for the next.
async fn serve(stream: TcpStream, node: &str, seen: &Mutex<Vec<Value>>, rule: &Rule) {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    // A connection that was opened ahead and never used.
    if length == 0 {
        return;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    seen.lock().unwrap().push(request.clone());

    let envelope = |key: &str, value: Value| json!({ "jsonrpc": "2.0", "id": request["id"], key: value }).to_string();
    let (status, text) = match rule(request["method"].as_str().unwrap(), &request["params"]) {
        Reply::Forward => ("200 OK", forward(node, body).await),
        Reply::ForwardThenHangUp => {
            forward(node, body).await;
            return;
        }
        Reply::HangUp => return,
        Reply::Result(result) => ("200 OK", envelope("result", result)),
        Reply::Error(error) => ("200 OK", envelope("error", error)),
        Reply::Http(status, text) => (status, text),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    // The client may have given up.
    let _ = stream.get_mut().write_all(answer.as_bytes()).await;
}

async fn forward(node: &str, body: Vec<u8>) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = http.post(node).header("content-type", "application/json").body(body).send().await;
    sent.unwrap().text().await.unwrap()
}

/// An account as an RPC node writes it.
pub fn ui_account(account: &Account) -> Value {
    json!({
        "lamports": account.lamports,
        "owner": account.owner.to_string(),
        "data": [base64(&account.data), "base64"],
        "executable": account.executable,
        "rentEpoch": account.rent_epoch,
        "space": account.data.len(),
    })
}

/// The answer to `getAccountInfo`.
pub fn account_info(account: &Account) -> Value {
    json!({ "context": { "slot": 1 }, "value": ui_account(account) })
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| (group << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = usize::try_from(group >> (18 - 6 * place) & 63).unwrap();
            text.push(if place <= chunk.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}
