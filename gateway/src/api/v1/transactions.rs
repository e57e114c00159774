//! Transactions: built for wallets, taken back signed, and what became of them.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use escrow_client::transaction::Lifetime;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use solana_signature::Signature;
use utoipa::ToSchema;

use super::VERSION;
use crate::{
    api::{
        Api,
        auth::Principal,
        body::{JsonBody, Path},
        idempotency::{self, Answer},
    },
    build::{self, Built, MOST_ACTIONS, MultisigOrder, Order, Told},
    problem::{Code, Problem, Result},
    store::Row,
    submit::{self, Status},
    wire::{Address, Units, action::Action},
};

/// What is to be built.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransactionRequest {
    /// In this order, all or nothing.
    #[schema(value_type = Vec<Action>, min_items = 1, max_items = 16)]
    pub actions: Vec<serde_json::Value>,
    /// Who pays the fee, and the rent of token accounts that are made.
    pub fee_payer: Address,
    /// How long it may be executed; about a minute and a half if it is left out.
    #[serde(default)]
    pub lifetime: Option<LifetimeWanted>,
    /// What is offered for a compute unit, in millionths of a lamport; nothing if it is left out.
    #[serde(default)]
    pub compute_unit_price: Option<Units>,
    /// Propose it in this multisig, whose vault is the party, instead of doing it.
    #[serde(default)]
    pub multisig: Option<MultisigWanted>,
}

/// A multisig of Squads (version 4). What is built proposes the actions there; its members approve and execute them in Squads' own
/// application. What the vault need not sign, as a creation whose rent the fee payer pays, is done at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Multisig)]
pub struct MultisigWanted {
    /// The multisig's address; not its vault's, which stands in the terms.
    pub address: Address,
    /// The member who proposes it, and signs. The fee payer pays the rents, and signs too.
    pub member: Address,
    /// The number of the vault; the first, 0, if it is left out.
    #[serde(default)]
    pub vault: u8,
    /// Whether the member approves it at once; so it is if it is left out.
    #[serde(default)]
    pub approve: Option<bool>,
}

/// How long a transaction may be executed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LifetimeWanted {
    /// The kind.
    pub kind: LifetimeKind,
    /// With a nonce: its account.
    #[serde(default)]
    pub account: Option<Address>,
}

/// How long a transaction may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LifetimeKind {
    /// As long as its block hash is recent: about a minute and a half.
    Blockhash,
    /// Until the nonce is advanced, by this transaction or another.
    Nonce,
}

/// A transaction for wallets to sign.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Prepared {
    /// The version of this answer.
    pub version: u32,
    /// By which it is found here.
    pub id: String,
    /// The cluster's genesis hash: what is signed here is valid there alone.
    pub genesis: String,
    /// What wallets take: the transaction without signatures, in base 64.
    pub transaction: String,
    /// What is signed, in base 64: for hardware.
    pub message: String,
    /// Who has to sign, who pays the fee first.
    pub signers: Vec<String>,
    /// How long it may be executed.
    pub lifetime: PreparedLifetime,
    /// What it does, and what it costs.
    #[serde(flatten)]
    pub told: Told,
}

/// How long a transaction may be executed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreparedLifetime {
    /// The kind.
    pub kind: LifetimeKind,
    /// The block hash, or the nonce's value.
    pub value: String,
    /// With a block hash: up to this block height.
    pub last_valid_block_height: Option<String>,
    /// With a nonce: its account.
    pub account: Option<String>,
}

/// What is known of a transaction.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransactionAnswer {
    /// The version of this answer.
    pub version: u32,
    /// By which it is found here; none for one that this gateway did not prepare.
    pub id: Option<String>,
    /// How far it is.
    #[serde(flatten)]
    pub status: Status,
    /// What was prepared; none for one that this gateway did not.
    pub prepared: Option<Prepared>,
}

/// What came back from a wallet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedRequest {
    /// The transaction with one signature or more, in base 64. A wallet may have added a compute budget, at most three
    /// assertions of Lighthouse and one memo; nothing else may differ.
    #[schema(max_length = 1644)]
    pub transaction: String,
}

/// Builds one transaction of these actions, after asking the program's own rules. Nothing is sent, and nobody is bound: sign it
/// with a wallet, and return it with `PUT /v1/transactions/{id}/signed`.
#[utoipa::path(post, path = "/transactions", tag = "transactions", operation_id = "prepareTransaction",
    security(("bearer" = ["build"])), request_body = TransactionRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body: one transaction, one answer")),
    responses((status = 201, description = "To be signed", body = Prepared,
        headers(("Location" = String, description = "Where it is found")))))]
pub async fn prepare(
    State(api): State<Api>,
    principal: Principal,
    headers: HeaderMap,
    JsonBody { value, bytes }: JsonBody<TransactionRequest>,
) -> Result<Response> {
    let work = |ticket: idempotency::Ticket| {
        let (api, owner) = (api.clone(), principal.owner.clone());
        async move {
            let (prepared, row) = build_row(&api, &owner, order(value)?).await?;
            let answer = Answer::created(format!("/v1/transactions/{}", prepared.id), &prepared)?;
            let mut change = api.store.change().await?;
            api.store.add_transaction(&mut change, &row).await?;
            ticket.keep(&api, &mut change, &answer).await?;
            change.commit().await?;
            Ok(answer)
        }
    };
    idempotency::once(&api, &principal, "POST /v1/transactions", &headers, &bytes, work).await
}

/// What a request orders.
fn order(request: TransactionRequest) -> Result<Order> {
    let TransactionRequest { actions, fee_payer, lifetime, compute_unit_price, multisig } = request;
    if actions.is_empty() || actions.len() > MOST_ACTIONS {
        return Err(Problem::invalid("/actions", format!("are at least 1 and at most {MOST_ACTIONS}")));
    }
    let read = |(index, action)| Action::read(action, &format!("/actions/{index}"));
    let actions = actions.into_iter().enumerate().map(read).collect::<Result<_>>()?;
    let nonce = match lifetime {
        None => None,
        Some(LifetimeWanted { kind: LifetimeKind::Blockhash, account: None }) => None,
        Some(LifetimeWanted { kind: LifetimeKind::Nonce, account: Some(account) }) => Some(account.0),
        Some(LifetimeWanted { kind: LifetimeKind::Blockhash, .. }) => {
            return Err(Problem::invalid("/lifetime/account", "goes with a nonce alone"));
        }
        Some(LifetimeWanted { kind: LifetimeKind::Nonce, .. }) => {
            return Err(Problem::invalid("/lifetime/account", "is needed with a nonce"));
        }
    };
    let compute_unit_price = compute_unit_price.map_or(0, |price| price.0);
    let multisig = multisig.map(|MultisigWanted { address, member, vault, approve }| MultisigOrder {
        address: address.0,
        member: member.0,
        vault,
        approve: approve.unwrap_or(true),
    });
    Ok(Order { actions, fee_payer: fee_payer.0, nonce, compute_unit_price, multisig })
}

/// Builds what is ordered, and the row that keeps it.
pub(crate) async fn build_row(api: &Api, owner: &str, order: Order) -> Result<(Prepared, Row)> {
    let Built { unsigned, life, told } = build::build(&api.chain, &order).await?;
    let mut id = [0; 12];
    rand::rng().fill_bytes(&mut id);
    let id = hex::encode(id);
    let lifetime = unsigned.lifetime();
    let prepared = Prepared {
        version: VERSION,
        id: id.clone(),
        genesis: life.origin.genesis.to_string(),
        transaction: unsigned.to_base64(),
        message: unsigned.message_base64(),
        signers: unsigned.signers().iter().map(ToString::to_string).collect(),
        lifetime: PreparedLifetime {
            kind: match lifetime {
                Lifetime::Blockhash { .. } => LifetimeKind::Blockhash,
                Lifetime::Nonce { .. } => LifetimeKind::Nonce,
            },
            value: lifetime.hash().to_string(),
            last_valid_block_height: match lifetime {
                Lifetime::Blockhash { last_valid_block_height, .. } => Some(last_valid_block_height.to_string()),
                Lifetime::Nonce { .. } => None,
            },
            account: match lifetime {
                Lifetime::Blockhash { .. } => None,
                Lifetime::Nonce { account, .. } => Some(account.to_string()),
            },
        },
        told,
    };
    let row = Row {
        fingerprint: submit::name_of(&id).to_string(),
        id,
        owner: owner.to_owned(),
        version: 1,
        prepared: serde_json::to_string(&prepared).map_err(Problem::internal)?,
        wire: prepared.transaction.clone(),
        lifetime: serde_json::to_string(&life).map_err(Problem::internal)?,
        signature: None,
        created_at: crate::now_ms(),
    };
    Ok((prepared, row))
}

/// Takes a signed transaction. Where signatures are missing yet, the others can be sent the same way. Once it is complete it is
/// written down and sent until it is final or can never be executed. The same again gives the same answer.
#[utoipa::path(put, path = "/transactions/{id}/signed", tag = "transactions", operation_id = "submitTransaction",
    security(("bearer" = ["submit"])), request_body = SignedRequest,
    params(
        ("id" = String, Path, description = "The transaction", max_length = 100),
        ("Prefer" = Option<String>, Header, description = "`wait=10`: answer when it is final, or after so many seconds, at most 20")
    ),
    responses(
        (status = 202, description = "Taken", body = TransactionAnswer),
        (status = 200, description = "Taken, and final already", body = TransactionAnswer)
    ))]
pub async fn take(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody { value, .. }: JsonBody<SignedRequest>,
) -> Result<Response> {
    let mut status = api.submit.take(&principal.owner, &id, &value.transaction).await?;
    if let Some(seconds) = wait(&headers) {
        status = api.submit.wait(&principal.owner, &id, seconds).await?;
    }
    let code = if status.status.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let row = api.submit.row(&principal.owner, &id).await?;
    Ok((code, Json(answer(&row, status)?)).into_response())
}

/// How long the client wants to wait.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    const MOST: u64 = 20;
    let wanted = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut seconds = wanted.flat_map(|value| value.split(',')).filter_map(|value| value.trim().strip_prefix("wait="));
    let seconds: u64 = seconds.next()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(MOST)))
}

fn answer(row: &Row, status: Status) -> Result<TransactionAnswer> {
    let prepared = serde_json::from_str(&row.prepared).map_err(Problem::internal)?;
    Ok(TransactionAnswer { version: VERSION, id: Some(row.id.clone()), status, prepared: Some(prepared) })
}

/// What became of a transaction: of one that was prepared here, or of any signature that a node knows.
#[utoipa::path(get, path = "/transactions/{id}", tag = "transactions", operation_id = "showTransaction",
    security(("bearer" = ["read"])),
    params(
        ("id" = String, Path, description = "The id, or a signature", max_length = 100),
        ("Prefer" = Option<String>, Header, description = "`wait=10`: answer when it is final, or after so many seconds, at most 20")
    ),
    responses((status = 200, description = "What is known", body = TransactionAnswer)))]
pub async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<TransactionAnswer>> {
    let signature: Option<Signature> = id.parse().ok();
    let row = match &signature {
        None => Some(api.submit.row(&principal.owner, &id).await?),
        Some(signature) => api.store.transaction_by_signature(&principal.owner, &signature.to_string()).await?,
    };
    let Some(row) = row else {
        let signature =
            signature.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no transaction {id}")))?;
        let status = api.submit.foreign(&signature).await?;
        return Ok(Json(TransactionAnswer { version: VERSION, id: None, status, prepared: None }));
    };
    let status = match wait(&headers) {
        None => api.submit.status_of(&row).await?,
        Some(at_most) => api.submit.wait(&principal.owner, &row.id, at_most).await?,
    };
    Ok(Json(answer(&row, status)?))
}
