//! From random numbers to moves. A step is a few small numbers whose meaning depends on where the play stands, so that a
//! failing play can be shortened by leaving steps out and making numbers smaller.

use escrow_client::{EscrowInstruction, MilestoneStatus, MilestoneTerms, Proposal, Recipient, Terms};
use escrow_tests::{DAY, HOUR, SECRET};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use super::arena::{Arena, Move, SLOTS, Slot, associated, mints, people, second_account};
use crate::{
    model::{Call, Escrow},
    random::Random,
};

/// One step of a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which sort of move.
    pub sort: u8,
    /// About which slot.
    pub slot: u8,
    /// What everything else comes from.
    pub dice: u64,
}

/// What a step's number becomes.
struct Dice(Random);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0.next()
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    fn index(&mut self, length: usize) -> usize {
        self.0.below(length)
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        self.0.choose(of).clone()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn person(&mut self) -> Pubkey {
        self.one_of(&people())
    }

    fn hash(&mut self) -> [u8; 32] {
        Sha256::digest(self.roll().to_le_bytes()).into()
    }

    /// An amount that tests something about `of`.
    fn amount(&mut self, of: u64) -> u64 {
        match self.below(6) {
            0 => of,
            1 => 1,
            2 => of / 2,
            3 => of.saturating_sub(1),
            _ => 1 + self.below(of),
        }
    }
}

/// What the step means now.
pub fn plan(arena: &Arena, step: Step) -> Move {
    let slot = usize::from(step.slot) % SLOTS;
    let dice = &mut Dice(Random::new(step.dice));
    match step.sort {
        0..=24 => Move::Wait(wait(arena, dice)),
        25..=195 => legal(arena, slot, dice),
        196..=237 => arbitrary(arena, slot, dice),
        238..=255 => outside(arena, slot, dice),
    }
}

/// To a moment at which something changes, a second before or after it, or a little.
fn wait(arena: &Arena, dice: &mut Dice) -> i64 {
    let now = arena.model.now;
    let mut moments = Vec::new();
    for place in arena.slots.iter().flatten().filter(|_| dice.chance(50)) {
        if let Some(escrow) = arena.model.escrows.get(&place.escrow) {
            moments.push(i128::from(place.terms.fund_by));
            moments.extend(escrow.cooling_off_end());
            moments.extend(escrow.milestones.iter().filter_map(|milestone| milestone.phase.deadline()));
        }
    }
    moments.retain(|moment| *moment >= now);
    moments.sort_unstable();
    let little = [0, 0, 1, 1, 60, HOUR, DAY];
    if moments.is_empty() || dice.chance(30) {
        return dice.one_of(&little);
    }
    // The nearest rather than the last, or every play would be over at once.
    let moment = if dice.chance(80) { moments[0] } else { dice.one_of(&moments) };
    i64::try_from(moment - now).unwrap_or(0).saturating_add(dice.one_of(&[-1, 0, 0, 1])).max(0)
}

/// Something that the model accepts now about this slot, or about the next one.
fn legal(arena: &Arena, slot: usize, dice: &mut Dice) -> Move {
    for slot in (slot..slot + SLOTS).map(|slot| slot % SLOTS) {
        let place = arena.slots[slot].as_ref();
        let Some((place, escrow)) = place.and_then(|place| Some((place, arena.model.escrows.get(&place.escrow)?)))
        else {
            return Move::Create(slot, Box::new(terms(arena, dice)), dice.person());
        };
        let mut calls = Vec::new();
        for (action, signer) in actions(escrow, dice) {
            let call = whole(arena, place, action, signer, dice);
            // These end the play of a slot, so they are not hurried.
            let patient = match call.action {
                EscrowInstruction::Cancel => dice.chance(90),
                EscrowInstruction::Close => dice.chance(60),
                _ => false,
            };
            if !patient && arena.model.clone().apply(&call).is_ok() {
                calls.push(call);
            }
        }
        if !calls.is_empty() {
            return Move::Call(slot, dice.one_of(&calls));
        }
    }
    Move::Wait(wait(arena, dice))
}

/// Each instruction as somebody who may send it would, at some time or other.
fn actions(escrow: &Escrow, dice: &mut Dice) -> Vec<(EscrowInstruction, Option<Pubkey>)> {
    let terms = &escrow.terms;
    let (buyer, seller) = (Some(terms.buyer), Some(terms.seller));
    let deliverer = if terms.attester == Pubkey::default() { terms.seller } else { terms.attester };
    let mut all = vec![
        (EscrowInstruction::Fund, buyer),
        (EscrowInstruction::Fund, buyer),
        (EscrowInstruction::Cancel, buyer),
        (EscrowInstruction::Close, None),
    ];
    for (milestone, state) in (0u8..).zip(&escrow.milestones) {
        let remaining = u64::try_from(state.remaining).unwrap_or(0);
        let (evidence_hash, reason_hash, rationale_hash) = (dice.hash(), dice.hash(), dice.hash());
        let share = dice.one_of(&[0, 1, 5_000, 9_999, 10_000, 3_333]);
        all.push((EscrowInstruction::Deliver { milestone, evidence_hash }, Some(deliverer)));
        all.push((EscrowInstruction::Claim { milestone, secret: SECRET }, None));
        all.push((EscrowInstruction::Dispute { milestone, reason_hash }, buyer));
        all.push((EscrowInstruction::Rule { milestone, seller_bps: share, rationale_hash }, Some(terms.arbiter)));
        all.push((EscrowInstruction::Expire { milestone }, None));
        let amount = dice.amount(remaining);
        // Rarer, because they would settle everything before anything else happens.
        match dice.below(5) {
            0 => all.push((EscrowInstruction::Release { milestone, amount, expected_remaining: remaining }, buyer)),
            1 => all.push((EscrowInstruction::Refund { milestone, amount, expected_remaining: remaining }, seller)),
            2 | 3 => all.push((
                EscrowInstruction::Propose { proposal: proposal(escrow, milestone, dice) },
                dice.one_of(&[buyer, seller]),
            )),
            _ => {}
        }
    }
    for (party, acceptor) in [(0, seller), (1, buyer)] {
        if let Some(proposal) = escrow.proposals[party] {
            all.push((EscrowInstruction::Accept { proposal }, acceptor));
            all.push((EscrowInstruction::Accept { proposal }, acceptor));
        }
    }
    all.extend(Recipient::ALL.map(|recipient| (EscrowInstruction::Withdraw { recipient }, None)));
    all
}

const STATUSES: [MilestoneStatus; 4] =
    [MilestoneStatus::Pending, MilestoneStatus::Delivered, MilestoneStatus::Disputed, MilestoneStatus::Settled];

/// A proposal that could be meant.
fn proposal(escrow: &Escrow, milestone: u8, dice: &mut Dice) -> Proposal {
    let state = escrow.milestones.get(usize::from(milestone));
    let deadline = state.and_then(|state| state.phase.deadline()).unwrap_or(0);
    let deadline = i64::try_from(deadline).unwrap_or(0);
    let expires_at = deadline.saturating_add(dice.one_of(&[-HOUR, 0, 1, DAY]));
    let status = state.map_or(MilestoneStatus::Settled, |state| state.phase.status());
    if dice.chance(50) {
        let remaining = state.map_or(0, |state| u64::try_from(state.remaining).unwrap_or(0));
        Proposal::Split { milestone, status, remaining, to_seller: dice.amount(remaining), expires_at }
    } else {
        let later = deadline.saturating_add(dice.one_of(&[1, HOUR, DAY, 30 * DAY]));
        Proposal::Extension { milestone, status, replaces: deadline, deadline: later, expires_at }
    }
}

/// With the token account that the instruction needs: mostly the associated one of who is paid.
fn whole(arena: &Arena, place: &Slot, action: EscrowInstruction, signer: Option<Pubkey>, dice: &mut Dice) -> Call {
    let terms = &place.terms;
    let mut call = Call { escrow: place.escrow, action, signer, token_account: None };
    let Some(mint) = mints().iter().position(|(mint, _)| *mint == terms.mint) else { return call };
    let owner = match &call.action {
        EscrowInstruction::Withdraw { recipient: Recipient::Seller } => terms.seller,
        EscrowInstruction::Withdraw { recipient: Recipient::Fee } => terms.fee_recipient,
        EscrowInstruction::Withdraw { recipient: Recipient::Arbiter } => terms.arbiter,
        EscrowInstruction::Withdraw { .. }
        | EscrowInstruction::Fund
        | EscrowInstruction::Cancel
        | EscrowInstruction::Close => terms.buyer,
        _ => return call,
    };
    let mint_address = mints()[mint].0;
    call.token_account = Some(associated(&owner, &mint_address));
    // Somebody who is paid can direct it to another account by signing.
    let directs = matches!(call.action, EscrowInstruction::Withdraw { .. } | EscrowInstruction::Close);
    if directs && dice.chance(15) {
        let theirs = arena.model.tokens.iter().filter(|(_, held)| held.owner == owner && held.mint == mint_address);
        let theirs: Vec<Pubkey> = theirs.map(|(account, _)| *account).collect();
        if !theirs.is_empty() {
            call.token_account = Some(dice.one_of(&theirs));
            call.signer = Some(owner);
        }
    }
    call
}

/// Anything by anybody, with arguments that may be wrong.
fn arbitrary(arena: &Arena, slot: usize, dice: &mut Dice) -> Move {
    let Some(place) = &arena.slots[slot] else {
        return Move::Create(slot, Box::new(terms(arena, dice)), dice.person());
    };
    if dice.chance(3) {
        // The same address again: while it is in use, or after it was closed.
        return Move::Create(slot, Box::new(place.terms.clone()), dice.person());
    }
    let escrow = arena.model.escrows.get(&place.escrow);
    let blank = Escrow::new(&place.terms, place.rent_payer);
    let escrow = escrow.unwrap_or(&blank);
    let actions = actions(escrow, dice);
    let (mut action, mut signer) = dice.one_of(&actions);
    if dice.chance(50) {
        signer = signer.map(|_| dice.person());
    }
    if dice.chance(50) {
        distort(&mut action, escrow, dice);
    }
    // Nobody signs for a default key.
    let signer = signer.filter(|signer| *signer != Pubkey::default()).or(match action {
        EscrowInstruction::Claim { .. }
        | EscrowInstruction::Expire { .. }
        | EscrowInstruction::Withdraw { .. }
        | EscrowInstruction::Close => None,
        _ => Some(dice.person()),
    });
    let mut call = whole(arena, place, action, signer, dice);
    if call.token_account.is_some() && dice.chance(30) {
        let accounts: Vec<Pubkey> = arena.model.tokens.keys().copied().collect();
        let of_same = |account: &Pubkey| arena.model.tokens[account].mint == place.terms.mint;
        let accounts: Vec<Pubkey> = accounts.into_iter().filter(of_same).collect();
        call.token_account = Some(dice.one_of(&accounts));
        // From the vault into itself is another matter, which the tests of the program have.
        if call.token_account == Some(place.vault) {
            call.token_account = None;
        }
    }
    if matches!(call.action, EscrowInstruction::Withdraw { .. }) && call.signer.is_some() {
        let to = escrow.recipient(match call.action {
            EscrowInstruction::Withdraw { recipient } => recipient,
            _ => Recipient::Buyer,
        });
        // Only the recipient has a place to sign.
        call.signer = call.signer.filter(|_| to != Pubkey::default()).map(|_| to);
    }
    if matches!(call.action, EscrowInstruction::Close) {
        call.signer = call.signer.filter(|signer| *signer == place.terms.buyer);
    }
    if matches!(call.action, EscrowInstruction::Withdraw { .. } | EscrowInstruction::Fund)
        && call.token_account.is_none()
    {
        // An address where there is no token account.
        call.token_account = (place.terms.mint != Pubkey::default()).then(|| Pubkey::new_from_array([9; 32]));
    }
    Move::Call(slot, call)
}

/// Makes one argument arbitrary.
fn distort(action: &mut EscrowInstruction, escrow: &Escrow, dice: &mut Dice) {
    let other = dice.one_of(&[0u8, 1, 2, 7, 8, 255]);
    let number = dice.one_of(&[0u64, 1, 2, 10_000, u64::MAX]);
    match action {
        EscrowInstruction::Deliver { milestone, .. }
        | EscrowInstruction::Dispute { milestone, .. }
        | EscrowInstruction::Expire { milestone } => {
            *milestone = other;
        }
        EscrowInstruction::Claim { milestone, secret } => {
            if dice.chance(50) {
                *milestone = other
            } else {
                secret[31] ^= 1
            }
        }
        EscrowInstruction::Release { milestone, amount, expected_remaining }
        | EscrowInstruction::Refund { milestone, amount, expected_remaining } => match dice.below(3) {
            0 => *milestone = other,
            1 => *amount = number,
            _ => *expected_remaining = number,
        },
        EscrowInstruction::Rule { milestone, seller_bps, .. } => {
            if dice.chance(50) {
                *milestone = other
            } else {
                *seller_bps = dice.one_of(&[10_001, u16::MAX])
            }
        }
        EscrowInstruction::Propose { proposal } | EscrowInstruction::Accept { proposal } => match proposal {
            Proposal::Withdrawn => *proposal = self::proposal(escrow, other, dice),
            Proposal::Split { milestone, status, remaining, to_seller, expires_at } => match dice.below(6) {
                0 => *milestone = other,
                4 => *status = dice.one_of(&STATUSES),
                1 => *remaining = number,
                2 => *to_seller = number,
                3 => *expires_at = dice.one_of(&[0, i64::MIN, i64::MAX]),
                _ => *proposal = Proposal::Withdrawn,
            },
            Proposal::Extension { milestone, status, replaces, deadline, expires_at } => match dice.below(6) {
                0 => *milestone = other,
                1 => *deadline = dice.one_of(&[0, i64::MIN, i64::MAX]),
                3 => *replaces = dice.one_of(&[0, i64::MAX, *deadline]),
                4 => *status = dice.one_of(&STATUSES),
                2 => *expires_at = dice.one_of(&[0, i64::MIN, i64::MAX]),
                _ => *proposal = Proposal::Withdrawn,
            },
        },
        EscrowInstruction::Withdraw { recipient } => *recipient = dice.one_of(&Recipient::ALL),
        EscrowInstruction::Create { .. }
        | EscrowInstruction::Fund
        | EscrowInstruction::Cancel
        | EscrowInstruction::Close => {}
    }
}

/// What issuers, owners of token accounts and strangers do.
fn outside(arena: &Arena, slot: usize, dice: &mut Dice) -> Move {
    let accounts: Vec<Pubkey> = arena.model.tokens.keys().copied().collect();
    let person = dice.index(7);
    let mint = dice.index(2);
    match dice.below(10) {
        0 | 1 => Move::Freeze(dice.one_of(&accounts), true),
        2..=4 => {
            let frozen = accounts.iter().copied().filter(|account| arena.model.tokens[account].frozen);
            match frozen.collect::<Vec<_>>() {
                none if none.is_empty() => Move::Freeze(dice.one_of(&accounts), true),
                frozen => Move::Freeze(dice.one_of(&frozen), false),
            }
        }
        5 => Move::GiveAway(dice.one_of(&accounts), dice.person()),
        6 => Move::CloseAccount(dice.one_of(&accounts)),
        7 => Move::OpenAccount(person, mint),
        8 => Move::SendLamports(slot, dice.chance(50), 890_880 + dice.below(10_000_000)),
        _ => Move::SendTokens(slot, second_or_first(person, mint, dice), 1 + dice.below(1_000)),
    }
}

fn second_or_first(person: usize, mint: usize, dice: &mut Dice) -> Pubkey {
    if dice.chance(10) { second_account(person, mint) } else { associated(&people()[person], &mints()[mint].0) }
}

/// Terms: mostly such as people agree on, now and then with something wrong.
fn terms(arena: &Arena, dice: &mut Dice) -> Terms {
    let now = i64::try_from(arena.model.now).unwrap_or(0);
    let people = people();
    let first = dice.index(7);
    let (buyer, seller) = (people[first], people[(first + 1 + dice.index(6)) % 7]);
    let others: Vec<Pubkey> = people.iter().copied().filter(|person| *person != buyer && *person != seller).collect();
    let none = Pubkey::default();
    let arbiter = if dice.chance(75) { dice.one_of(&others) } else { none };
    let attester = if dice.chance(25) { dice.person() } else { none };
    let fee_recipient = if dice.chance(60) { dice.person() } else { none };
    let rate = |dice: &mut Dice| dice.one_of(&[0, 1, 250, 333, 999, 1_000]);
    let share = |dice: &mut Dice| dice.one_of(&[0, 10_000, 5_000, 1, 9_999, 3_333]);
    let (mint, token_program) = match dice.below(3) {
        0 => (none, none),
        number => mints()[usize::try_from(number - 1).unwrap_or(0)],
    };
    let cooling_off = dice.one_of(&[0u32, 0, 1, 3_600, 86_400]);
    let hashlock = if dice.chance(25) { Sha256::digest(SECRET).into() } else { [0; 32] };
    let count = if hashlock == [0; 32] { dice.one_of(&[1, 1, 2, 2, 3, 8]) } else { 1 };
    let attested = attester != none && attester != seller;
    let most = if mint == none { 1_000_000_000 } else { 1 << 60 };
    let milestone = |dice: &mut Dice| MilestoneTerms {
        amount: match dice.below(3) {
            0 => dice.one_of(&[1, 2, 3, 9_999, 10_000, 10_001]),
            1 => 1 + dice.below(1_000_000),
            _ => 1 + dice.below(most),
        },
        deliver_by: now + i64::from(cooling_off) + dice.one_of(&[1, 2, HOUR, DAY, 10 * DAY]),
        review_window: dice.one_of(if attested { &[0, 1, 3_600, 259_200] } else { &[1, 3_600, 86_400, 259_200] }),
    };
    let mut terms = Terms {
        buyer,
        seller,
        arbiter,
        attester,
        fee_recipient,
        mint,
        token_program,
        accepted_risks: 1,
        fee_bps: 0,
        arbiter_fee_bps: 0,
        fund_by: now + dice.one_of(&[1, HOUR, DAY, 30 * DAY]),
        cooling_off,
        ruling_window: dice.one_of(&[1, 3_600, 86_400, 604_800]),
        undelivered_bps: share(dice),
        unanswered_bps: share(dice),
        unruled_bps: share(dice),
        hashlock,
        document_hash: dice.hash(),
        salt: dice.roll().to_le_bytes().repeat(2).try_into().unwrap_or([0; 16]),
        milestones: (0..count).map(|_| milestone(dice)).collect(),
    };
    if fee_recipient != none {
        terms.fee_bps = rate(dice);
    }
    if arbiter != none {
        terms.arbiter_fee_bps = rate(dice);
    }
    if dice.chance(12) {
        spoil(&mut terms, now, dice);
    }
    terms
}

/// Makes one thing in the terms wrong, or extreme.
fn spoil(terms: &mut Terms, now: i64, dice: &mut Dice) {
    const TWO_YEARS: i64 = 2 * 365 * DAY;
    const YEAR: u32 = 365 * 86_400;
    let times = [0, now, now + 1, now + TWO_YEARS, now + TWO_YEARS + 1, i64::MIN, i64::MAX];
    let windows = [0, YEAR, YEAR + 1, u32::MAX];
    let none = Pubkey::default();
    let last = terms.milestones.len().saturating_sub(1);
    match dice.below(24) {
        0 => terms.buyer = none,
        1 => terms.seller = none,
        2 => terms.seller = terms.buyer,
        3 => terms.arbiter = terms.buyer,
        4 => terms.arbiter = terms.seller,
        5 => terms.attester = escrow_client::escrow::ID,
        6 => terms.fee_recipient = escrow_client::escrow::ID,
        7 => terms.accepted_risks = dice.one_of(&[0, 31, 32, u16::MAX]),
        8 => terms.fee_bps = dice.one_of(&[1_001, u16::MAX]),
        9 => terms.arbiter_fee_bps = dice.one_of(&[1, 1_001, u16::MAX]),
        10 => terms.fee_recipient = none,
        11 => terms.fund_by = dice.one_of(&times),
        12 => terms.cooling_off = dice.one_of(&windows),
        13 => terms.ruling_window = dice.one_of(&windows),
        14 => terms.undelivered_bps = dice.one_of(&[10_001, u16::MAX]),
        15 => terms.unanswered_bps = dice.one_of(&[10_001, u16::MAX]),
        16 => terms.unruled_bps = dice.one_of(&[10_001, u16::MAX]),
        17 => terms.milestones.clear(),
        18 => terms.milestones = vec![terms.milestones[last]; 9 - dice.index(2)],
        19 => terms.milestones[last].amount = dice.one_of(&[0, u64::MAX]),
        20 => terms.milestones[last].deliver_by = dice.one_of(&times),
        21 => terms.milestones[last].review_window = dice.one_of(&windows),
        22 => terms.hashlock = dice.hash(),
        _ => terms.attester = terms.seller,
    }
}
