//! Clusters, amounts, times and roles.

use std::fmt::{self, Display, Formatter};

use escrow::state::{MilestoneStatus, Moved, Recipient};
use serde::{Deserialize, Serialize};
use solana_commitment_config::CommitmentLevel;
use solana_pubkey::Pubkey;

use crate::{
    chain,
    explain::Actor,
    words::{self, Denomination},
};

/// An amount: exactly, and as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Amount {
    /// In the asset's smallest unit.
    pub units: String,
    /// Digits behind the decimal point; none where the token's mint does not tell.
    pub decimals: Option<u8>,
    /// For people: `1.5 SOL`.
    pub text: String,
}

impl From<words::Amount> for Amount {
    fn from(amount: words::Amount) -> Self {
        Self { units: amount.units.to_string(), decimals: amount.decimals, text: amount.to_string() }
    }
}

/// The cluster that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Cluster {
    /// `mainnet-beta`, `devnet`, `testnet` or `private`: by the genesis, not by the node's name.
    pub name: String,
    /// The genesis hash, in base58, of a private one.
    pub genesis: Option<String>,
    /// Whether its money is worth something.
    pub real: bool,
    /// The node, without what may be a secret in its URL.
    pub url: String,
    /// How final what was read is: `processed`, `confirmed` or `finalized`.
    pub commitment: String,
    /// The program.
    pub program: String,
}

impl Cluster {
    /// `cluster` as the node at `url` tells of it, read at this commitment.
    pub fn new(cluster: chain::Cluster, url: String, commitment: CommitmentLevel) -> Self {
        Self {
            name: cluster.name().to_owned(),
            genesis: match cluster {
                chain::Cluster::Private { genesis } => Some(Pubkey::new_from_array(genesis).to_string()),
                _ => None,
            },
            real: cluster.is_real(),
            url,
            commitment: commitment.to_string(),
            program: escrow::ID.to_string(),
        }
    }
}

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Time {
    /// Unix seconds.
    pub unix: i64,
    /// RFC 3339, in UTC.
    pub time: String,
    /// Seconds from the chain's present time; negative in the past.
    pub seconds_from_now: i64,
}

impl From<words::Time> for Time {
    fn from(time: words::Time) -> Self {
        Self { unix: time.unix, time: time.rfc3339(), seconds_from_now: time.seconds_from_now }
    }
}

/// What somebody is in an escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Who pays in.
    Buyer,
    /// Who delivers and is paid.
    Seller,
    /// Who rules on disputes.
    Arbiter,
    /// Who delivers in the seller's place.
    Attester,
    /// Who is paid the fee.
    FeeRecipient,
    /// Who paid the account's rent, and gets it back.
    RentPayer,
    /// Buyer, seller or rent payer.
    AnyParty,
    /// Whoever knows the secret of the hash-lock.
    SecretHolder,
    /// Anyone at all.
    Anyone,
}

impl Display for Role {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buyer => "buyer",
            Self::Seller => "seller",
            Self::Arbiter => "arbiter",
            Self::Attester => "attester",
            Self::FeeRecipient => "fee recipient",
            Self::RentPayer => "rent payer",
            Self::AnyParty => "parties",
            Self::SecretHolder => "secret holder",
            Self::Anyone => "anyone",
        })
    }
}

impl From<Actor> for Role {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::Buyer => Self::Buyer,
            Actor::Seller => Self::Seller,
            Actor::Arbiter => Self::Arbiter,
            Actor::Attester => Self::Attester,
            Actor::AnyParty => Self::AnyParty,
            Actor::SecretHolder => Self::SecretHolder,
            Actor::Anyone => Self::Anyone,
        }
    }
}

impl From<Recipient> for Role {
    fn from(recipient: Recipient) -> Self {
        match recipient {
            Recipient::Buyer => Self::Buyer,
            Recipient::Seller => Self::Seller,
            Recipient::Fee => Self::FeeRecipient,
            Recipient::Arbiter => Self::Arbiter,
        }
    }
}

/// How a milestone stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Not delivered yet.
    Pending,
    /// Delivered; the buyer may review it.
    Delivered,
    /// Disputed; the arbiter may rule.
    Disputed,
    /// Decided.
    Settled,
}

impl Display for Progress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Disputed => "disputed",
            Self::Settled => "settled",
        })
    }
}

impl From<MilestoneStatus> for Progress {
    fn from(status: MilestoneStatus) -> Self {
        match status {
            MilestoneStatus::Pending => Self::Pending,
            MilestoneStatus::Delivered => Self::Delivered,
            MilestoneStatus::Disputed => Self::Disputed,
            MilestoneStatus::Settled => Self::Settled,
        }
    }
}

/// What everybody gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Shares {
    /// The seller, after the fee.
    pub seller: Amount,
    /// The fee recipient.
    pub fee_recipient: Amount,
    /// The buyer.
    pub buyer: Amount,
    /// The arbiter.
    pub arbiter: Amount,
}

impl Shares {
    pub(super) fn new(moved: &Moved, denomination: &Denomination) -> Self {
        let amount = |units| denomination.amount(units).into();
        let Moved { seller, fee, buyer, arbiter } = *moved;
        Self { seller: amount(seller), fee_recipient: amount(fee), buyer: amount(buyer), arbiter: amount(arbiter) }
    }
}
