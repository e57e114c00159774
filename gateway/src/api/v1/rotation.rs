//! New secrets for a webhook endpoint.

use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::webhooks::{EndpointSecret, find, new_secret, told};
use crate::{
    api::{
        Api,
        auth::Principal,
        body::{JsonBody, Path},
        idempotency::{self, Answer},
    },
    problem::{Code, Problem, Result},
};

/// The most secrets that sign for an endpoint at once.
const MOST_SECRETS: usize = 3;
/// How long an old secret goes on signing where nobody says how long, and at most, in seconds.
const USUAL_OVERLAP: u32 = 24 * 60 * 60;
const LONGEST_OVERLAP: u32 = 7 * USUAL_OVERLAP;

/// How secrets are rotated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// How long those before go on signing beside the new one, in seconds; a day if it is left out. 0: not any more, as after a
    /// leak.
    #[serde(default)]
    #[schema(maximum = 604_800)]
    pub overlap_seconds: Option<u32>,
}

/// Makes a new secret. Those before go on signing beside it for a while: a message bears the signatures of all, so that the
/// receiver changes over when it likes.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/secrets/rotate", tag = "webhooks",
    operation_id = "rotateWebhookSecret", security(("bearer" = ["webhooks"])), request_body = RotateRequest,
    params(("id" = String, Path, description = "The endpoint", max_length = 100),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body: one rotation")),
    responses((status = 200, description = "The new secret, told once", body = EndpointSecret)))]
pub async fn rotate(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody { value, bytes }: JsonBody<RotateRequest>,
) -> Result<Response> {
    let route = format!("POST /v1/webhook-endpoints/{id}/secrets/rotate");
    let (owner, of_api) = (principal.owner.clone(), api.clone());
    let work = |ticket: idempotency::Ticket| async move {
        let api = of_api;
        let endpoint = find(&api, &owner, &id).await?;
        let overlap = value.overlap_seconds.unwrap_or(USUAL_OVERLAP);
        if overlap > LONGEST_OVERLAP {
            return Err(Problem::invalid("/overlap_seconds", format!("is at most {LONGEST_OVERLAP}, which is a week")));
        }
        let now = crate::now_ms();
        if overlap > 0 && api.store.secrets(&id, now).await?.len() >= MOST_SECRETS {
            let detail = format!(
                "{MOST_SECRETS} secrets sign for this endpoint already: wait until one has expired, or end them with \
                 \"overlap_seconds\": 0"
            );
            return Err(Problem::new(Code::Stale, detail).at("/overlap_seconds"));
        }
        let (secret, row) = new_secret(now);
        let mut change = api.store.change().await?;
        let ends = now.saturating_add(i64::from(overlap).saturating_mul(1_000));
        api.store.end_secrets(&mut change, &id, ends).await?;
        api.store.add_secret(&mut change, &id, &row).await?;
        ticket.keep(&api, &mut change, &Answer::done(&told(&endpoint, &secret, false))?).await?;
        change.commit().await?;
        Answer::done(&told(&endpoint, &secret, true))
    };
    idempotency::once(&api, &principal, &route, &headers, &bytes, work).await
}
