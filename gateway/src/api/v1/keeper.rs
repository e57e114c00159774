//! The keeper: what is due, who works on it, and what was spent.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::VERSION;
use crate::{
    api::Api,
    keep::{self, Keepers},
    problem::Result,
};

/// What is due, who works on it, and what was spent.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeeperAnswer {
    /// The version of this answer.
    pub version: u32,
    /// The same of all processes.
    #[serde(flatten)]
    pub keepers: Keepers,
}

/// What is due, who works on it, and what was spent, as the processes in the role `keep` told last. None of them: nobody keeps.
#[utoipa::path(get, path = "/keeper", tag = "service", operation_id = "showKeeper", security(("bearer" = ["read"])),
    responses((status = 200, description = "The keeper", body = KeeperAnswer)))]
pub async fn show(State(api): State<Api>) -> Result<Json<KeeperAnswer>> {
    Ok(Json(KeeperAnswer { version: VERSION, keepers: keep::told(&api.store).await? }))
}
