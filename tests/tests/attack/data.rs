//! Instruction data cut, lengthened and with numbers that stand for nothing.

use solana_instruction::error::InstructionError;

use crate::{
    arena::{Arena, KINDS, Kind, SECRET},
    wire::{Deed, Offer, sha256},
};

/// One of each instruction.
fn all(arena: &Arena) -> Vec<Deed> {
    let expires_at = arena.world.now() + 1;
    let split = Offer::Split { milestone: 0, status: 0, remaining: 1_000_007, to_seller: 1, expires_at };
    let replaces = arena.deal.stones[0].deadline;
    let deadline = replaces + 1;
    let longer = Offer::Extension { milestone: 0, status: 0, replaces, deadline, expires_at };
    vec![
        Deed::Create,
        Deed::Fund,
        Deed::Cancel,
        Deed::Deliver(0),
        Deed::Claim(0, SECRET),
        Deed::Release { milestone: 0, amount: 1, expected: 1_000_007 },
        Deed::Refund { milestone: 0, amount: 1, expected: 1_000_007 },
        Deed::Dispute(0),
        Deed::Rule(0, 5000),
        Deed::Propose(split),
        Deed::Propose(longer),
        Deed::Propose(Offer::Nothing),
        Deed::Accept(split),
        Deed::Accept(longer),
        Deed::Expire(0),
        Deed::Withdraw(1),
        Deed::Close,
    ]
}

#[test]
fn data_that_is_cut_or_longer_is_refused_by_name() {
    for asset in KINDS {
        let mut arena = Arena::funded(asset, |terms| terms.hashlock = sha256(&[&SECRET]));
        let before = arena.world.snapshot();
        let length = [InstructionError::Custom(6063), InstructionError::InvalidInstructionData];
        for deed in all(&arena) {
            let actor = match deed {
                Deed::Create => arena.deal.rent_payer,
                Deed::Deliver(_) | Deed::Refund { .. } | Deed::Accept(_) => arena.seller(),
                Deed::Rule(..) => arena.arbiter(),
                _ => arena.buyer(),
            };
            let whole = arena.instruction(actor, &deed);
            let mut variants: Vec<Vec<u8>> = Vec::new();
            let step = if deed == Deed::Create { 13 } else { 1 };
            variants.extend((0..whole.data.len()).step_by(step).map(|end| whole.data[..end].to_vec()));
            variants.push([&whole.data[..], &[0]].concat());
            variants.push([&whole.data[..], &[0; 40]].concat());
            variants.push([&whole.data[..], &whole.data[..]].concat());
            for data in variants {
                let mut odd = whole.clone();
                // A proposal of nothing is one byte: cutting everything else from one gives a true instruction.
                odd.data = data;
                match arena.send(std::slice::from_ref(&odd)) {
                    Ok(()) => panic!("accepted {:?} of {deed:?}", odd.data),
                    Err((_, error)) => assert!(length.contains(&error), "{error:?} for {:?} of {deed:?}", odd.data),
                }
            }
        }
        assert!(before == arena.world.snapshot());
    }
}

#[test]
fn numbers_that_stand_for_nothing() {
    let mut arena = Arena::funded(Kind::Sol, |_| ());
    let before = arena.world.snapshot();
    let buyer = arena.buyer();
    let mut odd = Vec::new();
    // No such instruction, with the accounts and data of another.
    for tag in (14..=255).step_by(7) {
        let mut instruction = arena.instruction(buyer, &Deed::Close);
        instruction.data[0] = tag;
        odd.push(instruction);
    }
    // No such recipient.
    for recipient in [4, 5, 128, 255] {
        odd.push(arena.instruction(buyer, &Deed::Withdraw(recipient)));
    }
    // No such kind of proposal.
    for kind in [3, 128, 255] {
        for deed in all(&arena) {
            if let Deed::Propose(_) | Deed::Accept(_) = deed {
                let mut instruction = arena.instruction(buyer, &deed);
                instruction.data[1] = kind;
                odd.push(instruction);
            }
        }
    }
    // No such milestone.
    for milestone in [1, 7, 8, 128, 255] {
        for deed in all(&arena) {
            let mut instruction = arena.instruction(buyer, &deed);
            let index = match deed {
                Deed::Create | Deed::Fund | Deed::Cancel | Deed::Withdraw(_) | Deed::Close => continue,
                Deed::Propose(Offer::Nothing) => continue,
                Deed::Propose(_) | Deed::Accept(_) => 2,
                _ => 1,
            };
            instruction.data[index] = milestone;
            odd.push(instruction);
        }
    }
    for instruction in odd {
        assert!(arena.send(std::slice::from_ref(&instruction)).is_err(), "{:?}", instruction.data);
    }
    assert!(before == arena.world.snapshot());
}

#[test]
fn the_tags_of_the_interface_are_those_of_the_table() {
    // The IDL and the table must name the same instruction by the same byte, with the same accounts in the same order.
    let idl = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../idl/escrow.json")).expect("the IDL");
    let idl: serde_json::Value = serde_json::from_slice(&idl).expect("JSON");
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md")).expect("it");
    for instruction in idl["instructions"].as_array().expect("a list") {
        let (name, tag) = (instruction["name"].as_str().expect("a name"), &instruction["discriminator"][0]);
        let accounts: Vec<String> = instruction["accounts"].as_array().expect("a list").iter().map(words).collect();
        let row = table.lines().find(|line| line.starts_with(&format!("| {tag} | {name} |"))).expect(name);
        assert!(row.ends_with(&format!("| {} |", accounts.join(", "))), "{row}\n{accounts:?}");
    }
    for error in idl["errors"].as_array().expect("a list") {
        let row = format!("| {} | {} | {} |", error["code"], error["name"], error["msg"]).replace('"', "");
        assert!(table.contains(&row), "{row}");
    }
}

/// An account as the table writes it.
fn words(account: &serde_json::Value) -> String {
    let mut flags = String::new();
    for (key, flag) in [("writable", "w"), ("signer", "s"), ("optional", "?")] {
        if account[key] == true {
            flags += flag;
        }
    }
    let name = account["name"].as_str().expect("a name");
    if flags.is_empty() { name.to_owned() } else { format!("{name} `{flags}`") }
}
