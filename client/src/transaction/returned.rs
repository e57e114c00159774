//! What a wallet may change in what it signs: a closed list.
//!
//! Wallets add a fee, guards against a changed state, a memo. None of that moves money of its own. Everything else that
//! differs is refused, with what differs.

use base64::{Engine, prelude::BASE64_STANDARD};
use solana_message::{VersionedMessage, compiled_instruction::CompiledInstruction};
use solana_pubkey::{Pubkey, pubkey};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use thiserror::Error;

use super::{
    PrepareError, Unsigned,
    budget::{COMPUTE_BUDGET, MOST_UNITS, Setting, unlimited},
    encoding,
    nonce::advances_nonce,
};

/// Lighthouse: refuses a transaction whose accounts are not as a wallet has shown them.
pub const LIGHTHOUSE: Pubkey = pubkey!("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");
/// Notes.
pub const MEMO: Pubkey = pubkey!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

/// The most assertions of Lighthouse that a wallet may add.
const MOST_ASSERTIONS: usize = 3;
/// Lighthouse's instructions before this one write to accounts; from it on they only compare.
const FIRST_ASSERTION: u8 = 2;

/// How much a wallet may add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The most that the priority fee may come to, in lamports.
    pub priority_fee: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { priority_fee: 10_000_000 }
    }
}

/// What a wallet changed that it may not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Change {
    /// It is not a transaction of version 0.
    #[error("it is no longer a transaction of version 0")]
    Version,
    /// Another block hash or nonce: until when it may be executed is not known.
    #[error("it has the block hash or nonce {found} instead of {expected}: sign it again, and leave that alone")]
    Lifetime {
        /// What it was given.
        expected: String,
        /// What it has.
        found: String,
    },
    /// Somebody else pays the fee.
    #[error("{found} pays the fee instead of {expected}")]
    FeePayer {
        /// Who was to pay.
        expected: Pubkey,
        /// Who does.
        found: Pubkey,
    },
    /// Other people have to sign.
    #[error("{0} would have to sign it too, or not any more")]
    Signers(Pubkey),
    /// An account may be changed that may not, or the other way around.
    #[error("the account {0} may be changed by it, and was not to be, or the other way around")]
    Writable(Pubkey),
    /// It names accounts through a lookup table.
    #[error("it has an address lookup table")]
    LookupTable,
    /// One of our instructions is missing, changed, or at another place.
    #[error("its instruction {0} (counted from 1) is missing, changed or moved")]
    Instruction(usize),
    /// An instruction was added that is not on the list.
    #[error("an instruction of the program {0} was added")]
    Added(Pubkey),
    /// A compute budget that is not a limit or a price, or is set twice.
    #[error("a compute budget was added that is neither one limit nor one price")]
    Budget,
    /// The priority fee is above what is allowed.
    #[error("its priority fee would be {fee} lamports, and at most {most} are allowed")]
    PriorityFee {
        /// The fee, in lamports.
        fee: u128,
        /// The most.
        most: u64,
    },
    /// More assertions of Lighthouse than are allowed, or one that writes.
    #[error("more than {MOST_ASSERTIONS} instructions of Lighthouse were added, or one that writes")]
    Assertions,
    /// More than one memo.
    #[error("more than one memo was added")]
    Memos,
    /// It was signed by somebody already, and what they signed is another transaction.
    #[error("somebody has signed it already, and this is another transaction than the one that they signed")]
    SignedAlready,
}

impl Unsigned {
    /// What came back from a wallet, in base 64: the same transaction, or one that a wallet may make of it, with the
    /// signatures that are in it.
    ///
    /// # Errors
    ///
    /// [`PrepareError::WalletChanged`], where something differs that may not, and where a signature is false.
    pub fn accept(self, returned: &str, allowance: &Allowance) -> Result<Self, PrepareError> {
        let malformed = |reason: String| PrepareError::Malformed(reason);
        let bytes = BASE64_STANDARD.decode(returned.trim()).map_err(|error| malformed(error.to_string()))?;
        let found = encoding::read_wire(&bytes).map_err(malformed)?;
        found.sanitize().map_err(|error| malformed(error.to_string()))?;
        if found.message == self.transaction.message {
            return self.with_signatures(found.signatures);
        }
        if self.transaction.signatures.iter().any(|signature| *signature != Signature::default()) {
            return Err(Change::SignedAlready.into());
        }
        compare(&self.transaction.message, &found.message, allowance)?;
        let VersionedTransaction { signatures, message } = found;
        let unsigned = vec![Signature::default(); signatures.len()];
        let taken =
            Self { transaction: VersionedTransaction { signatures: unsigned, message }, lifetime: self.lifetime };
        taken.with_signatures(signatures)
    }
}

/// Whether a wallet may make `found` of `given`.
fn compare(given: &VersionedMessage, found: &VersionedMessage, allowance: &Allowance) -> Result<(), Change> {
    let (given, found) = (Read::new(given)?, Read::new(found)?);
    if given.hash != found.hash {
        return Err(Change::Lifetime { expected: given.hash, found: found.hash });
    }
    let payer = |read: &Read| read.accounts.first().map(|(key, ..)| *key).unwrap_or_default();
    if payer(&given) != payer(&found) {
        return Err(Change::FeePayer { expected: payer(&given), found: payer(&found) });
    }
    for (key, signs, changes) in &given.accounts {
        let there = found.accounts.iter().find(|(other, ..)| other == key);
        match there {
            Some((_, also_signs, also_changes)) => {
                same(signs == also_signs, || Change::Signers(*key))?;
                same(changes == also_changes, || Change::Writable(*key))?;
            }
            // The compute budget is the only program that a wallet may take out.
            None => same(*key == COMPUTE_BUDGET, || Change::Signers(*key))?,
        }
    }
    for (key, signs, changes) in &found.accounts {
        let is_added = !given.accounts.iter().any(|(other, ..)| other == key);
        same(!is_added || !signs, || Change::Signers(*key))?;
        same(!is_added || !changes, || Change::Writable(*key))?;
    }
    added(&given, &found, allowance)
}

fn same(holds: bool, change: impl FnOnce() -> Change) -> Result<(), Change> {
    if holds { Ok(()) } else { Err(change()) }
}

/// Whether all of our instructions are there in order, the first one first, and what stands between them is on the list.
fn added(given: &Read, found: &Read, allowance: &Allowance) -> Result<(), Change> {
    let ours: Vec<&Instruction> =
        given.instructions.iter().filter(|(program, ..)| *program != COMPUTE_BUDGET).collect();
    let mut next = 0usize;
    let (mut assertions, mut memos) = (0usize, 0usize);
    let (mut limit, mut price) = (None, None);
    for (place, instruction) in found.instructions.iter().enumerate() {
        // A nonce is advanced by the first instruction, or not at all.
        let may_be_ours = next != 0 || !given.advances_nonce || place == 0;
        if may_be_ours && ours.get(next).is_some_and(|ours| *ours == instruction) {
            next = next.saturating_add(1);
            continue;
        }
        let (program, _, data) = instruction;
        match *program {
            COMPUTE_BUDGET => match Setting::read(data) {
                Some(Setting::Limit(units)) if limit.is_none() => limit = Some(units.min(MOST_UNITS)),
                Some(Setting::Price(each)) if price.is_none() => price = Some(each),
                _ => return Err(Change::Budget),
            },
            LIGHTHOUSE => {
                assertions = assertions.saturating_add(1);
                let writes = data.first().is_none_or(|kind| *kind < FIRST_ASSERTION);
                same(!writes && assertions <= MOST_ASSERTIONS, || Change::Assertions)?;
            }
            MEMO => {
                memos = memos.saturating_add(1);
                same(memos <= 1, || Change::Memos)?;
            }
            // One of ours that is not the next one is one that was moved or repeated.
            _ if given.instructions.iter().any(|(other, ..)| other == program) => {
                return Err(Change::Instruction(next.saturating_add(1)));
            }
            other => return Err(Change::Added(other)),
        }
    }
    same(next == ours.len(), || Change::Instruction(next.saturating_add(1)))?;
    let others = found.instructions.iter().filter(|(program, ..)| *program != COMPUTE_BUDGET).count();
    let units = u128::from(limit.unwrap_or_else(|| unlimited(others)));
    let fee = units.saturating_mul(u128::from(price.unwrap_or(0))).div_ceil(1_000_000);
    same(fee <= u128::from(allowance.priority_fee), || Change::PriorityFee { fee, most: allowance.priority_fee })
}

/// Program, accounts, data.
type Instruction = (Pubkey, Vec<Pubkey>, Vec<u8>);

/// A message, with every index resolved.
struct Read {
    hash: String,
    /// Address, whether it signs, whether it may be changed.
    accounts: Vec<(Pubkey, bool, bool)>,
    instructions: Vec<Instruction>,
    advances_nonce: bool,
}

impl Read {
    fn new(message: &VersionedMessage) -> Result<Self, Change> {
        let VersionedMessage::V0(v0) = message else { return Err(Change::Version) };
        same(v0.address_table_lookups.is_empty(), || Change::LookupTable)?;
        let header = &v0.header;
        let signers = usize::from(header.num_required_signatures);
        let fixed_signers = signers.saturating_sub(usize::from(header.num_readonly_signed_accounts));
        let count = v0.account_keys.len();
        let fixed = count.saturating_sub(usize::from(header.num_readonly_unsigned_accounts));
        let accounts = v0.account_keys.iter().enumerate().map(|(place, key)| {
            let signs = place < signers;
            (*key, signs, if signs { place < fixed_signers } else { place < fixed })
        });
        let key = |index: u8| v0.account_keys.get(usize::from(index)).copied();
        let resolve = |place: usize, instruction: &CompiledInstruction| {
            let accounts: Option<Vec<Pubkey>> = instruction.accounts.iter().map(|index| key(*index)).collect();
            match (key(instruction.program_id_index), accounts) {
                (Some(program), Some(accounts)) => Ok((program, accounts, instruction.data.clone())),
                _ => Err(Change::Instruction(place.saturating_add(1))),
            }
        };
        let instructions: Vec<Instruction> = v0
            .instructions
            .iter()
            .enumerate()
            .map(|(place, instruction)| resolve(place, instruction))
            .collect::<Result<_, _>>()?;
        let advances_nonce = instructions
            .first()
            .is_some_and(|(program, _, data)| *program == solana_sdk_ids::system_program::ID && advances_nonce(data));
        Ok(Self { hash: v0.recent_blockhash.to_string(), accounts: accounts.collect(), instructions, advances_nonce })
    }
}

#[cfg(test)]
mod tests {
    use solana_instruction::{AccountMeta, Instruction};
    use solana_message::v0::Message;
    use solana_program::hash::Hash;

    use super::*;
    use crate::transaction::{Lifetime, Origin};

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    const LIFETIME: Lifetime = lifetime(9);

    const fn lifetime(byte: u8) -> Lifetime {
        let zero = crate::sender::Height(0);
        let origin =
            Origin { genesis: crate::sender::Hash([0; 32]), slot: crate::sender::Slot(0), height: zero, skipped: 0 };
        Lifetime::Blockhash { hash: [byte; 32], last_valid_block_height: 100, origin }
    }

    fn ours() -> Vec<Instruction> {
        let accounts = vec![AccountMeta::new(key(1), true), AccountMeta::new(key(2), false)];
        let second = vec![AccountMeta::new_readonly(key(3), false), AccountMeta::new(key(2), false)];
        vec![
            Instruction { program_id: key(50), accounts, data: vec![1, 2, 3] },
            Instruction { program_id: key(50), accounts: second, data: vec![4] },
        ]
    }

    fn budget(data: &[u8]) -> Instruction {
        Instruction { program_id: COMPUTE_BUDGET, accounts: vec![], data: data.to_vec() }
    }

    fn limit(units: u32) -> Instruction {
        budget(&[[2].as_slice(), &units.to_le_bytes()].concat())
    }

    fn price(each: u64) -> Instruction {
        budget(&[[3].as_slice(), &each.to_le_bytes()].concat())
    }

    fn lighthouse(kind: u8) -> Instruction {
        Instruction {
            program_id: LIGHTHOUSE,
            accounts: vec![AccountMeta::new_readonly(key(7), false)],
            data: vec![kind, 1],
        }
    }

    fn memo() -> Instruction {
        Instruction { program_id: MEMO, accounts: vec![], data: b"hello".to_vec() }
    }

    fn back(instructions: &[Instruction], payer: &Pubkey, lifetime: &Lifetime) -> String {
        let message = Message::try_compile(payer, instructions, &[], lifetime.hash()).unwrap();
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        let transaction = VersionedTransaction { signatures, message: VersionedMessage::V0(message) };
        BASE64_STANDARD.encode(encoding::wire(&transaction))
    }

    fn accept(instructions: &[Instruction]) -> Result<Unsigned, PrepareError> {
        accept_from(instructions, &key(1), &LIFETIME)
    }

    fn accept_from(found: &[Instruction], payer: &Pubkey, lifetime: &Lifetime) -> Result<Unsigned, PrepareError> {
        let given = Unsigned::new(&ours(), &key(1), LIFETIME).unwrap();
        given.accept(&back(found, payer, lifetime), &Allowance::default())
    }

    fn refused(instructions: &[Instruction]) -> Change {
        match accept(instructions) {
            Err(PrepareError::WalletChanged(change)) => change,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_on_the_list_is_taken_wherever_it_stands() {
        let [first, second] = <[Instruction; 2]>::try_from(ours()).unwrap();
        for found in [
            vec![first.clone(), second.clone()],
            vec![limit(100_000), price(5_000), first.clone(), second.clone()],
            vec![first.clone(), price(5_000), second.clone()],
            vec![lighthouse(2), first.clone(), lighthouse(5), second.clone(), lighthouse(14)],
            vec![first.clone(), second.clone(), memo()],
            vec![price(1), memo(), first, second, lighthouse(9)],
        ] {
            let taken = accept(&found).unwrap();
            assert_eq!(taken.message().instructions().len(), found.len());
            assert_eq!(taken.signers(), [key(1)]);
        }
    }

    #[test]
    fn ours_may_not_be_missing_changed_moved_or_repeated() {
        let [first, second] = <[Instruction; 2]>::try_from(ours()).unwrap();
        let other_data = Instruction { data: vec![5], ..second.clone() };
        let mut other_account = second.clone();
        other_account.accounts[0].pubkey = key(2);
        for found in [
            vec![first.clone()],
            vec![second.clone(), first.clone()],
            vec![first.clone(), second.clone(), second.clone()],
            vec![first.clone(), other_data],
        ] {
            assert!(matches!(refused(&found), Change::Instruction(_) | Change::Signers(_)), "{found:?}");
        }
        // The account that nothing names any more is missing.
        assert_eq!(refused(&[first, other_account]), Change::Signers(key(3)));
    }

    #[test]
    fn nothing_else_may_be_added() {
        let with = |more: Vec<Instruction>| [ours(), more].concat();
        let transfer = solana_system_interface::instruction::transfer(&key(1), &key(2), 1);
        assert_eq!(refused(&with(vec![transfer])), Change::Added(solana_sdk_ids::system_program::ID));
        assert_eq!(refused(&with(vec![memo(), memo()])), Change::Memos);
        assert_eq!(refused(&with(vec![lighthouse(2); 4])), Change::Assertions);
        assert_eq!(refused(&with(vec![lighthouse(0)])), Change::Assertions);
        assert_eq!(refused(&with(vec![lighthouse(1)])), Change::Assertions);
        // A larger heap, a limit for loaded data, the same twice, nothing.
        for wrong in [vec![budget(&[1, 0, 0, 0, 0])], vec![budget(&[4, 0, 0, 0, 0])], vec![limit(1), limit(2)]] {
            assert_eq!(refused(&with(wrong)), Change::Budget);
        }
        assert_eq!(refused(&with(vec![price(1), price(2)])), Change::Budget);
        assert_eq!(refused(&with(vec![budget(&[])])), Change::Budget);
        let signs = Instruction { accounts: vec![AccountMeta::new_readonly(key(8), true)], ..memo() };
        assert_eq!(refused(&with(vec![signs])), Change::Signers(key(8)));
        let writes = Instruction { accounts: vec![AccountMeta::new(key(8), false)], ..lighthouse(2) };
        assert_eq!(refused(&with(vec![writes])), Change::Writable(key(8)));
        let raises = Instruction { accounts: vec![AccountMeta::new(key(3), false)], ..memo() };
        assert_eq!(refused(&with(vec![raises])), Change::Writable(key(3)));
    }

    #[test]
    fn a_priority_fee_is_taken_up_to_its_cap_to_the_lamport() {
        let with = |more: Vec<Instruction>| [more, ours()].concat();
        accept(&with(vec![limit(1_000_000), price(10_000_000)])).unwrap();
        let above = refused(&with(vec![limit(1_000_000), price(10_000_001)]));
        assert_eq!(above, Change::PriorityFee { fee: 10_000_001, most: 10_000_000 });
        // Two instructions without a limit may use 400,000.
        accept(&with(vec![price(25_000_000)])).unwrap();
        assert!(matches!(refused(&with(vec![price(25_000_003)])), Change::PriorityFee { .. }));
        assert!(matches!(refused(&with(vec![limit(u32::MAX), price(u64::MAX)])), Change::PriorityFee { .. }));
    }

    #[test]
    fn payer_and_lifetime_stay() {
        let other = lifetime(8);
        let error = accept_from(&ours(), &key(1), &other).unwrap_err();
        assert!(matches!(error, PrepareError::WalletChanged(Change::Lifetime { .. })), "{error}");
        let error = accept_from(&ours(), &key(5), &LIFETIME).unwrap_err();
        assert!(matches!(error, PrepareError::WalletChanged(Change::FeePayer { .. })), "{error}");
    }

    #[test]
    fn a_nonce_is_advanced_first() {
        let origin = Origin::default();
        let nonce = Lifetime::Nonce { account: key(20), authority: key(1), value: [9; 32], read_at: 1, origin };
        let given = Unsigned::new(&ours(), &key(1), nonce).unwrap();
        let advance = solana_system_interface::instruction::advance_nonce_account(&key(20), &key(1));
        let first = [vec![advance.clone()], ours(), vec![price(1)]].concat();
        given.clone().accept(&back(&first, &key(1), &nonce), &Allowance::default()).unwrap();
        let second = [vec![price(1), advance], ours()].concat();
        let error = given.accept(&back(&second, &key(1), &nonce), &Allowance::default()).unwrap_err();
        assert_eq!(error, PrepareError::WalletChanged(Change::Instruction(1)));
    }

    #[test]
    fn other_versions_lookup_tables_and_nonsense_are_refused() {
        let given = || Unsigned::new(&ours(), &key(1), LIFETIME).unwrap();
        let wire = |message| {
            let transaction = VersionedTransaction { signatures: vec![Signature::default()], message };
            BASE64_STANDARD.encode(encoding::wire(&transaction))
        };
        let accept = |text: &str| given().accept(text, &Allowance::default()).unwrap_err();
        let legacy =
            solana_message::Message::new_with_blockhash(&ours(), Some(&key(1)), &Hash::new_from_array([9; 32]));
        assert_eq!(accept(&wire(VersionedMessage::Legacy(legacy))), Change::Version.into());
        let mut table = Message::try_compile(&key(1), &ours(), &[], LIFETIME.hash()).unwrap();
        table.address_table_lookups.push(solana_message::v0::MessageAddressTableLookup {
            account_key: key(60),
            writable_indexes: vec![0],
            readonly_indexes: vec![],
        });
        assert_eq!(accept(&wire(VersionedMessage::V0(table))), Change::LookupTable.into());
        for text in ["", "!", "AAAA", "AQ=="] {
            assert!(matches!(accept(text), PrepareError::Malformed(_)), "{text}");
        }
    }
}
