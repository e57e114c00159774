//! What is asked for as actions becomes a transaction that a wallet signs: previewed by the program's own rules, told in
//! words, with what it costs.

mod multisig;
mod plan;

use escrow_client::{
    EscrowAccount, EscrowInstruction, Unsigned,
    escrow::instructions::EscrowSlab,
    recipe::{PreviewedAction, Step as RecipeStep},
    sender,
    terms::asset_of,
    transaction::{
        Lifetime, Origin,
        budget::{self, COMPUTE_BUDGET, Setting},
        pack::{pack, size},
    },
    view::{Amount, Shares},
    words::{
        Denomination, Tense, name,
        sentence::{Known, Teller},
    },
};
use serde::{Deserialize, Serialize};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use utoipa::ToSchema;

pub use multisig::{MultisigOrder, ProposalTold};
pub use plan::{Planned, Situations, plan};

use crate::{
    chain::{Chain, Finality, Snapshot, decode_escrow},
    problem::{Code, Problem, Result},
    wire::{Address, action::Action},
};

/// The most actions of one request.
pub const MOST_ACTIONS: usize = 16;
/// What wallets add.
const UNITS_OF_A_WALLET: u32 = 60_000;

/// What is to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// In this order.
    pub actions: Vec<Action>,
    /// Who pays the fee, and for token accounts that are made.
    pub fee_payer: Pubkey,
    /// The nonce account that the transaction lives by; none: a recent block hash.
    pub nonce: Option<Pubkey>,
    /// The price of a compute unit, in millionths of a lamport.
    pub compute_unit_price: u64,
    /// The multisig in which it is proposed; none: it is done.
    pub multisig: Option<MultisigOrder>,
}

/// A transaction for wallets to sign.
#[derive(Debug)]
pub struct Built {
    /// The transaction.
    pub unsigned: Unsigned,
    /// How long it may be executed.
    pub life: Life,
    /// What is told of it.
    pub told: Told,
}

/// How long a transaction may be executed, and where the ledger stood when that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// How long.
    pub lifetime: sender::Lifetime,
    /// Where the ledger stood.
    pub origin: Origin,
    /// Who advances the nonce.
    pub authority: Option<sender::Address>,
}

impl Life {
    /// Of a transaction's lifetime.
    pub fn of(lifetime: &Lifetime) -> Self {
        use sender::{Address, Hash, Height, Slot};
        match *lifetime {
            Lifetime::Blockhash { hash, last_valid_block_height, origin } => Self {
                lifetime: sender::Lifetime::BlockHash { hash: Hash(hash), last_valid: Height(last_valid_block_height) },
                origin,
                authority: None,
            },
            Lifetime::Nonce { account, authority, value, read_at, origin } => Self {
                lifetime: sender::Lifetime::Nonce {
                    account: Address(account.to_bytes()),
                    value: Hash(value),
                    read_at: Slot(read_at),
                },
                origin,
                authority: Some(Address(authority.to_bytes())),
            },
        }
    }

    /// As the client has it.
    pub fn client(&self) -> Lifetime {
        let origin = self.origin;
        match self.lifetime {
            sender::Lifetime::BlockHash { hash, last_valid } => {
                Lifetime::Blockhash { hash: hash.0, last_valid_block_height: last_valid.0, origin }
            }
            sender::Lifetime::Nonce { account, value, read_at } => Lifetime::Nonce {
                account: Pubkey::new_from_array(account.0),
                authority: self.authority.map(|authority| Pubkey::new_from_array(authority.0)).unwrap_or_default(),
                value: value.0,
                read_at: read_at.0,
                origin,
            },
        }
    }
}

/// What a transaction does, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// Its actions in order.
    pub steps: Vec<Step>,
    /// The escrows that it is about, as they must be for it to be executed: check them before signing.
    pub expects: Vec<Expectation>,
    /// What it costs beside what it moves.
    pub cost: Cost,
    /// Where a recipe did not fit: ask for the same again when this is executed.
    pub more: bool,
    /// The slot of the state that it was built from.
    pub slot: String,
    /// Where it is proposed in a multisig: what the steps say happens when that is executed.
    pub proposal: Option<ProposalTold>,
}

/// What fits into one transaction.
struct Fitted {
    instructions: Vec<Instruction>,
    /// What of the plan is in it.
    planned: Vec<Planned>,
    /// Whether there is more.
    more: bool,
    proposal: Option<ProposalTold>,
}

/// One action of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionStep)]
pub struct Step {
    /// The instruction.
    pub action: String,
    /// The escrow.
    pub escrow: String,
    /// The milestone's number, counted from 1.
    pub milestone: Option<u8>,
    /// Who signs for it; none where nobody has to.
    pub by: Option<String>,
    /// What is paid in.
    pub paid_in: Option<Amount>,
    /// What is decided, and for whom; or paid out.
    pub shares: Option<Shares>,
    /// The same in words.
    pub text: String,
}

/// An escrow that a transaction is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Expectation {
    /// Its address: it follows from the terms' hash.
    pub escrow: String,
    /// The hash of its terms, in hexadecimal.
    pub terms_hash: String,
    /// Whether it is made by this transaction.
    pub created: bool,
}

/// What a transaction costs beside what it moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TransactionCost)]
pub struct Cost {
    /// The fee: for its signatures, and the priority fee.
    pub fee: Amount,
    /// The rent of escrows that are made: their rent payers', who get it back when they are closed.
    pub rent: Amount,
    /// How many token accounts are made.
    pub token_accounts: u8,
    /// Their rent, which the fee payer pays: their owners get it back by closing them.
    pub token_account_rent: Amount,
}

/// Builds what is ordered.
///
/// # Errors
///
/// Where the program would refuse it, it does not fit, or no node answers.
pub async fn build(chain: &Chain, order: &Order) -> Result<Built> {
    let situations = situations(chain, order).await?;
    let planned = plan(&order.actions, &order.fee_payer, situations)?;
    // Its real lifetime is chosen last, so that the wallet has all of it; it is as long as this one.
    let like = match &order.nonce {
        None => Lifetime::default(),
        Some(account) => {
            let authority = chain.nonce_authority(account).await?;
            Lifetime::Nonce { account: *account, authority, value: [0; 32], read_at: 0, origin: Origin::default() }
        }
    };
    let fitted = match &order.multisig {
        None => fit(order, planned, &like)?,
        Some(wanted) => multisig::propose(chain, order, wanted, planned, &like).await?,
    };
    let (client, payer) = (chain.client(Finality::Confirmed), &order.fee_payer);
    let unsigned = match &like {
        Lifetime::Blockhash { .. } => client.prepare(&fitted.instructions, payer).await?,
        Lifetime::Nonce { account, authority, .. } => {
            client.prepare_with_nonce(&fitted.instructions, payer, account, authority).await?
        }
    };
    let life = Life::of(&unsigned.lifetime());
    let told = tell(chain, order, &unsigned, fitted).await?;
    Ok(Built { unsigned, life, told })
}

/// Everything that planning needs to know, read at one slot as far as it can be.
async fn situations(chain: &Chain, order: &Order) -> Result<Situations> {
    let mut addresses: Vec<Pubkey> = order.actions.iter().filter_map(Action::escrow).map(|escrow| escrow.0).collect();
    let named = addresses.len();
    addresses.sort_unstable();
    addresses.dedup();
    // Where a new escrow would be; its terms may say when it must be funded by the chain's time, which is not known yet.
    let Snapshot { slot, now, accounts } = chain.snapshot(&addresses, Finality::Confirmed).await?;
    let mut situations = Situations { slot, now, ..Situations::default() };
    for (address, account) in addresses.iter().zip(&accounts) {
        let place = order.actions.iter().position(|action| action.escrow() == Some(Address(*address)));
        let place = format!("/actions/{}/escrow", place.unwrap_or(named));
        match decode_escrow(address, account.as_ref()).map_err(|problem| problem.at(place))? {
            None => {}
            Some(escrow) => {
                situations.denominations.insert(escrow.asset(), chain.denomination(escrow.asset()).await);
                let accounts = match order.actions.iter().any(|action| is_paying(action, address)) {
                    true => chain.token_accounts(&escrow).await?,
                    false => (Vec::new(), false),
                };
                situations.token_accounts.insert(*address, accounts);
                situations.escrows.insert(*address, escrow);
            }
        }
    }
    for (index, action) in order.actions.iter().enumerate() {
        let Action::Create(create) = action else { continue };
        let pointer = format!("/actions/{index}/terms");
        let terms = create.terms.build(now, &pointer)?;
        situations.denominations.insert(asset_of(&terms), chain.denomination(asset_of(&terms)).await);
        let agreed = EscrowAccount::agreed(&terms, create.rent_payer.map_or(order.fee_payer, |payer| payer.0));
        let agreed = agreed.map_err(|error| Problem::from(escrow_client::Error::Rule(error)).at(&pointer))?;
        let (_, there) = chain.escrow(&agreed.address, Finality::Confirmed).await?;
        if there.is_some() {
            let detail = format!(
                "the escrow {} with these terms exists already: fund it, or choose another salt",
                agreed.address
            );
            return Err(Problem::new(Code::Stale, detail).at(pointer));
        }
        situations.agreed.insert(index, agreed);
    }
    Ok(situations)
}

/// Whether token accounts may have to be made for it.
fn is_paying(action: &Action, escrow: &Pubkey) -> bool {
    let pays = matches!(
        action,
        Action::Cancel(_) | Action::Withdraw(_) | Action::Close(_) | Action::PayOut(_) | Action::Finish(_)
    );
    pays && action.escrow() == Some(Address(*escrow))
}

/// What of the plan is in one transaction.
fn fit(order: &Order, planned: Vec<Planned>, lifetime: &Lifetime) -> Result<Fitted> {
    let units: Vec<Vec<Instruction>> = planned.iter().map(|planned| planned.instructions.clone()).collect();
    if units.is_empty() {
        let detail = "there is nothing to do: nothing is due, and no deadline has passed";
        return Err(Problem::new(Code::Refused, detail).at("/actions"));
    }
    let frame = frame(order.compute_unit_price, &units.concat());
    let mut packed = pack(&units, &frame, &order.fee_payer, lifetime)?.into_iter();
    let first = packed.next().unwrap_or_default();
    if packed.next().is_none() {
        return Ok(Fitted { instructions: first, planned, more: false, proposal: None });
    }
    // How many of the units are in it.
    let mut left = first.len().saturating_sub(frame.len());
    let fitting = units.iter().take_while(|unit| {
        let fits = unit.len() <= left;
        left = left.saturating_sub(unit.len());
        fits && !unit.is_empty()
    });
    let fitting = fitting.count();
    let divides = |action: &Action| matches!(action, Action::PayOut(_) | Action::Finish(_));
    match planned.get(fitting) {
        Some(next) if !order.actions.get(next.index).is_some_and(divides) => {
            let size = size(&[frame, units.concat()].concat(), &order.fee_payer, lifetime);
            let size = size.map_or_else(|error| error.to_string(), |size| format!("{size} bytes"));
            let detail = format!(
                "it does not fit into one transaction ({size}; at most {} are used, because wallets add some), or may not share \
                 one: ask for the actions before this one first, and for the rest when they are executed",
                escrow_client::transaction::pack::MAX_SIZE
            );
            Err(Problem::new(Code::TooLarge, detail).at(format!("/actions/{}", next.index)))
        }
        _ => {
            let planned = planned.into_iter().take(fitting).collect();
            Ok(Fitted { instructions: first, planned, more: true, proposal: None })
        }
    }
}

/// The compute budget: what the instructions need and wallets add, at the price that is offered.
fn frame(price: u64, instructions: &[Instruction]) -> Vec<Instruction> {
    let units = budget::units(instructions).saturating_add(UNITS_OF_A_WALLET);
    let fees = budget::Fees { floor: price, cap: price, units: Some(units) };
    budget::budget(instructions, &fees, price)
}

async fn tell(chain: &Chain, order: &Order, unsigned: &Unsigned, fitted: Fitted) -> Result<Told> {
    let Fitted { instructions, planned, more, proposal } = fitted;
    let sol = |lamports| Amount::from(Denomination::SOL.amount(lamports));
    let mut expects: Vec<Expectation> = Vec::new();
    let (mut rent, mut opened, mut account_rent) = (0u64, 0u8, 0u64);
    for Planned { previewed: PreviewedAction { action, before, .. }, opens, .. } in &planned {
        let created = matches!(action.instruction, EscrowInstruction::Create { .. });
        if !expects.iter().any(|known| known.escrow == before.address.to_string()) {
            expects.push(Expectation {
                escrow: before.address.to_string(),
                terms_hash: hex::encode(before.state.terms_hash),
                created,
            });
        }
        if created {
            rent = rent.saturating_add(rent_of(chain, account_size(before.milestones.len())).await?);
            if !before.state.is_sol() {
                rent = rent.saturating_add(chain.token_account_rent(&before.state.mint).await?);
            }
        }
        if *opens > 0 {
            opened = opened.saturating_add(*opens);
            let each = chain.token_account_rent(&before.state.mint).await?;
            account_rent = account_rent.saturating_add(each.saturating_mul(u64::from(*opens)));
        }
    }
    let fee = budget::cost(unsigned.signers().len(), limit(&instructions), order.compute_unit_price);
    Ok(Told {
        steps: planned.iter().map(Step::new).collect(),
        expects,
        cost: Cost { fee: sol(fee), rent: sol(rent), token_accounts: opened, token_account_rent: sol(account_rent) },
        more,
        slot: planned.first().map_or(0, |planned| planned.slot).to_string(),
        proposal,
    })
}

/// The compute units that a transaction is allowed.
fn limit(instructions: &[Instruction]) -> u32 {
    let budgets = instructions.iter().filter(|instruction| instruction.program_id == COMPUTE_BUDGET);
    let mut limits = budgets.filter_map(|instruction| match Setting::read(&instruction.data)? {
        Setting::Limit(units) => Some(units),
        Setting::Price(_) => None,
    });
    limits.next().unwrap_or(0)
}

async fn rent_of(chain: &Chain, size: usize) -> Result<u64> {
    Ok(chain.client(Finality::Confirmed).rent(size).await?)
}

/// The size of an escrow's account.
pub fn account_size(milestones: usize) -> usize {
    EscrowSlab::space_for(u32::try_from(milestones).unwrap_or(u32::MAX))
}

impl Step {
    fn new(planned: &Planned) -> Self {
        let Planned { previewed: PreviewedAction { action, before, preview }, denomination, now, .. } = planned;
        let teller = Teller { denomination, now: *now };
        let amount = |units| Amount::from(denomination.amount(units));
        let effects = &preview.effects;
        let shares = effects.moved().map(|moved| Shares {
            seller: amount(moved.seller),
            fee_recipient: amount(moved.fee),
            buyer: amount(moved.buyer),
            arbiter: amount(moved.arbiter),
        });
        Self {
            action: action.instruction.name().to_owned(),
            escrow: before.address.to_string(),
            milestone: action.instruction.milestone().map(name::number),
            by: action.actor.map(|actor| actor.to_string()),
            paid_in: (effects.paid_in > 0).then(|| amount(effects.paid_in)),
            shares,
            text: teller.action(action, Known::previewed(action, before, preview)).told(Tense::Present),
        }
    }
}

/// How many token accounts the steps of a recipe make.
fn opened(steps: &[RecipeStep]) -> u8 {
    let count = steps.iter().filter(|step| matches!(step, RecipeStep::OpenTokenAccount { .. })).count();
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// What the client expected, against what there is.
fn expect<T: PartialEq>(expected: Option<T>, found: &T, problem: impl FnOnce() -> Problem) -> Result<()> {
    match expected {
        Some(expected) if expected != *found => Err(problem()),
        _ => Ok(()),
    }
}
