//! A transaction in its three states. [`Unsigned`]: what a wallet signs, here or elsewhere. [`Signed`]: bytes that last, to
//! be kept before they are sent; sending them any number of times executes them once at most. [`Submitted`]: left this
//! machine, so that nothing but its outcome may decide what comes next.
//!
//! All are version 0, without lookup tables. [`pack`](pack::pack) divides more than fits into several.

pub mod budget;
mod encoding;
pub mod nonce;
pub mod pack;
mod programs;
pub mod received;
pub mod returned;
pub mod squads;

use base64::{Engine, prelude::BASE64_STANDARD};
use escrow_sender::{Attempt, AttemptError};
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, v0::Message};
use solana_program::hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::{SignerError, signers::Signers};
use solana_transaction::versioned::VersionedTransaction;
use thiserror::Error;

pub use encoding::DecodeError;
pub use escrow_sender::Origin;

use self::budget::Setting;
use crate::Action;

/// The most bytes that a transaction has on the wire.
pub const PACKET_SIZE: usize = 1_232;

/// How long a transaction can be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as its block hash is recent.
    Blockhash {
        /// The block hash.
        hash: [u8; 32],
        /// Up to this block height, that block included.
        last_valid_block_height: u64,
        /// Where the ledger stood when it was chosen.
        origin: Origin,
    },
    /// As long as an account holds this value: any time, until the nonce is advanced by this transaction or another.
    Nonce {
        /// The account.
        account: Pubkey,
        /// Who signs to advance it.
        authority: Pubkey,
        /// The value.
        value: [u8; 32],
        /// A finalized slot at which the account held it.
        read_at: u64,
        /// Where the ledger stood then.
        origin: Origin,
    },
}

impl Default for Lifetime {
    /// None at all: for a transaction that is only measured.
    fn default() -> Self {
        Self::Blockhash { hash: [0; 32], last_valid_block_height: 0, origin: Origin::default() }
    }
}

impl Lifetime {
    /// What stands in the transaction for it.
    pub const fn hash(&self) -> Hash {
        match self {
            Self::Blockhash { hash, .. } | Self::Nonce { value: hash, .. } => Hash::new_from_array(*hash),
        }
    }

    /// Where the ledger stood when it was chosen.
    pub const fn origin(&self) -> &Origin {
        match self {
            Self::Blockhash { origin, .. } | Self::Nonce { origin, .. } => origin,
        }
    }

    /// What a sender knows of it, with who advances the nonce, where it is one.
    pub(crate) fn of(limit: &escrow_sender::Lifetime, origin: Origin, authority: Pubkey) -> Self {
        match *limit {
            escrow_sender::Lifetime::BlockHash { hash, last_valid } => {
                Self::Blockhash { hash: hash.0, last_valid_block_height: last_valid.0, origin }
            }
            escrow_sender::Lifetime::Nonce { account, value, read_at } => Self::Nonce {
                account: Pubkey::new_from_array(account.0),
                authority,
                value: value.0,
                read_at: read_at.0,
                origin,
            },
        }
    }

    /// What a sender needs to know of it.
    pub(crate) fn limit(&self) -> escrow_sender::Lifetime {
        use escrow_sender::{Address, Hash, Height, Lifetime, Slot};
        match *self {
            Self::Blockhash { hash, last_valid_block_height, .. } => {
                Lifetime::BlockHash { hash: Hash(hash), last_valid: Height(last_valid_block_height) }
            }
            Self::Nonce { account, value, read_at, .. } => {
                Lifetime::Nonce { account: Address(account.to_bytes()), value: Hash(value), read_at: Slot(read_at) }
            }
        }
    }
}

/// Why a transaction cannot be built, signed or taken back from a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// It names more accounts than a transaction can.
    #[error("the transaction cannot be built: {0}")]
    Build(String),
    /// It does not fit on the wire.
    #[error("the transaction has {size} bytes, and at most {PACKET_SIZE} fit: divide it into several")]
    TooLarge {
        /// Its bytes.
        size: usize,
    },
    /// There is no signer, and so nobody to pay the fee.
    #[error("cannot sign: name at least one signer, who pays the fee")]
    NobodySigns,
    /// A signer failed.
    #[error("cannot sign: {0}")]
    Signer(String),
    /// Signatures are missing.
    #[error("cannot sign alone: {} would have to sign too", addresses(.0))]
    NotSigned(Vec<Pubkey>),
    /// A signature is not that of its signer over this transaction.
    #[error("the signature of {0} is not one of this transaction")]
    BadSignature(Pubkey),
    /// Somebody signs who need not.
    #[error("{0} cannot sign this: nothing in it is theirs to sign")]
    NotASigner(Pubkey),
    /// The wallet changed more than a wallet may.
    #[error("the wallet returned another transaction than the one it was given: {0}; it was not taken")]
    WalletChanged(#[from] returned::Change),
    /// What came back is not what was given away.
    #[error("the wallet returned another transaction than the one it was given: it was not taken")]
    Changed,
    /// The bytes are not a transaction.
    #[error("these bytes are not a transaction: {0}")]
    Malformed(String),
}

fn addresses(all: &[Pubkey]) -> String {
    all.iter().map(Pubkey::to_string).collect::<Vec<_>>().join(", ")
}

/// A transaction of which signatures are missing. Nothing of it can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    transaction: VersionedTransaction,
    lifetime: Lifetime,
}

/// A signed transaction, not sent yet. Sending it any number of times executes it once at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    transaction: VersionedTransaction,
    lifetime: Lifetime,
}

/// A transaction that may have left this machine. Only its outcome says whether another may take its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted(Signed);

impl Unsigned {
    /// The transaction of `instructions`, whose fee `payer` pays. With a nonce the instruction that advances it is put in
    /// front.
    ///
    /// # Errors
    ///
    /// Where it does not fit on the wire.
    pub fn new(instructions: &[Instruction], payer: &Pubkey, lifetime: Lifetime) -> Result<Self, PrepareError> {
        let mut all = Vec::with_capacity(instructions.len().saturating_add(1));
        if let Lifetime::Nonce { account, authority, .. } = &lifetime {
            all.push(solana_system_interface::instruction::advance_nonce_account(account, authority));
        }
        all.extend_from_slice(instructions);
        let message = Message::try_compile(payer, &all, &[], lifetime.hash())
            .map_err(|error| PrepareError::Build(error.to_string()))?;
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        let transaction = VersionedTransaction { signatures, message: VersionedMessage::V0(message) };
        let size = encoding::wire(&transaction).len();
        if size > PACKET_SIZE {
            return Err(PrepareError::TooLarge { size });
        }
        Ok(Self { transaction, lifetime })
    }

    /// The transaction, with the signatures that there are.
    pub fn transaction(&self) -> &VersionedTransaction {
        &self.transaction
    }

    /// The escrow program's actions in it, in order.
    pub fn actions(&self) -> Vec<Action> {
        actions(self.message())
    }

    /// What is signed.
    pub fn message(&self) -> &VersionedMessage {
        &self.transaction.message
    }

    /// How long it can be executed.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// Everybody who has to sign, who pays the fee first.
    pub fn signers(&self) -> &[Pubkey] {
        let count = usize::from(self.message().header().num_required_signatures);
        self.message().static_account_keys().get(..count).unwrap_or_default()
    }

    /// Their signatures, in the same order; all zero for those who have not signed.
    pub fn signatures(&self) -> &[Signature] {
        &self.transaction.signatures
    }

    /// Those who have not signed.
    pub fn missing(&self) -> Vec<Pubkey> {
        let signed = self.transaction.signatures.iter().map(|signature| *signature != Signature::default());
        self.signers().iter().zip(signed).filter(|(_, signed)| !signed).map(|(signer, _)| *signer).collect()
    }

    /// The message in base 64, for hardware and multisigs.
    pub fn message_base64(&self) -> String {
        BASE64_STANDARD.encode(self.message().serialize())
    }

    /// The transaction in base 64, with the signatures that there are: what wallets take.
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(encoding::wire(&self.transaction))
    }

    /// Reads what [`to_base64`](Self::to_base64) wrote.
    ///
    /// # Errors
    ///
    /// Where it is something else, has another lifetime, or a signature in it is false.
    pub fn from_base64(text: &str, lifetime: Lifetime) -> Result<Self, PrepareError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|error| PrepareError::Malformed(error.to_string()))?;
        let VersionedTransaction { signatures, message } =
            encoding::read_wire(&bytes).map_err(PrepareError::Malformed)?;
        if *message.recent_blockhash() != lifetime.hash() {
            return Err(PrepareError::Malformed("they have another block hash or nonce".to_owned()));
        }
        let none = vec![Signature::default(); signatures.len()];
        Self { transaction: VersionedTransaction { signatures: none, message }, lifetime }.with_signatures(signatures)
    }

    /// The same with the signatures of `signers`, each of whom has to sign.
    ///
    /// # Errors
    ///
    /// Where one of them fails, or has nothing to sign.
    pub fn sign<S: Signers + ?Sized>(mut self, signers: &S) -> Result<Self, PrepareError> {
        let failed = |error: SignerError| PrepareError::Signer(error.to_string());
        let addresses = signers.try_pubkeys().map_err(failed)?;
        let signatures = signers.try_sign_message(&self.message().serialize()).map_err(failed)?;
        for (signer, signature) in addresses.iter().zip(signatures) {
            self = self.attach(signer, signature)?;
        }
        Ok(self)
    }

    /// The same with a signature that was made elsewhere.
    ///
    /// # Errors
    ///
    /// Where it is not that of `signer` over this message.
    pub fn attach(mut self, signer: &Pubkey, signature: Signature) -> Result<Self, PrepareError> {
        let place = self.signers().iter().position(|known| known == signer);
        if !signature.verify(signer.as_array(), &self.message().serialize()) {
            return Err(PrepareError::BadSignature(*signer));
        }
        match place.and_then(|place| self.transaction.signatures.get_mut(place)) {
            Some(slot) => *slot = signature,
            None => return Err(PrepareError::NotASigner(*signer)),
        }
        Ok(self)
    }

    /// The same with the signatures of a transaction that came back from a wallet, in base 64.
    ///
    /// # Errors
    ///
    /// Where it is not the transaction that the wallet was given, or a signature in it is false.
    pub fn take_back(self, returned: &str) -> Result<Self, PrepareError> {
        let malformed = |reason: String| PrepareError::Malformed(reason);
        let bytes = BASE64_STANDARD.decode(returned.trim()).map_err(|error| malformed(error.to_string()))?;
        let returned = encoding::read_wire(&bytes).map_err(|error| malformed(error.to_string()))?;
        if returned.message != self.transaction.message {
            return Err(PrepareError::Changed);
        }
        self.with_signatures(returned.signatures)
    }

    /// The same with these signatures, in the order of the signers; those that are missing are all zero.
    fn with_signatures(mut self, signatures: Vec<Signature>) -> Result<Self, PrepareError> {
        let signers = self.signers().to_vec();
        for (signer, signature) in signers.iter().zip(signatures) {
            if signature != Signature::default() {
                self = self.attach(signer, signature)?;
            }
        }
        Ok(self)
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// Where somebody has not signed.
    pub fn complete(self) -> Result<Signed, PrepareError> {
        let missing = self.missing();
        if !missing.is_empty() {
            return Err(PrepareError::NotSigned(missing));
        }
        let Self { transaction, lifetime } = self;
        Ok(Signed { transaction, lifetime })
    }
}

impl Signed {
    /// The signature by which the transaction is known from now on: the fee payer's.
    pub fn signature(&self) -> Signature {
        self.transaction.signatures.first().copied().unwrap_or_default()
    }

    /// The transaction.
    pub fn transaction(&self) -> &VersionedTransaction {
        &self.transaction
    }

    /// How long it can be executed.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// What a sender keeps and repeats.
    ///
    /// # Errors
    ///
    /// None for a transaction that was signed with the lifetime that is beside it.
    pub fn attempt(&self) -> Result<Attempt, AttemptError> {
        let shows = !self.actions().is_empty();
        Attempt::new(&encoding::wire(&self.transaction), self.lifetime.limit(), *self.lifetime.origin(), shows)
    }

    /// The escrow program's actions in it, in order.
    pub fn actions(&self) -> Vec<Action> {
        actions(&self.transaction.message)
    }

    /// What it costs whoever pays for it where it is executed, in lamports, also where it fails.
    pub fn fee(&self) -> u64 {
        let message = &self.transaction.message;
        let (mut limit, mut price, mut others) = (None, 0, 0_usize);
        for instruction in message.instructions() {
            let program = message.static_account_keys().get(usize::from(instruction.program_id_index));
            let setting = (program == Some(&budget::COMPUTE_BUDGET)).then(|| Setting::read(&instruction.data));
            match setting.flatten() {
                Some(Setting::Limit(units)) => limit = Some(units.min(budget::MOST_UNITS)),
                Some(Setting::Price(offered)) => price = offered,
                None => others = others.saturating_add(1),
            }
        }
        let units = limit.unwrap_or_else(|| budget::unlimited(others));
        budget::cost(self.transaction.signatures.len(), units, price)
    }
}

/// The escrow program's actions in a message without lookup tables, in order.
pub fn actions(message: &VersionedMessage) -> Vec<Action> {
    let keys = message.static_account_keys();
    let decoded = message.instructions().iter().filter_map(|instruction| {
        if keys.get(usize::from(instruction.program_id_index)) != Some(&escrow::ID) {
            return None;
        }
        let meta = |index: &u8| {
            let index = usize::from(*index);
            Some(AccountMeta::new_readonly(*keys.get(index)?, message.is_signer(index)))
        };
        let accounts: Option<Vec<AccountMeta>> = instruction.accounts.iter().map(meta).collect();
        Action::decode_parts(&accounts?, &instruction.data)
    });
    decoded.collect()
}

impl Submitted {
    /// A transaction of which it is not known whether it has left: after a crash, say. It counts as submitted.
    pub fn perhaps(signed: Signed) -> Self {
        Self(signed)
    }

    /// The transaction.
    pub fn signed(&self) -> &Signed {
        &self.0
    }

    /// Its signature.
    pub fn signature(&self) -> Signature {
        self.0.signature()
    }
}
