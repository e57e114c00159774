//! Whether it is alive, and whether it should be asked.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::chain::Finality;

/// That it is alive.
#[utoipa::path(get, path = "/livez", tag = "service", security(()),
    responses((status = 200, description = "The process is alive", body = String, content_type = "text/plain")))]
pub async fn live() -> &'static str {
    "alive\n"
}

/// Whether it can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether it should be asked.
    pub ready: bool,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// Something that it needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    /// `database`, `node` or `process`.
    pub name: String,
    /// Whether it is there.
    pub ready: bool,
    /// What it says, for people.
    pub detail: String,
}

/// Whether it should be asked: the database and the nodes answer, and the process is not about to end.
#[utoipa::path(get, path = "/readyz", tag = "service", security(()),
    responses(
        (status = 200, description = "It can do its work", body = Readiness),
        (status = 503, description = "It cannot: the checks say why", body = Readiness)
    ))]
pub async fn ready(State(api): State<Api>) -> Response {
    let (database, node) = tokio::join!(api.store.ping(), async {
        let genesis = api.chain.genesis().await?;
        let snapshot = api.chain.snapshot(&[], Finality::Confirmed).await?;
        Ok::<_, crate::problem::Problem>((genesis, snapshot.slot))
    });
    let check = |name: &str, outcome: Result<String, String>| Check {
        name: name.to_owned(),
        ready: outcome.is_ok(),
        detail: outcome.unwrap_or_else(|error| error),
    };
    let checks = vec![
        check(
            "database",
            database.map(|()| "answers".to_owned()).map_err(|_| "does not answer: the log says why".to_owned()),
        ),
        check(
            "node",
            node.map(|(genesis, slot)| format!("slot {slot} of {genesis}")).map_err(|problem| problem.detail),
        ),
        check(
            "process",
            if api.end.is_cancelled() { Err("is about to end".to_owned()) } else { Ok("runs".to_owned()) },
        ),
    ];
    let ready = checks.iter().all(|check| check.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, checks })).into_response()
}
