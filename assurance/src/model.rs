//! The reference model: the protocol's rules a second time, written from section 2 of the design and not from the
//! program, over exact integers and a clock that is a number.
//!
//! It shares with the program only the names of its interface: the terms, the instructions and the errors. Where several
//! rules refuse an instruction, the design does not say which of them speaks, so the model gives them all.

use std::collections::BTreeMap;

use escrow_client::{EscrowError, EscrowInstruction, MilestoneStatus, Proposal, Recipient, Terms, address};
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

/// Two years, in seconds: how far ahead a time may lie.
const TIME_AHEAD: i128 = 2 * 365 * 86_400;
/// 365 days, in seconds: the longest window.
const WINDOW: i128 = 365 * 86_400;

/// Why an instruction is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// By a rule of the escrow.
    Rule(EscrowError),
    /// There is no escrow at the address.
    NoEscrow,
    /// The payer has less than is to be paid.
    InsufficientFunds,
    /// The token account does not belong to who pays.
    NotTheirs,
    /// The token's issuer froze one of the accounts.
    Frozen,
}

/// Where a milestone stands, and its one deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Until `deliver_by`.
    Pending(i128),
    /// Until the end of the review.
    Delivered(i128),
    /// Until the end of the ruling window.
    Disputed(i128),
    /// For good.
    Settled,
}

impl Phase {
    /// The deadline, if there is one.
    pub fn deadline(self) -> Option<i128> {
        match self {
            Self::Pending(deadline) | Self::Delivered(deadline) | Self::Disputed(deadline) => Some(deadline),
            Self::Settled => None,
        }
    }

    /// Its name in the interface.
    pub fn status(self) -> MilestoneStatus {
        match self {
            Self::Pending(_) => MilestoneStatus::Pending,
            Self::Delivered(_) => MilestoneStatus::Delivered,
            Self::Disputed(_) => MilestoneStatus::Disputed,
            Self::Settled => MilestoneStatus::Settled,
        }
    }

    /// The same with a later deadline.
    fn until(self, deadline: i128) -> Self {
        match self {
            Self::Pending(_) => Self::Pending(deadline),
            Self::Delivered(_) => Self::Delivered(deadline),
            Self::Disputed(_) => Self::Disputed(deadline),
            Self::Settled => Self::Settled,
        }
    }
}

/// A milestone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Milestone {
    /// Not decided yet.
    pub remaining: i128,
    /// Where it stands.
    pub phase: Phase,
}

/// An escrow that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escrow {
    /// What was agreed.
    pub terms: Terms,
    /// Paid the rent.
    pub rent_payer: Pubkey,
    /// When the principal was paid in; none before.
    pub funded_at: Option<i128>,
    /// Each milestone.
    pub milestones: Vec<Milestone>,
    /// The open proposal of the buyer and of the seller.
    pub proposals: [Option<Proposal>; 2],
    /// Decided for the seller, with the fee.
    pub released: i128,
    /// Decided for the buyer.
    pub refunded: i128,
    /// The fee recipient's part of `released`.
    pub fees: i128,
    /// Decided for the arbiter.
    pub arbiter_fees: i128,
    /// Decided and not yet paid: buyer, seller, fee recipient, arbiter.
    pub due: [i128; 4],
}

/// What an accepted instruction did, in the asset's smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Movements {
    /// Decided for the seller, after the fee.
    pub seller: i128,
    /// Decided for the fee recipient.
    pub fee: i128,
    /// Decided for the buyer.
    pub buyer: i128,
    /// Decided for the arbiter.
    pub arbiter: i128,
    /// Paid out to the recipient that was named.
    pub paid: i128,
    /// Tokens that nobody was owed, given to the buyer.
    pub surplus: i128,
}

/// A token account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAccount {
    /// The token.
    pub mint: Pubkey,
    /// Who may spend it.
    pub owner: Pubkey,
    /// What is in it.
    pub amount: i128,
    /// Whether the issuer froze it.
    pub frozen: bool,
}

/// An instruction as it is sent.
#[derive(Debug, Clone)]
pub struct Call {
    /// The address that the terms have.
    pub escrow: Pubkey,
    /// The instruction and its arguments.
    pub action: EscrowInstruction,
    /// Who signs: who acts, pays the rent, or directs a payment.
    pub signer: Option<Pubkey>,
    /// The token account that pays in (fund) or is paid (withdraw, and tokens that nobody is owed).
    pub token_account: Option<Pubkey>,
}

/// What accounts cost: rent of an escrow by its number of milestones, and of a vault by its token program.
#[derive(Debug, Clone, Default)]
pub struct Rents {
    /// Of an escrow with 0 to 8 milestones.
    pub escrow: Vec<i128>,
    /// Of a vault.
    pub vault: BTreeMap<Pubkey, i128>,
    /// The least that an account without data may hold, unless it holds nothing.
    pub wallet: i128,
}

/// Everything: the clock, everybody's money, all escrows.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The present time, in unix seconds.
    pub now: i128,
    /// Lamports of everybody, and of each escrow and vault.
    pub lamports: BTreeMap<Pubkey, i128>,
    /// Token accounts, the vaults among them.
    pub tokens: BTreeMap<Pubkey, TokenAccount>,
    /// The risk bits of each mint.
    pub risks: BTreeMap<Pubkey, u16>,
    /// Those that exist.
    pub escrows: BTreeMap<Pubkey, Escrow>,
    /// What accounts cost.
    pub rents: Rents,
}

/// Collects the rules that are broken.
#[derive(Default)]
struct Broken(Vec<Reason>);

impl Broken {
    fn unless(&mut self, holds: bool, error: EscrowError) {
        self.reason_unless(holds, Reason::Rule(error));
    }

    fn reason_unless(&mut self, holds: bool, reason: Reason) {
        if !holds {
            self.0.push(reason);
        }
    }

    fn none(self) -> Result<(), Vec<Reason>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

/// `floor(amount · bps / 10,000)`.
pub fn share(amount: i128, bps: u16) -> i128 {
    amount * i128::from(bps) / 10_000
}

fn named(address: &Pubkey) -> bool {
    *address != Pubkey::default()
}

fn index(recipient: Recipient) -> usize {
    match recipient {
        Recipient::Buyer => 0,
        Recipient::Seller => 1,
        Recipient::Fee => 2,
        Recipient::Arbiter => 3,
    }
}

impl Escrow {
    /// Just created.
    pub fn new(terms: &Terms, rent_payer: Pubkey) -> Self {
        let milestone = |terms: &escrow_client::MilestoneTerms| Milestone {
            remaining: terms.amount.into(),
            phase: Phase::Pending(terms.deliver_by.into()),
        };
        Self {
            terms: terms.clone(),
            rent_payer,
            funded_at: None,
            milestones: terms.milestones.iter().map(milestone).collect(),
            proposals: [None; 2],
            released: 0,
            refunded: 0,
            fees: 0,
            arbiter_fees: 0,
            due: [0; 4],
        }
    }

    /// What is paid in.
    pub fn principal(&self) -> i128 {
        self.terms.milestones.iter().map(|milestone| i128::from(milestone.amount)).sum()
    }

    /// Not decided yet, of all milestones.
    pub fn remaining(&self) -> i128 {
        self.milestones.iter().map(|milestone| milestone.remaining).sum()
    }

    /// What the escrow owes: what is not decided, and what is decided and not paid.
    pub fn owes(&self) -> i128 {
        if self.funded_at.is_none() { 0 } else { self.remaining() + self.due.iter().sum::<i128>() }
    }

    /// Who is paid as `recipient`.
    pub fn recipient(&self, recipient: Recipient) -> Pubkey {
        match recipient {
            Recipient::Buyer => self.terms.buyer,
            Recipient::Seller => self.terms.seller,
            Recipient::Fee => self.terms.fee_recipient,
            Recipient::Arbiter => self.terms.arbiter,
        }
    }

    /// Decided and not yet paid.
    pub fn due(&self, recipient: Recipient) -> i128 {
        self.due[index(recipient)]
    }

    /// The end of the cooling-off period, once funded.
    pub fn cooling_off_end(&self) -> Option<i128> {
        Some(self.funded_at? + i128::from(self.terms.cooling_off))
    }

    fn is_sol(&self) -> bool {
        !named(&self.terms.mint)
    }

    fn has_hashlock(&self) -> bool {
        self.terms.hashlock != [0; 32]
    }

    /// The deadline of the next status, `window` from now: with a hash-lock not before the present one.
    fn deadline_after(&self, present: Phase, now: i128, window: u32) -> i128 {
        let own = now + i128::from(window);
        match present.deadline() {
            Some(deadline) if self.has_hashlock() => own.max(deadline),
            _ => own,
        }
    }

    fn party(&self, address: Option<Pubkey>) -> Option<usize> {
        [self.terms.buyer, self.terms.seller].iter().position(|party| Some(*party) == address)
    }

    fn default_share(&self, phase: Phase) -> u16 {
        match phase {
            Phase::Pending(_) => self.terms.undelivered_bps,
            Phase::Delivered(_) => self.terms.unanswered_bps,
            Phase::Disputed(_) => self.terms.unruled_bps,
            Phase::Settled => 0,
        }
    }

    // Moving amounts (2.5) -------------------------------------------------------------------------------------------

    fn take(&mut self, milestone: usize, amount: i128) {
        let milestone = &mut self.milestones[milestone];
        milestone.remaining -= amount;
        if milestone.remaining == 0 {
            milestone.phase = Phase::Settled;
        }
    }

    fn release(&mut self, amount: i128, done: &mut Movements) {
        self.released += amount;
        let fee = share(self.released, self.terms.fee_bps) - self.fees;
        self.fees += fee;
        self.due[2] += fee;
        self.due[1] += amount - fee;
        done.fee += fee;
        done.seller += amount - fee;
    }

    fn refund(&mut self, amount: i128, done: &mut Movements) {
        self.refunded += amount;
        self.due[0] += amount;
        done.buyer += amount;
    }

    /// Settles what remains of a milestone: `to_seller` is released, the rest refunded.
    fn split(&mut self, milestone: usize, to_seller: i128, done: &mut Movements) {
        let remaining = self.milestones[milestone].remaining;
        self.take(milestone, remaining);
        self.release(to_seller, done);
        self.refund(remaining - to_seller, done);
    }

    // The decisions (2.4, 2.6) ---------------------------------------------------------------------------------------

    /// Applies a decision of `signer` at `now`, or says which rules refuse it. Without effect if any does.
    pub fn decide(
        &mut self,
        action: &EscrowInstruction,
        signer: Option<Pubkey>,
        now: i128,
    ) -> Result<Movements, Vec<Reason>> {
        use EscrowError::*;
        let mut broken = Broken::default();
        let mut done = Movements::default();
        let terms = &self.terms;
        let is = |role: Pubkey| signer == Some(role);
        // Who.
        match action {
            EscrowInstruction::Release { .. } | EscrowInstruction::Dispute { .. } => {
                broken.unless(is(terms.buyer), NotBuyer)
            }
            EscrowInstruction::Refund { .. } => broken.unless(is(terms.seller), NotSeller),
            EscrowInstruction::Deliver { .. } => {
                let deliverer = if named(&terms.attester) { terms.attester } else { terms.seller };
                broken.unless(is(deliverer), NotDeliverer);
            }
            EscrowInstruction::Rule { .. } => broken.unless(is(terms.arbiter), NotArbiter),
            EscrowInstruction::Propose { .. } | EscrowInstruction::Accept { .. } => {
                broken.unless(self.party(signer).is_some(), NotParty);
            }
            _ => {}
        }
        broken.unless(self.funded_at.is_some(), NotFunded);
        if matches!(action, EscrowInstruction::Claim { .. }) {
            broken.unless(self.has_hashlock(), NoHashlock);
        }
        if matches!(action, EscrowInstruction::Accept { proposal: Proposal::Withdrawn }) {
            broken.unless(false, ProposalMismatch);
        }
        // About which milestone.
        let milestone = match action {
            EscrowInstruction::Deliver { milestone, .. }
            | EscrowInstruction::Claim { milestone, .. }
            | EscrowInstruction::Release { milestone, .. }
            | EscrowInstruction::Refund { milestone, .. }
            | EscrowInstruction::Dispute { milestone, .. }
            | EscrowInstruction::Rule { milestone, .. }
            | EscrowInstruction::Expire { milestone } => Some(*milestone),
            EscrowInstruction::Propose { proposal } | EscrowInstruction::Accept { proposal } => match proposal {
                Proposal::Withdrawn => None,
                Proposal::Split { milestone, .. } | Proposal::Extension { milestone, .. } => Some(*milestone),
            },
            _ => None,
        };
        let Some(milestone) = milestone.map(usize::from) else {
            // Only an emptied slot is about none.
            broken.none()?;
            if let Some(party) = self.party(signer) {
                self.proposals[party] = None;
            }
            return Ok(done);
        };
        broken.unless(milestone < self.milestones.len(), MilestoneMissing);
        let (Some(Milestone { remaining, phase }), Some(cooling_off_end)) =
            (self.milestones.get(milestone).cloned(), self.cooling_off_end())
        else {
            return Err(broken.0);
        };
        let before_deadline = phase.deadline().is_none_or(|deadline| now < deadline);
        match action {
            EscrowInstruction::Deliver { .. } => {
                broken.unless(matches!(phase, Phase::Pending(_)), NotPending);
                broken.unless(now >= cooling_off_end, CoolingOff);
                broken.unless(before_deadline, DeadlinePassed);
                broken.unless(!self.has_hashlock() || named(&self.terms.attester), SecretDelivers);
                broken.none()?;
                let window = self.terms.milestones[milestone].review_window;
                self.milestones[milestone].phase = Phase::Delivered(self.deadline_after(phase, now, window));
            }
            EscrowInstruction::Claim { secret, .. } => {
                broken.unless(phase != Phase::Settled, MilestoneSettled);
                broken.unless(now >= cooling_off_end, CoolingOff);
                broken.unless(before_deadline, DeadlinePassed);
                broken.unless(Sha256::digest(secret)[..] == self.terms.hashlock, SecretMismatch);
                broken.none()?;
                self.split(milestone, remaining, &mut done);
            }
            EscrowInstruction::Release { amount, expected_remaining, .. }
            | EscrowInstruction::Refund { amount, expected_remaining, .. } => {
                let amount = i128::from(*amount);
                broken.unless(phase != Phase::Settled, MilestoneSettled);
                broken.unless(remaining == i128::from(*expected_remaining), RemainingMismatch);
                broken.unless(amount != 0, AmountZero);
                broken.unless(amount <= remaining, AmountTooHigh);
                broken.none()?;
                self.take(milestone, amount);
                if let EscrowInstruction::Release { .. } = action {
                    self.release(amount, &mut done);
                } else {
                    self.refund(amount, &mut done);
                }
            }
            EscrowInstruction::Dispute { .. } => {
                broken.unless(matches!(phase, Phase::Delivered(_)), NotDelivered);
                broken.unless(before_deadline, DeadlinePassed);
                broken.none()?;
                let window = self.terms.ruling_window;
                self.milestones[milestone].phase = Phase::Disputed(self.deadline_after(phase, now, window));
            }
            EscrowInstruction::Rule { seller_bps, .. } => {
                broken.unless(matches!(phase, Phase::Disputed(_)), NotDisputed);
                broken.unless(before_deadline, DeadlinePassed);
                broken.unless(*seller_bps <= 10_000, ShareTooHigh);
                broken.none()?;
                let fee = share(remaining, self.terms.arbiter_fee_bps);
                self.take(milestone, fee);
                self.arbiter_fees += fee;
                self.due[3] += fee;
                done.arbiter = fee;
                self.split(milestone, share(remaining - fee, *seller_bps), &mut done);
            }
            EscrowInstruction::Propose { proposal } => {
                self.check_proposal(proposal, remaining, phase, now, &mut broken);
                let (Proposal::Split { expires_at, .. } | Proposal::Extension { expires_at, .. }) = *proposal else {
                    return Err(broken.0);
                };
                let ahead = i128::from(expires_at) - now;
                broken.unless(ahead > 0 && ahead <= TIME_AHEAD, ProposalExpiry);
                broken.none()?;
                if let Some(party) = self.party(signer) {
                    self.proposals[party] = Some(*proposal);
                }
            }
            EscrowInstruction::Accept { proposal } => {
                let proposer = self.party(signer).map_or(0, |party| 1 - party);
                match self.proposals[proposer] {
                    None => broken.unless(false, ProposalMissing),
                    Some(open) => broken.unless(open == *proposal, ProposalMismatch),
                }
                let (Proposal::Split { expires_at, .. } | Proposal::Extension { expires_at, .. }) = *proposal else {
                    return Err(broken.0);
                };
                broken.unless(now < i128::from(expires_at), ProposalExpired);
                self.check_proposal(proposal, remaining, phase, now, &mut broken);
                broken.none()?;
                self.proposals[proposer] = None;
                match *proposal {
                    Proposal::Split { to_seller, .. } => self.split(milestone, to_seller.into(), &mut done),
                    Proposal::Extension { deadline, .. } => {
                        self.milestones[milestone].phase = phase.until(deadline.into());
                    }
                    Proposal::Withdrawn => {}
                }
            }
            EscrowInstruction::Expire { .. } => {
                broken.unless(phase != Phase::Settled, MilestoneSettled);
                broken.unless(phase.deadline().is_none_or(|deadline| now >= deadline), DeadlineNotReached);
                broken.none()?;
                self.split(milestone, share(remaining, self.default_share(phase)), &mut done);
            }
            EscrowInstruction::Create { .. }
            | EscrowInstruction::Fund
            | EscrowInstruction::Cancel
            | EscrowInstruction::Withdraw { .. }
            | EscrowInstruction::Close => {}
        }
        Ok(done)
    }

    /// What must hold when a proposal is made, and again when it is accepted.
    fn check_proposal(&self, proposal: &Proposal, remaining: i128, phase: Phase, now: i128, broken: &mut Broken) {
        use EscrowError::*;
        match *proposal {
            Proposal::Withdrawn => {}
            Proposal::Split { status, remaining: named, to_seller, .. } => {
                broken.unless(phase != Phase::Settled, MilestoneSettled);
                broken.unless(phase.status() == status, StatusMismatch);
                broken.unless(i128::from(named) == remaining, RemainingMismatch);
                broken.unless(to_seller <= named, AmountTooHigh);
            }
            Proposal::Extension { status, replaces, deadline, .. } => {
                broken.unless(phase.status() == status, StatusMismatch);
                let Some(present) = phase.deadline() else {
                    broken.unless(false, MilestoneSettled);
                    return;
                };
                broken.unless(i128::from(replaces) == present, DeadlineMismatch);
                // Like every action, it needs that the deadline has not passed.
                broken.unless(now < present, DeadlinePassed);
                let later = i128::from(deadline);
                broken.unless(later > present && later > now && later - now <= TIME_AHEAD, ExtensionNotLater);
            }
        }
    }

    /// What is due to `recipient` is paid.
    pub fn pay(&mut self, recipient: Recipient) {
        self.due[index(recipient)] = 0;
    }

    /// Refunds all that remains (cancel in the cooling-off period).
    pub fn refund_all(&mut self, done: &mut Movements) {
        for milestone in 0..self.milestones.len() {
            self.split(milestone, 0, done);
        }
    }
}

/// The rules of 2.2 for terms at `now`, without those about the mint.
fn check_terms(terms: &Terms, now: i128, broken: &mut Broken) {
    use EscrowError::*;
    let Terms { buyer, seller, arbiter, attester, fee_recipient, mint, token_program, .. } = terms;
    broken.unless(named(buyer) && named(seller), RoleMissing);
    broken.unless(buyer != seller && buyer != arbiter && seller != arbiter, RolesNotDistinct);
    let roles = [buyer, seller, arbiter, attester, fee_recipient];
    broken.unless(!roles.contains(&&escrow_client::escrow::ID), RoleIsProgram);
    broken.unless(named(mint) == named(token_program), AssetIncomplete);
    let token_programs = [Pubkey::default(), escrow_tests::TOKEN, escrow_tests::TOKEN_2022];
    broken.unless(token_programs.contains(token_program), TokenProgramUnknown);
    broken.unless(terms.accepted_risks < 32, RiskUnknown);
    broken.unless(terms.fee_bps <= 1_000 && terms.arbiter_fee_bps <= 1_000, FeeTooHigh);
    broken.unless(terms.fee_bps == 0 || named(fee_recipient), FeeWithoutRecipient);
    broken.unless(terms.arbiter_fee_bps == 0 || named(arbiter), FeeWithoutArbiter);
    let shares = [terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps];
    broken.unless(shares.iter().all(|share| *share <= 10_000), ShareTooHigh);
    let fund_in = i128::from(terms.fund_by) - now;
    broken.unless(fund_in > 0, FundByPassed);
    broken.unless(fund_in <= TIME_AHEAD, FundByTooFar);
    let (cooling_off, ruling) = (i128::from(terms.cooling_off), i128::from(terms.ruling_window));
    broken.unless(cooling_off <= WINDOW && ruling <= WINDOW, WindowTooLong);
    broken.unless(ruling != 0, RulingWindowZero);
    let count = terms.milestones.len();
    broken.unless((1..=8).contains(&count), MilestoneCount);
    broken.unless(terms.hashlock == [0; 32] || count == 1, HashlockMilestones);
    let attested = named(attester) && attester != seller;
    for milestone in &terms.milestones {
        let (deliver_in, review) = (i128::from(milestone.deliver_by) - now, i128::from(milestone.review_window));
        broken.unless(milestone.amount != 0, AmountZero);
        broken.unless(deliver_in > 0, DeliverByPassed);
        broken.unless(deliver_in <= TIME_AHEAD, DeliverByTooFar);
        broken.unless(review <= WINDOW, WindowTooLong);
        broken.unless(review != 0 || attested, ReviewWindowZero);
        broken.unless(cooling_off < deliver_in, CoolingOffTooLong);
    }
    let sum: i128 = terms.milestones.iter().map(|milestone| i128::from(milestone.amount)).sum();
    broken.unless(sum <= i128::from(u64::MAX), PrincipalOverflow);
}

impl Model {
    /// Applies an instruction, or says which rules refuse it. Without effect if any does.
    pub fn apply(&mut self, call: &Call) -> Result<Movements, Vec<Reason>> {
        match &call.action {
            EscrowInstruction::Create { terms } => self.create(call, terms),
            _ if !self.escrows.contains_key(&call.escrow) => Err(vec![Reason::NoEscrow]),
            EscrowInstruction::Fund => self.fund(call),
            EscrowInstruction::Cancel => self.cancel(call),
            EscrowInstruction::Withdraw { recipient } => self.withdraw(call, *recipient),
            EscrowInstruction::Close => self.close(call),
            decision => {
                let now = self.now;
                self.escrow_mut(call).decide(decision, call.signer, now)
            }
        }
    }

    fn escrow(&self, call: &Call) -> &Escrow {
        &self.escrows[&call.escrow]
    }

    #[expect(clippy::expect_used, reason = "`apply` looked")]
    fn escrow_mut(&mut self, call: &Call) -> &mut Escrow {
        self.escrows.get_mut(&call.escrow).expect("an escrow that exists")
    }

    fn move_lamports(&mut self, from: Pubkey, to: Pubkey, amount: i128) {
        *self.lamports.entry(from).or_default() -= amount;
        *self.lamports.entry(to).or_default() += amount;
    }

    fn move_tokens(&mut self, from: Pubkey, to: Pubkey, amount: i128) {
        for (account, change) in [(from, -amount), (to, amount)] {
            if let Some(account) = self.tokens.get_mut(&account) {
                account.amount += change;
            }
        }
    }

    fn has_lamports(&self, address: &Pubkey) -> i128 {
        self.lamports.get(address).copied().unwrap_or(0)
    }

    /// Whether a wallet has `amount`, and keeps nothing or enough for its own rent.
    fn can_pay(&self, wallet: &Pubkey, amount: i128) -> bool {
        let left = self.has_lamports(wallet) - amount;
        amount == 0 || left == 0 || left >= self.rents.wallet
    }

    /// Gives all lamports of an account away.
    fn empty(&mut self, account: Pubkey, to: Pubkey) {
        let lamports = self.lamports.remove(&account).unwrap_or(0);
        *self.lamports.entry(to).or_default() += lamports;
    }

    /// Creating costs what is missing of the rent at an address to which somebody may have sent lamports in advance.
    fn missing_rent(&self, account: &Pubkey, rent: i128) -> i128 {
        (rent - self.has_lamports(account)).max(0)
    }

    fn create(&mut self, call: &Call, terms: &Terms) -> Result<Movements, Vec<Reason>> {
        let mut broken = Broken::default();
        check_terms(terms, self.now, &mut broken);
        broken.unless(!self.escrows.contains_key(&call.escrow), EscrowError::AlreadyCreated);
        if named(&terms.mint) {
            let risks = self.risks.get(&terms.mint).copied().unwrap_or(0);
            broken.unless(risks & !terms.accepted_risks == 0, EscrowError::RiskNotAccepted);
        }
        broken.none()?;
        let rent_payer = call.signer.unwrap_or_default();
        let vault = address::vault_address(&call.escrow);
        let rent = self.missing_rent(&call.escrow, self.rents.escrow[terms.milestones.len()]);
        let vault_rent = match self.rents.vault.get(&terms.token_program) {
            Some(rent) => self.missing_rent(&vault, *rent),
            None => 0,
        };
        broken = Broken::default();
        broken.reason_unless(self.can_pay(&rent_payer, rent + vault_rent), Reason::InsufficientFunds);
        broken.none()?;
        self.move_lamports(rent_payer, call.escrow, rent);
        if named(&terms.mint) {
            self.move_lamports(rent_payer, vault, vault_rent);
            let account = TokenAccount { mint: terms.mint, owner: call.escrow, amount: 0, frozen: false };
            self.tokens.insert(vault, account);
        }
        self.escrows.insert(call.escrow, Escrow::new(terms, rent_payer));
        Ok(Movements::default())
    }

    fn fund(&mut self, call: &Call) -> Result<Movements, Vec<Reason>> {
        use EscrowError::*;
        let mut broken = Broken::default();
        let (escrow, now) = (self.escrow(call), self.now);
        let terms = escrow.terms.clone();
        let principal = escrow.principal();
        broken.unless(call.signer == Some(terms.buyer), NotBuyer);
        broken.unless(escrow.funded_at.is_none(), AlreadyFunded);
        broken.unless(now < i128::from(terms.fund_by), FundByPassed);
        let cooling_off_end = now + i128::from(terms.cooling_off);
        let in_time = terms.milestones.iter().all(|milestone| cooling_off_end < i128::from(milestone.deliver_by));
        broken.unless(in_time, CoolingOffTooLong);
        let vault = address::vault_address(&call.escrow);
        let source = call.token_account.unwrap_or_default();
        if escrow.is_sol() {
            broken.reason_unless(self.can_pay(&terms.buyer, principal), Reason::InsufficientFunds);
        } else {
            match self.tokens.get(&source) {
                None => broken.unless(false, TokenAccountInvalid),
                Some(account) => {
                    broken.unless(account.mint == terms.mint, TokenAccountMint);
                    broken.reason_unless(account.owner == terms.buyer, Reason::NotTheirs);
                    broken.reason_unless(account.amount >= principal, Reason::InsufficientFunds);
                    let frozen = account.frozen || self.tokens[&vault].frozen;
                    broken.reason_unless(!frozen, Reason::Frozen);
                }
            }
        }
        broken.none()?;
        if self.escrow(call).is_sol() {
            self.move_lamports(terms.buyer, call.escrow, principal);
        } else {
            self.move_tokens(source, vault, principal);
        }
        self.escrow_mut(call).funded_at = Some(now);
        Ok(Movements::default())
    }

    fn cancel(&mut self, call: &Call) -> Result<Movements, Vec<Reason>> {
        let mut broken = Broken::default();
        let mut done = Movements::default();
        let (escrow, now) = (self.escrow(call), self.now);
        let Some(end) = escrow.cooling_off_end() else {
            let may = [escrow.terms.buyer, escrow.terms.seller, escrow.rent_payer];
            let may = may.iter().any(|address| call.signer == Some(*address));
            broken.unless(may || now >= i128::from(escrow.terms.fund_by), EscrowError::NotCanceller);
            self.check_surplus(call, &mut broken);
            broken.none()?;
            self.close_accounts(call, &mut done);
            return Ok(done);
        };
        broken.unless(call.signer == Some(escrow.terms.buyer), EscrowError::NotBuyer);
        broken.unless(now < end, EscrowError::CoolingOffOver);
        broken.unless(escrow.remaining() != 0, EscrowError::NothingToCancel);
        broken.none()?;
        self.escrow_mut(call).refund_all(&mut done);
        Ok(done)
    }

    fn withdraw(&mut self, call: &Call, recipient: Recipient) -> Result<Movements, Vec<Reason>> {
        let mut broken = Broken::default();
        let escrow = self.escrow(call);
        let (to, amount) = (escrow.recipient(recipient), escrow.due(recipient));
        broken.unless(amount != 0, EscrowError::NothingDue);
        let vault = address::vault_address(&call.escrow);
        let destination = call.token_account.unwrap_or_default();
        let sol = escrow.is_sol();
        if sol {
            // As on all of Solana, a wallet holds nothing or enough for its own rent.
            let enough = self.has_lamports(&to) + amount >= self.rents.wallet;
            broken.reason_unless(enough, Reason::InsufficientFunds);
        } else {
            self.check_destination(call, to, &mut broken);
        }
        broken.none()?;
        if sol {
            self.move_lamports(call.escrow, to, amount)
        } else {
            self.move_tokens(vault, destination, amount)
        }
        self.escrow_mut(call).pay(recipient);
        Ok(Movements { paid: amount, ..Movements::default() })
    }

    /// Tokens go to an account of the right mint whose owner field is `to`: the associated one, or any if `to` signs.
    fn check_destination(&self, call: &Call, to: Pubkey, broken: &mut Broken) {
        use EscrowError::*;
        let Terms { mint, token_program, .. } = &self.escrow(call).terms;
        let destination = call.token_account.unwrap_or_default();
        let Some(account) = self.tokens.get(&destination) else {
            return broken.unless(false, TokenAccountInvalid);
        };
        broken.unless(account.mint == *mint, TokenAccountMint);
        broken.unless(account.owner == to, TokenAccountOwner);
        let associated = destination == address::associated_token_address(&to, mint, token_program);
        broken.unless(associated || call.signer == Some(to), NotAssociatedAccount);
        let vault = address::vault_address(&call.escrow);
        broken.reason_unless(!account.frozen && !self.tokens[&vault].frozen, Reason::Frozen);
    }

    fn close(&mut self, call: &Call) -> Result<Movements, Vec<Reason>> {
        use EscrowError::*;
        let mut broken = Broken::default();
        let mut done = Movements::default();
        let escrow = self.escrow(call);
        broken.unless(escrow.funded_at.is_some(), NotFunded);
        broken.unless(escrow.milestones.iter().all(|milestone| milestone.phase == Phase::Settled), NotSettled);
        broken.unless(escrow.due == [0; 4], NotWithdrawn);
        broken.unless(self.now >= i128::from(escrow.terms.fund_by), CloseTooEarly);
        self.check_surplus(call, &mut broken);
        broken.none()?;
        self.close_accounts(call, &mut done);
        Ok(done)
    }

    /// Tokens in the vault when it is closed: nobody is owed them, so they go to the buyer.
    fn surplus(&self, call: &Call) -> i128 {
        if self.escrow(call).is_sol() {
            return 0;
        }
        self.tokens.get(&address::vault_address(&call.escrow)).map_or(0, |vault| vault.amount)
    }

    fn check_surplus(&self, call: &Call, broken: &mut Broken) {
        if self.surplus(call) == 0 {
            return;
        }
        if call.token_account.is_none() {
            return broken.unless(false, EscrowError::SurplusAccountMissing);
        }
        self.check_destination(call, self.escrow(call).terms.buyer, broken);
    }

    fn close_accounts(&mut self, call: &Call, done: &mut Movements) {
        let rent_payer = self.escrow(call).rent_payer;
        done.surplus = self.surplus(call);
        if !self.escrow(call).is_sol() {
            let vault = address::vault_address(&call.escrow);
            if let Some(destination) = call.token_account {
                self.move_tokens(vault, destination, done.surplus);
            }
            self.tokens.remove(&vault);
            self.empty(vault, rent_payer);
        }
        self.empty(call.escrow, rent_payer);
        self.escrows.remove(&call.escrow);
    }
}
