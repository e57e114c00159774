//! Accounts that the program did not write, or that another version of it wrote.

use escrow_tests::{DAY, START};
use solana_account::Account;
use solana_instruction::error::InstructionError::{self, Custom};
use solana_pubkey::Pubkey;

use crate::{
    stage::{ASSETS, Asset, SECRET, Stage},
    wire::{Deed, Offer, program, sha256},
};

/// Every instruction that loads an escrow, each by somebody who may send it in some status.
fn loading(stage: &Stage) -> Vec<(Pubkey, Deed)> {
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let expected = stage.deal.stones[0].remaining;
    vec![
        (buyer, Deed::Fund),
        (buyer, Deed::Cancel),
        (seller, Deed::Deliver(0)),
        (buyer, Deed::Claim(0, SECRET)),
        (buyer, Deed::Release { milestone: 0, amount: 1, expected }),
        (seller, Deed::Refund { milestone: 0, amount: 1, expected }),
        (buyer, Deed::Dispute(0)),
        (stage.arbiter(), Deed::Rule(0, 1)),
        (buyer, Deed::Propose(Offer::Nothing)),
        (buyer, Deed::Accept(Offer::Nothing)),
        (buyer, Deed::Expire(0)),
        (buyer, Deed::Withdraw(1)),
        (buyer, Deed::Close),
    ]
}

/// Changes the escrow account past the program.
fn forge(stage: &mut Stage, change: impl FnOnce(&mut Account)) {
    let escrow = stage.escrow();
    let mut account = stage.world.svm.get_account(&escrow).expect("an escrow");
    change(&mut account);
    stage.world.svm.set_account(escrow, account).expect("an account");
}

/// Every instruction must refuse the account as it lies there, for one of these reasons.
fn all_refuse(stage: &mut Stage, reasons: &[InstructionError]) {
    for (actor, deed) in loading(stage) {
        let instruction = stage.instruction(actor, &deed);
        stage.refused(instruction, reasons);
    }
}

#[test]
fn accounts_of_another_version_are_refused_by_name() {
    for asset in ASSETS {
        for funded in [true, false] {
            let mut stage = Stage::empty(asset, |terms| terms.hashlock = sha256(&[&SECRET]));
            stage.create();
            if funded {
                stage.must(stage.buyer(), Deed::Fund);
            }
            for now in [START, START + 20 * DAY] {
                stage.at(now);
                for version in [0, 1, 3, 4, 128, 255] {
                    forge(&mut stage, |account| account.data[597] = version);
                    all_refuse(&mut stage, &[Custom(6064)]);
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
        let mut stage = Stage::empty(Asset::Sol, |_| ());
        let account = Account { lamports, data, owner: program(), executable: false, rent_epoch: u64::MAX };
        stage.world.svm.set_account(address, account).expect("an account");
        for now in [START, START + 1000 * DAY] {
            stage.at(now);
            for (actor, deed) in loading(&stage) {
                let mut instruction = stage.instruction(actor, &deed);
                let place = instruction.accounts.iter_mut().find(|meta| meta.pubkey == stage.deal.terms.escrow());
                place.expect("the escrow").pubkey = address;
                stage.no(instruction, 6064);
            }
        }
    }
}

#[test]
fn accounts_of_other_sizes_and_counts_are_refused() {
    let stage = Stage::funded(Asset::Sol, |terms| terms.hashlock = sha256(&[&SECRET]));
    let size = stage.deal.image().len();
    let odd = [
        Custom(6112),
        InstructionError::InvalidAccountData,
        InstructionError::AccountDataTooSmall,
        InstructionError::UninitializedAccount,
    ];
    for length in [0, 1, 7, 8, 596, 597, 598, 616, 620, 624, size - 40, size - 1, size + 1, size + 8, size + 40, 10_000]
    {
        let mut stage = stage.fork();
        forge(&mut stage, |account| account.data.resize(length, 0));
        all_refuse(&mut stage, &odd);
    }
    for count in [0_u32, 2, 8, 9, 255, 256, 0x0100_0001, u32::MAX] {
        let mut stage = stage.fork();
        forge(&mut stage, |account| account.data[616..620].copy_from_slice(&count.to_le_bytes()));
        all_refuse(&mut stage, &odd);
    }
}

#[test]
fn accounts_of_other_programs_and_kinds_are_refused() {
    let stage = Stage::funded(Asset::Token, |_| ());
    let odd =
        [InstructionError::IllegalOwner, InstructionError::InvalidAccountData, InstructionError::UninitializedAccount];
    // Right bytes, wrong owner.
    for owner in [stage.stranger(), Pubkey::default(), stage.deal.terms.token_program] {
        let mut stage = stage.fork();
        forge(&mut stage, |account| account.owner = owner);
        all_refuse(&mut stage, &odd);
    }
    // Another kind of account.
    for index in 0..8 {
        let mut stage = stage.fork();
        forge(&mut stage, |account| account.data[index] ^= 1);
        all_refuse(&mut stage, &odd);
    }
    // The vault, the mint, a wallet and nothing in the escrow's place.
    let stage = stage.fork();
    for other in [stage.vault(), stage.deal.terms.mint, stage.stranger(), Pubkey::new_from_array([99; 32]), program()] {
        let mut stage = stage.fork();
        for (actor, deed) in loading(&stage) {
            let mut instruction = stage.instruction(actor, &deed);
            let place = instruction.accounts.iter_mut().find(|meta| meta.pubkey == stage.deal.terms.escrow());
            place.expect("the escrow").pubkey = other;
            let before = stage.world.snapshot();
            assert!(stage.send(&[instruction]).is_err(), "{deed:?} with {other}");
            assert!(before == stage.world.snapshot());
        }
    }
}

#[test]
fn a_read_only_escrow_or_a_missing_signature_is_refused() {
    for asset in ASSETS {
        let mut stage = Stage::empty(asset, |terms| terms.hashlock = sha256(&[&SECRET]));
        stage.create();
        for round in 0..2 {
            if round == 1 {
                stage.must(stage.buyer(), Deed::Fund);
            }
            for (actor, deed) in loading(&stage) {
                let whole = stage.instruction(actor, &deed);
                for index in 0..whole.accounts.len() {
                    if whole.accounts[index].is_signer {
                        let mut odd = whole.clone();
                        odd.accounts[index].is_signer = false;
                        stage.refused(odd, &[InstructionError::MissingRequiredSignature]);
                    }
                }
                for index in (0..whole.accounts.len()).filter(|index| whole.accounts[*index].is_writable) {
                    let mut odd = whole.clone();
                    odd.accounts[index].is_writable = false;
                    let mut fork = stage.fork();
                    let before = fork.world.snapshot();
                    let result = fork.send(&[odd]);
                    if whole.accounts[index].pubkey == stage.deal.terms.escrow() {
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
    let stage = Stage::funded(Asset::Sol, |_| ());
    for value in [0, 3, 255] {
        let mut stage = stage.fork();
        forge(&mut stage, |account| account.data[596] = value);
        for (actor, deed) in loading(&stage) {
            let instruction = stage.instruction(actor, &deed);
            let before = stage.world.snapshot();
            let error = stage.send(&[instruction]).expect_err("an odd status").1;
            // A reason that has nothing to do with the status may come first.
            let other = matches!(deed, Deed::Fund | Deed::Claim(..) | Deed::Accept(_) | Deed::Withdraw(_));
            assert!(error == Custom(6112) || other, "{error:?} for {deed:?}");
            assert!(before == stage.world.snapshot());
        }
    }
}
