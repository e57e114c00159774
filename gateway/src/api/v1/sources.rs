//! What is asked about an owner's orders. An admin registers it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    VERSION,
    access::{Page, owner_of},
    webhooks::new_id,
};
use crate::{
    api::{
        Api,
        auth::Principal,
        body::{JsonBody, Path, Query},
        idempotency::{self, Answer},
        page,
    },
    deliver::egress::PATIENCE,
    orders::PLACE,
    problem::{Code, Problem, Result},
    store::Source,
};

/// The most sources of one owner.
const MOST: usize = 10;
/// How long one answer may take where nobody says, in milliseconds.
const USUAL_TIMEOUT: u32 = 5_000;
/// The longest that an answer is good without asking again, in milliseconds.
const LONGEST_FRESH: u32 = 60 * 60 * 1_000;

/// A source that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRequest {
    /// Whose orders it is asked about: the owner of an API key.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9._-]+$")]
    pub owner: String,
    /// As it is called in answers.
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9_]+$")]
    pub name: String,
    /// Where: `https://…` with `{reference}` behind the host. It answers JSON of at most 8 kB, or 404 where it knows nothing.
    #[schema(max_length = 1500)]
    pub url: String,
    /// How long one answer may take, in milliseconds; 5,000 if it is left out.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 15_000)]
    pub timeout_ms: Option<u32>,
    /// How long an answer is good without asking again, in milliseconds; 0 if it is left out.
    #[serde(default)]
    #[schema(maximum = 3_600_000)]
    pub fresh_ms: Option<u32>,
    /// The name of a token in the gateway's settings that is sent as `Authorization: Bearer …`.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub bearer: Option<String>,
}

/// A source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderSource)]
pub struct Told {
    /// By which it is named.
    pub id: String,
    /// Whose orders it is asked about.
    pub owner: String,
    /// As it is called in answers.
    pub name: String,
    /// Where.
    pub url: String,
    /// How long one answer may take, in milliseconds.
    pub timeout_ms: u32,
    /// How long an answer is good without asking again, in milliseconds.
    pub fresh_ms: u32,
    /// The name of the token that is sent; null: none.
    pub bearer: Option<String>,
    /// When it was made, in unix seconds.
    pub created_at: i64,
}

/// One source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceAnswer {
    /// The version of this answer.
    pub version: u32,
    /// The source.
    pub source: Told,
}

/// A page of sources.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourcePage {
    /// The version of this answer.
    pub version: u32,
    /// The rows, the oldest first.
    pub sources: Vec<Told>,
    /// The next page, as a path; none where this is the last.
    pub next: Option<String>,
}

impl From<&Source> for Told {
    fn from(source: &Source) -> Self {
        let milliseconds = |ms: i64| u32::try_from(ms).unwrap_or(u32::MAX);
        Self {
            id: source.id.clone(),
            owner: source.owner.strip_prefix("key:").unwrap_or(&source.owner).to_owned(),
            name: source.name.clone(),
            url: source.url.clone(),
            timeout_ms: milliseconds(source.timeout_ms),
            fresh_ms: milliseconds(source.fresh_ms),
            bearer: source.bearer.clone(),
            created_at: source.created_at.div_euclid(1_000),
        }
    }
}

fn source(api: &Api, request: SourceRequest) -> Result<Source> {
    let SourceRequest { owner, name, url, timeout_ms, fresh_ms, bearer } = request;
    let owner = owner_of(&owner)?;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > 40 || !name.bytes().all(is_plain) {
        return Err(Problem::invalid("/name", "is 1 to 40 of a-z, 0-9 and \"_\""));
    }
    let wrong = |detail: String| Problem::invalid("/url", detail);
    let with = |reference: &str| {
        let filled = url.replace(PLACE, reference);
        api.egress.check(&filled).map_err(|error| wrong(error.to_string()))
    };
    let (one, other) = (with("a")?, with("b")?);
    if one == other || one.host_str() != other.host_str() || one.port() != other.port() {
        return Err(wrong(format!("has no {PLACE} behind its host: the order's own reference is put there")));
    }
    let longest = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
    let timeout_ms = timeout_ms.unwrap_or(USUAL_TIMEOUT);
    if timeout_ms == 0 || timeout_ms > longest {
        return Err(Problem::invalid("/timeout_ms", format!("is at least 1 and at most {longest}")));
    }
    let fresh_ms = fresh_ms.unwrap_or(0);
    if fresh_ms > LONGEST_FRESH {
        return Err(Problem::invalid("/fresh_ms", format!("is at most {LONGEST_FRESH}")));
    }
    if let Some(name) = &bearer
        && !api.config.bearers.get(name).is_some_and(|bearer| url.starts_with(&bearer.url))
    {
        let detail = "is none of the gateway's settings for this URL: see `bearers` in docs/gateway.md";
        return Err(Problem::invalid("/bearer", detail));
    }
    let (timeout_ms, fresh_ms) = (i64::from(timeout_ms), i64::from(fresh_ms));
    Ok(Source { id: new_id(), owner, name, url, timeout_ms, fresh_ms, bearer, created_at: crate::now_ms() })
}

/// Registers a source for an owner's orders.
#[utoipa::path(post, path = "/order-sources", tag = "orders", operation_id = "createOrderSource",
    security(("bearer" = ["admin"])), request_body = SourceRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body: one source")),
    responses((status = 201, description = "The source", body = SourceAnswer)))]
pub async fn create(
    State(api): State<Api>,
    principal: Principal,
    headers: HeaderMap,
    JsonBody { value, bytes }: JsonBody<SourceRequest>,
) -> Result<Response> {
    let of_api = api.clone();
    let work = |ticket: idempotency::Ticket| async move {
        let api = of_api;
        let source = source(&api, value)?;
        if api.store.sources_of(&source.owner).await?.len() >= MOST {
            let detail = format!("an owner has at most {MOST} sources: delete one that is not used");
            return Err(Problem::invalid("/owner", detail));
        }
        let mut change = api.store.change().await?;
        if !api.store.add_source(&mut change, &source).await? {
            let detail =
                format!("this owner has a source {:?} already: delete it first, or choose another name", source.name);
            return Err(Problem::new(Code::Exists, detail).at("/name"));
        }
        let told = SourceAnswer { version: VERSION, source: Told::from(&source) };
        let answer = Answer::created(format!("/v1/order-sources/{}", source.id), &told)?;
        ticket.keep(&api, &mut change, &answer).await?;
        change.commit().await?;
        Ok(answer)
    };
    idempotency::once(&api, &principal, "POST /v1/order-sources", &headers, &bytes, work).await
}

/// All owners' sources.
#[utoipa::path(get, path = "/order-sources", tag = "orders", operation_id = "listOrderSources",
    security(("bearer" = ["admin"])), params(Page),
    responses((status = 200, description = "A page", body = SourcePage)))]
pub async fn list(State(api): State<Api>, Query(asked): Query<Page>) -> Result<Json<SourcePage>> {
    let limit = page::limit(asked.limit)?;
    let after = page::read(asked.cursor.as_deref())?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = api.store.sources(&after, one_more).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|last| (last.created_at, last.id.clone()));
    let next = last.map(|place| format!("/v1/order-sources?cursor={}&limit={limit}", page::write(&place)));
    Ok(Json(SourcePage { version: VERSION, sources: found.iter().map(Told::from).collect(), next }))
}

/// Deletes a source: it is not asked any more.
#[utoipa::path(delete, path = "/order-sources/{id}", tag = "orders", operation_id = "deleteOrderSource",
    security(("bearer" = ["admin"])), params(("id" = String, Path, description = "The source", max_length = 100)),
    responses((status = 204, description = "Deleted")))]
pub async fn delete(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode> {
    match api.store.delete_source(&id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(Code::NotFound, format!("there is no source {id:?}"))),
    }
}
