//! A multisig, and what is proposed in it.

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::read::EscrowClient;
use crate::{
    Result,
    transaction::squads::{Multisig, Proposal, SquadsError, VaultTransaction, proposal_address, transaction_address},
};

/// A proposal that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenProposal {
    /// What would be executed.
    pub transaction: VaultTransaction,
    /// How the vote stands.
    pub proposal: Proposal,
}

impl EscrowClient {
    /// The multisig at `address`.
    ///
    /// # Errors
    ///
    /// Where there is none, or the node does not answer.
    pub async fn multisig(&self, address: &Pubkey) -> Result<Multisig> {
        let account = self.account(address).await?;
        let none = SquadsError::Account { address: *address, wanted: "multisig" };
        Ok(Multisig::decode(*address, &account.ok_or(none)?)?)
    }

    /// The proposals among the last `limit` of a multisig that may still be executed, the newest first. A proposal outlives every
    /// block hash, so it is looked for before another is made. What cannot be read is left out.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn open_proposals(&self, multisig: &Multisig, limit: u64) -> Result<Vec<OpenProposal>> {
        let numbers: Vec<u64> = multisig.recent(limit).collect();
        let votes: Vec<Pubkey> = numbers.iter().map(|number| proposal_address(&multisig.address, *number)).collect();
        let found = self.accounts(&votes).await?;
        let open: Vec<Proposal> = votes
            .iter()
            .zip(found)
            .filter_map(|(address, account)| Proposal::decode(*address, &account?).ok())
            .filter(|proposal| proposal.is_open(multisig))
            .collect();
        let about: Vec<Pubkey> =
            open.iter().map(|vote| transaction_address(&multisig.address, vote.transaction_index)).collect();
        let found = self.accounts(&about).await?;
        let transactions = about.iter().zip(found).zip(open).filter_map(|((address, account), proposal)| {
            Some(OpenProposal { transaction: VaultTransaction::decode(*address, &account?).ok()?, proposal })
        });
        Ok(transactions.collect())
    }

    /// The newest open proposal that would do exactly `inside` with the vault `vault_index`, among the last `limit`.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn open_equal_proposal(
        &self,
        multisig: &Multisig,
        inside: &[Instruction],
        vault_index: u8,
        limit: u64,
    ) -> Result<Option<OpenProposal>> {
        let open = self.open_proposals(multisig, limit).await?;
        let equal =
            |found: &OpenProposal| multisig.is_open_and_equal(&found.transaction, &found.proposal, inside, vault_index);
        Ok(open.into_iter().find(equal))
    }
}
