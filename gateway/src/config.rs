//! What the gateway is told: a TOML file, the environment (`ESCROW_GATEWAY_…`), then flags; the later wins.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Everything that can be set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where the metrics are; none: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// The address by which clients reach the API, without a slash at its end: it stands in links and in what wallets sign to
    /// sign in.
    pub public_url: String,
    /// `postgres://…`, or `sqlite://…` with the path of a file. Empty: a file in a folder of its own.
    pub database: String,
    /// The most connections to the database.
    pub database_connections: u32,
    /// URLs of RPC nodes. Two or more must agree on what became of a transaction.
    pub nodes: Vec<String>,
    /// What this process does.
    pub roles: Vec<Role>,
    /// Addresses of reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Addresses that webhooks and sources of orders reach although they are not public, and without TLS: a shop's own on the
    /// same network. Whoever may name a URL reaches what is there.
    pub egress_allow: Vec<SocketAddr>,
    /// Tokens for sources of orders, by name.
    pub bearers: BTreeMap<String, Bearer>,
    /// Origins of web pages that may call the API from a browser. The pages of Solana Pay and Actions may from anywhere.
    pub cors_origins: Vec<String>,
    /// Caps.
    pub limits: Limits,
    /// How patient the index is.
    pub index: Index,
    /// The keeper.
    pub keeper: Keeper,
    /// How the log is written.
    pub log: LogFormat,
}

/// What a process does. Any number of processes may do the same on one Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers requests.
    Api,
    /// Repeats what was submitted until its outcome is known.
    Submit,
    /// Keeps the index of escrows and the log of events.
    Index,
    /// Tells webhooks' receivers what happened.
    Deliver,
    /// Does what anyone may do for escrows, and pays for it.
    Keep,
    /// Everything; the keeper where its keypair is named.
    All,
}

/// A token that is sent to some URLs and no others.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bearer {
    /// The secret.
    pub token: String,
    /// How those URLs begin, up to a slash.
    pub url: String,
}

/// The keeper: see `docs/keeper.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keeper {
    /// The file with the keypair that pays, as `solana-keygen` writes it. It signs nothing else.
    pub keypair: Option<PathBuf>,
    /// The most lamports that it spends in a day (UTC). All processes with this keypair spend one budget.
    pub budget: u64,
    /// The most token accounts that it makes in a day for those who are owed tokens and have none.
    pub token_accounts: u32,
    /// What it does not do.
    pub off: Vec<KeeperKind>,
    /// How long it waits before it looks again where nothing is due, in seconds.
    pub every_seconds: u64,
    /// How long it waits at most after it has first seen that something is due, in seconds: so that keepers that know nothing of
    /// each other do not do the same.
    pub wait_seconds: u32,
    /// How long an escrow stays with a process that died, in seconds.
    pub lease_seconds: u32,
}

/// A kind of work of the keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeeperKind {
    /// Agreed defaults are applied.
    Expire,
    /// What is due is paid out.
    Withdraw,
    /// What is settled is closed.
    Close,
    /// What was never funded in time is given up.
    Cancel,
}

impl Default for Keeper {
    fn default() -> Self {
        Self {
            keypair: None,
            budget: 100_000_000,
            token_accounts: 0,
            off: Vec::new(),
            every_seconds: 30,
            wait_seconds: 30,
            lease_seconds: 300,
        }
    }
}

/// Caps.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most bytes of a request's body.
    pub body_bytes: usize,
    /// How long the head of a request may take to arrive, in seconds.
    pub head_seconds: u64,
    /// How long the body of a request may take to arrive, in seconds.
    pub body_seconds: u64,
    /// How long an answer may take, in seconds.
    pub answer_seconds: u64,
    /// How long one node may take for one answer, in seconds.
    pub node_seconds: u64,
    /// Requests a minute from one address without a key.
    pub anonymous_per_minute: u32,
    /// Requests a minute of one owner of keys.
    pub owner_per_minute: u32,
    /// The most that a wallet may add as priority fee, in lamports.
    pub priority_fee: u64,
    /// The most event streams that are open at once.
    pub event_streams: usize,
}

/// How patient the index is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Index {
    /// The slot in which the program was deployed, or from which on the nodes remember: what was before is of no concern.
    pub first_slot: u64,
    /// How often the nodes are asked, in milliseconds.
    pub pause_ms: u64,
    /// After how many rounds in which no node explains an escrow's account that is told as an event `gap`, and the account
    /// believed. None: never.
    pub rounds_before_gap: Option<u32>,
    /// From how long ago the index must be complete for lists to be answered from it, in seconds.
    pub fresh_seconds: u64,
    /// How long events are kept, in days.
    pub event_days: u32,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            metrics_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))),
            public_url: "http://127.0.0.1:8080".to_owned(),
            database: String::new(),
            database_connections: 16,
            nodes: vec!["http://127.0.0.1:8899".to_owned()],
            roles: vec![Role::All],
            trusted_proxies: Vec::new(),
            egress_allow: Vec::new(),
            bearers: BTreeMap::new(),
            cors_origins: Vec::new(),
            limits: Limits::default(),
            index: Index::default(),
            keeper: Keeper::default(),
            log: LogFormat::Text,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            head_seconds: 10,
            body_seconds: 10,
            answer_seconds: 30,
            node_seconds: 10,
            anonymous_per_minute: 120,
            owner_per_minute: 1_200,
            priority_fee: 10_000_000,
            event_streams: 10_000,
        }
    }
}

impl Default for Index {
    fn default() -> Self {
        Self { first_slot: 0, pause_ms: 1_000, rounds_before_gap: None, fresh_seconds: 60, event_days: 90 }
    }
}

/// Why there is no configuration to start with.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A value that cannot be read.
    #[error("the configuration cannot be used: {0}")]
    Read(#[from] Box<figment::Error>),
    /// A value that cannot be meant.
    #[error("the configuration cannot be used: {setting} {problem}")]
    Value {
        /// Which setting.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no place for the database.
    #[error(
        "there is no folder for the database {path}: {source}; name one with --database sqlite:///path/to/gateway.db"
    )]
    Folder {
        /// Where it should be.
        path: PathBuf,
        /// Why it cannot be made.
        source: std::io::Error,
    },
}

impl Config {
    /// What the file, the environment and these flags say. Lists in the environment are written `["a", "b"]`, and what belongs
    /// to a group with two underscores: `ESCROW_GATEWAY_LIMITS__BODY_BYTES`.
    ///
    /// # Errors
    ///
    /// Where a value cannot be read, or is unknown.
    pub fn load(file: Option<&PathBuf>, flags: impl Serialize) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let config: Self = figment
            .merge(Env::prefixed("ESCROW_GATEWAY_").ignore(&["config", "log_filter"]).split("__"))
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(Box::new)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |setting, problem: String| Err(ConfigError::Value { setting, problem });
        if self.nodes.is_empty() {
            return wrong("nodes", "names no RPC node".to_owned());
        }
        for node in &self.nodes {
            if escrow_client::read::node_url(node).is_none() {
                return wrong("nodes", format!("has {node:?}, which is no URL of a node: http://… or https://…"));
            }
        }
        let is_url = self.public_url.starts_with("http://") || self.public_url.starts_with("https://");
        if !is_url || self.public_url.ends_with('/') || self.domain().is_empty() {
            return wrong(
                "public_url",
                format!("is {:?}: write http://… or https://…, without a slash at its end", self.public_url),
            );
        }
        if self.roles.is_empty() {
            return wrong("roles", "is empty: this process would do nothing".to_owned());
        }
        if self.roles.contains(&Role::Keep) && self.keeper.keypair.is_none() {
            return wrong(
                "keeper.keypair",
                "is missing: the role \"keep\" needs a file with the keypair that pays".to_owned(),
            );
        }
        let Keeper { every_seconds, lease_seconds, .. } = self.keeper;
        for (setting, seconds) in
            [("keeper.every_seconds", every_seconds), ("keeper.lease_seconds", u64::from(lease_seconds))]
        {
            if seconds == 0 {
                return wrong(setting, "is 0: write a number of seconds".to_owned());
            }
        }
        if self.database_connections == 0 {
            return wrong("database_connections", "is 0".to_owned());
        }
        if let Some(origin) = self.cors_origins.iter().find(|origin| axum::http::HeaderValue::from_str(origin).is_err())
        {
            return wrong("cors_origins", format!("has {origin:?}, which is no origin"));
        }
        if self.index.pause_ms == 0 {
            return wrong("index.pause_ms", "is 0: the nodes would be asked without a pause".to_owned());
        }
        if self.index.event_days == 0 {
            return wrong("index.event_days", "is 0: events would be gone before anyone has read them".to_owned());
        }
        for bearer in self.bearers.values() {
            // Without the slash, https://a.example would be the beginning of https://a.example.org too.
            if !bearer.url.starts_with("http") || bearer.url.matches('/').count() < 3 || !bearer.url.ends_with('/') {
                let problem = format!("is for {:?}: write a URL up to a slash, as https://stock.example/", bearer.url);
                return wrong("bearers", problem);
            }
        }
        let limits = &self.limits;
        for (setting, value) in [
            ("limits.anonymous_per_minute", limits.anonymous_per_minute),
            ("limits.owner_per_minute", limits.owner_per_minute),
        ] {
            if value == 0 {
                return wrong(setting, "is 0: every request would be refused".to_owned());
            }
        }
        Ok(())
    }

    /// Host and port of the public URL.
    pub fn domain(&self) -> &str {
        let rest = self.public_url.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    /// Whether this process has a role. Nobody spends money who was not given any.
    pub fn does(&self, role: Role) -> bool {
        let is_among_all = role != Role::Keep || self.keeper.keypair.is_some();
        self.roles.iter().any(|has| *has == role || *has == Role::All && is_among_all)
    }

    /// The database's URL. The folder of the file that is the default is made.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn database_url(&self) -> Result<String, ConfigError> {
        if !self.database.is_empty() {
            return Ok(self.database.clone());
        }
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home).unwrap_or_default();
        let folder = state.join("escrow-gateway");
        std::fs::create_dir_all(&folder).map_err(|source| ConfigError::Folder { path: folder.clone(), source })?;
        Ok(format!("sqlite://{}", folder.join("gateway.db").display()))
    }
}

/// Without what may be a secret.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("public_url", &self.public_url)
            .field("roles", &self.roles)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_defaults_can_be_used_and_listen_on_this_machine_alone() {
        let config = Config::load(None, json!({})).unwrap();
        assert!(config.listen.ip().is_loopback() && config.metrics_listen.unwrap().ip().is_loopback());
        assert!(config.does(Role::Api) && config.does(Role::Submit));
        assert!(!config.does(Role::Keep), "nobody spends money who was not given any");
    }

    #[test]
    fn the_keeper_is_among_all_where_its_keypair_is_named() {
        let config = Config::load(None, json!({"keeper": {"keypair": "keeper.json"}})).unwrap();
        assert!(config.does(Role::Keep) && config.does(Role::Api));
        let config = Config::load(None, json!({"keeper": {"keypair": "keeper.json"}, "roles": ["api"]})).unwrap();
        assert!(!config.does(Role::Keep));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_name() {
        for (flags, named) in [
            (json!({"nodes": []}), "nodes"),
            (json!({"nodes": ["ftp://x"]}), "nodes"),
            (json!({"public_url": "example.org"}), "public_url"),
            (json!({"public_url": "https://"}), "public_url"),
            (json!({"public_url": "https://example.org/"}), "public_url"),
            (json!({"roles": []}), "roles"),
            (json!({"roles": ["cook"]}), "cook"),
            (json!({"database_connections": 0}), "database_connections"),
            (json!({"index": {"pause_ms": 0}}), "index.pause_ms"),
            (json!({"index": {"event_days": 0}}), "index.event_days"),
            (json!({"bearers": {"stock": {"token": "x", "url": "https://stock.example"}}}), "bearers"),
            (json!({"roles": ["api", "keep"]}), "keeper.keypair"),
            (json!({"keeper": {"off": ["pay"]}}), "pay"),
            (json!({"keeper": {"lease_seconds": 0}}), "keeper.lease_seconds"),
            (json!({"limits": {"owner_per_minute": 0}}), "owner_per_minute"),
            (json!({"limits": {"owner_per_hour": 1}}), "owner_per_hour"),
            (json!({"listne": "127.0.0.1:1"}), "listne"),
        ] {
            let error = Config::load(None, flags.clone()).unwrap_err().to_string();
            assert!(error.contains(named), "{flags}: {error}");
        }
    }

    #[test]
    fn a_database_password_is_not_shown() {
        let config = Config { database: "postgres://u:secret@h/d".to_owned(), ..Config::default() };
        assert!(!format!("{config:?}").contains("secret"));
    }
}
