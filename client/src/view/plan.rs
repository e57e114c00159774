//! What somebody is about to sign.

use serde::{Deserialize, Serialize};

use super::{Amount, Cluster, Escrow, VERSION};
use crate::{
    Cost, EscrowError, Situation, Unsigned,
    recipe::PreviewedRecipe,
    words::{Denomination, Tense, sentence::Known},
};

/// What is about to be signed: previewed by the program's own rules, and told before anybody signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Plan {
    /// The version of this view.
    pub version: u32,
    /// Where it would be done; none where no node was asked.
    pub cluster: Option<Cluster>,
    /// The escrow's address.
    pub address: String,
    /// What was found at the addresses of the parties that somebody should know before signing, a sentence each.
    pub found: Vec<String>,
    /// What would be done, in words, one action each.
    pub actions: Vec<String>,
    /// What the buyer would pay in.
    pub paid_in: Option<Amount>,
    /// What it costs whoever signs, besides; none where no node was asked.
    pub cost: Option<Costs>,
    /// The escrow before it: who, how much, what each ending gives and what silence costs. Of a creation: as it would be.
    pub escrow: Escrow,
    /// The transactions that would be signed, in their order; none before they are built.
    pub transactions: Vec<Transaction>,
}

/// What something costs whoever signs it, in SOL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Costs {
    /// The signatures.
    pub fee: Amount,
    /// The rent of the escrow's accounts, which comes back when it is closed.
    pub escrow_rent: Amount,
    /// The rent of each token account that has to be made; it is its owner's who closes it.
    pub token_account_rent: Amount,
    /// How many those are.
    pub token_accounts: u8,
    /// All of it.
    pub total: Amount,
}

impl From<Cost> for Costs {
    fn from(cost: Cost) -> Self {
        let sol = |lamports| Denomination::SOL.amount(lamports).into();
        Self {
            fee: sol(cost.fee),
            escrow_rent: sol(cost.escrow_rent),
            token_account_rent: sol(cost.token_account_rent),
            token_accounts: cost.token_accounts,
            total: sol(cost.total()),
        }
    }
}

/// A transaction, to be signed here or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Transaction {
    /// Its block hash, in base58, or its nonce.
    pub blockhash: String,
    /// What is signed, in base64.
    pub message: String,
    /// The transaction with the signatures that it has, in base64.
    pub transaction: String,
    /// Everybody who has to sign, who pays the fee first.
    pub signers: Vec<String>,
    /// The signatures that it has, as `ADDRESS=SIGNATURE`.
    pub signatures: Vec<String>,
    /// Those who have not signed yet.
    pub missing: Vec<String>,
}

impl Transaction {
    /// `unsigned` with the signatures that it has.
    pub fn new(unsigned: &Unsigned) -> Self {
        let missing = unsigned.missing();
        let signatures = unsigned.signers().iter().zip(unsigned.signatures());
        let signatures = signatures.filter(|(signer, _)| !missing.contains(signer));
        Self {
            blockhash: unsigned.lifetime().hash().to_string(),
            message: unsigned.message_base64(),
            transaction: unsigned.to_base64(),
            signers: unsigned.signers().iter().map(ToString::to_string).collect(),
            signatures: signatures.map(|(signer, signature)| format!("{signer}={signature}")).collect(),
            missing: missing.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Plan {
    /// What `recipe` would do in this situation.
    ///
    /// # Errors
    ///
    /// None for an escrow that was decoded or agreed.
    pub fn new(situation: &Situation, recipe: &PreviewedRecipe) -> Result<Self, EscrowError> {
        let Situation { escrow, denomination, now } = situation;
        let paid_in = recipe.actions.iter().map(|done| done.preview.effects.paid_in).max().filter(|units| *units > 0);
        let told = recipe.actions.iter().map(|done| {
            let known = Known::previewed(&done.action, &done.before, &done.preview);
            situation.teller().action(&done.action, known).told(Tense::Present)
        });
        Ok(Self {
            version: VERSION,
            cluster: None,
            address: escrow.address.to_string(),
            found: Vec::new(),
            actions: told.collect(),
            paid_in: paid_in.map(|units| denomination.amount(units).into()),
            cost: None,
            escrow: Escrow::new(escrow, denomination, *now)?,
            transactions: Vec::new(),
        })
    }
}
