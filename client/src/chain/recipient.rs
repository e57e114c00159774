//! What is at an address to which money is about to go, as far as a node knows.

use anchor_lang::{
    Id,
    programs::{Token, Token2022},
};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;

use super::{history::PAGE, read::EscrowClient};
use crate::{Error, EscrowAccount, Result};

/// What is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// Nothing: it never received anything, or gave everything away.
    Nothing,
    /// A wallet.
    Wallet,
    /// A program.
    Program,
    /// A token's mint.
    Mint,
    /// A token account.
    TokenAccount,
    /// An escrow.
    Escrow,
    /// An account of this program.
    Other(Pubkey),
}

/// What a node knows of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What is there.
    pub occupant: Occupant,
    /// Whether a key can sign for it: else it is a program's.
    pub on_curve: bool,
    /// Its SOL, in lamports.
    pub lamports: u64,
}

/// How long and how much an address has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// In so many transactions, at least.
    pub transactions: usize,
    /// The oldest of them, in unix seconds, if the node knows when that was.
    pub since: Option<i64>,
    /// Whether those are all that the node has: else there are more, and older ones.
    pub all: bool,
}

impl Occupant {
    /// Whether it can be a party to a deal. What a program owns cannot sign for itself; a multisig's vault is nothing or a
    /// wallet.
    pub const fn can_be_paid(&self) -> bool {
        matches!(self, Self::Nothing | Self::Wallet)
    }
}

impl EscrowClient {
    /// What is at these addresses, at most 100, in their order.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn occupants(&self, addresses: &[Pubkey]) -> Result<Vec<Found>> {
        let accounts = self.accounts(addresses).await?;
        let found = addresses.iter().zip(accounts).map(|(address, account)| {
            let occupant = match &account {
                None => Occupant::Nothing,
                Some(account) if account.executable => Occupant::Program,
                Some(account) if account.owner == solana_sdk_ids::system_program::ID => Occupant::Wallet,
                Some(account) if EscrowAccount::decode(*address, account).is_ok() => Occupant::Escrow,
                Some(account) if account.owner == Token::id() || account.owner == Token2022::id() => {
                    match (account.data.len(), account.data.get(165)) {
                        // Behind what both have in common stands which of the two it is.
                        (82, _) | (_, Some(1)) => Occupant::Mint,
                        _ => Occupant::TokenAccount,
                    }
                }
                Some(account) => Occupant::Other(account.owner),
            };
            Found { occupant, on_curve: address.is_on_curve(), lamports: account.map_or(0, |account| account.lamports) }
        });
        Ok(found.collect())
    }

    /// How long and how much an address has been used, from its newest 1,000 transactions.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn activity(&self, address: &Pubkey) -> Result<Activity> {
        let page = self.newest(address, None).await?;
        Ok(Activity {
            transactions: page.len(),
            since: page.iter().filter_map(|found| found.block_time).min(),
            all: page.len() < PAGE,
        })
    }

    /// The escrow at `address` as it is finally, whatever the client's own commitment is.
    ///
    /// # Errors
    ///
    /// Where what is there is not an escrow, or the node does not answer.
    pub async fn finalized_escrow(&self, address: &Pubkey) -> Result<Option<EscrowAccount>> {
        let asked = *address;
        let answer = self
            .nodes
            .ask(|rpc| async move { rpc.get_account_with_commitment(&asked, CommitmentConfig::finalized()).await })
            .await?;
        let Some(account) = answer.value.filter(|account| account.owner != solana_sdk_ids::system_program::ID) else {
            return Ok(None);
        };
        let decoded = EscrowAccount::decode(*address, &account);
        decoded.map(Some).map_err(|source| Error::NotAnEscrow { address: *address, source })
    }
}
