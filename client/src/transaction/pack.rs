//! Dividing what is to be done into transactions.

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{Lifetime, PACKET_SIZE, PrepareError, Unsigned, encoding::wire};
use crate::{Action, EscrowInstruction};

/// The most bytes that a transaction of ours has: wallets add instructions of their own, and have 200 bytes for them.
pub const MAX_SIZE: usize = 1_032;

/// Instructions that stay together, in this order: an account is made in the transaction that needs it.
pub type Unit = Vec<Instruction>;

/// Divides `units` into as few transactions as their order allows, each of at most [`MAX_SIZE`] bytes, or of one unit that is
/// larger alone. `frame` is put in front of each: the compute budget.
///
/// A creation never shares a transaction with another: each is an agreement of its own. A claim is alone: what fails beside
/// it would publish the secret for nothing.
///
/// # Errors
///
/// Where one unit alone is larger than a transaction can be.
pub fn pack(
    units: &[Unit],
    frame: &[Instruction],
    payer: &Pubkey,
    lifetime: &Lifetime,
) -> Result<Vec<Vec<Instruction>>, PrepareError> {
    let mut packed: Vec<Vec<Instruction>> = Vec::new();
    for unit in units {
        let fits = packed.last().is_some_and(|last| {
            may_join(last, unit) && {
                let joined: Vec<Instruction> = last.iter().chain(unit).cloned().collect();
                size(&joined, payer, lifetime).is_ok_and(|size| size <= MAX_SIZE)
            }
        });
        match packed.last_mut() {
            Some(last) if fits => last.extend_from_slice(unit),
            _ => {
                let alone: Vec<Instruction> = frame.iter().chain(unit).cloned().collect();
                let size = size(&alone, payer, lifetime)?;
                if size > PACKET_SIZE {
                    return Err(PrepareError::TooLarge { size });
                }
                packed.push(alone);
            }
        }
    }
    Ok(packed)
}

/// The bytes of a transaction with these instructions, signatures included.
///
/// # Errors
///
/// Where it cannot be built at all.
pub fn size(instructions: &[Instruction], payer: &Pubkey, lifetime: &Lifetime) -> Result<usize, PrepareError> {
    match Unsigned::new(instructions, payer, *lifetime) {
        Ok(unsigned) => Ok(wire(&unsigned.transaction).len()),
        Err(PrepareError::TooLarge { size }) => Ok(size),
        Err(error) => Err(error),
    }
}

fn may_join(present: &[Instruction], unit: &[Instruction]) -> bool {
    let ours = |instruction: &Instruction| Action::decode(instruction).map(|action| action.instruction);
    let creates = |some: &[Instruction]| {
        some.iter().filter_map(ours).any(|done| matches!(done, EscrowInstruction::Create { .. }))
    };
    let claims =
        |some: &[Instruction]| some.iter().filter_map(ours).any(|done| matches!(done, EscrowInstruction::Claim { .. }));
    let one_claims = claims(present) || claims(unit);
    let both_create = creates(present) && creates(unit);
    !one_claims && !both_create
}
