//! What a transaction may cost: the compute units that it is allowed, and the price that is offered for each.

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::{Action, EscrowInstruction};

/// The compute budget program.
pub const COMPUTE_BUDGET: Pubkey = solana_sdk_ids::compute_budget::ID;

/// The most compute units that one transaction may have.
pub const MOST_UNITS: u32 = 1_400_000;

/// What a cluster takes for a signature, in lamports.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5_000;

/// What an instruction of another program is allowed: the runtime's own default.
const FOREIGN: u32 = 200_000;

/// What making an associated token account takes at most: its address may need many tries, and a mint many extensions.
const TOKEN_ACCOUNT: u32 = 60_000;

/// What the runtime's own programs take at most.
const BUILTIN: u32 = 3_000;

/// What somebody pays for being preferred, in micro-lamports per compute unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fees {
    /// At least this, whatever others pay.
    pub floor: u64,
    /// At most this, whatever others pay. 0: nothing is offered, and no node is asked what others pay.
    pub cap: u64,
    /// The compute units that a transaction is allowed, instead of those that its instructions need.
    pub units: Option<u32>,
}

impl Fees {
    /// The price between floor and cap, by what others have paid lately.
    pub fn price(&self, paid: u64) -> u64 {
        paid.max(self.floor).min(self.cap)
    }
}

/// What an instruction of the compute budget program sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The compute units that the transaction is allowed.
    Limit(u32),
    /// What is paid for each, in micro-lamports.
    Price(u64),
}

impl Setting {
    /// Reads an instruction's data; none where it sets something else.
    pub fn read(data: &[u8]) -> Option<Self> {
        match data.split_first()? {
            (2, units) => Some(Self::Limit(u32::from_le_bytes(units.try_into().ok()?))),
            (3, price) => Some(Self::Price(u64::from_le_bytes(price.try_into().ok()?))),
            _ => None,
        }
    }
}

/// The instructions that stand in front: the limit, and the price where one is offered. None where the caller brought some.
pub fn budget(instructions: &[Instruction], fees: &Fees, price: u64) -> Vec<Instruction> {
    if instructions.iter().any(|instruction| instruction.program_id == COMPUTE_BUDGET) {
        return Vec::new();
    }
    let limit = fees.units.unwrap_or_else(|| units(instructions)).min(MOST_UNITS);
    let mut budget = vec![set(2, &limit.to_le_bytes())];
    if price > 0 {
        budget.push(set(3, &price.to_le_bytes()));
    }
    budget
}

/// What a transaction costs whoever pays for it, in lamports: each signature, and its compute units at their price.
pub fn cost(signatures: usize, units: u32, price: u64) -> u64 {
    let signatures = u64::try_from(signatures).unwrap_or(u64::MAX).saturating_mul(LAMPORTS_PER_SIGNATURE);
    let priority = u128::from(units).saturating_mul(u128::from(price)).div_ceil(1_000_000);
    signatures.saturating_add(u64::try_from(priority).unwrap_or(u64::MAX))
}

/// The compute units that a transaction may take which sets no limit and has this many instructions besides the compute
/// budget's.
pub(super) fn unlimited(instructions: usize) -> u32 {
    FOREIGN.saturating_mul(u32::try_from(instructions).unwrap_or(u32::MAX)).min(MOST_UNITS)
}

/// The compute units that these instructions take at most, with those that the limit itself takes.
pub fn units(instructions: &[Instruction]) -> u32 {
    let own = BUILTIN;
    instructions.iter().map(units_of).fold(own, u32::saturating_add)
}

fn units_of(instruction: &Instruction) -> u32 {
    match instruction.program_id {
        escrow::ID => Action::decode(instruction).map_or(FOREIGN, |action| of_ours(&action)),
        solana_sdk_ids::system_program::ID | COMPUTE_BUDGET => BUILTIN,
        id if id == spl_associated_token_account_interface::program::ID => TOKEN_ACCOUNT,
        _ => FOREIGN,
    }
}

/// Twice what `docs/COMPUTE_UNITS.md` says at least, which a test holds it to; much more where an address is looked for, or
/// a token program is called that may have extensions.
fn of_ours(action: &Action) -> u32 {
    let moves_tokens = action.token_account.is_some();
    match &action.instruction {
        EscrowInstruction::Create { .. } => 80_000,
        EscrowInstruction::Fund | EscrowInstruction::Withdraw { .. } if moves_tokens => 40_000,
        EscrowInstruction::Cancel | EscrowInstruction::Close => 60_000,
        _ => 4_000,
    }
}

fn set(kind: u8, value: &[u8]) -> Instruction {
    Instruction { program_id: COMPUTE_BUDGET, accounts: Vec::new(), data: [&[kind], value].concat() }
}

#[cfg(test)]
mod tests {
    use escrow::state::{MilestoneStatus, Proposal, Recipient};

    use super::*;
    use crate::terms::{Asset, TermsBuilder};

    /// The action that a row of the table is about.
    fn action(name: &str, moves_tokens: bool) -> Action {
        use EscrowInstruction::*;
        let terms = || TermsBuilder::new(Pubkey::default(), Pubkey::default(), Asset::Sol).assemble(0).unwrap();
        let status = MilestoneStatus::Pending;
        let proposal = Proposal::Split { milestone: 0, status, remaining: 1, to_seller: 1, expires_at: 1 };
        let instruction = match name {
            "create" => Create { terms: Box::new(terms()) },
            "fund" => Fund,
            "cancel" => Cancel,
            "deliver" => Deliver { milestone: 0, evidence_hash: [0; 32] },
            "claim" => Claim { milestone: 0, secret: [0; 32] },
            "release" => Release { milestone: 0, amount: 1, expected_remaining: 1 },
            "refund" => Refund { milestone: 0, amount: 1, expected_remaining: 1 },
            "dispute" => Dispute { milestone: 0, reason_hash: [0; 32] },
            "rule" => Rule { milestone: 0, seller_bps: 0, rationale_hash: [0; 32] },
            "propose" => Propose { proposal },
            "accept" => Accept { proposal },
            "expire" => Expire { milestone: 0 },
            "withdraw" => Withdraw { recipient: Recipient::Seller },
            "close" => Close,
            other => panic!("{other}"),
        };
        let token_account = moves_tokens.then(Pubkey::default);
        Action { escrow: Pubkey::default(), instruction, actor: None, token_account }
    }

    #[test]
    fn each_instruction_may_take_twice_what_it_was_measured_to_take() {
        let mut rows = 0;
        for line in include_str!("../../../docs/COMPUTE_UNITS.md").lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let Some(most) = cells.get(3).and_then(|cell| cell.replace(',', "").parse::<u32>().ok()) else { continue };
            let (names, moves_tokens) = (cells[0].split(',').next().unwrap(), cells[0].contains("token"));
            let allowed: u32 = names.split(" + ").map(|name| of_ours(&action(name, moves_tokens))).sum();
            assert!(allowed >= 2 * most, "{}: {allowed} for {most}", cells[0]);
            rows += 1;
        }
        assert_eq!(rows, 22, "rows of docs/COMPUTE_UNITS.md");
    }
}
