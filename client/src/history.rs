//! Everything that ever happened to an escrow, from the instructions of its transactions: also after it is closed, and
//! whether or not a node kept the logs.

use borsh::BorshDeserialize;
use escrow::{
    interface::has_its_length,
    state::{Proposal, Recipient, Terms},
};
use solana_client::{rpc_client::GetConfirmedSignaturesForAddress2Config, rpc_config::RpcTransactionConfig};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransaction, TransactionBinaryEncoding, UiInstruction,
    UiTransactionEncoding, option_serializer::OptionSerializer,
};

use crate::{
    Error, EscrowClient, Result,
    event::{self, Events},
};

/// An instruction of the program, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the instruction's arguments")]
pub enum Action {
    Create { terms: Box<Terms> },
    Fund,
    Cancel,
    Deliver { milestone: u8, evidence_hash: [u8; 32] },
    Claim { milestone: u8, secret: [u8; 32] },
    Release { milestone: u8, amount: u64, expected_remaining: u64 },
    Refund { milestone: u8, amount: u64, expected_remaining: u64 },
    Dispute { milestone: u8, reason_hash: [u8; 32] },
    Rule { milestone: u8, seller_bps: u16, rationale_hash: [u8; 32] },
    Propose { proposal: Proposal },
    Accept { proposal: Proposal },
    Expire { milestone: u8 },
    Withdraw { recipient: Recipient },
    Close,
}

impl Action {
    /// Decodes instruction data, which must be exactly one instruction's.
    pub fn decode(data: &[u8]) -> Option<Self> {
        if has_its_length(data) != Some(true) {
            return None;
        }
        let (discriminator, arguments) = data.split_first()?;
        Some(match discriminator {
            0 => Self::Create { terms: Box::new(read(arguments)?) },
            1 => Self::Fund,
            2 => Self::Cancel,
            3 => {
                let (milestone, evidence_hash) = read(arguments)?;
                Self::Deliver { milestone, evidence_hash }
            }
            4 => {
                let (milestone, secret) = read(arguments)?;
                Self::Claim { milestone, secret }
            }
            5 => {
                let (milestone, amount, expected_remaining) = read(arguments)?;
                Self::Release { milestone, amount, expected_remaining }
            }
            6 => {
                let (milestone, amount, expected_remaining) = read(arguments)?;
                Self::Refund { milestone, amount, expected_remaining }
            }
            7 => {
                let (milestone, reason_hash) = read(arguments)?;
                Self::Dispute { milestone, reason_hash }
            }
            8 => {
                let (milestone, seller_bps, rationale_hash) = read(arguments)?;
                Self::Rule { milestone, seller_bps, rationale_hash }
            }
            9 => Self::Propose { proposal: read(arguments)? },
            10 => Self::Accept { proposal: read(arguments)? },
            11 => Self::Expire { milestone: read(arguments)? },
            12 => Self::Withdraw { recipient: read(arguments)? },
            13 => Self::Close,
            _ => return None,
        })
    }

    /// Where in the instruction's accounts the escrow stands, and who acts, if anybody has to sign.
    const fn positions(&self) -> (usize, Option<usize>) {
        match self {
            Self::Create { .. } => (1, Some(0)),
            Self::Claim { .. } | Self::Expire { .. } | Self::Withdraw { .. } | Self::Close => (0, None),
            _ => (0, Some(1)),
        }
    }
}

fn read<T: BorshDeserialize>(arguments: &[u8]) -> Option<T> {
    borsh::from_slice(arguments).ok()
}

/// One instruction that changed an escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The transaction.
    pub signature: Signature,
    /// When it was executed.
    pub slot: u64,
    /// When that was, in unix seconds, if the node knows.
    pub time: Option<i64>,
    /// What was done.
    pub action: Action,
    /// Who signed for it; none where nobody has to.
    pub actor: Option<Pubkey>,
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
            let action = Action::decode(&data)?;
            let (escrow, actor) = action.positions();
            let is_about = accounts.get(escrow) == Some(address);
            let actor = actor.and_then(|actor| accounts.get(actor).copied());
            is_about.then(|| Entry { signature, slot, time, action, actor, events: events.clone() })
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
    accounts: Vec<Pubkey>,
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
        Some(Called { accounts: accounts.iter().map(key).collect::<Option<_>>()?, data })
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
