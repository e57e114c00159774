//! Escrows, as the chain has them.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use escrow_client::{
    EscrowAccount, Filter,
    explain::{Actor, possibilities},
    terms::asset_of,
    view::{self, Amount, Role},
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
        page,
    },
    chain::{Finality, Snapshot},
    problem::{Code, Problem, Result},
    wire::{Address, Hash, terms::Terms},
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

/// Which escrows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Those in which this address has a role.
    party: Option<Address>,
    /// Only where `party` has this role.
    role: Option<PartyRole>,
    /// Only those that stand like this.
    status: Option<view::Status>,
    /// Only those that wait for somebody in this role.
    attention: Option<Role>,
    /// Only those in this token.
    mint: Option<Address>,
    /// Only those with this document, in hexadecimal.
    document_hash: Option<Hash>,
    /// Only those of which a deadline lies before this time, in unix seconds.
    deadline_before: Option<i64>,
    /// Where the page before ended.
    #[param(max_length = 200)]
    cursor: Option<String>,
    /// How many rows, 50 if it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A role in an escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum PartyRole {
    Buyer,
    Seller,
    Arbiter,
    Attester,
}

/// A page of escrows.
#[derive(Debug, Serialize, ToSchema)]
pub struct EscrowPage {
    /// The version of this answer.
    pub version: u32,
    /// The rows, by funding deadline.
    pub escrows: Vec<EscrowRow>,
    /// The next page, as a path; none where this is the last.
    pub next: Option<String>,
}

/// An escrow in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EscrowRow {
    /// Its address.
    pub address: String,
    /// How it stands as a whole.
    pub status: view::Status,
    /// Who pays in.
    pub buyer: String,
    /// Who delivers and is paid.
    pub seller: String,
    /// The token's mint; none for SOL.
    pub mint: Option<String>,
    /// The sum of the milestones.
    pub principal: Amount,
    /// Whose turn it is.
    pub attention: Vec<Role>,
    /// The next deadline, in unix seconds.
    pub next_deadline: Option<i64>,
}

/// Escrows, a page at a time. They are read from the chain at `confirmed`.
#[utoipa::path(get, path = "/escrows", tag = "escrows", operation_id = "listEscrows", security(("bearer" = ["read"])),
    params(Which), responses((status = 200, description = "A page", body = EscrowPage)))]
pub async fn list(State(api): State<Api>, Query(which): Query<Which>) -> Result<Json<EscrowPage>> {
    let limit = page::limit(which.limit)?;
    let after = page::read(which.cursor.as_deref())?;
    if which.role.is_some() && which.party.is_none() {
        return Err(Problem::invalid("role", "is of a party: name one"));
    }
    let snapshot = api.chain.snapshot(&[], Finality::Confirmed).await?;
    let party = which.party.map(|party| party.0);
    let of = |role| party.filter(|_| which.role == Some(role));
    let filter = Filter {
        buyer: of(PartyRole::Buyer),
        seller: of(PartyRole::Seller),
        arbiter: of(PartyRole::Arbiter),
        attester: of(PartyRole::Attester),
        ..Filter::default()
    };
    let any_role = party.filter(|_| which.role.is_none());
    let mut found = api.chain.list(&filter, any_role.as_ref()).await?;
    let place = |escrow: &EscrowAccount| (escrow.state.fund_by, escrow.address.to_string());
    found.retain(|escrow| matches(&which, escrow, snapshot.now) && place(escrow) > after);
    found.sort_by_cached_key(place);
    let more = found.len() > limit;
    found.truncate(limit);
    let mut escrows = Vec::with_capacity(found.len());
    for escrow in &found {
        escrows.push(row(&api, escrow, snapshot.now).await);
    }
    let last = found.last().filter(|_| more);
    let next =
        last.map(|last| format!("/v1/escrows?{}cursor={}&limit={limit}", which.query(), page::write(&place(last))));
    Ok(Json(EscrowPage { version: VERSION, escrows, next }))
}

impl Which {
    /// The filters, to be asked for again.
    fn query(&self) -> String {
        let word = |value: Option<serde_json::Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        let role = self.role.map(|role| match role {
            PartyRole::Buyer => "buyer",
            PartyRole::Seller => "seller",
            PartyRole::Arbiter => "arbiter",
            PartyRole::Attester => "attester",
        });
        let parts = [
            ("party", self.party.map(|party| party.to_string())),
            ("role", role.map(str::to_owned)),
            ("status", word(self.status.and_then(|status| serde_json::to_value(status).ok()))),
            ("attention", word(self.attention.and_then(|role| serde_json::to_value(role).ok()))),
            ("mint", self.mint.map(|mint| mint.to_string())),
            ("document_hash", self.document_hash.map(|hash| hash.to_string())),
            ("deadline_before", self.deadline_before.map(|time| time.to_string())),
        ];
        parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}&", value?))).collect()
    }
}

fn matches(which: &Which, escrow: &EscrowAccount, now: i64) -> bool {
    let state = &escrow.state;
    which.status.is_none_or(|status| status == status_of(escrow))
        && which.mint.is_none_or(|mint| mint.0 == state.mint)
        && which.document_hash.is_none_or(|hash| hash.0 == state.document_hash)
        && which.deadline_before.is_none_or(|before| next_deadline(escrow).is_some_and(|deadline| deadline < before))
        && which.attention.is_none_or(|role| attention(escrow, now).contains(&role))
}

fn status_of(escrow: &EscrowAccount) -> view::Status {
    match (escrow.is_funded(), escrow.is_settled()) {
        (false, _) => view::Status::Created,
        (true, false) => view::Status::Funded,
        (true, true) => view::Status::Settled,
    }
}

/// The first deadline that is open; none where everything is settled.
pub fn next_deadline(escrow: &EscrowAccount) -> Option<i64> {
    match escrow.is_funded() {
        false => Some(escrow.state.fund_by),
        true => escrow
            .milestones
            .iter()
            .filter(|milestone| !milestone.is_settled())
            .map(|milestone| milestone.deadline)
            .min(),
    }
}

/// Whose turn it is: who is meant to act next, or anyone where a default or a payment is due.
pub fn attention(escrow: &EscrowAccount, now: i64) -> Vec<Role> {
    use escrow_client::MilestoneStatus;
    let state = &escrow.state;
    let mut roles = Vec::new();
    if !escrow.is_funded() {
        roles.push(if now < state.fund_by { Role::Buyer } else { Role::Anyone });
        return roles;
    }
    for milestone in &escrow.milestones {
        let passed = milestone.deadline <= now;
        roles.push(match milestone.status() {
            Ok(MilestoneStatus::Settled) | Err(_) => continue,
            Ok(_) if passed => Role::Anyone,
            Ok(MilestoneStatus::Pending) if *state.deliverer() == state.seller => Role::Seller,
            Ok(MilestoneStatus::Pending) => Role::Attester,
            Ok(MilestoneStatus::Delivered) => Role::Buyer,
            Ok(MilestoneStatus::Disputed) => Role::Arbiter,
        });
    }
    let anyone =
        possibilities(escrow, now).iter().any(|possible| possible.actor == Actor::Anyone && possible.is_open(now));
    if anyone {
        roles.push(Role::Anyone);
    }
    let mut unique = Vec::new();
    for role in roles {
        if !unique.contains(&role) {
            unique.push(role);
        }
    }
    unique
}

pub(super) async fn row(api: &Api, escrow: &EscrowAccount, now: i64) -> EscrowRow {
    let state = &escrow.state;
    let denomination = api.chain.denomination(escrow.asset()).await;
    EscrowRow {
        address: escrow.address.to_string(),
        status: status_of(escrow),
        buyer: state.buyer.to_string(),
        seller: state.seller.to_string(),
        mint: (!state.is_sol()).then(|| state.mint.to_string()),
        principal: denomination.amount(state.ledger.principal).into(),
        attention: attention(escrow, now),
        next_deadline: next_deadline(escrow),
    }
}
