//! The escrow account and its transitions (design, sections 2.3 to 2.6).
//!
//! A transition takes the milestone that it is about, changes it and the ledger together or returns an error, and knows
//! nothing of accounts: who may call it is checked where the accounts are, in `instructions/`.

use anchor_lang::{prelude::*, sha256};
use solana_address::address_eq;

use super::{
    Ledger, Milestone, MilestoneStatus, Moved, Proposal, ProposalSlot, Recipient, Result, Terms, add, after, ensure,
    is_named, share,
};
use crate::error::EscrowError;

/// The layout of the account that this program writes, and the rules that its money is under. An account of another
/// version is refused when it is loaded.
#[constant]
pub const LAYOUT_VERSION: u8 = 2;

/// Where an escrow stands. A closed one has no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EscrowStatus {
    /// Created, not funded: nobody is bound yet.
    Created = 1,
    /// The principal was paid in.
    Funded = 2,
}

impl EscrowStatus {
    /// The byte that stands for this status in the account.
    pub const fn byte(self) -> u8 {
        #[expect(clippy::as_conversions, reason = "the discriminants are bytes")]
        {
            self as u8
        }
    }
}

/// One of the two parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Pays.
    Buyer,
    /// Is paid.
    Seller,
}

impl Party {
    /// The counterparty.
    pub const fn other(self) -> Self {
        match self {
            Self::Buyer => Self::Seller,
            Self::Seller => Self::Buyer,
        }
    }
}

/// An escrow. Behind this header stand the number of milestones (u32), four zero bytes, and the milestones.
#[account]
#[derive(Debug, PartialEq, Eq)]
pub struct Escrow {
    /// Term: pays in.
    pub buyer: Address,
    /// Term: is paid.
    pub seller: Address,
    /// Term: may rule; the default key means none.
    pub arbiter: Address,
    /// Term: delivers in the seller's place; the default key means none.
    pub attester: Address,
    /// Term: is paid the fee; the default key means none.
    pub fee_recipient: Address,
    /// Term: the token's mint; the default key means SOL.
    pub mint: Address,
    /// Term: the token's program; the default key means SOL.
    pub token_program: Address,
    /// Paid the rent of the accounts and gets it back.
    pub rent_payer: Address,
    /// The token account that holds the principal; the default key for SOL, which this account itself holds.
    pub vault: Address,
    /// The hash of all terms, and the seed of this account's address.
    pub terms_hash: [u8; 32],
    /// Term: sha256 of the secret; all zero means none.
    pub hashlock: [u8; 32],
    /// Term: sha256 of the agreement kept elsewhere; all zero means none.
    pub document_hash: [u8; 32],
    /// Term: random, so that two deals with the same terms have two addresses.
    pub salt: [u8; 16],
    /// What was paid in, decided and paid out.
    pub ledger: Ledger,
    /// The buyer's open proposal.
    pub buyer_proposal: ProposalSlot,
    /// The seller's open proposal.
    pub seller_proposal: ProposalSlot,
    /// Term: seconds after funding in which the buyer may cancel.
    pub cooling_off: u32,
    /// Term: seconds that a dispute may stay open.
    pub ruling_window: u32,
    /// Term: the `RISK_*` bits.
    pub accepted_risks: u16,
    /// Term: basis points.
    pub fee_bps: u16,
    /// Term: basis points.
    pub arbiter_fee_bps: u16,
    /// Term: the seller's share, in basis points, when nothing is delivered in time.
    pub undelivered_bps: u16,
    /// Term: the seller's share, in basis points, when the buyer does not answer in time.
    pub unanswered_bps: u16,
    /// Term: the seller's share, in basis points, when nobody rules in time.
    pub unruled_bps: u16,
    /// 1 created, 2 funded: an [`EscrowStatus`].
    pub status: u8,
    /// [`LAYOUT_VERSION`], at [`VERSION_OFFSET`].
    pub version: u8,
    /// The bump of this account's address.
    pub bump: u8,
    /// Zero.
    pub reserved: u8,
    /// Term: unix seconds; funded strictly before it.
    pub fund_by: i64,
    /// When the principal was paid in, in unix seconds; 0 before.
    pub funded_at: i64,
}

/// The bytes of the header in the account, without the discriminator.
pub const HEADER_SIZE: usize = 608;
const _: () = assert!(core::mem::size_of::<Escrow>() == HEADER_SIZE);

/// Where the version stands in the account's data, behind the discriminator and 589 bytes: in every layout that a version
/// of this program wrote, so that each can tell the others' accounts from its own. Never to be changed.
pub const VERSION_OFFSET: usize = 8 + 589;
const _: () = assert!(8 + core::mem::offset_of!(Escrow, version) == VERSION_OFFSET);

impl Escrow {
    // Terms --------------------------------------------------------------------------------------------------------

    /// Writes the terms and everything else into a new account.
    pub fn initialize(
        &mut self,
        terms: &Terms,
        terms_hash: [u8; 32],
        vault: Address,
        rent_payer: Address,
        bump: u8,
    ) -> Result<()> {
        *self = Self {
            buyer: terms.buyer,
            seller: terms.seller,
            arbiter: terms.arbiter,
            attester: terms.attester,
            fee_recipient: terms.fee_recipient,
            mint: terms.mint,
            token_program: terms.token_program,
            rent_payer,
            vault,
            terms_hash,
            hashlock: terms.hashlock,
            document_hash: terms.document_hash,
            salt: terms.salt,
            ledger: Ledger { principal: terms.principal()?, ..Ledger::default() },
            buyer_proposal: ProposalSlot::default(),
            seller_proposal: ProposalSlot::default(),
            cooling_off: terms.cooling_off,
            ruling_window: terms.ruling_window,
            accepted_risks: terms.accepted_risks,
            fee_bps: terms.fee_bps,
            arbiter_fee_bps: terms.arbiter_fee_bps,
            undelivered_bps: terms.undelivered_bps,
            unanswered_bps: terms.unanswered_bps,
            unruled_bps: terms.unruled_bps,
            status: EscrowStatus::Created.byte(),
            version: LAYOUT_VERSION,
            bump,
            reserved: 0,
            fund_by: terms.fund_by,
            funded_at: 0,
        };
        Ok(())
    }

    /// The terms, as they were when the escrow was created.
    pub fn terms(&self, milestones: &[Milestone]) -> Terms {
        Terms {
            buyer: self.buyer,
            seller: self.seller,
            arbiter: self.arbiter,
            attester: self.attester,
            fee_recipient: self.fee_recipient,
            mint: self.mint,
            token_program: self.token_program,
            accepted_risks: self.accepted_risks,
            fee_bps: self.fee_bps,
            arbiter_fee_bps: self.arbiter_fee_bps,
            fund_by: self.fund_by,
            cooling_off: self.cooling_off,
            ruling_window: self.ruling_window,
            undelivered_bps: self.undelivered_bps,
            unanswered_bps: self.unanswered_bps,
            unruled_bps: self.unruled_bps,
            hashlock: self.hashlock,
            document_hash: self.document_hash,
            salt: self.salt,
            milestones: milestones.iter().map(Into::into).collect(),
        }
    }

    /// Where the escrow stands.
    pub fn status(&self) -> Result<EscrowStatus> {
        match self.status {
            1 => Ok(EscrowStatus::Created),
            2 => Ok(EscrowStatus::Funded),
            _ => Err(EscrowError::Corrupt),
        }
    }

    /// Whether the escrow holds SOL, not a token.
    pub fn is_sol(&self) -> bool {
        !is_named(&self.mint)
    }

    /// Whether a secret can claim the milestone.
    pub fn is_hashlocked(&self) -> bool {
        is_named(&Address::new_from_array(self.hashlock))
    }

    /// Who delivers: the attester where one is named, else the seller.
    pub fn deliverer(&self) -> &Address {
        if is_named(&self.attester) { &self.attester } else { &self.seller }
    }

    /// The address that is paid as `recipient`; the default key where there is none.
    pub const fn recipient(&self, recipient: Recipient) -> &Address {
        match recipient {
            Recipient::Buyer => &self.buyer,
            Recipient::Seller => &self.seller,
            Recipient::Fee => &self.fee_recipient,
            Recipient::Arbiter => &self.arbiter,
        }
    }

    /// Which party `address` is.
    pub fn party(&self, address: &Address) -> Result<Party> {
        if address_eq(address, &self.buyer) {
            Ok(Party::Buyer)
        } else if address_eq(address, &self.seller) {
            Ok(Party::Seller)
        } else {
            Err(EscrowError::NotParty)
        }
    }

    /// The end of the cooling-off period in unix seconds: the buyer cancels before it, delivery starts with it.
    pub fn cooling_off_end(&self) -> Result<i64> {
        after(self.funded_at, self.cooling_off)
    }

    // Funding and cancelling ---------------------------------------------------------------------------------------

    /// The principal is paid in. Returns the end of the cooling-off period.
    pub fn fund(&mut self, milestones: &[Milestone], now: i64) -> Result<i64> {
        self.check_status(EscrowStatus::Created, EscrowError::AlreadyFunded)?;
        ensure(now < self.fund_by, EscrowError::FundByPassed)?;
        let end = after(now, self.cooling_off)?;
        ensure(milestones.iter().all(|milestone| end < milestone.deliver_by), EscrowError::CoolingOffTooLong)?;
        self.funded_at = now;
        self.status = EscrowStatus::Funded.byte();
        Ok(end)
    }

    /// Whether `canceller` may give up this escrow before it is funded.
    pub fn check_cancel_unfunded(&self, canceller: &Address, now: i64) -> Result<()> {
        self.check_status(EscrowStatus::Created, EscrowError::AlreadyFunded)?;
        let named = [&self.buyer, &self.seller, &self.rent_payer];
        let may_cancel = now >= self.fund_by || named.into_iter().any(|address| address_eq(address, canceller));
        ensure(may_cancel, EscrowError::NotCanceller)
    }

    /// Whether `canceller` may take back the whole remaining principal at `now`.
    pub fn check_cancel_funded(&self, milestones: &[Milestone], canceller: &Address, now: i64) -> Result<()> {
        self.check_funded()?;
        ensure(address_eq(canceller, &self.buyer), EscrowError::NotBuyer)?;
        ensure(now < self.cooling_off_end()?, EscrowError::CoolingOffOver)?;
        ensure(!milestones.iter().all(Milestone::is_settled), EscrowError::NothingToCancel)
    }

    /// Cancelling refunds every milestone; settled ones have nothing left.
    pub fn cancel(&mut self, milestone: &mut Milestone) -> Result<Moved> {
        let remaining = milestone.take_all()?;
        self.ledger.refund(remaining)?;
        Ok(Moved { buyer: remaining, ..Moved::default() })
    }

    // Decisions ----------------------------------------------------------------------------------------------------

    /// Pending → Delivered. Only the [`deliverer`](Self::deliverer) may, and with a hash-lock only where an attester is
    /// named: without one the secret is the delivery, and dead from deliver_by on. Else a seller without the secret could
    /// prolong the deal by delivering in the last second.
    pub fn deliver(&self, milestone: &mut Milestone, now: i64) -> Result<()> {
        self.check_funded()?;
        milestone.check_status(MilestoneStatus::Pending, EscrowError::NotPending)?;
        ensure(!self.is_hashlocked() || is_named(&self.attester), EscrowError::SecretDelivers)?;
        self.check_cooled_off(now)?;
        milestone.check_before_deadline(now)?;
        let deadline = self.next_deadline(milestone, after(now, milestone.review_window)?);
        milestone.enter(MilestoneStatus::Delivered, deadline);
        Ok(())
    }

    /// Unsettled → Settled, all that remains to the seller. Anyone who holds the secret may, in every status and before
    /// its deadline: a secret that was revealed pays.
    pub fn claim(&mut self, milestone: &mut Milestone, secret: &[u8; 32], now: i64) -> Result<Moved> {
        ensure(self.is_hashlocked(), EscrowError::NoHashlock)?;
        self.check_funded()?;
        milestone.check_unsettled()?;
        self.check_cooled_off(now)?;
        milestone.check_before_deadline(now)?;
        // Compared like addresses: by words, not bytes.
        let hashlock = Address::new_from_array(self.hashlock);
        ensure(address_eq(&sha256(secret).into(), &hashlock), EscrowError::SecretMismatch)?;
        let remaining = milestone.take_all()?;
        self.ledger.release(remaining, self.fee_bps)
    }

    /// Part or all of what remains to the seller. Only the buyer may, at any time.
    pub fn release(&mut self, milestone: &mut Milestone, amount: u64, expected_remaining: u64) -> Result<Moved> {
        self.take(milestone, amount, expected_remaining)?;
        self.ledger.release(amount, self.fee_bps)
    }

    /// Part or all of what remains to the buyer. Only the seller may, at any time.
    pub fn refund(&mut self, milestone: &mut Milestone, amount: u64, expected_remaining: u64) -> Result<Moved> {
        self.take(milestone, amount, expected_remaining)?;
        self.ledger.refund(amount)?;
        Ok(Moved { buyer: amount, ..Moved::default() })
    }

    /// Delivered → Disputed. Only the buyer may.
    pub fn dispute(&self, milestone: &mut Milestone, now: i64) -> Result<()> {
        self.check_funded()?;
        milestone.check_status(MilestoneStatus::Delivered, EscrowError::NotDelivered)?;
        milestone.check_before_deadline(now)?;
        let deadline = self.next_deadline(milestone, after(now, self.ruling_window)?);
        milestone.enter(MilestoneStatus::Disputed, deadline);
        Ok(())
    }

    /// Disputed → Settled: the arbiter's fee, then a split of the rest. Only the arbiter may.
    pub fn rule(&mut self, milestone: &mut Milestone, seller_bps: u16, now: i64) -> Result<Moved> {
        self.check_funded()?;
        milestone.check_status(MilestoneStatus::Disputed, EscrowError::NotDisputed)?;
        milestone.check_before_deadline(now)?;
        let remaining = milestone.take_all()?;
        let arbiter = share(remaining, self.arbiter_fee_bps)?;
        self.ledger.pay_arbiter(arbiter)?;
        let rest = remaining.checked_sub(arbiter).ok_or(EscrowError::Overflow)?;
        let decided = self.ledger.divide(rest, share(rest, seller_bps)?, self.fee_bps)?;
        Ok(Moved { arbiter, ..decided })
    }

    /// From the deadline on, the agreed default for the milestone's status. Anyone may.
    pub fn expire(&mut self, milestone: &mut Milestone, now: i64) -> Result<Moved> {
        self.check_funded()?;
        let seller_bps = self.default_bps(milestone.status()?)?;
        ensure(now >= milestone.deadline, EscrowError::DeadlineNotReached)?;
        let remaining = milestone.take_all()?;
        self.ledger.divide(remaining, share(remaining, seller_bps)?, self.fee_bps)
    }

    /// The seller's share when the deadline of `status` passes.
    pub const fn default_bps(&self, status: MilestoneStatus) -> Result<u16> {
        match status {
            MilestoneStatus::Pending => Ok(self.undelivered_bps),
            MilestoneStatus::Delivered => Ok(self.unanswered_bps),
            MilestoneStatus::Disputed => Ok(self.unruled_bps),
            MilestoneStatus::Settled => Err(EscrowError::MilestoneSettled),
        }
    }

    // Settlement between the parties -------------------------------------------------------------------------------

    /// Fills or empties the slot of `by`. `milestone` is the one that the proposal is about.
    pub fn propose(&mut self, by: Party, proposal: Proposal, milestone: Option<&Milestone>, now: i64) -> Result<()> {
        self.check_funded()?;
        if let Some(milestone) = milestone {
            proposal.check(milestone, now)?;
            proposal.check_expiry(now)?;
        }
        *self.slot_mut(by) = proposal.into();
        Ok(())
    }

    /// Applies the other party's proposal, if it is exactly this one.
    pub fn accept(&mut self, by: Party, proposal: Proposal, milestone: &mut Milestone, now: i64) -> Result<Moved> {
        self.check_funded()?;
        let proposer = by.other();
        let slot = self.slot_mut(proposer);
        ensure(slot.kind != 0, EscrowError::ProposalMissing)?;
        ensure(*slot == ProposalSlot::from(proposal), EscrowError::ProposalMismatch)?;
        ensure(now < slot.expires_at, EscrowError::ProposalExpired)?;
        *slot = ProposalSlot::default();
        proposal.check(milestone, now)?;
        match proposal {
            Proposal::Split { to_seller, .. } => {
                let remaining = milestone.take_all()?;
                self.ledger.divide(remaining, to_seller, self.fee_bps)
            }
            Proposal::Extension { deadline, .. } => {
                milestone.deadline = deadline;
                Ok(Moved::default())
            }
            Proposal::Withdrawn => Err(EscrowError::ProposalMismatch),
        }
    }

    /// The slot of a party.
    pub const fn slot(&self, party: Party) -> &ProposalSlot {
        match party {
            Party::Buyer => &self.buyer_proposal,
            Party::Seller => &self.seller_proposal,
        }
    }

    const fn slot_mut(&mut self, party: Party) -> &mut ProposalSlot {
        match party {
            Party::Buyer => &mut self.buyer_proposal,
            Party::Seller => &mut self.seller_proposal,
        }
    }

    // Paying and closing -------------------------------------------------------------------------------------------

    /// Takes what is due to `recipient`, which is then paid.
    pub fn withdraw(&mut self, recipient: Recipient) -> Result<u64> {
        self.ledger.take_due(recipient)
    }

    /// Whether the account may be closed.
    pub fn check_close(&self, milestones: &[Milestone], now: i64) -> Result<()> {
        self.check_funded()?;
        ensure(milestones.iter().all(Milestone::is_settled), EscrowError::NotSettled)?;
        ensure(self.ledger.total_due()? == 0, EscrowError::NotWithdrawn)?;
        // Before fund_by the same terms could create the same address again.
        ensure(now >= self.fund_by, EscrowError::CloseTooEarly)
    }

    /// What holds after every transition: nothing is created or lost.
    // One copy for all instructions: 5 KB less than one in each.
    #[inline(never)]
    pub fn invariant(&self, milestones: &[Milestone]) -> Result<()> {
        let remaining = milestones.iter().try_fold(0, |sum, milestone| match milestone.remaining {
            0 => ensure(milestone.is_settled(), EscrowError::Invariant).map(|()| sum),
            remaining => {
                ensure(milestone.is_open() && remaining <= milestone.amount, EscrowError::Invariant)?;
                add(sum, remaining)
            }
        })?;
        self.ledger.invariant(remaining)
    }

    // Shared -------------------------------------------------------------------------------------------------------

    fn check_funded(&self) -> Result<()> {
        self.check_status(EscrowStatus::Funded, EscrowError::NotFunded)
    }

    fn check_status(&self, status: EscrowStatus, otherwise: EscrowError) -> Result<()> {
        if self.status == status.byte() {
            return Ok(());
        }
        core::hint::cold_path();
        self.status().and(Err(otherwise))
    }

    fn check_cooled_off(&self, now: i64) -> Result<()> {
        ensure(now >= self.cooling_off_end()?, EscrowError::CoolingOff)
    }

    /// The deadline of the milestone's next status, which by itself would be `own`. With a hash-lock it never comes
    /// nearer: a claim under way would be too late.
    fn next_deadline(&self, milestone: &Milestone, own: i64) -> i64 {
        if self.is_hashlocked() { own.max(milestone.deadline) } else { own }
    }

    fn take(&self, milestone: &mut Milestone, amount: u64, expected_remaining: u64) -> Result<()> {
        self.check_funded()?;
        milestone.check_unsettled()?;
        milestone.check_remaining(expected_remaining)?;
        ensure(amount != 0, EscrowError::AmountZero)?;
        milestone.take(amount)
    }
}
