//! Whole lives of escrows from a seed, by the program's own rules: what the client's engines are tried on.

use escrow_client::{
    Action, EscrowAccount, EscrowInstruction, MilestoneStatus, Proposal, Terms,
    explain::possibilities,
    terms::{self, Asset},
};
use solana_pubkey::Pubkey;

use crate::{DAY, HOUR, START};

/// Numbers from a seed: splitmix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// All that follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn choose<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// Who has which role; each of them has only that one.
pub mod people {
    use solana_pubkey::Pubkey;

    /// Pays in.
    pub const BUYER: Pubkey = Pubkey::new_from_array([1; 32]);
    /// Delivers.
    pub const SELLER: Pubkey = Pubkey::new_from_array([2; 32]);
    /// Rules.
    pub const ARBITER: Pubkey = Pubkey::new_from_array([3; 32]);
    /// Is paid the fee.
    pub const FEE_RECIPIENT: Pubkey = Pubkey::new_from_array([4; 32]);
    /// Delivers in the seller's place.
    pub const ATTESTER: Pubkey = Pubkey::new_from_array([5; 32]);
    /// Pays the rent.
    pub const RENT_PAYER: Pubkey = Pubkey::new_from_array([6; 32]);
}

/// The delivery code of every escrow that has one.
pub const SECRET: [u8; 32] = [7; 32];

/// A token.
pub const TOKEN_ASSET: Asset = Asset::Token { mint: Pubkey::new_from_array([9; 32]), program: crate::TOKEN };

/// Terms that a seed gives.
pub fn terms(random: &mut Random) -> Terms {
    let asset = random.choose(&[Asset::Sol, TOKEN_ASSET]);
    let mut terms = terms::TermsBuilder::new(people::BUYER, people::SELLER, asset).assemble(START).expect("terms");
    let count = random.choose(&[1, 1, 1, 2, 3]);
    for _ in 0..count {
        let amount = random.choose(&[1, 7, 999, 1_000_000_007, u64::MAX / 4]);
        let mut milestone = terms::milestone(amount, START + DAY + random.below(20 * DAY as u64) as i64);
        milestone.review_window = random.choose(&[HOUR / 2, 3 * HOUR, 2 * DAY, 9 * DAY]) as u32;
        terms.milestones.push(milestone);
    }
    terms.salt = u128::from(random.next()).to_le_bytes();
    terms.fund_by = START + random.choose(&[HOUR, 20 * HOUR]);
    terms.cooling_off = random.choose(&[0, 0, HOUR as u32]);
    terms.ruling_window = random.choose(&[HOUR / 2, DAY, 7 * DAY]) as u32;
    terms.undelivered_bps = random.choose(&[0, 0, 2_500]);
    terms.unanswered_bps = random.choose(&[10_000, 10_000, 0]);
    terms.unruled_bps = random.choose(&[5_000, 3_333]);
    if !random.once_in(4) {
        (terms.arbiter, terms.arbiter_fee_bps) = (people::ARBITER, random.choose(&[0, 100]));
    }
    if random.once_in(2) {
        (terms.fee_recipient, terms.fee_bps) = (people::FEE_RECIPIENT, random.choose(&[1, 250]));
    }
    match random.below(4) {
        0 => terms.attester = people::ATTESTER,
        1 if count == 1 => {
            terms.hashlock = escrow_client::code::DeliveryCode::from(SECRET).hashlock();
            terms.attester = random.choose(&[Pubkey::default(), people::SELLER]);
        }
        _ => {}
    }
    terms.validate(START).expect("terms that can be agreed on");
    terms
}

/// Something that is done to an escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When, in unix seconds.
    pub time: i64,
    /// What.
    pub action: Action,
    /// The escrow after it; none where its account is closed.
    pub after: Option<EscrowAccount>,
}

/// The whole life of an escrow, or its beginning.
#[derive(Debug, Clone)]
pub struct Life {
    /// What was agreed.
    pub terms: Terms,
    /// Its address.
    pub address: Pubkey,
    /// What was done, in order. The first creates it.
    pub acts: Vec<Act>,
}

impl Life {
    /// The life that a seed gives, of at most `most` acts. Some end with the account closed.
    pub fn random(random: &mut Random, most: usize) -> Self {
        let terms = terms(random);
        let agreed = EscrowAccount::agreed(&terms, people::RENT_PAYER).expect("terms that hash");
        let create = Action::new(&agreed, EscrowInstruction::Create { terms: Box::new(terms.clone()) });
        let mut life = Self { address: agreed.address, terms, acts: Vec::new() };
        let mut now = START;
        life.act(create, &agreed, now);
        while life.acts.len() < most
            && let Some(present) = life.acts.last().and_then(|act| act.after.clone())
        {
            match random.below(3) {
                0 => now = later(random, &present, now),
                1 => now += random.below(60) as i64,
                _ => {}
            }
            let action = match random.below(5) {
                0 => Some(proposal(random, &present, now)),
                1 => partly(random, &present),
                _ => possible(random, &present, now),
            };
            if let Some(action) = action {
                life.act(action, &present, now);
            }
        }
        life
    }

    /// Does `action` to `before`, if the rules allow it.
    fn act(&mut self, action: Action, before: &EscrowAccount, time: i64) {
        if let Ok(preview) = action.preview(before, time) {
            self.acts.push(Act { time, action, after: preview.after });
        }
    }

    /// The escrow as it stands at the end; none where its account is closed.
    pub fn end(&self) -> Option<&EscrowAccount> {
        self.acts.last().and_then(|act| act.after.as_ref())
    }
}

/// A moment at which something may change.
fn later(random: &mut Random, escrow: &EscrowAccount, now: i64) -> i64 {
    let mut moments: Vec<i64> =
        possibilities(escrow, now).iter().flat_map(|one| [Some(one.from), one.until]).flatten().collect();
    moments.retain(|moment| *moment > now);
    if moments.is_empty() { now + DAY } else { random.choose(&moments) - random.choose(&[0, 0, 1, 1_000]) }.max(now)
}

fn possible(random: &mut Random, escrow: &EscrowAccount, now: i64) -> Option<Action> {
    let mut open: Vec<Action> =
        possibilities(escrow, now).into_iter().filter(|one| one.is_open(now)).map(|one| one.action).collect();
    // Cancelling ends it all: not every time.
    open.retain(|action| !matches!(action.instruction, EscrowInstruction::Cancel) || random.once_in(6));
    if open.is_empty() {
        return None;
    }
    let mut action = random.choose(&open);
    match &mut action.instruction {
        EscrowInstruction::Claim { secret, .. } => *secret = SECRET,
        EscrowInstruction::Deliver { evidence_hash: hash, .. }
        | EscrowInstruction::Dispute { reason_hash: hash, .. }
        | EscrowInstruction::Rule { rationale_hash: hash, .. } => *hash = [random.below(3) as u8; 32],
        _ => {}
    }
    Some(action)
}

/// A proposal; often the same one again, or the withdrawal of none, which changes nothing.
fn proposal(random: &mut Random, escrow: &EscrowAccount, now: i64) -> Action {
    let milestone = random.below(escrow.milestones.len() as u64) as u8;
    let present = &escrow.milestones[usize::from(milestone)];
    let status = MilestoneStatus::try_from(present.status).expect("a status");
    let (remaining, replaces) = (present.remaining, present.deadline);
    let proposal = match random.below(3) {
        0 => Proposal::Withdrawn,
        1 => Proposal::Split { milestone, status, remaining, to_seller: remaining / 3, expires_at: now + 2 * DAY },
        _ => {
            let deadline = replaces + random.choose(&[HOUR, 3 * DAY]);
            Proposal::Extension { milestone, status, replaces, deadline, expires_at: replaces }
        }
    };
    let by = random.choose(&[people::BUYER, people::SELLER]);
    Action::new(escrow, EscrowInstruction::Propose { proposal }).by(by)
}

fn partly(random: &mut Random, escrow: &EscrowAccount) -> Option<Action> {
    let milestone = random.below(escrow.milestones.len() as u64) as u8;
    let expected_remaining = escrow.milestones[usize::from(milestone)].remaining;
    let amount = expected_remaining.checked_div(1 + random.below(4))?;
    let instruction = match random.below(2) {
        0 => EscrowInstruction::Release { milestone, amount, expected_remaining },
        _ => EscrowInstruction::Refund { milestone, amount, expected_remaining },
    };
    Some(Action::new(escrow, instruction))
}
