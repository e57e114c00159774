//! Somebody who is told of events, and checks who has signed by what the Standard Webhooks say: independent of the gateway's
//! own code.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use solana_signature::Signature;

/// A message that arrived.
#[derive(Debug, Clone)]
pub struct Heard {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub text: String,
    /// Whether it was answered with 2xx.
    pub taken: bool,
}

/// How a receiver answers.
#[derive(Debug, Clone)]
pub enum Manner {
    Status(u16),
    /// With when to come again.
    Later(u16, String),
    To(String),
    /// It takes it, after so long.
    Slow(Duration),
    /// It takes it, and its body never ends.
    Endless,
}

type Decide = Arc<dyn Fn(&Heard) -> Manner + Send + Sync>;

#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    decide: Arc<Mutex<Decide>>,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub async fn start_at(address: &str) -> Self {
        let listener = tokio::net::TcpListener::bind(address).await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let decide: Decide = Arc::new(|_| Manner::Status(204));
        let receiver = Self { address, heard: Arc::default(), decide: Arc::new(Mutex::new(decide)) };
        let router = Router::new().fallback(hear).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn answers(&self, decide: impl Fn(&Heard) -> Manner + Send + Sync + 'static) {
        *self.decide.lock().unwrap() = Arc::new(decide);
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// How much arrived.
    pub fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// What it took, in order: of which escrow, and which event's number there.
    pub fn taken(&self) -> Vec<(String, u64)> {
        let heard = self.heard();
        let events = heard.iter().filter(|heard| heard.taken && heard.json()["type"] != "probe");
        events.map(|heard| (heard.escrow(), heard.json()["data"]["event"]["step"].as_u64().unwrap())).collect()
    }
}

async fn hear(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut heard = Heard {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        text: String::from_utf8(body.to_vec()).expect("text"),
        taken: false,
    };
    let decide = Arc::clone(&receiver.decide.lock().unwrap());
    let manner = decide(&heard);
    let response = Response::builder();
    let (status, response) = match &manner {
        Manner::Status(status) => (*status, response),
        Manner::Later(status, when) => (*status, response.header("retry-after", when)),
        Manner::To(url) => (302, response.header("location", url)),
        Manner::Slow(after) => {
            tokio::time::sleep(*after).await;
            (204, response)
        }
        Manner::Endless => (200, response),
    };
    heard.taken = (200..300).contains(&status);
    receiver.heard.lock().unwrap().push(heard);
    let body = match manner {
        Manner::Endless => {
            let endless = futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1_000])), ()))
            });
            Body::from_stream(endless)
        }
        _ => Body::from("thanks"),
    };
    response.status(status).body(body).expect("a response")
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    pub fn escrow(&self) -> String {
        self.json()["data"]["escrow"].as_str().unwrap().to_owned()
    }

    fn content(&self) -> Vec<u8> {
        format!("{}.{}.{}", self.id, self.timestamp, self.text).into_bytes()
    }

    fn signatures(&self, version: &str) -> Vec<Vec<u8>> {
        let parts = self.signature.split(' ').filter_map(|part| part.split_once(','));
        let of_version = parts.filter(|(found, _)| *found == version);
        of_version.map(|(_, signature)| BASE64_STANDARD.decode(signature).expect("base 64")).collect()
    }

    /// Whether one of the signatures `v1` is of this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").expect("whsec_")).expect("base 64");
        let expected = hmac(&key, &self.content());
        self.signatures("v1").contains(&expected)
    }

    /// Whether one of the signatures `v1a` is of this key.
    pub fn is_signed_by(&self, public_key: &str) -> bool {
        let key = BASE64_STANDARD.decode(public_key.strip_prefix("whpk_").expect("whpk_")).expect("base 64");
        let of_key = |bytes: &Vec<u8>| Signature::try_from(bytes.as_slice()).unwrap().verify(&key, &self.content());
        self.signatures("v1a").iter().any(of_key)
    }
}

/// RFC 2104, of keys that are no longer than a block.
fn hmac(key: &[u8], content: &[u8]) -> Vec<u8> {
    let pad = |with: u8| (0..64).map(|place| key.get(place).unwrap_or(&0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(content).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}
