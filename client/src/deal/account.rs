//! An escrow account, decoded and checked. What an RPC node answers is not trusted: everything that follows from
//! something else is derived again and compared.

use anchor_lang::Discriminator;
use escrow::{
    instructions::EscrowSlab as Layout,
    state::{
        Escrow, EscrowStatus, HEADER_SIZE, LAYOUT_VERSION, MAX_MILESTONES, MILESTONE_SIZE, Milestone, Recipient, Terms,
        VERSION_OFFSET,
    },
};
use solana_account::Account;
use solana_pubkey::Pubkey;
use thiserror::Error;

use crate::{
    EscrowError,
    address::{escrow_address_and_bump, vault_address},
    terms::Asset,
};

/// Why an account is not an escrow of this program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AccountError {
    /// Another program owns it.
    #[error("it belongs to the program {0}, not to the escrow program {program}", program = escrow::ID)]
    Owner(Pubkey),
    /// It is not an escrow but something else of the program's.
    #[error("it does not begin like an escrow account")]
    Discriminator,
    /// A size that no escrow has.
    #[error("it has {0} bytes, which fits no number of milestones")]
    Size(usize),
    /// The milestones counted in it are not those that it has room for.
    #[error("it counts {counted} milestones and has room for {room}")]
    MilestoneCount {
        /// What the count says.
        counted: u32,
        /// What the size says.
        room: usize,
    },
    /// Written by another version of the program.
    #[error(
        "another version of the escrow program wrote it: layout {0}, where this client knows layout {LAYOUT_VERSION}"
    )]
    Version(u8),
    /// A value that the program never writes.
    #[error("its {0} has a value that the program never writes")]
    Value(&'static str),
    /// The address is not the one derived from the terms.
    #[error("its terms belong at the address {0}")]
    Address(Pubkey),
    /// The vault is not the one derived from the address.
    #[error("its vault should be {0}")]
    Vault(Pubkey),
    /// The amounts do not add up.
    #[error("its ledger does not add up")]
    Ledger,
}

/// An escrow as read from the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscrowAccount {
    /// Its address.
    pub address: Pubkey,
    /// All lamports of the account: rent, and the principal of a SOL escrow. For people; the ledger counts.
    pub lamports: u64,
    /// The terms, the ledger and the proposals.
    pub state: Escrow,
    /// The milestones.
    pub milestones: Vec<Milestone>,
}

/// Discriminator, header, number of milestones, padding.
const MILESTONES_OFFSET: usize = 8 + HEADER_SIZE + 8;
const _: () = assert!(MILESTONES_OFFSET == Layout::space_for(0));

impl EscrowAccount {
    /// The escrow with these terms as it is just after its creation, whether or not it was created. Its lamports are those
    /// of a created one: none are counted here.
    ///
    /// # Errors
    ///
    /// Where the terms cannot be hashed, or their principal does not fit. Whether they can be agreed on now, `validate`
    /// tells.
    pub fn agreed(terms: &Terms, rent_payer: Pubkey) -> Result<Self, EscrowError> {
        let terms_hash = terms.hash()?;
        let (address, bump) = escrow_address_and_bump(&terms_hash);
        let vault = if terms.is_sol() { Pubkey::default() } else { vault_address(&address) };
        let mut state: Escrow = bytemuck::Zeroable::zeroed();
        state.initialize(terms, terms_hash, vault, rent_payer, bump)?;
        let milestones = terms.milestones.iter().map(Milestone::from).collect();
        Ok(Self { address, lamports: 0, state, milestones })
    }

    /// Decodes the account at `address`.
    ///
    /// # Errors
    ///
    /// Where it is not an escrow of this program, or anything in it contradicts anything else.
    pub fn decode(address: Pubkey, account: &Account) -> Result<Self, AccountError> {
        if account.owner != escrow::ID {
            return Err(AccountError::Owner(account.owner));
        }
        let size = AccountError::Size(account.data.len());
        let data = account.data.as_slice();
        let version = data.get(VERSION_OFFSET).copied();
        let (discriminator, data) = data.split_at_checked(8).ok_or(size.clone())?;
        if discriminator != Escrow::DISCRIMINATOR {
            return Err(AccountError::Discriminator);
        }
        // First of all: by another version nothing else stands where it does in this one.
        match version {
            Some(LAYOUT_VERSION) => {}
            Some(other) => return Err(AccountError::Version(other)),
            None => return Err(size),
        }
        let (header, data) = data.split_at_checked(HEADER_SIZE).ok_or(size.clone())?;
        let (count, data) = data.split_first_chunk::<4>().ok_or(size.clone())?;
        let (padding, data) = data.split_first_chunk::<4>().ok_or(size.clone())?;
        let chunks = data.chunks_exact(MILESTONE_SIZE);
        let room = chunks.len();
        if room == 0 || room > MAX_MILESTONES || !chunks.remainder().is_empty() {
            return Err(size);
        }
        let counted = u32::from_le_bytes(*count);
        if usize::try_from(counted) != Ok(room) {
            return Err(AccountError::MilestoneCount { counted, room });
        }
        let state: Escrow = bytemuck::pod_read_unaligned(header);
        let milestones: Vec<Milestone> = chunks.map(bytemuck::pod_read_unaligned).collect();
        if *padding != [0; 4] {
            return Err(AccountError::Value("padding"));
        }
        let decoded = Self { address, lamports: account.lamports, state, milestones };
        decoded.check()?;
        Ok(decoded)
    }

    /// The account's data, which [`decode`](Self::decode) reads.
    pub fn encode(&self) -> Vec<u8> {
        let count = u32::try_from(self.milestones.len()).unwrap_or(u32::MAX);
        let mut data = Escrow::DISCRIMINATOR.to_vec();
        data.extend_from_slice(bytemuck::bytes_of(&self.state));
        data.extend_from_slice(&count.to_le_bytes());
        data.extend_from_slice(&[0; 4]);
        data.extend(self.milestones.iter().flat_map(bytemuck::bytes_of));
        data
    }

    /// Decodes an account's data of which it is not known where it lies: at the address that follows from its terms. Whether
    /// an account with this data is there, a node tells.
    ///
    /// # Errors
    ///
    /// Where it is not an escrow of this program, or anything in it contradicts anything else.
    pub fn decode_data(data: &[u8]) -> Result<Self, AccountError> {
        let account = Account { data: data.to_vec(), owner: escrow::ID, ..Account::default() };
        match Self::decode(Pubkey::default(), &account) {
            Err(AccountError::Address(address)) => Self::decode(address, &account),
            decoded => decoded,
        }
    }

    /// Everything that follows from something else.
    fn check(&self) -> Result<(), AccountError> {
        let Self { address, lamports: _, state, milestones } = self;
        let status = state.status().map_err(|_| AccountError::Value("status"))?;
        if (status == EscrowStatus::Created) != (state.funded_at == 0) {
            return Err(AccountError::Value("funding time"));
        }
        for milestone in milestones {
            milestone.status().map_err(|_| AccountError::Value("milestone status"))?;
            if milestone.reserved != [0; 3] {
                return Err(AccountError::Value("milestone padding"));
            }
        }
        for slot in [&state.buyer_proposal, &state.seller_proposal] {
            slot.proposal().map_err(|_| AccountError::Value("proposal"))?;
        }
        let terms = self.terms();
        let terms_hash = terms.hash().map_err(|_| AccountError::Value("terms"))?;
        let (derived, bump) = escrow_address_and_bump(&terms_hash);
        if derived != *address || terms_hash != state.terms_hash || bump != state.bump {
            return Err(AccountError::Address(derived));
        }
        let vault = if state.is_sol() { Pubkey::default() } else { vault_address(address) };
        if vault != state.vault {
            return Err(AccountError::Vault(vault));
        }
        if terms.principal() != Ok(state.ledger.principal) {
            return Err(AccountError::Ledger);
        }
        state.invariant(milestones).map_err(|_| AccountError::Ledger)
    }

    /// The terms as they were when the escrow was created.
    pub fn terms(&self) -> Terms {
        self.state.terms(&self.milestones)
    }

    /// What the escrow holds.
    pub fn asset(&self) -> Asset {
        if self.state.is_sol() {
            Asset::Sol
        } else {
            Asset::Token { mint: self.state.mint, program: self.state.token_program }
        }
    }

    /// The milestone with this index.
    ///
    /// # Errors
    ///
    /// The program's answer where there is none.
    pub fn milestone(&self, index: u8) -> Result<&Milestone, EscrowError> {
        self.milestones.get(usize::from(index)).ok_or(EscrowError::MilestoneMissing)
    }

    /// Whether the principal was paid in.
    pub fn is_funded(&self) -> bool {
        self.state.status() == Ok(EscrowStatus::Funded)
    }

    /// Whether it was funded and every milestone is decided.
    pub fn is_settled(&self) -> bool {
        self.is_funded() && self.milestones.iter().all(Milestone::is_settled)
    }

    /// What the escrow holds in trust at present, in the asset's smallest unit: what is undecided, and what is due.
    ///
    /// # Errors
    ///
    /// None for an account that was decoded: its ledger adds up.
    pub fn held(&self) -> Result<u64, EscrowError> {
        if !self.is_funded() {
            return Ok(0);
        }
        let due = self.state.ledger.total_due()?;
        let sum = self.milestones.iter().try_fold(due, |sum, milestone| sum.checked_add(milestone.remaining));
        sum.ok_or(EscrowError::Overflow)
    }

    /// Those to whom something is due, with the amount.
    pub fn due(&self) -> impl Iterator<Item = (Recipient, u64)> + '_ {
        Recipient::ALL
            .into_iter()
            .map(|recipient| (recipient, self.state.ledger.due(recipient)))
            .filter(|(_, amount)| *amount != 0)
    }
}
