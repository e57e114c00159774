//! Everything in the client that reads bytes or text of others.

use anchor_lang::Discriminator;
use anyhow::{Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytemuck::{Zeroable, bytes_of, pod_read_unaligned};
use escrow::{
    interface::has_its_length,
    state::{
        Escrow, EscrowStatus, HEADER_SIZE, LAYOUT_VERSION, Ledger, MILESTONE_SIZE, Milestone, MintInfo, Proposal,
        Recipient, Terms,
    },
};
use escrow_client::{
    EscrowAccount, EscrowInstruction, Filter,
    MilestoneStatus::{Disputed, Pending},
    address::{escrow_address, vault_address},
    amount::{format_amount, parse_amount},
    event::{self, EscrowEvent},
    explain, instruction, terms,
};
use solana_account::Account;
use solana_pubkey::Pubkey;

use super::{Target, allocation, change};
use crate::random::Random;

pub const TARGETS: &[Target] = &[
    Target { name: "account", inputs: 4_000, examples: accounts, change: change_account, take: take_account },
    Target { name: "mint", inputs: 20_000, examples: mints, change: change::bytes, take: take_mint },
    Target {
        name: "instruction",
        inputs: 20_000,
        examples: instructions,
        change: change::bytes,
        take: take_instruction,
    },
    Target { name: "event", inputs: 20_000, examples: events, change: change::bytes, take: take_event },
    Target { name: "log", inputs: 5_000, examples: logs, change: change_log, take: take_log },
    Target { name: "amount", inputs: 20_000, examples: amounts, change: change_amount, take: take_amount },
];

/// The name of an enum's variant.
pub fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

// Accounts ---------------------------------------------------------------------------------------------------------

/// Where the milestones begin: behind the discriminator, the header and their number.
const MILESTONES: usize = 8 + HEADER_SIZE + 8;
const COUNT: usize = 8 + HEADER_SIZE;

/// Escrow accounts in every state, each with its address derived from its terms.
pub fn escrows() -> Vec<(Pubkey, Vec<u8>)> {
    let (buyer, seller) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
    let mut terms =
        escrow_client::TermsBuilder::new(buyer, seller, terms::Asset::Sol).assemble(1_000_000).expect("terms");
    (terms.arbiter, terms.attester) = (Pubkey::new_from_array([3; 32]), Pubkey::new_from_array([4; 32]));
    (terms.fee_recipient, terms.fee_bps, terms.arbiter_fee_bps) = (Pubkey::new_from_array([5; 32]), 250, 100);
    (terms.salt, terms.cooling_off) = ([6; 16], 60);
    terms.milestones = vec![terms::milestone(1_000, 2_000_000), terms::milestone(500, 3_000_000)];
    let milestones: Vec<Milestone> = terms.milestones.iter().map(Into::into).collect();
    let created = header(&terms);
    let mut funded = Escrow { status: EscrowStatus::Funded.byte(), funded_at: 1_000_100, ..created };
    let split =
        Proposal::Split { milestone: 0, status: Pending, remaining: 1_000, to_seller: 10, expires_at: 1_900_000 };
    (funded.buyer_proposal, funded.hashlock) = (split.into(), [7; 32]);
    let (replaces, deadline) = (3_000_000, 4_000_000);
    let later = Proposal::Extension { milestone: 1, status: Pending, replaces, deadline, expires_at: 1_900_000 };
    funded.seller_proposal = later.into();
    let mut decided = milestones.clone();
    (decided[0].remaining, decided[0].status, decided[0].deadline) = (0, 3, 0);
    (decided[1].status, decided[1].deadline) = (2, 3_500_000);
    let ledger = Ledger {
        released: 600,
        refunded: 400,
        fees: 15,
        due_seller: 585,
        due_buyer: 100,
        due_fee: 15,
        ..created.ledger
    };
    let partly = Escrow { ledger, ..funded };
    let token = Escrow { mint: Pubkey::new_from_array([8; 32]), token_program: escrow_tests::TOKEN, ..partly };
    [(created, &milestones), (funded, &milestones), (partly, &decided), (token, &decided)]
        .into_iter()
        .map(|(state, milestones)| {
            let count = u64::try_from(milestones.len()).unwrap_or_default();
            let mut data = Escrow::DISCRIMINATOR.to_vec();
            data.extend_from_slice(bytes_of(&state));
            data.extend_from_slice(&count.to_le_bytes());
            milestones.iter().for_each(|milestone| data.extend_from_slice(bytes_of(milestone)));
            let address = repair(&mut data).unwrap_or_default();
            (address, data)
        })
        .collect()
}

fn header(terms: &Terms) -> Escrow {
    let Terms {
        buyer,
        seller,
        arbiter,
        attester,
        fee_recipient,
        mint,
        token_program,
        accepted_risks,
        fee_bps,
        arbiter_fee_bps,
        fund_by,
        cooling_off,
        ruling_window,
        undelivered_bps,
        unanswered_bps,
        unruled_bps,
        hashlock,
        document_hash,
        salt,
        milestones: _,
    } = *terms;
    Escrow {
        buyer,
        seller,
        arbiter,
        attester,
        fee_recipient,
        mint,
        token_program,
        accepted_risks,
        fee_bps,
        arbiter_fee_bps,
        fund_by,
        cooling_off,
        ruling_window,
        undelivered_bps,
        unanswered_bps,
        unruled_bps,
        hashlock,
        document_hash,
        salt,
        ledger: Ledger { principal: terms.principal().unwrap_or_default(), ..Ledger::default() },
        rent_payer: buyer,
        status: EscrowStatus::Created.byte(),
        version: LAYOUT_VERSION,
        ..Escrow::zeroed()
    }
}

/// Writes what follows from the terms in an account: a lie that a node would tell who knows how escrows are made. Gives
/// the address that goes with it.
fn repair(data: &mut [u8]) -> Option<Pubkey> {
    let mut state: Escrow = pod_read_unaligned(data.get(8..COUNT)?);
    let milestones: Vec<Milestone> =
        data.get(MILESTONES..)?.chunks_exact(MILESTONE_SIZE).take(9).map(pod_read_unaligned).collect();
    let terms = state.terms(&milestones);
    state.terms_hash = terms.hash().ok()?;
    let (address, bump) = Pubkey::find_program_address(&[escrow::ESCROW_SEED, &state.terms_hash], &escrow::ID);
    state.bump = bump;
    state.vault = if state.is_sol() { Pubkey::default() } else { vault_address(&address) };
    if let Ok(principal) = terms.principal() {
        state.ledger.principal = principal;
    }
    data.get_mut(8..COUNT)?.copy_from_slice(bytes_of(&state));
    Some(address)
}

fn accounts() -> Vec<Vec<u8>> {
    escrows().into_iter().map(|(_, data)| data).collect()
}

fn change_account(input: &mut Vec<u8>, random: &mut Random) {
    if random.once_in(6) {
        // Another number of milestones, and that many or not.
        let count = random.below(11);
        if random.once_in(2) {
            input.resize(MILESTONES + count * MILESTONE_SIZE, 1);
        }
        if let Some(place) = input.get_mut(COUNT..COUNT + 8) {
            place.copy_from_slice(&(count as u64).to_le_bytes());
        }
    } else {
        change::bytes(input, random);
    }
}

fn take_account(input: &[u8]) -> Result<String> {
    let mut data = input.to_vec();
    let address = repair(&mut data).unwrap_or_default();
    let account = |data: &[u8]| Account { lamports: 1, data: data.to_vec(), owner: escrow::ID, ..Account::default() };
    // As it came, and as one who knows would tell it.
    let raw = account(input);
    let _ = EscrowAccount::decode(address, &raw);
    let known = account(&data);
    let (decoded, peak) = allocation::measure(|| EscrowAccount::decode(address, &known));
    allocation::in_proportion(peak, input.len(), 2, 1024)?;
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err(error) => {
            ensure!(error.to_string().len() < 200, "a long error: {error}");
            return Ok(variant(&error));
        }
    };
    let ((), peak) = allocation::measure(|| use_account(&decoded));
    allocation::in_proportion(peak, input.len(), 16, 8192)?;
    ensure!(escrow_address(&decoded.terms()) == Ok(address), "the address of other terms");
    Ok(format!("{:?}, {} milestones", decoded.state.status(), decoded.milestones.len()))
}

/// All that can be asked of an escrow that was accepted.
fn use_account(escrow: &EscrowAccount) {
    let state = &escrow.state;
    for now in [i64::MIN, 0, state.funded_at, state.fund_by, i64::MAX] {
        for possibility in explain::possibilities(escrow, now) {
            let _ = possibility.is_open(now);
        }
    }
    let _ = (escrow.asset(), escrow.due().count(), escrow.milestone(0), escrow.milestone(255), escrow.is_funded());
    let _ = Filter { buyer: Some(state.buyer), ..Filter::default() }.matches(escrow);
    for surplus in [false, true] {
        let _ = (instruction::cancel(escrow, state.buyer, surplus), instruction::close(escrow, surplus));
    }
    for recipient in Recipient::ALL {
        let _ = instruction::withdraw(escrow, recipient);
    }
    let _ = (instruction::create(state.buyer, &escrow.terms()), instruction::fund(&escrow.terms()));
    let _ = (escrow.terms().validate(0), escrow.terms().validate(i64::MAX));
}

// Mints ------------------------------------------------------------------------------------------------------------

/// A mint without extensions, and one with each that there is room for.
pub fn mints() -> Vec<Vec<u8>> {
    let mut plain = vec![0; 82];
    (plain[44], plain[45]) = (6, 1);
    let mut frozen = plain.clone();
    frozen[46] = 1;
    let mut extended = plain.clone();
    extended.resize(165, 0);
    extended.push(1);
    let mut all = vec![plain, frozen];
    for kind in 0..30u16 {
        let mut one = extended.clone();
        let length: u16 = if kind == 1 { 108 } else { 64 };
        one.extend_from_slice(&kind.to_le_bytes());
        one.extend_from_slice(&length.to_le_bytes());
        one.resize(one.len() + usize::from(length), 0);
        all.push(one);
    }
    all
}

fn take_mint(input: &[u8]) -> Result<String> {
    let (read, peak) = allocation::measure(|| MintInfo::read(input));
    allocation::in_proportion(peak, input.len(), 0, 0)?;
    Ok(match read {
        Ok(mint) => format!("risks {:05b}", mint.risks),
        Err(error) => error.name().to_owned(),
    })
}

// Instructions -----------------------------------------------------------------------------------------------------

/// One of each.
fn instructions() -> Vec<Vec<u8>> {
    let key = Pubkey::default();
    let proposals = [
        Proposal::Withdrawn,
        Proposal::Split { milestone: 1, status: Pending, remaining: 2, to_seller: 1, expires_at: 4 },
        Proposal::Extension { milestone: 1, status: Disputed, replaces: 2, deadline: 3, expires_at: 4 },
    ];
    let mut all = vec![
        instruction::deliver(key, key, 1, [2; 32]),
        instruction::claim(key, 1, [2; 32]),
        instruction::release(key, key, 1, instruction::Part { amount: 2, of: 3 }),
        instruction::refund(key, key, 1, instruction::Part { amount: 2, of: 3 }),
        instruction::dispute(key, key, 1, [2; 32]),
        instruction::rule(key, key, 1, 2, [3; 32]),
        instruction::expire(key, 1),
    ];
    all.extend(proposals.map(|proposal| instruction::propose(key, key, proposal)));
    all.extend(proposals.map(|proposal| instruction::accept(key, key, proposal)));
    let mut data: Vec<Vec<u8>> = all.into_iter().map(|instruction| instruction.data).collect();
    for (address, account) in escrows() {
        let account = Account { data: account, owner: escrow::ID, ..Account::default() };
        let Ok(escrow) = EscrowAccount::decode(address, &account) else { continue };
        data.extend(instruction::create(key, &escrow.terms()).map(|create| create.data));
        data.extend(Recipient::ALL.map(|recipient| instruction::withdraw(&escrow, recipient).data));
        data.extend([instruction::cancel(&escrow, key, false).data, instruction::close(&escrow, false).data]);
        data.extend(instruction::fund(&escrow.terms()).map(|fund| fund.data));
    }
    data
}

fn take_instruction(input: &[u8]) -> Result<String> {
    let (action, peak) = allocation::measure(|| EscrowInstruction::decode(input));
    allocation::in_proportion(peak, input.len(), 4, 1024)?;
    let fits = has_its_length(input);
    ensure!(action.is_none() || fits == Some(true), "an instruction of another length");
    Ok(match action {
        Some(action) => variant(&action),
        None => match fits {
            Some(true) => "wrong arguments".to_owned(),
            Some(false) => "wrong length".to_owned(),
            None => "no instruction".to_owned(),
        },
    })
}

// Events and logs --------------------------------------------------------------------------------------------------

/// One of each, of zeros.
fn events() -> Vec<Vec<u8>> {
    use escrow::event::*;
    fn one<E: Discriminator + bytemuck::Pod>() -> Vec<u8> {
        [E::DISCRIMINATOR, bytes_of(&E::zeroed())].concat()
    }
    vec![
        one::<Created>(),
        one::<Funded>(),
        one::<Cancelled>(),
        one::<Delivered>(),
        one::<Claimed>(),
        one::<Released>(),
        one::<Refunded>(),
        one::<Disputed>(),
        one::<Ruled>(),
        one::<Proposed>(),
        one::<Accepted>(),
        one::<Expired>(),
        one::<Withdrawn>(),
        one::<Closed>(),
    ]
}

fn take_event(input: &[u8]) -> Result<String> {
    let (event, peak) = allocation::measure(|| EscrowEvent::decode(input));
    allocation::in_proportion(peak, input.len(), 0, 0)?;
    Ok(event.map_or_else(|| "no event".to_owned(), |event| variant(&event)))
}

/// Lines of a log, with one of each event.
pub fn logs() -> Vec<Vec<u8>> {
    let (program, other) = (escrow::ID, Pubkey::new_from_array([9; 32]));
    let data = |event: &Vec<u8>| format!("Program data: {}\n", BASE64_STANDARD.encode(event));
    let all: String = events().iter().map(data).collect();
    let one = events().first().map(data).unwrap_or_default();
    [
        format!("Program {program} invoke [1]\n{all}Program {program} consumed 1 of 2 compute units\nProgram {program} success"),
        format!("Program {other} invoke [1]\nProgram {program} invoke [2]\n{one}Program {program} success\n{one}Program {other} success"),
        format!("Program {program} invoke [1]\n{one}Log truncated"),
        format!("Program {program} invoke [1]\nProgram log: Error\nProgram {program} failed: custom program error: 0x1770"),
    ]
    .map(String::into_bytes)
    .into()
}

fn change_log(input: &mut Vec<u8>, random: &mut Random) {
    const PROGRAM: &str = "EsciU43x1AtsEzNfxzZprrTYtrUA7ikpy1x8Q8BEXeAH";
    let words = [
        "\n",
        "Program ",
        " invoke [1]",
        " invoke [2]",
        " invoke [18446744073709551615]",
        " success",
        " failed: ",
        "Program data: ",
        "Log truncated\n",
        "Program log: ",
        "AAAA====",
        PROGRAM,
    ];
    change::text(&words, input, random);
}

fn take_log(input: &[u8]) -> Result<String> {
    let lines: Vec<String> = String::from_utf8_lossy(input).lines().map(str::to_owned).collect();
    let (found, peak) = allocation::measure(|| event::events(&lines));
    allocation::in_proportion(peak, input.len(), 8, 4096)?;
    let events = match found.events.len() {
        0 => "no event",
        1 => "one event",
        _ => "events",
    };
    Ok(format!("{events}{}", if found.truncated { ", truncated" } else { "" }))
}

// Amounts ----------------------------------------------------------------------------------------------------------

/// The digits after the point, then text.
fn amounts() -> Vec<Vec<u8>> {
    let texts =
        [(9, "1.5"), (0, "18446744073709551615"), (6, "0.000001"), (255, "0"), (2, ".5"), (9, "18446744073.709551615")];
    texts.iter().map(|(decimals, text)| [&[*decimals], text.as_bytes()].concat()).collect()
}

fn change_amount(input: &mut Vec<u8>, random: &mut Random) {
    if random.once_in(2) {
        change::bytes(input, random);
    } else {
        let word = random.choose(&[".", "0", "9", "00000000000000000000", "-", "e", "٣", "1", "18446744073709551616"]);
        let at = 1 + random.below(input.len());
        let at = at.min(input.len());
        input.splice(at..at, word.bytes());
    }
}

fn take_amount(input: &[u8]) -> Result<String> {
    let (decimals, text) = input.split_first().unwrap_or((&0, &[]));
    let text = String::from_utf8_lossy(text);
    let (parsed, peak) = allocation::measure(|| parse_amount(&text, *decimals));
    allocation::in_proportion(peak, text.len(), 2, 64)?;
    match parsed {
        Ok(units) => {
            let (written, peak) = allocation::measure(|| format_amount(units, *decimals));
            allocation::in_proportion(peak, usize::from(*decimals), 8, 256)?;
            ensure!(parse_amount(&written, *decimals) == Ok(units), "{text} is {units}, written {written}");
            Ok("an amount".to_owned())
        }
        Err(error) => Ok(variant(&error)),
    }
}
