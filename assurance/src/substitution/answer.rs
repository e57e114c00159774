//! What became of a case, in words.

use std::fmt;

use anyhow::bail;
use escrow_client::{EscrowError, escrow};
use escrow_tests::{TOKEN, TOKEN_2022};
use litesvm::types::FailedTransactionMetadata;
use solana_instruction::error::InstructionError;
use solana_sdk_ids::system_program;
use solana_transaction_error::TransactionError;

use super::justifications::Effect;

/// What became of a case.
pub enum Answer {
    /// Why it was refused, and nothing changed.
    Refused(String),
    /// What it did.
    Accepted(Effect),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Accepted(effect) => write!(f, "accepted: {effect}"),
        }
    }
}

/// The name and number of a refusal; an error where a case was refused by accident: not by a program, or because a
/// program broke off.
pub fn refusal(failed: &FailedTransactionMetadata) -> anyhow::Result<String> {
    let TransactionError::InstructionError(0, error) = &failed.err else {
        bail!("refused by the bank, not by the program: {:?}", failed.err);
    };
    // The first that failed is the one that refused; its callers only pass it on.
    let refused_by = failed.meta.logs.iter().find_map(|line| line.strip_prefix("Program ")?.split_once(" failed: "));
    let program = refused_by.map(|(program, _)| program.to_owned()).unwrap_or_default();
    let by = |program| match program {
        _ if program == escrow::ID.to_string() => "",
        _ if program == TOKEN.to_string() => "SPL Token: ",
        _ if program == TOKEN_2022.to_string() => "Token-2022: ",
        _ if program == system_program::ID.to_string() => "system program: ",
        _ => "another program: ",
    };
    let by = by(program);
    Ok(match (by, error) {
        ("", InstructionError::Custom(code)) => match EscrowError::from_code(*code) {
            Some(error) => format!("{} {code}", error.name()),
            None => format!("{} {code}", anchor(*code)?),
        },
        ("SPL Token: " | "Token-2022: ", InstructionError::Custom(code)) => format!("{by}{} {code}", token(*code)?),
        ("system program: ", InstructionError::Custom(code)) => format!("{by}{} {code}", system(*code)?),
        (_, InstructionError::ProgramFailedToComplete | InstructionError::ComputationalBudgetExceeded) => {
            bail!("a program broke off: {}", failed.meta.pretty_logs())
        }
        (_, error) => format!("{by}{error:?}"),
    })
}

fn anchor(code: u32) -> anyhow::Result<&'static str> {
    Ok(match code {
        2000 => "ConstraintMut",
        2007 => "ConstraintExecutable",
        2040 => "ConstraintDuplicateMutableAccount",
        _ => bail!("a number of Anchor's that has no name here: {code}"),
    })
}

fn token(code: u32) -> anyhow::Result<&'static str> {
    Ok(match code {
        1 => "InsufficientFunds",
        3 => "MintMismatch",
        4 => "OwnerMismatch",
        17 => "AccountFrozen",
        _ => bail!("a number of the token program's that has no name here: {code}"),
    })
}

fn system(code: u32) -> anyhow::Result<&'static str> {
    Ok(match code {
        0 => "AccountAlreadyInUse",
        1 => "ResultWithNegativeLamports",
        _ => bail!("a number of the system program's that has no name here: {code}"),
    })
}
