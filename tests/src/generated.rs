//! The committed files that follow from the program and the client. `cargo xtask generate` writes them, through the binary
//! `generate`; tests compare them.

use std::{fs, path::Path};

use escrow_client::escrow::state::LAYOUT_VERSION;

use crate::{compute_units, documents, fixtures, typescript};

/// A file: its path in the project, and what stands in it.
pub type File = (String, String);

/// What `cargo xtask generate` calls it, and what makes its files.
pub type Generator = (&'static str, fn() -> Vec<File>);

/// All that this package makes.
pub const GENERATORS: [Generator; 5] = [
    ("compute-units", || one("docs/COMPUTE_UNITS.md", compute_units::document())),
    ("protocol", || one("docs/protocol.md", documents::protocol())),
    ("schema", documents::schemas),
    ("layout", || one(&format!("tests/fixtures/layout-{LAYOUT_VERSION}.json"), fixtures::document())),
    ("typescript", || one("idl/typescript/fixtures.json", typescript::document())),
];

fn one(path: &str, text: String) -> Vec<File> {
    vec![(path.to_owned(), text)]
}

/// The files of one generator; `None` if there is none of this name.
pub fn files(name: &str) -> Option<Vec<File>> {
    GENERATORS.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// Fails where a committed file of the generator is not what the code gives.
pub fn compare(name: &str) {
    for (path, text) in files(name).unwrap_or_else(|| panic!("no generator {name}")) {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&path);
        let committed = fs::read_to_string(committed).unwrap_or_default();
        assert!(committed == text, "{path} is not what the code gives: `cargo xtask generate --only {name}` writes it");
    }
}
