//! Errors, as RFC 9457 wants them: `application/problem+json`, with a code that stays.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use escrow_client::EscrowError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, as one word that stays: programs decide by it, never by the text. `docs/errors.md` lists them.
macro_rules! codes {
    ($($name:ident $code:literal $status:ident $title:literal)*) => {
        /// What went wrong, as one word that stays.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each has its title")]
        pub enum Code { $($name,)* }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means, for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The answer's status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    Malformed "malformed" BAD_REQUEST "The request cannot be read"
    Invalid "invalid" UNPROCESSABLE_ENTITY "A value in the request cannot be right"
    MediaType "media_type" UNSUPPORTED_MEDIA_TYPE "The body is not application/json"
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body has too many bytes"
    SlowBody "slow_body" REQUEST_TIMEOUT "The body took too long to arrive"
    NoRoute "no_route" NOT_FOUND "There is nothing at this path"
    Method "method" METHOD_NOT_ALLOWED "This path does not know this method"
    NotFound "not_found" NOT_FOUND "There is no such thing"
    Gone "gone" GONE "It is older than what is kept"
    Unauthorized "unauthorized" UNAUTHORIZED "A key or a session is needed"
    Expired "expired" UNAUTHORIZED "The key or session has expired"
    Revoked "revoked" UNAUTHORIZED "The key or session was revoked"
    Scope "scope" FORBIDDEN "The key may not do this"
    Challenge "challenge" UNAUTHORIZED "The sign-in cannot be accepted"
    Stale "stale" CONFLICT "It is not as the request expects it any more"
    Exists "exists" CONFLICT "There is one already"
    InFlight "in_flight" CONFLICT "The same request is being worked on"
    KeyReused "key_reused" UNPROCESSABLE_ENTITY "The idempotency key was used for another request"
    Refused "refused" UNPROCESSABLE_ENTITY "A rule of the program forbids it"
    TooLarge "too_large" UNPROCESSABLE_ENTITY "It does not fit into one transaction"
    Wallet "wallet" UNPROCESSABLE_ENTITY "The signed transaction is not the one that was prepared"
    NotAnEscrow "not_an_escrow" UNPROCESSABLE_ENTITY "What is at this address is not an escrow"
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many requests"
    Node "node" SERVICE_UNAVAILABLE "No RPC node answers as it should"
    Database "database" SERVICE_UNAVAILABLE "The database does not answer as it should"
    Timeout "timeout" GATEWAY_TIMEOUT "The answer took too long"
    Internal "internal" INTERNAL_SERVER_ERROR "The gateway made a mistake"
}

/// Something that went wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The code.
    pub code: Code,
    /// What was wrong and what to do next, for people.
    pub detail: String,
    /// Where in the request.
    pub errors: Vec<FieldError>,
    /// The program's own reason.
    pub program_error: Option<EscrowError>,
    /// After how many seconds it may be tried again.
    pub retry_after: Option<u64>,
}

/// Something in the request that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where: a JSON pointer into the body, or the name of a parameter.
    pub pointer: String,
    /// As one word.
    pub code: String,
    /// What to write instead, for people.
    pub detail: String,
}

/// The program's own reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProgramError {
    /// Its number.
    pub code: u32,
    /// Its name.
    pub name: String,
    /// What it means.
    pub message: String,
}

/// A problem, as it is answered (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong and what to do next, for people.
    pub detail: String,
    /// The code: it stays.
    pub code: String,
    /// The request, as the log names it.
    pub request_id: String,
    /// What in the request cannot be right.
    pub errors: Vec<FieldError>,
    /// The program's own reason, where it was a rule of the program.
    pub program_error: Option<ProgramError>,
}

/// What a service or a handler answers.
pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// One with this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), program_error: None, retry_after: None }
    }

    /// A value that cannot be right.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let error = FieldError { pointer: pointer.clone(), code: "invalid".to_owned(), detail: detail.clone() };
        let place = if pointer.is_empty() { "the body".to_owned() } else { pointer };
        Self { errors: vec![error], ..Self::new(Code::Invalid, format!("{place}: {detail}")) }
    }

    /// The same, about this place of the request.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        let error =
            FieldError { pointer: pointer.into(), code: self.code.word().to_owned(), detail: self.detail.clone() };
        self.errors.push(error);
        self
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Something that cannot happen. What it was is in the log, and not in the answer.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        tracing::error!(%what, "internal");
        Self::new(Code::Internal, "the gateway made a mistake; its log says which, under this request_id")
    }

    /// As it is answered.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:escrow-gateway:problem:{}", self.code.word()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code.word().to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            program_error: self.program_error.map(|error| ProgramError {
                code: error.code(),
                name: error.name().to_owned(),
                message: error.message().to_owned(),
            }),
        }
    }

    /// The answer, for this request.
    pub fn respond(&self, request_id: &str) -> Response {
        let body = serde_json::to_vec(&self.body(request_id)).unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        (self.code.status(), headers, body).into_response()
    }
}

/// The layer around all routes writes the body, because it knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "database");
        Self::new(Code::Database, "the database does not answer as it should; nothing was changed; try again").after(2)
    }
}

impl From<escrow_client::Error> for Problem {
    fn from(error: escrow_client::Error) -> Self {
        use escrow_client::Error;
        let text = error.to_string();
        match error {
            Error::NotFound { address, .. } => Self::new(
                Code::NotFound,
                format!("there is no escrow at {address}: it was never created, is closed, or is on another cluster"),
            ),
            Error::NotAnEscrow { .. } | Error::NotAMint { .. } => Self::new(Code::NotAnEscrow, text),
            Error::Rule(rule) => Self { program_error: Some(rule), ..Self::new(Code::Refused, text) },
            Error::Refused(failure) => Self { program_error: failure.escrow_error(), ..Self::new(Code::Refused, text) },
            Error::Journal(_) => {
                tracing::error!(error = %text, "journal");
                Self::new(Code::Database, "the journal cannot be written or read; nothing was sent").after(2)
            }
            Error::Rpc { .. }
            | Error::Answer { .. }
            | Error::Disagree { .. }
            | Error::Clusters { .. }
            | Error::Lifetime(_) => {
                tracing::warn!(error = %text, "node");
                Self::new(Code::Node, text).after(2)
            }
            Error::Transaction(error) => error.into(),
            Error::Squads(error) => error.into(),
            _ => Self::internal(text),
        }
    }
}

impl From<escrow_client::transaction::PrepareError> for Problem {
    fn from(error: escrow_client::transaction::PrepareError) -> Self {
        use escrow_client::transaction::PrepareError;
        let code = match error {
            PrepareError::Build(_) | PrepareError::TooLarge { .. } => Code::TooLarge,
            _ => Code::Wallet,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_for_people_has_every_code_with_its_status_and_its_title() {
        let text = include_str!("../../docs/errors.md");
        let row = |code: &Code| format!("| `{}` | {} | {} |", code.word(), code.status().as_u16(), code.title());
        for code in Code::ALL {
            assert!(text.contains(&row(code)), "docs/errors.md lacks: {}", row(code));
        }
        let rows = text.lines().skip_while(|line| !line.starts_with("| code | status |")).skip(2);
        let rows = rows.take_while(|line| line.starts_with('|')).count();
        assert_eq!(rows, Code::ALL.len(), "docs/errors.md has a code that there is not");
    }

    #[test]
    fn no_code_says_that_all_is_well() {
        for code in Code::ALL {
            assert!(code.status().as_u16() >= 400, "{}", code.word());
        }
    }
}
