//! Somebody's record, from a node: the program's newest transactions, since `fund`, `release` and `expire` do not name the seller.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use solana_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;

use super::read::{EscrowClient, Filter};
use crate::{
    Result,
    record::{Deal, Record},
};

/// The most transactions of the program that are looked through, which is what a node gives at once.
const MOST: usize = 1_000;

/// The most deals that are read.
const MOST_DEALS: usize = 100;

/// How many questions are under way at the same time.
const CONCURRENT: usize = 8;

impl EscrowClient {
    /// The deals of `party`: those that are open, and those that were created in the program's newest 1,000 transactions. At most
    /// 100, and [`Record::cut`] where there may be more.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn record(&self, party: &Pubkey) -> Result<Record> {
        let mut escrows = BTreeSet::new();
        let filters =
            [Filter { buyer: Some(*party), ..Filter::default() }, Filter { seller: Some(*party), ..Filter::default() }];
        for filter in filters {
            escrows.extend(self.list(&filter).await?.iter().map(|escrow| escrow.address));
        }
        let page = self
            .nodes
            .ask(|rpc| async move {
                let config = GetConfirmedSignaturesForAddress2Config {
                    before: None,
                    until: None,
                    limit: Some(MOST),
                    commitment: Some(CommitmentConfig::confirmed()),
                };
                rpc.get_signatures_for_address_with_config(&escrow::ID, config).await
            })
            .await?;
        let mut cut = page.len() >= MOST;
        let executed = page.into_iter().filter(|found| found.err.is_none());
        let signatures: Vec<_> = executed.filter_map(|found| found.signature.parse().ok()).collect();
        let created = stream::iter(signatures.into_iter().map(|signature| self.created(signature)));
        let created: Vec<_> = created.buffered(CONCURRENT).try_collect().await?;
        let of_party =
            created.into_iter().flatten().filter(|(_, terms)| terms.buyer == *party || terms.seller == *party);
        escrows.extend(of_party.map(|(escrow, _)| escrow));
        cut |= escrows.len() > MOST_DEALS;
        let some: Vec<Pubkey> = escrows.into_iter().take(MOST_DEALS).collect();
        let histories = stream::iter(some.iter().map(|escrow| self.history(escrow)));
        let histories: Vec<_> = histories.buffered(2).try_collect().await?;
        Ok(Record { deals: histories.iter().filter_map(|history| Deal::of(history, party)).collect(), cut })
    }
}
