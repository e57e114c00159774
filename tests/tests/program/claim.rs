//! `claim`: whoever holds the secret of the hash-lock releases the milestone to the seller.

use escrow_client::{EscrowError::*, MilestoneStatus, address};
use escrow_tests::{KINDS, Kind, SECRET, Who, deal::*};
use sha2::{Digest, Sha256};
use solana_signer::Signer;

fn locked(kind: Kind) -> Deal {
    Deal::funded(kind, &[1_000], |_, terms| lock(terms))
}

#[test]
fn the_secret_pays_the_seller_at_once() {
    for kind in KINDS {
        let mut deal = locked(kind);
        // Nobody signs but the fee payer of the transaction, a stranger to the escrow.
        deal.ok(deal.claim(0, SECRET));
        assert_eq!(deal.milestones(), [(MilestoneStatus::Settled, 0)]);
        assert_eq!(deal.milestone(0).deadline, 0);
        deal.assert_ledger([1_000, 0, 0, 0], [0, 1_000, 0, 0]);
        let before = deal.balances();
        deal.withdraw_all();
        deal.assert_moved(&before, &[(Who::Seller, 1_000)]);
        deal.refused(deal.claim(0, SECRET), MilestoneSettled);
    }
}

#[test]
fn a_claim_pays_the_fee_and_only_what_remains() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |world, terms| {
            lock(terms);
            terms.attester = world.attester.pubkey();
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 250);
        });
        deal.ok(deal.refund(0, 300));
        deal.ok(deal.claim(0, SECRET));
        deal.assert_ledger([700, 300, 17, 0], [300, 683, 17, 0]);
    }
}

#[test]
fn a_wrong_secret_is_refused() {
    for kind in KINDS {
        let mut deal = locked(kind);
        let hash: [u8; 32] = Sha256::digest(SECRET).into();
        let mut almost = SECRET;
        almost[31] ^= 1;
        for wrong in [almost, [0; 32], [255; 32], hash] {
            deal.refused(deal.claim(0, wrong), SecretMismatch);
        }
    }
}

#[test]
fn without_a_hash_lock_there_is_nothing_to_claim() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        deal.refused(deal.claim(0, SECRET), NoHashlock);
        deal.refused(deal.claim(0, [0; 32]), NoHashlock);
    }
}

#[test]
fn an_unfunded_milestone_is_not_claimed() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], |_, terms| lock(terms));
        deal.refused(deal.claim(0, SECRET), NotFunded);
        deal.ok(deal.fund());
        deal.ok(deal.claim(0, SECRET));
    }
}

#[test]
fn the_same_secret_claims_each_escrow_on_its_own() {
    for kind in KINDS {
        let mut first = locked(kind);
        let mut terms = first.world.terms(kind, &[500]);
        terms.hashlock = first.terms.hashlock;
        first.world.create_and_fund(&terms);
        let escrow = address::escrow_address(&terms).expect("an address");
        let before = first.world.raw(&escrow);
        first.ok(first.claim(0, SECRET));
        assert_eq!(first.world.raw(&escrow), before);
        let mut second = Deal { world: first.world, kind, terms, escrow, uninvited: 0 };
        second.ok(second.claim(0, SECRET));
        second.assert_ledger([500, 0, 0, 0], [0, 500, 0, 0]);
    }
}
