//! Who may do what: by the document's own words.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, Method, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::{ToSchema, openapi::OpenApi};

use super::{Api, body::single, limits};
use crate::{
    problem::{Code, Problem, Result},
    store::Credential,
};

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read escrows.
    Read,
    /// Build transactions.
    Build,
    /// Submit what was signed.
    Submit,
    /// Webhook endpoints.
    Webhooks,
    /// API keys.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Build, Self::Submit, Self::Webhooks, Self::Admin];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Build => "build",
            Self::Submit => "submit",
            Self::Webhooks => "webhooks",
            Self::Admin => "admin",
        }
    }

    /// The scope with this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }

    /// As they are kept.
    pub fn join(scopes: &[Self]) -> String {
        scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(" ")
    }

    /// From how they are kept.
    pub fn split(kept: &str) -> Vec<Self> {
        kept.split(' ').filter_map(Self::of).collect()
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Whose key or session it is: what one made, another of the same owner may use.
    pub owner: String,
    /// The key or session.
    pub credential: String,
    /// Whether it is a session.
    pub is_session: bool,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// Who may use a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Who has all of these.
    Scopes(Vec<Scope>),
}

/// Who may use which route, from the document.
#[derive(Debug, Default)]
pub struct Table(HashMap<(Method, String), Access>);

impl Table {
    /// Of a document. A route that says nothing is not in it, and so is closed.
    pub fn of(openapi: &OpenApi) -> Self {
        let mut table = HashMap::new();
        for (path, item) in &openapi.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
                (Method::OPTIONS, &item.options),
            ];
            for (method, operation) in operations {
                let Some(security) = operation.as_ref().and_then(|operation| operation.security.as_ref()) else {
                    continue;
                };
                // `{}` says "nobody in particular"; `{"bearer": […]}` who has these scopes.
                let written = serde_json::to_value(security).unwrap_or_default();
                let scopes = written.get(0).and_then(|first| first.get("bearer")).and_then(|scopes| scopes.as_array());
                let access = match scopes {
                    None => Access::Public,
                    Some(scopes) => {
                        Access::Scopes(scopes.iter().filter_map(|word| Scope::of(word.as_str()?)).collect())
                    }
                };
                table.insert((method, path.clone()), access);
            }
        }
        Self(table)
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (&Method, &str, &Access)> {
        self.0.iter().map(|((method, path), access)| (method, path.as_str(), access))
    }

    fn access(&self, method: &Method, path: &str) -> Option<&Access> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.0.get(&(method.clone(), path.to_owned()))
    }

    fn knows(&self, path: &str) -> bool {
        self.0.keys().any(|(_, known)| known == path)
    }
}

/// A new secret, told once, and how it is kept.
#[derive(Debug)]
pub struct NewSecret {
    /// By which it is found.
    pub id: String,
    /// What the client sends.
    pub token: String,
    /// What is kept.
    pub hash: String,
}

impl NewSecret {
    /// A key's (`esk`) or a session's (`ess`).
    pub fn new(prefix: &str) -> Self {
        let (mut id, mut secret) = ([0; 8], [0; 32]);
        rand::rng().fill_bytes(&mut id);
        rand::rng().fill_bytes(&mut secret);
        let (id, secret) = (hex::encode(id), hex::encode(secret));
        Self { token: format!("{prefix}_{id}_{secret}"), hash: hash_of(&secret), id }
    }
}

fn hash_of(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The layer that lets a request through, or does not.
pub async fn guard(State((api, table)): State<(Api, Arc<Table>)>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let access = path.as_deref().and_then(|path| table.access(&method, path)).cloned();
    let address = client_address(&api, &request);
    let principal = match authenticate(&api, request.headers()).await {
        Ok(principal) => principal,
        Err(problem) => {
            // Who guesses keys is slowed down by the address that it comes from.
            return match api.limits.anonymous(&address) {
                Ok(left) => left.on(problem.into_response()),
                Err(problem) => problem.into_response(),
            };
        }
    };
    let allowed = match &principal {
        None => api.limits.anonymous(&address),
        Some(principal) => api.limits.owner(&principal.owner),
    };
    let left = match allowed {
        Ok(left) => left,
        Err(problem) => return problem.into_response(),
    };
    let verdict = match (&access, &principal) {
        // Nothing is there, or not under this method: the router says so.
        (None, _) if path.as_deref().is_none_or(|path| table.knows(path)) => Ok(()),
        (None, _) => Err(Problem::new(Code::Scope, "nobody may use this: it does not say who may")),
        (Some(Access::Public), _) => Ok(()),
        (Some(Access::Scopes(_)), None) => {
            let detail = "send an API key or a session: Authorization: Bearer esk_…";
            Err(Problem::new(Code::Unauthorized, detail))
        }
        (Some(Access::Scopes(needed)), Some(principal)) => {
            match needed.iter().find(|scope| !principal.scopes.contains(scope)) {
                None => Ok(()),
                Some(scope) => {
                    let detail = format!("this key has not the scope \"{}\"", scope.word());
                    Err(Problem::new(Code::Scope, detail))
                }
            }
        }
    };
    if let Err(problem) = verdict {
        return left.on(problem.into_response());
    }
    if let Some(principal) = principal {
        request.extensions_mut().insert(principal);
    }
    left.on(next.run(request).await)
}

/// Who asks; nobody where there is no `Authorization`.
async fn authenticate(api: &Api, headers: &HeaderMap) -> Result<Option<Principal>> {
    let Some(header) = single(headers, "Authorization")? else { return Ok(None) };
    let unknown = || Problem::new(Code::Unauthorized, "this is no key or session of this gateway");
    let written = header.to_str().ok().and_then(|text| text.split_once(' '));
    // The scheme's letters may be of either case (RFC 9110).
    let (_, token) = written.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).ok_or_else(unknown)?;
    let token = token.trim_start_matches(' ');
    let (rest, kind) = match (token.strip_prefix("esk_"), token.strip_prefix("ess_")) {
        (Some(rest), _) => (rest, "key"),
        (_, Some(rest)) => (rest, "session"),
        _ => return Err(unknown()),
    };
    let (id, secret) = rest.split_once('_').ok_or_else(unknown)?;
    if id.len() != 16 || secret.len() != 64 {
        return Err(unknown());
    }
    let found = api.store.credential(id).await?.filter(|found| found.kind == kind).ok_or_else(unknown)?;
    let same: bool = found.secret_hash.as_bytes().ct_eq(hash_of(secret).as_bytes()).into();
    if !same {
        return Err(unknown());
    }
    let Credential { id, kind, owner, scopes, expires_at, revoked_at, .. } = found;
    if revoked_at.is_some() {
        return Err(Problem::new(Code::Revoked, "this key or session was revoked"));
    }
    if expires_at.is_some_and(|until| until <= crate::now_ms()) {
        return Err(Problem::new(Code::Expired, "this key or session has expired: make another, or sign in again"));
    }
    Ok(Some(Principal { owner, credential: id, is_session: kind == "session", scopes: Scope::split(&scopes) }))
}

/// The address that a request comes from: behind a proxy that is trusted, the one that it names.
fn client_address(api: &Api, request: &Request) -> limits::Client {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let Some(peer) = peer else { return limits::Client::Unknown };
    let trusted = &api.config.trusted_proxies;
    if !trusted.contains(&peer) {
        return limits::Client::of(peer);
    }
    let forwarded = request.headers().get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<_> = forwarded.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
    // The last that no proxy of ours has written.
    limits::Client::of(hops.into_iter().rfind(|hop| !trusted.contains(hop)).unwrap_or(peer))
}

/// Handlers behind a scope have one.
impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| {
            Problem::new(Code::Unauthorized, "send an API key or a session: Authorization: Bearer esk_…")
        })
    }
}
