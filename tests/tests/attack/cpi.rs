//! The same through another program, which signs with an address of its own and passes on whatever it is told.

use escrow_tests::{START, World};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    stage::{Asset, SECRET, Stage, terms},
    wire::{Deed, program, sha256},
};

/// The address of the test program, which is anywhere.
const CALLER: Pubkey = Pubkey::new_from_array([77; 32]);

/// The caller's vault with this seed, and its bump.
fn vault(seed: u8) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[b"vault", &[seed]], &CALLER)
}

/// The instruction, made by the caller for the vault with this seed.
fn through(seed: u8, inner: &Instruction) -> Instruction {
    let (vault, bump) = vault(seed);
    let mut accounts = vec![AccountMeta::new_readonly(inner.program_id, false)];
    let mut data = vec![seed, bump];
    for meta in &inner.accounts {
        // The vault does not sign the transaction: the caller signs for it.
        accounts.push(AccountMeta { is_signer: meta.is_signer && meta.pubkey != vault, ..meta.clone() });
        data.push(u8::from(meta.is_signer) | u8::from(meta.is_writable) << 1);
    }
    data.extend(&inner.data);
    Instruction { program_id: CALLER, accounts, data }
}

fn stage(role: fn(&mut crate::wire::Terms, Pubkey)) -> Stage {
    let mut world = World::new();
    let elf = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/vault/elf/test_vault.so");
    world.svm.add_program(CALLER, &std::fs::read(elf).expect("the test program")).expect("it loads");
    world.svm.airdrop(&vault(1).0, 1_000_000_000).expect("an airdrop");
    let mut terms = terms(&world, Asset::Sol);
    role(&mut terms, vault(1).0);
    Stage::with(world, terms)
}

#[test]
fn a_multisigs_vault_has_every_role() {
    // As the buyer: it funds, disputes and releases.
    let mut stage = stage(|terms, vault| terms.buyer = vault);
    stage.create();
    let (buyer, seller) = (stage.buyer(), stage.seller());
    let fund = stage.instruction(buyer, &Deed::Fund);
    stage.outside(through(1, &fund));
    stage.deal.apply(&Deed::Fund, &buyer, START);
    stage.must(seller, Deed::Deliver(0));
    for deed in [Deed::Dispute(0), Deed::Release { milestone: 0, amount: 1_000_007, expected: 1_000_007 }] {
        let instruction = stage.instruction(buyer, &deed);
        stage.outside(through(1, &instruction));
        stage.deal.apply(&deed, &buyer, START);
        stage.check();
    }
    stage.finish();
}

#[test]
fn a_multisigs_vault_pays_the_rent_and_gets_it_back() {
    let mut stage = stage(|_, _| ());
    let payer = vault(1).0;
    let before = stage.world.lamports(&payer);
    let create = stage.instruction(payer, &Deed::Create);
    stage.outside(through(1, &create));
    stage.deal.apply(&Deed::Create, &payer, START);
    assert!(stage.world.lamports(&payer) < before);
    let cancel = stage.instruction(payer, &Deed::Cancel);
    stage.outside(through(1, &cancel));
    assert_eq!(stage.world.lamports(&payer), before);
}

#[test]
fn another_vault_of_the_same_multisig_signs_for_nothing() {
    let mut stage = stage(|terms, vault| {
        terms.seller = vault;
        terms.hashlock = sha256(&[&SECRET]);
    });
    stage.create();
    stage.must(stage.buyer(), Deed::Fund);
    let refund = stage.instruction(stage.seller(), &Deed::Refund { milestone: 0, amount: 7, expected: 1_000_007 });
    // The caller signs for vault 2, whom the escrow does not know, and cannot sign for vault 1 with that seed.
    let mut forged = refund.clone();
    forged.accounts[1].pubkey = vault(2).0;
    stage.no(through(2, &forged), 6041);
    let mut stolen = through(1, &refund);
    (stolen.data[0], stolen.data[1]) = (2, vault(2).1);
    let before = stage.world.snapshot();
    let signers = [crate::stage::key_of(&stage.world.fee_payer.pubkey())];
    assert!(stage.world.send(&[stolen], &signers).is_err());
    // Not signed for at all.
    let mut unsigned = refund.clone();
    unsigned.accounts[1].is_signer = false;
    assert!(stage.world.send(&[through(1, &unsigned)], &signers).is_err());
    assert!(before == stage.world.snapshot());
    // And a secret may come through anybody.
    let claim = stage.instruction(stage.stranger(), &Deed::Claim(0, SECRET));
    stage.outside(through(2, &claim));
    stage.deal.apply(&Deed::Claim(0, SECRET), &stage.stranger(), START);
    stage.finish();
}

#[test]
fn the_events_own_instruction_is_nobodys_to_call() {
    // Whoever forges an event needs the program's own signature for it; nothing changes at any rate.
    let mut stage = Stage::funded(Asset::Sol, |_| ());
    let before = stage.world.snapshot();
    for data in [0x1d9a_cb51_2ea5_45e4_u64.to_le_bytes(), 0x1d9a_cb51_2ea5_45e4_u64.to_be_bytes()] {
        let forged = Instruction {
            program_id: program(),
            accounts: vec![AccountMeta::new(stage.escrow(), false)],
            data: [&data[..], &[0; 48]].concat(),
        };
        assert!(stage.send(&[forged]).is_err());
    }
    assert!(before == stage.world.snapshot());
}
