//! The public interface, as the documents describe it: instructions, terms and addresses in bytes.

use std::{cell::RefCell, collections::HashMap, sync::OnceLock};

use escrow_tests::TOKEN;
use sha2::{Digest, Sha256};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

/// Two years, in seconds: how far ahead a time may lie.
pub const TWO_YEARS: i64 = 63_072_000;
/// 365 days, in seconds: the longest window.
pub const YEAR: u32 = 31_536_000;

/// The statuses of a milestone.
pub const PENDING: u8 = 0;
pub const DELIVERED: u8 = 1;
pub const DISPUTED: u8 = 2;
pub const SETTLED: u8 = 3;

/// The program's address, from the IDL.
pub fn program() -> Pubkey {
    static ADDRESS: OnceLock<Pubkey> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let idl = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../idl/escrow.json")).expect("the IDL");
        let idl: serde_json::Value = serde_json::from_slice(&idl).expect("JSON");
        idl["address"].as_str().expect("an address").parse().expect("an address")
    })
}

/// The sha256 of all the parts.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// A derived address. Deriving takes longer than most attacks, so what was derived is kept.
fn derive(seeds: &[&[u8]], program: &Pubkey) -> (Pubkey, u8) {
    type Known = HashMap<(Vec<u8>, Pubkey), (Pubkey, u8)>;
    thread_local!(static KNOWN: RefCell<Known> = RefCell::default());
    KNOWN.with_borrow_mut(|known| {
        let entry = known.entry((seeds.concat(), *program));
        *entry.or_insert_with(|| Pubkey::find_program_address(seeds, program))
    })
}

/// The associated token account of `owner`.
pub fn associated(owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Pubkey {
    let program = spl_associated_token_account_interface::program::ID;
    derive(&[owner.as_ref(), token_program.as_ref(), mint.as_ref()], &program).0
}

/// One milestone of the terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Stone {
    pub amount: u64,
    pub deliver_by: i64,
    pub review_window: u32,
}

/// What is agreed on, in the order of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    pub buyer: Pubkey,
    pub seller: Pubkey,
    pub arbiter: Pubkey,
    pub attester: Pubkey,
    pub fee_recipient: Pubkey,
    pub mint: Pubkey,
    pub token_program: Pubkey,
    pub accepted_risks: u16,
    pub fee_bps: u16,
    pub arbiter_fee_bps: u16,
    pub fund_by: i64,
    pub cooling_off: u32,
    pub ruling_window: u32,
    pub undelivered_bps: u16,
    pub unanswered_bps: u16,
    pub unruled_bps: u16,
    pub hashlock: [u8; 32],
    pub document_hash: [u8; 32],
    pub salt: [u8; 16],
    pub stones: Vec<Stone>,
}

impl Terms {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for address in [self.buyer, self.seller, self.arbiter, self.attester, self.fee_recipient] {
            out.extend(address.as_ref());
        }
        out.extend(self.mint.as_ref());
        out.extend(self.token_program.as_ref());
        for number in [self.accepted_risks, self.fee_bps, self.arbiter_fee_bps] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.fund_by.to_le_bytes());
        out.extend(self.cooling_off.to_le_bytes());
        out.extend(self.ruling_window.to_le_bytes());
        for share in [self.undelivered_bps, self.unanswered_bps, self.unruled_bps] {
            out.extend(share.to_le_bytes());
        }
        out.extend(self.hashlock);
        out.extend(self.document_hash);
        out.extend(self.salt);
        out.extend((self.stones.len() as u32).to_le_bytes());
        for stone in &self.stones {
            out.extend(stone.amount.to_le_bytes());
            out.extend(stone.deliver_by.to_le_bytes());
            out.extend(stone.review_window.to_le_bytes());
        }
        out
    }

    pub fn hash(&self) -> [u8; 32] {
        sha256(&[b"escrow:terms:v2", &self.bytes()])
    }

    pub fn escrow_and_bump(&self) -> (Pubkey, u8) {
        derive(&[b"escrow", &self.hash()], &program())
    }

    pub fn escrow(&self) -> Pubkey {
        self.escrow_and_bump().0
    }

    pub fn vault(&self) -> Pubkey {
        derive(&[b"vault", self.escrow().as_ref()], &program()).0
    }

    pub fn in_tokens(&self) -> bool {
        self.mint != Pubkey::default()
    }

    pub fn has_hashlock(&self) -> bool {
        self.hashlock != [0; 32]
    }

    /// Buyer, seller, fee recipient, arbiter: in the order in which `withdraw` counts them.
    pub fn recipients(&self) -> [Pubkey; 4] {
        [self.buyer, self.seller, self.fee_recipient, self.arbiter]
    }

    /// The associated account of `owner` for the asset.
    pub fn account_of(&self, owner: &Pubkey) -> Pubkey {
        associated(owner, &self.mint, &self.token_program)
    }
}

/// What a party proposes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Offer {
    Nothing,
    Split { milestone: u8, status: u8, remaining: u64, to_seller: u64, expires_at: i64 },
    Extension { milestone: u8, status: u8, replaces: i64, deadline: i64, expires_at: i64 },
}

impl Offer {
    pub fn bytes(&self) -> Vec<u8> {
        match *self {
            Self::Nothing => vec![0],
            Self::Split { milestone, status, remaining, to_seller, expires_at } => {
                let mut out = vec![1, milestone, status];
                out.extend([remaining, to_seller].map(u64::to_le_bytes).concat());
                out.extend(expires_at.to_le_bytes());
                out
            }
            Self::Extension { milestone, status, replaces, deadline, expires_at } => {
                let mut out = vec![2, milestone, status];
                out.extend([replaces, deadline, expires_at].map(i64::to_le_bytes).concat());
                out
            }
        }
    }
}

/// What somebody does to an escrow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed {
    Create,
    Fund,
    Cancel,
    Deliver(u8),
    Claim(u8, [u8; 32]),
    Release { milestone: u8, amount: u64, expected: u64 },
    Refund { milestone: u8, amount: u64, expected: u64 },
    Dispute(u8),
    Rule(u8, u16),
    Propose(Offer),
    Accept(Offer),
    Expire(u8),
    Withdraw(u8),
    Close,
}

impl Deed {
    pub fn bytes(&self, terms: &Terms) -> Vec<u8> {
        let money = |tag: u8, milestone: u8, amount: u64, expected: u64| {
            [&[tag, milestone][..], &amount.to_le_bytes(), &expected.to_le_bytes()].concat()
        };
        match *self {
            Self::Create => [&[0], &terms.bytes()[..]].concat(),
            Self::Fund => vec![1],
            Self::Cancel => vec![2],
            Self::Deliver(milestone) => [&[3, milestone][..], &[0xE1; 32]].concat(),
            Self::Claim(milestone, secret) => [&[4, milestone][..], &secret].concat(),
            Self::Release { milestone, amount, expected } => money(5, milestone, amount, expected),
            Self::Refund { milestone, amount, expected } => money(6, milestone, amount, expected),
            Self::Dispute(milestone) => [&[7, milestone][..], &[0xD1; 32]].concat(),
            Self::Rule(milestone, bps) => [&[8, milestone][..], &bps.to_le_bytes(), &[0xB1; 32]].concat(),
            Self::Propose(offer) => [&[9], &offer.bytes()[..]].concat(),
            Self::Accept(offer) => [&[10], &offer.bytes()[..]].concat(),
            Self::Expire(milestone) => vec![11, milestone],
            Self::Withdraw(recipient) => vec![12, recipient],
            Self::Close => vec![13],
        }
    }

    /// The instruction as a client would build it that has read the documents. `funded` only matters to `cancel`: a
    /// funded one moves nothing and needs no token accounts.
    pub fn instruction(&self, terms: &Terms, rent_payer: &Pubkey, actor: &Pubkey, funded: bool) -> Instruction {
        let escrow = AccountMeta::new(terms.escrow(), false);
        let tokens = terms.in_tokens();
        let vault = || AccountMeta::new(terms.vault(), false);
        let mint = || AccountMeta::new_readonly(terms.mint, false);
        let token_program = || AccountMeta::new_readonly(terms.token_program, false);
        let account_of = |owner: &Pubkey| AccountMeta::new(terms.account_of(owner), false);
        let system = || AccountMeta::new_readonly(system_program::ID, false);
        let mut accounts = match *self {
            Self::Create => vec![AccountMeta::new(*actor, true), escrow, system()],
            Self::Fund => vec![escrow, AccountMeta::new(*actor, true), system()],
            Self::Cancel => {
                vec![escrow, AccountMeta::new_readonly(*actor, true), AccountMeta::new(*rent_payer, false)]
            }
            Self::Claim(..) | Self::Expire(_) => vec![escrow],
            Self::Withdraw(recipient) => {
                // A recipient that does not exist is an attack on the data: whom it names does not matter.
                let address = terms.recipients().get(usize::from(recipient)).copied().unwrap_or(terms.buyer);
                vec![escrow, AccountMeta::new(address, false)]
            }
            Self::Close => vec![escrow, AccountMeta::new(*rent_payer, false)],
            _ => vec![escrow, AccountMeta::new_readonly(*actor, true)],
        };
        match *self {
            Self::Create if tokens => accounts.extend([vault(), mint(), token_program()]),
            Self::Fund if tokens => accounts.extend([account_of(actor), vault(), mint(), token_program()]),
            Self::Cancel if tokens && !funded => {
                accounts.extend([vault(), mint(), token_program(), account_of(&terms.buyer)]);
            }
            Self::Withdraw(_) if tokens => {
                let recipient = accounts[1].pubkey;
                accounts.extend([account_of(&recipient), vault(), mint(), token_program()]);
            }
            Self::Close if tokens => accounts.extend([vault(), mint(), token_program(), account_of(&terms.buyer)]),
            _ => {}
        }
        // These refuse a list that ends early, so the program's address stands for what is left out.
        let length = match *self {
            Self::Create => 6,
            Self::Cancel | Self::Close => 7,
            _ => 0,
        };
        while accounts.len() < length {
            accounts.push(AccountMeta::new_readonly(program(), false));
        }
        Instruction { program_id: program(), accounts, data: self.bytes(terms) }
    }
}

/// The associated account of the SPL Token program.
pub fn spl_account(owner: &Pubkey, mint: &Pubkey) -> Pubkey {
    associated(owner, mint, &TOKEN)
}
