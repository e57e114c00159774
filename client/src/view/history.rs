//! What happened to an escrow.

use serde::{Deserialize, Serialize};

use super::{Amount, Cluster, Shares, Time, VERSION};
use crate::{
    Action, EscrowInstruction,
    history::{self, Completeness, Step},
    terms::Asset,
    words::{
        self, Denomination, Tense, name,
        sentence::{Known, Teller},
    },
};

/// Everything that happened to an escrow, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct History {
    /// The version of this view.
    pub version: u32,
    /// Where it was read; none where it was not read from a node.
    pub cluster: Option<Cluster>,
    /// The escrow's address.
    pub escrow: String,
    /// Whether this is all of its life, and the account stands as it says.
    pub complete: bool,
    /// What is missing in it, for people; none where it is complete.
    pub missing: Option<String>,
    /// The token's mint; none for SOL.
    pub mint: Option<String>,
    /// Why amounts are in base units; none where the decimals are known.
    pub decimals_unknown: Option<String>,
    /// What happened.
    pub entries: Vec<Entry>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Entry {
    /// The transaction.
    pub signature: String,
    /// When it was executed.
    pub slot: String,
    /// When that was, if the node knows.
    pub time: Option<Time>,
    /// The instruction.
    pub action: String,
    /// Who signed for it; none where nobody has to.
    pub actor: Option<String>,
    /// The milestone's number, counted from 1.
    pub milestone: Option<u8>,
    /// What was paid in.
    pub paid_in: Option<Amount>,
    /// What was decided, and for whom; or paid out.
    pub shares: Option<Shares>,
    /// The deadline that the milestone got by it.
    pub deadline: Option<Time>,
    /// The hash of the evidence, the reason or the rationale that was given, in hexadecimal.
    pub hash: Option<String>,
    /// The secret that claimed the milestone, in hexadecimal: public from then on.
    pub secret: Option<String>,
    /// The same in words.
    pub text: String,
}

impl History {
    /// `history` as seen at the chain's present time `now`.
    pub fn new(history: &history::History, denomination: &Denomination, now: i64) -> Self {
        let teller = Teller { denomination, now };
        Self {
            version: VERSION,
            cluster: None,
            escrow: history.escrow.to_string(),
            complete: history.completeness == Completeness::Whole && history.unreadable.is_empty(),
            missing: words::history::missing(history, now),
            mint: match denomination.asset {
                Asset::Sol => None,
                Asset::Token { mint, .. } => Some(mint.to_string()),
            },
            decimals_unknown: denomination.unknown_because(),
            entries: history.steps.iter().map(|step| Entry::new(step, teller)).collect(),
        }
    }
}

impl Entry {
    pub(crate) fn new(step: &Step, teller: Teller<'_>) -> Self {
        let Step { entry, before, replayed, event } = step;
        let history::Entry { signature, slot, time, action, events: _ } = entry;
        let known = match (before, replayed) {
            (Some(before), Some(preview)) => Known::previewed(action, before, preview),
            _ => Known::logged(action, before.as_ref(), event.as_ref()),
        };
        let time_at = |unix| Time::from(words::Time::new(unix, teller.now));
        let Action { instruction, actor, .. } = action;
        let (hash, secret) = match instruction {
            EscrowInstruction::Deliver { evidence_hash: hash, .. }
            | EscrowInstruction::Dispute { reason_hash: hash, .. }
            | EscrowInstruction::Rule { rationale_hash: hash, .. } => (Some(hash), None),
            EscrowInstruction::Claim { secret, .. } => (None, Some(hex::encode(secret))),
            _ => (None, None),
        };
        let effects = known.effects.unwrap_or_default();
        let is_timed = matches!(
            instruction,
            EscrowInstruction::Deliver { .. } | EscrowInstruction::Dispute { .. } | EscrowInstruction::Accept { .. }
        );
        Self {
            signature: signature.to_string(),
            slot: slot.to_string(),
            time: time.map(time_at),
            action: instruction.name().to_owned(),
            actor: actor.map(|actor| actor.to_string()),
            milestone: instruction.milestone().map(name::number),
            paid_in: (effects.paid_in > 0).then(|| teller.denomination.amount(effects.paid_in).into()),
            shares: effects.moved().map(|moved| Shares::new(&moved, teller.denomination)),
            deadline: known.deadline.filter(|_| is_timed).map(time_at),
            hash: hash.filter(|hash| **hash != [0; 32]).map(hex::encode),
            secret,
            text: teller.action(action, known).told(Tense::Past),
        }
    }
}
