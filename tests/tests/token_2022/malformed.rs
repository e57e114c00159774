//! Accounts that are no mints, and mints whose extensions do not parse. No issuer can make most of these; that they are
//! refused, and how, is the program's own doing all the same.

use escrow_client::{
    EscrowError::{self, *},
    escrow::state::{MintInfo, RISKS_KNOWN},
};
use escrow_tests::{Refusal, TOKEN, TOKEN_2022, World, keypair};
use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;
use spl_token_2022_interface::{error::TokenError, extension::ExtensionType, instruction as token_instruction};

use crate::{recipes::*, support::*};

const PROGRAMS: [Pubkey; 2] = [TOKEN, TOKEN_2022];

/// Creating an escrow of the mint in `world` is refused.
#[track_caller]
fn create_refused(world: &World, program: Pubkey, reason: impl Into<Refusal>) {
    let mut deal = Deal::agreed_for(world.fork(), mint(), program, RISKS_KNOWN, &[1_000]);
    deal.refused(deal.create(), &[Who::RentPayer], reason);
}

#[track_caller]
fn bytes_refused(program: Pubkey, data: Vec<u8>, reason: impl Into<Refusal>) {
    let mut world = World::new();
    set_mint_of(&mut world, program, data);
    create_refused(&world, program, reason);
}

/// A pointer to metadata: harmless, 64 bytes.
fn pointer() -> (u16, Vec<u8>) {
    (18, vec![7; 64])
}

fn with_pointers(count: usize) -> Vec<u8> {
    with_entries(&plain_mint(), &vec![pointer(); count])
}

#[test]
fn a_size_that_no_mint_has_is_refused() {
    let long = with_pointers(1);
    for program in PROGRAMS {
        for size in (0..MINT_SIZE).chain(MINT_SIZE + 1..=TOKEN_ACCOUNT_SIZE) {
            case(format_args!("{size} bytes, {program}"));
            bytes_refused(program, long[..size].to_vec(), MintInvalid);
        }
    }
}

#[test]
fn a_mint_that_is_not_initialised_is_refused() {
    for program in PROGRAMS {
        for initialised in [0, 2, 3, 0x7f, 0x80, 0xff] {
            case(format_args!("{initialised}, {program}"));
            for mut data in [plain_mint(), with_pointers(1)] {
                data[45] = initialised;
                bytes_refused(program, data, MintInvalid);
            }
        }
        bytes_refused(program, vec![0; MINT_SIZE], MintInvalid);
    }
}

#[test]
fn an_account_that_says_it_is_no_mint_is_refused() {
    for account_type in [0, 2, 3, 0x7f, 0x81, 0xff] {
        case(account_type);
        let mut data = with_pointers(1);
        data[TOKEN_ACCOUNT_SIZE] = account_type;
        bytes_refused(TOKEN_2022, data, MintInvalid);
    }
}

#[test]
fn an_entry_that_is_cut_off_is_refused() {
    let data = with_pointers(2);
    let first = TOKEN_ACCOUNT_SIZE + 1;
    let second = first + 4 + 64;
    for end in (first + 2..second).chain(second + 2..second + 4 + 64) {
        case(format_args!("{end} of {} bytes", data.len()));
        bytes_refused(TOKEN_2022, data[..end].to_vec(), MintInvalid);
    }
}

#[test]
fn an_entry_longer_than_the_account_is_refused() {
    for length in [65, 66, 0xff, 0x100, 0x4000, 0x7fff, 0x8000, 0xfffe, 0xffff_u16] {
        case(length);
        let mut data = with_pointers(1);
        data[168..170].copy_from_slice(&length.to_le_bytes());
        bytes_refused(TOKEN_2022, data, MintInvalid);
    }
}

/// The end of the account, or of its entries, is where Token-2022 has it: what stands behind is no extension to either.
#[test]
fn what_stands_behind_the_entries_is_nothing_to_either_program() {
    // A paused token, if anybody read it.
    let paused = [26u16.to_le_bytes().as_slice(), &33u16.to_le_bytes(), &[7; 32], &[1]].concat();
    let behind = |gap: &[u8]| [with_pointers(1).as_slice(), gap, &paused].concat();
    let cases = [
        ("room for extensions and none", with_pointers(0)),
        ("a byte that begins no entry", [with_pointers(1), vec![26]].concat()),
        ("the end, in two bytes", [with_pointers(1), vec![0; 2]].concat()),
        ("the end, in three", [with_pointers(1), vec![0; 3]].concat()),
        ("an entry behind the end", behind(&[0; 2])),
        ("an entry behind an end with a length", behind(&[0; 4])),
        ("an entry behind an end with a length that is too long", behind(&[0, 0, 0xff, 0xff])),
    ];
    for (name, data) in cases {
        case(name);
        let mut world = World::new();
        set_mint(&mut world, data);
        let mut deal = Deal::funded(world, 0, &[1_000]);
        deal.release_all(0);
        deal.paid(escrow_client::Recipient::Seller, 975);
    }
    case("the same entry, where it counts");
    let mut world = World::new();
    set_mint(&mut world, behind(&[]));
    let mut deal = Deal::agreed(world.fork(), 0, &[1_000]);
    deal.refused(deal.create(), &[Who::RentPayer], RiskNotAccepted);
    let mut deal = Deal::agreed(world, RISKS_KNOWN, &[1_000]);
    deal.ok(deal.create(), &[Who::RentPayer]);
    deal.open_accounts();
    let (authority, account) = (deal.world.mint_authority.insecure_clone(), deal.token_account(Who::Buyer));
    let mint_to = token_instruction::mint_to(&TOKEN_2022, &mint(), &account, &authority.pubkey(), &[], 1);
    deal.world.refused(built(mint_to), &[&authority], token(TokenError::MintPaused));
}

/// What the escrow program lets pass, the token program refuses to make an account for.
#[test]
fn the_token_program_has_the_last_word_on_what_a_mint_is() {
    // As long as a multisig, filled up with metadata.
    let of_multisig_size = with_entries(&plain_mint(), &[(19, vec![0; 355 - TOKEN_ACCOUNT_SIZE - 1 - 4])]);
    assert_eq!(of_multisig_size.len(), 355);
    for (name, program, data) in [
        ("a multisig's size", TOKEN_2022, of_multisig_size.clone()),
        ("a multisig's size", TOKEN, of_multisig_size),
        ("extensions", TOKEN, with_pointers(1)),
        ("room for extensions", TOKEN, with_pointers(0)),
    ] {
        case(format_args!("{name}, {program}"));
        assert!(MintInfo::read(&data).is_ok());
        bytes_refused(program, data, token(TokenError::InvalidMint));
    }
}

/// The only other account of a token program whose bytes somebody chooses: a multisig can be made to look like a mint.
#[test]
fn a_multisig_that_looks_like_a_mint_is_refused() {
    for program in PROGRAMS {
        case(program);
        let mut world = World::new();
        let multisig = mint_keypair();
        // Members are not asked. They stand from byte 3 on, so that byte 45 (initialised), 46 to 50 (freeze authority)
        // and 165 (account type) are theirs.
        let mut bytes = [0; 11 * 32];
        (bytes[44 - 3], bytes[45 - 3], bytes[TOKEN_ACCOUNT_SIZE - 3]) = (6, 1, 1);
        let members: Vec<Pubkey> =
            bytes.chunks_exact(32).map(|chunk| Pubkey::new_from_array(chunk.try_into().expect("32"))).collect();
        let create = solana_system_interface::instruction::create_account(
            &world.fee_payer.pubkey(),
            &multisig.pubkey(),
            world.svm.minimum_balance_for_rent_exemption(355),
            355,
            &program,
        );
        let members: Vec<&Pubkey> = members.iter().collect();
        let initialize = token_instruction::initialize_multisig2(&program, &multisig.pubkey(), &members, 1);
        sent(&mut world, &[create, built(initialize)], &[&multisig]);
        assert!(MintInfo::read(&world.raw(&mint()).data).is_ok(), "the disguise works");
        create_refused(&world, program, token(TokenError::InvalidMint));
    }
}

#[test]
fn an_account_that_is_no_mint_of_the_program_is_refused() {
    for program in PROGRAMS {
        let other = if program == TOKEN { TOKEN_2022 } else { TOKEN };
        let owners = [
            ("the other token program", other),
            ("the escrow program", escrow_client::escrow::ID),
            ("the system program", solana_sdk_ids::system_program::ID),
        ];
        for (name, owner) in owners {
            case(format_args!("a mint owned by {name}, {program}"));
            let mut world = World::new();
            set_mint_of(&mut world, owner, plain_mint());
            create_refused(&world, program, MintInvalid);
        }
        case(format_args!("nothing, {program}"));
        create_refused(&World::new(), program, MintInvalid);
        case(format_args!("a token account, {program}"));
        let mut world = World::new();
        Recipe::default().make_at(&mut world, &mint_keypair(), program);
        let buyer = world.buyer.pubkey();
        let accounts = [
            world.create_token_account(&buyer, &mint(), &program),
            world.new_token_account(&keypair(70), &buyer, &mint(), &program),
        ];
        for account in accounts {
            let mut deal = Deal::agreed_for(world.fork(), account, program, RISKS_KNOWN, &[1_000]);
            deal.refused(deal.create(), &[Who::RentPayer], MintInvalid);
        }
        case(format_args!("another mint than the terms name, {program}"));
        Recipe::default().make_at(&mut world, &keypair(71), program);
        let mut deal = Deal::agreed_for(world, mint(), program, RISKS_KNOWN, &[1_000]);
        let mut create = deal.create();
        for meta in create.accounts.iter_mut().filter(|meta| meta.pubkey == mint()) {
            meta.pubkey = keypair(71).pubkey();
        }
        deal.refused(create, &[Who::RentPayer], MintMismatch);
    }
}

/// Numbers that are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).expect("small")).expect("small")
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("a byte")
    }
}

/// Many mints with a few wrong bytes, or cut off: each is accepted, or refused for a reason that the same rules
/// give on the host, or refused by the token program; never by a panic.
#[test]
fn a_damaged_mint_is_refused_for_a_reason() {
    const ROUNDS: usize = 1_500;
    let mut world = World::new();
    let powers = default_state(spl_token_2022_interface::state::AccountState::Initialized)
        .and(pausable_mint())
        .and(permanent_delegate())
        .and(mint_close())
        .and(fee(None, 0, 0))
        .and(metadata());
    powers.make(&mut world);
    let sound = world.raw(&mint()).data;
    assert!(MintInfo::read(&sound).is_ok());
    let mut numbers = Numbers(1);
    let (mut accepted, mut by_rule, mut by_token_program) = (0, 0, 0);
    for round in 0..ROUNDS {
        let mut data = sound.clone();
        if numbers.below(4) == 0 {
            data.truncate(numbers.below(sound.len()));
        }
        for _ in 0..numbers.below(3) {
            // Mostly where the entries are.
            let start = if numbers.below(4) == 0 { 0 } else { TOKEN_ACCOUNT_SIZE };
            let index = start + numbers.below(sound.len() - start);
            if let Some(byte) = data.get_mut(index) {
                *byte = if numbers.below(2) == 0 { numbers.byte() } else { numbers.byte() % 32 };
            }
        }
        let expected = MintInfo::read(&data);
        let mut world = world.fork();
        set_mint(&mut world, data);
        let deal = Deal::agreed(world, RISKS_KNOWN, &[1_000]);
        match (deal.answer(deal.create(), &[Who::RentPayer]), expected) {
            (Ok(()), Ok(_)) => accepted += 1,
            (Err((_, true)), Ok(_)) => by_token_program += 1,
            (Err((error, false)), Err(reason)) => {
                let code = InstructionError::Custom(EscrowError::code(reason));
                assert_eq!(error, TransactionError::InstructionError(0, code), "round {round}");
                by_rule += 1;
            }
            (answer, expected) => panic!("round {round}: {answer:?}, where the rules say {expected:?}"),
        }
    }
    println!("{accepted} accepted, {by_rule} refused by the rules, {by_token_program} by the token program");
    assert!(accepted > 100 && by_rule > 100 && by_token_program > 10, "not every case was met");
}

/// The numbers in this file and in the program are those of the interface.
#[test]
fn the_numbers_are_the_interfaces() {
    let numbers =
        [(18, ExtensionType::MetadataPointer), (19, ExtensionType::TokenMetadata), (26, ExtensionType::Pausable)];
    for (number, kind) in numbers {
        assert_eq!(u16::from(kind), number);
    }
}
