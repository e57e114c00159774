//! How things are shown: amounts with their unit, times with how far away they are, and an escrow as a whole.

use std::fmt::{self, Display, Formatter};

use escrow_client::{
    Action, EscrowAccount, EscrowError, EscrowInstruction, Milestone, MilestoneStatus, Mint, Proposal, Recipient,
    amount::{AmountError, format_amount, parse_amount},
    escrow::state::{EscrowStatus, Moved, RISKS, is_named},
    explain::{Actor, Possibility, possibilities},
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{context::Situation, error::Result};

/// SOL or a token, with the digits that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    pub decimals: u8,
    /// None for SOL.
    pub mint: Option<Mint>,
}

impl Asset {
    /// Reads an amount of this asset.
    pub fn parse(&self, text: &str) -> std::result::Result<u64, AmountError> {
        parse_amount(text, self.decimals)
    }

    /// `units` of this asset.
    pub fn amount(&self, units: u64) -> Amount {
        Amount {
            units: units.to_string(),
            amount: format_amount(units, self.decimals),
            unit: self.mint.map_or_else(|| "SOL".to_owned(), |mint| mint.address.to_string()),
        }
    }
}

impl Asset {
    /// Who gets how much, leaving out those who get nothing.
    pub fn shares(&self, moved: &Moved) -> String {
        let parts = [
            (moved.seller, "the seller"),
            (moved.fee, "the fee recipient"),
            (moved.buyer, "the buyer"),
            (moved.arbiter, "the arbiter"),
        ];
        let parts = parts.iter().filter(|(units, _)| *units > 0);
        let texts: Vec<_> = parts.map(|(units, who)| format!("{} for {who}", self.amount(*units))).collect();
        if texts.is_empty() { "nothing for anybody".to_owned() } else { texts.join(", ") }
    }

    /// What a proposal would do: `settle milestone 1: …`.
    pub fn proposal(&self, proposal: &Proposal, now: i64) -> String {
        match *proposal {
            Proposal::Withdrawn => "do nothing".to_owned(),
            Proposal::Split { milestone, remaining, to_seller, .. } => format!(
                "settle milestone {}: {} to the seller (before the fee), {} to the buyer",
                milestone.saturating_add(1),
                self.amount(to_seller),
                self.amount(remaining.saturating_sub(to_seller))
            ),
            Proposal::Extension { milestone, status, deadline, .. } => format!(
                "move milestone {}'s {} to {}",
                milestone.saturating_add(1),
                deadline_name(status),
                Time::new(deadline, now)
            ),
        }
    }
}

/// An amount, exactly and as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// In the asset's smallest unit. Text, because JavaScript's numbers end at 2^53.
    units: String,
    /// In the asset's unit.
    amount: String,
    /// `SOL`, or the address of the mint.
    unit: String,
}

impl Display for Amount {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // A mint's address is 44 characters: its ends tell tokens apart next to each other.
        match self.unit.as_str() {
            "SOL" => write!(f, "{} SOL", self.amount),
            mint => write!(f, "{} {}", self.amount, short(mint)),
        }
    }
}

/// The ends of an address. Never where somebody has to check it: only where the whole of it stands nearby.
fn short(address: &str) -> String {
    match (address.get(..4), address.get(address.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if address.len() > 8 => format!("{head}…{tail}"),
        _ => address.to_owned(),
    }
}

/// The numbers that a refusal is about, as a sentence; empty where the rule says it all.
pub fn detail(error: EscrowError, situation: &Situation, milestone: Option<u8>) -> String {
    let Situation { escrow, asset, now } = situation;
    let state = &escrow.state;
    let time = |unix| Time::new(unix, *now);
    let number = milestone.unwrap_or(0).saturating_add(1);
    let found = milestone.and_then(|index| escrow.milestone(index).ok());
    match (error, found) {
        (EscrowError::DeadlinePassed, Some(found)) => {
            format!("The deadline of milestone {number} was {}.", time(found.deadline))
        }
        (EscrowError::DeadlineNotReached, Some(found)) => {
            format!("The deadline of milestone {number} is {}.", time(found.deadline))
        }
        (EscrowError::AmountTooHigh | EscrowError::RemainingMismatch, Some(found)) => {
            format!("{} remains of milestone {number}.", asset.amount(found.remaining))
        }
        (
            EscrowError::MilestoneSettled
            | EscrowError::NotPending
            | EscrowError::NotDelivered
            | EscrowError::NotDisputed,
            Some(found),
        ) => found
            .status()
            .map_or_else(|_| String::new(), |status| format!("Milestone {number} is {}.", status_name(status))),
        (EscrowError::CoolingOff | EscrowError::CoolingOffOver, _) => {
            state.cooling_off_end().map_or_else(|_| String::new(), |end| format!("It ends at {}.", time(end)))
        }
        (EscrowError::FundByPassed | EscrowError::CloseTooEarly | EscrowError::NotCanceller, _) => {
            format!("fund_by is {}.", time(state.fund_by))
        }
        (EscrowError::NotFunded, _) => format!("The buyer funds it: escrow fund {}.", escrow.address),
        (EscrowError::NotSettled, _) => {
            let open = (1..).zip(&escrow.milestones).filter(|(_, milestone)| !milestone.is_settled());
            let open: Vec<String> = open.map(|(number, _): (u8, _)| number.to_string()).collect();
            format!("Open: milestone {}.", open.join(", "))
        }
        (EscrowError::NotWithdrawn, _) => format!("First: escrow withdraw {}.", escrow.address),
        (EscrowError::NotBuyer, _) => format!("The buyer is {}.", state.buyer),
        (EscrowError::NotParty, _) => format!("The buyer is {}, the seller {}.", state.buyer, state.seller),
        _ => String::new(),
    }
}

/// A moment, with its distance from the chain's present time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Time {
    /// Unix seconds.
    unix: i64,
    /// RFC 3339, in UTC.
    time: String,
    /// Seconds from the chain's present time; negative in the past.
    seconds_from_now: i64,
}

impl Time {
    pub fn new(unix: i64, now: i64) -> Self {
        let time = jiff::Timestamp::from_second(unix).map_or_else(|_| format!("{unix} s"), |time| time.to_string());
        Self { unix, time, seconds_from_now: unix.saturating_sub(now) }
    }
}

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let distance = duration(self.seconds_from_now.unsigned_abs());
        match self.seconds_from_now {
            0 => write!(f, "{} (now)", self.time),
            1.. => write!(f, "{} (in {distance})", self.time),
            _ => write!(f, "{} ({distance} ago)", self.time),
        }
    }
}

/// A duration in its two largest units: `2d 3h`.
pub fn duration(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, size) in units {
        let count = rest.checked_div(size).unwrap_or(0);
        rest = rest.checked_rem(size).unwrap_or(0);
        if count > 0 {
            parts.push(format!("{count}{name}"));
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Basis points as percent.
pub fn percent(bps: u16) -> String {
    format!("{} %", format_amount(u64::from(bps), 2))
}

/// An escrow as a person or a script wants to see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EscrowView {
    pub address: String,
    /// `created`, `funded` or `settled`.
    pub status: &'static str,
    pub buyer: String,
    pub seller: String,
    pub arbiter: Option<String>,
    pub attester: Option<String>,
    pub fee_recipient: Option<String>,
    pub rent_payer: String,
    /// The token's mint; none for SOL.
    pub mint: Option<String>,
    pub token_program: Option<String>,
    pub accepted_risks: Vec<&'static str>,
    pub principal: Amount,
    pub fee_bps: u16,
    pub arbiter_fee_bps: u16,
    pub fund_by: Time,
    pub funded_at: Option<Time>,
    pub cooling_off_seconds: u32,
    pub cooling_off_end: Option<Time>,
    pub ruling_window_seconds: u32,
    pub undelivered_bps: u16,
    pub unanswered_bps: u16,
    pub unruled_bps: u16,
    pub hashlock: Option<String>,
    pub document_hash: Option<String>,
    pub terms_hash: String,
    pub released: Amount,
    pub refunded: Amount,
    pub fees: Amount,
    pub arbiter_fees: Amount,
    pub due: Vec<Due>,
    pub milestones: Vec<MilestoneView>,
    /// What may happen now or later, by whom and until when.
    pub next: Vec<Next>,
}

/// What waits to be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Due {
    pub recipient: &'static str,
    pub address: String,
    #[serde(flatten)]
    pub amount: Amount,
}

/// A milestone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MilestoneView {
    /// Counted from 1.
    pub number: usize,
    pub status: &'static str,
    pub amount: Amount,
    pub remaining: Amount,
    pub deadline: Option<Time>,
    pub review_window_seconds: u32,
    /// What happens by itself from the deadline on: the seller's share.
    pub default_seller_bps: Option<u16>,
}

/// Something that may happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    /// The command for it.
    pub act: &'static str,
    /// Who may do it.
    pub who: &'static str,
    /// The milestone's number, counted from 1.
    pub milestone: Option<u8>,
    /// From when; none where it is possible now.
    pub from: Option<Time>,
    /// Until when; none where that is open.
    pub until: Option<Time>,
    /// The same in words.
    pub text: String,
    /// What everybody would get.
    pub outcome: Option<Outcome>,
}

/// What everybody would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub seller: Amount,
    pub fee_recipient: Amount,
    pub buyer: Amount,
    pub arbiter: Amount,
}

impl Next {
    fn new(escrow: &EscrowAccount, possibility: &Possibility, asset: &Asset, now: i64) -> Self {
        let Possibility { action: Action { instruction, .. }, actor, from, until, effects } = possibility;
        let number = instruction.milestone().map(|index| index.saturating_add(1));
        let of_milestone = number.map_or_else(String::new, |number| format!(" milestone {number}"));
        let what = match instruction {
            EscrowInstruction::Create { .. } => "create it".to_owned(),
            EscrowInstruction::Fund => format!("pay in {}", asset.amount(effects.paid_in)),
            EscrowInstruction::Cancel if escrow.is_funded() => "cancel and take everything back".to_owned(),
            EscrowInstruction::Cancel => "cancel it (nothing has been paid in)".to_owned(),
            EscrowInstruction::Deliver { .. } => format!("deliver{of_milestone}"),
            EscrowInstruction::Claim { .. } => format!("claim{of_milestone}"),
            EscrowInstruction::Release { .. } => format!("release{of_milestone}, all or part"),
            EscrowInstruction::Refund { .. } => format!("refund{of_milestone}, all or part"),
            EscrowInstruction::Dispute { .. } => format!("dispute{of_milestone}"),
            EscrowInstruction::Rule { seller_bps: 0, .. } => format!("rule on{of_milestone}, entirely for the buyer"),
            EscrowInstruction::Rule { .. } => format!("rule on{of_milestone}, entirely for the seller"),
            EscrowInstruction::Propose { proposal } => format!("propose to {}", asset.proposal(proposal, now)),
            EscrowInstruction::Accept { proposal } => {
                format!("accept the proposal to {}", asset.proposal(proposal, now))
            }
            EscrowInstruction::Expire { .. } => format!("apply the agreed default to{of_milestone}"),
            EscrowInstruction::Withdraw { recipient } => format!("pay the {} out", recipient_name(*recipient)),
            EscrowInstruction::Close => "close it; the rent goes back".to_owned(),
        };
        let who = match actor {
            Actor::Buyer => "the buyer",
            Actor::Seller => "the seller",
            Actor::Arbiter => "the arbiter",
            Actor::Attester => "the attester",
            Actor::AnyParty => "the buyer, the seller or the rent payer",
            Actor::SecretHolder => "whoever has the secret",
            Actor::Anyone => "anyone",
        };
        let mut text = format!("{who} may {what}");
        let moved = match effects.paid_out {
            None => effects.decided,
            Some((Recipient::Buyer, buyer)) => Moved { buyer, ..Moved::default() },
            Some((Recipient::Seller, seller)) => Moved { seller, ..Moved::default() },
            Some((Recipient::Fee, fee)) => Moved { fee, ..Moved::default() },
            Some((Recipient::Arbiter, arbiter)) => Moved { arbiter, ..Moved::default() },
        };
        let moved = Some(moved).filter(|moved| *moved != Moved::default());
        // What a settlement gives is in its words already.
        if let (Some(moved), false) = (moved, matches!(instruction, EscrowInstruction::Accept { .. })) {
            text.push_str(&format!(": {}", asset.shares(&moved)));
        }
        Self {
            act: instruction.name(),
            who,
            milestone: number,
            from: (!possibility.is_open(now)).then(|| Time::new(*from, now)),
            until: until.map(|until| Time::new(until, now)),
            text,
            outcome: moved.map(|Moved { seller, fee, buyer, arbiter }| Outcome {
                seller: asset.amount(seller),
                fee_recipient: asset.amount(fee),
                buyer: asset.amount(buyer),
                arbiter: asset.amount(arbiter),
            }),
        }
    }
}

impl Display for Next {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "    {}", self.text)?;
        match (&self.from, &self.until) {
            (None, None) => Ok(()),
            (None, Some(until)) => write!(f, "\n      until {until}"),
            (Some(from), None) => write!(f, "\n      from {from}"),
            (Some(from), Some(until)) => write!(f, "\n      from {from}\n      until {until}"),
        }
    }
}

/// The name of a recipient.
pub const fn recipient_name(recipient: Recipient) -> &'static str {
    match recipient {
        Recipient::Buyer => "buyer",
        Recipient::Seller => "seller",
        Recipient::Fee => "fee recipient",
        Recipient::Arbiter => "arbiter",
    }
}

/// The name of a milestone's status.
pub const fn status_name(status: MilestoneStatus) -> &'static str {
    match status {
        MilestoneStatus::Pending => "pending",
        MilestoneStatus::Delivered => "delivered",
        MilestoneStatus::Disputed => "disputed",
        MilestoneStatus::Settled => "settled",
    }
}

/// What the deadline of a milestone with this status is for.
const fn deadline_name(status: MilestoneStatus) -> &'static str {
    match status {
        MilestoneStatus::Pending => "delivery deadline",
        MilestoneStatus::Delivered => "review deadline",
        MilestoneStatus::Disputed => "ruling deadline",
        MilestoneStatus::Settled => "deadline",
    }
}

impl EscrowView {
    /// At the chain's present time `now`.
    pub fn new(escrow: &EscrowAccount, asset: &Asset, now: i64) -> Result<Self> {
        let EscrowAccount { address, lamports: _, state, milestones } = escrow;
        let named = |address: &Pubkey| is_named(address).then(|| address.to_string());
        let hash = |hash: &[u8; 32]| (*hash != [0; 32]).then(|| hex::encode(hash));
        let funded = escrow.is_funded();
        let status = match state.status()? {
            EscrowStatus::Created => "created",
            EscrowStatus::Funded if milestones.iter().all(Milestone::is_settled) => "settled",
            EscrowStatus::Funded => "funded",
        };
        let views = milestones.iter().enumerate().map(|(index, milestone)| {
            let status = milestone.status()?;
            Ok(MilestoneView {
                number: index.saturating_add(1),
                status: status_name(status),
                amount: asset.amount(milestone.amount),
                remaining: asset.amount(milestone.remaining),
                deadline: (!milestone.is_settled()).then(|| Time::new(milestone.deadline, now)),
                review_window_seconds: milestone.review_window,
                default_seller_bps: state.default_bps(status).ok(),
            })
        });
        Ok(Self {
            address: address.to_string(),
            status,
            buyer: state.buyer.to_string(),
            seller: state.seller.to_string(),
            arbiter: named(&state.arbiter),
            attester: named(&state.attester),
            fee_recipient: named(&state.fee_recipient),
            rent_payer: state.rent_payer.to_string(),
            mint: named(&state.mint),
            token_program: named(&state.token_program),
            accepted_risks: RISKS
                .iter()
                .filter(|(bit, _)| state.accepted_risks & bit != 0)
                .map(|(_, name)| *name)
                .collect(),
            principal: asset.amount(state.ledger.principal),
            fee_bps: state.fee_bps,
            arbiter_fee_bps: state.arbiter_fee_bps,
            fund_by: Time::new(state.fund_by, now),
            funded_at: funded.then(|| Time::new(state.funded_at, now)),
            cooling_off_seconds: state.cooling_off,
            cooling_off_end: match funded && state.cooling_off > 0 {
                true => Some(Time::new(state.cooling_off_end()?, now)),
                false => None,
            },
            ruling_window_seconds: state.ruling_window,
            undelivered_bps: state.undelivered_bps,
            unanswered_bps: state.unanswered_bps,
            unruled_bps: state.unruled_bps,
            hashlock: hash(&state.hashlock),
            document_hash: hash(&state.document_hash),
            terms_hash: hex::encode(state.terms_hash),
            released: asset.amount(state.ledger.released),
            refunded: asset.amount(state.ledger.refunded),
            fees: asset.amount(state.ledger.fees),
            arbiter_fees: asset.amount(state.ledger.arbiter_fees),
            due: escrow
                .due()
                .map(|(recipient, amount)| Due {
                    recipient: recipient_name(recipient),
                    address: state.recipient(recipient).to_string(),
                    amount: asset.amount(amount),
                })
                .collect(),
            milestones: views.collect::<Result<_>>()?,
            next: possibilities(escrow, now).iter().map(|possible| Next::new(escrow, possible, asset, now)).collect(),
        })
    }
}

impl Display for EscrowView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: &dyn Display| writeln!(f, "  {name:<16}{value}");
        row("escrow", &self.address)?;
        row("status", &self.status)?;
        row("buyer", &self.buyer)?;
        row("seller", &self.seller)?;
        for (name, address) in
            [("arbiter", &self.arbiter), ("attester", &self.attester), ("fee recipient", &self.fee_recipient)]
        {
            if let Some(address) = address {
                row(name, address)?;
            }
        }
        row("rent payer", &self.rent_payer)?;
        if let Some(mint) = &self.mint {
            row("token", mint)?;
        }
        if !self.accepted_risks.is_empty() {
            row("accepted risks", &self.accepted_risks.join(", "))?;
        }
        row("principal", &self.principal)?;
        if self.fee_bps > 0 {
            row("fee", &percent(self.fee_bps))?;
        }
        if self.arbiter_fee_bps > 0 {
            row("arbiter's fee", &percent(self.arbiter_fee_bps))?;
        }
        row("fund by", &self.fund_by)?;
        if let Some(funded_at) = &self.funded_at {
            row("funded", funded_at)?;
        }
        match &self.cooling_off_end {
            Some(end) => row("cooling off", &format!("until {end}"))?,
            None if self.cooling_off_seconds > 0 => {
                row("cooling off", &format!("{} after funding", duration(u64::from(self.cooling_off_seconds))))?;
            }
            None => {}
        }
        row("ruling window", &format!("{} from a dispute on", duration(u64::from(self.ruling_window_seconds))))?;
        if let Some(hash) = &self.document_hash {
            row("document", hash)?;
        }
        if let Some(hash) = &self.hashlock {
            row("hash-lock", hash)?;
        }
        writeln!(f, "\n  the seller's share")?;
        writeln!(f, "    if nothing is delivered in time                  {}", percent(self.undelivered_bps))?;
        writeln!(f, "    if the buyer does not answer a delivery in time  {}", percent(self.unanswered_bps))?;
        writeln!(f, "    if nobody rules on a dispute in time             {}", percent(self.unruled_bps))?;
        writeln!(f)?;
        for milestone in &self.milestones {
            writeln!(f, "{milestone}")?;
        }
        for due in &self.due {
            writeln!(f, "  to withdraw: {} for the {}", due.amount, due.recipient)?;
        }
        let (now, later): (Vec<_>, Vec<_>) = self.next.iter().partition(|next| next.from.is_none());
        for (title, nexts) in [("now", now), ("later, if nothing else happens", later)] {
            if !nexts.is_empty() {
                writeln!(f, "\n  {title}")?;
            }
            for next in nexts {
                writeln!(f, "{next}")?;
            }
        }
        Ok(())
    }
}

impl Display for MilestoneView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "  milestone {}: {}, {}", self.number, self.amount, self.status)?;
        if let (Some(deadline), Some(bps)) = (&self.deadline, self.default_seller_bps) {
            if self.remaining != self.amount {
                write!(f, ", {} undecided", self.remaining)?;
            }
            write!(f, "; deadline {deadline}, then {} of it to the seller", percent(bps))?;
            if self.status == "pending" {
                write!(f, "; review {}", duration(u64::from(self.review_window_seconds)))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        for (seconds, shown) in [(0, "0s"), (59, "59s"), (3_600, "1h"), (90_061, "1d 1h"), (86_400 * 3 + 5, "3d 5s")] {
            assert_eq!(duration(seconds), shown);
        }
    }

    #[test]
    fn percent_keeps_hundredths() {
        for (bps, shown) in [(0, "0 %"), (1, "0.01 %"), (250, "2.5 %"), (10_000, "100 %")] {
            assert_eq!(percent(bps), shown);
        }
    }
}
