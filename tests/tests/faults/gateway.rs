//! A run through the gateway: a process of it on a database of the schedule's own, and somebody who asks it over HTTP and signs.
//! Both die together.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

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
use reqwest::{Client, Method};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;

use crate::{
    deed::Scene,
    judge::Told,
    library::{Heard, PACE, Run},
};

/// How long somebody waits before asking again.
const AGAIN: Duration = Duration::from_millis(100);

/// A gateway begins, somebody asks it, and all of it ends as a process does that is killed.
pub async fn run(run: Run, scene: Arc<Scene>) -> Heard {
    run.dying(async move |run: &Run| match Session::begin(run).await {
        Ok(mut session) => {
            let told = session.act(run, &scene).await;
            (told, session.heard)
        }
        Err(error) => (Told::NotSent(error.clone()), error),
    })
    .await
}

/// A gateway, and who asks it.
struct Session {
    _gateway: Gateway,
    base: String,
    key: String,
    client: Client,
    until: Instant,
    /// Whether the answer was that it cannot be done.
    is_refused: bool,
    /// Every answer.
    heard: String,
}

/// An answer: its status, and what it says.
type Answer = (u16, Value);

impl Session {
    async fn begin(run: &Run) -> Result<Self, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        fs::create_dir_all(&run.folder).map_err(|error| text(&error))?;
        let url = format!("sqlite://{}", run.folder.join("gateway.db").display());
        let store = Store::open(&url, 4).await.map_err(|error| text(&error))?;
        let config = Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            metrics_listen: None,
            nodes: run.urls.clone(),
            // What is judged is what was submitted.
            roles: vec![Role::Api, Role::Submit],
            limits: Limits { anonymous_per_minute: 1_000_000, owner_per_minute: 1_000_000, ..Limits::default() },
            ..Config::default()
        };
        let request = KeyRequest {
            owner: "faults".to_owned(),
            name: String::new(),
            scopes: vec![Scope::Read, Scope::Build, Scope::Submit],
            expires_at: None,
        };
        let (key, credential) = new_key(&request, now_ms()).map_err(|problem| problem.detail)?;
        let mut change = store.change().await.map_err(|error| text(&error))?;
        store.add_credential(&mut change, &credential).await.map_err(|error| text(&error))?;
        change.commit().await.map_err(|error| text(&error))?;
        let chain = Chain::new(&config.nodes, Journal::new(store.clone())).at_pace(PACE);
        let gateway = Gateway::start_with(config, store, chain).await.map_err(|error| text(&error))?;
        let base = format!("http://{}", gateway.address.expect("an address"));
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client");
        let until = Instant::now() + run.patience;
        Ok(Self { _gateway: gateway, base, key, client, until, is_refused: false, heard: String::new() })
    }

    /// As a back end does it that knows nothing but its own number for what it means.
    async fn act(&mut self, run: &Run, scene: &Scene) -> Told {
        let number = *scene.asked.lock().await;
        let told = self.ask(run, scene, number).await;
        // What came to nothing is asked for anew, as another request. No answer is none.
        if told.is_void() || self.is_refused {
            let mut asked = scene.asked.lock().await;
            if *asked == number {
                *asked += 1;
            }
        }
        told
    }

    async fn ask(&mut self, run: &Run, scene: &Scene, number: u32) -> Told {
        let name = format!("deed-{number}");
        let prepared = loop {
            match self.send(Method::POST, "/v1/transactions", &[("idempotency-key", &name)], Some(scene.order())).await
            {
                Some((201, prepared)) => break prepared,
                Some((status, problem)) if !is_worth_another_try(status, &problem) => {
                    self.is_refused = true;
                    return Told::NotSent(problem.to_string());
                }
                again => {
                    if !self.may_go_on().await {
                        return Told::NotSent(format!("{again:?}"));
                    }
                }
            }
        };
        let path = format!("/v1/transactions/{}", prepared["id"].as_str().expect("an id"));
        let signed = sign(prepared["transaction"].as_str().expect("a transaction"), scene.actor());
        let body = json!({"transaction": signed});
        let mut last = loop {
            match self.send(Method::PUT, &format!("{path}/signed"), &[], Some(body.clone())).await {
                Some((200 | 202, status)) => break status,
                // It was refused before it was written down.
                Some((status, problem)) if !is_worth_another_try(status, &problem) => {
                    self.is_refused = true;
                    return Told::NotSent(problem.to_string());
                }
                _ => {
                    if !self.may_go_on().await {
                        return Told::Unknown;
                    }
                }
            }
        };
        loop {
            let told = told(&last);
            if told != Told::Unknown || run.begins || !self.may_go_on().await {
                return told;
            }
            if let Some((200, status)) = self.send(Method::GET, &path, &[("prefer", "wait=1")], None).await {
                last = status;
            }
        }
    }

    /// Waits a little; false where it has taken too long already.
    async fn may_go_on(&self) -> bool {
        tokio::time::sleep(AGAIN).await;
        Instant::now() < self.until
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Option<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        self.heard.push_str(&format!("{status} {text}\n"));
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {status} {text}"));
        assert_ne!(status, 500, "{text}");
        Some((status, value))
    }
}

/// Whether the same request may be answered otherwise.
fn is_worth_another_try(status: u16, problem: &Value) -> bool {
    status >= 500 || problem["code"] == "in_flight"
}

/// What is told for good; everything else is nothing yet.
fn told(status: &Value) -> Told {
    let signature =
        || -> Signature { status["signature"].as_str().and_then(|text| text.parse().ok()).expect("a signature") };
    match status["status"].as_str() {
        Some("finalized") => Told::Done(vec![signature()]),
        Some("failed") => Told::Failed(signature()),
        Some("expired") => Told::Expired(signature()),
        Some("submitted" | "confirmed" | "unknown") => Told::Unknown,
        _ => panic!("there is no such status: {status}"),
    }
}

/// What a wallet does.
fn sign(transaction: &str, signer: &Keypair) -> String {
    let bytes = BASE64_STANDARD.decode(transaction).expect("base 64");
    let mut transaction: VersionedTransaction = wincode::deserialize(&bytes).expect("a transaction");
    assert_eq!(transaction.message.static_account_keys().first(), Some(&signer.pubkey()));
    transaction.signatures = vec![signer.sign_message(&transaction.message.serialize())];
    BASE64_STANDARD.encode(wincode::serialize(&transaction).expect("bytes"))
}
