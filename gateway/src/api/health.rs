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
use crate::{chain::Finality, index::Status};

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
    /// Whether something needs somebody, though it should be asked: what is not ready says what.
    pub degraded: bool,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// Something that it needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    /// `database`, `node`, `process` or `index`.
    pub name: String,
    /// Whether it is there.
    pub ready: bool,
    /// What it says, for people.
    pub detail: String,
}

/// Whether it should be asked: the database and the nodes answer, and the process is not about to end. An index that does not come
/// further is said, and is no reason not to ask.
#[utoipa::path(get, path = "/readyz", tag = "service", security(()),
    responses(
        (status = 200, description = "It can do its work", body = Readiness),
        (status = 503, description = "It cannot: the checks say why", body = Readiness)
    ))]
pub async fn ready(State(api): State<Api>) -> Response {
    let (database, index, node) = tokio::join!(api.store.ping(), index(&api), async {
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
    let checks: Vec<Check> = checks.into_iter().chain([check("index", index)]).collect();
    let degraded = checks.iter().any(|check| !check.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, degraded, checks })).into_response()
}

/// How the index stands, for people; as an error where it needs somebody.
async fn index(api: &Api) -> Result<String, String> {
    let status =
        Status::read(&api.store, crate::now_ms()).await.map_err(|_| "the database does not answer".to_owned())?;
    let Some(status) = status else { return Ok("there is none: no process has the role index".to_owned()) };
    let Status { slot, trouble, dead_letters, .. } = &status;
    if !trouble.is_empty() {
        return Err(format!("stands at slot {slot}: {trouble}"));
    }
    if *dead_letters > 0 {
        return Err(format!(
            "is at slot {slot}; {dead_letters} transactions cannot be read, and what they did is not known"
        ));
    }
    match status.complete_seconds_ago {
        Some(ago) if !status.is_fresh(api.config.index.fresh_seconds) => {
            Err(format!("stands at slot {slot} for {ago} s: does a process with the role index run?"))
        }
        Some(_) => Ok(format!("is at slot {slot}")),
        None => Ok(format!("is built, and has come to slot {slot}")),
    }
}
