//! What the design promises, in the words of somebody who did not write it: who may do what when, why not, who gets what,
//! and which bytes the account must hold afterwards.

use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;

use crate::wire::{DELIVERED, DISPUTED, Deed, Offer, PENDING, SETTLED, TWO_YEARS, Terms, YEAR, sha256};

/// Where an escrow is in its life.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Life {
    Unborn,
    Created,
    Funded,
    Closed,
}

/// A milestone as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    pub remaining: u64,
    pub deadline: i64,
    pub status: u8,
}

/// An escrow as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Deal {
    pub terms: Terms,
    pub rent_payer: Pubkey,
    pub life: Life,
    pub funded_at: i64,
    pub stones: Vec<Live>,
    /// The buyer's, the seller's.
    pub offers: [Offer; 2],
    pub released: u64,
    pub refunded: u64,
    pub fees: u64,
    pub arbiter_fees: u64,
    /// Decided and not paid out: buyer, seller, fee recipient, arbiter.
    pub due: [u64; 4],
    /// Paid out to the same.
    pub paid: [u64; 4],
}

fn part(amount: u64, bps: u16) -> u64 {
    u64::try_from(u128::from(amount) * u128::from(bps) / 10_000).expect("a part of it")
}

/// Collects the reasons that hold.
#[derive(Default)]
struct Reasons(Vec<InstructionError>);

impl Reasons {
    fn when(&mut self, holds: bool, codes: &[u32]) {
        if holds {
            self.0.extend(codes.iter().map(|code| InstructionError::Custom(*code)));
        }
    }
}

impl Deal {
    pub fn new(terms: Terms, rent_payer: Pubkey) -> Self {
        let stones = terms.stones.iter();
        let stones =
            stones.map(|stone| Live { remaining: stone.amount, deadline: stone.deliver_by, status: PENDING }).collect();
        Self {
            terms,
            rent_payer,
            life: Life::Unborn,
            funded_at: 0,
            stones,
            offers: [Offer::Nothing; 2],
            released: 0,
            refunded: 0,
            fees: 0,
            arbiter_fees: 0,
            due: [0; 4],
            paid: [0; 4],
        }
    }

    pub fn principal(&self) -> u64 {
        self.terms.stones.iter().map(|stone| stone.amount).sum()
    }

    pub fn cool_at(&self) -> i64 {
        self.funded_at + i64::from(self.terms.cooling_off)
    }

    /// Every true reason to refuse; none means that it must be done. The documents do not say which of several comes
    /// first, so any of them is a true answer.
    pub fn reasons(&self, deed: &Deed, actor: &Pubkey, now: i64) -> Vec<InstructionError> {
        let mut no = Reasons::default();
        let terms = &self.terms;
        if *deed == Deed::Create {
            return self.reasons_to_refuse_terms(now);
        }
        if matches!(self.life, Life::Unborn | Life::Closed) {
            return vec![InstructionError::UninitializedAccount];
        }
        match deed {
            Deed::Fund => {
                no.when(self.life == Life::Funded, &[6071]);
                no.when(*actor != terms.buyer, &[6040]);
                no.when(now >= terms.fund_by, &[6012]);
                let cool = now + i64::from(terms.cooling_off);
                no.when(terms.stones.iter().any(|stone| cool >= stone.deliver_by), &[6019]);
                return no.0;
            }
            Deed::Cancel if self.life == Life::Created => {
                let parties = [terms.buyer, terms.seller, self.rent_payer];
                no.when(!parties.contains(actor) && now < terms.fund_by, &[6045]);
                return no.0;
            }
            _ => no.when(self.life == Life::Created, &[6070]),
        }
        let milestone = match *deed {
            Deed::Deliver(milestone)
            | Deed::Claim(milestone, _)
            | Deed::Release { milestone, .. }
            | Deed::Refund { milestone, .. }
            | Deed::Dispute(milestone)
            | Deed::Rule(milestone, _)
            | Deed::Expire(milestone)
            | Deed::Propose(Offer::Split { milestone, .. } | Offer::Extension { milestone, .. })
            | Deed::Accept(Offer::Split { milestone, .. } | Offer::Extension { milestone, .. }) => Some(milestone),
            _ => None,
        };
        let stone = milestone.and_then(|milestone| self.stones.get(usize::from(milestone)));
        no.when(milestone.is_some() && stone.is_none(), &[6072]);
        let is = |status: u8| stone.is_some_and(|stone| stone.status == status);
        let late = stone.is_some_and(|stone| stone.status != SETTLED && now >= stone.deadline);
        let nobody = Pubkey::default();
        match *deed {
            Deed::Create | Deed::Fund => unreachable!("judged above"),
            Deed::Cancel => {
                no.when(*actor != terms.buyer, &[6040]);
                no.when(now >= self.cool_at(), &[6078]);
                no.when(self.stones.iter().all(|stone| stone.remaining == 0), &[6097]);
            }
            Deed::Deliver(_) => {
                let deliverer = if terms.attester == nobody { terms.seller } else { terms.attester };
                no.when(*actor != deliverer, &[6042]);
                no.when(terms.has_hashlock() && terms.attester == nobody, &[6094]);
                no.when(!is(PENDING), &[6074]);
                no.when(is(SETTLED), &[6073]);
                no.when(now < self.cool_at(), &[6077]);
                no.when(is(PENDING) && late, &[6079]);
            }
            Deed::Claim(_, secret) => {
                no.when(!terms.has_hashlock(), &[6083]);
                no.when(sha256(&[&secret]) != terms.hashlock, &[6084]);
                no.when(is(SETTLED), &[6073]);
                no.when(now < self.cool_at(), &[6077]);
                no.when(late, &[6079]);
            }
            Deed::Release { amount, expected, .. } | Deed::Refund { amount, expected, .. } => {
                let releases = matches!(deed, Deed::Release { .. });
                no.when(releases && *actor != terms.buyer, &[6040]);
                no.when(!releases && *actor != terms.seller, &[6041]);
                no.when(is(SETTLED), &[6073]);
                no.when(amount == 0, &[6006]);
                no.when(stone.is_some_and(|stone| stone.remaining != expected), &[6081]);
                no.when(stone.is_some_and(|stone| stone.remaining < amount), &[6082]);
            }
            Deed::Dispute(_) => {
                no.when(*actor != terms.buyer, &[6040]);
                no.when(!is(DELIVERED), &[6075]);
                no.when(is(SETTLED), &[6073]);
                no.when(is(DELIVERED) && late, &[6079]);
            }
            Deed::Rule(_, bps) => {
                no.when(*actor != terms.arbiter, &[6043]);
                no.when(!is(DISPUTED), &[6076]);
                no.when(is(SETTLED), &[6073]);
                no.when(bps > 10_000, &[6011]);
                no.when(is(DISPUTED) && late, &[6079]);
            }
            Deed::Propose(offer) => {
                no.when(![terms.buyer, terms.seller].contains(actor), &[6044]);
                self.judge_offer(&offer, now, &[6088], &mut no);
            }
            Deed::Accept(offer) => {
                no.when(![terms.buyer, terms.seller].contains(actor), &[6044]);
                let other = self.offers[usize::from(*actor == terms.buyer)];
                no.when(other == Offer::Nothing, &[6085]);
                // Nothing is never what the other party offers.
                no.when(other != offer || offer == Offer::Nothing, &[6086]);
                self.judge_offer(&offer, now, &[6087], &mut no);
            }
            Deed::Expire(_) => {
                no.when(is(SETTLED), &[6073]);
                no.when(!late && !is(SETTLED), &[6080]);
            }
            Deed::Withdraw(recipient) => no.when(self.due[usize::from(recipient)] == 0, &[6090]),
            Deed::Close => {
                no.when(self.stones.iter().any(|stone| stone.status != SETTLED), &[6091]);
                no.when(self.due != [0; 4], &[6092]);
                no.when(now < terms.fund_by, &[6093]);
            }
        }
        no.0
    }

    fn judge_offer(&self, offer: &Offer, now: i64, expired: &[u32], no: &mut Reasons) {
        let (milestone, status, expires_at) = match *offer {
            Offer::Nothing => return,
            Offer::Split { milestone, status, expires_at, .. }
            | Offer::Extension { milestone, status, expires_at, .. } => (milestone, status, expires_at),
        };
        no.when(expires_at <= now || (expired == [6088] && expires_at > now + TWO_YEARS), expired);
        let Some(stone) = self.stones.get(usize::from(milestone)) else { return };
        no.when(stone.status == SETTLED, &[6073]);
        no.when(stone.status != status, &[6095]);
        match *offer {
            Offer::Nothing => {}
            Offer::Split { remaining, to_seller, .. } => {
                no.when(remaining != stone.remaining, &[6081]);
                no.when(to_seller > remaining, &[6082]);
            }
            Offer::Extension { replaces, deadline, .. } => {
                no.when(replaces != stone.deadline, &[6096]);
                no.when(deadline <= stone.deadline || deadline > now + TWO_YEARS, &[6089]);
                no.when(now >= stone.deadline, &[6079]);
            }
        }
    }

    fn reasons_to_refuse_terms(&self, now: i64) -> Vec<InstructionError> {
        let terms = &self.terms;
        let nobody = Pubkey::default();
        let mut no = Reasons::default();
        no.when(matches!(self.life, Life::Created | Life::Funded), &[6023]);
        no.when(terms.buyer == nobody || terms.seller == nobody, &[6000]);
        let mut roles = vec![terms.buyer, terms.seller];
        roles.extend(Some(terms.arbiter).filter(|arbiter| *arbiter != nobody));
        let count = roles.len();
        roles.sort();
        roles.dedup();
        no.when(roles.len() != count, &[6001]);
        no.when(
            terms.recipients().contains(&crate::wire::program()) || terms.attester == crate::wire::program(),
            &[6002],
        );
        no.when((terms.mint == nobody) != (terms.token_program == nobody), &[6003]);
        no.when(!(1..=8).contains(&terms.stones.len()), &[6005]);
        no.when(terms.stones.iter().any(|stone| stone.amount == 0), &[6006]);
        let sum: u128 = terms.stones.iter().map(|stone| u128::from(stone.amount)).sum();
        no.when(sum > u128::from(u64::MAX), &[6007]);
        no.when(terms.fee_bps > 1000 || terms.arbiter_fee_bps > 1000, &[6008]);
        no.when(terms.fee_bps != 0 && terms.fee_recipient == nobody, &[6009]);
        no.when(terms.arbiter_fee_bps != 0 && terms.arbiter == nobody, &[6010]);
        no.when(terms.undelivered_bps.max(terms.unanswered_bps).max(terms.unruled_bps) > 10_000, &[6011]);
        no.when(terms.fund_by <= now, &[6012]);
        no.when(terms.fund_by > now + TWO_YEARS, &[6013]);
        no.when(terms.stones.iter().any(|stone| stone.deliver_by <= now), &[6014]);
        no.when(terms.stones.iter().any(|stone| stone.deliver_by > now + TWO_YEARS), &[6015]);
        let long = terms.stones.iter().any(|stone| stone.review_window > YEAR);
        no.when(long || terms.cooling_off > YEAR || terms.ruling_window > YEAR, &[6016]);
        no.when(terms.ruling_window == 0, &[6017]);
        let zero = terms.stones.iter().any(|stone| stone.review_window == 0);
        no.when(zero && [nobody, terms.seller].contains(&terms.attester), &[6018]);
        let cool = now + i64::from(terms.cooling_off);
        no.when(terms.stones.iter().any(|stone| cool >= stone.deliver_by), &[6019]);
        no.when(terms.has_hashlock() && terms.stones.len() > 1, &[6020]);
        no.when(terms.accepted_risks > 31, &[6021]);
        no.0
    }

    /// Does it. Only after [`Deal::reasons`] found none.
    pub fn apply(&mut self, deed: &Deed, actor: &Pubkey, now: i64) {
        let later = |lock: bool, present: i64, own: i64| if lock { present.max(own) } else { own };
        let lock = self.terms.has_hashlock();
        match *deed {
            Deed::Create => {
                *self = Self::new(self.terms.clone(), *actor);
                self.life = Life::Created;
            }
            Deed::Fund => {
                self.life = Life::Funded;
                self.funded_at = now;
            }
            Deed::Cancel if self.life == Life::Created => self.life = Life::Closed,
            Deed::Cancel => {
                for index in 0..self.stones.len() {
                    self.divide(index, 0, self.stones[index].remaining);
                }
            }
            Deed::Deliver(milestone) => {
                let window = i64::from(self.terms.stones[usize::from(milestone)].review_window);
                let stone = &mut self.stones[usize::from(milestone)];
                stone.status = DELIVERED;
                stone.deadline = later(lock, stone.deadline, now + window);
            }
            Deed::Dispute(milestone) => {
                let window = i64::from(self.terms.ruling_window);
                let stone = &mut self.stones[usize::from(milestone)];
                stone.status = DISPUTED;
                stone.deadline = later(lock, stone.deadline, now + window);
            }
            Deed::Claim(milestone, _) => {
                let index = usize::from(milestone);
                self.divide(index, self.stones[index].remaining, 0);
            }
            Deed::Release { milestone, amount, .. } => self.divide(usize::from(milestone), amount, 0),
            Deed::Refund { milestone, amount, .. } => self.divide(usize::from(milestone), 0, amount),
            Deed::Rule(milestone, bps) => {
                let index = usize::from(milestone);
                let fee = part(self.stones[index].remaining, self.terms.arbiter_fee_bps);
                self.stones[index].remaining -= fee;
                self.arbiter_fees += fee;
                self.due[3] += fee;
                self.split(index, bps);
            }
            Deed::Expire(milestone) => {
                let index = usize::from(milestone);
                let bps = match self.stones[index].status {
                    PENDING => self.terms.undelivered_bps,
                    DELIVERED => self.terms.unanswered_bps,
                    _ => self.terms.unruled_bps,
                };
                self.split(index, bps);
            }
            Deed::Propose(offer) => self.offers[usize::from(*actor != self.terms.buyer)] = offer,
            Deed::Accept(offer) => {
                self.offers[usize::from(*actor == self.terms.buyer)] = Offer::Nothing;
                match offer {
                    Offer::Nothing => {}
                    Offer::Split { milestone, remaining, to_seller, .. } => {
                        self.divide(usize::from(milestone), to_seller, remaining - to_seller);
                    }
                    Offer::Extension { milestone, deadline, .. } => {
                        self.stones[usize::from(milestone)].deadline = deadline;
                    }
                }
            }
            Deed::Withdraw(recipient) => {
                let due = std::mem::take(&mut self.due[usize::from(recipient)]);
                self.paid[usize::from(recipient)] += due;
            }
            Deed::Close => self.life = Life::Closed,
        }
    }

    fn split(&mut self, index: usize, bps: u16) {
        let remaining = self.stones[index].remaining;
        let to_seller = part(remaining, bps);
        self.divide(index, to_seller, remaining - to_seller);
    }

    /// Decides a part of a milestone: so much is released, so much refunded.
    fn divide(&mut self, index: usize, to_seller: u64, to_buyer: u64) {
        let stone = &mut self.stones[index];
        stone.remaining -= to_seller + to_buyer;
        if stone.remaining == 0 {
            stone.status = SETTLED;
            stone.deadline = 0;
        }
        self.released += to_seller;
        let fees = part(self.released, self.terms.fee_bps);
        let fee = fees - self.fees;
        self.fees = fees;
        self.due[2] += fee;
        self.due[1] += to_seller - fee;
        self.refunded += to_buyer;
        self.due[0] += to_buyer;
    }

    /// What is still to be paid out.
    pub fn held(&self) -> u64 {
        if self.life != Life::Funded {
            return 0;
        }
        self.principal() - self.paid.iter().sum::<u64>()
    }

    /// The account's bytes, by the layout table.
    pub fn image(&self) -> Vec<u8> {
        let terms = &self.terms;
        let mut out = sha256(&[b"account:Escrow"])[..8].to_vec();
        for address in [terms.buyer, terms.seller, terms.arbiter, terms.attester, terms.fee_recipient] {
            out.extend(address.as_ref());
        }
        let vault = if terms.in_tokens() { terms.vault() } else { Pubkey::default() };
        for address in [terms.mint, terms.token_program, self.rent_payer, vault] {
            out.extend(address.as_ref());
        }
        out.extend(terms.hash());
        out.extend(terms.hashlock);
        out.extend(terms.document_hash);
        out.extend(terms.salt);
        let ledger = [self.principal(), self.released, self.refunded, self.fees, self.arbiter_fees];
        out.extend(ledger.into_iter().chain(self.due).flat_map(u64::to_le_bytes));
        self.offers.iter().for_each(|offer| out.extend(slot(offer)));
        out.extend(terms.cooling_off.to_le_bytes());
        out.extend(terms.ruling_window.to_le_bytes());
        let shares = [terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps];
        let numbers = [terms.accepted_risks, terms.fee_bps, terms.arbiter_fee_bps].into_iter().chain(shares);
        out.extend(numbers.flat_map(u16::to_le_bytes));
        out.extend([if self.life == Life::Funded { 2 } else { 1 }, 2, terms.escrow_and_bump().1, 0]);
        out.extend(terms.fund_by.to_le_bytes());
        out.extend(self.funded_at.to_le_bytes());
        out.extend((terms.stones.len() as u64).to_le_bytes());
        for (stone, live) in terms.stones.iter().zip(&self.stones) {
            out.extend([stone.amount, live.remaining].map(u64::to_le_bytes).concat());
            out.extend([stone.deliver_by, live.deadline].map(i64::to_le_bytes).concat());
            out.extend(stone.review_window.to_le_bytes());
            out.extend([live.status, 0, 0, 0]);
        }
        out
    }
}

fn slot(offer: &Offer) -> Vec<u8> {
    let (amounts, times, kind) = match *offer {
        Offer::Nothing => ([0; 2], [0; 3], [0; 3]),
        Offer::Split { milestone, status, remaining, to_seller, expires_at } => {
            ([remaining, to_seller], [0, 0, expires_at], [1, milestone, status])
        }
        Offer::Extension { milestone, status, replaces, deadline, expires_at } => {
            ([0; 2], [replaces, deadline, expires_at], [2, milestone, status])
        }
    };
    [&amounts.map(u64::to_le_bytes).concat()[..], &times.map(i64::to_le_bytes).concat(), &kind, &[0; 5]].concat()
}
