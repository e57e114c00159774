//! Somebody's record, from a node: the program's newest transactions, since `fund`, `release` and `expire` do not name the seller.

use std::collections::{BTreeSet, HashMap};

use futures_util::{StreamExt, TryStreamExt, stream};
use solana_pubkey::Pubkey;

use super::{
    history::PAGE,
    read::{EscrowClient, Filter},
};
use crate::{
    Error, Result,
    record::{Deal, Record},
};

/// The most deals that are read.
const MOST_DEALS: usize = 100;

/// The most people of whom it is looked up who funded their wallets.
const MOST_FUNDED: usize = 20;

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
        let page = self.newest(&escrow::ID, None).await?;
        let mut cut = page.len() >= PAGE;
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
        let mut deals: Vec<Deal> = histories.iter().filter_map(|history| Deal::of(history, party)).collect();
        let others: BTreeSet<Pubkey> =
            deals.iter().filter(|deal| deal.ended.is_finished()).map(|deal| deal.with).collect();
        let others = stream::iter(others.into_iter().take(MOST_FUNDED));
        let funders = others.map(|other| async move { Ok::<_, Error>((other, self.funder(&other).await?)) });
        let funders: HashMap<Pubkey, Option<Pubkey>> = funders.buffered(CONCURRENT).try_collect().await?;
        for deal in &mut deals {
            deal.funder = funders.get(&deal.with).copied().flatten();
        }
        Ok(Record { deals, cut })
    }

    /// All escrows that name `party` as buyer, seller, arbiter, attester or fee recipient, closed ones too, as far back as the
    /// node remembers the program's transactions. It reads every one of those: ask a node that allows that.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn all_of(&self, party: &Pubkey) -> Result<BTreeSet<Pubkey>> {
        let mut escrows: BTreeSet<Pubkey> = self.list_of(party).await?.iter().map(|escrow| escrow.address).collect();
        let signatures = self.signatures(&escrow::ID).await?;
        let created = stream::iter(signatures.into_iter().map(|signature| self.created(signature)));
        let mut created = created.buffer_unordered(CONCURRENT);
        while let Some(some) = created.try_next().await? {
            let of_party = some.into_iter().filter(|(_, terms)| {
                [terms.buyer, terms.seller, terms.arbiter, terms.attester, terms.fee_recipient].contains(party)
            });
            escrows.extend(of_party.map(|(escrow, _)| escrow));
        }
        Ok(escrows)
    }

    /// Who paid for the first transaction of a wallet, if it was somebody else; none where that is too long ago to be found.
    async fn funder(&self, wallet: &Pubkey) -> Result<Option<Pubkey>> {
        let page = self.newest(wallet, None).await?;
        let oldest = page.last().filter(|_| page.len() < PAGE).and_then(|found| found.signature.parse().ok());
        let Some(oldest) = oldest else { return Ok(None) };
        Ok(self.payer_of(oldest).await?.filter(|payer| payer != wallet))
    }
}
