//! Asking a node for all that is in flight at once: one worker per node, whose requests serve every sender that waits.
//!
//! While one round of requests is under way the next questions gather, so that the number of requests does not grow with the
//! number of transactions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use escrow_sender::{
    Address, Commitment, Effect, Hash, Height, Node, Observation, Question, Reading, Signature, Slot, Status,
};
use futures_util::{StreamExt, future::join3, stream};
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_client::{
    client_error::ClientError, nonblocking::rpc_client::RpcClient, rpc_client::GetConfirmedSignaturesForAddress2Config,
    rpc_config::RpcAccountInfoConfig, rpc_request::RpcRequest,
};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_transaction_status_client_types::TransactionConfirmationStatus;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::{now, queue::Queue};
use crate::{Action, EscrowAccount, chain::decode::decode, error::without_url, node::MOST_ACCOUNTS};

/// How many signatures a node is asked for in one request, and how many requests it has at a time.
const SIGNATURES: usize = 256;
const REQUESTS: usize = 4;

/// How many questions are taken up at once.
const QUESTIONS: usize = 8_192;

/// A question, and who wants to know.
pub(super) struct Ask {
    pub(super) question: Question,
    /// What the transaction does to escrows, for those that ask for its effect, and since which slot it may be executed.
    pub(super) actions: Arc<[Action]>,
    pub(super) since: Slot,
    pub(super) reply: UnboundedSender<Observation>,
}

/// Puts questions to one node.
pub(super) struct Poller {
    node: Node,
    rpc: Arc<RpcClient>,
    queue: Queue<Ask>,
}

impl Poller {
    pub(super) fn new(node: Node, rpc: Arc<RpcClient>) -> Self {
        Self { node, rpc, queue: Queue::default() }
    }

    /// Asks without waiting.
    pub(super) fn ask(&self, ask: Ask) {
        self.queue.push(ask, |waiting| {
            tokio::spawn(work(Round { node: self.node, rpc: Arc::clone(&self.rpc) }, waiting));
        });
    }
}

async fn work(round: Round, mut queue: UnboundedReceiver<Ask>) {
    let mut asked = Vec::new();
    while queue.recv_many(&mut asked, QUESTIONS).await > 0 {
        round.serve(std::mem::take(&mut asked)).await;
    }
}

/// The node that a round of requests goes to.
struct Round {
    node: Node,
    rpc: Arc<RpcClient>,
}

type Askers<'a> = Vec<&'a Ask>;

impl Round {
    /// Answers all questions: heights first, statuses last. So a status comes from a bank that may be past the end of a lifetime
    /// that a height has shown.
    async fn serve(&self, asked: Vec<Ask>) {
        let mut heights: BTreeMap<Commitment, Askers<'_>> = BTreeMap::new();
        let mut statuses: BTreeMap<Signature, Askers<'_>> = BTreeMap::new();
        let mut nonces: BTreeMap<Address, Askers<'_>> = BTreeMap::new();
        let mut effects: Askers<'_> = Vec::new();
        let mut firsts: Askers<'_> = Vec::new();
        for ask in &asked {
            match ask.question {
                Question::Height(commitment) => heights.entry(commitment).or_default().push(ask),
                Question::Status(signature) => statuses.entry(signature).or_default().push(ask),
                Question::Nonce(account) => nonces.entry(account).or_default().push(ask),
                Question::Effect(_) => effects.push(ask),
                Question::FirstBlock => firsts.push(ask),
            }
        }
        let mut finalized = None;
        for (commitment, askers) in heights {
            let asked = now();
            match self.height(commitment).await {
                Ok(reading) => {
                    if commitment == Commitment::Finalized {
                        finalized = Some(reading.slot);
                    }
                    tell(&askers, &Observation::Height { node: self.node, commitment, reading, asked });
                }
                Err(error) => self.fail(&askers, error),
            }
        }
        join3(self.first_block(firsts), self.nonces(nonces), self.effects(effects, finalized)).await;
        self.statuses(statuses).await;
    }

    async fn height(&self, commitment: Commitment) -> Result<Reading, ClientError> {
        read_height(&self.rpc, commitment).await
    }

    async fn first_block(&self, askers: Askers<'_>) {
        if askers.is_empty() {
            return;
        }
        match self.rpc.get_first_available_block().await {
            Ok(slot) => tell(&askers, &Observation::FirstBlock { node: self.node, slot: Slot(slot) }),
            Err(error) => self.fail(&askers, error),
        }
    }

    async fn nonces(&self, nonces: BTreeMap<Address, Askers<'_>>) {
        for (account, askers) in nonces {
            match read_nonce(&self.rpc, account).await {
                Ok((bank, value)) => tell(&askers, &Observation::Nonce { node: self.node, account, bank, value }),
                Err(error) => self.fail(&askers, error),
            }
        }
    }

    /// Whether the escrows show that transactions were executed.
    async fn effects(&self, askers: Askers<'_>, finalized: Option<Slot>) {
        let wanted: BTreeSet<Pubkey> =
            askers.iter().flat_map(|ask| ask.actions.iter().map(|action| action.escrow)).collect();
        let wanted: Vec<Pubkey> = wanted.into_iter().collect();
        let mut found: BTreeMap<Pubkey, (Slot, Option<EscrowAccount>)> = BTreeMap::new();
        for chunk in wanted.chunks(MOST_ACCOUNTS) {
            let config = RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                commitment: Some(CommitmentConfig::finalized()),
                ..RpcAccountInfoConfig::default()
            };
            match self.rpc.get_multiple_ui_accounts_with_config(chunk, config).await {
                Ok(answer) => {
                    let bank = Slot(answer.context.slot);
                    for (address, account) in chunk.iter().zip(answer.value) {
                        let escrow =
                            account.and_then(|account| EscrowAccount::decode(*address, &decode(&account)?).ok());
                        found.insert(*address, (bank, escrow));
                    }
                }
                Err(error) => return self.fail(&askers, error),
            }
        }
        for ask in askers {
            let Question::Effect(signature) = ask.question else { continue };
            let shown = |action: &Action| {
                let (bank, escrow) = found.get(&action.escrow)?;
                Some((*bank, action.shown_in(escrow.as_ref())?))
            };
            let shown: Vec<(Slot, bool)> = ask.actions.iter().filter_map(shown).collect();
            // All of a transaction is executed or nothing of it: one action that was not speaks for all.
            let least = shown.iter().min_by_key(|(_, executed)| *executed);
            let effect = match least {
                Some((bank, executed)) => Some((*bank, *executed)),
                None => self.listed(ask, signature, finalized).await,
            };
            if let Some((bank, executed)) = effect {
                let effect = if executed { Effect::Present } else { Effect::Absent };
                tell(&[ask], &Observation::Effect { node: self.node, signature, bank, effect });
            }
        }
    }

    /// Where the account would look the same either way: whether the signature is in the list of those that name it, read after
    /// the bank of `finalized` was there.
    async fn listed(&self, ask: &Ask, signature: Signature, finalized: Option<Slot>) -> Option<(Slot, bool)> {
        const PAGE: usize = 1_000;
        let address = ask.actions.first()?.escrow;
        let config = GetConfirmedSignaturesForAddress2Config {
            before: None,
            until: None,
            limit: Some(PAGE),
            commitment: Some(CommitmentConfig::finalized()),
        };
        let page = match self.rpc.get_signatures_for_address_with_config(&address, config).await {
            Ok(page) => page,
            Err(error) => {
                self.fail(&[ask], error);
                return None;
            }
        };
        let ours = signature.to_string();
        if page.iter().any(|listed| listed.signature == ours && listed.err.is_none()) {
            return Some((finalized?, true));
        }
        let is_complete = page.len() < PAGE || page.last().is_some_and(|last| last.slot < ask.since.0);
        if is_complete { Some((finalized?, false)) } else { None }
    }

    async fn statuses(&self, statuses: BTreeMap<Signature, Askers<'_>>) {
        let all: Vec<Signature> = statuses.keys().copied().collect();
        let chunks: Vec<Vec<Signature>> = all.chunks(SIGNATURES).map(<[_]>::to_vec).collect();
        let asked = chunks.into_iter().map(async |chunk| {
            let answer = read_statuses(&self.rpc, &chunk).await;
            (chunk, answer)
        });
        let mut answers = stream::iter(asked).buffer_unordered(REQUESTS);
        while let Some((chunk, answer)) = answers.next().await {
            let askers = |signature: &Signature| statuses.get(signature).map(Vec::as_slice).unwrap_or_default();
            match answer {
                Ok((bank, found)) => {
                    for (signature, status) in chunk.iter().zip(found) {
                        let told = Observation::Status { node: self.node, signature: *signature, bank, status };
                        tell(askers(signature), &told);
                    }
                }
                Err(error) => {
                    let askers: Askers<'_> = chunk.iter().flat_map(askers).copied().collect();
                    self.fail(&askers, error);
                }
            }
        }
    }

    fn fail(&self, askers: &[&Ask], error: ClientError) {
        tell(askers, &Observation::Failed { node: self.node, error: without_url(error).to_string() });
    }
}

fn tell(askers: &[&Ask], observation: &Observation) {
    for asker in askers {
        // Who does not listen any more has an answer.
        let _ = asker.reply.send(observation.clone());
    }
}

/// A node's newest block of a commitment: slot and height of one answer.
pub(super) async fn read_height(rpc: &RpcClient, commitment: Commitment) -> Result<Reading, ClientError> {
    let info = rpc.get_epoch_info_with_commitment(config(commitment)).await?;
    Ok(Reading { slot: Slot(info.absolute_slot), height: Height(info.block_height) })
}

/// A nonce account at `finalized`: the bank's slot, and the value, if it holds one.
pub(super) async fn read_nonce(rpc: &RpcClient, account: Address) -> Result<(Slot, Option<Hash>), ClientError> {
    let address = Pubkey::new_from_array(account.0);
    let answer = rpc.get_account_with_commitment(&address, CommitmentConfig::finalized()).await?;
    let value = answer
        .value
        .as_ref()
        .and_then(|account| (account.owner == solana_sdk_ids::system_program::ID).then(|| nonce(&account.data))?);
    Ok((Slot(answer.context.slot), value))
}

/// The value in a nonce account: version and state (4 bytes each), authority (32), value (32).
pub(crate) fn nonce(data: &[u8]) -> Option<Hash> {
    const INITIALIZED: [u8; 4] = 1_u32.to_le_bytes();
    let state = data.get(4..8)?;
    let value = data.get(40..72)?;
    if state != INITIALIZED { None } else { value.try_into().ok().map(Hash) }
}

/// What a node knows of signatures, and the bank that looked.
pub(super) async fn read_statuses(
    rpc: &RpcClient,
    signatures: &[Signature],
) -> Result<(Slot, Vec<Option<Status>>), ClientError> {
    let texts: Vec<String> = signatures.iter().map(Signature::to_string).collect();
    let asked = serde_json::json!([texts, {"searchTransactionHistory": true}]);
    let answer: solana_client::rpc_response::Response<
        Vec<Option<solana_transaction_status_client_types::TransactionStatus>>,
    > = rpc.send(RpcRequest::GetSignatureStatuses, asked).await?;
    if answer.value.len() != signatures.len() {
        let reason = format!("{} statuses for {} signatures", answer.value.len(), signatures.len());
        return Err(solana_client::client_error::ClientErrorKind::Custom(reason).into());
    }
    let contradicts =
        |found: &solana_transaction_status_client_types::TransactionStatus| found.err != found.status.clone().err();
    if answer.value.iter().flatten().any(contradicts) {
        let reason = "a status that says both that the transaction succeeded and that it failed".to_owned();
        return Err(solana_client::client_error::ClientErrorKind::Custom(reason).into());
    }
    let status = |found: solana_transaction_status_client_types::TransactionStatus| Status {
        slot: Slot(found.slot),
        commitment: match (&found.confirmation_status, found.confirmations) {
            (Some(TransactionConfirmationStatus::Finalized), _) | (None, None) => Commitment::Finalized,
            (Some(TransactionConfirmationStatus::Confirmed), _) => Commitment::Confirmed,
            _ => Commitment::Processed,
        },
        error: found.err.map(|error| serde_json::to_string(&error).unwrap_or_else(|_| error.to_string())),
    };
    let found = answer.value.into_iter().map(|found| found.map(status)).collect();
    Ok((Slot(answer.context.slot), found))
}

pub(super) fn config(commitment: Commitment) -> CommitmentConfig {
    match commitment {
        Commitment::Processed => CommitmentConfig::processed(),
        Commitment::Confirmed => CommitmentConfig::confirmed(),
        Commitment::Finalized => CommitmentConfig::finalized(),
    }
}
