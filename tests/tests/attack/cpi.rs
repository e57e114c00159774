//! The same through another program, which signs with an address of its own and passes on whatever it is told.

use escrow_tests::{START, World};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    arena::{Arena, Kind, SECRET, terms},
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

fn arena(role: fn(&mut crate::wire::Terms, Pubkey)) -> Arena {
    let mut world = World::new();
    let elf = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/vault/elf/test_vault.so");
    world.svm.add_program(CALLER, &std::fs::read(elf).expect("the test program")).expect("it loads");
    world.svm.airdrop(&vault(1).0, 1_000_000_000).expect("an airdrop");
    let mut terms = terms(&world, Kind::Sol);
    role(&mut terms, vault(1).0);
    Arena::with(world, terms)
}

#[test]
fn a_multisigs_vault_has_every_role() {
    // As the buyer: it funds, disputes and releases.
    let mut arena = arena(|terms, vault| terms.buyer = vault);
    arena.create();
    let (buyer, seller) = (arena.buyer(), arena.seller());
    let fund = arena.instruction(buyer, &Deed::Fund);
    arena.outside(through(1, &fund));
    arena.deal.apply(&Deed::Fund, &buyer, START);
    arena.must(seller, Deed::Deliver(0));
    for deed in [Deed::Dispute(0), Deed::Release { milestone: 0, amount: 1_000_007, expected: 1_000_007 }] {
        let instruction = arena.instruction(buyer, &deed);
        arena.outside(through(1, &instruction));
        arena.deal.apply(&deed, &buyer, START);
        arena.check();
    }
    arena.finish();
}

#[test]
fn a_multisigs_vault_pays_the_rent_and_gets_it_back() {
    let mut arena = arena(|_, _| ());
    let payer = vault(1).0;
    let before = arena.world.lamports(&payer);
    let create = arena.instruction(payer, &Deed::Create);
    arena.outside(through(1, &create));
    arena.deal.apply(&Deed::Create, &payer, START);
    assert!(arena.world.lamports(&payer) < before);
    let cancel = arena.instruction(payer, &Deed::Cancel);
    arena.outside(through(1, &cancel));
    assert_eq!(arena.world.lamports(&payer), before);
}

#[test]
fn another_vault_of_the_same_multisig_signs_for_nothing() {
    let mut arena = arena(|terms, vault| {
        terms.seller = vault;
        terms.hashlock = sha256(&[&SECRET]);
    });
    arena.create();
    arena.must(arena.buyer(), Deed::Fund);
    let refund = arena.instruction(arena.seller(), &Deed::Refund { milestone: 0, amount: 7, expected: 1_000_007 });
    // The caller signs for vault 2, whom the escrow does not know, and cannot sign for vault 1 with that seed.
    let mut forged = refund.clone();
    forged.accounts[1].pubkey = vault(2).0;
    arena.no(through(2, &forged), 6041);
    let mut stolen = through(1, &refund);
    (stolen.data[0], stolen.data[1]) = (2, vault(2).1);
    let before = arena.world.snapshot();
    let signers = [crate::arena::key_of(&arena.world.fee_payer.pubkey())];
    assert!(arena.world.send(&[stolen], &signers).is_err());
    // Not signed for at all.
    let mut unsigned = refund.clone();
    unsigned.accounts[1].is_signer = false;
    assert!(arena.world.send(&[through(1, &unsigned)], &signers).is_err());
    assert!(before == arena.world.snapshot());
    // And a secret may come through anybody.
    let claim = arena.instruction(arena.stranger(), &Deed::Claim(0, SECRET));
    arena.outside(through(2, &claim));
    arena.deal.apply(&Deed::Claim(0, SECRET), &arena.stranger(), START);
    arena.finish();
}

#[test]
fn the_events_own_instruction_is_nobodys_to_call() {
    // Whoever forges an event needs the program's own signature for it; nothing changes at any rate.
    let mut arena = Arena::funded(Kind::Sol, |_| ());
    let before = arena.world.snapshot();
    for data in [0x1d9a_cb51_2ea5_45e4_u64.to_le_bytes(), 0x1d9a_cb51_2ea5_45e4_u64.to_be_bytes()] {
        let forged = Instruction {
            program_id: program(),
            accounts: vec![AccountMeta::new(arena.escrow(), false)],
            data: [&data[..], &[0; 48]].concat(),
        };
        assert!(arena.send(&[forged]).is_err());
    }
    assert!(before == arena.world.snapshot());
}
