//! Who signs: every signer is needed, and a role is nobody else's. The wrong role for each instruction stands with it.

use escrow_client::{EscrowError::*, Recipient, instruction};
use escrow_tests::{KINDS, Kind, Who, World, case, deal::*};
use solana_signer::Signer;

/// Where the signer stands in the accounts of each instruction that has one.
fn signer_index(name: &str) -> Option<usize> {
    match name {
        "create" => Some(0),
        "claim" | "expire" | "withdraw" | "close" => None,
        _ => Some(1),
    }
}

#[test]
fn an_instruction_without_its_signature_is_refused() {
    for kind in KINDS {
        let mut fresh = Deal::agreed(World::new(), kind, &[1_000], plain);
        fresh.refused(fresh.create().unsigned(0), MISSING_SIGNATURE);
        let mut deal = Deal::funded(kind, &[1_000], plain);
        let mut seen = 0;
        for (name, act) in deal.every_act() {
            let Some(index) = signer_index(name) else { continue };
            case(format_args!("{kind:?}, {name}"));
            deal.refused(act.unsigned(index), MISSING_SIGNATURE);
            seen += 1;
        }
        assert_eq!(seen, 9);
    }
}

/// An instruction that needs no signature works when only the payer of the transaction's fee signs.
#[test]
fn whatever_anyone_may_do_needs_no_signature() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        deal.world.set_time(deal.milestone(0).deadline);
        let acts: [fn(&Deal) -> Act; 3] = [|deal| deal.expire(0), |deal| deal.withdraw(Recipient::Buyer), Deal::close];
        for act in acts {
            let act = act(&deal);
            assert!(act.signers.is_empty() && act.instruction.accounts.iter().all(|account| !account.is_signer));
            deal.ok(act);
        }
    }
}

/// The signature of somebody else next to the role's address is not the role's signature.
#[test]
fn anothers_signature_is_not_the_roles() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        let stranger = deal.keypair(Who::Stranger);
        for (name, act) in deal.every_act() {
            let Some(index) = signer_index(name) else { continue };
            let mut act = act.unsigned(index);
            let meta = solana_instruction::AccountMeta::new_readonly(stranger.pubkey(), true);
            act.instruction.accounts.push(meta);
            act.signers.push(stranger.insecure_clone());
            deal.refused(act, MISSING_SIGNATURE);
        }
    }
}

/// A role that signs for one escrow has no power over another one whose role it is not.
#[test]
fn the_parties_of_one_escrow_have_no_power_over_anothers() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        // The roles are turned around: the first one's buyer sells here.
        let mut terms = deal.world.terms(kind, &[500]);
        (terms.buyer, terms.seller, terms.arbiter) = (terms.seller, terms.arbiter, terms.buyer);
        let escrow = deal.world.create(&terms);
        if kind == Kind::Token {
            deal.world.mint_to(&terms.buyer, 500);
        }
        let funder = deal.keypair(Who::Seller);
        let fund = instruction::fund(&terms).expect("an address");
        deal.world.ok(fund, &[&funder]);
        let cases = [
            (deal.deliver(0), NotDeliverer),
            (deal.release(0, 1_000), NotBuyer),
            (deal.refund(0, 1_000), NotSeller),
            (deal.dispute(0), NotBuyer),
            (deal.rule(0, 0), NotArbiter),
        ];
        for (act, reason) in cases {
            deal.refused(act.account(0, escrow), reason);
        }
        let split = deal.split(0, 0);
        deal.refused(deal.propose(Who::Buyer, split).account(0, escrow), NotParty);
        // Cancelling looks at the rent payer first, who is the same here.
        deal.refused(deal.cancel(Who::Buyer).account(0, escrow), NotBuyer);
    }
}

#[test]
fn the_fee_payer_of_the_transaction_has_no_power() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], plain);
        let fee_payer = deal.world.fee_payer.insecure_clone();
        deal.refused(deal.cancel(Who::Buyer).signed_by(1, &fee_payer), NotCanceller);
        deal.refused(deal.fund().signed_by(1, &fee_payer), NotBuyer);
    }
}
