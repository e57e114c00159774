//! The program's bytecode: an instruction that would succeed, with its data, its accounts and their bytes changed. It
//! succeeds, or is refused with an error that has a name, and then changes nothing.

use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use escrow::{
    error::EscrowError,
    interface::INSTRUCTIONS,
    state::{MilestoneStatus::Pending, Proposal},
};
use escrow_client::{EscrowAccount, Recipient, Terms, instruction};
use escrow_tests::{DAY, KINDS, Kind, SECRET, TOKEN, World};
use litesvm::types::FailedTransactionMetadata;
use serde::{Deserialize, Serialize};
use solana_account::Account;
use solana_instruction::{AccountMeta, Instruction, error::InstructionError};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

use super::{Target, change, client, corpus};
use crate::random::Random;

pub const TARGETS: &[Target] = &[Target { name: "program", inputs: 3_000, examples, change: change_case, take }];

/// A world in which an instruction succeeds.
struct Scenario {
    name: String,
    world: World,
    instruction: Instruction,
    /// The accounts that a case names by number: the instruction's, then others.
    addresses: Vec<Pubkey>,
}

/// What is tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Case {
    /// Which instruction, in which world.
    scenario: String,
    /// Its data, in hexadecimal.
    data: String,
    /// Its accounts.
    accounts: Vec<Meta>,
    /// What is written into accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    writes: Vec<Write>,
    /// What the clock is moved by, in seconds.
    #[serde(default)]
    later: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Meta {
    /// Number of the address.
    account: usize,
    signer: bool,
    writable: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Write {
    /// Number of the address.
    account: usize,
    offset: usize,
    /// In hexadecimal.
    bytes: String,
    /// Then the account has this many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
}

fn scenarios() -> &'static [Scenario] {
    static SCENARIOS: OnceLock<Vec<Scenario>> = OnceLock::new();
    SCENARIOS.get_or_init(|| KINDS.into_iter().flat_map(scenarios_of).collect())
}

/// One for each instruction, and for each of its ways.
fn scenarios_of(kind: Kind) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut world = World::new();
    // Any account may be said to sign: the program has to look at who it is.
    world.svm = std::mem::take(&mut world.svm).with_sigverify(false);
    let mut add = |name: &str, world: &World, mut instruction: Instruction| {
        // What is left out at the end, as token accounts are for SOL, is an account that a case may change too.
        let slots = INSTRUCTIONS[usize::from(instruction.data[0])].accounts.len();
        instruction.accounts.resize(slots, AccountMeta::new_readonly(escrow::ID, false));
        let mut addresses: Vec<Pubkey> = instruction.accounts.iter().map(|meta| meta.pubkey).collect();
        let others = [
            world.stranger.pubkey(),
            world.fee_payer.pubkey(),
            world.buyer.pubkey(),
            world.seller.pubkey(),
            world.mint,
            TOKEN,
            escrow::ID,
            solana_sdk_ids::system_program::ID,
            solana_sdk_ids::sysvar::clock::ID,
            solana_sdk_ids::sysvar::instructions::ID,
            world.token_account(&world.buyer.pubkey()),
            world.token_account(&world.seller.pubkey()),
            Pubkey::new_from_array([99; 32]),
        ];
        addresses.extend(others);
        all.push(Scenario { name: format!("{name} {kind:?}"), world: world.fork(), instruction, addresses });
    };
    let [buyer, seller, arbiter] = [&world.buyer, &world.seller, &world.arbiter].map(Signer::pubkey);
    let mut terms = Terms {
        fee_recipient: world.fee_recipient.pubkey(),
        fee_bps: 250,
        arbiter_fee_bps: 100,
        cooling_off: 60,
        ..world.terms(kind, &[1_000, 77])
    };
    let fund = |terms: &Terms| instruction::fund(terms).expect("terms that hash");

    add("create", &world, world.create_instruction(&terms));
    let escrow = world.create(&terms);
    add("fund", &world, fund(&terms));
    add("cancel unfunded", &world, instruction::cancel(&world.escrow(&escrow), seller, false));
    let buyers = world.buyer.insecure_clone();
    world.ok(fund(&terms), &[&buyers]);
    add("cancel funded", &world, instruction::cancel(&world.escrow(&escrow), buyer, false));
    world.advance(61);
    add("deliver", &world, instruction::deliver(escrow, seller, 0, [1; 32]));
    add("release", &world, instruction::release(escrow, buyer, 0, instruction::Part { amount: 10, of: 1_000 }));
    add("refund", &world, instruction::refund(escrow, seller, 0, instruction::Part { amount: 10, of: 1_000 }));
    let expires_at = world.now() + DAY;
    let replaces = world.milestone(&escrow, 1).deadline;
    for (name, proposal) in [
        ("split", Proposal::Split { milestone: 0, status: Pending, remaining: 1_000, to_seller: 300, expires_at }),
        (
            "extension",
            Proposal::Extension { milestone: 1, status: Pending, replaces, deadline: replaces + DAY, expires_at },
        ),
        ("nothing", Proposal::Withdrawn),
    ] {
        let propose = instruction::propose(escrow, buyer, proposal);
        add(&format!("propose {name}"), &world, propose.clone());
        if proposal != Proposal::Withdrawn {
            let mut proposed = world.fork();
            proposed.ok(propose, &[&buyers]);
            add(&format!("accept {name}"), &proposed, instruction::accept(escrow, seller, proposal));
        }
    }
    let mut late = world.fork();
    late.advance(11 * DAY);
    add("expire pending", &late, instruction::expire(escrow, 0));
    let sellers = world.seller.insecure_clone();
    world.ok(instruction::deliver(escrow, seller, 0, [1; 32]), &[&sellers]);
    add("dispute", &world, instruction::dispute(escrow, buyer, 0, [2; 32]));
    world.ok(instruction::dispute(escrow, buyer, 0, [2; 32]), &[&buyers]);
    add("rule", &world, instruction::rule(escrow, arbiter, 0, 5_000, [3; 32]));
    let arbiters = world.arbiter.insecure_clone();
    world.ok(instruction::rule(escrow, arbiter, 0, 5_000, [3; 32]), &[&arbiters]);
    for recipient in Recipient::ALL {
        add(&format!("withdraw {recipient:?}"), &world, instruction::withdraw(&world.escrow(&escrow), recipient));
    }
    world.ok(instruction::release(escrow, buyer, 1, instruction::Part { amount: 77, of: 77 }), &[&buyers]);
    world.withdraw_all(&escrow);
    world.advance(2 * DAY);
    add("close", &world, instruction::close(&world.escrow(&escrow), false));

    terms = Terms { hashlock: hash(&SECRET), ..world.terms(kind, &[500]) };
    let locked = world.create_and_fund(&terms);
    add("claim", &world, instruction::claim(locked, 0, SECRET));
    all
}

fn hash(secret: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(secret).into()
}

fn examples() -> Vec<Vec<u8>> {
    let case = |scenario: &Scenario| {
        let metas = scenario.instruction.accounts.iter().enumerate();
        let accounts =
            metas.map(|(account, meta)| Meta { account, signer: meta.is_signer, writable: meta.is_writable }).collect();
        let data = corpus::encode(&scenario.instruction.data);
        Case { scenario: scenario.name.clone(), data, accounts, writes: Vec::new(), later: 0 }
    };
    scenarios().iter().map(|scenario| encode(&case(scenario))).collect()
}

fn encode(case: &Case) -> Vec<u8> {
    serde_json::to_vec(case).unwrap_or_default()
}

fn decode(input: &[u8]) -> Result<(Case, &'static Scenario)> {
    let case: Case = serde_json::from_slice(input).context("no case")?;
    let scenario = scenarios().iter().find(|scenario| scenario.name == case.scenario);
    let scenario = scenario.with_context(|| format!("no scenario \"{}\"", case.scenario))?;
    Ok((case, scenario))
}

// Changing ---------------------------------------------------------------------------------------------------------

fn change_case(input: &mut Vec<u8>, random: &mut Random) {
    let Ok((mut case, scenario)) = decode(input) else { return };
    match random.below(10) {
        0..=2 => change_data(&mut case, random),
        3..=5 => change_accounts(&mut case, scenario, random),
        6 => {
            // Around every deadline that there is, and far away.
            let near = random.below(40) as i64 * DAY / 2 + random.below(3) as i64 - 1;
            case.later = if random.once_in(8) { random.number() as i64 } else { near };
        }
        _ => write(&mut case, scenario, random),
    }
    *input = encode(&case);
}

fn change_data(case: &mut Case, random: &mut Random) {
    let mut data = corpus::decode(&case.data).unwrap_or_default();
    match random.below(8) {
        0 => data = random.choose(scenarios()).instruction.data.clone(),
        1 if !data.is_empty() => data[0] = random.below(16) as u8,
        // What an argument is that the program looks at first.
        2 if data.len() > 1 => data[1] = random.below(10) as u8,
        _ => change::bytes(&mut data, random),
    }
    // A transaction holds no more.
    data.truncate(1_000);
    case.data = corpus::encode(&data);
}

fn change_accounts(case: &mut Case, scenario: &Scenario, random: &mut Random) {
    let accounts = &mut case.accounts;
    let any = Meta {
        account: random.below(scenario.addresses.len()),
        signer: random.once_in(3),
        writable: random.once_in(2),
    };
    let at = random.below(accounts.len());
    match random.below(7) {
        _ if accounts.is_empty() => accounts.push(any),
        0 => drop(accounts.remove(at)),
        1 => accounts.truncate(at),
        2 if accounts.len() < 16 => accounts.push(any),
        3 => accounts[at].account = any.account,
        4 => accounts[at].signer = !accounts[at].signer,
        5 => accounts[at].writable = !accounts[at].writable,
        _ => {
            let other = random.below(accounts.len());
            accounts.swap(at, other);
        }
    }
}

/// Bytes that no program would leave there.
fn write(case: &mut Case, scenario: &Scenario, random: &mut Random) {
    let account = random.below(scenario.instruction.accounts.len());
    let Some(address) = scenario.addresses.get(account) else { return };
    let size = scenario.world.svm.get_account(address).map_or(0, |account| account.data.len());
    let length = random.once_in(6).then(|| match random.below(3) {
        0 => random.below(size + 1),
        1 => size + 40 * random.below(9),
        _ => size.saturating_sub(40),
    });
    let width = *random.choose(&[1, 1, 2, 4, 8, 8, 8, 32]);
    // Often where a number stands.
    let offset = random.below(size + 1) / width.min(8) * width.min(8);
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| random.number().to_le_bytes()).take(4).flatten().collect();
    bytes.truncate(width);
    if width == 32 {
        bytes = random.choose(&scenario.addresses).to_bytes().to_vec();
    }
    let bytes = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    case.writes.push(Write { account, offset, bytes, length });
    if case.writes.len() > 6 {
        case.writes.remove(0);
    }
}

// Trying -----------------------------------------------------------------------------------------------------------

fn take(input: &[u8]) -> Result<String> {
    let (case, scenario) = decode(input)?;
    let mut world = scenario.world.fork();
    let now = world.now();
    world.set_time(now.saturating_add(case.later));
    for write in &case.writes {
        apply(&mut world, scenario, write)?;
    }
    let accounts = case.accounts.iter().map(|meta| {
        let pubkey = *scenario.addresses.get(meta.account).context("no such account")?;
        Ok(AccountMeta { pubkey, is_signer: meta.signer, is_writable: meta.writable })
    });
    let data = corpus::decode(&case.data).context("no data")?;
    let instruction = Instruction { program_id: escrow::ID, accounts: accounts.collect::<Result<_>>()?, data };
    let name = match instruction.data.first() {
        Some(name) if usize::from(*name) < INSTRUCTIONS.len() => name.to_string(),
        _ => "no instruction".to_owned(),
    };
    let before = world.snapshot();
    let transaction = Transaction::new_unsigned(message(&world, instruction));
    let Err(failed) = world.svm.send_transaction(transaction) else {
        check_ledgers(&world, &case)?;
        return Ok(format!("{name} ok{}", if case.writes.is_empty() { "" } else { ", accounts written to" }));
    };
    ensure!(before == world.snapshot(), "refused ({:?}), and something changed", failed.err);
    if has_made_up_seeds(&case, &failed) {
        return Ok(format!("{name} runtime: seeds"));
    }
    let error = refusal(&failed.err).map_err(|error| anyhow!("{error}\n{}", failed.meta.pretty_logs()))?;
    Ok(format!("{name} {error}"))
}

fn message(world: &World, instruction: Instruction) -> solana_message::Message {
    let payer = world.fee_payer.pubkey();
    solana_message::Message::new_with_blockhash(&[instruction], Some(&payer), &world.svm.latest_blockhash())
}

fn apply(world: &mut World, scenario: &Scenario, write: &Write) -> Result<()> {
    let address = scenario.addresses.get(write.account).context("no such account")?;
    let Some(mut account) = world.svm.get_account(address) else { return Ok(()) };
    if account.executable || account.data.is_empty() {
        return Ok(());
    }
    let bytes = corpus::decode(&write.bytes).context("no bytes")?;
    if let Some(place) = account.data.get_mut(write.offset..write.offset.saturating_add(bytes.len())) {
        place.copy_from_slice(&bytes);
    }
    if let Some(length) = write.length {
        account.data.resize(length.min(10_240), 0);
        let rent = world.svm.minimum_balance_for_rent_exemption(account.data.len());
        account.lamports = account.lamports.max(rent);
    }
    world.svm.set_account(*address, account).map_err(|error| anyhow!("{error:?}"))
}

/// After a success with accounts as the program left them, every escrow decodes and adds up.
fn check_ledgers(world: &World, case: &Case) -> Result<()> {
    if !case.writes.is_empty() {
        return Ok(());
    }
    for (address, account) in world.snapshot() {
        let account = Account::from(account);
        if account.owner == escrow::ID && account.lamports != 0 {
            EscrowAccount::decode(address, &account).with_context(|| format!("the escrow {address} afterwards"))?;
        }
    }
    Ok(())
}

/// Whether the runtime stopped the program because the seeds in made-up bytes of an escrow give no address. The program
/// does not derive an escrow's address before it signs for it, for 1,500 compute units: it alone writes the seeds, when it
/// creates the account at the address that they give.
fn has_made_up_seeds(case: &Case, failed: &FailedTransactionMetadata) -> bool {
    let stopped = TransactionError::InstructionError(0, InstructionError::ProgramFailedToComplete);
    let reason = "Could not create program address with signer seeds";
    !case.writes.is_empty() && failed.err == stopped && failed.meta.logs.iter().any(|line| line.contains(reason))
}

/// The name of an error that a program answers; an error for what no program answers on purpose.
#[expect(deprecated, reason = "Anchor still answers NotEnoughAccountKeys")]
fn refusal(error: &TransactionError) -> Result<String> {
    let instruction_error = match error {
        TransactionError::InstructionError(0, error) => error,
        // Where account bytes were made up, the runtime may find the rent missing.
        TransactionError::InsufficientFundsForRent { .. } => return Ok("runtime: rent".to_owned()),
        // A program among the accounts that is said to be written to, or the fee payer changed.
        TransactionError::ProgramAccountNotFound => return Ok("runtime: no program".to_owned()),
        other => return Err(anyhow!("the transaction failed: {other:?}")),
    };
    use InstructionError::*;
    match instruction_error {
        Custom(code @ 6_000..) => match EscrowError::from_code(*code) {
            Some(error) => Ok(error.name().to_owned()),
            None => Err(anyhow!("an error with the number {code}, which is none")),
        },
        Custom(code @ 100..) => Ok(format!("Anchor {code}")),
        Custom(code) => Ok(format!("token or system program {code}")),
        InvalidArgument
        | InvalidInstructionData
        | InvalidAccountData
        | AccountDataTooSmall
        | IllegalOwner
        | InsufficientFunds
        | IncorrectProgramId
        | MissingRequiredSignature
        | NotEnoughAccountKeys
        | AccountAlreadyInitialized
        | UninitializedAccount
        | MissingAccount
        | AccountBorrowFailed
        | InvalidSeeds
        | InvalidRealloc
        | ArithmeticOverflow
        | InvalidAccountOwner
        | IncorrectAuthority
        | Immutable
        | AccountNotRentExempt
        | PrivilegeEscalation => Ok(client::variant(instruction_error)),
        other => Err(anyhow!("the program ended with {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_succeeds_as_it_is() {
        for (input, scenario) in examples().iter().zip(scenarios()) {
            let outcome = take(input).unwrap_or_else(|error| panic!("{}: {error:#}", scenario.name));
            assert!(outcome.ends_with(" ok"), "{}: {outcome}", scenario.name);
        }
    }
}
