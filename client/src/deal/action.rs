//! One step in an escrow's life, completely specified: what a person, a keeper or a multisig is about to do, or has done.
//!
//! An [`Action`] is decoded from an instruction and built into one, says who has to sign, and can be
//! [previewed](Action::preview): the escrow after it and what it moves, by the program's own rules on a copy. Explaining
//! what may happen next, history, dry runs and unsigned transactions all start from it.

use borsh::BorshDeserialize;
use escrow::{
    accounts, instruction as arguments,
    interface::{self, INSTRUCTIONS, Instruction as Interface, has_its_length},
    state::{EscrowStatus, Milestone, Moved, Proposal, Recipient, Terms},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use super::{
    account::EscrowAccount,
    address::{associated_token_address, vault_address},
    terms::Asset,
};
use crate::EscrowError;

const SYSTEM_PROGRAM: Pubkey = solana_sdk_ids::system_program::ID;

/// An instruction of the program with its arguments, without its accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the instruction's arguments")]
pub enum EscrowInstruction {
    Create { terms: Box<Terms> },
    Fund,
    Cancel,
    Deliver { milestone: u8, evidence_hash: [u8; 32] },
    Claim { milestone: u8, secret: [u8; 32] },
    Release { milestone: u8, amount: u64, expected_remaining: u64 },
    Refund { milestone: u8, amount: u64, expected_remaining: u64 },
    Dispute { milestone: u8, reason_hash: [u8; 32] },
    Rule { milestone: u8, seller_bps: u16, rationale_hash: [u8; 32] },
    Propose { proposal: Proposal },
    Accept { proposal: Proposal },
    Expire { milestone: u8 },
    Withdraw { recipient: Recipient },
    Close,
}

impl EscrowInstruction {
    /// Decodes instruction data, which must be exactly one instruction's.
    pub fn decode(data: &[u8]) -> Option<Self> {
        if has_its_length(data) != Some(true) {
            return None;
        }
        let (discriminator, arguments) = data.split_first()?;
        Some(match discriminator {
            0 => Self::Create { terms: Box::new(read(arguments)?) },
            1 => Self::Fund,
            2 => Self::Cancel,
            3 => {
                let (milestone, evidence_hash) = read(arguments)?;
                Self::Deliver { milestone, evidence_hash }
            }
            4 => {
                let (milestone, secret) = read(arguments)?;
                Self::Claim { milestone, secret }
            }
            5 => {
                let (milestone, amount, expected_remaining) = read(arguments)?;
                Self::Release { milestone, amount, expected_remaining }
            }
            6 => {
                let (milestone, amount, expected_remaining) = read(arguments)?;
                Self::Refund { milestone, amount, expected_remaining }
            }
            7 => {
                let (milestone, reason_hash) = read(arguments)?;
                Self::Dispute { milestone, reason_hash }
            }
            8 => {
                let (milestone, seller_bps, rationale_hash) = read(arguments)?;
                Self::Rule { milestone, seller_bps, rationale_hash }
            }
            9 => Self::Propose { proposal: read(arguments)? },
            10 => Self::Accept { proposal: read(arguments)? },
            11 => Self::Expire { milestone: read(arguments)? },
            12 => Self::Withdraw { recipient: read(arguments)? },
            13 => Self::Close,
            _ => return None,
        })
    }

    /// Its row in the program's table: name, number and accounts.
    pub fn interface(&self) -> &'static Interface {
        let discriminator = match self {
            Self::Create { .. } => 0,
            Self::Fund => 1,
            Self::Cancel => 2,
            Self::Deliver { .. } => 3,
            Self::Claim { .. } => 4,
            Self::Release { .. } => 5,
            Self::Refund { .. } => 6,
            Self::Dispute { .. } => 7,
            Self::Rule { .. } => 8,
            Self::Propose { .. } => 9,
            Self::Accept { .. } => 10,
            Self::Expire { .. } => 11,
            Self::Withdraw { .. } => 12,
            Self::Close => 13,
        };
        const TABLE: &[Interface] = &INSTRUCTIONS;
        #[expect(clippy::indexing_slicing, reason = "a test goes through all of them")]
        &TABLE[discriminator]
    }

    /// Its name in the interface.
    pub fn name(&self) -> &'static str {
        self.interface().name
    }

    /// The index of the milestone that it is about, if it is about one.
    pub fn milestone(&self) -> Option<u8> {
        match self {
            Self::Deliver { milestone, .. }
            | Self::Claim { milestone, .. }
            | Self::Release { milestone, .. }
            | Self::Refund { milestone, .. }
            | Self::Dispute { milestone, .. }
            | Self::Rule { milestone, .. }
            | Self::Expire { milestone } => Some(*milestone),
            Self::Propose { proposal } | Self::Accept { proposal } => proposal.milestone(),
            Self::Create { .. } | Self::Fund | Self::Cancel | Self::Withdraw { .. } | Self::Close => None,
        }
    }
}

fn read<T: BorshDeserialize>(arguments: &[u8]) -> Option<T> {
    borsh::from_slice(arguments).ok()
}

/// One step in an escrow's life, completely specified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The escrow that it is about.
    pub escrow: Pubkey,
    /// What is done.
    pub instruction: EscrowInstruction,
    /// Who signs for it: the rent payer of a creation, who cancels, delivers, releases and so on. None where nobody has to.
    /// A recipient that directs its tokens elsewhere, and a buyer that directs a surplus, sign too.
    pub actor: Option<Pubkey>,
    /// The token account that pays in (`fund`), is paid (`withdraw`) or gets tokens that were sent to the vault uninvited
    /// (`cancel`, `close`). None for SOL, and where there are none.
    pub token_account: Option<Pubkey>,
}

/// What an action would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The escrow after it; none where its account is closed.
    pub after: Option<EscrowAccount>,
    /// What it moves.
    pub effects: Effects,
}

/// What an action moves, in the asset's smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects {
    /// What the buyer pays in.
    pub paid_in: u64,
    /// What is decided, and for whom. It is paid out by a withdrawal.
    pub decided: Moved,
    /// What is paid out, and to whom.
    pub paid_out: Option<(Recipient, u64)>,
}

impl Effects {
    /// Whose money moves, decided or paid out; none where none does.
    pub fn moved(&self) -> Option<Moved> {
        let moved = match self.paid_out {
            None => self.decided,
            Some((Recipient::Buyer, buyer)) => Moved { buyer, ..Moved::default() },
            Some((Recipient::Seller, seller)) => Moved { seller, ..Moved::default() },
            Some((Recipient::Fee, fee)) => Moved { fee, ..Moved::default() },
            Some((Recipient::Arbiter, arbiter)) => Moved { arbiter, ..Moved::default() },
        };
        Some(moved).filter(|moved| *moved != Moved::default())
    }
}

impl Action {
    /// The action on `deal` with its usual actor and token account: who the terms name for it, and the associated token
    /// accounts. [`by`](Self::by) names the actor of what several may do, [`with`](Self::with) another token account.
    pub fn new(deal: &EscrowAccount, instruction: EscrowInstruction) -> Self {
        let state = &deal.state;
        let actor = match &instruction {
            EscrowInstruction::Create { .. } => Some(state.rent_payer),
            EscrowInstruction::Fund
            | EscrowInstruction::Cancel
            | EscrowInstruction::Release { .. }
            | EscrowInstruction::Dispute { .. } => Some(state.buyer),
            EscrowInstruction::Refund { .. } => Some(state.seller),
            EscrowInstruction::Deliver { .. } => Some(*state.deliverer()),
            EscrowInstruction::Rule { .. } => Some(state.arbiter),
            EscrowInstruction::Propose { .. }
            | EscrowInstruction::Accept { .. }
            | EscrowInstruction::Claim { .. }
            | EscrowInstruction::Expire { .. }
            | EscrowInstruction::Withdraw { .. }
            | EscrowInstruction::Close => None,
        };
        let owner = match &instruction {
            EscrowInstruction::Fund => Some(state.buyer),
            EscrowInstruction::Withdraw { recipient } => Some(*state.recipient(*recipient)),
            _ => None,
        };
        let token_account = match (owner, deal.asset()) {
            (Some(owner), Asset::Token { mint, program }) => Some(associated_token_address(&owner, &mint, &program)),
            _ => None,
        };
        Self { escrow: deal.address, instruction, actor, token_account }
    }

    /// The same, done by `actor`.
    #[must_use]
    pub fn by(self, actor: Pubkey) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// The same, with this token account.
    #[must_use]
    pub fn with(self, token_account: Option<Pubkey>) -> Self {
        Self { token_account, ..self }
    }

    /// Reads an instruction back. None where it is not one of the program, or lacks an account.
    pub fn decode(instruction: &Instruction) -> Option<Self> {
        (instruction.program_id == escrow::ID).then(|| Self::decode_parts(&instruction.accounts, &instruction.data))?
    }

    /// Like [`decode`](Self::decode), for accounts and data of an instruction that is known to be the program's.
    pub fn decode_parts(accounts: &[AccountMeta], data: &[u8]) -> Option<Self> {
        let instruction = EscrowInstruction::decode(data)?;
        let table = instruction.interface();
        let slots = || table.accounts.iter().zip(accounts);
        let needed = table.accounts.iter().filter(|account| !account.optional).count();
        if accounts.len() < needed {
            return None;
        }
        let present = |(slot, account): (&interface::Account, &AccountMeta)| {
            (!slot.optional || account.pubkey != escrow::ID).then_some(account.pubkey)
        };
        let escrow = accounts.get(table.position("escrow")?)?.pubkey;
        let signs = |(slot, account): &(&interface::Account, &AccountMeta)| match slot.signer {
            true => true,
            // A recipient may sign, to direct its tokens.
            false => slot.name == "recipient" && account.is_signer,
        };
        let actor = slots().find(signs).and_then(present);
        let is_chosen = |(slot, _): &(&interface::Account, &AccountMeta)| slot.name.ends_with("_token");
        let token_account = slots().find(is_chosen).and_then(present);
        Some(Self { escrow, instruction, actor, token_account })
    }

    /// The instruction for it. `deal` is the escrow as it is, or as it would be [agreed](EscrowAccount::agreed).
    pub fn instruction(&self, deal: &EscrowAccount) -> Instruction {
        let recipient = match &self.instruction {
            EscrowInstruction::Withdraw { recipient } => *deal.state.recipient(*recipient),
            _ => Pubkey::default(),
        };
        let tokens = TokenAccounts::of(&deal.address, deal.asset());
        self.build(&Facts { tokens, rent_payer: deal.state.rent_payer, is_funded: deal.is_funded(), recipient })
    }

    /// The instruction, from what it needs to know of the escrow.
    pub(super) fn build(&self, facts: &Facts) -> Instruction {
        let escrow = self.escrow;
        let signer = self.actor.unwrap_or_default();
        let Facts { tokens: TokenAccounts { vault, mint, program }, rent_payer, is_funded, recipient: paid } = *facts;
        let mut built = match &self.instruction {
            EscrowInstruction::Create { terms } => {
                let accounts = accounts::Create {
                    rent_payer: signer,
                    escrow,
                    system_program: SYSTEM_PROGRAM,
                    vault,
                    mint,
                    token_program: program,
                };
                arguments::Create { terms: (**terms).clone() }.to_instruction(accounts)
            }
            EscrowInstruction::Fund => arguments::Fund {}.to_instruction(accounts::Fund {
                escrow,
                buyer: signer,
                system_program: SYSTEM_PROGRAM,
            }),
            EscrowInstruction::Cancel => {
                // A funded escrow is not closed by it, so its vault is not touched.
                let closes = !is_funded;
                arguments::Cancel {}.to_instruction(accounts::Cancel {
                    escrow,
                    canceller: signer,
                    rent_payer,
                    vault: vault.filter(|_| closes),
                    mint: mint.filter(|_| self.token_account.is_some()),
                    token_program: program.filter(|_| closes),
                    buyer_token: self.token_account,
                })
            }
            EscrowInstruction::Deliver { milestone, evidence_hash } => {
                let accounts = accounts::Deliver { escrow, deliverer: signer };
                arguments::Deliver { milestone: *milestone, evidence_hash: *evidence_hash }.to_instruction(accounts)
            }
            EscrowInstruction::Claim { milestone, secret } => {
                let accounts = accounts::Claim { escrow };
                arguments::Claim { milestone: *milestone, secret: *secret }.to_instruction(accounts)
            }
            EscrowInstruction::Release { milestone, amount, expected_remaining } => {
                let (milestone, amount, expected_remaining) = (*milestone, *amount, *expected_remaining);
                let accounts = accounts::Release { escrow, buyer: signer };
                arguments::Release { milestone, amount, expected_remaining }.to_instruction(accounts)
            }
            EscrowInstruction::Refund { milestone, amount, expected_remaining } => {
                let (milestone, amount, expected_remaining) = (*milestone, *amount, *expected_remaining);
                let accounts = accounts::Refund { escrow, seller: signer };
                arguments::Refund { milestone, amount, expected_remaining }.to_instruction(accounts)
            }
            EscrowInstruction::Dispute { milestone, reason_hash } => {
                let accounts = accounts::Dispute { escrow, buyer: signer };
                arguments::Dispute { milestone: *milestone, reason_hash: *reason_hash }.to_instruction(accounts)
            }
            EscrowInstruction::Rule { milestone, seller_bps, rationale_hash } => {
                let (milestone, seller_bps, rationale_hash) = (*milestone, *seller_bps, *rationale_hash);
                let accounts = accounts::Rule { escrow, arbiter: signer };
                arguments::Rule { milestone, seller_bps, rationale_hash }.to_instruction(accounts)
            }
            EscrowInstruction::Propose { proposal } => {
                let accounts = accounts::Propose { escrow, proposer: signer };
                arguments::Propose { proposal: *proposal }.to_instruction(accounts)
            }
            EscrowInstruction::Accept { proposal } => {
                let accounts = accounts::Accept { escrow, acceptor: signer };
                arguments::Accept { proposal: *proposal }.to_instruction(accounts)
            }
            EscrowInstruction::Expire { milestone } => {
                arguments::Expire { milestone: *milestone }.to_instruction(accounts::Expire { escrow })
            }
            EscrowInstruction::Withdraw { recipient } => {
                let accounts = accounts::Withdraw { escrow, recipient: paid };
                arguments::Withdraw { recipient: *recipient }.to_instruction(accounts)
            }
            EscrowInstruction::Close => arguments::Close {}.to_instruction(accounts::Close {
                escrow,
                rent_payer,
                vault,
                mint: mint.filter(|_| self.token_account.is_some()),
                token_program: program,
                buyer_token: self.token_account,
                buyer: self.actor,
            }),
        };
        self.complete(&mut built, &facts.tokens);
        built
    }

    /// What the accounts structs of the program do not say: the table knows more of `fund` and `withdraw`.
    fn complete(&self, built: &mut Instruction, tokens: &TokenAccounts) {
        let table = self.instruction.interface();
        for (account, slot) in built.accounts.iter_mut().zip(table.accounts) {
            if slot.name == "recipient" {
                account.is_writable = slot.writable;
                account.is_signer = self.actor == Some(account.pubkey);
            }
        }
        for slot in table.accounts.iter().skip(built.accounts.len()) {
            let address = match slot.name {
                "vault" => tokens.vault,
                "mint" => tokens.mint,
                "token_program" => tokens.program,
                _ => self.token_account,
            };
            // For SOL all of them are left out.
            let Some(address) = address else { continue };
            built.accounts.push(AccountMeta { pubkey: address, is_signer: slot.signer, is_writable: slot.writable });
        }
    }

    /// What it would do to `deal`, the escrow as it is or as it would be [agreed](EscrowAccount::agreed), at `now`, in unix
    /// seconds: by the program's own rules, on a copy.
    ///
    /// Not previewed is what is not in the escrow: whether there is one at the address, whether the payer has the money, the
    /// state of token accounts, the powers of the mint's issuer.
    ///
    /// # Errors
    ///
    /// The rule that refuses it.
    pub fn preview(&self, deal: &EscrowAccount, now: i64) -> Result<Preview, EscrowError> {
        let mut effects = Effects::default();
        if let EscrowInstruction::Create { terms } = &self.instruction {
            terms.validate(now)?;
            let created = EscrowAccount::agreed(terms, self.actor.unwrap_or_default())?;
            if created.address != self.escrow {
                return Err(EscrowError::AddressMismatch);
            }
            return Ok(Preview { after: Some(created), effects });
        }
        self.check_actor(deal)?;
        let mut after = deal.clone();
        let EscrowAccount { state, milestones, .. } = &mut after;
        match &self.instruction {
            EscrowInstruction::Create { .. } => {}
            EscrowInstruction::Fund => {
                state.fund(milestones, now)?;
                effects.paid_in = state.ledger.principal;
            }
            EscrowInstruction::Cancel if state.status()? == EscrowStatus::Created => {
                state.check_cancel_unfunded(&self.actor.unwrap_or_default(), now)?;
                return Ok(Preview { after: None, effects });
            }
            EscrowInstruction::Cancel => {
                state.check_cancel_funded(milestones, &self.actor.unwrap_or_default(), now)?;
                for milestone in milestones.iter_mut() {
                    let Moved { buyer, .. } = state.cancel(milestone)?;
                    effects.decided.buyer = effects.decided.buyer.checked_add(buyer).ok_or(EscrowError::Overflow)?;
                }
            }
            EscrowInstruction::Deliver { milestone, .. } => state.deliver(at(milestones, *milestone)?, now)?,
            EscrowInstruction::Claim { milestone, secret } => {
                effects.decided = state.claim(at(milestones, *milestone)?, secret, now)?;
            }
            EscrowInstruction::Release { milestone, amount, expected_remaining } => {
                effects.decided = state.release(at(milestones, *milestone)?, *amount, *expected_remaining)?;
            }
            EscrowInstruction::Refund { milestone, amount, expected_remaining } => {
                effects.decided = state.refund(at(milestones, *milestone)?, *amount, *expected_remaining)?;
            }
            EscrowInstruction::Dispute { milestone, .. } => state.dispute(at(milestones, *milestone)?, now)?,
            EscrowInstruction::Rule { milestone, seller_bps, .. } => {
                effects.decided = state.rule(at(milestones, *milestone)?, *seller_bps, now)?;
            }
            EscrowInstruction::Propose { proposal } => {
                let party = state.party(&self.actor.unwrap_or_default())?;
                let milestone = match proposal.milestone() {
                    None => None,
                    Some(index) => Some(&*at(milestones, index)?),
                };
                state.propose(party, *proposal, milestone, now)?;
            }
            EscrowInstruction::Accept { proposal } => {
                let party = state.party(&self.actor.unwrap_or_default())?;
                let index = proposal.milestone().ok_or(EscrowError::ProposalMismatch)?;
                effects.decided = state.accept(party, *proposal, at(milestones, index)?, now)?;
            }
            EscrowInstruction::Expire { milestone } => {
                effects.decided = state.expire(at(milestones, *milestone)?, now)?;
            }
            EscrowInstruction::Withdraw { recipient } => {
                effects.paid_out = Some((*recipient, state.withdraw(*recipient)?));
            }
            EscrowInstruction::Close => {
                state.check_close(milestones, now)?;
                return Ok(Preview { after: None, effects });
            }
        }
        state.invariant(milestones)?;
        Ok(Preview { after: Some(after), effects })
    }

    /// Whether the actor is who the terms name for it: by the name that the account has in the program's table.
    fn check_actor(&self, deal: &EscrowAccount) -> Result<(), EscrowError> {
        let state = &deal.state;
        let Some(slot) = self.instruction.interface().accounts.iter().find(|slot| slot.signer && !slot.optional) else {
            return Ok(());
        };
        let (named, otherwise) = match slot.name {
            "buyer" => (state.buyer, EscrowError::NotBuyer),
            "seller" => (state.seller, EscrowError::NotSeller),
            "arbiter" => (state.arbiter, EscrowError::NotArbiter),
            "deliverer" => (*state.deliverer(), EscrowError::NotDeliverer),
            // Several may: the rules ask who it is.
            _ => return Ok(()),
        };
        if self.actor == Some(named) && named != Pubkey::default() { Ok(()) } else { Err(otherwise) }
    }
}

fn at(milestones: &mut [Milestone], index: u8) -> Result<&mut Milestone, EscrowError> {
    milestones.get_mut(usize::from(index)).ok_or(EscrowError::MilestoneMissing)
}

/// What building an instruction needs to know of an escrow.
#[derive(Clone, Copy, Default)]
pub(super) struct Facts {
    pub tokens: TokenAccounts,
    pub rent_payer: Pubkey,
    pub is_funded: bool,
    /// Who is paid by a withdrawal.
    pub recipient: Pubkey,
}

/// The accounts of an escrow's token; none for SOL.
#[derive(Clone, Copy, Default)]
pub(super) struct TokenAccounts {
    vault: Option<Pubkey>,
    mint: Option<Pubkey>,
    program: Option<Pubkey>,
}

impl TokenAccounts {
    pub fn of(escrow: &Pubkey, asset: Asset) -> Self {
        match asset {
            Asset::Sol => Self::default(),
            Asset::Token { mint, program } => {
                Self { vault: Some(vault_address(escrow)), mint: Some(mint), program: Some(program) }
            }
        }
    }
}
