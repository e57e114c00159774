//! Which tokens an escrow holds (design, section 2.7): an allow-list of raw extension numbers, read when the escrow is
//! created and again when it is funded, never on the way out.

use super::Result;
use crate::error::EscrowError;

/// The issuer can freeze token accounts, the vault's and the recipients'.
#[anchor_lang::constant]
pub const RISK_FREEZE: u16 = 1 << 0;
/// New token accounts start in a state that the issuer chose, possibly frozen.
#[anchor_lang::constant]
pub const RISK_DEFAULT_STATE: u16 = 1 << 1;
/// The issuer can pause every transfer.
#[anchor_lang::constant]
pub const RISK_PAUSABLE: u16 = 1 << 2;
/// The issuer can move or burn tokens in any account, the vault's too.
#[anchor_lang::constant]
pub const RISK_PERMANENT_DELEGATE: u16 = 1 << 3;
/// The issuer can close the mint when no tokens exist, and create it again with other properties.
#[anchor_lang::constant]
pub const RISK_MINT_CLOSE: u16 = 1 << 4;

/// Every risk, with its name for people.
pub const RISKS: [(u16, &str); 5] = [
    (RISK_FREEZE, "freeze"),
    (RISK_DEFAULT_STATE, "default-state"),
    (RISK_PAUSABLE, "pausable"),
    (RISK_PERMANENT_DELEGATE, "permanent-delegate"),
    (RISK_MINT_CLOSE, "mint-close"),
];

/// The bits that stand for a known risk.
pub const RISKS_KNOWN: u16 =
    RISK_FREEZE | RISK_DEFAULT_STATE | RISK_PAUSABLE | RISK_PERMANENT_DELEGATE | RISK_MINT_CLOSE;

/// The size of a mint without extensions.
const MINT_SIZE: usize = 82;
/// Where a mint with extensions says that it is a mint: behind the padding to a token account's size.
const ACCOUNT_TYPE_OFFSET: usize = 165;
/// Where the extensions begin.
const EXTENSIONS_OFFSET: usize = 166;
const ACCOUNT_TYPE_MINT: u8 = 1;

/// What an escrow needs to know of a mint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MintInfo {
    /// Digits after the decimal point.
    pub decimals: u8,
    /// The `RISK_*` bits of the powers that the issuer has.
    pub risks: u16,
}

impl MintInfo {
    /// Reads a mint's raw account data. Whether a token program owns the account is for the caller to check.
    pub fn read(data: &[u8]) -> Result<Self> {
        let decimals = *data.get(44).ok_or(EscrowError::MintInvalid)?;
        if data.get(45) != Some(&1) {
            return Err(EscrowError::MintInvalid);
        }
        let mut risks = if data.get(46..50) == Some(&[0; 4]) { 0 } else { RISK_FREEZE };
        if data.len() != MINT_SIZE {
            if data.get(ACCOUNT_TYPE_OFFSET) != Some(&ACCOUNT_TYPE_MINT) {
                return Err(EscrowError::MintInvalid);
            }
            risks |= extension_risks(data.get(EXTENSIONS_OFFSET..).unwrap_or_default())?;
        }
        Ok(Self { decimals, risks })
    }

    /// Whether the parties accepted every power that the issuer has.
    pub fn check_accepted(&self, accepted_risks: u16) -> Result<()> {
        if self.risks & !accepted_risks == 0 { Ok(()) } else { Err(EscrowError::RiskNotAccepted) }
    }
}

/// Walks the type-length-value entries up to the end of the data or to type 0, which is unused space.
fn extension_risks(mut entries: &[u8]) -> Result<u16> {
    let mut risks = 0;
    while let Some((kind, rest)) = entries.split_first_chunk::<2>() {
        let kind = u16::from_le_bytes(*kind);
        if kind == 0 {
            break;
        }
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(EscrowError::MintInvalid)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (value, rest) = rest.split_at_checked(length).ok_or(EscrowError::MintInvalid)?;
        risks |= extension_risk(kind, value)?;
        entries = rest;
    }
    Ok(risks)
}

/// The risk bit of one extension; 0 for a harmless one, an error for one that an escrow cannot hold safely or that is
/// not known. The numbers are Token-2022's.
fn extension_risk(kind: u16, value: &[u8]) -> Result<u16> {
    match kind {
        // Transfer fee: what arrives would be less than what was sent. Harmless only if it is zero for good.
        1 if transfer_fee_is_zero_for_good(value) => Ok(0),
        3 => Ok(RISK_MINT_CLOSE),
        // Confidential transfers: the escrow uses public ones only.
        4 => Ok(0),
        6 => Ok(RISK_DEFAULT_STATE),
        // Interest bearing: changes what is displayed, not the raw units.
        10 => Ok(0),
        12 => Ok(RISK_PERMANENT_DELEGATE),
        // Transfer hook: a program that every transfer calls. Harmless only without one and without an authority.
        14 if value == [0; 64] => Ok(0),
        // Metadata pointer, metadata, group pointer, group, member pointer, member.
        18..=23 => Ok(0),
        // Scaled amount: changes what is displayed, not the raw units.
        25 => Ok(0),
        26 => Ok(RISK_PAUSABLE),
        _ => Err(EscrowError::ExtensionUnsupported),
    }
}

/// Layout: fee authority 32, withdraw authority 32, withheld amount 8, then twice (epoch 8, maximum 8, rate 2): the
/// rate in force and the next one.
fn transfer_fee_is_zero_for_good(value: &[u8]) -> bool {
    value.len() == 108
        && value.get(..32) == Some(&[0; 32])
        && value.get(88..90) == Some(&[0; 2])
        && value.get(106..108) == Some(&[0; 2])
}
