//! What Anchor's macros leave out of the description of the interface. `cargo xtask generate` runs this and reads what it
//! prints, like the tests that the macros generate.

use anchor_lang::IdlAccountType;

use crate::{interface::INSTRUCTIONS, state::Milestone};

/// The table of the interface: it knows the accounts that stand behind those of an accounts struct.
#[test]
fn __anchor_private_print_idl_interface() {
    let instructions = INSTRUCTIONS.map(|instruction| {
        let accounts = instruction.accounts.iter().map(|account| {
            let crate::interface::Account { name, doc, writable, signer, optional } = account;
            format!(
                r#"{{"name":{name:?},"docs":[{doc:?}],"writable":{writable},"signer":{signer},"optional":{optional}}}"#
            )
        });
        let accounts = accounts.collect::<Vec<_>>().join(",");
        format!(
            r#"{{"name":{:?},"discriminator":{},"accounts":[{accounts}]}}"#,
            instruction.name, instruction.discriminator
        )
    });
    println!("--- IDL begin interface ---\n[{}]\n--- IDL end interface ---", instructions.join(","));
}

/// The milestones stand behind the header of the escrow account: of such an account Anchor registers the header only.
#[test]
fn __anchor_private_print_idl_types() {
    let (mut accounts, mut types) = (Vec::new(), Vec::new());
    Milestone::__register_idl_deps(&mut accounts, &mut types);
    println!("--- IDL begin types ---\n[{}]\n--- IDL end types ---", types.join(","));
}
