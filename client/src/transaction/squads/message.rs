//! What a vault does: the message inside a vault transaction. It is written twice, small inside the instruction that creates
//! the transaction, and with Borsh's own lengths in the account that keeps it.

use borsh::BorshDeserialize;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use super::SquadsError;

/// Instructions with their accounts numbered.
#[derive(Debug, Clone, PartialEq, Eq, BorshDeserialize)]
pub struct Message {
    /// How many of the first accounts sign.
    pub signers: u8,
    /// How many of those may be changed: the first ones.
    pub writable_signers: u8,
    /// How many of the others may be changed: the first ones.
    pub writable_others: u8,
    /// Everything that is named, programs too.
    pub accounts: Vec<Pubkey>,
    /// What is called.
    pub calls: Vec<Call>,
    /// Accounts that are named by a table elsewhere.
    pub lookups: Vec<Lookup>,
}

/// An instruction with its accounts numbered.
#[derive(Debug, Clone, PartialEq, Eq, BorshDeserialize)]
pub struct Call {
    /// The program's number.
    pub program: u8,
    /// Its accounts' numbers.
    pub accounts: Vec<u8>,
    /// Its data.
    pub data: Vec<u8>,
}

/// Accounts that are named by a table elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, BorshDeserialize)]
pub struct Lookup {
    /// The table.
    pub table: Pubkey,
    /// The numbers in it of those that may be changed.
    pub writable: Vec<u8>,
    /// The numbers in it of the others.
    pub readonly: Vec<u8>,
}

/// An account, whether it signs, and whether it may be changed.
type Named = (Pubkey, bool, bool);

impl Message {
    /// What `vault` does. The vault stands first, as the payer of a message does, whether or not it pays.
    ///
    /// # Errors
    ///
    /// Where it names more accounts or instructions than can be numbered.
    pub fn compile(vault: &Pubkey, instructions: &[Instruction]) -> Result<Self, SquadsError> {
        let mut named: Vec<Named> = vec![(*vault, true, true)];
        for instruction in instructions {
            name(&mut named, (instruction.program_id, false, false));
            for meta in &instruction.accounts {
                name(&mut named, (meta.pubkey, meta.is_signer, meta.is_writable));
            }
        }
        let group = |signs: bool, writable: bool| {
            named.iter().filter(move |named| (named.1, named.2) == (signs, writable)).map(|named| named.0)
        };
        let count = |signs, writable| u8::try_from(group(signs, writable).count()).map_err(|_| SquadsError::TooMany);
        let accounts: Vec<Pubkey> =
            group(true, true).chain(group(true, false)).chain(group(false, true)).chain(group(false, false)).collect();
        u8::try_from(accounts.len()).map_err(|_| SquadsError::TooMany)?;
        let number = |address: &Pubkey| {
            let place = accounts.iter().position(|known| known == address);
            place.and_then(|place| u8::try_from(place).ok()).ok_or(SquadsError::TooMany)
        };
        let call = |instruction: &Instruction| {
            let accounts: Result<_, _> = instruction.accounts.iter().map(|meta| number(&meta.pubkey)).collect();
            Ok(Call { program: number(&instruction.program_id)?, accounts: accounts?, data: instruction.data.clone() })
        };
        let calls: Vec<Call> = instructions.iter().map(call).collect::<Result<_, SquadsError>>()?;
        let (writable_signers, readonly_signers) = (count(true, true)?, count(true, false)?);
        Ok(Self {
            signers: writable_signers.checked_add(readonly_signers).ok_or(SquadsError::TooMany)?,
            writable_signers,
            writable_others: count(false, true)?,
            accounts,
            calls,
            lookups: Vec::new(),
        })
    }

    /// As it stands in the instruction that creates the transaction: every length one byte, that of data two.
    ///
    /// # Errors
    ///
    /// Where something is longer than its length can say.
    pub fn encode(&self) -> Result<Vec<u8>, SquadsError> {
        let mut bytes = vec![self.signers, self.writable_signers, self.writable_others, short(self.accounts.len())?];
        for account in &self.accounts {
            bytes.extend_from_slice(account.as_array());
        }
        bytes.push(short(self.calls.len())?);
        for Call { program, accounts, data } in &self.calls {
            bytes.extend([*program, short(accounts.len())?]);
            bytes.extend_from_slice(accounts);
            let length = u16::try_from(data.len()).map_err(|_| SquadsError::TooMany)?;
            bytes.extend(length.to_le_bytes());
            bytes.extend_from_slice(data);
        }
        bytes.push(short(self.lookups.len())?);
        for Lookup { table, writable, readonly } in &self.lookups {
            bytes.extend_from_slice(table.as_array());
            for indexes in [writable, readonly] {
                bytes.push(short(indexes.len())?);
                bytes.extend_from_slice(indexes);
            }
        }
        Ok(bytes)
    }

    /// Reads what [`encode`](Self::encode) writes.
    ///
    /// # Errors
    ///
    /// Where the bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, SquadsError> {
        let mut reader = Reader(bytes);
        let [signers, writable_signers, writable_others] = [reader.byte()?, reader.byte()?, reader.byte()?];
        let accounts = (0..reader.byte()?).map(|_| reader.address()).collect::<Result<_, _>>()?;
        let call = |reader: &mut Reader<'_>| {
            Ok(Call { program: reader.byte()?, accounts: reader.bytes()?, data: reader.long_bytes()? })
        };
        let calls = (0..reader.byte()?).map(|_| call(&mut reader)).collect::<Result<_, SquadsError>>()?;
        let lookup = |reader: &mut Reader<'_>| {
            Ok(Lookup { table: reader.address()?, writable: reader.bytes()?, readonly: reader.bytes()? })
        };
        let lookups = (0..reader.byte()?).map(|_| lookup(&mut reader)).collect::<Result<_, SquadsError>>()?;
        match reader.0 {
            [] => Ok(Self { signers, writable_signers, writable_others, accounts, calls, lookups }),
            _ => Err(SquadsError::Message("more bytes than it has".to_owned())),
        }
    }

    /// The instructions as they are executed: an account signs, or may be changed, in all of them or in none.
    ///
    /// # Errors
    ///
    /// Where it takes accounts from a lookup table, which can say something else later, or names what is not there.
    pub fn instructions(&self) -> Result<Vec<Instruction>, SquadsError> {
        if let Some(lookup) = self.lookups.first() {
            return Err(SquadsError::LookupTable(lookup.table));
        }
        let missing = || SquadsError::Message("it names an account that it does not have".to_owned());
        let meta = |index: &u8| {
            let pubkey = *self.accounts.get(usize::from(*index)).ok_or_else(missing)?;
            let is_signer = *index < self.signers;
            let is_writable = match is_signer {
                true => *index < self.writable_signers,
                false => index.saturating_sub(self.signers) < self.writable_others,
            };
            Ok(AccountMeta { pubkey, is_signer, is_writable })
        };
        let instruction = |call: &Call| {
            let accounts = call.accounts.iter().map(meta).collect::<Result<_, SquadsError>>()?;
            Ok(Instruction { program_id: meta(&call.program)?.pubkey, accounts, data: call.data.clone() })
        };
        self.calls.iter().map(instruction).collect()
    }
}

/// An account that is named twice has what it needs in either place.
fn name(named: &mut Vec<Named>, (address, signs, writable): Named) {
    match named.iter_mut().find(|(known, ..)| *known == address) {
        Some((_, also_signs, also_writable)) => {
            *also_signs |= signs;
            *also_writable |= writable;
        }
        None => named.push((address, signs, writable)),
    }
}

fn short(length: usize) -> Result<u8, SquadsError> {
    u8::try_from(length).map_err(|_| SquadsError::TooMany)
}

/// Bytes that are read from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], SquadsError> {
        let ended = || SquadsError::Message("it ends too early".to_owned());
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(ended)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, SquadsError> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    fn address(&mut self) -> Result<Pubkey, SquadsError> {
        Ok(Pubkey::try_from(self.take(32)?).unwrap_or_default())
    }

    fn bytes(&mut self) -> Result<Vec<u8>, SquadsError> {
        let length = usize::from(self.byte()?);
        Ok(self.take(length)?.to_vec())
    }

    fn long_bytes(&mut self) -> Result<Vec<u8>, SquadsError> {
        let length = usize::from(u16::from_le_bytes([self.byte()?, self.byte()?]));
        Ok(self.take(length)?.to_vec())
    }
}
