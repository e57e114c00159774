//! Accounts that the program did not write, or that another version of it wrote.

use escrow_tests::{DAY, START};
use solana_account::Account;
use solana_instruction::error::InstructionError::{self, Custom};
use solana_pubkey::Pubkey;

use crate::{
    arena::{Arena, KINDS, Kind, SECRET},
    wire::{Deed, Offer, program, sha256},
};

/// Every instruction that loads an escrow, each by somebody who may send it in some status.
fn loading(arena: &Arena) -> Vec<(Pubkey, Deed)> {
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let expected = arena.deal.stones[0].remaining;
    vec![
        (buyer, Deed::Fund),
        (buyer, Deed::Cancel),
        (seller, Deed::Deliver(0)),
        (buyer, Deed::Claim(0, SECRET)),
        (buyer, Deed::Release { milestone: 0, amount: 1, expected }),
        (seller, Deed::Refund { milestone: 0, amount: 1, expected }),
        (buyer, Deed::Dispute(0)),
        (arena.arbiter(), Deed::Rule(0, 1)),
        (buyer, Deed::Propose(Offer::Nothing)),
        (buyer, Deed::Accept(Offer::Nothing)),
        (buyer, Deed::Expire(0)),
        (buyer, Deed::Withdraw(1)),
        (buyer, Deed::Close),
    ]
}

/// Changes the escrow account past the program.
fn forge(arena: &mut Arena, change: impl FnOnce(&mut Account)) {
    let escrow = arena.escrow();
    let mut account = arena.world.svm.get_account(&escrow).expect("an escrow");
    change(&mut account);
    arena.world.svm.set_account(escrow, account).expect("an account");
}

/// Every instruction must refuse the account as it lies there, for one of these reasons.
fn all_refuse(arena: &mut Arena, reasons: &[InstructionError]) {
    for (actor, deed) in loading(arena) {
        let instruction = arena.instruction(actor, &deed);
        arena.refused(instruction, reasons);
    }
}

#[test]
fn accounts_of_another_version_are_refused_by_name() {
    for asset in KINDS {
        for funded in [true, false] {
            let mut arena = Arena::empty(asset, |terms| terms.hashlock = sha256(&[&SECRET]));
            arena.create();
            if funded {
                arena.must(arena.buyer(), Deed::Fund);
            }
            for now in [START, START + 20 * DAY] {
                arena.at(now);
                for version in [0, 1, 3, 4, 128, 255] {
                    forge(&mut arena, |account| account.data[597] = version);
                    all_refuse(&mut arena, &[Custom(6064)]);
                }
            }
        }
    }
}

#[test]
fn accounts_that_0_1_wrote_are_refused_by_name() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/layout-1.json");
    let fixtures: serde_json::Value = serde_json::from_slice(&std::fs::read(path).expect("fixtures")).expect("JSON");
    let fixtures = fixtures.as_array().expect("a list");
    assert!(fixtures.len() > 20);
    for fixture in fixtures {
        let text = |key: &str| fixture["escrow"][key].as_str().expect("a text").to_owned();
        let hex = text("data");
        let bytes = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
        let data: Vec<u8> = (0..hex.len()).step_by(2).map(bytes).collect();
        let address: Pubkey = text("address").parse().expect("an address");
        let lamports = text("lamports").parse().expect("a number");
        let mut arena = Arena::empty(Kind::Sol, |_| ());
        let account = Account { lamports, data, owner: program(), executable: false, rent_epoch: u64::MAX };
        arena.world.svm.set_account(address, account).expect("an account");
        for now in [START, START + 1000 * DAY] {
            arena.at(now);
            for (actor, deed) in loading(&arena) {
                let mut instruction = arena.instruction(actor, &deed);
                let place = instruction.accounts.iter_mut().find(|meta| meta.pubkey == arena.deal.terms.escrow());
                place.expect("the escrow").pubkey = address;
                arena.no(instruction, 6064);
            }
        }
    }
}

#[test]
fn accounts_of_other_sizes_and_counts_are_refused() {
    let arena = Arena::funded(Kind::Sol, |terms| terms.hashlock = sha256(&[&SECRET]));
    let size = arena.deal.image().len();
    let odd = [
        Custom(6112),
        InstructionError::InvalidAccountData,
        InstructionError::AccountDataTooSmall,
        InstructionError::UninitializedAccount,
    ];
    for length in [0, 1, 7, 8, 596, 597, 598, 616, 620, 624, size - 40, size - 1, size + 1, size + 8, size + 40, 10_000]
    {
        let mut arena = arena.fork();
        forge(&mut arena, |account| account.data.resize(length, 0));
        all_refuse(&mut arena, &odd);
    }
    for count in [0_u32, 2, 8, 9, 255, 256, 0x0100_0001, u32::MAX] {
        let mut arena = arena.fork();
        forge(&mut arena, |account| account.data[616..620].copy_from_slice(&count.to_le_bytes()));
        all_refuse(&mut arena, &odd);
    }
}

#[test]
fn accounts_of_other_programs_and_kinds_are_refused() {
    let arena = Arena::funded(Kind::Token, |_| ());
    let odd =
        [InstructionError::IllegalOwner, InstructionError::InvalidAccountData, InstructionError::UninitializedAccount];
    // Right bytes, wrong owner.
    for owner in [arena.stranger(), Pubkey::default(), arena.deal.terms.token_program] {
        let mut arena = arena.fork();
        forge(&mut arena, |account| account.owner = owner);
        all_refuse(&mut arena, &odd);
    }
    // Another kind of account.
    for index in 0..8 {
        let mut arena = arena.fork();
        forge(&mut arena, |account| account.data[index] ^= 1);
        all_refuse(&mut arena, &odd);
    }
    // The vault, the mint, a wallet and nothing in the escrow's place.
    let arena = arena.fork();
    for other in [arena.vault(), arena.deal.terms.mint, arena.stranger(), Pubkey::new_from_array([99; 32]), program()] {
        let mut arena = arena.fork();
        for (actor, deed) in loading(&arena) {
            let mut instruction = arena.instruction(actor, &deed);
            let place = instruction.accounts.iter_mut().find(|meta| meta.pubkey == arena.deal.terms.escrow());
            place.expect("the escrow").pubkey = other;
            let before = arena.world.snapshot();
            assert!(arena.send(&[instruction]).is_err(), "{deed:?} with {other}");
            assert!(before == arena.world.snapshot());
        }
    }
}

#[test]
fn a_read_only_escrow_or_a_missing_signature_is_refused() {
    for asset in KINDS {
        let mut arena = Arena::empty(asset, |terms| terms.hashlock = sha256(&[&SECRET]));
        arena.create();
        for round in 0..2 {
            if round == 1 {
                arena.must(arena.buyer(), Deed::Fund);
            }
            for (actor, deed) in loading(&arena) {
                let whole = arena.instruction(actor, &deed);
                for index in 0..whole.accounts.len() {
                    if whole.accounts[index].is_signer {
                        let mut odd = whole.clone();
                        odd.accounts[index].is_signer = false;
                        arena.refused(odd, &[InstructionError::MissingRequiredSignature]);
                    }
                }
                for index in (0..whole.accounts.len()).filter(|index| whole.accounts[*index].is_writable) {
                    let mut odd = whole.clone();
                    odd.accounts[index].is_writable = false;
                    let mut fork = arena.fork();
                    let before = fork.world.snapshot();
                    let result = fork.send(&[odd]);
                    if whole.accounts[index].pubkey == arena.deal.terms.escrow() {
                        assert_eq!(result, Err((0, Custom(2000))));
                    }
                    assert!(result.is_ok() || before == fork.world.snapshot());
                }
            }
        }
    }
}

#[test]
fn a_status_that_the_program_never_writes_is_refused() {
    let arena = Arena::funded(Kind::Sol, |_| ());
    for value in [0, 3, 255] {
        let mut arena = arena.fork();
        forge(&mut arena, |account| account.data[596] = value);
        for (actor, deed) in loading(&arena) {
            let instruction = arena.instruction(actor, &deed);
            let before = arena.world.snapshot();
            let error = arena.send(&[instruction]).expect_err("an odd status").1;
            // A reason that has nothing to do with the status may come first.
            let other = matches!(deed, Deed::Fund | Deed::Claim(..) | Deed::Accept(_) | Deed::Withdraw(_));
            assert!(error == Custom(6112) || other, "{error:?} for {deed:?}");
            assert!(before == arena.world.snapshot());
        }
    }
}
