//! A receipt, and rows of what moved.

use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;

use super::{Amount, Role, Shares, Time, VERSION};
use crate::{
    Terms,
    amount::format_amount,
    due, receipt,
    terms::{Asset, asset_of},
    words::{self, Denomination, name},
};

/// A receipt for a deal that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// The version of this view.
    pub version: u32,
    /// The escrow's address, which follows from the terms.
    pub escrow: String,
    /// The hash of all terms, in hexadecimal: with the terms it proves the address.
    pub terms_hash: String,
    /// Who paid in.
    pub buyer: String,
    /// Who delivered.
    pub seller: String,
    /// The token's mint; none for SOL.
    pub mint: Option<String>,
    /// Why amounts are in base units; none where the decimals are known.
    pub decimals_unknown: Option<String>,
    /// sha256 of the written agreement, in hexadecimal.
    pub document_hash: Option<String>,
    /// How it stands.
    pub ending: Ended,
    /// When the escrow was created.
    pub created: Time,
    /// When the last thing happened.
    pub ended: Time,
    /// What was paid in.
    pub paid_in: Amount,
    /// Who got how much by all decisions.
    pub decided: Shares,
    /// Who was paid how much.
    pub paid_out: Shares,
    /// What is decided and still to be paid out.
    pub due: Shares,
    /// What was decided, in order.
    pub decisions: Vec<Settlement>,
    /// What moved, in order.
    pub movements: Vec<Movement>,
    /// The transaction that closed the account; none where it is open.
    pub closed: Option<String>,
    /// How it ended, in a sentence.
    pub text: String,
    /// What it is not.
    pub note: String,
}

/// How a deal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It was given up before anything was paid in.
    GivenUp,
    /// Everything is decided and paid out.
    Paid,
    /// Everything is decided, and something is still to be paid out.
    Due,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Settlement {
    /// The milestone's number, counted from 1; none: all that remained.
    pub milestone: Option<u8>,
    /// How it came about.
    pub reason: Reason,
    /// Who gets what by it.
    pub shares: Shares,
    /// When.
    pub time: Time,
    /// In which transaction.
    pub signature: String,
    /// How it came about, in words.
    pub text: String,
}

/// How a decision came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The buyer released it.
    Released,
    /// The delivery code claimed it.
    Claimed,
    /// The seller refunded it.
    Refunded,
    /// The arbiter ruled.
    Ruled,
    /// Both agreed.
    Agreed,
    /// Nobody delivered in time.
    Undelivered,
    /// The buyer did not answer a delivery in time.
    Unanswered,
    /// Nobody ruled in time.
    Unruled,
    /// The buyer cancelled in the cooling-off period.
    Cancelled,
}

/// Money that moved: also a row of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Movement {
    /// The escrow's address.
    pub escrow: String,
    /// Who paid in, or was paid.
    pub role: Role,
    /// Whether it was paid in; else it was paid out.
    pub paid_in: bool,
    /// Whose address.
    pub address: String,
    /// Who is on the other side: the seller for the buyer, and the buyer for all others.
    pub counterparty: String,
    /// The token's mint; none for SOL.
    pub mint: Option<String>,
    /// How much.
    pub amount: Amount,
    /// When.
    pub time: Time,
    /// In which slot.
    pub slot: String,
    /// In which transaction.
    pub signature: String,
}

impl Receipt {
    /// `receipt` as seen at the chain's present time `now`.
    ///
    /// # Errors
    ///
    /// None for a receipt that was made: its terms hash.
    pub fn new(receipt: &receipt::Receipt, denomination: &Denomination, now: i64) -> Result<Self, crate::EscrowError> {
        let time = |unix| Time::from(words::Time::new(unix, now));
        let shares = |moved| Shares::new(&moved, denomination);
        let terms = &receipt.terms;
        let decision = |one: &receipt::Decision| Settlement {
            milestone: one.milestone.map(name::number),
            reason: one.reason.into(),
            shares: shares(one.moved),
            time: time(one.time),
            signature: one.signature.to_string(),
            text: words::receipt::reason(one.reason).to_owned(),
        };
        Ok(Self {
            version: VERSION,
            escrow: receipt.escrow.to_string(),
            terms_hash: hex::encode(terms.hash()?),
            buyer: terms.buyer.to_string(),
            seller: terms.seller.to_string(),
            mint: mint(receipt.asset),
            decimals_unknown: denomination.unknown_because(),
            document_hash: (terms.document_hash != [0; 32]).then(|| hex::encode(terms.document_hash)),
            ending: match receipt.ending {
                receipt::Ending::GivenUp => Ended::GivenUp,
                receipt::Ending::Paid => Ended::Paid,
                receipt::Ending::Due => Ended::Due,
            },
            created: time(receipt.created),
            ended: time(receipt.ended),
            paid_in: denomination.amount(receipt.paid_in).into(),
            decided: shares(receipt.decided),
            paid_out: shares(receipt.paid_out),
            due: shares(receipt.due()),
            decisions: receipt.decisions.iter().map(decision).collect(),
            movements: movements(&receipt.escrow, terms, &receipt.movements, denomination, now),
            closed: receipt.closed.map(|closed| closed.to_string()),
            text: words::receipt::ending(receipt, denomination),
            note: words::receipt::NO_INVOICE.to_owned(),
        })
    }
}

fn mint(asset: Asset) -> Option<String> {
    match asset {
        Asset::Sol => None,
        Asset::Token { mint, .. } => Some(mint.to_string()),
    }
}

/// What moved in the escrow at this address with these terms, as seen at the chain's present time `now`.
pub fn movements<'a>(
    escrow: &Pubkey,
    terms: &Terms,
    moved: impl IntoIterator<Item = &'a receipt::Movement>,
    denomination: &Denomination,
    now: i64,
) -> Vec<Movement> {
    let movement = |one: &receipt::Movement| {
        let role = match one.direction {
            receipt::Direction::In => due::Role::Buyer,
            receipt::Direction::Out(recipient) => due::role_of(recipient),
        };
        Movement {
            escrow: escrow.to_string(),
            role: role.into(),
            paid_in: one.direction == receipt::Direction::In,
            address: one.address.to_string(),
            counterparty: if role == due::Role::Buyer { terms.seller } else { terms.buyer }.to_string(),
            mint: mint(asset_of(terms)),
            amount: denomination.amount(one.units).into(),
            time: words::Time::new(one.time, now).into(),
            slot: one.slot.to_string(),
            signature: one.signature.to_string(),
        }
    };
    moved.into_iter().map(movement).collect()
}

impl Movement {
    /// The columns of a table of movements.
    pub const COLUMNS: [&'static str; 12] = [
        "time",
        "escrow",
        "role",
        "direction",
        "amount",
        "asset",
        "base_units",
        "decimals",
        "address",
        "counterparty",
        "slot",
        "signature",
    ];

    /// The row in it. Nothing in it needs quotes: it is addresses, numbers and words.
    pub fn row(&self) -> [String; 12] {
        let Amount { units, decimals, .. } = &self.amount;
        let digits = match (units.parse(), decimals) {
            (Ok(units), Some(decimals)) => format_amount(units, *decimals),
            _ => String::new(),
        };
        [
            self.time.time.clone(),
            self.escrow.clone(),
            self.role.to_string(),
            self.direction().to_owned(),
            digits,
            self.mint.clone().unwrap_or_else(|| "SOL".to_owned()),
            units.clone(),
            decimals.map(|decimals| decimals.to_string()).unwrap_or_default(),
            self.address.clone(),
            self.counterparty.clone(),
            self.slot.clone(),
            self.signature.clone(),
        ]
    }

    /// As the one at `address` would say it.
    pub const fn direction(&self) -> &'static str {
        if self.paid_in { "paid" } else { "received" }
    }
}

impl From<receipt::Reason> for Reason {
    fn from(reason: receipt::Reason) -> Self {
        match reason {
            receipt::Reason::Released => Self::Released,
            receipt::Reason::Claimed => Self::Claimed,
            receipt::Reason::Refunded => Self::Refunded,
            receipt::Reason::Ruled => Self::Ruled,
            receipt::Reason::Agreed => Self::Agreed,
            receipt::Reason::Undelivered => Self::Undelivered,
            receipt::Reason::Unanswered => Self::Unanswered,
            receipt::Reason::Unruled => Self::Unruled,
            receipt::Reason::Cancelled => Self::Cancelled,
        }
    }
}
