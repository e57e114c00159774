//! A transaction that somebody else has prepared, read before it is signed.
//!
//! [`Received::read`] takes it apart, and refuses by name whatever is not on a closed list: actions on escrows, the making of
//! token accounts that they need, a compute budget within the allowance, a nonce, a memo. [`Received::check`] holds it against
//! the escrows as they stand: every instruction must be, byte for byte, the one that this client would build, and every
//! action must be allowed. Only what was checked is told in words, and only that can be signed.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use solana_instruction::{AccountMeta, Instruction};
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::signers::Signers;
use solana_transaction::versioned::VersionedTransaction;
use thiserror::Error;

use super::{
    Lifetime, PrepareError, Unsigned,
    budget::{self, COMPUTE_BUDGET, MOST_UNITS},
    encoding, nonce, programs,
    returned::{Allowance, MEMO},
};
use crate::{
    Action, EscrowAccount, EscrowInstruction,
    address::associated_token_address,
    instruction::create_associated_token_account,
    recipe::{PreviewedAction, RefusedAction},
    terms::Asset,
    words::{
        Amount, Denomination, Tense,
        sentence::{Known, Teller},
    },
};

const TOKEN_ACCOUNTS: Pubkey = spl_associated_token_account_interface::program::ID;
const SYSTEM: Pubkey = solana_sdk_ids::system_program::ID;

/// Why a transaction that somebody else prepared is not signed. Instructions are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceivedError {
    /// The bytes are none.
    #[error("these bytes are not a transaction: {0}")]
    Malformed(String),
    /// A version that is not known here.
    #[error(
        "this transaction is neither a legacy one nor of version 0, so that it cannot be read here: ask for another"
    )]
    Version,
    /// A lookup table.
    #[error(
        "this transaction takes accounts from the lookup table {0}, so that what it does cannot be told: ask for one that \
         names its accounts"
    )]
    LookupTable(Pubkey),
    /// An instruction that is nothing of an escrow's.
    #[error("instruction {number} calls {program}{what}: that has no place in an action on an escrow. Do not sign it")]
    Foreign {
        /// Which.
        number: usize,
        /// The program, with its name where it has one.
        program: String,
        /// What it would do, where that is known.
        what: String,
    },
    /// An instruction for the escrow program that it would not know.
    #[error("instruction {0} is none that the escrow program knows: it is damaged, or meant for another version")]
    Unreadable(usize),
    /// Something that may be there once.
    #[error("instruction {number} sets {what} a second time")]
    Twice {
        /// Which.
        number: usize,
        /// What.
        what: &'static str,
    },
    /// A memo that is no text.
    #[error("instruction {0} is a memo that is no text")]
    Memo(usize),
    /// Nothing to do with escrows.
    #[error("nothing in this transaction is an action on an escrow")]
    NoAction,
    /// Too much for being preferred.
    #[error("it would cost up to {fee} lamports to be preferred, and at most {most} are allowed")]
    PriorityFee {
        /// The fee, in lamports.
        fee: u64,
        /// The most.
        most: u64,
    },
    /// A signature that is none.
    #[error("the signature of {0} in it is not one of this transaction")]
    BadSignature(Pubkey),
    /// There is no such escrow.
    #[error("instruction {number} is about the escrow {escrow}, which is not there (or not any more)")]
    NoEscrow {
        /// Which.
        number: usize,
        /// The escrow.
        escrow: Pubkey,
    },
    /// It would be created a second time.
    #[error("instruction {number} creates the escrow {escrow}, which is there already")]
    AlreadyThere {
        /// Which.
        number: usize,
        /// The escrow.
        escrow: Pubkey,
    },
    /// A rule of the program refuses it.
    #[error("instruction {number} would be refused: {refused}")]
    Refused {
        /// Which.
        number: usize,
        /// The rule, with what it is about.
        refused: Box<RefusedAction>,
    },
    /// Other accounts or data than belong there.
    #[error(
        "instruction {number} names {}, where {} belongs: it was altered. Do not sign it",
        address(found),
        address(expected)
    )]
    Altered {
        /// Which.
        number: usize,
        /// The account that belongs there.
        expected: Option<Pubkey>,
        /// The one that is there.
        found: Option<Pubkey>,
    },
    /// A token account that nothing needs.
    #[error("instruction {number} makes a token account of {owner} that nothing in the transaction needs")]
    NotNeeded {
        /// Which.
        number: usize,
        /// Whose.
        owner: Pubkey,
    },
    /// Somebody signs who need not, or the other way around.
    #[error("{0} would sign it without need, or would have to and does not. Do not sign it")]
    Signer(Pubkey),
    /// An account could be changed that need not be, or the other way around.
    #[error("{0} could be changed by it without need, or would have to be and cannot. Do not sign it")]
    Writable(Pubkey),
    /// An account that no instruction uses, or one that is missing.
    #[error("{0} is named by it and used by nothing in it. Do not sign it")]
    Unused(Pubkey),
    /// Another block hash or nonce.
    #[error("it has another block hash or nonce than the one that it is to live as long as")]
    Lifetime,
}

fn address(address: &Option<Pubkey>) -> String {
    address.map_or_else(|| "no account".to_owned(), |address| address.to_string())
}

/// One instruction of a transaction, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// An action on an escrow.
    Action(Action),
    /// A token account is made, if there is none.
    OpenTokenAccount {
        /// Who pays its rent.
        payer: Pubkey,
        /// Whose it is.
        owner: Pubkey,
        /// Of which token.
        mint: Pubkey,
        /// The token's program.
        program: Pubkey,
    },
    /// The compute units that are allowed.
    Limit(u32),
    /// What is paid for each, in micro-lamports.
    Price(u64),
    /// A nonce is used up: the transaction can be executed until then, whenever that is.
    Nonce {
        /// The nonce's account.
        account: Pubkey,
        /// Who signs for it.
        authority: Pubkey,
    },
    /// A note that everybody can read.
    Memo {
        /// The text.
        text: String,
        /// Who signs for it.
        signers: Vec<Pubkey>,
    },
}

/// What a transaction costs whoever pays for it, besides rents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// Who pays.
    pub payer: Pubkey,
    /// For the signatures, in lamports.
    pub signatures: u64,
    /// For being preferred, at most, in lamports.
    pub priority: u64,
}

impl Fee {
    /// All of it, at most.
    pub const fn total(&self) -> u64 {
        self.signatures.saturating_add(self.priority)
    }
}

/// A transaction that somebody else has prepared, with nothing in it but what is on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    transaction: VersionedTransaction,
    instructions: Vec<Instruction>,
    parts: Vec<Part>,
    fee: Fee,
}

/// The same, held against the escrows as they stand: it does what it says, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    received: Received,
    actions: Vec<PreviewedAction>,
}

impl Received {
    /// Reads a transaction in base 64.
    ///
    /// # Errors
    ///
    /// What is in it that has no place there.
    pub fn read(text: &str, allowance: &Allowance) -> Result<Self, ReceivedError> {
        let malformed = |reason: String| ReceivedError::Malformed(reason);
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|error| malformed(error.to_string()))?;
        let transaction = encoding::read_wire(&bytes).map_err(malformed)?;
        transaction.sanitize().map_err(|error| malformed(error.to_string()))?;
        let message = &transaction.message;
        match message {
            VersionedMessage::Legacy(_) => {}
            VersionedMessage::V0(message) => {
                if let Some(lookup) = message.address_table_lookups.first() {
                    return Err(ReceivedError::LookupTable(lookup.account_key));
                }
            }
            VersionedMessage::V1(_) => return Err(ReceivedError::Version),
        }
        let signed = message.serialize();
        for (signer, signature) in message.static_account_keys().iter().zip(&transaction.signatures) {
            if *signature != Signature::default() && !signature.verify(signer.as_array(), &signed) {
                return Err(ReceivedError::BadSignature(*signer));
            }
        }
        let instructions = instructions(message)?;
        let parts = read_parts(&instructions)?;
        let payer = message.static_account_keys().first().copied().unwrap_or_default();
        let fee = fee(payer, transaction.signatures.len(), &parts);
        if fee.priority > allowance.priority_fee {
            return Err(ReceivedError::PriorityFee { fee: fee.priority, most: allowance.priority_fee });
        }
        Ok(Self { transaction, instructions, parts, fee })
    }

    /// Its instructions, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The escrows that it acts on and does not create: they are read before it is checked.
    pub fn escrows(&self) -> Vec<Pubkey> {
        let mut found = Vec::new();
        let mut created = Vec::new();
        for part in &self.parts {
            let Part::Action(action) = part else { continue };
            match action.instruction {
                EscrowInstruction::Create { .. } => created.push(action.escrow),
                _ if created.contains(&action.escrow) || found.contains(&action.escrow) => {}
                _ => found.push(action.escrow),
            }
        }
        found
    }

    /// What it costs besides rents.
    pub fn fee(&self) -> Fee {
        self.fee
    }

    /// Everybody who has to sign, who pays the fee first.
    pub fn signers(&self) -> &[Pubkey] {
        self.transaction.message.static_account_keys().get(..self.transaction.signatures.len()).unwrap_or_default()
    }

    /// Those who have not signed.
    pub fn missing(&self) -> Vec<Pubkey> {
        let signed = self.transaction.signatures.iter().map(|signature| *signature != Signature::default());
        self.signers().iter().zip(signed).filter(|(_, signed)| !signed).map(|(signer, _)| *signer).collect()
    }

    /// Its nonce's account, and who signs to use it up; none where it lives as long as its block hash.
    pub fn nonce(&self) -> Option<(Pubkey, Pubkey)> {
        match self.parts.first() {
            Some(Part::Nonce { account, authority }) => Some((*account, *authority)),
            _ => None,
        }
    }

    /// Its block hash, or the nonce's value.
    pub fn hash(&self) -> [u8; 32] {
        self.transaction.message.recent_blockhash().to_bytes()
    }

    /// Holds it against the `escrows` as they stand, at `now`, in unix seconds.
    ///
    /// # Errors
    ///
    /// What differs from what this client would build, or the rule that would refuse it.
    pub fn check(self, escrows: &[EscrowAccount], now: i64) -> Result<Checked, ReceivedError> {
        let mut present: HashMap<Pubkey, Option<EscrowAccount>> =
            escrows.iter().map(|escrow| (escrow.address, Some(escrow.clone()))).collect();
        let mut actions = Vec::new();
        let mut rebuilt = Vec::with_capacity(self.parts.len());
        for (number, (part, given)) in (1usize..).zip(self.parts.iter().zip(&self.instructions)) {
            let expected = match part {
                Part::Action(action) => {
                    let before = before(action, &present, number)?;
                    let action = self.plain(action, &before);
                    let refused = |error| {
                        let (action, before) = (action.clone(), before.clone());
                        ReceivedError::Refused { number, refused: Box::new(RefusedAction { action, before, error }) }
                    };
                    let preview = action.preview(&before, now).map_err(refused)?;
                    present.insert(action.escrow, preview.after.clone());
                    let built = action.instruction(&before);
                    actions.push(PreviewedAction { action, before, preview });
                    built
                }
                Part::OpenTokenAccount { payer, owner, mint, program } => {
                    self.needed(number, owner, mint, program)?;
                    create_associated_token_account(*payer, *owner, *mint, *program)
                }
                Part::Nonce { account, authority } => {
                    solana_system_interface::instruction::advance_nonce_account(account, authority)
                }
                Part::Memo { signers, .. } => {
                    let accounts = signers.iter().map(|signer| AccountMeta::new_readonly(*signer, true)).collect();
                    Instruction { accounts, ..given.clone() }
                }
                Part::Limit(_) | Part::Price(_) => Instruction { accounts: Vec::new(), ..given.clone() },
            };
            same(number, &expected, given)?;
            rebuilt.push(expected);
        }
        self.check_accounts(&rebuilt)?;
        Ok(Checked { received: self, actions })
    }

    /// A recipient that signs anyhow, and is paid where it would be without, has directed nothing.
    fn plain(&self, action: &Action, before: &EscrowAccount) -> Action {
        let usual = Action::new(before, action.instruction.clone());
        let pays_usual = matches!(action.instruction, EscrowInstruction::Withdraw { .. })
            && action.token_account == usual.token_account;
        let payer = self.signers().first().copied();
        let signs_elsewhere = |actor: &Pubkey| {
            payer == Some(*actor)
                || self.parts.iter().any(|part| match part {
                    Part::Action(other) => {
                        let withdraws = matches!(other.instruction, EscrowInstruction::Withdraw { .. });
                        !withdraws && other.actor == Some(*actor)
                    }
                    Part::OpenTokenAccount { payer, .. } => payer == actor,
                    Part::Nonce { authority, .. } => authority == actor,
                    Part::Memo { signers, .. } => signers.contains(actor),
                    Part::Limit(_) | Part::Price(_) => false,
                })
        };
        match action.actor {
            Some(actor) if pays_usual && signs_elsewhere(&actor) => Action { actor: None, ..action.clone() },
            _ => action.clone(),
        }
    }

    /// A token account is made for an action behind it, or not at all.
    fn needed(&self, number: usize, owner: &Pubkey, mint: &Pubkey, program: &Pubkey) -> Result<(), ReceivedError> {
        let account = Some(associated_token_address(owner, mint, program));
        let behind = self.parts.iter().skip(number);
        let mut needs = behind.filter_map(|part| match part {
            Part::Action(action) => action.token_account,
            _ => None,
        });
        if needs.any(|used| Some(used) == account) {
            Ok(())
        } else {
            Err(ReceivedError::NotNeeded { number, owner: *owner })
        }
    }

    /// Nobody signs, nothing may be changed, and nothing is named without need.
    fn check_accounts(&self, rebuilt: &[Instruction]) -> Result<(), ReceivedError> {
        let mut needed: HashMap<Pubkey, (bool, bool)> = HashMap::from([(self.fee.payer, (true, true))]);
        for instruction in rebuilt {
            needed.entry(instruction.program_id).or_default();
            for meta in &instruction.accounts {
                let (signs, writable) = needed.entry(meta.pubkey).or_default();
                *signs |= meta.is_signer;
                *writable |= meta.is_writable;
            }
        }
        for (account, signs, writable) in accounts(&self.transaction.message) {
            match needed.remove(&account) {
                None => return Err(ReceivedError::Unused(account)),
                Some((needs, _)) if needs != signs => return Err(ReceivedError::Signer(account)),
                Some((_, needs)) if needs != writable => return Err(ReceivedError::Writable(account)),
                Some(_) => {}
            }
        }
        needed.into_keys().next().map_or(Ok(()), |missing| Err(ReceivedError::Unused(missing)))
    }
}

impl Checked {
    /// Its actions, each with the escrow before it and what it would do.
    pub fn actions(&self) -> &[PreviewedAction] {
        &self.actions
    }

    /// What was read.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// What whoever signs it should know, a sentence for each thing: what is done, who pays which rents and the fee, who has to
    /// sign, how long it lives. `denomination` says how amounts of an asset are written.
    pub fn told(&self, denomination: impl Fn(Asset) -> Denomination, now: i64) -> Vec<String> {
        let Received { parts, fee, .. } = &self.received;
        let mut actions = self.actions.iter();
        let mut told: Vec<String> = Vec::new();
        for part in parts {
            match part {
                Part::Action(_) => {
                    let Some(PreviewedAction { action, before, preview }) = actions.next() else { continue };
                    let denomination = denomination(before.asset());
                    let teller = Teller { denomination: &denomination, now };
                    let sentence = teller.action(action, Known::previewed(action, before, preview));
                    told.push(format!("Escrow {}: {}", action.escrow, sentence.told(Tense::Present)));
                    told.extend(self.directed(action, before));
                    if let (EscrowInstruction::Create { .. }, Some(payer)) = (&action.instruction, action.actor) {
                        told.push(format!("{payer} pays the rent of its account, and gets it back when it is closed."));
                    }
                }
                Part::OpenTokenAccount { payer, owner, mint, .. } => {
                    told.push(format!("{payer} pays the rent of a token account of {owner} for the token {mint}."));
                }
                Part::Memo { text, .. } => told.push(format!("A memo says, for everybody to read: “{}”", plain(text))),
                Part::Limit(_) | Part::Price(_) | Part::Nonce { .. } => {}
            }
        }
        let sol = |lamports| -> Amount { Denomination::SOL.amount(lamports) };
        let priority = match fee.priority {
            0 => String::new(),
            most => format!(", and at most {} for being preferred", sol(most)),
        };
        let count = self.received.signers().len();
        let signatures = if count == 1 { "1 signature".to_owned() } else { format!("{count} signatures") };
        told.push(format!("{} pays the fee: {} for {signatures}{priority}.", fee.payer, sol(fee.signatures)));
        let list = |all: &[Pubkey]| all.iter().map(Pubkey::to_string).collect::<Vec<_>>().join(", ");
        let missing = self.received.missing();
        told.push(format!("It has to be signed by {}.", list(self.received.signers())));
        if missing.len() < count && !missing.is_empty() {
            told.push(format!("Not signed yet by {}.", list(&missing)));
        }
        told.push(match self.received.nonce() {
            None => "It can be executed for about a minute after its block hash was made.".to_owned(),
            Some((account, authority)) => format!(
                "It can be executed at any time, until the nonce {account} is used up or {authority} advances it."
            ),
        });
        told
    }

    /// Where the money of an action goes or comes from, if that is not where it usually does.
    fn directed(&self, action: &Action, before: &EscrowAccount) -> Option<String> {
        let account = action.token_account?;
        let usual = Action::new(before, action.instruction.clone()).token_account;
        let state = &before.state;
        let surplus = associated_token_address(&state.buyer, &state.mint, &state.token_program);
        match &action.instruction {
            _ if usual == Some(account) => None,
            EscrowInstruction::Fund => Some(format!("It is paid from the token account {account}.")),
            EscrowInstruction::Close | EscrowInstruction::Cancel => {
                let whose = if account == surplus { "the buyer's token account" } else { "the token account" };
                Some(format!("Tokens that nobody is owed go to {whose} {account}."))
            }
            _ => Some(format!("It is paid into the token account {account}.")),
        }
    }

    /// The transaction, to be signed and sent: `lifetime` is that of its block hash or nonce. Of a block hash that somebody else
    /// chose, 150 blocks after the present height is the last that it can be in.
    ///
    /// # Errors
    ///
    /// [`ReceivedError::Lifetime`], where it has another.
    pub fn into_unsigned(self, lifetime: Lifetime) -> Result<Unsigned, ReceivedError> {
        let nonce = match lifetime {
            Lifetime::Blockhash { .. } => None,
            Lifetime::Nonce { account, authority, .. } => Some((account, authority)),
        };
        if nonce != self.received.nonce() || lifetime.hash().to_bytes() != self.received.hash() {
            return Err(ReceivedError::Lifetime);
        }
        Ok(Unsigned { transaction: self.received.transaction, lifetime })
    }

    /// The transaction with the signatures of `signers` added, in base 64: for whoever prepared it, and sends it.
    ///
    /// # Errors
    ///
    /// Where one of them fails, or has nothing to sign.
    pub fn sign<S: Signers + ?Sized>(self, signers: &S) -> Result<String, PrepareError> {
        // It is not sent from here, so that nobody asks how long it lives.
        let unsigned = Unsigned { transaction: self.received.transaction, lifetime: Lifetime::default() };
        Ok(unsigned.sign(signers)?.to_base64())
    }
}

/// The escrow before an action.
fn before(
    action: &Action,
    present: &HashMap<Pubkey, Option<EscrowAccount>>,
    number: usize,
) -> Result<EscrowAccount, ReceivedError> {
    let escrow = action.escrow;
    let found = present.get(&escrow).cloned().flatten();
    match (&action.instruction, found) {
        (EscrowInstruction::Create { .. }, Some(_)) => Err(ReceivedError::AlreadyThere { number, escrow }),
        (EscrowInstruction::Create { terms }, None) => EscrowAccount::agreed(terms, action.actor.unwrap_or_default())
            .map_err(|_| ReceivedError::Unreadable(number)),
        (_, Some(found)) => Ok(found),
        (_, None) => Err(ReceivedError::NoEscrow { number, escrow }),
    }
}

/// Whether an instruction is the one that it should be. Accounts that may be left out at the end may also stand there as the
/// program's own address.
fn same(number: usize, expected: &Instruction, given: &Instruction) -> Result<(), ReceivedError> {
    let length = expected.accounts.len().max(given.accounts.len());
    for index in 0..length {
        let key = |all: &[AccountMeta]| all.get(index).map(|meta| meta.pubkey);
        let (expected, found) = (key(&expected.accounts), key(&given.accounts));
        let left_out = expected.is_none() && given.program_id == escrow::ID && found == Some(escrow::ID);
        if expected != found && !left_out {
            return Err(ReceivedError::Altered { number, expected, found });
        }
    }
    if expected.data == given.data { Ok(()) } else { Err(ReceivedError::Unreadable(number)) }
}

/// Every account of a message, whether it signs, and whether it may be changed.
fn accounts(message: &VersionedMessage) -> impl Iterator<Item = (Pubkey, bool, bool)> {
    let header = message.header();
    let keys = message.static_account_keys();
    let signers = usize::from(header.num_required_signatures);
    let writable_signers = signers.saturating_sub(usize::from(header.num_readonly_signed_accounts));
    let writable = keys.len().saturating_sub(usize::from(header.num_readonly_unsigned_accounts));
    keys.iter().enumerate().map(move |(place, key)| {
        let signs = place < signers;
        (*key, signs, if signs { place < writable_signers } else { place < writable })
    })
}

fn instructions(message: &VersionedMessage) -> Result<Vec<Instruction>, ReceivedError> {
    let accounts: Vec<(Pubkey, bool, bool)> = accounts(message).collect();
    let meta = |index: &u8| {
        let (pubkey, is_signer, is_writable) = *accounts.get(usize::from(*index))?;
        Some(AccountMeta { pubkey, is_signer, is_writable })
    };
    let read = message.instructions().iter().map(|instruction| {
        let accounts: Option<Vec<AccountMeta>> = instruction.accounts.iter().map(meta).collect();
        let program_id = meta(&instruction.program_id_index)?.pubkey;
        Some(Instruction { program_id, accounts: accounts?, data: instruction.data.clone() })
    });
    let all: Option<Vec<Instruction>> = read.collect();
    all.ok_or_else(|| ReceivedError::Malformed("an instruction names an account that is not there".to_owned()))
}

fn read_parts(instructions: &[Instruction]) -> Result<Vec<Part>, ReceivedError> {
    let mut parts: Vec<Part> = Vec::with_capacity(instructions.len());
    for (number, instruction) in (1usize..).zip(instructions) {
        let part = read_part(number, instruction)?;
        let once = match part {
            Part::Limit(_) => Some("the compute limit"),
            Part::Price(_) => Some("the price of compute units"),
            Part::Memo { .. } => Some("a memo"),
            Part::Action(_) | Part::OpenTokenAccount { .. } | Part::Nonce { .. } => None,
        };
        let kind = std::mem::discriminant(&part);
        if let Some(what) = once.filter(|_| parts.iter().any(|other| std::mem::discriminant(other) == kind)) {
            return Err(ReceivedError::Twice { number, what });
        }
        parts.push(part);
    }
    match parts.iter().any(|part| matches!(part, Part::Action(_))) {
        true => Ok(parts),
        false => Err(ReceivedError::NoAction),
    }
}

fn read_part(number: usize, instruction: &Instruction) -> Result<Part, ReceivedError> {
    let Instruction { program_id, accounts, data } = instruction;
    let foreign = || ReceivedError::Foreign {
        number,
        program: programs::named(program_id),
        what: programs::what(program_id, data).map_or_else(String::new, |what| format!(", to {what}")),
    };
    let key = |index: usize| accounts.get(index).map(|meta: &AccountMeta| meta.pubkey).unwrap_or_default();
    match *program_id {
        escrow::ID => Action::decode(instruction).map(Part::Action).ok_or(ReceivedError::Unreadable(number)),
        COMPUTE_BUDGET => match budget::Setting::read(data) {
            Some(budget::Setting::Limit(units)) => Ok(Part::Limit(units)),
            Some(budget::Setting::Price(price)) => Ok(Part::Price(price)),
            None => Err(foreign()),
        },
        TOKEN_ACCOUNTS => {
            let (payer, owner, mint, program) = (key(0), key(2), key(3), key(5));
            match create_associated_token_account(payer, owner, mint, program).data == *data {
                true => Ok(Part::OpenTokenAccount { payer, owner, mint, program }),
                false => Err(foreign()),
            }
        }
        // Behind another instruction it would make no nonce of the block hash.
        SYSTEM if number == 1 && nonce::advances_nonce(data) => Ok(Part::Nonce { account: key(0), authority: key(2) }),
        MEMO => {
            let text = String::from_utf8(data.clone()).map_err(|_| ReceivedError::Memo(number))?;
            Ok(Part::Memo { text, signers: accounts.iter().map(|meta| meta.pubkey).collect() })
        }
        _ => Err(foreign()),
    }
}

fn fee(payer: Pubkey, signatures: usize, parts: &[Part]) -> Fee {
    let limit = parts.iter().find_map(|part| if let Part::Limit(units) = part { Some(*units) } else { None });
    let price = parts.iter().find_map(|part| if let Part::Price(price) = part { Some(*price) } else { None });
    let others = parts.iter().filter(|part| !matches!(part, Part::Limit(_) | Part::Price(_))).count();
    let units = limit.map_or_else(|| budget::unlimited(others), |units| units.min(MOST_UNITS));
    Fee {
        payer,
        signatures: budget::cost(signatures, 0, 0),
        priority: budget::cost(0, units, price.unwrap_or_default()),
    }
}

/// A stranger's text, in which nothing is invisible, moves the cursor or turns the direction.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\'' | '"' => plain.push(letter),
            _ => plain.extend(letter.escape_debug()),
        }
    }
    plain
}
