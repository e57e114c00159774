//! The instructions and their accounts, as `idl/escrow.json` says.

use anyhow::Context;
use serde::Deserialize;

const IDL: &str = include_str!("../../../idl/escrow.json");

#[derive(Deserialize)]
struct Idl {
    instructions: Vec<InstructionAccounts>,
}

/// An instruction.
#[derive(Deserialize)]
pub struct InstructionAccounts {
    /// In snake case.
    pub name: String,
    /// Its accounts, in order.
    #[serde(rename = "accounts")]
    pub slots: Vec<Slot>,
}

/// One account of an instruction.
#[derive(Deserialize)]
pub struct Slot {
    /// In snake case.
    pub name: String,
    /// Whether the instruction changes it.
    #[serde(default)]
    pub writable: bool,
    /// Whether it must sign.
    #[serde(default)]
    pub signer: bool,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
}

/// All instructions.
pub fn instructions() -> anyhow::Result<Vec<InstructionAccounts>> {
    let idl: Idl = serde_json::from_str(IDL).context("idl/escrow.json")?;
    Ok(idl.instructions)
}
