//! Who signs beside the one who acts, and transactions of which a signature is made elsewhere: printed instead of sent, and sent once all signatures are here.

use std::path::Path;

use escrow_client::{
    Executed, Unsigned,
    transaction::{Lifetime, Origin, PrepareError},
    view,
};
use escrow_frame::SignerSource;
use solana_instruction::Instruction;
use solana_keypair::{Keypair, Signer};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::{Context, Nonce};
use crate::error::{CliError, Result};

impl Context {
    /// Who pays the fees.
    pub fn payer(&self) -> Result<Pubkey> {
        self.fee_payer()?.map_or_else(|| self.address(), |payer| Ok(payer.address()))
    }

    /// Who pays the fees, where it is somebody else.
    pub(super) fn fee_payer(&self) -> Result<Option<Other>> {
        self.signing.fee_payer.as_deref().map(|named| self.other(named, "--fee-payer")).transpose()
    }

    /// Who may use the nonce, where it is somebody else.
    pub(super) fn nonce_authority(&self) -> Result<Option<Other>> {
        let named = self.nonce().and_then(|nonce| nonce.authority.as_deref());
        named.map(|named| self.other(named, "--nonce-authority")).transpose()
    }

    /// Somebody else who signs: here, or where that is allowed elsewhere.
    fn other(&self, named: &Path, option: &'static str) -> Result<Other> {
        match SignerSource::new(named) {
            SignerSource::Address(address) if self.is_signed_elsewhere() => Ok(Other::Elsewhere(address)),
            source => Ok(Other::Here(Box::new(source.keypair(option, self.format)?))),
        }
    }

    /// Whether transactions are printed, and not sent.
    pub const fn signs_only(&self) -> bool {
        self.signing.sign_only || self.signing.dump_transaction_message
    }

    /// Whether signatures are made elsewhere, so that an address is enough.
    pub fn is_signed_elsewhere(&self) -> bool {
        self.signs_only() || !self.signing.signer.is_empty()
    }

    /// The transaction of these instructions on the block hash or nonce that was named, with the signatures that can be made here
    /// or were given. Asks nobody.
    pub fn signed_only(&self, units: &[Vec<Instruction>]) -> Result<Vec<view::Transaction>> {
        let hash = self.named_hash()?.ok_or_else(|| {
            let text = "to sign without sending, name the block hash with --blockhash";
            CliError::Arguments(text.to_owned())
        })?;
        let lifetime = match self.nonce() {
            None => Lifetime::Blockhash { hash, last_valid_block_height: u64::MAX, origin: Origin::default() },
            Some(Nonce { account, .. }) => {
                let (account, authority) = (*account, self.advances()?);
                Lifetime::Nonce { account, authority, value: hash, read_at: 0, origin: Origin::default() }
            }
        };
        let unsigned = self.with_signatures(units, lifetime)?;
        Ok(vec![view::Transaction::new(&unsigned)])
    }

    /// Sends the transaction of these instructions with the signatures that were made elsewhere, and waits for it.
    pub async fn send_signed(&self, units: &[Vec<Instruction>]) -> Result<Executed> {
        if self.does_not_wait() {
            let text = "leave out --no-wait where --signer brings signatures: they are sent and waited for";
            return Err(CliError::Arguments(text.to_owned()));
        }
        let lifetime = self.lifetime_elsewhere().await?;
        let signed = self.with_signatures(units, lifetime)?.complete().map_err(failed)?;
        let sender = self.sender()?;
        let confirmed = sender.confirm(&sender.submit(signed).await?).await?;
        let executed = Executed { transactions: vec![confirmed] };
        self.has_executed(&executed);
        Ok(executed)
    }

    /// On what it was signed.
    async fn lifetime_elsewhere(&self) -> Result<Lifetime> {
        let named = self.named_hash()?;
        if let Some(Nonce { account, .. }) = self.nonce() {
            let present = self.client.nonce(account, &self.advances()?).await?;
            return match named {
                Some(named) if named != present.hash().to_bytes() => Err(CliError::NotNow(format!(
                    "nothing was sent: the nonce in {account} is {}, and not --blockhash. What was signed with another one can \
                     never be executed: sign it anew",
                    present.hash()
                ))),
                _ => Ok(present),
            };
        }
        let hash = named.ok_or_else(|| {
            let text =
                "name the block hash on which it was signed with --blockhash, or the nonce's account with --nonce";
            CliError::Arguments(text.to_owned())
        })?;
        Ok(self.client.lifetime_of(hash).await?)
    }

    fn with_signatures(&self, units: &[Vec<Instruction>], lifetime: Lifetime) -> Result<Unsigned> {
        let mut unsigned = Unsigned::new(&units.concat(), &self.payer()?, lifetime).map_err(failed)?;
        if !self.signing.dump_transaction_message {
            let others = [self.fee_payer()?, self.nonce_authority()?];
            let others = others.iter().filter_map(|other| other.as_ref().and_then(Other::keypair));
            for keypair in self.keypair_here()?.into_iter().chain(others) {
                if unsigned.signers().contains(&keypair.pubkey()) {
                    unsigned = unsigned.sign(&[keypair]).map_err(failed)?;
                }
            }
        }
        for given in &self.signing.signer {
            let parsed = given.split_once('=').and_then(|(signer, signature)| {
                Some((signer.parse::<Pubkey>().ok()?, signature.parse::<Signature>().ok()?))
            });
            let (signer, signature) =
                parsed.ok_or_else(|| CliError::Arguments(format!("--signer {given:?} is not ADDRESS=SIGNATURE")))?;
            unsigned = unsigned.attach(&signer, signature).map_err(failed)?;
        }
        Ok(unsigned)
    }

    /// The keypair of whoever acts, where it is on this machine.
    fn keypair_here(&self) -> Result<Option<&Keypair>> {
        match self.signer {
            SignerSource::Address(_) => Ok(None),
            _ => self.keypair().map(Some),
        }
    }

    /// Who advances the nonce.
    fn advances(&self) -> Result<Pubkey> {
        self.nonce_authority()?.map_or_else(|| self.address(), |authority| Ok(authority.address()))
    }

    /// The block hash that was named, or the nonce's value.
    pub fn named_hash(&self) -> Result<Option<[u8; 32]>> {
        let Some(named) = self.signing.blockhash.as_deref() else { return Ok(None) };
        let hash: Pubkey =
            named.parse().map_err(|_| CliError::Arguments(format!("--blockhash {named:?} is not a block hash")))?;
        Ok(Some(hash.to_bytes()))
    }
}

/// Somebody who signs beside the one who acts.
pub(super) enum Other {
    /// With this keypair.
    Here(Box<Keypair>),
    /// Where their key is.
    Elsewhere(Pubkey),
}

impl Other {
    pub(super) fn address(&self) -> Pubkey {
        match self {
            Self::Here(keypair) => keypair.pubkey(),
            Self::Elsewhere(address) => *address,
        }
    }

    pub(super) const fn keypair(&self) -> Option<&Keypair> {
        match self {
            Self::Here(keypair) => Some(keypair),
            Self::Elsewhere(_) => None,
        }
    }
}

/// Says what is wrong with what was signed elsewhere.
fn failed(error: PrepareError) -> CliError {
    match error {
        PrepareError::BadSignature(signer) => CliError::Arguments(format!(
            "the signature of {signer} is not one of this transaction: the escrow, the block hash or nonce, who pays the fee or \
             another option is not what it was when it was signed. --dump-transaction-message prints what is to be signed"
        )),
        error => escrow_client::Error::from(error).into(),
    }
}
