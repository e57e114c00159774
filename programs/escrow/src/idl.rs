//! What Anchor's macros leave out of the description of the interface. `cargo xtask idl` runs this and reads what it
//! prints, like the tests that the macros generate.

use anchor_lang::IdlAccountType;

use crate::state::Milestone;

/// The milestones stand behind the header of the escrow account: of such an account Anchor registers the header only.
#[test]
fn __anchor_private_print_idl_types() {
    let (mut accounts, mut types) = (Vec::new(), Vec::new());
    Milestone::__register_idl_deps(&mut accounts, &mut types);
    println!("--- IDL begin types ---\n[{}]\n--- IDL end types ---", types.join(","));
}
