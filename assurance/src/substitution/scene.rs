//! The baselines: for each instruction, in each asset and each variant that treats its accounts differently, a world in
//! which it succeeds. Each world holds a second escrow of the same parties and one of other parties in the same state.

use escrow_client::{
    MilestoneStatus, Proposal, Recipient, Terms, address,
    escrow::state::RISK_FREEZE,
    instruction::{self, create_associated_token_account},
    terms,
};
use escrow_tests::{DAY, HOUR, SECRET, START, TOKEN, TOKEN_2022, World, keypair};
use sha2::{Digest, Sha256};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::instruction as token_instruction;

use crate::bank::{believing, ok};

/// What an escrow holds in these worlds, in lamports or base units. More than the rent of an empty account, so that a
/// payment to an address that does not exist yet is not refused for being too small.
const AMOUNT: u64 = 10_000_000_000;
/// What somebody sends to the vault (tokens) or the escrow (lamports) without being asked: less than the rent, so that
/// somebody pays the rest of it.
const UNINVITED: u64 = 1_000_000;

/// What an escrow holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// SOL. The tokens among the candidates are of SPL Token.
    Sol,
    /// A token of SPL Token, with a freeze authority.
    Token,
    /// The same of Token-2022.
    Token2022,
}

impl Holding {
    /// In the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sol => "SOL",
            Self::Token => "SPL Token",
            Self::Token2022 => "Token-2022",
        }
    }

    /// The program of the tokens in its world.
    pub const fn program(self) -> Pubkey {
        match self {
            Self::Sol | Self::Token => TOKEN,
            Self::Token2022 => TOKEN_2022,
        }
    }

    /// The mint of the tokens in its world.
    pub fn mint(self) -> Pubkey {
        number(30)
    }
}

/// The address with this number: the same in every run.
pub fn number(number: u8) -> Pubkey {
    keypair(number).pubkey()
}

/// One escrow, with the terms that its address is derived from.
pub struct Deal {
    /// What was agreed.
    pub terms: Terms,
    /// Where it is, or will be.
    pub escrow: Pubkey,
    /// Where its vault is, or would be.
    pub vault: Pubkey,
    rent_payer: Pubkey,
}

impl Deal {
    fn new(terms: Terms, rent_payer: Pubkey) -> Self {
        let escrow = address::escrow_address(&terms).expect("terms that hash");
        Self { terms, escrow, vault: address::vault_address(&escrow), rent_payer }
    }
}

/// A world in which `baseline` succeeds.
pub struct Scene {
    /// The instruction's name in the interface.
    pub instruction: &'static str,
    /// Of the escrow.
    pub asset: Holding,
    /// What is special.
    pub variant: &'static str,
    /// The bank.
    pub world: World,
    /// What succeeds.
    pub baseline: Instruction,
    /// The escrow that it is about.
    pub deal: Deal,
    /// A second one of the same parties, in the same state.
    pub other: Deal,
    /// One of other parties, in the same state.
    pub third: Deal,
    /// More of the same parties: created; pending; closed; agreed, but not created.
    pub created: Deal,
    /// Funded, and not delivered.
    pub pending: Deal,
    /// Created and cancelled.
    pub closed: Deal,
    /// Agreed, not created.
    pub agreed: Deal,
}

/// What happens before the instruction that a scene is about.
#[derive(Clone, Copy)]
enum Step {
    Create,
    Fund,
    Cancel,
    /// To this many seconds after the start.
    Wait(i64),
    Deliver,
    Dispute,
    Rule,
    Propose(By, fn() -> Proposal),
    Withdraw,
    Uninvited,
}

#[derive(Clone, Copy)]
enum By {
    Buyer,
    Seller,
}

use Step::*;

/// A scene before it is set.
struct Plan {
    instruction: &'static str,
    variant: &'static str,
    assets: &'static [Holding],
    change: fn(&mut Terms, &World),
    steps: &'static [Step],
    act: fn(&World, &Deal) -> Instruction,
}

const ALL: &[Holding] = &[Holding::Sol, Holding::Token, Holding::Token2022];
const TOKENS: &[Holding] = &[Holding::Token, Holding::Token2022];
/// For what does not look at tokens.
const TWO: &[Holding] = &[Holding::Sol, Holding::Token];
/// For what differs in who acts alone.
const SOL: &[Holding] = &[Holding::Sol];
const TOKEN_ONLY: &[Holding] = &[Holding::Token];
const TOKEN_2022_ONLY: &[Holding] = &[Holding::Token2022];

const CREATED: &[Step] = &[Create];
const LATE: &[Step] = &[Create, Wait(DAY)];
const FUNDED: &[Step] = &[Create, Fund];
const PENDING: &[Step] = &[Create, Fund, Wait(HOUR)];
const UNDELIVERED: &[Step] = &[Create, Fund, Wait(10 * DAY)];
const DELIVERED: &[Step] = &[Create, Fund, Wait(HOUR), Deliver];
const UNANSWERED: &[Step] = &[Create, Fund, Wait(HOUR), Deliver, Wait(4 * DAY)];
const DISPUTED: &[Step] = &[Create, Fund, Wait(HOUR), Deliver, Dispute];
const UNRULED: &[Step] = &[Create, Fund, Wait(HOUR), Deliver, Dispute, Wait(8 * DAY)];
const DECIDED: &[Step] = &[Create, Fund, Wait(HOUR), Deliver, Dispute, Rule];
const PAID: &[Step] = &[Create, Fund, Wait(HOUR), Deliver, Dispute, Rule, Withdraw, Wait(DAY)];
const PAID_SURPLUS: &[Step] = &[Create, Fund, Wait(HOUR), Deliver, Dispute, Rule, Withdraw, Wait(DAY), Uninvited];

fn split() -> Proposal {
    let (status, remaining) = (MilestoneStatus::Pending, AMOUNT);
    Proposal::Split { milestone: 0, status, remaining, to_seller: AMOUNT / 4, expires_at: START + 5 * DAY }
}

fn extension() -> Proposal {
    let (status, replaces, deadline) = (MilestoneStatus::Pending, START + 10 * DAY, START + 20 * DAY);
    Proposal::Extension { milestone: 0, status, replaces, deadline, expires_at: START + 5 * DAY }
}

fn plain(_: &mut Terms, _: &World) {}

fn attested(terms: &mut Terms, world: &World) {
    terms.attester = world.attester.pubkey();
}

fn hashlocked(terms: &mut Terms, _: &World) {
    terms.hashlock = Sha256::digest(SECRET).into();
}

fn cancel(world: &World, deal: &Deal, by: Pubkey, surplus: bool) -> Instruction {
    instruction::cancel(&world.escrow(&deal.escrow), by, surplus)
}

fn withdraw(world: &World, deal: &Deal, recipient: Recipient) -> Instruction {
    instruction::withdraw(&world.escrow(&deal.escrow), recipient)
}

/// A token account that is not the associated one, of the person with this number.
pub fn second_account(person: u8) -> Pubkey {
    number(person + 100)
}

fn plans() -> Vec<Plan> {
    let plan =
        |instruction, variant, assets, steps, act| Plan { instruction, variant, assets, change: plain, steps, act };
    vec![
        plan("create", "", ALL, &[], |_, deal| instruction::create(deal.rent_payer, &deal.terms).expect("terms")),
        plan("create", "lamports are there already", TWO, &[Uninvited], |_, deal| {
            instruction::create(deal.rent_payer, &deal.terms).expect("terms")
        }),
        plan("fund", "", ALL, CREATED, |_, deal| instruction::fund(&deal.terms).expect("terms")),
        plan("fund", "from another account of the buyer", TOKEN_ONLY, CREATED, |_, deal| {
            instruction::fund_from(&deal.terms, Some(second_account(3))).expect("terms")
        }),
        plan("cancel", "unfunded, by the buyer", ALL, CREATED, |w, d| cancel(w, d, d.terms.buyer, false)),
        plan("cancel", "unfunded, by the seller", SOL, CREATED, |w, d| cancel(w, d, d.terms.seller, false)),
        plan("cancel", "unfunded, by the rent payer", TOKEN_ONLY, CREATED, |w, d| cancel(w, d, d.rent_payer, false)),
        plan("cancel", "unfunded, late, by a stranger", TWO, LATE, |w, d| cancel(w, d, w.stranger.pubkey(), false)),
        plan("cancel", "unfunded, surplus, by the buyer", TOKEN_ONLY, &[Create, Uninvited], |w, d| {
            cancel(w, d, d.terms.buyer, true)
        }),
        plan("cancel", "unfunded, surplus, by the seller", TOKEN_2022_ONLY, &[Create, Uninvited], |w, d| {
            cancel(w, d, d.terms.seller, true)
        }),
        plan("cancel", "funded", TWO, FUNDED, |w, d| cancel(w, d, d.terms.buyer, false)),
        plan("deliver", "by the seller", TWO, PENDING, |_, d| {
            instruction::deliver(d.escrow, d.terms.seller, 0, [1; 32])
        }),
        Plan {
            change: attested,
            ..plan("deliver", "by the attester", TWO, PENDING, |_, d| {
                instruction::deliver(d.escrow, d.terms.attester, 0, [1; 32])
            })
        },
        Plan { change: hashlocked, ..plan("claim", "", TWO, PENDING, |_, d| instruction::claim(d.escrow, 0, SECRET)) },
        plan("release", "", TWO, PENDING, |_, d| {
            instruction::release(d.escrow, d.terms.buyer, 0, instruction::Part { amount: 1_000, of: AMOUNT })
        }),
        plan("refund", "", TWO, PENDING, |_, d| {
            instruction::refund(d.escrow, d.terms.seller, 0, instruction::Part { amount: 1_000, of: AMOUNT })
        }),
        plan("dispute", "", TWO, DELIVERED, |_, d| instruction::dispute(d.escrow, d.terms.buyer, 0, [2; 32])),
        plan("rule", "", TWO, DISPUTED, |_, d| instruction::rule(d.escrow, d.terms.arbiter, 0, 4_000, [3; 32])),
        plan("propose", "a split, by the buyer", TWO, PENDING, |_, d| {
            instruction::propose(d.escrow, d.terms.buyer, split())
        }),
        plan("propose", "an extension, by the seller", TWO, PENDING, |_, d| {
            instruction::propose(d.escrow, d.terms.seller, extension())
        }),
        plan("propose", "nothing, by the seller", TWO, PENDING, |_, d| {
            instruction::propose(d.escrow, d.terms.seller, Proposal::Withdrawn)
        }),
        plan("accept", "the buyer's split", TWO, &[Create, Fund, Wait(HOUR), Propose(By::Buyer, split)], |_, d| {
            instruction::accept(d.escrow, d.terms.seller, split())
        }),
        plan(
            "accept",
            "the seller's extension",
            TWO,
            &[Create, Fund, Wait(HOUR), Propose(By::Seller, extension)],
            |_, d| instruction::accept(d.escrow, d.terms.buyer, extension()),
        ),
        plan("expire", "undelivered", TWO, UNDELIVERED, |_, d| instruction::expire(d.escrow, 0)),
        plan("expire", "unanswered", TWO, UNANSWERED, |_, d| instruction::expire(d.escrow, 0)),
        plan("expire", "unruled", TWO, UNRULED, |_, d| instruction::expire(d.escrow, 0)),
        plan("withdraw", "the buyer", TWO, DECIDED, |w, d| withdraw(w, d, Recipient::Buyer)),
        plan("withdraw", "the seller", ALL, DECIDED, |w, d| withdraw(w, d, Recipient::Seller)),
        plan("withdraw", "the fee recipient", SOL, DECIDED, |w, d| withdraw(w, d, Recipient::Fee)),
        plan("withdraw", "the arbiter", TOKEN_ONLY, DECIDED, |w, d| withdraw(w, d, Recipient::Arbiter)),
        plan("withdraw", "the seller signs for another account", TOKENS, DECIDED, |w, d| {
            instruction::withdraw_to(&w.escrow(&d.escrow), Recipient::Seller, Some(second_account(4)))
        }),
        plan("close", "", ALL, PAID, |w, d| instruction::close(&w.escrow(&d.escrow), false)),
        plan("close", "surplus", TOKENS, PAID_SURPLUS, |w, d| instruction::close(&w.escrow(&d.escrow), true)),
        plan("close", "surplus, the buyer signs for another account", TOKEN_ONLY, PAID_SURPLUS, |w, d| {
            let mut close = instruction::close(&w.escrow(&d.escrow), true);
            for (slot, address) in [(5, second_account(3)), (6, d.terms.buyer)] {
                close.accounts[slot].pubkey = address;
            }
            close.accounts[6].is_signer = true;
            close
        }),
    ]
}

/// Every scene, set.
pub fn scenes() -> Vec<Scene> {
    let set_all = |plan: &Plan| plan.assets.iter().map(|asset| set(plan, *asset)).collect::<Vec<_>>();
    plans().iter().flat_map(set_all).collect()
}

fn set(plan: &Plan, asset: Holding) -> Scene {
    let mut world = ground(asset);
    let mut salt = 0;
    let mut deal = |third: bool| {
        salt += 1;
        let person = |ours: u8, theirs: u8| number(if third { theirs } else { ours });
        let base = escrow_client::TermsBuilder::new(
            person(3, 21),
            person(4, 22),
            match asset {
                Holding::Sol => terms::Asset::Sol,
                Holding::Token | Holding::Token2022 => {
                    terms::Asset::Token { mint: asset.mint(), program: asset.program() }
                }
            },
        )
        .assemble(START)
        .expect("terms");
        let mut terms = Terms {
            arbiter: person(5, 23),
            arbiter_fee_bps: 100,
            fee_recipient: person(7, 24),
            fee_bps: 100,
            accepted_risks: RISK_FREEZE,
            cooling_off: 3_600,
            salt: [salt; 16],
            milestones: vec![terms::milestone(AMOUNT, START + 10 * DAY)],
            ..base
        };
        (plan.change)(&mut terms, &world);
        Deal::new(terms, person(2, 25))
    };
    let (main, other, third) = (deal(false), deal(false), deal(true));
    let (created, pending, closed, agreed) = (deal(false), deal(false), deal(false), deal(false));
    let extras: [(&Deal, &[Step]); 3] =
        [(&created, &[Create]), (&pending, &[Create, Fund]), (&closed, &[Create, Cancel])];
    for (deal, steps) in extras {
        steps.iter().for_each(|step| take(&mut world, deal, *step));
    }
    for step in plan.steps {
        for deal in [&main, &other, &third] {
            take(&mut world, deal, *step);
        }
    }
    // Vaults that could pay: else paying from them would only be refused because they are empty.
    if plan.instruction == "fund" && asset != Holding::Sol {
        for deal in [&other, &third, &created] {
            mint_to(&mut world, asset, &deal.vault, AMOUNT);
        }
    }
    let baseline = (plan.act)(&world, &main);
    Scene {
        instruction: plan.instruction,
        asset,
        variant: plan.variant,
        world,
        baseline,
        deal: main,
        other,
        third,
        created,
        pending,
        closed,
        agreed,
    }
}

/// A world with the mint and money for everybody, nothing created.
fn ground(asset: Holding) -> World {
    let mut world = believing(World::new());
    let (mint, program, authority) = (asset.mint(), asset.program(), world.mint_authority.pubkey());
    world.create_mint(&keypair(30), program, 6, Some(&authority));
    for person in 21..=25 {
        world.svm.airdrop(&number(person), escrow_tests::INITIAL_LAMPORTS).expect("an airdrop");
    }
    for person in [3, 4, 5, 6, 7, 8, 21, 22, 23, 24] {
        let payer = world.fee_payer.pubkey();
        ok(&mut world, &create_associated_token_account(payer, number(person), mint, program));
    }
    for person in [3, 4, 5, 6, 7, 8, 21] {
        mint_to(&mut world, asset, &address::associated_token_address(&number(person), &mint, &program), 100 * AMOUNT);
    }
    for person in [3, 4, 5, 7, 8] {
        world.new_token_account(&keypair(person + 100), &number(person), &mint, &program);
        mint_to(&mut world, asset, &second_account(person), 100 * AMOUNT);
    }
    world
}

fn mint_to(world: &mut World, asset: Holding, account: &Pubkey, amount: u64) {
    let authority = world.mint_authority.pubkey();
    let mint = token_instruction::mint_to(&asset.program(), &asset.mint(), account, &authority, &[], amount);
    ok(world, &mint.expect("an instruction"));
}

fn take(world: &mut World, deal: &Deal, step: Step) {
    let Deal { terms, escrow, vault, rent_payer } = deal;
    let instruction = match step {
        Create => instruction::create(*rent_payer, terms).expect("terms"),
        Fund => instruction::fund(terms).expect("terms"),
        Cancel => instruction::cancel(&world.escrow(escrow), terms.buyer, false),
        Wait(seconds) => return world.set_time(START + seconds),
        Deliver => {
            let account = world.escrow(escrow);
            instruction::deliver(*escrow, *account.state.deliverer(), 0, [1; 32])
        }
        Dispute => instruction::dispute(*escrow, terms.buyer, 0, [2; 32]),
        Rule => instruction::rule(*escrow, terms.arbiter, 0, 4_000, [3; 32]),
        Propose(By::Buyer, proposal) => instruction::propose(*escrow, terms.buyer, proposal()),
        Propose(By::Seller, proposal) => instruction::propose(*escrow, terms.seller, proposal()),
        Withdraw => return withdraw_all(world, escrow),
        Uninvited if world.exists(vault) => {
            let asset = if terms.token_program == TOKEN { Holding::Token } else { Holding::Token2022 };
            return mint_to(world, asset, vault, UNINVITED);
        }
        Uninvited => return drop(world.svm.airdrop(escrow, UNINVITED).expect("an airdrop")),
    };
    ok(world, &instruction);
}

fn withdraw_all(world: &mut World, escrow: &Pubkey) {
    let account = world.escrow(escrow);
    assert!(account.milestones.iter().all(|milestone| milestone.status() == Ok(MilestoneStatus::Settled)));
    for (recipient, _) in account.due().collect::<Vec<_>>() {
        ok(world, &instruction::withdraw(&account, recipient));
    }
}
