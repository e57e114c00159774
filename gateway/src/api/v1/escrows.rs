//! An escrow, as the chain has it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use escrow_client::{
    EscrowAccount,
    explain::possibilities,
    terms::asset_of,
    view,
    words::{self, sentence::Teller},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::VERSION;
use crate::{
    api::{
        Api,
        body::{Path, Query},
    },
    chain::{Finality, Snapshot},
    problem::{Code, Problem, Result},
    wire::{Address, terms::Terms},
};

/// An escrow, and what is needed to check it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EscrowAnswer {
    /// The version of this answer.
    pub version: u32,
    /// The cluster's genesis hash.
    pub genesis: String,
    /// The program that owns the account.
    pub program: String,
    /// The slot of this state.
    pub slot: String,
    /// How sure this state is.
    pub finality: Finality,
    /// The complete terms: their hash is `escrow.terms_hash`, and the address follows from it.
    pub terms: Terms,
    /// The escrow. What may happen next stands in `next`: who may do what, from when, until when, and what it would move.
    pub escrow: view::Escrow,
    /// What happens if nobody does anything.
    pub if_nobody_acts: Vec<Silence>,
}

/// What happens if nobody does anything.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Silence {
    /// In which milestone, counted from 1; none where it is the whole escrow.
    pub milestone: Option<u8>,
    /// In words.
    pub text: String,
}

/// How sure an answer has to be.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HowSure {
    /// How sure the state must be; `confirmed` if it is left out.
    #[serde(default)]
    finality: Finality,
}

/// How an escrow stands, what may happen next, and what happens if nobody does anything. The ETag changes when the state does, or
/// what is possible at the present time.
#[utoipa::path(get, path = "/escrows/{address}", tag = "escrows", operation_id = "showEscrow", security(("bearer" = ["read"])),
    params(("address" = Address, Path, description = "The escrow"), HowSure),
    responses(
        (status = 200, description = "The escrow", body = EscrowAnswer),
        (status = 304, description = "It is as the ETag in If-None-Match says")
    ))]
pub async fn show(
    State(api): State<Api>,
    Path(address): Path<Address>,
    Query(HowSure { finality }): Query<HowSure>,
    headers: HeaderMap,
) -> Result<Response> {
    let (snapshot, escrow) = api.chain.escrow(&address.0, finality).await?;
    let escrow = escrow.ok_or_else(|| none(&address))?;
    let tag = tag(&escrow, &snapshot, finality);
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut response = match known.flat_map(|value| value.split(',')).any(|value| value.trim() == tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Json(answer(&api, &escrow, &snapshot, finality).await?).into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

fn none(address: &Address) -> Problem {
    let detail = format!(
        "there is no escrow at {address}: it was never created, is closed (its history tells), or is on another cluster"
    );
    Problem::new(Code::NotFound, detail)
}

/// Changes when the state does, or what is possible.
fn tag(escrow: &EscrowAccount, snapshot: &Snapshot, finality: Finality) -> String {
    let mut hash = Sha256::new();
    let account = snapshot.accounts.first().and_then(Option::as_ref);
    hash.update(account.map(|account| account.data.as_slice()).unwrap_or_default());
    for possible in possibilities(escrow, snapshot.now) {
        hash.update([u8::from(possible.is_open(snapshot.now))]);
    }
    hash.update([u8::from(finality == Finality::Finalized)]);
    let digest = hash.finalize();
    format!("W/\"{}\"", hex::encode(digest.get(..16).unwrap_or_default()))
}

async fn answer(api: &Api, escrow: &EscrowAccount, snapshot: &Snapshot, finality: Finality) -> Result<EscrowAnswer> {
    let (genesis, denomination) = tokio::join!(api.chain.genesis(), api.chain.denomination(escrow.asset()));
    let teller = Teller { denomination: &denomination, now: snapshot.now };
    Ok(EscrowAnswer {
        version: VERSION,
        genesis: genesis?.to_string(),
        program: escrow_client::escrow::ID.to_string(),
        slot: snapshot.slot.to_string(),
        finality,
        terms: Terms::from(&escrow.terms()),
        escrow: view::Escrow::new(escrow, &denomination, snapshot.now).map_err(escrow_client::Error::Rule)?,
        if_nobody_acts: silences(escrow, &teller),
    })
}

/// What happens to an escrow if nobody does anything.
pub fn silences(escrow: &EscrowAccount, teller: &Teller<'_>) -> Vec<Silence> {
    if !escrow.is_funded() {
        let fund_by = words::Time::new(escrow.state.fund_by, teller.now);
        let text = match escrow.state.fund_by > teller.now {
            true => format!(
                "if nobody pays in before {fund_by}: it can never be funded, and anyone may close it; the rent goes back"
            ),
            false => format!("it could be funded until {fund_by}: anyone may close it, and the rent goes back"),
        };
        return vec![Silence { milestone: None, text }];
    }
    let silent = (0u8..).take(escrow.milestones.len());
    let mut told: Vec<Silence> = silent
        .filter_map(|index| {
            let text = teller.silence(escrow, index)?;
            Some(Silence { milestone: Some(words::name::number(index)), text })
        })
        .collect();
    if escrow.due().next().is_some() {
        let text =
            "what is due stays where it is until anyone pays it out; nobody but its recipient can get it".to_owned();
        told.push(Silence { milestone: None, text });
    } else if told.is_empty() {
        let text = "nothing: all is paid out, and anyone may close it from its funding deadline on".to_owned();
        told.push(Silence { milestone: None, text });
    }
    told
}

/// Everything that happened to an escrow, also after it is closed.
#[utoipa::path(get, path = "/escrows/{address}/history", tag = "escrows", operation_id = "showHistory",
    security(("bearer" = ["read"])),
    params(("address" = Address, Path, description = "The escrow"), HowSure),
    responses((status = 200, description = "What happened, the oldest first", body = view::History)))]
pub async fn history(
    State(api): State<Api>,
    Path(address): Path<Address>,
    Query(HowSure { finality }): Query<HowSure>,
) -> Result<Json<view::History>> {
    let history = api.chain.history(&address.0, finality).await?;
    let snapshot = api.chain.snapshot(&[], finality).await?;
    let asset = match history.terms() {
        Some(terms) => asset_of(terms),
        // Without its creation only the account tells.
        None => api.chain.escrow(&address.0, finality).await?.1.ok_or_else(|| none(&address))?.asset(),
    };
    let denomination = api.chain.denomination(asset).await;
    Ok(Json(view::History::new(&history, &denomination, snapshot.now)))
}
