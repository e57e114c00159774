//! What a client asks.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri, header};

/// What a client sent.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) connection: u64,
}

impl Asked {
    /// Who the client says that it is: the path of the URL.
    pub(crate) fn client(&self) -> &str {
        self.uri.path().trim_matches('/')
    }

    /// A text of the plan, with the URL that was asked in it, keys and passwords included.
    pub(crate) fn quote(&self, text: &str) -> String {
        if !text.contains("{url}") {
            return text.to_owned();
        }
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let user = header(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Basic "));
        let user = user.and_then(|user| String::from_utf8(STANDARD.decode(user).ok()?).ok());
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        text.replace("{url}", &format!("http://{user}{}{path}", header(header::HOST).unwrap_or_default()))
    }

    /// What it is called in the log and in rules if it is no JSON-RPC.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.uri.path())
    }
}
