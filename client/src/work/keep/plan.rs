//! What there is to do for an escrow, and how it is divided into transactions.

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::present::Present;
use crate::{
    Action, EscrowInstruction, Recipe,
    due::for_anyone,
    recipe::Step,
    transaction::{Lifetime, PrepareError, pack},
};

/// Which kinds of work are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds {
    /// Defaults are applied.
    pub expire: bool,
    /// What is due is paid out.
    pub withdraw: bool,
    /// What is settled is closed.
    pub close: bool,
    /// What was never funded in time is given up.
    pub cancel: bool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { expire: true, withdraw: true, close: true, cancel: true }
    }
}

/// With whom an escrow shares a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Company {
    /// With others.
    #[default]
    Together,
    /// With none.
    Alone,
    /// Not even what is done for it is together: one payment that is blocked shall not hold up another.
    Apart,
}

/// Everything that is to be done for one escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The escrow.
    pub escrow: Pubkey,
    /// What is done, in order.
    pub actions: Vec<Action>,
    /// How many token accounts are made for that.
    pub token_accounts: u32,
    /// What stays together.
    units: Vec<Vec<Instruction>>,
    /// The escrow before it.
    before: Vec<u8>,
}

/// What is to be done for an escrow at `now` by whoever pays as `payer`, with at most so many new token accounts; none where
/// there is nothing.
pub fn work(present: &Present, kinds: Kinds, most_accounts: u32, payer: &Pubkey, now: i64) -> Option<Work> {
    let Present { escrow, missing, surplus } = present;
    let recipe = if escrow.is_funded() {
        let whole = Recipe::finish(escrow, *surplus, missing, now);
        let (mut steps, mut opened, mut is_stopped) = (Vec::new(), 0u32, false);
        let (mut open, mut unopened) = (None, Vec::new());
        for step in whole.steps {
            let action = match &step {
                Step::OpenTokenAccount { owner, .. } => {
                    open = Some((*owner, step));
                    continue;
                }
                Step::Do(action) => action,
            };
            let wanted = match &action.instruction {
                EscrowInstruction::Expire { .. } => kinds.expire,
                EscrowInstruction::Withdraw { recipient } => {
                    kinds.withdraw && !unopened.contains(escrow.state.recipient(*recipient))
                }
                // What is left behind is in its way.
                EscrowInstruction::Close => kinds.close && !is_stopped,
                _ => false,
            };
            match open.take() {
                Some((owner, _)) if !wanted || opened >= most_accounts => {
                    unopened.push(owner);
                    is_stopped = true;
                    continue;
                }
                Some((_, open)) => {
                    opened = opened.saturating_add(1);
                    steps.push(open);
                }
                None if !wanted => {
                    is_stopped = true;
                    continue;
                }
                None => {}
            }
            steps.push(step);
        }
        Recipe { steps }
    } else if kinds.cancel {
        let actions = for_anyone(escrow, now).into_iter().map(|action| action.by(*payer));
        let mut recipe = Recipe { steps: actions.map(Step::Do).collect() };
        // Tokens that somebody sent uninvited go to the buyer: whoever gives it up makes no account for that.
        if *surplus && !escrow.state.is_sol() {
            let is_missing = missing.contains(&escrow.state.buyer);
            recipe = match is_missing {
                true => Recipe::default(),
                false => Recipe::cancel(escrow, *payer, true, missing),
            };
        }
        recipe
    } else {
        Recipe::default()
    };
    // Without what was left out the rest may not be allowed any more: then in shorter and shorter.
    let mut steps = recipe.steps;
    let previewed = loop {
        let recipe = Recipe { steps: steps.clone() };
        match recipe.preview(escrow, now) {
            Ok(previewed) => break previewed,
            Err(_) => {
                steps.pop();
            }
        }
    };
    let actions: Vec<Action> = previewed.actions.iter().map(|one| one.action.clone()).collect();
    if actions.is_empty() {
        return None;
    }
    let units = previewed.units(payer);
    let token_accounts = u32::from(previewed.opened);
    Some(Work { escrow: escrow.address, actions, token_accounts, units, before: escrow.encode() })
}

/// A transaction of a keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its name: the same for the same work on the same state, and for nothing else.
    pub key: [u8; 32],
    /// The escrows that it is about.
    pub escrows: Vec<Pubkey>,
    /// What is done.
    pub actions: Vec<Action>,
    /// Its instructions, without those of the compute budget.
    pub instructions: Vec<Instruction>,
    /// How many token accounts are made.
    pub token_accounts: u32,
}

/// Divides work into transactions: several escrows in one where they fit and may, and an escrow over several where it does
/// not fit. What has to wait for another is left for the next time.
///
/// # Errors
///
/// Where a single action does not fit into a transaction: none of ours is like that.
pub fn batches(
    work: &[Work],
    company: impl Fn(&Pubkey) -> Company,
    most_escrows: usize,
    payer: &Pubkey,
) -> Result<Vec<Batch>, PrepareError> {
    let lifetime = Lifetime::default();
    let fits = |instructions: &[Instruction]| {
        let framed: Vec<Instruction> = frame().into_iter().chain(instructions.iter().cloned()).collect();
        pack::size(&framed, payer, &lifetime).map(|size| size <= pack::MAX_SIZE)
    };
    let mut done: Vec<Batch> = Vec::new();
    let mut open: Option<Batch> = None;
    for one in work {
        let whole: Vec<Instruction> = one.units.concat();
        let company = company(&one.escrow);
        if company == Company::Apart {
            done.extend(apart(one).into_iter().map(|instructions| Batch::new(one, instructions)));
            continue;
        }
        if let Some(batch) = &mut open
            && company == Company::Together
            && batch.escrows.len() < most_escrows
        {
            let joined: Vec<Instruction> = batch.instructions.iter().chain(&whole).cloned().collect();
            if fits(&joined)? {
                batch.join(one, joined);
                continue;
            }
        }
        done.extend(open.take());
        if !fits(&whole)? {
            // What comes first goes first.
            let mut packed = pack::pack(&one.units, &frame(), payer, &lifetime)?.into_iter();
            let mut first = packed.next().unwrap_or_default();
            done.push(Batch::new(one, first.split_off(frame().len())));
            continue;
        }
        let batch = Batch::new(one, whole);
        match company {
            Company::Together => open = Some(batch),
            Company::Alone | Company::Apart => done.push(batch),
        }
    }
    done.extend(open);
    Ok(done)
}

/// The defaults first; when they are applied, each payment by itself; and the rest when all is paid.
fn apart(work: &Work) -> Vec<Vec<Instruction>> {
    let of_kind = |wanted: fn(&EscrowInstruction) -> bool| {
        let is_one =
            |unit: &&Vec<Instruction>| unit.iter().filter_map(Action::decode).any(|action| wanted(&action.instruction));
        work.units.iter().filter(is_one).cloned().collect::<Vec<_>>()
    };
    let defaults = of_kind(|instruction| matches!(instruction, EscrowInstruction::Expire { .. }));
    if !defaults.is_empty() {
        return vec![defaults.concat()];
    }
    let payments = of_kind(|instruction| matches!(instruction, EscrowInstruction::Withdraw { .. }));
    if payments.is_empty() { work.units.clone() } else { payments }
}

impl Batch {
    fn new(work: &Work, instructions: Vec<Instruction>) -> Self {
        let actions: Vec<Action> = instructions.iter().filter_map(Action::decode).collect();
        let token_accounts = u32::try_from(instructions.len().saturating_sub(actions.len())).unwrap_or(u32::MAX);
        let key = key(&[0; 32], work, &instructions);
        Self { key, escrows: vec![work.escrow], actions, instructions, token_accounts }
    }

    /// The mints of the token accounts that are made.
    pub(super) fn mints(&self) -> impl Iterator<Item = Pubkey> + '_ {
        const ASSOCIATED: Pubkey = spl_associated_token_account_interface::program::ID;
        let made = self.instructions.iter().filter(|instruction| instruction.program_id == ASSOCIATED);
        // Who pays, the account, its owner, the mint.
        made.filter_map(|made| made.accounts.get(3)).map(|mint| mint.pubkey)
    }

    fn join(&mut self, work: &Work, joined: Vec<Instruction>) {
        self.key = key(&self.key, work, &joined);
        self.escrows.push(work.escrow);
        self.actions.extend_from_slice(&work.actions);
        self.token_accounts = self.token_accounts.saturating_add(work.token_accounts);
        self.instructions = joined;
    }
}

fn key(begin: &[u8; 32], work: &Work, instructions: &[Instruction]) -> [u8; 32] {
    let mut bytes = b"escrow:keeper:v1:".to_vec();
    bytes.extend_from_slice(begin);
    bytes.extend_from_slice(work.escrow.as_array());
    bytes.extend_from_slice(&anchor_lang::sha256(&work.before));
    for instruction in instructions {
        bytes.extend_from_slice(instruction.program_id.as_array());
        bytes.extend_from_slice(&anchor_lang::sha256(&instruction.data));
        instruction.accounts.iter().for_each(|account| bytes.extend_from_slice(account.pubkey.as_array()));
    }
    anchor_lang::sha256(&bytes)
}

/// As large as the instructions that set a transaction's compute limit and price.
fn frame() -> Vec<Instruction> {
    let set = |kind: u8, bytes: usize| {
        let data = std::iter::once(kind).chain(std::iter::repeat_n(0, bytes)).collect();
        Instruction { program_id: solana_sdk_ids::compute_budget::ID, accounts: Vec::new(), data }
    };
    vec![set(2, 4), set(3, 8)]
}
