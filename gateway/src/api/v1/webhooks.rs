//! Webhook endpoints: who is told of events, and with which secrets that is signed.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{VERSION, access::Page};
use crate::{
    api::{
        Api,
        auth::Principal,
        body::{JsonBody, Path, Query},
        idempotency::{self, Answer},
        page,
    },
    deliver::{readable, sign::Secret},
    problem::{Code, Problem, Result},
    store::{Endpoint, EndpointChange, SecretRow},
    wire::Address,
};

/// The most endpoints of one owner: each event is looked at for each of them.
const MOST: i64 = 20;
/// The most kinds or escrows that an endpoint names, and the longest description, in letters.
const MOST_WORDS: usize = 100;
const LONGEST: usize = 200;

/// An endpoint that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointRequest {
    /// Where it is told: `https://…`, on the public Internet.
    #[schema(max_length = 2000)]
    pub url: String,
    /// What it is for, for people.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub description: String,
    /// Which events, by their kinds as events name them; all if it is left out or empty.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub kinds: Vec<String>,
    /// Of which escrows; all if it is left out or empty.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub escrows: Vec<Address>,
    /// Whether also what may yet be taken back: `data.finality` says `provisional`, later `final` or `reverted`.
    #[serde(default)]
    pub provisional: bool,
}

/// What changes of an endpoint. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointPatch {
    /// Where it is told.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub url: Option<String>,
    /// What it is for, for people.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub description: Option<String>,
    /// Which events; empty: all.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub kinds: Option<Vec<String>>,
    /// Of which escrows; empty: all.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub escrows: Option<Vec<Address>>,
    /// Whether also what may yet be taken back.
    #[serde(default)]
    pub provisional: Option<bool>,
    /// Whether anything is sent. Switched on again, it goes on where it stopped.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// A webhook endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub struct Told {
    /// By which it is named.
    pub id: String,
    /// Where it is told.
    pub url: String,
    /// What it is for, for people.
    pub description: String,
    /// Which events; empty: all.
    pub kinds: Vec<String>,
    /// Of which escrows; empty: all.
    pub escrows: Vec<String>,
    /// Whether also what may yet be taken back.
    pub provisional: bool,
    /// Whether anything is sent.
    pub enabled: bool,
    /// Why nothing is sent: `owner` (it was switched off), `gone` (the receiver answered 410); null where something is.
    pub disabled_because: Option<String>,
    /// When it was made, in unix seconds.
    pub created_at: i64,
}

/// One endpoint, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointAnswer {
    /// The version of this answer.
    pub version: u32,
    /// The endpoint.
    pub endpoint: Told,
    /// The keys that sign at present, the newest first.
    pub keys: Vec<PublicKey>,
    /// How many deliveries wait, in decimal digits.
    pub waiting: String,
    /// How many escrows' deliveries are parked, because one failed too often, in decimal digits: a probe that succeeds, or a
    /// replay, releases them.
    pub parked: String,
    /// The receiver asked for a rest until then, in unix seconds; null where it did not.
    pub rests_until: Option<i64>,
}

/// With what a receiver checks who has signed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookKey)]
pub struct PublicKey {
    /// For signatures `v1a`: `whpk_…`. It is no secret.
    pub public_key: String,
    /// When it was made, in unix seconds.
    pub created_at: i64,
    /// From when on it does not sign, in unix seconds; null: the present one.
    pub expires_at: Option<i64>,
}

/// An endpoint with its new secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointSecret {
    /// The version of this answer.
    pub version: u32,
    /// For signatures `v1`: `whsec_…`. Told once. Null where the answer is given again for an idempotency key: rotate then.
    pub secret: Option<String>,
    /// For signatures `v1a`: `whpk_…`.
    pub public_key: String,
    /// The endpoint.
    pub endpoint: Told,
}

/// A page of endpoints.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointPage {
    /// The version of this answer.
    pub version: u32,
    /// The rows, the oldest first.
    pub endpoints: Vec<Told>,
    /// The next page, as a path; none where this is the last.
    pub next: Option<String>,
}

impl From<&Endpoint> for Told {
    fn from(endpoint: &Endpoint) -> Self {
        let words = |joined: &str| joined.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Self {
            id: endpoint.id.clone(),
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            kinds: words(&endpoint.kinds),
            escrows: words(&endpoint.escrows),
            provisional: endpoint.provisional,
            enabled: endpoint.off_because.is_none(),
            disabled_because: endpoint.off_because.clone(),
            created_at: endpoint.created_at.div_euclid(1_000),
        }
    }
}

/// The endpoint of this owner with this id.
pub(super) async fn find(api: &Api, owner: &str, id: &str) -> Result<Endpoint> {
    api.store.endpoint(owner, id).await?.ok_or_else(|| none(id))
}

fn none(id: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no webhook endpoint {id:?} of yours"))
}

/// 16 letters that nobody guesses.
pub(super) fn new_id() -> String {
    let mut id = [0; 8];
    rand::rng().fill_bytes(&mut id);
    hex::encode(id)
}

pub(super) fn new_secret(now: i64) -> (Secret, SecretRow) {
    let secret = Secret::new();
    let (shared, private) = (secret.shared(), secret.private());
    let row = SecretRow { id: new_id(), shared, private, created_at: now, expires_at: None };
    (secret, row)
}

fn url(api: &Api, url: &str) -> Result<String> {
    api.egress.check(url).map(String::from).map_err(|error| Problem::invalid("/url", error.to_string()))
}

fn description(text: &str) -> Result<()> {
    let is_plain = text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
    let wrong = || format!("has at most {LONGEST} letters, none of them a control character");
    if is_plain { Ok(()) } else { Err(Problem::invalid("/description", wrong())) }
}

/// Words with a space between them, each once.
fn words(pointer: &str, words: &[String]) -> Result<String> {
    if words.len() > MOST_WORDS {
        return Err(Problem::invalid(pointer, format!("are at most {MOST_WORDS}: leave it out for all")));
    }
    let mut unique: Vec<&str> = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let is_word = !word.is_empty() && word.len() <= 64;
        if !is_word || !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(Problem::invalid(format!("{pointer}/{place}"), "is a word as \"fund\" or \"release\""));
        }
        if !unique.contains(&word.as_str()) {
            unique.push(word);
        }
    }
    Ok(unique.join(" "))
}

fn addresses(escrows: &[Address]) -> Result<String> {
    words("/escrows", &escrows.iter().map(Address::to_string).collect::<Vec<_>>())
}

/// Makes an endpoint: it is told of what happens from now on, and of what was before by a replay.
#[utoipa::path(post, path = "/webhook-endpoints", tag = "webhooks", operation_id = "createWebhookEndpoint",
    security(("bearer" = ["webhooks"])), request_body = EndpointRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body: one endpoint")),
    responses((status = 201, description = "The endpoint; its secret is told once", body = EndpointSecret)))]
pub async fn create(
    State(api): State<Api>,
    principal: Principal,
    headers: HeaderMap,
    JsonBody { value, bytes }: JsonBody<EndpointRequest>,
) -> Result<Response> {
    let (owner, of_api) = (principal.owner.clone(), api.clone());
    let work = |ticket: idempotency::Ticket| async move {
        let api = of_api;
        let now = crate::now_ms();
        description(&value.description)?;
        let endpoint = Endpoint {
            id: new_id(),
            url: url(&api, &value.url)?,
            kinds: words("/kinds", &value.kinds)?,
            escrows: addresses(&value.escrows)?,
            description: value.description,
            provisional: value.provisional,
            owner,
            off_because: None,
            position: 0,
            rest_until: 0,
            created_at: now,
        };
        let (secret, row) = new_secret(now);
        let mut change = api.store.change().await?;
        if api.store.count_endpoints(&mut change, &endpoint.owner).await? >= MOST {
            return Err(Problem::invalid(
                "",
                format!("an owner has at most {MOST} endpoints: delete one that is not used"),
            ));
        }
        api.store.add_endpoint(&mut change, &endpoint).await?;
        api.store.add_secret(&mut change, &endpoint.id, &row).await?;
        let location = format!("/v1/webhook-endpoints/{}", endpoint.id);
        // Kept without the secret: an answer is kept for a day, and its secret may be rotated away by then.
        ticket.keep(&api, &mut change, &Answer::created(location.clone(), &told(&endpoint, &secret, false))?).await?;
        change.commit().await?;
        Answer::created(location, &told(&endpoint, &secret, true))
    };
    idempotency::once(&api, &principal, "POST /v1/webhook-endpoints", &headers, &bytes, work).await
}

pub(super) fn told(endpoint: &Endpoint, secret: &Secret, shown: bool) -> EndpointSecret {
    EndpointSecret {
        version: VERSION,
        secret: shown.then(|| secret.shared()),
        public_key: secret.public(),
        endpoint: Told::from(endpoint),
    }
}

/// The owner's endpoints.
#[utoipa::path(get, path = "/webhook-endpoints", tag = "webhooks", operation_id = "listWebhookEndpoints",
    security(("bearer" = ["webhooks"])), params(Page),
    responses((status = 200, description = "A page", body = EndpointPage)))]
pub async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(asked): Query<Page>,
) -> Result<Json<EndpointPage>> {
    let limit = page::limit(asked.limit)?;
    let after = page::read(asked.cursor.as_deref())?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = api.store.endpoints(&principal.owner, &after, one_more).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|last| (last.created_at, last.id.clone()));
    let next = last.map(|place| format!("/v1/webhook-endpoints?cursor={}&limit={limit}", page::write(&place)));
    Ok(Json(EndpointPage { version: VERSION, endpoints: found.iter().map(Told::from).collect(), next }))
}

/// An endpoint, its keys, and what waits or is parked.
#[utoipa::path(get, path = "/webhook-endpoints/{id}", tag = "webhooks", operation_id = "showWebhookEndpoint",
    security(("bearer" = ["webhooks"])), params(("id" = String, Path, description = "The endpoint", max_length = 100)),
    responses((status = 200, description = "The endpoint", body = EndpointAnswer)))]
pub async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<EndpointAnswer>> {
    answer(&api, &find(&api, &principal.owner, &id).await?).await.map(Json)
}

async fn answer(api: &Api, endpoint: &Endpoint) -> Result<EndpointAnswer> {
    let now = crate::now_ms();
    let rows = api.store.secrets(&endpoint.id, now).await?;
    let key = |row: &SecretRow| {
        Some(PublicKey {
            public_key: readable(row)?.public(),
            created_at: row.created_at.div_euclid(1_000),
            expires_at: row.expires_at.map(|at| at.div_euclid(1_000)),
        })
    };
    let (waiting, parked) = api.store.backlog(&endpoint.id).await?;
    Ok(EndpointAnswer {
        version: VERSION,
        endpoint: Told::from(endpoint),
        keys: rows.iter().filter_map(key).collect(),
        waiting: waiting.to_string(),
        parked: parked.to_string(),
        rests_until: (endpoint.rest_until > now).then(|| endpoint.rest_until.div_euclid(1_000)),
    })
}

/// Changes an endpoint: what is left out stays. Filters decide about what is learned from now on.
#[utoipa::path(patch, path = "/webhook-endpoints/{id}", tag = "webhooks", operation_id = "changeWebhookEndpoint",
    security(("bearer" = ["webhooks"])), request_body = EndpointPatch,
    params(("id" = String, Path, description = "The endpoint", max_length = 100)),
    responses((status = 200, description = "The endpoint", body = EndpointAnswer)))]
pub async fn change(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
    JsonBody { value, .. }: JsonBody<EndpointPatch>,
) -> Result<Json<EndpointAnswer>> {
    value.description.as_deref().map(description).transpose()?;
    let to = EndpointChange {
        url: value.url.as_deref().map(|text| url(&api, text)).transpose()?,
        description: value.description,
        kinds: value.kinds.as_deref().map(|kinds| words("/kinds", kinds)).transpose()?,
        escrows: value.escrows.as_deref().map(addresses).transpose()?,
        provisional: value.provisional,
        enabled: value.enabled,
    };
    let mut change = api.store.change().await?;
    let changed = api.store.change_endpoint(&mut change, &principal.owner, &id, &to).await?;
    let endpoint = changed.ok_or_else(|| none(&id))?;
    change.commit().await?;
    api.told.notify_one();
    answer(&api, &endpoint).await.map(Json)
}

/// Deletes an endpoint, with what waits for it.
#[utoipa::path(delete, path = "/webhook-endpoints/{id}", tag = "webhooks", operation_id = "deleteWebhookEndpoint",
    security(("bearer" = ["webhooks"])), params(("id" = String, Path, description = "The endpoint", max_length = 100)),
    responses((status = 204, description = "Deleted")))]
pub async fn delete(State(api): State<Api>, principal: Principal, Path(id): Path<String>) -> Result<StatusCode> {
    let mut change = api.store.change().await?;
    if !api.store.delete_endpoint(&mut change, &principal.owner, &id).await? {
        return Err(none(&id));
    }
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
