//! Everything that ever happened to an escrow, from the instructions of its transactions: also after it is closed, and
//! whether or not a node kept the logs.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    nonblocking::rpc_client::RpcClient,
    rpc_client::GetConfirmedSignaturesForAddress2Config,
    rpc_config::RpcTransactionConfig,
    rpc_request::{RpcError, RpcRequest},
    rpc_response::RpcConfirmedTransactionStatusWithSignature,
};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::AccountMeta;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransaction, TransactionBinaryEncoding, UiInstruction,
    UiTransactionEncoding, option_serializer::OptionSerializer,
};

use super::read::EscrowClient;
use crate::{
    Action, Error, EscrowAccount, EscrowInstruction, Result, Terms,
    event::{self, Events},
    history::{Entry, History},
};

/// How many signatures a node is asked for at once; it gives no more.
pub(super) const PAGE: usize = 1_000;

/// How many transactions are asked for at the same time.
const CONCURRENT: usize = 8;

/// How often the account is read again if it changes while its history is read.
const ATTEMPTS: usize = 3;

impl EscrowClient {
    /// Everything that changed the escrow at `address`, the oldest first, as far back as the node remembers, and held
    /// against the account as it stands.
    ///
    /// # Errors
    ///
    /// Where the node does not answer. What a stranger can put into a transaction that names the escrow is no reason to
    /// fail: a transaction that cannot be read is listed as such.
    pub async fn history(&self, address: &Pubkey) -> Result<History> {
        let mut account = self.present(address).await?;
        for _ in 0..ATTEMPTS {
            let signatures = self.signatures(address).await?;
            let read =
                stream::iter(signatures.into_iter().map(|signature| async move {
                    Ok::<_, Error>((signature, self.entries(address, signature).await?))
                }));
            let read: Vec<_> = read.buffered(CONCURRENT).try_collect().await?;
            let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
            for (signature, found) in read {
                match found {
                    Some(found) => entries.extend(found),
                    None => unreadable.push(signature),
                }
            }
            // What happened in between is in one and not in the other.
            let after = self.present(address).await?;
            if after == account {
                return Ok(History::replay(*address, entries, account.as_ref(), unreadable));
            }
            account = after;
        }
        Err(self.impossible("another state of the escrow each time it was asked; try again when it is quiet"))
    }

    /// The account to hold a history against, if there is one that can be read.
    async fn present(&self, address: &Pubkey) -> Result<Option<EscrowAccount>> {
        match self.find(address).await {
            Err(Error::NotAnEscrow { .. }) => Ok(None),
            found => found,
        }
    }

    /// The successful transactions that name `address`, the oldest first.
    pub(super) async fn signatures(&self, address: &Pubkey) -> Result<Vec<Signature>> {
        let mut signatures: Vec<Signature> = Vec::new();
        let mut before = None;
        loop {
            let page = self.newest(address, before).await?;
            let count = page.len();
            for found in page {
                let signature =
                    found.signature.parse().map_err(|_| self.impossible("something else than a signature"))?;
                if before == Some(signature) {
                    return Err(self.impossible("the same page of signatures twice"));
                }
                before = Some(signature);
                if found.err.is_none() {
                    signatures.push(signature);
                }
            }
            if count < PAGE {
                signatures.reverse();
                return Ok(signatures);
            }
        }
    }

    /// The newest transactions that name an address, or those before one of them, the newest first: at most
    /// [`PAGE`].
    pub(super) async fn newest(
        &self,
        address: &Pubkey,
        before: Option<Signature>,
    ) -> Result<Vec<RpcConfirmedTransactionStatusWithSignature>> {
        let address = *address;
        let commitment = Some(self.at_least_confirmed());
        let question = |rpc: Arc<RpcClient>| async move {
            let config = GetConfirmedSignaturesForAddress2Config { before, until: None, limit: Some(PAGE), commitment };
            rpc.get_signatures_for_address_with_config(&address, config).await
        };
        self.nodes.ask(question).await
    }

    /// One transaction; none where it is forgotten or cannot be had.
    async fn transaction(&self, signature: Signature) -> Result<Option<EncodedConfirmedTransactionWithStatusMeta>> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(self.at_least_confirmed()),
            max_supported_transaction_version: Some(0),
        };
        // Not `get_transaction_with_config`, which does not tell a transaction that is forgotten from a node that fails.
        let asked = json!([signature.to_string(), config]);
        let question = |rpc: Arc<RpcClient>| {
            let asked = asked.clone();
            async move {
                let answer: std::result::Result<Option<EncodedConfirmedTransactionWithStatusMeta>, ClientError> =
                    rpc.send(RpcRequest::GetTransaction, asked).await;
                match answer {
                    // The node answered, and will not give this one: a version that it does not know, or a pruned ledger.
                    Err(error)
                        if matches!(error.kind(), ClientErrorKind::RpcError(RpcError::RpcResponseError { .. })) =>
                    {
                        Ok(None)
                    }
                    answer => answer,
                }
            }
        };
        self.nodes.ask(question).await
    }

    /// The escrows that one transaction created.
    pub(super) async fn created(&self, signature: Signature) -> Result<Vec<(Pubkey, Terms)>> {
        let Some(transaction) = self.transaction(signature).await? else { return Ok(Vec::new()) };
        let calls = instructions(&transaction).unwrap_or_default();
        let created = calls.iter().filter_map(|Called { accounts, data }| {
            let action = Action::decode_parts(accounts, data)?;
            match action.instruction {
                EscrowInstruction::Create { terms } => Some((action.escrow, *terms)),
                _ => None,
            }
        });
        Ok(created.collect())
    }

    /// Who paid the fee of a transaction; none where it is forgotten or cannot be read.
    pub(super) async fn payer_of(&self, signature: Signature) -> Result<Option<Pubkey>> {
        let Some(transaction) = self.transaction(signature).await? else { return Ok(None) };
        let EncodedTransaction::Binary(_, TransactionBinaryEncoding::Base64) = &transaction.transaction.transaction
        else {
            return Ok(None);
        };
        let message = transaction.transaction.transaction.decode().map(|transaction| transaction.message);
        Ok(message.and_then(|message| message.static_account_keys().first().copied()))
    }

    /// What one transaction did to the escrow, or to any, if `address` is the program's; none where it cannot be read.
    pub(crate) async fn entries(&self, address: &Pubkey, signature: Signature) -> Result<Option<Vec<Entry>>> {
        let Some(transaction) = self.transaction(signature).await? else { return Ok(None) };
        let (slot, time) = (transaction.slot, transaction.block_time);
        let logs = transaction.transaction.meta.as_ref().map(|meta| meta.log_messages.clone());
        let mut events = match logs {
            Some(OptionSerializer::Some(logs)) => event::events(&logs),
            _ => Events { truncated: true, ..Events::default() },
        };
        let concerns = |escrow: &Pubkey| escrow == address || *address == escrow::ID;
        events.events.retain(|event| concerns(event.escrow()));
        let Some(instructions) = instructions(&transaction) else { return Ok(None) };
        let about = instructions.into_iter().filter_map(|Called { accounts, data }| {
            let action = Action::decode_parts(&accounts, &data)?;
            concerns(&action.escrow).then(|| Entry { signature, slot, time, action, events: events.clone() })
        });
        Ok(Some(about.collect()))
    }

    /// Nodes keep no history of what is not confirmed.
    pub(crate) fn at_least_confirmed(&self) -> CommitmentConfig {
        if self.commitment().is_finalized() { self.commitment() } else { CommitmentConfig::confirmed() }
    }

    fn impossible(&self, reason: &str) -> Error {
        Error::Answer { url: self.url(), reason: reason.to_owned() }
    }
}

/// The most digits that an inner instruction's data has in base 58, 10 KiB: what more takes, grows with its square.
const LONGEST_DATA: usize = 14_000;

/// A call of the escrow program.
struct Called {
    accounts: Vec<AccountMeta>,
    data: Vec<u8>,
}

/// All calls of the escrow program in a transaction, in order: by the transaction itself, and by programs in it, as a
/// multisig's.
fn instructions(transaction: &EncodedConfirmedTransactionWithStatusMeta) -> Option<Vec<Called>> {
    let meta = transaction.transaction.meta.as_ref()?;
    // As it was asked for: a node that may choose the encoding may choose one that takes long.
    let EncodedTransaction::Binary(_, TransactionBinaryEncoding::Base64) = &transaction.transaction.transaction else {
        return None;
    };
    let message = transaction.transaction.transaction.decode()?.message;
    let mut keys = message.static_account_keys().to_vec();
    if let OptionSerializer::Some(loaded) = &meta.loaded_addresses {
        for address in loaded.writable.iter().chain(&loaded.readonly) {
            keys.push(address.parse().ok()?);
        }
    }
    let inner = match &meta.inner_instructions {
        OptionSerializer::Some(inner) => inner.as_slice(),
        _ => &[],
    };
    let key = |index: &u8| keys.get(usize::from(*index)).copied();
    let call = |accounts: &[u8], data: Vec<u8>| {
        // Who signed the transaction. A program that signs for an address of its own is not told here.
        let meta = |index: &u8| Some(AccountMeta::new_readonly(key(index)?, message.is_signer(usize::from(*index))));
        Some(Called { accounts: accounts.iter().map(meta).collect::<Option<_>>()?, data })
    };
    let mut calls = Vec::new();
    // What other programs were called with is theirs, however long it is.
    let ours = |program: u8| key(&program) == Some(escrow::ID);
    for (index, instruction) in message.instructions().iter().enumerate() {
        if ours(instruction.program_id_index) {
            calls.extend(call(&instruction.accounts, instruction.data.clone()));
        }
        for inner in inner.iter().filter(|inner| usize::from(inner.index) == index) {
            for instruction in &inner.instructions {
                let UiInstruction::Compiled(instruction) = instruction else { return None };
                if !ours(instruction.program_id_index) {
                    continue;
                }
                if instruction.data.len() > LONGEST_DATA {
                    return None;
                }
                let data = bs58::decode(&instruction.data).into_vec().ok()?;
                calls.extend(call(&instruction.accounts, data));
            }
        }
    }
    Some(calls)
}
