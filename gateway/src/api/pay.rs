//! Solana Pay, transaction requests 1.1: a wallet that scans `solana:https://…/pay/{escrow}` pays an escrow's principal in.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    body::{JsonBody, Path},
};
use crate::{
    build::{self, Built, Order},
    chain::Finality,
    problem::{Code, Problem, Result},
    wire::{
        Address,
        action::{Action, Fund},
    },
};

/// Who asks to be paid.
#[derive(Debug, Serialize, ToSchema)]
pub struct Label {
    /// Shown as whom one pays.
    pub label: String,
    /// An image, as an absolute URL.
    pub icon: String,
}

/// A wallet that is about to sign.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Account {
    /// The wallet's address.
    pub account: Address,
}

/// A transaction for the wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct WalletTransaction {
    /// The transaction without signatures, in base 64.
    pub transaction: String,
    /// What it does, in words.
    pub message: String,
}

/// An error that a wallet shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct WalletError {
    /// For people.
    pub message: String,
}

/// A problem, as a wallet shows it.
pub fn for_wallet(problem: Problem) -> Response {
    let status = match problem.code {
        Code::Refused | Code::Stale | Code::Invalid | Code::TooLarge => StatusCode::UNPROCESSABLE_ENTITY,
        code => code.status(),
    };
    (status, Json(WalletError { message: problem.detail })).into_response()
}

/// Where the picture is.
pub fn icon(api: &Api) -> String {
    format!("{}/docs/favicon-32x32.png", api.config.public_url)
}

/// Who asks to be paid (Solana Pay).
#[utoipa::path(get, path = "/pay/{escrow}", tag = "wallets", operation_id = "payLabel", security(()),
    params(("escrow" = Address, Path, description = "The escrow")),
    responses(
        (status = 200, description = "Who asks", body = Label),
        (status = "4XX", description = "What is wrong", body = WalletError)
    ))]
pub async fn label(State(api): State<Api>, path: Result<Path<Address>>) -> Response {
    match path {
        Ok(Path(_)) => {
            Json(Label { label: format!("Escrow at {}", api.config.domain()), icon: icon(&api) }).into_response()
        }
        Err(problem) => for_wallet(problem),
    }
}

/// The transaction that pays an escrow's whole principal in (Solana Pay). The wallet must be the buyer's.
#[utoipa::path(post, path = "/pay/{escrow}", tag = "wallets", operation_id = "payTransaction", security(()),
    params(("escrow" = Address, Path, description = "The escrow")), request_body = Account,
    responses(
        (status = 200, description = "To be signed and sent by the wallet", body = WalletTransaction),
        (status = "4XX", description = "What is wrong", body = WalletError),
        (status = "5XX", description = "What is wrong", body = WalletError)
    ))]
pub async fn transaction(
    State(api): State<Api>,
    path: Result<Path<Address>>,
    body: Result<JsonBody<Account>>,
) -> Response {
    let built = async {
        let (Path(escrow), account) = (path?, body?.value.account);
        let fund = Action::Fund(Fund { escrow, terms_hash: None, token_account: None });
        build_for(&api, &escrow, account, fund).await
    };
    match built.await {
        Ok(transaction) => Json(transaction).into_response(),
        Err(problem) => for_wallet(problem),
    }
}

/// A transaction of one action, for a wallet that sends it itself.
pub async fn build_for(api: &Api, escrow: &Address, account: Address, action: Action) -> Result<WalletTransaction> {
    let order =
        Order { actions: vec![action], fee_payer: account.0, nonce: None, compute_unit_price: 0, multisig: None };
    let Built { unsigned, told, .. } = build::build(&api.chain, &order).await?;
    if let Some(other) = unsigned.signers().iter().find(|signer| **signer != account.0) {
        let (_, found) = api.chain.escrow(&escrow.0, Finality::Confirmed).await?;
        let roles = found.map(|found| escrow_client::words::refusal::roles(&found, other)).unwrap_or_default();
        let detail = format!("{other} ({roles}) would have to sign this, and you are {account}");
        return Err(Problem::new(Code::Refused, detail));
    }
    let message = told.steps.iter().map(|step| step.text.as_str()).collect::<Vec<_>>().join(" ");
    Ok(WalletTransaction { transaction: unsigned.to_base64(), message })
}
