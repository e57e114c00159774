//! The nodes: what they say of escrows, each answer at one slot. How far they are believed is the client's.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use escrow_client::{
    EscrowAccount, EscrowClient, Filter,
    history::History,
    program::{ElfHash, Program},
    sender,
    terms::Asset,
    words::Denomination,
};
use serde::{Deserialize, Serialize};
use solana_account::Account;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use utoipa::ToSchema;

use crate::problem::{Code, Problem, Result};

/// How sure an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finality {
    /// Two thirds of the stake have voted for it: provisional.
    #[default]
    Confirmed,
    /// It cannot be taken back.
    Finalized,
}

/// Some accounts at one slot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The slot.
    pub slot: u64,
    /// The chain's time in it, in unix seconds.
    pub now: i64,
    /// The accounts, in the order in which they were asked for.
    pub accounts: Vec<Option<Account>>,
}

/// The nodes.
#[derive(Debug)]
pub struct Chain {
    confirmed: EscrowClient,
    finalized: EscrowClient,
    /// Decimals that were read: a mint's never change.
    denominations: Mutex<HashMap<Asset, Denomination>>,
    /// The program as it was last read: it has hundreds of kilobytes.
    deployed: tokio::sync::Mutex<Option<(Instant, Option<Deployed>)>>,
}

/// The escrow program as it is deployed.
#[derive(Debug, Clone, Copy)]
pub struct Deployed {
    /// The sha256 of its bytes: of the released file if that is what is deployed, else of the bytes without the zeros at their
    /// end.
    pub sha256: ElfHash,
    /// Whether it is the file that belongs to this version.
    pub is_released: bool,
    /// The slot in which it was last deployed, upgraded or extended.
    pub slot: u64,
    /// Who may replace it; none: nobody ever can.
    pub upgrade_authority: Option<Pubkey>,
}

impl From<Program> for Deployed {
    fn from(program: Program) -> Self {
        let released = ElfHash::released().filter(|released| program.is_hash(released));
        let Program { slot, upgrade_authority, .. } = program;
        let sha256 = released.unwrap_or_else(|| program.hash());
        Self { sha256, is_released: released.is_some(), slot, upgrade_authority }
    }
}

/// How long what was read of the program is answered.
const DEPLOYED_FOR: Duration = Duration::from_secs(60);

/// The most mints whose decimals are kept.
const MOST_DENOMINATIONS: usize = 10_000;

impl Chain {
    /// Of these nodes. What is submitted through it is kept in `journal`.
    pub fn new(urls: &[String], journal: impl sender::Store + 'static) -> Self {
        let urls: Vec<String> = urls.iter().filter_map(|named| escrow_client::read::node_url(named)).collect();
        Self {
            confirmed: EscrowClient::of_nodes(&urls, CommitmentConfig::confirmed()),
            finalized: EscrowClient::of_nodes(&urls, CommitmentConfig::finalized()).keeping(journal),
            denominations: Mutex::default(),
            deployed: tokio::sync::Mutex::default(),
        }
    }

    /// The same, sending at another pace.
    #[must_use]
    pub fn at_pace(self, pace: sender::Pace) -> Self {
        Self { confirmed: self.confirmed.at_pace(pace), finalized: self.finalized.at_pace(pace), ..self }
    }

    /// The client that reads at this finality.
    pub const fn client(&self, finality: Finality) -> &EscrowClient {
        match finality {
            Finality::Confirmed => &self.confirmed,
            Finality::Finalized => &self.finalized,
        }
    }

    /// The client that submits: what it calls done is final.
    pub const fn sender(&self) -> &EscrowClient {
        &self.finalized
    }

    /// Accounts and the time, at one slot. At most 99.
    ///
    /// # Errors
    ///
    /// Where no node answers.
    pub async fn snapshot(&self, addresses: &[Pubkey], finality: Finality) -> Result<Snapshot> {
        let all: Vec<Pubkey> =
            std::iter::once(solana_sdk_ids::sysvar::clock::ID).chain(addresses.iter().copied()).collect();
        let mut accounts = self.client(finality).accounts(&all).await?.into_iter();
        // The clock's first number is the slot, its last the time.
        let clock = accounts.next().flatten();
        let number = |from: usize| -> Option<[u8; 8]> {
            clock.as_ref()?.data.get(from..from.saturating_add(8))?.try_into().ok()
        };
        let (Some(slot), Some(now)) = (number(0), number(32)) else {
            return Err(Problem::new(Code::Node, "the RPC node has no clock").after(2));
        };
        Ok(Snapshot { slot: u64::from_le_bytes(slot), now: i64::from_le_bytes(now), accounts: accounts.collect() })
    }

    /// The escrow at `address`, with the slot and the time; none where there is none.
    ///
    /// # Errors
    ///
    /// Where no node answers, or what is there is no escrow.
    pub async fn escrow(&self, address: &Pubkey, finality: Finality) -> Result<(Snapshot, Option<EscrowAccount>)> {
        let snapshot = self.snapshot(&[*address], finality).await?;
        let found = snapshot.accounts.first().and_then(Option::as_ref);
        let escrow = decode_escrow(address, found)?;
        Ok((snapshot, escrow))
    }

    /// How amounts of `asset` are written.
    pub async fn denomination(&self, asset: Asset) -> Denomination {
        if let Some(known) = self.known().get(&asset) {
            return known.clone();
        }
        let found = self.confirmed.denomination(asset).await;
        let mut known = self.known();
        if found.unknown_because().is_none() && known.len() < MOST_DENOMINATIONS {
            known.insert(asset, found.clone());
        }
        found
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Asset, Denomination>> {
        self.denominations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The escrows that match; of `party`, in whatever role.
    ///
    /// # Errors
    ///
    /// Where no node answers.
    pub async fn list(&self, filter: &Filter, party: Option<&Pubkey>) -> Result<Vec<EscrowAccount>> {
        Ok(match party {
            None => self.confirmed.list(filter).await?,
            Some(party) => self.confirmed.list_of(party).await?,
        })
    }

    /// Everything that happened to an escrow.
    ///
    /// # Errors
    ///
    /// Where no node answers.
    pub async fn history(&self, address: &Pubkey, finality: Finality) -> Result<History> {
        Ok(self.client(finality).history(address).await?)
    }

    /// Whose token accounts would have to be made, and whether the vault holds tokens that nobody is owed.
    ///
    /// # Errors
    ///
    /// Where no node answers.
    pub async fn token_accounts(&self, escrow: &EscrowAccount) -> Result<(Vec<Pubkey>, bool)> {
        let Asset::Token { mint, program } = escrow.asset() else { return Ok((Vec::new(), false)) };
        let surplus = self.confirmed.surplus(escrow).await? > 0;
        let recipients = escrow_client::Recipient::ALL.iter().map(|recipient| *escrow.state.recipient(*recipient));
        let mut owners: Vec<Pubkey> = recipients.filter(escrow_client::escrow::state::is_named).collect();
        owners.sort_unstable();
        owners.dedup();
        Ok((self.confirmed.without_token_account(&owners, &mint, &program).await?, surplus))
    }

    /// What a new token account of this mint costs, in lamports.
    ///
    /// # Errors
    ///
    /// Where no node answers, or there is no mint.
    pub async fn token_account_rent(&self, mint: &Pubkey) -> Result<u64> {
        Ok(self.confirmed.token_account_rent(mint).await?)
    }

    /// Who advances the nonce that an account holds.
    ///
    /// # Errors
    ///
    /// Where no node answers, or it holds none.
    pub async fn nonce_authority(&self, account: &Pubkey) -> Result<Pubkey> {
        let found = self.finalized.account(account).await?;
        let none = || Problem::invalid("/lifetime/account", format!("{account} holds no nonce"));
        found.as_ref().and_then(nonce_authority).ok_or_else(none)
    }

    /// The escrow program as it was deployed a minute ago or later; none where it is not, or not any more.
    ///
    /// # Errors
    ///
    /// Where no node answers.
    pub async fn deployed(&self) -> Result<Option<Deployed>> {
        // Whoever asks meanwhile waits for the same answer.
        let mut known = self.deployed.lock().await;
        if let Some((at, program)) = &*known
            && at.elapsed() < DEPLOYED_FOR
        {
            return Ok(*program);
        }
        let found = match self.finalized.deployed().await {
            Err(escrow_client::Error::Program(error)) => {
                tracing::warn!(%error, "the escrow program");
                None
            }
            found => found?.map(Deployed::from),
        };
        *known = Some((Instant::now(), found));
        Ok(found)
    }

    /// The cluster's genesis hash.
    ///
    /// # Errors
    ///
    /// Where no node answers, or they differ.
    pub async fn genesis(&self) -> Result<sender::Hash> {
        Ok(self.confirmed.genesis().await?)
    }
}

/// The escrow in an account that was read.
///
/// # Errors
///
/// Where it is something else.
pub fn decode_escrow(address: &Pubkey, account: Option<&Account>) -> Result<Option<EscrowAccount>> {
    match account {
        // A wallet with the money that somebody sent in advance is not an escrow, and no error either.
        Some(account) if account.data.is_empty() && account.owner == solana_sdk_ids::system_program::ID => Ok(None),
        Some(account) => EscrowAccount::decode(*address, account)
            .map(Some)
            .map_err(|source| escrow_client::Error::NotAnEscrow { address: *address, source }.into()),
        None => Ok(None),
    }
}

/// Who advances the nonce in an account, if it is one: version 1, initialised, then the authority.
fn nonce_authority(account: &Account) -> Option<Pubkey> {
    let bytes = (account.owner == solana_sdk_ids::system_program::ID).then_some(account.data.as_slice())?;
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    let (authority, _) = rest.split_first_chunk::<32>()?;
    (*head == [1, 0, 0, 0, 1, 0, 0, 0]).then(|| Pubkey::new_from_array(*authority))
}
