//! Orders: what an owner calls its escrows, and all of them at once with what its own sources say.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use tokio::time::{Instant, timeout_at};
use utoipa::{IntoParams, ToSchema};

use super::{
    VERSION,
    access::Page,
    escrow_list::{EscrowRow, row},
};
use crate::{
    api::{
        Api,
        auth::Principal,
        body::{JsonBody, Path, Query},
        idempotency::{self, Answer},
        page,
    },
    chain::{Finality, decode_escrow},
    orders::Said,
    problem::{Code, Problem, Result},
    store::Order,
    wire::Address,
};

/// The most orders of one overview.
const MOST: usize = 100;
/// The longest reference, in letters: a hundred fit into a URL.
const LONGEST: usize = 40;
/// How long an overview may take where nobody says, at least, and at most, in milliseconds.
const USUAL_DEADLINE: u32 = 2_000;
const LEAST_DEADLINE: u32 = 50;
const LONGEST_DEADLINE: u32 = 20_000;
/// How many accounts are read at once.
const ACCOUNTS: usize = 99;

/// What an owner calls an escrow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The owner's own name for it: it is put into the URLs of its sources.
    #[schema(min_length = 1, max_length = 40, pattern = "^[A-Za-z0-9._-]+$")]
    pub reference: String,
    /// The escrow: it may be created later.
    pub escrow: Address,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct Told {
    /// The owner's own name for it.
    pub reference: String,
    /// The escrow's address.
    pub escrow: String,
    /// When that was written down, in unix seconds.
    pub created_at: i64,
}

/// One order.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderAnswer {
    /// The version of this answer.
    pub version: u32,
    /// The order.
    pub order: Told,
}

/// A page of orders.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderPage {
    /// The version of this answer.
    pub version: u32,
    /// The rows, the newest first.
    pub orders: Vec<Told>,
    /// The next page, as a path; none where this is the last.
    pub next: Option<String>,
}

/// Orders with everything that is known of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// The version of this answer.
    pub version: u32,
    /// The rows, in the order in which they were asked for, or the newest first.
    pub orders: Vec<OverviewRow>,
}

/// An order with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverviewRow {
    /// The owner's own name for it.
    pub reference: String,
    /// The escrow's address.
    pub escrow: String,
    /// How the escrow stands.
    pub state: StateSaid,
    /// What the owner's sources say.
    pub sources: Vec<SourceSaid>,
}

/// How an escrow stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StateSaid {
    /// The escrow, or how it stood last; null where there is none: it was never created, or is closed.
    pub value: Option<EscrowRow>,
    /// How old that is, in milliseconds; null where nothing is known.
    pub age_ms: Option<u32>,
    /// Why it is not how it stands now; null where it is.
    pub reason: Option<String>,
}

/// What a source says of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceSaid {
    /// The source's name.
    pub source: String,
    /// What it says, or said last, as it is; null where it knows nothing.
    pub value: Option<serde_json::Value>,
    /// How old that is, in milliseconds; null where it never said anything.
    pub age_ms: Option<u32>,
    /// Why it is not what it would say now; null where it is.
    pub reason: Option<String>,
}

/// Which orders, and how long that may take.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// How long it may take, in milliseconds; 2,000 if it is left out.
    #[param(minimum = 50, maximum = 20_000)]
    deadline_ms: Option<u32>,
    /// Which orders, with commas between their references, at most 100; the newest if it is left out.
    #[param(max_length = 4100)]
    references: Option<String>,
}

impl From<&Order> for Told {
    fn from(order: &Order) -> Self {
        let Order { reference, escrow, created_at } = order.clone();
        Self { reference, escrow, created_at: created_at.div_euclid(1_000) }
    }
}

fn none(reference: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no order {reference:?} of yours"))
}

/// Writes down what the owner calls an escrow. The same once more changes nothing.
#[utoipa::path(post, path = "/orders", tag = "orders", operation_id = "createOrder", security(("bearer" = ["build"])),
    request_body = OrderRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body: one answer")),
    responses((status = 201, description = "The order", body = OrderAnswer)))]
pub async fn create(
    State(api): State<Api>,
    principal: Principal,
    headers: HeaderMap,
    JsonBody { value, bytes }: JsonBody<OrderRequest>,
) -> Result<Response> {
    let (owner, of_api) = (principal.owner.clone(), api.clone());
    let work = |ticket: idempotency::Ticket| async move {
        let api = of_api;
        let OrderRequest { reference, escrow } = value;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        // Full stops alone would lead elsewhere in a source's URL, and one word is a route's.
        let leads_away = reference.bytes().all(|byte| byte == b'.') || reference == "overview";
        if leads_away || reference.len() > LONGEST || !reference.bytes().all(is_plain) {
            let detail = format!(
                "is 1 to {LONGEST} of A-Z, a-z, 0-9, \".\", \"_\" and \"-\", and neither full stops alone nor \"overview\""
            );
            return Err(Problem::invalid("/reference", detail));
        }
        let wanted = Order { reference, escrow: escrow.to_string(), created_at: crate::now_ms() };
        let mut change = api.store.change().await?;
        let is_new = api.store.add_order(&mut change, &owner, &wanted).await?;
        let found = api.store.order_in(&mut change, &owner, &wanted.reference).await?;
        let order = match found {
            Some(found) if is_new || found.escrow == wanted.escrow => found,
            Some(found) => {
                let detail = format!("you call another escrow {:?}: {}", found.reference, found.escrow);
                return Err(Problem::new(Code::Exists, detail).at("/reference"));
            }
            None => {
                let detail = format!("you call the escrow {} something else already", wanted.escrow);
                return Err(Problem::new(Code::Exists, detail).at("/escrow"));
            }
        };
        let told = OrderAnswer { version: VERSION, order: Told::from(&order) };
        let answer = Answer::created(format!("/v1/orders/{}", order.reference), &told)?;
        ticket.keep(&api, &mut change, &answer).await?;
        change.commit().await?;
        Ok(answer)
    };
    idempotency::once(&api, &principal, "POST /v1/orders", &headers, &bytes, work).await
}

/// The owner's orders.
#[utoipa::path(get, path = "/orders", tag = "orders", operation_id = "listOrders", security(("bearer" = ["read"])),
    params(Page), responses((status = 200, description = "A page", body = OrderPage)))]
pub async fn list(State(api): State<Api>, principal: Principal, Query(asked): Query<Page>) -> Result<Json<OrderPage>> {
    let limit = page::limit(asked.limit)?;
    // The newest first: a place is the time with its sign turned.
    let (place, reference) = page::read(asked.cursor.as_deref())?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = api.store.orders(&principal.owner, &(place.saturating_neg(), reference), one_more).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|last| (last.created_at.saturating_neg(), last.reference.clone()));
    let next = last.map(|place| format!("/v1/orders?cursor={}&limit={limit}", page::write(&place)));
    Ok(Json(OrderPage { version: VERSION, orders: found.iter().map(Told::from).collect(), next }))
}

/// An order.
#[utoipa::path(get, path = "/orders/{reference}", tag = "orders", operation_id = "showOrder",
    security(("bearer" = ["read"])),
    params(("reference" = String, Path, description = "The owner's own name for it", max_length = 40)),
    responses((status = 200, description = "The order", body = OrderAnswer)))]
pub async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(reference): Path<String>,
) -> Result<Json<OrderAnswer>> {
    let found = api.store.order(&principal.owner, &reference).await?.ok_or_else(|| none(&reference))?;
    Ok(Json(OrderAnswer { version: VERSION, order: Told::from(&found) }))
}

/// Forgets what the owner calls an escrow. The escrow stays as it is.
#[utoipa::path(delete, path = "/orders/{reference}", tag = "orders", operation_id = "deleteOrder",
    security(("bearer" = ["build"])),
    params(("reference" = String, Path, description = "The owner's own name for it", max_length = 40)),
    responses((status = 204, description = "Forgotten")))]
pub async fn delete(State(api): State<Api>, principal: Principal, Path(reference): Path<String>) -> Result<StatusCode> {
    match api.store.delete_order(&principal.owner, &reference).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(none(&reference)),
    }
}

/// Many orders at once: how each escrow stands, and what every source of the owner says of it. What does not answer before the
/// deadline comes with its last good value, its age, and why.
#[utoipa::path(get, path = "/orders/overview", tag = "orders", operation_id = "overviewOrders",
    security(("bearer" = ["read"])), params(Asked),
    responses((status = 200, description = "The orders", body = Overview)))]
pub async fn overview(
    State(api): State<Api>,
    principal: Principal,
    Query(asked): Query<Asked>,
) -> Result<Json<Overview>> {
    let began = Instant::now();
    let deadline_ms = asked.deadline_ms.unwrap_or(USUAL_DEADLINE);
    if !(LEAST_DEADLINE..=LONGEST_DEADLINE).contains(&deadline_ms) {
        let detail = format!("is at least {LEAST_DEADLINE} and at most {LONGEST_DEADLINE}");
        return Err(Problem::invalid("deadline_ms", detail));
    }
    let deadline = began.checked_add(Duration::from_millis(deadline_ms.into())).unwrap_or(began);
    let orders = wanted(&api, &principal.owner, asked.references.as_deref()).await?;
    let sources = api.store.sources_of(&principal.owner).await?;
    let references: Vec<String> = orders.iter().map(|order| order.reference.clone()).collect();
    let escrows: Vec<Address> = orders.iter().filter_map(|order| order.escrow.parse().ok()).collect();
    let escrows: Vec<Pubkey> = escrows.into_iter().map(|address| address.0).collect();
    let (states, said) =
        tokio::join!(states(&api, &escrows, deadline), api.sources.ask(&sources, &references, deadline));
    let rows = orders.into_iter().zip(states).zip(said).map(|((order, state), said)| OverviewRow {
        reference: order.reference,
        escrow: order.escrow,
        state,
        sources: sources.iter().zip(said).map(|(source, said)| told(source.name.clone(), said)).collect(),
    });
    Ok(Json(Overview { version: VERSION, orders: rows.collect() }))
}

fn told(source: String, Said { value, age, reason }: Said) -> SourceSaid {
    SourceSaid { source, value, age_ms: age.map(milliseconds), reason }
}

fn milliseconds(age: i64) -> u32 {
    u32::try_from(age.max(0)).unwrap_or(u32::MAX)
}

/// The orders that are asked for.
async fn wanted(api: &Api, owner: &str, references: Option<&str>) -> Result<Vec<Order>> {
    let Some(references) = references else {
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        return Ok(api.store.orders(owner, &(i64::MAX, String::new()), most).await?);
    };
    let references: Vec<&str> = references.split(',').collect();
    if references.len() > MOST {
        return Err(Problem::invalid("references", format!("are at most {MOST}")));
    }
    let found = join_all(references.iter().map(|reference| api.store.order(owner, reference))).await;
    let mut orders = Vec::with_capacity(references.len());
    for (reference, found) in references.into_iter().zip(found) {
        orders.push(found?.ok_or_else(|| none(reference).at("references"))?);
    }
    Ok(orders)
}

/// How escrows stand, in the same order.
async fn states(api: &Api, escrows: &[Pubkey], deadline: Instant) -> Vec<StateSaid> {
    let parts = escrows.chunks(ACCOUNTS).map(|part| {
        let (api, part) = (api.clone(), part.to_vec());
        // A task of its own: it goes on when nobody waits any more, and the next who asks finds what it has read.
        let task = tokio::spawn(async move { read(&api, &part).await });
        async move {
            match timeout_at(deadline, task).await {
                Err(_) => Err("no node answered before the deadline: ask again".to_owned()),
                Ok(Err(_)) => Err("the gateway is about to end".to_owned()),
                Ok(Ok(read)) => read.map_err(|problem| problem.detail),
            }
        }
    });
    let outcomes = join_all(parts).await;
    let of_each = escrows.chunks(ACCOUNTS).zip(outcomes).flat_map(|(part, outcome)| {
        let reason = outcome.err();
        part.iter().map(move |escrow| (escrow, reason.clone()))
    });
    let now = crate::now_ms();
    let said = of_each.map(|(escrow, reason)| match api.seen.get(escrow) {
        Some((value, at)) => StateSaid {
            reason: reason.or(value.clone().err()),
            value: value.ok().flatten(),
            age_ms: Some(milliseconds(now.saturating_sub(at))),
        },
        None => StateSaid { value: None, age_ms: None, reason },
    });
    said.collect()
}

/// Reads escrows, and keeps how they stand.
async fn read(api: &Api, escrows: &[Pubkey]) -> Result<()> {
    let snapshot = api.chain.snapshot(escrows, Finality::Confirmed).await?;
    for (address, account) in escrows.iter().zip(&snapshot.accounts) {
        let value = match decode_escrow(address, account.as_ref()) {
            Ok(Some(escrow)) => Ok(Some(row(api, &escrow, snapshot.now).await)),
            Ok(None) => Ok(None),
            Err(problem) => Err(problem.detail),
        };
        api.seen.put(*address, value, crate::now_ms());
    }
    Ok(())
}

/// How escrows stood when they were read last; why not where what is there is none.
pub type Seen = Arc<crate::orders::Cache<Pubkey, std::result::Result<Option<EscrowRow>, String>>>;
