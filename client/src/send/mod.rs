//! Sending exactly once.
//!
//! A transaction is signed once and from then on only ever repeated byte for byte, so it can be executed once at most:
//! the chain refuses a signature that it knows. It is repeated until it has reached the commitment, or until its block
//! hash is too old for it ever to be executed. Only then is it safe to build another, and only then does
//! [`Error::Expired`] say so. A back end that must survive a crash keeps the [`Signed`] transaction before it submits it, and
//! submits the same one after.

use std::time::Duration;

use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    rpc_config::RpcSendTransactionConfig,
    rpc_request::{RpcError, RpcResponseErrorData},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::TransactionStatus;

use crate::{
    Error, EscrowClient, Result, Signed, Submitted, Unsigned,
    error::{Failure, without_url},
    transaction::{Lifetime, PrepareError},
};

/// How often the status of a submitted transaction is asked for.
const POLL_EVERY: Duration = Duration::from_millis(400);

/// How many polls pass before the transaction is sent again: networks drop some.
const POLLS_PER_SEND: u32 = 5;

/// A transaction that was executed and has reached the client's commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// Its signature.
    pub signature: Signature,
    /// The slot in which it was executed.
    pub slot: u64,
}

impl EscrowClient {
    /// A transaction with a fresh block hash, whose fee `payer` pays, to be signed here or elsewhere. Sends nothing.
    ///
    /// # Errors
    ///
    /// Where it does not fit into one transaction, or the node does not answer.
    pub async fn prepare(&self, instructions: &[Instruction], payer: &Pubkey) -> Result<Unsigned> {
        // A height from a newer answer than the slot would do; the other way around would not.
        let slot = self.rpc.get_slot_with_commitment(self.commitment()).await.map_err(|error| self.rpc_error(error))?;
        let answer = self.rpc.get_latest_blockhash_with_commitment(self.commitment()).await;
        let (hash, last_valid_block_height) = answer.map_err(|error| self.rpc_error(error))?;
        let lifetime = Lifetime::Blockhash { hash: hash.to_bytes(), last_valid_block_height, slot };
        Ok(Unsigned::new(instructions, payer, lifetime)?)
    }

    /// Prepares, signs, submits and waits. The first signer pays the fee.
    ///
    /// # Errors
    ///
    /// Where nobody signs or a signer fails, and as for [`confirm`](Self::confirm).
    pub async fn send(&self, instructions: &[Instruction], signers: &[&(dyn Signer + Sync)]) -> Result<Confirmed> {
        let payer = signers.first().ok_or(PrepareError::NobodySigns)?.try_pubkey();
        let payer = payer.map_err(|error| PrepareError::Signer(error.to_string()))?;
        let unsigned = self.prepare(instructions, &payer).await?;
        let signed = {
            #[expect(clippy::as_conversions, reason = "to a supertrait: no value changes")]
            let signers: Vec<&dyn Signer> = signers.iter().map(|signer| *signer as &dyn Signer).collect();
            unsigned.sign(&signers)?.complete()?
        };
        self.confirm(&self.submit(signed).await?).await
    }

    /// Hands a transaction to the node. Whether it was executed, [`confirm`](Self::confirm) tells.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], where the simulation in front of sending fails, and [`Error::Rpc`], where the node refuses the
    /// request itself: nothing changed.
    pub async fn submit(&self, signed: Signed) -> Result<Submitted> {
        self.first_send(&signed).await?;
        Ok(Submitted::perhaps(signed))
    }

    /// Repeats a transaction that was submitted, and waits until it has reached the commitment.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] and [`Error::Expired`] are final: nothing changed and nothing will. [`Error::Unknown`] is not: ask
    /// again, or ask for its [`status`](Self::status).
    pub async fn confirm(&self, submitted: &Submitted) -> Result<Confirmed> {
        let signature = submitted.signature();
        loop {
            for _ in 0..POLLS_PER_SEND {
                // The height first: if it is past the last valid one and the signature is unknown after that, it stays
                // unknown for ever.
                let height = self.rpc.get_block_height_with_commitment(self.commitment()).await;
                let height = height.map_err(|error| unknown(signature, error))?;
                if let Some(outcome) = self.outcome(submitted.signed()).await? {
                    return outcome;
                }
                match submitted.signed().lifetime() {
                    Lifetime::Blockhash { last_valid_block_height, .. } if height > last_valid_block_height => {
                        return Err(Error::Expired { signature });
                    }
                    _ => {}
                }
                tokio::time::sleep(POLL_EVERY).await;
            }
            // The outcome is read above. What this answers, the first sending answered already.
            let transaction = submitted.signed().transaction();
            let _ = self.rpc.send_transaction_with_config(transaction, self.send_config(true)).await;
        }
    }

    /// What is known of a transaction: none if it is unknown, else whether it succeeded, once it has reached the
    /// commitment.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], where the node does not answer.
    pub async fn status(&self, signature: &Signature) -> Result<Option<TransactionStatus>> {
        let answer = self.rpc.get_signature_statuses_with_history(&[*signature]).await;
        let answer = answer.map_err(|error| unknown(*signature, error))?;
        Ok(answer.value.into_iter().next().flatten())
    }

    async fn outcome(&self, signed: &Signed) -> Result<Option<Result<Confirmed>>> {
        let signature = signed.signature();
        let Some(status) = self.status(&signature).await? else { return Ok(None) };
        if !status.satisfies_commitment(self.commitment()) {
            return Ok(None);
        }
        Ok(Some(match status.err.clone() {
            None => Ok(Confirmed { signature, slot: status.slot }),
            Some(error) => {
                let accounts = signed.transaction().message.static_account_keys();
                Err(Error::Failed { signature, failure: Box::new(Failure::new(error, Vec::new(), accounts)) })
            }
        }))
    }

    /// Sends with a simulation in front, which finds most mistakes before they cost a fee.
    async fn first_send(&self, signed: &Signed) -> Result<()> {
        let sent = self.rpc.send_transaction_with_config(signed.transaction(), self.send_config(false)).await;
        let Err(error) = sent else { return Ok(()) };
        match refusal(&error, signed) {
            // It was submitted before: wait for it like for a new one.
            Some(Failure { error: TransactionError::AlreadyProcessed, .. }) => Ok(()),
            // A node that lags behind does not know the block hash yet, or no longer: the waiting tells.
            Some(Failure { error: TransactionError::BlockhashNotFound, .. }) => Ok(()),
            Some(failure) => Err(Error::Refused(Box::new(failure))),
            // Some nodes say it in words alone, and know the status only a moment later.
            None if error.to_string().contains(&TransactionError::AlreadyProcessed.to_string()) => Ok(()),
            // The node refused the request itself, as it does with a transaction that is too large.
            None if matches!(error.kind(), ClientErrorKind::RpcError(RpcError::RpcResponseError { .. })) => {
                match self.status(&signed.signature()).await? {
                    Some(_) => Ok(()),
                    None => Err(self.rpc_error(error)),
                }
            }
            // No answer: it may have arrived all the same.
            None => Ok(()),
        }
    }

    fn send_config(&self, skip_preflight: bool) -> RpcSendTransactionConfig {
        RpcSendTransactionConfig {
            skip_preflight,
            preflight_commitment: Some(self.commitment().commitment),
            // This client repeats the transaction itself, and knows when to stop.
            max_retries: Some(0),
            ..RpcSendTransactionConfig::default()
        }
    }
}

fn unknown(signature: Signature, source: ClientError) -> Error {
    Error::Unknown { signature, source: Box::new(without_url(source)) }
}

/// Why the simulation in front of sending refused the transaction, if that is what `error` says.
fn refusal(error: &ClientError, signed: &Signed) -> Option<Failure> {
    let transaction_error = error.get_transaction_error()?;
    let logs = match error.kind() {
        ClientErrorKind::RpcError(RpcError::RpcResponseError {
            data: RpcResponseErrorData::SendTransactionPreflightFailure(simulation),
            ..
        }) => simulation.logs.clone().unwrap_or_default(),
        _ => Vec::new(),
    };
    Some(Failure::new(transaction_error, logs, signed.transaction().message.static_account_keys()))
}
