//! One sentence for an action, whoever tells it: who, what, of how much, and what follows.

use escrow::state::{Escrow, MilestoneStatus, Moved, Proposal, Recipient, is_named};
use solana_pubkey::Pubkey;

use super::{Denomination, Time, name};
use crate::{
    Action, Effects, EscrowAccount, EscrowInstruction, Preview,
    event::EscrowEvent,
    explain::{Actor, Possibility},
};

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tense {
    /// It was done: "The buyer released …".
    Past,
    /// It is about to be done: "The buyer releases …".
    Present,
    /// It could be done: "The buyer may release …".
    Possible,
}

/// A verb in its forms: "release", "releases", "released".
type Verb = [&'static str; 3];

/// What an action is, for people. [`told`](Self::told) makes one sentence of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    who: String,
    verb: Verb,
    what: String,
    /// What follows from it, and is not certain as long as it is only possible.
    then: Option<String>,
}

impl Sentence {
    /// The sentence, with its full stop.
    pub fn told(&self, tense: Tense) -> String {
        let Self { who, verb: [base, present, past], what, then } = self;
        let (verb, then) = match tense {
            Tense::Past => ((*past).to_owned(), then.as_deref()),
            Tense::Present => ((*present).to_owned(), then.as_deref()),
            Tense::Possible => (format!("may {base}"), None),
        };
        let then = then.map_or_else(String::new, |then| format!("; {then}"));
        match who.as_str() {
            // Nobody in particular.
            "" => format!(
                "{}{} {what}{then}.",
                verb.get(..1).unwrap_or_default().to_uppercase(),
                verb.get(1..).unwrap_or_default()
            ),
            who => format!("{who} {verb} {what}{then}."),
        }
    }
}

/// What is known of an action besides itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The escrow before it.
    pub before: Option<&'a EscrowAccount>,
    /// What it moves.
    pub effects: Option<Effects>,
    /// The deadline that the milestone has after it, in unix seconds.
    pub deadline: Option<i64>,
}

impl<'a> Known<'a> {
    /// All of it.
    pub fn previewed(action: &Action, before: &'a EscrowAccount, preview: &Preview) -> Self {
        let index = action.instruction.milestone();
        let after = || preview.after.as_ref()?.milestone(index?).ok();
        Self { before: Some(before), effects: Some(preview.effects), deadline: after().map(|after| after.deadline) }
    }

    /// What the program logged of it.
    pub fn logged(action: &Action, before: Option<&'a EscrowAccount>, event: Option<&EscrowEvent>) -> Self {
        let effects = event.map(|event| event.effects(&action.instruction));
        Self { before, effects, deadline: event.and_then(EscrowEvent::deadline) }
    }
}

/// Tells actions: in an asset's unit, at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Teller<'a> {
    /// How amounts are written.
    pub denomination: &'a Denomination,
    /// The chain's present time, in unix seconds.
    pub now: i64,
}

impl Teller<'_> {
    /// An action, with as much as is known of it.
    pub fn action(&self, action: &Action, known: Known<'_>) -> Sentence {
        let before = known.before;
        let who = match &action.actor {
            None => String::new(),
            Some(actor) => subject(actor, &action.instruction, before.map(|before| &before.state)),
        };
        self.sentence(who, action, known)
    }

    /// What may happen, by whoever may do it.
    pub fn possibility(&self, escrow: &EscrowAccount, possibility: &Possibility) -> Sentence {
        let Possibility { action, actor, effects, .. } = possibility;
        let known = Known { before: Some(escrow), effects: Some(*effects), deadline: None };
        let mut sentence = self.sentence(name::actor(*actor).to_owned(), action, known);
        match (&action.instruction, actor) {
            // The one that is tried takes all of it.
            (EscrowInstruction::Release { .. } | EscrowInstruction::Refund { .. }, _) => {
                sentence.what = format!("all or part of {}", sentence.what);
            }
            // Many ways lie between the two that are tried.
            (EscrowInstruction::Rule { milestone, seller_bps, .. }, Actor::Arbiter) => {
                let whom = if *seller_bps == 0 { "buyer" } else { "seller" };
                let shares = self.shares(&effects.decided);
                sentence.what = format!("on milestone {}. Entirely for the {whom}: {shares}", name::number(*milestone));
            }
            _ => {}
        }
        sentence
    }

    fn sentence(&self, who: String, action: &Action, known: Known<'_>) -> Sentence {
        let Known { before, effects, deadline } = known;
        let amount = |units| self.denomination.amount(units);
        let time = |unix| Time::new(unix, self.now);
        let moved = effects.map(|effects| effects.decided);
        let shares = || moved.map_or_else(String::new, |moved| self.behind_an_amount(&moved));
        let number = action.instruction.milestone().map_or(0, name::number);
        let rent_back = || before.map(|before| format!("its rent goes back to {}", before.state.rent_payer));
        // The instruction's own name, in its other forms.
        let own = |present, past| [action.instruction.name(), present, past];
        let (verb, what, then): (Verb, String, Option<String>) = match &action.instruction {
            EscrowInstruction::Create { terms } => (
                own("creates", "created"),
                format!(
                    "the escrow: {} from {} to {}",
                    amount(terms.principal().unwrap_or(0)),
                    terms.buyer,
                    terms.seller
                ),
                Some(format!("it can be funded until {}", time(terms.fund_by))),
            ),
            EscrowInstruction::Fund => {
                let paid =
                    effects.map_or_else(|| "the principal".to_owned(), |effects| amount(effects.paid_in).to_string());
                (["pay", "pays", "paid"], format!("{paid} into the escrow"), None)
            }
            EscrowInstruction::Cancel => match before.map(EscrowAccount::is_funded) {
                Some(false) => {
                    (own("cancels", "cancelled"), "the escrow, into which nothing was paid".to_owned(), rent_back())
                }
                Some(true) => (
                    own("cancels", "cancelled"),
                    format!("the escrow: {}", self.shares(&moved.unwrap_or_default())),
                    None,
                ),
                None => (own("cancels", "cancelled"), format!("the escrow{}", shares()), None),
            },
            EscrowInstruction::Deliver { evidence_hash, .. } => (
                ["mark", "marks", "marked"],
                format!("milestone {number} as delivered{}", hash("evidence", evidence_hash)),
                deadline.map(|deadline| format!("the buyer can dispute it until {}", time(deadline))),
            ),
            EscrowInstruction::Claim { .. } => {
                (own("claims", "claimed"), format!("milestone {number} with the secret{}", shares()), None)
            }
            EscrowInstruction::Release { amount: units, .. } => {
                let whom = moved.map_or_else(|| " to the seller".to_owned(), |moved| self.behind_an_amount(&moved));
                (own("releases", "released"), format!("{} of milestone {number}{whom}", amount(*units)), None)
            }
            EscrowInstruction::Refund { amount: units, .. } => {
                let what = format!("{} of milestone {number} to the buyer", amount(*units));
                (own("refunds", "refunded"), what, None)
            }
            EscrowInstruction::Dispute { reason_hash, .. } => {
                let arbiter = before.is_some_and(|before| is_named(&before.state.arbiter));
                let who = if arbiter { "the arbiter can rule, or both can settle," } else { "both can settle" };
                (
                    own("disputes", "disputed"),
                    format!("milestone {number}{}", hash("reason", reason_hash)),
                    deadline.map(|deadline| format!("{who} until {}", time(deadline))),
                )
            }
            EscrowInstruction::Rule { seller_bps, rationale_hash, .. } => {
                let rationale = hash("rationale", rationale_hash);
                let share = name::percent(*seller_bps);
                let shares = moved.map_or_else(String::new, |moved| format!(": {}", self.shares(&moved)));
                (
                    own("rules", "ruled"),
                    format!("on milestone {number}, {share} for the seller{rationale}{shares}"),
                    None,
                )
            }
            EscrowInstruction::Propose { proposal: Proposal::Withdrawn } => {
                (["withdraw", "withdraws", "withdrew"], "the proposal".to_owned(), None)
            }
            EscrowInstruction::Propose { proposal } => (
                own("proposes", "proposed"),
                self.proposal(proposal),
                expiry(proposal).map(|expiry| format!("the other party can accept until {}", time(expiry))),
            ),
            EscrowInstruction::Accept { proposal } => {
                (own("accepts", "accepted"), format!("the proposal {}", self.proposal(proposal)), None)
            }
            EscrowInstruction::Expire { .. } => (
                ["apply", "applies", "applied"],
                format!(
                    "the agreed default to milestone {number}{}",
                    moved.map_or_else(String::new, |moved| format!(": {}", self.shares(&moved)))
                ),
                None,
            ),
            EscrowInstruction::Withdraw { recipient } => {
                let recipient_name = name::recipient(*recipient);
                let due = match effects.and_then(|effects| effects.paid_out) {
                    Some((_, units)) => format!("the {} due", amount(units)),
                    None => "what was due".to_owned(),
                };
                (["send", "sends", "sent"], format!("the {recipient_name} {due}"), None)
            }
            EscrowInstruction::Close => (own("closes", "closed"), "the escrow".to_owned(), rent_back()),
        };
        Sentence { who, verb, what, then }
    }

    /// Who gets how much, leaving out those who get nothing: `1.4 SOL for the seller, 0.1 SOL for the fee recipient`.
    pub fn shares(&self, moved: &Moved) -> String {
        let texts: Vec<String> = parts(moved)
            .map(|(units, who)| format!("{} for the {}", self.denomination.amount(units), name::recipient(who)))
            .collect();
        if texts.is_empty() { "nothing for anybody".to_owned() } else { texts.join(", ") }
    }

    /// The same behind an amount that is named already: ` to the seller`, if all of it is the seller's.
    fn behind_an_amount(&self, moved: &Moved) -> String {
        let mut parts = parts(moved);
        match (parts.next(), parts.next()) {
            (None, _) => String::new(),
            (Some((_, only)), None) => format!(" to the {}", name::recipient(only)),
            _ => format!(": {}", self.shares(moved)),
        }
    }

    /// What a proposal would do, behind "propose": `to settle milestone 1: …`.
    pub fn proposal(&self, proposal: &Proposal) -> String {
        let amount = |units| self.denomination.amount(units);
        match *proposal {
            Proposal::Withdrawn => "nothing".to_owned(),
            Proposal::Split { milestone, remaining, to_seller, .. } => format!(
                "to settle milestone {}: {} for the seller, minus the fee, and {} for the buyer",
                name::number(milestone),
                amount(to_seller),
                amount(remaining.saturating_sub(to_seller))
            ),
            Proposal::Extension { milestone, status, deadline, .. } => format!(
                "to move milestone {}'s {} to {}",
                name::number(milestone),
                name::deadline(status),
                Time::new(deadline, self.now)
            ),
        }
    }

    /// What happens to a milestone if nobody does anything: when, and who gets what is undecided. None where it is settled
    /// or nothing is paid in.
    pub fn silence(&self, escrow: &EscrowAccount, milestone: u8) -> Option<String> {
        let found = escrow.milestone(milestone).ok().filter(|_| escrow.is_funded())?;
        let status = found.status().ok()?;
        let who = match status {
            MilestoneStatus::Pending => "nobody delivers",
            MilestoneStatus::Delivered => "the buyer does nothing",
            MilestoneStatus::Disputed => "nobody rules",
            MilestoneStatus::Settled => return None,
        };
        let decided = default_of(escrow, milestone)?;
        let (until, shares) = (Time::new(found.deadline, self.now), self.shares(&decided));
        Some(match found.deadline > self.now {
            true => format!("if {who} before {until}: {shares}"),
            false => format!("the deadline was {until}: {shares}, as soon as anyone applies the default"),
        })
    }
}

/// What the agreed default gives to whom, once the deadline of the milestone has passed; none where it is settled or nothing is
/// paid in.
pub(crate) fn default_of(escrow: &EscrowAccount, milestone: u8) -> Option<Moved> {
    let deadline = escrow.milestone(milestone).ok()?.deadline;
    let expire = Action::new(escrow, EscrowInstruction::Expire { milestone });
    Some(expire.preview(escrow, deadline).ok()?.effects.decided)
}

/// The amounts that are not 0, and whose they are.
fn parts(moved: &Moved) -> impl Iterator<Item = (u64, Recipient)> {
    let Moved { seller, fee, buyer, arbiter } = *moved;
    [(seller, Recipient::Seller), (fee, Recipient::Fee), (buyer, Recipient::Buyer), (arbiter, Recipient::Arbiter)]
        .into_iter()
        .filter(|(units, _)| *units > 0)
}

const fn expiry(proposal: &Proposal) -> Option<i64> {
    match *proposal {
        Proposal::Withdrawn => None,
        Proposal::Split { expires_at, .. } | Proposal::Extension { expires_at, .. } => Some(expires_at),
    }
}

/// `The buyer`, or the address of somebody without a role in it.
fn subject(actor: &Pubkey, instruction: &EscrowInstruction, state: Option<&Escrow>) -> String {
    // What only one may do, that one did.
    let role = match instruction {
        EscrowInstruction::Fund | EscrowInstruction::Release { .. } | EscrowInstruction::Dispute { .. } => {
            Some("buyer")
        }
        EscrowInstruction::Refund { .. } => Some("seller"),
        EscrowInstruction::Rule { .. } => Some("arbiter"),
        EscrowInstruction::Withdraw { recipient } => Some(name::recipient(*recipient)),
        EscrowInstruction::Create { terms } if terms.buyer == *actor => Some("buyer"),
        EscrowInstruction::Create { terms } if terms.seller == *actor => Some("seller"),
        _ => None,
    };
    let role = role.or_else(|| {
        let state = state?;
        match instruction {
            EscrowInstruction::Deliver { .. } if is_named(&state.attester) => Some("attester"),
            _ if *actor == state.buyer => Some("buyer"),
            _ if *actor == state.seller => Some("seller"),
            _ if *actor == state.rent_payer => Some("rent payer"),
            _ => None,
        }
    });
    role.map_or_else(|| actor.to_string(), |role| format!("The {role}"))
}

/// `, evidence 1234…`, for a hash that was given.
fn hash(name: &str, hash: &[u8; 32]) -> String {
    if *hash == [0; 32] { String::new() } else { format!(", {name} {}", hex::encode(hash)) }
}
