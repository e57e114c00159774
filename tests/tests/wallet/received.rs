//! Transactions that somebody else prepared: what our recipes build is read back, and whatever is changed in it is refused or
//! shown.

use base64::{Engine, prelude::BASE64_STANDARD};
use escrow_client::{
    Action, EscrowAccount, EscrowInstruction, Recipe, Unsigned,
    explain::possibilities,
    instruction,
    terms::Asset,
    transaction::{
        Lifetime, PrepareError,
        budget::{Fees, budget},
        nonce,
        pack::pack,
        received::{Checked, Part, Received, ReceivedError},
        returned::{Allowance, LIGHTHOUSE, MEMO},
    },
    words::Denomination,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{Message as Legacy, VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;

use crate::{NOW, People, TOKEN, key};

const PAYER: Pubkey = Pubkey::new_from_array([20; 32]);
const MINT: Pubkey = Pubkey::new_from_array([5; 32]);

fn people() -> People {
    People {
        buyer: key(11),
        seller: key(12),
        arbiter: key(13),
        attester: key(14),
        fee_recipient: key(15),
        rent_payer: key(16),
    }
}

fn encode(message: VersionedMessage) -> String {
    let signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
    BASE64_STANDARD.encode(wincode::serialize(&VersionedTransaction { signatures, message }).unwrap())
}

fn versioned(instructions: &[Instruction], payer: &Pubkey) -> VersionedMessage {
    VersionedMessage::V0(v0::Message::try_compile(payer, instructions, &[], Lifetime::default().hash()).unwrap())
}

fn legacy(instructions: &[Instruction], payer: &Pubkey) -> VersionedMessage {
    VersionedMessage::Legacy(Legacy::new_with_blockhash(instructions, Some(payer), &Lifetime::default().hash()))
}

fn read(instructions: &[Instruction]) -> Result<Received, ReceivedError> {
    Received::read(&encode(versioned(instructions, &PAYER)), &Allowance::default())
}

fn check(text: &str, escrows: &[EscrowAccount], now: i64) -> Result<Checked, ReceivedError> {
    Received::read(text, &Allowance::default())?.check(escrows, now)
}

fn told(checked: &Checked, now: i64) -> Vec<String> {
    checked.told(
        |asset| match asset {
            Asset::Sol => Denomination::SOL,
            token => Denomination::token(token, 6),
        },
        now,
    )
}

/// A transaction of ours: what it acts on, when, and its actions.
struct Built {
    before: Vec<EscrowAccount>,
    now: i64,
    actions: Vec<Action>,
    instructions: Vec<Instruction>,
}

/// Transactions of a random life of an escrow, from its creation to its end.
fn life(rng: &mut StdRng) -> Vec<Built> {
    let asset = if rng.random() { Asset::Sol } else { TOKEN };
    let amounts: Vec<u64> = (0..rng.random_range(1..=8)).map(|_| rng.random_range(1..1_000_000)).collect();
    let people = people();
    let agreed = people.agreed(asset, &amounts);
    let mut built = Vec::new();
    let mut now = NOW;
    let fund = rng.random();
    let create = Recipe::create(&agreed.terms(), people.rent_payer, fund).unwrap();
    let previewed = create.preview(&agreed, now).unwrap();
    add(&mut built, &previewed, now, rng);
    let mut present = previewed.after;
    while let Some(escrow) = present.clone() {
        let missing: Vec<Pubkey> = [people.buyer, people.seller, people.arbiter, people.fee_recipient]
            .into_iter()
            .filter(|_| rng.random())
            .collect();
        let surplus = rng.random();
        let recipe = match rng.random_range(0..6) {
            0 => Recipe::finish(&escrow, surplus, &missing, now),
            1 => Recipe::pay_out(&escrow, None, &missing),
            2 => Recipe::close(&escrow, surplus, &missing),
            3 => Recipe::cancel(&escrow, people.buyer, surplus, &missing),
            _ => {
                let all = possibilities(&escrow, now);
                let Some(next) = all.choose(rng) else { break };
                now = now.max(next.from);
                let unnamed = matches!(next.action.instruction, EscrowInstruction::Cancel);
                let by = next.action.actor.unwrap_or(people.buyer);
                Recipe::only(if unnamed { next.action.clone().by(by) } else { next.action.clone() })
            }
        };
        let Ok(previewed) = recipe.preview(&escrow, now) else {
            now += 3_600;
            continue;
        };
        if previewed.actions.is_empty() {
            now += 24 * 3_600;
            continue;
        }
        add(&mut built, &previewed, now, rng);
        present = previewed.after;
        if built.len() > 30 {
            break;
        }
    }
    built
}

fn add(built: &mut Vec<Built>, previewed: &escrow_client::recipe::PreviewedRecipe, now: i64, rng: &mut StdRng) {
    let lifetime = Lifetime::default();
    let frame = budget(&[], &Fees::default(), 1);
    let mut actions = previewed.actions.iter();
    for mut instructions in pack(&previewed.units(&PAYER), &frame, &PAYER, &lifetime).unwrap() {
        instructions.drain(..frame.len());
        let count =
            instructions.iter().filter(|instruction| instruction.program_id == escrow_client::escrow::ID).count();
        let ours: Vec<_> = actions.by_ref().take(count).collect();
        let creates = matches!(ours[0].action.instruction, EscrowInstruction::Create { .. });
        let before = if creates { vec![] } else { vec![ours[0].before.clone()] };
        let mut all = Vec::new();
        if rng.random() {
            all.push(nonce::advance(&key(30), &key(31)));
        }
        all.extend(budget(&instructions, &Fees::default(), rng.random_range(0..2_000)));
        all.extend(instructions);
        if rng.random() {
            all.push(Instruction { program_id: MEMO, accounts: vec![], data: b"Order 17".to_vec() });
        }
        let actions = ours.iter().map(|ours| ours.action.clone()).collect();
        built.push(Built { before, now, actions, instructions: all });
    }
}

/// Whatever our recipes build is read back to the same actions, by whichever kind of message.
#[test]
fn what_our_recipes_build_is_read_back() {
    let mut count = 0;
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        for Built { before, now, actions, instructions } in life(&mut rng) {
            for text in [encode(versioned(&instructions, &PAYER)), encode(legacy(&instructions, &PAYER))] {
                let checked = check(&text, &before, now).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                let read: Vec<Action> = checked.actions().iter().map(|found| found.action.clone()).collect();
                assert_eq!(read, actions, "seed {seed}");
                let received = checked.received();
                assert_eq!(received.escrows(), before.iter().map(|escrow| escrow.address).collect::<Vec<_>>());
                assert_eq!(received.parts().len(), instructions.len());
                assert_eq!(received.fee().payer, PAYER);
                let signers = u64::try_from(received.signers().len()).unwrap();
                assert_eq!(received.fee().signatures, 5_000 * signers);
                assert!(told(&checked, now).len() >= actions.len() + 3);
                count += 1;
            }
        }
    }
    println!("200 seeds, {count} transactions");
    assert!(count > 1_000, "{count}");
}

/// Whatever is added, taken away, moved or altered is refused, or is not told as before.
#[test]
fn nothing_changes_without_being_refused_or_shown() {
    let (mut refused, mut shown) = (0, 0);
    for seed in 1_000..1_030 {
        let mut rng = StdRng::seed_from_u64(seed);
        for Built { before, now, instructions, .. } in life(&mut rng) {
            let original = check(&encode(versioned(&instructions, &PAYER)), &before, now).unwrap();
            let mut look = |message: VersionedMessage, change: &str| match check(&encode(message), &before, now) {
                Err(_) => refused += 1,
                Ok(changed) => {
                    let same = changed.received().parts() == original.received().parts()
                        && changed.received().hash() == original.received().hash()
                        && changed.actions() == original.actions()
                        && told(&changed, now) == told(&original, now);
                    assert!(!same, "seed {seed}, {change}");
                    shown += 1;
                }
            };
            for place in 0..instructions.len() {
                let mut fewer = instructions.clone();
                fewer.remove(place);
                look(versioned(&fewer, &PAYER), "one is missing");
                let mut twice = instructions.clone();
                twice.insert(place, instructions[place].clone());
                look(versioned(&twice, &PAYER), "one is repeated");
                if place > 0 && instructions[place] != instructions[place - 1] {
                    let mut moved = instructions.clone();
                    moved.swap(place, place - 1);
                    look(versioned(&moved, &PAYER), "two are exchanged");
                }
            }
            // Any bit of the message itself: accounts, flags, indexes, data.
            let bytes = versioned(&instructions, &PAYER).serialize();
            for _ in 0..200 {
                let mut changed = bytes.clone();
                let bit = rng.random_range(0..changed.len() * 8);
                changed[bit / 8] ^= 1 << (bit % 8);
                let Ok(message) = wincode::deserialize::<VersionedMessage>(&changed) else { continue };
                if wincode::serialize(&message).is_ok_and(|again| again == changed) {
                    look(message, &format!("bit {bit}"));
                }
            }
        }
    }
    println!("{refused} refused, {shown} shown");
    assert!(refused > 5_000 && shown > 100, "{refused} {shown}");
}

/// A funded escrow and a release of it.
fn release() -> (EscrowAccount, Vec<Instruction>) {
    let agreed = people().agreed(TOKEN, &[1_000]);
    let fund = Action::new(&agreed, EscrowInstruction::Fund);
    let funded = fund.preview(&agreed, NOW).unwrap().after.unwrap();
    let release = EscrowInstruction::Release { milestone: 0, amount: 400, expected_remaining: 1_000 };
    let release = Action::new(&funded, release).instruction(&funded);
    (funded, vec![release])
}

#[test]
fn what_has_no_place_in_it_is_refused_by_name() {
    let (_, ours) = release();
    let with = |foreign: Instruction| match read(&[ours.clone(), vec![foreign]].concat()) {
        Err(error) => error.to_string(),
        Ok(received) => panic!("{received:?}"),
    };
    let program = |program_id, data: &[u8]| Instruction {
        program_id,
        accounts: vec![AccountMeta::new(key(11), true), AccountMeta::new(key(66), false)],
        data: data.to_vec(),
    };
    let token = spl_token_2022_interface::inline_spl_token::ID;
    let token_2022 = spl_token_2022_interface::ID;
    let budget_program = escrow_client::transaction::budget::COMPUTE_BUDGET;
    let transfer = solana_system_interface::instruction::transfer(&key(11), &key(66), 1_500_000_000);
    for (foreign, parts) in [
        (transfer, ["instruction 2 calls the system program", "transfer 1.5 SOL"]),
        (
            program(token, &[&[3], 7u64.to_le_bytes().as_slice()].concat()),
            ["the token program", "transfer 7 base units"],
        ),
        (program(token_2022, &[6, 2]), ["the Token-2022 program", "give a token account or a mint away"]),
        (
            program(token, &[&[4], 9u64.to_le_bytes().as_slice()].concat()),
            ["the token program", "somebody else spend 9"],
        ),
        (program(key(77), &[1]), ["the program", &key(77).to_string()]),
        (program(LIGHTHOUSE, &[2]), ["Lighthouse", "no place"]),
        (program(budget_program, &[1, 0, 0, 4, 0]), ["the compute budget program", "a larger heap"]),
        (program(budget_program, &[4, 0, 0, 4, 0]), ["the compute budget program", "size of the accounts"]),
        (nonce::advance(&key(30), &key(31)), ["the system program", "only the first"]),
        (nonce::withdraw(&key(30), &key(31), &key(66), 1), ["the system program", "out of a nonce account"]),
    ] {
        let error = with(foreign);
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
    }
    let open = |owner, mint| instruction::create_associated_token_account(PAYER, owner, mint, token_2022);
    let (funded, _) = release();
    let unneeded = [vec![open(key(12), MINT)], ours.clone()].concat();
    let error = read(&unneeded).unwrap().check(std::slice::from_ref(&funded), NOW).unwrap_err();
    assert_eq!(error, ReceivedError::NotNeeded { number: 1, owner: key(12) });
    let mut not_idempotent = open(key(12), MINT);
    not_idempotent.data = vec![0];
    assert!(with(not_idempotent).contains("associated token account program"));
    let memo = |data: &[u8]| Instruction { program_id: MEMO, accounts: vec![], data: data.to_vec() };
    assert_eq!(read(&[ours.clone(), vec![memo(&[0xff])]].concat()), Err(ReceivedError::Memo(2)));
    assert!(matches!(
        read(&[ours.clone(), vec![memo(b"a"), memo(b"b")]].concat()),
        Err(ReceivedError::Twice { number: 3, .. })
    ));
    assert_eq!(read(&[memo(b"nothing else")]), Err(ReceivedError::NoAction));
    let mut longer = ours[0].clone();
    longer.data.push(0);
    assert_eq!(read(&[longer]), Err(ReceivedError::Unreadable(1)));
}

#[test]
fn fees_are_told_to_the_lamport_and_capped() {
    let (funded, ours) = release();
    let with = |fees: Fees, price: u64| {
        let all = [budget(&ours, &fees, price), ours.clone()].concat();
        Received::read(&encode(versioned(&all, &PAYER)), &Allowance { priority_fee: 1_000 })
    };
    let units = Fees { units: Some(100_000), ..Fees::default() };
    let received = with(units, 10_000).unwrap();
    assert_eq!((received.fee().signatures, received.fee().priority, received.fee().total()), (10_000, 1_000, 11_000));
    let checked = received.check(&[funded], NOW).unwrap();
    let lines = told(&checked, NOW);
    assert!(
        lines.iter().any(|line| line.contains("0.00001 SOL for 2 signatures, and at most 0.000001 SOL")),
        "{lines:?}"
    );
    assert_eq!(with(units, 10_001), Err(ReceivedError::PriorityFee { fee: 1_001, most: 1_000 }));
    // No limit is 200,000 for each instruction.
    let alone = vec![budget(&ours, &units, 5_001)[1].clone(), ours[0].clone()];
    let read = Received::read(&encode(versioned(&alone, &PAYER)), &Allowance { priority_fee: 1_000 });
    assert_eq!(read, Err(ReceivedError::PriorityFee { fee: 1_001, most: 1_000 }));
}

#[test]
fn accounts_that_do_not_belong_there_are_refused() {
    let (funded, ours) = release();
    let attempt = |instructions: &[Instruction]| {
        read(instructions).and_then(|received| received.check(std::slice::from_ref(&funded), NOW)).unwrap_err()
    };
    let mut other = ours.clone();
    other[0].accounts.push(AccountMeta::new_readonly(key(66), false));
    assert_eq!(attempt(&other), ReceivedError::Altered { number: 1, expected: None, found: Some(key(66)) });
    let mut signs = ours.clone();
    signs[0].accounts[0].is_signer = true;
    assert_eq!(attempt(&signs), ReceivedError::Signer(funded.address));
    let VersionedMessage::V0(mut message) = versioned(&ours, &PAYER) else { unreachable!() };
    message.account_keys.push(key(66));
    message.header.num_readonly_unsigned_accounts += 1;
    let error = check(&encode(VersionedMessage::V0(message.clone())), std::slice::from_ref(&funded), NOW).unwrap_err();
    assert_eq!(error, ReceivedError::Unused(key(66)));
    message.address_table_lookups.push(v0::MessageAddressTableLookup {
        account_key: key(60),
        writable_indexes: vec![0],
        readonly_indexes: vec![],
    });
    let error = check(&encode(VersionedMessage::V0(message)), std::slice::from_ref(&funded), NOW).unwrap_err();
    assert_eq!(error, ReceivedError::LookupTable(key(60)));
    assert_eq!(
        read(&ours).unwrap().check(&[], NOW).unwrap_err(),
        ReceivedError::NoEscrow { number: 1, escrow: funded.address }
    );
    let create = instruction::create(key(16), &funded.terms()).unwrap();
    let error = attempt(&[create]);
    assert_eq!(error, ReceivedError::AlreadyThere { number: 1, escrow: funded.address });
    // A rule refuses the second of two that release the same.
    let error = attempt(&[ours.clone(), ours.clone()].concat());
    assert!(matches!(&error, ReceivedError::Refused { number: 2, .. }), "{error}");
    for text in ["", "?", "AAAA"] {
        assert!(matches!(Received::read(text, &Allowance::default()), Err(ReceivedError::Malformed(_))));
    }
}

#[test]
fn what_was_checked_is_signed_and_nothing_else() {
    let (payer, buyer) = (Keypair::new_from_array([1; 32]), Keypair::new_from_array([2; 32]));
    let people = People { buyer: buyer.pubkey(), ..people() };
    let agreed = people.agreed(Asset::Sol, &[1_000]);
    let fund = instruction::fund(&agreed.terms()).unwrap();
    for (first, lifetime) in [
        (vec![], Lifetime::default()),
        (
            vec![nonce::advance(&key(30), &payer.pubkey())],
            Lifetime::Nonce {
                account: key(30),
                authority: payer.pubkey(),
                value: [0; 32],
                read_at: 1,
                origin: Default::default(),
            },
        ),
    ] {
        let memo = Instruction { program_id: MEMO, accounts: vec![], data: "Öl\u{202e}\n\"x\"".as_bytes().to_vec() };
        let all = [first, vec![fund.clone(), memo]].concat();
        let text = encode(legacy(&all, &payer.pubkey()));
        let half = check(&text, std::slice::from_ref(&agreed), NOW).unwrap().sign(&[&payer]).unwrap();
        let checked = check(&half, std::slice::from_ref(&agreed), NOW).unwrap();
        assert_eq!(checked.received().missing(), [buyer.pubkey()]);
        let lines = told(&checked, NOW);
        assert!(lines.iter().any(|line| line.contains(r#"“Öl\u{202e}\n"x"”"#)), "{lines:?}");
        assert!(lines.contains(&format!("Not signed yet by {}.", buyer.pubkey())));
        assert_eq!(lines.iter().any(|line| line.contains("at any time")), lifetime != Lifetime::default());
        let signed =
            checked.clone().into_unsigned(lifetime).unwrap().sign(&[&buyer]).and_then(Unsigned::complete).unwrap();
        assert_eq!(signed.actions().len(), 1);
        assert_eq!(checked.clone().sign(&[&Keypair::new_from_array([3; 32])]).unwrap_err(), {
            PrepareError::NotASigner(Keypair::new_from_array([3; 32]).pubkey())
        });
        let other = match lifetime {
            Lifetime::Nonce { .. } => Lifetime::default(),
            _ => Lifetime::Blockhash { hash: [1; 32], last_valid_block_height: 1, origin: Default::default() },
        };
        assert_eq!(checked.into_unsigned(other).unwrap_err(), ReceivedError::Lifetime);
        // A signature of something else.
        let mut bytes = BASE64_STANDARD.decode(&half).unwrap();
        bytes[1] ^= 1;
        let error = Received::read(&BASE64_STANDARD.encode(bytes), &Allowance::default()).unwrap_err();
        assert_eq!(error, ReceivedError::BadSignature(payer.pubkey()));
    }
}

#[test]
fn a_recipient_that_pays_the_fee_directs_nothing() {
    let (funded, _) = release();
    let release = EscrowInstruction::Release { milestone: 0, amount: 1_000, expected_remaining: 1_000 };
    let released = Action::new(&funded, release).preview(&funded, NOW).unwrap().after.unwrap();
    let seller = released.state.seller;
    let withdraw = instruction::withdraw(&released, escrow_client::Recipient::Seller);
    let checked = check(&encode(versioned(&[withdraw], &seller)), std::slice::from_ref(&released), NOW).unwrap();
    assert_eq!(checked.actions()[0].action.actor, None);
    let elsewhere = instruction::withdraw_to(&released, escrow_client::Recipient::Seller, Some(key(70)));
    let checked = check(&encode(versioned(&[elsewhere], &seller)), &[released], NOW).unwrap();
    assert_eq!(checked.actions()[0].action.actor, Some(seller));
    assert!(told(&checked, NOW).contains(&format!("It is paid into the token account {}.", key(70))));
    assert!(matches!(checked.received().parts()[0], Part::Action(_)));
}
