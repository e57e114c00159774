//! Where somebody has come to: what is kept, so that after a stop it goes on from there.

use std::{
    fmt::{self, Display, Formatter},
    str::FromStr,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use borsh::{BorshDeserialize, BorshSerialize};
use solana_account::Account;
use solana_pubkey::Pubkey;
use thiserror::Error;

use super::{event::EventId, view::View};
use crate::{EscrowAccount, account::AccountError};

/// Where one escrow has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The escrow.
    pub escrow: Pubkey,
    /// Everything up to this slot, and that slot, is told.
    pub slot: u64,
    /// The chain's time at that slot, in unix seconds. Deadlines that came near up to then are told.
    pub time: i64,
    /// The escrow at that slot; none where there was no account.
    pub state: Option<EscrowAccount>,
    /// Whether nothing is told yet, and `state` is where it begins.
    pub opening: bool,
    /// From this time on there never is an account again, in unix seconds. None: not known.
    pub over: Option<i64>,
    /// What was told of what comes after.
    pub told: Vec<EventId>,
}

impl Cursor {
    /// Before the creation: everything will be told.
    pub const fn beginning(escrow: Pubkey) -> Self {
        Self { escrow, slot: 0, time: i64::MIN, state: None, opening: false, over: None, told: Vec::new() }
    }

    /// From `view` on. What is near at that moment is told at once.
    pub fn since(escrow: Pubkey, view: &View) -> Self {
        let View { slot, time, account } = view;
        let (slot, time, state) = (*slot, *time, account.clone());
        Self { escrow, slot, time, state, opening: true, over: None, told: Vec::new() }
    }

    /// Whether nothing can happen any more, and all is told.
    pub fn is_over(&self) -> bool {
        self.state.is_none() && self.told.is_empty() && self.over.is_some_and(|over| over <= self.time)
    }
}

/// Of whose escrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Subject {
    /// Those that are named, and no others.
    Named,
    /// And those that name this address from now on as buyer, seller, arbiter or attester.
    Party(Pubkey),
    /// And all that are created from now on.
    All,
}

/// Where somebody has come to with all escrows that they follow. As text it is what is kept between two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Which these are.
    pub subject: Subject,
    /// New ones are known up to this slot.
    pub discovered: u64,
    /// The escrows.
    pub escrows: Vec<Cursor>,
}

/// Why a text is not a position.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PositionError {
    /// It is something else.
    #[error("this is not a cursor: one begins with {PREFIX:?}")]
    NotOne,
    /// Another version of this software wrote it.
    #[error(
        "the cursor has version {0}, and this software knows version {VERSION}: use the one that wrote it, or begin anew"
    )]
    Version(String),
    /// Something of it is missing or different.
    #[error("the cursor is damaged: take the one that was kept before it, or begin anew")]
    Damaged,
    /// An escrow in it is none.
    #[error("the cursor has an escrow {escrow} that cannot be one: {source}")]
    Escrow {
        /// Its address.
        escrow: Pubkey,
        /// What is wrong with it.
        source: AccountError,
    },
}

const PREFIX: &str = "escrow-cursor:";
const VERSION: &str = "1";

#[derive(BorshSerialize, BorshDeserialize)]
struct Stored {
    subject: Subject,
    discovered: u64,
    escrows: Vec<StoredCursor>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct StoredCursor {
    escrow: Pubkey,
    slot: u64,
    time: i64,
    state: Option<Vec<u8>>,
    opening: bool,
    over: Option<i64>,
    told: Vec<[u8; 16]>,
}

/// Two of these differ if anything does.
fn checksum(bytes: &[u8]) -> [u8; 8] {
    anchor_lang::sha256(bytes).first_chunk().copied().unwrap_or_default()
}

impl Display for Position {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let stored = |cursor: &Cursor| StoredCursor {
            escrow: cursor.escrow,
            slot: cursor.slot,
            time: cursor.time,
            state: cursor.state.as_ref().map(EscrowAccount::encode),
            opening: cursor.opening,
            over: cursor.over,
            told: cursor.told.iter().map(|id| id.0).collect(),
        };
        let escrows = self.escrows.iter().map(stored).collect();
        let stored = Stored { subject: self.subject, discovered: self.discovered, escrows };
        let mut bytes = borsh::to_vec(&stored).map_err(|_| fmt::Error)?;
        bytes.extend_from_slice(&checksum(&bytes));
        write!(f, "{PREFIX}{VERSION}:{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (version, text) =
            text.trim().strip_prefix(PREFIX).and_then(|text| text.split_once(':')).ok_or(PositionError::NotOne)?;
        if version != VERSION {
            return Err(PositionError::Version(version.to_owned()));
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| PositionError::Damaged)?;
        let (bytes, sum) = bytes.split_last_chunk::<8>().ok_or(PositionError::Damaged)?;
        if *sum != checksum(bytes) {
            return Err(PositionError::Damaged);
        }
        let stored: Stored = borsh::from_slice(bytes).map_err(|_| PositionError::Damaged)?;
        let escrows = stored.escrows.into_iter().map(cursor).collect::<Result<_, _>>()?;
        Ok(Self { subject: stored.subject, discovered: stored.discovered, escrows })
    }
}

fn cursor(stored: StoredCursor) -> Result<Cursor, PositionError> {
    let StoredCursor { escrow, slot, time, state, opening, over, told } = stored;
    let decode = |data| {
        let account = Account { data, owner: escrow::ID, ..Account::default() };
        EscrowAccount::decode(escrow, &account).map_err(|source| PositionError::Escrow { escrow, source })
    };
    let told = told.into_iter().map(EventId).collect();
    Ok(Cursor { escrow, slot, time, state: state.map(decode).transpose()?, opening, over, told })
}
