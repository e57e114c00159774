//! What a node answers to a listener's questions. Nothing is concluded here.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use solana_account::Account;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding};
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    rpc_config::RpcAccountInfoConfig,
    rpc_request::{RpcError, RpcRequest},
    rpc_response::{Response, RpcConfirmedTransactionStatusWithSignature},
};
use solana_program::clock::Clock;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::{
    cursor::{Cursor, Position, Subject},
    escrow::{Answer, Question},
    listener::{Ask, Heard, MOST_ESCROWS},
    pages::{Listed, Page},
    view::View,
};
use crate::{Error, EscrowAccount, EscrowClient, Filter, Result, chain::decode::decode};

/// How many transactions are asked for in a page.
const PAGE: usize = 1_000;

/// How many requests are under way for one question.
const CONCURRENT: usize = 8;

/// The code of a node that has a block only later, or not any more.
const BLOCK_NOT_AVAILABLE: i64 = -32_004;

impl EscrowClient {
    /// Answers one of a listener's questions.
    pub async fn answer(&self, ask: &Ask) -> Heard {
        match ask {
            Ask::Accounts { addresses, least_slot } => match self.views(addresses, *least_slot).await {
                Ok((slot, time, accounts)) => Heard::Accounts { slot, time, accounts },
                Err(error) => Heard::Failed(error.to_string()),
            },
            Ask::About(address, question) => {
                let answer = match question {
                    Question::Page { before, least_slot } => {
                        self.page(address, *before, *least_slot).await.map(Answer::Page)
                    }
                    Question::Block(slot) => self.block(*slot).await.map(Answer::Block),
                    Question::Transactions(signatures) => {
                        self.bodies(address, signatures).await.map(Answer::Transactions)
                    }
                };
                Heard::About(answer.unwrap_or_else(|error| Answer::Failed(error.to_string())))
            }
        }
    }

    /// Where to begin for someone who wants to know what happens from now on: to these escrows, and those that name the
    /// subject.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn position_now(&self, subject: Subject, named: &[Pubkey]) -> Result<Position> {
        // Before the list: what is created in between is found by whoever looks behind this slot.
        let (discovered, ..) = self.views(&[], 0).await?;
        let mut addresses = named.to_vec();
        match subject {
            Subject::Named => {}
            Subject::Party(party) => {
                addresses.extend(self.list_of(&party).await?.into_iter().map(|escrow| escrow.address));
            }
            Subject::All => addresses.extend(self.list_addresses(&Filter::default()).await?),
        }
        addresses.sort_unstable();
        addresses.dedup();
        let mut escrows = Vec::new();
        for some in addresses.chunks(MOST_ESCROWS) {
            let (slot, time, accounts) = self.views(some, discovered).await?;
            for (escrow, account) in some.iter().zip(accounts) {
                escrows.push(Cursor::since(*escrow, &View { slot, time, account }));
            }
        }
        Ok(Position { subject, discovered, escrows })
    }

    /// Escrows and the clock, all at one slot.
    async fn views(&self, addresses: &[Pubkey], least_slot: u64) -> Result<(u64, i64, Vec<Option<EscrowAccount>>)> {
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(self.at_least_confirmed()),
            min_context_slot: Some(least_slot),
            ..RpcAccountInfoConfig::default()
        };
        let wanted: Vec<String> =
            addresses.iter().chain([&solana_sdk_ids::sysvar::clock::ID]).map(Pubkey::to_string).collect();
        let answer: std::result::Result<Response<Vec<Option<UiAccount>>>, _> =
            self.rpc().send(RpcRequest::GetMultipleAccounts, json!([wanted, config])).await;
        let Response { context, value } = answer.map_err(|error| self.rpc_error(error))?;
        let impossible = |reason: &str| Error::Answer { url: self.url(), reason: reason.to_owned() };
        let (clock, accounts) = match value.split_last() {
            Some((clock, accounts)) if accounts.len() == addresses.len() => (clock, accounts),
            _ => return Err(impossible("another number of accounts than it was asked for")),
        };
        let clock: Option<Account> = clock.as_ref().and_then(decode);
        let clock: Option<Clock> = clock.and_then(|clock| clock.deserialize_data().ok());
        let time = clock.ok_or_else(|| impossible("it has no clock"))?.unix_timestamp;
        let escrow = |(address, account): (&Pubkey, &Option<UiAccount>)| {
            let account = account.as_ref().and_then(decode)?;
            // What somebody sent there in advance, or something that is none: no escrow.
            EscrowAccount::decode(*address, &account).ok()
        };
        Ok((context.slot, time, addresses.iter().zip(accounts).map(escrow).collect()))
    }

    async fn page(&self, address: &Pubkey, before: Option<Signature>, least_slot: u64) -> Result<Page> {
        let config = json!({
            "before": before.map(|before| before.to_string()),
            "limit": PAGE,
            "commitment": self.at_least_confirmed().commitment,
            "minContextSlot": least_slot,
        });
        let answer: std::result::Result<Vec<RpcConfirmedTransactionStatusWithSignature>, _> =
            self.rpc().send(RpcRequest::GetSignaturesForAddress, json!([address.to_string(), config])).await;
        let found = answer.map_err(|error| self.rpc_error(error))?;
        let listed = |found: RpcConfirmedTransactionStatusWithSignature| {
            let RpcConfirmedTransactionStatusWithSignature { signature, slot, err, transaction_index, .. } = found;
            let signature = signature.parse().ok()?;
            Some(Listed { signature, slot, index: transaction_index, failed: err.is_some() })
        };
        let listed: Option<Vec<Listed>> = found.into_iter().map(listed).collect();
        let listed = listed
            .ok_or_else(|| Error::Answer { url: self.url(), reason: "something else than a signature".to_owned() })?;
        let first_available = match listed.len() < PAGE {
            true => Some(self.rpc().get_first_available_block().await.map_err(|error| self.rpc_error(error))?),
            false => None,
        };
        Ok(Page { listed, asked: PAGE, first_available })
    }

    /// The transactions of a block in their order; none where the node keeps no blocks.
    async fn block(&self, slot: u64) -> Result<Option<Vec<Signature>>> {
        let config = json!({
            "encoding": "base64",
            "transactionDetails": "signatures",
            "rewards": false,
            "commitment": self.at_least_confirmed().commitment,
            "maxSupportedTransactionVersion": 0,
        });
        let answer: std::result::Result<Value, ClientError> =
            self.rpc().send(RpcRequest::GetBlock, json!([slot, config])).await;
        match answer {
            Ok(block) => {
                let signatures = block.get("signatures").and_then(Value::as_array);
                let parsed = |signature: &Value| signature.as_str()?.parse().ok();
                Ok(signatures.and_then(|signatures| signatures.iter().map(parsed).collect()))
            }
            Err(error) => match error.kind() {
                ClientErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) if *code != BLOCK_NOT_AVAILABLE => {
                    Ok(None)
                }
                _ => Err(self.rpc_error(error)),
            },
        }
    }

    async fn bodies(
        &self,
        address: &Pubkey,
        signatures: &[Signature],
    ) -> Result<Vec<Option<Vec<crate::history::Entry>>>> {
        let read = stream::iter(signatures.iter().copied()).map(|signature| self.entries(address, signature));
        read.buffered(CONCURRENT).collect::<Vec<_>>().await.into_iter().collect()
    }
}
