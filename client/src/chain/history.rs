//! Everything that ever happened to an escrow, from the instructions of its transactions: also after it is closed, and
//! whether or not a node kept the logs.

use solana_client::{rpc_client::GetConfirmedSignaturesForAddress2Config, rpc_config::RpcTransactionConfig};
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
    Action, Error, Result,
    event::{self, Events},
};

/// One instruction that changed an escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The transaction.
    pub signature: Signature,
    /// When it was executed.
    pub slot: u64,
    /// When that was, in unix seconds, if the node knows.
    pub time: Option<i64>,
    /// What was done, and who signed for it.
    pub action: Action,
    /// What the program logged in that transaction about this escrow. For people: the action says it all.
    pub events: Events,
}

/// How many signatures a node is asked for at once; it gives no more.
const PAGE: usize = 1_000;

impl EscrowClient {
    /// Everything that changed the escrow at `address`, the oldest first, as far back as the node remembers.
    pub async fn history(&self, address: &Pubkey) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for signature in self.signatures(address).await? {
            entries.extend(self.entries(address, signature).await?);
        }
        Ok(entries)
    }

    /// The successful transactions that name `address`, the oldest first.
    async fn signatures(&self, address: &Pubkey) -> Result<Vec<Signature>> {
        let mut signatures: Vec<Signature> = Vec::new();
        let mut before = None;
        loop {
            let config = GetConfirmedSignaturesForAddress2Config {
                before,
                until: None,
                limit: Some(PAGE),
                commitment: Some(self.at_least_confirmed()),
            };
            let page = self.rpc.get_signatures_for_address_with_config(address, config).await;
            let page = page.map_err(|error| self.rpc_error(error))?;
            let count = page.len();
            for found in page {
                let signature = found.signature.parse().map_err(|_| self.impossible("a signature that is none"))?;
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

    /// What one transaction did to the escrow.
    async fn entries(&self, address: &Pubkey, signature: Signature) -> Result<Vec<Entry>> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(self.at_least_confirmed()),
            max_supported_transaction_version: Some(0),
        };
        let transaction = self.rpc.get_transaction_with_config(&signature, config).await;
        let transaction = transaction.map_err(|error| self.rpc_error(error))?;
        let (slot, time) = (transaction.slot, transaction.block_time);
        let logs = transaction.transaction.meta.as_ref().map(|meta| meta.log_messages.clone());
        let mut events = match logs {
            Some(OptionSerializer::Some(logs)) => event::events(&logs),
            _ => Events { truncated: true, ..Events::default() },
        };
        events.events.retain(|event| event.escrow() == address);
        let instructions =
            instructions(&transaction).ok_or_else(|| self.impossible("a transaction that does not decode"))?;
        let about = instructions.into_iter().filter_map(|Called { accounts, data }| {
            let action = Action::decode_parts(&accounts, &data)?;
            let is_about = action.escrow == *address;
            is_about.then(|| Entry { signature, slot, time, action, events: events.clone() })
        });
        Ok(about.collect())
    }

    /// Nodes keep no history of what is not confirmed.
    fn at_least_confirmed(&self) -> CommitmentConfig {
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
    let call = |program: u8, accounts: &[u8], data: Vec<u8>| {
        let key = |index: &u8| keys.get(usize::from(*index)).copied();
        if key(&program)? != escrow::ID {
            return None;
        }
        // Who signed the transaction. A program that signs for an address of its own is not told here.
        let meta = |index: &u8| Some(AccountMeta::new_readonly(key(index)?, message.is_signer(usize::from(*index))));
        Some(Called { accounts: accounts.iter().map(meta).collect::<Option<_>>()?, data })
    };
    let mut calls = Vec::new();
    for (index, instruction) in message.instructions().iter().enumerate() {
        calls.extend(call(instruction.program_id_index, &instruction.accounts, instruction.data.clone()));
        for inner in inner.iter().filter(|inner| usize::from(inner.index) == index) {
            for instruction in &inner.instructions {
                let UiInstruction::Compiled(instruction) = instruction else { continue };
                if instruction.data.len() > LONGEST_DATA {
                    return None;
                }
                let data = bs58::decode(&instruction.data).into_vec().ok()?;
                calls.extend(call(instruction.program_id_index, &instruction.accounts, data));
            }
        }
    }
    Some(calls)
}
