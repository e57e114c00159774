//! Work that is found in the program's own accounts.

use std::collections::{HashMap, VecDeque};

use escrow::state::{Recipient, is_named};
use solana_account::Account;
use solana_pubkey::Pubkey;
use tokio::sync::Mutex;

use super::{
    keeper::{Source, Trouble},
    present::Present,
};
use crate::{
    Error, EscrowAccount, EscrowClient, Filter,
    address::associated_token_address,
    due::for_anyone,
    node::MOST_ACCOUNTS,
    read::{has_tokens, tokens_in},
    terms::Asset,
};

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// Reads through all escrows of the program, or of a party, round after round. In memory it has their addresses and a hundred
/// accounts.
#[derive(Debug)]
pub struct Scan {
    client: EscrowClient,
    party: Option<Pubkey>,
    /// Those that this round has not come to.
    left: Mutex<VecDeque<Pubkey>>,
}

impl Scan {
    /// All escrows of the program; with a party, those in which it is buyer, seller, arbiter or attester.
    pub fn new(client: EscrowClient, party: Option<Pubkey>) -> Self {
        Self { client, party, left: Mutex::default() }
    }

    async fn addresses(&self) -> Result<VecDeque<Pubkey>, Trouble> {
        let filters = match self.party {
            Some(party) => Filter::of(&party).to_vec(),
            None => vec![Filter::default()],
        };
        let mut found = Vec::new();
        for filter in &filters {
            found.extend(self.client.list_addresses(filter).await?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found.into())
    }

    /// Those of at most a hundred that are there.
    async fn escrows(&self, addresses: &[Pubkey]) -> Result<Vec<EscrowAccount>, Trouble> {
        let accounts = self.client.accounts(addresses).await?;
        let decode = |(address, account): (&Pubkey, Option<Account>)| EscrowAccount::decode(*address, &account?).ok();
        Ok(addresses.iter().zip(accounts).filter_map(decode).collect())
    }

    /// Whether somebody whom a node names is asked for.
    fn is_asked_for(&self, escrow: &EscrowAccount) -> bool {
        self.party.is_none_or(|party| Filter::of(&party).iter().any(|filter| filter.matches(escrow)))
    }
}

impl Source for Scan {
    async fn now(&self) -> Result<i64, Trouble> {
        Ok(self.client.now().await?)
    }

    async fn due(&self, now: i64, most: usize) -> Result<Vec<Pubkey>, Trouble> {
        let mut left = self.left.lock().await;
        let (mut due, mut is_new) = (Vec::new(), false);
        while due.len() < most {
            if left.is_empty() {
                // None are named only after all were looked at.
                if is_new || !due.is_empty() {
                    break;
                }
                *left = self.addresses().await?;
                is_new = true;
            }
            let some: Vec<Pubkey> = left.iter().take(MOST_ACCOUNTS).copied().collect();
            if some.is_empty() {
                break;
            }
            let escrows = self.escrows(&some).await?;
            left.drain(..some.len());
            let of_some = escrows.iter().filter(|escrow| self.is_asked_for(escrow));
            due.extend(of_some.filter(|escrow| !for_anyone(escrow, now).is_empty()).map(|escrow| escrow.address));
        }
        // They are the first the next time.
        for escrow in due.drain(most.min(due.len())..).rev() {
            left.push_front(escrow);
        }
        Ok(due)
    }

    async fn read(&self, escrows: &[Pubkey], least_slot: u64) -> Result<Vec<Present>, Trouble> {
        // Nodes that have not come there are not believed from now on.
        self.client.nodes.is_at(least_slot);
        let mut present = Vec::new();
        for some in escrows.chunks(MOST_ACCOUNTS) {
            let escrows = self.escrows(some).await?;
            let wanted: Vec<Pubkey> = escrows.iter().flat_map(token_accounts).collect();
            let mut held: HashMap<Pubkey, Option<Account>> = HashMap::new();
            for addresses in wanted.chunks(MOST_ACCOUNTS) {
                let accounts = self.client.accounts(addresses).await?;
                held.extend(addresses.iter().copied().zip(accounts));
            }
            present.extend(escrows.into_iter().map(|escrow| with(escrow, &held)));
        }
        Ok(present)
    }
}

/// Everybody to whom an escrow may ever owe something.
fn recipients(escrow: &EscrowAccount) -> impl Iterator<Item = Pubkey> + '_ {
    Recipient::ALL.iter().map(|recipient| *escrow.state.recipient(*recipient)).filter(is_named)
}

/// The vault, and where its tokens may go.
fn token_accounts(escrow: &EscrowAccount) -> Vec<Pubkey> {
    let Asset::Token { mint, program } = escrow.asset() else { return Vec::new() };
    let of_recipients = recipients(escrow).map(|owner| associated_token_address(&owner, &mint, &program));
    std::iter::once(escrow.state.vault).chain(of_recipients).collect()
}

/// An escrow with what is held for it.
fn with(escrow: EscrowAccount, held: &HashMap<Pubkey, Option<Account>>) -> Present {
    let Asset::Token { mint, program } = escrow.asset() else {
        return Present { escrow, missing: Vec::new(), surplus: false };
    };
    let account = |address: &Pubkey| held.get(address).and_then(Option::as_ref);
    let is_missing = |owner: &Pubkey| !has_tokens(account(&associated_token_address(owner, &mint, &program)), &program);
    let missing = recipients(&escrow).filter(is_missing).collect();
    let in_vault = account(&escrow.state.vault).and_then(tokens_in).unwrap_or(0);
    // An account whose ledger does not add up is not decoded.
    let surplus = escrow.held().is_ok_and(|owed| in_vault > owed);
    Present { escrow, missing, surplus }
}
