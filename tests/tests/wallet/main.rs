//! Signing elsewhere: in a multisig, what somebody else has prepared, with a durable nonce. Without a node.

mod received;
mod squads;

use escrow_client::{
    EscrowAccount, MilestoneTerms, Terms, TermsBuilder,
    terms::{Asset, Fee},
};
use solana_pubkey::Pubkey;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

const TOKEN: Asset = Asset::Token { mint: Pubkey::new_from_array([5; 32]), program: spl_token_2022_interface::ID };

/// Who has which role.
#[derive(Debug, Clone, Copy)]
struct People {
    buyer: Pubkey,
    seller: Pubkey,
    arbiter: Pubkey,
    attester: Pubkey,
    fee_recipient: Pubkey,
    rent_payer: Pubkey,
}

impl People {
    /// Terms with all of them, and a milestone for each amount.
    fn terms(&self, asset: Asset, amounts: &[u64]) -> Terms {
        let milestones = amounts.iter().map(|amount| MilestoneTerms {
            amount: *amount,
            deliver_by: NOW + 30 * DAY,
            review_window: 86_400,
        });
        let builder = TermsBuilder {
            arbiter: Some(self.arbiter),
            attester: Some(self.attester),
            fee: Some(Fee { recipient: self.fee_recipient, bps: 250 }),
            arbiter_fee_bps: Some(100),
            cooling_off: Some(3_600),
            salt: Some([9; 16]),
            milestones: milestones.collect(),
            ..TermsBuilder::new(self.buyer, self.seller, asset)
        };
        builder.build(NOW).expect("terms that can be agreed on")
    }

    fn agreed(&self, asset: Asset, amounts: &[u64]) -> EscrowAccount {
        EscrowAccount::agreed(&self.terms(asset, amounts), self.rent_payer).expect("terms that hash")
    }
}
