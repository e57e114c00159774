//! Everything before a signature: the lifetime, the fee, the simulation, and whether the state is the one that was meant.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use escrow_sender::{
    Address, Commitment, Hash, Height, Lifetime as Limit, Node, NonceOffer, Observation, Offer, PrepareError, Slot,
    Time,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use solana_client::{
    client_error::ClientError, nonblocking::rpc_client::RpcClient, rpc_config::RpcSimulateTransactionConfig,
    rpc_request::RpcRequest, rpc_response::Response,
};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

use super::{
    cache::Fresh,
    now,
    poll::{read_height, read_nonce},
    sending::Reading,
    step::Expected,
};
use crate::{
    Error, EscrowClient, Result, Unsigned,
    error::{Failure, without_url},
    node::{MOST_ACCOUNTS, Nodes},
    transaction::{Lifetime, budget},
};

/// How long what others pay is believed.
const FEES_LAST: Duration = Duration::from_secs(10);

impl EscrowClient {
    /// The genesis hash that all nodes name.
    ///
    /// # Errors
    ///
    /// Where the nodes are of different clusters, or none answers.
    pub async fn genesis(&self) -> Result<Hash> {
        let mut known = self.sending.cache.genesis.lock().await;
        if let Some(genesis) = *known {
            return Ok(genesis);
        }
        let count = self.nodes.all().len();
        let (found, errors) = gather(&self.nodes, async |node, rpc| {
            let genesis = rpc.get_genesis_hash().await?;
            Ok((node, Hash(genesis.to_bytes())))
        })
        .await;
        let name = |node: Node| self.nodes.names().get(node.0).cloned().unwrap_or_default();
        let first = found.first().copied();
        if let Some((node, genesis)) = first
            && let Some((other, _)) = found.iter().find(|(_, other)| *other != genesis)
        {
            return Err(Error::Clusters { first: name(node), other: name(*other) });
        }
        match first {
            // One alone of several is not believed: under another genesis hash nothing that was begun is found again.
            Some((_, genesis)) if found.len() >= 2.min(count) => {
                // Who did not answer may yet differ.
                if found.len() == count {
                    *known = Some(genesis);
                }
                Ok(genesis)
            }
            _ => {
                let (url, error) = errors.into_iter().next().unwrap_or_else(|| (self.nodes.name(), unnamed()));
                Err(Error::Rpc { url, source: Box::new(without_url(error)) })
            }
        }
    }

    /// How long what was signed elsewhere on this block hash can be executed: no longer than what is signed now. Whether the
    /// block hash is still recent is not asked.
    ///
    /// # Errors
    ///
    /// Where the nodes do not answer.
    pub async fn lifetime_of(&self, hash: [u8; 32]) -> Result<Lifetime> {
        let (lifetime, _) = self.lifetime().await?;
        let Lifetime::Blockhash { last_valid_block_height, mut origin, .. } = lifetime else { return Ok(lifetime) };
        // It was signed some time ago, and may have been sent since then.
        origin.slot.0 = origin.slot.0.saturating_sub(BEFORE);
        origin.height.0 = origin.height.0.saturating_sub(BEFORE);
        Ok(Lifetime::Blockhash { hash, last_valid_block_height, origin })
    }

    /// A recent block hash to sign with, chosen from what all nodes say.
    pub(super) async fn lifetime(&self) -> Result<(Lifetime, Vec<Observation>)> {
        let cache = &self.sending.cache;
        let mut fresh = cache.lifetime.lock().await;
        let pace = &self.sending.driver.pace;
        let used = fresh.as_ref().filter(|fresh| now().since(fresh.at) < pace.poll).cloned();
        let Fresh { lifetime, heights, .. } = match used {
            Some(used) => used,
            None => {
                let chosen = self.choose_lifetime().await?;
                *fresh = Some(chosen.clone());
                chosen
            }
        };
        Ok((lifetime, heights))
    }

    async fn choose_lifetime(&self) -> Result<Fresh> {
        let genesis = self.genesis().await?;
        let turn = self.sending.cache.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let choose = |at, offers: &[Offer]| {
            let (limit, origin) = Limit::block_hash(genesis, self.nodes.all().len(), offers, turn)?;
            let heights = offers.iter().map(|offer| Observation::Height {
                node: offer.node,
                commitment: Commitment::Finalized,
                reading: offer.finalized,
                asked: at,
            });
            Ok(Fresh { at, lifetime: Lifetime::of(&limit, origin, Pubkey::default()), heights: heights.collect() })
        };
        self.choose(|node, rpc| offer(node, rpc, self.lasting()), choose).await
    }

    /// The nonce that all nodes say an account holds, to sign with. `authority` signs to advance it.
    ///
    /// # Errors
    ///
    /// Where the nodes differ about it, or it is no nonce account.
    pub async fn nonce(&self, account: &Pubkey, authority: &Pubkey) -> Result<Lifetime> {
        let genesis = self.genesis().await?;
        let address = Address(account.to_bytes());
        let choose = |_, offers: &[NonceOffer]| {
            let (limit, origin) = Limit::nonce(genesis, address, self.nodes.all().len(), offers)?;
            Ok(Lifetime::of(&limit, origin, *authority))
        };
        self.choose(|node, rpc| nonce_offer(node, rpc, address), choose).await
    }

    /// Asks all nodes what a lifetime is chosen from, until it can be.
    async fn choose<O, T, F: Future<Output = std::result::Result<O, ClientError>>>(
        &self,
        ask: impl Fn(Node, Arc<RpcClient>) -> F,
        choose: impl Fn(Time, &[O]) -> std::result::Result<T, PrepareError>,
    ) -> Result<T> {
        let mut last = (PrepareError::TooFew { nodes: self.nodes.all().len(), agree: 0, needed: 1 }, Errors::new());
        for _ in 0..OFFERS {
            let at = now();
            let (offers, errors) = gather(&self.nodes, &ask).await;
            match choose(at, &offers) {
                Ok(chosen) => return Ok(chosen),
                Err(error) => last = (error, errors),
            }
            tokio::time::sleep(Duration::from_millis(self.sending.driver.pace.poll)).await;
        }
        Err(unprepared(last))
    }

    /// The same instructions with the compute budget in front: the limit that they need, and the price that others pay, within
    /// the client's [`Fees`](budget::Fees). What is nothing of the escrow program's is left as it is.
    ///
    /// # Errors
    ///
    /// None where no price is offered; else where no node says what others pay.
    pub async fn budgeted(&self, instructions: &[Instruction], payer: &Pubkey) -> Result<Vec<Instruction>> {
        if !instructions.iter().any(|instruction| instruction.program_id == escrow::ID) {
            return Ok(instructions.to_vec());
        }
        let fees = &self.sending.fees;
        let price = if fees.cap == 0 { 0 } else { fees.price(self.paid_lately(payer).await?) };
        let mut all = budget::budget(instructions, fees, price);
        all.extend_from_slice(instructions);
        Ok(all)
    }

    /// What others paid lately for each compute unit, in micro-lamports: the largest of what was paid anywhere and of what was
    /// paid for the payer's account. A fresh escrow's own accounts say nothing.
    async fn paid_lately(&self, payer: &Pubkey) -> Result<u64> {
        let mut paid = 0;
        for accounts in [Vec::new(), vec![*payer]] {
            let known = {
                let fees = self.sending.cache.fees.lock().unwrap_or_else(PoisonError::into_inner);
                fees.get(&accounts).filter(|(at, _)| at.elapsed() < FEES_LAST).map(|(_, paid)| *paid)
            };
            let found = match known {
                Some(found) => found,
                None => {
                    let asked = accounts.clone();
                    let recent = self
                        .nodes
                        .ask(|rpc| {
                            let asked = asked.clone();
                            async move { rpc.get_recent_prioritization_fees(&asked).await }
                        })
                        .await?;
                    let mut recent: Vec<u64> = recent.iter().map(|fee| fee.prioritization_fee).collect();
                    recent.sort_unstable();
                    // Three of four blocks were content with less.
                    let third = recent.len().saturating_mul(3) / 4;
                    let found = recent.get(third).or(recent.last()).copied().unwrap_or(0);
                    let mut fees = self.sending.cache.fees.lock().unwrap_or_else(PoisonError::into_inner);
                    if fees.len() > 1_000 {
                        fees.clear();
                    }
                    fees.insert(accounts, (Instant::now(), found));
                    found
                }
            };
            paid = paid.max(found);
        }
        Ok(paid)
    }

    /// Runs a transaction on a node without sending it: the compute units that it takes.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], where it fails on two nodes, or on the only one that answers. Nothing was sent.
    pub async fn simulate(&self, unsigned: &Unsigned) -> Result<u64> {
        let commitment = self.lasting();
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            replace_recent_blockhash: true,
            commitment: Some(commitment),
            ..RpcSimulateTransactionConfig::default()
        };
        let mut refused = None;
        let mut last = None;
        for node in self.nodes.all() {
            match node.rpc.simulate_transaction_with_config(unsigned.transaction(), config.clone()).await {
                Ok(Response { value, .. }) => match value.err {
                    None => return Ok(value.units_consumed.unwrap_or(0)),
                    Some(error) => {
                        let logs = value.logs.unwrap_or_default();
                        let accounts = unsigned.message().static_account_keys();
                        let failure = Failure::new(error.into(), logs, accounts);
                        if refused.replace(failure).is_some() {
                            break;
                        }
                    }
                },
                Err(error) => last = Some((node, error)),
            }
        }
        match (refused, last) {
            (Some(failure), _) => Err(Error::Refused(Box::new(failure))),
            (None, Some((node, error))) => {
                Err(Error::Rpc { url: node.name.clone(), source: Box::new(without_url(error)) })
            }
            (None, None) => Ok(0),
        }
    }

    /// Whether the escrow stands as it was when this was agreed to.
    pub(super) async fn check(&self, expected: &Expected) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.sending.readings.push((expected.address, reply), |waiting| {
            // Apart from this client's queue: it ends when that does.
            tokio::spawn(read_together(self.apart(), waiting));
        });
        let found = match answer.await {
            Ok(Some(found)) => found,
            // By itself it has an error of its own.
            Ok(None) | Err(_) => self.find_agreed(&expected.address).await?,
        };
        // Lamports are anybody's to send, and counted nowhere.
        let same = match (&found, &expected.escrow) {
            (None, None) => true,
            (Some(found), Some(expected)) => found.state == expected.state && found.milestones == expected.milestones,
            _ => false,
        };
        if same { Ok(()) } else { Err(Error::Changed { address: expected.address }) }
    }

    /// The commitment that is waited for, and that transactions are built on: `processed` is what one node alone has seen, and
    /// counts as `confirmed`.
    pub fn lasting(&self) -> CommitmentConfig {
        if self.commitment().is_processed() { CommitmentConfig::confirmed() } else { self.commitment() }
    }
}

/// Answers who asks for an escrow while a request is under way together with the others who do.
async fn read_together(client: EscrowClient, mut queue: UnboundedReceiver<Reading>) {
    let mut asked: Vec<Reading> = Vec::new();
    while queue.recv_many(&mut asked, MOST_ACCOUNTS).await > 0 {
        let addresses: Vec<Pubkey> = asked.iter().map(|(address, _)| *address).collect();
        let found = client.find_all_agreed(&addresses).await;
        for (index, (_, reply)) in asked.drain(..).enumerate() {
            let escrow = found.as_ref().ok().and_then(|found| found.get(index).cloned().flatten());
            // Who does not wait any more has no use for it.
            let _ = reply.send(escrow);
        }
    }
}

/// More slots than a block hash lives, also where many are skipped.
const BEFORE: u64 = 1_000;

/// How often nodes are asked for a lifetime before it is given up.
const OFFERS: u32 = 5;

type Errors = Vec<(String, ClientError)>;

fn unprepared((error, errors): (PrepareError, Errors)) -> Error {
    match errors.into_iter().next() {
        // A node's own reason says more than how many there are too few.
        Some((url, error)) => Error::Rpc { url, source: Box::new(without_url(error)) },
        None => Error::Lifetime(error),
    }
}

fn unnamed() -> ClientError {
    solana_client::client_error::ClientErrorKind::Custom("no answer".to_owned()).into()
}

/// What each node says, from those that answer within the time that the slowest of two needs, and some.
async fn gather<T, F: Future<Output = std::result::Result<T, ClientError>>>(
    nodes: &Nodes,
    ask: impl Fn(Node, Arc<RpcClient>) -> F,
) -> (Vec<T>, Errors) {
    const OTHERS: Duration = Duration::from_millis(1_000);
    let count = nodes.all().len();
    let mut open: FuturesUnordered<_> = nodes
        .all()
        .iter()
        .enumerate()
        .map(|(index, node)| {
            let asked = ask(Node(index), Arc::clone(&node.rpc));
            async move { (node, asked.await) }
        })
        .collect();
    let (mut answers, mut errors) = (Vec::new(), Vec::new());
    let mut until = None;
    loop {
        let next = match until {
            None => open.next().await,
            Some(until) => tokio::time::timeout_at(until, open.next()).await.unwrap_or(None),
        };
        match next {
            None => return (answers, errors),
            Some((_, Ok(answer))) => answers.push(answer),
            Some((node, Err(error))) => errors.push((node.name.clone(), error)),
        }
        if answers.len() >= 2.min(count) && until.is_none() {
            until = tokio::time::Instant::now().checked_add(OTHERS);
        }
    }
}

async fn offer(
    node: Node,
    rpc: Arc<RpcClient>,
    commitment: CommitmentConfig,
) -> std::result::Result<Offer, ClientError> {
    let finalized = read_height(&rpc, Commitment::Finalized).await?;
    let answer: Response<solana_client::rpc_response::RpcBlockhash> =
        rpc.send(RpcRequest::GetLatestBlockhash, serde_json::json!([commitment])).await?;
    let hash: Hash = answer.value.blockhash.parse().map_err(|_| {
        ClientError::from(solana_client::client_error::ClientErrorKind::Custom("a block hash that is none".to_owned()))
    })?;
    let tip = read_height(&rpc, Commitment::Processed).await?;
    Ok(Offer {
        node,
        finalized,
        hash,
        fetched: Slot(answer.context.slot),
        last_valid: Height(answer.value.last_valid_block_height),
        tip,
    })
}

async fn nonce_offer(
    node: Node,
    rpc: Arc<RpcClient>,
    account: Address,
) -> std::result::Result<NonceOffer, ClientError> {
    let finalized = read_height(&rpc, Commitment::Finalized).await?;
    let (slot, value) = read_nonce(&rpc, account).await?;
    Ok(NonceOffer { node, finalized, slot, value })
}
