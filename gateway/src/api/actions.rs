//! Actions: what may be done to an escrow at present, as wallets and web pages show it.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use escrow_client::{
    EscrowInstruction,
    explain::{Actor, Possibility, possibilities},
    words::{Tense, sentence::Teller},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    body::{JsonBody, Path, Query},
    pay::{self, Account, WalletError, for_wallet},
};
use crate::{
    chain::Finality,
    problem::{Code, Problem, Result},
    wire::{Address, action::Action},
};

/// What an action is, for wallets (Solana Actions 2.4).
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionCard {
    /// `action`.
    #[serde(rename = "type")]
    pub kind: String,
    /// An image, as an absolute URL.
    pub icon: String,
    /// The heading.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// The button, where there is one alone.
    pub label: String,
    /// Whether nothing can be done.
    pub disabled: bool,
    /// What may be done.
    pub links: Links,
}

/// What may be done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Links {
    /// Each.
    pub actions: Vec<Link>,
}

/// Something that may be done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link {
    /// `transaction`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where to ask for the transaction.
    pub href: String,
    /// The button.
    pub label: String,
}

/// A transaction for the wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionTransaction {
    /// `transaction`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The transaction without signatures, in base 64.
    pub transaction: String,
    /// What it does, in words.
    pub message: String,
}

/// Which paths of this site are actions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rules {
    /// Each.
    pub rules: Vec<PathRule>,
}

/// A path that is an action.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathRule {
    /// As it is seen.
    pub path_pattern: String,
    /// As it is asked.
    pub api_path: String,
}

/// Which paths of this site are actions.
#[utoipa::path(get, path = "/actions.json", tag = "wallets", operation_id = "actionRules", security(()),
    responses(
        (status = 200, description = "The rules", body = Rules),
        (status = "4XX", description = "What is wrong", body = WalletError)
    ))]
pub async fn rules() -> Json<Rules> {
    let rule = PathRule { path_pattern: "/actions/**".to_owned(), api_path: "/actions/**".to_owned() };
    Json(Rules { rules: vec![rule] })
}

/// What may be done to an escrow at present.
#[utoipa::path(get, path = "/actions/escrows/{escrow}", tag = "wallets", operation_id = "showAction", security(()),
    params(("escrow" = Address, Path, description = "The escrow")),
    responses(
        (status = 200, description = "What may be done", body = ActionCard),
        (status = "4XX", description = "What is wrong", body = WalletError),
        (status = "5XX", description = "What is wrong", body = WalletError)
    ))]
pub async fn show(State(api): State<Api>, path: Result<Path<Address>>) -> Response {
    match async { card(&api, path?.0).await }.await {
        Ok(card) => Json(card).into_response(),
        Err(problem) => for_wallet(problem),
    }
}

async fn card(api: &Api, address: Address) -> Result<ActionCard> {
    let (snapshot, escrow) = api.chain.escrow(&address.0, Finality::Confirmed).await?;
    let escrow = escrow.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no escrow at {address}")))?;
    let denomination = api.chain.denomination(escrow.asset()).await;
    let teller = Teller { denomination: &denomination, now: snapshot.now };
    let open: Vec<Possibility> =
        possibilities(&escrow, snapshot.now).into_iter().filter(|possible| possible.is_open(snapshot.now)).collect();
    let buttons = open.iter().filter_map(|possible| {
        button(possible).map(|(label, query)| Link {
            kind: "transaction".to_owned(),
            href: format!("/actions/escrows/{address}?{query}"),
            label,
        })
    });
    let actions: Vec<Link> = buttons.collect();
    let told: Vec<String> =
        open.iter().map(|possible| teller.possibility(&escrow, possible).told(Tense::Possible)).collect();
    Ok(ActionCard {
        kind: "action".to_owned(),
        icon: pay::icon(api),
        title: format!("Escrow of {}", denomination.amount(escrow.state.ledger.principal)),
        description: if told.is_empty() { "Nothing can be done at present.".to_owned() } else { told.join(" ") },
        label: "Escrow".to_owned(),
        disabled: actions.is_empty(),
        links: Links { actions },
    })
}

/// The button for what may be done without being told more than the milestone, and what it asks for.
fn button(possible: &Possibility) -> Option<(String, String)> {
    let number = possible.action.instruction.milestone().map(escrow_client::words::name::number);
    let of = |verb: &str, what: &str| {
        let number = number.unwrap_or(1);
        (format!("{verb} milestone {number}"), format!("what={what}&milestone={number}"))
    };
    Some(match (&possible.action.instruction, possible.actor) {
        (EscrowInstruction::Fund, _) => ("Pay in".to_owned(), "what=fund".to_owned()),
        (EscrowInstruction::Cancel, _) => ("Cancel".to_owned(), "what=cancel".to_owned()),
        (EscrowInstruction::Deliver { .. }, _) => of("Deliver", "deliver"),
        (EscrowInstruction::Dispute { .. }, _) => of("Dispute", "dispute"),
        (EscrowInstruction::Release { .. }, _) => of("Release", "release"),
        (EscrowInstruction::Refund { .. }, _) => of("Refund", "refund"),
        (EscrowInstruction::Accept { .. }, _) => ("Accept the proposal".to_owned(), "what=accept".to_owned()),
        (EscrowInstruction::Expire { .. }, Actor::Anyone) => ("Finish".to_owned(), "what=finish".to_owned()),
        (EscrowInstruction::Withdraw { .. }, _) => ("Pay out".to_owned(), "what=pay_out".to_owned()),
        (EscrowInstruction::Close, _) => ("Close".to_owned(), "what=close".to_owned()),
        _ => return None,
    })
}

/// What is to be done.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct What {
    /// The action: one that the escrow's card names.
    #[param(max_length = 40)]
    what: String,
    /// The milestone, counted from 1.
    #[param(minimum = 1, maximum = 8)]
    milestone: Option<u8>,
}

/// The transaction for one of the buttons.
#[utoipa::path(post, path = "/actions/escrows/{escrow}", tag = "wallets", operation_id = "buildAction", security(()),
    params(("escrow" = Address, Path, description = "The escrow"), What), request_body = Account,
    responses(
        (status = 200, description = "To be signed and sent by the wallet", body = ActionTransaction),
        (status = "4XX", description = "What is wrong", body = WalletError),
        (status = "5XX", description = "What is wrong", body = WalletError)
    ))]
pub async fn build(
    State(api): State<Api>,
    path: Result<Path<Address>>,
    query: Result<Query<What>>,
    body: Result<JsonBody<Account>>,
) -> Response {
    let built = async {
        let (Path(escrow), Query(what), account) = (path?, query?, body?.value.account);
        let action = action(&what, escrow, account)?;
        let built = pay::build_for(&api, &escrow, account, action).await?;
        Ok(ActionTransaction { kind: "transaction".to_owned(), transaction: built.transaction, message: built.message })
    };
    match built.await {
        Ok(transaction) => Json(transaction).into_response(),
        Err(problem) => for_wallet(problem),
    }
}

/// The action behind a button.
fn action(what: &What, escrow: Address, account: Address) -> Result<Action> {
    let mut value = json!({"type": what.what, "escrow": escrow});
    let fields = match what.what.as_str() {
        "fund" | "pay_out" | "finish" | "close" => vec![],
        "cancel" | "accept" => vec![("by", json!(account))],
        "deliver" | "dispute" | "release" | "refund" => vec![("milestone", json!(what.milestone.unwrap_or(1)))],
        _ => {
            return Err(Problem::invalid(
                "what",
                "is none of the buttons: fund, cancel, deliver, dispute, release, refund, accept, pay_out, finish, close",
            ));
        }
    };
    if let Some(object) = value.as_object_mut() {
        object.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    Action::read(value, "")
}

/// The layer that lets web pages from anywhere use what is for wallets, and nothing else.
pub async fn cors(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_for_wallets = path == "/actions.json" || path.starts_with("/actions/") || path.starts_with("/pay/");
    if !is_for_wallets {
        return next.run(request).await;
    }
    let preflight = *request.method() == Method::OPTIONS;
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,POST,OPTIONS"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type, Authorization, Content-Encoding, Accept-Encoding, X-Accept-Action-Version, X-Accept-Blockchain-Ids"),
    );
    headers
        .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("X-Action-Version, X-Blockchain-Ids"));
    headers.insert(HeaderName::from_static("x-action-version"), HeaderValue::from_static("2.4"));
    response
}
