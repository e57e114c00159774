//! The accounts that the program keeps, decoded and checked: a multisig, a vault transaction, and the vote on it.

use borsh::BorshDeserialize;
use solana_account::Account;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{Message, SQUADS, SquadsError, multisig_address, proposal_address, transaction_address, vault_address};

const MULTISIG: [u8; 8] = [224, 116, 121, 186, 68, 161, 79, 236];
const TRANSACTION: [u8; 8] = [168, 250, 162, 100, 81, 14, 162, 207];
const PROPOSAL: [u8; 8] = [26, 94, 189, 187, 116, 136, 53, 33];

/// A multisig as read from the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multisig {
    /// Its address. No money is there: that is in its vaults.
    pub address: Pubkey,
    /// Who may change members and threshold alone; none where that takes a vote.
    pub config_authority: Option<Pubkey>,
    /// How many have to approve.
    pub threshold: u16,
    /// How long after the last approval something may be executed, in seconds.
    pub time_lock: u32,
    /// The number of the last transaction; 0 where there is none.
    pub transaction_index: u64,
    /// Up to this number no vote is possible any more: members or threshold changed since.
    pub stale_transaction_index: u64,
    /// Who gets the rents back of what is done with.
    pub rent_collector: Option<Pubkey>,
    /// Its members.
    pub members: Vec<Member>,
}

/// A member of a multisig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshDeserialize)]
pub struct Member {
    /// Who.
    pub address: Pubkey,
    /// What they may do.
    pub permissions: Permissions,
}

/// What a member may do, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshDeserialize)]
pub struct Permissions(pub u8);

impl Permissions {
    /// Propose.
    pub const INITIATE: u8 = 1;
    /// Approve and reject.
    pub const VOTE: u8 = 2;
    /// Execute what is approved.
    pub const EXECUTE: u8 = 4;

    /// Whether this may be done.
    pub const fn has(self, permission: u8) -> bool {
        self.0 & permission == permission
    }
}

/// A transaction that a vault is to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultTransaction {
    /// The multisig.
    pub multisig: Pubkey,
    /// Who has proposed it.
    pub creator: Pubkey,
    /// Its number.
    pub index: u64,
    /// The vault's number.
    pub vault_index: u8,
    /// How many addresses without a key sign besides the vault.
    pub ephemeral_signers: usize,
    /// What is executed.
    pub message: Message,
}

/// The vote on a transaction.
#[derive(Debug, Clone, PartialEq, Eq, BorshDeserialize)]
pub struct Proposal {
    /// The multisig.
    pub multisig: Pubkey,
    /// The transaction's number.
    pub transaction_index: u64,
    /// How it stands.
    pub status: ProposalStatus,
    /// A part of its address.
    pub bump: u8,
    /// Who has approved.
    pub approved: Vec<Pubkey>,
    /// Who has rejected.
    pub rejected: Vec<Pubkey>,
    /// Who has cancelled what was approved.
    pub cancelled: Vec<Pubkey>,
}

/// How a vote stands, and since when, in unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshDeserialize)]
#[expect(missing_docs, reason = "the field is that time")]
pub enum ProposalStatus {
    /// Not put to the vote yet.
    Draft { timestamp: i64 },
    /// Being voted on.
    Active { timestamp: i64 },
    /// Too many rejected.
    Rejected { timestamp: i64 },
    /// Enough approved: it can be executed when the time lock is over.
    Approved { timestamp: i64 },
    /// Being executed: an earlier version of the program wrote it.
    Executing,
    /// Executed.
    Executed { timestamp: i64 },
    /// Cancelled.
    Cancelled { timestamp: i64 },
}

#[derive(BorshDeserialize)]
struct MultisigLayout {
    create_key: Pubkey,
    config_authority: Pubkey,
    threshold: u16,
    time_lock: u32,
    transaction_index: u64,
    stale_transaction_index: u64,
    rent_collector: Option<Pubkey>,
    _bump: u8,
    members: Vec<Member>,
}

#[derive(BorshDeserialize)]
struct TransactionLayout {
    multisig: Pubkey,
    creator: Pubkey,
    index: u64,
    _bump: u8,
    vault_index: u8,
    _vault_bump: u8,
    ephemeral_signer_bumps: Vec<u8>,
    message: Message,
}

impl Multisig {
    /// Decodes the account at `address`.
    ///
    /// # Errors
    ///
    /// Where it is not a multisig, or its address is not the one that follows from it.
    pub fn decode(address: Pubkey, account: &Account) -> Result<Self, SquadsError> {
        let MultisigLayout {
            create_key,
            config_authority,
            threshold,
            time_lock,
            transaction_index,
            stale_transaction_index,
            rent_collector,
            members,
            ..
        } = read(address, account, MULTISIG, "multisig")?;
        if multisig_address(&create_key) != address {
            return Err(SquadsError::Account { address, wanted: "multisig" });
        }
        let config_authority = Some(config_authority).filter(|authority| *authority != Pubkey::default());
        Ok(Self {
            address,
            config_authority,
            threshold,
            time_lock,
            transaction_index,
            stale_transaction_index,
            rent_collector,
            members,
        })
    }

    /// The address of its vault with this number: the party that stands in terms.
    pub fn vault(&self, index: u8) -> Pubkey {
        vault_address(&self.address, index)
    }

    /// The member with this address.
    pub fn member(&self, address: &Pubkey) -> Option<&Member> {
        self.members.iter().find(|member| member.address == *address)
    }
}

impl VaultTransaction {
    /// Decodes the account at `address`.
    ///
    /// # Errors
    ///
    /// Where it is not a vault transaction, or its address is not the one that follows from it.
    pub fn decode(address: Pubkey, account: &Account) -> Result<Self, SquadsError> {
        let TransactionLayout { multisig, creator, index, vault_index, ephemeral_signer_bumps, message, .. } =
            read(address, account, TRANSACTION, "vault transaction")?;
        if transaction_address(&multisig, index) != address {
            return Err(SquadsError::Account { address, wanted: "vault transaction" });
        }
        let ephemeral_signers = ephemeral_signer_bumps.len();
        Ok(Self { multisig, creator, index, vault_index, ephemeral_signers, message })
    }

    /// What is executed.
    ///
    /// # Errors
    ///
    /// As [`Message::instructions`].
    pub fn instructions(&self) -> Result<Vec<Instruction>, SquadsError> {
        self.message.instructions()
    }
}

impl Proposal {
    /// Decodes the account at `address`.
    ///
    /// # Errors
    ///
    /// Where it is not a proposal, or its address is not the one that follows from it.
    pub fn decode(address: Pubkey, account: &Account) -> Result<Self, SquadsError> {
        let proposal: Self = read(address, account, PROPOSAL, "proposal")?;
        match proposal_address(&proposal.multisig, proposal.transaction_index) == address {
            true => Ok(proposal),
            false => Err(SquadsError::Account { address, wanted: "proposal" }),
        }
    }

    /// Whether it may still be executed: approved whenever that was, or still to be voted on.
    pub fn is_open(&self, multisig: &Multisig) -> bool {
        match self.status {
            // What was approved before the members changed stays approved.
            ProposalStatus::Approved { .. } | ProposalStatus::Executing => true,
            ProposalStatus::Draft { .. } | ProposalStatus::Active { .. } => {
                self.transaction_index > multisig.stale_transaction_index
            }
            ProposalStatus::Rejected { .. } | ProposalStatus::Executed { .. } | ProposalStatus::Cancelled { .. } => {
                false
            }
        }
    }
}

/// What stands behind the discriminator. The accounts are larger than what is written in them.
fn read<T: BorshDeserialize>(
    address: Pubkey,
    account: &Account,
    discriminator: [u8; 8],
    wanted: &'static str,
) -> Result<T, SquadsError> {
    let not = SquadsError::Account { address, wanted };
    let content = account.data.strip_prefix(discriminator.as_slice()).filter(|_| account.owner == SQUADS);
    let Some(mut content) = content else { return Err(not) };
    T::deserialize(&mut content).map_err(|_| not)
}
