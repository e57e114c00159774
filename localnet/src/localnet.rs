//! One handle for a validator, whether it runs in this process or elsewhere.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use solana_account::Account;
use solana_client::{
    client_error::{ClientError, ClientErrorKind, reqwest},
    nonblocking::rpc_client::RpcClient,
    rpc_client::RpcClientConfig,
    rpc_request::{RpcError, RpcRequest},
};
use solana_clock::Clock;
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_pubkey::Pubkey;
use solana_rpc_client::http_sender::HttpSender;
use solana_sdk_ids::sysvar;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_system_interface::instruction as system_instruction;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;
use tokio::sync::{Mutex, OnceCell};

use crate::{
    config::{Config, Program},
    error::{Error, Result},
    node::Node,
};

/// The environment variable that names an external validator for [`Localnet::from_env`].
pub const URL_VARIABLE: &str = "ESCROW_TEST_URL";

/// What the payer of this crate's own transactions is given, once. Lamports.
const PAYER_LAMPORTS: u64 = 10_000_000_000;

/// Below this an amount is transferred from the payer instead: a faucet gives nothing that would leave a new account
/// below its rent-exempt minimum (890,880 lamports), and surfpool's not even to an old one.
const MIN_AIRDROP: u64 = 1_000_000;

/// The smallest part that an amount is split into when a faucet refuses the whole. Public faucets give at least this.
const MIN_AIRDROP_PART: u64 = 1_000_000_000;

/// How long a transaction may take to be confirmed: as long as a block hash lives on a cluster, and some more.
const CONFIRMATION: Duration = Duration::from_secs(90);

/// A transaction that a node refuses because it does not know the block hash (yet, or any more) never ran, so it can
/// be signed anew.
const SIGNING_ATTEMPTS: u32 = 5;

/// For clients: a loopback request takes a millisecond, and one to a busy machine may take long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

const METHOD_NOT_FOUND: i64 = -32601;

/// A validator to test against or to try things on: the embedded one, which this handle owns, or an external one.
///
/// All but moving the clock is done by plain JSON-RPC and real transactions, so it does the same on both. Every method
/// that sends a transaction returns when that is confirmed. All of them can be called at the same time from several tasks.
///
/// Dropping the handle of an embedded validator stops it, and waits for that: [`Localnet::shutdown`] does the same
/// without blocking the thread, and says whether it succeeded.
pub struct Localnet {
    rpc_url: String,
    ws_url: String,
    rpc: Arc<RpcClient>,
    node: Option<Node>,
    payer: Keypair,
    /// Set when `payer` has its money.
    payer_funded: OnceCell<()>,
    /// What the faucet was last asked for, and with which block hash. On a full validator two equal requests with the
    /// same hash are one transaction, and pay once.
    airdrops: Mutex<HashMap<(Pubkey, u64), Hash>>,
}

impl std::fmt::Debug for Localnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Localnet")
            .field("rpc_url", &self.rpc_url)
            .field("ws_url", &self.ws_url)
            .field("embedded", &self.is_embedded())
            .finish_non_exhaustive()
    }
}

impl Localnet {
    /// Starts an embedded validator, and returns when it answers requests.
    ///
    /// Its clock starts at the time of day.
    ///
    /// # Errors
    ///
    /// [`Error::PortInUse`] and [`Error::Bind`] for fixed ports that cannot be had, [`Error::InvalidProgram`] for bytes
    /// that are not a program, [`Error::Start`] for all else.
    pub async fn start(config: Config) -> Result<Localnet> {
        let node = Node::start(config).await?;
        Ok(Localnet::new(format!("http://{}", node.rpc), format!("ws://{}", node.ws), Some(node)))
    }

    /// A handle for an external validator at `url`, whose WebSocket port is the next one, as everywhere in Solana. It
    /// needs a faucet, and `programs` preloaded.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUrl`]; [`Error::Rpc`] if nobody answers there; [`Error::ProgramMissing`] if one of `programs` is
    /// not deployed. Their bytes are not compared.
    pub async fn connect(url: &str, programs: &[Program]) -> Result<Localnet> {
        let ws_url = websocket_url(url)?;
        let net = Localnet::new(url.trim_end_matches('/').to_owned(), ws_url, None);
        net.rpc.get_health().await.map_err(Error::rpc("asking for the validator's health"))?;
        for program in programs {
            match net.account(&program.id).await? {
                Some(account) if account.executable => {}
                _ => {
                    return Err(Error::ProgramMissing { id: program.id, url: net.rpc_url });
                }
            }
        }
        Ok(net)
    }

    /// The validator that `ESCROW_TEST_URL` names ([`Localnet::connect`] with the programs of `config`), or an embedded
    /// one if it is unset or empty ([`Localnet::start`]).
    ///
    /// # Errors
    ///
    /// Those of the two.
    pub async fn from_env(config: Config) -> Result<Localnet> {
        match std::env::var(URL_VARIABLE) {
            Ok(url) if !url.is_empty() => Localnet::connect(&url, &config.programs).await,
            Ok(_) | Err(std::env::VarError::NotPresent) => Localnet::start(config).await,
            Err(std::env::VarError::NotUnicode(url)) => {
                Err(Error::InvalidUrl { url: url.to_string_lossy().into_owned(), reason: "it is not Unicode" })
            }
        }
    }

    fn new(rpc_url: String, ws_url: String, node: Option<Node>) -> Localnet {
        Localnet {
            rpc: Arc::new(client(&rpc_url)),
            rpc_url,
            ws_url,
            node,
            payer: Keypair::new(),
            payer_funded: OnceCell::new(),
            airdrops: Mutex::default(),
        }
    }

    /// Where JSON-RPC is served: `http://127.0.0.1:8899`, for example.
    pub fn rpc_url(&self) -> &str {
        &self.rpc_url
    }

    /// Where subscriptions are served: `ws://127.0.0.1:8900`, for example.
    pub fn ws_url(&self) -> &str {
        &self.ws_url
    }

    /// A client at commitment `confirmed`; always the same one.
    pub fn rpc(&self) -> Arc<RpcClient> {
        Arc::clone(&self.rpc)
    }

    /// Whether the validator runs in this process, and ends with this handle.
    pub fn is_embedded(&self) -> bool {
        self.node.is_some()
    }

    /// Stops an embedded validator; when this returns, its threads have ended and its ports are free. For an external
    /// one it does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::StopTimeout`] if it does not end within ten seconds, [`Error::Failed`] if it had failed before.
    pub async fn shutdown(mut self) -> Result<()> {
        match self.node.take() {
            Some(node) => node.stop().await,
            None => Ok(()),
        }
    }

    /// Gives `address` this many lamports, from the faucet; in several parts, if that gives only so much at a time.
    /// Amounts below 1,000,000 lamports, which no faucet gives, are transferred from [`Localnet::payer`].
    ///
    /// # Errors
    ///
    /// [`Error::AirdropRefused`] if the faucet does not give even one SOL, and those of sending a transaction.
    pub async fn fund(&self, address: &Pubkey, lamports: u64) -> Result<()> {
        if lamports == 0 {
            return Ok(());
        }
        if lamports < MIN_AIRDROP {
            let payer = self.payer().await?.pubkey();
            let transfer = system_instruction::transfer(&payer, address, lamports);
            return self.send(&[transfer], &[]).await.map(drop);
        }
        self.airdrop(address, lamports).await
    }

    /// A new keypair whose address has this many lamports. Errors as [`Localnet::fund`].
    pub async fn new_funded_keypair(&self, lamports: u64) -> Result<Keypair> {
        let keypair = Keypair::new();
        self.fund(&keypair.pubkey(), lamports).await?;
        Ok(keypair)
    }

    /// The lamports of `address`; 0 if there is no such account.
    ///
    /// # Errors
    ///
    /// [`Error::Rpc`].
    pub async fn balance(&self, address: &Pubkey) -> Result<u64> {
        self.rpc.get_balance(address).await.map_err(Error::rpc("reading a balance"))
    }

    /// The account at `address`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Rpc`].
    pub async fn account(&self, address: &Pubkey) -> Result<Option<Account>> {
        self.rpc
            .get_account_with_commitment(address, self.rpc.commitment())
            .await
            .map(|response| response.value)
            .map_err(Error::rpc("reading an account"))
    }

    /// Who pays for the transactions of this handle: a keypair of its own, funded when first used.
    ///
    /// # Errors
    ///
    /// Those of [`Localnet::fund`].
    pub async fn payer(&self) -> Result<&Keypair> {
        self.payer_funded
            .get_or_try_init(|| async { self.airdrop(&self.payer.pubkey(), PAYER_LAMPORTS).await })
            .await?;
        Ok(&self.payer)
    }

    /// Sends one transaction, paid and signed by [`Localnet::payer`] and signed by `signers` too, and waits until it is
    /// confirmed.
    ///
    /// # Errors
    ///
    /// [`Error::Rpc`] if it is refused: its source has the preflight's error, of the program too
    /// ([`ClientError::get_transaction_error`]). [`Error::TransactionFailed`] if it failed only when it was executed, and
    /// [`Error::NotConfirmed`] if that is not known after 90 seconds. [`Error::Signing`] if a signer is missing.
    pub async fn send(&self, instructions: &[Instruction], signers: &[&Keypair]) -> Result<Signature> {
        let payer = self.payer().await?;
        let message = Message::new(instructions, Some(&payer.pubkey()));
        let signers: Vec<&Keypair> = std::iter::once(payer).chain(signers.iter().copied()).collect();
        let mut attempt = 1;
        loop {
            let blockhash = self.latest_blockhash().await?;
            let mut transaction = Transaction::new_unsigned(message.clone());
            transaction.try_sign(&signers, blockhash)?;
            match self.rpc.send_transaction(&transaction).await {
                Ok(signature) => return self.confirm(&signature).await.map(|()| signature),
                Err(error)
                    if attempt < SIGNING_ATTEMPTS
                        && error.get_transaction_error() == Some(TransactionError::BlockhashNotFound) =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(Error::rpc("sending a transaction")(error)),
            }
        }
    }

    /// Waits until a transaction that was sent is confirmed.
    ///
    /// # Errors
    ///
    /// [`Error::TransactionFailed`] if it is confirmed and failed, [`Error::NotConfirmed`] if it is not confirmed after 90
    /// seconds, [`Error::Rpc`].
    pub async fn confirm(&self, signature: &Signature) -> Result<()> {
        let start = Instant::now();
        // The embedded validator needs a millisecond, a full one half a second.
        let mut pause = Duration::from_millis(1);
        loop {
            let status = self
                .rpc
                .get_signature_statuses(&[*signature])
                .await
                .map_err(Error::rpc("asking for a transaction's status"))?
                .value
                .into_iter()
                .next()
                .flatten();
            if let Some(status) = status
                && status.satisfies_commitment(CommitmentConfig::confirmed())
            {
                return match status.err {
                    None => Ok(()),
                    Some(error) => Err(Error::TransactionFailed { signature: *signature, error }),
                };
            }
            if start.elapsed() > CONFIRMATION {
                return Err(Error::NotConfirmed { signature: *signature, waited: CONFIRMATION });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// The Clock sysvar, as a program would see it.
    ///
    /// # Errors
    ///
    /// [`Error::Rpc`].
    pub async fn clock(&self) -> Result<Clock> {
        let address = sysvar::clock::ID;
        let account = self
            // What the next transaction sees, and so not what is confirmed.
            .rpc
            .get_account_with_commitment(&address, CommitmentConfig::processed())
            .await
            .map_err(Error::rpc("reading the clock"))?
            .value
            .ok_or(Error::AccountMissing { address })?;
        wincode::deserialize(&account.data).map_err(|_| Error::InvalidAccount { address, expected: "Clock sysvar" })
    }

    /// Moves the clock to `unix_seconds`. When this returns, the next transaction sees exactly that time, or a later one
    /// if blocks have come since. The time that it shows already is allowed.
    ///
    /// It goes on from there: by a millisecond with each block for [`Blocks::OnDemand`](crate::Blocks::OnDemand), so
    /// not at all while nothing is sent, and like the time of day for [`Blocks::Every`](crate::Blocks::Every).
    ///
    /// A single new block is produced by this. So block heights, block hashes and transactions that were signed before
    /// stay valid, however far the clock is moved. Slots and epochs do move on, as if there had been blocks all the
    /// time (a slot per millisecond for `OnDemand`).
    ///
    /// It works on every validator that serves surfpool's `surfnet_timeTravel`, which all embedded ones do, for handles
    /// in other processes too.
    ///
    /// # Errors
    ///
    /// [`Error::ClockNotMovable`] on any other validator, [`Error::ClockBackwards`] for an earlier time than it shows,
    /// [`Error::ClockOutOfRange`] for a time that cannot be counted in milliseconds, [`Error::ClockNotMoved`] if the validator
    /// did not do what it said, [`Error::Rpc`].
    pub async fn set_time(&self, unix_seconds: i64) -> Result<()> {
        let now = self.clock().await?.unix_timestamp;
        self.travel(now, unix_seconds).await
    }

    /// Moves the clock ahead by this many seconds, counted from the time that the Clock sysvar shows. See
    /// [`Localnet::set_time`], also for the errors. Returns the new time in unix seconds.
    pub async fn advance_time(&self, seconds: u64) -> Result<i64> {
        let now = self.clock().await?.unix_timestamp;
        let target = now.checked_add_unsigned(seconds).ok_or(Error::ClockOutOfRange { now, by: seconds })?;
        self.travel(now, target).await?;
        Ok(target)
    }

    async fn travel(&self, now: i64, target: i64) -> Result<()> {
        if target < now {
            return Err(Error::ClockBackwards { now, requested: target });
        }
        // Also asked for no distance at all, so that a clock that cannot be moved is known by its error and not by chance.
        let distance = target.abs_diff(now);
        let millis = u64::try_from(target)
            .ok()
            .and_then(|seconds| seconds.checked_mul(1000))
            .ok_or(Error::ClockOutOfRange { now, by: distance })?;
        let moved: Result<serde::de::IgnoredAny, ClientError> = self
            .rpc
            .send(
                RpcRequest::Custom { method: "surfnet_timeTravel" },
                serde_json::json!([{ "absoluteTimestamp": millis }]),
            )
            .await;
        let clock = match &moved {
            Err(error) if rpc_error_code(error) == Some(METHOD_NOT_FOUND) => {
                return Err(Error::ClockNotMovable { url: self.rpc_url.clone() });
            }
            // It also refuses a time that has come in the meantime, to the millisecond. So what counts is the sysvar.
            _ => self.clock().await?.unix_timestamp,
        };
        match moved {
            _ if clock >= target => Ok(()),
            Ok(_) => Err(Error::ClockNotMoved { now: clock, requested: target }),
            Err(error) => Err(Error::rpc("moving the clock")(error)),
        }
    }

    async fn airdrop(&self, address: &Pubkey, lamports: u64) -> Result<()> {
        let mut remaining = lamports;
        let mut part = lamports;
        while remaining > 0 {
            let amount = next_part(remaining, part);
            match self.request_airdrop(address, amount).await {
                Ok(()) => remaining -= amount,
                Err(Error::AirdropRefused { .. }) if amount > MIN_AIRDROP_PART => {
                    part = (amount / 2).max(MIN_AIRDROP_PART);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn request_airdrop(&self, address: &Pubkey, lamports: u64) -> Result<()> {
        let blockhash = self.unused_blockhash((*address, lamports)).await?;
        match self.rpc.request_airdrop_with_blockhash(address, lamports, &blockhash).await {
            Ok(signature) => self.confirm(&signature).await,
            Err(error) if is_refusal(&error) => {
                Err(Error::AirdropRefused { address: *address, lamports, source: Box::new(error) })
            }
            Err(error) => Err(Error::rpc("asking the faucet")(error)),
        }
    }

    /// A block hash with which this was not asked for yet. See [`Localnet::airdrops`].
    async fn unused_blockhash(&self, airdrop: (Pubkey, u64)) -> Result<Hash> {
        let start = Instant::now();
        loop {
            let blockhash = self.latest_blockhash().await?;
            if self.airdrops.lock().await.insert(airdrop, blockhash) != Some(blockhash) {
                return Ok(blockhash);
            }
            // The earlier one is in a block by now, or will be: another block hash comes.
            if start.elapsed() > CONFIRMATION {
                return Err(Error::NoNewBlock { waited: CONFIRMATION });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn latest_blockhash(&self) -> Result<Hash> {
        self.rpc.get_latest_blockhash().await.map_err(Error::rpc("asking for a block hash"))
    }
}

/// What to ask a faucet for that has given `part` at most, so that what is left is not too little to ask for.
fn next_part(remaining: u64, part: u64) -> u64 {
    match remaining.checked_sub(part) {
        None | Some(0) => remaining,
        Some(rest) if rest < MIN_AIRDROP => remaining / 2,
        Some(_) => part,
    }
}

fn client(url: &str) -> RpcClient {
    let mut builder = reqwest::Client::builder()
        .default_headers(HttpSender::default_headers())
        .timeout(REQUEST_TIMEOUT)
        .pool_idle_timeout(REQUEST_TIMEOUT);
    if is_loopback(url) {
        // A proxy from the environment knows nothing of this machine's own ports.
        builder = builder.no_proxy();
    }
    let config = RpcClientConfig::with_commitment(CommitmentConfig::confirmed());
    match builder.build() {
        Ok(http) => RpcClient::new_sender(HttpSender::new_with_client(url, http), config),
        // Only where the machine's TLS is broken; the plain client then says what is wrong with it.
        Err(_) => RpcClient::new_sender(HttpSender::new(url), config),
    }
}

/// The parts of `scheme://authority/path` and its port, if it names one.
fn split_url(url: &str) -> Option<(&str, &str, Option<&str>, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // The colons inside of an IPv6 address's brackets are not in front of a port.
    let host_end = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[host_end..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(host_end + colon);
            (host, Some(&port[1..]))
        }
        None => (authority, None),
    };
    Some((scheme, host, port, path))
}

fn is_loopback(url: &str) -> bool {
    split_url(url).is_some_and(|(_, host, _, _)| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse().is_ok_and(|host| SocketAddr::new(host, 0).ip().is_loopback())
    })
}

/// The WebSocket URL of a validator: `ws` for `http`, and the port + 1; the same place if the URL names no port, as for
/// public clusters.
fn websocket_url(url: &str) -> Result<String> {
    let invalid = |reason| Error::InvalidUrl { url: url.to_owned(), reason };
    let (scheme, host, port, path) = split_url(url).ok_or_else(|| invalid("it has no http:// or https:// in front"))?;
    let scheme = match scheme {
        "http" => "ws",
        "https" => "wss",
        _ => return Err(invalid("it has no http:// or https:// in front")),
    };
    if host.is_empty() {
        return Err(invalid("it names no host"));
    }
    let path = path.trim_end_matches('/');
    match port {
        None => Ok(format!("{scheme}://{host}{path}")),
        Some(port) => port
            .parse::<u16>()
            .ok()
            .and_then(|port| port.checked_add(1))
            .map(|port| format!("{scheme}://{host}:{port}{path}"))
            .ok_or_else(|| invalid("its port is not a number below 65535")),
    }
}

fn rpc_error_code(error: &ClientError) -> Option<i64> {
    match error.kind() {
        ClientErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) => Some(*code),
        _ => None,
    }
}

/// Whether the node answered and did not want to, in contrast to not answering.
fn is_refusal(error: &ClientError) -> bool {
    matches!(error.kind(), ClientErrorKind::RpcError(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_websocket_port_is_the_next_one() {
        for (url, expected) in [
            ("http://127.0.0.1:8899", "ws://127.0.0.1:8900"),
            ("http://127.0.0.1:8899/", "ws://127.0.0.1:8900"),
            ("http://localhost:1", "ws://localhost:2"),
            ("http://[::1]:8899", "ws://[::1]:8900"),
            ("http://[::1]", "ws://[::1]"),
            ("https://example.org", "wss://example.org"),
            ("https://example.org/?key=a:b", "wss://example.org/?key=a:b"),
            ("https://example.org:443/x", "wss://example.org:444/x"),
        ] {
            assert_eq!(websocket_url(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in [
            "",
            "127.0.0.1:8899",
            "ws://127.0.0.1:8900",
            "http://",
            "http://:8899",
            "http://127.0.0.1:",
            "http://127.0.0.1:65535",
            "http://127.0.0.1:x",
        ] {
            assert!(matches!(websocket_url(url), Err(Error::InvalidUrl { .. })), "{url}");
        }
    }

    #[test]
    fn an_amount_in_parts_is_the_amount_and_no_part_is_too_small() {
        for amount in [
            MIN_AIRDROP,
            MIN_AIRDROP_PART,
            MIN_AIRDROP_PART + 1,
            3 * MIN_AIRDROP_PART + MIN_AIRDROP - 1,
            3 * MIN_AIRDROP_PART + MIN_AIRDROP,
        ] {
            for part in [MIN_AIRDROP_PART, amount / 2, amount, u64::MAX] {
                let part = part.max(MIN_AIRDROP_PART);
                let mut remaining = amount;
                while remaining > 0 {
                    let next = next_part(remaining, part);
                    assert!((MIN_AIRDROP..=part).contains(&next), "{next} of {remaining} in parts of {part}");
                    remaining -= next;
                }
            }
        }
    }

    #[test]
    fn only_this_machine_is_asked_without_a_proxy() {
        for url in ["http://127.0.0.1:8899", "http://localhost:8899", "http://[::1]:8899"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://192.168.0.1:8899", "http://localhost.example.org", "nonsense"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
