//! What can go wrong, and what to do next.

use escrow_client::program::{ElfHash, ProgramError};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use thiserror::Error;

use crate::cost::{Cost, Sol};

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a program was not deployed, upgraded, verified or handed over.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not the ones that were named. Nothing was sent.
    #[error(
        "these are not the bytes that were named: their sha256 is {is}, not {named}. Build them again, or find out \
         what they are before they go on chain"
    )]
    WrongHash {
        /// The sha256 of the bytes.
        is: ElfHash,
        /// The sha256 that they should have.
        named: ElfHash,
    },
    /// The bytes cannot be a program. Nothing was sent.
    #[error("these bytes are not a program: {reason}")]
    NotAnElf {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The program does not fit. Nothing was sent.
    #[error("the program is {len} bytes long, and no more than {max} can be deployed here")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The most that there can be.
        max: usize,
    },
    /// The program's source declares another address, and the program refuses to run anywhere else. Nothing was sent.
    #[error(
        "the program would be at {address}, but its source declares that it is at {declared}, and it refuses to run \
         anywhere else. Take the keypair of {declared}; or change declare_id! in programs/escrow/src/lib.rs to \
         {address}, rebuild with `cargo xtask build-program`, and deploy what that gives"
    )]
    OtherAddress {
        /// The address at which it would be.
        address: Pubkey,
        /// The address that the source declares.
        declared: Pubkey,
    },
    /// The bytes do not know the address that the source declares: they were built before it was changed. Nothing was
    /// sent.
    #[error(
        "the source declares the address {declared}, but these bytes do not contain it: they were built from another \
         source, and would refuse to run there. Rebuild with `cargo xtask build-program`"
    )]
    AddressNotInElf {
        /// The address that the source declares.
        declared: Pubkey,
    },
    /// There is a program already, with other bytes or somebody else's.
    #[error(
        "there is a program at {program} already, deployed in slot {slot}, with the sha256 {hash} and {}. To change \
         it, upgrade it",
        authority_text(.authority)
    )]
    AlreadyDeployed {
        /// Its address.
        program: Pubkey,
        /// When it was deployed.
        slot: u64,
        /// The sha256 of its bytes.
        hash: ElfHash,
        /// Who may upgrade it.
        authority: Option<Pubkey>,
    },
    /// There is no program at the address.
    #[error("there is no program at {program}: it was never deployed, or not on this cluster (asked {url})")]
    NotDeployed {
        /// Where it was looked for.
        program: Pubkey,
        /// The node that was asked.
        url: String,
    },
    /// What is at the address is no program of the upgradeable loader, or one that was closed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Somebody sent lamports to the address at which the loader wants to create the program's data; it cannot, then.
    #[error(
        "somebody sent {} to {programdata}, where the bytes of {program} must be, and the loader cannot create an \
         account that has money already. Take another program keypair",
        Sol(*.lamports)
    )]
    ProgramDataFunded {
        /// The program.
        program: Pubkey,
        /// The address that follows from it.
        programdata: Pubkey,
        /// What is there.
        lamports: u64,
    },
    /// Nobody can change the program any more.
    #[error("the program {program} is immutable: it has no upgrade authority, and never will have one")]
    Immutable {
        /// Its address.
        program: Pubkey,
    },
    /// Somebody else may change the program.
    #[error("the upgrade authority of {program} is {authority}, and the keypair's address is {keypair}")]
    WrongAuthority {
        /// The program.
        program: Pubkey,
        /// Who may change it.
        authority: Pubkey,
        /// Who wanted to.
        keypair: Pubkey,
    },
    /// The new authority would lose the program for ever.
    #[error("{address} cannot be an upgrade authority: {reason}, so nobody could ever sign for it")]
    UselessAuthority {
        /// Who was named.
        address: Pubkey,
        /// What it is.
        reason: &'static str,
    },
    /// What is deployed is not what was named.
    #[error(
        "the program {program} is NOT the one that was named: the sha256 of its bytes is {deployed} without the zeros \
         at the end, and no number of zeros makes it {named}"
    )]
    OtherBytes {
        /// Its address.
        program: Pubkey,
        /// The sha256 of the bytes on chain, without the zeros at the end.
        deployed: ElfHash,
        /// The sha256 that was named.
        named: ElfHash,
    },
    /// The buffer's account cannot be used.
    #[error("the account {address} cannot be used as the buffer: {reason}")]
    BadBuffer {
        /// Its address.
        address: Pubkey,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such buffer.
    #[error("there is no buffer at {address}: it was used up, closed, or never created")]
    NoBuffer {
        /// Where it was looked for.
        address: Pubkey,
    },
    /// Bytes that were written were not there when the buffer was read, again and again.
    #[error(
        "the buffer {address} does not keep what is written to it: {missing} pieces are missing after {rounds} rounds"
    )]
    BufferNotFilled {
        /// Its address.
        address: Pubkey,
        /// How many pieces differ.
        missing: usize,
        /// How often they were written.
        rounds: u32,
    },
    /// There is not enough money for all of it. Nothing was sent.
    #[error(
        "{} holds {}, and {} is needed: {cost}. Send it {} or more",
        .cost.payer, Sol(.cost.available), Sol(.cost.needed), Sol(.cost.missing())
    )]
    InsufficientFunds {
        /// What is needed, and what there is.
        cost: Box<Cost>,
    },
    /// The cluster was too busy: a transaction expired again and again without being executed.
    #[error(
        "the cluster is busy: {attempts} transactions for the same step expired, the last one {signature}. Try again \
         later, or pay more with --compute-unit-price"
    )]
    Congested {
        /// How many were sent.
        attempts: u32,
        /// The last one.
        signature: Signature,
    },
    /// The chain does not move.
    #[error("the node {url} has been at slot {slot} for {seconds} seconds: it does not follow the chain")]
    NoNewSlot {
        /// The node.
        url: String,
        /// Where it stands.
        slot: u64,
        /// For how long.
        seconds: u64,
    },
    /// A transaction succeeded, and the node does not show what it did.
    #[error("transaction {signature} succeeded, but the node {url} does not show what it did: look again with `show`")]
    NotSeen {
        /// The transaction.
        signature: Signature,
        /// The node.
        url: String,
    },
    /// It stopped half way. The same request goes on from there.
    #[error(
        "{source}. What was written is in the buffer {buffer}: the same command again goes on from there and pays for \
         nothing twice, and `close-buffer {buffer}` gives up and returns its rent"
    )]
    HalfWay {
        /// The buffer.
        buffer: Pubkey,
        /// Why it stopped.
        source: Box<Error>,
    },
    /// Reading from or sending to the chain failed. Boxed because it is large.
    #[error(transparent)]
    Client(Box<escrow_client::Error>),
    /// An instruction could not be built.
    #[error("cannot build the transaction: {0}")]
    Build(String),
}

impl From<escrow_client::Error> for Error {
    fn from(error: escrow_client::Error) -> Self {
        Self::Client(Box::new(error))
    }
}

impl Error {
    /// The transaction that failed, where one did.
    pub fn signature(&self) -> Option<Signature> {
        match self {
            Self::Congested { signature, .. } | Self::NotSeen { signature, .. } => Some(*signature),
            Self::Client(error) => match &**error {
                escrow_client::Error::Failed { signature, .. }
                | escrow_client::Error::Expired { signature, .. }
                | escrow_client::Error::Unknown { signature, .. } => Some(*signature),
                _ => None,
            },
            Self::HalfWay { source, .. } => source.signature(),
            _ => None,
        }
    }

    /// The same, saying what is in `buffer`.
    pub(crate) fn half_way(self, buffer: Pubkey) -> Self {
        Self::HalfWay { buffer, source: Box::new(self) }
    }

    /// Whether a transaction was refused or failed, so that it certainly changed nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Client(error) => {
                matches!(**error, escrow_client::Error::Refused(_) | escrow_client::Error::Failed { .. })
            }
            _ => false,
        }
    }
}

fn authority_text(authority: &Option<Pubkey>) -> String {
    match authority {
        Some(authority) => format!("the upgrade authority {authority}"),
        None => "no upgrade authority".to_owned(),
    }
}
