//! Which cluster and which program this is.

use axum::{Json, extract::State};
use escrow_client::program::ElfHash;
use serde::Serialize;
use utoipa::ToSchema;

use super::VERSION;
use crate::{
    api::Api,
    chain::{self, Finality},
    index::Status,
    problem::Result,
};

/// Which cluster and which program this is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterAnswer)]
pub struct Cluster {
    /// The version of this answer.
    pub version: u32,
    /// The cluster's genesis hash: which chain it is.
    pub genesis: String,
    /// The escrow program's address.
    pub program: String,
    /// The program as it is deployed, read a minute ago or later; none where it is not deployed.
    pub deployed: Option<Deployed>,
    /// The newest confirmed slot.
    pub slot: String,
    /// The newest finalized slot.
    pub finalized_slot: String,
    /// The chain's time, in unix seconds: what deadlines are compared with.
    pub now: i64,
    /// By how many seconds that time is behind the gateway's own: it grows while the nodes lag or the cluster stands still. A few
    /// are usual; below 0 the chain's clock is ahead.
    pub behind_seconds: i64,
    /// The index, from which lists are answered; none where there is none.
    pub index: Option<IndexState>,
    /// The RPC nodes that are asked, without what may be a secret.
    pub nodes: Vec<String>,
}

/// How fresh the index is.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndexState {
    /// Everything that was final up to this slot is in it, and every event up to there is told.
    pub slot: String,
    /// By how many seconds the chain's time then is behind the gateway's own.
    pub behind_seconds: i64,
    /// How many seconds ago it had everything that was final then; none where it never had.
    pub complete_seconds_ago: Option<i64>,
    /// Why it does not come further; none where it does.
    pub trouble: Option<String>,
    /// How many transactions cannot be read. What they did is not known.
    pub unreadable_transactions: u32,
}

/// The program as it is deployed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeployedProgram)]
pub struct Deployed {
    /// The sha256 of its bytes, in hexadecimal: of the released file if that is what is deployed, else of the deployed bytes
    /// without the zeros at their end.
    pub sha256: String,
    /// The sha256 of the file that belongs to this version of the gateway (`programs/escrow/elf/escrow.so.sha256`).
    pub released_sha256: String,
    /// Whether the deployed bytes are that file.
    pub is_released: bool,
    /// The slot in which it was last deployed, upgraded or extended.
    pub slot: String,
    /// Who may replace it; none: nobody ever can.
    pub upgrade_authority: Option<String>,
}

impl Deployed {
    fn new(program: chain::Deployed) -> Self {
        Self {
            sha256: program.sha256.to_string(),
            released_sha256: ElfHash::released().map(|released| released.to_string()).unwrap_or_default(),
            is_released: program.is_released,
            slot: program.slot.to_string(),
            upgrade_authority: program.upgrade_authority.map(|authority| authority.to_string()),
        }
    }
}

/// Which cluster and which program this is.
#[utoipa::path(get, path = "/cluster", tag = "escrows", operation_id = "showCluster", security(()),
    responses((status = 200, description = "The cluster", body = Cluster)))]
pub async fn show(State(api): State<Api>) -> Result<Json<Cluster>> {
    let chain = &api.chain;
    let (genesis, deployed, confirmed, finalized) = tokio::join!(
        chain.genesis(),
        chain.deployed(),
        chain.snapshot(&[], Finality::Confirmed),
        chain.snapshot(&[], Finality::Finalized)
    );
    let confirmed = confirmed?;
    let status = Status::read(&api.store, crate::now_ms()).await?;
    Ok(Json(Cluster {
        version: VERSION,
        genesis: genesis?.to_string(),
        program: escrow_client::escrow::ID.to_string(),
        deployed: deployed?.map(Deployed::new),
        slot: confirmed.slot.to_string(),
        finalized_slot: finalized?.slot.to_string(),
        now: confirmed.now,
        behind_seconds: crate::now_ms().div_euclid(1_000).saturating_sub(confirmed.now),
        index: status.map(|status| IndexState {
            slot: status.slot.to_string(),
            behind_seconds: crate::now_ms().div_euclid(1_000).saturating_sub(status.time),
            complete_seconds_ago: status.complete_seconds_ago,
            trouble: Some(status.trouble).filter(|trouble| !trouble.is_empty()),
            unreadable_transactions: u32::try_from(status.dead_letters).unwrap_or(u32::MAX),
        }),
        nodes: chain.sender().node_names(),
    }))
}
