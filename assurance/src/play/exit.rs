//! Exit liveness: from a state that a play reached, time passes all deadlines, and each party alone gets what the terms
//! owe it, by instructions that nobody else signs.

use anyhow::{Result, ensure};
use escrow_client::{EscrowInstruction, Recipient};
use solana_pubkey::Pubkey;

use super::arena::{Arena, Move, Slot, associated, mints, people};
use crate::model::{Call, Escrow, Phase};

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exits {
    /// States from which exits were tried.
    pub states: u64,
    /// Parties who got what was theirs, alone.
    pub parties: u64,
    /// Parties who got nothing because a token's issuer froze the vault or all of their accounts: a risk that the terms
    /// accept by name.
    pub frozen: u64,
    /// Rent payers whose rent waits for a recipient whose token accounts are frozen or given away.
    pub rent_waits: u64,
}

impl Exits {
    /// Adds those of another play.
    pub fn add(&mut self, other: Self) {
        self.states += other.states;
        self.parties += other.parties;
        self.frozen += other.frozen;
        self.rent_waits += other.rent_waits;
    }
}

/// Tries the exit of each party of the escrow in `slot`.
pub fn check(arena: &Arena, slot: usize, exits: &mut Exits) -> Result<()> {
    let Some((place, escrow)) = arena.slots[slot].as_ref().and_then(|p| Some((p, arena.model.escrows.get(&p.escrow)?)))
    else {
        return Ok(());
    };
    exits.states += 1;
    let deadlines = escrow.milestones.iter().filter_map(|milestone| milestone.phase.deadline());
    let end = deadlines.chain([escrow.terms.fund_by.into()]).max().unwrap_or(0);
    let wait = i64::try_from(end - arena.model.now)?.max(0);
    let mut late = arena.fork();
    late.play(&Move::Wait(wait))?;

    let terms = &escrow.terms;
    let roles = [terms.buyer, terms.seller, terms.fee_recipient, terms.arbiter];
    let mut parties: Vec<Pubkey> = roles.into_iter().filter(|address| *address != Pubkey::default()).collect();
    parties.sort_unstable();
    parties.dedup();
    for party in parties {
        leave(late.fork(), slot, place, escrow, party, exits)?;
    }
    get_rent_back(late.fork(), slot, place, escrow, exits)
}

fn call(place: &Slot, action: EscrowInstruction) -> Call {
    Call { escrow: place.escrow, action, signer: None, token_account: None }
}

/// What everybody is owed once all that is undecided takes its default: told from the terms.
fn owed(escrow: &Escrow, party: &Pubkey) -> i128 {
    let mut escrow = escrow.clone();
    for milestone in 0u8..u8::try_from(escrow.milestones.len()).unwrap_or(0) {
        let deadline = escrow.milestones[usize::from(milestone)].phase.deadline();
        if let Some(deadline) = deadline {
            let expired = escrow.decide(&EscrowInstruction::Expire { milestone }, None, deadline);
            debug_assert!(expired.is_ok());
        }
    }
    let theirs = Recipient::ALL.into_iter().filter(|recipient| escrow.recipient(*recipient) == *party);
    theirs.map(|recipient| escrow.due(recipient)).sum()
}

/// Everything that `party` has of the escrow's asset.
fn wealth(arena: &Arena, escrow: &Escrow, party: &Pubkey) -> i128 {
    if escrow.terms.mint == Pubkey::default() {
        return arena.model.lamports.get(party).copied().unwrap_or(0);
    }
    let theirs = arena.model.tokens.values().filter(|held| held.mint == escrow.terms.mint && held.owner == *party);
    theirs.map(|held| held.amount).sum()
}

fn expire_all(arena: &mut Arena, slot: usize, place: &Slot, escrow: &Escrow) -> Result<()> {
    for (milestone, state) in (0u8..).zip(&escrow.milestones) {
        if state.phase != Phase::Settled {
            let done = arena.call(slot, &call(place, EscrowInstruction::Expire { milestone }))?;
            ensure!(done.is_some(), "milestone {milestone} does not expire after all deadlines");
        }
    }
    Ok(())
}

/// An account to which `party` can be paid: the associated one, which anybody can open, or another that it directs to
/// by signing (`alone`).
fn destination(arena: &mut Arena, escrow: &Escrow, party: &Pubkey, alone: bool) -> Result<Option<Option<Pubkey>>> {
    let Some(mint) = mints().iter().position(|(mint, _)| *mint == escrow.terms.mint) else { return Ok(Some(None)) };
    let mint_address = mints()[mint].0;
    let associated = associated(party, &mint_address);
    if let Some(person) = people().iter().position(|person| person == party) {
        arena.play(&Move::OpenAccount(person, mint))?;
    }
    let tokens = &arena.model.tokens;
    let good = |account: &Pubkey| {
        tokens.get(account).is_some_and(|held| held.owner == *party && held.mint == mint_address && !held.frozen)
    };
    if good(&associated) {
        return Ok(Some(Some(associated)));
    }
    if !alone {
        return Ok(None);
    }
    Ok(tokens.keys().copied().find(good).map(Some))
}

fn vault_is_frozen(arena: &Arena, place: &Slot) -> bool {
    arena.model.tokens.get(&place.vault).is_some_and(|vault| vault.frozen)
}

/// `party` alone takes what is theirs.
fn leave(mut arena: Arena, slot: usize, place: &Slot, escrow: &Escrow, party: Pubkey, exits: &mut Exits) -> Result<()> {
    if escrow.funded_at.is_none() {
        // Nothing was paid in: nobody is owed anything but the rent.
        return Ok(());
    }
    let owed = owed(escrow, &party);
    let before = wealth(&arena, escrow, &party);
    expire_all(&mut arena, slot, place, escrow)?;
    if owed != 0 && vault_is_frozen(&arena, place) {
        exits.frozen += 1;
        return Ok(());
    }
    for recipient in Recipient::ALL {
        let now = &arena.model.escrows[&place.escrow];
        if now.recipient(recipient) != party || now.due(recipient) == 0 {
            continue;
        }
        let Some(token_account) = destination(&mut arena, escrow, &party, true)? else {
            exits.frozen += 1;
            return Ok(());
        };
        let signer = token_account.map(|_| party);
        let withdraw = Call { signer, token_account, ..call(place, EscrowInstruction::Withdraw { recipient }) };
        let done = arena.call(slot, &withdraw)?;
        ensure!(done.is_some(), "{party} cannot withdraw as {recipient:?} from {escrow:?}");
    }
    let got = wealth(&arena, escrow, &party) - before;
    ensure!(got == owed, "{party} got {got} and is owed {owed} by {escrow:?}");
    exits.parties += 1;
    Ok(())
}

/// The rent payer alone gets all rent back: it pays out everybody, which anyone may, and closes.
fn get_rent_back(mut arena: Arena, slot: usize, place: &Slot, escrow: &Escrow, exits: &mut Exits) -> Result<()> {
    let payer = escrow.rent_payer;
    let closing = if escrow.funded_at.is_none() {
        Call { signer: Some(payer), ..call(place, EscrowInstruction::Cancel) }
    } else {
        expire_all(&mut arena, slot, place, escrow)?;
        for recipient in Recipient::ALL {
            let now = &arena.model.escrows[&place.escrow];
            let (to, due) = (now.recipient(recipient), now.due(recipient));
            if due == 0 {
                continue;
            }
            // Only its own payments can it direct by signing.
            let destination = destination(&mut arena, escrow, &to, to == payer)?;
            let (Some(token_account), false) = (destination, vault_is_frozen(&arena, place)) else {
                exits.rent_waits += 1;
                return Ok(());
            };
            let signer = token_account.filter(|_| to == payer).map(|_| to);
            let withdraw = Call { signer, token_account, ..call(place, EscrowInstruction::Withdraw { recipient }) };
            let done = arena.call(slot, &withdraw)?;
            ensure!(done.is_some(), "nobody can pay out {recipient:?} of {escrow:?}");
        }
        call(place, EscrowInstruction::Close)
    };
    let buyer = escrow.terms.buyer;
    let surplus = arena.model.tokens.get(&place.vault).map_or(0, |vault| vault.amount);
    let token_account = if surplus == 0 {
        None
    } else {
        let Some(token_account) = destination(&mut arena, escrow, &buyer, buyer == payer)? else {
            exits.rent_waits += 1;
            return Ok(());
        };
        if vault_is_frozen(&arena, place) {
            exits.rent_waits += 1;
            return Ok(());
        }
        token_account
    };
    let signer = closing.signer.or((buyer == payer).then_some(buyer));
    let has = |arena: &Arena, address: &Pubkey| arena.model.lamports.get(address).copied().unwrap_or(0);
    let held = has(&arena, &place.escrow) + has(&arena, &place.vault);
    let before = has(&arena, &payer);
    let done = arena.call(slot, &Call { signer, token_account, ..closing })?;
    ensure!(done.is_some(), "the rent of {escrow:?} does not come back");
    ensure!(has(&arena, &payer) - before == held, "the rent payer got less than all of {held} lamports");
    exits.parties += 1;
    Ok(())
}
