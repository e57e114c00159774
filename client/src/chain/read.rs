//! Reading escrows from an RPC node. Everything read is decoded and checked ([`crate::account`]).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use anchor_lang::{
    Discriminator, Id,
    programs::{Token, Token2022},
};
use escrow::state::{Escrow, MintInfo};
use serde_json::json;
use solana_account::Account;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding, UiDataSliceConfig};
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    nonblocking::rpc_client::RpcClient,
    rpc_config::{RpcAccountInfoConfig, RpcProgramAccountsConfig},
    rpc_filter::{Memcmp, RpcFilterType},
    rpc_request::RpcRequest,
    rpc_response::Response,
};
use solana_commitment_config::CommitmentConfig;
use solana_program::clock::Clock;
use solana_pubkey::Pubkey;

use super::decode::decode;
use crate::{
    Error, EscrowAccount, Result,
    address::associated_token_address,
    error::without_url,
    node::{MOST_ACCOUNTS, Nodes},
    send::Sending,
    terms::Asset,
    words::Denomination,
};

/// Which escrows to list. An address that is named must match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those with this buyer.
    pub buyer: Option<Pubkey>,
    /// Those with this seller.
    pub seller: Option<Pubkey>,
    /// Those with this arbiter.
    pub arbiter: Option<Pubkey>,
    /// Those with this attester.
    pub attester: Option<Pubkey>,
    /// Those with this salt: of a deal that was created under a reference, see [`reference_salt`](crate::terms::reference_salt).
    pub salt: Option<[u8; 16]>,
}

/// Where the roles stand in the account data: behind the discriminator, in this order.
const BUYER_OFFSET: usize = 8;
const SELLER_OFFSET: usize = BUYER_OFFSET + 32;
const ARBITER_OFFSET: usize = SELLER_OFFSET + 32;
const _: () = assert!(std::mem::offset_of!(Escrow, buyer) + 8 == BUYER_OFFSET);
const _: () = assert!(std::mem::offset_of!(Escrow, seller) + 8 == SELLER_OFFSET);
const _: () = assert!(std::mem::offset_of!(Escrow, arbiter) + 8 == ARBITER_OFFSET);
const ATTESTER_OFFSET: usize = ARBITER_OFFSET + 32;
const _: () = assert!(std::mem::offset_of!(Escrow, attester) + 8 == ATTESTER_OFFSET);
const SALT_OFFSET: usize = std::mem::offset_of!(Escrow, salt) + 8;

/// A token's mint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mint {
    /// Its address.
    pub address: Pubkey,
    /// SPL Token or Token-2022.
    pub program: Pubkey,
    /// Digits after the decimal point.
    pub decimals: u8,
    /// The issuer's powers over the token: the `RISK_*` bits that the terms must accept.
    pub risks: u16,
}

impl Mint {
    /// The token, as what an escrow holds.
    pub const fn asset(&self) -> Asset {
        Asset::Token { mint: self.address, program: self.program }
    }

    /// How amounts of the token are written.
    pub fn denomination(&self) -> Denomination {
        Denomination::token(self.asset(), self.decimals)
    }
}

/// Reads and sends at one commitment level, through one RPC node or several. With several, none is believed alone: what must
/// be true is what two of them say.
#[derive(Clone)]
pub struct EscrowClient {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) sending: Arc<Sending>,
}

impl std::fmt::Debug for EscrowClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EscrowClient").field("url", &self.url()).field("commitment", &self.commitment()).finish()
    }
}

impl EscrowClient {
    /// A client of the node at `url`. What it reads, and what it waits for after sending, has reached `commitment`;
    /// for money that cannot come back, use [`CommitmentConfig::finalized`].
    pub fn new(url: impl Into<String>, commitment: CommitmentConfig) -> Self {
        Self::of_nodes(&[url.into()], commitment)
    }

    /// A client of the nodes at these addresses, the preferred first.
    pub fn of_nodes(urls: &[String], commitment: CommitmentConfig) -> Self {
        Self::with_nodes(Nodes::at(urls, commitment))
    }

    /// A client of a node that is connected to already, at its commitment.
    pub fn from_rpc(rpc: Arc<RpcClient>) -> Self {
        let commitment = rpc.commitment();
        Self::with_nodes(Nodes::of(vec![rpc], commitment))
    }

    fn with_nodes(nodes: Nodes) -> Self {
        let nodes = Arc::new(nodes);
        let sending = Arc::new(Sending::new(&nodes));
        Self { nodes, sending }
    }

    /// The connection to the preferred node, for everything that is not about escrows.
    ///
    /// # Panics
    ///
    /// Where a client was made of no node.
    #[expect(clippy::expect_used, reason = "a client of no node is a mistake in the program that makes it")]
    pub fn rpc(&self) -> &Arc<RpcClient> {
        &self.nodes.all().first().expect("a client has a node").rpc
    }

    /// The nodes' addresses, without what might be a secret: the user, the password, the path and the query.
    pub fn url(&self) -> String {
        self.nodes.name()
    }

    /// The nodes' names, as a journal has them: their addresses, without what might be a secret.
    pub fn node_names(&self) -> Vec<String> {
        self.nodes.names()
    }

    /// The commitment level that is read at and waited for.
    pub fn commitment(&self) -> CommitmentConfig {
        self.nodes.commitment()
    }

    /// What went wrong at the preferred node.
    pub(crate) fn rpc_error(&self, source: ClientError) -> Error {
        let url = self.nodes.names().into_iter().next().unwrap_or_default();
        Error::Rpc { url, source: Box::new(without_url(source)) }
    }

    /// The account at `address`, if there is one.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or not with what was asked for.
    pub async fn account(&self, address: &Pubkey) -> Result<Option<Account>> {
        self.one(address, false).await
    }

    /// The same; where there are several nodes two must say it, if `two`.
    async fn one(&self, address: &Pubkey, two: bool) -> Result<Option<Account>> {
        let found = self.some(std::slice::from_ref(address), two, |a, b| a == b).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// The accounts at these addresses, at most 100.
    async fn some(
        &self,
        addresses: &[Pubkey],
        two: bool,
        same: impl Fn(&[Option<Account>], &[Option<Account>]) -> bool,
    ) -> Result<Vec<Option<Account>>> {
        let what = match addresses {
            [only] => format!("the account {only}"),
            several => format!("{} accounts", several.len()),
        };
        let texts: Vec<String> = addresses.iter().map(Pubkey::to_string).collect();
        let question = |rpc: Arc<RpcClient>| {
            let config = RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                commitment: Some(self.commitment()),
                min_context_slot: self.nodes.min_context_slot(),
                ..RpcAccountInfoConfig::default()
            };
            let texts = texts.clone();
            async move {
                // Not the client's own methods, whose errors hide what happened behind "account not found".
                let answer: Response<Vec<Option<UiAccount>>> = match texts.as_slice() {
                    [only] => {
                        let answer: Response<Option<UiAccount>> =
                            rpc.send(RpcRequest::GetAccountInfo, json!([only, config])).await?;
                        Response { context: answer.context, value: vec![answer.value] }
                    }
                    several => rpc.send(RpcRequest::GetMultipleAccounts, json!([several, config])).await?,
                };
                let accounts = checked(addresses, &answer.value).map_err(ClientErrorKind::Custom)?;
                Ok(Response { context: answer.context, value: accounts })
            }
        };
        self.nodes.read(&what, two, question, |a: &Vec<_>, b: &Vec<_>| same(a, b)).await
    }

    /// The escrow at `address`.
    ///
    /// # Errors
    ///
    /// Where there is none, what is there is not an escrow, or the node does not answer.
    pub async fn escrow(&self, address: &Pubkey) -> Result<EscrowAccount> {
        self.find(address).await?.ok_or_else(|| Error::NotFound { address: *address, url: self.url() })
    }

    /// The escrow at `address`, if there is one.
    ///
    /// # Errors
    ///
    /// Where what is there is not an escrow, or the node does not answer.
    pub async fn find(&self, address: &Pubkey) -> Result<Option<EscrowAccount>> {
        Self::read_escrow(address, self.account(address).await?)
    }

    /// The same; where there are several nodes, two must say it.
    pub(crate) async fn find_agreed(&self, address: &Pubkey) -> Result<Option<EscrowAccount>> {
        Self::read_escrow(address, self.one(address, true).await?)
    }

    /// The same of many; none for what is there and is not an escrow.
    pub(crate) async fn find_all_agreed(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Option<EscrowAccount>>>> {
        let found = self.some(addresses, true, |a, b| a == b).await?;
        let read = addresses.iter().zip(found).map(|(address, account)| Self::read_escrow(address, account).ok());
        Ok(read.collect())
    }

    fn read_escrow(address: &Pubkey, account: Option<Account>) -> Result<Option<EscrowAccount>> {
        match account {
            // A wallet with the money that somebody sent in advance is not an escrow, and no error either.
            Some(account) if account.data.is_empty() && account.owner == solana_sdk_ids::system_program::ID => Ok(None),
            Some(account) => EscrowAccount::decode(*address, &account)
                .map(Some)
                .map_err(|source| Error::NotAnEscrow { address: *address, source }),
            None => Ok(None),
        }
    }

    /// All escrows that match, as the node finds them. Accounts that do not decode are left out: they cannot be
    /// escrows of this program, whatever the node says.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or not with what was asked for.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<EscrowAccount>> {
        let mut found: Vec<_> = self
            .program_accounts(filter, None)
            .await?
            .into_iter()
            .filter_map(|(address, account)| EscrowAccount::decode(address, &decode(&account)?).ok())
            .filter(|escrow| filter.matches(escrow))
            .collect();
        found.sort_by_key(|escrow| (escrow.state.fund_by, escrow.address));
        Ok(found)
    }

    /// The addresses of all escrows that match, as the node finds them: nothing of them is read. For who goes through more than
    /// fit into one answer.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or not with what was asked for.
    pub async fn list_addresses(&self, filter: &Filter) -> Result<Vec<Pubkey>> {
        let nothing = UiDataSliceConfig { offset: 0, length: 0 };
        let found = self.program_accounts(filter, Some(nothing)).await?;
        Ok(found.into_iter().map(|(address, _)| address).collect())
    }

    /// The program's accounts that match, as the node finds them; of each the part that is named.
    async fn program_accounts(
        &self,
        filter: &Filter,
        part: Option<UiDataSliceConfig>,
    ) -> Result<Vec<(Pubkey, UiAccount)>> {
        let at =
            |offset, address: Pubkey| RpcFilterType::Memcmp(Memcmp::new_raw_bytes(offset, address.to_bytes().to_vec()));
        let mut filters = vec![RpcFilterType::Memcmp(Memcmp::new_raw_bytes(0, Escrow::DISCRIMINATOR.to_vec()))];
        filters.extend(filter.buyer.map(|buyer| at(BUYER_OFFSET, buyer)));
        filters.extend(filter.seller.map(|seller| at(SELLER_OFFSET, seller)));
        filters.extend(filter.arbiter.map(|arbiter| at(ARBITER_OFFSET, arbiter)));
        filters.extend(filter.attester.map(|attester| at(ATTESTER_OFFSET, attester)));
        filters
            .extend(filter.salt.map(|salt| RpcFilterType::Memcmp(Memcmp::new_raw_bytes(SALT_OFFSET, salt.to_vec()))));
        let config = RpcProgramAccountsConfig {
            filters: Some(filters),
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                data_slice: part,
                commitment: Some(self.commitment()),
                ..RpcAccountInfoConfig::default()
            },
            ..RpcProgramAccountsConfig::default()
        };
        let question = |rpc: Arc<RpcClient>| {
            let config = config.clone();
            async move { rpc.get_program_ui_accounts_with_config(&escrow::ID, config).await }
        };
        self.nodes.ask(question).await
    }

    /// All escrows in which `address` is buyer, seller, arbiter or attester.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn list_of(&self, address: &Pubkey) -> Result<Vec<EscrowAccount>> {
        let mut found = Vec::new();
        for role in &Filter::of(address) {
            found.extend(self.list(role).await?);
        }
        found.sort_by_key(|escrow| (escrow.state.fund_by, escrow.address));
        found.dedup_by_key(|escrow| escrow.address);
        Ok(found)
    }

    /// The chain's present time in unix seconds: what the program compares deadlines with. Where there are several nodes, two must
    /// be near each other.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or not with what was asked for.
    pub async fn now(&self) -> Result<i64> {
        let time = |accounts: &[Option<Account>]| -> Option<i64> {
            let clock: Clock = accounts.first()?.as_ref()?.deserialize_data().ok()?;
            Some(clock.unix_timestamp)
        };
        let near = |a: &[Option<Account>], b: &[Option<Account>]| match (time(a), time(b)) {
            (Some(a), Some(b)) => a.abs_diff(b) <= SAME_TIME,
            _ => false,
        };
        let found = self.some(&[solana_sdk_ids::sysvar::clock::ID], true, near).await?;
        time(&found).ok_or_else(|| Error::Answer { url: self.url(), reason: "it has no clock".to_owned() })
    }

    /// The mint at `address`, with the powers of its issuer.
    ///
    /// # Errors
    ///
    /// Where what is there is not a mint, or the node does not answer.
    pub async fn mint(&self, address: &Pubkey) -> Result<Mint> {
        let not_a_mint = |reason: &str| Error::NotAMint { address: *address, reason: reason.to_owned() };
        let account = self.one(address, true).await?.ok_or_else(|| not_a_mint("there is no such account"))?;
        let program = account.owner;
        if program != Token::id() && program != Token2022::id() {
            return Err(not_a_mint(&format!("it belongs to the program {program}, which is no token program")));
        }
        let MintInfo { decimals, risks } =
            MintInfo::read(&account.data).map_err(|error| not_a_mint(error.message()))?;
        Ok(Mint { address: *address, program, decimals, risks })
    }

    /// How amounts of `asset` are written. The mint belongs to its issuer, who may close it or put anything into it, and a node
    /// may not answer: then the decimals are unknown, and base units are shown. Nothing that is read of an escrow fails for
    /// it.
    pub async fn denomination(&self, asset: Asset) -> Denomination {
        let found = self.denominations(&[asset]).await;
        found.into_iter().next().map_or_else(|| unread(asset), |(_, denomination)| denomination)
    }

    /// The same for many at once.
    pub async fn denominations(&self, assets: &[Asset]) -> HashMap<Asset, Denomination> {
        let mut found = HashMap::new();
        let mut tokens: Vec<(Asset, Pubkey)> = Vec::new();
        for asset in assets.iter().collect::<HashSet<_>>() {
            match asset {
                Asset::Sol => {
                    found.insert(*asset, Denomination::SOL);
                }
                Asset::Token { mint, .. } => tokens.push((*asset, *mint)),
            }
        }
        for some in tokens.chunks(MOST_ACCOUNTS) {
            let mints: Vec<Pubkey> = some.iter().map(|(_, mint)| *mint).collect();
            let accounts = self.some(&mints, true, |a, b| a == b).await;
            for (index, (asset, mint)) in some.iter().enumerate() {
                let denomination = match &accounts {
                    Err(error) => Denomination::unknown(*asset, format!("its mint {mint} cannot be read: {error}")),
                    Ok(accounts) => denomination(*asset, accounts.get(index).and_then(Option::as_ref)),
                };
                found.insert(*asset, denomination);
            }
        }
        found
    }

    /// The accounts at these addresses, at most 100, in their order; none where there is no account.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or not with accounts that decode.
    pub async fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>> {
        self.some(addresses, false, |a, b| a == b).await
    }

    /// Those to whom something of a token is due and whose associated token account does not exist: making it costs whoever
    /// pays [`token_account_rent`](Self::token_account_rent) each. The buyer is among them if tokens that nobody is owed
    /// (`surplus`) would go there.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn missing_token_accounts(&self, escrow: &EscrowAccount, surplus: bool) -> Result<Vec<Pubkey>> {
        let Asset::Token { mint, program } = escrow.asset() else { return Ok(Vec::new()) };
        let mut owners: Vec<Pubkey> = escrow.due().map(|(recipient, _)| *escrow.state.recipient(recipient)).collect();
        owners.extend(surplus.then_some(escrow.state.buyer));
        self.without_token_account(&owners, &mint, &program).await
    }

    /// Those of `owners` whose associated token account does not exist.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn without_token_account(
        &self,
        owners: &[Pubkey],
        mint: &Pubkey,
        program: &Pubkey,
    ) -> Result<Vec<Pubkey>> {
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        let associated: Vec<Pubkey> =
            owners.iter().map(|owner| associated_token_address(owner, mint, program)).collect();
        let accounts = self.accounts(&associated).await?;
        let missing = owners.iter().zip(accounts).filter(|(_, account)| !has_tokens(account.as_ref(), program));
        Ok(missing.map(|(owner, _)| *owner).collect())
    }

    /// What a new associated token account of this mint costs, in lamports. Its owner gets it back by closing it.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or there is no mint.
    pub async fn token_account_rent(&self, mint: &Pubkey) -> Result<u64> {
        let account = self
            .account(mint)
            .await?
            .ok_or_else(|| Error::NotAMint { address: *mint, reason: "there is no such account".to_owned() })?;
        let size = token_account_size(&account);
        self.rent(size).await
    }

    /// The rent of an account of so many bytes, in lamports.
    ///
    /// # Errors
    ///
    /// Where no node answers.
    pub async fn rent(&self, size: usize) -> Result<u64> {
        self.nodes.ask(|rpc| async move { rpc.get_minimum_balance_for_rent_exemption(size).await }).await
    }

    /// The tokens in the token account at `address`, in base units; none where there is no such account.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or not with what was asked for.
    pub async fn token_balance(&self, address: &Pubkey) -> Result<Option<u64>> {
        let Some(account) = self.account(address).await? else { return Ok(None) };
        Ok(tokens_in(&account))
    }

    /// What an escrow's vault holds beyond what the ledger accounts for, in base units: tokens that somebody sent
    /// uninvited. 0 for SOL.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or not with what was asked for.
    pub async fn surplus(&self, escrow: &EscrowAccount) -> Result<u64> {
        if escrow.state.is_sol() {
            return Ok(0);
        }
        let held = self.token_balance(&escrow.state.vault).await?.unwrap_or(0);
        let owed = escrow.held()?;
        Ok(held.saturating_sub(owed))
    }
}

/// Whether there is a token account. SOL that somebody sent there in advance makes none of it.
pub(crate) fn has_tokens(account: Option<&Account>, program: &Pubkey) -> bool {
    account.is_some_and(|account| account.owner == *program)
}

/// The tokens in a token account, in base units.
pub(crate) fn tokens_in(account: &Account) -> Option<u64> {
    let amount = account.data.get(64..).and_then(|data| data.first_chunk::<8>());
    amount.map(|amount| u64::from_le_bytes(*amount))
}

/// How far apart, in seconds, the clocks of two nodes are that are at different slots of the same chain.
const SAME_TIME: u64 = 30;

/// The accounts in an answer, each decoded; else what is wrong with it.
fn checked(addresses: &[Pubkey], accounts: &[Option<UiAccount>]) -> std::result::Result<Vec<Option<Account>>, String> {
    if accounts.len() != addresses.len() {
        return Err(format!("it answered {} accounts where it was asked for {}", accounts.len(), addresses.len()));
    }
    let decoded = accounts.iter().zip(addresses).map(|(account, address)| match account {
        None => Ok(None),
        Some(account) => {
            decode(account).map(Some).ok_or_else(|| format!("it answered an account {address} that does not decode"))
        }
    });
    decoded.collect()
}

fn unread(asset: Asset) -> Denomination {
    Denomination::unknown(asset, "its mint was not read")
}

/// What a mint says of its decimals.
fn denomination(asset: Asset, account: Option<&Account>) -> Denomination {
    let Asset::Token { mint, program } = asset else { return Denomination::SOL };
    let unknown = |reason: String| Denomination::unknown(asset, reason);
    let Some(account) = account else { return unknown(format!("its mint {mint} does not exist any more")) };
    if account.owner != program {
        return unknown(format!("its mint {mint} belongs to the program {}, not to {program}", account.owner));
    }
    // Whatever extensions stand behind it, a mint begins like this: decimals, then whether it is initialised.
    match account.data.get(MINT_DECIMALS_OFFSET..) {
        Some([decimals, 1, ..]) => Denomination::token(asset, *decimals),
        _ => unknown(format!("the account {mint} is not a mint any more")),
    }
}

/// Where a mint has its decimals.
const MINT_DECIMALS_OFFSET: usize = 44;

/// The size of a token account, and where extensions begin in it.
const TOKEN_ACCOUNT_SIZE: usize = 165;

/// How large an escrow's vault for a mint's tokens is: a token account whose owner could change.
pub(super) fn vault_size(mint: &Account) -> usize {
    /// The extension that says that the owner never changes, without content.
    const IMMUTABLE_OWNER: usize = 4;
    let size = token_account_size(mint).saturating_sub(if mint.owner == Token2022::id() { IMMUTABLE_OWNER } else { 0 });
    // Without any extension there is no kind of account behind it either.
    if size == TOKEN_ACCOUNT_SIZE.saturating_add(1) { TOKEN_ACCOUNT_SIZE } else { size }
}

/// How large an associated token account of a mint is. Its extensions follow from the mint's.
pub(super) fn token_account_size(mint: &Account) -> usize {
    if mint.owner != Token2022::id() {
        return TOKEN_ACCOUNT_SIZE;
    }
    /// Type and length, in front of each extension.
    const HEADER: usize = 4;
    // The kind of account (1), and that its owner never changes (an extension without content).
    let mut size = TOKEN_ACCOUNT_SIZE.saturating_add(1).saturating_add(HEADER);
    // Behind the padding to a token account's size and the kind of account.
    let mut entries = mint.data.get(TOKEN_ACCOUNT_SIZE.saturating_add(1)..).unwrap_or_default();
    while let Some((kind, rest)) = entries.split_first_chunk::<2>() {
        let Some((length, rest)) = rest.split_first_chunk::<2>() else { break };
        let Some((_, rest)) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length))) else { break };
        entries = rest;
        let content = match u16::from_le_bytes(*kind) {
            0 => break,
            // A transfer fee's withheld amount.
            1 => Some(8),
            // Not transferable.
            9 => Some(0),
            // Whether a transfer hook is under way.
            14 => Some(1),
            // Pausable.
            26 => Some(0),
            _ => None,
        };
        size = size.saturating_add(content.map_or(0, |content: usize| content.saturating_add(HEADER)));
    }
    size
}

impl Filter {
    /// Those in which somebody is buyer, seller, arbiter or attester: one filter for each.
    pub fn of(address: &Pubkey) -> [Self; 4] {
        let named = Some(*address);
        [
            Self { buyer: named, ..Self::default() },
            Self { seller: named, ..Self::default() },
            Self { arbiter: named, ..Self::default() },
            Self { attester: named, ..Self::default() },
        ]
    }

    /// Whether `escrow` is one of those asked for. The node filters too; this does not rely on it.
    pub fn matches(&self, escrow: &EscrowAccount) -> bool {
        let matches = |wanted: Option<Pubkey>, is: Pubkey| wanted.is_none_or(|wanted| wanted == is);
        matches(self.buyer, escrow.state.buyer)
            && matches(self.seller, escrow.state.seller)
            && matches(self.arbiter, escrow.state.arbiter)
            && matches(self.attester, escrow.state.attester)
            && self.salt.is_none_or(|salt| salt == escrow.state.salt)
    }
}

/// The URL of the RPC node that somebody names: a cluster's moniker, as Solana's own tools know them, or a URL. None for
/// anything else.
pub fn node_url(named: &str) -> Option<String> {
    let url = match named {
        "l" | "localhost" => "http://127.0.0.1:8899",
        "d" | "devnet" => "https://api.devnet.solana.com",
        "t" | "testnet" => "https://api.testnet.solana.com",
        "m" | "mainnet-beta" => "https://api.mainnet-beta.solana.com",
        url if url.starts_with("http://") || url.starts_with("https://") => url,
        _ => return None,
    };
    Some(url.to_owned())
}
