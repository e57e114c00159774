//! A validator, gateways, people, and requests.

use std::{sync::LazyLock, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use escrow_gateway::{
    api::{
        auth::Scope,
        v1::access::{KeyRequest, new_key},
    },
    chain::Chain,
    config::{Config, Limits, Role},
    now_ms,
    serve::Gateway,
    store::Store,
    submit::Journal,
};
use escrow_localnet::{Blocks, Localnet};
use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use tokio::{runtime::Runtime, sync::OnceCell};

/// What all tests of this process run on.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static NET: OnceCell<Localnet> = OnceCell::const_new();

pub const SOL: u64 = 1_000_000_000;
pub const DAY: i64 = 24 * 60 * 60;

/// Runs a test.
pub fn run(test: impl Future<Output = ()>) {
    RUNTIME.block_on(test);
}

/// The validator that tests share which do not move its clock.
pub async fn net() -> &'static Localnet {
    NET.get_or_init(|| async { Localnet::start(escrow_localnet::Config::default()).await.expect("a validator") }).await
}

/// A validator whose block hashes live for 15 seconds: for many transactions at once, on a machine that has much else to do.
pub async fn patient_net() -> Localnet {
    let blocks = Blocks::Every(Duration::from_millis(100));
    Localnet::start(escrow_localnet::Config::default().with_blocks(blocks)).await.expect("a validator")
}

/// A database.
pub struct Database {
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

/// An empty SQLite, and an empty Postgres if it is installed.
pub fn databases() -> Vec<Database> {
    let postgres = super::postgres::database().map(|url| Database { url, _folder: None });
    [sqlite()].into_iter().chain(postgres).collect()
}

pub fn sqlite() -> Database {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("gateway.db").display());
    Database { url, _folder: Some(folder) }
}

impl Database {
    pub async fn open(&self) -> Store {
        Store::open(&self.url, 8).await.expect("a database")
    }
}

pub fn config(nodes: &str) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        metrics_listen: None,
        nodes: vec![nodes.to_owned()],
        // Without the index: lists show what was just confirmed. Its own tests have it.
        roles: vec![Role::Api, Role::Submit, Role::Deliver],
        database_connections: 8,
        limits: Limits { anonymous_per_minute: 1_000_000, owner_per_minute: 1_000_000, ..Limits::default() },
        ..Config::default()
    }
}

/// A gateway that runs.
pub async fn gateway(database: &Database, config: Config) -> Gateway {
    let store = database.open().await;
    let chain = Chain::new(&config.nodes, Journal::new(store.clone()));
    Gateway::start_with(config, store, chain).await.expect("a gateway")
}

/// A gateway, and a key for everything.
pub struct World {
    pub gateway: Gateway,
    pub user: User,
}

pub async fn world(database: &Database) -> World {
    world_with(database, config(net().await.rpc_url())).await
}

/// The same, told otherwise.
pub async fn world_with(database: &Database, config: Config) -> World {
    let gateway = gateway(database, config).await;
    let user = User::new(&gateway, "shop", &Scope::ALL).await;
    World { gateway, user }
}

/// Somebody with a key.
#[derive(Clone)]
pub struct User {
    pub base: String,
    pub key: Option<String>,
    pub client: Client,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The problem's code.
    pub fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        assert!(!problem["request_id"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty());
        problem["code"].as_str().unwrap().to_owned()
    }

    /// What was answered, where that is `status`.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.json()
    }
}

pub async fn make_key(store: &Store, owner: &str, scopes: &[Scope], expires_at: Option<i64>) -> (String, String) {
    let request = KeyRequest { owner: owner.to_owned(), name: String::new(), scopes: scopes.to_vec(), expires_at };
    // One that has expired was made before.
    let made = expires_at.map_or_else(now_ms, |seconds| (seconds * 1_000 - 1).min(now_ms()));
    let (token, credential) = new_key(&request, made).expect("a key");
    let mut change = store.change().await.expect("a change");
    store.add_credential(&mut change, &credential).await.expect("a key");
    change.commit().await.expect("a change");
    (token, credential.id)
}

impl User {
    pub async fn new(gateway: &Gateway, owner: &str, scopes: &[Scope]) -> Self {
        let (token, _) = make_key(&gateway.store, owner, scopes, None).await;
        Self::with(gateway, Some(token))
    }

    pub fn with(gateway: &Gateway, key: Option<String>) -> Self {
        let base = format!("http://{}", gateway.address.expect("an address"));
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client");
        Self { base, key, client }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let (status, headers) = (response.status(), response.headers().clone());
        // A stream has no end.
        if headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            return Answer { status, headers, text: String::new() };
        }
        Answer { status, headers, text: response.text().await.expect("a body") }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn json(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(method, path, &all, Some(body.to_string().into_bytes())).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, &[], body).await
    }

    /// Has a transaction of these actions built, signed by these, and executed: what it does, and what became of it.
    pub async fn execute(&self, actions: Value, signers: &[&Keypair]) -> (Value, Value) {
        let payer = signers[0].pubkey().to_string();
        let prepared =
            self.post("/v1/transactions", &json!({"actions": actions, "fee_payer": payer})).await.expect(201);
        let signed = sign(prepared["transaction"].as_str().unwrap(), signers);
        let path = format!("/v1/transactions/{}/signed", prepared["id"].as_str().unwrap());
        let answer = self.json(Method::PUT, &path, &[("prefer", "wait=20")], &json!({"transaction": signed})).await;
        assert!(answer.status.is_success(), "{answer:?}");
        let mut status = answer.json();
        for _ in 0..3 {
            if ["finalized", "failed", "expired"].contains(&status["status"].as_str().unwrap()) {
                break;
            }
            let path = format!("/v1/transactions/{}", prepared["id"].as_str().unwrap());
            status = self.send(Method::GET, &path, &[("prefer", "wait=20")], None).await.expect(200);
        }
        (prepared, status)
    }
}

/// What a wallet does.
pub fn sign(transaction: &str, signers: &[&Keypair]) -> String {
    let bytes = BASE64_STANDARD.decode(transaction).expect("base 64");
    let mut transaction: VersionedTransaction = wincode::deserialize(&bytes).expect("a transaction");
    let message = transaction.message.serialize();
    for signer in signers {
        let keys = transaction.message.static_account_keys();
        let place = keys.iter().position(|key| *key == signer.pubkey()).expect("a signer");
        transaction.signatures[place] = signer.sign_message(&message);
    }
    BASE64_STANDARD.encode(wincode::serialize(&transaction).expect("bytes"))
}

/// Buyer, seller and arbiter, with money.
pub async fn people(net: &Localnet) -> [Keypair; 3] {
    let mut people = Vec::new();
    for _ in 0..3 {
        people.push(net.new_funded_keypair(10 * SOL).await.expect("somebody"));
    }
    people.try_into().expect("three")
}

/// Terms between them, in SOL.
pub async fn terms(net: &Localnet, [buyer, seller, arbiter]: &[Keypair; 3], amounts: &[u64]) -> Value {
    let now = net.clock().await.expect("a clock").unix_timestamp;
    let milestone = |amount: &u64| json!({"amount": amount.to_string(), "deliver_by": now + 10 * DAY});
    json!({
        "buyer": buyer.pubkey().to_string(),
        "seller": seller.pubkey().to_string(),
        "arbiter": arbiter.pubkey().to_string(),
        "milestones": amounts.iter().map(milestone).collect::<Vec<_>>(),
    })
}
