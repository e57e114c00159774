//! What a recipe costs whoever signs it, besides what it pays in: known before anything is signed.

use super::read::{EscrowClient, token_account_size, vault_size};
use crate::{
    Error, EscrowInstruction, Result, recipe::PreviewedRecipe, terms::Asset,
    transaction::budget::LAMPORTS_PER_SIGNATURE,
};

/// What a recipe costs, in lamports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// The signatures. A fee for priority comes on top, where one is asked for.
    pub fee: u64,
    /// The rent of the escrow's accounts, which goes back to who paid it when the escrow is closed.
    pub escrow_rent: u64,
    /// The rent of each token account that has to be made. It is its owner's who closes it.
    pub token_account_rent: u64,
    /// How many those are.
    pub token_accounts: u8,
}

impl Cost {
    /// All of it.
    pub fn total(&self) -> u64 {
        let accounts = self.token_account_rent.saturating_mul(u64::from(self.token_accounts));
        self.fee.saturating_add(self.escrow_rent).saturating_add(accounts)
    }
}

impl EscrowClient {
    /// What `recipe` costs with this many signatures on all its transactions together.
    ///
    /// # Errors
    ///
    /// Where the node does not answer, or the mint is gone for which token accounts have to be made.
    pub async fn cost(&self, recipe: &PreviewedRecipe, signatures: u64) -> Result<Cost> {
        let mut cost = Cost { fee: LAMPORTS_PER_SIGNATURE.saturating_mul(signatures), ..Cost::default() };
        let created = recipe.actions.iter().find_map(|done| match &done.action.instruction {
            EscrowInstruction::Create { .. } => Some(done.before.encode().len()),
            _ => None,
        });
        let asset = recipe.actions.first().map(|first| first.before.asset());
        let mint = match (asset, recipe.opened > 0 || created.is_some()) {
            (Some(Asset::Token { mint, .. }), true) => {
                let gone = || Error::NotAMint { address: mint, reason: "there is no such account".to_owned() };
                Some(self.account(&mint).await?.ok_or_else(gone)?)
            }
            _ => None,
        };
        if let Some(size) = created {
            cost.escrow_rent = self.rent(size).await?;
            if let Some(mint) = &mint {
                cost.escrow_rent = cost.escrow_rent.saturating_add(self.rent(vault_size(mint)).await?);
            }
        }
        if let (Some(mint), true) = (&mint, recipe.opened > 0) {
            cost.token_account_rent = self.rent(token_account_size(mint)).await?;
            cost.token_accounts = recipe.opened;
        }
        Ok(cost)
    }
}
