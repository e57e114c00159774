//! Which node is asked: a cluster's name or a URL.

use thiserror::Error;
use url::{ParseError, Url};

/// Why no node can be asked: what was named is neither a cluster nor a URL. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{shown}\" {}is not a cluster name or URL: {reason}", place(.from))]
pub struct NodeError {
    /// What was named, without what may be a secret in it.
    shown: String,
    /// Where it stands, if not on the command line.
    from: Option<String>,
    reason: String,
}

fn place(from: &Option<String>) -> String {
    from.as_ref().map_or_else(String::new, |from| format!("({from}) "))
}

const WHAT_TO_NAME: &str =
    "name localhost, devnet, testnet or mainnet-beta, or a URL that begins with http:// or https://";

/// The URL of what was named: a cluster's name or its first letter, or a URL as it is. `from` is where that stands, if not on
/// the command line.
///
/// # Errors
///
/// For anything else, also for a URL that nobody could connect to.
pub fn node_url(named: &str, from: Option<String>) -> Result<String, NodeError> {
    let named = named.trim();
    let url = escrow_client::read::node_url(named).unwrap_or_else(|| named.to_owned());
    match mistake(&url) {
        None => Ok(url),
        Some(reason) => Err(NodeError { shown: shown(&url), from, reason }),
    }
}

/// What is wrong with a URL.
fn mistake(url: &str) -> Option<String> {
    const PORT: &str = "a port is a number from 1 to 65535";
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "ws" | "wss") => {
            Some("this is for subscriptions; name the node's http:// or https:// URL".to_owned())
        }
        Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") => Some(WHAT_TO_NAME.to_owned()),
        Ok(parsed) if parsed.port() == Some(0) => Some(PORT.to_owned()),
        Ok(_) => None,
        Err(ParseError::InvalidPort) => Some(PORT.to_owned()),
        Err(ParseError::RelativeUrlWithoutBase) => Some(WHAT_TO_NAME.to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// Scheme, host and port. Providers put keys into the rest, and passwords stand before the host.
fn shown(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_have_names() {
        for (named, url) in [
            ("localhost", "http://127.0.0.1:8899"),
            ("l", "http://127.0.0.1:8899"),
            ("devnet", "https://api.devnet.solana.com"),
            ("m", "https://api.mainnet-beta.solana.com"),
            (" testnet ", "https://api.testnet.solana.com"),
            ("http://10.0.0.1:1", "http://10.0.0.1:1"),
            ("https://node.example/key?api-key=x", "https://node.example/key?api-key=x"),
        ] {
            assert_eq!(node_url(named, None).as_deref(), Ok(url));
        }
    }

    #[test]
    fn what_nobody_could_connect_to_is_found_before_anybody_tries() {
        for (named, reason) in [
            ("mainnet", "mainnet-beta"),
            ("foo", "devnet"),
            ("", "devnet"),
            ("127.0.0.1:8899", "http://"),
            ("localhost:8899", "http://"),
            ("ftp://node.example", "http://"),
            ("ws://127.0.0.1:8900", "subscriptions"),
            ("http://127.0.0.1:99999", "1 to 65535"),
            ("http://127.0.0.1:0", "1 to 65535"),
            ("http://127.0.0.1:port", "1 to 65535"),
            ("http://", "empty host"),
            ("http://[::1", "IPv6"),
        ] {
            let error = node_url(named, None).expect_err(named).to_string();
            assert!(error.contains(reason) && error.contains(&format!("\"{named}\"")), "{error}");
        }
    }

    #[test]
    fn a_wrong_url_is_shown_without_its_secrets() {
        for url in [
            "http://user:secret@node.example:99999/secret?api-key=secret#secret",
            "node.example/secret",
            "node.example?api-key=secret",
            "ws://node.example/secret",
        ] {
            let error = node_url(url, Some("json_rpc_url in config.yml".to_owned())).expect_err(url).to_string();
            assert!(error.contains("node.example") && !error.contains("secret"), "{error}");
            assert!(error.contains("(json_rpc_url in config.yml)"), "{error}");
        }
    }
}
