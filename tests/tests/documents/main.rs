//! Documents that are generated match what they are generated from, and the program says whom to tell of a problem.

use escrow_tests::generated;

#[test]
fn the_table_of_compute_units_is_what_the_committed_program_costs() {
    generated::compare("compute-units");
}

#[test]
fn the_tables_of_the_protocol_are_what_the_code_says() {
    generated::compare("protocol");
}

#[test]
fn the_schemas_are_those_of_the_views() {
    generated::compare("schema");
}

#[test]
fn what_the_typescript_client_is_held_against_is_what_the_program_gives() {
    generated::compare("typescript");
}

#[test]
fn the_committed_program_holds_a_security_txt_that_tools_can_read() {
    let program = std::fs::read(escrow_tests::elf_path()).expect("the committed program");
    let found = solana_security_txt::find_and_parse(&program).expect("a security.txt");
    assert_eq!(found.name, "Escrow");
    assert!(found.policy.contains("SECURITY.md"));
    assert_eq!(found.contacts.len(), 1);
}
