//! A keeper's transactions, signed by a key of this process.

use escrow_sender::{Fingerprint, Intention, Record};
use futures_util::{StreamExt, stream};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    keeper::{Outcome, Sender, Trouble},
    plan::Batch,
};
use crate::{
    Confirmed, Error, EscrowClient, Order, OrderStep, Result, Signed, sender,
    transaction::budget::{self, MOST_UNITS},
};

/// How many transactions of an earlier process are finished at a time.
const IN_FLIGHT: usize = 16;

/// Signs and pays. What it sent is in the client's [journal](EscrowClient::keeping), where a process that comes after it finds
/// it: one that nothing but keepers use.
pub struct Wallet<S> {
    client: EscrowClient,
    signer: S,
    payer: Pubkey,
}

impl<S: Signer + Send + Sync> Wallet<S> {
    /// Of a client that keeps a journal.
    pub fn new(client: EscrowClient, signer: S) -> Self {
        let payer = signer.pubkey();
        Self { client, signer, payer }
    }

    /// What a result means for what was to be sent.
    async fn outcome(&self, fingerprint: Fingerprint, result: Result<crate::Executed>) -> Outcome {
        let landed = match &result {
            Ok(executed) => executed.last().map(|Confirmed { slot, .. }| *slot),
            Err(Error::Failed { .. } | Error::Unknown { .. }) => None,
            // Refused before it was sent, or it can never be executed, or others have it: none of it is spent here.
            Err(error) => return Outcome::Never { reason: error.to_string() },
        };
        let kept = self.client.kept(fingerprint).await.ok().flatten();
        let Some((slot, fee)) = kept.as_ref().and_then(|kept| kept.records().last()).and_then(paid) else {
            return Outcome::Unknown;
        };
        match (landed, result) {
            (Some(slot), Ok(_)) => Outcome::Landed { slot, fee },
            (_, Err(Error::Failed { failure, .. })) => Outcome::Failed { slot, fee, reason: failure.to_string() },
            _ => Outcome::Unknown,
        }
    }

    async fn finish(&self, begun: Intention) -> (Vec<Pubkey>, Outcome) {
        let attempts = begun.records().iter().map(|record| &record.signed.attempt);
        let actions = attempts.filter_map(|attempt| Signed::of(attempt).ok()).flat_map(|signed| signed.actions());
        let mut escrows: Vec<Pubkey> = actions.map(|action| action.escrow).collect();
        escrows.sort_unstable();
        escrows.dedup();
        let outcome = match self.client.resume(&begun).await {
            // Another process finishes it, or no node answers: it may have been executed all the same.
            Err(Error::Busy { .. } | Error::Rpc { .. } | Error::Journal(_)) => Outcome::Unknown,
            result => self.outcome(begun.fingerprint(), result).await,
        };
        (escrows, outcome)
    }
}

/// In which slot a transaction was executed, and what it cost; none where that is not known.
fn paid(record: &Record) -> Option<(u64, u64)> {
    let slot = match record.judged.as_ref()?.verdict {
        sender::Verdict::Succeeded { slot, .. } | sender::Verdict::Failed { slot, .. } => slot,
        sender::Verdict::Expired { .. } | sender::Verdict::Unknown { .. } => return None,
    };
    Some((slot.0, Signed::of(&record.signed.attempt).ok()?.fee()))
}

impl<S: Signer + Send + Sync> Sender for Wallet<S> {
    fn payer(&self) -> Pubkey {
        self.payer
    }

    async fn price(&self, batch: &Batch) -> std::result::Result<(u64, u64), Trouble> {
        let fees = self.client.fees();
        let units = fees.units.unwrap_or_else(|| budget::units(&batch.instructions)).min(MOST_UNITS);
        let mut rent = 0;
        for mint in batch.mints() {
            rent = rent.max(self.client.token_account_rent(&mint).await?);
        }
        Ok((budget::cost(1, units, fees.cap), rent))
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        let fingerprint = match self.client.fingerprint(&self.payer, &[b"keeper", &batch.key]).await {
            Ok(fingerprint) => fingerprint,
            Err(error) => return Outcome::Never { reason: error.to_string() },
        };
        let step = OrderStep { instructions: batch.instructions.clone(), expected: None };
        let result = self.client.execute(&Order::new(fingerprint, vec![step]), &[&self.signer]).await;
        self.outcome(fingerprint, result).await
    }

    async fn resume(&self) -> std::result::Result<Vec<(Vec<Pubkey>, Outcome)>, Trouble> {
        let begun = self.client.unresolved().await?;
        let finished = stream::iter(begun).map(|begun| self.finish(begun)).buffer_unordered(IN_FLIGHT);
        Ok(finished.collect().await)
    }
}
