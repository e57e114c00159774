//! What was told to a webhook endpoint, and telling it again.

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    VERSION,
    webhooks::{find, new_id},
};
use crate::{
    api::{
        Api,
        auth::Principal,
        body::{JsonBody, Path, PathPair, Query},
        idempotency::{self, Answer},
        page,
    },
    deliver::{attempt, egress::PATIENCE, message, readable, schedule::Outcome},
    problem::{Code, Problem, Result},
    store::{self, Which},
    wire::Address,
};

/// How much of an answer's body is shown, in bytes.
const SHOWN: usize = 1_000;

/// What came back from an endpoint that was tried out.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProbeAnswer {
    /// The version of this answer.
    pub version: u32,
    /// Whether the receiver took it: it answered 2xx.
    pub delivered: bool,
    /// The header `webhook-id` of the event that was sent.
    pub message: String,
    /// The status that came back; null where nothing did.
    pub status: Option<u16>,
    /// What was wrong; null where nothing was, or the status says it.
    pub error: Option<String>,
    /// The beginning of the body that came back.
    pub body: String,
    /// How long it took, in milliseconds.
    pub milliseconds: u32,
    /// How many escrows' deliveries, parked or waiting for another attempt, are attempted at once because of it, in decimal
    /// digits.
    pub released: String,
}

/// From when on everything is told again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// In unix seconds: everything that was learned then or later.
    pub since: i64,
}

/// What is told again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayAnswer {
    /// The version of this answer.
    pub version: u32,
    /// The place in the log from which on; null where nothing was learned since.
    pub from: Option<String>,
    /// How many deliveries that there are already are delivered, at once or once more, in decimal digits. What an endpoint was
    /// not told of before, because it did not exist or its filters were others, comes besides.
    pub deliveries: String,
    /// How many escrows' deliveries were parked or waiting for another attempt, and are attempted at once, in decimal digits.
    pub released: String,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It is attempted when it is its turn.
    Waiting,
    /// It waits until somebody releases it: it failed too often, or one before it of the same escrow did.
    Parked,
    /// The receiver has it.
    Delivered,
}

/// Something that is told to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The header `webhook-id`: the same at every attempt.
    pub id: String,
    /// How far it is.
    pub status: DeliveryStatus,
    /// What happened, in a word.
    pub kind: String,
    /// To which escrow.
    pub escrow: String,
    /// The event's place in the log.
    pub number: String,
    /// How often it was attempted.
    pub attempts: u32,
    /// The last attempt; null where there was none.
    pub last_attempt: Option<LastAttempt>,
    /// When it is attempted again, or at first, in unix seconds; null where one before it of the same escrow comes first, or where
    /// it is not attempted.
    pub next_at: Option<i64>,
    /// When the receiver had it, in unix seconds.
    pub delivered_at: Option<i64>,
    /// When it was decided that it is delivered, in unix seconds.
    pub created_at: i64,
}

/// An attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastAttempt {
    /// When, in unix seconds.
    pub attempted_at: i64,
    /// The status that came back; null where nothing did.
    pub status: Option<u16>,
    /// What was wrong; null where nothing was, or the status says it.
    pub error: Option<String>,
}

/// One delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryAnswer {
    /// The version of this answer.
    pub version: u32,
    /// The delivery.
    pub delivery: Delivery,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPage {
    /// The version of this answer.
    pub version: u32,
    /// The rows, the newest first.
    pub deliveries: Vec<Delivery>,
    /// The next page, as a path; none where this is the last.
    pub next: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Only those that are this far.
    status: Option<DeliveryStatus>,
    /// Only those of this escrow.
    escrow: Option<Address>,
    /// Where the page before ended.
    #[param(max_length = 200)]
    cursor: Option<String>,
    /// How many rows, 50 if it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

impl From<&store::Delivery> for Delivery {
    fn from(delivery: &store::Delivery) -> Self {
        let seconds = |ms: i64| ms.div_euclid(1_000);
        let status = match (delivery.delivered_at, delivery.parked_at) {
            (Some(_), _) => DeliveryStatus::Delivered,
            (None, Some(_)) => DeliveryStatus::Parked,
            (None, None) => DeliveryStatus::Waiting,
        };
        Self {
            id: delivery.id.clone(),
            status,
            kind: delivery.kind.clone(),
            escrow: delivery.escrow.clone(),
            number: delivery.number.to_string(),
            attempts: u32::try_from(delivery.attempts).unwrap_or(u32::MAX),
            last_attempt: delivery.last.as_ref().map(|last| LastAttempt {
                attempted_at: seconds(last.at),
                status: last.status.and_then(|status| u16::try_from(status).ok()),
                error: last.error.clone(),
            }),
            next_at: delivery.due_at.map(seconds),
            delivered_at: delivery.delivered_at.map(seconds),
            created_at: seconds(delivery.created_at),
        }
    }
}

/// Sends a signed event of the type `probe`, and tells what came back. Where the receiver takes it, what is parked or waits for
/// another attempt is attempted at once.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/probe", tag = "webhooks", operation_id = "probeWebhookEndpoint",
    security(("bearer" = ["webhooks"])),
    params(("id" = String, Path, description = "The endpoint", max_length = 100),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key: one event, and the same answer")),
    responses((status = 200, description = "What came back, whether good or bad", body = ProbeAnswer)))]
pub async fn probe(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let route = format!("POST /v1/webhook-endpoints/{id}/probe");
    let (owner, of_api) = (principal.owner.clone(), api.clone());
    let work = |ticket: idempotency::Ticket| async move {
        let api = of_api;
        let endpoint = find(&api, &owner, &id).await?;
        let now = crate::now_ms();
        let secrets: Vec<_> = api.store.secrets(&id, now).await?.iter().filter_map(readable).collect();
        let message = message::of_probe(format!("prb_{}", new_id()), &id, now).map_err(Problem::internal)?;
        let attempt = attempt(&api.egress, &endpoint.url, &secrets, &message, now, PATIENCE).await;
        let delivered = attempt.outcome == Outcome::Taken;
        let mut change = api.store.change().await?;
        let mut released = 0;
        if delivered {
            api.store.wake_endpoint(&mut change, &id).await?;
            released = api.store.release_queues(&mut change, &id, crate::now_ms()).await?;
        }
        let answer = Answer::done(&ProbeAnswer {
            version: VERSION,
            delivered,
            message: message.id,
            status: attempt.status,
            error: attempt.error,
            body: String::from_utf8_lossy(attempt.body.get(..SHOWN).unwrap_or(&attempt.body)).into_owned(),
            milliseconds: u32::try_from(attempt.took.as_millis()).unwrap_or(u32::MAX),
            released: released.to_string(),
        })?;
        ticket.keep(&api, &mut change, &answer).await?;
        change.commit().await?;
        api.told.notify_one();
        Ok(answer)
    };
    idempotency::once(&api, &principal, &route, &headers, &[], work).await
}

/// Tells an endpoint again what was learned since a time, in the same order and with the same ids, and releases what is parked.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/replay", tag = "webhooks", operation_id = "replayWebhooks",
    security(("bearer" = ["webhooks"])), request_body = ReplayRequest,
    params(("id" = String, Path, description = "The endpoint", max_length = 100),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body: one replay")),
    responses((status = 200, description = "It is under way", body = ReplayAnswer)))]
pub async fn replay(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody { value, bytes }: JsonBody<ReplayRequest>,
) -> Result<Response> {
    let route = format!("POST /v1/webhook-endpoints/{id}/replay");
    let (owner, of_api) = (principal.owner.clone(), api.clone());
    let work = |ticket: idempotency::Ticket| async move {
        let api = of_api;
        find(&api, &owner, &id).await?;
        let since = value.since.checked_mul(1_000).filter(|since| *since >= 0);
        let since = since.ok_or_else(|| Problem::invalid("/since", "is no time in unix seconds"))?;
        let now = crate::now_ms();
        let mut change = api.store.change().await?;
        let from = api.store.first_event_since(&mut change, since).await?;
        let mut deliveries = 0;
        // The endpoint's row first, so that nobody moves it on meanwhile.
        api.store.wake_endpoint(&mut change, &id).await?;
        if let Some(from) = from {
            api.store.rewind_endpoint(&mut change, &id, from.saturating_sub(1)).await?;
        }
        let released = api.store.release_queues(&mut change, &id, now).await?;
        if let Some(from) = from {
            deliveries = api.store.repeat_from(&mut change, &id, from, now).await?;
        }
        let answer = Answer::done(&ReplayAnswer {
            version: VERSION,
            from: from.map(|from| from.to_string()),
            deliveries: deliveries.to_string(),
            released: released.to_string(),
        })?;
        ticket.keep(&api, &mut change, &answer).await?;
        change.commit().await?;
        api.told.notify_one();
        Ok(answer)
    };
    idempotency::once(&api, &principal, &route, &headers, &bytes, work).await
}

/// What is told to an endpoint: what waits, what is parked, and of the last thirty days what was delivered.
#[utoipa::path(get, path = "/webhook-endpoints/{id}/deliveries", tag = "webhooks", operation_id = "listDeliveries",
    security(("bearer" = ["webhooks"])),
    params(("id" = String, Path, description = "The endpoint", max_length = 100), Asked),
    responses((status = 200, description = "A page", body = DeliveryPage)))]
pub async fn list(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<DeliveryPage>> {
    let limit = page::limit(asked.limit)?;
    // The newest first: a place is the number with its sign turned.
    let (place, _) = page::read(asked.cursor.as_deref())?;
    find(&api, &principal.owner, &id).await?;
    let (which, word) = match asked.status {
        None => (Which::All, ""),
        Some(DeliveryStatus::Waiting) => (Which::Waiting, "status=waiting&"),
        Some(DeliveryStatus::Parked) => (Which::Parked, "status=parked&"),
        Some(DeliveryStatus::Delivered) => (Which::Delivered, "status=delivered&"),
    };
    let escrow = asked.escrow.map(|escrow| escrow.to_string());
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let before = place.saturating_neg();
    let mut found = api.store.deliveries(&id, which, escrow.as_deref(), before, one_more).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let of_escrow = escrow.map(|escrow| format!("escrow={escrow}&")).unwrap_or_default();
    let next = found.last().filter(|_| more).map(|last| {
        let cursor = page::write(&(last.number.saturating_neg(), String::new()));
        format!("/v1/webhook-endpoints/{id}/deliveries?{word}{of_escrow}cursor={cursor}&limit={limit}")
    });
    Ok(Json(DeliveryPage { version: VERSION, deliveries: found.iter().map(Delivery::from).collect(), next }))
}

/// Delivers one at once, or once more, with the same id. What waits before it of the same escrow comes first.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/deliveries/{delivery}/retry", tag = "webhooks",
    operation_id = "retryDelivery", security(("bearer" = ["webhooks"])),
    params(("id" = String, Path, description = "The endpoint", max_length = 100),
        ("delivery" = String, Path, description = "The delivery", max_length = 100),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key: one more delivery")),
    responses((status = 200, description = "It is under way", body = DeliveryAnswer)))]
pub async fn retry(
    State(api): State<Api>,
    principal: Principal,
    PathPair(id, delivery): PathPair,
    headers: HeaderMap,
) -> Result<Response> {
    let route = format!("POST /v1/webhook-endpoints/{id}/deliveries/{delivery}/retry");
    let (owner, of_api) = (principal.owner.clone(), api.clone());
    let work = |ticket: idempotency::Ticket| async move {
        let api = of_api;
        find(&api, &owner, &id).await?;
        let none = || Problem::new(Code::NotFound, format!("this endpoint has no delivery {delivery:?}"));
        let mut change = api.store.change().await?;
        if !api.store.repeat(&mut change, &id, &delivery, crate::now_ms()).await? {
            return Err(none());
        }
        let row = api.store.delivery(&mut change, &id, &delivery).await?.ok_or_else(none)?;
        let answer = Answer::done(&DeliveryAnswer { version: VERSION, delivery: Delivery::from(&row) })?;
        ticket.keep(&api, &mut change, &answer).await?;
        change.commit().await?;
        api.told.notify_one();
        Ok(answer)
    };
    idempotency::once(&api, &principal, &route, &headers, &[], work).await
}
