//! Several actions that belong together, with what has to be set up for them: previewed and told as a whole.
//!
//! A recipe is a list and nothing else: what it does is what its actions do, by the same rules, one after the other.

use escrow::state::{Recipient, Terms};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use thiserror::Error;

use super::{
    account::EscrowAccount,
    action::{Action, EscrowInstruction, Preview},
    address::associated_token_address,
    instruction::create_associated_token_account,
    terms::Asset,
};
use crate::{
    EscrowError,
    send::{Expected, OrderStep},
    transaction::{
        Lifetime, PrepareError,
        budget::{Fees, budget},
        pack::pack,
    },
};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An action on the escrow.
    Do(Action),
    /// The associated token account of `owner` is made, because it does not exist. Whoever pays the fee pays its rent, and
    /// `owner` gets it back by closing the account.
    OpenTokenAccount {
        /// Whose account.
        owner: Pubkey,
        /// Of which token.
        mint: Pubkey,
        /// The token's program.
        program: Pubkey,
    },
}

impl Step {
    /// The action, if it is one.
    pub fn into_action(self) -> Option<Action> {
        match self {
            Self::Do(action) => Some(action),
            Self::OpenTokenAccount { .. } => None,
        }
    }
}

/// Steps in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipe {
    /// The steps.
    pub steps: Vec<Step>,
}

/// What a recipe would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewedRecipe {
    /// Its actions, each with the escrow before it and what it would do.
    pub actions: Vec<PreviewedAction>,
    /// The escrow after all of them; none where its account is closed.
    pub after: Option<EscrowAccount>,
    /// How many token accounts are made.
    pub opened: u8,
    units: Vec<(Vec<Pubkey>, usize)>,
}

/// An action of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewedAction {
    /// The action.
    pub action: Action,
    /// The escrow before it.
    pub before: EscrowAccount,
    /// What it would do.
    pub preview: Preview,
}

/// Why a recipe cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct RefusedAction {
    /// The action that is refused.
    pub action: Action,
    /// The escrow before it.
    pub before: EscrowAccount,
    /// The rule.
    pub error: EscrowError,
}

impl Recipe {
    /// A single action.
    pub fn only(action: Action) -> Self {
        Self { steps: vec![Step::Do(action)] }
    }

    /// Creates an escrow with these terms, whose rent `rent_payer` pays, and funds it where `fund` says so.
    ///
    /// # Errors
    ///
    /// Where the terms cannot be hashed.
    pub fn create(terms: &Terms, rent_payer: Pubkey, fund: bool) -> Result<Self, EscrowError> {
        let agreed = EscrowAccount::agreed(terms, rent_payer)?;
        let create = Action::new(&agreed, EscrowInstruction::Create { terms: Box::new(terms.clone()) });
        let fund = fund.then(|| Action::new(&agreed, EscrowInstruction::Fund));
        Ok(Self { steps: [Some(create), fund].into_iter().flatten().map(Step::Do).collect() })
    }

    /// Pays out what is due: to everybody, or to `only` one. Of a token into the associated accounts; those of `missing`
    /// owners are made.
    pub fn pay_out(deal: &EscrowAccount, only: Option<Recipient>, missing: &[Pubkey]) -> Self {
        let wanted = |recipient: &Recipient| only.is_none_or(|only| only == *recipient);
        let due: Vec<Recipient> = deal.due().map(|(recipient, _)| recipient).filter(wanted).collect();
        let mut recipe = Self::default();
        for recipient in due {
            recipe.open(deal, *deal.state.recipient(recipient), missing);
            recipe.steps.push(Step::Do(Action::new(deal, EscrowInstruction::Withdraw { recipient })));
        }
        recipe
    }

    /// Everything that may be done by anyone at `now` to bring an escrow to its end: agreed defaults are applied, all is paid
    /// out, and the account is closed if it may be. Tokens that were sent to the vault uninvited (`surplus`) go to the buyer.
    pub fn finish(deal: &EscrowAccount, surplus: bool, missing: &[Pubkey], now: i64) -> Self {
        let mut recipe = Self::default();
        let mut present = deal.clone();
        for milestone in (0u8..).take(deal.milestones.len()) {
            let expire = Action::new(&present, EscrowInstruction::Expire { milestone });
            if let Ok(Preview { after: Some(after), .. }) = expire.preview(&present, now) {
                recipe.steps.push(Step::Do(expire));
                present = after;
            }
        }
        let pay_out = Self::pay_out(&present, None, missing);
        if let Ok(PreviewedRecipe { after: Some(after), .. }) = pay_out.preview(&present, now) {
            present = after;
        }
        recipe.steps.extend(pay_out.steps);
        let close = Self::close(&present, surplus, missing);
        if close.preview(&present, now).is_ok() {
            recipe.steps.extend(close.steps);
        }
        recipe
    }

    /// Closes a settled escrow.
    pub fn close(deal: &EscrowAccount, surplus: bool, missing: &[Pubkey]) -> Self {
        Self::ending(deal, Action::new(deal, EscrowInstruction::Close), surplus, missing)
    }

    /// Cancels an escrow: by `canceller`, unfunded, or by the buyer in the cooling-off period.
    pub fn cancel(deal: &EscrowAccount, canceller: Pubkey, surplus: bool, missing: &[Pubkey]) -> Self {
        let cancel = Action::new(deal, EscrowInstruction::Cancel).by(canceller);
        // A funded escrow is not closed by it, and keeps what its vault holds.
        Self::ending(deal, cancel, surplus && !deal.is_funded(), missing)
    }

    /// Delivers the last work together with the retention behind it (see [`Retention`](super::terms::Retention)): from then
    /// on the retention's time runs.
    ///
    /// # Errors
    ///
    /// [`EscrowError::MilestoneMissing`], where there are fewer than two milestones.
    pub fn deliver_with_retention(deal: &EscrowAccount, evidence_hash: [u8; 32]) -> Result<Self, EscrowError> {
        let last = deal.milestones.len().checked_sub(1).and_then(|last| u8::try_from(last).ok());
        let last = last.ok_or(EscrowError::MilestoneMissing)?;
        let work = last.checked_sub(1).ok_or(EscrowError::MilestoneMissing)?;
        let deliver = |milestone| Step::Do(Action::new(deal, EscrowInstruction::Deliver { milestone, evidence_hash }));
        Ok(Self { steps: vec![deliver(work), deliver(last)] })
    }

    fn ending(deal: &EscrowAccount, action: Action, surplus: bool, missing: &[Pubkey]) -> Self {
        let mut recipe = Self::default();
        let state = &deal.state;
        let Asset::Token { mint, program } = deal.asset() else { return Self::only(action) };
        if surplus {
            recipe.open(deal, state.buyer, missing);
            let account = associated_token_address(&state.buyer, &mint, &program);
            recipe.steps.push(Step::Do(action.with(Some(account))));
        } else {
            recipe.steps.push(Step::Do(action));
        }
        recipe
    }

    /// Makes the token account of `owner` if it is missing and not made already.
    fn open(&mut self, deal: &EscrowAccount, owner: Pubkey, missing: &[Pubkey]) {
        let Asset::Token { mint, program } = deal.asset() else { return };
        let open = Step::OpenTokenAccount { owner, mint, program };
        if missing.contains(&owner) && !self.steps.contains(&open) {
            self.steps.push(open);
        }
    }

    /// What all of it would do to `deal` at `now`, in unix seconds.
    ///
    /// # Errors
    ///
    /// The first action that is refused, with the rule.
    pub fn preview(&self, deal: &EscrowAccount, now: i64) -> Result<PreviewedRecipe, Box<RefusedAction>> {
        let mut present = Some(deal.clone());
        let mut previewed = PreviewedRecipe { actions: Vec::new(), after: None, opened: 0, units: Vec::new() };
        let mut owners = Vec::new();
        for step in &self.steps {
            match step {
                Step::OpenTokenAccount { owner, .. } => {
                    previewed.opened = previewed.opened.saturating_add(1);
                    owners.push(*owner);
                }
                Step::Do(action) => {
                    let before = present.take().unwrap_or_else(|| deal.clone());
                    let refused =
                        |error| Box::new(RefusedAction { action: action.clone(), before: before.clone(), error });
                    let preview = action.preview(&before, now).map_err(refused)?;
                    present.clone_from(&preview.after);
                    previewed.units.push((std::mem::take(&mut owners), previewed.actions.len()));
                    previewed.actions.push(PreviewedAction { action: action.clone(), before, preview });
                }
            }
        }
        previewed.after = present;
        Ok(previewed)
    }
}

impl PreviewedRecipe {
    /// The transactions, each with what it acts on: the escrow as it was previewed before the first of its actions. `payer` pays
    /// for the token accounts.
    ///
    /// # Errors
    ///
    /// Where one action alone does not fit into a transaction.
    pub fn steps(&self, payer: &Pubkey) -> Result<Vec<OrderStep>, PrepareError> {
        let lifetime = Lifetime::default();
        // As much room as the compute budget takes.
        let frame = budget(&[], &Fees::default(), 1);
        let packed = pack(&self.units(payer), &frame, payer, &lifetime)?;
        let mut actions = self.actions.iter();
        let steps = packed.into_iter().map(|mut instructions| {
            instructions.drain(..frame.len().min(instructions.len()));
            let ours = instructions.iter().filter(|instruction| instruction.program_id == escrow::ID).count();
            let first = actions.next();
            for _ in 1..ours {
                actions.next();
            }
            let expected = first.map(|first| Expected {
                address: first.action.escrow,
                escrow: match first.action.instruction {
                    EscrowInstruction::Create { .. } => None,
                    _ => Some(first.before.clone()),
                },
            });
            OrderStep { instructions, expected }
        });
        Ok(steps.collect())
    }

    /// The instructions: one unit for each action, with the token accounts that it needs in front. `payer` pays for those.
    pub fn units(&self, payer: &Pubkey) -> Vec<Vec<Instruction>> {
        let unit = |(owners, index): &(Vec<Pubkey>, usize)| {
            let PreviewedAction { action, before, .. } = self.actions.get(*index)?;
            let open = owners.iter().filter_map(|owner| match before.asset() {
                Asset::Token { mint, program } => Some(create_associated_token_account(*payer, *owner, mint, program)),
                Asset::Sol => None,
            });
            Some(open.chain([action.instruction(before)]).collect())
        };
        self.units.iter().filter_map(unit).collect()
    }
}
