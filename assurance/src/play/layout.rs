//! The bytes of an escrow account as `docs/protocol.md` lays them out, from the model: so that what the program stores is
//! compared to the last byte, not only where somebody looks.

use std::{cell::RefCell, collections::HashMap};

use escrow_client::{MilestoneStatus, Proposal, address};
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use crate::model::{Escrow, Milestone};

/// The whole account.
pub fn bytes(at: &Pubkey, escrow: &Escrow) -> Vec<u8> {
    let terms = &escrow.terms;
    let encoded = borsh::to_vec(terms).unwrap_or_default();
    let terms_hash: [u8; 32] = Sha256::new().chain_update(b"escrow:terms:v2").chain_update(encoded).finalize().into();
    let (bump, vault) = derive(at, &terms_hash);
    let sol = terms.mint == Pubkey::default();
    let vault = if sol { Pubkey::default() } else { vault };

    let mut out = Vec::with_capacity(1_000);
    out.extend(&Sha256::digest(b"account:Escrow")[..8]);
    let roles = [terms.buyer, terms.seller, terms.arbiter, terms.attester, terms.fee_recipient];
    let others = [terms.mint, terms.token_program, escrow.rent_payer, vault];
    for address in roles.into_iter().chain(others) {
        out.extend(address.to_bytes());
    }
    for hash in [terms_hash, terms.hashlock, terms.document_hash] {
        out.extend(hash);
    }
    out.extend(terms.salt);
    let totals = [escrow.principal(), escrow.released, escrow.refunded, escrow.fees, escrow.arbiter_fees];
    for amount in totals.into_iter().chain(escrow.due) {
        out.extend(unsigned(amount));
    }
    for proposal in escrow.proposals {
        slot(&mut out, proposal);
    }
    out.extend(terms.cooling_off.to_le_bytes());
    out.extend(terms.ruling_window.to_le_bytes());
    let rates = [terms.accepted_risks, terms.fee_bps, terms.arbiter_fee_bps];
    let defaults = [terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps];
    for number in rates.into_iter().chain(defaults) {
        out.extend(number.to_le_bytes());
    }
    let status = if escrow.funded_at.is_some() { 2 } else { 1 };
    out.extend([status, 2, bump, 0]);
    out.extend(terms.fund_by.to_le_bytes());
    out.extend(signed(escrow.funded_at.unwrap_or(0)));

    out.extend(u32::try_from(escrow.milestones.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend([0; 4]);
    for (agreed, Milestone { remaining, phase }) in terms.milestones.iter().zip(&escrow.milestones) {
        out.extend(agreed.amount.to_le_bytes());
        out.extend(unsigned(*remaining));
        out.extend(agreed.deliver_by.to_le_bytes());
        out.extend(signed(phase.deadline().unwrap_or(0)));
        out.extend(agreed.review_window.to_le_bytes());
        out.extend([number(phase.status()), 0, 0, 0]);
    }
    out
}

/// The bump of the escrow and the address of its vault. Kept, because deriving them takes longer than an instruction.
fn derive(at: &Pubkey, terms_hash: &[u8; 32]) -> (u8, Pubkey) {
    thread_local! {
        static KNOWN: RefCell<HashMap<Pubkey, (u8, Pubkey)>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        *known.entry(*at).or_insert_with(|| {
            let (derived, bump) = Pubkey::find_program_address(&[b"escrow", terms_hash], &escrow_client::escrow::ID);
            assert_eq!(derived, *at, "an escrow is not where its terms say");
            (bump, address::vault_address(at))
        })
    })
}

fn number(status: MilestoneStatus) -> u8 {
    match status {
        MilestoneStatus::Pending => 0,
        MilestoneStatus::Delivered => 1,
        MilestoneStatus::Disputed => 2,
        MilestoneStatus::Settled => 3,
    }
}

fn slot(out: &mut Vec<u8>, proposal: Option<Proposal>) {
    let (amounts, times, expires_at, kind, milestone, status) = match proposal {
        None | Some(Proposal::Withdrawn) => ([0; 2], [0; 2], 0, 0, 0, 0),
        Some(Proposal::Split { milestone, status, remaining, to_seller, expires_at }) => {
            ([remaining, to_seller], [0; 2], expires_at, 1, milestone, number(status))
        }
        Some(Proposal::Extension { milestone, status, replaces, deadline, expires_at }) => {
            ([0; 2], [replaces, deadline], expires_at, 2, milestone, number(status))
        }
    };
    amounts.iter().for_each(|amount| out.extend(amount.to_le_bytes()));
    times.iter().chain([&expires_at]).for_each(|time| out.extend(time.to_le_bytes()));
    out.extend([kind, milestone, status, 0, 0, 0, 0, 0]);
}

/// As a u64, which every amount of the model must be: one that is not encodes as the largest, and so differs.
fn unsigned(amount: i128) -> [u8; 8] {
    u64::try_from(amount).unwrap_or(u64::MAX).to_le_bytes()
}

fn signed(time: i128) -> [u8; 8] {
    i64::try_from(time).unwrap_or(i64::MIN).to_le_bytes()
}
