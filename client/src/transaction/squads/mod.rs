//! Anything as a proposal of a Squads multisig (version 4): one member proposes what a vault is to do, others approve, and
//! somebody executes it, minutes or months later. The vault is the party that stands in the terms.
//!
//! Pure: what is read here ([`Multisig`], [`VaultTransaction`], [`Proposal`]) is fetched by
//! [`EscrowClient`](crate::EscrowClient). The layouts are those that Squads publishes, and tests hold every byte against its
//! own package.

mod account;
mod message;

use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::{Pubkey, pubkey};
use thiserror::Error;

pub use account::{Member, Multisig, Permissions, Proposal, ProposalStatus, VaultTransaction};
pub use message::{Call, Lookup, Message};

use super::{Lifetime, PACKET_SIZE, PrepareError, pack::size};
use crate::{
    EscrowInstruction,
    recipe::PreviewedRecipe,
    send::{Expected, OrderStep},
};

/// The program, on every cluster.
pub const SQUADS: Pubkey = pubkey!("SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf");

const SYSTEM: Pubkey = solana_sdk_ids::system_program::ID;

const CREATE_TRANSACTION: [u8; 8] = [48, 250, 78, 168, 208, 226, 218, 211];
const CREATE_PROPOSAL: [u8; 8] = [220, 60, 73, 224, 30, 108, 79, 159];
const APPROVE_PROPOSAL: [u8; 8] = [144, 37, 164, 136, 188, 216, 42, 248];

/// Why something cannot be proposed, or is not what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SquadsError {
    /// Another account.
    #[error("the account {address} is not a {wanted} of Squads version 4")]
    Account {
        /// Where it was looked for.
        address: Pubkey,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A stranger.
    #[error("{member} is not a member of the multisig {multisig}: only members propose")]
    NotAMember {
        /// Who.
        member: Pubkey,
        /// Of what.
        multisig: Pubkey,
    },
    /// A member that may do something else.
    #[error(
        "the member {member} of the multisig {multisig} may not {what}: ask one who may, or have the permission given"
    )]
    NotPermitted {
        /// Who.
        member: Pubkey,
        /// In which.
        multisig: Pubkey,
        /// What.
        what: &'static str,
    },
    /// The multisig instead of its vault.
    #[error("{multisig} is the multisig itself, which signs nothing and holds no money: its vault {index} is {vault}")]
    NotTheVault {
        /// The multisig.
        multisig: Pubkey,
        /// Which vault.
        index: u8,
        /// Its address.
        vault: Pubkey,
    },
    /// Somebody signs who is not there when it is executed.
    #[error("{0} would have to sign too, and only the vault signs what is proposed: let {0} do their part themselves")]
    OtherSigner(Pubkey),
    /// The vault does nothing.
    #[error("nothing in this is the vault's {0} to sign: send it as an ordinary transaction")]
    NothingToSign(Pubkey),
    /// More than can be counted.
    #[error("it names more accounts, or is longer, than a proposal can be: divide it")]
    TooMany,
    /// It does not fit.
    #[error(
        "the transaction that proposes it has {size} bytes, and at most {PACKET_SIZE} fit: propose fewer actions at once, and \
         let a member create the escrow before the vault funds it"
    )]
    TooLarge {
        /// Its bytes.
        size: usize,
    },
    /// A lookup table.
    #[error("it takes accounts from the lookup table {0}, so that it cannot be read here")]
    LookupTable(Pubkey),
    /// A message that is none.
    #[error("what it would execute cannot be read: {0}")]
    Message(String),
    /// It cannot be built at all.
    #[error("{0}")]
    Transaction(#[from] PrepareError),
}

/// Who proposes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposer {
    /// The member, who signs.
    pub member: Pubkey,
    /// Who pays the rents of the transaction and of the vote, and signs.
    pub rent_payer: Pubkey,
    /// The number of the vault.
    pub vault_index: u8,
    /// Whether the member approves at once.
    pub approve: bool,
    /// A note in the transaction, kept nowhere else.
    pub memo: Option<String>,
}

impl Proposer {
    /// A member that pays and approves at once, for the first vault.
    pub const fn new(member: Pubkey) -> Self {
        Self { member, rent_payer: member, vault_index: 0, approve: true, memo: None }
    }
}

/// A proposal to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Its number. Somebody else may take it first: then the transaction fails, and it is proposed anew.
    pub index: u64,
    /// Where the transaction will be.
    pub transaction: Pubkey,
    /// Where the vote will be.
    pub proposal: Pubkey,
    /// What the vault does.
    pub message: Message,
    /// The instructions that propose it, all in one transaction.
    pub instructions: Vec<Instruction>,
    /// How many more have to approve.
    pub approvals_missing: u16,
    /// How long after the last approval it can be executed, in seconds.
    pub time_lock: u32,
}

/// What a member does first, alone, and what the vault does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Divided {
    /// Instructions that the vault need not sign.
    pub before: Vec<Instruction>,
    /// The first that the vault signs, and all behind it.
    pub inside: Vec<Instruction>,
}

/// The address of the multisig that was created with this key.
pub fn multisig_address(create_key: &Pubkey) -> Pubkey {
    derive(&[b"multisig", create_key.as_array()])
}

/// The address of a multisig's vault with this number.
pub fn vault_address(multisig: &Pubkey, index: u8) -> Pubkey {
    derive(&[multisig.as_array(), b"vault", &[index]])
}

/// Where a multisig's transaction with this number is.
pub fn transaction_address(multisig: &Pubkey, index: u64) -> Pubkey {
    derive(&[multisig.as_array(), b"transaction", &index.to_le_bytes()])
}

/// Where the vote on a multisig's transaction with this number is.
pub fn proposal_address(multisig: &Pubkey, index: u64) -> Pubkey {
    derive(&[multisig.as_array(), b"transaction", &index.to_le_bytes(), b"proposal"])
}

fn derive(seeds: &[&[u8]]) -> Pubkey {
    let all: Vec<&[u8]> = [b"multisig".as_slice()].into_iter().chain(seeds.iter().copied()).collect();
    Pubkey::find_program_address(&all, &SQUADS).0
}

/// Divides what is to be done into what `vault` has to sign and what anyone may do before it: a creation whose rent a member
/// pays, an account that is made.
pub fn divide(vault: &Pubkey, instructions: Vec<Instruction>) -> Divided {
    let signs =
        |instruction: &Instruction| instruction.accounts.iter().any(|meta| meta.is_signer && meta.pubkey == *vault);
    let first = instructions.iter().position(signs).unwrap_or(instructions.len());
    let mut before = instructions;
    let inside = before.split_off(first);
    Divided { before, inside }
}

impl Multisig {
    /// What a member signs so that the others can vote on `inside`.
    ///
    /// # Errors
    ///
    /// Where the member may not, where somebody else than the vault would have to sign, and where it does not fit into one
    /// transaction.
    pub fn propose(&self, inside: &[Instruction], by: &Proposer) -> Result<Proposed, SquadsError> {
        let Self { address, .. } = *self;
        let Proposer { member, rent_payer, vault_index, approve, ref memo } = *by;
        self.check_member(&member, Permissions::INITIATE, "propose")?;
        if approve {
            self.check_member(&member, Permissions::VOTE, "approve")?;
        }
        let vault = self.vault(vault_index);
        self.check_signers(inside, vault_index)?;
        let message = Message::compile(&vault, inside)?;
        let index = self.transaction_index.checked_add(1).ok_or(SquadsError::TooMany)?;
        let (transaction, proposal) = (transaction_address(&address, index), proposal_address(&address, index));
        let paid = [AccountMeta::new_readonly(member, true), AccountMeta::new(rent_payer, true)];
        let paid = paid.into_iter().chain([AccountMeta::new_readonly(SYSTEM, false)]);
        let mut instructions = vec![
            Instruction {
                program_id: SQUADS,
                accounts: [AccountMeta::new(address, false), AccountMeta::new(transaction, false)]
                    .into_iter()
                    .chain(paid.clone())
                    .collect(),
                data: data(CREATE_TRANSACTION, &(vault_index, 0u8, message.encode()?, memo))?,
            },
            Instruction {
                program_id: SQUADS,
                accounts: [AccountMeta::new_readonly(address, false), AccountMeta::new(proposal, false)]
                    .into_iter()
                    .chain(paid)
                    .collect(),
                data: data(CREATE_PROPOSAL, &(index, false))?,
            },
        ];
        if approve {
            instructions.push(approval(&address, index, &member)?);
        }
        let size = size(&instructions, &rent_payer, &Lifetime::default())?;
        if size > PACKET_SIZE {
            return Err(SquadsError::TooLarge { size });
        }
        let approvals_missing = self.threshold.saturating_sub(u16::from(approve));
        let time_lock = self.time_lock;
        Ok(Proposed { index, transaction, proposal, message, instructions, approvals_missing, time_lock })
    }

    /// The approval of a proposal that is there, by a member who signs.
    ///
    /// # Errors
    ///
    /// Where the member may not.
    pub fn approve(&self, index: u64, member: &Pubkey) -> Result<Instruction, SquadsError> {
        self.check_member(member, Permissions::VOTE, "approve")?;
        approval(&self.address, index, member)
    }

    /// A previewed recipe as transactions in their order: what the member does alone, and then the proposal, each with what it
    /// acts on. Token accounts are made by the member.
    ///
    /// # Errors
    ///
    /// As [`propose`](Self::propose), and [`SquadsError::NothingToSign`].
    pub fn steps(&self, previewed: &PreviewedRecipe, by: &Proposer) -> Result<Vec<OrderStep>, SquadsError> {
        let vault = self.vault(by.vault_index);
        let mut steps: Vec<OrderStep> = Vec::new();
        let mut inside: Option<OrderStep> = None;
        for (unit, action) in previewed.units(&by.rent_payer).into_iter().zip(&previewed.actions) {
            let creates = matches!(action.action.instruction, EscrowInstruction::Create { .. });
            let escrow = Some(action.before.clone()).filter(|_| !creates);
            let expected = Some(Expected { address: action.action.escrow, escrow });
            if let Some(inside) = &mut inside {
                inside.instructions.extend(unit);
                continue;
            }
            let Divided { before, inside: signed } = divide(&vault, unit);
            if !before.is_empty() {
                steps.push(OrderStep { instructions: before, expected: expected.clone() });
            }
            if !signed.is_empty() {
                inside = Some(OrderStep { instructions: signed, expected });
            }
        }
        let OrderStep { instructions, expected } = inside.ok_or(SquadsError::NothingToSign(vault))?;
        let proposed = self.propose(&instructions, by)?;
        steps.push(OrderStep { instructions: proposed.instructions, expected });
        Ok(steps)
    }

    /// The numbers under which an equal proposal may be open, the newest first, at most `limit` of them.
    pub fn recent(&self, limit: u64) -> impl Iterator<Item = u64> {
        let newest = self.transaction_index;
        (newest.saturating_sub(limit)..newest).rev().map(|index| index.saturating_add(1))
    }

    /// Whether `transaction`, on which `proposal` is the vote, would do exactly `inside` with the vault `vault_index`, and may
    /// still be executed.
    pub fn is_open_and_equal(
        &self,
        transaction: &VaultTransaction,
        proposal: &Proposal,
        inside: &[Instruction],
        vault_index: u8,
    ) -> bool {
        let same_vote = transaction.multisig == self.address
            && proposal.multisig == self.address
            && proposal.transaction_index == transaction.index;
        // Numbered and merged in the same way, whoever made it.
        let meant = Message::compile(&self.vault(vault_index), inside).and_then(|message| message.instructions());
        let does = || transaction.instructions().is_ok_and(|does| meant.is_ok_and(|meant| meant == does));
        same_vote
            && transaction.vault_index == vault_index
            && transaction.ephemeral_signers == 0
            && proposal.is_open(self)
            && does()
    }

    fn check_member(&self, member: &Pubkey, permission: u8, what: &'static str) -> Result<(), SquadsError> {
        let multisig = self.address;
        match self.member(member) {
            None => Err(SquadsError::NotAMember { member: *member, multisig }),
            Some(found) if found.permissions.has(permission) => Ok(()),
            Some(_) => Err(SquadsError::NotPermitted { member: *member, multisig, what }),
        }
    }

    /// Nobody but the vault signs, and the vault does.
    fn check_signers(&self, inside: &[Instruction], index: u8) -> Result<(), SquadsError> {
        let vault = self.vault(index);
        let mut signs = false;
        for meta in inside.iter().flat_map(|instruction| &instruction.accounts).filter(|meta| meta.is_signer) {
            match meta.pubkey {
                signer if signer == vault => signs = true,
                signer if signer == self.address => {
                    return Err(SquadsError::NotTheVault { multisig: signer, index, vault });
                }
                signer => return Err(SquadsError::OtherSigner(signer)),
            }
        }
        if signs { Ok(()) } else { Err(SquadsError::NothingToSign(vault)) }
    }
}

fn approval(multisig: &Pubkey, index: u64, member: &Pubkey) -> Result<Instruction, SquadsError> {
    let accounts = vec![
        AccountMeta::new_readonly(*multisig, false),
        AccountMeta::new(*member, true),
        AccountMeta::new(proposal_address(multisig, index), false),
    ];
    Ok(Instruction { program_id: SQUADS, accounts, data: data(APPROVE_PROPOSAL, &None::<String>)? })
}

fn data(discriminator: [u8; 8], arguments: &impl borsh::BorshSerialize) -> Result<Vec<u8>, SquadsError> {
    let mut data = discriminator.to_vec();
    arguments.serialize(&mut data).map_err(|error| SquadsError::Message(error.to_string()))?;
    Ok(data)
}
