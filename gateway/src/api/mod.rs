//! HTTP. Each route is described where it is written (`#[utoipa::path]`), and the description is what is enforced: who may use it
//! is read from its `security`, so that a route without one is closed.

pub mod actions;
pub mod auth;
pub mod body;
pub mod health;
pub mod idempotency;
pub mod limits;
pub mod outer;
pub mod page;
pub mod pay;
pub mod v1;

use std::sync::Arc;

use axum::{Json, Router, http::Method, middleware, routing::get};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower_http::{
    compression::CompressionLayer,
    cors::{AllowOrigin, Any, CorsLayer},
};
use utoipa::{
    OpenApi,
    openapi::{
        Components, Content, Ref, RefOr, Response as Described, ResponseBuilder,
        path::{Operation, PathItem},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    chain::Chain,
    config::Config,
    deliver::egress::Egress,
    index::Tail,
    orders::Sources,
    problem::{Code, Problem},
    store::Store,
    submit::Submit,
};

/// What handlers need.
#[derive(Debug, Clone)]
pub struct Api {
    /// What is set.
    pub config: Arc<Config>,
    /// The database.
    pub store: Store,
    /// The nodes.
    pub chain: Arc<Chain>,
    /// What wallets signed.
    pub submit: Submit,
    /// What is asked about orders.
    pub sources: Sources,
    /// How escrows of orders stood when they were read last.
    pub seen: v1::orders::Seen,
    /// The way out to URLs that users name.
    pub egress: Arc<Egress>,
    /// Tells the deliveries of this process that there is something new.
    pub told: Arc<Notify>,
    /// How often.
    pub limits: Arc<limits::Limiter>,
    /// The end of the log of events.
    pub tail: Arc<Tail>,
    /// How many event streams may still be opened.
    pub streams: Arc<tokio::sync::Semaphore>,
    /// That the process is about to end.
    pub end: CancellationToken,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Escrow gateway",
        description = "Builds what wallets sign, submits what they signed, and reads escrows on Solana. It holds no party's \
                       key and need not be believed: every answer about an escrow carries its terms, their hash, and the slot. \
                       Amounts are decimal strings of base units. Errors are application/problem+json with a code that stays."
    ),
    servers((url = "/", description = "This gateway")),
    tags(
        (name = "escrows", description = "What is agreed, and how it stands"),
        (name = "events", description = "What happened to escrows, in order, each once"),
        (name = "transactions", description = "Build, submit, ask what became of it"),
        (name = "webhooks", description = "Be told what happens"),
        (name = "orders", description = "What a shop calls its escrows, and what its own sources say of them"),
        (name = "access", description = "API keys, and wallets that sign in"),
        (name = "wallets", description = "Solana Pay and Actions"),
        (name = "service", description = "The service itself"),
    )
)]
struct Document;

/// All routes with their descriptions.
fn described() -> OpenApiRouter<Api> {
    let v1 = OpenApiRouter::new()
        .routes(routes!(v1::cluster::show))
        .routes(routes!(v1::terms::check))
        .routes(routes!(v1::escrow_list::list))
        .routes(routes!(v1::escrows::show))
        .routes(routes!(v1::escrows::history))
        .routes(routes!(v1::events::list))
        .routes(routes!(v1::events::stream_events))
        .routes(routes!(v1::keeper::show))
        .routes(routes!(v1::transactions::prepare))
        .routes(routes!(v1::transactions::show))
        .routes(routes!(v1::transactions::take))
        .routes(routes!(v1::webhooks::create, v1::webhooks::list))
        .routes(routes!(v1::webhooks::show, v1::webhooks::change, v1::webhooks::delete))
        .routes(routes!(v1::rotation::rotate))
        .routes(routes!(v1::deliveries::probe))
        .routes(routes!(v1::deliveries::replay))
        .routes(routes!(v1::deliveries::list))
        .routes(routes!(v1::deliveries::retry))
        .routes(routes!(v1::orders::create, v1::orders::list))
        .routes(routes!(v1::orders::show, v1::orders::delete))
        .routes(routes!(v1::orders::overview))
        .routes(routes!(v1::sources::create, v1::sources::list))
        .routes(routes!(v1::sources::delete))
        .routes(routes!(v1::access::challenge))
        .routes(routes!(v1::access::sign_in))
        .routes(routes!(v1::access::sign_out))
        .routes(routes!(v1::access::create_key, v1::access::list_keys))
        .routes(routes!(v1::access::revoke_key));
    let wallets = OpenApiRouter::new()
        .routes(routes!(pay::label, pay::transaction))
        .routes(routes!(actions::rules))
        .routes(routes!(actions::show))
        .routes(routes!(actions::build));
    OpenApiRouter::with_openapi(Document::openapi())
        .nest("/v1", v1)
        .merge(wallets)
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(document))
}

/// The OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", tag = "service", security(()),
    responses((status = 200, description = "This document", content_type = "application/json")))]
async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi())
}

/// The OpenAPI document, complete.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut openapi) = described().split_for_parts();
    complete(&mut openapi);
    openapi
}

/// What stands in the document of every operation: how to sign in, and that every error is a problem.
fn complete(openapi: &mut utoipa::openapi::OpenApi) {
    let components = openapi.components.get_or_insert_with(Components::new);
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description =
        Some("An API key (`esk_…`) or a session (`ess_…`). The names are the scopes that it must have.".to_owned());
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut problem = problem_response();
    problem.description = "A problem: its code says which, docs/errors.md lists them".to_owned();
    components.responses.insert("Problem".to_owned(), RefOr::T(problem));
    let mut parts = Vec::new();
    add::<crate::problem::ProblemBody>(&mut parts);
    // What the routes' own descriptions name and do not bring along.
    add::<crate::wire::action::Action>(&mut parts);
    add::<v1::escrow_list::PartyRole>(&mut parts);
    add::<crate::chain::Finality>(&mut parts);
    add::<escrow_client::view::Status>(&mut parts);
    add::<escrow_client::view::Role>(&mut parts);
    add::<crate::wire::Address>(&mut parts);
    add::<crate::wire::Hash>(&mut parts);
    components.schemas.extend(parts);
    inline_actions(components);
    for item in openapi.paths.paths.values_mut() {
        for operation in operations(item) {
            // Solana Pay and Actions have errors of their own kind.
            if operation.tags.as_ref().is_some_and(|tags| tags.iter().any(|tag| tag == "wallets")) {
                continue;
            }
            for range in ["4XX", "5XX"] {
                let reference = RefOr::Ref(Ref::from_response_name("Problem"));
                operation.responses.responses.entry(range.to_owned()).or_insert(reference);
            }
        }
    }
}

/// Each action as one object with its type. As written by the derive it is all of two objects, and the one that allows no other
/// field than its own forbids the other's type.
fn inline_actions(components: &mut Components) {
    use utoipa::openapi::Schema;
    let Some(RefOr::T(Schema::OneOf(mut actions))) = components.schemas.get("Action").cloned() else { return };
    let mut inlined = Vec::new();
    for action in &mut actions.items {
        let RefOr::T(Schema::AllOf(parts)) = action else { continue };
        let mut whole = None;
        for part in &parts.items {
            if let RefOr::Ref(reference) = part {
                let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
                if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get(name) {
                    inlined.push(name.to_owned());
                    whole = Some(object.clone());
                }
            }
        }
        let Some(mut whole) = whole else { continue };
        for part in &parts.items {
            if let RefOr::T(Schema::Object(tag)) = part {
                whole.required.extend(tag.required.iter().cloned());
                whole.properties.extend(tag.properties.clone());
            }
        }
        whole.description.clone_from(&parts.description);
        *action = RefOr::T(Schema::Object(whole));
    }
    components.schemas.insert("Action".to_owned(), RefOr::T(Schema::OneOf(actions)));
    for name in inlined {
        components.schemas.remove(&name);
    }
}

/// A schema and those that it names.
fn add<T: utoipa::ToSchema>(parts: &mut Vec<(String, RefOr<utoipa::openapi::Schema>)>) {
    parts.push((T::name().into_owned(), T::schema()));
    T::schemas(parts);
}

fn problem_response() -> Described {
    let schema = RefOr::<utoipa::openapi::Schema>::Ref(Ref::from_schema_name("Problem"));
    ResponseBuilder::new().content("application/problem+json", Content::new(Some(schema))).build()
}

/// The operations of a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().filter_map(Option::as_mut)
}

/// Everything that is served.
pub fn router(api: Api) -> Router {
    let (router, mut openapi) = described().split_for_parts();
    complete(&mut openapi);
    let table = Arc::new(auth::Table::of(&openapi));
    let documentation =
        utoipa_swagger_ui::SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json"));
    // Wallets call the pages of Solana Pay and Actions from anywhere; the API is called from the pages that are named.
    let named = api.config.cors_origins.iter().filter_map(|origin| origin.parse().ok());
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(named.collect::<Vec<_>>()))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(Any)
        .expose_headers(Any);
    let guarded = router
        .fallback(|| async { Problem::new(Code::NoRoute, "there is nothing at this path: see /openapi.json") })
        .method_not_allowed_fallback(|| async { Problem::new(Code::Method, "this path does not know this method") })
        .layer(middleware::from_fn_with_state((api.clone(), table), auth::guard))
        .layer(cors)
        .layer(middleware::from_fn(actions::cors))
        .with_state(api.clone());
    let pages: Router = Router::new().route("/", get(|| async { axum::response::Redirect::temporary("/docs/") }));
    guarded
        .merge(pages)
        .merge(documentation)
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(api, outer::outer))
}
