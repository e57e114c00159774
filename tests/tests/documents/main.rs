//! Documents that are generated match what they are generated from, and the program says whom to tell of a problem.

use std::path::Path;

#[test]
fn the_table_of_compute_units_is_what_the_committed_program_costs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COMPUTE_UNITS.md");
    let committed = std::fs::read_to_string(&path).expect("docs/COMPUTE_UNITS.md");
    let measured = escrow_tests::compute_units::document();
    assert!(
        committed == measured,
        "docs/COMPUTE_UNITS.md no longer matches: cargo run -p escrow-tests --bin compute-units -- --write\n{measured}"
    );
}

#[test]
fn the_tables_of_the_protocol_are_what_the_code_says() {
    let (committed, written) = escrow_tests::documents::protocol().expect("docs/protocol.md");
    assert!(committed == written, "docs/protocol.md no longer matches: cargo run -p escrow-tests --bin documents");
}

#[test]
fn the_schemas_are_those_of_the_views() {
    for (name, written) in escrow_tests::documents::schemas() {
        let committed = std::fs::read_to_string(escrow_tests::documents::path(&name)).unwrap_or_default();
        assert!(committed == written, "docs/{name} no longer matches: cargo run -p escrow-tests --bin documents");
    }
}

#[test]
fn the_committed_program_holds_a_security_txt_that_tools_can_read() {
    let program = std::fs::read(escrow_tests::elf_path()).expect("the committed program");
    let found = solana_security_txt::find_and_parse(&program).expect("a security.txt");
    assert_eq!(found.name, "Escrow");
    assert!(found.policy.contains("SECURITY.md"));
    assert_eq!(found.contacts.len(), 1);
}
