//! An escrow as it stands, and what may happen next.

use std::fmt::{self, Display, Formatter};

use base64::{Engine, prelude::BASE64_STANDARD};
use escrow::state::{Milestone as State, MilestoneStatus, RISKS, Recipient, is_named};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;

use super::{Amount, Cluster, Course, Progress, Role, Shares, Time, VERSION};
use crate::{
    EscrowAccount, EscrowError,
    ending::{self, Outcome, endings, silence},
    explain::{Possibility, possibilities},
    warning::warnings_of,
    words::{self, Denomination, Tense, name, sentence::Teller, warning::told},
};

/// An escrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Escrow {
    /// The version of this view.
    pub version: u32,
    /// Where it was read; none where it was not read from a node.
    pub cluster: Option<Cluster>,
    /// Its address, which follows from its terms.
    pub address: String,
    /// How it stands as a whole.
    pub status: Status,
    /// Who pays in.
    pub buyer: String,
    /// Who delivers and is paid.
    pub seller: String,
    /// Who rules on disputes; none: nobody can.
    pub arbiter: Option<String>,
    /// Who delivers in the seller's place.
    pub attester: Option<String>,
    /// Who is paid the fee.
    pub fee_recipient: Option<String>,
    /// Who paid the account's rent, and gets it back.
    pub rent_payer: String,
    /// The token's mint; none for SOL.
    pub mint: Option<String>,
    /// The token's program, SPL Token or Token-2022; none for SOL.
    pub token_program: Option<String>,
    /// Why amounts are in base units; none where the decimals are known.
    pub decimals_unknown: Option<String>,
    /// The powers of the token's issuer that the parties accepted.
    pub accepted_risks: Vec<String>,
    /// The sum of the milestones.
    pub principal: Amount,
    /// The fee on what is released, in basis points.
    pub fee_bps: u16,
    /// The arbiter's fee on what a ruling decides, in basis points.
    pub arbiter_fee_bps: u16,
    /// It must be funded before.
    pub fund_by: Time,
    /// When it was funded.
    pub funded_at: Option<Time>,
    /// How long after the funding the buyer may cancel, in seconds.
    pub cooling_off_seconds: u32,
    /// When that ends; none before the funding, and where there is no cooling-off period.
    pub cooling_off_end: Option<Time>,
    /// How long a dispute may stay open, in seconds.
    pub ruling_window_seconds: u32,
    /// The seller's share where nothing is delivered in time, in basis points.
    pub undelivered_bps: u16,
    /// The seller's share where the buyer does not answer a delivery in time, in basis points.
    pub unanswered_bps: u16,
    /// The seller's share where nobody rules on a dispute in time, in basis points.
    pub unruled_bps: u16,
    /// sha256 of the secret that claims the milestone, in hexadecimal.
    pub hashlock: Option<String>,
    /// sha256 of the written agreement, in hexadecimal.
    pub document_hash: Option<String>,
    /// The hash of all terms, in hexadecimal.
    pub terms_hash: String,
    /// Decided in the seller's favour so far, with the fee.
    pub released: Amount,
    /// Decided in the buyer's favour so far.
    pub refunded: Amount,
    /// The part of `released` that is the fee recipient's.
    pub fees: Amount,
    /// Decided in the arbiter's favour so far.
    pub arbiter_fees: Amount,
    /// What is decided and waits to be paid out.
    pub due: Vec<Due>,
    /// The milestones.
    pub milestones: Vec<Milestone>,
    /// What may happen now or later, by whom and until when, if nothing else happens before.
    pub next: Vec<Next>,
    /// What is missing in the milestones' courses, for people; none where they are whole, and where they were not asked for.
    pub history_missing: Option<String>,
    /// Where it stands, in one sentence.
    pub standing: String,
    /// The steps of its life: funded, delivered, decided, paid out.
    pub timeline: Vec<Step>,
    /// Whose the principal is: what is open, and what is decided for each. It adds up to the principal.
    pub money: Vec<Share>,
    /// What happens if nobody does anything any more; none where nothing is open.
    pub silence: Option<String>,
    /// The ways in which what is open can end, and what everybody would get.
    pub endings: Vec<Ending>,
    /// What could go against somebody in its terms, in words, the worst first.
    pub warnings: Vec<String>,
    /// The account as it stands, in base64: with it anyone can check all of this, or go on without a node.
    pub account: String,
}

/// A step in an escrow's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Step {
    /// `funded`, `delivered`, `decided` or `paid_out`.
    pub step: String,
    /// Whether it is done.
    pub done: bool,
    /// Of how many milestones it is done, for those steps that each milestone takes.
    pub milestones: Option<u8>,
    /// When it was done, or until when it can be; none where that is not known.
    pub time: Option<Time>,
}

/// A part of the principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Share {
    /// Whose it is; none: it is undecided.
    pub of: Option<Role>,
    /// How much.
    pub amount: Amount,
    /// What of it waits to be paid out.
    pub waiting: Amount,
}

/// A way in which a deal can end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Ending {
    /// Which: `released`, `claimed`, `unanswered`, `unruled`, `ruled_for_buyer`, `ruled_for_seller`, `refunded` or `silence`.
    pub ending: String,
    /// The same in words.
    pub text: String,
    /// What everybody would get of what is open.
    pub shares: Shares,
}

/// How an escrow stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing is paid in.
    Created,
    /// The principal is paid in, and some of it undecided.
    Funded,
    /// Every milestone is decided.
    Settled,
}

impl From<&EscrowAccount> for Status {
    fn from(escrow: &EscrowAccount) -> Self {
        match (escrow.is_funded(), escrow.is_settled()) {
            (false, _) => Self::Created,
            (true, false) => Self::Funded,
            (true, true) => Self::Settled,
        }
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Funded => "funded",
            Self::Settled => "settled",
        })
    }
}

/// What waits to be paid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Due {
    /// To whom.
    pub recipient: Role,
    /// Their address.
    pub address: String,
    /// How much.
    pub amount: Amount,
}

/// A milestone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Milestone {
    /// Counted from 1.
    pub number: u8,
    /// How it stands.
    pub status: Progress,
    /// What it is about.
    pub amount: Amount,
    /// What of it is undecided.
    pub remaining: Amount,
    /// The present deadline: for delivery, review or a ruling. None where it is settled.
    pub deadline: Option<Time>,
    /// How long the buyer may review a delivery, in seconds.
    pub review_window_seconds: u32,
    /// The seller's share if the deadline passes, in basis points.
    pub default_seller_bps: Option<u16>,
    /// The same in words, with the amounts.
    pub silence: Option<String>,
    /// How it went; none where that was not asked for.
    pub course: Option<Course>,
}

/// Something that may happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Next {
    /// The instruction.
    pub action: String,
    /// Who may do it.
    pub by: Role,
    /// The milestone's number, counted from 1.
    pub milestone: Option<u8>,
    /// From when; none where it is possible at present.
    pub from: Option<Time>,
    /// Until when; none where that is open.
    pub until: Option<Time>,
    /// The same in words.
    pub text: String,
    /// What everybody would get.
    pub shares: Option<Shares>,
}

impl Escrow {
    /// `escrow` at the chain's present time `now`.
    ///
    /// # Errors
    ///
    /// None for an account that was decoded: what could be wrong was checked then.
    pub fn new(escrow: &EscrowAccount, denomination: &Denomination, now: i64) -> Result<Self, EscrowError> {
        let EscrowAccount { address, lamports: _, state, milestones } = escrow;
        let named = |address: &Pubkey| is_named(address).then(|| address.to_string());
        let hash = |hash: &[u8; 32]| (*hash != [0; 32]).then(|| hex::encode(hash));
        let amount = |units| Amount::from(denomination.amount(units));
        let time = |unix| Time::from(words::Time::new(unix, now));
        let teller = Teller { denomination, now };
        let funded = escrow.is_funded();
        Ok(Self {
            version: VERSION,
            cluster: None,
            address: address.to_string(),
            status: escrow.into(),
            buyer: state.buyer.to_string(),
            seller: state.seller.to_string(),
            arbiter: named(&state.arbiter),
            attester: named(&state.attester),
            fee_recipient: named(&state.fee_recipient),
            rent_payer: state.rent_payer.to_string(),
            mint: named(&state.mint),
            token_program: named(&state.token_program),
            decimals_unknown: denomination.unknown_because(),
            accepted_risks: risk_names(state.accepted_risks),
            principal: amount(state.ledger.principal),
            fee_bps: state.fee_bps,
            arbiter_fee_bps: state.arbiter_fee_bps,
            fund_by: time(state.fund_by),
            funded_at: funded.then(|| time(state.funded_at)),
            cooling_off_seconds: state.cooling_off,
            cooling_off_end: match funded && state.cooling_off > 0 {
                true => Some(time(state.cooling_off_end()?)),
                false => None,
            },
            ruling_window_seconds: state.ruling_window,
            undelivered_bps: state.undelivered_bps,
            unanswered_bps: state.unanswered_bps,
            unruled_bps: state.unruled_bps,
            hashlock: hash(&state.hashlock),
            document_hash: hash(&state.document_hash),
            terms_hash: hex::encode(state.terms_hash),
            released: amount(state.ledger.released),
            refunded: amount(state.ledger.refunded),
            fees: amount(state.ledger.fees),
            arbiter_fees: amount(state.ledger.arbiter_fees),
            due: escrow
                .due()
                .map(|(recipient, units)| Due {
                    recipient: recipient.into(),
                    address: state.recipient(recipient).to_string(),
                    amount: amount(units),
                })
                .collect(),
            milestones: (0..)
                .zip(milestones)
                .map(|(index, milestone)| Milestone::new(escrow, index, milestone, teller))
                .collect::<Result<_, _>>()?,
            next: possibilities(escrow, now).iter().map(|possible| Next::new(escrow, possible, teller)).collect(),
            history_missing: None,
            standing: teller.standing(escrow),
            timeline: timeline(escrow, now),
            money: money(escrow, denomination),
            silence: silence(escrow, now).map(|outcome| teller.if_nobody_acts(&outcome, funded)),
            endings: endings(escrow, now).iter().map(|outcome| Ending::new(escrow, outcome, denomination)).collect(),
            warnings: warnings_of(escrow, now).iter().map(told).collect(),
            account: BASE64_STANDARD.encode(escrow.encode()),
        })
    }
}

/// The steps of an escrow's life.
fn timeline(escrow: &EscrowAccount, now: i64) -> Vec<Step> {
    let EscrowAccount { state, milestones, .. } = escrow;
    let time = |unix| Some(Time::from(words::Time::new(unix, now)));
    let funded = escrow.is_funded();
    let count = |is: fn(&State) -> bool| {
        let count = milestones.iter().filter(|milestone| is(milestone)).count();
        u8::try_from(count).unwrap_or(u8::MAX)
    };
    let delivered = count(|milestone| milestone.status() != Ok(MilestoneStatus::Pending));
    let decided = count(State::is_settled);
    let all = u8::try_from(milestones.len()).unwrap_or(u8::MAX);
    let next =
        |is: fn(&State) -> bool| milestones.iter().filter(|milestone| is(milestone)).map(|open| open.deadline).min();
    let deadline = |is| if funded { next(is).and_then(time) } else { None };
    vec![
        Step {
            step: "funded".to_owned(),
            done: funded,
            milestones: None,
            time: time(if funded { state.funded_at } else { state.fund_by }),
        },
        Step {
            step: "delivered".to_owned(),
            done: funded && delivered == all,
            milestones: Some(delivered),
            time: deadline(|milestone| milestone.status() == Ok(MilestoneStatus::Pending)),
        },
        Step {
            step: "decided".to_owned(),
            done: escrow.is_settled(),
            milestones: Some(decided),
            time: deadline(|milestone| {
                matches!(milestone.status(), Ok(MilestoneStatus::Delivered | MilestoneStatus::Disputed))
            }),
        },
        Step {
            step: "paid_out".to_owned(),
            done: escrow.is_settled() && escrow.due().next().is_none(),
            milestones: None,
            time: None,
        },
    ]
}

/// Whose the principal is, leaving out those who have nothing of it.
fn money(escrow: &EscrowAccount, denomination: &Denomination) -> Vec<Share> {
    let ledger = &escrow.state.ledger;
    let open = escrow.milestones.iter().fold(0u64, |sum, milestone| sum.saturating_add(milestone.remaining));
    let share = |of: Option<Recipient>, units: u64| Share {
        of: of.map(Role::from),
        amount: denomination.amount(units).into(),
        waiting: denomination.amount(of.map_or(0, |of| ledger.due(of))).into(),
    };
    let all = [
        (None, open),
        (Some(Recipient::Seller), ledger.released.saturating_sub(ledger.fees)),
        (Some(Recipient::Fee), ledger.fees),
        (Some(Recipient::Buyer), ledger.refunded),
        (Some(Recipient::Arbiter), ledger.arbiter_fees),
    ];
    all.into_iter().filter(|(_, units)| *units > 0).map(|(of, units)| share(of, units)).collect()
}

impl Escrow {
    /// The escrow that it tells of, proved by its own account: none where that is not one.
    pub fn decode(&self) -> Option<EscrowAccount> {
        EscrowAccount::decode_data(&BASE64_STANDARD.decode(&self.account).ok()?).ok()
    }
}

impl Ending {
    fn new(escrow: &EscrowAccount, outcome: &Outcome, denomination: &Denomination) -> Self {
        let Outcome { ending, moved, .. } = outcome;
        let word = match ending {
            ending::Ending::Silence => "silence",
            ending::Ending::Released => "released",
            ending::Ending::Unanswered => "unanswered",
            ending::Ending::Unruled => "unruled",
            ending::Ending::RuledForBuyer => "ruled_for_buyer",
            ending::Ending::RuledForSeller => "ruled_for_seller",
            ending::Ending::Refunded => "refunded",
            ending::Ending::Claimed => "claimed",
        };
        Self {
            ending: word.to_owned(),
            text: words::ending::name(*ending, escrow).to_owned(),
            shares: Shares::new(moved, denomination),
        }
    }
}

impl Milestone {
    fn new(escrow: &EscrowAccount, index: u8, milestone: &State, teller: Teller<'_>) -> Result<Self, EscrowError> {
        let amount = |units| teller.denomination.amount(units).into();
        let status = milestone.status()?;
        Ok(Self {
            number: name::number(index),
            status: status.into(),
            amount: amount(milestone.amount),
            remaining: amount(milestone.remaining),
            deadline: (!milestone.is_settled()).then(|| words::Time::new(milestone.deadline, teller.now).into()),
            review_window_seconds: milestone.review_window,
            default_seller_bps: escrow.state.default_bps(status).ok(),
            silence: teller.silence(escrow, index),
            course: None,
        })
    }
}

impl Next {
    fn new(escrow: &EscrowAccount, possibility: &Possibility, teller: Teller<'_>) -> Self {
        let Possibility { action, actor, from, until, effects } = possibility;
        let now = teller.now;
        let moved = effects.moved();
        Self {
            action: action.instruction.name().to_owned(),
            by: (*actor).into(),
            milestone: action.instruction.milestone().map(name::number),
            from: (!possibility.is_open(now)).then(|| words::Time::new(*from, now).into()),
            until: until.map(|until| words::Time::new(until, now).into()),
            text: teller.possibility(escrow, possibility).told(Tense::Possible),
            shares: moved.map(|moved| Shares::new(&moved, teller.denomination)),
        }
    }
}

/// The names of the powers behind these bits.
pub fn risk_names(bits: u16) -> Vec<String> {
    RISKS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).to_owned()).collect()
}
