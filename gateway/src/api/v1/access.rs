//! API keys, and wallets that sign in.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use solana_signature::Signature;
use utoipa::{IntoParams, ToSchema};

use super::VERSION;
use crate::{
    api::{
        Api,
        auth::{NewSecret, Principal, Scope},
        body::{JsonBody, Path, Query},
        idempotency::{self, Answer},
        page,
    },
    problem::{Code, Problem, Result},
    store::{Challenge, Credential},
    wire::Address,
};

/// How long a wallet has to sign, in milliseconds.
const CHALLENGE: i64 = 5 * 60 * 1_000;
/// How long a session lasts, in milliseconds.
const SESSION: i64 = 12 * 60 * 60 * 1_000;
/// What a session may be used for.
const SESSION_SCOPES: [Scope; 3] = [Scope::Read, Scope::Build, Scope::Submit];
/// The longest name or owner, in letters.
const LONGEST: usize = 100;

/// Who wants to sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// The wallet.
    pub address: Address,
}

/// What the wallet is to sign.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChallengeAnswer {
    /// The version of this answer.
    pub version: u32,
    /// The text that is signed, exactly (Sign-In With Solana).
    pub message: String,
    /// Sent back with the signature.
    pub nonce: String,
    /// Until when, in unix seconds.
    pub expires_at: i64,
}

/// A wallet's signature.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The nonce of the challenge.
    #[schema(max_length = 64)]
    pub nonce: String,
    /// The signature over the challenge's message, in base 58 or base 64.
    #[schema(max_length = 100)]
    pub signature: String,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// The version of this answer.
    pub version: u32,
    /// Told once: send it as `Authorization: Bearer …`.
    pub token: String,
    /// The wallet.
    pub address: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Until when, in unix seconds.
    pub expires_at: i64,
}

/// What a wallet is to sign to sign in. Signing it moves nothing.
#[utoipa::path(post, path = "/auth/challenge", tag = "access", operation_id = "challenge", security(()),
    request_body = ChallengeRequest,
    responses((status = 200, description = "To be signed within five minutes", body = ChallengeAnswer)))]
pub async fn challenge(
    State(api): State<Api>,
    JsonBody { value, .. }: JsonBody<ChallengeRequest>,
) -> Result<Json<ChallengeAnswer>> {
    let mut nonce = [0; 16];
    rand::rng().fill_bytes(&mut nonce);
    let nonce = hex::encode(nonce);
    let now = crate::now_ms();
    let expires_at = now.saturating_add(CHALLENGE);
    let time = |ms: i64| jiff::Timestamp::from_second(ms.div_euclid(1_000)).unwrap_or_default().to_string();
    let address = value.address.to_string();
    let message = format!(
        "{domain} wants you to sign in with your Solana account:\n{address}\n\nSign in to read your escrows and build \
         transactions. This moves nothing.\n\nURI: {uri}\nVersion: 1\nNonce: {nonce}\nIssued At: {issued}\nExpiration Time: \
         {expires}",
        domain = api.config.domain(),
        uri = api.config.public_url,
        issued = time(now),
        expires = time(expires_at),
    );
    let challenge = Challenge { nonce: nonce.clone(), address, message: message.clone(), expires_at };
    api.store.add_challenge(&challenge).await?;
    Ok(Json(ChallengeAnswer { version: VERSION, message, nonce, expires_at: expires_at.div_euclid(1_000) }))
}

/// Signs a wallet in: a session of twelve hours that may read, build and submit. A challenge is used once, whether the signature
/// is right or not.
#[utoipa::path(post, path = "/auth/sessions", tag = "access", operation_id = "signIn", security(()),
    request_body = SessionRequest,
    responses((status = 201, description = "Signed in", body = Session)))]
pub async fn sign_in(
    State(api): State<Api>,
    JsonBody { value, .. }: JsonBody<SessionRequest>,
) -> Result<(StatusCode, Json<Session>)> {
    let refused = |detail: &str| Problem::new(Code::Challenge, detail);
    let now = crate::now_ms();
    let mut change = api.store.change().await?;
    let found = api.store.take_challenge(&mut change, &value.nonce).await?;
    let Some(challenge) = found else {
        return Err(refused("there is no such challenge, or it was used: ask for another"));
    };
    let signed = challenge.expires_at > now && is_signed(&challenge, &value.signature);
    if !signed {
        change.commit().await?;
        return Err(refused("the challenge has expired, or this is not the wallet's signature of it: ask for another"));
    }
    let NewSecret { id, token, hash } = NewSecret::new("ess");
    let expires_at = now.saturating_add(SESSION);
    let session = Credential {
        id,
        kind: "session".to_owned(),
        owner: format!("wallet:{}", challenge.address),
        name: "signed in".to_owned(),
        scopes: Scope::join(&SESSION_SCOPES),
        secret_hash: hash,
        created_at: now,
        expires_at: Some(expires_at),
        revoked_at: None,
    };
    api.store.add_credential(&mut change, &session).await?;
    change.commit().await?;
    let scopes = SESSION_SCOPES.to_vec();
    let expires_at = expires_at.div_euclid(1_000);
    let session = Session { version: VERSION, token, address: challenge.address, scopes, expires_at };
    Ok((StatusCode::CREATED, Json(session)))
}

fn is_signed(challenge: &Challenge, signature: &str) -> bool {
    let base64 = || BASE64_STANDARD.decode(signature).ok().and_then(|bytes| Signature::try_from(bytes).ok());
    let signature: Option<Signature> = signature.parse().ok().or_else(base64);
    let address: Option<Address> = challenge.address.parse().ok();
    match (signature, address) {
        (Some(signature), Some(address)) => signature.verify(address.0.as_array(), challenge.message.as_bytes()),
        _ => false,
    }
}

/// Signs out: the session is refused from now on.
#[utoipa::path(delete, path = "/auth/sessions/current", tag = "access", operation_id = "signOut",
    security(("bearer" = ["read"])), responses((status = 204, description = "Signed out")))]
pub async fn sign_out(State(api): State<Api>, principal: Principal) -> Result<StatusCode> {
    if !principal.is_session {
        return Err(Problem::new(Code::Scope, "this is a key, not a session: revoke it under /v1/api-keys"));
    }
    api.store.revoke(&principal.credential, "session", crate::now_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A key that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Whose: what one key of an owner prepared, another may submit.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9._-]+$")]
    pub owner: String,
    /// What it is for, for people.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: String,
    /// What it may be used for.
    #[schema(min_items = 1, max_items = 5)]
    pub scopes: Vec<Scope>,
    /// Until when, in unix seconds; for ever if it is left out.
    #[serde(default)]
    pub expires_at: Option<i64>,
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct Key {
    /// By which it is named.
    pub id: String,
    /// Whose.
    pub owner: String,
    /// What it is for, for people.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made, in unix seconds.
    pub created_at: i64,
    /// Until when, in unix seconds; none: for ever.
    pub expires_at: Option<i64>,
    /// When it was revoked, in unix seconds.
    pub revoked_at: Option<i64>,
}

/// A new API key.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewKey {
    /// The version of this answer.
    pub version: u32,
    /// Told once, and kept nowhere: send it as `Authorization: Bearer …`. Null where the answer is given again for an
    /// idempotency key.
    pub token: Option<String>,
    /// The key.
    pub key: Key,
}

/// A page of API keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyPage {
    /// The version of this answer.
    pub version: u32,
    /// The rows, the oldest first.
    pub keys: Vec<Key>,
    /// The next page, as a path; none where this is the last.
    pub next: Option<String>,
}

impl From<&Credential> for Key {
    fn from(credential: &Credential) -> Self {
        let seconds = |ms: i64| ms.div_euclid(1_000);
        Self {
            id: credential.id.clone(),
            owner: credential.owner.clone(),
            name: credential.name.clone(),
            scopes: Scope::split(&credential.scopes),
            created_at: seconds(credential.created_at),
            expires_at: credential.expires_at.map(seconds),
            revoked_at: credential.revoked_at.map(seconds),
        }
    }
}

/// An owner of keys, as it is kept.
///
/// # Errors
///
/// Where it cannot be right.
pub fn owner_of(name: &str) -> Result<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        return Err(Problem::invalid("/owner", format!("is 1 to {LONGEST} of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"")));
    }
    Ok(format!("key:{name}"))
}

/// A new key, and how it is kept.
///
/// # Errors
///
/// Where a value cannot be right.
pub fn new_key(request: &KeyRequest, now: i64) -> Result<(String, Credential)> {
    let KeyRequest { owner, name, scopes, expires_at } = request;
    let owner = owner_of(owner)?;
    if name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        return Err(Problem::invalid(
            "/name",
            format!("has at most {LONGEST} letters, none of them a control character"),
        ));
    }
    let mut unique: Vec<Scope> = Vec::new();
    for scope in scopes {
        if !unique.contains(scope) {
            unique.push(*scope);
        }
    }
    if unique.is_empty() {
        return Err(Problem::invalid("/scopes", "are at least one: read, build, submit, webhooks, admin"));
    }
    let expires_at = match expires_at {
        None => None,
        Some(seconds) => match seconds.checked_mul(1_000).filter(|ms| *ms > now) {
            Some(ms) => Some(ms),
            None => return Err(Problem::invalid("/expires_at", "is in the past, or no time at all")),
        },
    };
    let NewSecret { id, token, hash } = NewSecret::new("esk");
    let credential = Credential {
        id,
        kind: "key".to_owned(),
        owner,
        name: name.clone(),
        scopes: Scope::join(&unique),
        secret_hash: hash,
        created_at: now,
        expires_at,
        revoked_at: None,
    };
    Ok((token, credential))
}

/// Makes an API key.
#[utoipa::path(post, path = "/api-keys", tag = "access", operation_id = "createKey", security(("bearer" = ["admin"])),
    request_body = KeyRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body: one API key")),
    responses((status = 201, description = "The key, told once", body = NewKey)))]
pub async fn create_key(
    State(api): State<Api>,
    principal: Principal,
    headers: HeaderMap,
    JsonBody { value, bytes }: JsonBody<KeyRequest>,
) -> Result<Response> {
    let work = |ticket: idempotency::Ticket| {
        let api = api.clone();
        async move {
            let (token, credential) = new_key(&value, crate::now_ms())?;
            let location = format!("/v1/api-keys/{}", credential.id);
            let told = |token| NewKey { version: VERSION, token, key: Key::from(&credential) };
            let mut change = api.store.change().await?;
            api.store.add_credential(&mut change, &credential).await?;
            // The secret is written nowhere.
            ticket.keep(&api, &mut change, &Answer::created(location.clone(), &told(None))?).await?;
            change.commit().await?;
            Answer::created(location, &told(Some(token)))
        }
    };
    idempotency::once(&api, &principal, "POST /v1/api-keys", &headers, &bytes, work).await
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Where the page before ended.
    #[param(max_length = 200)]
    pub cursor: Option<String>,
    /// How many rows, 50 if it is left out.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
}

/// API keys, without their secrets.
#[utoipa::path(get, path = "/api-keys", tag = "access", operation_id = "listKeys", security(("bearer" = ["admin"])),
    params(Page), responses((status = 200, description = "A page", body = KeyPage)))]
pub async fn list_keys(State(api): State<Api>, Query(Page { cursor, limit }): Query<Page>) -> Result<Json<KeyPage>> {
    let limit = page::limit(limit)?;
    let after = page::read(cursor.as_deref())?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = api.store.keys(&after, one_more).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|last| (last.created_at, last.id.clone()));
    let next = last.map(|place| format!("/v1/api-keys?cursor={}&limit={limit}", page::write(&place)));
    Ok(Json(KeyPage { version: VERSION, keys: found.iter().map(Key::from).collect(), next }))
}

/// Revokes an API key: it is refused from now on. A second time changes nothing.
#[utoipa::path(delete, path = "/api-keys/{id}", tag = "access", operation_id = "revokeKey",
    security(("bearer" = ["admin"])), params(("id" = String, Path, description = "The key", max_length = 100)),
    responses((status = 204, description = "Revoked")))]
pub async fn revoke_key(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode> {
    match api.store.revoke(&id, "key", crate::now_ms()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(Code::NotFound, "there is no such key")),
    }
}
